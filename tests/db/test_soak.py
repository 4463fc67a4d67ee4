"""A short soak of the pool; the proofs run the long one."""

import asyncio

import pytest

from service.db import session
from service.db.session import Transaction
from tests.db.soak import soaked
from tests.postgres import TestDatabase


def test_nobody_meets_a_stranger_on_a_pooled_connection(database: TestDatabase) -> None:
    soak = asyncio.run(soaked(database, 2_000, seed=7))
    assert soak.foreign == []
    assert soak.happened["rows"] > 2_000
    assert min(soak.happened[fate] for fate in ("cancelled", "wrong", "killed")) > 10


def test_the_soak_sees_settings_that_outlive_their_transaction(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted defect: the caller is set for the session, and now and then the setting is forgotten."""
    opening = session.preamble
    turns = iter(range(1_000_000))

    def lasting(principal: object, **options: object) -> str:
        text = opening(principal, **options)  # type: ignore[arg-type]
        if next(turns) % 5 == 4:
            return "BEGIN"
        return text.replace("SET LOCAL app.", "SET app.").replace("SET LOCAL ROLE", "SET ROLE")

    monkeypatch.setattr("service.db.unit_of_work.preamble", lasting)
    with pytest.raises(AssertionError):  # noqa: PT012 (either the rows or the look around tell it)
        soak = asyncio.run(soaked(database, 200, seed=7))
        assert soak.foreign == []


def test_the_soak_sees_a_connection_that_does_not_come_back(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted defect: after an error the connection is kept."""
    leave = Transaction._leave

    async def keeping(self: Transaction, *, broken: bool) -> None:
        if not broken or self.session.connection.is_closed():
            await leave(self, broken=broken)

    monkeypatch.setattr(Transaction, "_leave", keeping)
    monkeypatch.setattr("tests.db.soak._PATIENCE_S", 0.2)
    with pytest.raises((TimeoutError, AssertionError)):
        asyncio.run(asyncio.wait_for(soaked(database, 150, seed=7), 20))
