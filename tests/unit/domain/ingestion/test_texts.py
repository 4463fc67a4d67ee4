import pytest

from service.domain.ingestion import texts
from service.domain.ingestion.faults import Fault


@pytest.mark.parametrize(
    ("cell", "style", "value"),
    [
        ("17850.0", "float", "17850"),
        ("017850.00", "float", "017850"),
        ("17850.0", "text", "17850.0"),
        ("17850.5", "float", "17850.5"),
        (" A-1 ", "float", "A-1"),
        ("0001", "text", "0001"),
        ("0001", "number", "1"),
        ("000", "number", "0"),
    ],
)
def test_an_id_is_text_unless_the_mapping_says_otherwise(cell: str, style: texts.IdStyle, value: str) -> None:
    assert texts.identifier(cell, 20, style) == value


@pytest.mark.parametrize(
    ("cell", "code"), [("x" * 6, "text-too-long"), ("a\0b", "nul-character"), ("a\ud800", "bad-character")]
)
def test_text_that_cannot_be_stored_is_refused(cell: str, code: str) -> None:
    with pytest.raises(Fault) as fault:
        texts.text(cell, 5)
    assert fault.value.code == code


def test_text_is_trimmed_and_otherwise_left_alone() -> None:
    assert texts.text("\u00a0 Ёлкин  Пётр ", 20) == "Ёлкин  Пётр"


def test_words_are_understood_in_any_case() -> None:
    assert texts.choice(" Canceled ", texts.ORDER_STATUSES, "unknown-status") == "cancelled"
    assert texts.choice("Ж", texts.GENDERS, "unknown-gender") == "female"
    with pytest.raises(Fault):
        texts.choice("shipped", texts.ORDER_STATUSES, "unknown-status")


def test_a_currency_is_a_code_of_three_letters() -> None:
    assert [texts.currency(cell) for cell in ("rub", "₽", "руб.", "GBP ")] == ["RUB", "RUB", "RUB", "GBP"]
    with pytest.raises(Fault):
        texts.currency("roubles")


def test_tags_are_distinct_and_keep_their_order() -> None:
    assert texts.tags("vip; retail,vip| ", 100) == ("vip", "retail")
