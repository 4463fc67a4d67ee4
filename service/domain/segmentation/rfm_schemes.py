"""Saved schemes of RFM: how a tenant scores its base, under a name, over all customers or those whom a rule means.

Rules that ask for letters and groups (`rfm.r`, `rfm.group` …) mean one scheme of the tenant: the one that is marked
`in_rules`, else the usual one (fifths by quantiles, all time, the tenant's currency, the default map).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from service.domain.errors import Conflict, NotFound, Rejected
from service.domain.segmentation.rfm import RfmScheme, Thresholds
from service.domain.segmentation.rfm_groups import Box, GroupMap

MOST_SCHEMES = 50


class NoScheme(NotFound):
    code = "rfm-scheme-not-found"
    title = "There is no such RFM scheme."


class TooManySchemes(Conflict):
    code = "too-many-rfm-schemes"
    title = "A tenant may have 50 RFM schemes; delete one that is not needed any more."


class SchemeInRules(Conflict):
    code = "rfm-scheme-in-rules"
    title = "Rules ask for the scores of this scheme; mark another one first."


class WithoutCuts(Rejected):
    code = "rfm-without-cuts"
    title = "`ntile` has no cuts: each customer's score hangs on all the others, so nothing can be advised."


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedScheme:
    """A scheme under a name; `population` is a rule as text."""

    scheme_id: UUID
    name: str
    scheme: RfmScheme = field(default_factory=RfmScheme)
    population: str | None = None
    in_rules: bool = False
    version: int = 1
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfScheme:
    """A saved scheme, as of a day; without an id the usual one."""

    scheme_id: UUID | None = None
    as_of: date | None = None


def group_map(bins: int, boxes: Sequence[Mapping[str, Any]]) -> GroupMap:
    """The map of plain boxes. Raises GroupMapIncomplete."""
    return GroupMap(bins=bins, boxes=tuple(_box(**box) for box in boxes))


def _box(group: str, r: Sequence[int], f: Sequence[int], m: Sequence[int] | None = None) -> Box:
    return Box(group=group, r=(r[0], r[1]), f=(f[0], f[1]), m=None if m is None else (m[0], m[1]))


def plain_boxes(groups: GroupMap) -> list[dict[str, Any]]:
    """The boxes of a map as plain values."""
    return [asdict(box) for box in groups.boxes]


def thresholds(plain: Mapping[str, Sequence[int]] | None) -> Thresholds | None:
    """Thresholds of plain values."""
    return None if plain is None else Thresholds(**{name: tuple(values) for name, values in plain.items()})
