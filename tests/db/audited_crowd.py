"""A crowd that asks for contacts in clear while requests are given up and backends killed, and keeps its own ledger."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

import asyncpg
from structlog.testing import capture_logs

from tests.api.support import Api, Client, token_of
from tests.api.test_customers import make

_KILL = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'clientbase' ORDER BY random() LIMIT 1
"""
_ROWS = """
    SELECT entity_id::text AS customer, action, count(*) AS rows FROM audit
    WHERE tenant_id = $1 AND action IN ('contacts.reveal', 'privacy.report') GROUP BY 1, 2
"""
_ACTION = {"reveal": "contacts.reveal", "report": "privacy.report"}


@dataclass(slots=True)
class Ledger:
    """What the clients have asked for, and what they have seen in clear, by customer and kind."""

    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: int = 0


async def a_crowd(world: Api, root: asyncpg.Connection, *, requests: int, tasks: int, seed: int) -> Ledger:
    head = await world.client()
    customers = {
        (await make(head, contacts=[{"kind": "phone", "value": f"+7912345{n:04}"}]))["customer_id"]: f"345{n:04}"
        for n in range(20)
    }
    ledger = Ledger()
    draw = random.Random(seed)
    left = iter(range(requests))

    async def one() -> None:
        for number in left:
            if number % 100 == 99:
                await root.execute(_KILL)
            if number % 1_000 == 999:  # a token lasts a quarter of an hour, the whole crowd may take longer
                head.headers["Authorization"] = f"Bearer {token_of(head.principal)}"
            customer = draw.choice(list(customers))
            await _ask(head, customer, customers[customer], draw, ledger)

    # A stream that breaks off is logged with its places, which would take longer than the crowd itself.
    with capture_logs():
        await asyncio.gather(*(one() for _ in range(tasks)))
    return ledger


async def _ask(head: Client, customer: str, secret: str, draw: random.Random, ledger: Ledger) -> None:
    kind = draw.choice(("reveal", "reveal", "report", "card"))
    patience = draw.choice((30, 30, 30, 30, 0.004, 0.02))
    method, path = {
        "reveal": ("POST", f"/v1/customers/{customer}/reveal"),
        "report": ("GET", f"/v1/customers/{customer}/access-report"),
        "card": ("GET", f"/v1/customers/{customer}"),
    }[kind]
    body = {"reason": "Call back"} if kind == "reveal" else None
    ledger.asked[customer, kind] += 1
    try:
        answer = await asyncio.wait_for(head.request(method, path, json=body), patience)
    except (TimeoutError, Exception):
        ledger.faults += 1
        return
    if answer.status_code != 200:
        assert answer.status_code == 503, answer.text
        ledger.faults += 1
    if secret in answer.text:
        assert kind != "card"
        ledger.seen[customer, kind] += 1


async def hold_against_the_trail(world: Api, root: asyncpg.Connection, ledger: Ledger) -> None:
    """All that was seen is in the trail, and nothing is in the trail that nobody asked for."""
    rows = {(row["customer"], row["action"]): row["rows"] for row in await root.fetch(_ROWS, world.tenant.tenant_id)}
    for (customer, kind), times in ledger.seen.items():
        assert rows.get((customer, _ACTION[kind]), 0) >= times, (customer, kind, times)
    for (customer, action), times in rows.items():
        kind = next(name for name, told in _ACTION.items() if told == action)
        assert times <= ledger.asked[customer, kind]
