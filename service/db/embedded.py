"""A PostgreSQL of the service's own: started by its first user, adopted by the next, stopped when the last one leaves.

Users are processes (API, worker, command line, tests), and each may be killed at any moment, so nothing is counted in
files. Three locks, which the kernel lets go of by itself, tell everything:
- `users.lock` is shared by all who use the server; whoever can have it alone, on leaving, was the last one;
- `supervisor.lock` is held by the one who starts, looks after or stops the server;
- `server.lock` is inherited by the server and its children: while it is held, there is a server, or one is being
  made. A leftover `postmaster.pid`, or its number in the hands of another program, proves nothing.
A server whose last user was killed stays up, and the next user adopts it. Options count for whoever starts the server.
"""

import contextlib
import fcntl
import logging
import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from service.db.embedded_cluster import DATABASE, SUPERUSER, Cluster, locate, open_own, passwords
from service.db.embedded_tools import EmbeddedServerError, exists, serves

_START_LIMIT = 300.0  # seconds; recovery after a crash replays at most max_wal_size
_STOP_LIMIT = 60.0
_ATTEMPTS = 3  # a port can be taken between our look and the server's
_LAUNCH = 'log=$1; shift; "$@" </dev/null >"$log" 2>&1 &'  # the shell ends, so the server is nobody's child
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedServer:
    """A running server: its folder and where it listens."""

    directory: Path
    port: int
    socket_dir: Path

    def url(self, *, user: str, database: str = DATABASE) -> str:
        """The address for a login, its password included."""
        password = passwords(self.directory)[user]
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"


@contextmanager
def running(directory: Path, *, settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[EmbeddedServer]:
    """Use the server of a folder: made, started or adopted as need be; the last one to leave stops it."""
    caller = os.getpid()
    with _in_words(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory = directory.resolve()
        users = open_own(directory / "users.lock")
    try:
        with _in_words(directory), _supervising(directory):
            fcntl.flock(users, fcntl.LOCK_SH)
            server = _serve(directory, settings)
        yield server
    finally:
        if os.getpid() == caller:  # a forked child that unwinds is not the one who leaves
            _leave(directory, users)
        os.close(users)


def ensure_alive(server: EmbeddedServer) -> EmbeddedServer:
    """Restart the server if it has died; the port is another one only if the old one was taken meanwhile."""
    with _in_words(server.directory), _supervising(server.directory):
        return _serve(server.directory, None)


def _leave(directory: Path, users: int) -> None:
    with _supervising(directory):
        fcntl.flock(users, fcntl.LOCK_UN)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        try:
            _stop(locate(directory))
        finally:
            fcntl.flock(users, fcntl.LOCK_UN)  # in so many words: a forked child may hold a copy of the handle


def _serve(directory: Path, settings: Mapping[str, str] | None) -> EmbeddedServer:
    cluster = locate(directory)
    for _ in range(_ATTEMPTS):
        if not _alive(cluster):
            _start(cluster, settings)
        if server := _accepting(cluster):
            _remember_port(cluster, server.port)
            return server
    raise EmbeddedServerError(f"the database in {cluster.home} does not start:\n{_last_words(cluster)}")


def _start(cluster: Cluster, settings: Mapping[str, str] | None) -> None:
    lock = open_own(cluster.directory / "server.lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        cluster.create(lock, durable=(settings or {}).get("fsync") != "off")
        if settings is not None:
            cluster.configure(settings)
        _clear_pid_file(cluster)
        listen = ["-p", str(_free_port(cluster)), "-k", str(cluster.socket_folder())]
        server = [str(cluster.programs / "postgres"), "-D", str(cluster.data), *listen]
        cluster.account.run(["/bin/sh", "-c", _LAUNCH, "sh", cluster.logs / "start.log", *server], lock=lock)
    finally:
        os.close(lock)  # the server holds on to it


def _accepting(cluster: Cluster) -> EmbeddedServer | None:
    """The server once it lets us in; nothing if it dies meanwhile."""
    began = told = time.monotonic()
    while _alive(cluster):
        if (server := _described(cluster)) and _lets_in(cluster, server):
            return server
        now = time.monotonic()
        if now - began > _START_LIMIT:
            raise EmbeddedServerError(f"no login after {_START_LIMIT:.0f} s:\n{_last_words(cluster)}")
        if now - told > 5:
            told = now
            _log.warning("waiting for the database, %.0f s so far: %s", now - began, _last_words(cluster, lines=1))
        time.sleep(0.02)
    return None


def _described(cluster: Cluster) -> EmbeddedServer | None:
    lines = _pid_file(cluster)
    if len(lines) < 8 or not lines[7].startswith("ready"):
        return None
    return EmbeddedServer(directory=cluster.directory, port=int(lines[3]), socket_dir=Path(lines[4]))


def _lets_in(cluster: Cluster, server: EmbeddedServer) -> bool:
    # As superuser, for whom places are kept: a server full of ordinary logins is not dead.
    where = ["-h", "127.0.0.1", "-p", str(server.port), "-U", SUPERUSER, "-d", SUPERUSER]
    command = [str(cluster.programs / "psql"), "-X", "-q", "-w", *where, "-c", "SELECT 1"]
    secret = passwords(cluster.directory)[SUPERUSER]
    return cluster.account.run(command, PGPASSWORD=secret, PGCONNECT_TIMEOUT="5").returncode == 0


def _stop(cluster: Cluster) -> None:
    if not _alive(cluster):
        return
    lines = _pid_file(cluster)
    pid = _pid(lines)
    if pid and serves(pid, cluster.data, cluster.account):
        os.kill(pid, signal.SIGINT)  # PostgreSQL's word for a fast and orderly shutdown
    deadline = time.monotonic() + _STOP_LIMIT
    while _alive(cluster):
        if time.monotonic() > deadline:
            _log.warning("the database in %s has not stopped after %.0f s", cluster.home, _STOP_LIMIT)
            return
        time.sleep(0.01)
    if len(lines) > 4 and Path(lines[4]).parent != cluster.home:
        with contextlib.suppress(OSError):
            Path(lines[4]).rmdir()


def _alive(cluster: Cluster) -> bool:
    lock = open_own(cluster.directory / "server.lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _pid_file(cluster: Cluster) -> list[str]:
    try:
        return (cluster.data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _pid(lines: list[str]) -> int:
    return int(lines[0]) if lines and lines[0].isdecimal() else 0


def _clear_pid_file(cluster: Cluster) -> None:
    """Take away a number that now is another program's; PostgreSQL would take that one for its elder."""
    pid = _pid(_pid_file(cluster))
    if pid and serves(pid, cluster.data, cluster.account):
        raise EmbeddedServerError(f"a server started by hand (process {pid}) uses {cluster.data}; stop that one first")
    if pid == 0 or exists(pid):
        (cluster.data / "postmaster.pid").unlink(missing_ok=True)


def _free_port(cluster: Cluster) -> int:
    note = cluster.directory / "port"
    for port in (int(note.read_text()) if note.exists() else 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise EmbeddedServerError("no port of 127.0.0.1 is free")


def _remember_port(cluster: Cluster, port: int) -> None:
    note = cluster.directory / "port"
    if not note.exists() or note.read_text() != str(port):
        with os.fdopen(open_own(note, os.O_TRUNC), "w") as file:
            file.write(str(port))


def _last_words(cluster: Cluster, lines: int = 20) -> str:
    logs = sorted(cluster.logs.glob("*.log"), key=lambda log: log.stat().st_mtime)
    told = [line for log in logs[-2:] for line in log.read_text(errors="replace").splitlines()]
    return "\n".join(told[-lines:]) or "(the log is empty)"


@contextmanager
def _supervising(directory: Path) -> Iterator[None]:
    lock = open_own(directory / "supervisor.lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)


@contextmanager
def _in_words(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EmbeddedServerError(f"the embedded database in {directory} cannot be used: {error}") from error
