import pytest

from boxed_sets import boxes_of, picture, splits_of, text
from cvtool.datasets.boxed_layouts import read_boxed, recognise
from cvtool.errors import DatasetError


@pytest.fixture
def folder(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        picture(tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    "lines",
    [
        ["file,x1,y1,x2,y2,class", "a.jpg,10,20,30,40,ant"],
        ["filename,cell_type,xmin,xmax,ymin,ymax", "a.jpg,ant,10,30,20,40"],
        [
            "filename,width,height,class,xmin,ymin,xmax,ymax",
            "a.jpg,100,80,ant,10,20,30,40",
        ],
        ["Label;Image;X;Y;Width;Height", "ant;a.jpg;10;20;20;20"],
        ["\ufeffpath\tname\tbbox_x\tbbox_y\tbbox_width\tbbox_height", "a.jpg\tant\t10\t20\t20\t20"],
        ["a.jpg,10,20,30,40,ant"],
        [r"C:\pictures\A.JPG,10,20,30,40,ant"],
        ["/mnt/x/a.jpg,10.0,2e1,30,40,ant"],
    ],
)
def test_reads_tables_as_tools_write_them(folder, lines):
    path = text(folder / "labels.csv", *lines)
    assert recognise(path) == recognise(folder) == "CSV"
    data = read_boxed(path)
    assert (data.layout, data.classes) == ("CSV", ("ant",))
    assert boxes_of(data) == {"a.jpg": [("ant", 10, 20, 30, 40)]}
    assert (data.examples[0].width, data.examples[0].height) == (100, 80)
    assert boxes_of(read_boxed(folder)) == boxes_of(data)


def test_several_boxes_a_picture_splits_and_pictures_without_boxes(folder):
    path = text(
        folder / "labels.csv",
        "file,x1,y1,x2,y2,class,split",
        "a.jpg,10,20,30,40,c10,train",
        "b.jpg,,,,,,val",
        "a.jpg,1,2,3,4,c2,train",
    )
    data = read_boxed(path)
    assert data.classes == ("c2", "c10")
    assert boxes_of(data) == {"a.jpg": [("c10", 10, 20, 30, 40), ("c2", 1, 2, 3, 4)], "b.jpg": []}
    assert splits_of(data) == {"a.jpg": "train", "b.jpg": "dev"}


def test_without_a_header_a_picture_may_have_no_box(folder):
    path = text(folder / "labels.csv", "b.jpg,,,,,", "a.jpg,10,20,30,40,ant")
    assert boxes_of(read_boxed(path)) == {"b.jpg": [], "a.jpg": [("ant", 10, 20, 30, 40)]}


def test_a_table_for_each_split(tmp_path):
    for split in ("train", "test"):
        picture(tmp_path / split / f"{split}.jpg")
        line = f"{split}.jpg,100,80,ant,10,20,30,40"
        header = "filename,width,height,class,xmin,ymin,xmax,ymax"
        text(tmp_path / split / "_annotations.csv", header, line)
    assert splits_of(read_boxed(tmp_path)) == {"train.jpg": "train", "test.jpg": "test"}
    for split in ("train", "test"):
        (tmp_path / split / "_annotations.csv").rename(tmp_path / f"{split}_labels.csv")
        (tmp_path / split / f"{split}.jpg").rename(tmp_path / f"{split}.jpg")
    assert splits_of(read_boxed(tmp_path)) == {"train.jpg": "train", "test.jpg": "test"}


def test_of_several_tables_one_may_have_no_pictures(folder):
    header = "file,x1,y1,x2,y2,class"
    text(folder / "train.csv", header, "gone.jpg,1,2,3,4,ant", "lost.jpg,1,2,3,4,ant")
    text(folder / "test.csv", header, "a.jpg,1,2,3,4,ant")
    faults = []
    assert splits_of(read_boxed(folder, on_fault=faults.append)) == {"a.jpg": "test"}
    assert [(f.kind, f.file.name, f.split) for f in faults] == [
        ("missing picture", "train.csv", "train")
    ]
    (folder / "a.jpg").unlink()
    with pytest.raises(DatasetError, match="none of its pictures is there"):
        read_boxed(folder, on_fault=faults.append)


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        ("a.jpg,10,20,30,x,ant,", "unreadable label", "does not hold four numbers"),
        ("a.jpg,10,20,30,,ant,", "unreadable label", "does not hold four numbers"),
        ("a.jpg,10,20,30,nan,ant,", "unreadable label", "no number"),
        ("a.jpg,10,20,30,40,,", "unreadable label", "names no class"),
        ("a.jpg,10,20,30,40,ant", "unreadable label", "has 6 cells"),
        (",10,20,30,40,ant,", "unreadable label", "names no picture"),
        ("a.jpg,10,20,30,40,ant,later", "unreadable label", "'later' is unknown"),
        ("gone.jpg,10,20,30,40,ant,", "missing picture", "gone.jpg is not there"),
        ("a.jpg,30,20,10,40,ant,", "no area", "mixed up"),
        ("a.jpg,10,20,300,400,ant,", "outside", "largely outside"),
        ("a.jpg,1,2,3,4,ant,", "twice", "there twice"),
    ],
)
def test_a_wrong_line_is_a_fault_and_the_others_are_read(folder, line, kind, words):
    header = "file,x1,y1,x2,y2,class,split"
    path = text(folder / "labels.csv", header, "a.jpg,1,2,3,4,ant,", line)
    faults = []
    data = read_boxed(path, on_fault=faults.append)
    assert [(f.kind, f.file, f.line) for f in faults] == [(kind, path, 3)]
    assert words in faults[0].message
    assert boxes_of(data) == {"a.jpg": [("ant", 1, 2, 3, 4)]}


def test_the_size_that_a_table_states_is_compared(folder):
    header = "filename,width,height,class,xmin,ymin,xmax,ymax"
    path = text(folder / "labels.csv", header, "a.jpg,50,40,ant,1,2,3,4", "b.jpg,0,0,ant,1,2,3,4")
    faults = []
    assert list(boxes_of(read_boxed(path, on_fault=faults.append))) == ["b.jpg"]
    assert [f.kind for f in faults] == ["wrong size"]


def test_what_is_no_table_of_boxes(folder):
    labels = text(folder / "labels.csv", "file,label", "a.jpg,ant")
    assert recognise(labels) is None and recognise(folder) is None
    with pytest.raises(DatasetError, match=r"no table of boxes \(its columns: file, label\)"):
        read_boxed(labels)
    text(labels, "file,x1,y1,x2,y2,class", "gone.jpg,1,2,3,4,ant")
    with pytest.raises(DatasetError, match="none of its 1 pictures is there"):
        read_boxed(labels)
    text(labels, "file,x1,y1,x2,y2,class", "a.jpg,,,,,")
    with pytest.raises(DatasetError, match="no line has a box and a class"):
        read_boxed(labels)
    with pytest.raises(DatasetError, match="nowhere: no such folder of pictures"):
        read_boxed(labels, folder / "nowhere")
