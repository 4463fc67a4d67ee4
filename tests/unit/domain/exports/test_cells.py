"""A spreadsheet never finds a formula in a cell, and what is no formula stays as it is, byte for byte."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.cells import neutralise, restored
from tests.shared_data import shared_data

PHONE = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
risky_starts = st.sampled_from(["=", "+", "-", "@", "＝", "＋", "－", "＠", "﹢", "﹣", "﹦", "﹫", "−"])
blanks = st.text(alphabet=" \u00a0\u3000\ufeff\u200b\"'\t\r\n\x01", max_size=4)


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(1+1)",
        "=cmd|' /C calc'!A0",
        ' "=HYPERLINK(""http://x"")"',
        "\t=1",
        "\tplain",
        "\rplain",
        "\nplain",
        "\x00plain",
        "\x00=1",
        "\ufeff=1",
        "＝1+1",
        "'=1+1",
        "+",
        "-",
        "+7 912 345-67-89",
        "+0123456789",
        "+79123456789;=1",
        "+79123456789\n",
        "-12.5\n",
        "-12.5.5",
        "-1e5",
        "+7•••cmd",
        "+foo@example.com",
    ],
)
def test_a_formula_gets_an_apostrophe(cell: str) -> None:
    assert neutralise(cell) == "'" + cell


@pytest.mark.parametrize(
    "cell",
    [
        "",
        " ",
        "Иванов",
        "O'Neill",
        "d'Arc",
        "C-1001",
        "1=1",
        "a@b.ru",
        "(+7)",
        "-12.5",
        "-12,5",
        "-0",
        "+79123456789",
        "+1234567",
        "+123456789012345",
        "+7 ••• ••• 67 89",
        "+44 ••• 89",
        "{}",
        "'quoted'",
        "\u200bИван",
    ],
)
def test_what_is_no_formula_stays_byte_for_byte(cell: str) -> None:
    assert neutralise(cell) == cell


@given(blanks, risky_starts, st.text(max_size=12))
def test_blanks_and_quotes_hide_no_formula(blank: str, start: str, rest: str) -> None:
    cell = neutralise(blank + start + rest)
    assert cell.startswith("'") or re.fullmatch(r"-\d+([.,]\d+)?|\+\d+|\+\d+( [\d•]+)+", cell, re.ASCII)


@given(st.from_regex(PHONE, fullmatch=True))
def test_phones_stay_byte_for_byte(phone: str) -> None:
    assert neutralise(phone) == phone


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, max_value=0))
def test_negative_numbers_stay_byte_for_byte(number: object) -> None:
    cell = f"{number:f}"
    assert neutralise(cell) == cell


@given(st.text() | st.builds("".join, st.tuples(blanks, risky_starts, st.text(max_size=3))))
def test_the_prefix_can_be_taken_back(cell: str) -> None:
    assert restored(neutralise(cell)) == cell


def test_no_naughty_string_is_left_dangerous() -> None:
    strings = json.loads(shared_data("C_validity/blns.json").read_text(encoding="utf-8"))
    payloads = shared_data("C_validity/csv_injection_basic.txt").read_text(encoding="utf-8").splitlines()
    for cell in [*strings, *payloads]:
        written = neutralise(cell)
        assert written[:1] not in ("=", "@", "\t", "\r", "\n", "\x00")
        assert written[:1] not in ("+", "-") or re.fullmatch(r"-\d+([.,]\d+)?|\+[1-9]\d{6,14}", written, re.ASCII)
