"""`cvtool faces enroll`: put people's faces into a gallery."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvtool.cli import console
from cvtool.cli.face_choice import choose_faces
from cvtool.cli.faces_input import (
    FaceOption,
    GalleryArgument,
    NameArgument,
    complain,
    look,
    stored_name,
)
from cvtool.cli.options import (
    DeviceOption,
    EndingSourcesArgument,
    EveryOption,
    JsonOption,
    MaxPixelsOption,
    ModelOption,
)
from cvtool.cli.verify import DEFAULT_MODEL
from cvtool.errors import CvtoolError, OptionError

if TYPE_CHECKING:
    import numpy as np

    from cvtool.faces.known_faces import KnownFaces
    from cvtool.faces.verifier import Verifier


def enroll(
    gallery: GalleryArgument,
    name: NameArgument,
    sources: EndingSourcesArgument,
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
    from cvtool.faces.gallery import Gallery, Maker, new_face
    from cvtool.faces.gallery_file import is_gallery
    from cvtool.faces.names import checked_name
    from cvtool.faces.verifier import Verifier

    name, known = checked_name(name), Gallery(gallery)
    if is_gallery(Path(name)):
        raise OptionError(f"{name}: is a gallery, no name; the gallery is named first")
    # A gallery that cannot be used is no reason to load a model.
    known.check_writable()
    if known.exists():
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
    before = known.known_faces() if new and known.exists() else None
    added = known.add({name: new}, maker).get(name, [])
    for record, is_new in zip(records, added, strict=True):
        record["enrolled"] = is_new
        if not is_new:
            console.say(f'{title(record)}: enrolled for "{name}" before; skipped')
    remark_doubts(
        verifier,
        before,
        name,
        [
            (each.embedding, title(record))
            for each, record in zip(new, records, strict=True)
            if record["enrolled"]
        ],
    )
    summary = {"gallery": str(gallery), "name": name, "model": verifier.model_name}
    summary |= {"enrolled": sum(added), "pictures": records}
    if as_json:
        console.print_json(summary)
    else:
        show_enrolled(summary)
    complain(problems)


def remark_doubts(
    verifier: Verifier,
    before: KnownFaces | None,
    name: str,
    enrolled: list[tuple[np.ndarray, str]],
) -> None:
    """Say which new faces may be of somebody else, as far as the model knows its distances.

    Args:
        before: the gallery as it was.
        name: whom they are enrolled for.
        enrolled: of each new face the embedding, and its picture in words.
    """
    from cvtool.cli.faces_report import say_doubts
    from cvtool.faces.doubts import find_doubts

    if not enrolled or not verifier.calibration.get("rates"):
        return
    embeddings, titles = zip(*enrolled, strict=True)
    near, far = verifier.strict_threshold().distance, verifier.threshold().distance
    say_doubts(find_doubts(before, name, embeddings, near, far), titles, name)
