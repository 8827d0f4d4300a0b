"""From a data set as the user has it to the pictures with masks of each split."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cvtool.datasets.faults import Fault
from cvtool.datasets.mask_classes import find_class_list
from cvtool.datasets.mask_files import mask_of
from cvtool.datasets.mask_pairs import mask_root
from cvtool.datasets.mask_pixels import MaskError
from cvtool.datasets.masked import MaskDataset, MaskedPicture
from cvtool.datasets.masked_layout import read_masked
from cvtool.datasets.picture_checks import check_pictures, describe_checks
from cvtool.datasets.splitting import homes, split_up
from cvtool.engines import usable_cores
from cvtool.errors import DatasetError, few
from cvtool.segmentation.contents import count_pixels, detail_of, widths
from cvtool.training.faults import affected, check_commands, judge_faults, key_of
from cvtool.training.page import counted


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A data set, checked and split.

    Attributes:
        classes: names, in the order of class ids.
        colours: see `MaskDataset`.
        splits: split name -> MaskDataset, without empty ones.
        pixels: split name -> int64 (N, C), the pixels of each class in each mask.
        detail: of the training masks, see `contents.detail_of`.
        longest: median of the longer sides of the training pictures, pixels.
        remarks: what was found, a line each.
        how: in words, how the splits were made.
    """

    classes: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...] | None
    splits: dict[str, MaskDataset]
    pixels: dict[str, np.ndarray]
    detail: float
    longest: int
    remarks: list[str]
    how: str


def prepare(
    dataset,
    *,
    pictures=None,
    masks=None,
    classes=None,
    split=None,
    test=None,
    seed=0,
    force=False,
    say,
    on_picture=None,
):
    """Read, check and split a data set with masks. Nothing of it is changed.

    Pictures with a fault are left out, whatever the fault.

    Args:
        dataset, pictures, masks, classes: see `datasets.masked_layout.read_masked`.
        split: shares such as "70/15/15", or None to choose them by the size.
        test: another data set, all of it for testing, or None; where it has no list of
            classes, that of `dataset` holds for it.
        seed: of the random split.
        force: go on whatever the share of pictures with faults.
        say: function(str), which gets the faults.
        on_picture: called after each picture is checked, for a progress bar.
    Returns:
        Prepared.
    Raises:
        DatasetError: it cannot be read, too much of it has faults, nothing to train on.
        CvtoolError: shares that make no sense.
    """
    faults: list[Fault] = []
    remarks: list[str] = []
    data = read_masked(
        dataset,
        pictures=pictures,
        masks=masks,
        classes=classes,
        on_fault=faults.append,
        on_remark=lambda remark: remarks.append(str(remark)),
    )
    origin = ["own"] * len(data.examples)
    if test is not None:
        more = read_test(test, dataset, classes, data, faults.append)
        data = replace(data, examples=data.examples + more.examples)
        origin += ["test"] * len(more.examples)
    # Where there is but one to train on, the splitting says what is missing.
    faults = [fault for fault in faults if fault.kind != "one picture"]
    paths = [example.path for example in data.examples]
    checks = check_pictures(paths, on_picture=on_picture)
    faults += [
        Fault("unreadable picture", paths[index], reason, picture=paths[index])
        for index, reason in checks.corrupt
    ]
    pixels, shares = read_contents(data, checks.sizes, {affected(f) for f in faults}, faults)
    options = {"--pictures": pictures, "--masks": masks, "--classes": classes}
    commands = check_commands(dataset, test, options)
    remarks += judge_faults(faults, paths, dataset, commands, force=force, say=say)
    bad = {affected(fault) for fault in faults}
    kept = np.array([i for i, path in enumerate(paths) if key_of(path) not in bad], np.int64)
    given = [example.split for example in data.examples]
    # The corrupt ones are among the faults already.
    checks = replace(checks, corrupt=[])
    remarks += describe_checks(checks, paths, homes(given, origin))
    data, origin, pixels = data.subset(kept), [origin[i] for i in kept], pixels[kept]
    if not pixels[:, 1:].any():
        raise DatasetError(
            f"{dataset}: not one pixel of a class to learn, but background ({data.classes[0]}) "
            f"only; see what is wrong with: {commands[0]}"
        )
    number = {int(old): new for new, old in enumerate(kept)}
    groups = [[number[i] for i in group if i in number] for group in checks.duplicates]
    present = (pixels > 0).astype(np.float32)
    splits, how = split_up(present, [given[i] for i in kept], origin, split, seed, groups, dataset)
    counts = {name: pixels[positions] for name, positions in splits.items()}
    remarks += check_classes(counts, data.classes, dataset)
    train = kept[splits["train"]]
    return Prepared(
        classes=data.classes,
        colours=data.colours,
        splits={name: data.subset(positions) for name, positions in splits.items()},
        pixels=counts,
        detail=detail_of(shares[train]),
        longest=int(np.median(checks.sizes[train].max(axis=1))),
        remarks=remarks,
        how=how,
    )


def read_test(test, dataset, classes, data, on_fault):
    """Another data set, for testing, in the classes of the first.

    Args:
        test, dataset: the folders of both.
        classes: as the user gave them for the first, or None.
        data: MaskDataset of the first.
    Raises:
        DatasetError: it cannot be read, or its classes are others.
    """
    own = classes or find_class_list((Path(test), mask_root(test) or Path(test)))
    root = mask_root(dataset) or Path(dataset)
    listed = own or find_class_list((Path(dataset), root)) or data.classes
    more = read_masked(test, classes=listed, on_fault=on_fault)
    if more.classes != data.classes:
        raise DatasetError(
            f"{test}: its classes are {few(more.classes)}; to be tested on, they must be those of "
            f"{dataset} in the same order: {few(data.classes)}"
        )
    if more.colours != data.colours:
        kinds = [
            "class ids" if one.colours is None else "colours that stand for them"
            for one in (more, data)
        ]
        raise DatasetError(
            f"{test}: its masks hold {kinds[0]}, those of {dataset} {kinds[1]}; write them alike"
        )
    return more


def read_contents(data, sizes, bad, faults):
    """Read every mask once for what it shows; faults are added to the list.

    Args:
        data: MaskDataset of N pictures.
        sizes: int (N, 2), width and height of the pictures.
        bad: what `training.faults.affected` gives of pictures that are left out already.
        faults: list of Fault.
    Returns:
        int64 (N, C) pixels of each class, and float (N, C), `contents.widths`; zeros and NaN
        for masks that were not read.
    """
    count = len(data.classes)
    pixels = np.zeros((len(data.examples), count), np.int64)
    shares = np.full(pixels.shape, np.nan)

    def look(index):
        example = data.examples[index]
        if key_of(example.path) in bad:
            return None
        try:
            shape = tuple(sizes[index][::-1])
            mask = mask_of(data, example, shape)
        except MaskError as error:
            return error
        return count_pixels(mask, count), widths(mask, count)

    with ThreadPoolExecutor(usable_cores(), "cvtool-masks") as pool:
        for index, found in enumerate(pool.map(look, range(len(data.examples)))):
            example = data.examples[index]
            kind = message = None
            if isinstance(found, MaskError):
                kind, message = found.kind, found.reason
            elif found is not None:
                pixels[index], shares[index] = found
                if not pixels[index].any():
                    kind, message = "all void", "void everywhere: nothing can be learnt from it"
            if kind is not None:
                faults.append(Fault(kind, example.mask, message, picture=example.path))
    return pixels, shares


def check_classes(pixels, classes, dataset):
    """Refuse training or dev pictures that show no class; returns remarks.

    Args:
        pixels: of `Prepared`.
        classes: names.
        dataset: what messages name.
    Raises:
        DatasetError: nothing could be learnt, or no network chosen.
    """
    shown = pixels["train"].any(axis=0)
    if not shown[1:].any():
        raise DatasetError(
            f"{dataset}: the training masks show nothing but {classes[0]}; add some that show a "
            "class"
        )
    if not pixels["dev"][:, 1:].any():
        raise DatasetError(
            f"{dataset}: the {len(pixels['dev'])} dev masks show nothing but {classes[0]}; give a "
            "--split with a larger dev share, or add pictures"
        )
    remarks = []
    missing = [name for name, there in zip(classes[1:], shown[1:], strict=True) if not there]
    if missing:
        words = counted(len(missing), "class has", "classes have")
        remarks.append(f"{words} no pixel to train on, and will not be found: {few(missing)}")
    empty = int((~pixels["train"][:, 1:].any(axis=1)).sum())
    if empty:
        words = counted(empty, "training mask shows", "training masks show")
        remarks.append(f"{words} nothing but {classes[0]}")
    return remarks


def split_lists(prepared):
    """The splits as run.json keeps them: pictures and masks, absolute, with their pixels."""
    return {
        name: {
            "files": [str(e.path.absolute()) for e in data.examples],
            "masks": [str(e.mask.absolute()) for e in data.examples],
            "pixels": prepared.pixels[name].tolist(),
        }
        for name, data in prepared.splits.items()
    }


def dataset_from(part, classes, colours, split):
    """The MaskDataset of one split of run.json."""
    pairs = zip(part["files"], part["masks"], strict=True)
    examples = tuple(MaskedPicture(Path(file), Path(mask), split) for file, mask in pairs)
    return MaskDataset(tuple(classes), examples, colours)
