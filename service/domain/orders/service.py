"""Writing purchases: each write recomputes the totals of its buyers in the same transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from service.domain.access import Principal
from service.domain.customers.errors import NoCustomer
from service.domain.customers.model import ExternalId
from service.domain.errors import DomainError, Precondition, retold, told
from service.domain.idempotency import Once
from service.domain.ids import new_id
from service.domain.money import to_micros
from service.domain.orders.errors import NoOrder, OrderIdTaken, RefundTooLarge
from service.domain.orders.model import Line, OrderDraft, Status, day_of, in_zone
from service.domain.orders.ports import LineRow, OrderRow, OrdersTransaction, RefundRow, StoredOrder
from service.domain.ports import Clock, UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What may be changed of an order; None leaves it as it is."""

    status: Status | None = None
    total: Decimal | None = None
    ordered_at: datetime | None = None
    sales_channel: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderResult:
    """What became of one order of a batch."""

    index: int
    outcome: str
    order_id: UUID | None = None
    problem: DomainError | None = None


class OrderService:
    def __init__(self, uow: UnitOfWork[OrdersTransaction], clock: Clock) -> None:
        self._uow = uow
        self._clock = clock

    async def create(self, principal: Principal, draft: OrderDraft, once: Once | None = None) -> UUID:
        """Write a new order. Raises NoCustomer, OrderIdTaken, TotalMissing, TooPrecise."""
        async with self._uow.begin(principal) as tx:
            if known := await tx.idempotency.recall(once):
                return UUID(known["order_id"])
            buyer = await self._buyer(tx, draft)
            row = _row(draft, new_id(), buyer, principal)
            if await tx.orders.insert([row]):
                raise OrderIdTaken
            await self._settle(tx, principal, "created", [row.order_id], [buyer])
            await tx.idempotency.remember(once, 201, {"order_id": str(row.order_id)})
            await tx.commit()
        return row.order_id

    async def put(self, principal: Principal, draft: OrderDraft) -> tuple[UUID, bool]:
        """Create the order of an external id or replace it, lines included. True when created."""
        result = (await self.batch(principal, [draft], atomic=True))[0]
        if isinstance(result.problem, OrderIdTaken):  # by one who was a moment faster, if not out of reach
            result = (await self.batch(principal, [draft], atomic=True))[0]
        if result.problem is not None:
            raise result.problem
        assert result.order_id is not None
        return result.order_id, result.outcome == "created"

    async def batch(
        self,
        principal: Principal,
        drafts: Sequence[OrderDraft | DomainError],
        *,
        atomic: bool,
        once: Once | None = None,
    ) -> list[OrderResult]:
        """Upsert many by external id in one transaction; refused items say why, the others are written."""
        async with self._uow.begin(principal, timeout_ms=60_000) as tx:
            if known := await tx.idempotency.recall(once):
                return [_recalled(index, item) for index, item in enumerate(known)]
            plan, former = await self._plan(tx, principal, drafts)
            fresh = [row for item, row in plan if row and item.outcome == "created"]
            taken = await tx.orders.insert(fresh) if fresh else set()
            results = [_refused_if_taken(item, taken) for item, _ in plan]
            if atomic and any(item.problem for item in results):
                return [i if i.problem else OrderResult(index=i.index, outcome="skipped") for i in results]
            if replaced := [row for item, row in plan if row and item.outcome == "updated"]:
                await tx.orders.replace(replaced)
                await self._settle_all(tx, principal, "updated", replaced, also=former)
            if written := [row for row in fresh if row.order_id not in taken]:
                await self._settle_all(tx, principal, "created", written)
            await tx.idempotency.remember(once, 200, [_kept(item) for item in results])
            await tx.commit()
        return results

    async def correct(self, principal: Principal, order_id: UUID, correction: Correction, expected: int | None) -> None:
        """Change status or header of an order; totals follow at once. Raises NoOrder, Precondition."""
        async with self._uow.begin(principal) as tx:
            stored = await _locked(tx, order_id)
            if expected is not None and stored.version != expected:
                raise Precondition(current_version=stored.version)
            await tx.orders.replace([_corrected(stored, correction, principal)])
            await self._settle(tx, principal, "updated", [order_id], [stored.customer_id])
            await tx.commit()

    async def refund(
        self,
        principal: Principal,
        order_id: UUID,
        amount: Decimal,
        *,
        refunded_at: datetime | None = None,
        external_id: str | None = None,
        source: str = "",
        reason: str | None = None,
        once: Once | None = None,
    ) -> UUID:
        """Pay back part or all of an order. Raises NoOrder, RefundTooLarge, OrderIdTaken."""
        async with self._uow.begin(principal) as tx:
            if known := await tx.idempotency.recall(once):
                return UUID(known["refund_id"])
            stored = await _locked(tx, order_id)
            micros = to_micros(amount)
            if stored.refunded + micros > stored.total:
                raise RefundTooLarge(pointer="/amount")
            moment = in_zone(refunded_at or self._clock.now(), principal.time_zone)
            refund = RefundRow(
                refund_id=new_id(),
                customer_id=stored.customer_id,
                order_id=order_id,
                source=source,
                external_id=external_id,
                currency=stored.currency,
                amount=micros,
                refunded_at=moment,
                refunded_on=day_of(moment, principal.time_zone),
                reason=reason,
            )
            await tx.orders.insert_refund(refund)
            await self._settle(tx, principal, "refunded", [order_id], [stored.customer_id])
            await tx.idempotency.remember(once, 201, {"refund_id": str(refund.refund_id)})
            await tx.commit()
        return refund.refund_id

    async def _settle_all(
        self,
        tx: OrdersTransaction,
        principal: Principal,
        kind: str,
        rows: Sequence[OrderRow],
        *,
        also: Sequence[UUID] = (),
    ) -> None:
        ids, buyers = [row.order_id for row in rows], [row.customer_id for row in rows]
        await self._settle(tx, principal, kind, ids, buyers, also=also)

    async def _settle(
        self,
        tx: OrdersTransaction,
        principal: Principal,
        kind: str,
        order_ids: Sequence[UUID],
        buyers: Sequence[UUID],
        *,
        also: Sequence[UUID] = (),
    ) -> None:
        """Totals, changes and audit of a write, in its own transaction."""
        await tx.totals.refresh(sorted({*buyers, *also}), self._clock.today(principal.time_zone))
        await tx.journal.changed_many("order", kind, order_ids, buyers)
        only = order_ids[0] if len(order_ids) == 1 else None
        touched = () if only else [*order_ids, *buyers]
        await tx.journal.audit(f"orders.{kind}", "order", only, records=len(order_ids), touched=touched)

    async def _buyer(self, tx: OrdersTransaction, draft: OrderDraft) -> UUID:
        buyers = await _buyers(tx, [draft])
        buyer = buyers[0]
        if buyer is None:
            raise NoCustomer
        return buyer

    async def _plan(
        self, tx: OrdersTransaction, principal: Principal, drafts: Sequence[OrderDraft | DomainError]
    ) -> tuple[list[tuple[OrderResult, OrderRow | None]], list[UUID]]:
        good = [draft for draft in drafts if isinstance(draft, OrderDraft)]
        buyers = iter(await _buyers(tx, good))
        known = await tx.orders.known([_id(draft) for draft in good if draft.external_id is not None])
        locked = await tx.orders.lock(sorted(set(known.values())))
        plan: list[tuple[OrderResult, OrderRow | None]] = []
        seen: set[ExternalId] = set()
        for index, draft in enumerate(drafts):
            try:
                if isinstance(draft, DomainError):
                    raise draft
                buyer = next(buyers)
                if buyer is None:
                    raise NoCustomer
                if draft.external_id is not None and _id(draft) in seen:
                    raise OrderIdTaken("An earlier item of this batch has the same external id.")
                stored_id = known.get(_id(draft)) if draft.external_id is not None else None
                row = _row(draft, stored_id or new_id(), buyer, principal)
                seen.add(_id(draft))
                outcome = "updated" if stored_id else "created"
                plan.append((OrderResult(index=index, outcome=outcome, order_id=row.order_id), row))
            except DomainError as problem:
                plan.append((OrderResult(index=index, outcome="refused", problem=problem), None))
        return plan, [stored.customer_id for stored in locked.values()]


def _refused_if_taken(item: OrderResult, taken: set[UUID]) -> OrderResult:
    if item.order_id not in taken:
        return item
    return OrderResult(index=item.index, outcome="refused", problem=OrderIdTaken())


def _kept(item: OrderResult) -> list[Any]:
    order_id = str(item.order_id) if item.order_id else None
    return [item.outcome, order_id, told(item.problem) if item.problem else None]


def _recalled(index: int, kept: Sequence[Any]) -> OrderResult:
    outcome, order_id, problem = kept
    return OrderResult(
        index=index,
        outcome=outcome,
        order_id=UUID(order_id) if order_id else None,
        problem=retold(problem) if problem else None,
    )


async def _locked(tx: OrdersTransaction, order_id: UUID) -> StoredOrder:
    stored = (await tx.orders.lock([order_id])).get(order_id)
    if stored is None:
        raise NoOrder
    return stored


async def _buyers(tx: OrdersTransaction, drafts: Sequence[OrderDraft]) -> list[UUID | None]:
    """The buyer of each draft, None where there is none within reach; two round trips at most."""
    named = [draft.customer_id for draft in drafts if draft.customer_id is not None]
    reached = await tx.orders.buyers(named) if named else set()
    ids = [_buyer_id(draft) for draft in drafts if draft.customer_id is None and draft.customer_external_id]
    found = await tx.orders.buyers_by_id(ids) if ids else {}
    return [
        (draft.customer_id if draft.customer_id in reached else None)
        if draft.customer_id is not None
        else found.get(_buyer_id(draft))
        for draft in drafts
    ]


def _buyer_id(draft: OrderDraft) -> ExternalId:
    return ExternalId(source=draft.customer_source, external_id=draft.customer_external_id or "")


def _id(draft: OrderDraft) -> ExternalId:
    return ExternalId(source=draft.source, external_id=draft.external_id or "")


def _row(draft: OrderDraft, order_id: UUID, buyer: UUID, principal: Principal) -> OrderRow:
    moment = in_zone(draft.ordered_at, principal.time_zone)
    return OrderRow(
        order_id=order_id,
        customer_id=buyer,
        source=draft.source,
        external_id=draft.external_id,
        status=draft.status,
        currency=draft.currency or principal.currency,
        total=draft.micros,
        ordered_at=moment,
        ordered_on=day_of(moment, principal.time_zone),
        sales_channel=draft.sales_channel,
        lines=[_line(line) for line in draft.lines],
    )


def _line(line: Line) -> LineRow:
    return LineRow(
        sku=line.sku,
        product=line.product,
        quantity=line.quantity,
        unit_price=to_micros(line.unit_price),
        amount=line.micros,
    )


def _corrected(stored: StoredOrder, correction: Correction, principal: Principal) -> OrderRow:
    moment = in_zone(correction.ordered_at, principal.time_zone) if correction.ordered_at else stored.ordered_at
    total = stored.total if correction.total is None else to_micros(correction.total)
    row = OrderRow(
        order_id=stored.order_id,
        customer_id=stored.customer_id,
        source="",
        external_id=None,
        status=correction.status or stored.status,
        currency=stored.currency,
        total=total,
        ordered_at=moment,
        ordered_on=day_of(moment, principal.time_zone),
        sales_channel=stored.sales_channel,
        lines=None,
    )
    return replace(row, sales_channel=correction.sales_channel) if correction.sales_channel else row
