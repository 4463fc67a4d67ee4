"""A whole base against itself: the same comparisons and weights as for one pair, asked once per distinct pair of values.

Equal values are told by their numbers; what differs is looked at only where the pair could still come out as one and
the same. So most of the pairs that merely share a key cost a few additions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.domain.linkage.columns import COMPARED, Column, Columns, Numbers, chunks
from service.domain.linkage.comparing import BETWEEN, MISSING, SAME, SCALES, common, crosswise, level
from service.domain.linkage.model import Model, share

# From what is asked cheaply, over few distinct values, to what has nearly as many pairs of values as of records.
_ORDER = (
    "family",
    "given",
    "patronymic",
    "birth",
    "postal_code",
    "city",
    "title",
    "requisite",
    "phone",
    "email",
    "street",
)
_POSITION = {name: place for place, name in enumerate(SCALES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """The pairs that reach the bound, by the positions of their records, with the sum of their weights."""

    one: Numbers
    other: Numbers
    total: Numbers


def levels(base: Columns, one: Numbers, other: Numbers) -> Numbers:
    """The levels of the pairs as `compare` finds them: a row for each pair, a column for each scale."""
    found = np.full((len(one), len(SCALES)), MISSING, np.int8)
    for name in COMPARED:
        found[:, _POSITION[name]] = _levels(name, base.by_name[name], one, other)
    _align(base, one, other, found)
    return found


def _levels(name: str, column: Column, one: Numbers, other: Numbers) -> Numbers:
    return _crossed(name, column, column, column.codes[one], column.codes[other])


def _crossed(name: str, column: Column, across: Column, first: Numbers, second: Numbers) -> Numbers:
    """The levels between values of one column and of another, each distinct pair of them asked once."""
    found = np.full(len(first), MISSING, np.int8)
    there = np.flatnonzero((first != 0) & (second != 0))
    if column is across:
        equal = there[first[there] == second[there]]
        found[equal] = SAME
        there = there[first[there] != second[there]]
    together = first[there].astype(np.int64) << 32 | second[there]
    distinct, back = np.unique(together, return_inverse=True)
    asked = [level(name, column.text(pair >> 32), across.text(pair & 0xFFFFFFFF)) for pair in distinct.tolist()]
    found[there] = np.array(asked, np.int8)[back]
    return found


def _align(base: Columns, one: Numbers, other: Numbers, found: Numbers) -> None:
    """Family and given names crosswise where that fits better, as `crosswise` decides."""
    family, given, order = (_POSITION[name] for name in ("family", "given", "order"))
    both = (found[:, family] != MISSING) & (found[:, given] != MISSING)
    found[both, order] = SAME
    doubtful = np.flatnonzero(both & (found[:, family] > 2) & (found[:, given] > 0))
    families, givens = base.by_name["family"], base.by_name["given"]
    across = _crossed("given", families, givens, families.codes[one[doubtful]], givens.codes[other[doubtful]])
    back = _crossed("given", givens, families, givens.codes[one[doubtful]], families.codes[other[doubtful]])
    for place, *found_levels in zip(
        doubtful.tolist(),
        found[doubtful, family].tolist(),
        found[doubtful, given].tolist(),
        across.tolist(),
        back.tolist(),
    ):
        turned = crosswise(*found_levels)
        found[place, order] = turned["order"]
        found[place, family] = turned.get("family", found_levels[0])
        found[place, given] = turned.get("given", found_levels[1])


def score(base: Columns, pairs: Numbers, model: Model, *, bound: float) -> Scored:
    """The pairs whose weights add up to the bound or more."""
    weights = _Weights(base, model)
    parts = [weights.scored(one, other, bound) for one, other in chunks(pairs, base.count)]
    return Scored(
        one=_joined([part.one for part in parts]),
        other=_joined([part.other for part in parts]),
        total=_joined([part.total for part in parts]),
    )


def _joined(parts: Sequence[Numbers]) -> Numbers:
    return np.concatenate(parts) if parts else np.zeros(0)


class _Weights:
    """The model's weights as arrays: by level, and of a common value by its number."""

    def __init__(self, base: Columns, model: Model) -> None:
        self._base = base
        self._model = model
        self._start = np.log2(model.prior / (1 - model.prior))
        # The last place stands for a missing value, which -1 finds.
        self._by_level = {
            name: np.append(np.log2(np.array(model.same[name]) / np.array(model.others[name])), 0.0) for name in SCALES
        }
        self._of_value = {name: self._value_weights(name) for name in COMPARED if name in model.rarest}

    def _value_weights(self, name: str) -> Numbers:
        model, column = self._model, self._base.by_name[name]
        same = model.same[name][SAME]
        found = np.full(len(column.starts), np.log2(same / model.rarest[name]), np.float32)
        for code in self._common(name, column):
            shared = min(share(model, name, value) for value in column.text(code).split(BETWEEN))
            found[code] = np.log2(same / shared)
        return found

    def _common(self, name: str, column: Column) -> list[int]:
        """The numbers of the values that might be in the model's list of common ones."""
        if not self._model.frequency.get(name):
            return []
        counts = np.bincount(column.codes, minlength=len(column.starts))
        return [int(code) for code in np.flatnonzero(counts > 1) if code]

    def scored(self, one: Numbers, other: Numbers, bound: float) -> Scored:
        base = self._base
        found = levels(base, one, other)
        total = np.full(len(one), self._start)
        for name in SCALES:
            total += self.of(name, found[:, _POSITION[name]], one, other)
        reached = total >= bound
        return Scored(one=one[reached], other=other[reached], total=total[reached])

    def of(self, name: str, placed: Numbers, one: Numbers, other: Numbers) -> Numbers:
        weights = self._by_level[name][placed]
        if name not in self._of_value:
            return weights
        column, by_value = self._base.by_name[name], self._of_value[name]
        same = np.flatnonzero(placed == SAME)
        first, second = column.codes[one[same]], column.codes[other[same]]
        equal = first == second
        weights[same[equal]] = by_value[first[equal]]
        for place, left, right in zip(
            same[~equal].tolist(), first[~equal].tolist(), second[~equal].tolist(), strict=True
        ):
            weights[place] = self._of_shared(name, common(column.text(left), column.text(right)))
        return weights

    def _of_shared(self, name: str, shared: str) -> float:
        model = self._model
        if not shared:
            return float(self._by_level[name][SAME])
        others = min(share(model, name, value) for value in shared.split(BETWEEN))
        return float(np.log2(model.same[name][SAME] / others))
