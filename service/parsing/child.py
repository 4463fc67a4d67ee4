"""A process that reads one untrusted file and ends: bytes in, records out, and nothing else within its reach.

It has no settings, no secrets and no connection, opens no file, and lives within limits of memory and time; what it may
not do kills it alone. It is told on its standard input what to do, and answers on its standard output, in frames.
"""

import codecs
import fcntl
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from service.domain.errors import DomainError, told
from service.domain.ingestion.blocks import BlockReader, look
from service.domain.ingestion.detect import ENCODINGS
from service.domain.ingestion.errors import UnreadableFile
from service.domain.ingestion.reader import Block
from service.parsing import frames

# What reading takes beyond the interpreter itself: a block, its text and its records, several times over.
_MEMORY = 160 << 20
_PIPE = 1 << 20
_SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", 1031)
Send = Callable[[bytes, bytes], None]


def main() -> None:
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    # Records hold no cycles, and the process is gone after one file: looking for them took a third of its time.
    gc.disable()

    def send(kind: bytes, body: bytes = b"") -> None:
        sink.write(frames.frame(kind + body))
        sink.flush()

    for pipe in (source, sink):
        with suppress(OSError):
            fcntl.fcntl(pipe.fileno(), _SET_PIPE_SIZE, _PIPE)
    command = orjson.loads(_body(source))
    confine(cpu_s=command["cpu_s"])
    with suppress(BrokenPipeError):
        try:
            _carry_out(command, source, send)
        except DomainError as error:
            send(frames.REFUSED, orjson.dumps(told(error)))
        except MemoryError:
            send(frames.REFUSED, orjson.dumps(told(UnreadableFile())))
        except (EOFError, BrokenPipeError):
            pass  # the parent has lost interest, or its life
        except Exception as error:
            send(frames.FAILED, type(error).__name__.encode())
    # Not by the usual way out: there is nothing to put in order.
    os._exit(0)


def confine(*, cpu_s: int) -> None:
    """Bounds for the rest of this process's life: memory, time, no file or socket to be opened, no core dump."""
    for encoding in (*ENCODINGS, "utf-16", "utf-8-sig"):
        codecs.lookup(encoding)  # from now on no module can be loaded
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if _has_proc() else 1 << 28
    limits = {
        resource.RLIMIT_AS: size + _MEMORY,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 3,
        resource.RLIMIT_CORE: 0,
    }
    for limit, most in limits.items():
        resource.setrlimit(limit, (most, most))
    # Who asks the service to stop asks the parent, which ends this process by closing its input.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _has_proc() -> bool:
    return Path("/proc/self/statm").exists()


def _carry_out(command: dict[str, Any], source: BinaryIO, send: Send) -> None:
    dialect = {name: command[name] for name in ("encoding", "delimiter", "quote")}
    if command["do"] == "look":
        send(frames.LOOK, frames.head_bytes(look(b"".join(_chunks(source)), **dialect)))
        return
    reader = BlockReader(**dialect)
    left, begun = command["most"], False
    for block in _blocks(reader, source):
        # Who only counts wants to see the header all the same, which stands in the first block that is not empty.
        if begun and left is not None and left <= 0:
            send(frames.COUNT, str(len(block.records)).encode())
            continue
        body = frames.block_bytes(block)
        send(frames.BLOCK, body)
        left, begun = left and left - len(body), begun or bool(block.records)
    send(frames.DONE, b"")


def _blocks(reader: BlockReader, source: BinaryIO) -> Iterator[Block]:
    for chunk in _chunks(source):
        yield from reader.feed(chunk)
    yield from reader.finish()


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    while body := _body(source):
        yield body


def _body(source: BinaryIO) -> bytes:
    length = source.read(frames.LENGTH.size)
    if len(length) < frames.LENGTH.size:
        raise EOFError
    return source.read(frames.LENGTH.unpack(length)[0])


if __name__ == "__main__":
    main()
