"""How long an answer takes does not tell whether a record out of reach exists (B38); 5 000 pairs in the proofs."""

import asyncio

import pytest

from tests.api.support import Api, in_the_api
from tests.api.telling_apart import Times, foreign_records, timed
from tests.postgres import TestDatabase

PATHS = (
    ("GET", "/v1/customers/{}"),
    ("PATCH", "/v1/customers/{}"),
    ("GET", "/v1/customers/{}/timeline"),
    ("GET", "/v1/customers/{}/history"),
)


@pytest.mark.parametrize(("method", "path"), PATHS[:2])
def test_a_foreign_record_takes_as_long_as_a_missing_one(database: TestDatabase, method: str, path: str) -> None:
    async def scenario(world: Api) -> None:
        foreign = await foreign_records(world, 50)
        seen = await timed(await world.client(reach="own"), method, path, foreign, 150)
        # Others are at work on the same machine: twice the bar of the proof for the share, and a wide one for the time.
        assert 0.4 <= seen.auc <= 0.6, (seen.auc, seen.apart_ms)

    in_the_api(database, scenario)


def test_half_a_millisecond_more_for_what_exists_would_be_seen(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: an answer about a record that is there waits a little."""

    async def scenario(world: Api) -> None:
        foreign = await foreign_records(world, 50)
        client, known = await world.client(reach="own"), {str(one) for one in foreign}
        ask = client.request

        async def slower(method: str, url: str, **options: object) -> object:
            answer = await ask(method, url, **options)  # type: ignore[arg-type]
            if url.rpartition("/")[2] in known:
                await asyncio.sleep(0.002)
            return answer

        monkeypatch.setattr(client, "request", slower)
        seen = await timed(client, "GET", "/v1/customers/{}", foreign, 150)
        assert seen.auc > 0.6

    in_the_api(database, scenario)


def test_the_share_is_a_half_for_equals_and_one_for_the_slower() -> None:
    assert Times(foreign=(1, 3), missing=(2, 2.5)).auc == 0.5
    assert Times(foreign=(5, 6), missing=(1, 2)).auc == 1
    assert Times(foreign=(1, 2), missing=(5, 6)).auc == 0
