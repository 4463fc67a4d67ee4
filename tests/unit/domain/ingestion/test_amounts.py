from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.ingestion.amounts import Mark, decimal_mark, money, plain, quantity
from service.domain.ingestion.faults import Fault

_NBSP, _NARROW = "\u00a0", "\u202f"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.50", "1234.50"),
        ("1 234,50", "1234.50"),
        (f"1{_NBSP}234,50", "1234.50"),
        (f"1{_NARROW}234{_NARROW}567,5", "1234567.5"),
        ("1.234,50", "1234.50"),
        ("1'234.50", "1234.50"),
        ("1234.5", "1234.5"),
        ("1234,5", "1234.5"),
        ("1234,567", "1234.567"),
        ("0,085", "0.085"),
        ("0.085", "0.085"),
        ("1,234,567", "1234567"),
        ("1.234.567", "1234567"),
        ("1 000", "1000"),
        (".5", "0.5"),
        ("007", "007"),
        ("-12.5", "-12.5"),
        ("−12,5", "-12.5"),
        ("12.50-", "-12.50"),
        ("+3", "3"),
        ("(12.50)", "-12.50"),
        ("(1 234,50 ₽)", "-1234.50"),
        ("1 234,50 ₽", "1234.50"),
        ("12 руб.", "12"),
        ("$1,234.50", "1234.50"),
        ("-$5", "-5"),
        ("EUR 5.00", "5.00"),
        ("5,00 USD", "5.00"),
    ],
)
def test_amounts_are_read_by_their_own_shape(text: str, value: str) -> None:
    assert plain(text, None) == value


@pytest.mark.parametrize(
    ("text", "mark", "value"),
    [("1,234", "point", "1234"), ("1,234", "comma", "1.234"), ("1.234", "point", "1.234"), ("1.234", "comma", "1234")],
)
def test_the_decimal_mark_decides_what_can_be_read_in_two_ways(text: str, mark: Mark, value: str) -> None:
    assert plain(text, mark) == value


@pytest.mark.parametrize("text", ["1,234", "1.234", "-123,456 ₽"])
def test_without_a_mark_nothing_is_guessed(text: str) -> None:
    with pytest.raises(Fault) as fault:
        plain(text, None)
    assert fault.value.code == "ambiguous-number"


@pytest.mark.parametrize(
    "text",
    [
        "abc", "1e5", "nan", "inf", "12%", "1 23", "1,23,456", "1.234.56", "1,234,50", "-5-", "1..2", "--1", "", "١٢",
        "9" * 41,
    ],
)  # fmt: skip
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(Fault) as fault:
        plain(text, "point")
    assert fault.value.code == "bad-number"


def test_money_keeps_every_decimal_and_refuses_more_than_six() -> None:
    assert money("0.085", None) == 85_000
    assert money("0.0000010", None) == 1
    for text, code in (("0.0000001", "amount-too-precise"), ("99999999999999", "amount-too-large")):
        with pytest.raises(Fault) as fault:
            money(text, None)
        assert fault.value.code == code


def test_a_quantity_is_bounded() -> None:
    assert quantity("-2,5", None) == Decimal("-2.5")
    for text in ("1000000001", "0.0000001"):
        with pytest.raises(Fault) as fault:
            quantity(text, None)
        assert fault.value.code == "quantity-out-of-range"


@pytest.mark.parametrize(
    ("cells", "mark"),
    [
        (["1,234", "12,5"], "comma"),
        (["1,234", "0.085"], "point"),
        (["1.234.567"], "comma"),
        (["1,234,567"], "point"),
        (["1 234,50"], "comma"),
        (["12.5", "12,5"], None),
        (["1,234", "12", "1 234", "", "x", "9" * 50], None),
    ],
)
def test_the_mark_is_taken_from_the_unambiguous_cells_of_the_column(cells: list[str], mark: Mark | None) -> None:
    assert decimal_mark(cells) == mark


@given(
    micros=st.integers(-(10**15), 10**15),
    style=st.sampled_from([(",", "."), (" ", ","), (".", ","), (_NBSP, ","), ("'", "."), ("", "."), ("", ",")]),
)
def test_money_survives_every_way_of_writing_it(micros: int, style: tuple[str, str]) -> None:
    group, mark = style
    whole, part = divmod(abs(micros), 1_000_000)
    text = f"{'-' if micros < 0 else ''}{whole:,}".replace(",", group) + f"{mark}{part:06d}"
    assert money(text, None) == micros
