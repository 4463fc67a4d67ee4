"""Segmentation on request: the RFM report over what the caller may see, computed now."""

from dataclasses import dataclass
from datetime import date
from itertools import product
from uuid import UUID

from service.domain.access import Principal
from service.domain.errors import Rejected
from service.domain.ports import Clock, UnitOfWork
from service.domain.segmentation import rfm_report
from service.domain.segmentation.basis import Basis
from service.domain.segmentation.ports import PurchasesTransaction, ScoredCustomer
from service.domain.segmentation.rfm import RfmScheme
from service.domain.segmentation.rfm_groups import Scores
from service.domain.segmentation.rfm_report import RfmReport
from service.domain.segmentation.rfm_schemes import OfScheme
from service.domain.segmentation.scoring import scoring

# A window or a past date goes to the orders themselves.
_TIMEOUT_MS = 60_000


class UnknownGroup(Rejected):
    code = "rfm-group-unknown"
    title = "The map of groups has no group of this name."


@dataclass(frozen=True, slots=True, kw_only=True)
class RfmCustomer:
    """A customer of the population with scores, the group, and the values behind them."""

    customer_id: UUID
    name: str
    r: int
    f: int
    m: int
    group: str
    last_on: date
    recency_days: int
    orders: int
    revenue: int


class SegmentationService:
    def __init__(self, uow: UnitOfWork[PurchasesTransaction], clock: Clock) -> None:
        self._uow = uow
        self._clock = clock

    async def rfm_report(self, principal: Principal, wanted: RfmScheme | OfScheme) -> RfmReport:
        """The scored base in groups and cells."""
        today = self._clock.today(principal.time_zone)
        async with self._uow.begin(principal, snapshot=True, timeout_ms=_TIMEOUT_MS) as tx:
            found = await scoring(tx, principal, today, wanted)
            by_monetary = found.scheme.groups.by_monetary
            cells = await found.purchases.cells(
                found.basis, found.scheme.monetary, found.scores, by_monetary=by_monetary
            )
            surroundings = await found.purchases.surroundings(found.basis)
        return rfm_report.report(
            cells,
            scheme=found.scheme,
            basis=found.basis,
            scores=found.scores,
            surroundings=surroundings,
            computed_at=self._clock.now(),
            name=found.name,
        )

    async def rfm_customers(
        self,
        principal: Principal,
        scheme: RfmScheme | OfScheme,
        *,
        group: str | None = None,
        r: int | None = None,
        f: int | None = None,
        m: int | None = None,
        limit: int = 50,
        cursor: UUID | None = None,
    ) -> list[RfmCustomer]:
        """Customers of a group and of scores, by id; `cursor` is the last id of the page before."""
        today = self._clock.today(principal.time_zone)
        async with self._uow.begin(principal, snapshot=True, timeout_ms=_TIMEOUT_MS) as tx:
            how = await scoring(tx, principal, today, scheme)
            wanted = _wanted(how.scheme, group, r, f, m)
            found = await how.purchases.scored(
                how.basis, how.scheme.monetary, how.scores, wanted, limit=limit, after=cursor
            )
        return [_customer(one, how.scheme, how.basis) for one in found]


def _wanted(scheme: RfmScheme, group: str | None, r: int | None, f: int | None, m: int | None) -> list[Scores]:
    if group is not None and group not in scheme.groups.names:
        raise UnknownGroup(f"There is no group {group!r}.", groups=list(scheme.groups.names))
    every = range(1, scheme.bins + 1)
    chosen = product(*((every if score is None else [score]) for score in (r, f, m)))
    within = [cell for cell in chosen if all(score in every for score in cell)]
    return [cell for cell in within if group is None or scheme.groups.group_of(*cell) == group]


def _customer(found: ScoredCustomer, scheme: RfmScheme, basis: Basis) -> RfmCustomer:
    return RfmCustomer(
        customer_id=found.customer_id,
        name=found.name,
        r=found.r,
        f=found.f,
        m=found.m,
        group=scheme.groups.group_of(found.r, found.f, found.m),
        last_on=found.last_on,
        recency_days=(basis.as_of - found.last_on).days,
        orders=found.orders,
        revenue=found.revenue,
    )
