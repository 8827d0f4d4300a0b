"""People are split whole, with enough of them on each side."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvtool.errors import DatasetError, OptionError
from cvtool.faces.people_split import split_people


def divided(counts, given=None, split=None, seed=0):
    return split_people(given or [""] * len(counts), counts, split, seed, "people")


@given(st.lists(st.integers(0, 6), min_size=12, max_size=60), st.integers(0, 99))
@settings(deadline=None)
def test_everybody_with_two_pictures_is_in_one_split(counts, seed):
    usable = {i for i, n in enumerate(counts) if n >= 2}
    if len(usable) < 4:
        return
    splits, how = divided(counts, seed=seed)
    everybody = np.concatenate(list(splits.values())).tolist()
    assert sorted(everybody) == sorted(usable)
    assert all(len(part) >= 2 for part in splits.values())
    assert set(splits) == ({"train", "dev", "test"} if len(usable) >= 6 else {"train", "dev"})
    assert f"{len(splits['train'])} train" in how and f"random by seed {seed}" in how
    assert [part.tolist() for part in divided(counts, seed=seed)[0].values()] == [
        part.tolist() for part in splits.values()
    ]


def test_the_shares_are_those_asked_for():
    splits, how = divided([3] * 20, split="50/25/25")
    assert [len(part) for part in splits.values()] == [10, 5, 5] and "as asked for" in how
    splits, _ = divided([3] * 20, split="80/20")
    assert {name: len(part) for name, part in splits.items()} == {"train": 16, "dev": 4}


def test_what_the_data_set_says_is_kept():
    given = ["train"] * 4 + ["dev"] * 2 + ["test"] * 3
    splits, how = divided([2] * 8 + [1], given)
    assert {name: part.tolist() for name, part in splits.items()} == {
        "train": [0, 1, 2, 3],
        "dev": [4, 5],
        "test": [6, 7],
    }
    assert how.endswith("as the data set says")
    with pytest.raises(OptionError, match="has dev people; leave --split out"):
        divided([2] * 9, given[:6] + [""] * 3, split="80/20")
    with pytest.raises(OptionError, match="test people are given"):
        divided([2] * 9, [""] * 6 + given[6:], split="60/20/20")
    with pytest.raises(DatasetError, match="1 of the people for dev have two pictures"):
        divided([2] * 5 + [1] + [2] * 3, given)


def test_too_few_people_are_told_how_many_are_needed():
    with pytest.raises(DatasetError, match="3 of its people .* 4 are needed to train and choose"):
        divided([2, 2, 2, 1])
    with pytest.raises(DatasetError, match="6 are needed to train, choose and test"):
        divided([2] * 5, split="60/20/20")
    with pytest.raises(OptionError, match="--split"):
        divided([2] * 9, split="60/60")
