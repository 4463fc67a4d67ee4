"""Many pairs side by side: their levels, as `compare` finds them, each distinct pair of values asked once.

Numbers of one length (telephones, requisites, postal codes) that differ in three digits are told apart without reading
them.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from service.domain.linkage.columns import Column, Columns, Numbers
from service.domain.linkage.comparing import MISSING, SAME, SCALES, crosswise, level, of_one_town

NAMES = ("family", "given", "order")
LEVEL = {name: place for place, name in enumerate(SCALES)}
_DIGITS = ("phone", "requisite", "postal_code")
_WIDTH = 20
# The kind of a requisite stands before its number, and two kinds are never compared.
_KIND = 4
_READ_AT_ONCE = 400_000


class Beside:
    """Compares pairs of the records of one base."""

    def __init__(self, base: Columns) -> None:
        self._base = base
        self._heads = {name: _heads(base.by_name[name]) for name in _DIGITS}
        self._texts = {
            name: [column.text(code) for code in range(len(column.starts))]
            for name, column in base.by_name.items()
            if len(column.starts) <= _READ_AT_ONCE
        }
        self._initials = {name: _initials(base.by_name[name]) for name in NAMES if name != "order"}

    def levels(self, one: Numbers, other: Numbers) -> Numbers:
        """The levels of the pairs: a row for each pair, a column for each scale."""
        found = np.full((len(one), len(SCALES)), MISSING, np.int8)
        self.fill(tuple(SCALES), one, other, found)
        self.settle(found)
        return found

    def fill(self, names: Sequence[str], one: Numbers, other: Numbers, found: Numbers) -> None:
        """Put the levels of these comparisons in their places."""
        for name in names:
            if name != "order":
                codes = self._base.by_name[name].codes
                found[:, LEVEL[name]] = self._levels(name, name, name, codes[one], codes[other])
        if "order" in names:
            self._align(one, other, found)

    def settle(self, found: Numbers) -> None:
        """What one comparison says about another, once all are there."""
        places = [LEVEL[name] for name in ("street", "city", "postal_code")]
        for kind, rows in _kinds(found[:, places]):
            found[rows, places[0]] = of_one_town(*kind)

    def _levels(self, scale: str, left: str, right: str, first: Numbers, second: Numbers) -> Numbers:
        """The levels between values of one column and of another."""
        found = np.full(len(first), MISSING, np.int8)
        there = (first != 0) & (second != 0)
        if left == right:
            found[there & (first == second)] = SAME
            there &= first != second
        if scale in _DIGITS:
            apart = np.flatnonzero(there)
            apart = apart[self._apart(scale, first[apart], second[apart])]
            found[apart] = len(SCALES[scale].levels) - 1
            there[apart] = False
        asked = np.flatnonzero(there)
        together = first[asked].astype(np.int64) << 32 | second[asked]
        distinct, back = np.unique(together, return_inverse=True)
        found[asked] = np.array(self._read(scale, left, right, distinct), np.int8)[back]
        return found

    def _read(self, scale: str, left: str, right: str, distinct: Numbers) -> list[int]:
        firsts, seconds = (distinct >> 32).tolist(), (distinct & 0xFFFFFFFF).tolist()
        texts = zip(self._told(left, firsts), self._told(right, seconds), strict=True)
        return [level(scale, one, other) for one, other in texts]

    def _told(self, name: str, codes: list[int]) -> Iterator[str]:
        texts = self._texts.get(name)
        return map(self._base.by_name[name].text, codes) if texts is None else (texts[code] for code in codes)

    def _apart(self, name: str, first: Numbers, second: Numbers) -> Numbers:
        """Which of the pairs of numbers are surely different: one length, one kind, and three signs that differ."""
        lengths = self._base.by_name[name].ends - self._base.by_name[name].starts
        left, right = lengths[first], lengths[second]
        differ = self._heads[name][first] != self._heads[name][second]
        apart: Numbers = (left == right) & (left <= _WIDTH) & (differ.sum(axis=1) > 2)
        return apart & ~differ[:, :_KIND].any(axis=1) if name == "requisite" else apart

    def crossing(self, one: Numbers, other: Numbers) -> Numbers:
        """Where family and given name could stand crosswise, by their initials."""
        codes = {name: self._base.by_name[name].codes for name in self._initials}
        families, givens = self._initials["family"][codes["family"]], self._initials["given"][codes["given"]]
        met: Numbers = (families[one] == givens[other]) & (givens[one] == families[other])
        return met

    def _align(self, one: Numbers, other: Numbers, found: Numbers) -> None:
        """Family and given names crosswise where that fits better."""
        family, given, order = (LEVEL[name] for name in NAMES)
        both = (found[:, family] != MISSING) & (found[:, given] != MISSING)
        found[both, order] = SAME
        # What is the same straight can't fit better crosswise.
        maybe = np.flatnonzero(both & (found[:, family] + found[:, given] > 0))
        maybe = maybe[self.crossing(one[maybe], other[maybe])]
        left, right = one[maybe], other[maybe]
        families, givens = (self._base.by_name[name].codes for name in ("family", "given"))
        across = self._levels("given", "family", "given", families[left], givens[right])
        back = self._levels("given", "given", "family", givens[left], families[right])
        for kind, rows in _kinds(np.stack((found[maybe, family], found[maybe, given], across, back), axis=1)):
            for name, placed in crosswise(*kind).items():
                found[maybe[rows], LEVEL[name]] = placed


def _heads(column: Column) -> Numbers:
    """The first signs of each distinct value, side by side."""
    signs = np.frombuffer(column.texts, np.uint8)
    heads = np.zeros((len(column.starts), _WIDTH), np.uint8)
    for place in range(_WIDTH):
        there = column.starts + place < column.ends
        heads[there, place] = signs[column.starts[there] + place]
    return heads


def _initials(column: Column) -> Numbers:
    return np.array([ord(text[0]) if (text := column.text(code)) else 0 for code in range(len(column.starts))])


def _kinds(rows: Numbers) -> Iterator[tuple[tuple[int, ...], Numbers]]:
    """The distinct rows, and where each stands."""
    packed = np.zeros(len(rows), np.int64)
    for place in range(rows.shape[1]):
        packed = packed << 8 | (rows[:, place].astype(np.int64) + 1)
    _, first, back = np.unique(packed, return_index=True, return_inverse=True)
    order = np.argsort(back, kind="stable")
    ends = np.cumsum(np.bincount(back, minlength=len(first)))
    begin = 0
    for place, end in zip(first, ends, strict=True):
        yield tuple(rows[place].tolist()), order[begin:end]
        begin = end
