"""The profiles of a whole base, packed: a million fit into a few hundred megabytes.

Each comparison has a column: the texts one after another, and for each record the number of its value among the
distinct ones (0 where it is missing). The keys lie beside them as hashes.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.domain.linkage.comparing import SCALES, values
from service.domain.linkage.keys import keys
from service.domain.linkage.profile import Profile

Numbers = NDArray[Any]
_AT_ONCE = 10_000
_HOLDER_BITS = 24
COMPARED = tuple(name for name in SCALES if name != "order")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """The values of one comparison: `codes` by record, and where the text of each distinct value begins and ends."""

    codes: Numbers
    starts: Numbers
    ends: Numbers
    texts: bytes

    def text(self, code: int) -> str:
        return self.texts[self.starts[code] : self.ends[code]].decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A base ready to be compared; records go by their position."""

    count: int
    by_name: Mapping[str, Column]
    # The hash of every key, and whose it is, in the order of the records; wanted only until the records have met.
    keys: Numbers
    holders: Numbers


def columns(profiles: Iterable[Profile], key_hash: Callable[[str], int] = hash) -> Columns:
    """Pack the profiles; they are read once and not kept. `key_hash` makes 64 bits of a key."""
    packers = {name: _Packer() for name in COMPARED}
    hashes, many = array("q"), array("i")
    count = 0
    left = iter(profiles)
    while batch := list(islice(left, _AT_ONCE)):
        told = [values(profile) for profile in batch]
        for name, packer in packers.items():
            packer.add([row[name] for row in told])
        for profile in batch:
            found = keys(profile)
            hashes.extend(map(key_hash, found))
            many.append(len(found))
        count += len(batch)
    return Columns(
        count=count,
        by_name={name: packers.pop(name).packed() for name in COMPARED},
        keys=np.frombuffer(hashes, dtype=np.int64),
        holders=np.repeat(np.arange(count, dtype=np.int32), np.frombuffer(many, dtype=np.int32)),
    )


class _Packer:
    """Takes texts in; what is equal is told by its hash of 64 bits."""

    def __init__(self) -> None:
        self._texts = bytearray()
        self._hashes = array("q")
        self._lengths = array("i")

    def add(self, texts: Sequence[str]) -> None:
        encoded = [text.encode() for text in texts]
        self._texts += b"".join(encoded)
        self._hashes.extend(map(hash, texts))
        self._lengths.extend(map(len, encoded))

    def packed(self) -> Column:
        hashes = np.frombuffer(self._hashes, dtype=np.int64)
        lengths = np.frombuffer(self._lengths, dtype=np.int32)
        # A column of two thousand million signs would need longer numbers.
        ends: Numbers = np.cumsum(lengths, dtype=np.int64 if len(self._texts) >= 2**31 else np.int32)
        starts: Numbers = (ends - lengths).astype(ends.dtype)
        _, first, codes = np.unique(hashes, return_index=True, return_inverse=True)
        missing = np.flatnonzero(starts[first] == ends[first])
        order = _missing_first(len(first), missing)
        return Column(
            codes=order[codes].astype(np.int32),
            starts=_placed(order, starts[first]),
            ends=_placed(order, ends[first]),
            texts=bytes(self._texts),
        )


def _missing_first(distinct: int, missing: Numbers) -> Numbers:
    """New numbers of the values: 0 is for the missing one, whether or not there is one."""
    order = np.arange(1, distinct + 1)
    if len(missing):
        order = np.where(np.arange(distinct) > missing[0], order - 1, order)
        order[missing[0]] = 0
    return order


def _placed(order: Numbers, found: Numbers) -> Numbers:
    placed: Numbers = np.zeros(len(order) + 1, found.dtype)
    placed[order] = found
    return placed


def meetings(base: Columns, *, most: int) -> Numbers:
    """The pairs (smaller position first, packed into one number each) that share a key; at most so many and no repeats.

    Keys that few share are taken first: what is on thousands of records tells little, and would cost their square.
    """
    # Sorted in place, with the position of the record behind 40 bits of the hash: two keys in 10¹² look alike, and then
    # two records are compared in vain.
    keys = base.keys << _HOLDER_BITS
    keys |= base.holders
    keys.sort()
    holders = keys.astype(np.int32)
    holders &= (1 << _HOLDER_BITS) - 1
    keys >>= _HOLDER_BITS
    begins = np.flatnonzero(np.concatenate((np.ones(1, bool), keys[1:] != keys[:-1]))) if len(keys) else keys
    sizes = np.diff(np.append(begins, len(keys)))
    del keys
    begins, sizes = begins[sizes > 1], sizes[sizes > 1]
    largest = _largest(sizes, most)
    parts = [
        _pairs(holders, begins[sizes == size], size, base.count) for size in np.unique(sizes) if 2 <= size <= largest
    ]
    return _distinct(parts)


def _largest(sizes: Numbers, most: int) -> int:
    counts = np.bincount(sizes) if len(sizes) else np.zeros(1, np.int64)
    pairs = np.cumsum(counts * (np.arange(len(counts)) * (np.arange(len(counts)) - 1) // 2))
    return int(np.searchsorted(pairs, most, side="right")) - 1


def _pairs(holders: Numbers, begins: Numbers, size: int, count: int) -> Numbers:
    left, right = np.triu_indices(size, 1)
    members = holders[begins[:, None] + np.arange(size)]
    one, other = members[:, left].ravel().astype(np.int64), members[:, right].ravel().astype(np.int64)
    return np.minimum(one, other) * count + np.maximum(one, other)


def _distinct(parts: list[Numbers]) -> Numbers:
    if not parts:
        return np.zeros(0, np.int64)
    together: Numbers = np.concatenate(parts)
    parts.clear()
    together.sort()
    once: Numbers = together[np.concatenate((np.ones(1, bool), together[1:] != together[:-1]))]
    return once


def chunks(pairs: Numbers, count: int, size: int = 400_000) -> Iterator[tuple[Numbers, Numbers]]:
    """The positions of both sides, in pieces that bound the memory."""
    for begin in range(0, len(pairs), size):
        piece = pairs[begin : begin + size]
        yield piece // count, piece % count
