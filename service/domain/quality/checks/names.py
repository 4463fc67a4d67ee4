"""The parts of a person's name against each other and against what else the card says of them."""

import re
from collections.abc import Iterator

from service.domain.quality.checks.dictionary import Roles, known, roles
from service.domain.quality.checks.places import NAME_PARTS, Place, fields, found, mended, names
from service.domain.quality.checks.translit import in_cyrillic
from service.domain.quality.model import Card, Cause, Change, Check, Finding, Proposal, Severity

_DIGITS = re.compile(r"\d[\d\s()+-]{5,}\d")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_CYRILLIC = re.compile(r"[А-Яа-яЁё]+(?:-[А-Яа-яЁё]+)*")
_SURNAME = re.compile(r"(?:[оеё]в|[иы]н|[оеё]ва|[иы]на|[сц]к(?:ий|ой|ая)|енко|[иы]х|дзе|швили|[нм]ян)$")
_MALE_SURNAME = re.compile(r"(?:[оеё]в|[сц]кий|[иы]н)$")
_FEMALE_SURNAME = re.compile(r"(?:[оеё]ва|[сц]кая|[иы]на)$")
_MALE_PATRONYMIC = re.compile(r"(?:[оеё]вич|ьич|[аоуы]?мич|[иеу]ич|оглы)$")
_FEMALE_PATRONYMIC = re.compile(r"(?:[оеё]вна|ична|инична|кызы|гызы)$")
_LATIN_PATRONYMIC = re.compile(r"[a-z]+(?:ovich|evich|ovna|evna|ichna|yich|iich)", re.IGNORECASE)
_RUSSIAN_PART = re.compile(r"[А-Яа-яЁё]+(?:-[А-Яа-яЁё]+)*\.?")
_INITIALS = re.compile(r"[A-ZА-ЯЁ]\.?(?:\s?[A-ZА-ЯЁ]\.?)?")


def _phone_or_address(card: Card) -> Iterator[Finding]:
    for place in names(card):
        value = place.value
        if value.isalpha():
            continue
        for code, pattern in (("phone-in-name", _DIGITS), ("email-in-name", _ADDRESS)):
            if pattern.search(value):
                rest = " ".join(pattern.sub(" ", value).split()).strip(" ,;+()-") or None
                others = len(names(card)) > 1
                yield mended(code, place, rest, 0.8) if rest or others else found(code, place)


def _roles(word: str) -> Roles:
    """What the word can be: by the dictionary, else by its ending."""
    lower = word.lower()
    read = roles(lower)
    if read.any:
        return read
    if "-" in lower:
        last = roles(lower.rsplit("-", 1)[1])
        if last.any:
            return last
    if _MALE_PATRONYMIC.search(lower):
        return Roles(patronymic="m")
    if _FEMALE_PATRONYMIC.search(lower):
        return Roles(patronymic="f")
    if _SURNAME.search(lower):
        return Roles(family_name="f" if _FEMALE_SURNAME.search(lower) else "m" if _MALE_SURNAME.search(lower) else "mf")
    return read


_ORDERS = (
    ("family_name", "given_name", "patronymic"),
    ("given_name", "patronymic", "family_name"),
    ("given_name", "family_name", "patronymic"),
)


def _split(words: list[str]) -> tuple[tuple[str, ...], float] | None:
    """Which part of a name each of two or three words is, and how sure that is."""
    read = [_roles(word) for word in words]
    best = 0
    chosen: tuple[str, ...] = ()
    for order in _ORDERS:
        parts = tuple(part for part in order if len(words) == 3 or part != "patronymic")
        strength = sum(bool(getattr(one, part)) for one, part in zip(read, parts, strict=True))
        if strength > best:
            best, chosen = strength, parts
    # At least two of the words must be known for what they are.
    return (chosen, 0.96 if best == len(words) else 0.9) if best > 1 else None


def _whole_name(card: Card) -> Iterator[Finding]:
    held = names(card)
    if len(held) != 1 or card.kind != "person":
        return
    place = held[0]
    words = place.value.split()
    if len(words) not in (2, 3) or not all(_CYRILLIC.fullmatch(word) for word in words):
        return
    split = _split(words)
    if split is None:
        yield found("whole-name-in-one-field", place, 0.6)
        return
    parts, sure = split
    now = dict(zip(parts, words, strict=True))
    changes = tuple(
        Change(field=part, before=card.fields.get(part), after=now.get(part))
        for part in NAME_PARTS
        if card.fields.get(part) != now.get(part)
    )
    yield Finding(
        code="whole-name-in-one-field",
        field=place.field,
        confidence=0.97,
        proposal=Proposal(changes=changes, confidence=sure),
    )


def _swapped(card: Card) -> Iterator[Finding]:
    family, given = card.fields.get("family_name"), card.fields.get("given_name")
    if not family or not given or not _RUSSIAN_PART.fullmatch(family) or not _RUSSIAN_PART.fullmatch(given):
        return
    first = _roles(family)
    if first.family_name or not (first.given_name or first.patronymic or _INITIALS.fullmatch(family)):
        return
    second = _roles(given)
    place = Place("family_name", None, family)
    if second.family_name and not second.given_name:
        if first.patronymic and not first.given_name:
            yield found("swapped-name-parts", place, 0.9)
            return
        changes = (
            Change(field="family_name", before=family, after=given),
            Change(field="given_name", before=given, after=family),
        )
        proposal = Proposal(changes=changes, confidence=0.95)
        yield Finding(code="swapped-name-parts", field="family_name", confidence=0.95, proposal=proposal)
    elif first.given_name and _INITIALS.fullmatch(given):
        yield found("swapped-name-parts", place, 0.8)


def _one_gender(genders: str) -> str | None:
    return genders if len(genders) == 1 else None


def _gender_of_surname(family: str) -> str | None:
    # A surname such as Сорока has both genders; what the dictionary doesn't hold is told by its ending.
    lower = family.lower()
    read = roles(lower)
    if read.family_name:
        return _one_gender(read.family_name)
    return "f" if _FEMALE_SURNAME.search(lower) else "m" if _MALE_SURNAME.search(lower) else None


def _gender_of_patronymic(patronymic: str) -> str | None:
    lower = patronymic.lower()
    return "m" if _MALE_PATRONYMIC.search(lower) else "f" if _FEMALE_PATRONYMIC.search(lower) else None


_GENDERS = {"m": "male", "f": "female"}


def _gender(card: Card) -> Iterator[Finding]:
    given, patronymic = card.fields.get("given_name", ""), card.fields.get("patronymic", "")
    if given.isascii() and patronymic.isascii():
        return
    of_given = _one_gender(roles(given).given_name)
    of_patronymic = _gender_of_patronymic(patronymic)
    family = card.fields.get("family_name", "")
    of_family = _gender_of_surname(family) if family and not family.isascii() else None
    told = [one for one in (of_given, of_patronymic, of_family) if one is not None]
    if len(set(told)) > 1:
        yield from _odd_one(card, of_given, of_patronymic, of_family)
    elif told and len(told) > 1 and card.gender is not None and card.gender != _GENDERS[told[0]]:
        yield mended("gender-disagrees", Place("gender", None, card.gender), _GENDERS[told[0]], 0.93, 0.95)


def _odd_one(card: Card, given: str | None, patronymic: str | None, family: str | None) -> Iterator[Finding]:
    if given is not None and given == patronymic:
        place = Place("family_name", None, card.fields["family_name"])
        after = _other_ending(place.value, given)
        sure = 0.85
        yield mended("gender-disagrees", place, after, sure, 0.85) if after else found("gender-disagrees", place, 0.8)
    elif patronymic is not None and patronymic == family:
        yield found("gender-disagrees", Place("given_name", None, card.fields["given_name"]), 0.95)
    elif given is not None and given == family:
        yield found("gender-disagrees", Place("patronymic", None, card.fields["patronymic"]), 0.9)
    else:
        part = "given_name" if given is not None else "family_name"
        yield found("gender-disagrees", Place(part, None, card.fields[part]), 0.8)


def _other_ending(family: str, gender: str) -> str | None:
    if gender == "f" and _MALE_SURNAME.search(family.lower()):
        return family[:-2] + "ая" if family.lower().endswith("ий") else family + "а"
    if gender == "m" and _FEMALE_SURNAME.search(family.lower()):
        return family[:-2] + "ий" if family.lower().endswith("ая") else family[:-1]
    return None


def _latin(card: Card) -> Iterator[Finding]:
    patronymic = card.fields.get("patronymic", "")
    held = names(card)
    russian = bool(_LATIN_PATRONYMIC.fullmatch(patronymic)) or any(not place.value.isascii() for place in held)
    if not russian:
        return
    for place in held:
        if place.value.isascii() and place.value.replace("-", "").isalpha() and len(place.value) > 2:
            back = in_cyrillic(place.value).title()
            yield mended("latin-name", place, back, 0.8, 0.85) if known(back) else found("latin-name", place, 0.85)


def _initials(card: Card) -> Iterator[Finding]:
    for place in fields(card, ("given_name", "patronymic")):
        if len(place.value) < 6 and _INITIALS.fullmatch(place.value):
            yield found("initials-only", place, 0.95)


CHECKS = (
    Check(
        code="phone-in-name",
        cause=Cause.ENTRY,
        severity=Severity.ERROR,
        fields=NAME_PARTS,
        title="A phone number stands in the name.",
        example="Иван 89161234567",
        cure="Move it to the contacts.",
        examine=lambda card: (one for one in _phone_or_address(card) if one.code == "phone-in-name"),
    ),
    Check(
        code="email-in-name",
        cause=Cause.ENTRY,
        severity=Severity.ERROR,
        fields=NAME_PARTS,
        title="An e-mail address stands in the name.",
        example="Иван ivan@mail.ru",
        cure="Move it to the contacts.",
        examine=lambda card: (one for one in _phone_or_address(card) if one.code == "email-in-name"),
    ),
    Check(
        code="whole-name-in-one-field",
        cause=Cause.TRANSFER,
        severity=Severity.WARNING,
        fields=NAME_PARTS,
        title="The whole name stands in one field.",
        example="Иванов Иван Иванович as a given name",
        cure="Give each part its field.",
        examine=_whole_name,
    ),
    Check(
        code="swapped-name-parts",
        cause=Cause.ENTRY,
        severity=Severity.WARNING,
        fields=("family_name", "given_name"),
        title="The family name and the given name stand in each other's field.",
        example="family name Анна, given name Петрова",
        cure="Exchange them.",
        examine=_swapped,
    ),
    Check(
        code="gender-disagrees",
        cause=Cause.ENTRY,
        severity=Severity.WARNING,
        fields=(*NAME_PARTS, "gender"),
        title="The parts of the name, or the name and the gender, don't go together.",
        example="Иванова Пётр Петрович",
        cure="See which part is wrong: an ending left out, or a name chosen by mistake.",
        examine=_gender,
    ),
    Check(
        code="latin-name",
        cause=Cause.ENTRY,
        severity=Severity.NOTE,
        fields=NAME_PARTS,
        title="A Russian name is written in Latin letters.",
        example="Ivanova Anna Petrovna",
        cure="Write it in Cyrillic; the spelling that is proposed may need a look.",
        examine=_latin,
    ),
    Check(
        code="initials-only",
        cause=Cause.MISSING,
        severity=Severity.NOTE,
        fields=("given_name", "patronymic"),
        title="Only an initial of the name is known.",
        example="И.",
        cure="Ask the customer for the full name.",
        examine=_initials,
    ),
)
