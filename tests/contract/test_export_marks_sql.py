"""The mark of a cell has one meaning: what SQL writes is what `marks.written` and `neutralise` say."""

import asyncio
from collections.abc import Callable, Iterator
from uuid import UUID

import asyncpg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.db.export_cells import marked
from service.db.statement import sql
from service.domain.cells import neutralise
from service.domain.exports.marks import Form, MarkKey, MarkKeys, written
from tests.postgres import TestDatabase

Write = Callable[[Form, MarkKey, list[str]], list[str]]
storable = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
phones = st.from_regex(r"\+[0-9]{6,17}", fullmatch=True)
emails = st.from_regex(r"[a-zA-Z0-9.=+]{0,6}@?[a-zA-Zé0-9]{0,6}(\.ru)?@?", fullmatch=True)
cells = st.text(storable, max_size=20) | phones | emails | st.text("= '+@ \nИваa1", max_size=8)
keys = st.builds(lambda one, sparse: MarkKeys(b"secret").of(1, one, sparse=sparse), st.uuids(), st.booleans())


@pytest.fixture(scope="module")
def write(database: TestDatabase) -> Iterator[Write]:
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(database.service_url))

        def in_sql(form: Form, key: MarkKey, given: list[str]) -> list[str]:
            source = "unnest(:cells::text[]) WITH ORDINALITY u (cell, n)"
            query = sql(f"SELECT {marked(form, 'cell', sparse=key.sparse)} AS written FROM {source} ORDER BY n")
            values = query.arguments({"cells": given, f"mark_{form}": key.keys[form]})
            return [row["written"] for row in runner.run(connection.fetch(query.text, *values))]

        yield in_sql
        runner.run(connection.close())


@given(st.sampled_from(Form), keys, st.lists(cells, min_size=1, max_size=40))
@example(Form.SPACED, MarkKeys(b"a").of(1, UUID(int=1)), ["+79123456789", "+1234567", "+12345678", "+7 912", "8"])
@example(Form.CAPITAL, MarkKeys(b"a").of(1, UUID(int=1)), ["a@b.ru", "A@b.ru", "a@B.ru", "a@b@c", "=a@b.ru", "é@a"])
@example(Form.BLANK, MarkKeys(b"a").of(1, UUID(int=1)), ["", " ", "Иванов", "Иванов ", "=1", "'=1", "\u00a0"])
def test_sql_marks_as_the_rule_says(write: Write, form: Form, key: MarkKey, given: list[str]) -> None:
    assert write(form, key, given) == [_expected(form, key, cell) for cell in given]


def _expected(form: Form, key: MarkKey, cell: str) -> str:
    marked_cell = written(form, key, cell)
    if form is Form.BLANK:
        return neutralise(cell) + marked_cell[len(cell) :]
    return neutralise(marked_cell)
