"""All connections are held, and the service is asked all the same: what comes back, and how soon (B30)."""

import asyncio
import time
from dataclasses import dataclass, field

from tests.api.support import Api, Client, token_of

_PARALLEL = 12


@dataclass(slots=True)
class Endured:
    """What came back while there was no connection to be had."""

    answers: int = 0
    slowest_s: float = 0.0
    statuses: set[tuple[int, bool]] = field(default_factory=set)  # with `Retry-After` or without
    alive_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)


async def exhausted(world: Api, seconds: float, *, spared: int = 0) -> Endured:
    """Hold every connection but those spared while clients ask, forged tokens come in, and somebody looks for life."""
    pool, seen = world.container.pool, Endured()
    clients = [await world.client() for _ in range(3)]
    held = [await pool.acquire() for _ in range(pool.get_max_size() - spared)]
    over = time.monotonic() + seconds
    try:
        await asyncio.gather(
            *(_ask(clients[n % len(clients)], over, seen) for n in range(_PARALLEL)),
            _live(world, _forged(clients[0]), over, seen),
        )
    finally:
        for connection in held:
            await pool.release(connection)
    return seen


async def recovered(world: Api) -> float:
    """How long after that it takes until an answer is as ever."""
    client, started = await world.client(), time.monotonic()
    while (await client.get("/v1/customers")).status_code != 200:
        assert time.monotonic() - started < 10
        await asyncio.sleep(0.02)
    return time.monotonic() - started


async def _ask(client: Client, over: float, seen: Endured) -> None:
    while time.monotonic() < over:
        started = time.monotonic()
        answer = await client.get("/v1/customers")
        seen.slowest_s = max(seen.slowest_s, time.monotonic() - started)
        seen.statuses.add((answer.status_code, "retry-after" in answer.headers))
        seen.answers += 1


async def _live(world: Api, somebody: str, over: float, seen: Endured) -> None:
    while time.monotonic() < over:
        started = time.monotonic()
        assert (await world.http.get("/healthz")).status_code == 200
        seen.alive_s.append(time.monotonic() - started)
        started = time.monotonic()
        forged = await world.http.get("/v1/customers", headers={"Authorization": f"Bearer {somebody}"})
        assert forged.status_code in (401, 429), forged.text
        seen.refused_s.append(time.monotonic() - started)
        await asyncio.sleep(0.02)


def _forged(client: Client) -> str:
    """A token that is well made, and signed by nobody we know."""
    head, claims, signature = token_of(client.principal).split(".")
    return ".".join((head, claims, signature[::-1]))
