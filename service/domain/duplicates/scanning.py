"""The job over the whole base: what agreements tell is learnt from it, and every record is compared with its like.

The base is read once, in one snapshot, and packed; learning and scoring are work for a thread. What was found is
written in short steps, in the order of the records. What is written meanwhile is matched anew afterwards, from the
moment of the snapshot on. A job that was killed begins again, and what it writes twice is the same.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from queue import Queue
from typing import Any
from uuid import UUID

import numpy as np

from service.domain.access import Principal
from service.domain.duplicates.keyed import KeyHash
from service.domain.duplicates.matching import aside, regroup, scored, system
from service.domain.duplicates.models import stored
from service.domain.duplicates.ports import MatchingTransaction, Place, Scanning
from service.domain.jobs import Cancelled, Job
from service.domain.linkage.batch import score
from service.domain.linkage.columns import Columns, columns, meetings
from service.domain.linkage.learning import learnt
from service.domain.linkage.model import Model
from service.domain.linkage.profile import Profile
from service.domain.ports import UnitOfWork

_LONG_MS = 1_800_000
_STEP_MS = 120_000
# Pairs that are written at once, records whose keys are, and batches that may wait to be packed.
_PAIRS = 1_000
_RECORDS = 5_000
_WAITING = 8
# How many pairs a record has to meet at most, on average, and how many any base may have.
_MEETINGS_EACH, _FEW = 12, 2_000_000
_EVEN = 0.0
_FIRST, _LAST = UUID(int=0), UUID(int=(1 << 128) - 1)


@dataclass(slots=True, kw_only=True)
class _Base:
    """The packed base, whose records go by their position; `ids` holds sixteen bytes of each."""

    place: Place
    keys_wanted: bool
    packed: Columns
    ids: bytearray = field(default_factory=bytearray)

    def id_at(self, position: int) -> UUID:
        return UUID(bytes=bytes(self.ids[position * 16 : position * 16 + 16]))


class DuplicateScan:
    def __init__(self, uow: UnitOfWork[MatchingTransaction], key_hash: KeyHash) -> None:
        self._uow = uow
        self._key_hash = key_hash

    async def run(self, principal: Principal, job: Job) -> None:
        """Carry the job out; all of the tenant is compared, whoever asked and whoever holds it."""
        try:
            await self._carry_out(principal.tenant_id, job)
        except Cancelled:
            async with self._uow.begin(principal) as tx:
                await tx.jobs.finish(job, "cancelled")
                await tx.commit()

    async def _carry_out(self, tenant_id: int, job: Job) -> None:
        base = await self._read(tenant_id, job)
        count = base.packed.count
        if base.keys_wanted:
            await self._keep_keys(tenant_id, job, base)
        model, pairs = await asyncio.to_thread(_found, base)
        async with self._uow.begin(system(tenant_id), timeout_ms=_STEP_MS) as tx:
            async with tx.matching.acting():
                await tx.duplicate_scanning.keep_model(stored(model, self._key_hash), count)
            await tx.jobs.advance(job, done=count, total=count)
            await tx.commit()
        after = _FIRST
        for step in _steps(pairs):
            to = base.id_at(int(step[-1][0])) if len(step) else _LAST
            after = await self._write(tenant_id, job, base, model, step, after, to)
        async with self._uow.begin(system(tenant_id), timeout_ms=_STEP_MS) as tx:
            async with tx.matching.acting():
                await tx.matching.begin(patiently=True)
                await tx.matching.proceed(base.place)
                await tx.duplicate_scanning.scanned()
            await tx.jobs.finish(job, "done")
            await tx.commit()

    async def _read(self, tenant_id: int, job: Job) -> _Base:
        async with self._uow.begin(system(tenant_id), timeout_ms=_STEP_MS) as tx:
            async with tx.matching.acting():
                begun = await tx.matching.begin(patiently=True)
                assert begun is not None
                if not begun.scanned and begun.place == (0, 0):
                    # From here on each new record keeps its own keys; those that are there already, the job does.
                    await tx.matching.proceed((begun.horizon, 0))
                total = await tx.duplicate_scanning.size()
            await tx.jobs.advance(job, done=0, total=total)
            await tx.commit()
        ids = bytearray()
        batches: Queue[Sequence[Any] | None] = Queue(_WAITING)
        reading = self._uow.begin(system(tenant_id), snapshot=True, timeout_ms=_LONG_MS)
        async with reading as tx, tx.matching.acting():
            profiles = _profiles(batches, tx.duplicate_scanning, ids)
            packing = asyncio.ensure_future(asyncio.to_thread(columns, profiles, self._key_hash.of))
            try:
                done = 0
                async for rows in tx.duplicate_scanning.everyone():
                    await asyncio.to_thread(batches.put, rows)
                    done += len(rows)
                    if done % 20_000 < len(rows):
                        await self._advance(tenant_id, job, done, max(total, done))
            finally:
                await asyncio.to_thread(batches.put, None)
                packed = await packing
        return _Base(place=(begun.horizon, 0), keys_wanted=not begun.scanned, packed=packed, ids=ids)

    async def _advance(self, tenant_id: int, job: Job, done: int, total: int) -> None:
        async with self._uow.begin(system(tenant_id)) as tx:
            await tx.jobs.advance(job, done=done, total=total)
            await tx.commit()

    async def _keep_keys(self, tenant_id: int, job: Job, base: _Base) -> None:
        packed = base.packed
        for first in range(0, packed.count, _RECORDS):
            begin, end = np.searchsorted(packed.holders, (first, first + _RECORDS))
            keys: dict[UUID, list[int]] = {}
            for holder, key in zip(packed.holders[begin:end].tolist(), packed.keys[begin:end].tolist(), strict=True):
                keys.setdefault(base.id_at(holder), []).append(key)
            async with self._uow.begin(system(tenant_id), timeout_ms=_STEP_MS) as tx:
                async with tx.matching.acting(lasting=False):
                    await tx.duplicate_scanning.keep_records(keys)
                await tx.jobs.advance(job, done=first, total=packed.count)
                await tx.commit()
        async with self._uow.begin(system(tenant_id), timeout_ms=_LONG_MS) as tx:
            async with tx.matching.acting():
                await tx.duplicate_scanning.spread_keys()
            await tx.commit()

    async def _write(
        self,
        tenant_id: int,
        job: Job,
        base: _Base,
        model: Model,
        step: Sequence[tuple[int, int]],
        after: UUID,
        to: UUID,
    ) -> UUID:
        pairs = [(base.id_at(one), base.id_at(other)) for one, other in step]
        async with self._uow.begin(system(tenant_id), timeout_ms=_STEP_MS) as tx:
            async with tx.matching.acting(lasting=False):
                profiles = await tx.matching.profiles({one for pair in pairs for one in pair})
                found = await aside(len(pairs), lambda: scored(pairs, profiles, model))
                await tx.matching.begin(patiently=True)
                await regroup(tx, await tx.duplicate_scanning.replace_range(after, to, found))
            await tx.jobs.advance(job, done=base.packed.count, total=base.packed.count)
            await tx.commit()
        return to


def _found(base: _Base) -> tuple[Model, list[tuple[int, int]]]:
    """What the base teaches, and the pairs that are as likely one as not, in the order of their first records."""
    met = meetings(base.packed, most=max(_FEW, _MEETINGS_EACH * base.packed.count))
    # The keys have done their part, and take a third of the memory.
    base.packed = replace(base.packed, keys=base.packed.keys[:0].copy(), holders=base.packed.holders[:0].copy())
    model = learnt(base.packed, met)
    found = score(base.packed, met, model, bound=_EVEN)
    return model, sorted(zip(found.one.tolist(), found.other.tolist(), strict=True))


def _steps(pairs: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Pieces that end where a record's pairs do; the last one is empty, for all that lies behind."""
    begin = 0
    while begin < len(pairs):
        end = min(begin + _PAIRS, len(pairs))
        while end < len(pairs) and pairs[end][0] == pairs[end - 1][0]:
            end += 1
        yield pairs[begin:end]
        begin = end
    yield []


def _profiles(batches: "Queue[Sequence[Any] | None]", scanning: Scanning, ids: bytearray) -> Iterator[Profile]:
    while (rows := batches.get()) is not None:
        for customer_id, profile in scanning.read(rows):
            ids.extend(customer_id.bytes)
            yield profile
