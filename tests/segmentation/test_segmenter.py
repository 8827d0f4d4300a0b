"""A segmenter from pixels to a mask: sizes, tiles, engines, memory."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from colour_unet import CLASSES, SIZE, colour_model, scene
from cvtool.errors import CvtoolError, ModelError
from cvtool.models.presets import read_model_folder
from cvtool.segmentation.blending import blend_tiles, side_weights
from cvtool.segmentation.segmenter import Segmentation, Segmenter, alignment, softmax

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def segmenter():
    return Segmenter.load(colour_model(), device="cpu")


def load(size):
    return Segmenter.load(colour_model(), device="cpu", size=size)


def iou(one, other):
    """Of each class that either mask has."""
    ids = np.union1d(one, other)
    return [((one == i) & (other == i)).sum() / ((one == i) | (other == i)).sum() for i in ids]


def blobs(height, width, seed=0, grain=24):
    """Smooth random red and blue on grey, uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((height // grain + 2, width // grain + 2, 3)) * (1, 0.4, 1)
    pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return (255 * pixels.clip(0, 1)).astype(np.uint8)


def test_the_mask_of_a_picture_at_its_own_size_is_the_networks():
    pixels, expected = scene()
    found = load(128)(pixels)
    assert np.array_equal(found.mask, expected) and found.mask.dtype == np.uint8
    assert found.classes == CLASSES and found.soft is None


def test_a_picture_is_scaled_to_the_networks_size_and_the_mask_back():
    pixels, expected = scene(192, 256)
    found = load(128).mask(pixels)
    assert found.shape == (192, 256) and min(iou(found, expected)) > 0.97
    # And the other way: a network that sees more than there is.
    pixels, expected = scene()
    assert min(iou(load(300).mask(pixels), expected)) > 0.95


def test_to_dict_counts_the_pixels_of_each_class_largest_first():
    mask = np.zeros((40, 50), np.uint8)
    mask[5:10, 7:27] = 2
    mask[30, 0:3] = 1
    assert Segmentation(mask, CLASSES).to_dict() == {
        "width": 50,
        "height": 40,
        "classes": [
            {"id": 2, "label": "blue", "area": 100, "share": 0.05, "box": [7, 5, 27, 10]},
            {"id": 1, "label": "red", "area": 3, "share": 0.0015, "box": [0, 30, 3, 31]},
        ],
    }
    assert Segmentation(np.zeros((3, 3), np.uint8), CLASSES).to_dict()["classes"] == []


def test_classes_that_are_not_asked_for_become_background(segmenter):
    pixels, _ = scene()
    both = segmenter(pixels, soft=True)
    one = segmenter(pixels, classes=["blue"], soft=True)
    assert np.array_equal(one.mask, np.where(both.mask == 2, 2, 0))
    assert both.soft[20, 40] > 200 and one.soft[20, 40] < 50
    assert one.soft[60, 96] > 200
    for wrong in ("green", "background"):
        with pytest.raises(CvtoolError, match="unknown class"):
            segmenter(pixels, classes=[wrong])


def test_soft_is_the_probability_of_not_being_background(segmenter):
    # At the network's own size, nothing is interpolated.
    pixels = blobs(SIZE, SIZE)
    expected = 1 - softmax(segmenter.logits(pixels))[..., 0]
    found = segmenter(pixels, soft=True)
    assert np.abs(found.soft / 255 - expected).max() <= 0.5 / 255 + 1e-6
    sure = np.abs(expected - 0.5) > 0.2
    assert sure.mean() > 0.2
    assert np.array_equal(found.soft[sure] > 127, found.mask[sure] > 0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (7, 5), (1, 900), (900, 1), (31, 33)])
@pytest.mark.parametrize("tile", [None, 32])
def test_pictures_of_odd_sizes_are_no_error(segmenter, shape, tile):
    found = segmenter(np.full((*shape, 3), (255, 0, 0), np.uint8), tile=tile, soft=True)
    assert found.mask.shape == found.soft.shape == shape
    if min(shape) > 3:
        assert (found.mask[1:-1, 1:-1] == 1).all()


def test_a_network_with_a_stride_takes_pictures_smaller_than_it():
    from tiny_unet import small_network

    engine = StrideNetwork(small_network(3, {}))
    preset = read_model_folder(colour_model())
    for shape in ((1, 1), (3, 2), (1, 70)):
        found = Segmenter(preset, engine, 33)(np.zeros((*shape, 3), np.uint8))
        assert found.mask.shape == shape


def test_what_the_network_sees_is_extended_with_grey_to_where_it_need_not_cut():
    seen = []

    def engine(pixels):
        seen.append(pixels)
        return np.zeros((*pixels.shape[:3], len(CLASSES)), np.float32)

    engine.name = "recorder"
    preset = replace(read_model_folder(colour_model()), architecture={"network": "csp"})
    photo = blobs(75, 101)
    assert Segmenter(preset, engine, 101).logits(photo).shape == (75, 101, len(CLASSES))
    assert seen[0].shape == (1, 96, 128, 3)
    assert np.array_equal(seen[0][0, :75, :101], photo)
    assert (seen[0][0, 75:] == 114).all() and (seen[0][0, :, 101:] == 114).all()
    assert alignment({"network": "plain", "depth": 3}) == 8


class StrideNetwork:
    """An engine of a Keras network, without saving it."""

    name = "keras"

    def __init__(self, network):
        self.network = network

    def __call__(self, pixels):
        return np.asarray(self.network(pixels.astype(np.float32)))


def test_litert_and_tensorflow_make_the_same_masks(tmp_path, monkeypatch):
    import keras

    from cvtool.models.saving import save_model
    from cvtool.segmentation import segmenter as module
    from cvtool.segmentation.unet import build

    keras.utils.set_random_seed(3)
    architecture = {"network": "plain", "base": 4, "depth": 2}
    network = build(4, architecture)
    description = {"name": "random", "task": "segment", "description": "", "size": 96}
    description |= {"classes": ["background", "a", "b", "c"], "architecture": architecture}
    save_model(network, tmp_path, description)
    photo = blobs(150, 201, seed=1, grain=10)
    masks = []
    for name in ("litert", "tensorflow"):
        monkeypatch.setattr(module, "choose_engine", lambda device, name=name: name)
        segmenter = Segmenter.load(tmp_path)
        assert segmenter.engine_name == name
        masks.append(segmenter.mask(photo))
    assert len(np.unique(masks[0])) > 1
    assert min(iou(*masks)) > 0.99


def decided(segmenter, pixels):
    """Where no two classes are equally probable, which is nearly everywhere."""
    best = np.sort(softmax(segmenter.logits(pixels)), axis=-1)
    sure = best[..., -1] - best[..., -2] > 1e-4
    assert sure.mean() > 0.999
    return sure


def test_tiles_make_the_mask_of_the_whole_and_no_seam():
    """The network sees 2 pixels around, so a picture of 300 pixels in one go is the truth."""
    pixels = blobs(220, 300, seed=2)
    whole = load(300)(pixels, soft=True)
    tiled = load(SIZE)(pixels, tile=SIZE, soft=True)
    assert len(np.unique(whole.mask)) == 3
    sure = decided(load(300), pixels)
    assert np.array_equal(whole.mask[sure], tiled.mask[sure])
    assert np.abs(whole.soft.astype(int) - tiled.soft).max() <= 1
    # Tiles side by side do leave seams: the network misses what is beyond their edges.
    beside = np.zeros_like(whole.mask)
    for y in range(0, 220, SIZE):
        for x in range(0, 300, SIZE):
            part = np.s_[y : y + SIZE, x : x + SIZE]
            edge = max(pixels[part].shape[:2])
            beside[part] = load(max(edge, 32)).mask(pixels[part])
    assert (beside != whole.mask)[sure].sum() > 20


def test_a_picture_of_6000_pixels_has_no_seam_in_tiles():
    pixels = blobs(200, 6000, seed=4)
    whole, tiled = load(6000).mask(pixels), load(400).mask(pixels, tile=400)
    assert len(np.unique(whole)) == 3
    sure = decided(load(6000), pixels)
    assert np.array_equal(whole[sure], tiled[sure])


def test_where_tiles_disagree_the_change_is_smooth():
    rng = np.random.default_rng(5)
    tile = 100

    def look(box):
        return np.full((2, 3, 3), rng.random(), np.float32)

    bands = [maps for _, maps in blend_tiles(look, 260, 330, tile)]
    plane = np.concatenate(bands, axis=1)[0]
    assert plane.shape == (260, 330) and np.ptp(plane) > 0.5
    # The steepest of the blend is 1.5 over its width of 15 pixels, in each direction.
    for axis in (0, 1):
        assert np.abs(np.diff(plane, axis=axis)).max() < 0.12


def test_the_weights_of_two_tiles_add_up_to_one():
    left, right = side_weights(100, False, True), side_weights(100, True, False)
    assert np.allclose(left[75:] + right[:25], 1, atol=1e-5)
    assert (left[:75] > 0.999).all() and (np.diff(left) <= 0).all()
    assert left[-5:].max() < 1e-3 and np.array_equal(left, right[::-1])
    assert (side_weights(3, True, True) > 0).all()


@pytest.mark.parametrize("tile", [None, 40])
def test_bands_of_rows_do_not_show(segmenter, monkeypatch, tile):
    pixels = blobs(150, 130, seed=6)
    expected = segmenter(pixels, tile=tile, soft=True)
    monkeypatch.setattr("cvtool.pictures.tiling.BAND_BYTES", 7 * 130 * 4 * 5)
    found = segmenter(pixels, tile=tile, soft=True)
    assert np.array_equal(found.mask, expected.mask)
    assert np.array_equal(found.soft, expected.soft)


MEMORY = """
import re, sys
import numpy as np
from cvtool.models.presets import read_model_folder
from cvtool.segmentation.segmenter import Segmenter

class Engine:
    name = "noise"
    rng = np.random.default_rng(0)
    def __call__(self, pixels):
        return self.rng.random((*pixels.shape[:3], 21), np.float32)

def peak():
    # Not getrusage: its peak begins with that of the process that started this one.
    return re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]

preset = read_model_folder(sys.argv[1])
object.__setattr__(preset, "classes", tuple(map(str, range(21))))
segmenter = Segmenter(preset, Engine(), 128)
pixels = np.ones((1200, 6000, 3), np.uint8)
peaks = [peak()]
for tile in (None, 1000):
    assert segmenter(pixels, tile=tile, soft=True).mask.max() == 20
    peaks.append(peak())
print(*peaks)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak")
def test_memory_stays_flat_on_a_picture_of_6000_pixels():
    """21 classes at every pixel would be 600 MB; the mask and `soft` are 14 MB."""
    result = subprocess.run(
        [sys.executable, "-c", MEMORY, colour_model()],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert result.returncode == 0, result.stderr
    before, *peaks = (int(number) / 1024 for number in result.stdout.split())
    assert max(peaks) - before < 150


def test_other_models_and_sizes_are_refused(tmp_path):
    with pytest.raises(ModelError, match="is for detect, not for segment"):
        Segmenter.load("everyday")
    with pytest.raises(CvtoolError, match="under 32"):
        load(8)
    segmenter = load(None)
    segmenter.classes = ("background", "red")
    with pytest.raises(ModelError, match="do not belong together"):
        segmenter(np.zeros((20, 20, 3), np.uint8))


@pytest.mark.parametrize("change", [{"classes": ["background"]}, {"size": 0}, {"classes": [1, 2]}])
def test_a_description_that_makes_no_sense_is_refused(tmp_path, change):
    import json

    text = json.loads((colour_model() / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(text | change))
    with pytest.raises(ModelError, match="not the description of a model"):
        Segmenter.load(tmp_path)
