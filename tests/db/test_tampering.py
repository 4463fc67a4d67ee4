"""Random tamperings with a sealed trail, a few; ten thousand of them are a proof (tests/proofs/test_audit.py)."""

import random
from pathlib import Path

from tests.db.tampering import Tamperer, tamper
from tests.db.test_audit_seals import Trail, on_a_trail
from tests.postgres import TestDatabase


def test_random_tamperings_are_all_found_and_located(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(trail: Trail) -> None:
        await trail.sealed(60)
        await trail.write(180)
        await trail.seal()
        await trail.sealing.anchor()
        tamperer = Tamperer(trail, random.Random(4))
        await tamperer.prepare()
        counted = await tamper(tamperer, rounds=10, at_once=8)
        assert sum(counted.values()) >= 70

    on_a_trail(database, tmp_path / "anchors", scenario)
