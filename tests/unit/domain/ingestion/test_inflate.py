import gzip
import random

import pytest

from service.domain.ingestion.errors import CompressedTooFar, CorruptFile, TruncatedFile
from service.domain.ingestion.inflate import Inflater

_TEXT = bytes(random.Random(7).choices(b"abcdef,\n", k=300_000))


def _through(data: bytes, size: int) -> bytes:
    inflater = Inflater()
    pieces = [p for start in range(0, len(data), size) for p in inflater.feed(data[start : start + size])]
    return b"".join([*pieces, *inflater.finish()])


@pytest.mark.parametrize("size", [1_000, 65_536, 10_000_000])
def test_gzip_and_plain_give_the_same_bytes(size: int) -> None:
    assert _through(_TEXT, size) == _through(gzip.compress(_TEXT), size) == _TEXT


@pytest.mark.parametrize("data", [b"", b"a", b"ab"])
def test_the_shortest_files_pass(data: bytes) -> None:
    assert _through(data, 1) == data


def test_members_are_joined_and_padding_is_passed_over() -> None:
    assert _through(gzip.compress(b"one\n") + gzip.compress(b"two\n") + bytes(20), 7) == b"one\ntwo\n"


@pytest.mark.parametrize("lost", [1, 8, 1_000])
def test_a_stream_that_ends_early_is_a_truncated_file(lost: int) -> None:
    with pytest.raises(TruncatedFile, match="breaks off"):
        _through(gzip.compress(_TEXT)[:-lost], 4_096)


def test_damage_is_told_from_truncation() -> None:
    packed = bytearray(gzip.compress(_TEXT))
    packed[-6] ^= 0xFF
    with pytest.raises(CorruptFile):
        _through(bytes(packed), 4_096)
    with pytest.raises(CorruptFile):
        _through(gzip.compress(b"one") + b"garbage", 4_096)


def test_a_bomb_is_refused_before_it_goes_off() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    inflater = Inflater()
    with pytest.raises(CompressedTooFar):
        list(inflater.feed(bomb))
    assert inflater.given < 20 << 20
