"""B30 at full length: a minute without a connection."""

from tests.api.exhausting import exhausted, recovered
from tests.api.support import Api, in_the_api
from tests.postgres import migrated_database


def test_a_minute_without_a_connection() -> None:
    async def scenario(world: Api) -> None:
        seen = await exhausted(world, 60)
        back = await recovered(world)
        alive = sorted(seen.alive_s)
        print(f"\n{seen.answers} answers {seen.statuses}, the slowest {seen.slowest_s:.2f} s; healthz p99"  # noqa: T201
              f" {1000 * alive[len(alive) * 99 // 100]:.0f} ms; back after {back:.2f} s")  # fmt: skip
        assert seen.statuses == {(503, True)}
        assert seen.slowest_s <= 2.5
        assert alive[len(alive) * 99 // 100] <= 0.1
        assert back <= 1
        assert world.services.operations.pool_numbers()["busy"] == 0

    with migrated_database() as database:
        in_the_api(database, scenario)
