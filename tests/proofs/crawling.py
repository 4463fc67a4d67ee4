"""A crawler that wants all contacts in clear, and a book that says how far it got beyond the budget.

It asks in any order, for one record or for lists, with up to 64 requests on their way, through two processes that
share nothing but the database, one of which is restarted now and then; and time goes on in leaps, made by dating back
what was taken so far.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from service.bootstrap import build_container
from service.domain.access import Principal
from service.domain.errors import TooMany, Unavailable
from service.domain.reveals.budget import limits, policy_of
from service.domain.reveals.service import RevealService
from tests.api.support import Api, settings_for

_ADD = """
    WITH made AS (
        INSERT INTO customers (tenant_id, customer_id, curator_id, team_id, kind, status, display_name, sort_name,
            family_name)
        SELECT $1, gen_random_uuid(), $2, $3, 'person', 'customer', 'Иванова', 'иванова', 'Иванова'
        FROM generate_series(1, $4) RETURNING customer_id
    ), known AS (
        INSERT INTO contact_details (tenant_id, customer_id, detail_id, kind, value, normal, masked, lookup, verdict,
            source, is_primary)
        SELECT $1, customer_id, gen_random_uuid(), 'phone', '+79123456789', '+79123456789', '+7 •••', '\\x00', 'valid',
            'api', true FROM made
    )
    SELECT customer_id FROM made
"""
# The role that sweeps has no right to change takings, and no other has: only the superuser can move the clock.
_BACK = "UPDATE reveals SET taken_at = taken_at - $2::text::interval WHERE tenant_id = $1"
_HOURS = {"hour": 1.0, "day": 24.0, "month": 720.0}


async def _superuser(api: Api) -> asyncpg.Connection:
    return await asyncpg.connect(api.database.superuser_url)


async def customers_of(api: Api, owner: Principal, count: int) -> list[UUID]:
    """New records with a phone, in the portfolio of that person and in his first team."""
    connection = await _superuser(api)
    try:
        team = owner.teams[0] if owner.teams else None
        rows = await connection.fetch(_ADD, owner.tenant_id, owner.staff_id, team, count)
    finally:
        await connection.close()
    return [row["customer_id"] for row in rows]


async def backdate(api: Api, interval: str) -> None:
    """Let so much time pass for all that was taken in this tenant."""
    connection = await _superuser(api)
    try:
        await connection.execute(_BACK, api.tenant.tenant_id, interval)
    finally:
        await connection.close()


@dataclass(slots=True, kw_only=True)
class Crawl:
    """What one crawler has seen, by the hour of its own calendar, and what it was allowed."""

    allowed: dict[str, int]
    now: float = 0.0
    seen: dict[UUID, list[float]] = field(default_factory=dict)
    looks: int = 0
    refused: int = 0

    def saw(self, customer_ids: Sequence[UUID]) -> None:
        """Count what was shown: new to the crawler, unless it was new within the thirty days before."""
        for one in customer_ids:
            self.looks += 1
            times = self.seen.setdefault(one, [])
            if not times or self.now - times[-1] >= _HOURS["month"]:
                times.append(self.now)

    def worst(self) -> int:
        """By how many distinct customers the fullest window of any length goes beyond its budget."""
        every = sorted(time for times in self.seen.values() for time in times)
        most = -self.allowed["month"]
        for window, length in _HOURS.items():
            first = 0
            for last, time in enumerate(every):
                while time - every[first] >= length:
                    first += 1
                most = max(most, last - first + 1 - self.allowed[window])
        return most


async def drain(api: Api, seed: int, *, most: int, parallel: int | None = None) -> Crawl:
    """A new member of the staff sees all that he can, in a random way that the seed decides; budgets up to `most`."""
    rng = random.Random(seed)
    reach = rng.choice(("own", "team", "tenant"))
    member = await api.tenant.staff(reach=reach, teams=(f"team-{seed}",))
    budget = await _some_budget(api, rng, member, most)
    ids = await customers_of(api, member, 2 * most)
    first, second = api.container, await build_container(settings_for(api.database))
    crawl = Crawl(allowed=budget)
    try:
        for _ in range(rng.randint(1, 4)):
            await _storm(rng, crawl, member, ids, [first.services.reveals, second.services.reveals], parallel)
            if rng.random() < 0.5:
                await second.aclose()
                second = await build_container(settings_for(api.database))
            hours = rng.choice((0.5, 0.99, 1.01, 7.0, 23.9, 24.1, 300.0, 719.0, 721.0))
            await backdate(api, f"{hours} hours")
            crawl.now += hours
    finally:
        await second.aclose()
    return crawl


async def _some_budget(api: Api, rng: random.Random, member: Principal, most: int) -> dict[str, int]:
    day = rng.randint(1, most)
    chosen = {"hour_percent": rng.choice((30, 50, 100))}
    for name in ("own", "team", "tenant"):
        chosen |= {f"{name}_day": day, f"{name}_month": rng.randint(day, 2 * most)}
    chosen |= {
        "own_day_least": day,
        "own_day_most": day,
        "own_month_least": chosen["own_month"],
        "own_month_percent": 0,
    }
    head = await api.client()
    names = ("own_day", "own_month")
    answer = await head.patch("/v1/policies", json={"reveals": {k: v for k, v in chosen.items() if k not in names}})
    assert answer.status_code == 200, answer.text
    allowed = limits(policy_of(answer.json()["reveals"]), member, 0)
    return {"hour": allowed.hour, "day": allowed.day, "month": allowed.month}


async def _storm(
    rng: random.Random,
    crawl: Crawl,
    member: Principal,
    ids: Sequence[UUID],
    processes: Sequence[RevealService],
    parallel: int | None,
) -> None:
    """Ask for everything once, many at a time; now and then a caller goes away before he is answered."""
    left = rng.sample(list(ids), len(ids))
    lock = asyncio.Semaphore(parallel or rng.choice((1, 2, 8, 64)))
    lists = rng.random() < 0.5

    async def ask(wanted: Sequence[UUID], patience: float | None) -> None:
        async with lock:
            try:
                async with asyncio.timeout(patience):
                    shown = await rng.choice(processes).reveal(member, wanted, "Crawling")
                crawl.saw(list(shown.contacts))
            except TooMany:
                crawl.refused += 1
            except (TimeoutError, Unavailable):
                pass

    async with asyncio.TaskGroup() as tasks:
        while left:
            size = rng.randint(1, 20) if lists and rng.random() < 0.3 else 1
            wanted, left = left[:size], left[size:]
            tasks.create_task(ask(wanted, rng.uniform(0.0, 0.05) if rng.random() < 0.05 else None))
