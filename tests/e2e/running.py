"""The service as people run it: a process with its children, a port and a database of its own, and its callers."""

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from service.api.tokens import issue
from service.db.directory import PgDirectory
from service.db.session import open_pool
from service.db.statement import sql
from service.db.tenancy import add_staff, create_tenant
from service.db.unit_of_work import PgUnitOfWork
from service.domain.access import Scope
from service.settings import AuthSettings
from tests.postgres import TestDatabase

_ROOT = Path(__file__).resolve().parents[2]
_SCOPES = tuple(scope for scope in Scope if not scope.startswith("reach:"))
_ENDED = ("done", "failed", "cancelled")
_START_S = 40.0


class NotRunning(AssertionError):
    """The service did not come up, or ended by itself; the words are the end of its log."""


@dataclass(slots=True, kw_only=True)
class RunningService:
    """`clientbase serve` on a free port. `kill` ends it as a power cut would, `start` starts it anew."""

    database: TestDatabase
    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    port: int = field(default_factory=lambda: _free_port())
    process: subprocess.Popen[bytes] | None = None
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "service.cli", "serve", "--port", str(self.port)],
                cwd=_ROOT, env=self._environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + _START_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise NotRunning(self.log()[-4000:])
            time.sleep(0.05)

    def stop(self) -> None:
        """Ask it to end, and wait for it; its children end with it."""
        if self.process is None:
            return
        family = self.pids()
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None
        wait_until_gone(family)

    def kill(self) -> list[int]:
        """SIGKILL to the first process; returns the children that it leaves behind."""
        assert self.process is not None
        children = self.children()
        self.process.kill()
        self.process.wait(10)
        self.process = None
        return children

    def children(self) -> list[int]:
        """The processes that it has started: the job worker, and perhaps a reader of files that waits."""
        return [] if self.process is None else children_of(self.process.pid)

    def workers(self) -> list[int]:
        return [one for one in self.children() if "worker" in command_of(one)]

    def pids(self) -> list[int]:
        return [] if self.process is None else [self.process.pid, *descendants_of(self.process.pid)]

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return self.http.get("/readyz", timeout=5).status_code == 200
        return False

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CLIENTBASE_")}
        return inherited | {
            "CLIENTBASE_DATABASE__URL": self.database.service_url,
            "CLIENTBASE_STATE_DIR": str(self.folder / "state"),
            "CLIENTBASE_AUTH__SECRET": self.secret,
            "CLIENTBASE_CONTACTS__LOOKUP_KEY": self.secret,
            **self.settings,
        }

    def tenant(self, *, time_zone: str = "Europe/Moscow", currency: str = "RUB") -> "TenantOfService":
        """A new tenant of this installation."""
        slug = f"t-{uuid4().hex[:12]}"
        made = asyncio.run(
            create_tenant(self.database.owner_url, slug=slug, name="Test", time_zone=time_zone, currency=currency)
        )
        return TenantOfService(service=self, tenant_id=made, slug=slug)


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantOfService:
    service: RunningService
    tenant_id: int
    slug: str

    def person(self, *, reach: str = "tenant", scopes: Sequence[str] = _SCOPES) -> "Person":
        """A new member of staff with a token."""
        subject = f"staff-{uuid4().hex[:8]}"
        granted = (*scopes, f"reach:{reach}")
        asyncio.run(
            add_staff(self.service.database.owner_url, self.tenant_id, subject=subject, name=subject, scopes=granted)
        )
        auth = AuthSettings()
        token = issue(
            self.service.secret, tenant=self.slug, subject=subject, scopes=granted,
            issuer=auth.issuer, audience=auth.audience, ttl_seconds=3600,
        )  # fmt: skip
        return Person(tenant=self, subject=subject, scopes=granted, token=token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who calls the service over HTTP."""

    tenant: TenantOfService
    subject: str
    scopes: Sequence[str]
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.tenant.service.http.request(method, path, headers=self.headers, **options)

    def read(self, path: str, **params: Any) -> dict[str, Any]:
        """The answer to a GET that succeeds."""
        answer = self.call("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        page = self.read(path, limit=200, **params)
        yield from page["items"]
        while page["next_cursor"]:
            page = self.read(path, limit=200, cursor=page["next_cursor"], **params)
            yield from page["items"]

    def upload(self, content: bytes, *, name: str = "orders.csv", **form: str) -> httpx.Response:
        return self.call("POST", "/v1/imports", files={"file": (name, content)}, data=form)

    def begin(self, content: bytes, **form: str) -> str:
        """Upload a file that is taken in; the id of its import."""
        answer = self.upload(content, **form)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["import_id"])

    def ended(self, import_id: str, *, timeout: float = 120) -> dict[str, Any]:
        """The import once it is over."""
        return self.when(import_id, lambda card: card["state"] in _ENDED, timeout=timeout)

    def when(self, import_id: str, come: Any, *, timeout: float = 60) -> dict[str, Any]:
        """The import as soon as it is so; a service that is away for a moment is asked again."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                answer = self.call("GET", f"/v1/imports/{import_id}", timeout=5)
                if answer.status_code == 200 and come(answer.json()):
                    return dict(answer.json())
            time.sleep(0.02)
        raise AssertionError(f"it took too long; the log ends with {self.tenant.service.log()[-2000:]}")

    def imported(self, content: bytes, **form: str) -> dict[str, Any]:
        """Upload a file and wait for the end of its import."""
        return self.ended(self.begin(content, **form))

    def query(self, text: str) -> list[dict[str, Any]]:
        """Rows of the base as this person sees them; `:tenant` is bound."""

        async def fetch() -> list[dict[str, Any]]:
            pool = await open_pool(self.tenant.service.database.service_url, size=1)
            try:
                principal = await PgDirectory(pool).by_subject(self.tenant.slug, self.subject, tuple(self.scopes))
                async with PgUnitOfWork(pool).begin(principal, timeout_ms=60_000) as tx:
                    # Nobody has analysed what a test has just imported: a join would be planned for one row.
                    await tx.session.command("SET LOCAL enable_nestloop = off")
                    return [dict(row) for row in await tx.session.fetch(sql(text))]
            finally:
                await asyncio.wait_for(pool.close(), 10)

        return asyncio.run(fetch())


@contextmanager
def running_service(database: TestDatabase, folder: Path, **settings: str) -> Iterator[RunningService]:
    """The service, started; whatever became of it, nothing of it is left afterwards."""
    service = RunningService(
        database=database, folder=folder, settings={f"CLIENTBASE_{name}": value for name, value in settings.items()}
    )
    try:
        service.start()
        yield service
    finally:
        service.stop()
        service.http.close()


def children_of(pid: int) -> list[int]:
    """The children of a process (of all its threads)."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def command_of(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def descendants_of(pid: int) -> list[int]:
    """Its children, theirs, and so on."""
    return [one for child in children_of(pid) for one in (child, *descendants_of(child))]


def wait_until_gone(pids: Sequence[int], *, timeout: float = 20) -> None:
    """Wait for processes to end; what is left after that is killed, and is a failure."""
    deadline = time.monotonic() + timeout
    left = [pid for pid in pids if _lives(pid)]
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = [pid for pid in left if _lives(pid)]
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not left, "a process of the service outlived it"


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
