"""Each new or changed record is compared with those that share a key, and clusters follow.

One tenant is held by one round at a time. A round takes some of what was written since, below the oldest transaction
that still runs, so that nobody is passed over; scoring holds nobody up, for a round locks no record.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from service.domain.access import Principal, Reach
from service.domain.duplicates.grouping import grouped, named, ordered
from service.domain.duplicates.keyed import KeyHash
from service.domain.duplicates.model import Found, Matched
from service.domain.duplicates.models import restored
from service.domain.duplicates.ports import Begun, Matching, MatchingTransaction
from service.domain.ids import new_id
from service.domain.linkage.comparing import compare
from service.domain.linkage.model import DEFAULT, Model, Waterfall, weight
from service.domain.linkage.profile import Profile
from service.domain.ports import UnitOfWork

T = TypeVar("T")
# About a second's work. After a large import the job over the whole base is sooner through.
AT_ONCE = 200
# What is less probable is not kept, and shown to nobody.
LEAST = 0.5
_TIMEOUT_MS = 120_000
# With so few pairs another thread would cost more than the scoring.
_FEW = 300
_NOBODY = UUID(int=0)


def system(tenant_id: int) -> Principal:
    """The service itself within one tenant: likes are found across all curators."""
    return Principal(
        tenant_id=tenant_id,
        tenant="",
        staff_id=_NOBODY,
        subject="duplicates",
        kind="system",
        reach=Reach.TENANT,
        scopes=frozenset(),
    )


class Matcher:
    def __init__(
        self,
        uow: UnitOfWork[MatchingTransaction],
        tenants: Callable[[], Awaitable[Sequence[int]]],
        key_hash: KeyHash,
    ) -> None:
        self._uow = uow
        self._tenants = tenants
        self._key_hash = key_hash
        self._models: dict[int, tuple[int, Model]] = {}

    async def refresh(self) -> Matched:
        """One round for each tenant, so that whatever else the worker does has its turn. Raises Unavailable."""
        done = Matched()
        for tenant_id in await self._tenants():
            done += (await self._round(tenant_id))[0]
        return done

    async def refresh_tenant(self, tenant_id: int) -> Matched:
        """Everything that was written since."""
        done, more = Matched(), True
        while more:
            one, more = await self._round(tenant_id)
            done += one
        return done

    async def _round(self, tenant_id: int) -> tuple[Matched, bool]:
        async with self._uow.begin(system(tenant_id), timeout_ms=_TIMEOUT_MS) as tx:
            async with tx.matching.acting(lasting=False):
                begun = await tx.matching.begin(patiently=False)
                if begun is None:
                    return Matched(), False
                changed = await tx.matching.changed(begun, AT_ONCE)
                if changed.behind == begun.place:
                    return Matched(), False
                model = await self._model(tx.matching, tenant_id, begun)
                done = await self._match(tx, model, changed.customer_ids)
                await tx.matching.proceed(changed.behind)
            await tx.commit()
        return done, changed.more

    async def _model(self, matching: Matching, tenant_id: int, begun: Begun) -> Model:
        """What was learnt of this base, read anew when it was learnt anew; before that, the default."""
        known = self._models.get(tenant_id)
        if begun.model_version and (known is None or known[0] != begun.model_version):
            known = self._models[tenant_id] = (
                begun.model_version,
                restored(await matching.model(), self._key_hash),
            )
        return known[1] if known else DEFAULT

    async def _match(self, tx: MatchingTransaction, model: Model, customer_ids: Sequence[UUID]) -> Matched:
        """Compare these records with all others, and let pairs and clusters follow."""
        if not customer_ids:
            return Matched()
        matching = tx.matching
        profiles = await matching.profiles(customer_ids)
        hashes = await aside(len(profiles), lambda: {one: self._key_hash.all_of(p) for one, p in profiles.items()})
        await matching.rekey(customer_ids, hashes)
        pairs = {ordered(*pair) for pair in await matching.candidates(hashes)}
        others = {one for pair in pairs for one in pair} - profiles.keys()
        profiles |= await matching.profiles(others) if others else {}
        found = await aside(len(pairs), lambda: scored(pairs, profiles, model))
        await regroup(tx, await matching.replace_pairs(customer_ids, found))
        return Matched(records=len(customer_ids), pairs=len(found))


async def regroup(tx: MatchingTransaction, touched: Collection[UUID]) -> None:
    """Let the clusters of these records follow their pairs and marks."""
    if not touched:
        return
    around = await tx.matching.surroundings(touched)
    after = named(grouped(around.edges, around.never), around.before, new_id)
    if after != around.before:
        await tx.matching.regroup(around.before, after)


def scored(pairs: Collection[tuple[UUID, UUID]], profiles: Mapping[UUID, Profile], model: Model) -> list[Found]:
    """Those of the pairs that may be one record."""
    found = []
    for first, second in sorted(pairs):
        one, other = profiles.get(first), profiles.get(second)
        if one is None or other is None or one.kind != other.kind:
            continue
        fall = weight(compare(one, other), model)
        if fall.probability >= LEAST:
            found.append(_found(first, second, fall))
    return found


def _found(first: UUID, second: UUID, fall: Waterfall) -> Found:
    steps = [{"comparison": "start", "level": "any pair", "weight": fall.start}]
    steps += [{"comparison": one.comparison, "level": one.level, "weight": one.weight} for one in fall.steps]
    return Found(first_id=first, second_id=second, weight=fall.total, probability=fall.probability, waterfall=steps)


async def aside(size: int, work: Callable[[], T]) -> T:
    """Much work goes to a thread, so that the worker's heart beats meanwhile."""
    return work() if size <= _FEW else await asyncio.to_thread(work)
