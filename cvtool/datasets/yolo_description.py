"""What a data set in the layout of YOLO says of itself: classes, and where the pictures are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtool.datasets.labelled import SPLIT_NAMES
from cvtool.datasets.listed_pictures import is_picture
from cvtool.datasets.split_files import entries, folders_named, split_folders
from cvtool.errors import DatasetError

YAML_SUFFIXES = (".yaml", ".yml")
DESCRIPTION_STEMS = ("data", "dataset")
# Lists of class names, one a line, that labelling tools write beside the labels.
NAME_LISTS = ("classes.txt", "obj.names")
_SPLIT_KEYS = ("train", "val", "valid", "test")


@dataclass(frozen=True, slots=True)
class YoloDescription:
    """How to read such a set.

    Attributes:
        file: the description, or the list of the classes.
        root: the folder of the set.
        classes: names.
        places: split, and a folder or a list of pictures. None for the split means that the
            paths of the pictures tell theirs, see `split_of_path`.
        picture_folders: where the user says that the pictures are, or none.
        key_points: whether lines hold a box and then points of a body.
        missing: split, and a path that is not there.
    """

    file: Path
    root: Path
    classes: tuple[str, ...]
    places: tuple[tuple[str | None, Path], ...]
    picture_folders: tuple[Path, ...] = ()
    key_points: bool = False
    missing: tuple[tuple[str, str], ...] = ()


def split_of_path(picture: Path, root: Path) -> str:
    """The split that a folder between a set's folder and a picture is named after, "" if none."""
    folders = picture.relative_to(root).parts[:-1] if picture.is_relative_to(root) else ()
    named = (SPLIT_NAMES.get(folder.casefold(), "") for folder in folders)
    return next(filter(None, named), "")


def find_description(path: Path) -> Path | None:
    """The YAML file, obj.data or list of class names that describes a set; None if none does.

    Args:
        path: such a YAML file, or a folder. In a folder a YAML file comes first, data.yaml and
            dataset.yaml before others, then obj.data, then classes.txt and obj.names,
            in the folder or in its labels.
    """
    if path.is_file():
        return path if path.suffix.lower() in YAML_SUFFIXES and _is_yaml(path) else None
    yamls = entries(path, lambda name: os.path.splitext(name)[1].lower() in YAML_SUFFIXES)
    yamls.sort(key=lambda at: at.stem.casefold() not in DESCRIPTION_STEMS)
    for at in yamls:
        if _is_yaml(at):
            return at
    if (path / "obj.data").is_file():
        return path / "obj.data"
    folders = [path, *folders_named(path, ("labels", "obj_train_data"))]
    lists = [folder / name for folder in folders for name in NAME_LISTS]
    return next((at for at in lists if at.is_file()), None)


def is_yolo(path: Path) -> bool:
    """Whether there is a set in this layout at a path; only names and the description are read."""
    description = find_description(path)
    if description is not None and description.name not in NAME_LISTS:
        return True
    if not path.is_dir():
        return False
    for place in (path, *split_folders(path)):
        labels = folders_named(place, ("labels",))
        if labels and folders_named(place, ("images",)):
            return any(labels[0].rglob("*.txt"))
    # labelImg writes the labels beside the pictures, CVAT so in a folder of its own.
    return description is not None and any(
        at.with_suffix(".txt").is_file()
        for place in (path, path / "obj_train_data")
        for at in entries(place, is_picture)
    )


def describe_yolo(path: Path, pictures: str | Path | None = None) -> YoloDescription:
    """Read the description of a set.

    A YAML file has `names` (a list, or a mapping from numbers), `path`, and `train`, `val` and
    `test`, each a folder, a list of folders, or a text file with a path a line. Paths are
    relative to `path` or to the file; those of Roboflow's exports, which begin with ../ without
    need, and those from another machine are found by their last folders. Without a YAML file a
    list of class names does; then the splits are told from folders called train, val and test,
    or from obj.data.

    Args:
        path: the YAML file, or a folder; see `find_description`.
        pictures: a folder that the paths are tried in first.
    Raises:
        DatasetError: there is none, it is not such a description, or its folders are not there.
    """
    if pictures is not None and not Path(pictures).is_dir():
        raise DatasetError(f"{pictures}: no such folder of pictures")
    file = find_description(path) if path.is_dir() else path
    if file is None:
        raise DatasetError(
            f"{path}: the names of the classes are missing; write them in classes.txt, "
            "one a line, in the order of their numbers"
        )
    extra = () if pictures is None else (Path(pictures),)
    if file.suffix.lower() in YAML_SUFFIXES:
        return _from_yaml(file, extra)
    if file.name == "obj.data":
        return _from_darknet(file, extra)
    root = path if path.is_dir() else file.parent
    return YoloDescription(file, root, _read_names(file), _all_pictures(root, extra), extra)


def _all_pictures(root: Path, extra: tuple[Path, ...]) -> tuple[tuple[None, Path], ...]:
    """The folders called images, of the set or of its splits; the whole folder without one."""
    homes = (root, *split_folders(root))
    places = extra or [at for home in homes for at in folders_named(home, ("images",))]
    return tuple((None, at) for at in places or (root,))


def _is_yaml(path: Path) -> bool:
    try:
        content = _load(path)
    except DatasetError:
        # Of a file so called, the reader is to say what is wrong with it.
        return path.stem.casefold() in DESCRIPTION_STEMS
    return bool({"names", "nc"} & set(content)) and any(key in content for key in _SPLIT_KEYS)


def _load(path: Path) -> dict[str, Any]:
    import yaml

    try:
        # All scalars as they are written: a class may be called no, 1e3 or 2024-01-01.
        content = yaml.load(path.read_text("utf-8-sig"), Loader=yaml.BaseLoader)
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such file; name the YAML file of the data set") from None
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise DatasetError(f"{path}: not text in UTF-8; save it as UTF-8") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise DatasetError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise DatasetError(f"{path}: not a description of a data set; it has no names of classes")
    return content


def _from_yaml(file: Path, extra: tuple[Path, ...]) -> YoloDescription:
    content = _load(file)
    home = content.get("path")
    roots = [file.parent]
    if isinstance(home, str) and home:
        roots = list(dict.fromkeys((*_ends(file.parent, home), file.parent)))
    named = [
        (SPLIT_NAMES[key], entry)
        for key in _SPLIT_KEYS
        for entry in _as_list(file, key, content.get(key))
    ]
    if not named:
        raise DatasetError(f'{file}: names no pictures; write "train: images/train" or the like')
    found = [(split, entry, _find(entry, [*extra, *roots])) for split, entry in named]
    places = tuple((split, at) for split, _, at in found if at is not None)
    if not places:
        raise DatasetError(
            f"{file}: {found[0][1]} is neither in {roots[0]} nor where it says; correct the path, "
            "or name the folder of the pictures (--pictures)"
        )
    return YoloDescription(
        file,
        roots[0],
        _names_of(file, content),
        places,
        extra,
        "kpt_shape" in content,
        # Exports name a test split that they do not have.
        tuple((split, entry) for split, entry, at in found if at is None and split != "test"),
    )


def _find(entry: str, roots: list[Path]) -> Path | None:
    return next((place for root in roots for place in _ends(root, entry)), None)


def _ends(root: Path, entry: str) -> Iterator[Path]:
    """Existing places that a path may mean: as it is, then ever shorter ends of it below root."""
    entry = entry.replace("\\", "/")
    parts = [part for part in entry.split("/") if part not in ("", ".")]
    places = [root / entry]
    for at in range(len(parts)):
        # The bare folder is another split's or all splits' if the rest of the path is not there.
        if at == 0 or [part.casefold() for part in parts[at:]] != ["images"]:
            places.append(root.joinpath(*parts[at:]))
    for place in places:
        if place.exists():
            yield Path(os.path.normpath(place))


def _as_list(file: Path, key: str, value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    values = [entry for entry in values if entry not in (None, "", "null", "~")]
    if not all(isinstance(entry, str) for entry in values):
        raise DatasetError(f'{file}: "{key}" must be a folder, a list of folders or a text file')
    return values


def _names_of(file: Path, content: dict[str, Any]) -> tuple[str, ...]:
    names, count = content.get("names"), content.get("nc")
    if isinstance(names, dict):
        try:
            numbered = {int(number): name for number, name in names.items()}
        except ValueError:
            raise DatasetError(
                f'{file}: "names" must be a list, or numbers from 0 with names'
            ) from None
        if sorted(numbered) != list(range(len(numbered))):
            raise DatasetError(f'{file}: the numbers of "names" must be 0, 1, 2 ... without a gap')
        names = [numbered[number] for number in range(len(numbered))]
    elif names in (None, "") and isinstance(count, str) and count.isdecimal():
        names = [f"class_{number}" for number in range(min(int(count), 100_000))]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DatasetError(f'{file}: "names" must be a list of the names of the classes')
    return _checked_names(file, names)


def _from_darknet(file: Path, extra: tuple[Path, ...]) -> YoloDescription:
    """Darknet's obj.data, as CVAT exports it: lines of key = value."""
    pairs = (line.partition("=") for line in _lines(file))
    content = {key.strip(): value.strip() for key, mark, value in pairs if mark}
    root = file.parent
    names = _find(content.get("names", "obj.names"), [root])
    if names is None:
        raise DatasetError(f"{file}: its list of class names is missing; put obj.names beside it")
    named = [(SPLIT_NAMES[key], content[key]) for key in _SPLIT_KEYS if content.get(key)]
    found = [(split, _find(entry, [*extra, root])) for split, entry in named]
    places = tuple((split, at) for split, at in found if at is not None)
    return YoloDescription(
        file, root, _read_names(names), places or _all_pictures(root, extra), extra
    )


def _read_names(file: Path) -> tuple[str, ...]:
    lines = [line.strip() for line in _lines(file)]
    while lines and not lines[-1]:
        lines.pop()
    return _checked_names(file, lines)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise DatasetError(f"{file}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise DatasetError(f"{file}: not text in UTF-8; save it as UTF-8") from None


def _checked_names(file: Path, names: list[str]) -> tuple[str, ...]:
    if not names:
        raise DatasetError(f"{file}: names no class; write the names in the order of their numbers")
    for number, name in enumerate(names):
        if not name.strip():
            raise DatasetError(f"{file}: class {number} has no name; write one")
        if name in names[:number]:
            raise DatasetError(f"{file}: the class name {name!r} is there twice; rename one")
    return tuple(names)
