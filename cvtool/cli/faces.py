"""`cvtool faces`: known faces in a gallery, and albums grouped by person."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from cvtool.cli import console
from cvtool.cli.face_choice import choose_faces
from cvtool.cli.face_threshold import refuse_both
from cvtool.cli.faces_calibrate import calibrate
from cvtool.cli.faces_input import (
    complain,
    load,
    look,
    stored_name,
)
from cvtool.cli.options import (
    DeviceOption,
    EveryOption,
    FarOption,
    JsonArrayOption,
    JsonLinesOption,
    JsonOption,
    MaxPixelsOption,
    ModelOption,
    OverwriteOption,
    SourcesArgument,
    ThresholdOption,
)
from cvtool.cli.verify import DEFAULT_MODEL
from cvtool.errors import CvtoolError, OutputError

faces_app = typer.Typer(name="faces")

GalleryArgument = Annotated[
    Path, typer.Argument(metavar="GALLERY", help="The gallery's file; any name.")
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The person's name; any text.")]
FaceOption = Annotated[
    int | None,
    typer.Option(
        "--face",
        min=1,
        metavar="N",
        help="Of several faces in a picture, take the Nth largest instead of the largest.",
    ),
]


@faces_app.callback()
def faces() -> None:
    """Know people again: enroll faces in a gallery, identify them, group an album by person."""


@faces_app.command()
def enroll(
    gallery: GalleryArgument,
    name: NameArgument,
    sources: SourcesArgument,
    face: FaceOption = None,
    keep_pictures: Annotated[
        bool,
        typer.Option("--keep-pictures", help="Keep the cut-out faces in the gallery as well."),
    ] = False,
    model: ModelOption = DEFAULT_MODEL,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    every: EveryOption = 1,
    max_pixels: MaxPixelsOption = 100_000_000,
) -> None:
    """Add one face of each picture to a gallery, under a person's name.

    Makes the gallery if there is none. It holds embeddings, not pictures. Nothing leaves
    this machine. Pictures that fail are listed at the end, and the exit code is then 1;
    the others are enrolled.
    """
    from cvtool.cli.faces_report import say_like, show_enrolled, title
    from cvtool.faces.album import about
    from cvtool.faces.gallery import Gallery, Maker, checked_name, new_face
    from cvtool.faces.verifier import Verifier

    name, known = checked_name(name), Gallery(gallery)
    if known.exists():
        # A gallery that cannot be used is no reason to load a model.
        say_like(name, [person.name for person in known.people()])
    verifier = Verifier.load(model, device=device)
    maker = Maker.of(verifier)
    if known.exists():
        known.check_maker(maker)
    problems: list[CvtoolError] = []
    new, records = [], []
    with look(sources, "enrolling", problems, every, max_pixels, endless=False) as pictures:
        for picture in pictures:
            found = verifier.find(picture.pixels)
            try:
                ((number, chosen),) = choose_faces(found, title(about(picture)), face)
            except CvtoolError as error:
                problems.append(error)
                continue
            file_name = stored_name(picture.name)
            new.append(new_face(verifier, picture.pixels, chosen, file_name, keep=keep_pictures))
            numbers = {"faces": len(found), "face": number}
            records.append(about(picture) | numbers | chosen.to_dict())
    added = known.add({name: new}, maker).get(name, [])
    for record, is_new in zip(records, added, strict=True):
        record["enrolled"] = is_new
        if not is_new:
            console.say(f'{title(record)}: enrolled for "{name}" before; skipped')
    summary = {"gallery": str(gallery), "name": name, "model": verifier.model_name}
    summary |= {"enrolled": sum(added), "pictures": records}
    if as_json:
        console.print_json(summary)
    else:
        show_enrolled(summary)
    complain(problems)


@faces_app.command()
def identify(
    gallery: GalleryArgument,
    sources: SourcesArgument,
    face: FaceOption = None,
    all_faces: Annotated[bool, typer.Option("--all", help="Look at all faces of a picture.")] = (
        False
    ),
    threshold: ThresholdOption = None,
    far: FarOption = None,
    model: ModelOption = DEFAULT_MODEL,
    device: DeviceOption = "auto",
    json_array: JsonArrayOption = False,
    json_lines: JsonLinesOption = False,
    every: EveryOption = 1,
    max_pixels: MaxPixelsOption = 100_000_000,
) -> None:
    """Say who of a gallery the faces in pictures are, or that nobody is recognised.

    Writes no files. Nothing leaves this machine. Pictures that cannot be looked at are
    listed at the end, and the exit code is then 1.
    """
    if json_array and json_lines:
        raise typer.BadParameter("choose one of --json and --jsonl")
    if all_faces and face is not None:
        raise typer.BadParameter("choose one of --face and --all")
    refuse_both(threshold, far)
    from cvtool.cli.faces_report import IdentifiedLines, identified, say_identified, title
    from cvtool.cli.records import about_picture, json_report
    from cvtool.faces.album import about
    from cvtool.faces.gallery import Gallery

    known = Gallery(gallery)
    faces_known = known.known_faces()
    verifier, limit = load(model, device, threshold, far, known)
    problems: list[CvtoolError] = []
    done, start = 0, time.perf_counter()
    with ExitStack() as stack:
        report = stack.enter_context(json_report(json_array, json_lines) or IdentifiedLines())
        pictures = stack.enter_context(look(sources, "identifying", problems, every, max_pixels))
        for picture in pictures:
            before = time.perf_counter()
            found = verifier.find(picture.pixels)
            name = title(about(picture))
            try:
                chosen = choose_faces(found, name, face, all_faces) if found else []
            except CvtoolError as error:
                problems.append(error)
                continue
            aligned = [verifier.align(picture.pixels, one) for _, one in chosen]
            nearest = faces_known.nearest(verifier.embed(aligned))
            record = about_picture(
                picture,
                model=verifier.model_name,
                engine=verifier.engine_name,
                seconds=time.perf_counter() - before,
            )
            report.add(record | identified(verifier, limit, len(found), chosen, nearest))
            done += 1
    if done:
        say_identified(done, time.perf_counter() - start, limit, len(faces_known.names))
    complain(problems)


@faces_app.command("list")
def list_people(gallery: GalleryArgument, as_json: JsonOption = False) -> None:
    """Say who is in a gallery, with how many faces, and which model it is for."""
    from cvtool.cli.faces_report import gallery_summary, show_people
    from cvtool.faces.gallery import Gallery

    summary = gallery_summary(Gallery(gallery))
    if as_json:
        console.print_json(summary)
    else:
        show_people(summary)


@faces_app.command()
def remove(gallery: GalleryArgument, name: NameArgument) -> None:
    """Remove a person from a gallery with all faces and pictures, without asking."""
    from cvtool.faces.gallery import Gallery, checked_name

    removed = Gallery(gallery).remove(name)
    print(f'"{checked_name(name)}" removed from {gallery}, with {removed} face(s)')


@faces_app.command()
def export(
    gallery: GalleryArgument,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to write; ends in .npz, .json or .csv.")
    ],
    overwrite: OverwriteOption = False,
) -> None:
    """Write the embeddings and names of a gallery to a file for other programs."""
    from cvtool.faces.gallery import Gallery
    from cvtool.faces.gallery_export import export_gallery

    count = export_gallery(Gallery(gallery), file, overwrite=overwrite)
    print(f"{count} face(s) of {gallery} written to {file}")


@faces_app.command()
def group(
    sources: SourcesArgument,
    threshold: ThresholdOption = None,
    far: FarOption = None,
    min_face: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="PIXELS",
            show_default="40",
            help="Leave out narrower faces, of which too little is left to compare.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write the groups to a JSON file too."),
    ] = None,
    copy: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Copy the pictures into the folders person-1, person-2, ... and singles of this "
            "new folder.",
        ),
    ] = None,
    link: Annotated[
        bool, typer.Option("--link", help="With --copy, make symbolic links, not copies.")
    ] = False,
    model: ModelOption = DEFAULT_MODEL,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    every: EveryOption = 1,
    max_pixels: MaxPixelsOption = 100_000_000,
    overwrite: OverwriteOption = False,
) -> None:
    """Group the pictures of an album by person, without knowing anyone.

    Looks at all faces. The pictures stay where and as they are. Nothing leaves this
    machine. Pictures that fail are listed at the end, and the exit code is then 1.
    """
    refuse_both(threshold, far)
    if link and copy is None:
        raise typer.BadParameter("--link needs --copy DIR")
    from cvtool.cli.faces_report import show_groups
    from cvtool.faces.album import Album, check_new_folder, sort_pictures
    from cvtool.faces.verifier import TINY
    from cvtool.pictures.writing import write_json

    if copy is not None:
        check_new_folder(copy)
    if out is not None and out.exists() and not overwrite:
        raise OutputError(f"{out}: already exists; use --overwrite or choose another --out")
    verifier, limit = load(model, device, threshold, far, None)
    problems: list[CvtoolError] = []
    album = Album(verifier, TINY if min_face is None else min_face)
    with look(sources, "looking", problems, every, max_pixels, endless=False) as pictures:
        for picture in pictures:
            album.add(picture)
    grouped = album.group(limit)
    summary = album.to_dict(grouped, limit)
    if out is not None:
        write_json(out, summary, overwrite=overwrite)
    if copy is not None:
        made = sort_pictures(copy, *grouped.files(), link=link, on_error=problems.append)
        console.say(f"{made} {'link(s)' if link else 'file(s)'} made in {copy}")
    if as_json:
        console.print_json(summary)
    else:
        show_groups(summary, album.min_face)
    complain(problems)


faces_app.command()(calibrate)
