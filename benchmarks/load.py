"""A load generator in a process of its own: keep-alive connections, requests built beforehand, no HTTP library.

`python -m benchmarks.load SPEC` reads the requests and the exact bodies they must bring, keeps every connection busy
with one request at a time, and prints how many right answers came in a second. Any other answer ends the run.
"""

import asyncio
import json
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

import uvloop

_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


class Load:
    """What the connections share: the requests in turn, and the count of right answers."""

    def __init__(self, requests: list[bytes], bodies: list[bytes]) -> None:
        self.requests = requests
        self.bodies = bodies
        self.turn = count()
        self.right = 0
        self.stopped = False
        self.wrong: str | None = None

    def stop(self, wrong: str) -> None:
        self.wrong = self.wrong or wrong
        self.stopped = True


class Connection(asyncio.Protocol):
    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = b""
        self._asked = 0
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        load = self._load
        if load.stopped:
            self._transport.close()
            return
        self._asked = next(load.turn) % len(load.requests)
        self._transport.write(load.requests[self._asked])

    def data_received(self, data: bytes) -> None:
        answer = self._buffer = self._buffer + data if self._buffer else data
        end = answer.find(_END)
        if end < 0:
            return
        at = answer.find(_LENGTH, 0, end) + len(_LENGTH)
        length = int(answer[at : answer.find(b"\r", at)])
        if len(answer) < end + 4 + length:
            return
        self._buffer = b""
        load = self._load
        if not answer.startswith(b"HTTP/1.1 200") or answer[end + 4 :] != load.bodies[self._asked]:
            load.stop(answer[:2000].decode("utf-8", "replace"))
        load.right += 1
        self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._load.stopped:
            self._load.stop(f"a connection was closed: {error}")


async def _press(port: int, load: Load, connections: int, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, told: load.stop(str(told.get("exception") or told["message"])))
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(load), "127.0.0.1", port)
    await asyncio.sleep(min(0.5, seconds / 4))
    before, started = load.right, time.perf_counter()
    while time.perf_counter() - started < seconds and not load.stopped:
        await asyncio.sleep(min(0.05, seconds))
    rate = (load.right - before) / (time.perf_counter() - started)
    load.stopped = True
    await asyncio.sleep(0.05)
    return rate


def main(path: str) -> int:
    spec = json.loads(Path(path).read_text())
    load = Load([one.encode("latin-1") for one in spec["requests"]], [one.encode() for one in spec["bodies"]])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rate = runner.run(_press(spec["port"], load, spec["connections"], spec["seconds"]))
    if load.wrong is not None:
        sys.stderr.write(load.wrong + "\n")
        return 1
    sys.stdout.write(json.dumps({"rate": rate, "answers": load.right}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
