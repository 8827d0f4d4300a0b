"""What is counted of a network in training."""

import numpy as np
import pytest

from cvtool.datasets.mask_files import read_mask, write_mask
from cvtool.datasets.mask_pixels import MaskError
from cvtool.datasets.masked import VOID
from cvtool.pictures.reading import read_picture
from cvtool.segmentation.augmentation import FILL
from cvtool.segmentation.metrics import confusion_matrix
from cvtool.segmentation.scoring import read_scaled, score_dataset, square_of
from cvtool.training.memory import BoundedCache
from tiny_masks import write_mask_set


class RedFinder:
    """Says "disc" where the picture is red, and else background, of any batch."""

    def __init__(self):
        self.batches = []

    def predict_on_batch(self, pixels):
        self.batches.append(len(pixels))
        red = (pixels[..., 0] > 180) & (pixels[..., 2] < 90)
        return np.stack([~red, red, np.zeros_like(red)], -1).astype(np.float32)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_mask_set(tmp_path_factory.mktemp("sets") / "shapes", 10, height=48, width=64)


def test_at_their_own_size_pixels_are_counted_as_they_are(shapes):
    network = RedFinder()
    expected = np.zeros((3, 3), np.int64)
    for example in shapes.examples:
        truth, pixels = read_mask(example.mask), read_picture(example.path)
        predicted = network.predict_on_batch(pixels[None])[0].argmax(-1)
        expected += confusion_matrix(truth, predicted, 3)
    found = score_dataset(network, shapes, 64)
    assert (found == expected).all() and found[1, 1] > 100 and found[2, 0] > 100
    assert (found[1, 0] == found[0, 1] == 0) or found[1, 1] > 10 * (found[1, 0] + found[0, 1])


def test_the_rest_of_the_square_is_grey_and_void(shapes):
    pixels, truth = square_of(shapes, shapes.examples[0], 32, None)
    assert pixels.shape == (32, 32, 3) and truth.shape == (32, 32)
    assert (pixels[24:] == FILL).all() and (truth[24:] == VOID).all()
    assert not (truth[:24] == VOID).all()


def test_the_cache_keeps_squares_for_the_next_time(shapes):
    network, cache = RedFinder(), BoundedCache()
    first = score_dataset(network, shapes, 256, cache)
    assert len(cache) == 10 and network.batches == [8, 2]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cvtool.segmentation.scoring.read_scaled", None)
        assert (score_dataset(network, shapes, 256, cache) == first).all()


def test_a_mask_that_was_changed_since_is_named(shapes, tmp_path):
    data = write_mask_set(tmp_path, 1)
    (example,) = data.examples
    write_mask(example.mask, np.full((64, 64), 9, np.uint8), overwrite=True)
    with pytest.raises(MaskError, match=r"000\.png: class id 9"):
        read_scaled(data, example, 32)
    write_mask(example.mask, np.zeros((9, 9), np.uint8), overwrite=True)
    with pytest.raises(MaskError, match=r"000\.png: 9 x 9 px"):
        read_scaled(data, example, 32)


@pytest.mark.parametrize(
    ("longest", "enlarge", "shape"),
    [(32, True, (24, 32)), (128, True, (96, 128)), (128, False, (48, 64))],
)
def test_picture_and_mask_keep_together(shapes, longest, enlarge, shape):
    for example in shapes.examples[:4]:
        pixels, mask = read_scaled(shapes, example, longest, enlarge=enlarge)
        assert mask.shape == shape and pixels.shape == (*shape, 3)
        red = (pixels[..., 0] > 200) & (pixels[..., 2] < 80)
        # But at the rims, which are blurred in the picture.
        assert red[mask == 1].mean() > 0.7 if (mask == 1).any() else not red.any()
        assert red[mask == 0].mean() < 0.02
