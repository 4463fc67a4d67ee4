"""One service for the folder, on a database of its own: other tests' jobs must not reach its worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running import RunningService, running_service
from tests.postgres import migrated_database

_HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of this folder in one process: they share the service."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.xdist_group("e2e"))


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with migrated_database() as database:
        folder = tmp_path_factory.mktemp("service")
        with running_service(database, folder) as running:
            yield running
