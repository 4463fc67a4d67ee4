"""A load generator in a process of its own: keep-alive connections, requests built beforehand, no HTTP library.

`python -m benchmarks.load SPEC` reads the requests and the exact bodies they must bring, keeps every connection busy
with one request at a time, and prints how many right answers came in a second. Any other answer ends the run. It is a
bare epoll loop, because it shares the processors with what it measures.
"""

import json
import select
import socket
import sys
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_PIECE = 1 << 18


class WrongAnswer(RuntimeError):
    """Not the answer that was expected; its beginning is the message."""


@dataclass(slots=True)
class Connection:
    socket: socket.socket
    asked: int = 0
    got: bytes = b""


class Load:
    def __init__(self, spec: dict[str, Any]) -> None:
        self._requests = [one.encode("latin-1") for one in spec["requests"]]
        self._bodies = [one.encode() for one in spec["bodies"]]
        self._seconds = float(spec["seconds"])
        self._turn = count()
        self._right = 0
        self._poll = select.epoll()
        self._open: dict[int, Connection] = {}
        for _ in range(spec["connections"]):
            opened = socket.create_connection(("127.0.0.1", spec["port"]))
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open[opened.fileno()] = Connection(opened)
            self._poll.register(opened, select.EPOLLIN)

    def press(self) -> tuple[float, int]:
        """The right answers a second, and how many there were, the warm-up's included."""
        for connection in self._open.values():
            self._ask(connection)
        self._until(time.perf_counter() + min(0.5, self._seconds / 4))
        before, started = self._right, time.perf_counter()
        self._until(started + self._seconds)
        return (self._right - before) / (time.perf_counter() - started), self._right

    def _until(self, deadline: float) -> None:
        while time.perf_counter() < deadline:
            for number, _ in self._poll.poll(1.0):
                self._take(self._open[number])

    def _ask(self, connection: Connection) -> None:
        connection.asked = next(self._turn) % len(self._requests)
        connection.socket.sendall(self._requests[connection.asked])

    def _take(self, connection: Connection) -> None:
        piece = connection.socket.recv(_PIECE)
        answer = connection.got = connection.got + piece if connection.got else piece
        end = answer.find(_END)
        if end < 0 and piece:
            return
        at = answer.find(_LENGTH, 0, end) + len(_LENGTH)
        expected = self._bodies[connection.asked]
        missing = end + 4 + int(answer[at : answer.find(b"\r", at)] or 0) - len(answer)
        if missing > 0 and piece:
            return
        whole = not missing and len(answer) == end + 4 + len(expected) and answer.endswith(expected)
        if not whole or not answer.startswith(b"HTTP/1.1 200"):
            raise WrongAnswer(answer[:2000].decode("utf-8", "replace") or "the connection was closed")
        connection.got = b""
        self._right += 1
        self._ask(connection)


def main(path: str) -> int:
    try:
        rate, answers = Load(json.loads(Path(path).read_text())).press()
    except WrongAnswer as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps({"rate": rate, "answers": answers}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
