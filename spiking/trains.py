"""Spike trains as events.

An event is one int32, position << shift | channel << 1 | (1 for a negative spike), with position = row * width +
column. The channels of a layer decide the shift, and its positions have the bits that are left. Where neurons fire
bursts, several spikes of one sign in a time step, an event stands for a whole burst.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spiking.edges import position_shift
from spiking.vectors import WIDTH
from spiking.weight_grid import INT32_MAX

# columns of statistics: spikes, those of them that are negative, synaptic operations
SPIKES, NEGATIVE, SOPS = range(3)
NO_SPIKES = np.zeros(0, np.int32)


class Events(NamedTuple):
    """What the kernels read and write of a spike train: its events in order of image and time step."""

    events: np.ndarray  # int32 (events,)
    sizes: np.ndarray  # int32 (events,), spikes of each event; (0,) if each is one
    steps: np.ndarray  # int64 (images, time steps + 1); events[steps[i, t]:steps[i, t + 1]]: image i in step t
    statistics: np.ndarray  # int64 (time steps, 3), of all images; what reads a spike adds its synaptic operations
    shift: int  # of the position in an event

    @classmethod
    def reserved(cls, images, time_steps, shape, bursts):
        """Empty arrays in which every neuron may fire in every step; memory is taken only by what is written.

        Raises
        ------
        MemoryError
            The machine does not even reserve so much.
        """
        # WIDTH events are written before it is known which of them stay
        most = images * time_steps * int(np.prod(shape)) + WIDTH
        try:
            steps, statistics = np.zeros((images, time_steps + 1), np.int64), np.zeros((time_steps, 3), np.int64)
            events, sizes = np.empty(most, np.int32), np.empty(most if bursts else 0, np.int32)
        except MemoryError:
            size = 4 * most * (2 if bursts else 1) / 1e9
            neurons = "x".join(map(str, shape))
            raise MemoryError(
                f"{neurons} neurons in {time_steps} time steps of {images} images can fire {size:.1f} GB of spikes"
            ) from None
        return cls(events, sizes, steps, statistics, position_shift(shape))

    def written(self):
        """The same without what has not been written."""
        end = self.steps[-1, -1] if len(self.steps) else 0
        return self._replace(events=self.events[:end], sizes=self.sizes[:end])


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
        shift = position_shift((height, width, channels))
        counts = np.cumsum(spikes, axis=1, dtype=np.int64)
        if np.any(spikes != np.rint(spikes)) or counts.min(initial=0) < 0:
            raise ValueError("spikes are no integers or a net count is negative, expected counts of at least 0")
        flat = spikes.reshape(images * time_steps, height * width, channels)
        step, position, channel = np.nonzero(flat)
        spike = flat[step, position, channel].astype(np.int32)
        events = (position << shift | channel << 1 | (spike < 0)).astype(np.int32)
        sizes = np.abs(spike)
        ends = np.searchsorted(step, np.arange(images * time_steps + 1))
        starts = np.arange(images)[:, None] * time_steps + np.arange(time_steps + 1)
        summed = np.zeros((time_steps, 3), np.int64)
        summed[:, SPIKES] = np.abs(spikes.astype(np.int64)).sum(axis=(0, 2, 3, 4))
        summed[:, NEGATIVE] = np.maximum(-spikes.astype(np.int64), 0).sum(axis=(0, 2, 3, 4))
        sizes = sizes if np.any(sizes > 1) else sizes[:0]
        data = Events(events, sizes, ends[starts].astype(np.int64), summed, shift)
        return cls(data, (height, width, channels), int(counts.max(initial=0)))

    def extended(self, train):
        """The train of these images followed by those of another train of the same layer.

        Extends the arrays in place, so that spikes are in memory once; this train must not be used afterwards.
        """
        data, begin = self.data, len(self.data.events)
        for mine, further in [(data.events, train.data.events), (data.sizes, train.data.sizes)]:
            mine.resize(len(mine) + len(further), refcheck=False)
            mine[len(mine) - len(further) :] = further
        steps = np.concatenate([data.steps, train.data.steps + begin])
        data = data._replace(steps=steps, statistics=data.statistics + train.data.statistics)
        return SpikeTrain(data, self.shape, max(self.peak_count, train.peak_count))

    def compact(self):
        """A copy; the memory that was reserved for the original, beyond what is written, can be freed."""
        data = self.data._replace(events=self.data.events.copy(), sizes=self.data.sizes.copy())
        return SpikeTrain(data, self.shape, self.peak_count)

    def without_spikes(self):
        """The same statistics and steps, without the spikes themselves."""
        return SpikeTrain(self.data._replace(events=NO_SPIKES, sizes=NO_SPIKES), self.shape, self.peak_count)

    @property
    def images(self):
        return len(self.data.steps)

    @property
    def time_steps(self):
        return self.data.steps.shape[1] - 1

    @property
    def statistics(self):
        """int64 (time steps, 3), summed over the images; columns SPIKES, NEGATIVE and SOPS.

        Synaptic operations are counted where a spike is read, so they are complete once all readers have run.
        """
        return self.data.statistics

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
        events, sizes, shift = self.data.events, self.data.sizes, self.data.shift
        sign = 1 - 2 * (events & 1)
        spike = sign * sizes if len(sizes) else sign
        np.add.at(result, (row, events >> shift, (events & (1 << shift) - 1) >> 1), spike)
        return result
