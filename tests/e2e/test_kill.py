"""Kill -9 in the middle of an import: it ends complete, with each order once, as if nothing had happened."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.killing import CONTENT, SETTINGS, kill_service, kill_worker, outcome, past, undisturbed
from tests.e2e.running import RunningService, running_service
from tests.postgres import migrated_database


@pytest.fixture(scope="module")
def doomed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with (
        migrated_database() as database,
        running_service(database, tmp_path_factory.mktemp("doomed"), **SETTINGS) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def expected(doomed: RunningService) -> dict[str, Any]:
    return undisturbed(doomed)


@pytest.mark.parametrize("kill", [kill_service, kill_worker])
def test_a_killed_import_ends_complete(
    doomed: RunningService, expected: dict[str, Any], kill: Callable[[RunningService], None]
) -> None:
    person = doomed.tenant().person()
    import_id = person.begin(CONTENT)
    person.when(import_id, past(0.3))
    kill(doomed)
    left = person.read(f"/v1/imports/{import_id}")
    assert left["state"] == "running"
    report = person.ended(import_id)
    assert outcome(person, report) == expected


def test_a_service_that_is_stopped_lets_go_at_once_and_goes_on_later(
    doomed: RunningService, expected: dict[str, Any]
) -> None:
    person = doomed.tenant().person()
    import_id = person.begin(CONTENT)
    person.when(import_id, past(0.3))
    began = time.monotonic()
    doomed.stop()
    assert time.monotonic() - began < 10
    doomed.start()
    assert person.read(f"/v1/imports/{import_id}")["state"] == "running"
    assert outcome(person, person.ended(import_id)) == expected


def test_an_import_that_waits_survives_as_well(doomed: RunningService) -> None:
    person = doomed.tenant().person()
    started = [person.begin(CONTENT), person.begin(CONTENT.replace(b"C1", b"D1"))]
    person.when(started[0], past(0.1))
    kill_service(doomed)
    assert [person.ended(import_id)["state"] for import_id in started] == ["done", "done"]
