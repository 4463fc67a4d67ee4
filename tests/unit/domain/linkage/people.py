"""Records of one family and others, written for the tests of this folder."""

from datetime import date
from typing import Any

from hypothesis import strategies as st

from service.domain.linkage.profile import Profile, profile

IVAN: dict[str, Any] = {
    "family_name": "Бычков",
    "given_name": "Александр",
    "patronymic": "Эдуардович",
    "birth_date": date(1967, 5, 17),
    "phones": ["+79039126966"],
    "emails": ["a.bychkov@rambler.ru"],
    "requisites": [("inn", "774438494570")],
    "street": "ул. Гагарина, д. 75, кв. 66",
    "city": "Баксан",
    "postal_code": "361500",
}


def ivan(**other: Any) -> Profile:
    """One and the same man, with what is given otherwise."""
    return profile(**(IVAN | other))


_WORDS = st.sampled_from(
    [
        "",
        "Иванов",
        "Иванова",
        "Ivanov",
        "Петров",
        "Пётр",
        "Саша",
        "Александр",
        "Анна",
        "А",
        "Bob",
        "Robert",
        "Smith",
        "Ли",
    ]
)
_DAYS = st.none() | st.dates(min_value=date(1950, 1, 1), max_value=date(1953, 1, 1))
_PHONES = st.lists(st.sampled_from(["+79031112233", "+79031112234", "9031112233", "+4930123456"]), max_size=2)
_EMAILS = st.lists(st.sampled_from(["a@x.ru", "ivanov@mail.ru", "ivanov@mial.ru", "petrov1@ya.ru"]), max_size=2)
_CODES = st.lists(
    st.tuples(st.sampled_from(["inn", "kpp"]), st.sampled_from(["7707083893", "7707083839", "500100732259"])),
    max_size=2,
)


def profiles() -> st.SearchStrategy[Profile]:
    """Records out of few values, so that many are alike."""
    return st.builds(
        profile,
        kind=st.sampled_from(["person", "organisation"]),
        family_name=_WORDS,
        given_name=_WORDS,
        patronymic=_WORDS,
        trade_name=st.sampled_from(["", "ООО Ромашка", "Ромашка Плюс", "Василёк"]),
        birth_date=_DAYS,
        birth_year_known=st.booleans(),
        phones=_PHONES,
        emails=_EMAILS,
        requisites=_CODES,
        street=st.sampled_from(["", "ул. Мира, д. 1", "улица Мира, дом 1", "Мира 10", "Ленина 5"]),
        city=st.sampled_from(["", "Москва", "Масква", "Казань"]),
        postal_code=st.sampled_from(["", "101000", "101001", "420000"]),
    )
