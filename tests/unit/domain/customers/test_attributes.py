"""A tenant's own fields: each kind takes its values and no others."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.customers.attributes import KINDS, BadAttribute, Definition, Kind, conform, fault, read

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def a(kind: Kind, *choices: str) -> Definition:
    return Definition(name="size", kind=kind, label="Size", choices=choices)


@pytest.mark.parametrize(
    ("definition", "good", "bad"),
    [
        (a("text"), ["", "чай", "42"], [42, True, ["чай"], "x" * 2001]),
        (a("number"), [42, 0.5, -1], ["42", True, [1]]),
        (a("boolean"), [True, False], ["true", 1, 0]),
        (a("date"), ["2026-02-28", "2024-02-29"], ["2026-02-30", "20260228", "28.02.2026", 20260228]),
        (a("choice", "S", "M"), ["S"], ["s", "L", "", 1]),
    ],
)
def test_a_kind_takes_its_values(definition: Definition, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if fault(definition, value)] == []
    assert [value for value in bad if not fault(definition, value)] == []


def test_what_has_no_definition_is_free_and_null_removes() -> None:
    conform({"size": a("number")}, {"colour": {"any": ["thing"]}, "size": None})
    with pytest.raises(BadAttribute) as refusal:
        conform({"a/b": a("number")}, {"a/b": "large"})
    assert refusal.value.extra == {"pointer": "/attributes/a~1b"}


@pytest.mark.parametrize(
    ("definition", "cell", "value"),
    [
        (None, " 42 ", "42"),
        (a("text"), " 42 ", "42"),
        (a("number"), "1 234,50", 1234.5),
        (a("number"), "42.0", 42),
        (a("boolean"), "Да", True),
        (a("boolean"), "0", False),
        (a("date"), "1.3.2026", "2026-03-01"),
        (a("date"), "2026-03-01", "2026-03-01"),
        (a("choice", "S"), "S", "S"),
    ],
)
def test_a_cell_is_read_by_its_kind(definition: Definition | None, cell: str, value: object) -> None:
    found = read(definition, cell)
    assert (found, type(found)) == (value, type(value))


@given(st.sampled_from(KINDS), st.text(max_size=30) | st.from_regex(r"-?[0-9]{1,4}[.,]?[0-9]{0,4}", fullmatch=True))
def test_a_cell_gives_a_fitting_value_or_is_refused(kind: Any, cell: str) -> None:
    definition = a(kind, "S") if kind == "choice" else a(kind)
    with suppress(BadAttribute):
        assert fault(definition, read(definition, cell)) is None


@given(st.sampled_from(KINDS), json_values)
def test_any_value_is_judged(kind: Any, value: object) -> None:
    detail = fault(a(kind, "S"), value)
    assert detail is None or detail.startswith("The attribute size takes ")
