"""The gallery's file: what is kept, what is refused, and two writers at once."""

import csv
import json
import os
import sqlite3
import subprocess
import sys
import unicodedata

import numpy as np
import pytest

from cvtool.errors import GalleryError, OptionError, OutputError
from cvtool.faces.gallery import Gallery, Maker, NewFace
from cvtool.faces.gallery_export import export_gallery
from cvtool.faces.names import checked_name

MAKER = Maker("tiny", "ab" * 32, 8)


def unit(seed, count=1, dimensions=8):
    rows = np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def face(seed, *, portrait=None, pixels=None):
    return NewFace(unit(seed)[0], f"{seed}.jpg", (1, 2, 30, 40), pixels or f"{seed:064x}", portrait)


@pytest.fixture
def gallery(tmp_path):
    """Ada with two faces, Bob with one."""
    gallery = Gallery(tmp_path / "known.gallery")
    gallery.add({"Ada": [face(1), face(2, portrait=b"a picture")], "Bob": [face(3)]}, MAKER)
    return gallery


def counts(gallery):
    return {person.name: person.faces for person in gallery.people()}


def test_what_was_enrolled_is_found_again(gallery):
    assert gallery.maker() == MAKER
    assert [(p.name, p.faces, p.kept) for p in gallery.people()] == [("Ada", 2, 1), ("Bob", 1, 0)]
    first = gallery.faces()[0]
    assert (first.name, first.picture, first.box) == ("Ada", "1.jpg", (1, 2, 30, 40))
    np.testing.assert_array_equal(first.embedding, unit(1)[0])
    assert gallery.faces()[0].enrolled.endswith("+00:00")


def test_people_are_found_by_their_nearest_face(tmp_path):
    rows = unit(0, 60)
    names = [f"p{i}" for i in np.random.default_rng(1).integers(0, 12, 60)]
    gallery = Gallery(tmp_path / "g")
    for i, name in enumerate(names):  # people's faces do not lie together in the file
        new = NewFace(rows[i], "a.jpg", (0, 0, 9, 9), f"{i:064x}")
        gallery.add({name: [new]}, MAKER)
    known = gallery.known_faces()
    queries = unit(7, 5)
    found = known.nearest(queries, most=100)
    for query, near in zip(queries, found, strict=True):
        expected = {}
        for row, name in zip(rows.astype(float), names, strict=True):
            distance = ((row - query) ** 2).sum()
            expected[name] = min(distance, expected.get(name, 9))
        order = sorted(expected, key=expected.get)
        assert [each.name for each in near] == order
        np.testing.assert_allclose([e.distance for e in near], sorted(expected.values()), atol=1e-5)
    assert [n[:2] for n in found] == known.nearest(queries)
    assert known.nearest(rows[:1])[0][0].distance == pytest.approx(0, abs=1e-6)


def test_a_gallery_of_nobody_knows_nobody(gallery):
    assert gallery.remove("Ada") == 2 and gallery.remove("Bob") == 1
    assert gallery.people() == [] and gallery.faces() == []
    assert gallery.known_faces().nearest(unit(1, 3)) == [[], [], []]


def test_the_same_picture_is_enrolled_once_for_a_person_but_for_two_people_if_asked(gallery):
    assert gallery.add({"Ada": [face(1), face(9), face(9)]}, MAKER) == {"Ada": [False, True, False]}
    assert gallery.add({"Bob": [face(1)]}, MAKER) == {"Bob": [True]}
    assert counts(gallery) == {"Ada": 3, "Bob": 2}


def test_without_a_face_no_file_is_made(tmp_path):
    assert Gallery(tmp_path / "g").add({"Ada": []}, MAKER) == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", [True, False])
def test_a_failure_half_way_leaves_all_as_it_was(tmp_path, gallery, there):
    wrong = NewFace(unit(5, dimensions=4)[0], "x.jpg", (0, 0, 1, 1), "5" * 64)
    target = gallery if there else Gallery(tmp_path / "new")
    before = sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir())
    with pytest.raises(ValueError, match="embedding"):
        target.add({"Eve": [face(4), wrong]}, MAKER)
    assert sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "name",
    ["Robert'); DROP TABLE people;--", "../../x", "a/b\\c", '"; --', "C:\\x", "%s {0}", "Zoë 🐝"],
)
def test_a_name_is_only_data(tmp_path, gallery, name):
    gallery.add({name: [face(5)]}, MAKER)
    assert counts(gallery) == {"Ada": 2, "Bob": 1, name: 1}
    assert gallery.known_faces().nearest(unit(5))[0][0].name == name
    export_gallery(gallery, tmp_path / "out" / "all.json")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["all.json"]
    assert gallery.remove(name) == 1 and counts(gallery) == {"Ada": 2, "Bob": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["known.gallery", "out"]


def test_names_are_one_in_every_unicode_form_but_not_in_every_case(gallery):
    names = ("Zoë", unicodedata.normalize("NFD", "Zoë"), "zoë", " Zoë ")
    for number, name in enumerate(names, 10):
        gallery.add({name: [face(number)]}, MAKER)
    assert counts(gallery) == {"Ada": 2, "Bob": 1, "Zoë": 3, "zoë": 1}
    assert gallery.remove(unicodedata.normalize("NFD", "Zoë")) == 3


@pytest.mark.parametrize(
    "name", ["", "  ", "a\nb", "a\x1b[31m", "a\udcff", "a\u2028b", "a" * 201, "a\u202eb"]
)
def test_what_is_no_name_is_refused(name):
    with pytest.raises(OptionError, match="name"):
        checked_name(name)


def test_a_name_may_hold_the_joiners_that_it_is_spelt_with():
    for name in (
        "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
        "\u0915\u094d\u200d\u0937",
        "a" * 200,
    ):
        assert checked_name(name) == name


def test_whoever_has_a_name_that_is_refused_now_can_be_removed(gallery):
    with sqlite3.connect(gallery.path) as connection:
        connection.execute("UPDATE people SET name = ? WHERE name = 'Bob'", ("B" * 300,))
    connection.close()
    assert counts(gallery) == {"Ada": 2, "B" * 300: 1} and gallery.remove("B" * 300) == 1


def test_an_unknown_name_offers_the_nearest(gallery):
    with pytest.raises(GalleryError, match='nobody is called "Adda"; did you mean Ada'):
        gallery.remove("Adda")
    assert counts(gallery) == {"Ada": 2, "Bob": 1}


def test_what_was_removed_is_not_in_the_file_any_more(gallery):
    kept, gone = unit(3)[0].tobytes(), unit(1)[0].tobytes()
    assert gone in gallery.path.read_bytes() and b"a picture" in gallery.path.read_bytes()
    gallery.remove("Ada")
    bytes_now = gallery.path.read_bytes()
    assert gone not in bytes_now and b"a picture" not in bytes_now and kept in bytes_now


@pytest.mark.parametrize("other", [Maker("tiny", "cd" * 32, 8), Maker("tiny", "ab" * 32, 16)])
def test_a_gallery_of_another_model_is_refused(gallery, other):
    for attempt in (gallery.check_maker, lambda maker: gallery.add({"Eve": [face(8)]}, maker)):
        with pytest.raises(GalleryError, match='made by model "tiny" .*cvtool faces enroll'):
            attempt(other)
    assert counts(gallery) == {"Ada": 2, "Bob": 1}


def test_a_model_of_the_same_weights_is_the_same_model(gallery):
    """`cvtool faces calibrate` gives it another name."""
    calibrated = Maker("mine", MAKER.weights, MAKER.dimensions)
    gallery.check_maker(calibrated)
    gallery.add({"Eve": [face(8)]}, calibrated)
    assert counts(gallery) == {"Ada": 2, "Bob": 1, "Eve": 1}
    assert gallery.maker() == MAKER


def plain_sqlite(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE people (name)")
    connection.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_text("Dear diary, " * 50), "no gallery"),
        (lambda path: path.write_bytes(b""), "an empty file"),
        (lambda path: path.write_bytes(b"SQLite format 3\0"), "another program's SQLite file"),
        (plain_sqlite, "another program's SQLite file"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: None, "no such gallery; make one"),
        (os.mkfifo, "a pipe or a device"),
    ],
)
def test_another_file_is_named_and_untouched(tmp_path, make, words):
    path = tmp_path / "thing"
    make(path)
    before = path.read_bytes() if path.is_file() else path.exists()
    attempts = [Gallery(path).people, Gallery(path).known_faces]
    attempts += [lambda: Gallery(path).add({"Ada": [face(1)]}, MAKER)] if path.exists() else []
    for attempt in attempts:
        with pytest.raises(GalleryError, match=words) as caught:
            attempt()
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert (path.read_bytes() if path.is_file() else path.exists()) == before
    assert len(list(tmp_path.iterdir())) == path.exists()


def cut(content):
    return content[: len(content) // 2 + 100]


def zeros_inside(content):
    return content[:8192] + bytes(4096) + content[12288:]


def garbage_behind_the_head(content):
    noise = np.random.default_rng(0).integers(0, 256, len(content) - 100, np.uint8)
    return content[:100] + noise.tobytes()


@pytest.mark.parametrize("spoil", [cut, zeros_inside, garbage_behind_the_head])
def test_a_damaged_gallery_is_named_and_untouched(gallery, spoil):
    gallery.add({f"p{i}": [face(100 + i)] for i in range(300)}, MAKER)
    spoilt = spoil(gallery.path.read_bytes())
    gallery.path.write_bytes(spoilt)
    for attempt in (
        gallery.people,
        gallery.known_faces,
        lambda: gallery.add({"Eve": [face(8)]}, MAKER),
        lambda: gallery.remove("p7"),
    ):
        with pytest.raises(GalleryError, match="known.gallery: damaged .* enroll"):
            attempt()
    assert gallery.path.read_bytes() == spoilt
    assert [path.name for path in gallery.path.parent.iterdir()] == ["known.gallery"]


@pytest.mark.parametrize("blob", [b"short", np.full(8, np.nan, "<f4").tobytes(), bytes(32), "text"])
def test_embeddings_that_are_none_are_refused(gallery, blob):
    with sqlite3.connect(gallery.path) as connection:
        connection.execute("UPDATE faces SET embedding = ? WHERE id = 2", (blob,))
    connection.close()
    with pytest.raises(GalleryError, match="damaged"):
        gallery.known_faces()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE people SET name = x'ff00' WHERE name = 'Bob'",
        "UPDATE people SET name = 'two' || char(10) || 'lines' WHERE name = 'Bob'",
        "UPDATE faces SET picture = x'00ff'",
        "UPDATE faces SET x1 = 'abc'",
        "UPDATE faces SET x1 = 9e999",
        "UPDATE faces SET enrolled = x'00'",
        "UPDATE meta SET created = x'00'",
    ],
)
def test_what_is_of_another_kind_than_it_should_be_is_damage(gallery, tmp_path, change):
    with sqlite3.connect(gallery.path) as connection:
        connection.execute(change)
    connection.close()
    found = []
    for attempt in (
        gallery.people,
        gallery.made,
        gallery.known_faces,
        lambda: gallery.remove("Nobody"),
        lambda: export_gallery(gallery, tmp_path / "g.json"),
    ):
        try:
            attempt()
        except GalleryError as error:
            found.append(str(error))
    assert any("damaged" in each for each in found)
    assert not (tmp_path / "g.json").exists()


def test_a_schema_that_is_no_text_is_damage(gallery):
    content = gallery.path.read_bytes()
    spoilt = content.replace(b"CREATE TABLE meta", b"CREATE TABL\xcc meta")
    assert spoilt != content
    gallery.path.write_bytes(spoilt)
    for attempt in (gallery.people, gallery.known_faces, lambda: gallery.remove("Ada")):
        with pytest.raises(GalleryError, match="damaged"):
            attempt()
    assert gallery.path.read_bytes() == spoilt


def test_a_link_to_nothing_is_called_one(tmp_path):
    (tmp_path / "g").symlink_to("gone")
    with pytest.raises(GalleryError, match="is a link to gone, which is not there"):
        Gallery(tmp_path / "g").check_writable()
    assert not (tmp_path / "gone").exists()


def test_whether_a_gallery_can_be_written_is_known_before(gallery, tmp_path, monkeypatch):
    before = gallery.path.read_bytes()
    gallery.check_writable()
    Gallery(tmp_path / "new" / "g").check_writable()
    assert gallery.path.read_bytes() == before and not (tmp_path / "new").exists()
    with pytest.raises(OutputError, match="keep the gallery in another one"):
        Gallery(gallery.path / "g").check_writable()
    monkeypatch.setattr("cvtool.faces.gallery_file.BUSY_SECONDS", 0.05)
    other = sqlite3.connect(gallery.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(GalleryError, match="another program has been writing"):
        gallery.check_writable()
    other.close()


def test_a_newer_gallery_asks_for_a_newer_cvtool(gallery):
    with sqlite3.connect(gallery.path) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(GalleryError, match="newer cvtool"):
        gallery.people()


def test_a_gallery_in_use_is_waited_for_and_then_named(gallery, monkeypatch):
    monkeypatch.setattr("cvtool.faces.gallery_file.BUSY_SECONDS", 0.05)
    other = sqlite3.connect(gallery.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(GalleryError, match="another program has been writing"):
        gallery.add({"Eve": [face(8)]}, MAKER)
    assert counts(gallery) == {"Ada": 2, "Bob": 1}  # reading goes on meanwhile
    other.execute("ROLLBACK")
    other.close()
    assert gallery.add({"Eve": [face(8)]}, MAKER) == {"Eve": [True]}


WRITER = """
import sys
sys.path[:0] = sys.argv[3:]
from test_gallery import MAKER, face
from cvtool.faces.gallery import Gallery
first = int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    added = Gallery(sys.argv[1]).add({"Ada": [face(first + number)], "Bob": [face(7)]}, MAKER)
    assert added["Ada"] == [True]
"""


def test_two_programs_enroll_at_once(tmp_path, request):
    """Into a gallery that neither finds made; nothing of either is lost, nothing is there twice."""
    path = tmp_path / "known.gallery"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, path, str(first), str(request.path.parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in (1000, 2000)
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.wait(60) for writer in writers] == [0, 0]
    for writer in writers:
        writer.stdin.close()
        writer.stdout.close()
    assert counts(Gallery(path)) == {"Ada": 40, "Bob": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["known.gallery"]


def test_export_writes_the_same_numbers_in_three_forms(gallery, tmp_path):
    expected = np.concatenate([unit(1), unit(2), unit(3)])
    for name in ("g.npz", "g.json", "g.csv"):
        assert export_gallery(gallery, tmp_path / name) == 3
    with np.load(tmp_path / "g.npz") as arrays:  # no pickles
        assert arrays["embeddings"].dtype == np.float32 and arrays["boxes"].shape == (3, 4)
        np.testing.assert_array_equal(arrays["embeddings"], expected)
        assert arrays["names"].tolist() == ["Ada", "Ada", "Bob"] and arrays["model"] == "tiny"
    whole = json.loads((tmp_path / "g.json").read_text(encoding="utf-8"))
    assert whole["weights"] == MAKER.weights and whole["faces"][2]["picture"] == "3.jpg"
    rows = [face["embedding"] for face in whole["faces"]]
    np.testing.assert_array_equal(np.array(rows, np.float32), expected)
    with open(tmp_path / "g.csv", newline="", encoding="utf-8") as lines:
        table = list(csv.DictReader(lines))
    assert [row["name"] for row in table] == ["Ada", "Ada", "Bob"] and table[0]["x2"] == "30.0"
    numbers = [[row[f"e{i}"] for i in range(8)] for row in table]
    np.testing.assert_array_equal(np.array(numbers, np.float32), expected)


def test_a_name_is_no_formula_in_a_spreadsheet(tmp_path):
    gallery = Gallery(tmp_path / "g")
    gallery.add({'=HYPERLINK("x")': [face(1)], "Ada": [face(2)]}, MAKER)
    export_gallery(gallery, tmp_path / "g.csv")
    with open(tmp_path / "g.csv", newline="", encoding="utf-8") as lines:
        names = [row["name"] for row in csv.DictReader(lines)]
    assert names == ['\'=HYPERLINK("x")', "Ada"]


def test_export_overwrites_only_when_told_and_never_the_gallery(gallery, tmp_path):
    (tmp_path / "g.csv").write_text("mine")
    with pytest.raises(OutputError, match="already exists"):
        export_gallery(gallery, tmp_path / "g.csv")
    assert (tmp_path / "g.csv").read_text() == "mine"
    export_gallery(gallery, tmp_path / "g.csv", overwrite=True)
    assert (tmp_path / "g.csv").read_text().startswith("name,picture")
    with pytest.raises(OptionError, match=r"end it in .npz, .json, .csv"):
        export_gallery(gallery, tmp_path / "g.pickle")
    json_named = Gallery(gallery.path.rename(tmp_path / "known.json"))
    with pytest.raises(OutputError, match="the input itself"):
        export_gallery(json_named, json_named.path, overwrite=True)
    assert counts(json_named) == {"Ada": 2, "Bob": 1}


def test_an_empty_gallery_can_be_exported(gallery, tmp_path):
    gallery.remove("Ada"), gallery.remove("Bob")
    for name in ("g.npz", "g.json", "g.csv"):
        assert export_gallery(gallery, tmp_path / name) == 0
    assert np.load(tmp_path / "g.npz")["embeddings"].shape == (0, 8)
