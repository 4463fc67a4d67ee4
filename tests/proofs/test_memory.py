"""A million lines in and a million customers out, while the memory of the whole service is watched."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.running import Person, RunningService, children_of, running_service
from tests.postgres import migrated_database

_LINES = 1_000_000
_BOUND_MIB = 300
_EVERY_S = 0.2


class Watch:
    """The most memory that all processes of the service had together at one moment, in MiB."""

    def __init__(self, service: RunningService) -> None:
        self._service = service
        self._over = threading.Event()
        self._page = 4096
        self.most: dict[int, float] = {}

    @property
    def mib(self) -> float:
        return sum(self.most.values())

    def look(self) -> None:
        while not self._over.wait(_EVERY_S):
            pids = self._service.pids()
            told = {pid: _command(pid) for pid in pids}
            # Between fork and exec a child shows the memory of its parent once more, though it shares every page.
            forked = {child for pid in pids for child in children_of(pid) if told.get(child) == told[pid]}
            now = {pid: _resident(pid) for pid in pids if pid not in forked}
            if sum(now.values()) > self.mib:
                self.most = now

    def end(self) -> None:
        self._over.set()


def _resident(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@contextmanager
def watched(service: RunningService) -> Iterator[Watch]:
    watch = Watch(service)
    thread = threading.Thread(target=watch.look)
    thread.start()
    try:
        yield watch
    finally:
        watch.end()
        thread.join()


def _lines() -> bytes:
    """Every line an order of its own, by a customer of its own: the most that a line can bring."""
    header = "order_id,customer_id,ordered_at,sku,product,quantity,unit_price\n"
    return (
        header
        + "".join(
            f"N{n},C{n},2024-{1 + n % 12:02}-{1 + n % 28:02} 10:00:00,"
            f"S{n % 4000},Thing number {n % 4000},{n % 5 + 1},{n % 700}.25\n"
            for n in range(_LINES)
        )
    ).encode()


def _exported(person: Person) -> int:
    """Order an export of all customers, wait for it, and count the rows of its file."""
    everything = {"exports": {"approval_above_rows": _LINES}}
    assert person.call("PATCH", "/v1/policies", json=everything).status_code == 200
    answer = person.call("POST", "/v1/exports", json={"what": "customers", "purpose": "A proof of flat memory."})
    assert answer.status_code == 202, answer.text
    path = f"/v1/exports/{answer.json()['export_id']}"
    while (card := person.read(path))["state"] in ("queued", "running"):
        time.sleep(0.2)
    assert card["state"] == "done", card
    lines = 0
    with person.tenant.service.http.stream("GET", f"{path}/file", headers=person.headers) as file:
        assert file.status_code == 200
        for piece in file.iter_bytes():
            lines += piece.count(b"\n")
    return lines - 1


def test_a_million_rows_fit_in_300_mib(tmp_path: Path, record_property: object) -> None:
    with migrated_database() as database, running_service(database, tmp_path) as service:
        person = service.tenant().person()
        content = _lines()
        with watched(service) as coming:
            started = time.monotonic()
            report = person.ended(person.begin(content), timeout=3000)
            seconds = time.monotonic() - started
        assert (report["state"], report["rows_applied"]) == ("done", _LINES), report
        with watched(service) as going:
            assert _exported(person) == _LINES
        print(f"\nimport {seconds:.0f} s, {coming.mib:.0f} MiB {coming.most}; export {going.mib:.0f} MiB {going.most}")  # noqa: T201
        assert coming.mib < _BOUND_MIB
        assert going.mib < _BOUND_MIB
