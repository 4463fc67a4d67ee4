"""What the worker does again and again goes on after a round that failed, and past a tenant in trouble."""

import asyncio
from collections.abc import Sequence

import pytest
import structlog

from service.domain.errors import Unavailable
from service.jobs.rounds import for_each, keep, tried

_log = structlog.get_logger("test")


async def _tenants() -> Sequence[int]:
    return (1, 2, 3)


def test_a_round_that_fails_is_followed_by_the_next() -> None:
    async def scenario() -> int:
        shutdown, rounds = asyncio.Event(), 0

        async def once() -> None:
            nonlocal rounds
            rounds += 1
            if rounds == 3:
                shutdown.set()
            raise (Unavailable if rounds == 1 else ValueError)

        await asyncio.wait_for(keep(once, shutdown, every_s=0.001, log=_log, trouble="not done"), 5)
        return rounds

    assert asyncio.run(scenario()) == 3


def test_one_tenants_trouble_is_not_that_of_the_next_but_a_lost_database_is() -> None:
    async def scenario(error: type[Exception]) -> list[int]:
        done: list[int] = []

        async def one(tenant_id: int) -> None:
            if tenant_id == 2:
                raise error
            done.append(tenant_id)

        await tried(lambda: for_each(_tenants, one, _log, "not done"), _log, "not done")
        return done

    assert asyncio.run(scenario(ValueError)) == [1, 3]
    assert asyncio.run(scenario(Unavailable)) == [1]


def test_the_log_has_the_kind_of_an_error_and_none_of_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    async def once() -> None:
        raise ValueError("ivanova@example.com")

    assert not asyncio.run(tried(once, _log, "not done"))
    told = capsys.readouterr().out
    assert "not done" in told
    assert "ivanova" not in told
