import copy
import json

import numpy as np
import pytest

from cvtool.datasets.coco import read_coco
from cvtool.errors import DatasetError

CONTENT = {
    "images": [
        {"id": 11, "file_name": "a.jpg", "width": 100, "height": 80},
        {"id": 5, "file_name": "b c é.jpg", "width": 60, "height": 60},
        {"id": 7, "file_name": "empty.jpg", "width": 10, "height": 10},
    ],
    "categories": [{"id": 9, "name": "zebra"}, {"id": 3, "name": "ant", "supercategory": "insect"}],
    "annotations": [
        {"id": 1, "image_id": 5, "category_id": 9, "bbox": [1, 2, 30, 40.5], "iscrowd": 0},
        {"id": 2, "image_id": 11, "category_id": 3, "bbox": [0, 0, 10, 10]},
        {"id": 3, "image_id": 5, "category_id": 3, "bbox": [50, 50, 40, 5], "iscrowd": 1},
        {"id": 4, "image_id": 5, "category_id": 3, "bbox": [5, 5, 0, 5]},
        {"id": 5, "image_id": 5, "category_id": 3, "bbox": [70, 5, 10, 5]},
    ],
}


def write(folder, content=CONTENT, name="instances_val.json", pictures="."):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    for image in CONTENT["images"]:
        picture = folder / pictures / image["file_name"]
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(b"never opened")
    return path


def changed(**changes):
    """The content with one key of the first entry of a list set, or taken away with None."""
    content = copy.deepcopy(CONTENT)
    for place, change in changes.items():
        for key, value in change.items():
            if value is None:
                del content[place][0][key]
            else:
                content[place][0][key] = value
    return content


def test_reads_boxes_classes_and_pictures(tmp_path):
    data = read_coco(write(tmp_path))
    assert data.classes == ("ant", "zebra")
    assert data.category_ids == (3, 9)
    assert [one.picture_id for one in data.examples] == [11, 5, 7]
    first, second, third = data.examples
    assert first.path == tmp_path / "a.jpg"
    assert (first.width, first.height) == (100, 80)
    assert second.path.is_file()
    # The boxes without area, as written and after the cut at 60 x 60, are gone.
    assert second.boxes.tolist() == [[1, 2, 31, 42.5], [50, 50, 60, 55]]
    assert second.class_ids.tolist() == [1, 0]
    assert second.crowd.tolist() == [False, True]
    assert third.boxes.shape == (0, 4)
    for one in data.examples:
        assert (one.boxes.dtype, one.class_ids.dtype, one.crowd.dtype) == (
            np.float32,
            np.int64,
            np.bool_,
        )


@pytest.mark.parametrize(
    "pictures", [".", "images", "images/val", "val", "../images/val", "../val"]
)
def test_finds_the_pictures(tmp_path, pictures):
    data = read_coco(write(tmp_path / "annotations", pictures=pictures))
    assert all(one.path.is_file() for one in data.examples)


def test_takes_the_folder_named(tmp_path):
    path = write(tmp_path / "labels", pictures="../elsewhere")
    with pytest.raises(DatasetError, match="neither beside it nor in an images folder"):
        read_coco(path)
    data = read_coco(str(path), str(tmp_path / "elsewhere"))
    assert data.examples[0].path == tmp_path / "elsewhere" / "a.jpg"


def test_pictures_in_folders_of_their_own(tmp_path):
    content = changed(images={"file_name": "deep/er/a.jpg"})
    path = write(tmp_path, content)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a.jpg").touch()
    assert read_coco(path).examples[0].path == tmp_path / "deep" / "er" / "a.jpg"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not valid JSON"),
        ('{"images": [', "not valid JSON"),
        ("\x00\x01", "not valid JSON"),
        ("[]", "top level must be an object"),
        ("{}", 'has no "images"'),
        ('{"images": [], "categories": []}', 'has no "annotations"'),
        ('{"images": {}, "annotations": [], "categories": []}', '"images" must be a list'),
        ({**CONTENT, "annotations": [3]}, '"annotations" entry 0 must be an object'),
        ({**CONTENT, "images": []}, '"images" is empty'),
        ({**CONTENT, "categories": []}, '"categories" is empty'),
        ({**CONTENT, "images": CONTENT["images"] * 2}, "image id 11 appears twice"),
        ({**CONTENT, "categories": CONTENT["categories"] * 2}, "category id 9 appears twice"),
        (changed(categories={"name": "ant"}), "category name 'ant' appears twice"),
        (changed(categories={"name": None}), 'category entry 0 has no "name"'),
        (changed(images={"file_name": None}), 'image entry 0 has no "file_name"'),
        (changed(images={"width": "100"}), "image entry 0 has a wrong \"width\": '100'"),
        (changed(images={"height": 0}), "image 11 has the size 100 x 0"),
        (changed(annotations={"bbox": None}), 'annotation 1 has no "bbox"'),
        (changed(annotations={"bbox": [1, 2, 3]}), 'annotation 1 needs a "bbox" of four numbers'),
        (changed(annotations={"bbox": [1, 2, 3, "4"]}), "annotation 1 needs"),
        (changed(annotations={"bbox": [1, 2, 3, 10**400]}), "annotation 1 needs"),
        (changed(annotations={"bbox": [1, 2, 3, float("nan")]}), "annotation 1 needs"),
        (changed(annotations={"bbox": "none"}), 'annotation 1 has a wrong "bbox"'),
        (changed(annotations={"image_id": 99}), "annotation 1 points to unknown image 99"),
        (changed(annotations={"category_id": 0}), "annotation 1 points to unknown category 0"),
        (changed(annotations={"category_id": True}), 'annotation 1 has a wrong "category_id"'),
        (changed(annotations={"id": None, "image_id": None}), "annotation entry 0 has no"),
    ],
)
def test_says_what_is_wrong(tmp_path, content, message):
    path = write(tmp_path, content)
    with pytest.raises(DatasetError) as caught:
        read_coco(path)
    text = str(caught.value)
    assert message in text
    assert str(path) in text
    assert "\n" not in text


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(DatasetError, match=r"absent\.json: no such file"):
        read_coco(tmp_path / "absent.json")
    with pytest.raises(DatasetError, match="is a folder"):
        read_coco(tmp_path)
    path = write(tmp_path)
    with pytest.raises(DatasetError, match="nowhere: no such folder of pictures"):
        read_coco(path, tmp_path / "nowhere")
    (tmp_path / "empty.jpg").unlink()
    with pytest.raises(
        DatasetError, match=r"1 of 3 pictures are not in .*, the first is empty\.jpg"
    ):
        read_coco(path)
    (tmp_path / "other").mkdir()
    with pytest.raises(DatasetError, match=r"3 of 3 pictures are not in .*other.* is a\.jpg"):
        read_coco(path, tmp_path / "other")


def test_byte_order_mark_is_read(tmp_path):
    path = write(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_coco(path).examples) == 3
