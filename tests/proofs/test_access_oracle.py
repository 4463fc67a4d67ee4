"""A hundred thousand random deeds, over HTTP, against the reference. CLIENTBASE_PROOF_STEPS asks for fewer."""

import os

from tests.access.oracle import an_oracle
from tests.api.support import Api, in_the_api
from tests.postgres import TestDatabase

_STEPS = int(os.environ.get("CLIENTBASE_PROOF_STEPS", "100000"))


def test_a_hundred_thousand_random_deeds_show_no_difference(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        for seed in range(10):
            oracle = await an_oracle(world, seed)
            await oracle.run(_STEPS // 10)
            assert oracle.differences == [], "\n".join([f"seed {seed}", *oracle.differences[:5]])

    in_the_api(database, scenario)
