"""A rectangle of one colour is drawn; after any change its pixels must still fill its box."""

from collections import Counter

import numpy as np
import pytest

from cvtool.detection import augmentation as aug

BACKGROUND = 20


def marked_picture(rng, channel=0, background=BACKGROUND):
    """A sample whose only bright pixels in one channel are those of its box; class 7."""
    height, width = (int(side) for side in rng.integers(100, 400, 2))
    across, down = (rng.uniform(0.15, 0.6, 2) * (width, height)).astype(int)
    left = int(rng.integers(0, width - across + 1))
    top = int(rng.integers(0, height - down + 1))
    pixels = np.full((height, width, 3), background, np.uint8)
    pixels[top : top + down, left : left + across, channel] = 255
    boxes = np.array([[left, top, left + across, top + down]], np.float32)
    return pixels, boxes, np.array([7])


def plain_picture(rng):
    height, width = rng.integers(100, 400, 2)
    pixels = np.full((height, width, 3), BACKGROUND, np.uint8)
    return pixels, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)


def seen_box(channel):
    """Extent x1, y1, x2, y2 of the marked pixels; grey padding stays below 0.7 of their level."""
    rows, columns = np.nonzero(channel > 0.7 * channel.max())
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def one_of_four(sample, rng):
    samples = [plain_picture(rng) for _ in range(3)]
    samples.insert(int(rng.integers(4)), sample)
    return aug.mosaic(samples, 256, rng)


def everything(sample, rng):
    sample = aug.random_crop(*sample, rng)
    sample = aug.flip_horizontal(*one_of_four(sample, rng))
    return aug.jitter_colour(*aug.random_affine(*sample, rng, size=288), rng)


CHANGES = {
    "flip": lambda sample, rng: aug.flip_horizontal(*sample),
    "affine": lambda sample, rng: aug.random_affine(*sample, rng, size=256),
    "affine, tiny": lambda sample, rng: aug.random_affine(*sample, rng, size=96),
    "affine, large": lambda sample, rng: aug.random_affine(*sample, rng, size=256, scale=(2, 3)),
    "crop": lambda sample, rng: aug.random_crop(*sample, rng),
    "colour": lambda sample, rng: aug.jitter_colour(*sample, rng),
    "mosaic": one_of_four,
    "all": everything,
}
RANDOM = {name: change for name, change in CHANGES.items() if name != "flip"}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_pixels_and_box_stay_together(change):
    drifts = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        pixels, boxes, class_ids = change(marked_picture(rng), rng)
        assert pixels.dtype == np.uint8
        assert boxes.dtype == np.float32
        assert len(boxes) == len(class_ids)
        if len(boxes):
            assert class_ids.tolist() == [7]
            drift = seen_box(pixels[..., 0]) - boxes[0]
            assert np.abs(drift).max() <= 1.5, seed
            drifts.append(drift)
    assert len(drifts) >= 60
    # Over many pictures even half a pixel to one side would show.
    assert np.abs(np.mean(drifts, axis=0).reshape(2, 2).mean(axis=0)).max() < 0.15


def test_mixup_keeps_both_boxes_on_their_pixels():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        first, second = (
            aug.random_affine(*marked_picture(rng, channel, 0), rng, size=200, scale=(1, 1), fill=0)
            for channel in (0, 2)
        )
        pixels, boxes, class_ids = aug.mixup(first, second, rng)
        assert len(boxes) == len(class_ids) == len(first[1]) + len(second[1])
        for channel, box in zip((0, 2), boxes, strict=True):
            assert np.abs(seen_box(pixels[..., channel]) - box).max() <= 1.5, seed


def test_mixup_refuses_two_sizes():
    rng = np.random.default_rng(0)
    small, large = (aug.random_affine(*marked_picture(rng), rng, size=size) for size in (100, 200))
    with pytest.raises(ValueError, match="one size"):
        aug.mixup(small, large, rng)


def test_mosaic_keeps_each_class_on_its_picture():
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]])
    found = Counter()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        samples = []
        for number, colour in enumerate(colours):
            pixels, boxes, _ = marked_picture(rng)
            x1, y1, x2, y2 = boxes[0].astype(int)
            pixels[y1:y2, x1:x2] = colour
            samples.append((pixels, boxes, np.array([number])))
        pixels, boxes, class_ids = aug.mosaic(samples, 256, rng)
        for (x1, y1, x2, y2), number in zip(boxes, class_ids, strict=True):
            middle = pixels[int((y1 + y2) / 2), int((x1 + x2) / 2)]
            assert np.abs(middle.astype(int) - colours[number]).max() <= 2
        found.update(class_ids.tolist())
    assert min(found[number] for number in range(4)) >= 20


def test_mosaic_needs_four():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="4 samples, not 3"):
        aug.mosaic([plain_picture(rng)] * 3, 256, rng)


def test_flip_by_hand():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    flipped, boxes, _ = aug.flip_horizontal(pixels, np.array([[0, 0, 1, 2.0]]), np.array([3]))
    assert (flipped == pixels[:, ::-1]).all()
    assert boxes.tolist() == [[3, 0, 4, 2]]


def test_affine_at_scale_1_fits_the_longer_side():
    rng = np.random.default_rng(0)
    pixels = np.full((150, 300, 3), 255, np.uint8)
    whole = np.array([[0, 0, 300, 150]], np.float32)
    square, boxes, _ = aug.random_affine(
        pixels, whole, np.array([0]), rng, size=256, scale=(1, 1), stretch=1, translate=0, fill=3
    )
    assert np.allclose(boxes[0, 2:] - boxes[0, :2], [256, 128], atol=0.01)
    assert (square[0] == 3).all() or (square[-1] == 3).all()


@pytest.mark.parametrize("change", ["affine", "crop", "mosaic"])
def test_little_of_a_box_left_drops_it(change):
    """What is returned covers enough of its box; what is not shows little of it."""
    dropped = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        sample = marked_picture(rng)
        if change == "affine":
            options = {"size": 200, "scale": (2, 3), "stretch": 1, "translate": 0.2}
            result = aug.random_affine(*sample, rng, min_visible=0.5, **options)
        elif change == "crop":
            # A second box that is everywhere keeps the window from being drawn again.
            height, width = sample[0].shape[:2]
            boxes = np.concatenate([sample[1], [[0, 0, width, height]]])
            result = aug.random_crop(
                sample[0], boxes, np.array([7, 1]), rng, min_share=0.3, min_visible=0.5, tries=1000
            )
        else:
            blank = [plain_picture(rng) for _ in range(3)]
            result = aug.mosaic([sample, *blank], 200, rng, zoom=(2, 2.5), min_visible=0.5)
        pixels, boxes, class_ids = result
        if 7 not in class_ids and (pixels[..., 0] > 200).any():
            dropped += 1
        assert (boxes[:, 2:] - boxes[:, :2] >= aug.MIN_SIDE).all()
        if change == "crop":
            share = (pixels[..., 0] > 200).sum() / (sample[0][..., 0] > 200).sum()
            assert (7 in class_ids) == (share >= 0.5), seed
    assert dropped >= 10


def test_degenerate_boxes_never_survive():
    rng = np.random.default_rng(0)
    pixels = np.zeros((200, 200, 3), np.uint8)
    boxes = np.array([[50, 50, 50, 90], [60, 60, 61, 61], [20, 20, 120, 120]], np.float32)
    class_ids = np.arange(3)
    for _ in range(20):
        for change in ("affine", "mosaic", "all"):
            _, kept, names = CHANGES[change]((pixels, boxes, class_ids), rng)
            assert set(names) <= {2}
            assert (kept[:, 2:] - kept[:, :2] >= aug.MIN_SIDE).all()


def test_crop_prefers_windows_with_a_box():
    pixels = np.zeros((200, 200, 3), np.uint8)
    boxes = np.array([[0, 0, 30, 30]], np.float32)
    kept = [
        len(aug.random_crop(pixels, boxes, np.array([0]), np.random.default_rng(seed))[1])
        for seed in range(60)
    ]
    assert kept == [1] * 60


def test_colour_stays_in_range_and_changes_each_part():
    ramp = np.stack(np.meshgrid(np.arange(256), np.arange(256)), axis=-1).astype(np.uint8)
    pixels = np.concatenate([ramp, np.full((256, 256, 1), 90, np.uint8)], axis=-1)
    none = np.zeros((0, 4)), np.zeros(0, int)
    same = aug.jitter_colour(pixels, *none, np.random.default_rng(0), hue=0, saturation=0, value=0)[
        0
    ]
    assert np.abs(same.astype(int) - pixels).max() <= 5
    for part in ("hue", "saturation", "value"):
        gains = {"hue": 0, "saturation": 0, "value": 0, part: 0.5}
        other = aug.jitter_colour(pixels, *none, np.random.default_rng(1), **gains)[0]
        assert np.abs(other.astype(int) - same).mean() > 2
    # Red stays red however the value grows: nothing wraps round.
    red = np.full((4, 4, 3), (250, 10, 10), np.uint8)
    for seed in range(30):
        bright = aug.jitter_colour(red, *none, np.random.default_rng(seed), hue=0)[0]
        assert (bright[..., 0] > bright[..., 1]).all()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_pictures_without_boxes_pass_and_inputs_stay(change):
    rng = np.random.default_rng(5)
    pixels, boxes, class_ids = plain_picture(rng)
    before = pixels.copy()
    _, boxes, class_ids = change((pixels, boxes, class_ids), rng)
    assert boxes.shape == (0, 4)
    assert class_ids.shape == (0,)
    marked = marked_picture(rng)
    copies = [part.copy() for part in marked]
    change(marked, rng)
    assert (pixels == before).all()
    for part, copy in zip(marked, copies, strict=True):
        assert (part == copy).all()


@pytest.mark.parametrize("change", RANDOM.values(), ids=RANDOM)
def test_the_generator_decides_all(change):
    sample = marked_picture(np.random.default_rng(1))
    first, again, other = (change(sample, np.random.default_rng(seed)) for seed in (2, 2, 3))
    assert (first[0] == again[0]).all()
    assert (first[1] == again[1]).all()
    assert first[0].shape != other[0].shape or (first[0] != other[0]).any()
