"""Contacts in clear: taken from the budget, then written into the audit trail, then shown – all in one transaction.

Without room in the budget, or without the audit row, nothing is shown, and nothing is taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from service.domain.access import Principal, Scope
from service.domain.ports import UnitOfWork
from service.domain.reveals.budget import OWN_COUNTED_FIRST, WIDE_PERCENT, overdrawn, own_percent, refusal
from service.domain.reveals.ports import Reveals, RevealsTransaction, Taking


@dataclass(frozen=True, slots=True, kw_only=True)
class Revealed:
    """Contacts by record, in the order asked for; `missing` are out of reach."""

    contacts: Mapping[UUID, Sequence[Mapping[str, Any]]]
    missing: Sequence[UUID]


class RevealService:
    def __init__(self, uow: UnitOfWork[RevealsTransaction]) -> None:
        self._uow = uow

    async def reveal(self, principal: Principal, customer_ids: Sequence[UUID], reason: str) -> Revealed:
        """The contacts of all the records within reach, or of none when the budget is too small for them."""
        principal.require(Scope.CONTACTS_REVEAL)
        wanted = list(dict.fromkeys(customer_ids))
        async with self._uow.begin(principal) as tx:
            async with tx.reveals.turn():
                taking = await take(tx.reveals, principal, wanted)
                told = _told(principal, taking)
                for customer_id in taking.reached:
                    await tx.journal.audit("contacts.reveal", "customer", customer_id, reason=reason, **told)
                rows = await tx.reveals.clear(taking.reached)
                await tx.leaks.touched(taking.reached, by="reveal")
            await tx.commit()
        reached = set(taking.reached)
        contacts = {one: [row for row in rows if row["customer_id"] == one] for one in wanted if one in reached}
        return Revealed(contacts=contacts, missing=[one for one in wanted if one not in reached])


async def take(reveals: Reveals, principal: Principal, customer_ids: Sequence[UUID]) -> Taking:
    """Take looks at these records from the budget, in a turn. Raises RevealBudgetSpent, which rolls all back."""
    taking = await _counted(reveals, principal, await reveals.take(customer_ids))
    refusals = [
        refusal(account, taking.fresh, await reveals.free_at(account, taking.fresh), taking.at)
        for account in overdrawn(principal, taking.looks, taking.fresh)
    ]
    if refusals:
        raise max(refusals, key=lambda one: int(str(one.extra["retry_after_seconds"])))
    return taking


async def _counted(reveals: Reveals, principal: Principal, taking: Taking) -> Taking:
    """The taking with the own base counted to its end, where that decides: more records never mean a smaller budget."""
    looks = taking.looks
    if looks.own < OWN_COUNTED_FIRST or not (overdrawn(principal, looks, taking.fresh) or _told(principal, taking)):
        return taking
    return replace(taking, looks=replace(looks, own=(await reveals.looks()).own))


def _told(principal: Principal, taking: Taking) -> dict[str, Any]:
    """What the audit row says besides: that somebody goes through much of his base. It is no wall, but worth a look."""
    percent = own_percent(principal, taking.looks, taking.fresh)
    return {} if percent is None or percent < WIDE_PERCENT else {"own_percent": percent}
