"""Films in an instant style: what keeps them from flickering."""

from __future__ import annotations

import cv2
import numpy as np

from cvtool.errors import OptionError
from cvtool.style.channel_statistics import Statistics
from cvtool.style.colours import to_bytes

# Differences between frames, levels: up to NOISE nothing has moved, from MOVED on something has.
NOISE, MOVED = 5, 12
# The same of a frame and the one before, moved along with what they show: what differs more has
# come into sight or was followed wrongly. A picture that is moved by parts of a pixel is softer.
FOLLOWED, LOST = 10, 30
# The side of a picture that movements are looked for in, pixels; they are scaled to the frame.
FLOW_SIDE = 384
# OpenCV's search crashes on lower or narrower ones.
SHORTEST_FLOW_SIDE = 32


class Scene:
    """What stays of a film from frame to frame, against flicker: give it with every frame.

    Where hardly anything moves, a frame is averaged with those before, so that the noise of the
    camera is not stylized; the content's statistics are averaged, so that what enters the picture
    does not change the colours of all the rest at once; and the results are averaged along the
    movement (optical flow, as Ruder et al. 2016, "Artistic style transfer for videos", use it), so
    that strokes move with what they are on. Weights fall exponentially. A frame that differs much
    begins a new scene.

    Args:
        smoothing: weight of the past, in [0, 1); 0 takes each frame by itself.
        cut: mean distance of the channels' means, in standard deviations, from which on a frame
            begins a new scene.
    Raises:
        OptionError: smoothing outside [0, 1).
    """

    def __init__(self, smoothing=0.8, cut=0.35):
        if not 0 <= smoothing < 1:
            raise OptionError(f"smoothing: {smoothing} is not in [0, 1)")
        self.smoothing, self.cut = smoothing, cut
        self.statistics: Statistics | None = None
        self.first: np.ndarray | None = None
        self._past: np.ndarray | None = None
        self._frame: np.ndarray | None = None
        self._result: np.ndarray | None = None
        self._began: np.ndarray | None = None

    def steady(self, frame):
        """A frame with less noise where it is as the frames before.

        Args:
            frame: uint8 (H, W, 3).
        Returns:
            uint8 (H, W, 3).
        """
        now = frame.astype(np.float32)
        past = self._past
        if past is not None and past.shape == now.shape:
            moved = cv2.blur(np.abs(now - past).max(axis=-1), (5, 5))
            still = np.clip((MOVED - moved) / (MOVED - NOISE), 0, 1)[..., None]
            now += self.smoothing * still * (past - now)
        self._past = now
        return to_bytes(now)

    def update(self, content, now: Statistics) -> Statistics:
        """Take in the statistics of a frame.

        Args:
            content: the frame, uint8 (H, W, 3).
            now: statistics of its features.
        Returns:
            the statistics to use for it.
        """
        before = self.statistics
        if before is not None:
            distance = np.mean(np.abs(now.mean - before.mean) / before.deviation)
        if before is None or distance > self.cut:
            # Histograms are matched with the first frame of a scene, too.
            self.first, self.statistics = content, now
        else:
            self.statistics = now.mixed(before, self.smoothing)
        return self.statistics

    def follow(self, frame, result):
        """A result with the strokes of the one before, where they are on the same things.

        Args:
            frame: uint8 (H, W, 3), of the source, at the size of the result.
            result: uint8 (H, W, 3), what the networks made of it.
        Returns:
            uint8 (H, W, 3).
        """
        now = result.astype(np.float32)
        before, past = self._frame, self._result
        # What `update` took for a new scene has no past.
        known = past is not None and past.shape == now.shape and self.first is self._began
        if known and self.smoothing:
            maps = movement(frame, before)
            came, past = moved(before, maps), moved(past, maps)
            difference = np.abs(frame.astype(np.float32) - came).max(axis=-1)
            difference = cv2.blur(difference, (5, 5))
            same = np.clip((LOST - difference) / (LOST - FOLLOWED), 0, 1)[..., None]
            now += self.smoothing * same * (past - now)
        self._frame, self._result, self._began = frame, now, self.first
        return to_bytes(now)


def movement(frame, before):
    """Where each pixel of a frame was in the one before.

    Dense inverse search (Kroeger et al. 2016), on smaller pictures where they are large.

    Args:
        frame, before: uint8 (H, W, 3).
    Returns:
        float32 (H, W, 2): x and y in the frame before, pixels.
    """
    height, width = frame.shape[:2]
    scale = min(1.0, FLOW_SIDE / max(height, width))
    sides = tuple(max(SHORTEST_FLOW_SIDE, round(side * scale)) for side in (width, height))
    grey = [
        cv2.resize(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), sides, interpolation=cv2.INTER_AREA)
        for p in (frame, before)
    ]
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow = cv2.resize(search.calc(*grey, None), (width, height), interpolation=cv2.INTER_LINEAR)
    flow *= np.array([width / sides[0], height / sides[1]], np.float32)
    rows, columns = np.indices((height, width), np.float32)
    return flow + np.stack([columns, rows], axis=-1)


def moved(picture, maps):
    """A picture with each pixel taken from a place, see `movement`; float32 (H, W, 3)."""
    return cv2.remap(
        picture.astype(np.float32), maps, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
