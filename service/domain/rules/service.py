"""Rules as people bring them: read, checked, tried on what the caller reaches, and explained."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from service.domain.access import Principal
from service.domain.customers.errors import NoCustomer
from service.domain.errors import Rejected
from service.domain.ports import Clock, UnitOfWork
from service.domain.rules import places as places_of_cities
from service.domain.rules.binding import bind, clauses_of, own_fields
from service.domain.rules.errors import RuleTooLarge, RuleUnreadable
from service.domain.rules.explaining import Verdict, verdicts
from service.domain.rules.fields import Catalogue, FieldSpec
from service.domain.rules.model import Asked, Near, Rule
from service.domain.rules.parsing import Parsed, parse
from service.domain.rules.ports import RulesTransaction
from service.domain.rules.printing import printed

# A rule with a period over all orders of a large base.
_TIMEOUT_MS = 60_000
_SAMPLE = 5
_MOST_COSTED = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Whom a rule means, within the caller's reach; revenue in micros of the tenant's currency."""

    customers: int
    base: int
    revenue: int
    sample: Sequence[str]
    slowest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """A rule as it was sent: faults of one that came as text are told by line and column."""

    rule: Rule
    parsed: Parsed | None
    at: str
    text_at: str

    def told(self, refused: Rejected) -> Rejected:
        return _in_text(self.parsed, refused, self.text_at) if self.parsed else refused


class RuleService:
    def __init__(self, uow: UnitOfWork[RulesTransaction], clock: Clock) -> None:
        self._uow = uow
        self._clock = clock

    async def asked(
        self, principal: Principal, *, rule: Rule | None = None, text: str | None = None, at: str = "/rule"
    ) -> Asked:
        """The rule, checked, on the tenant's today. `at` points at the rule in what the caller sent; faults of a text
        have its pointer with line and column."""
        asked, _ = await self.asked_with_places(principal, rule=rule, text=text, at=at)
        return asked

    async def asked_with_places(
        self, principal: Principal, *, rule: Rule | None = None, text: str | None = None, at: str = "/rule"
    ) -> tuple[Asked, "Places"]:
        """The same, with the way to point at parts of the rule as the caller sent it."""
        place = at.removesuffix("/rule") + "/text"
        parsed = _parsed(text, place) if text is not None else None
        found = parsed.rule if parsed else rule
        assert found is not None
        places = Places(rule=found, parsed=parsed, at="" if parsed else at, text_at=place)
        if any(isinstance(one, Near) for one in clauses_of(found)):
            await asyncio.to_thread(places_of_cities.read)
        catalogue = await self._catalogue(principal, found)
        today = self._clock.today(principal.time_zone)
        try:
            bound = bind(found, catalogue, principal.scopes, today, places.at)
        except Rejected as refused:
            raise places.told(refused) from None
        asked = Asked(
            rule=bound, catalogue=catalogue, today=today, time_zone=principal.time_zone, currency=principal.currency
        )
        return asked, places

    async def fields(self, principal: Principal) -> tuple[Sequence[FieldSpec], Mapping[str, Sequence[str]]]:
        """The catalogue of the caller's tenant, and the commonest values of its fields among what he reaches."""
        async with self._uow.begin(principal) as tx:
            catalogue = Catalogue.of(await tx.attributes.all())
            return catalogue.all(), await tx.segments.values()

    async def preview(self, principal: Principal, asked: Asked) -> Preview:
        """How many, their share and revenue, some of them, and the clause that costs most."""
        clauses = list(clauses_of(asked.rule))
        async with self._uow.begin(principal, snapshot=True, timeout_ms=_TIMEOUT_MS) as tx:
            found = await tx.segments.preview(asked, _SAMPLE)
            # Of one clause there is nothing to compare.
            costs = [0.0] if len(clauses) == 1 else await tx.segments.costs(asked, clauses[:_MOST_COSTED])
        slowest = max(zip(costs, clauses, strict=False), key=lambda pair: pair[0])[1]
        return Preview(**found, slowest=printed(slowest))

    async def explain(self, principal: Principal, asked: Asked, customer_id: UUID) -> tuple[bool, Sequence[Verdict]]:
        """Whether the customer is meant; of each clause whether it holds, for what value, and whether it decided."""
        clauses = list(clauses_of(asked.rule))
        async with self._uow.begin(principal) as tx:
            judged = await tx.segments.judged(asked, clauses, customer_id)
        if judged is None:
            raise NoCustomer
        return verdicts(asked.rule, judged)

    async def _catalogue(self, principal: Principal, rule: Rule) -> Catalogue:
        names = own_fields(rule)
        if not names:
            return Catalogue({})
        async with self._uow.begin(principal) as tx:
            found: Any = await tx.attributes.among(sorted(name for name in names if "\x00" not in name))
        return Catalogue.of(found.values())


def _parsed(text: str, place: str) -> Parsed:
    try:
        return parse(text)
    except (RuleUnreadable, RuleTooLarge) as refused:
        told: Any = refused.extra.get("errors", ())
        raise type(refused)(
            refused.detail, **refused.extra | {"errors": [{**one, "pointer": place} for one in told]}
        ) from None


def _in_text(parsed: Parsed, refused: Rejected, place: str) -> Rejected:
    """The same refusal, told by line and column."""
    errors: Any = refused.extra.get("errors") or [{"pointer": refused.extra["pointer"], "detail": refused.detail}]
    placed = [_placed(parsed, place, **one) for one in errors]
    first = placed[0]
    detail = f"{first['detail']} (line {first['line']}, column {first['column']})"
    return type(refused)(detail, line=first["line"], column=first["column"], errors=placed)


def _placed(parsed: Parsed, place: str, pointer: str, detail: str) -> dict[str, Any]:
    line, column = parsed.place(pointer)
    return {"pointer": place, "detail": detail, "line": line, "column": column}
