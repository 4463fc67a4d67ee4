"""Text is folded in SQL as in Python."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service.db.statement import sql
from service.domain.customers.names import fold
from tests.contract.purchase_records import Stage, a_stage
from tests.postgres import TestDatabase

_FOLDED = sql("SELECT folded(one) AS form FROM unnest(:texts::text[]) WITH ORDINALITY u (one, n) ORDER BY n")
_LETTERS = st.sampled_from([*"аеёЁЕИйЙİıßſςΣǅﬁ  \t\u00a0\u0308\u0301\u0307\u3000\u1e9e\u0345Az№«"])
_TEXTS = st.one_of(st.text(_LETTERS, max_size=8), st.text(st.characters(exclude_characters="\x00", codec="utf-8")))


@pytest.fixture(scope="module")
def stage(database: TestDatabase) -> Iterator[Stage]:
    with a_stage(database) as stage:
        yield stage


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(["Казань", "  КАЗАНЬ  ", "Ёлка", "е\u0301\u0308", "", " ", "ΣΑΣ", "Straße", "İzmir", "a\x1fb", "Й"])
@given(st.lists(_TEXTS, max_size=20))
def test_sql_folds_as_python_does(stage: Stage, texts: list[str]) -> None:
    async def play() -> list[str | None]:
        async with stage.tenant.uow.begin(stage.principal) as tx:
            return [row["form"] for row in await tx.session.fetch(_FOLDED, texts=texts)]

    assert stage.run(play()) == [fold(text) or None for text in texts]
