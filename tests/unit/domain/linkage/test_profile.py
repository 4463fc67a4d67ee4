from datetime import date

import pytest

from service.domain.linkage.profile import profile
from service.domain.linkage.words import address_words, name_words, title_words


@pytest.mark.parametrize(
    "written",
    ["Бычков", "БЫЧКОВ", "бычков ", "Bychkov", ",sxrjd", "Бычкoв"],  # the last has a Latin o
    ids=["plain", "capitals", "blank", "transliterated", "typed in the Latin layout", "mixed alphabets"],
)
def test_spellings_of_one_name_meet(written: str) -> None:
    assert name_words(written) == name_words("Бычков")


@pytest.mark.parametrize("name", ["Robert", "Wright", "Lynch", "Schmidt", "Kim", "Ng"])
def test_a_latin_name_stays_latin(name: str) -> None:
    assert name_words(name) == (name.lower().replace("y", "i").replace("w", "v"),)


@pytest.mark.parametrize("filler", ["-", "нет", "Тест", "n/a", "", None, "  "])
def test_fillers_are_missing(filler: str | None) -> None:
    assert name_words(filler) == ()


def test_a_whole_name_in_one_field_is_taken_apart() -> None:
    whole = profile(given_name="Астапов Тихон Арегович")
    assert whole == profile(family_name="Астапов", given_name="Тихон", patronymic="Арегович")


@pytest.mark.parametrize("written", ["ООО «Ромашка»", "Ромашка, ООО", "ромашка", "Romashka LLC"])
def test_legal_forms_and_quotes_are_left_out(written: str) -> None:
    assert title_words(written) == ("romashka",)


def test_a_firm_called_by_a_legal_form_alone_keeps_its_name() -> None:
    assert title_words("Holding Group") == ("holding", "group")


def test_abbreviations_of_addresses_are_written_out() -> None:
    assert address_words("ул. Мира, д. 4, кв. 13") == address_words("улица Мира, дом 4, квартира 13")


@pytest.mark.parametrize("day", [date(1900, 1, 1), date(1970, 1, 1), date(2031, 1, 1), date(1890, 5, 5)])
def test_birthdays_that_are_nobodys_are_missing(day: date) -> None:
    assert profile(birth_date=day, today=date(2026, 1, 1)).birth == ""


def test_nothing_personal_is_in_the_representation() -> None:
    shown = repr(profile(family_name="Секретов", phones=["+79030000000"], emails=["sekret@mail.ru"]))
    assert "ekret" not in shown
    assert "903" not in shown
