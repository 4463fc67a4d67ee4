"""Weights of evidence (Fellegi and Sunter): how much each level of each comparison speaks for one and the same.

For every level the model holds how often it is seen between records of one and the same (`same`) and of two different
ones (`others`); the binary logarithm of their ratio is its weight. A value that many records share weighs less than
the average one (term frequencies). The weights of a pair add up to a waterfall, from the odds of any pair at all.

Two records that have much in common need not be one and the same: relatives share a name, a home and a telephone, two
firms an office. So there is a third kind of pair, `kin`, and the last step of a waterfall says how much of the evidence
it explains.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from service.domain.linkage.comparing import BETWEEN, MISSING, SAME, SCALES, Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What was learnt, or the default.

    `prior` is the chance that any two records of the base are one and the same, `kin_prior` that they are of two
    relatives. `frequency` holds, by comparison, the share of records that have a common value; `rarest` stands for all
    others.
    """

    same: Mapping[str, tuple[float, ...]]
    others: Mapping[str, tuple[float, ...]]
    kin: Mapping[str, tuple[float, ...]]
    prior: float
    kin_prior: float
    frequency: Mapping[str, Mapping[str, float]] = field(default_factory=dict, repr=False)
    rarest: Mapping[str, float] = field(default_factory=dict)
    threshold: float = 0.9

    @property
    def bound(self) -> float:
        """The sum of weights from which on a pair counts as one and the same."""
        return math.log2(self.threshold / (1 - self.threshold))

    def stored(self) -> dict[str, Any]:
        """As JSON; the frequencies hold names and addresses, and belong where the records are kept."""
        return {
            "same": {name: list(chances) for name, chances in self.same.items()},
            "others": {name: list(chances) for name, chances in self.others.items()},
            "kin": {name: list(chances) for name, chances in self.kin.items()},
            "prior": self.prior,
            "kin_prior": self.kin_prior,
            "frequency": {name: dict(shares) for name, shares in self.frequency.items()},
            "rarest": dict(self.rarest),
            "threshold": self.threshold,
        }

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Model":
        chances = {part: {name: tuple(row) for name, row in stored[part].items()} for part in ("same", "others", "kin")}
        return cls(
            **chances,
            prior=stored["prior"],
            kin_prior=stored["kin_prior"],
            frequency=stored["frequency"],
            rarest=stored["rarest"],
            threshold=stored["threshold"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One bar of a waterfall: what a comparison came to, and its weight in bits."""

    comparison: str
    level: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """The sum of the evidence about a pair, explained; `probability` that both are one and the same."""

    start: float
    steps: tuple[Step, ...]
    total: float
    probability: float


def weight(comparison: Comparison, model: Model) -> Waterfall:
    """The evidence of a comparison, step by step."""
    start = math.log2(model.prior / (1 - model.prior))
    steps = tuple(
        Step(
            comparison=name,
            level=SCALES[name].levels[level],
            weight=round(_step(model, name, level, comparison.shared.get(name, "")), 3),
        )
        for name, level in zip(SCALES, comparison.levels, strict=True)
        if level != MISSING
    )
    steps += (Step(comparison="household", level="kin", weight=-round(_kinship(comparison, model, steps), 3)),)
    total = round(start + sum(step.weight for step in steps), 3)
    return Waterfall(start=round(start, 3), steps=steps, total=total, probability=probability(total))


def _kinship(comparison: Comparison, model: Model, steps: tuple[Step, ...]) -> float:
    """How much more often two different records are so alike when some are relatives, as a binary logarithm."""
    odds = math.log2(model.kin_prior / (1 - model.kin_prior)) + sum(step.weight for step in steps)
    for name, level in zip(SCALES, comparison.levels, strict=True):
        if level != MISSING:
            odds += math.log2(model.kin[name][level] / model.same[name][level])
    return math.log2(1 + math.exp2(odds)) if odds < 60 else odds


def probability(total: float) -> float:
    """The probability of odds given as a binary logarithm."""
    return 1 / (1 + math.exp2(-max(-60.0, min(60.0, total))))


def _step(model: Model, name: str, level: int, shared: str) -> float:
    others = model.others[name][level]
    if level == SAME and name in model.rarest and shared:
        others = min(share(model, name, value) for value in shared.split(BETWEEN))
    return math.log2(model.same[name][level] / others)


def share(model: Model, name: str, value: str) -> float:
    """How often two different records would both have this value, as far as the model knows."""
    return max(model.frequency.get(name, {}).get(value, 0.0), model.rarest[name])


# Out of a thousand pairs. Learning starts here, and where a base is too small to tell, here it stays.
_SAME: Mapping[str, tuple[float, ...]] = {
    "family": (830, 5, 5, 100, 30, 30),
    "given": (820, 40, 35, 65, 20, 20),
    "patronymic": (830, 2, 60, 70, 20, 18),
    "order": (950, 50),
    "title": (720, 100, 150, 30),
    "birth": (850, 80, 25, 25, 20),
    "phone": (800, 70, 130),
    "email": (780, 90, 40, 40, 50),
    "requisite": (930, 55, 15),
    "street": (700, 150, 70, 80),
    "city": (860, 80, 60),
    "postal_code": (870, 60, 70),
}
_OTHERS: Mapping[str, tuple[float, ...]] = {
    "family": (2, 0.1, 1, 4, 50, 942.9),
    "given": (12, 2, 10, 6, 60, 910),
    "patronymic": (5, 0.5, 10, 8, 80, 896.5),
    "order": (999.5, 0.5),
    "title": (0.2, 0.3, 4, 995.5),
    "birth": (0.05, 0.6, 2.5, 35, 961.85),
    "phone": (0.01, 0.02, 999.97),
    "email": (0.01, 0.01, 0.5, 2, 997.48),
    "requisite": (0.001, 0.01, 999.989),
    "street": (0.1, 0.3, 5, 994.6),
    "city": (30, 20, 950),
    "postal_code": (4, 12, 984),
}
_KIN: Mapping[str, tuple[float, ...]] = {
    "family": (550, 2, 8, 200, 30, 210),
    "given": (8, 2, 10, 10, 60, 910),
    "patronymic": (250, 2, 18, 50, 130, 550),
    "order": (999.5, 0.5),
    "title": (30, 20, 150, 800),
    "birth": (8, 4, 8, 150, 830),
    "phone": (500, 10, 490),
    "email": (120, 20, 20, 100, 740),
    "requisite": (0.1, 0.5, 999.4),
    "street": (850, 100, 20, 30),
    "city": (920, 40, 40),
    "postal_code": (920, 40, 40),
}


def _chances(parts: Mapping[str, tuple[float, ...]]) -> Mapping[str, tuple[float, ...]]:
    return MappingProxyType({name: tuple(part / 1000 for part in row) for name, row in parts.items()})


DEFAULT = Model(same=_chances(_SAME), others=_chances(_OTHERS), kin=_chances(_KIN), prior=1e-5, kin_prior=1e-5)
