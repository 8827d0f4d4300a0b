import pytest

from boxed_sets import boxes_of, picture, splits_of, text, voc
from cvtool.datasets.boxed_layouts import read_boxed, recognise
from cvtool.errors import DatasetError


def make(folder, *stems, xml="Annotations", pictures="JPEGImages"):
    for stem in stems:
        voc(folder / xml / f"{stem}.xml", ("ant", 10, 20, 30, 40))
        picture(folder / pictures / f"{stem}.jpg")
    return folder


@pytest.mark.parametrize(
    ("xml", "pictures"),
    [
        ("Annotations", "JPEGImages"),
        ("annotations", "images"),
        ("annotations", "annotations"),
        ("annotations", ""),
        ("", ""),
        ("", "images"),
        ("xmls", "Images"),
    ],
)
def test_reads_the_usual_arrangements(tmp_path, xml, pictures):
    make(tmp_path, "a", "b", xml=xml, pictures=pictures)
    assert recognise(tmp_path) == "Pascal VOC"
    data = read_boxed(tmp_path)
    assert (data.layout, data.classes) == ("Pascal VOC", ("ant",))
    assert boxes_of(data) == {f"{stem}.jpg": [("ant", 10, 20, 30, 40)] for stem in "ab"}
    assert splits_of(data) == {"a.jpg": "", "b.jpg": ""}


def test_splits_are_those_of_the_image_sets(tmp_path):
    make(tmp_path, "a", "b", "c 1", "d")
    sets = tmp_path / "ImageSets" / "Main"
    text(sets / "train.txt", "a")
    text(sets / "val.txt", "b  1")
    text(sets / "trainval.txt", "a", "b")
    text(sets / "test.txt", "c 1", "")
    text(sets / "ant_train.txt", "d  1")
    expected = {"a.jpg": "train", "b.jpg": "dev", "c 1.jpg": "test", "d.jpg": ""}
    assert splits_of(read_boxed(tmp_path)) == expected


def test_trainval_trains_where_train_is_missing(tmp_path):
    make(tmp_path, "a", "b")
    text(tmp_path / "ImageSets" / "Main" / "trainval.txt", "a.jpg")
    text(tmp_path / "ImageSets" / "Main" / "test.txt", "b -1")
    assert splits_of(read_boxed(tmp_path)) == {"a.jpg": "train", "b.jpg": "test"}


def test_lists_that_name_what_is_not_there_or_is_in_another(tmp_path):
    make(tmp_path, "a")
    text(tmp_path / "ImageSets" / "Main" / "train.txt", "a", "gone")
    text(tmp_path / "ImageSets" / "Main" / "val.txt", "a")
    faults = []
    data = read_boxed(tmp_path, on_fault=faults.append)
    assert splits_of(data) == {"a.jpg": "train"}
    found = [(f.kind, f.file.name, f.line) for f in faults]
    assert found == [("missing picture", "train.txt", 2), ("twice", "val.txt", 1)]


def test_splits_in_folders_as_roboflow_exports_them(tmp_path):
    make(tmp_path, "a", xml="train", pictures="train")
    make(tmp_path, "b", xml="valid", pictures="valid")
    assert recognise(tmp_path) == "Pascal VOC"
    assert splits_of(read_boxed(tmp_path)) == {"a.jpg": "train", "b.jpg": "dev"}


@pytest.mark.parametrize("name", ["a", "a.png", "", "/home/x/a.jpg", r"C:\x\A.JPG", "other.bmp"])
def test_the_picture_is_found_though_its_name_is_not_quite_right(tmp_path, name):
    voc(tmp_path / "a.xml", ("ant", 1, 2, 30, 40), filename=name)
    picture(tmp_path / "a.JPG").rename(tmp_path / "a.jpg")
    assert list(boxes_of(read_boxed(tmp_path))) == ["a.jpg"]


def test_pascals_own_sets_count_pixels_from_one(tmp_path):
    picture(tmp_path / "a.jpg")
    voc(tmp_path / "a.xml", ("ant", 1, 1, 100, 80), database="The VOC2007 Database")
    assert boxes_of(read_boxed(tmp_path)) == {"a.jpg": [("ant", 0, 0, 100, 80)]}
    voc(tmp_path / "a.xml", ("ant", 1, 1, 100, 80), database="Unknown")
    assert boxes_of(read_boxed(tmp_path)) == {"a.jpg": [("ant", 1, 1, 100, 80)]}


def test_a_size_of_nought_is_passed_over_and_a_wrong_one_is_a_fault(tmp_path):
    make(tmp_path, "a", "b")
    voc(tmp_path / "Annotations" / "a.xml", ("ant", 1, 2, 30, 40), size=(0, 0))
    voc(tmp_path / "Annotations" / "b.xml", ("ant", 1, 2, 30, 40), size=(80, 100))
    faults = []
    data = read_boxed(tmp_path, on_fault=faults.append)
    assert [(one.path.name, one.width, one.height) for one in data.examples] == [("a.jpg", 100, 80)]
    assert [(f.kind, f.picture.name) for f in faults] == [("wrong size", "b.jpg")]
    assert "80 x 100" in faults[0].message and "turned" in faults[0].message


def test_classes_are_in_natural_order_and_difficult_objects_count(tmp_path):
    picture(tmp_path / "a.jpg")
    path = voc(
        tmp_path / "a.xml",
        *((f"c{n}", 10 * n, 2, 10 * n + 5, 40) for n in (1, 2)),
        ("c10", 5, 5, 9, 9),
    )
    path.write_text(path.read_text().replace("<name>c1<", "<difficult>1</difficult><name>c1<"))
    data = read_boxed(tmp_path)
    assert data.classes == ("c1", "c2", "c10")
    assert len(data.examples[0].boxes) == 3 and not data.examples[0].crowd.any()


@pytest.mark.parametrize(
    ("objects", "kind", "words"),
    [
        (("ant", "x", 2, 30, 40), "unreadable label", "is no numbers"),
        (("ant", "", 2, 30, 40), "unreadable label", "the box has no xmin"),
        (("ant", "nan", 2, 30, 40), "unreadable label", "no number"),
        (("", 1, 2, 30, 40), "unreadable label", "has no name"),
        (("ant", 30, 2, 10, 40), "no area", "mixed up"),
        (("ant", 10, 2, 10, 40), "no area", "no area"),
        (("ant", 150, 2, 190, 40), "outside", "lies outside"),
    ],
)
def test_a_wrong_object_is_a_fault_with_its_line(tmp_path, objects, kind, words):
    picture(tmp_path / "a.jpg")
    file = voc(tmp_path / "a.xml", ("ant", 5, 6, 7, 8), objects)
    faults = []
    data = read_boxed(tmp_path, on_fault=faults.append)
    assert [(f.kind, f.file, f.line) for f in faults] == [(kind, file, 5)]
    assert words in faults[0].message
    assert boxes_of(data) == {"a.jpg": [("ant", 5, 6, 7, 8)]}


BILLION = (
    '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><annotation><filename>&c;</filename>'
    "</annotation>"
)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (BILLION, "declares XML entities"),
        ("<annotation>\n<object>", "not valid XML"),
        ("", "not valid XML"),
        ("<html></html>", 'no element "annotation"'),
        ('<?xml version="1.0" encoding="klingon"?><annotation/>', "not valid XML"),
    ],
)
def test_xml_that_cannot_be_read_is_a_fault_of_its_picture(tmp_path, content, words):
    make(tmp_path, "a")
    picture(tmp_path / "JPEGImages" / "b.jpg")
    text(tmp_path / "Annotations" / "b.xml", content)
    faults = []
    data = read_boxed(tmp_path, on_fault=faults.append)
    assert [(f.kind, f.picture.name) for f in faults] == [("unreadable label", "b.jpg")]
    assert words in faults[0].message
    assert boxes_of(data) == {"a.jpg": [("ant", 10, 20, 30, 40)], "b.jpg": []}


def test_missing_pictures(tmp_path):
    make(tmp_path, "a", "b")
    (tmp_path / "JPEGImages" / "b.jpg").unlink()
    faults = []
    assert list(boxes_of(read_boxed(tmp_path, on_fault=faults.append))) == ["a.jpg"]
    assert [f.kind for f in faults] == ["missing picture"]
    (tmp_path / "JPEGImages").rename(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match=r"none of its 2 XML files has a picture"):
        read_boxed(tmp_path, on_fault=faults.append)
    data = read_boxed(tmp_path, tmp_path / "elsewhere", on_fault=faults.append)
    assert list(boxes_of(data)) == ["a.jpg"]


def test_no_object_at_all_is_an_error(tmp_path):
    picture(tmp_path / "a.jpg")
    voc(tmp_path / "a.xml")
    with pytest.raises(DatasetError, match="no object in any"):
        read_boxed(tmp_path)
