import pytest

from boxed_sets import boxes_of, picture, splits_of, text
from cvtool.datasets.boxed_layouts import read_boxed, recognise
from cvtool.errors import DatasetError

HALF = "0 0.5 0.5 0.5 0.5"
HALF_BOX = ("ant", 25, 20, 75, 60)


def ultralytics(folder, names="names: [ant, bee]", train="images/train", val="images/val"):
    text(folder / "data.yaml", names, f"train: {train}", f"val: {val}")
    picture(folder / "images" / "train" / "a.jpg")
    picture(folder / "images" / "val" / "b.jpg")
    text(folder / "labels" / "train" / "a.txt", HALF, "1 0.1 0.1 0.2 0.2")
    return folder


@pytest.mark.parametrize(
    "names",
    [
        "names: [ant, bee]",
        "names: {0: ant, 1: bee}",
        "names:\n  1: bee\n  0: ant",
        "names:\n- ant\n- bee",
    ],
)
@pytest.mark.parametrize("place", ["", "data.yaml"])
def test_reads_a_set_with_a_yaml_file(tmp_path, names, place):
    path = ultralytics(tmp_path, names) / place
    assert recognise(path) == "YOLO"
    data = read_boxed(path)
    assert (data.layout, data.classes) == ("YOLO", ("ant", "bee"))
    assert boxes_of(data) == {"a.jpg": [HALF_BOX, ("bee", 0, 0, 20, 16)], "b.jpg": []}
    assert splits_of(data) == {"a.jpg": "train", "b.jpg": "dev"}
    assert data.examples[0].boxes.dtype == "float32"


def test_names_stay_as_they_are_written(tmp_path):
    ultralytics(tmp_path, "names: [no, 007, 1e3, ~, 'été']")
    assert read_boxed(tmp_path).classes == ("no", "007", "1e3", "~", "été")


@pytest.mark.parametrize(
    ("path", "train", "val"),
    [
        (".", "./images/train", "images/val"),
        ("../{name}", "images/train", "images/val"),
        ("/content/elsewhere/{name}", "images/train", "images/val"),
        (r"C:\data\sets", r"images\train", r"C:\data\sets\images\val"),
        ("", "../images/train", "../images/val"),
        ("", "/home/someone/set/images/train", "[images/val]"),
    ],
)
def test_paths_that_are_not_quite_right_are_found(tmp_path, path, train, val):
    folder = ultralytics(tmp_path / "set", train=train, val=val)
    with open(folder / "data.yaml", "a") as stream:
        stream.write(f"path: {path.format(name='set')}\n")
    assert splits_of(read_boxed(folder)) == {"a.jpg": "train", "b.jpg": "dev"}


def test_roboflows_export_with_a_test_split_that_it_does_not_have(tmp_path):
    text(
        tmp_path / "data.yaml",
        "train: ../train/images",
        "val: ../valid/images",
        "test: ../test/images",
        "nc: 1",
        "names: ['ant']",
    )
    picture(tmp_path / "train" / "images" / "x_jpg.rf.0a1b.jpg")
    text(tmp_path / "train" / "labels" / "x_jpg.rf.0a1b.txt", HALF)
    picture(tmp_path / "valid" / "images" / "y.jpg")
    data = read_boxed(tmp_path)
    assert splits_of(data) == {"x_jpg.rf.0a1b.jpg": "train", "y.jpg": "dev"}
    assert boxes_of(data)["x_jpg.rf.0a1b.jpg"] == [HALF_BOX]


def test_a_missing_test_folder_is_not_taken_for_all_images(tmp_path):
    ultralytics(tmp_path)
    with open(tmp_path / "data.yaml", "a") as stream:
        stream.write("test: test/images\n")
    assert set(splits_of(read_boxed(tmp_path)).values()) == {"train", "dev"}


def test_lists_of_pictures_and_lists_of_folders(tmp_path):
    for name in ("a.jpg", "deep/b.jpg", "c.jpg"):
        picture(tmp_path / "images" / name)
        text(tmp_path / "labels" / name.replace("jpg", "txt"), HALF)
    lines = ["./images/a.jpg", r"D:\old\images\deep\b.jpg", "", "images/gone.jpg"]
    text(tmp_path / "train.txt", *lines)
    text(tmp_path / "set.yml", "names: [ant]", "train: [train.txt]", "val: val.txt")
    text(tmp_path / "val.txt", "/mnt/pictures/images/C.JPG")
    faults = []
    data = read_boxed(tmp_path, on_fault=faults.append)
    assert splits_of(data) == {"a.jpg": "train", "b.jpg": "train", "c.jpg": "dev"}
    assert all(boxes == [HALF_BOX] for boxes in boxes_of(data).values())
    assert [(f.kind, f.file.name, f.line) for f in faults] == [("missing picture", "train.txt", 4)]


def test_the_same_pictures_for_train_and_val_mean_no_split(tmp_path):
    ultralytics(tmp_path, train="images", val="images")
    assert splits_of(read_boxed(tmp_path)) == {"a.jpg": "", "b.jpg": ""}
    picture(tmp_path / "test" / "t.jpg")
    with open(tmp_path / "data.yaml", "a") as stream:
        stream.write("test: test\n")
    assert splits_of(read_boxed(tmp_path)) == {"a.jpg": "train", "b.jpg": "train", "t.jpg": "test"}


def test_a_picture_in_two_splits_counts_in_the_first(tmp_path):
    ultralytics(tmp_path, val="images")
    faults = []
    data = read_boxed(tmp_path, on_fault=faults.append)
    assert splits_of(data) == {"a.jpg": "train", "b.jpg": "dev"}
    assert [f.kind for f in faults] == ["twice"] and "in train and in dev" in faults[0].message


@pytest.mark.parametrize("classes", ["classes.txt", "labels/classes.txt", "obj.names"])
def test_label_studios_export_without_a_yaml_file(tmp_path, classes):
    picture(tmp_path / "images" / "a.jpg")
    text(tmp_path / "labels" / "a.txt", HALF)
    text(tmp_path / classes, "ant", "bee")
    assert recognise(tmp_path) == "YOLO"
    data = read_boxed(tmp_path)
    assert data.classes == ("ant", "bee")
    assert boxes_of(data) == {"a.jpg": [HALF_BOX]} and splits_of(data) == {"a.jpg": ""}


@pytest.mark.parametrize("order", ["{split}/images", "images/{split}"])
def test_splits_by_folders_without_a_yaml_file(tmp_path, order):
    for split in ("train", "valid"):
        folder = tmp_path / order.format(split=split)
        picture(folder / f"{split}.jpg")
        text(
            tmp_path / order.format(split=split).replace("images", "labels") / f"{split}.txt", HALF
        )
    text(tmp_path / "classes.txt", "ant")
    data = read_boxed(tmp_path)
    assert splits_of(data) == {"train.jpg": "train", "valid.jpg": "dev"}
    assert all(boxes == [HALF_BOX] for boxes in boxes_of(data).values())


def test_darknets_layout_as_cvat_exports_it(tmp_path):
    text(
        tmp_path / "obj.data",
        "classes = 1",
        "train = data/train.txt",
        "names = data/obj.names",
        "backup = backup/",
    )
    text(tmp_path / "obj.names", "ant")
    text(tmp_path / "train.txt", "data/obj_train_data/a.jpg")
    picture(tmp_path / "obj_train_data" / "a.jpg")
    text(tmp_path / "obj_train_data" / "a.txt", HALF)
    assert recognise(tmp_path) == "YOLO"
    data = read_boxed(tmp_path)
    assert boxes_of(data) == {"a.jpg": [HALF_BOX]} and splits_of(data) == {"a.jpg": "train"}


def test_labels_beside_the_pictures(tmp_path):
    picture(tmp_path / "a.jpg")
    text(tmp_path / "a.txt", HALF)
    text(tmp_path / "classes.txt", "ant")
    assert boxes_of(read_boxed(tmp_path)) == {"a.jpg": [HALF_BOX]}


@pytest.mark.parametrize(
    ("row", "box"),
    [
        ("0 0.2 0.1 0.6 0.1 0.4 0.5", (20, 8, 60, 40)),
        ("0 0.1 0.1 0.3 0.1 0.3 0.4 0.1 0.4", (10, 8, 30, 32)),
        ("0 0.5 0.5 0.5 0.5 0.93", (25, 20, 75, 60)),
        ("0.0\t0.5  0.5 5e-1 0.5 ", (25, 20, 75, 60)),
    ],
)
def test_polygons_scores_and_other_spellings(tmp_path, row, box):
    ultralytics(tmp_path)
    text(tmp_path / "labels" / "train" / "a.txt", row)
    assert boxes_of(read_boxed(tmp_path))["a.jpg"] == [("ant", *box)]


def test_of_bodies_with_key_points_the_box_is_read(tmp_path):
    ultralytics(tmp_path)
    with open(tmp_path / "data.yaml", "a") as stream:
        stream.write("kpt_shape: [2, 2]\n")
    text(tmp_path / "labels" / "train" / "a.txt", HALF + " 0.1 0.1 0.9 0.9")
    assert boxes_of(read_boxed(tmp_path))["a.jpg"] == [HALF_BOX]


@pytest.mark.parametrize(
    ("row", "kind", "words"),
    [
        ("0 0.5 0.5 0.5", "unreadable label", "holds 4 numbers"),
        ("ant 0.5 0.5 0.5 0.5", "unreadable label", "does not hold numbers only"),
        ("0 0.5 nan 0.5 0.5", "unreadable label", "shares of the picture"),
        ("0 50 40 30 20", "unreadable label", "shares of the picture"),
        ("inf 0.5 0.5 0.5 0.5", "unreadable label", "not a whole number"),
        ("2 0.5 0.5 0.5 0.5", "unknown class", "class 2 is not among the 2"),
        ("-1 0.5 0.5 0.5 0.5", "unknown class", "class -1"),
        ("0 0.5 0.5 0 0.5", "no area", "has no area"),
        ("0 0.5 0.5 -0.5 0.5", "no area", "left of its start"),
        ("0 1.4 0.5 0.2 0.2", "outside", "lies outside"),
        (HALF, "twice", "there twice"),
    ],
)
def test_a_wrong_row_is_a_fault_with_its_line_and_the_others_are_read(tmp_path, row, kind, words):
    ultralytics(tmp_path)
    file = text(tmp_path / "labels" / "train" / "a.txt", HALF, "", row, "1 0.1 0.1 0.2 0.2")
    faults = []
    data = read_boxed(tmp_path, on_fault=faults.append)
    assert [(f.kind, f.file, f.line) for f in faults] == [(kind, file, 3)]
    assert words in faults[0].message and faults[0].picture == data.examples[0].path
    assert boxes_of(data)["a.jpg"] == [HALF_BOX, ("bee", 0, 0, 20, 16)]
    with pytest.raises(DatasetError, match=r"a\.txt:3: "):
        read_boxed(tmp_path)


def test_files_that_are_no_labels_and_labels_without_a_picture(tmp_path):
    ultralytics(tmp_path)
    (tmp_path / "labels" / "train" / "a.txt").write_text(HALF, encoding="utf-16")
    text(tmp_path / "labels" / "train" / "gone.txt", HALF)
    (tmp_path / "images" / "val" / "b.jpg").write_bytes(b"no picture")
    faults = []
    data = read_boxed(tmp_path, on_fault=faults.append)
    assert {(f.kind, f.file.name) for f in faults} == {
        ("unreadable label", "a.txt"),
        ("missing picture", "gone.txt"),
        ("unreadable picture", "b.jpg"),
    }
    assert boxes_of(data) == {"a.jpg": []}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["names: [ant", "train: images"], "not valid YAML"),
        (["- names"], "not a description"),
        (["train: images/train"], '"names" must be a list'),
        (["names: [ant, ant]", "train: images/train"], "'ant' is there twice"),
        (["names: {0: ant, 2: bee}", "train: images/train"], "without a gap"),
        (["names: [ant]"], "names no pictures"),
        (["names: [ant]", "train: nowhere"], "nowhere is neither in"),
        (["names: [ant]", "train: {a: b}"], '"train" must be'),
    ],
)
def test_a_wrong_description_ends_the_reading(tmp_path, lines, words):
    ultralytics(tmp_path)
    file = text(tmp_path / "data.yaml", *lines)
    with pytest.raises(DatasetError) as caught:
        read_boxed(file)
    assert words in str(caught.value) and str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_names_or_labels_the_remedy_is_told(tmp_path):
    picture(tmp_path / "images" / "a.jpg")
    text(tmp_path / "labels" / "a.txt", HALF)
    assert recognise(tmp_path) == "YOLO"
    with pytest.raises(DatasetError, match=r"write them in classes\.txt"):
        read_boxed(tmp_path)
    text(tmp_path / "data.yaml", "names: [ant]", "train: images")
    (tmp_path / "labels" / "a.txt").unlink()
    with pytest.raises(DatasetError, match=r"no picture has a label file; .*labels.a\.txt"):
        read_boxed(tmp_path)


def test_a_broken_description_is_named_whatever_else_is_there(tmp_path):
    picture(tmp_path / "images" / "a.jpg")
    text(tmp_path / "labels" / "a.txt", HALF)
    text(tmp_path / "data.yaml", "train: [images", "names: }{")
    assert recognise(tmp_path) == "YOLO"
    with pytest.raises(DatasetError, match=r"data\.yaml: not valid YAML"):
        read_boxed(tmp_path)


def test_a_set_may_be_named_from_inside_its_folder(tmp_path, monkeypatch):
    ultralytics(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("data.yaml", "."):
        assert boxes_of(read_boxed(name))["a.jpg"][0] == HALF_BOX
