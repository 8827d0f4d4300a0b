"""What lies where on the sheet."""

import numpy as np
import pytest

from cvtool.classification.augmentation import AUGMENTATIONS, augment
from cvtool.classification.sheet import augmentation_sheet
from cvtool.classification.views import centre_view

SIDE = 48


def pictures():
    rng = np.random.default_rng(0)
    sizes = [(30, 40), (90, 60), (48, 48)]
    return [rng.integers(0, 200, (*size, 3), np.uint8) for size in sizes]


def light(pixels, rng):
    return augment(pixels, SIDE, rng, AUGMENTATIONS["light"])


def find(sheet, view):
    """Top and left of a view that lies on the sheet exactly."""
    windows = np.lib.stride_tricks.sliding_window_view(sheet, view.shape)[:, :, 0]
    first = (windows[:, :, 0, 0] == view[0, 0]).all(axis=-1)
    found = [at for at in np.argwhere(first) if (windows[tuple(at)] == view).all()]
    assert len(found) == 1
    return tuple(found[0])


def test_rows_of_originals_and_what_augment_one_gave():
    made = []

    def remember(pixels, rng):
        made.append(light(pixels, rng))
        return made[-1]

    labels = ["cat", "dog", "a bird"]
    sheet = augmentation_sheet(pictures(), labels, remember, columns=3, side=SIDE)
    assert sheet.dtype == np.uint8
    assert sheet.ndim == 3
    assert len(made) == 9
    assert len({view.tobytes() for view in made}) == 9
    before = 0
    for number, pixels in enumerate(pictures()):
        views = [centre_view(pixels, SIDE), *made[3 * number : 3 * number + 3]]
        places = [find(sheet, view) for view in views]
        (top,) = {top for top, _ in places}
        lefts = [left for _, left in places]
        assert min(np.diff(lefts)) > SIDE
        assert lefts[1] - lefts[0] > lefts[2] - lefts[1]
        # The label stands between this row and the one before.
        title = sheet[before:top]
        assert (title < 128).any()
        assert top - before >= 11
        before = top + SIDE


def test_the_seed_decides():
    first, again, other = (
        augmentation_sheet(pictures(), ["a", "b", "c"], light, 2, SIDE, seed=seed)
        for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_labels_of_all_kinds_leave_the_layout_alone():
    plain = augmentation_sheet(pictures(), ["a", "b", "c"], light, 1, SIDE)
    odd = augmentation_sheet(pictures(), ["", "two\nlines", "long " * 40], light, 1, SIDE)
    assert odd.shape == plain.shape
    for pixels in pictures():
        view = centre_view(pixels, SIDE)
        assert find(odd, view) == find(plain, view)
    # A cut label ends inside the sheet.
    assert (odd[:, -3:] == 255).all()


def test_variants_of_another_size_are_shown_at_the_side():
    grey = np.full((20, 20, 3), 90, np.uint8)
    sheet = augmentation_sheet([grey], [""], lambda pixels, rng: grey // 2, 1, SIDE)
    assert (sheet == 90).all(axis=-1).sum() == SIDE * SIDE
    assert (sheet == 45).all(axis=-1).sum() == SIDE * SIDE


@pytest.mark.parametrize("count, labels", [(0, []), (2, ["one"])])
def test_nothing_to_lay_out(count, labels):
    with pytest.raises(ValueError, match="labels"):
        augmentation_sheet(pictures()[:count], labels, light)
