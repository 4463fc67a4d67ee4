"""How alike two records are, field by field: each field by a short scale from `same` down to `different`.

A value that either record lacks says nothing (`MISSING`). Every scale is a function of two strings, so that a batch can
ask once for each distinct pair of values.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import NamedTuple

from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.fuzz import token_sort_ratio

from service.domain.linkage.nicknames import same_person_may_be_called
from service.domain.linkage.profile import UNKNOWN_YEAR, Profile

MISSING = -1
SAME = 0
# Between the values of a set, in its written form.
BETWEEN = "\x1f"

_NAME = ("same", "nickname", "initial", "slip", "alike", "different")


class Scale(NamedTuple):
    """The levels of one comparison from most to least alike, and how two values are placed on them."""

    levels: tuple[str, ...]
    place: Callable[[str, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The level of each comparison, in the order of `SCALES`; `shared` holds the values that both records have."""

    levels: tuple[int, ...]
    shared: Mapping[str, str] = field(default_factory=dict, repr=False)


def compare(one: Profile, other: Profile) -> Comparison:
    """Two records side by side."""
    first, second = values(one), values(other)
    levels = {name: level(name, first[name], second[name]) for name in SCALES if name != "order"}
    levels |= aligned(first, second, levels)
    levels["street"] = of_one_town(levels["street"], levels["city"], levels["postal_code"])
    shared = {name: rarest for name in levels if (rarest := common(first.get(name, ""), second.get(name, "")))}
    return Comparison(levels=tuple(levels[name] for name in SCALES), shared=shared)


def values(profile: Profile) -> dict[str, str]:
    """The values of a profile by the names of the comparisons, a set in its written form."""
    return {
        "family": profile.family,
        "given": profile.given,
        "patronymic": profile.patronymic,
        "title": profile.title,
        "birth": profile.birth,
        "phone": BETWEEN.join(sorted(profile.phones)),
        "email": BETWEEN.join(sorted(profile.emails)),
        "requisite": BETWEEN.join(sorted(profile.requisites)),
        "street": profile.street,
        "city": profile.city,
        "postal_code": profile.postal_code,
    }


def level(name: str, one: str, other: str) -> int:
    if not one or not other:
        return MISSING
    return SAME if one == other else SCALES[name].place(one, other)


def common(one: str, other: str) -> str:
    """What two written sets have in common, written likewise."""
    if one == other:
        return one
    if BETWEEN not in one and BETWEEN not in other:
        return ""
    return BETWEEN.join(sorted(set(one.split(BETWEEN)) & set(other.split(BETWEEN))))


def aligned(one: Mapping[str, str], other: Mapping[str, str], straight: Mapping[str, int]) -> dict[str, int]:
    """Family and given name as they stand, or crosswise where that fits better."""
    crossed = (MISSING, MISSING)
    if one["family"][:1] == other["given"][:1] and one["given"][:1] == other["family"][:1]:
        crossed = level("given", one["family"], other["given"]), level("given", one["given"], other["family"])
    return crosswise(straight["family"], straight["given"], *crossed)


def crosswise(family: int, given: int, family_given: int, given_family: int) -> dict[str, int]:
    if MISSING in (family, given):
        return {"order": MISSING}
    if MISSING in (family_given, given_family):
        return {"order": SAME}
    if family_given + given_family < family + given and max(family_given, given_family) < _DIFFERENT_NAME:
        # From either side alike: which of the two fits better is not told apart.
        nearer, farther = sorted((family_given, given_family))
        return {"family": nearer, "given": farther, "order": 1}
    return {"order": SAME}


_DIFFERENT_NAME = len(_NAME) - 1


def of_one_town(street: int, city: int, postal_code: int) -> int:
    """Every town has a Lenin street: in different towns a common address says nothing."""
    return MISSING if city == 2 and postal_code in (MISSING, 2) else street


def _family(one: str, other: str) -> int:
    return _spelling(one, other)


def _given(one: str, other: str) -> int:
    if same_person_may_be_called(one, other):
        return 1
    if (len(one) == 1 or len(other) == 1) and one[0] == other[0]:
        return 2
    return _spelling(one, other)


def _spelling(one: str, other: str) -> int:
    slips = OSA.distance(one, other, score_cutoff=2)
    if slips <= 1 or (slips == 2 and min(len(one), len(other)) >= 8):
        return 3
    if JaroWinkler.similarity(one, other, score_cutoff=0.8) or one in other.split() or other in one.split():
        return 4
    return 5


def _birth(one: str, other: str) -> int:
    if UNKNOWN_YEAR in (one[:4], other[:4]):
        return 2 if one[5:] == other[5:] else 4
    crossed = f"{other[:4]}-{other[8:]}-{other[5:7]}"
    if one == crossed or OSA.distance(one, other, score_cutoff=1) == 1:
        return 1
    days = abs((date.fromisoformat(one) - date.fromisoformat(other)).days)
    if days <= 45:
        return 2
    return 3 if days <= 500 or abs(days - 3652) <= 60 else 4


def _phone(one: str, other: str) -> int:
    return _best(_one_number, one, other)


def _one_number(one: str, other: str) -> int:
    # One of them may be written without its country.
    short, long = sorted((one, other), key=len)
    if len(short) >= 9 and long.endswith(short):
        return SAME
    return 1 if OSA.distance(one, other, score_cutoff=1) <= 1 else 2


def _email(one: str, other: str) -> int:
    return _best(_one_email, one, other)


def _one_email(one: str, other: str) -> int:
    mailbox, other_mailbox = one.partition("@")[0], other.partition("@")[0]
    if OSA.distance(one, other, score_cutoff=2) <= 2:
        return 1
    if mailbox == other_mailbox and len(mailbox) > 3:
        return 2
    return 3 if JaroWinkler.similarity(one, other) >= 0.9 else 4


def _requisite(one: str, other: str) -> int:
    return _best(_one_requisite, one, other)


def _one_requisite(one: str, other: str) -> int:
    kind, _, number = one.partition(":")
    other_kind, _, other_number = other.partition(":")
    if kind != other_kind:
        return MISSING
    return 1 if OSA.distance(number, other_number, score_cutoff=1) <= 1 else 2


def _best(place: Callable[[str, str], int], one: str, other: str) -> int:
    firsts, seconds = one.split(BETWEEN), other.split(BETWEEN)
    if not set(firsts).isdisjoint(seconds):
        return SAME
    found = [placed for first in firsts for second in seconds if (placed := place(first, second)) != MISSING]
    return min(found, default=MISSING)


def _words(one: str, other: str) -> int:
    likeness = token_sort_ratio(one, other)
    if likeness >= 90:
        return 1
    firsts, seconds = set(one.split()), set(other.split())
    part = firsts <= seconds or seconds <= firsts
    return 2 if part or likeness >= 70 else 3


def _place(one: str, other: str) -> int:
    slips = OSA.distance(one, other, score_cutoff=2)
    return 1 if slips <= 2 or JaroWinkler.similarity(one, other) >= 0.85 or one in other or other in one else 2


def _code(one: str, other: str) -> int:
    return 1 if OSA.distance(one, other, score_cutoff=1) <= 1 else 2


SCALES: Mapping[str, Scale] = MappingProxyType(
    {
        "family": Scale(_NAME, _family),
        "given": Scale(_NAME, _given),
        "patronymic": Scale(_NAME, _given),
        "order": Scale(("straight", "crosswise"), lambda one, other: MISSING),
        "title": Scale(("same", "slip", "part", "different"), _words),
        "birth": Scale(("same", "slip", "near", "like", "different"), _birth),
        "phone": Scale(("same", "slip", "different"), _phone),
        "email": Scale(("same", "slip", "mailbox", "alike", "different"), _email),
        "requisite": Scale(("same", "slip", "different"), _requisite),
        "street": Scale(("same", "slip", "part", "different"), _words),
        "city": Scale(("same", "alike", "different"), _place),
        "postal_code": Scale(("same", "slip", "different"), _code),
    }
)


def level_names(names: Iterable[str] = SCALES) -> dict[str, tuple[str, ...]]:
    return {name: SCALES[name].levels for name in names}
