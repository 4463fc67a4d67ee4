"""The sealer and the verification: what is sealed can't be changed unseen, and each change is found where it is."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clock import SystemClock
from service.db.audit import ROW_HASH
from service.db.audit_seals import PgSealer
from service.domain.access import Principal
from service.domain.audit import chain
from service.domain.audit.chain import Entry, month_of
from service.domain.audit.inspection import Finding
from service.domain.audit.service import AuditService, operator
from service.domain.ids import new_id
from service.jobs.anchors import AnchorFile
from service.jobs.sealing import Sealing
from tests.postgres import TestDatabase
from tests.support import Tenant, in_a_tenant


class Trail:
    """The trail of a tenant, with its sealer, its anchors and somebody above the law."""

    def __init__(self, tenant: Tenant, person: Principal, root: asyncpg.Connection, file: Path) -> None:
        self.tenant = tenant
        self.person = person
        self.root = root
        self.file = file
        self.anchors = AnchorFile(file, lambda: "a secret of the test")
        self.sealer = PgSealer(tenant.pool)
        self.sealing = Sealing(self.sealer, self.anchors, SystemClock(), every_s=0.1, anchor_every_s=60)
        self.service = AuditService(tenant.uow, SystemClock(), self.anchors)

    async def write(self, rows: int = 1, **told: Any) -> None:
        async with self.tenant.uow.begin(self.person) as tx:
            for number in range(rows):
                given: dict[str, Any] = {"reason": f"Reason {number}", "number": number} | told
                await tx.journal.audit("test.row", "customer", new_id(), **given)
            await tx.commit()

    async def seal(self) -> None:
        """Until all is sealed: work in other databases of the server holds the horizon back for a moment."""
        for _ in range(300):
            await self.sealer.seal()
            if not (await self.sealer.backlog()).rows:
                return
            await asyncio.sleep(0.1)
        raise AssertionError("somebody keeps a transaction open")

    async def sealed(self, rows: int) -> None:
        """Write and seal so many rows, in transactions of three."""
        while rows > 0:
            await self.write(min(3, rows))
            rows -= 3
        await self.seal()
        await self.sealing.anchor()

    async def sql(self, statement: str, *values: object) -> Any:
        return await self.root.fetch(statement, *values)

    async def findings(self, *, anchors: bool = True) -> list[Finding]:
        principal = operator(self.tenant.tenant_id)
        found: list[Finding] = []
        anchored = self.anchors.of(self.tenant.tenant_id) if anchors else None
        for month, _ in await self.service.months(principal):
            *_, last = [one async for one in self.service.going_along(principal, month, anchored)]
            assert last.complete
            found += last.findings
        return found

    async def hash_of(self, audit_id: UUID) -> bytes:
        (row,) = await self.sql(f"SELECT {ROW_HASH} AS hash FROM audit a WHERE a.audit_id = $1", audit_id)
        return bytes(row["hash"])

    async def ids(self) -> list[UUID]:
        rows = await self.sql(
            "SELECT audit_id FROM audit_seals WHERE tenant_id = $1 ORDER BY seq", self.tenant.tenant_id
        )
        return [row["audit_id"] for row in rows]


def on_a_trail(database: TestDatabase, file: Path, scenario: Callable[[Trail], Awaitable[None]]) -> None:
    async def run(tenant: Tenant) -> None:
        async with above(database) as root:
            await scenario(Trail(tenant, await tenant.staff(), root, file))

    in_a_tenant(database.owner_url, database.service_url, run)


@asynccontextmanager
async def above(database: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    """Somebody whom no policy and no grant holds: who administers the database."""
    if database.superuser_url is None:
        pytest.skip("needs a superuser, who may do everything to the trail")
    connection = await asyncpg.connect(database.superuser_url)
    try:
        yield connection
    finally:
        await connection.close()


_COLUMNS = "tenant_id, audit_id, at, staff_id, action, entity, entity_id, records, outcome, reason_hash, xid"


@settings(max_examples=60)
@given(
    action=st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=30),
    entity=st.sampled_from(["customer", "заказ", "", "3:-"]),
    entity_id=st.none() | st.uuids(),
    records=st.integers(-(2**31), 2**31 - 1),
    reason_hash=st.none() | st.binary(min_size=32, max_size=32),
    at=st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),
    detail=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text("aя\\\"'", max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("bя ", max_size=3), inner, max_size=3),
        max_leaves=5,
    ),
)
def test_python_and_sql_hash_a_row_alike(database: TestDatabase, **row: Any) -> None:
    async def ask() -> Any:
        connection = await _asked(database)
        return await connection.fetchrow(
            f"""WITH a AS (SELECT 7 AS tenant_id, $1::uuid AS audit_id, $2::timestamptz AS at, $1::uuid AS staff_id,
                $3::text AS action, $4::text AS entity, $5::uuid AS entity_id, $6::int AS records,
                'done'::text AS outcome, $7::bytea AS reason_hash, $8::jsonb AS detail, 12::bigint AS xid)
            SELECT {_COLUMNS}, detail::text AS detail, {ROW_HASH} AS hashed, {ROW_HASH} AS again FROM a""",
            new_id(),
            row["at"].replace(tzinfo=UTC),
            row["action"],
            row["entity"],
            row["entity_id"],
            row["records"],
            row["reason_hash"],
            _json(row["detail"]),
        )

    found = dict(_loop().run_until_complete(ask()))
    hashed = found.pop("hashed")
    found.pop("again")
    assert chain.row_hash(Entry(**found)) == hashed


_kept: dict[str, Any] = {}


def _loop() -> asyncio.AbstractEventLoop:
    if "loop" not in _kept:
        _kept["loop"] = asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = _kept["loop"]
    return loop


async def _asked(database: TestDatabase) -> Any:
    if "connection" not in _kept:
        _kept["connection"] = await asyncpg.connect(database.owner_url)
    return _kept["connection"]


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Any:
    yield
    if "connection" in _kept:
        _loop().run_until_complete(_kept["connection"].close())
    if "loop" in _kept:
        _kept["loop"].close()
    _kept.clear()


def _json(value: Any) -> str:
    return json.dumps(value)


def test_rows_are_sealed_in_the_order_of_their_transactions(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(trail: Trail) -> None:
        early = trail.tenant.uow.begin(trail.person)
        async with early as tx:
            await tx.journal.audit("test.early", "customer")
            await trail.write(3)
            await trail.sealer.seal()
            # What committed meanwhile waits: a transaction that began before it is still on its way.
            assert await trail.ids() == []
            assert (await trail.sealer.backlog()).rows >= 3
            await tx.commit()
        await trail.seal()
        rows = await trail.sql(
            "SELECT a.action, s.seq FROM audit a JOIN audit_seals s USING (tenant_id, audit_id) "
            "WHERE tenant_id = $1 ORDER BY seq",
            trail.tenant.tenant_id,
        )
        assert [row["seq"] for row in rows] == [1, 2, 3, 4]
        assert rows[0]["action"] == "test.early"
        assert await trail.findings() == []

    on_a_trail(database, tmp_path / "anchors", scenario)


def test_two_sealers_at_once_make_one_chain(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(trail: Trail) -> None:
        others = [PgSealer(trail.tenant.pool) for _ in range(3)]
        for _ in range(10):
            await trail.write(5)
            await asyncio.gather(*(one.seal() for one in others))
        await trail.seal()
        assert len(await trail.ids()) == 50
        assert await trail.findings() == []

    on_a_trail(database, tmp_path / "anchors", scenario)


def test_nobody_but_the_sealer_writes_seals_and_he_changes_none(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(trail: Trail) -> None:
        await trail.sealed(3)
        rights = await trail.sql("""
            SELECT r.rolname, p.privilege FROM pg_roles r,
                unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS p (privilege)
            WHERE r.rolname LIKE 'clientbase%' AND NOT r.rolsuper
                AND r.oid <> (SELECT relowner FROM pg_class WHERE relname = 'audit_seals')
                AND has_table_privilege(r.oid, 'audit_seals', p.privilege)
        """)
        assert [tuple(row) for row in rights] == [("clientbase_sealer", "INSERT")]

    on_a_trail(database, tmp_path / "anchors", scenario)


_TAMPERINGS = {
    "row-changed": "UPDATE audit SET action = 'test.other' WHERE audit_id = $1",
    "row-removed": "DELETE FROM audit WHERE audit_id = $1",
    "reason-changed": "UPDATE audit SET reason = 'Another' WHERE audit_id = $1",
    "reason-removed": "UPDATE audit SET reason = NULL, reason_salt = NULL WHERE audit_id = $1",
    "seal-changed": "UPDATE audit_seals SET row_hash = sha256('x') WHERE audit_id = $1",
    "seals-removed": "DELETE FROM audit_seals WHERE audit_id = $1",
}


@pytest.mark.parametrize("kind", _TAMPERINGS)
def test_each_tampering_is_found_where_it_is(database: TestDatabase, tmp_path: Path, kind: str) -> None:
    async def scenario(trail: Trail) -> None:
        await trail.sealed(9)
        assert await trail.findings() == []  # the control
        victim = (await trail.ids())[4]
        await trail.sql(_TAMPERINGS[kind], victim)
        found = await trail.findings()
        assert kind in {one.kind for one in found}
        named = next(one for one in found if one.kind == kind)
        assert (named.seq, named.through) == (5, 5)
        assert all(one.seq in (None, 5) for one in found)

    on_a_trail(database, tmp_path / "anchors", scenario)


def test_a_row_that_was_changed_with_its_seal_is_told_by_the_next_one(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(trail: Trail) -> None:
        await trail.sealed(9)
        victim, tenant = (await trail.ids())[4], trail.tenant.tenant_id
        await trail.sql(_TAMPERINGS["row-changed"], victim)
        found = await trail.hash_of(victim)
        seals = await trail.sql("SELECT chain_hash FROM audit_seals WHERE tenant_id = $1 AND seq = 4", tenant)
        fitting = chain.link(seals[0]["chain_hash"], found)
        await trail.sql(
            "UPDATE audit_seals SET row_hash = $2, chain_hash = $3 WHERE audit_id = $1", victim, found, fitting
        )
        assert [(one.kind, one.seq) for one in await trail.findings(anchors=False)] == [("seal-changed", 6)]

    on_a_trail(database, tmp_path / "anchors", scenario)


def test_a_row_that_is_put_in_later_is_found(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(trail: Trail) -> None:
        await trail.sealed(9)
        forged = new_id()
        await trail.sql(
            "INSERT INTO audit (tenant_id, audit_id, staff_id, action, entity, xid) "
            "SELECT tenant_id, $2, staff_id, 'test.forged', 'customer', xid FROM audit WHERE audit_id = $1",
            (await trail.ids())[2],
            forged,
        )
        await trail.write()
        await trail.seal()
        assert [(one.kind, one.audit_id) for one in await trail.findings()] == [("row-inserted", forged)]

    on_a_trail(database, tmp_path / "anchors", scenario)


def test_a_cut_tail_and_a_rewritten_chain_contradict_the_anchor(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(trail: Trail) -> None:
        await trail.sealed(6)
        await trail.sealed(6)
        tenant, ids = trail.tenant.tenant_id, await trail.ids()
        await trail.sql("DELETE FROM audit WHERE audit_id = ANY ($1)", ids[9:])
        await trail.sql("DELETE FROM audit_seals WHERE audit_id = ANY ($1)", ids[9:])
        assert await trail.findings(anchors=False) == []  # the chain alone can't tell
        assert [(one.kind, one.seq, one.through) for one in await trail.findings()] == [("tail-cut", 10, 12)]
        await trail.sql("UPDATE audit SET records = 99 WHERE audit_id = $1", ids[7])
        await trail.sql("DELETE FROM audit_seals WHERE tenant_id = $1 AND seq > 7", tenant)
        await trail.seal()
        await trail.write(3)
        await trail.seal()
        assert await trail.findings(anchors=False) == []
        assert [(one.kind, one.seq, one.through) for one in await trail.findings()] == [("chain-rewritten", 7, 12)]

    on_a_trail(database, tmp_path / "anchors", scenario)


def test_an_anchor_that_was_written_by_another_hand_counts_for_nothing(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(trail: Trail) -> None:
        await trail.sealed(3)
        text = trail.file.read_text()
        trail.file.write_text(text + text.replace('",3,"', '",9,"'))
        anchored = trail.anchors.of(trail.tenant.tenant_id)
        assert anchored is not None
        assert (anchored.lines, anchored.forged) == (2, [2])
        assert anchored.places[month_of(datetime.now(UTC))].keys() == {3}
        assert await trail.findings() == []

    on_a_trail(database, tmp_path / "anchors", scenario)


def test_a_ledger_is_sealed_with_its_row(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(trail: Trail) -> None:
        touched = [new_id() for _ in range(2_500)]
        await trail.write(1, touched=touched, records=2_500)
        await trail.seal()
        kept = await trail.sql("SELECT ids FROM audit_entries WHERE tenant_id = $1", trail.tenant.tenant_id)
        assert sorted(len(row["ids"]) for row in kept) == [500, 1_000, 1_000]
        assert {one for row in kept for one in row["ids"]} == set(touched)
        assert await trail.findings() == []
        await trail.sql(
            "UPDATE audit_entries SET ids = ids[2:] WHERE tenant_id = $1 AND cardinality(ids) = 500",
            trail.tenant.tenant_id,
        )
        assert [one.kind for one in await trail.findings()] == ["ledger-changed"]

    on_a_trail(database, tmp_path / "anchors", scenario)
