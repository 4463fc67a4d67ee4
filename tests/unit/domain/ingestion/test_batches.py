import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.ingestion.batches import BatchReader, head
from service.domain.ingestion.errors import (
    DuplicateHeader,
    EmptyFile,
    NoRows,
    TruncatedFile,
    UnknownColumn,
    WrongEncoding,
)
from tests.unit.domain.ingestion.reading import HEADER, LINES, batches, judged, options, pushed

_ROWS = [f"A{i},{i % 7 or ''},2023-06-{i % 28 + 1:02d} 10:00,{i % 3 + 1},{i}.25\n" for i in range(1, 4_001)]
_FILE = (HEADER + "".join(_ROWS)).encode()


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_an_empty_file_is_refused(data: bytes) -> None:
    with pytest.raises(EmptyFile):
        batches(data)


def test_a_file_of_no_rows_is_refused() -> None:
    for text in (HEADER, HEADER.strip(), HEADER + "\n\n"):
        with pytest.raises(NoRows):
            batches(text)


def test_a_file_of_one_byte_is_a_header_that_lacks_the_columns() -> None:
    with pytest.raises(UnknownColumn):
        batches("x")


def test_the_header_is_judged_before_any_row() -> None:
    with pytest.raises(DuplicateHeader):
        batches(HEADER.replace("price", "date") + "".join(_ROWS))
    with pytest.raises(UnknownColumn):
        batches(HEADER.replace("price", "Цена") + "".join(_ROWS))


def test_a_truncated_file_is_refused() -> None:
    with pytest.raises(TruncatedFile):
        batches(gzip.compress(_FILE)[:-100])
    with pytest.raises(TruncatedFile):
        batches(_FILE + b'A9,"7')


def test_a_wrong_encoding_in_the_middle_is_refused_with_its_place() -> None:
    text = HEADER + "А1,7,2023-06-01,1,5\n" + "".join(_ROWS)
    bad = text.encode() + "Б2,7,2023-06-01,1,5\n".encode("cp1251")
    with pytest.raises(WrongEncoding, match=f"Line 4003, byte {len(text.encode())}"):
        batches(bad)


def test_batches_are_cut_by_rows_and_carry_the_watermark() -> None:
    found = batches(_FILE, told=options(batch_rows=1_500))
    assert [(batch.first_row, batch.last_row) for batch in found] == [(1, 1_500), (1_501, 3_000), (3_001, 4_000)]
    assert [len(batch.rows) + len(batch.rejects) for batch in found] == [1_500, 1_500, 1_000]


@pytest.mark.parametrize("watermark", [0, 1, 1_500, 1_501, 3_999])
def test_a_run_goes_on_behind_its_watermark(watermark: int) -> None:
    whole_rows, whole_rejects = judged(_FILE)
    found = batches(_FILE, told=options(batch_rows=1_500, skip_rows=watermark))
    assert found[0].first_row == watermark + 1
    assert [row for batch in found for row in batch.rows] == [row for row in whole_rows if row.row > watermark]
    assert [each for batch in found for each in batch.rejects] == [r for r in whole_rejects if r.row > watermark]


def test_a_run_that_was_complete_has_nothing_left() -> None:
    assert batches(_FILE, told=options(skip_rows=4_000)) == []


@settings(max_examples=8, deadline=None)
@given(st.integers(1_000, 300_000), st.booleans())
def test_the_cut_of_the_bytes_changes_nothing(size: int, packed: bool) -> None:
    data = gzip.compress(_FILE, 1) if packed else _FILE
    reader = BatchReader(LINES, options(batch_rows=999))
    found = list(pushed(reader, (data[start : start + size] for start in range(0, len(data), size))))
    plain = batches(_FILE, told=options(batch_rows=999))
    assert [batch[:4] for batch in found] == [batch[:4] for batch in plain]


def test_the_first_look_shows_dialect_header_and_sample() -> None:
    seen = head(gzip.compress(_FILE * 3), options())
    assert (seen.dialect.encoding, seen.header) == ("utf-8", HEADER.strip().split(","))
    assert seen.sample[0] == _ROWS[0].strip().split(",")
    assert head(b"a;b", options()).header == ["a", "b"]
    with pytest.raises(EmptyFile):
        head(b"", options())
