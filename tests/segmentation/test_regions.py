"""Regions of a mask: outlines and run lengths, against pycocotools and OpenCV."""

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from cvtool.segmentation.regions import Region, coco_annotations, find_regions, run_lengths

check = settings(max_examples=150, deadline=None, derandomize=True)
masks = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 2))
)


def filled(ring, height, width):
    (code,) = coco_mask.frPyObjects([ring.ravel().tolist()], height, width)
    return coco_mask.decode(code).astype(bool)


def full(region, shape):
    whole = np.zeros(shape, bool)
    x1, y1, x2, y2 = region.box
    whole[y1:y2, x1:x2] = region.pixels
    return whole


@check
@given(masks)
def test_regions_are_the_connected_parts_of_each_class(mask):
    regions = list(find_regions(mask, [1, 2]))
    together = np.zeros_like(mask)
    for region in regions:
        assert (mask[full(region, mask.shape)] == region.class_id).all()
        assert not together[full(region, mask.shape)].any()
        together[full(region, mask.shape)] = region.class_id
        assert region.pixels.any(axis=0).all() or region.pixels.shape[1] > 2
        for edge in (region.pixels[0], region.pixels[-1], region.pixels[:, 0]):
            assert edge.any()
    assert np.array_equal(together, mask)
    expected = sum(cv2.connectedComponents(np.uint8(mask == c))[0] - 1 for c in (1, 2))
    assert len(regions) == expected


@check
@given(masks)
def test_outlines_without_the_holes_are_exactly_the_region(mask):
    for region in find_regions(mask, [1, 2]):
        outline, holes = region.outlines()
        found = filled(outline, *mask.shape)
        for hole in holes:
            inside = filled(hole, *mask.shape)
            assert inside.any() and (found | ~inside).all()
            found &= ~inside
        assert np.array_equal(found, full(region, mask.shape))
        area = cv2.contourArea(outline.astype(np.float32))
        assert area - sum(cv2.contourArea(h.astype(np.float32)) for h in holes) == region.area


@check
@given(masks)
def test_run_lengths_are_those_of_pycocotools(mask):
    for region in find_regions(mask, [1, 2]):
        found = run_lengths(region, *mask.shape)
        whole = np.asfortranarray(full(region, mask.shape).view(np.uint8))
        expected = coco_mask.encode(whole)
        assert found == {"size": list(mask.shape), "counts": expected["counts"].decode()}


def test_by_hand():
    mask = np.zeros((6, 7), np.uint8)
    mask[1:3, 2:5] = 4
    mask[4:6, 0:3] = 1
    mask[5, 1] = 0
    (region,) = find_regions(mask, [4])
    assert (region.class_id, region.box, region.area) == (4, (2, 1, 5, 3), 6)
    outline, holes = region.outlines()
    assert {tuple(p) for p in outline.tolist()} == {(2, 1), (5, 1), (5, 3), (2, 3)}
    assert len(outline) == 4 and holes == []
    assert list(find_regions(mask, [2, 3])) == []
    ring = Region(1, (0, 0, 3, 3), np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool))
    outline, (hole,) = ring.outlines()
    assert len(outline) == 4
    assert {tuple(p) for p in hole.tolist()} == {(1, 1), (2, 1), (2, 2), (1, 2)}


def test_annotations_give_back_the_mask_whether_polygon_or_code():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 3, (9, 11)).astype(np.uint8)
    coarse[3:6, 4:7] = 1
    mask = cv2.resize(coarse, (90, 70), interpolation=cv2.INTER_NEAREST)
    mask[30:33, 42:44] = 2
    found, kinds = np.zeros_like(mask), set()
    for annotation in coco_annotations(mask, [1, 2]):
        shape = annotation["segmentation"]
        kinds.add(type(shape))
        code = shape if isinstance(shape, dict) else coco_mask.frPyObjects(shape, *mask.shape)[0]
        pixels = coco_mask.decode(code).astype(bool)
        assert pixels.sum() == annotation["area"] and annotation["iscrowd"] == 0
        assert coco_mask.toBbox(code).tolist() == annotation["bbox"]
        found[pixels] = annotation["category_id"]
    assert np.array_equal(found, mask) and kinds == {dict, list}
