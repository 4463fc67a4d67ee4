"""Clients that keep writing while something under them is killed or restarted, and a count of what became of it.

Each record is sent under an idempotency key and its own number as name. Who has no answer, or is told to come again,
sends the same once more, as a client does. In the end every number is there once, with the id that was answered first.
"""

import random
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import kill
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from service.db.embedded import EmbeddedServer, ensure_alive, running
from service.db.embedded_cluster import DATABASE, OWNER, SERVICE, SUPERUSER
from service.db.migrate import migrate
from tests.e2e.running import Person, RunningService, running_service
from tests.postgres import TestDatabase

_CLIENTS = 8
_PATIENCE_S = 60.0


@contextmanager
def a_service_of_its_own() -> Iterator[tuple[RunningService, EmbeddedServer]]:
    """A service on a server that nobody else uses, with the disk's guarantees, as it is delivered."""
    # Not pytest's own folder: for root that one is closed to the account as which the server runs.
    with tempfile.TemporaryDirectory(prefix="cb") as area:
        Path(area).chmod(0o711)
        with running(Path(area) / "pg", settings={"shared_buffers": "32MB"}) as server:
            urls = {user: server.url(user=user, database=DATABASE) for user in (OWNER, SERVICE, SUPERUSER)}
            migrate(urls[OWNER], urlsplit(urls[SERVICE]).username or "", None)
            database = TestDatabase(
                name=DATABASE, owner_url=urls[OWNER], service_url=urls[SERVICE], superuser_url=urls[SUPERUSER]
            )
            folder = Path(area) / "service"
            folder.mkdir()
            # Clients that come again at once are many; the quota is not what is tried here.
            limits = {"LIMITS__CALLER_PER_MINUTE": "1000000", "LIMITS__ADDRESS_PER_MINUTE": "1000000"}
            with running_service(database, folder, **limits) as service:
                yield service, server


def kill_postgres(server: EmbeddedServer) -> None:
    """SIGKILL to the postmaster, as by the kernel when memory is short; whoever keeps the server brings it back."""
    kill(int((server.directory / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    assert ensure_alive(server).port == server.port


@dataclass(slots=True, kw_only=True)
class Load:
    """Clients who create customers until they are told to stop."""

    person: Person
    answered: dict[int, str] = field(default_factory=dict)
    statuses: Counter[int | str] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _given: int = 0

    @contextmanager
    def going_on(self) -> Iterator[None]:
        clients = [threading.Thread(target=self._write) for _ in range(_CLIENTS)]
        for client in clients:
            client.start()
        try:
            yield
        finally:
            self._stop.set()
            for client in clients:
                client.join(_PATIENCE_S + 30)

    def until(self, more: int) -> None:
        """Wait until so many more are answered."""
        enough, deadline = len(self.answered) + more, time.monotonic() + _PATIENCE_S
        while len(self.answered) < enough:
            assert time.monotonic() < deadline, f"no answers any more: {self.statuses}"
            time.sleep(0.02)

    def _write(self) -> None:
        url = f"http://127.0.0.1:{self.person.tenant.service.port}"
        with httpx.Client(base_url=url, headers=self.person.headers, timeout=30) as http:
            while not self._stop.is_set():
                with self._lock:
                    self._given += 1
                    number = self._given
                made = self._made(http, number)
                with self._lock:
                    self.answered[number] = made

    def _made(self, http: httpx.Client, number: int) -> str:
        body = {"kind": "organisation", "legal_name": f"Firm {number}"}
        key = {"Idempotency-Key": f"{self.person.subject}-{number}"}
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            try:
                answer = http.post("/v1/customers", json=body, headers=key)
            except httpx.TransportError as error:
                self._counted(type(error).__name__)
            else:
                self._counted(answer.status_code)
                if answer.status_code == 201:
                    return str(answer.json()["customer_id"])
            time.sleep(random.uniform(0.01, 0.1))
        raise AssertionError(f"record {number} was never taken")

    def _counted(self, what: int | str) -> None:
        with self._lock:
            self.statuses[what] += 1

    def hold_against_the_base(self) -> None:
        """Each number once, under the id that was answered; no other answer than that, or to come again."""
        rows = self.person.query("SELECT customer_id::text AS id, legal_name FROM customers WHERE tenant_id = :tenant")
        kept = Counter(row["legal_name"] for row in rows)
        assert {name for name, times in kept.items() if times > 1} == set()
        assert {row["legal_name"]: row["id"] for row in rows} == {
            f"Firm {number}": made for number, made in self.answered.items()
        }
        log = self.person.tenant.service.log()
        troubles = [line for line in log.splitlines() if " failed " in line][-5:]
        assert {one for one in self.statuses if isinstance(one, int)} <= {201, 409, 503}, (self.statuses, troubles)
