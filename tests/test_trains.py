"""Spike trains as events: what they hold, and what stays when they are joined, copied or emptied."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from spiking.encoding import image_train
from spiking.trains import NEGATIVE, SPIKES, Events, SpikeTrain
from spiking.vectors import WIDTH

# two images, three time steps, one neuron: one that still fires in the last step and one that does not
SINGLE = np.array([[1, -1, 1], [1, 0, 0]]).reshape(2, 3, 1, 1, 1)
SILENT = np.zeros((2, 3, 1, 1, 1), int)


def arrays_of(train):
    return train.data.events, train.data.sizes, train.data.steps, train.statistics


@pytest.mark.parametrize("bursts", [False, True])
def test_reserved_events_have_room_for_every_neuron_in_every_step(bursts):
    events = Events.reserved(3, 5, (2, 4, 6), bursts)
    most = 3 * 5 * 2 * 4 * 6 + WIDTH
    assert (events.events.shape, events.events.dtype) == ((most,), np.int32)
    assert (events.sizes.shape, events.sizes.dtype) == ((most if bursts else 0,), np.int32)
    assert_array_equal(events.steps, np.zeros((3, 5 + 1), np.int64), strict=True)
    assert_array_equal(events.statistics, np.zeros((5, 3), np.int64), strict=True)


@pytest.mark.parametrize(("bursts", "size"), [(False, "400000000.0"), (True, "800000000.0")])
def test_more_spikes_than_any_machine_has_memory_for_are_refused_with_their_size(bursts, size):
    """Ten times 10^16 neurons, each spike in 4 bytes, or in 8 where it has a size."""
    expected = f"^1000x10000x1000000000 neurons in 5 time steps of 2 images can fire {size} GB of spikes$"
    with pytest.raises(MemoryError, match=expected):
        Events.reserved(2, 5, (1000, 10_000, 10**9), bursts)


def test_arrays_of_a_train_are_of_the_types_that_the_kernels_take():
    train = SpikeTrain.from_dense(2.0 * SINGLE)
    assert [array.dtype for array in arrays_of(train)] == [np.int32, np.int32, np.int64, np.int64]
    assert train.to_dense().dtype == train.counts().dtype == np.int32


def test_single_spikes_need_no_sizes_and_bursts_do():
    assert len(SpikeTrain.from_dense(SINGLE).data.sizes) == 0
    assert SpikeTrain.from_dense(2 * SINGLE).data.sizes.tolist() == [2, 2, 2, 2]


def test_peak_is_the_largest_net_count_after_any_step_and_0_where_nothing_fires():
    assert SpikeTrain.from_dense(np.array([3, -2, 1, -2]).reshape(1, 4, 1, 1, 1)).peak_count == 3
    assert SpikeTrain.from_dense(SILENT).peak_count == 0
    assert image_train(np.zeros((2, 3, 3, 1), np.uint8), (3, 3, 1), time_steps=4).peak_count == 0
    assert SpikeTrain.from_dense(np.float32([2**24, 1]).reshape(1, 2, 1, 1, 1)).peak_count == 2**24 + 1


def test_images_are_quiescent_unless_something_fires_in_the_last_step():
    assert SpikeTrain.from_dense(SINGLE).quiescent().tolist() == [False, True]
    assert SpikeTrain.from_dense(SILENT).quiescent().tolist() == [True, True]


def test_train_of_images_begins_with_statistics_of_0_in_each_of_its_steps():
    assert_array_equal(
        image_train(np.ones((2, 3, 3, 1), int), (3, 3, 1), 4).statistics, np.zeros((4, 3), np.int64), strict=True
    )


@pytest.mark.parametrize(("first", "second"), [(SINGLE, 1 * (SINGLE > 0)), (2 * SINGLE, 3 * SINGLE)])
def test_train_extended_by_another_is_the_train_of_all_images(first, second):
    """Where the events of each image and step lie is what a layer that reads it goes by."""
    extended = SpikeTrain.from_dense(first).extended(SpikeTrain.from_dense(second))
    together = SpikeTrain.from_dense(np.concatenate([first, second]))
    for ours, expected in zip(arrays_of(extended), arrays_of(together), strict=True):
        assert_array_equal(ours, expected)
    assert (extended.shape, extended.peak_count) == (together.shape, together.peak_count)


def test_train_without_its_spikes_keeps_what_is_known_of_them():
    train = SpikeTrain.from_dense(2 * SINGLE)
    emptied = train.without_spikes()
    assert len(emptied.data.events) == len(emptied.data.sizes) == 0
    assert_array_equal(emptied.data.steps, train.data.steps)
    assert emptied.statistics[:, [SPIKES, NEGATIVE]].tolist() == [[4, 0], [2, 2], [2, 0]]
    assert (emptied.shape, emptied.peak_count) == ((1, 1, 1), 2)
