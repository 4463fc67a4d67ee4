"""Whether the time of an answer tells a foreign record from one that never was (B38)."""

import gc
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from service.domain.ids import new_id
from tests.api.support import Api, Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Milliseconds of answers about foreign and about missing records, asked in turn."""

    foreign: Sequence[float]
    missing: Sequence[float]

    @property
    def apart_ms(self) -> float:
        """By how much the two of a pair differ; a machine that grows slower meanwhile does so for both."""
        return abs(statistics.median(a - b for a, b in zip(self.foreign, self.missing, strict=True)))

    @property
    def auc(self) -> float:
        """How often an answer about a foreign record is the slower one of two: half of the time if they are alike."""
        ranked = sorted([(ms, True) for ms in self.foreign] + [(ms, False) for ms in self.missing])
        below = sum(rank for rank, (_, foreign) in enumerate(ranked, start=1) if foreign)
        n, m = len(self.foreign), len(self.missing)
        return (below - n * (n + 1) / 2) / (n * m)


async def foreign_records(world: Api, number: int) -> list[UUID]:
    """Records of a colleague."""
    other = await world.client(reach="own")
    body = {"items": [{"family_name": f"Чужая{n}", "external_ids": [{"external_id": f"F{n}"}]} for n in range(number)]}
    answer = await other.post("/v1/customers/batch", json=body)
    assert answer.status_code == 200, answer.text
    return [UUID(one["customer_id"]) for one in answer.json()["items"]]


async def timed(client: Client, method: str, path: str, foreign: Sequence[UUID], pairs: int) -> Times:
    """Ask for a foreign record and a missing one in turn; which of them comes first changes from pair to pair."""
    taken: dict[bool, list[float]] = {True: [], False: []}
    gc.collect()
    gc.disable()
    try:
        for n in range(pairs + 20):
            for is_foreign in (n % 2 == 0, n % 2 == 1):
                customer_id = foreign[n % len(foreign)] if is_foreign else new_id()
                started = time.perf_counter()
                answer = await client.request(method, path.format(customer_id), json={} if method != "GET" else None)
                if n >= 20:  # the first ones warm up
                    taken[is_foreign].append(1000 * (time.perf_counter() - started))
                assert answer.status_code == 404, (method, path, answer.text)
    finally:
        gc.enable()
    return Times(foreign=taken[True], missing=taken[False])
