"""Faults as real bases have them, planted on purpose and written down, each with its cause.

The causes are those of data quality: false (knowingly), entry (typing), transfer (between systems), missing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Literal

Row = dict[str, str]
Cause = Literal["false", "entry", "transfer", "missing"]

_QWERTY = "qwertyuiop[]asdfghjkl;'zxcvbnm,.`"
_LAYOUT = str.maketrans("йцукенгшщзхъфывапролджэячсмитьбюё", _QWERTY)
_LOOKALIKES = str.maketrans("аеорсухАВЕКМНОРСТХ", "aeopcyxABEKMHOPCTX")
_MISSPELT = {
    "gmail.com": "gmial.com", "mail.ru": "mail.ri", "yandex.ru": "yandex.tu", "yahoo.com": "yaho.com",
    "outlook.com": "outlok.com", "hotmail.com": "hotmial.com", "bk.ru": "bk.ry", "icloud.com": "iclod.com",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedFault:
    """What is wrong with which record; `of` is the original of a duplicate."""

    external_id: str
    kind: str
    cause: Cause
    of: str | None = None


@dataclass(frozen=True, slots=True)
class _Fault:
    kind: str
    cause: Cause
    share: float
    spoil: Callable[[Row, Random], bool]  # False where the record has nothing to spoil


def _email_domain(row: Row, rng: Random) -> bool:
    local, _, domain = row["email"].partition("@")
    if domain not in _MISSPELT:
        return False
    row["email"] = f"{local}@{_MISSPELT[domain]}"
    return True


def _email_form(row: Row, rng: Random) -> bool:
    if not row["email"]:
        return False
    local, _, domain = row["email"].partition("@")
    row["email"] = rng.choice((f"{local}(at){domain}", f"{local}@{domain.partition('.')[0]}", f"{local}@@{domain}"))
    return True


def _email_throwaway(row: Row, rng: Random) -> bool:
    row["email"] = f"{rng.randrange(10**6)}@{rng.choice(('mailinator.com', 'yopmail.com', '10minutemail.com'))}"
    return True


def _phone_dummy(row: Row, rng: Random) -> bool:
    row["phone"] = rng.choice(("0000000", "+7 000 000-00-00", "1111111", "1234567", "+7 999 999-99-99"))
    return True


def _keyboard_layout(row: Row, rng: Random) -> bool:
    if row["language"] != "ru" or not row["family_name"]:
        return False
    row["family_name"] = row["family_name"].lower().translate(_LAYOUT).capitalize()
    row["given_name"] = row["given_name"].lower().translate(_LAYOUT).capitalize()
    return True


def _mixed_alphabets(row: Row, rng: Random) -> bool:
    name = row["family_name"]
    mixed = name[:-1].translate(_LOOKALIKES) + name[-1:]
    if row["language"] != "ru" or mixed == name or mixed.isascii():
        return False
    row["family_name"] = mixed
    return True


def _mojibake(row: Row, rng: Random) -> bool:
    if row["language"] != "ru" or not row["family_name"]:
        return False
    row["family_name"] = row["family_name"].encode().decode("cp1251", errors="replace")
    return True


def _letter_case(row: Row, rng: Random) -> bool:
    change = rng.choice((str.upper, str.lower))
    row["family_name"], row["given_name"] = change(row["family_name"]), change(row["given_name"])
    return bool(row["family_name"])


def _names_swapped(row: Row, rng: Random) -> bool:
    row["family_name"], row["given_name"] = row["given_name"], row["family_name"]
    return bool(row["family_name"])


def _gender(row: Row, rng: Random) -> bool:
    row["gender"] = {"male": "female", "female": "male"}.get(row["gender"], "")
    return bool(row["gender"])


def _test_record(row: Row, rng: Random) -> bool:
    if row["kind"] != "person":
        return False
    row["family_name"], row["given_name"] = rng.choice(
        (("Тест", "Тест"), ("asdf", "qwerty"), ("Иванов", "XXX"), ("-", "-"))
    )
    row["patronymic"] = ""
    return True


def _birth_1900(row: Row, rng: Random) -> bool:
    row["birth_date"] = "1900-01-01"
    return row["kind"] == "person"


def _birth_future(row: Row, rng: Random) -> bool:
    if not row["birth_date"]:
        return False
    row["birth_date"] = f"20{row['birth_date'][2:]}" if row["birth_date"] < "2000" else "2091-05-05"
    return True


def _tax_number(row: Row, rng: Random) -> bool:
    if not row["inn"]:
        return False
    row["inn"] = row["inn"][:-1] + str((int(row["inn"][-1]) + rng.randrange(1, 10)) % 10)
    return True


def _no_contact(row: Row, rng: Random) -> bool:
    row["email"] = row["phone"] = ""
    return True


def _no_given_name(row: Row, rng: Random) -> bool:
    if not row["family_name"]:
        return False
    row["given_name"] = row["patronymic"] = ""
    return True


def _no_city(row: Row, rng: Random) -> bool:
    row["city"] = row["region"] = row["postal_code"] = row["street"] = ""
    return True


_FAULTS = (
    _Fault("email_domain_misspelt", "entry", 0.015, _email_domain),
    _Fault("email_malformed", "entry", 0.006, _email_form),
    _Fault("email_throwaway", "false", 0.004, _email_throwaway),
    _Fault("phone_dummy", "false", 0.014, _phone_dummy),
    _Fault("name_keyboard_layout", "entry", 0.008, _keyboard_layout),
    _Fault("name_mixed_alphabets", "entry", 0.010, _mixed_alphabets),
    _Fault("name_mojibake", "transfer", 0.005, _mojibake),
    _Fault("name_letter_case", "entry", 0.010, _letter_case),
    _Fault("names_swapped", "transfer", 0.006, _names_swapped),
    _Fault("gender_contradicts_name", "entry", 0.005, _gender),
    _Fault("test_record", "false", 0.004, _test_record),
    _Fault("birth_date_1900", "false", 0.012, _birth_1900),
    _Fault("birth_date_impossible", "entry", 0.003, _birth_future),
    _Fault("inn_check_digit", "entry", 0.040, _tax_number),
    _Fault("contacts_missing", "missing", 0.020, _no_contact),
    _Fault("given_name_missing", "missing", 0.008, _no_given_name),
    _Fault("place_missing", "missing", 0.010, _no_city),
)
_CHANCES = tuple(accumulate(fault.share for fault in _FAULTS))
KINDS = {fault.kind: fault.cause for fault in _FAULTS} | {"duplicate": "transfer"}


def plant(row: Row, rng: Random) -> PlantedFault | None:
    """Spoil the record by at most one fault, and tell which."""
    chance = rng.random()
    for fault, upto in zip(_FAULTS, _CHANCES, strict=True):
        if chance < upto:
            spoilt = dict(row)
            if not fault.spoil(spoilt, rng):
                return None
            row.update(spoilt)
            return PlantedFault(external_id=row["external_id"], kind=fault.kind, cause=fault.cause)
    return None


def double(original: Row, rng: Random, external_id: str) -> tuple[Row, PlantedFault]:
    """The same person once more under another number, as a second system or a second shop writes it down."""
    copy = dict(original, external_id=external_id, tags="", street="", postal_code="")
    if copy["phone"]:
        digits = "".join(sign for sign in copy["phone"] if sign.isdigit())
        copy["phone"] = f"8{digits[-10:]}" if copy["country"] == "RU" else f"+{digits}"
    chance = rng.random()
    if chance < 0.4:
        copy["email"] = ""
    elif chance < 0.7 and len(copy["family_name"]) > 4:
        place = rng.randrange(1, len(copy["family_name"]) - 2)
        name = copy["family_name"]
        copy["family_name"] = name[:place] + name[place + 1] + name[place] + name[place + 2 :]
    else:
        copy["patronymic"] = copy["birth_date"] = ""
    return copy, PlantedFault(external_id=external_id, kind="duplicate", cause="transfer", of=original["external_id"])
