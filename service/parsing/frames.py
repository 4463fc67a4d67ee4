"""What parent and child say to each other: frames of a length and a body, and the records of a file as JSON.

JSON and nothing cleverer: a child that a hostile file has taken over can send no more than lists and texts.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from service.domain.ingestion.blocks import Head
from service.domain.ingestion.detect import Dialect
from service.domain.ingestion.reader import Block, Broken

LENGTH = struct.Struct(">I")
# A record may have a million characters, and JSON may write one in six bytes.
LONGEST = 16 << 20
LOOK, BLOCK, COUNT, REFUSED, FAILED, DONE = (b"l", b"b", b"c", b"r", b"f", b"d")


def frame(body: bytes) -> bytes:
    return LENGTH.pack(len(body)) + body


@dataclass(frozen=True, slots=True)
class Parcel:
    """A block as it came from the child: it takes a fifth of the memory of its records until it is opened."""

    body: bytes

    @property
    def count(self) -> int:
        return int(LENGTH.unpack_from(self.body)[0])

    def opened(self) -> Block:
        return _block_of(memoryview(self.body)[LENGTH.size :])


def block_bytes(block: Block) -> bytes:
    """How many records, and the block; lines that follow each other are told by the first of them."""
    lines: Any = block.lines.start if isinstance(block.lines, range) else list(block.lines)
    broken = [i for i, record in enumerate(block.records) if isinstance(record, Broken)] if block.odd else []
    return LENGTH.pack(len(block.records)) + orjson.dumps([lines, block.odd, broken, block.records])


def _block_of(body: memoryview) -> Block:
    lines, odd, broken, records = orjson.loads(body)
    for index in broken:
        records[index] = Broken(records[index])
    return Block(records, range(lines, lines + len(records)) if isinstance(lines, int) else lines, odd)


def head_bytes(head: Head) -> bytes:
    told: Mapping[str, Any] = {name: getattr(head.dialect, name) for name in Dialect.__slots__}
    return orjson.dumps([told, head.header, head.sample])


def head_of(body: bytes) -> Head:
    dialect, header, sample = orjson.loads(body)
    return Head(Dialect(**dialect), header, sample)
