"""Contact details and requisites: one normal form per value, a verdict, and a mask.

`valid` = every check passed that can be made without asking anybody; `possible` = well formed, but the number range,
the domain or the control digit can't confirm it; `invalid` = it can't be what it claims to be. The API refuses
`invalid` (`normalise`), an import keeps it with its verdict for the quality report (`assess`). What the database can't
store (NUL, lone surrogates) is invalid, and `assess` replaces it. A normal form normalises to itself, so that it can
be looked up. Nothing is remembered between calls: a cache would be a copy of contact details that no erasure reaches.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Literal
from unicodedata import normalize as unicode_form

import phonenumbers
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from phonenumbers import ValidationResult
from phonenumbers.phonemetadata import PhoneMetadata
from stdnum import bic, get_cc_module, iban
from stdnum.eu import vat as eu_vat
from stdnum.ru import inn, ogrn

from service.domain.customers.names import fold
from service.domain.errors import Rejected


class ContactKind(StrEnum):
    ACCOUNT = "account"
    BIC = "bic"
    EMAIL = "email"
    IBAN = "iban"
    INN = "inn"
    KPP = "kpp"
    MESSENGER = "messenger"
    OGRN = "ogrn"
    PHONE = "phone"
    STREET = "street"
    VAT = "vat"


Verdict = Literal["valid", "possible", "invalid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalForm:
    """A value as given, as compared, and as shown to those who may not see it."""

    kind: ContactKind
    value: str = field(repr=False)
    normal: str = field(repr=False)
    masked: str
    verdict: Verdict


class InvalidContact(Rejected):
    code = "invalid-contact"
    title = "A contact detail can't be what it claims to be."


class InvalidEmail(InvalidContact):
    code = "invalid-email"
    title = "The e-mail address is not one that mail could be sent to."


class InvalidPhone(InvalidContact):
    code = "invalid-phone"
    title = "The phone number has the wrong number of digits or other characters in it."


class InvalidRequisite(InvalidContact):
    code = "invalid-requisite"
    title = "The requisite has the wrong length, other characters in it, or a wrong control digit."


_Reader = Callable[[str, str], NormalForm | None]
_ERRORS: Mapping[ContactKind, type[InvalidContact]] = MappingProxyType(
    {ContactKind.EMAIL: InvalidEmail, ContactKind.PHONE: InvalidPhone}
    | dict.fromkeys((ContactKind.MESSENGER, ContactKind.STREET), InvalidContact)
)
_LONGEST = 1000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# Copied numbers and addresses carry invisible marks of direction and width at their ends.
_EDGES = re.compile(
    r"^[\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+|[\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+$"
)


def normalise(kind: str, text: str, region: str) -> NormalForm:
    """The normal form of a value; raises InvalidContact (never with the value in it) when it is impossible."""
    if kind not in _READERS:
        raise InvalidContact("There is no such kind of contact detail.")
    form = assess(ContactKind(kind), text, region)
    if form.verdict == "invalid":
        raise _ERRORS.get(form.kind, InvalidRequisite)(kind=str(kind))
    return form if form.value == text else replace(form, value=text)


def normalise_email(text: str) -> NormalForm:
    """An e-mail address in lower case, its domain in Unicode; raises InvalidEmail."""
    return normalise(ContactKind.EMAIL, text, "")


def normalise_phone(text: str, region: str) -> NormalForm:
    """A phone number in E.164, read as one dialled in that region; raises InvalidPhone."""
    return normalise(ContactKind.PHONE, text, region)


def assess(kind: ContactKind, text: str, region: str) -> NormalForm:
    """The normal form of a value with its verdict; never raises."""
    value = trimmed(text)
    if not value or len(value) > _LONGEST or _UNSTORABLE.search(value):
        return _impossible(kind, _UNSTORABLE.sub("\ufffd", value)[:_LONGEST])
    return _READERS[kind](value, region) or _impossible(kind, value)


def trimmed(text: str) -> str:
    """The text without blanks and invisible marks at its ends."""
    return text if text.isascii() and text == text.strip() else _EDGES.sub("", text)


def _impossible(kind: ContactKind, value: str) -> NormalForm:
    normal = " ".join(unicode_form("NFC", value).lower().split())
    return NormalForm(kind=kind, value=value, normal=normal, masked=_tail_mask(kind, value), verdict="invalid")


# What this matches, the library accepts unchanged (a test holds the two equal), at a tenth of the cost.
_PLAIN_EMAIL = re.compile(
    r"(?=.{1,64}@.{1,189}\Z)[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@"
    r"(?:(?!..--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+([a-z]{2,63})"
)
_RESERVED = frozenset(SPECIAL_USE_DOMAIN_NAMES)


def _email(value: str, _: str) -> NormalForm | None:
    plain = _PLAIN_EMAIL.fullmatch(value.lower()) if value.isascii() else None
    if plain is not None and plain[1] not in _RESERVED:
        return _email_form(value, plain[0], "valid")
    stem, _, top = value.rpartition(".")
    if top.lower() not in _RESERVED:
        normal = _deliverable(value)
        return _email_form(value, normal, "valid") if normal is not None else None
    # Names such as .local live inside one company's network: well formed, but nobody outside can confirm them.
    normal = _deliverable(f"{stem}.example")
    return _email_form(value, f"{normal.removesuffix('example')}{top.lower()}", "possible") if normal else None


def _deliverable(value: str) -> str | None:
    try:
        return unicode_form("NFC", validate_email(value, check_deliverability=False, strict=True).normalized.lower())
    except EmailNotValidError:
        return None


def _email_form(value: str, normal: str, verdict: Verdict) -> NormalForm:
    local, _, domain = normal.rpartition("@")
    # A mailbox of one letter would be told in full by its initial.
    initial = local[0] if len(local) > 1 and local[0].isalnum() else ""
    masked = f"{initial}•••@•••.{domain.rpartition('.')[2]}"
    return NormalForm(kind=ContactKind.EMAIL, value=value, normal=normal, masked=masked, verdict=verdict)


# The library finds a number in almost any text ("7,9E+10" included); only what is written as one number is read as one.
_PHONE_TEXT = re.compile(
    r"(?:(?:tel|phone|mob|тел|моб|т)[.:]{0,2}\s*)?"
    r"([+＋]?[\d\s()\[\]./\u2010-\u2015\u2212-]+(?:(?:,?\s*(?:доб|extn?|вн)[.:]?|\s*[x#]|;ext=)\s*\d{1,7})?)",
    re.IGNORECASE,
)
_RUSSIAN = PhoneMetadata.metadata_for_region("RU")
_RUSSIAN_NUMBER = re.compile(
    # Numbers of 8… are left to the library: there the first digit may be the prefix of a trunk call.
    "(?=[349])(?:"
    + "|".join(d.national_number_pattern or "(?!)" for d in (_RUSSIAN.mobile, _RUSSIAN.fixed_line) if d)
    + ")"
    if _RUSSIAN is not None
    else "(?!)"
)
_PUNCTUATION = str.maketrans("", "", " ()-")


def _phone(value: str, region: str) -> NormalForm | None:
    national = _plain_russian(value, region)
    if national is not None:
        return _phone_form(value, 7, national, "valid")
    written = _PHONE_TEXT.fullmatch(value)
    if written is None:
        return None
    try:
        number = phonenumbers.parse(written[1], region.upper() or None)
    except phonenumbers.NumberParseException:
        return None
    country, national = number.country_code or 0, phonenumbers.national_significant_number(number)
    if phonenumbers.is_valid_number(number):
        return _phone_form(value, country, national, "valid")
    # A number without its area code is possible only locally, and would get a wrong E.164 form.
    if phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE:
        return _phone_form(value, country, national, "possible")
    return None


def _plain_russian(value: str, region: str) -> str | None:
    # The common case at a tenth of the library's cost; a test holds the two equal.
    digits = value.translate(_PUNCTUATION)
    if value[0] == "+":
        national = digits[2:] if digits.startswith("+7") else ""
    elif region == "RU":
        national = digits[1:] if len(digits) == 11 and digits[0] in "78" else digits
    else:
        return None
    return national if national.isascii() and _RUSSIAN_NUMBER.fullmatch(national) else None


def _phone_form(value: str, country: int, national: str, verdict: Verdict) -> NormalForm:
    shown = f"••• {national[-4:-2]} {national[-2:]}" if len(national) > 7 else national[-2:]
    return NormalForm(
        kind=ContactKind.PHONE,
        value=value,
        normal=f"+{country}{national}",
        masked=f"+{country} ••• {shown}",
        verdict=verdict,
    )


_HANDLE = re.compile(r"(?:https?://)?(?:www\.)?(?:(?:t|telegram)\.me/|@)?([\w.@/:#-]{2,100})")


def _messenger(value: str, region: str) -> NormalForm | None:
    phone = _phone(value, region)
    if phone is not None and phone.verdict == "valid":
        return replace(phone, kind=ContactKind.MESSENGER)
    handle = _HANDLE.fullmatch(value)
    return _requisite(ContactKind.MESSENGER, value, fold(handle[1]), "possible") if handle is not None else None


def _street(value: str, _: str) -> NormalForm | None:
    normal = fold(value)
    if len(normal) < 3 or not any(sign.isalnum() for sign in normal):
        return None
    return _requisite(ContactKind.STREET, value, normal, "possible")


def _requisite(kind: ContactKind, value: str, normal: str, verdict: Verdict) -> NormalForm:
    return NormalForm(kind=kind, value=value, normal=normal, masked=_tail_mask(kind, normal), verdict=verdict)


def _tail_mask(kind: ContactKind, text: str) -> str:
    # A quarter of the signs, four at most; of an address nothing, for its end is the flat.
    tail = text[len(text) - min(4, len(text) // 4) :]
    return f"•••{tail}" if tail.isalnum() and kind is not ContactKind.STREET else "•••"


_COMPACT = re.compile(r"[\s-]+")
_CODE = re.compile(r"[0-9A-Z]{4,34}")
_KPP = re.compile(r"\d{4}[\dA-Z]{2}\d{3}", re.ASCII)
_ENTREPRENEUR = re.compile(r"[34]\d{14}", re.ASCII)
_RUSSIAN_BIC = re.compile(r"0[0-24]\d{7}", re.ASCII)
_RUSSIAN_ACCOUNT = re.compile(r"\d{20}", re.ASCII)


def _checked(kind: ContactKind, judge: Callable[[str, str], tuple[str, Verdict] | None]) -> _Reader:
    def read(value: str, region: str) -> NormalForm | None:
        code = _COMPACT.sub("", value).upper()
        judged = judge(code, region.upper()) if _CODE.fullmatch(code) and code.strip("0") else None
        return _requisite(kind, value, *judged) if judged is not None else None

    return read


def _inn(code: str, _: str) -> tuple[str, Verdict] | None:
    # No tax office has the number 00, but numbers that begin with it have been seen in use.
    return (code, "possible" if code.startswith("00") else "valid") if inn.is_valid(code) else None


def _ogrn(code: str, _: str) -> tuple[str, Verdict] | None:
    return (code, "valid") if (_ENTREPRENEUR.fullmatch(code) and _ogrnip_adds_up(code)) or ogrn.is_valid(code) else None


def _ogrnip_adds_up(code: str) -> bool:
    # The library forgets the last digit of a remainder of 10 to 12, and refuses about 3 in 13 numbers that are right.
    return int(code[:-1]) % 13 % 10 == int(code[-1])


def _kpp(code: str, _: str) -> tuple[str, Verdict] | None:
    return (code, "valid") if _KPP.fullmatch(code) else None


def _bic(code: str, _: str) -> tuple[str, Verdict] | None:
    return (code, "valid") if _RUSSIAN_BIC.fullmatch(code) or bic.is_valid(code) else None


def _iban(code: str, _: str) -> tuple[str, Verdict] | None:
    return (code, "valid") if iban.is_valid(code) else None


def _account(code: str, region: str) -> tuple[str, Verdict] | None:
    if iban.is_valid(code):
        return code, "valid"
    # The control digit of a Russian account is computed with its bank's code, which is not known here.
    fits = _RUSSIAN_ACCOUNT.fullmatch(code) if region == "RU" else True
    return (code, "possible") if fits else None


def _vat(code: str, region: str) -> tuple[str, Verdict] | None:
    for candidate in (code, region + code):
        if eu_vat.is_valid(candidate):
            return str(eu_vat.compact(candidate)), "valid"
    national = get_cc_module(region, "vat") if _REGION.fullmatch(region) else None
    bare = code.removeprefix(region)
    if national is None:
        return (code, "possible") if any(sign.isdigit() for sign in code) else None
    return (region + bare, "valid") if national.is_valid(bare) else None


_REGION = re.compile("[A-Z]{2}")
_READERS: Mapping[ContactKind, _Reader] = MappingProxyType(
    {
        ContactKind.EMAIL: _email,
        ContactKind.PHONE: _phone,
        ContactKind.MESSENGER: _messenger,
        ContactKind.STREET: _street,
        ContactKind.ACCOUNT: _checked(ContactKind.ACCOUNT, _account),
        ContactKind.BIC: _checked(ContactKind.BIC, _bic),
        ContactKind.IBAN: _checked(ContactKind.IBAN, _iban),
        ContactKind.INN: _checked(ContactKind.INN, _inn),
        ContactKind.KPP: _checked(ContactKind.KPP, _kpp),
        ContactKind.OGRN: _checked(ContactKind.OGRN, _ogrn),
        ContactKind.VAT: _checked(ContactKind.VAT, _vat),
    }
)
