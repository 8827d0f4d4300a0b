"""`cvtool faces` on faces that MTCNN finds, with an untrained network."""

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cvtool.cli.faces_input import stored_name, with_an_end
from cvtool.errors import OutputError, SourceError
from cvtool.faces.gallery import Gallery, Maker, NewFace
from cvtool.pictures.sources import Picture
from cvtool.pictures.writing import write_picture
from tiny_facenet import portrait, save_tiny, tiny_model

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("enroll", "identify", "list", "remove", "export", "group", "calibrate")
WITHOUT_MODEL = ("list", "remove", "export")


@pytest.fixture
def faces(run, tmp_path):
    """Run a sub-command beside a.png (a face), b.png (another), two.png (both), none.png."""
    write_picture(tmp_path / "a.png", portrait())
    write_picture(tmp_path / "b.png", portrait(hue=90))
    write_picture(tmp_path / "none.png", np.full((90, 120, 3), 120, np.uint8))
    canvas = np.zeros((300, 520, 3), np.uint8)
    canvas[:, :300] = portrait()
    canvas[50:250, 310:510] = portrait(hue=90, side=200)
    write_picture(tmp_path / "two.png", canvas)

    def faces(command, *arguments, model=None, stdin=None):
        more = [] if command in WITHOUT_MODEL else ["--device", "cpu", "-m", model or tiny_model()]
        return run("faces", command, *arguments, *more, stdin=stdin)

    return faces


@pytest.fixture
def known(faces):
    """known.gallery with Ada (a.png) and Bob (b.png)."""
    for name, picture in (("Ada", "a.png"), ("Bob", "b.png")):
        result = faces("enroll", "known.gallery", name, picture)
        assert result.exit_code == 0, result.stderr
    return Gallery("known.gallery")


def identify(faces, *arguments, threshold="0.0001"):
    result = faces("identify", "known.gallery", *arguments, "--json", "--threshold", threshold)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_the_whole_way_from_enroll_to_remove(faces, known):
    first, second = identify(faces, "a.png", "b.png")
    assert (first["picture"], first["faces_found"], first["model"]) == ("a.png", 1, "tiny-faces")
    (face,) = first["faces"]
    assert (face["person"], face["face"], len(face["box"])) == ("Ada", 1, 4)
    nearest, runner_up = face["nearest"]
    assert nearest == {
        "person": "Ada",
        "distance": pytest.approx(0, abs=1e-6),
        "similarity": "very likely the same person",
    }
    assert runner_up["person"] == "Bob" and runner_up["distance"] > 0.0001
    assert second["faces"][0]["person"] == "Bob"

    listed = json.loads(faces("list", "known.gallery", "--json").stdout)
    assert [(p["name"], p["faces"]) for p in listed["people"]] == [("Ada", 1), ("Bob", 1)]
    assert listed["model"] == "tiny-faces" and listed["dimensions"] == 16
    result = faces("remove", "known.gallery", "Ada")
    assert result.exit_code == 0 and '"Ada" removed' in result.stdout
    assert identify(faces, "a.png")[0]["faces"][0]["person"] is None


def test_for_people_identify_prints_a_line_a_face(faces, known):
    result = faces("identify", "known.gallery", "two.png", "none.png", "--all", "--far", "0.01")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert re.split(r"\s{2,}", lines[0]) == [
        *("picture", "face", "person", "distance", "similarity", "runner-up")
    ]
    assert [line.split()[:2] for line in lines[1:]] == [
        *(["two.png", "1"], ["two.png", "2"], ["none.png", "-"])
    ]
    assert lines[3].endswith("no face found")
    assert "up to 2.0% of strangers" in result.stderr and "gallery: 2" in result.stderr


def test_a_stranger_is_not_recognised(faces, known):
    result = faces("identify", "known.gallery", "two.png", "--face", "2", "--threshold", "0")
    assert result.exit_code == 0 and "not recognised; nearest " in result.stdout


def test_the_largest_face_is_taken_and_said_aloud(faces, known):
    result = faces("identify", "known.gallery", "two.png", "--jsonl")
    assert "two.png: 2 faces; took the largest, at " in result.stderr
    (face,) = json.loads(result.stdout)["faces"]
    assert face["face"] == 1 and face["box"][2] < 300
    result = faces("identify", "known.gallery", "two.png", "--jsonl", "--face", "2")
    assert "took" not in result.stderr
    (face,) = json.loads(result.stdout)["faces"]
    assert face["face"] == 2 and face["box"][0] > 300


def test_enroll_takes_the_face_that_is_asked_for(faces):
    result = faces("enroll", "g", "Bob", "two.png", "--face", "2", "--json")
    record = json.loads(result.stdout)
    assert (record["gallery"], record["name"], record["enrolled"]) == ("g", "Bob", 1)
    (picture,) = record["pictures"]
    assert (picture["faces"], picture["face"], picture["enrolled"]) == (2, 2, True)
    assert Gallery("g").faces()[0].box[0] > 300
    # Of a face that is not there, nothing is made.
    result = faces("enroll", "other", "Bob", "two.png", "--face", "3")
    assert result.exit_code == 1 and "two.png: has 2 faces" in result.stderr
    assert not Path("other").exists()


def test_a_picture_without_a_face_is_listed_and_the_others_enrolled(faces):
    Path("broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    result = faces("enroll", "g", "Ada", "none.png", "a.png", "broken.jpg", "missing.png")
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if "error" in line]
    assert len(errors) == 3 and sum("none.png: no face" in line for line in errors) == 1
    assert "1 face(s) enrolled" in result.stdout
    assert [face.picture for face in Gallery("g").faces()] == ["a.png"]


def test_where_nothing_can_be_enrolled_no_gallery_is_made(faces, tmp_path):
    before = sorted(tmp_path.iterdir())
    result = faces("enroll", "new/g", "Ada", "none.png")
    assert result.exit_code == 1 and sorted(tmp_path.iterdir()) == before


def test_the_same_picture_twice_is_said_and_skipped(faces, known):
    shutil.copy("a.png", "again.png")
    result = faces("enroll", "known.gallery", "Ada", "again.png")
    assert result.exit_code == 0 and "0 face(s) enrolled" in result.stdout
    assert 'again.png: enrolled for "Ada" before; skipped' in result.stderr
    assert len(known.faces()) == 2


def test_pictures_are_kept_only_when_asked(faces, known):
    png = b"\x89PNG"
    assert png not in known.path.read_bytes()
    assert faces("enroll", "g", "Ada", "a.png", "--keep-pictures").exit_code == 0
    assert png in Path("g").read_bytes()
    assert json.loads(faces("list", "g", "--json").stdout)["people"] == [
        {"name": "Ada", "faces": 1, "kept_pictures": 1}
    ]


@pytest.mark.parametrize("name", ["../../x", "a/b", "x'); DROP TABLE people;--"])
def test_a_name_is_no_path_and_no_sql(faces, tmp_path, name):
    assert faces("enroll", "g", name, "a.png").exit_code == 0
    before = sorted(tmp_path.iterdir())
    assert name in faces("list", "g").stdout
    assert faces("export", "g", "g.npz").exit_code == 0
    assert np.load("g.npz")["names"].tolist() == [name]
    assert faces("remove", "g", name).exit_code == 0 and Gallery("g").people() == []
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "g.npz"])


def test_a_name_like_another_is_remarked(faces, known):
    result = faces("enroll", "known.gallery", "ada", "b.png")
    assert '"ada" is a new person; the gallery has "Ada" too' in result.stderr


def test_grey_and_turned_pictures_show_the_same_person(faces, tmp_path):
    """Turned by EXIF, turned for real, and without colour."""
    grey = cv2.cvtColor(portrait(), cv2.COLOR_RGB2GRAY)
    Image.fromarray(grey).save("grey.png")
    assert Image.open("grey.png").mode == "L"
    turned = np.rot90(portrait())
    write_picture(tmp_path / "side.png", np.ascontiguousarray(turned))
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by a quarter with the clock, which is upright again
    Image.fromarray(turned).save("exif.png", exif=exif)
    assert faces("enroll", "g", "Ada", "a.png").exit_code == 0
    result = faces("identify", "g", "grey.png", "side.png", "exif.png", "--json")
    records = json.loads(result.stdout)
    distances = [r["faces"][0]["nearest"][0]["distance"] for r in records]
    assert distances[2] == pytest.approx(0, abs=1e-6) and distances[1] < 0.01
    assert result.exit_code == 0 and distances[0] < 2


def test_a_narrow_face_is_remarked(faces, tmp_path):
    small = np.full((120, 120, 3), 60, np.uint8)
    small[20:100, 20:100] = portrait(side=80)
    write_picture(tmp_path / "small.png", small)
    result = faces("enroll", "g", "Ada", "small.png")
    assert result.exit_code == 0 and "small.png: the face is " in result.stderr


def test_a_gallery_of_another_model_is_refused(faces):
    embedding = np.eye(16, dtype=np.float32)[0]
    other = Gallery("known.gallery")
    face = NewFace(embedding, "x.jpg", (0, 0, 9, 9), "0" * 64)
    other.add({"Eve": [face]}, Maker("other-faces", "ab" * 32, 16))
    before = other.path.read_bytes()
    for command in (["identify", other.path], ["enroll", other.path, "Eve"]):
        result = faces(*command, "a.png")
        assert result.exit_code == 1 and result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert 'made by model "other-faces"' in line and "cvtool faces enroll" in line
    assert other.path.read_bytes() == before


def test_a_webcam_has_no_end_to_enroll_or_group():
    pixels = np.zeros((9, 9, 3), np.uint8)
    webcam = Picture("webcam 0", pixels, Path("webcam-0.mp4"), frame=0, time=0.0)
    video = Picture("a.mp4", pixels, Path("a.mp4"), frame=0, time=0.0)
    assert list(with_an_end([video])) == [video]
    with pytest.raises(SourceError, match="webcam 0: has no end"):
        list(with_an_end([webcam]))


@pytest.mark.parametrize("content", [b"Dear diary", b"", None])
def test_a_bad_gallery_is_named_in_one_line_and_untouched(faces, known, content):
    spoilt = known.path.read_bytes()[:5000] if content is None else content
    known.path.write_bytes(spoilt)
    commands = [("enroll", "known.gallery", "Ada", "a.png"), ("list", "known.gallery")]
    commands += [("identify", "known.gallery", "a.png"), ("remove", "known.gallery", "Ada")]
    commands += [("export", "known.gallery", "out.npz")]
    for command in commands:
        result = faces(*command)
        assert result.exit_code == 1 and result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert "known.gallery: " in line
    assert known.path.read_bytes() == spoilt and not Path("out.npz").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["identify", "known.gallery", "a.png", "--json", "--jsonl"], 2, "choose one"),
        (["identify", "known.gallery", "a.png", "--all", "--face", "1"], 2, "choose one"),
        (["identify", "g", "a.png", "--far", "0.1", "--threshold", "1"], 2, "choose one"),
        (["identify", "a.png", "known.gallery"], 1, "a.png: no gallery"),
        (["identify", "missing", "a.png"], 1, "no such gallery"),
        (["enroll", "known.gallery", " ", "a.png"], 2, "empty name"),
        (["remove", "known.gallery", "Bobb"], 1, "did you mean Bob"),
        (["export", "known.gallery", "x.pickle"], 2, ".npz"),
        (["group", "a.png", "--link"], 2, "--copy"),
        (["group", "a.png", "--copy", "."], 1, "not empty"),
        (["group", "a.png", "--out", "known.gallery"], 2, "end --out in .json"),
        (["group", "a.png", "--out", "there.json"], 1, "already exists"),
        (["group", "there.json", "--out", "there.json", "--overwrite"], 1, "is the input itself"),
        (["group", "a.png", "--out", "a.png/g.json"], 1, "name another --out"),
        (["group", "a.png", "--out", "g.json", "--copy", "g.json"], 1, "both --out and --copy"),
        (["group", ".", "--copy", "new/people"], 1, "name a --copy elsewhere"),
        (["enroll", "a.png/g", "Ada", "a.png"], 1, "keep the gallery in another"),
        (["enroll", "known.gallery", "x" * 201, "a.png"], 2, "a name of 201 characters"),
        (["enroll", "Ada", "known.gallery", "a.png"], 2, "the gallery is named first"),
        (["identify", "known.gallery", "a.png", "--face", "2"], 1, "has 1 face, so"),
        (["export", "known.gallery", "a.png"], 2, ".npz"),
    ],
)
def test_wrong_options_get_one_line(faces, known, arguments, code, words):
    shutil.copy("a.png", "there.json")
    before = known.path.read_bytes()
    result = faces(*arguments)
    assert result.exit_code == code and result.stdout == "", result.stderr
    assert words in result.stderr and len(result.stderr.splitlines()) == 1
    assert known.path.read_bytes() == before
    assert Path("there.json").read_bytes() == Path("a.png").read_bytes()
    assert not Path("new").exists() and not Path("Ada").exists()


def test_a_picture_is_never_replaced_by_the_groups(faces):
    shutil.copy("a.png", "a.json")
    before = Path("a.json").read_bytes()
    result = faces("group", "*.json", "--out", "a.json", "--overwrite")
    assert result.exit_code == 1 and "a.json: is an input, never overwritten" in result.stderr
    assert Path("a.json").read_bytes() == before


def test_groups_are_told_though_they_cannot_be_written(faces, monkeypatch):
    def full(path, *_, **__):
        raise OutputError(f"{path}: cannot be written (No space left on device)")

    monkeypatch.setattr("cvtool.pictures.writing.write_json", full)
    monkeypatch.setattr("cvtool.faces.album.sort_pictures", full)
    result = faces("group", "a.png", "--out", "g.json", "--copy", "people", "--json")
    assert result.exit_code == 1 and json.loads(result.stdout)["pictures"] == 1
    for place in ("g.json", "people"):
        assert f"{place}: cannot be written" in result.stderr


def test_the_same_file_twice_is_one_picture(faces):
    Path("link.png").symlink_to("a.png")
    result = faces("group", "a.png", "./a.png", "link.png", "--json")
    summary = json.loads(result.stdout)
    assert summary["pictures"] == len(summary["singles"]) == 1 and summary["groups"] == []
    assert "2 picture(s) or frame(s) named more than once" in result.stderr


def test_a_face_that_a_looser_rate_would_recognise_is_said(faces, known, tmp_path):
    rates = [{"far": 0.001, "threshold": 0.0, "tar": 0.5}, {"far": 0.01, "threshold": 4, "tar": 1}]
    calibration = {"source": "drawn pairs", "threshold": 4, "rates": rates}
    model = save_tiny(tmp_path / "m", calibration=calibration)
    result = faces("identify", "known.gallery", "two.png", "--face", "2", model=model)
    assert "not recognised; nearest" in result.stdout and "possibly two people" in result.stdout
    assert "1 face(s) not recognised would be with --far 0.01" in result.stderr
    # Whoever chose a distance is told nothing of rates.
    options = ("--face", "2", "--threshold", "0")
    result = faces("identify", "known.gallery", "two.png", *options, model=model)
    assert "not recognised" in result.stdout and "would be" not in result.stderr


def test_a_face_of_somebody_else_s_is_remarked_when_enrolled(faces, known):
    result = faces("enroll", "known.gallery", "Eve", "a.png")
    assert result.exit_code == 0 and "1 face(s) enrolled" in result.stdout
    assert 'a.png: enrolled for "Eve", but very near to "Ada" (distance 0.000)' in result.stderr
    assert "is it the right person?" in result.stderr
    # What was enrolled before is not asked about again.
    assert "right person" not in faces("enroll", "known.gallery", "Eve", "a.png").stderr


def test_an_album_is_grouped_by_person_and_copied(faces, tmp_path):
    """Of two pictures of one, another twice the same, one with both, and one of nobody."""
    album = tmp_path / "album"
    (album / "more").mkdir(parents=True)
    for name in ("a.png", "b.png", "none.png", "two.png"):
        shutil.move(name, album / name)
    shutil.copy(album / "a.png", album / "more" / "a.png")
    before = {path: path.read_bytes() for path in album.rglob("*.png")}
    result = faces("group", "album", "--threshold", "0.0005", "--json", "--out", "groups.json")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary == json.loads(Path("groups.json").read_text())
    assert summary["pictures"] == 5 and summary["without_face"] == ["album/none.png"]
    (group, *_) = summary["groups"]
    assert {"album/a.png", "album/more/a.png"} <= {face["picture"] for face in group}
    assert set(group[0]) == {"picture", "face", "box", "score"}
    count = sum(len(group) for group in summary["groups"]) + len(summary["singles"])
    assert count == 5

    result = faces("group", "album", "--threshold", "4", "--copy", "sorted", "--link")
    assert result.exit_code == 0 and "1 picture(s) without a face" in result.stderr
    assert (
        "person-1" in result.stdout and "1 group(s), 0 single(s) in 5 picture(s)" in result.stdout
    )
    placed = sorted(str(path) for path in Path("sorted").rglob("*.png"))
    assert placed == [
        f"sorted/person-1/{name}" for name in ("a.png", "b.png", "more/a.png", "two.png")
    ]
    assert {path: path.read_bytes() for path in album.rglob("*.png")} == before


@pytest.mark.parametrize(("arguments", "words"), [([], "Missing"), (["idenfity"], "identify")])
def test_a_missing_or_unknown_command_gets_one_line(run, arguments, words):
    result = run("faces", *arguments)
    assert result.exit_code == 2 and words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_narrow_faces_are_left_out_of_groups_and_said(faces):
    result = faces("group", "a.png", "two.png", "--min-face", "2000", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["narrow_faces"] == 3
    result = faces("group", "a.png", "two.png", "--min-face", "2000")
    assert "3 face(s) narrower than 2000 pixels left out" in result.stderr


def test_a_picture_from_stdin_can_be_enrolled_identified_and_grouped(faces):
    data = Path("a.png").read_bytes()
    assert faces("enroll", "g", "Ada", "-", stdin=data).exit_code == 0
    assert Gallery("g").faces()[0].picture == "stdin"
    result = faces("identify", "g", "-", "--jsonl", stdin=data)
    assert json.loads(result.stdout)["faces"][0]["person"] == "Ada"
    result = faces("group", "-", "--copy", "out", stdin=data)
    assert result.exit_code == 0 and not Path("out").exists()
    assert "0 file(s) made in out; 1 frame(s), address(es) or stdin left out" in result.stderr


def test_of_an_address_or_a_path_only_the_file_s_name_is_kept():
    assert stored_name("https://example.org/me/ada.jpg?token=secret") == "ada.jpg"
    assert stored_name("/home/me/ada.jpg") == "ada.jpg"


def test_the_reference_names_every_option_of_every_command(run):
    text = (ROOT / "docs" / "faces.md").read_text(encoding="utf-8")
    for command in COMMANDS:
        shown = run("faces", command, "--help").stdout
        options = set(re.findall(r"--[a-z][a-z-]+", shown)) - {"--help"}
        section = text.split(f"## {command}", 1)[1].split("\n## ", 1)[0]
        assert {option for option in options if option not in section} == set()
