"""Bytes as they were before gzip, in bounded pieces; a file that is not gzip passes through.

Several gzip members in a row are one file, zeros behind the last are padding. A stream that ends early is a truncated
file. What unpacks to far more than text ever does (a stretch that goes 4 MiB beyond 200 times its size, or more than
16 GiB in all) is refused before it is read.
"""

import zlib
from collections.abc import Iterator

from service.domain.ingestion.errors import CompressedTooFar, CorruptFile, TruncatedFile

_MAGIC = b"\x1f\x8b"
_PIECE = 1 << 18
# What is left of the input is copied at the end of each member, and a file may have a hundred thousand of them.
_SLICE = 1 << 14
_FREE = 4 << 20
_RATIO = 200
_MOST = 16 << 30


class Inflater:
    """Push-style: feed what came, take the pieces out before feeding more."""

    def __init__(self) -> None:
        self.taken = 0
        self.given = 0
        self._beyond = 0
        self._head = b""
        self._plain: bool | None = None
        self._member = zlib.decompressobj(wbits=31)
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The unpacked pieces of the data."""
        self.taken += len(data)
        if self._plain is None:
            data = self._head + data
            if len(data) < len(_MAGIC):
                self._head = data
                return
            self._plain = not data.startswith(_MAGIC)
        pieces = _slices(data, _PIECE) if self._plain else self._unpacked_in_slices(data)
        for piece in pieces:
            self.given += len(piece)
            yield piece

    def finish(self) -> Iterator[bytes]:
        """What was held back; refuses a gzip stream without its end."""
        if self._plain is None and self._head:
            self.given += len(self._head)
            yield self._head
        if self._begun:
            raise TruncatedFile(
                f"The gzip stream breaks off after {self.taken} bytes; send the whole file again.", byte=self.taken
            )

    def _unpacked_in_slices(self, data: bytes) -> Iterator[bytes]:
        for part in _slices(data, _SLICE):
            yield from self._unpacked(part)

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        while data:
            if not self._begun:
                data = self._next_member(data)
                if not data:
                    return
            try:
                piece = self._member.decompress(data, _PIECE)
            except zlib.error as error:
                raise CorruptFile(
                    f"The gzip data is damaged near byte {self.taken}; send the file again.", byte=self.taken
                ) from error
            used, data = len(data), self._rest()
            self._weigh(len(piece), used - len(data))
            yield piece

    def _weigh(self, size: int, used: int) -> None:
        """Honest rows before a bomb earn it nothing: each stretch has to be of a size that fits its bytes."""
        self._beyond = max(0, self._beyond + size - used * _RATIO)
        if self._beyond > _FREE:
            raise CompressedTooFar(f"The file, or a part of it, unpacks to more than {_RATIO} times its size.")
        if self.given + size > _MOST:
            raise CompressedTooFar("The file unpacks to more than 16 GiB; send it in parts.")

    def _next_member(self, data: bytes) -> bytes:
        data = data if self.given == 0 else data.lstrip(b"\0")
        if data:
            self._member, self._begun = zlib.decompressobj(wbits=31), True
        return data

    def _rest(self) -> bytes:
        if self._member.eof:
            self._begun = False
            return self._member.unused_data
        return self._member.unconsumed_tail


def _slices(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
