"""Killing the service in the middle of an import, and looking at what is left when it has come back."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from tests.e2e.files import many, written
from tests.e2e.running import Person, RunningService, wait_until_gone
from tests.e2e.test_import_jobs import assert_totals_agree

LINES = 40_000
CONTENT = written(many(LINES, lines_each=7, customers=900, fault_every=100))
# Orders of seven lines don't end where chunks do, so some are begun before a kill and go on after it.
SETTINGS = {"JOBS__CHUNK_ROWS": "1000", "JOBS__HEARTBEAT_S": "2"}
_KEPT = ("state", "rows_read", "rows_applied", "rows_rejected", "counts", "revenue", "reasons")
_REJECTS = "SELECT count(*) AS n, count(DISTINCT row_no) AS rows FROM import_rejects WHERE tenant_id = :tenant"
_ORDERS = """
    SELECT o.external_id, o.total, count(*) AS lines, sum(l.amount) AS summed FROM orders o
    JOIN order_lines l ON l.tenant_id = o.tenant_id AND l.order_id = o.order_id
    WHERE o.tenant_id = :tenant GROUP BY 1, 2 ORDER BY 1
"""


def outcome(person: Person, report: dict[str, Any]) -> dict[str, Any]:
    """All that an import leaves, without ids and times: equal for a run that was killed and one that wasn't."""
    assert_totals_agree(person)
    orders = [(row["external_id"], row["total"], row["lines"]) for row in person.query(_ORDERS)]
    assert len({reference for reference, _, _ in orders}) == len(orders)
    return {name: report[name] for name in _KEPT} | {"orders": orders, "rejects": person.query(_REJECTS)}


def undisturbed(service: RunningService) -> dict[str, Any]:
    """What the import leaves when nobody kills anything."""
    person = service.tenant().person()
    return outcome(person, person.imported(CONTENT))


def past(share: float) -> Callable[[dict[str, Any]], bool]:
    """Whether an import has come so far."""
    return lambda card: bool(card["rows_read"] >= share * LINES)


def kill_service(service: RunningService) -> None:
    """End the first process as a power cut would; its children must follow, and it comes back."""
    wait_until_gone(service.kill())
    service.start()


def kill_worker(service: RunningService) -> None:
    """End the job worker alone; the first process must replace it."""
    (worker,) = service.workers()
    os.kill(worker, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while service.workers() in ([], [worker]):
        assert time.monotonic() < deadline, "the worker was not replaced"
        time.sleep(0.02)
