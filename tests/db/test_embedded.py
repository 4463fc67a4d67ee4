import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from service.db import embedded_tools
from service.db.embedded import EmbeddedServer, ensure_alive, running
from service.db.embedded_cluster import DATABASE, OWNER, SERVICE, SUPERUSER, Cluster
from service.db.embedded_tools import EmbeddedServerError, server_account

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"shared_buffers": "16MB", "fsync": "off"}
# Where a shell started the tests in the background, an interrupt would be ignored by all that they start.
PROGRAM = """
import signal, sys, time
from pathlib import Path
from service.db.embedded import running
signal.signal(signal.SIGINT, signal.default_int_handler)
with running(Path(sys.argv[1]), settings={"shared_buffers": "16MB", "fsync": "off"}) as server:
    print(server.port, flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def area() -> Iterator[Path]:
    # Not pytest's own folder: for root that one is closed to the account as which the server runs.
    with tempfile.TemporaryDirectory(prefix="cb") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="module")
def directory(area: Path) -> Path:
    """A folder whose server has been made and is stopped."""
    with running(area / "pg", settings=SMALL):
        return area / "pg"


@contextmanager
def another_user(directory: Path) -> Iterator[subprocess.Popen[str]]:
    program = [sys.executable, "-c", PROGRAM, str(directory)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True) as user:
        try:
            assert user.stdout is not None
            assert user.stdout.readline().strip().isdecimal()
            yield user
        finally:
            user.kill()
    with running(directory, settings=SMALL):
        pass  # whom the killed one left behind is stopped


def ask(server: EmbeddedServer, question: str, *, user: str = SUPERUSER) -> Any:
    async def once() -> Any:
        connection = await asyncpg.connect(server.url(user=user))
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    return asyncio.run(once())


def postmaster(directory: Path) -> int:
    return int((directory / "data" / "postmaster.pid").read_text().split()[0])


def is_up(directory: Path) -> bool:
    return (directory / "data" / "postmaster.pid").exists()


def leave_pid_file(directory: Path, pid: int) -> None:
    file = directory / "data" / "postmaster.pid"
    file.write_text(
        f"{pid}\n{directory / 'data'}\n1767225600\n5432\n{directory / 'socket'}\n127.0.0.1\n0 0\nready   \n"
    )
    stat = file.parent.stat()
    os.chown(file, stat.st_uid, stat.st_gid)


def test_it_serves_its_user_and_stops_when_he_leaves(directory: Path) -> None:
    with running(directory, settings=SMALL) as server:
        assert ask(server, "SELECT current_database()", user=SERVICE) == DATABASE
        assert ask(server, "SHOW full_page_writes") == "on"
        assert ask(server, "SHOW data_checksums") == "on"
        assert ask(server, "SHOW shared_buffers") == "16MB"
        assert is_up(directory)
    assert not is_up(directory)


def test_its_port_is_kept(directory: Path) -> None:
    with running(directory, settings=SMALL) as first:
        pass
    with running(directory, settings=SMALL) as second:
        assert second.port == first.port


def test_a_second_user_adopts_it_and_the_last_one_stops_it(directory: Path) -> None:
    with running(directory, settings=SMALL) as first:
        pid = postmaster(directory)
        with running(directory) as second:
            assert second == first
            assert postmaster(directory) == pid
        assert ask(first, "SELECT 1") == 1
    assert not is_up(directory)


def test_users_who_come_at_once_share_one_server(directory: Path) -> None:
    with another_user(directory), another_user(directory), running(directory) as server:
        assert ask(server, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'checkpointer'") == 1


def test_a_server_whose_user_was_killed_is_adopted(directory: Path) -> None:
    with another_user(directory) as user:
        pid = postmaster(directory)
        user.kill()
        user.wait()
        with running(directory) as server:
            assert postmaster(directory) == pid
            assert ask(server, "SELECT 1") == 1
        assert not is_up(directory)


def test_an_interrupt_at_the_keyboard_does_not_reach_it(directory: Path) -> None:
    with another_user(directory) as user, running(directory) as server:
        pid = postmaster(directory)
        os.killpg(user.pid, signal.SIGINT)
        user.wait(timeout=20)
        assert ask(server, "SELECT 1") == 1
        assert postmaster(directory) == pid


@pytest.mark.parametrize("pid", [2**22 + 1, os.getpid()], ids=["of nobody", "of another program"])
def test_a_leftover_pid_file_is_not_a_running_server(directory: Path, pid: int) -> None:
    leave_pid_file(directory, pid)
    with running(directory, settings=SMALL) as server:
        assert ask(server, "SELECT 1") == 1
        assert postmaster(directory) != pid


def test_a_killed_server_comes_back_with_what_was_committed(directory: Path) -> None:
    with running(directory, settings=SMALL) as server:
        ask(server, "CREATE TABLE kept AS SELECT 42 AS answer", user=OWNER)
        killed = postmaster(directory)
        os.kill(killed, signal.SIGKILL)
        again = ensure_alive(server)
        assert again == server
        assert postmaster(directory) != killed
        assert ask(again, "SELECT answer FROM kept", user=OWNER) == 42
        ask(again, "DROP TABLE kept", user=OWNER)


def test_a_server_in_good_health_is_left_alone(directory: Path) -> None:
    with running(directory, settings=SMALL) as server:
        pid = postmaster(directory)
        assert ensure_alive(server) == server
        assert postmaster(directory) == pid


def test_a_server_that_does_not_start_says_why(directory: Path) -> None:
    with pytest.raises(EmbeddedServerError, match='invalid value for parameter "shared_buffers": "plenty"'):
        running(directory, settings={"shared_buffers": "plenty"}).__enter__()
    with pytest.raises(EmbeddedServerError, match="not the name of a PostgreSQL setting"):
        running(directory, settings={"port = 1\nfsync": "off"}).__enter__()


def test_a_server_started_by_hand_is_not_interfered_with(directory: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)", directory.resolve() / "data"]
    ) as program:
        try:
            leave_pid_file(directory, program.pid)
            with pytest.raises(EmbeddedServerError, match=f"by hand .process {program.pid}."):
                running(directory).__enter__()
            assert program.poll() is None
        finally:
            program.kill()


def test_passwords_are_for_the_owner_of_the_folder_only(directory: Path) -> None:
    assert (directory / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert (directory / "socket").stat().st_mode & 0o777 == 0o700
    assert (directory / "data").stat().st_mode & 0o777 == 0o700


def test_a_wrong_password_is_refused(directory: Path) -> None:
    with running(directory, settings=SMALL) as server:
        address = server.url(user=SERVICE)
        wrong = address.replace(address.split(":")[2].partition("@")[0], "open-sesame")
        with pytest.raises(asyncpg.InvalidPasswordError):
            asyncio.run(asyncpg.connect(wrong))


def test_the_service_owns_nothing_and_may_nothing(directory: Path) -> None:
    with running(directory, settings=SMALL) as server:
        powers = "rolsuper OR rolinherit OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls"
        assert ask(server, f"SELECT {powers} FROM pg_roles WHERE rolname = '{SERVICE}'") is False
        owned = f"SELECT count(*) FROM pg_shdepend WHERE refobjid = '{SERVICE}'::regrole AND deptype = 'o'"
        assert ask(server, owned) == 0
        for attempt in ("CREATE TABLE public.t ()", "CREATE TEMP TABLE t ()", "CREATE SCHEMA s"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                ask(server, attempt, user=SERVICE)


def test_the_owner_is_no_superuser(directory: Path) -> None:
    with running(directory, settings=SMALL) as server:
        assert (
            ask(server, "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user", user=OWNER)
            is False
        )
        assert ask(
            server, "SELECT rolcreaterole AND rolcreatedb FROM pg_roles WHERE rolname = current_user", user=OWNER
        )


def test_a_server_whose_making_was_cut_short_is_made_anew(area: Path) -> None:
    folder = area / "cut"
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder)], cwd=ROOT, stdout=subprocess.DEVNULL) as maker:
        while not (folder / "data.draft" / "base").exists():
            time.sleep(0.01)
        maker.kill()
    with running(folder, settings=SMALL) as server:
        assert ask(server, "SELECT current_database()", user=SERVICE) == DATABASE


def test_in_a_home_closed_to_others_it_works_all_the_same(area: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_tools, "STATE_AREA", area / "state")
    closed = area / "home"
    closed.mkdir(mode=0o700)
    with running(closed / "pg", settings=SMALL) as server:
        assert ask(server, "SELECT lower('ЁЛКА')", user=SERVICE) == "ёлка"
    assert (closed / "pg" / "data").is_symlink() == (os.geteuid() == 0)


def test_a_long_path_gets_a_socket_elsewhere(area: Path) -> None:
    home = area / ("long" * 30)
    cluster = Cluster(directory=area, home=home, account=server_account(area), programs=area)
    socket = cluster.socket_folder()
    try:
        assert len(str(socket)) <= Cluster.longest_socket
        assert socket.stat().st_mode & 0o777 == 0o700
    finally:
        socket.rmdir()


def test_without_the_programs_the_remedy_is_named(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_tools, "_PACKAGE", "no_such_package")
    with pytest.raises(EmbeddedServerError, match=r"pip install clientbase\[embedded\]"):
        running(directory).__enter__()
