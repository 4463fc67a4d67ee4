"""Files made to hurt are refused in words, by a process that is killed if it must be, and leave nothing behind."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.domain.errors import DomainError
from service.domain.ingestion.batches import Batcher, Options
from service.domain.ingestion.binding import bind
from service.domain.ingestion.errors import UnreadableFile
from service.domain.ingestion.mapping import ColumnMapping
from service.parsing import reader as parsing
from service.parsing.reader import KillableReader
from tests.e2e.files import HEADER, a_line, many, written
from tests.e2e.running import children_of
from tests.hostile import HOSTILE

_MAPPING = ColumnMapping(kind="order_lines", columns={name: name for name in HEADER})
_OPTIONS = Options(time_zone="UTC", currency="EUR")
# The bar is a second on a machine of its own (tests/proofs); here others are at work.
_MOST_S = 8.0


async def _parts(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 1 << 20):
        yield content[start : start + (1 << 20)]


async def _outcome(content: bytes, reader: KillableReader) -> str:
    """The code it is refused for, `rows` if some are rejected, `ok` otherwise: what accepting and checking find."""
    try:
        head = await reader.look(content[: 1 << 18], _OPTIONS)
        bind(head.header, _MAPPING, time_zone="UTC", currency="EUR", sample=head.sample)
        async for _ in reader.blocks(_parts(content), _OPTIONS, size=len(content), most=0):
            pass
        batcher, rejected = Batcher(_MAPPING, _OPTIONS), 0
        async for parcel in reader.blocks(_parts(content), _OPTIONS, size=len(content)):
            assert not isinstance(parcel, int)
            rejected += sum(len(batch.rejects) for batch in batcher.take(parcel.opened()))
        rejected += sum(len(batch.rejects) for batch in batcher.end())
    except DomainError as error:
        return error.code if error.detail else "without a word"
    finally:
        await reader.aclose()
    return "rows" if rejected else "ok"


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_in_words(case: str) -> None:
    make, expected = HOSTILE[case]
    content = make()
    started = time.monotonic()
    assert asyncio.run(_outcome(content, KillableReader())) == expected
    assert time.monotonic() - started < _MOST_S
    assert not _readers()


def test_there_are_files_of_every_kind() -> None:
    assert len(HOSTILE) >= 30


def _readers() -> list[int]:
    commands = {pid: Path(f"/proc/{pid}/cmdline") for pid in children_of(os.getpid())}
    return [pid for pid, path in commands.items() if path.exists() and b"service.parsing.child" in path.read_bytes()]


def _with_a_child(monkeypatch: pytest.MonkeyPatch, code: str, **given: float) -> str:
    """The outcome of an honest file in a child that does what the code says, once it is confined."""
    setup = "from service.parsing.child import confine, main; import time, os, sys; confine(cpu_s=1); "
    monkeypatch.setattr(parsing, "_COMMAND", (sys.executable, "-c", setup + code))
    return asyncio.run(_outcome(written(many(10)), KillableReader(**given)))


def test_a_reader_that_takes_too_much_memory_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _with_a_child(monkeypatch, "x = bytearray(400 << 20); time.sleep(60)") == UnreadableFile.code


def test_a_reader_that_takes_too_much_time_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    started = time.monotonic()
    assert _with_a_child(monkeypatch, "\nwhile True: pass") == UnreadableFile.code
    assert time.monotonic() - started < 15


def test_a_reader_that_falls_silent_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _with_a_child(monkeypatch, "time.sleep(60)", most_silence_s=0.5) == UnreadableFile.code
    assert not _readers()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_reader_that_dies_takes_nothing_along(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    assert _with_a_child(monkeypatch, f"os.kill(os.getpid(), {int(number)})") == UnreadableFile.code


def test_a_reader_opens_no_file_and_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit tells what it could do; the control is the same child before it is confined."""
    tries = "import socket\nfor do in (lambda: open('/etc/hostname'), socket.socket, lambda: open('/tmp/x', 'w')):\n"
    tries += " try: do(); os._exit(1)\n except OSError: pass\n except Exception: os._exit(2)\nos._exit(0)"
    confined = "import os, socket\nfrom service.parsing.child import confine\nconfine(cpu_s=5)\n"

    async def code(text: str) -> int:
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", text)
        return await child.wait()

    assert asyncio.run(code(confined + tries)) == 0
    assert asyncio.run(code("import os\n" + tries)) == 1


def test_a_reader_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIENTBASE_AUTH__SECRET", "s" * 40)
    told = "print(len([name for name in os.environ if 'CLIENTBASE' in name or 'PG' in name]))"
    seen: list[bytes] = []

    async def scenario() -> None:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "import os; " + told, env=parsing._ENVIRONMENT, stdout=asyncio.subprocess.PIPE
        )
        seen.append((await child.communicate())[0])

    asyncio.run(scenario())
    assert seen == [b"0\n"]


def test_an_honest_file_passes_the_same_reader() -> None:
    assert asyncio.run(_outcome(written(map(a_line, range(3_000))), KillableReader())) == "ok"
