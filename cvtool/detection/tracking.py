"""Keep the identity of objects from frame to frame of a video.

ByteTrack (Zhang et al. 2022, "ByteTrack: Multi-Object Tracking by Associating Every Detection
Box", algorithm 1): boxes that the detector is sure of are given to tracks first, boxes it is
not sure of then to the tracks left over. So an object that is half hidden keeps its track, and
a doubtful box never begins one. Where a track will be next is a Kalman filter's business.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from cvtool.detection.boxes import as_float, iou
from cvtool.detection.detector import Detection
from cvtool.detection.kalman import boxes_of, correct, first_state, predict

# Frames a second where a video does not say; also the unit of the filter's time.
USUAL_RATE = 30.0
# Least IoU of a box with the place where a track is expected: for boxes that are sure (the
# paper's 0.2), and for others (the 0.5 of its published code).
MIN_IOU, MIN_IOU_UNSURE = 0.2, 0.5
# How much IoU a box of the track's own class is worth against a box of another.
OTHER_CLASS = 0.2
# Boxes looked at in a frame, whatever fewer are reported.
MOST_BOXES = 300


class Tracker:
    """The objects of one video. For another video, make another.

    Tracks are of no class: an object keeps its id where the detector wavers between labels. Of
    two boxes that fit a track about as well, that of the track's label is taken, so a rider and
    the horse do not change places. A track's label is the one with the largest sum of scores so
    far.

    Other than in ByteTrack, a track counts from its first box on, since every sure box has an
    id at once.

    Args:
        high: boxes that score at least this are sure: they begin tracks and find lost ones.
        low: boxes from this up to `high` only continue tracks that were seen in the last
            frame. None: 0.1, or half of `high` if that is less.
        rate: how many frames a second `update` will see; None where unknown, taken as 30.
        keep: seconds for which an object that is not seen is waited for; at least one frame.
    Attributes:
        high, low: as above.
    Raises:
        ValueError: not 0 <= low <= high <= 1, a rate that is not positive, a negative keep.
    """

    def __init__(
        self,
        *,
        high: float = 0.25,
        low: float | None = None,
        rate: float | None = None,
        keep: float = 1.0,
    ):
        rate = USUAL_RATE if rate is None else rate
        self.high = high
        self.low = min(0.1, high / 2) if low is None else low
        if not 0 <= self.low <= self.high <= 1:
            raise ValueError(f"not 0 <= low ({self.low}) <= high ({high}) <= 1")
        if rate <= 0 or keep < 0:
            raise ValueError(f"rate ({rate}) must be above 0 and keep ({keep}) not below")
        self._step = USUAL_RATE / rate
        self._patience = max(1, round(keep * rate))
        self._last_id = 0
        self._means, self._covariances = first_state(np.zeros((0, 4)))
        self._ids = np.zeros(0, np.int64)
        self._missed = np.zeros(0, np.int64)  # frames since a track was last seen
        self._votes: dict[int, Counter] = {}  # of each track: sum of scores by class

    def update(self, boxes, scores, class_ids) -> tuple[np.ndarray, np.ndarray]:
        """Follow the objects into the next frame.

        Args:
            boxes: float array (N, 4) xyxy, pixels, of this frame after suppression; N may be 0.
            scores: float array (N,) in [0, 1].
            class_ids: int array (N,).
        Returns:
            ids, int64 (N,): the object of each box, from 1 in the order of appearance (in one
            frame, in the order of the boxes); 0 for a box below `high` that continues no track.
            No id but 0 is there twice.
            class ids, int64 (N,): the track's label, or where there is none the box's own.
        Raises:
            ValueError: the arrays differ in length.
        """
        boxes, scores = as_float(boxes), np.asarray(scores)
        class_ids = np.asarray(class_ids, np.int64)
        if not len(boxes) == len(scores) == len(class_ids):
            raise ValueError(
                f"{len(boxes)} boxes, {len(scores)} scores and {len(class_ids)} classes "
                "do not match"
            )
        self._predict()
        sure = np.flatnonzero(scores >= self.high)
        unsure = np.flatnonzero((scores >= self.low) & (scores < self.high))
        tracks, found = self._match(np.arange(len(self._ids)), boxes, class_ids, sure, MIN_IOU)
        # A lost track is not revived by a doubtful box.
        left = np.setdiff1d(np.flatnonzero(self._missed == 0), tracks)
        more = self._match(left, boxes, class_ids, unsure, MIN_IOU_UNSURE)
        tracks, found = np.concatenate([tracks, more[0]]), np.concatenate([found, more[1]])

        ids = np.zeros(len(boxes), np.int64)
        ids[found] = self._ids[tracks]
        self._see(tracks, boxes[found])
        new = np.setdiff1d(sure, found)
        ids[new] = self._begin(boxes[new])
        for number in np.flatnonzero(ids):
            self._votes[int(ids[number])][int(class_ids[number])] += float(scores[number])
        labels = [self._label(i) if i else c for i, c in zip(ids, class_ids, strict=True)]
        return ids, np.array(labels, np.int64)

    def _predict(self) -> None:
        # Out of sight, an object's size is not followed further: it would grow or vanish.
        self._means[self._missed > 0, 2:, 1] = 0
        self._means, self._covariances = predict(self._means, self._covariances, self._step)

    def _match(self, tracks, boxes, class_ids, candidates, min_iou):
        """Pairs of tracks and boxes, int arrays (M,) of positions, each at most once."""
        if not len(tracks) or not len(candidates):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        from scipy.optimize import linear_sum_assignment

        overlap = iou(boxes_of(self._means[tracks]), boxes[candidates])
        labels = np.array([self._label(i) for i in self._ids[tracks]])
        cost = 1 - overlap + OTHER_CLASS * (labels[:, None] != class_ids[candidates])
        # Pairs that will not do cost as much as the worst that does, not more: else a good
        # pair would be given up to make two bad ones possible.
        will_do = overlap >= min_iou
        cost[~will_do] = 1 - min_iou + OTHER_CLASS
        rows, columns = linear_sum_assignment(cost)
        good = will_do[rows, columns]
        return tracks[rows[good]], candidates[columns[good]]

    def _see(self, tracks, boxes) -> None:
        """Move the tracks to their boxes; give up those that were not seen for too long."""
        self._means[tracks], self._covariances[tracks] = correct(
            self._means[tracks], self._covariances[tracks], boxes
        )
        self._missed += 1
        self._missed[tracks] = 0
        stays = self._missed <= self._patience
        for gone in self._ids[~stays]:
            del self._votes[int(gone)]
        self._means, self._covariances = self._means[stays], self._covariances[stays]
        self._ids, self._missed = self._ids[stays], self._missed[stays]

    def _begin(self, boxes) -> np.ndarray:
        """Begin a track for each box; return the ids."""
        ids = self._last_id + 1 + np.arange(len(boxes))
        self._last_id += len(boxes)
        means, covariances = first_state(boxes)
        self._means = np.concatenate([self._means, means])
        self._covariances = np.concatenate([self._covariances, covariances])
        self._ids = np.concatenate([self._ids, ids])
        self._missed = np.concatenate([self._missed, np.zeros(len(boxes), np.int64)])
        self._votes |= {int(number): Counter() for number in ids}
        return ids

    def _label(self, number) -> int:
        """The class of a track; of equal ones the first."""
        return self._votes[int(number)].most_common(1)[0][0]


def detect_and_track(
    detector, tracker: Tracker, pixels, *, max_boxes: int = MOST_BOXES, **options
) -> list[Detection]:
    """Detect the objects in the next frame of a video, each with its id.

    Args:
        detector: a `Detector`.
        tracker: of this video; its `high` takes the place of `min_score`.
        pixels: uint8 RGB array (H, W, 3).
        max_boxes: at most so many are returned. More are tracked, so that an object does not
            lose its id by being one too many for a while.
        options: max_iou, classes and tile of `Detector.__call__`.
    Returns:
        the detections that `detector` would give for `min_score=tracker.high`, best first,
        with the id of each, and as label that of the track.
    """
    boxes, scores, class_ids = detector.detect_arrays(
        pixels, min_score=tracker.low, max_boxes=max(max_boxes, MOST_BOXES), **options
    )
    ids, class_ids = tracker.update(boxes, scores, class_ids)
    reported = np.flatnonzero(scores >= tracker.high)[:max_boxes]
    return [
        Detection(
            detector.classes[class_ids[n]],
            float(scores[n]),
            tuple(float(edge) for edge in boxes[n]),
            id=int(ids[n]),
        )
        for n in reported
    ]
