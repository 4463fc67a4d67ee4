"""Slips in names: a family name one letter away from that in the customer's e-mail, a common given name misspelt."""

import re
from collections.abc import Iterator

from rapidfuzz.distance import OSA

from service.domain.customers.names import fold, latin_key
from service.domain.quality.checks.dictionary import known
from service.domain.quality.checks.places import NAME_PARTS, Place, found, mended, of_kind, words
from service.domain.quality.model import Card, Cause, Check, Finding, Severity

_CYRILLIC = re.compile(r"[А-Яа-яЁё]{4,30}")
_TOKEN = re.compile(r"[a-z]{4,}")
_FEMALE_END = re.compile(r"(?:aia|a)$")
_LETTERS = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
_COMMON = words("""
    александр алексей анатолий андрей антон аркадий артур богдан борис вадим валентин валерий василий виктор виталий
    владимир владислав вячеслав геннадий георгий герман глеб григорий даниил денис дмитрий евгений егор захар иван игорь
    илья кирилл константин леонид максим марат матвей михаил никита николай олег павел петр ринат роман руслан рустам
    савелий святослав семен сергей станислав степан тимофей тимур федор филипп эдуард юрий яков ярослав
    александра алина алиса алла анастасия ангелина анна валентина валерия варвара вероника виктория галина дарина дарья
    диана евгения екатерина елена елизавета жанна зинаида инна ирина карина кристина ксения лариса лидия лилия любовь
    людмила маргарита марина мария милана надежда наталья нина оксана олеся ольга полина раиса светлана снежана софия
    софья тамара татьяна ульяна элина эльвира юлия яна
""")


def _stem(word: str) -> str:
    """What a family name has in common for men and women, as it is spelt in an address."""
    return _FEMALE_END.sub("", latin_key(word))


def _meant(family: str, address: str) -> str | None:
    """The family name within one slip whose spelling is that of the address; one that is known is preferred."""
    lower = fold(family)
    near = {lower[:at] + lower[at + 1 :] for at in range(len(lower))}
    near |= {lower[:at] + lower[at + 1] + lower[at] + lower[at + 2 :] for at in range(len(lower) - 1)}
    near |= {lower[:at] + sign + lower[at + 1 :] for at in range(len(lower)) for sign in _LETTERS}
    near |= {lower[:at] + sign + lower[at:] for at in range(len(lower) + 1) for sign in _LETTERS}
    fitting = sorted(word for word in near if _stem(word) == address and word[-1:] == lower[-1:])
    chosen = [word for word in fitting if known(word)] or fitting
    return chosen[0].capitalize() if len(chosen) == 1 else None


# One usual spelling, to see at little cost that name and address agree.
_SPELT = str.maketrans(
    dict(zip("абвгдеёзийклмнопрстуфыэ", "abvgdeeziyklmnoprstufye", strict=True))
    | {"ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ю": "yu", "я": "ya", "ь": "", "ъ": ""}
)
_DOUBLED = re.compile(r"(.)\1")
_SOUNDS = frozenset("yije")


def _near(family: str, spelt: str, local: str) -> str | None:
    """The token of the address that is spelt nearly as the family name; None where one is spelt just so, or none is."""
    own = _stem(fold(family))
    nearest = None
    for token in _TOKEN.findall(local):
        if token[0] == spelt[0] or (token[0] in _SOUNDS and spelt[0] in _SOUNDS):
            one = _stem(token)
            if own in one or one in own:
                return None
            if min(len(one), len(own)) > 3 and OSA.distance(own, one, score_cutoff=2) <= 2:
                nearest = one
    return nearest


def _undoubled(family: str, local: str) -> str | None:
    """The name without a letter typed twice, where the address doesn't have it twice and nobody is called so."""
    if _DOUBLED.search(family) is None or _DOUBLED.search(local) is not None or known(family):
        return None
    single = _DOUBLED.sub(r"\1", family)
    return single if single.lower().translate(_SPELT)[:-2] in local else None


def _family(card: Card) -> Iterator[Finding]:
    family = card.fields.get("family_name", "")
    if card.kind != "person" or not _CYRILLIC.fullmatch(family):
        return
    spelt, place = family.lower().translate(_SPELT), Place("family_name", None, family)
    for address in of_kind(card, "email"):
        local = address.value.lower().partition("@")[0]
        single = _undoubled(family, local)
        if single is not None:
            yield mended("name-typo", place, single, 0.85, 0.85)
            return
        near = None if spelt[:-2] in local else _near(family, spelt, local)
        meant = _meant(family, near) if near is not None else None
        if meant is not None:
            yield mended("name-typo", place, meant, 0.85, 0.85)
            return


def _given(card: Card) -> Iterator[Finding]:
    given = card.fields.get("given_name", "")
    if card.kind != "person" or not _CYRILLIC.fullmatch(given) or known(given):
        return
    lower = fold(given)
    near = [
        name for name in _COMMON if abs(len(name) - len(lower)) < 2 and OSA.distance(lower, name, score_cutoff=1) == 1
    ]
    if near:
        place = Place("given_name", None, given)
        yield (
            mended("name-typo", place, near[0].capitalize(), 0.9, 0.9) if len(near) == 1 else found("name-typo", place)
        )


def _examine(card: Card) -> Iterator[Finding]:
    yield from _family(card)
    yield from _given(card)


CHECKS = (
    Check(
        code="name-typo",
        cause=Cause.ENTRY,
        severity=Severity.NOTE,
        fields=NAME_PARTS[:2],
        title="The name is one slip away from the one in the customer's own address, or from a common one.",
        example="Худяокв with khudyakov@mail.ru",
        cure="Compare it with a document or ask the customer.",
        examine=_examine,
    ),
)
