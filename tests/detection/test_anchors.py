import numpy as np
import pytest

from cvtool.detection.anchors import kmeans_anchors, mean_best_iou, shape_iou
from cvtool.detection.boxes import iou


def natural_sizes(count=1500):
    """Widths and heights spread as in photographs: many small, few large, of all shapes."""
    rng = np.random.default_rng(0)
    side = np.exp(rng.normal(3.8, 0.9, count))
    shape = np.exp(rng.normal(0, 0.5, count))
    return np.clip(np.stack([side * shape, side / shape], axis=-1), 2, 320)


def test_shape_iou_is_the_iou_of_boxes_with_one_corner():
    sizes, anchors = natural_sizes(50), natural_sizes(60)[50:]
    expected = iou(np.pad(sizes, ((0, 0), (2, 0))), np.pad(anchors, ((0, 0), (2, 0))))
    assert np.allclose(shape_iou(sizes, anchors), expected)


def test_shape_iou_without_area_is_0():
    assert shape_iou([[0, 5]], [[0, 5], [3, 3]]).tolist() == [[0, 0]]


def test_clusters_are_found():
    rng = np.random.default_rng(1)
    centres = np.array([[12, 15], [60, 30], [40, 90], [200, 160]])
    sizes = np.concatenate([centre * rng.normal(1, 0.03, (80, 2)) for centre in centres])
    anchors = kmeans_anchors(rng.permutation(sizes), k=4)
    assert np.allclose(anchors, centres, rtol=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_as_many_anchors_as_sizes_are_those_sizes(seed):
    sizes = np.array([[10, 10], [12, 10], [10, 40], [80, 20], [100, 90]])
    anchors = kmeans_anchors(np.repeat(sizes, [1, 50, 3, 2, 1], axis=0), k=5, seed=seed)
    assert mean_best_iou(sizes, anchors) == pytest.approx(1)


def test_more_anchors_fit_better():
    sizes = natural_sizes()
    fits = [mean_best_iou(sizes, kmeans_anchors(sizes, k)) for k in (1, 2, 3, 5, 9, 15)]
    assert (np.diff(fits) > 0.01).all()


def test_beats_anchors_drawn_at_random():
    sizes = natural_sizes()
    found = mean_best_iou(sizes, kmeans_anchors(sizes, 9))
    rng = np.random.default_rng(2)
    drawn = [mean_best_iou(sizes, rng.choice(sizes, 9, replace=False)) for _ in range(30)]
    assert found > max(drawn) + 0.005


def test_sorted_by_area_and_repeatable():
    sizes = natural_sizes()
    anchors = kmeans_anchors(sizes, 9, seed=4)
    assert anchors.shape == (9, 2)
    assert (np.diff(anchors.prod(axis=1)) > 0).all()
    assert (anchors == kmeans_anchors(sizes, 9, seed=4)).all()


def test_scales_with_the_boxes():
    sizes = natural_sizes()
    assert np.allclose(kmeans_anchors(sizes * 2, 6), kmeans_anchors(sizes, 6) * 2)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([[10, 10]] * 20, "not 1"),
        (np.zeros((0, 2)), "not 0"),
        ([[10, 0], [5, 5]], "above 0"),
        ([[10, np.nan], [5, 5]], "above 0"),
    ],
)
def test_refuses_what_cannot_be_clustered(sizes, message):
    with pytest.raises(ValueError, match=message):
        kmeans_anchors(sizes, k=2)
