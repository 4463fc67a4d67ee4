"""A whole base against itself: the comparisons and weights of one pair, asked once per distinct pair of values.

Equal values are told by their numbers; what differs is looked at only where the pair could still come out as one and
the same. So most of the pairs that merely share a key cost a few additions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.domain.linkage.beside import LEVEL, Beside
from service.domain.linkage.columns import COMPARED, Column, Columns, Numbers, chunks
from service.domain.linkage.comparing import BETWEEN, MISSING, SAME, SCALES, common
from service.domain.linkage.model import Model, share

# From what is told cheaply to what must be read letter by letter.
_STAGES: Sequence[tuple[str, ...]] = (
    ("phone", "postal_code", "requisite"),
    ("given",),
    ("patronymic", "title", "city"),
    ("family", "order"),
    ("birth",),
    ("street",),
    ("email",),
)

# More than all the evidence there can be.
_KEPT = 1_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """The pairs that reach the bound, by the positions of their records, with the sum of their weights."""

    one: Numbers
    other: Numbers
    total: Numbers


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
        self._beside = Beside(base)
        self._model = model
        self._start = _log_odds(model.prior)
        self._kin_start = _log_odds(model.kin_prior)
        # The last place stands for a missing value, which -1 finds.
        self._by_level = {name: _ratios(model.same[name], model.others[name]) for name in SCALES}
        self._kin_by_level = {name: _ratios(model.kin[name], model.same[name]) for name in SCALES}
        self._of_value = {name: self._value_weights(name) for name in COMPARED if name in model.rarest}

    def _value_weights(self, name: str) -> Numbers:
        model, column = self._model, self._base.by_name[name]
        same = model.same[name][SAME]
        found = np.full(len(column.starts), np.log2(same / model.rarest[name]), np.float32)
        for code in self._common(name, column):
            found[code] = self._of_shared(name, column.text(code))
        return found

    def _common(self, name: str, column: Column) -> list[int]:
        """The numbers of the values that might be in the model's list of common ones."""
        if not self._model.frequency.get(name):
            return []
        counts = np.bincount(column.codes, minlength=len(column.starts))
        counts[0] = 0
        return [int(code) for code in np.flatnonzero(counts > 1)]

    def _of_shared(self, name: str, shared: str) -> float:
        model = self._model
        if not shared or name not in model.rarest:
            return float(self._by_level[name][SAME])
        others = min(share(model, name, value) for value in shared.split(BETWEEN))
        return float(np.log2(model.same[name][SAME] / others))

    def scored(self, one: Numbers, other: Numbers, bound: float) -> Scored:
        """Field by field; a pair is dropped as soon as nothing that is still unread could bring it to the bound."""
        crossing = self._beside.crossing(one, other)
        hopes = {name: self._hope(name, one, other) for name in COMPARED}
        hopes["order"] = np.where(crossing, _KEPT, 0.0)
        total = np.full(len(one), self._start)
        for hope in hopes.values():
            total += hope
        found = np.full((len(one), len(SCALES)), MISSING, np.int8)
        for stage in _STAGES:
            kept = np.flatnonzero(total >= bound)
            one, other, total, found = one[kept], other[kept], total[kept], found[kept]
            hopes = {name: hope[kept] for name, hope in hopes.items()}
            self._beside.fill(stage, one, other, found)
            if "street" in stage:
                self._beside.settle(found)
            for name in stage:
                total += self._of(name, found[:, LEVEL[name]], one, other) - hopes.pop(name)
            # The given names of those that stand crosswise were judged as they stand.
            total[found[:, LEVEL["order"]] == 1] = _KEPT
        return self._judged(one, other, found, bound)

    def _judged(self, one: Numbers, other: Numbers, found: Numbers, bound: float) -> Scored:
        total = np.full(len(one), self._start)
        kin = np.full(len(one), self._kin_start)
        for name in SCALES:
            placed = found[:, LEVEL[name]]
            weights = self._of(name, placed, one, other)
            total += weights
            kin += weights + self._kin_by_level[name][placed]
        total -= np.logaddexp2(0, kin)
        reached = total >= bound
        return Scored(one=one[reached], other=other[reached], total=total[reached])

    def _hope(self, name: str, one: Numbers, other: Numbers) -> Numbers:
        """The most that a comparison could come to, from the numbers of the values alone."""
        column, weights = self._base.by_name[name], self._by_level[name]
        first, second = column.codes[one], column.codes[other]
        most = float(self._of_value[name].max()) if name in self._of_value else float(weights[SAME])
        unlike = np.full(len(one), weights[1:].max())
        if name == "phone" or BETWEEN.encode() in column.texts:
            # One of several may be the same, or be written with its country and without.
            unlike[:] = np.maximum(unlike, most)
        hope = np.where((first == 0) | (second == 0), 0.0, unlike)
        equal = (first == second) & (first != 0)
        hope[equal] = self._of_value[name][first[equal]] if name in self._of_value else weights[SAME]
        # A street in another town says nothing, and so may be worth more than it is against.
        return np.maximum(hope, 0.0) if name == "street" else hope

    def _of(self, name: str, placed: Numbers, one: Numbers, other: Numbers) -> Numbers:
        weights = self._by_level[name][placed]
        if name not in self._of_value:
            return weights
        column, by_value = self._base.by_name[name], self._of_value[name]
        same = np.flatnonzero(placed == SAME)
        first, second = column.codes[one[same]], column.codes[other[same]]
        equal = first == second
        weights[same[equal]] = by_value[first[equal]]
        unlike = zip(same[~equal].tolist(), first[~equal].tolist(), second[~equal].tolist(), strict=True)
        for place, left, right in unlike:
            weights[place] = self._of_shared(name, common(column.text(left), column.text(right)))
        return weights


def _log_odds(chance: float) -> float:
    return float(np.log2(chance / (1 - chance)))


def _ratios(some: Sequence[float], others: Sequence[float]) -> Numbers:
    return np.append(np.log2(np.array(some) / np.array(others)), 0.0)
