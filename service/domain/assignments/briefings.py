"""The briefing of a portfolio for whoever takes it over, and how the best customers are spread over curators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from service.domain.access import Principal
from service.domain.assignments.errors import NoAssignment
from service.domain.assignments.portfolio import AT_RISK_GROUPS, Portfolio
from service.domain.assignments.ports import AssignmentsTransaction
from service.domain.ports import Clock, UnitOfWork
from service.domain.segmentation import rfm
from service.domain.segmentation.basis import Basis
from service.domain.segmentation.rfm import RfmScheme
from service.domain.staff import NoStaff

_TIMEOUT_MS = 60_000
_SCHEME = RfmScheme()


@dataclass(frozen=True, slots=True, kw_only=True)
class Briefing:
    """`found` are the sums and lists of the portfolio; groups are those of RFM by the cuts of the caller's reach."""

    as_of: date
    currency: str
    computed_at: datetime
    found: Mapping[str, Any]
    groups: Sequence[Mapping[str, Any]]
    at_risk: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Concentration:
    """Class A is that of the caller's reach; shares are of the revenue of class A."""

    as_of: date
    currency: str
    computed_at: datetime
    a_customers: int
    a_revenue: int
    curators: Sequence[Mapping[str, Any]]


class BriefingService:
    def __init__(self, uow: UnitOfWork[AssignmentsTransaction], clock: Clock) -> None:
        self._uow = uow
        self._clock = clock

    async def briefing(self, principal: Principal, portfolio: Portfolio, *, top: int) -> Briefing:
        """What there is in a portfolio, as far as the caller reaches it."""
        basis = self._basis(principal)
        async with self._uow.begin(principal, snapshot=True, timeout_ms=_TIMEOUT_MS) as tx:
            if not await tx.portfolios.exists(portfolio):
                raise NoStaff if portfolio.assignment_id is None else NoAssignment
            found = await tx.portfolios.briefing(portfolio, basis, top=top)
            fractions = rfm.wanted_fractions(_SCHEME)
            distribution = await tx.purchases.distribution(basis, _SCHEME.monetary, fractions)
            cuts = rfm.cuts(distribution, _SCHEME, basis.as_of)
            cells = await tx.portfolios.groups(portfolio, basis, cuts)
            at_risk = await tx.portfolios.at_risk(portfolio, basis, cuts, _cells_of(AT_RISK_GROUPS), top)
        return Briefing(
            as_of=basis.as_of,
            currency=basis.currency,
            computed_at=self._clock.now(),
            found=found,
            groups=_by_group(cells),
            at_risk=[{**one, "group": _SCHEME.groups.group_of(one["r"], one["f"])} for one in at_risk],
        )

    async def concentration(self, principal: Principal) -> Concentration:
        """How much of the revenue of class A hangs on whom."""
        basis = self._basis(principal)
        async with self._uow.begin(principal, snapshot=True, timeout_ms=_TIMEOUT_MS) as tx:
            rows = await tx.portfolios.concentration(basis)
        whole = sum(row["a_revenue"] for row in rows)
        return Concentration(
            as_of=basis.as_of,
            currency=basis.currency,
            computed_at=self._clock.now(),
            a_customers=sum(row["a_customers"] for row in rows),
            a_revenue=whole,
            curators=[{**row, "share": share(row["a_revenue"], whole)} for row in rows],
        )

    def _basis(self, principal: Principal) -> Basis:
        return Basis(currency=principal.currency, as_of=self._clock.today(principal.time_zone))


def share(part: int, whole: int) -> Decimal | None:
    """A share of the whole in six decimals; None of nothing."""
    return Decimal(round(Fraction(part * 10**6, whole))).scaleb(-6) if whole > 0 else None


def _cells_of(groups: Sequence[str]) -> list[tuple[int, int]]:
    bins = range(1, _SCHEME.bins + 1)
    return [(r, f) for r in bins for f in bins if _SCHEME.groups.group_of(r, f) in groups]


def _by_group(cells: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every group of the map in its order, empty ones too."""
    sums = {name: {"group": name, "customers": 0, "revenue": 0} for name in _SCHEME.groups.names}
    for cell in cells:
        found: dict[str, Any] = sums[_SCHEME.groups.group_of(cell["r"], cell["f"])]
        found["customers"] += cell["customers"]
        found["revenue"] += cell["revenue"]
    return list(sums.values())
