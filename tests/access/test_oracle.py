"""Two thousand random deeds of random people tell and do what the reference says; the proofs do a hundred thousand."""

from typing import Any

import pytest

from tests.access.oracle import an_oracle
from tests.access.reference import Caller, Known
from tests.api.support import Api, in_the_api
from tests.postgres import TestDatabase


def test_random_deeds_tell_what_the_reference_says(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        oracle = await an_oracle(world, seed=4)
        await oracle.run(2_000)
        assert oracle.differences == [], "\n".join(oracle.differences[:5])
        assert all(
            oracle.done[deed] > 20 for deed in ("get", "list", "search", "delete", "hand_over", "move", "create")
        )

    in_the_api(database, scenario)


def test_the_oracle_sees_a_rule_that_is_wider_than_it_should_be(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted defect: a deputy sees nothing of whom he stands in for, says a changed reference."""
    sees = Caller.sees

    def narrower(self: Caller, one: Known) -> bool:
        return sees(self, one) and (self.reach != "own" or one.curator == self.staff)

    monkeypatch.setattr(Caller, "sees", narrower)

    async def scenario(world: Api) -> Any:
        oracle = await an_oracle(world, seed=4)
        await oracle.run(300)
        return oracle.differences

    assert in_the_api(database, scenario) != []
