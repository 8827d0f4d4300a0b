"""From folders of people to aligned faces: what is found, left out and split."""

import shutil

import numpy as np
import pytest

from cvtool.errors import DatasetError, PictureError
from cvtool.faces.alignment import align
from cvtool.faces.finetuning import without_border
from cvtool.faces.preparation import (
    BORDER,
    FACES_FILE,
    aligned_faces,
    faces_from,
    keep_faces,
    prepare,
    split_lists,
)
from cvtool.pictures.reading import read_picture
from cvtool.pictures.writing import write_picture
from tiny_facenet import SIZE, portrait
from tiny_people import write_people


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Six people with two pictures each, and what else a folder may hold."""
    folder = write_people(tmp_path_factory.mktemp("sets") / "people", 6, 2)
    blank = np.full((80, 80, 3), 90, np.uint8)
    write_picture(folder / "p00" / "wall.png", blank)
    (folder / "p01" / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    write_picture(folder / "single" / "1.png", portrait(side=160))
    (folder / "empty").mkdir()
    return folder


@pytest.fixture(scope="module")
def prepared(own):
    seen = []
    found = prepare(own, size=SIZE, on_picture=lambda: seen.append(1))
    assert len(seen) == 15
    return found


def test_every_person_is_in_one_split_with_all_faces(prepared):
    assert set(prepared.splits) == {"train", "dev", "test"}
    people = [name for part in prepared.splits.values() for name in part.people]
    assert sorted(people) == sorted([f"p{n:02}" for n in range(6)] * 2)
    sets = [set(part.people) for part in prepared.splits.values()]
    assert all(len(names) == 2 for names in sets) and len(set.union(*sets)) == 6
    for name, part in prepared.splits.items():
        side = SIZE + 2 * BORDER
        assert prepared.faces[name].shape == (len(part.files), side, side, 3)
        for file, person in zip(part.files, part.people, strict=True):
            assert file.parent.name == person


def test_what_is_left_out_is_counted_and_named(prepared):
    left = prepared.left_out
    assert [len(files) for files in left.values()] == [1, 1, 1]
    assert "broken.jpg" in left["unreadable"][0] and left["no face"][0].endswith("wall.png")
    said = " | ".join(prepared.remarks)
    assert "1 picture cannot be read and is left out" in said and "broken.jpg" in said
    assert "1 picture shows no face and is left out" in said and "wall.png" in said
    assert "2 people have fewer than two pictures that show a face" in said
    assert "empty, single" in said


def test_the_face_is_cut_out_as_verify_does_with_more_round_it(prepared):
    part = prepared.splits["dev"]
    pixels = read_picture(part.files[0])
    inside = without_border(prepared.faces["dev"])[0].astype(int)
    expected = align(pixels, part.landmarks[0], SIZE).astype(int)
    assert np.abs(inside - expected).max() <= 6  # by where OpenCV rounds


def test_of_two_faces_the_one_nearest_to_the_middle_is_taken(tmp_path):
    folder = write_people(tmp_path / "people", 4, 2)
    wide = np.full((300, 500, 3), 128, np.uint8)
    # The larger one is at the edge.
    wide[50:250, 290:490] = portrait(side=200)
    wide[90:230, 140:280] = portrait(90, side=140)
    write_picture(folder / "p00" / "wide.png", wide)
    found = prepare(folder, size=SIZE)
    (landmarks,) = [
        part.landmarks[i]
        for part in found.splits.values()
        for i, file in enumerate(part.files)
        if file.name == "wide.png"
    ]
    assert landmarks[:, 0].min() > 140 and landmarks[:, 0].max() < 280


def test_faces_are_made_again_from_the_pictures_where_they_were_not_kept(prepared, tmp_path):
    splits = {name: faces_from(part) for name, part in split_lists(prepared).items()}
    keep_faces(tmp_path, prepared.faces)
    kept = aligned_faces(tmp_path, splits, SIZE)
    (tmp_path / FACES_FILE).write_bytes(b"half a file")
    again = aligned_faces(tmp_path, splits, SIZE)
    for name in splits:
        assert np.array_equal(again[name], prepared.faces[name])
        assert np.array_equal(kept[name], prepared.faces[name])
    assert np.array_equal(aligned_faces(tmp_path, splits, SIZE)["dev"], again["dev"])


def test_a_picture_that_is_gone_is_named(prepared, own, tmp_path):
    copy = shutil.copytree(own, tmp_path / "own")
    splits = {name: faces_from(part) for name, part in split_lists(prepared).items()}
    first = splits["train"].files[0]
    moved = copy / first.relative_to(own)
    moved.unlink()
    gone = faces_from(split_lists(prepared)["train"] | {"files": [str(moved)] * 4})
    with pytest.raises(PictureError, match=moved.name):
        aligned_faces(tmp_path, {"train": gone}, SIZE)


def test_another_folder_of_people_tests(own, tmp_path):
    other = write_people(tmp_path / "other", 2, 2, first=10)
    found = prepare(own, size=SIZE, test=other)
    assert set(found.splits["test"].people) == {"p10", "p11"}
    assert len(set(found.splits["train"].people) | set(found.splits["dev"].people)) == 6
    write_people(other, 1, 2, first=3)
    with pytest.raises(DatasetError, match=r"other: p03 in both the people to train on and test"):
        prepare(own, size=SIZE, test=other)


def test_no_face_anywhere_and_too_few_people(tmp_path):
    for name in ("Ada", "Bob"):
        write_picture(tmp_path / "walls" / name / "1.png", np.full((60, 60, 3), 90, np.uint8))
    with pytest.raises(DatasetError, match="walls: no face was found in its 2 pictures; give"):
        prepare(tmp_path / "walls", size=SIZE)
    write_people(tmp_path / "singles", 4, 1)
    with pytest.raises(DatasetError, match="0 of its people have two pictures or more"):
        prepare(tmp_path / "singles", size=SIZE)
