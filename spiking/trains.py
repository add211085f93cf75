"""Spike trains as events.

An event is one int32, position << 16 | channel << 1 | (1 for a negative spike), with
position = row * width + column.
"""

from dataclasses import dataclass

import numpy as np

POSITION_SHIFT = 16
ROW_MASK = (1 << POSITION_SHIFT) - 1  # channel << 1 | negative


@dataclass(frozen=True)
class SpikeTrain:
    """The spikes of a layer for some images, in order of image, time step, position and channel."""

    events: np.ndarray  # int32 (spikes,)
    steps: np.ndarray  # int64 (images, time steps + 1); events[steps[i, t]:steps[i, t + 1]]: image i in step t
    shape: tuple[int, int, int]  # (h, w, channels)
    peak_count: int  # the largest net spike count that a neuron has after any time step

    @classmethod
    def from_dense(cls, spikes):
        """From an array of -1, 0 and +1, (images, time steps, h, w, channels)."""
        spikes = np.asarray(spikes)
        images, time_steps, height, width, channels = spikes.shape
        check_event_range(height * width, channels)
        counts = np.cumsum(spikes, axis=1, dtype=np.int64)
        if not np.isin(spikes, (-1, 0, 1)).all() or counts.min(initial=0) < 0:
            raise ValueError("spikes must be -1, 0 or +1, and no net count negative")
        flat = spikes.reshape(images * time_steps, height * width, channels)
        step, position, channel = np.nonzero(flat)
        negative = flat[step, position, channel] < 0
        events = (position << POSITION_SHIFT | channel << 1 | negative).astype(np.int32)
        ends = np.searchsorted(step, np.arange(images * time_steps + 1))
        starts = np.arange(images)[:, None] * time_steps + np.arange(time_steps + 1)
        return cls(events, ends[starts].astype(np.int64), (height, width, channels), int(counts.max(initial=0)))

    @property
    def time_steps(self):
        return self.steps.shape[1] - 1

    def to_dense(self):
        """An int8 array of -1, 0 and +1, (images, time steps, h, w, channels)."""
        height, width, channels = self.shape
        dense = np.zeros((len(self.steps) * self.time_steps, height * width, channels), np.int8)
        step = np.repeat(np.arange(len(dense)), np.diff(self.steps).ravel())
        position, channel, sign = self._decoded()
        dense[step, position, channel] = sign
        return dense.reshape(-1, self.time_steps, *self.shape)

    def counts(self):
        """Net spike counts after the last time step, int64 (images, h, w, channels)."""
        height, width, channels = self.shape
        counts = np.zeros((len(self.steps), height * width, channels), np.int64)
        image = np.repeat(np.arange(len(counts)), self.steps[:, -1] - self.steps[:, 0])
        position, channel, sign = self._decoded()
        np.add.at(counts, (image, position, channel), sign)
        return counts.reshape(-1, *self.shape)

    def _decoded(self):
        position = self.events >> POSITION_SHIFT
        channel = (self.events & ROW_MASK) >> 1
        return position, channel, 1 - 2 * (self.events & 1)


def check_event_range(positions, channels):
    """Raises ValueError if an event cannot hold so many positions or channels."""
    if positions > 2**15 or channels > 2**15:
        raise ValueError(f"{positions} positions and {channels} channels, expected at most {2**15} of each")
