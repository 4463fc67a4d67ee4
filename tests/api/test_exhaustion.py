"""Without a connection to be had everybody is told so in time, the process lives, and afterwards all is as before."""

from tests.api.exhausting import exhausted, recovered
from tests.api.support import Api, in_the_api
from tests.postgres import TestDatabase


def test_while_all_connections_are_held_everybody_hears_to_come_again(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        seen = await exhausted(world, 5)
        assert seen.statuses == {(503, True)}
        assert seen.answers >= 12
        # The bars of the proof are 2.5 s and 100 ms; here others are at work on the same machine.
        assert seen.slowest_s <= 4
        assert max(seen.alive_s) <= 1
        assert max(seen.refused_s) <= 1
        assert await recovered(world) <= 2
        assert world.services.operations.pool_numbers()["busy"] == 0

    in_the_api(database, scenario)


def test_connections_that_are_left_would_be_seen(database: TestDatabase) -> None:
    """The control: with two connections left the same clients get answers."""

    async def scenario(world: Api) -> None:
        assert (200, False) in (await exhausted(world, 0.5, spared=2)).statuses

    in_the_api(database, scenario)
