"""Files damaged in every way, the memory that reading one may take, and a full disk."""

import resource
import tracemalloc
from contextlib import contextmanager

from hypothesis import strategies as st


@contextmanager
def little_memory():
    """Fails if the body holds more than 32 MiB at any moment."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


@contextmanager
def no_file_above(size):
    """A full disk, as far as one file can see it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def flip_bit(content, place):
    """The bytes with one bit changed; `place` from 0 to 1 says which."""
    bit = int(place * (8 * len(content) - 1))
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


places = st.floats(0, 1)
damages = st.one_of(
    st.lists(places, min_size=1, max_size=3).map(lambda bits: ("flip", bits)),
    places.map(lambda place: ("truncate", place)),
    st.binary(min_size=1, max_size=100).map(lambda tail: ("extend", tail)),
)


def damaged(content, damage):
    kind, detail = damage
    if kind == "truncate":
        return content[: int(detail * (len(content) - 1))]
    if kind == "extend":
        return content + detail
    for place in detail:
        content = flip_bit(content, place)
    return content
