"""What a crowd has seen in clear is in the trail, whatever went wrong; tens of thousands of requests are a proof."""

import asyncpg
import pytest

from tests.api.support import Api, in_the_api
from tests.db.audited_crowd import a_crowd, hold_against_the_trail
from tests.postgres import TestDatabase


def test_what_was_seen_is_in_the_trail(database: TestDatabase) -> None:
    if database.superuser_url is None:
        pytest.skip("needs a superuser, who may end backends")
    url = database.superuser_url

    async def scenario(world: Api) -> None:
        root = await asyncpg.connect(url)
        try:
            ledger = await a_crowd(world, root, requests=200, tasks=8, seed=18)
            assert sum(ledger.seen.values()) > 40
            assert ledger.faults > 5
            await hold_against_the_trail(world, root, ledger)
            # The control: a look that the trail does not know of is noticed.
            await root.execute(
                "DELETE FROM audit WHERE tenant_id = $1 AND action = 'contacts.reveal'", world.tenant.tenant_id
            )
            with pytest.raises(AssertionError):
                await hold_against_the_trail(world, root, ledger)
        finally:
            await root.close()

    in_the_api(database, scenario)
