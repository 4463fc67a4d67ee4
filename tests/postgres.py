"""The PostgreSQL of the test suite: one migrated template, cloned for every process that runs tests.

The server is the one whose address stands in CLIENTBASE_TEST_DATABASE_URL (of a login that may create databases and
roles; always the same login, since roles belong to who made them), otherwise the embedded one under `.clientbase/`,
without the disk's guarantees; after a crash of the machine, delete that folder. A template lives on between runs for as
long as migrations and `service/db` are the same. Each clone is leased by a lock on a file, so clones of killed runs are
found and dropped by the next one.
"""

import asyncio
import fcntl
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from service.db.embedded import running
from service.db.embedded_cluster import OWNER, SERVICE, SUPERUSER
from service.db.migrate import migrate

_ROOT = Path(__file__).resolve().parents[1]
_STATE = _ROOT / ".clientbase"
_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "128MB",
}
_KEPT_TEMPLATES = 3
_BUSY_LIMIT = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TestDatabase:
    """A migrated, empty database of this process alone, and how to log in to it."""

    __test__: ClassVar[bool] = False

    name: str
    owner_url: str
    service_url: str
    superuser_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    folder: Path  # where locks and leases of this server's databases lie
    owner_url: str
    service_url: str
    superuser_url: str | None

    @property
    def admin_url(self) -> str:
        return self.superuser_url or self.owner_url

    def database(self, name: str) -> TestDatabase:
        return TestDatabase(
            name=name,
            owner_url=_with(self.owner_url, database=name),
            service_url=_with(self.service_url, database=name),
            superuser_url=self.superuser_url and _with(self.superuser_url, database=name),
        )


@contextmanager
def migrated_database() -> Iterator[TestDatabase]:
    """A clone of the migrated template, dropped afterwards."""
    with _server() as server, ExitStack() as lease:
        server.folder.mkdir(parents=True, exist_ok=True)
        name = f"clientbase_test_{secrets.token_hex(5)}"
        with _locked(server.folder / "setup.lock"):
            _sweep(server)
            lease.enter_context(_locked(server.folder / f"{name}.lease"))
            _when_idle(server.owner_url, f'CREATE DATABASE "{name}" TEMPLATE "{_template(server)}"')
        try:
            yield server.database(name)
        finally:
            _drop(server, name)


@contextmanager
def _server() -> Iterator[_Server]:
    if given := os.environ.get("CLIENTBASE_TEST_DATABASE_URL"):
        yield _given_server(given)
        return
    with running(_STATE / "test-pg18", settings=_FAST) as embedded:
        yield _Server(
            folder=_STATE / "test-databases" / "embedded",
            owner_url=embedded.url(user=OWNER, database="postgres"),
            service_url=embedded.url(user=SERVICE, database="postgres"),
            superuser_url=embedded.url(user=SUPERUSER, database="postgres"),
        )


def _given_server(url: str) -> _Server:
    """Over a superuser the owner is made too: row security must bind him as it does in life."""
    place = urlsplit(url)
    where = f"{place.username}@{place.hostname}:{place.port}"
    owner_url, superuser_url = url, None
    if _run(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")[0]["rolsuper"]:
        password = _derived(place.password, "owner")
        owner_url, superuser_url = _with(url, user="clientbase_test_owner", password=password), url
        _run(url, _login("clientbase_test_owner", f"LOGIN CREATEDB CREATEROLE PASSWORD '{password}'"))
    password = _derived(place.password, "service")
    _run(url, _login("clientbase_test_service", f"LOGIN NOINHERIT PASSWORD '{password}'"))
    return _Server(
        folder=_STATE / "test-databases" / hashlib.sha256(where.encode()).hexdigest()[:12],
        owner_url=owner_url,
        service_url=_with(url, user="clientbase_test_service", password=password),
        superuser_url=superuser_url,
    )


def _derived(password: str | None, purpose: str) -> str:
    # The same in every run, yet not known to who does not know the server's own.
    return hmac.new((password or "").encode(), f"clientbase tests: {purpose}".encode(), "sha256").hexdigest()


def _login(name: str, options: str) -> str:
    return f"""DO $$ BEGIN
        PERFORM pg_advisory_xact_lock(hashtext('clientbase roles'));
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN CREATE ROLE {name}; END IF;
        ALTER ROLE {name} {options};
    END $$"""


def _template(server: _Server) -> str:
    name = f"clientbase_template_{_digest(urlsplit(server.owner_url).username or '')}"
    if not _run(server.owner_url, "SELECT FROM pg_database WHERE datname = $1", name):
        draft = f"{name}_draft"
        _drop(server, draft)
        _run(server.owner_url, f"CREATE DATABASE \"{draft}\" TEMPLATE template0 ENCODING 'UTF8'")
        urls = server.database(draft)
        _run(urls.owner_url, "REVOKE ALL ON SCHEMA public FROM PUBLIC")
        migrate(urls.owner_url, urlsplit(urls.service_url).username or "", None)
        _when_idle(server.owner_url, f'ALTER DATABASE "{draft}" RENAME TO "{name}"')
    (server.folder / f"{name}.template").touch()
    return name


def _digest(owner: str) -> str:
    digest = hashlib.sha256(owner.encode())
    for path in sorted([*(_ROOT / "migrations").rglob("*.py"), *(_ROOT / "service" / "db").glob("*.py")]):
        digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _sweep(server: _Server) -> None:
    """Drop what killed runs left behind, and templates of code long changed."""
    for lease in server.folder.glob("*.lease"):
        with suppress(BlockingIOError, FileNotFoundError), _locked(lease, wait=False):
            _drop(server, lease.stem)
    notes = sorted(server.folder.glob("*.template"), key=lambda note: note.stat().st_mtime, reverse=True)
    for note in notes[_KEPT_TEMPLATES:]:
        _drop(server, note.stem)
        note.unlink()


def _drop(server: _Server, name: str) -> None:
    # Without a superuser, FORCE may not end the sessions of the service's login: then they are waited for.
    busy = (asyncpg.ObjectInUseError, asyncpg.InsufficientPrivilegeError)
    _when_idle(server.admin_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', busy)
    (server.folder / f"{name}.lease").unlink(missing_ok=True)


def _when_idle(
    url: str, statement: str, busy: tuple[type[asyncpg.PostgresError], ...] = (asyncpg.ObjectInUseError,)
) -> None:
    """Run a statement that wants a database to itself: backends take a moment to go."""
    deadline = time.monotonic() + _BUSY_LIMIT
    while True:
        try:
            _run(url, statement)
            return
        except busy:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _run(url: str, statement: str, *values: object) -> list[Any]:
    async def once() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    return asyncio.run(once())


def _with(url: str, *, database: str | None = None, user: str | None = None, password: str | None = None) -> str:
    place = urlsplit(url)
    netloc = place.netloc
    if user is not None:
        netloc = f"{quote(user)}:{quote(password or '')}@{netloc.rpartition('@')[2]}"
    return urlunsplit(place._replace(netloc=netloc, path=f"/{database}" if database else place.path))


@contextmanager
def _locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)
