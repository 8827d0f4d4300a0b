"""Films in an instant style: what keeps them from flickering."""

from __future__ import annotations

import cv2
import numpy as np

from cvtool.errors import OptionError
from cvtool.style.channel_statistics import Statistics
from cvtool.style.colours import to_bytes

# Differences between frames, levels: up to NOISE nothing has moved, from MOVED on something has.
NOISE, MOVED = 5, 12


class Scene:
    """What stays of a film from frame to frame, against flicker: give it with every frame.

    Where hardly anything moves, a frame is averaged with those before, so that the noise of the
    camera is not stylized; and the content's statistics are averaged, so that what enters the
    picture does not change the colours of all the rest at once. Weights fall exponentially. A
    frame that differs much begins a new scene.

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
