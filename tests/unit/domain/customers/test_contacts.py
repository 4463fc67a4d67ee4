"""Contact details and requisites: what they are compared by, what is shown of them, and what is refused."""

import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from service.domain.customers.contacts import (
    ContactKind,
    InvalidContact,
    InvalidEmail,
    InvalidPhone,
    InvalidRequisite,
    NormalForm,
    assess,
    normalise,
    normalise_email,
    normalise_phone,
)
from tests.shared_data import shared_data

kinds = st.sampled_from(ContactKind)
regions = st.sampled_from(["RU", "US", "DE", "KZ", "GB", "", "ru", "??"])


def rows(name: str) -> Iterator[dict[str, str]]:
    with shared_data(name).open(encoding="utf-8") as lines:
        yield from csv.DictReader(lines)


@pytest.mark.parametrize(
    ("text", "normal", "masked"),
    [
        (" Ivan.Petrov@Mail.RU ", "ivan.petrov@mail.ru", "i•••@•••.ru"),
        ("\u200eivan@mail.ru\ufeff", "ivan@mail.ru", "i•••@•••.ru"),
        ("i@mail.ru", "i@mail.ru", "•••@•••.ru"),
        ("ivan+shop@mail.example.com", "ivan+shop@mail.example.com", "i•••@•••.com"),
        ("Иван@Почта.РФ", "иван@почта.рф", "и•••@•••.рф"),
        ("ivan@xn--80a1acny.xn--p1ai", "ivan@почта.рф", "i•••@•••.рф"),
        ("o'brien@mail.ru", "o'brien@mail.ru", "o•••@•••.ru"),
        ("_x@mail.ru", "_x@mail.ru", "•••@•••.ru"),
    ],
)
def test_an_email_has_one_form_and_a_mask(text: str, normal: str, masked: str) -> None:
    form = normalise_email(text)
    assert (form.normal, form.masked, form.verdict) == (normal, masked, "valid")


@pytest.mark.parametrize("text", ["ivan@server.local", "IVAN@shop.test", "ivan@почта.local"])
def test_an_email_of_a_private_network_is_possible(text: str) -> None:
    form = normalise_email(text)
    assert form.verdict == "possible"
    assert form.normal == text.lower()


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "ivan",
        "ivan@",
        "@mail.ru",
        "ivan@mail",
        "ivan@@mail.ru",
        "ivan@mail..ru",
        ".ivan@mail.ru",
        "ivan petrov@mail.ru",
        "ivan@mail.ru, petr@mail.ru",
        "Иван <ivan@mail.ru>",
        "ivan@[127.0.0.1]",
        "ivan@-mail.ru",
        "ivan@mail.123",
        "ivan@local",
        "ivan..@server.local",
        "x" * 65 + "@mail.ru",
        "ivan@" + "m" * 64 + ".ru",
        "ivan@" + "mail." * 60 + "ru",
        "ivan\x00@mail.ru",
        "ivan\ud800@mail.ru",
        "ivan@mail.ru\nBcc: all@mail.ru",
    ],
)
def test_an_impossible_email_is_refused(text: str) -> None:
    with pytest.raises(InvalidEmail) as refusal:
        normalise_email(text)
    assert refusal.value.code == "invalid-email"
    assert not text.strip() or text not in refusal.value.detail


emailish = st.from_regex(r"[A-Za-z0-9_.+-]{1,66}@(?:[A-Za-z0-9-]{1,64}\.){1,4}[A-Za-z0-9]{1,8}", fullmatch=True)


@given(emailish | st.emails())
@example("a@xn--80a.ru")
@example("a@ab--c.ru")
@example("a@" + "a" * 63 + ".ru")
@example("x" * 64 + "@" + "a." * 94 + "ru")
@example("x" * 64 + "@" + "a." * 96 + "ru")
def test_the_short_way_for_emails_agrees_with_the_library(text: str) -> None:
    form = assess(ContactKind.EMAIL, text, "")
    try:
        expected = validate_email(text, check_deliverability=False, strict=True).normalized.lower()
    except EmailNotValidError:
        assert form.verdict != "valid"
    else:
        assert (form.normal, form.verdict) == (expected, "valid")


@pytest.mark.parametrize(
    ("text", "normal", "masked"),
    [
        ("+7 912 345-12-34", "+79123451234", "+7 ••• ••• 12 34"),
        ("8 (912) 345-12-34", "+79123451234", "+7 ••• ••• 12 34"),
        ("79123451234", "+79123451234", "+7 ••• ••• 12 34"),
        ("9123451234", "+79123451234", "+7 ••• ••• 12 34"),
        ("8.912.345.12.34", "+79123451234", "+7 ••• ••• 12 34"),
        ("\u202a+7 912 345 12 34\u202c", "+79123451234", "+7 ••• ••• 12 34"),
        ("тел. 8 495 123-45-67", "+74951234567", "+7 ••• ••• 45 67"),
        ("8 495 123-45-67 доб. 12", "+74951234567", "+7 ••• ••• 45 67"),
        ("8 812 123 45 67", "+78121234567", "+7 ••• ••• 45 67"),
        ("＋７ ９１２ ３４５ １２ ３４", "+79123451234", "+7 ••• ••• 12 34"),
        ("+44 20 7946 0958", "+442079460958", "+44 ••• ••• 09 58"),
        ("+39 06 698 12345", "+390669812345", "+39 ••• ••• 23 45"),
        ("+247 62889", "+24762889", "+247 ••• 89"),
    ],
)
def test_a_phone_has_one_form_and_a_mask(text: str, normal: str, masked: str) -> None:
    form = normalise_phone(text, "RU")
    assert (form.normal, form.masked, form.verdict) == (normal, masked, "valid")


def test_a_phone_is_read_as_dialled_in_its_region() -> None:
    assert normalise_phone("020 7946 0958", "GB").normal == "+442079460958"
    assert normalise_phone("8 701 234 56 78", "KZ").normal == "+77012345678"
    with pytest.raises(InvalidPhone):
        normalise_phone("8 912 345 12 34", "")


def test_a_number_of_a_range_not_given_out_is_possible() -> None:
    form = normalise_phone("+7 200 123 45 67", "RU")
    assert (form.normal, form.verdict) == ("+72001234567", "possible")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "123",
        "123-45-67",
        "8 912 345 12 34 5",
        "8 912 345 12 34, 8 912 345 12 35",
        "7,9123E+10",
        "79123451234.0E1",
        "call 8 912 345 12 34 now",
        "8-800-FLOWERS",
        "12.03.2024 8 912",
        "+7 912 345 12 3\x004",
        "+7 912 345 12 34\ud800",
        "++7 912 345 12 34",
        "-",
        "+",
        "9" * 300,
        "+999 123 456 789",
    ],
)
def test_an_impossible_phone_is_refused(text: str) -> None:
    with pytest.raises(InvalidPhone) as refusal:
        normalise_phone(text, "RU")
    assert refusal.value.code == "invalid-phone"
    assert not text or text not in refusal.value.detail or text in "-+"


def by_library(text: str, region: str) -> tuple[str, bool]:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return "", False
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), phonenumbers.is_valid_number(number)


@given(
    st.sampled_from(["+7", "8", "7", "", "+77", "+78", "77", "88"]),
    st.sampled_from(["", " ", "-", " (", "("]),
    st.from_regex(r"[0-9]{9,11}", fullmatch=True),
    st.sampled_from(["", ")", " ", "-"]),
    st.sampled_from(["RU", "KZ", "US"]),
)
@example("8", " (", "9123451234", ")", "RU")
def test_the_short_way_for_phones_agrees_with_the_library(
    prefix: str, opening: str, digits: str, between: str, region: str
) -> None:
    text = f"{prefix}{opening}{digits[:3]}{between}{digits[3:6]}-{digits[6:]}"
    form = assess(ContactKind.PHONE, text, region)
    normal, valid = by_library(text, region)
    assert (form.verdict == "valid") == valid
    assert not valid or form.normal == normal


def test_the_short_way_agrees_on_every_russian_range() -> None:
    chance = random.Random(5)
    for code in range(1000):
        digits = f"{code:03}{chance.randrange(10_000_000):07}"
        for text in ("+7" + digits, "8" + digits, "7" + digits, digits):
            form = assess(ContactKind.PHONE, text, "RU")
            normal, valid = by_library(text, "RU")
            assert (form.verdict == "valid") == valid
            assert not valid or form.normal == normal


def test_public_phone_examples_of_all_regions_are_judged_as_published() -> None:
    for row in rows("C_validity/phones_libphonenumber_half.csv"):
        for text in (row["e164"], row["international"]):
            form = assess(ContactKind.PHONE, text, row["region"])
            assert (form.verdict == "valid") == (row["is_valid"] == "True")
            if form.verdict == "valid":
                assert form.normal == row["e164"]


def test_public_email_cases_are_judged_as_published() -> None:
    for row in rows("C_validity/email_validator_cases_half.csv"):
        text = json.loads(row["input_json"])
        if row["verdict"] != "valid" and text == text.strip():
            assert assess(ContactKind.EMAIL, text, "").verdict != "valid", row
    for row in rows("C_validity/email_isemail_half.csv"):
        text = json.loads(row["address_json"])
        if row["category"] == "ISEMAIL_ERR" and text == text.strip():
            assert assess(ContactKind.EMAIL, text, "").verdict == "invalid", row


@pytest.mark.parametrize(
    ("kind", "text", "region", "normal", "masked", "verdict"),
    [
        ("inn", "7709 442668", "RU", "7709442668", "•••68", "valid"),
        ("inn", "123456789047", "RU", "123456789047", "•••047", "valid"),
        ("ogrn", "1027739552642", "RU", "1027739552642", "•••642", "valid"),
        ("kpp", "7709ab001", "RU", "7709AB001", "•••01", "valid"),
        ("bic", "044525225", "RU", "044525225", "•••25", "valid"),
        ("bic", "deutdeff", "DE", "DEUTDEFF", "•••FF", "valid"),
        ("iban", "DE89 3704 0044 0532 0130 00", "DE", "DE89370400440532013000", "•••3000", "valid"),
        ("account", "40702810900000005555", "RU", "40702810900000005555", "•••5555", "possible"),
        ("account", "GB82 WEST 1234 5698 7654 32", "RU", "GB82WEST12345698765432", "•••5432", "valid"),
        ("account", "123-456789", "US", "123456789", "•••89", "possible"),
        ("vat", "DE 136695976", "RU", "DE136695976", "•••76", "valid"),
        ("vat", "136695976", "DE", "DE136695976", "•••76", "valid"),
        ("vat", "7709442668", "RU", "RU7709442668", "•••668", "valid"),
        ("vat", "12345", "ZZ", "12345", "•••5", "possible"),
        ("messenger", "@Ivan_Petrov", "RU", "ivan_petrov", "•••ov", "possible"),
        ("messenger", "https://t.me/ivanpetrov", "RU", "ivanpetrov", "•••ov", "possible"),
        ("messenger", "8 912 345 12 34", "RU", "+79123451234", "+7 ••• ••• 12 34", "valid"),
        ("street", " ул. Королёва,  д. 5, кв. 12 ", "RU", "ул. королева, д. 5, кв. 12", "•••", "possible"),
    ],
)
def test_other_kinds_have_a_form_and_a_mask(
    kind: str, text: str, region: str, normal: str, masked: str, verdict: str
) -> None:
    form = normalise(ContactKind(kind), text, region)
    assert (form.kind, form.normal, form.verdict) == (kind, normal, verdict)
    assert form.masked == masked
    assert normalise(ContactKind(kind), form.normal, region).normal == form.normal


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("inn", "7709442669"),
        ("inn", "0000000000"),
        ("inn", "0012345678"),
        ("inn", "770944266"),
        ("inn", "７７０９４４２６６８"),
        ("inn", "7709442668; 7709442668"),
        ("ogrn", "1027739552643"),
        ("kpp", "77094300"),
        ("kpp", "000000000"),
        ("bic", "944525225"),
        ("bic", "DEUTXXFF1"),
        ("iban", "DE89370400440532013001"),
        ("account", "4070281090000000555"),
        ("vat", "DE136695977"),
        ("vat", "7709442669"),
    ],
)
def test_an_impossible_requisite_is_refused(kind: str, text: str) -> None:
    with pytest.raises(InvalidRequisite) as refusal:
        normalise(ContactKind(kind), text, "RU")
    assert refusal.value.code == "invalid-requisite"
    assert refusal.value.extra == {"kind": kind}


@pytest.mark.parametrize(
    ("kind", "text"), [("messenger", "a b c"), ("messenger", "@"), ("street", "--"), ("street", "?!?")]
)
def test_an_empty_messenger_or_street_is_refused(kind: str, text: str) -> None:
    with pytest.raises(InvalidContact) as refusal:
        normalise(ContactKind(kind), text, "RU")
    assert refusal.value.code == "invalid-contact"


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InvalidContact):
        normalise("fax", "123", "RU")


def test_public_requisites_are_judged_as_published() -> None:
    for row in rows("C_validity/ru_ids.csv"):
        kind = ContactKind.INN if row["type"].startswith("inn") else ContactKind.OGRN
        expected = row["valid"] == "True" and not (kind == "inn" and row["value"].startswith("00"))
        assert (assess(kind, row["value"], "RU").verdict == "valid") == expected, row


@given(st.sampled_from("34"), st.from_regex(r"[0-9]{13}", fullmatch=True))
@example("3", "0450011600015")  # a remainder of 10 is written 0
def test_the_number_of_an_entrepreneur_ends_with_the_last_digit_of_its_remainder(first: str, rest: str) -> None:
    stem = first + rest
    right = str(int(stem) % 13 % 10)
    for digit in "0123456789":
        form = assess(ContactKind.OGRN, stem + digit, "RU")
        assert (form.verdict == "valid") == (digit == right)


def assert_sound(form: NormalForm) -> None:
    for text in (form.value, form.normal, form.masked):
        assert "\x00" not in text
        text.encode()
    assert form.value == form.value.strip()
    assert form.value not in repr(form) or len(form.value) < 20


def test_naughty_strings_of_every_kind_get_a_verdict_and_nothing_else() -> None:
    texts = json.loads(Path(shared_data("C_validity/blns.json")).read_text(encoding="utf-8"))
    for kind in ContactKind:
        for text in texts:
            form = assess(kind, text, "RU")
            assert_sound(form)
            if form.verdict == "invalid":
                with pytest.raises(InvalidContact):
                    normalise(kind, text, "RU")


@given(kinds, st.text() | st.text(alphabet="+78 ()-.@aя\x00\ud800ß文:/#"), regions)
@example(ContactKind.STREET, "\ud800\x00" * 800, "RU")
@example(ContactKind.EMAIL, "a@" + "٠" * 300 + ".ru", "RU")
def test_any_text_gets_a_verdict_that_can_be_stored(kind: ContactKind, text: str, region: str) -> None:
    assert_sound(assess(kind, text, region))


@given(kinds, emailish | st.from_regex(r"\+?[0-9]{5,15}", fullmatch=True) | st.text(max_size=30), regions)
def test_a_normal_form_is_its_own_normal_form(kind: ContactKind, text: str, region: str) -> None:
    form = assess(kind, text, region)
    if form.verdict == "valid":
        again = assess(kind, form.normal, region)
        assert (again.normal, again.masked, again.verdict) == (form.normal, form.masked, "valid")


@given(kinds, st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1))
def test_a_mask_shows_four_signs_at_most_of_what_is_not_understood(kind: ContactKind, text: str) -> None:
    form = assess(kind, text, "")
    if form.verdict == "invalid":
        assert form.masked.startswith("•••")
        assert len(form.masked) <= 3 + min(4, len(text) // 4)
