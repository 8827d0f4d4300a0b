"""Object boxes in the layout of Pascal VOC: an XML file for each picture.

Everingham et al., "The PASCAL Visual Object Classes Challenge 2007 (VOC2007) Development Kit".
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from cvtool.datasets.box_rows import Labels, Row, assemble
from cvtool.datasets.boxed import DetectionDataset
from cvtool.datasets.faults import Fault, OnFault, in_split, refuse
from cvtool.datasets.labelled import SPLIT_NAMES
from cvtool.datasets.listed_pictures import FindPicture, picture_finder
from cvtool.datasets.split_files import SPLIT_ORDER, entries, folders_named, split_folders
from cvtool.errors import DatasetError
from cvtool.pictures.finding import natural_key

_XML_FOLDERS = ("annotations", "annotation", "xml", "xmls", "labels")
_PICTURE_FOLDERS = ("jpegimages", "images", "pictures", "img", "imgs")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_HEAD = 4096


@dataclass(slots=True)
class _Node:
    """An element with its line, its text, and the elements in it by lower-case name."""

    line: int
    text: str = ""
    inside: dict[str, list[_Node]] = field(default_factory=dict)

    def all(self, name: str) -> list[_Node]:
        return self.inside.get(name, [])

    def words(self, *path: str) -> str:
        """The text of the first element at a path, "" where there is none."""
        node = self
        for name in path:
            if not (found := node.all(name)):
                return ""
            node = found[0]
        return unicodedata.normalize("NFC", node.text.strip())


class _NotVoc(Exception):
    """An XML file that cannot be read; line and reason."""


def is_voc(folder: Path) -> bool:
    """Whether a folder holds Pascal VOC's XML files; one of them is opened."""
    for place, _ in _xml_folders(folder):
        try:
            with open(_xml_files(place)[0], "rb") as stream:
                return b"<annotation" in stream.read(_HEAD).lower()
        except OSError:
            return False
    return False


def read_voc(
    folder: str | Path, pictures: str | Path | None = None, *, on_fault: OnFault = refuse
) -> DetectionDataset:
    """Read a data set in the layout of Pascal VOC.

    The XML files lie in Annotations, in the folder itself, or in folders named after the splits;
    the pictures in JPEGImages or images, or beside the XML files. The splits are those of
    ImageSets/Main: train, val and test, or trainval for train where that is missing. Classes
    are in natural order. Objects marked difficult count as any other.

    Coordinates are taken as they stand, as labelImg, CVAT, Label Studio and torchvision do: the
    left edge of a picture is 0. Only in Pascal's own sets, told by the name of the
    database in them, pixels count from 1 and both corners belong to the box; there 1 is
    subtracted from xmin and ymin.

    Args:
        folder: of the data set.
        pictures: folder of the pictures, where they are elsewhere.
        on_fault: called with each fault.
    Raises:
        DatasetError: there is no XML file, no picture of any, or no object in any of them.
    """
    folder = Path(folder)
    if pictures is not None and not Path(pictures).is_dir():
        raise DatasetError(f"{pictures}: no such folder of pictures")
    files = [(file, split) for place, split in _xml_folders(folder) for file in _xml_files(place)]
    if not files:
        raise DatasetError(f"{folder}: no XML file in it or in Annotations")
    lists = _read_lists(folder, {file.stem for file, _ in files}, on_fault)
    finders: dict[Path, FindPicture] = {}
    read: list[tuple[Labels, list[tuple[str, tuple, int]]]] = []
    for file, split in files:
        if file.parent not in finders:
            places = [Path(pictures)] if pictures is not None else _places(folder, file.parent)
            finders[file.parent] = picture_finder(places)
        split = lists.get(file.stem, split)
        found = _read_file(file, finders[file.parent], in_split(on_fault, split))
        if found is not None:
            found[0].split = split
            read.append(found)
    if not read:
        where = pictures or " or ".join(map(str, _places(folder, files[0][0].parent)))
        raise DatasetError(
            f"{folder}: none of its {len(files)} XML files has a picture in {where}; "
            "name the folder of the pictures (--pictures)"
        )
    classes = sorted({name for _, objects in read for name, _, _ in objects}, key=natural_key)
    if not classes:
        raise DatasetError(f"{folder}: no object in any of its {len(files)} XML files")
    position = {name: number for number, name in enumerate(classes)}
    for labels, objects in read:
        labels.rows = [Row(box, position[name], line) for name, box, line in objects]
    return assemble("Pascal VOC", classes, [labels for labels, _ in read], on_fault)


def _xml_folders(folder: Path) -> list[tuple[Path, str]]:
    """Folders that may hold the XML files, each with its split."""
    splits = {folder: ""} | split_folders(folder)
    return [
        (place, split)
        for at, split in splits.items()
        for place in (*_named(at, _XML_FOLDERS), at)
        if _xml_files(place)
    ]


def _named(folder: Path, names: tuple[str, ...]) -> list[Path]:
    """The folders in a folder with one of these names, in the order of the names."""
    return sorted(folders_named(folder, names), key=lambda at: names.index(at.name.casefold()))


def _xml_files(folder: Path) -> list[Path]:
    return entries(folder, lambda name: name.lower().endswith(".xml"))


def _places(folder: Path, xml_folder: Path) -> list[Path]:
    """Where the pictures of a folder of XML files may be."""
    roots = dict.fromkeys((xml_folder.parent, folder))
    if xml_folder == folder:
        roots = dict.fromkeys((folder, folder.absolute().parent))
    named = [place for root in roots for place in _named(root, _PICTURE_FOLDERS)]
    return list(dict.fromkeys((*named, xml_folder, folder)))


def _read_lists(folder: Path, stems: set[str], on_fault: OnFault) -> dict[str, str]:
    """Stem of an XML file -> its split, from ImageSets/Main."""
    main = [at for sets in _named(folder, ("imagesets",)) for at in _named(sets, ("main",))]
    lists = {at.stem.casefold(): at for place in main for at in entries(place, _is_list)}
    files = {SPLIT_NAMES[name]: file for name, file in lists.items() if name in SPLIT_NAMES}
    if "train" not in files and "trainval" in lists:
        files["train"] = lists["trainval"]
    split_of: dict[str, str] = {}
    for split in SPLIT_ORDER:
        if split not in files:
            continue
        try:
            lines = files[split].read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(f"{files[split]}: cannot be read ({error})") from None
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            stem = _stem_of_line(line, stems)
            if stem is None:
                message = f"there is no XML file for {line.strip()}"
                on_fault(Fault("missing picture", files[split], message, number, split=split))
            elif split_of.setdefault(stem, split) != split:
                message = f"{stem} is in {split_of[stem]} and in {split}; the first counts"
                on_fault(Fault("twice", files[split], message, number))
    return split_of


def _is_list(name: str) -> bool:
    return name.lower().endswith(".txt")


def _stem_of_line(line: str, stems: set[str]) -> str | None:
    """The XML file that a line means; names may hold spaces, and a mark may follow them."""
    name = line.strip().replace("\\", "/").rpartition("/")[2]
    unmarked = name.rpartition(" ")[0].strip() if name.endswith((" 0", " 1", " -1")) else name
    for form in (name, unmarked):
        for stem in (form, Path(form).stem):
            if stem in stems:
                return stem
    return None


def _read_file(
    file: Path, find: FindPicture, on_fault: OnFault
) -> tuple[Labels, list[tuple[str, tuple, int]]] | None:
    """The picture of an XML file, and its objects: name, box, line. None without a picture."""
    try:
        root = _parse(file)
    except _NotVoc as error:
        line, reason = error.args
        picture = find(file.stem, any_suffix=True)
        on_fault(Fault("unreadable label", file, reason, line, picture))
        return None if picture is None else (Labels(picture, file), [])
    named = [name for name in (root.words("filename"), root.words("path")) if name]
    found = (find(name) for name in named)
    picture = next(filter(None, found), None) or find(file.stem, any_suffix=True)
    if picture is None:
        name = named[0] if named else file.stem
        message = f"its picture {name} is not there; put it there, or name its folder (--pictures)"
        on_fault(Fault("missing picture", file, message, picture=file.parent / name))
        return None
    # Pascal's own sets count pixels from 1, with both corners in the box.
    first = 1.0 if "VOC" in root.words("source", "database") else 0.0
    objects = []
    for node in root.all("object"):
        name, message, box = node.words("name"), "", ()
        texts = [node.words("bndbox", corner) for corner in _CORNERS]
        try:
            box = tuple(float(text) for text in texts)
        except ValueError:
            absent = [corner for corner, text in zip(_CORNERS, texts, strict=True) if not text]
            message = f"the box has no {absent[0]}" if absent else f"the box {texts} is no numbers"
        if not name:
            message = "an object has no name; write its class"
        if message:
            on_fault(Fault("unreadable label", file, message, node.line, picture))
        else:
            corners = (box[0] - first, box[1] - first, box[2], box[3])
            objects.append((name, corners, node.line))
    return Labels(picture, file, size=_size(root)), objects


def _size(root: _Node) -> tuple[int, int] | None:
    """Width and height as stated; None where they are missing or 0, as some tools write."""
    try:
        width, height = (int(float(root.words("size", key))) for key in ("width", "height"))
    except (ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _parse(file: Path) -> _Node:
    """The element "annotation" of an XML file.

    Raises:
        _NotVoc: it cannot be read, or is something else.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    top = _Node(0)
    open_nodes = [top]

    def start(tag: str, attributes: dict) -> None:
        node = _Node(parser.CurrentLineNumber)
        open_nodes[-1].inside.setdefault(tag.casefold(), []).append(node)
        open_nodes.append(node)

    def text(data: str) -> None:
        open_nodes[-1].text += data

    def refuse_entity(*details) -> None:
        # Entities of entities can grow without bound, and a label file needs none.
        raise _NotVoc(parser.CurrentLineNumber, "declares XML entities, which are not read")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda tag: open_nodes.pop()
    parser.CharacterDataHandler = text
    parser.EntityDeclHandler = refuse_entity
    try:
        parser.Parse(file.read_bytes(), True)
    except expat.ExpatError as error:
        reason = expat.errors.messages.get(error.code, str(error))
        raise _NotVoc(error.lineno, f"not valid XML ({reason}); write it again") from None
    except OSError as error:
        raise _NotVoc(None, f"cannot be read ({error.strerror})") from None
    except (LookupError, ValueError) as error:
        raise _NotVoc(None, f"not valid XML ({error}); write it again") from None
    annotations = top.all("annotation")
    if not annotations:
        raise _NotVoc(None, 'not a label file of Pascal VOC; it has no element "annotation"')
    return annotations[0]
