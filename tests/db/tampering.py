"""Somebody above the law changes a sealed trail in every way there is, in many places at once that are known."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from service.domain.audit.inspection import Finding
from service.domain.ids import new_id
from tests.db.test_audit_seals import Trail

_APART = 8
_FIELDS = (
    "at = at + interval '1 microsecond'",
    "staff_id = gen_random_uuid()",
    "action = action || ' '",
    "entity = 'order'",
    "entity_id = gen_random_uuid()",
    "entity_id = NULL",
    "records = records + 1",
    "outcome = 'refused'",
    "reason = 'Another reason'",
    "reason = NULL, reason_salt = NULL",
    "reason_salt = sha256('x')",
    "reason_hash = sha256('x')",
    "detail = detail || '{\"more\": 1}'",
    "xid = xid + 1",
)
_SAVE = """
    CREATE TEMPORARY TABLE IF NOT EXISTS kept_rows AS SELECT * FROM audit WHERE tenant_id = {tenant};
    CREATE TEMPORARY TABLE IF NOT EXISTS kept_seals AS SELECT * FROM audit_seals WHERE tenant_id = {tenant}
"""
_RESTORE = """
    DELETE FROM audit WHERE tenant_id = {tenant}; INSERT INTO audit SELECT * FROM kept_rows;
    DELETE FROM audit_seals WHERE tenant_id = {tenant}; INSERT INTO audit_seals SELECT * FROM kept_seals
"""


@dataclass(frozen=True, slots=True)
class Done:
    """One tampering: at which places of the chain, and which row was put in."""

    kind: str
    places: tuple[int, ...]
    inserted: UUID | None = None

    def is_located_by(self, findings: list[Finding]) -> bool:
        if self.inserted is not None:
            return any(one.audit_id == self.inserted for one in findings)
        return all(any(_covers(one, place) for one in findings) for place in self.places)

    def explains(self, finding: Finding) -> bool:
        if finding.seq is None:
            return finding.audit_id == self.inserted or bool(self.places)
        return any(_covers(finding, place) for place in self.places)


def _covers(finding: Finding, place: int) -> bool:
    # A seal that was made anew with its hash breaks the chain at the one behind it, which says so.
    return finding.seq is not None and finding.through is not None and finding.seq <= place + 1 <= finding.through + 1


class Tamperer:
    def __init__(self, trail: Trail, draw: random.Random) -> None:
        self.trail = trail
        self.draw = draw
        self.tenant = trail.tenant.tenant_id
        self.ids: list[UUID] = []

    async def prepare(self) -> None:
        self.ids = await self.trail.ids()
        await self.trail.root.execute(_SAVE.format(tenant=self.tenant))

    async def restore(self) -> None:
        await self.trail.root.execute(_RESTORE.format(tenant=self.tenant))

    async def _sql(self, statement: str, *values: object) -> None:
        await self.trail.root.execute(statement, *values)

    async def many(self, number: int) -> list[Done]:
        """So many tamperings in places of their own, none near the end."""
        slots = self.draw.sample(range(_APART, len(self.ids) - _APART, _APART), 2 * number)
        ways: list[Callable[[int, int], object]] = [
            self._field, self._field, self._removed, self._swapped, self._inserted, self._seal, self._seal_removed,
            self._seals_swapped, self._both_removed, self._remade,
        ]  # fmt: skip
        done = []
        async with self.trail.root.transaction():
            for one, other in zip(slots[::2], slots[1::2], strict=True):
                done.append(await self.draw.choice(ways)(one, other))  # type: ignore[misc]
        return done

    async def _field(self, place: int, _: int) -> Done:
        change = self.draw.choice(_FIELDS)
        await self._sql(f"UPDATE audit SET {change} WHERE audit_id = $1", self.ids[place - 1])
        return Done(change, (place,))

    async def _removed(self, place: int, _: int) -> Done:
        await self._sql("DELETE FROM audit WHERE audit_id = $1", self.ids[place - 1])
        return Done("row removed", (place,))

    async def _swapped(self, place: int, other: int) -> Done:
        one, two, aside = self.ids[place - 1], self.ids[other - 1], new_id()
        for before, after in ((one, aside), (two, one), (aside, two)):
            await self._sql("UPDATE audit SET audit_id = $2 WHERE audit_id = $1", before, after)
        return Done("rows swapped", (place, other))

    async def _inserted(self, place: int, _: int) -> Done:
        forged = new_id()
        await self._sql(
            "INSERT INTO audit (tenant_id, audit_id, at, staff_id, action, entity, xid) "
            "SELECT tenant_id, $2, at, staff_id, action, entity, xid - 1 FROM audit WHERE audit_id = $1",
            self.ids[place - 1],
            forged,
        )
        return Done("row inserted", (), forged)

    async def _seal(self, place: int, _: int) -> Done:
        change = self.draw.choice(
            ("row_hash = sha256('x')", "chain_hash = sha256('x')", "audit_id = gen_random_uuid()")
        )
        await self._sql(f"UPDATE audit_seals SET {change} WHERE tenant_id = $1 AND seq = $2", self.tenant, place)
        return Done(f"seal {change}", (place,))

    async def _seal_removed(self, place: int, _: int) -> Done:
        await self._sql("DELETE FROM audit_seals WHERE tenant_id = $1 AND seq = $2", self.tenant, place)
        return Done("seal removed", (place,))

    async def _seals_swapped(self, place: int, other: int) -> Done:
        for before, after in ((place, 0), (other, place), (0, other)):
            await self._sql(
                "UPDATE audit_seals SET seq = $3 WHERE tenant_id = $1 AND seq = $2", self.tenant, before, after
            )
        return Done("seals swapped", (place, other))

    async def _both_removed(self, place: int, _: int) -> Done:
        await self._removed(place, 0)
        await self._seal_removed(place, 0)
        return Done("row and seal removed", (place,))

    async def _remade(self, place: int, _: int) -> Done:
        """The row is changed and its seal made to fit, as if it had been so; only the next one knows."""
        await self._sql("UPDATE audit SET records = 77 WHERE audit_id = $1", self.ids[place - 1])
        found = await self.trail.hash_of(self.ids[place - 1])
        await self._sql(
            "UPDATE audit_seals s SET row_hash = $3, chain_hash = sha256(p.chain_hash || $3) FROM audit_seals p "
            "WHERE s.tenant_id = $1 AND s.seq = $2 AND p.tenant_id = $1 AND p.month = s.month AND p.seq = $2 - 1",
            self.tenant,
            place,
            found,
        )
        return Done("row and seal remade", (place,))

    async def cut(self) -> Done:
        """The tail goes, rows and seals."""
        first = self.draw.randrange(2, len(self.ids) + 1)
        await self._sql("DELETE FROM audit WHERE audit_id = ANY ($1)", self.ids[first - 1 :])
        await self._sql("DELETE FROM audit_seals WHERE tenant_id = $1 AND seq >= $2", self.tenant, first)
        return Done("tail cut", (first, len(self.ids)))

    async def remake(self) -> Done:
        """One row is changed and the whole chain made anew behind it."""
        first = self.draw.randrange(2, len(self.ids) + 1)
        await self._sql("UPDATE audit SET records = 88 WHERE audit_id = $1", self.ids[first - 1])
        await self._sql("DELETE FROM audit_seals WHERE tenant_id = $1 AND seq >= $2", self.tenant, first)
        await self.trail.sealer.seal()
        return Done("chain remade", (first,))


async def tamper(tamperer: Tamperer, *, rounds: int, at_once: int) -> dict[str, int]:
    """So many rounds of several tamperings, each tenth of a cut tail or a remade chain. How many of each kind."""
    counted: dict[str, int] = {}
    for number in range(rounds):
        if number % 10 == 9:
            done = [await (tamperer.cut() if number % 20 == 9 else tamperer.remake())]
        else:
            done = await tamperer.many(at_once)
        findings = await tamperer.trail.findings()
        for one in done:
            assert one.is_located_by(findings), (number, one, findings)
            counted[one.kind] = counted.get(one.kind, 0) + 1
        for finding in findings:
            assert any(one.explains(finding) for one in done), (number, finding, done)
        await tamperer.restore()
        if number % 10 == 9:
            assert await tamperer.trail.findings() == []  # the control: untouched, nothing is found
    return counted
