"""A hundred thousand transactions on eight connections: 0 foreign rows, 0 leaked connections."""

import asyncio
import os

from tests.db.soak import soaked
from tests.postgres import TestDatabase

_TRANSACTIONS = int(os.environ.get("CLIENTBASE_PROOF_STEPS", "100000"))


def test_a_hundred_thousand_transactions_meet_no_stranger(database: TestDatabase) -> None:
    soak = asyncio.run(soaked(database, _TRANSACTIONS, seed=1))
    assert soak.foreign == []
    assert soak.happened["killed"] > _TRANSACTIONS // 100
