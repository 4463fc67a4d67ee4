"""Held against public collections of valid and invalid values; what differs from them is named, with the reason."""

import csv
import json
from collections.abc import Iterator
from datetime import date

import pytest
from ftfy import fix_text

from service.domain.customers.contacts import ContactKind, assess
from service.domain.quality.catalogue import examined
from service.domain.quality.checks.mojibake import restored
from service.domain.quality.checks.regions import region_of, region_of_city, region_of_code
from service.domain.quality.model import Card, ContactSeen, Finding
from tests.shared_data import shared_data

TODAY = date(2026, 7, 1)


def rows(name: str, delimiter: str = ",") -> Iterator[dict[str, str]]:
    with shared_data(f"C_validity/{name}").open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines, delimiter=delimiter)


def of_contact(kind: str, value: str, region: str = "RU") -> list[Finding]:
    contact = ContactSeen(kind=kind, value=value, detail_id="0")
    return examined(Card(contacts=(contact,), today=TODAY, phone_region=region))


def codes(kind: str, value: str, region: str = "RU") -> set[str]:
    return {one.code for one in of_contact(kind, value, region)}


# What a sender can use and what only the grammar knows are two things. The collections follow the grammar.
_ONLY_GRAMMAR = {
    "ISEMAIL_VALID_CATEGORY": "valid",
    "ISEMAIL_DNSWARN": "valid in form; whether the domain answers is not asked here",
    "ISEMAIL_RFC5321": "quoted local parts and address literals: legal, used by nobody, refused by most senders",
    "ISEMAIL_CFWS": "comments and folded blanks within an address: legal in a header, not in a field",
    "ISEMAIL_DEPREC": "forms that the standard itself has given up",
    "ISEMAIL_RFC5322": "legal in a header only: too long to be delivered, or without a domain of its own",
    "ISEMAIL_ERR": "no address",
}
_NO_TOP_DOMAIN = "a domain without a dot is a name of the own network"


def test_each_address_of_is_email_has_the_verdict_of_its_category() -> None:
    seen = 0
    for row in rows("email_isemail_half.csv"):
        address = json.loads(row["address_json"])
        # An address of nothing but signs is filler.
        found = bool({"email-syntax", "filler"} & codes("email", address))
        usable = row["category"] in ("ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN")
        assert row["category"] in _ONLY_GRAMMAR
        domain = address.rpartition("@")[2]
        # Of the valid ones these are found nevertheless: no mail from outside reaches them.
        expected = not usable or "." not in domain or domain.rpartition(".")[2].isdigit()
        # Blanks and line breaks around an address are trimmed before anybody judges it.
        trimmed = not found and address != address.strip()
        assert found == (expected and not trimmed), (row, _NO_TOP_DOMAIN)
        seen += 1
    assert seen > 60


_EMAIL_CASES = {
    "valid": False,
    "invalid": True,
    # Quoted local parts: see above.
    "valid_only_if_quoted_local_allowed": True,
    # Letters of other alphabets in a local part are deliverable where the provider supports them.
    "invalid_if_ascii_only": False,
}


def test_each_case_of_email_validator_has_its_verdict() -> None:
    for row in rows("email_validator_cases_half.csv"):
        address = json.loads(row["input_json"])
        found = codes("email", address)
        if row["verdict"] == "unsafe_character_in_local_part":
            assert "email-syntax" in codes("email", f"{address}@example.org") | codes("email", f"a{address}b@mail.ru")
        elif row["verdict"] == "invalid_reserved_domain":
            # Well formed, but nobody's: made up, not mistyped.
            assert found & {"email-placeholder", "email-syntax"}, row
        elif row["verdict"] == "invalid_if_ascii_only":
            assert ("email-syntax" in found) == ("." not in address.rpartition("@")[2]), row
        else:
            # A display name or quotes belong into a header; the field holds the address alone.
            odd = any(sign in address for sign in '<"')
            # A line break at the end is trimmed before anybody judges the address.
            trimmed = address != address.strip() and "email-syntax" not in codes("email", address.strip())
            assert ("email-syntax" in found) == ((_EMAIL_CASES[row["verdict"]] or odd) and not trimmed), row


def test_every_phone_agrees_with_libphonenumber() -> None:
    seen = 0
    for row in rows("phones_libphonenumber_half.csv"):
        for text in (row["e164"], row["international"]):
            found = codes("phone", text, row["region"]) - {"phone-fake"}
            verdict = assess(ContactKind.PHONE, text, row["region"]).verdict
            assert (verdict == "valid") == (row["is_valid"] == "True"), row
            if "phone-fake" not in codes("phone", text, row["region"]):
                assert bool(found & {"phone-impossible", "phone-unassigned"}) == (row["is_valid"] != "True"), row
        seen += 1
    assert seen > 700


def test_every_russian_number_agrees() -> None:
    for row in rows("ru_ids.csv"):
        kind = row["type"].rstrip("0123456789")
        kind = "ogrn" if kind.startswith("ogrn") else kind
        found = {one for one in codes(kind, row["value"]) if one.startswith("requisite")}
        assert bool(found) == (row["valid"] != "True"), row


def of_name(name: str) -> list[Finding]:
    return examined(Card(fields={"family_name": name, "given_name": "Анна"}, today=TODAY))


def test_98_words_in_100_of_the_wrong_keyboard_are_restored() -> None:
    right = total = 0
    for row in rows("keyboard_layout_half.csv"):
        found = of_contact("email", row["typed"]) if "@" in row["meant"] else of_name(row["typed"])
        after = {one.proposal.changes[0].after for one in found if one.code == "wrong-keyboard-layout" and one.proposal}
        right += row["meant"] in after
        total += 1
    assert right / total >= 0.98


@pytest.mark.parametrize("name", ["ru_surnames_70pct.tsv", "ru_firstnames_70pct.tsv", "ru_patronymics_70pct.tsv"])
def test_no_real_name_is_taken_for_the_wrong_keyboard_or_for_anything_else(name: str) -> None:
    part = {"ru_surnames_70pct.tsv": "family_name", "ru_firstnames_70pct.tsv": "given_name"}.get(name, "patronymic")
    layout = other = total = 0
    for row in rows(name, "\t"):
        found = {one.code for one in examined(Card(fields={part: row["lemma"].capitalize()}, today=TODAY))}
        layout += "wrong-keyboard-layout" in found
        other += bool(found & {"mojibake", "made-up-name", "filler", "mixed-alphabets", "name-typo", "letter-case"})
        total += 1
    assert layout / total <= 0.005
    assert other / total <= 0.005


def test_every_city_of_russia_has_a_postal_code_of_its_region() -> None:
    seen = 0
    for row in rows("ru_cities_dadata.csv"):
        region = region_of(row["region"])
        assert region is not None, row["region"]
        assert region_of_city(row["city"]) in (None, region), row["city"]
        if row["postal_code"]:
            assert region_of_code(row["postal_code"]) == region, row["address"]
            seen += 1
    assert seen > 1000


def test_western_names_are_not_taken_for_russian_ones() -> None:
    total = wrong = 0
    with shared_data("B_dedup/splink_fake_1000.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            texts = {"given_name": row["first_name"], "family_name": row["surname"], "city": row["city"]}
            card = Card(fields={name: text for name, text in texts.items() if text}, today=TODAY, phone_region="GB")
            found = {one.code for one in examined(card)} - {"no-contact", "name-incomplete", "letter-case"}
            total += 1
            wrong += bool(found)
    assert total == 1000
    assert wrong / total <= 0.005


def test_mojibake_is_restored_and_what_is_none_left_alone() -> None:
    cases = json.loads(shared_data("C_validity/mojibake_ftfy_half.json").read_text(encoding="utf-8"))
    assert len(cases) > 80
    for case in cases:
        original, fixed = case["original"], case["fixed"]
        made = restored(original)
        if case["expect"] == "pass":
            # The collection also straightens quotation marks, which are no damage.
            assert fix_text(made if made is not None else original) == fixed, case
            assert original != fixed or made is None, case


def test_no_naughty_string_makes_a_check_raise() -> None:
    strings = json.loads(shared_data("C_validity/blns.json").read_text(encoding="utf-8"))
    kinds = ("email", "phone", "street", "inn", "ogrn", "kpp", "bic", "iban", "vat", "account", "messenger")
    names = ("family_name", "given_name", "patronymic", "legal_name", "trade_name", "region", "city", "postal_code")
    for text in strings:
        card = Card(
            fields=dict.fromkeys((*names, "birth_date", "inn", "country"), text),
            contacts=tuple(ContactSeen(kind=kind, value=text, detail_id=kind) for kind in kinds),
            gender=text,
            today=TODAY,
            phone_region="RU",
        )
        examined(card)
        for name in names:
            examined(Card(fields={name: text}, today=TODAY, phone_region=""))
