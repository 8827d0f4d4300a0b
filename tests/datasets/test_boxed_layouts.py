"""What is common to all layouts: telling them apart, tolerance at the edge, COCO's files."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxed_sets import boxes_of, picture, splits_of, text, voc
from cvtool.datasets.box_rows import Labels, Row, assemble
from cvtool.datasets.boxed_layouts import read_boxed, recognise
from cvtool.datasets.faults import FAULTS
from cvtool.errors import DatasetError


def coco(path, *names, classes=(("ant", 1), ("bee", 2)), boxes=((10, 20, 20, 20),), **more):
    """A COCO file of pictures that each have the boxes, of the first class."""
    content = {
        "images": [
            {"id": n, "file_name": name, "width": 100, "height": 80} for n, name in enumerate(names)
        ],
        "categories": [{"id": number, "name": name} for name, number in classes],
        "annotations": [
            {"id": n, "image_id": n, "category_id": classes[0][1], "bbox": list(box)}
            for n in range(len(names))
            for box in boxes
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content | more))
    return path


@pytest.mark.parametrize(
    ("train", "val", "pictures"),
    [
        ("instances_train.json", "instances_val.json", "images/{split}"),
        ("annotations/instances_train2017.json", "annotations/instances_val2017.json", "{name}"),
        ("annotations/train.json", "annotations/valid.json", "images"),
        ("train/_annotations.coco.json", "valid/_annotations.coco.json", "{folder}"),
    ],
)
def test_coco_files_of_several_splits(tmp_path, train, val, pictures):
    for file, name, split in ((train, "a.jpg", "train"), (val, "b.jpg", "val")):
        path = coco(tmp_path / file, name)
        own = path.stem.rpartition("_")[2]
        place = pictures.format(split=split, name=own, folder=path.parent.name)
        picture(tmp_path / place / name)
    text(tmp_path / "annotations" / "captions_val2017.json", '{"images": [], "annotations": []}')
    if "instances" not in train:
        (tmp_path / "annotations" / "captions_val2017.json").unlink()
    assert recognise(tmp_path) == "COCO"
    data = read_boxed(tmp_path)
    assert (data.layout, data.classes) == ("COCO", ("ant", "bee"))
    assert splits_of(data) == {"a.jpg": "train", "b.jpg": "dev"}
    assert boxes_of(data) == {name: [("ant", 10, 20, 30, 40)] for name in ("a.jpg", "b.jpg")}
    assert len({one.picture_id for one in data.examples}) == 2


def test_classes_of_several_coco_files_are_matched_by_name(tmp_path):
    coco(tmp_path / "train.json", "a.jpg")
    coco(tmp_path / "val.json", "b.jpg", classes=(("bee", 7), ("ant", 9)))
    for name in ("a.jpg", "b.jpg"):
        picture(tmp_path / name)
    data = read_boxed(tmp_path)
    assert data.classes == ("ant", "bee") and data.category_ids == (1, 2)
    assert [box[0] for boxes in boxes_of(data).values() for box in boxes] == ["ant", "bee"]
    coco(tmp_path / "val.json", "b.jpg", classes=(("bee", 7), ("wasp", 9)))
    with pytest.raises(DatasetError, match=r"val\.json: has other classes .*ant, wasp"):
        read_boxed(tmp_path)


def test_coco_files_whose_names_say_no_split(tmp_path):
    coco(tmp_path / "one.json", "a.jpg")
    picture(tmp_path / "a.jpg")
    assert splits_of(read_boxed(tmp_path)) == {"a.jpg": ""}
    coco(tmp_path / "val.json", "a.jpg")
    assert recognise(tmp_path) == "COCO"
    with pytest.raises(DatasetError, match=r"one\.json does not say train, val or test"):
        read_boxed(tmp_path)


@pytest.mark.parametrize(
    ("name", "split"), [("instances_val.json", "dev"), ("test.json", ""), ("labels.json", "")]
)
def test_of_one_coco_file_alone_only_coco_own_name_says_the_split(tmp_path, name, split):
    path = coco(tmp_path / name, "a.jpg")
    picture(tmp_path / "a.jpg")
    assert splits_of(read_boxed(path)) == splits_of(read_boxed(tmp_path)) == {"a.jpg": split}


def test_roboflows_name_of_the_project_is_no_class(tmp_path):
    categories = [
        {"id": 0, "name": "ant", "supercategory": "none"},
        {"id": 1, "name": "ant", "supercategory": "ant"},
    ]
    path = coco(tmp_path / "set.json", "a.jpg", categories=categories)
    picture(tmp_path / "a.jpg")
    assert boxes_of(read_boxed(path)) == {"a.jpg": [("ant", 10, 20, 30, 40)]}


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"bbox": [1, 2, 3]}, "unreadable label", "four numbers"),
        ({"bbox": None}, "unreadable label", 'wrong "bbox"'),
        ({"category_id": 5}, "unknown class", "unknown category 5"),
        ({"image_id": 9}, "missing picture", "unknown image 9"),
        ({"image_id": [1]}, "unreadable label", 'wrong "image_id"'),
        ({"bbox": [5, 5, 0, 5]}, "no area", "annotation 8: the box 5, 5, 5, 10 has no area"),
        ({"bbox": [5, 5, -3, 5]}, "no area", "left of its start"),
        ({"bbox": [200, 5, 10, 5]}, "outside", "lies outside of the picture's 100 x 80 pixels"),
    ],
)
def test_a_wrong_annotation_is_a_fault_and_the_others_are_read(tmp_path, change, kind, words):
    good = {"id": 7, "image_id": 0, "category_id": 1, "bbox": [10, 20, 20, 20]}
    wrong = good | {"id": 8, "bbox": [1, 1, 5, 5]} | change
    path = coco(tmp_path / "set.json", "a.jpg", annotations=[wrong, good])
    picture(tmp_path / "a.jpg")
    faults = []
    data = read_boxed(path, on_fault=faults.append)
    assert [(f.kind, f.file) for f in faults] == [(kind, path)] and words in str(faults[0])
    assert boxes_of(data) == {"a.jpg": [("ant", 10, 20, 30, 40)]}
    with pytest.raises(DatasetError, match=r"set\.json: annotation 8"):
        read_boxed(path)


def test_pictures_of_a_coco_file_that_are_missing_or_unlike_it(tmp_path):
    names = ["a.jpg", "gone.jpg", "small.jpg", r"C:\old\B.JPG", "a.jpg"]
    path = coco(tmp_path / "set.json", *names)
    picture(tmp_path / "a.jpg")
    picture(tmp_path / "images" / "b.jpg")
    picture(tmp_path / "small.jpg", 50, 40)
    faults = []
    data = read_boxed(path, on_fault=faults.append)
    assert list(boxes_of(data)) == ["a.jpg", "b.jpg"]
    assert sorted((f.kind, f.picture.name) for f in faults) == [
        ("missing picture", "gone.jpg"),
        ("twice", "a.jpg"),
        ("wrong size", "small.jpg"),
    ]


def test_recognise_knows_what_is_something_else(tmp_path):
    for name in ("cat/a.jpg", "dog/b.jpg"):
        picture(tmp_path / "classes" / name)
    text(tmp_path / "labels.csv", "file,label", "a.jpg,cat")
    text(tmp_path / "settings.json", '{"size": 3}')
    text(tmp_path / "settings.yaml", "size: 3")
    text(tmp_path / "broken.yaml", "a: [")
    text(tmp_path / "notes.xml", "<html/>")
    (tmp_path / "empty").mkdir()
    text(tmp_path / "names" / "classes.txt", "cat")
    for path in [*tmp_path.iterdir(), tmp_path, tmp_path / "gone", "", "\0", "-"]:
        assert recognise(path) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gone", "no such file or folder"),
        ("empty", "no data set with boxes"),
        ("a.jpg", "not a data set with boxes"),
        ("gone.json", "gone.json: no such file"),
        ("gone.csv", "gone.csv: no such file"),
        ("gone.yaml", "gone.yaml: no such file"),
        ("list.json", "top level must be an object"),
    ],
)
def test_what_is_no_data_set_is_refused_in_one_line(tmp_path, name, words):
    (tmp_path / "empty").mkdir()
    picture(tmp_path / "a.jpg")
    text(tmp_path / "list.json", "[]")
    with pytest.raises(DatasetError) as caught:
        read_boxed(tmp_path / name)
    assert words in str(caught.value) and len(str(caught.value).splitlines()) == 1


def test_a_picture_turned_by_its_camera_is_measured_upright(tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 100)).save(tmp_path / "a.jpg", exif=exif)
    voc(tmp_path / "a.xml", ("ant", 10, 20, 95, 40), size=(100, 80))
    assert boxes_of(read_boxed(tmp_path)) == {"a.jpg": [("ant", 10, 20, 95, 40)]}


edge = st.floats(-150, 250, allow_nan=False, width=32)


@given(x1=edge, y1=edge, x2=edge, y2=edge)
def test_boxes_end_inside_of_the_picture_or_are_left_out(tmp_path_factory, x1, y1, x2, y2):
    width, height = 100, 80
    path = tmp_path_factory.getbasetemp() / "never opened.jpg"
    labels = Labels(path, path, [Row((x1, y1, x2, y2), 0)], size=(width, height))
    faults = []
    data = assemble("COCO", ["ant"], [labels], faults.append, trust_sizes=True)
    boxes = data.examples[0].boxes.astype(float)
    kinds = [fault.kind for fault in faults]
    assert set(kinds) <= set(FAULTS) and len(kinds) <= 1
    beyond = max(-x1, -y1, x2 - width, y2 - height)
    area = max(x2 - x1, 0) * max(y2 - y1, 0)
    if len(boxes):
        ((a, b, c, d),) = boxes
        assert 0 <= a < c <= width and 0 <= b < d <= height
        assert (a, b) == pytest.approx((max(x1, 0), max(y1, 0)))
        assert (c, d) == pytest.approx((min(x2, width), min(y2, height)))
        assert (kinds == ["outside"]) == (beyond > 2)
        assert beyond <= 2 or (c - a) * (d - b) >= 0.199 * area
    elif area > 1:
        assert kinds == ["outside"]
    else:
        assert kinds in (["no area"], ["outside"])


def test_the_slack_at_the_edge_grows_with_the_picture(tmp_path):
    def kinds(size, box):
        labels = Labels(tmp_path, tmp_path, [Row(box, 0)], size=size)
        found = []
        assemble("COCO", ["ant"], [labels], found.append, trust_sizes=True)
        return [fault.kind for fault in found]

    assert kinds((100, 100), (-2, 10, 50, 102)) == []
    assert kinds((100, 100), (-2.5, 10, 50, 50)) == ["outside"]
    assert kinds((1000, 100), (-10, 10, 500, 50)) == []
    assert kinds((1000, 100), (10, -10, 500, 50)) == ["outside"]
