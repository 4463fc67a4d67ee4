"""The audit trail at full size: every look is in it (B18), it fails closed (B19), every tampering is found (B20)."""

import os
import random
import time
from pathlib import Path

import asyncpg
import pytest

from service.domain.audit.service import operator
from tests.api.support import Api, in_the_api
from tests.db.audited_crowd import a_crowd, hold_against_the_trail
from tests.db.tampering import Tamperer, tamper
from tests.db.test_audit_seals import Trail, on_a_trail
from tests.postgres import TestDatabase, migrated_database
from tests.proofs.test_planted_defects import Defect
from tests.proofs.test_planted_defects import test_the_defect_is_caught as caught

# CLIENTBASE_PROOFS_SHARE=0.1 makes a tenth of it.
_SHARE = float(os.environ.get("CLIENTBASE_PROOFS_SHARE", "1"))
_ROWS_A_SECOND = 50_000
_JOURNAL, _CLOSED = "service/db/journal.py", "tests/api/test_audit_closed.py"
_DEFECTS = {
    "a failure of the trail is swallowed": ("            raise AuditUnwritable from error", "            return"),
    "nothing is told": ("await self._session.execute_within(_PATIENCE_S, statement, **values)", "return"),
    "the trail is waited for without end": ("_PATIENCE_S = 1.5", "_PATIENCE_S = 60.0"),
}
_FILL = """
    INSERT INTO audit
        (tenant_id, audit_id, staff_id, action, entity, entity_id, reason, reason_salt, reason_hash, detail)
    SELECT $1, gen_random_uuid(), $2, 'contacts.reveal', 'customer', gen_random_uuid(), 'Call back',
        '\\x00', sha256('\\x00'::bytea || 'Call back'::bytea), '{"fields": ["city", "region"]}'
    FROM generate_series(1, $3::int)
"""


def test_ten_thousand_tamperings_are_all_found_and_located(tmp_path: Path) -> None:
    async def scenario(trail: Trail) -> None:
        await trail.sealed(90)
        await trail.write(420)
        await trail.seal()
        await trail.sealing.anchor()
        tamperer = Tamperer(trail, random.Random(20))
        await tamperer.prepare()
        counted = await tamper(tamperer, rounds=int(560 * _SHARE), at_once=20)
        total = sum(counted.values())
        print(f"\n{total} tamperings of {len(counted)} kinds, all found and located")  # noqa: T201
        assert total >= 10_000 * _SHARE

    with migrated_database() as database:
        on_a_trail(database, tmp_path / "anchors", scenario)


def test_the_trail_is_verified_at_fifty_thousand_rows_a_second(tmp_path: Path) -> None:
    rows = int(500_000 * _SHARE)

    async def scenario(trail: Trail) -> None:
        await trail.sql(_FILL, trail.tenant.tenant_id, trail.person.staff_id, rows)
        await trail.root.execute("ANALYZE audit")
        started = time.perf_counter()
        await trail.seal()
        sealing = time.perf_counter() - started
        await trail.root.execute("ANALYZE audit_seals")
        ((month, last),) = await trail.service.months(operator(trail.tenant.tenant_id))
        assert last == rows
        started = time.perf_counter()
        assert await trail.findings() == []
        verifying = time.perf_counter() - started
        told = f"sealed {rows / sealing:,.0f} rows/s, verified {rows / verifying:,.0f} rows/s ({month:%Y-%m})"
        print(f"\n{told}")  # noqa: T201
        assert rows / verifying >= _ROWS_A_SECOND

    with migrated_database() as database:
        on_a_trail(database, tmp_path / "anchors", scenario)


def test_what_a_crowd_has_seen_is_in_the_trail() -> None:
    requests = int(50_000 * _SHARE)

    def with_root(database: TestDatabase, url: str) -> None:
        async def scenario(world: Api) -> None:
            root = await asyncpg.connect(url)
            try:
                ledger = await a_crowd(world, root, requests=requests, tasks=16, seed=1)
                await hold_against_the_trail(world, root, ledger)
                seen = sum(ledger.seen.values())
                print(f"\n{requests} requests, {seen} seen in clear, {ledger.faults} faults: none missing")  # noqa: T201
            finally:
                await root.close()

        in_the_api(database, scenario)

    with migrated_database() as database:
        if database.superuser_url is None:
            pytest.skip("needs a superuser, who may end backends")
        with_root(database, database.superuser_url)


@pytest.mark.parametrize("what", _DEFECTS)
def test_a_trail_that_does_not_close_turns_the_suite_red(what: str) -> None:
    there, instead = _DEFECTS[what]
    assert there in Path(_JOURNAL).read_text()
    caught(Defect(what=what, file=_JOURNAL, there=there, instead=instead, test=_CLOSED))
