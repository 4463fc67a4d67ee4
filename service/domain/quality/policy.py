"""What a tenant has decided about its data: which checks count and how much, and what a write may hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from service.domain.errors import Rejected
from service.domain.quality.model import USUAL_LIVES, Cause, Severity
from service.domain.quality.scoring import USUAL_WEIGHTS

# What becomes of a write that holds something wrong: it is noted, told of in the answer, or refused.
Verdicts = Literal["record", "warn", "refuse"]
MOST_OWN_CHECKS = 20
OWN_CHECK = "own."


class DataRefused(Rejected):
    code = "data-refused"
    title = "The tenant refuses records with errors like these; the answer names each field."


class OwnCheckTwice(Rejected):
    code = "own-check-twice"
    title = "Two of the own checks have the same code."


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCheck:
    """A check of the tenant's own: whom its rule means has something wrong, told of that field."""

    code: str
    title: str
    rule: str
    cause: Cause = Cause.MISSING
    severity: Severity = Severity.WARNING
    field: str = "record"


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityPolicy:
    """What holds now, be it decided or usual."""

    on_write: Verdicts = "record"
    on_import: Verdicts = "record"
    nightly: bool = True
    off: frozenset[str] = frozenset()
    severities: Mapping[str, Severity] = field(default_factory=dict)
    weights: Mapping[str, int] = field(default_factory=lambda: dict(USUAL_WEIGHTS))
    own: Sequence[OwnCheck] = ()
    # In months; 0 is for ever. And what must be filled, by kind and status of a record.
    lives: Mapping[str, int] = field(default_factory=lambda: dict(USUAL_LIVES))
    required: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, policies: Mapping[str, Any]) -> "QualityPolicy":
        """From all the policies of a tenant."""
        section = policies.get("quality", {})
        usual = cls()
        return cls(
            on_write=_one(section.get("on_write")),
            on_import=_one(section.get("on_import")),
            nightly=section.get("nightly", True),
            off=frozenset(section.get("off", ())),
            severities={code: Severity(one) for code, one in section.get("severities", {}).items()},
            weights={**usual.weights, **section.get("weights", {})},
            own=tuple(_own(one) for one in section.get("own_checks", ())),
            lives={**usual.lives, **section.get("lives", {})},
            required={of: frozenset(names) for of, names in section.get("required", {}).items()},
        )


def _one(given: object) -> Verdicts:
    return next((one for one in get_args(Verdicts) if one == given), "record")


def _own(given: Mapping[str, Any]) -> OwnCheck:
    return OwnCheck(
        code=OWN_CHECK + given["code"],
        title=given["title"],
        rule=given["rule"],
        cause=Cause(given.get("cause", Cause.MISSING)),
        severity=Severity(given.get("severity", Severity.WARNING)),
        field=given.get("field") or "record",
    )
