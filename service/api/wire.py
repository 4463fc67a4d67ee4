"""An answer leaves in one packet.

uvicorn writes the head of an answer and its body apart: two system calls, two packets, two wake-ups of the client, for
what fits into one. Here the head waits for what follows it, but no longer than to the end of the loop's turn, so that
a stream of events still begins at once.

And a request's head has an end: uvicorn would keep whatever comes before the empty line.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Far above a token of the longest kind; what comes in one piece may exceed it by that piece.
MAX_HEAD = 64 * 1024


class OnePacketProtocol(HttpToolsProtocol):
    _in_head = False
    _received = 0

    def on_message_begin(self) -> None:
        self._in_head, self._received = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._received += len(data)
            if self._received > MAX_HEAD and not self.transport.is_closing():
                self.send_400_response("The head of the request is too long.")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_HeadWaits(transport, self.loop))  # type: ignore[arg-type]


class _HeadWaits:
    """A transport that holds the head of an answer back until there is more to write."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def write(self, data: bytes) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head + data)
        elif data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
