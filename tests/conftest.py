"""The one fixture of the whole suite: a migrated database for each process that runs tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import TestDatabase


@pytest.fixture(scope="session")
def database() -> Iterator[TestDatabase]:
    from tests.postgres import migrated_database  # here, so that the pure tests need not wait for Alembic's import

    with migrated_database() as database:
        yield database
