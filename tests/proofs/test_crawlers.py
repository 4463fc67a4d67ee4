"""B13: no crawler – any speed, order and parallelism, with restarts and a clock that leaps – sees more distinct
customers in clear than its budget; and the book that says so does notice when the lock is gone."""

import pytest

from service.db.reveals import PgReveals
from tests.api.support import Api, in_the_api
from tests.postgres import migrated_database
from tests.proofs.crawling import drain

_RUNS, _MOST = 200, 30


def test_no_crawler_of_two_hundred_goes_beyond_its_budget() -> None:
    async def scenario(api: Api) -> None:
        looks = refused = full = 0
        for seed in range(_RUNS):
            crawl = await drain(api, seed, most=_MOST)
            assert crawl.worst() <= 0, (seed, crawl.worst())
            full += crawl.worst() == 0
            looks, refused = looks + crawl.looks, refused + crawl.refused
        print(f"\n{_RUNS} crawls, {looks} looks, {refused} refusals, {full} to the last customer, 0 beyond")  # noqa: T201
        assert full > _RUNS * 0.5

    with migrated_database() as database:
        in_the_api(database, scenario)


def test_without_the_lock_the_same_crawlers_do(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(api: Api) -> None:
        crawls = [await drain(api, seed, most=_MOST, parallel=16) for seed in range(10)]
        beyond = [crawl.worst() for crawl in crawls if crawl.worst() > 0]
        print(f"\nwithout the lock {len(beyond)} of {len(crawls)} crawls went beyond, by {beyond}")  # noqa: T201
        assert beyond

    monkeypatch.setattr(PgReveals, "queue", lambda _: "")
    with migrated_database() as database:
        in_the_api(database, scenario)
