"""Training batches: of the documented form, repeatable, balanced; and a training with them."""

import numpy as np
import pytest
from PIL import Image

from cvtool.datasets.mask_files import read_mask
from cvtool.datasets.masked import VOID, MaskDataset
from cvtool.errors import CvtoolError
from cvtool.segmentation.augmentation import AUGMENTATIONS
from cvtool.segmentation.batches import SegmentationBatches
from cvtool.segmentation.losses import cross_entropy_and_dice
from cvtool.segmentation.metrics import confusion_matrix, iou_per_class, mean_iou
from cvtool.segmentation.targets import make_targets
from cvtool.segmentation.unet import unet
from tiny_masks import CLASSES, write_mask_set


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_mask_set(tmp_path_factory.mktemp("shapes"), 12)


def test_a_batch_has_the_documented_form(shapes):
    batches = SegmentationBatches(shapes, 48, 4, augmentation=AUGMENTATIONS["strong"])
    assert len(batches) == 3
    for index in range(len(batches)):
        pixels, targets = batches[index]
        assert pixels.shape == (4, 48, 48, 3) and pixels.dtype == np.uint8
        assert targets.shape == (4, 48, 48, 2) and targets.dtype == np.float32
        assert set(np.unique(targets[..., 0])) <= {0, 1, 2}
        assert set(np.unique(targets[..., 1])) == {0, 1}
    assert len(SegmentationBatches(shapes, 48, 4, steps=7)) == 7
    assert len(SegmentationBatches(shapes, 48, 50)) == 1


def test_the_class_of_a_pixel_is_that_of_its_colour(shapes):
    """Discs are red and squares blue, so pictures and targets cannot drift apart unseen."""
    plain = AUGMENTATIONS["light"]
    pixels, targets = SegmentationBatches(shapes, 64, 12, augmentation=plain, cache={})[0]
    red, _, blue = np.moveaxis(pixels.astype(int), -1, 0)
    known = targets[..., 1] > 0
    for class_id, right in ((1, red > blue + 20), (2, blue > red + 20), (0, abs(red - blue) < 60)):
        those = known & (targets[..., 0] == class_id)
        assert those.sum() > 1000
        assert right[those].mean() > 0.95


def test_batches_depend_on_seed_epoch_and_index_alone(shapes):
    def batches(**options):
        return SegmentationBatches(shapes, 32, 4, **({"seed": 5} | options))

    first = batches(cache={})
    first.on_epoch_end()
    first[0]
    pixels, targets = first[1]
    again = batches(epoch=1)
    np.testing.assert_array_equal(again[1][0], pixels)
    np.testing.assert_array_equal(again[1][1], targets)
    for others in (batches()[1], batches(epoch=1, seed=6)[1], again[0]):
        assert (others[0] != pixels).any()


def test_an_epoch_shows_each_picture_once_or_as_often_as_asked_for(shapes):
    once = SegmentationBatches(shapes, 32, 4)
    assert sorted(once.order) == list(range(12))
    factors = np.ones(12)
    factors[3] = 5
    often = SegmentationBatches(shapes, 32, 4, factors=factors, steps=40)
    shown = np.bincount(often.order, minlength=12)
    assert shown[3] == pytest.approx(50, abs=1)
    assert np.delete(shown, 3) == pytest.approx(np.full(11, 10), abs=1)


def test_weights_of_classes_and_gaps_are_in_the_targets(shapes):
    options = {"augmentation": AUGMENTATIONS["none"], "cache": {}}
    weights = [2, 0.5, 1]
    batches = SegmentationBatches(shapes, 64, 12, class_weights=weights, boundary=10, **options)
    _, targets = batches[0]
    for index, made in zip(batches.order, targets, strict=True):
        mask = read_mask(shapes.examples[index].mask)
        np.testing.assert_allclose(made, make_targets(mask, weights, 10), rtol=1e-6)
    assert targets[..., 1].max() > 2


def test_patches_are_cut_out_at_the_pictures_own_scale(tmp_path):
    shapes = write_mask_set(tmp_path, 2, height=200, width=300)
    options = {"augmentation": AUGMENTATIONS["none"]}
    shrunk = SegmentationBatches(shapes, 60, 2, **options)[0][1]
    patches = SegmentationBatches(shapes, 60, 2, patches=True, **options)[0][1]
    # A third of the height of a whole picture is void, as it is wider than high.
    assert (shrunk[..., 1] == 0).mean() == pytest.approx(1 / 3, abs=0.05)
    assert (patches[..., 1] == 0).mean() < 0.1


def test_pictures_are_decoded_once_where_there_is_a_cache(shapes, monkeypatch):
    from cvtool.segmentation import batches as module

    read = []
    real = module.read_picture
    monkeypatch.setattr(module, "read_picture", lambda path: read.append(path) or real(path))
    kept = SegmentationBatches(shapes, 32, 4, steps=6, cache={})
    for index in range(6):
        kept[index]
    assert sorted(read) == sorted(example.path for example in shapes.examples)


def test_masks_in_colours_become_class_ids(shapes, tmp_path):
    colours = ((0, 0, 0), (200, 0, 0), (0, 200, 0))
    examples = []
    for example in shapes.examples[:4]:
        mask = read_mask(example.mask)
        path = tmp_path / example.mask.name
        Image.fromarray(np.array(colours, np.uint8)[np.where(mask == VOID, 0, mask)]).save(path)
        examples.append(type(example)(example.path, path))
    coloured = MaskDataset(CLASSES, tuple(examples), colours)
    _, targets = SegmentationBatches(coloured, 64, 4, augmentation=AUGMENTATIONS["none"])[0]
    assert set(np.unique(targets[..., 0])) == {0, 1, 2}


@pytest.mark.parametrize("fault", ["picture", "mask", "size", "class"])
def test_the_error_of_a_picture_is_kept(fault, tmp_path):
    """`fit` would wrap it in the framework's words."""
    shapes = write_mask_set(tmp_path, 4)
    example = shapes.examples[1]
    if fault == "picture":
        example.path.write_bytes(example.path.read_bytes()[:200])
    elif fault == "mask":
        example.mask.unlink()
    elif fault == "size":
        Image.fromarray(np.zeros((60, 64), np.uint8)).save(example.mask)
    else:
        Image.fromarray(np.full((64, 64), 3, np.uint8)).save(example.mask)
    batches = SegmentationBatches(shapes, 32, 4)
    assert batches.problem is None
    with pytest.raises(CvtoolError, match="001.png") as raised:
        batches[0]
    assert batches.problem is raised.value


def test_a_small_training_learns_to_tell_discs_and_squares_apart(tmp_path):
    """Real training through the real parts; scored on pictures it has not seen."""
    import keras

    keras.utils.set_random_seed(0)
    train = write_mask_set(tmp_path / "train", 48, seed=1)
    val = write_mask_set(tmp_path / "val", 16, seed=2)
    # Batch normalisation would need more steps until its averages are right.
    network = unet(3, base=8, depth=2, batch_norm=False)
    network.compile(keras.optimizers.Adam(3e-3), cross_entropy_and_dice)
    batches = SegmentationBatches(
        train, 64, 4, augmentation=AUGMENTATIONS["light"], boundary=2, cache={}
    )
    network.fit(batches, epochs=5, verbose=0, shuffle=False)

    plain = SegmentationBatches(val, 64, 16, augmentation=AUGMENTATIONS["none"])
    pixels, targets = plain[0]
    truth = np.where(targets[..., 1] > 0, targets[..., 0], VOID).astype(np.uint8)
    predicted = network.predict_on_batch(pixels).argmax(-1)
    confusion = confusion_matrix(truth, predicted, 3)
    assert mean_iou(confusion) > 0.8, iou_per_class(confusion)
