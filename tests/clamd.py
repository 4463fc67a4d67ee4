"""clamd for the tests: a stand-in that misbehaves as told, and the real one where there is one.

The real one is looked for in CLIENTBASE_TEST_CLAMD (the path of the binary, from `apt-get download clamav-daemon
libclamav12 libmspack0` and `dpkg -x`), then on the PATH. Its only signature is made here; the test file is put together
from pieces, so that no file of the project holds it.
"""

import asyncio
import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

EICAR = b"".join(
    (b"X5O!P%@AP[4", b"\\PZX54(P^)7CC)", b"7}$EICAR", b"-STANDARD-", b"ANTIVIRUS", b"-TEST-FILE", b"!$H+H*")
)
Mood = Literal[
    "ok", "found", "mute", "deaf", "slow", "killed", "rude", "garbage", "hasty", "flood", "too-large", "error", "empty"
]
_CONF = """
Foreground yes
LocalSocket {folder}/clamd.sock
DatabaseDirectory {folder}/db
TemporaryDirectory {folder}
MaxThreads 4
StreamMaxLength {stream}M
MaxFileSize {stream}M
MaxScanSize {stream}M
AlertExceedsMax yes
"""


@dataclass(slots=True)
class FakeClamd:
    """Answers PING, and INSTREAM as its mood is; `files` is what it was given whole."""

    path: str
    mood: Mood = "ok"
    files: list[bytes] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"unix://{self.path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError, asyncio.CancelledError):
            command = await reader.readuntil(b"\0")
            if self.mood == "deaf":
                await asyncio.sleep(3600)
            if command == b"zPING\0":
                writer.write(b"PONG\0")
                await writer.drain()
            else:
                await self._stream(reader, writer)
        writer.transport.abort() if self.mood == "killed" else writer.close()

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        early = {
            "rude": b"",
            "hasty": b"stream: OK\0",
            "too-large": b"INSTREAM size limit exceeded. ERROR\0",
        }.get(self.mood)
        if self.mood == "killed":
            await reader.readexactly(5)
            return
        if early is not None:
            writer.write(early)
            await writer.drain()
            return
        content = b""
        while (length := struct.unpack(">I", await reader.readexactly(4))[0]) > 0:
            content += await reader.readexactly(length)
        self.files.append(content)
        if self.mood == "mute":
            await asyncio.sleep(3600)
        if self.mood == "slow":
            await asyncio.sleep(3)
        told = {
            "found": b"stream: Test.Eicar FOUND\0",
            "garbage": b"stream: OKAY, more or less\0",
            "flood": b"stream: OK\0" * 5_000,
            "error": b"stream: Can't allocate memory ERROR\0",
            "empty": b"",
        }
        writer.write(told.get(self.mood, b"stream: OK\0"))
        await writer.drain()


@asynccontextmanager
async def fake_clamd(folder: Path, mood: Mood = "ok") -> AsyncIterator[FakeClamd]:
    """A clamd of that mood on a socket of its own."""
    fake = FakeClamd(str(folder / "clamd.sock"), mood)
    server = await asyncio.start_unix_server(fake.serve, fake.path)
    try:
        yield fake
    finally:
        server.close()


def real_clamd() -> Path | None:
    """The binary, where this machine has one."""
    named = os.environ.get("CLIENTBASE_TEST_CLAMD") or shutil.which("clamd")
    return Path(named) if named and Path(named).exists() else None


@contextmanager
def running_clamd(folder: Path, *, stream_mib: int = 100) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """The real clamd with one signature: the address and the process."""
    binary = real_clamd()
    assert binary is not None
    (folder / "db").mkdir(parents=True)
    (folder / "db" / "test.ndb").write_text(f"Test.Eicar:0:*:{EICAR.hex()}\n")
    conf = folder / "clamd.conf"
    conf.write_text(_CONF.format(folder=folder, stream=stream_mib))
    libraries = ":".join(str(path) for path in (binary.parents[1] / "lib").glob("*-linux-gnu"))
    with (folder / "clamd.log").open("wb") as log:
        process = subprocess.Popen(
            [str(binary), "--config-file", str(conf)],
            env=os.environ | {"LD_LIBRARY_PATH": libraries},
            stdout=log,
            stderr=log,
        )
    try:
        _until_it_listens(folder / "clamd.sock", process, folder / "clamd.log")
        yield f"unix://{folder}/clamd.sock", process
    finally:
        process.kill()
        process.wait(10)


def _until_it_listens(path: Path, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as one:
            one.connect(str(path))
            return
        time.sleep(0.05)
    raise AssertionError(f"clamd did not start: {log.read_text()[-2000:]}")
