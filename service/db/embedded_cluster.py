"""The files of the embedded PostgreSQL: made once, whole or not at all, with two logins and their passwords.

The files are made under another name and renamed when complete, so a kill in the middle leaves nothing half-made. The
passwords are written first and kept: whatever is made later is made with them. `clientbase_owner` may make databases
and roles and owns the schema; `clientbase_service` may log in and nothing else.
"""

import json
import logging
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from service.db.embedded_tools import Account, EmbeddedServerError, programs, server_account, state_area

SUPERUSER = "postgres"
OWNER = "clientbase_owner"
SERVICE = "clientbase_service"
DATABASE = "clientbase"

# For a shop's machine with two cores, shared with the service. Durability is promised, so fsync and its kin stay on.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "on",
    "log_filename": "server-%a.log",  # seven files, each overwritten a week later
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    # The detail of a failed constraint quotes the row: personal data have no place in a log.
    "log_error_verbosity": "terse",
}
_ACCESS = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"
_LOCALES = ("C.UTF-8", "C")  # trigrams need an LC_CTYPE that knows letters; not every system has one


def _grants(passwords: Mapping[str, str]) -> str:
    return f"""ALTER ROLE {SUPERUSER} PASSWORD '{passwords[SUPERUSER]}'
CREATE ROLE {OWNER} LOGIN CREATEROLE CREATEDB PASSWORD '{passwords[OWNER]}'
CREATE ROLE {SERVICE} LOGIN NOINHERIT PASSWORD '{passwords[SERVICE]}'
CREATE DATABASE {DATABASE} OWNER {OWNER}
REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC
GRANT CONNECT ON DATABASE {DATABASE} TO {SERVICE}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where everything of one embedded server lies; `home` is apart from `directory` only if root must lend it."""

    directory: Path
    home: Path
    account: Account
    programs: Path

    longest_socket: ClassVar[int] = 107 - len("/.s.PGSQL.65535")

    @property
    def data(self) -> Path:
        """The folder that PostgreSQL itself manages."""
        return self.home / "data"

    @property
    def logs(self) -> Path:
        """The folder of the server's logs."""
        return self.home / "log"

    def create(self, lock: int, *, durable: bool = True) -> None:
        """Make the server's files if they are not there; what outlives a killed caller holds the lock meanwhile."""
        if self.data.exists():
            return
        self._keep_secrets()
        draft = self._folder("data.draft", fresh=True)
        self._initialise(draft, lock, durable=durable)
        self._write(draft / "pg_hba.conf", _ACCESS)
        self._write(draft / "postgresql.conf", "include_if_exists = 'clientbase.conf'\n", sign=">>")
        self._single(draft, lock, SUPERUSER, _grants(passwords(self.directory)))
        self._single(draft, lock, DATABASE, "REVOKE ALL ON SCHEMA public FROM PUBLIC\n")
        draft.rename(self.data)
        _settle(self.home)

    def configure(self, settings: Mapping[str, str]) -> None:
        """Write the options of the next start: ours, overridden by the caller's."""
        options = _SETTINGS | {"log_directory": str(self._folder("log"))} | dict(settings)
        if wrong := [name for name in options if not re.fullmatch(r"[a-z_][a-z0-9_.]*", name)]:
            raise EmbeddedServerError(f"not the name of a PostgreSQL setting: {', '.join(wrong)}")
        lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in options.items()]
        self._write(self.data / "clientbase.conf", "".join(lines))

    def socket_folder(self) -> Path:
        """A folder private to the server for its socket: in its home, or a temporary one if that name is too long."""
        if len(os.fsencode(self.home / "socket")) <= self.longest_socket and not set('",') & set(str(self.home)):
            return self._folder("socket", fresh=True)  # a killed server leaves its socket locked
        folder = Path(tempfile.mkdtemp(prefix="clientbase-"))
        self.account.take(folder)
        return folder

    def _initialise(self, draft: Path, lock: int, *, durable: bool) -> None:
        options = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += ["--data-checksums", "--auth=reject", "--no-instructions", *([] if durable else ["--no-sync"])]
        for ctype in _LOCALES:
            command = [
                str(self.programs / "initdb"),
                "-D",
                str(draft),
                "-U",
                SUPERUSER,
                *options,
                f"--lc-ctype={ctype}",
            ]
            result = self.account.run(command, lock=lock)
            if "invalid locale" not in result.stderr:
                break
        if result.returncode:
            raise EmbeddedServerError(f"the database's files could not be made in {self.home}: {result.stderr.strip()}")

    def _single(self, draft: Path, lock: int, database: str, script: str) -> None:
        command = [str(self.programs / "postgres"), "--single", "-c", "exit_on_error=on", "-D", str(draft), database]
        result = self.account.run(command, text=script, lock=lock)
        if result.returncode:
            raise EmbeddedServerError(f"the logins could not be made: {result.stderr.strip()[-2000:]}")

    def _keep_secrets(self) -> None:
        path = self.directory / "secrets.json"
        if path.exists():
            return
        draft = path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        made = {name: secrets.token_urlsafe(24) for name in (SUPERUSER, OWNER, SERVICE)}
        with os.fdopen(open_own(draft, os.O_EXCL), "w") as file:
            json.dump(made, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        _settle(self.directory)

    def _folder(self, name: str, *, fresh: bool = False) -> Path:
        folder = self.home / name
        if fresh and folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(mode=0o700, exist_ok=True)
        self.account.take(folder)
        return folder

    def _write(self, path: Path, text: str, *, sign: str = ">") -> None:
        # By the account itself: root, writing where another may write, could be led astray by a link.
        result = self.account.run(["/bin/sh", "-c", f'cat {sign}"$1"', "sh", path], text=text)
        if result.returncode:
            raise EmbeddedServerError(f"{path} could not be written: {result.stderr.strip()}")


def passwords(directory: Path) -> dict[str, str]:
    """The passwords of the three logins."""
    path = directory / "secrets.json"
    if not path.exists():
        raise EmbeddedServerError(f"{path} with the passwords of the database's logins is gone")
    known: dict[str, str] = json.loads(path.read_text())
    return known


def locate(directory: Path) -> Cluster:
    """Find, or choose, the places and the account of the server that belongs to a folder."""
    account = server_account(directory)
    if not account.own and directory.stat().st_uid == 0:
        directory.chmod(0o711)  # enter, not list: the server's own folder lies within
    return Cluster(directory=directory, home=_home(directory, account), account=account, programs=programs(account))


def open_own(path: Path, flags: int = 0) -> int:
    """Open a file for its folder's owner alone, so that root's visit neither locks him out nor follows his links."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)
    if os.geteuid() == 0:
        stat = path.parent.stat()
        os.fchown(handle, stat.st_uid, stat.st_gid)
    return handle


def _home(directory: Path, account: Account) -> Path:
    link = directory / "data"
    if link.is_symlink():
        home = link.readlink().parent
        if not home.exists():
            raise EmbeddedServerError(f"the database's files are gone: {link} points to {link.readlink()}")
        return home
    if link.exists() or account.reaches(directory):
        return directory
    home = Path(tempfile.mkdtemp(dir=state_area(account), prefix="server-"))
    home.chmod(0o711)
    link.symlink_to(home / "data")
    logging.getLogger(__name__).warning(
        "the database's files are in %s: PostgreSQL does not run as root, and %s cannot enter %s",
        home,
        account.name,
        directory,
    )
    return home


def _settle(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
