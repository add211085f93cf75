"""Spike trains as events.

An event is one int32, position << 16 | channel << 1 | (1 for a negative spike), with
position = row * width + column. Where neurons fire bursts, an event stands for a whole one.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spiking.network import LARGEST_SIZE
from spiking.weight_grid import INT32_MAX

POSITION_SHIFT = 16
ROW_MASK = (1 << POSITION_SHIFT) - 1  # channel << 1 | negative
# columns of statistics: spikes, those of them that are negative, synaptic operations
SPIKES, NEGATIVE, SOPS = range(3)


class Events(NamedTuple):
    """What the kernels read and write of a spike train: its events in order of image and time step."""

    events: np.ndarray  # int32 (events,)
    sizes: np.ndarray  # int32 (events,), unit spikes of each; (0,) if each is one
    steps: np.ndarray  # int64 (images, time steps + 1); events[steps[i, t]:steps[i, t + 1]]: image i in step t

    @classmethod
    def room(cls, images, time_steps, neurons, bursts):
        """Empty arrays in which every neuron may fire in every step; memory is taken only by what is written."""
        room = images * time_steps * neurons + 1  # one event is written before it is known to stay
        steps = np.zeros((images, time_steps + 1), np.int64)
        return cls(np.empty(room, np.int32), np.empty(room if bursts else 0, np.int32), steps)


@dataclass(frozen=True)
class SpikeTrain:
    """The spikes of a layer for some images; those of a time step in any order."""

    data: Events
    shape: tuple[int, int, int]  # (h, w, channels)
    peak_count: int  # the largest net spike count that a neuron has after any time step

    @classmethod
    def from_dense(cls, spikes):
        """From an array of integers, (images, time steps, h, w, channels): beyond -1, 0 and +1 they are bursts."""
        spikes = np.asarray(spikes)
        if spikes.ndim != 5 or spikes.shape[1] == 0:
            raise ValueError(f"spikes have shape {spikes.shape}, expected (images, time steps, h, w, channels)")
        if not np.all(np.abs(spikes) <= INT32_MAX):  # NaN is not, either
            raise ValueError(f"spikes are not finite or beyond {INT32_MAX}, expected int32")
        images, time_steps, height, width, channels = spikes.shape
        check_event_range(height * width, channels)
        counts = np.cumsum(spikes, axis=1, dtype=np.int64)
        if np.any(spikes != np.rint(spikes)) or counts.min(initial=0) < 0:
            raise ValueError("spikes are no integers or a net count is negative, expected counts from 0 on")
        flat = spikes.reshape(images * time_steps, height * width, channels)
        step, position, channel = np.nonzero(flat)
        spike = flat[step, position, channel].astype(np.int32)
        events = (position << POSITION_SHIFT | channel << 1 | (spike < 0)).astype(np.int32)
        sizes = np.abs(spike)
        ends = np.searchsorted(step, np.arange(images * time_steps + 1))
        starts = np.arange(images)[:, None] * time_steps + np.arange(time_steps + 1)
        data = Events(events, sizes if np.any(sizes > 1) else sizes[:0], ends[starts].astype(np.int64))
        return cls(data, (height, width, channels), int(counts.max(initial=0)))

    @property
    def images(self):
        return len(self.data.steps)

    @property
    def time_steps(self):
        return self.data.steps.shape[1] - 1

    def to_dense(self):
        """The spikes as an int32 array, (images, time steps, h, w, channels)."""
        step = np.repeat(np.arange(self.images * self.time_steps), np.diff(self.data.steps).ravel())
        return self._summed(step, self.images * self.time_steps).reshape(-1, self.time_steps, *self.shape)

    def counts(self):
        """Net spike counts after the last time step, int32 (images, h, w, channels)."""
        image = np.repeat(np.arange(self.images), self.data.steps[:, -1] - self.data.steps[:, 0])
        return self._summed(image, self.images).reshape(-1, *self.shape)

    def quiescent(self):
        """Whether nothing fired in the last step, bool (images,)."""
        return self.data.steps[:, -1] == self.data.steps[:, -2]

    def _summed(self, row, rows):
        """The signed sum of the spikes of each row and neuron, (rows, positions, channels)."""
        height, width, channels = self.shape
        result = np.zeros((rows, height * width, channels), np.int32)
        events, sizes = self.data.events, self.data.sizes
        sign = 1 - 2 * (events & 1)
        spike = sign * sizes if len(sizes) else sign
        np.add.at(result, (row, events >> POSITION_SHIFT, (events & ROW_MASK) >> 1), spike)
        return result


def check_event_range(positions, channels):
    """Raises ValueError if an event cannot hold so many positions or channels."""
    if positions > LARGEST_SIZE or channels > LARGEST_SIZE:
        raise ValueError(f"{positions} positions and {channels} channels, expected at most {LARGEST_SIZE} of each")
