"""Forged tokens over HTTP (B1): none is accepted, none is an error of ours, none takes a connection of the database."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from service.api import tokens as gate
from service.settings import AuthSettings, LimitSettings
from tests.api.over_http import served, statuses
from tests.api.support import _SECRET, Api, api, settings_for, token_of
from tests.forging import Forge, forged
from tests.postgres import TestDatabase


class Taken:
    """How many connections were asked for."""

    count = 0


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Taken:
    counted, acquire = Taken(), asyncpg.Pool.acquire

    def counting(pool: Any, **options: Any) -> Any:
        counted.count += 1
        return acquire(pool, **options)

    monkeypatch.setattr(asyncpg.Pool, "acquire", counting)
    return counted


@asynccontextmanager
async def _service(database: TestDatabase) -> AsyncIterator[tuple[Api, int]]:
    settings = settings_for(database).model_copy(update={"limits": LimitSettings(address_per_minute=0)})
    async with api(database, settings=settings) as world, served(world.transport.app) as port:  # type: ignore[attr-defined]
        yield world, port


def forgeries(subject: str, tenant: str, number: int) -> Iterator[str]:
    """So many tokens, all kinds in turn, each round of another token and with one letter of it changed too."""
    auth, chance = AuthSettings(), secrets.SystemRandom()
    while number > 0:
        now = int(time.time())
        base = {"sub": subject, "tenant": tenant, "scope": "reach:own", "iss": auth.issuer, "aud": auth.audience}
        make = Forge(secret=_SECRET, base=base | {"iat": now, "exp": now + 900, "jti": secrets.token_hex(8)})
        good = make.with_claims()
        place = chance.randrange(len(good))
        changed = good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :]
        for token in [*forged(make, now).values(), changed][:number]:
            number -= 1
            yield token


async def refusals(
    database: TestDatabase, taken: Taken, number: int, good: int
) -> tuple[Counter[int], int, Counter[int]]:
    """How forged tokens were answered, the connections that they took, and how good ones were answered."""
    async with _service(database) as (world, port):
        staff = [await world.tenant.staff(reach="own", scopes=()) for _ in range(20)]
        before = taken.count
        refused = await statuses(port, forgeries(staff[0].subject, world.tenant.slug, number))
        held = taken.count - before
        before = taken.count
        accepted = await statuses(port, [token_of(staff[n % 20]) for n in range(good)])
        assert taken.count - before >= good  # the counter counts
        return refused, held, accepted


def test_no_forged_token_passes_and_none_takes_a_connection(database: TestDatabase, taken: Taken) -> None:
    refused, held, accepted = asyncio.run(refusals(database, taken, 400, 40))
    assert set(refused) <= {400, 401}, refused  # 400: what is no HTTP
    assert refused[401] > 350
    assert held == 0
    assert accepted == {200: 40}


def test_a_gate_that_does_not_look_at_signatures_is_found_out(
    database: TestDatabase, taken: Taken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "_signed", lambda *_: True)
    refused, held, _ = asyncio.run(refusals(database, taken, 150, 1))
    assert refused[200] > 0
    assert held > 0
