"""A principal is read at most every two seconds, and one that could not be read for five is not trusted."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import uuid4

import pytest

from service.api.security import Principals
from service.api.tokens import Claims
from service.domain.access import Principal, Reach
from service.domain.errors import Unavailable
from service.domain.staff import StaffBlocked
from service.domain.tokens import Held, TokenRevoked

CLAIMS = Claims(subject="anna", tenant="acme", scopes=(), issued_at=0, expires_at=900, token_id="t-1")
ANNA = Principal(
    tenant_id=1, tenant="acme", staff_id=uuid4(), subject="anna", reach=Reach.OWN, scopes=frozenset(), teams=()
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Directory:
    """Answers what it is told to, counts, and may take its time."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.reads = 0
        self.takes = 0.0
        self.refusal: Exception | None = None
        self.held: list[Held | None] = []

    async def by_subject(self, tenant: str, subject: str, asked: tuple[str, ...], *, held: Held | None) -> Principal:
        self.reads += 1
        self.held.append(held)
        await asyncio.sleep(0)
        self.clock.now += self.takes
        if self.refusal is not None:
            raise self.refusal
        return ANNA


def run(story: Callable[[Principals, Directory, Clock], Coroutine[Any, Any, None]]) -> None:
    async def told() -> None:
        clock = Clock()
        directory = Directory(clock)
        await story(Principals(None, directory, clock=clock), directory, clock)  # type: ignore[arg-type]

    asyncio.run(told())


def test_a_row_is_good_for_two_seconds_and_read_once_for_all_who_ask() -> None:
    async def story(principals: Principals, directory: Directory, clock: Clock) -> None:
        assert set(await asyncio.gather(*(principals.of(CLAIMS) for _ in range(20)))) == {ANNA}
        clock.now = 1.99
        await principals.of(CLAIMS)
        assert directory.reads == 1
        clock.now = 2.0
        await principals.of(CLAIMS)
        assert directory.reads == 2
        assert directory.held == [Held(token_id="t-1", issued_at=0)] * 2

    run(story)


def test_without_the_database_there_is_no_access_of_yesterday() -> None:
    async def story(principals: Principals, directory: Directory, clock: Clock) -> None:
        await principals.of(CLAIMS)
        directory.refusal = Unavailable()
        clock.now = 1.9
        assert await principals.of(CLAIMS) is ANNA
        clock.now = 2.1
        for _ in range(3):
            with pytest.raises(Unavailable):
                await principals.of(CLAIMS)
        directory.refusal = None
        assert await principals.of(CLAIMS) is ANNA

    run(story)


def test_a_row_that_took_five_seconds_to_come_is_not_trusted() -> None:
    async def story(principals: Principals, directory: Directory, clock: Clock) -> None:
        directory.takes = 5.0
        with pytest.raises(Unavailable):
            await principals.of(CLAIMS)
        directory.takes = 4.0
        assert await principals.of(CLAIMS) is ANNA
        assert await principals.of(CLAIMS) is ANNA
        assert directory.reads == 3

    run(story)


@pytest.mark.parametrize("kind", [StaffBlocked, TokenRevoked])
def test_a_refusal_is_remembered_as_long_as_a_row(kind: type[Exception]) -> None:
    async def story(principals: Principals, directory: Directory, clock: Clock) -> None:
        directory.refusal = kind()
        for _ in range(10):
            with pytest.raises(kind):
                await principals.of(CLAIMS)
        assert directory.reads == 1
        directory.refusal, clock.now = None, 2.0
        assert await principals.of(CLAIMS) is ANNA

    run(story)


def test_what_was_read_while_somebody_was_changed_is_not_remembered() -> None:
    async def story(principals: Principals, directory: Directory, clock: Clock) -> None:
        reading = asyncio.create_task(principals.of(CLAIMS))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        directory.refusal = StaffBlocked()
        principals.forget(ANNA.staff_id)
        with pytest.raises(StaffBlocked):
            await principals.of(CLAIMS)
        with pytest.raises(StaffBlocked):
            await reading
        principals.forget_token("t-1")
        directory.refusal = None
        assert await principals.of(CLAIMS) is ANNA

    run(story)


def test_another_token_of_the_same_person_is_asked_about_on_its_own() -> None:
    async def story(principals: Principals, directory: Directory, clock: Clock) -> None:
        await principals.of(CLAIMS)
        directory.refusal = TokenRevoked()
        other = Claims(subject="anna", tenant="acme", scopes=(), issued_at=0, expires_at=900, token_id="t-2")
        with pytest.raises(TokenRevoked):
            await principals.of(other)
        assert await principals.of(CLAIMS) is ANNA

    run(story)
