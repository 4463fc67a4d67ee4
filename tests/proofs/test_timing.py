"""B38 at full size: 5 000 pairs, told apart neither by the median nor by the order of times."""

import pytest

from tests.api.support import Api, in_the_api
from tests.api.telling_apart import foreign_records, timed
from tests.api.test_timing import PATHS
from tests.postgres import migrated_database


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_five_thousand_pairs_do_not_tell(method: str, path: str) -> None:
    async def scenario(world: Api) -> None:
        foreign = await foreign_records(world, 500)
        seen = await timed(await world.client(reach="own"), method, path, foreign, 5_000)
        print(f"\n{method} {path}: {seen.apart_ms:.3f} ms apart, AUC {seen.auc:.3f}")  # noqa: T201
        assert seen.apart_ms < 0.2
        assert 0.45 < seen.auc < 0.55

    with migrated_database() as database:
        in_the_api(database, scenario)
