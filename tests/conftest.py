"""The one fixture of the whole suite: a migrated database for each process that runs tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import TestDatabase

# A machine that others use as well makes any example slow once; what is slow by itself shows in the suite's time.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


@pytest.fixture(scope="session")
def database() -> Iterator[TestDatabase]:
    from tests.postgres import migrated_database  # here, so that the pure tests need not wait for Alembic's import

    with migrated_database() as database:
        yield database
