"""The rule about formula cells has one meaning: what SQL writes is what `cells.neutralise` says."""

import asyncio
import json
from collections.abc import Callable, Iterator

import asyncpg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.db.export_cells import harmless
from service.domain.cells import PLAIN_STARTS, SKIPPED, TRIGGERS, neutralise
from tests.postgres import TestDatabase
from tests.shared_data import shared_data

Write = Callable[[list[str | None]], list[str | None]]
storable = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
# The borders of every range, and their neighbours: where two readings of one range would differ.
_borders = {
    code + step
    for ranges in (SKIPPED, TRIGGERS, PLAIN_STARTS)
    for pair in ranges
    for code in pair
    for step in (-1, 0, 1)
}
borders = st.sampled_from([chr(code) for code in sorted(_borders) if code > 0])
cells = st.text(storable, max_size=20) | st.text(borders | st.sampled_from("17+-=@.,•' \n"), max_size=12)


@pytest.fixture(scope="module")
def write(database: TestDatabase) -> Iterator[Write]:
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(database.service_url))
        query = f"SELECT {harmless('cell')} AS written FROM unnest($1::text[]) WITH ORDINALITY u (cell, n) ORDER BY n"

        def written(given: list[str | None]) -> list[str | None]:
            return [row["written"] for row in runner.run(connection.fetch(query, given))]

        yield written
        runner.run(connection.close())


@given(st.lists(cells, min_size=1, max_size=50))
@example(["+79123456789", "+7 ••• ••• 67 89", "-12.5", "-12.5\n", "'=1", "\ufeff@x", "", "\u0661", "Ё"])
def test_sql_writes_what_the_rule_says(write: Write, given: list[str]) -> None:
    assert write([*given]) == [neutralise(cell) for cell in given]


def test_every_first_sign_is_judged_alike(write: Write) -> None:
    signs = [chr(code) for code in range(1, 0x10000) if not 0xD800 <= code <= 0xDFFF]
    for rest in ("", "1+1", "7123456"):
        given = [sign + rest for sign in signs]
        assert write([*given]) == [neutralise(cell) for cell in given]


def test_naughty_strings_are_written_alike(write: Write) -> None:
    given = [cell for cell in json.loads(shared_data("C_validity/blns.json").read_text("utf-8")) if "\x00" not in cell]
    given += [f"\u00a0 {start}{cell}" for cell in given for start in "=+-@"]
    assert write([*given]) == [neutralise(cell) for cell in given]


def test_an_absent_cell_stays_absent(write: Write) -> None:
    assert write([None]) == [None]
