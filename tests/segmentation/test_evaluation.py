"""Scores of a segmentation model on masks. A stand-in says what the model would."""

import json

import numpy as np
import pytest
import sklearn.metrics
from PIL import Image

from cvtool.datasets.mask_files import read_mask, write_mask
from cvtool.datasets.masked import VOID, MaskDataset, MaskedPicture
from cvtool.errors import CvtoolError, DatasetError, OutputError
from cvtool.pictures.reading import read_picture
from cvtool.pictures.writing import write_picture
from cvtool.segmentation.evaluation import (
    evaluate_segmenter,
    matching_ids,
    read_segmentation_dataset,
    save_evaluation,
)
from cvtool.segmentation.metrics import boundary_f_score
from tiny_masks import CLASSES, draw, write_mask_set


class StandIn:
    """Sees a disc where there is red and a square where there is blue, in its own class ids."""

    model_name, engine_name, size = "stand-in", "litert", 64

    def __init__(self, classes=CLASSES, shift=0):
        self.classes = classes
        self.shift = shift  # pixels that its masks are off by, to the right

    def mask(self, pixels, tile=None):
        red, _, blue = np.moveaxis(pixels.astype(int), -1, 0)
        found = np.zeros(pixels.shape[:2], np.uint8)
        for name, where in (("disc", red > blue + 60), ("square", blue > red + 60)):
            if name in self.classes:
                found[where] = self.classes.index(name)
        return np.roll(found, self.shift, axis=1)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_mask_set(tmp_path_factory.mktemp("shapes"), 8)


def test_a_perfect_model_has_perfect_scores(shapes):
    result = evaluate_segmenter(StandIn(), shapes)
    summary = result.summary
    assert summary["miou"] == summary["foreground_iou"] == summary["pixel_accuracy"] == 1
    assert list(summary["per_class"]) == list(CLASSES)
    for row in summary["per_class"].values():
        assert row["iou"] == row["dice"] == row["boundary_f"] == 1
    assert sum(row["pixels"] for row in summary["per_class"].values()) == pytest.approx(1)
    assert summary["pictures"] == 8 and summary["unreadable"] == 0
    assert (summary["model"], summary["engine"], summary["size"]) == ("stand-in", "litert", 64)
    assert summary["split"] is None and summary["seconds"] >= 0
    assert result.worst == []


def test_the_scores_are_scikit_learns_over_all_known_pixels(shapes):
    model = StandIn(shift=3)
    summary = evaluate_segmenter(model, shapes).summary
    truths = [read_mask(example.mask) for example in shapes.examples]
    found = [model.mask(read_picture(example.path)) for example in shapes.examples]
    truth, predicted = (np.concatenate([m.ravel() for m in masks]) for masks in (truths, found))
    known = truth != VOID
    assert not known.all()
    truth, predicted = truth[known], predicted[known]
    iou = sklearn.metrics.jaccard_score(truth, predicted, average=None)
    assert 0.5 < iou.mean() < 0.95
    assert summary["miou"] == pytest.approx(iou.mean())
    assert summary["foreground_iou"] == pytest.approx(
        sklearn.metrics.jaccard_score(truth > 0, predicted > 0)
    )
    assert summary["pixel_accuracy"] == pytest.approx((truth == predicted).mean())
    dice = sklearn.metrics.f1_score(truth, predicted, average=None)
    for number, row in enumerate(summary["per_class"].values()):
        assert row["iou"] == pytest.approx(iou[number])
        assert row["dice"] == pytest.approx(dice[number])
        scores = [boundary_f_score(t, p, number) for t, p in zip(truths, found, strict=True)]
        assert row["boundary_f"] == pytest.approx(np.nanmean(scores))
        assert row["pictures"] == sum((t == number).any() for t in truths)


def test_masks_are_scored_at_their_own_size(tmp_path):
    rng = np.random.default_rng(0)
    examples = []
    for number, shape in enumerate([(40, 60), (50, 33), (1, 70)]):
        pixels, mask = draw(rng, *shape) if min(shape) > 8 else np.zeros((2, *shape), np.uint8)
        if pixels.ndim == 2:
            pixels = np.stack([pixels] * 3, axis=-1)
        example = MaskedPicture(tmp_path / f"{number}.png", tmp_path / f"{number}-mask.png")
        write_picture(example.path, pixels)
        write_mask(example.mask, mask)
        examples.append(example)
    result = evaluate_segmenter(StandIn(), MaskDataset(CLASSES, tuple(examples)))
    assert result.summary["pixel_accuracy"] == 1
    known = [(read_mask(example.mask) != VOID).sum() for example in examples]
    assert result.confusions.sum(axis=(1, 2)).tolist() == known


def test_classes_go_by_their_names(shapes):
    renumbered = StandIn(("background", "cat", "square", "disc"))
    summary = evaluate_segmenter(renumbered, shapes).summary
    assert summary["miou"] == 1 and set(summary["per_class"]) == set(CLASSES)


def test_a_class_that_the_model_does_not_know_is_missed(shapes):
    summary = evaluate_segmenter(StandIn(("background", "disc")), shapes).summary
    assert summary["per_class"]["square"]["iou"] == 0
    assert summary["per_class"]["disc"]["iou"] == 1
    assert summary["miou"] < 0.7


def test_what_the_data_set_does_not_label_is_background(shapes):
    ids = matching_ids(StandIn(("nothing", "lamp", "disc", "background")), CLASSES)
    assert ids[:4].tolist() == [0, 0, 1, 0]
    only = MaskDataset(("background", "disc"), shapes.examples[:0])
    assert matching_ids(StandIn(), only.classes)[:3].tolist() == [0, 1, 0]
    with pytest.raises(DatasetError, match="knows none of the data set's classes \\(disc, square"):
        evaluate_segmenter(StandIn(("background", "cat")), shapes)


def test_a_class_that_is_nowhere_has_no_figures(tmp_path):
    data = write_mask_set(tmp_path, 3)
    wider = MaskDataset((*CLASSES, "cat"), data.examples)
    summary = evaluate_segmenter(StandIn(), wider).summary
    row = summary["per_class"]["cat"]
    assert row["iou"] is row["dice"] is row["boundary_f"] is None and row["pictures"] == 0
    assert summary["miou"] == 1
    json.dumps(summary, allow_nan=False)


@pytest.mark.parametrize("fault", ["picture", "mask", "size", "class", "gone"])
def test_what_cannot_be_read_is_left_out_and_told(fault, tmp_path):
    data = write_mask_set(tmp_path, 4)
    example = data.examples[2]
    if fault == "picture":
        example.path.write_bytes(example.path.read_bytes()[:300])
    elif fault == "mask":
        example.mask.write_bytes(b"no mask")
    elif fault == "size":
        Image.fromarray(np.zeros((64, 60), np.uint8)).save(example.mask)
    elif fault == "class":
        Image.fromarray(np.full((64, 64), 9, np.uint8)).save(example.mask)
    else:
        example.mask.unlink()
    errors, steps = [], []
    result = evaluate_segmenter(
        StandIn(shift=4), data, on_picture=lambda: steps.append(1), on_error=errors.append
    )
    assert len(errors) == 1 and "002.png" in str(errors[0])
    assert result.summary["pictures"] == len(steps) == 3 and result.summary["unreadable"] == 1
    assert len(result.dataset.examples) == 3
    # The worst pictures are those of what was read, not of what was there.
    for mistake in result.worst:
        truth = read_mask(result.dataset.examples[mistake.index].mask)
        known = truth != VOID
        assert (truth[known] == mistake.predicted[known]).mean() > 0.5
    with pytest.raises(CvtoolError, match="002.png"):
        evaluate_segmenter(StandIn(), data)


def test_nothing_to_score_is_an_error(tmp_path):
    data = write_mask_set(tmp_path, 2)
    for example in data.examples:
        write_mask(example.mask, np.full((64, 64), VOID, np.uint8), overwrite=True)
    with pytest.raises(DatasetError, match="000.png: void everywhere"):
        evaluate_segmenter(StandIn(), data)
    black_and_white = np.zeros((64, 64), np.uint8)
    black_and_white[:9] = VOID
    for example in data.examples:
        write_mask(example.mask, black_and_white, overwrite=True)
    with pytest.raises(DatasetError, match="000.png: nothing but background.*255 is void"):
        evaluate_segmenter(StandIn(), data)
    for example in data.examples:
        example.path.write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="000.png: not one of 2"):
        evaluate_segmenter(StandIn(), data, on_error=lambda error: None)


def test_the_worst_pictures_come_first(tmp_path):
    data = write_mask_set(tmp_path, 26, seed=3)
    result = evaluate_segmenter(StandIn(shift=5), data)
    scores = [mistake.miou for mistake in result.worst]
    assert len(scores) == 20 and scores == sorted(scores)
    every = evaluate_segmenter(StandIn(shift=5), data.subset(range(26))).confusions
    ious = np.diagonal(every, axis1=1, axis2=2) / np.maximum(
        every.sum(1) + every.sum(2) - np.diagonal(every, axis1=1, axis2=2), 1
    )
    means = [iou[confusion.sum(1) > 0].mean() for iou, confusion in zip(ious, every, strict=True)]
    assert scores == pytest.approx(sorted(means)[:20])


def test_a_saved_evaluation_shows_truth_and_prediction_side_by_side(shapes, tmp_path):
    result = evaluate_segmenter(StandIn(shift=6), shapes)
    written = save_evaluation(result, tmp_path / "scores")
    assert [path.name for path in written] == ["evaluation.json", "confusion.png", "worst"]
    assert json.loads(written[0].read_text()) == result.summary
    assert read_picture(written[1]).std() > 5
    names = sorted(path.name for path in written[2].iterdir())
    assert len(names) == 8 and names[0].startswith("01-")
    first = read_picture(written[2] / names[0])
    height, width = first.shape[:2]
    assert height == 64 and width > 2 * 64
    # The prediction lies to the right of the truth.
    plain = read_picture(result.dataset.examples[result.worst[0].index].path).astype(int)
    changed = [
        np.abs(half.astype(int) - plain).sum(-1).sum(0) > 64 * 10
        for half in (first[:, :64], first[:, -64:])
    ]
    assert all(side.any() for side in changed)
    assert (first[:, :64] != first[:, -64:]).any()
    with pytest.raises(OutputError):
        save_evaluation(result, tmp_path / "scores")
    few = evaluate_segmenter(StandIn(), shapes)
    assert len(save_evaluation(few, tmp_path / "scores", overwrite=True)) == 2
    assert not list((tmp_path / "scores" / "worst").iterdir())


def test_a_data_set_is_read_with_its_own_names_or_the_models(tmp_path):
    write_mask_set(tmp_path / "set", 3)
    data = read_segmentation_dataset(tmp_path / "set", ("background", "cat"))
    assert data.classes == CLASSES and len(data.examples) == 3
    (tmp_path / "set" / "classes.txt").unlink()
    names = ("background", "cat", "dog", "owl")
    assert read_segmentation_dataset(tmp_path / "set", names).classes == names


@pytest.mark.parametrize(
    ("masks", "pictures"), [("set/masks", None), ("set/masks", "set/images"), ("set", None)]
)
def test_masks_and_pictures_are_found(masks, pictures, tmp_path):
    write_mask_set(tmp_path / "set", 2)
    data = read_segmentation_dataset(
        tmp_path / masks, CLASSES, None if pictures is None else tmp_path / pictures
    )
    assert [example.path.parent.name for example in data.examples] == ["images"] * 2
    assert [example.mask.parent.name for example in data.examples] == ["masks"] * 2


def test_a_split_and_a_limit_choose_the_pictures(tmp_path):
    for split, count in (("train", 6), ("val", 3)):
        write_mask_set(tmp_path / "set", count, split=split)

    def splits(**options):
        data = read_segmentation_dataset(tmp_path / "set", CLASSES, **options)
        return [example.split for example in data.examples]

    assert splits() == ["dev"] * 3
    assert splits(split="train") == ["train"] * 6
    assert splits(split="train", limit=2) == ["train"] * 2
    data = read_segmentation_dataset(tmp_path / "set", CLASSES, split="train", limit=3)
    # From all over the set: the first ones may be of one kind.
    assert [example.path.stem for example in data.examples] == ["000", "002", "005"]
    with pytest.raises(DatasetError, match="has no split test \\(its splits: dev, train\\)"):
        splits(split="test")
    assert evaluate_segmenter(StandIn(), data).summary["split"] == "train"


def test_faults_are_handed_on_but_a_single_picture_is_none(tmp_path):
    write_mask_set(tmp_path / "one", 1)
    assert len(read_segmentation_dataset(tmp_path / "one", CLASSES).examples) == 1
    write_mask_set(tmp_path / "set", 5)
    (tmp_path / "set" / "images" / "003.png").unlink()
    faults = []
    data = read_segmentation_dataset(tmp_path / "set", CLASSES, on_fault=faults.append)
    assert len(data.examples) == 4 and [fault.kind for fault in faults] == ["missing picture"]
    with pytest.raises(DatasetError, match="003"):
        read_segmentation_dataset(tmp_path / "set", CLASSES)
