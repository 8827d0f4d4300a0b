"""Tracking: objects keep their ids through what videos do to them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvtool.detection.detector import Detector
from cvtool.detection.tracking import Tracker, detect_and_track
from cvtool.pictures.sources import read_pictures
from cvtool.pictures.video import VideoWriter
from red_finder import PRESET, RedFinder, picture


def box(x, y, width=40, height=60):
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def follow(frames, **options):
    """Ids of every frame; a frame is a list of (box, score) or (box, score, class id)."""
    tracker = Tracker(**options)
    return [step(tracker, frame)[0] for frame in frames]


def step(tracker, frame):
    boxes = np.array([found[0] for found in frame], np.float32).reshape(-1, 4)
    class_ids = [found[2] if len(found) > 2 else 0 for found in frame]
    ids, labels = tracker.update(boxes, np.array([found[1] for found in frame]), class_ids)
    return ids.tolist(), labels.tolist()


def test_objects_that_cross_keep_their_ids_whatever_the_order_of_the_boxes():
    frames = [[(box(50 + 6 * t, 100), 0.9), (box(350 - 6 * t, 110), 0.8)] for t in range(50)]
    ids = follow([frame if t % 2 else frame[::-1] for t, frame in enumerate(frames)])
    # The first frame has the second object first.
    assert ids == [[2, 1] if t % 2 else [1, 2] for t in range(50)]


@pytest.mark.parametrize("hidden", [1, 5, 15])
def test_an_object_comes_out_from_behind_another_with_its_id(hidden):
    frames = [[(box(50 + 4 * t, 100), 0.9)] for t in range(60)]
    frames[20 : 20 + hidden] = [[]] * hidden
    assert {i for frame in follow(frames) for i in frame} == {1}


def test_an_object_is_waited_for_one_second_and_no_longer():
    def ids(missing, **options):
        frames = [[(box(50, 100), 0.9)], *[[]] * missing, [(box(50, 100), 0.9)]]
        return [i for frame in follow(frames, **options) for i in frame]

    assert ids(30) == [1, 1] and ids(31) == [1, 2]
    assert ids(5, rate=5) == [1, 1] and ids(6, rate=5) == [1, 2]
    assert ids(15, rate=5, keep=3) == [1, 1] and ids(16, rate=5, keep=3) == [1, 2]
    # Where frames are further apart than that, one may be missed.
    assert ids(1, rate=0.2) == [1, 1] and ids(2, rate=0.2) == [1, 2]


def test_ids_count_objects_in_the_order_of_appearance_and_are_never_given_again():
    def here(x, first, last):
        return [[(box(x, 90), 0.9)] if first <= t < last else [] for t in range(100)]

    objects = [here(50, 0, 20), here(200, 5, 100), here(350, 10, 60), here(50, 70, 100)]
    frames = [sum(found, []) for found in zip(*objects, strict=True)]
    ids = follow(frames)
    assert ids[0] == [1] and ids[5] == [1, 2] and ids[10] == [1, 2, 3]
    assert ids[65] == [2] and ids[70] == [2, 4] == ids[99]


def test_doubtful_boxes_continue_a_track():
    frames = [[(box(50 + 3 * t, 100), 0.15 if 10 <= t < 70 else 0.9)] for t in range(80)]
    assert follow(frames) == [[1]] * 80
    without = follow(frames, low=0.25)
    assert without[9] == [1] and without[10] == [0] and without[70] == [2]


def test_a_doubtful_box_has_to_fit_better_than_a_sure_one():
    def after(shift, score):
        return follow([[(box(100, 100), 0.9)], [(box(100 + shift, 100), score)]])[1]

    # Shifts of a quarter, half and three quarters of the width: IoU 0.6, 0.33 and 0.14.
    assert [after(shift, 0.2) for shift in (10, 20, 30)] == [[1], [0], [0]]
    assert [after(shift, 0.9) for shift in (10, 20, 30)] == [[1], [1], [2]]


def test_an_object_out_of_sight_keeps_its_size():
    shrinking = [[(box(200, 200, 100 - 4 * t, 150 - 6 * t), 0.9)] for t in range(15)]
    again = [(box(200, 200, 40, 60), 0.9)]
    assert follow([*shrinking, *[[]] * 12, again])[-1] == [1]


def test_the_rate_says_how_quickly_a_motion_is_learned():
    """Three frames of five a second show as much of a motion as thirteen of thirty."""
    frames = [[(box(50 + 24 * t, 100), 0.9)] if t not in (3, 4, 5) else [] for t in range(7)]
    assert follow(frames, rate=5)[-1] == [1] and follow(frames, rate=30)[-1] == [2]


def test_doubtful_boxes_begin_no_track_and_revive_none():
    doubtful, sure = [(box(50, 100), 0.2)], [(box(50, 100), 0.9)]
    assert follow([doubtful] * 5) == [[0]] * 5
    assert follow([sure, [], doubtful, sure]) == [[1], [], [0], [1]]
    assert follow([sure, [(box(50, 100), 0.05)]]) == [[1], [0]]


def test_sure_boxes_are_given_to_tracks_before_doubtful_ones():
    """The doubtful box lies better, and is left over all the same."""
    tracker = Tracker()
    step(tracker, [(box(100, 100), 0.9)])
    assert step(tracker, [(box(100, 100), 0.2), (box(112, 100), 0.9)])[0] == [0, 1]


def test_frames_without_boxes_are_fine():
    assert follow([[], [], [(box(50, 50), 0.9)], [], [(box(50, 50), 0.9)]]) == [
        *([], [], [1], [], [1])
    ]


def test_a_jump_is_another_object():
    frames = [[(box(50, 100), 0.9)]] * 5 + [[(box(300, 100), 0.9)]] * 5
    assert follow(frames) == [[1]] * 5 + [[2]] * 5


def test_a_good_pair_is_not_given_up_for_two_bad_ones():
    """Two objects in a row move by nearly their distance: the far one has left, one has come."""
    tracker = Tracker()
    step(tracker, [(box(100, 100), 0.9), (box(124, 100), 0.9)])
    # Track 2 lies exactly on the first box; each track overlaps a box to its right by a quarter.
    assert step(tracker, [(box(124, 100), 0.9), (box(148, 100), 0.9)])[0] == [2, 3]


def test_a_label_that_wavers_changes_neither_id_nor_label():
    tracker = Tracker()
    found = [(0, 0.6), (1, 0.5), (0, 0.6), (1, 0.9), (1, 0.7), (0, 0.2)]
    results = [step(tracker, [(box(50, 100), score, label)]) for label, score in found]
    # Sums: 0.6, 0.6:0.5, 1.2:0.5, 1.2:1.4, 1.2:2.1, 1.4:2.1.
    assert results == [([1], [label]) for label in (0, 0, 0, 1, 1, 1)]


def test_two_labels_in_one_place_keep_to_their_tracks():
    """Nothing but the label tells the two boxes apart."""
    rider, horse = (box(100, 100), 0.8, 4), (box(100, 100), 0.8, 7)
    frames = [[rider, horse] if t % 3 else [horse, rider] for t in range(9)]
    ids = follow(frames)
    assert ids == [[2, 1] if t % 3 else [1, 2] for t in range(9)]


def test_a_box_without_a_track_keeps_its_own_label():
    assert step(Tracker(), [(box(50, 50), 0.2, 3)]) == ([0], [3])


frames_of_boxes = st.lists(
    st.lists(
        st.tuples(
            st.tuples(
                *(st.integers(0, 300), st.integers(0, 300)),
                *(st.integers(20, 90), st.integers(20, 90)),
            ).map(lambda values: box(*values)),
            st.sampled_from([0.02, 0.1, 0.2, 0.25, 0.6, 0.9]),
            st.integers(0, 2),
        ),
        max_size=6,
    ),
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(frames_of_boxes)
def test_what_holds_for_any_video(frames):
    tracker, known = Tracker(), 0
    for frame in frames:
        ids, _ = step(tracker, frame)
        given = [i for i in ids if i]
        assert len(given) == len(set(given))
        for i, (_, score, _) in zip(ids, frame, strict=True):
            assert i > 0 if score >= 0.25 else i <= known
            assert score >= 0.1 or i == 0
        new = [i for i in given if i > known]
        assert new == list(range(known + 1, known + 1 + len(new)))
        known += len(new)


@settings(max_examples=50, deadline=None)
@given(frames_of_boxes, st.sampled_from([0.5, 2, 8]), st.integers(-500, 500))
def test_the_place_and_the_size_of_the_picture_do_not_matter(frames, factor, shift):
    moved = [
        [((np.array(b) * factor + shift).tolist(), score, c) for b, score, c in f] for f in frames
    ]
    assert follow(moved) == follow(frames)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([10, 30, 60]))
def test_objects_apart_keep_their_ids_under_noise_and_misses(seed, rate):
    """Six in lanes of their own, each found in nine frames of ten, with boxes that tremble."""
    rng = np.random.default_rng(seed)
    speeds = rng.uniform(-60, 60, 6) / rate  # pixels a frame
    of_object = [set() for _ in speeds]
    tracker = Tracker(rate=rate)
    for t in range(60):
        here = [n for n in range(6) if rng.random() < 0.9]
        frame = [
            ((np.array(box(500 + speeds[n] * t, 80 * n)) + rng.normal(0, 1.5, 4)).tolist(), 0.8)
            for n in here
        ]
        for n, i in zip(here, step(tracker, frame)[0], strict=True):
            of_object[n].add(i)
    assert sorted(i for ids in of_object for i in ids) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "options",
    [{"high": 1.5}, {"high": 0.2, "low": 0.3}, {"low": -0.1}, {"rate": 0}, {"keep": -1}],
)
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(ValueError):
        Tracker(**options)


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="1 boxes, 2 scores and 1 classes do not match"):
        Tracker().update([box(1, 2)], [0.5, 0.6], [0])


class Noise:
    """An engine that answers at random, another answer each time."""

    name = "noise"

    def __init__(self):
        self.rng = np.random.default_rng(5)

    def __call__(self, batch):
        return self.rng.normal(-1.2, 1.5, (1, 1008, 8)).astype(np.float32)


@pytest.mark.parametrize("max_boxes", [3, 300])
def test_with_ids_come_the_boxes_that_come_without(max_boxes):
    pixels, options = np.zeros((90, 120, 3), np.uint8), {"max_boxes": max_boxes, "max_iou": 0.3}
    plain, tracked, tracker = (
        Detector(PRESET, Noise()),
        Detector(PRESET, Noise()),
        Tracker(high=0.4),
    )
    for _ in range(3):
        expected = plain(pixels, min_score=0.4, **options)
        found = detect_and_track(tracked, tracker, pixels, **options)
        assert len(found) == min(max_boxes, len(expected)) > 0
        assert [(d.box, d.score) for d in found] == [(d.box, d.score) for d in expected]
        assert all(d.id >= 1 for d in found)


def test_fewer_boxes_reported_are_not_fewer_tracked():
    all_of_it, some_of_it = (
        [
            detect_and_track(detector, tracker, np.zeros((90, 120, 3), np.uint8), max_boxes=most)
            for _ in range(4)
        ]
        for detector, tracker, most in (
            (Detector(PRESET, Noise()), Tracker(high=0.4), 300),
            (Detector(PRESET, Noise()), Tracker(high=0.4), 2),
        )
    )
    assert [found[:2] for found in all_of_it] == some_of_it


def test_the_objects_of_a_real_video(tmp_path):
    """Two meet and part; a third comes in for the second half."""
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for t in range(20):
            boxes = [(20 + 12 * t, 30, 60 + 12 * t, 80), (260 - 12 * t, 120, 300 - 12 * t, 170)]
            if t >= 10:
                boxes.append((150, 190, 200, 230))
            writer.write(picture(240, 320, *boxes))
    detector, tracker = Detector(PRESET, RedFinder()), Tracker(rate=10)
    for frame in read_pictures([tmp_path / "clip.mp4"]):
        found = {d.id: d.box for d in detect_and_track(detector, tracker, frame.pixels)}
        assert sorted(found) == ([1, 2] if frame.frame < 10 else [1, 2, 3])
        tops = {i: round(b[1], -1) for i, b in found.items()}
        if frame.frame == 0:
            first = tops
        assert first.items() <= tops.items()
