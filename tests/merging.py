"""Bases in which records have something in every table that a merge touches, and what of them has to stay equal."""

import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from service.clock import SystemClock
from service.db.merging_ways import IMAGED, MADE_ANEW, MOVED, STAYING
from service.db.tables import metadata
from service.domain.access import Principal
from service.domain.customers.model import ContactInput, ExternalId
from service.domain.customers.service import CustomerService, Draft, LookupKey
from service.domain.ids import new_id
from service.domain.merging.model import LISTS, MergeOrder, Rule, Wish, units
from service.domain.merging.service import MergingService
from tests.support import Tenant

_NAMES = ("Иванова", "Петрова", "Иванов", "Smith")
_GIVEN = ("Мария", "Маша", "Мария ", "Anna")
_CITIES = ("Казань", "Москва", "казань", None)
_PHONES = ("+7 912 345-67-89", "8 (912) 345 67 89", "+7 903 555-00-11", "+7 903 555-00-12")
_EMAILS = ("one@example.com", "two@example.com", "ONE@example.com")
_WORDS = ("vip", "чай", "новая", "опт")
_PLAIN_RULES = (Rule.SURVIVOR, Rule.NEWEST, Rule.OLDEST, Rule.VERIFIED, Rule.COMMON, Rule.LONGEST)
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
# What a merge says of itself and when: the history of a record grows, and is otherwise as it was.
_GROWING = {"customer_events", "ownerships"}
_APART = {
    "customers": {"version", "updated_at"},
    "quality_scores": {"checked_at", "checked_version"},
}
_OUTSIDE = {"changes", "audit_entries", "chosen_customers"}
TABLES = sorted(({*MOVED, *IMAGED, *MADE_ANEW, *STAYING, "refund_lines", "order_lines"}) - _OUTSIDE)
Rows = dict[str, set[str]]


class Company:
    """A tenant whose base is written and merged; a superuser sees and fills what no service does at once."""

    def __init__(self, tenant: Tenant, principal: Principal, root: asyncpg.Connection) -> None:
        self.tenant = tenant
        self.principal = principal
        self.root = root
        clock = SystemClock()
        self.merging = MergingService(tenant.uow, clock)
        self._customers = CustomerService(tenant.uow, clock, LookupKey(b"k" * 32))

    async def furnish(self, chance: random.Random, records: int) -> list[UUID]:
        """Records with random contents and something hanging on each; two more are never merged."""
        drafts = [_draft(chance) for _ in range(records + 2)]
        results = await self._customers.batch(self.principal, drafts, atomic=True)
        ids = [one.customer_id for one in results if one.customer_id is not None]
        assert len(ids) == records + 2, results
        await self._hang(chance, ids[:records], ids[records:])
        async with self.tenant.uow.begin(self.principal) as tx:
            await tx.totals.refresh(ids, SystemClock().today("UTC"))
            await tx.commit()
        return ids[:records]

    async def rows(self) -> Rows:
        """Every row that must be the same again, as text, by table."""
        found: Rows = {}
        for table in TABLES:
            query = f"SELECT to_jsonb(t) AS row FROM {table} t WHERE tenant_id = $1"
            kept = [json.loads(one["row"]) for one in await self.root.fetch(query, self.tenant.tenant_id)]
            apart = _APART.get(table, set())
            if table == "merges":
                kept = [one for one in kept if one["state"] == "done"]
            found[table] = {
                json.dumps({k: v for k, v in one.items() if k not in apart}, sort_keys=True, ensure_ascii=False)
                for one in kept
            }
        return found

    async def _hang(self, chance: random.Random, ids: Sequence[UUID], others: Sequence[UUID]) -> None:
        segments = [new_id(), new_id()]
        for segment_id in segments:
            row = {"segment_id": segment_id, "name": str(segment_id), "kind": "static", "state": "ready"}
            await self.insert("segments", row | {"owner_id": self.principal.staff_id})
        seen: set[tuple[str, ...]] = set()
        for customer_id in ids:
            await self._tell(chance, customer_id)
            await self._sell(chance, customer_id)
            for segment_id in segments:
                await self._let_in(chance, segment_id, customer_id)
            await self._relate(chance, customer_id, [one for one in (*ids, *others) if one != customer_id], seen)
            if chance.random() < 0.2:
                await self.insert("canaries", {"customer_id": customer_id, "planted_by": self.principal.staff_id})
            if chance.random() < 0.2:
                await self.root.execute(
                    "UPDATE customers SET restricted_at = $2 WHERE customer_id = $1", customer_id, _moment(chance)
                )
            if chance.random() < 0.5:
                await self._find_fault(chance, customer_id)

    async def _tell(self, chance: random.Random, customer_id: UUID) -> None:
        made: dict[str, dict[str, Any]] = {
            "notes": {"note_id": new_id(), "text": "a note"},
            "interactions": {"interaction_id": new_id(), "kind": "call", "direction": "in", "at": _moment(chance)},
            "consents": {
                "consent_id": new_id(), "purpose": "mailing", "given": chance.random() < 0.5, "at": _moment(chance),
                "source": "api",
            },
            "access_requests": {"request_id": new_id(), "reason": "she has called"},
            "ownerships": {"ownership_id": new_id(), "at": _moment(chance)},
            "reveals": {"taken_at": _moment(chance)},
        }  # fmt: skip
        for table, row in made.items():
            if chance.random() < 0.5:
                await self.insert(table, row | {"customer_id": customer_id, "staff_id": self.principal.staff_id})

    async def _sell(self, chance: random.Random, customer_id: UUID) -> None:
        for _ in range(chance.choice((0, 0, 1, 3))):
            order = {
                "order_id": new_id(), "customer_id": customer_id, "total": chance.choice((5_000_000, 12_340_000)),
                "refunded": chance.choice((0, 0, 1_000_000)), "ordered_at": _moment(chance),
                "ordered_on": _moment(chance).date(), "currency": chance.choice(("RUB", "EUR")),
                "status": chance.choice(("completed", "paid", "cancelled")),
            }  # fmt: skip
            await self.insert("orders", order)
            if order["refunded"] or chance.random() < 0.2:
                refund = {name: order[name] for name in ("customer_id", "order_id", "currency")}
                day = {"refunded_at": _moment(chance), "refunded_on": _moment(chance).date()}
                await self.insert("refunds", refund | day | {"refund_id": new_id(), "amount": 1_000_000})

    async def _let_in(self, chance: random.Random, segment_id: UUID, customer_id: UUID) -> None:
        entered = _LONG_AGO
        for _ in range(chance.choice((0, 0, 1, 2))):
            entered += timedelta(days=chance.randint(1, 9), microseconds=chance.randint(0, 999_999))
            left = entered + timedelta(days=chance.randint(1, 9)) if chance.random() < 0.7 else None
            row = {"segment_id": segment_id, "customer_id": customer_id, "entered_at": entered, "left_at": left}
            await self.insert("segment_members", row)
            if left is None:
                return
            entered = left

    async def _relate(
        self, chance: random.Random, customer_id: UUID, others: Sequence[UUID], seen: set[tuple[str, ...]]
    ) -> None:
        for other in chance.sample(list(others), k=min(2, len(others))):
            staff_id = self.principal.staff_id
            link = {"customer_id": customer_id, "kind": chance.choice(("household", "referred_by")), "other_id": other}
            if chance.random() < 0.5:
                await self.insert("customer_links", link | {"staff_id": staff_id})
        for stranger in others[-2:]:
            first, second = sorted((customer_id, stranger), key=lambda one: one.int)
            if chance.random() < 0.3 and (str(first), str(second)) not in seen:
                seen.add((str(first), str(second)))
                row = {"first_id": first, "second_id": second, "staff_id": self.principal.staff_id}
                await self.insert("never_merge", row)

    async def _find_fault(self, chance: random.Random, customer_id: UUID) -> None:
        finding = {
            "finding_id": new_id(), "customer_id": customer_id, "code": "city-unknown", "field": "city",
            "cause": "entry", "severity": "warning", "confidence": 0.7, "value_hash": b"x" * 16, "source": "api",
            "state": chance.choice(("open", "dismissed")),
        }  # fmt: skip
        await self.insert("quality_findings", finding)

    async def insert(self, table: str, values: Mapping[str, Any]) -> None:
        """A row with the defaults of its table, written past every policy."""
        row = {"tenant_id": self.tenant.tenant_id, **values}
        assert set(row) <= set(metadata.tables[table].columns.keys()), table
        holes = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        await self.root.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({holes})", *row.values())


def lost_and_found(before: Rows, after: Rows) -> dict[str, tuple[set[str], set[str]]]:
    """By table, rows that are gone and rows that are new; of a history only what is gone."""
    found = {
        table: (rows - after[table], set() if table in _GROWING else after[table] - rows)
        for table, rows in before.items()
    }
    return {table: both for table, both in found.items() if both != (set(), set())}


def told(found: Mapping[str, tuple[set[str], set[str]]]) -> str:
    """What differs, by table and row, short enough to be read."""
    return "\n".join(
        f"{table} {sign} {row}"
        for table, both in found.items()
        for sign, rows in zip("-+", both, strict=True)
        for row in sorted(rows)
    )


def a_wish(chance: random.Random, ids: Sequence[UUID], units_there: Sequence[str]) -> MergeOrder:
    """A merge as anybody might ask for it."""
    wishes: dict[str, Wish] = {}
    for unit in units_there:
        if chance.random() < 0.3:
            wishes[unit] = Wish(taken_from=chance.choice(ids))
        elif chance.random() < 0.3:
            wishes[unit] = Wish(rule=Rule.UNION if unit in LISTS else chance.choice(_PLAIN_RULES))
    wishes = {
        unit: wish for unit, wish in wishes.items() if not (unit in ("family_name", "status") and wish.taken_from)
    }
    return MergeOrder(
        customer_ids=list(ids),
        survivor_id=chance.choice((None, *ids)),
        rule=chance.choice(_PLAIN_RULES),
        wishes=wishes,
    )


async def units_of(company: Company, ids: Sequence[UUID]) -> list[str]:
    async with company.tenant.uow.begin(company.principal) as tx:
        return units(one.record for one in await tx.merging.candidates(ids, lock=False))


def _draft(chance: random.Random) -> Draft:
    changes: dict[str, Any] = {
        "family_name": chance.choice(_NAMES),
        "given_name": chance.choice((*_GIVEN, None)),
        "city": chance.choice(_CITIES),
        "postal_code": chance.choice(("101000", None)),
        "country": chance.choice(("RU", None)),
        "tags": chance.sample(_WORDS, k=chance.randint(0, 3)),
        "preferences": chance.sample(_WORDS, k=chance.randint(0, 2)),
        "attributes": {name: chance.choice(("a", 1, True, ["x"])) for name in chance.sample(("size", "hobby"), k=1)},
        "gender": chance.choice(("female", None)),
        "status": chance.choice(("prospect", "customer", "lapsed", "archived")),
    }
    if chance.random() < 0.5:
        changes |= {"birth_date": date(1990, chance.randint(1, 12), 17), "birth_year_known": chance.random() < 0.7}
    phones = [ContactInput(kind="phone", value=one) for one in chance.sample(_PHONES, k=chance.randint(0, 3))]
    emails = [ContactInput(kind="email", value=one) for one in chance.sample(_EMAILS, k=chance.randint(0, 2))]
    ids = [ExternalId(source="shop", external_id=new_id().hex) for _ in range(chance.randint(0, 2))]
    return Draft(changes=changes, contacts=[*phones, *emails], external_ids=ids)


def _moment(chance: random.Random) -> datetime:
    return _LONG_AGO + timedelta(seconds=chance.randint(0, 5_000_000), microseconds=chance.randint(0, 999_999))
