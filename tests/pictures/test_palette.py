import numpy as np
import pytest

from cvtool.pictures.palette import VOC_VOID, voc_colours


def test_they_are_pascals():
    # As the development kit's pictures show: aeroplane, bicycle, person, TV, and void.
    colours = voc_colours(256)
    assert colours[:3] == ((0, 0, 0), (128, 0, 0), (0, 128, 0))
    assert colours[15] == (192, 128, 128) and colours[20] == (0, 64, 128)
    assert colours[255] == VOC_VOID


def test_every_colour_is_another_and_a_few_are_the_first_of_all():
    assert len(set(voc_colours(256))) == 256
    assert np.array(voc_colours(256)).max() <= 255
    assert voc_colours(5) == voc_colours(256)[:5] and voc_colours(0) == ()


@pytest.mark.parametrize("count", [-1, 257])
def test_counts_that_no_palette_has(count):
    with pytest.raises(ValueError, match="there are 256"):
        voc_colours(count)
