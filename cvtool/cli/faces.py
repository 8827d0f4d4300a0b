"""`cvtool faces`: its commands, and those that read a gallery."""

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
from cvtool.cli.faces_enroll import enroll
from cvtool.cli.faces_group import group
from cvtool.cli.faces_input import (
    FaceOption,
    GalleryArgument,
    NameArgument,
    complain,
    load,
    look,
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
from cvtool.errors import CvtoolError

faces_app = typer.Typer(name="faces")


@faces_app.callback()
def faces() -> None:
    """Know people again: enroll faces in a gallery, identify them, group an album by person."""


faces_app.command()(enroll)


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
    from cvtool.cli.faces_report import (
        IdentifiedLines,
        identified,
        say_identified,
        say_missed,
        title,
    )
    from cvtool.cli.records import about_picture, json_report
    from cvtool.faces.album import about
    from cvtool.faces.gallery import Gallery

    known = Gallery(gallery)
    faces_known = known.known_faces()
    verifier, limit = load(model, device, threshold, far, known)
    problems: list[CvtoolError] = []
    missed: list[float] = []
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
            missed += [near[0].distance for near in nearest if near]
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
        say_missed(verifier, limit, [each for each in missed if each > limit.distance])
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
    from cvtool.faces.gallery import Gallery
    from cvtool.faces.names import kept_name

    removed = Gallery(gallery).remove(name)
    print(f'"{kept_name(name)}" removed from {gallery}, with {removed} face(s)')


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


faces_app.command()(group)
faces_app.command()(calibrate)
