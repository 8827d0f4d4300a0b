"""A learning rate that is held, so that a training can be made longer later."""

import argparse

import pytest

from recipe_runs import recipe_module


@pytest.fixture(scope="module")
def holding():
    return recipe_module("holding")


def test_until_the_fall_the_rate_does_not_depend_on_the_length(holding):
    short, long = (holding.held_schedule(2e-3, epochs, 100, hold=3) for epochs in (5, 50))
    rates = [float(short(step)) for step in range(301)]
    assert rates == pytest.approx([float(long(step)) for step in range(301)])
    # One epoch of warm-up, two at the peak, then the fall to a hundredth.
    assert rates[50] < 2e-3 and rates[100:] == pytest.approx([2e-3] * 201)
    assert 1e-3 > float(short(450)) > float(short(500)) == pytest.approx(2e-5)


def test_the_warm_up_of_long_epochs_is_shorter_than_one(holding):
    schedule = holding.held_schedule(1e-3, 4, 2000, hold=0)
    assert float(schedule(499)) < 1e-3 == pytest.approx(float(schedule(500)))


@pytest.mark.parametrize(("hold", "fine"), [(0, True), (4, True), (5, False), (-1, False)])
def test_an_epoch_must_be_left_for_the_fall(holding, hold, fine, capsys):
    parser = argparse.ArgumentParser()
    holding.add_hold_argument(parser)
    try:
        args = parser.parse_args([f"--hold={hold}"])
        holding.check_hold(parser, args, 5)
        assert fine and args.hold == hold
    except SystemExit:
        assert not fine and "--hold" in capsys.readouterr().err
