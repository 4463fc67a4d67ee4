"""What a base teaches about itself: common values, chance agreement, and by EM how one and the same come to differ.

The default model is the first guess and keeps its say: its chances count as so many pairs beside the observed ones, so
a small base stays near it and a large one learns its own habits.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from service.domain.linkage.beside import Beside
from service.domain.linkage.columns import COMPARED, Column, Columns, Numbers
from service.domain.linkage.comparing import BETWEEN, MISSING, SCALES
from service.domain.linkage.model import DEFAULT, Model

_SAID_SAME = 60.0
_SAID_OTHERS = 3_000.0
_ROUNDS = 25
_SETTLED = 0.001
_SAMPLE = 60_000
_COMMON = 5_000
# A contact on a handful of cards is what duplicates are; on more it is a switchboard or a joke.
_CARDS_OF_ONE = 8
_NAMES = ("family", "given", "patronymic", "title", "city", "postal_code", "birth", "street")
Chances = Mapping[str, tuple[float, ...]]


def learnt(base: Columns, pairs: Numbers, start: Model = DEFAULT) -> Model:
    """The model of a base, from the default, its own values and the pairs that share a key."""
    if base.count < 2 or not len(pairs):
        return start
    beside = Beside(base)
    drawn = np.random.default_rng(1)
    sample = drawn.choice(pairs, _SAMPLE, replace=False) if len(pairs) > _SAMPLE else pairs
    model = _with_frequencies(base, replace(start, others=_chance(base, beside, drawn, start)))
    patterns, counts = np.unique(beside.levels(sample // base.count, sample % base.count), axis=0, return_counts=True)
    return _expected(model, start, patterns, counts * (len(pairs) / len(sample)), base.count)


def _chance(base: Columns, beside: Beside, drawn: np.random.Generator, start: Model) -> Chances:
    """How often records drawn at random agree."""
    one, other = drawn.integers(0, base.count, (2, min(_SAMPLE, 30 * base.count)))
    apart = one != other
    seen = beside.levels(one[apart], other[apart])
    return {
        name: _blended(
            _counted(seen[:, place], np.ones(len(seen)), len(scale.levels)), start.others[name], _SAID_OTHERS
        )
        for place, (name, scale) in enumerate(SCALES.items())
    }


def _with_frequencies(base: Columns, model: Model) -> Model:
    told = {name: _frequencies(name, base.by_name[name], base.count) for name in COMPARED}
    return replace(
        model,
        frequency={name: shares for name, (shares, _) in told.items()},
        rarest={name: rarest for name, (_, rarest) in told.items()},
    )


def _frequencies(name: str, column: Column, count: int) -> tuple[dict[str, float], float]:
    counts = np.bincount(column.codes, minlength=len(column.starts))
    counts[0] = 0
    filled = max(1, int(counts.sum()))
    rarest = max(DEFAULT.others[name][0] / 10, 1 / filled) if name in _NAMES else DEFAULT.others[name][0]
    allowed = 1 if name in _NAMES else _CARDS_OF_ONE
    often = [int(code) for code in np.argsort(counts)[::-1][:_COMMON] if counts[code] > allowed]
    shares: dict[str, float] = {}
    for code in often:
        for value in column.text(code).split(BETWEEN):
            shares[value] = shares.get(value, 0.0) + counts[code] / filled
    return shares, rarest


def _expected(model: Model, start: Model, patterns: Numbers, counts: Numbers, records: int) -> Model:
    """Expectation and maximisation over the kinds of pairs; what is sought never moves the chance agreement."""
    everything = records * (records - 1) / 2
    for _ in range(_ROUNDS):
        alike = _log_odds(model.prior) + _evidence(patterns, model.same, model.others)
        kin = _log_odds(model.kin_prior) + _evidence(patterns, model.kin, model.others)
        all_kinds = np.logaddexp2(np.logaddexp2(alike, kin), 0.0)
        same = counts * np.exp2(alike - all_kinds)
        prior, kin_prior = (
            float(np.clip(part.sum() / everything, 1e-10, 0.05)) for part in (same, counts * np.exp2(kin - all_kinds))
        )
        settled = abs(np.log2(prior / model.prior)) < _SETTLED
        model = replace(model, prior=prior, kin_prior=kin_prior, same=_habits(patterns, same, start))
        if settled:
            break
    return model


def _log_odds(chance: float) -> float:
    return float(np.log2(chance / (1 - chance)))


def _evidence(patterns: Numbers, some: Chances, others: Chances) -> Numbers:
    total = np.zeros(len(patterns))
    for place, name in enumerate(SCALES):
        # The last place stands for a missing value, which -1 finds.
        total += np.append(np.log2(np.array(some[name]) / np.array(others[name])), 0.0)[patterns[:, place]]
    return total


def _habits(patterns: Numbers, same: Numbers, start: Model) -> Chances:
    return {
        name: _blended(_counted(patterns[:, place], same, len(scale.levels)), start.same[name], _SAID_SAME)
        for place, (name, scale) in enumerate(SCALES.items())
    }


def _counted(placed: Numbers, counts: Numbers, size: int) -> Numbers:
    there = placed != MISSING
    return np.bincount(placed[there], weights=counts[there], minlength=size)


def _blended(seen: Numbers, said: tuple[float, ...], weight: float) -> tuple[float, ...]:
    blended = seen + weight * np.array(said)
    return tuple(float(part) for part in blended / blended.sum())
