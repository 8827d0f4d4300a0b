"""What `cvtool faces` prints and says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cvtool.cli import console
from cvtool.cli.records import Record
from cvtool.errors import few

if TYPE_CHECKING:
    from cvtool.faces.doubts import Doubt
    from cvtool.faces.gallery import Gallery
    from cvtool.faces.known_faces import Near
    from cvtool.faces.mtcnn import Face
    from cvtool.faces.thresholds import Threshold
    from cvtool.faces.verifier import Verifier

NOT_RECOGNISED = "not recognised"
# Pictures named in a group's line.
SHOWN_IN_LINE = 5


def title(record: Record) -> str:
    """A picture or frame, for a person."""
    if "frame" not in record:
        return console.visible(record["picture"])
    return f"{console.visible(record['picture'])} at {record['time']:.2f} s"


def say_like(name: str, names: Sequence[str]) -> None:
    """Say that a new person's name is one of a gallery's but for upper and lower case."""
    alike = [known for known in names if known.casefold() == name.casefold()]
    if alike and name not in names:
        console.say(f'"{name}" is a new person; the gallery has "{alike[0]}" too')


def say_doubts(doubts: Sequence[Doubt], titles: Sequence[str], name: str) -> None:
    """Say which of the faces enrolled may be of somebody else."""
    for doubt in doubts:
        if doubt.other is not None:
            about = f'very near to "{doubt.other}"'
        else:
            about = f'unlike every other face of "{name}"'
        console.say(
            f'{titles[doubt.index]}: enrolled for "{name}", but {about} (distance '
            f"{doubt.distance:.3f}); is it the right person?"
        )


def show_enrolled(summary: dict[str, Any]) -> None:
    """Print what `faces enroll` did."""
    count = summary["enrolled"]
    print(f'{count} face(s) enrolled for "{summary["name"]}" in {summary["gallery"]}')


def identified(
    verifier: Verifier,
    limit: Threshold,
    found: int,
    chosen: Sequence[tuple[int, Face]],
    nearest: Sequence[Sequence[Near]],
) -> Record:
    """What the JSON object of a picture says of its faces.

    Args:
        found: how many faces it has.
        chosen: those looked at, with their numbers.
        nearest: for each, the nearest people of the gallery, the nearest first.
    """
    faces = []
    for (number, face), near in zip(chosen, nearest, strict=True):
        people = [
            {
                "person": each.name,
                "distance": round(each.distance, 6),
                "similarity": verifier.band(each.distance, limit),
            }
            for each in near
        ]
        known = near and near[0].distance <= limit.distance
        person = near[0].name if known else None
        faces.append({"face": number, "person": person, "nearest": people} | face.to_dict())
    about = {"threshold": round(limit.distance, 6), "far": limit.far}
    return about | {"faces_found": found, "faces": faces}


class IdentifiedLines:
    """A line a face, printed as they come."""

    def __enter__(self) -> IdentifiedLines:
        self._headed = False
        return self

    def add(self, record: Record) -> None:
        if not self._headed:
            self._line("picture", "face", "person", "distance", "similarity", "runner-up")
            self._headed = True
        if not record["faces"]:
            self._line(title(record), "-", "no face found", "", "", "")
        for face in record["faces"]:
            person, near = face["person"], face["nearest"]
            if person is None:
                person = NOT_RECOGNISED + (f"; nearest {near[0]['person']}" if near else "")
            distance, words = (
                (f"{near[0]['distance']:.3f}", near[0]["similarity"]) if near else ("-", "-")
            )
            second = f"{near[1]['person']} {near[1]['distance']:.3f}" if len(near) > 1 else "-"
            self._line(title(record), str(face["face"]), person, distance, words, second)

    def __exit__(self, *_: object) -> None:
        pass

    def _line(self, picture, face, person, distance, words, second) -> None:
        line = f"{picture:40}  {face:>4}  {person:32}  {distance:>8}  {words:27}  {second}"
        print(line.rstrip())


def say_identified(pictures: int, seconds: float, limit: Threshold, people: int) -> None:
    """Say what the answers of `faces identify` rest on."""
    rests = f"threshold {limit.distance:.3f}; people in the gallery: {people}"
    if limit.far is not None and people:
        strangers = min(1.0, limit.far * people)
        rests += f"; up to {strangers:.1%} of strangers are taken for someone in it"
    console.say(f"{pictures} picture(s), {seconds:.1f} s; {rests}")


def say_missed(verifier: Verifier, limit: Threshold, missed: Sequence[float]) -> None:
    """Say which option would recognise more, where faces were only just not recognised.

    Args:
        limit: the threshold that was too strict.
        missed: distances of the faces not recognised to the nearest person.
    """
    from cvtool.faces.thresholds import SAME_WORDS, lowest_far

    # What such a rate takes is "probably the same person".
    most = SAME_WORDS[1][0]
    rates = [lowest_far(verifier.calibration.get("rates", []), each) for each in missed]
    near = [far for far in rates if far is not None and far <= most]
    if near and limit.far is not None:
        console.say(
            f"{len(near)} face(s) not recognised would be with --far {max(near):g}, which takes "
            "more strangers for someone"
        )


def gallery_summary(gallery: Gallery) -> dict[str, Any]:
    """The JSON object of `faces list`."""
    maker = gallery.maker()
    version, created = gallery.made()
    return {
        "gallery": str(gallery.path),
        "model": maker.model,
        "weights": maker.weights,
        "dimensions": maker.dimensions,
        "cvtool": version,
        "created": created,
        "people": [
            {"name": person.name, "faces": person.faces, "kept_pictures": person.kept}
            for person in gallery.people()
        ],
    }


def show_people(summary: dict[str, Any]) -> None:
    """Print who is in a gallery."""
    people = summary["people"]
    rows = [(p["name"], str(p["faces"]), str(p["kept_pictures"])) for p in people]
    columns = ("person", "faces", "kept pictures")
    if rows:
        console.print_table(console.table(columns, rows, right=columns[1:]))
    faces = sum(person["faces"] for person in people)
    print(
        f"people: {len(people)}, faces: {faces}, model: {summary['model']}, "
        f"weights: {summary['weights'][:8]}"
    )


def show_groups(summary: dict[str, Any], min_face: float) -> None:
    """Print the groups of an album, and say what is in none."""
    rows = [
        (f"person-{number}", str(len(group)), shown(group))
        for number, group in enumerate(summary["groups"], 1)
    ]
    singles = summary["singles"]
    if singles:
        rows.append(("singles", str(len(singles)), shown(singles)))
    if rows:
        columns = ("group", "faces", "pictures")
        console.print_table(console.table(columns, rows, right=("faces",)))
    count = len(summary["groups"])
    print(f"{count} group(s), {len(singles)} single(s) in {summary['pictures']} picture(s)")
    if summary["without_face"]:
        console.say(f"{len(summary['without_face'])} picture(s) without a face")
    if summary["narrow_faces"]:
        console.say(
            f"{summary['narrow_faces']} face(s) narrower than {min_face} pixels left out; "
            "--min-face 0 takes them too"
        )


def shown(group: Sequence[Record]) -> str:
    """The pictures of a group, shortened."""
    names = list(dict.fromkeys(title(face) for face in group))
    return few(names, SHOWN_IN_LINE)
