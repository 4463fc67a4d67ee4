"""By which keys two records meet: what shares none is never compared.

A key is telling: a whole contact or requisite, or two weak signs together (the beginning of a name with a birthday).
One misspelt field must leave another key whole. Keys hold personal values; whoever stores them stores their hashes.
"""

from collections.abc import Iterator

from service.domain.linkage.nicknames import full_names
from service.domain.linkage.profile import Profile

_HARD_SIGNS = str.maketrans("", "", "aeiouyh'")


def keys(profile: Profile) -> frozenset[str]:
    """The keys of a record; at most a few dozen."""
    found = _organisation(profile) if profile.kind == "organisation" else _person(profile)
    return frozenset(f"{profile.kind[0]}{key}" for key in (*found, *_contacts(profile)))


def _contacts(profile: Profile) -> Iterator[str]:
    for phone in profile.phones:
        yield f"p{phone[-10:]}"
    for email in profile.emails:
        yield f"e{email}"
        mailbox, _, domain = email.partition("@")
        if len(mailbox) >= 5:
            yield f"m{mailbox}"
        if len(domain) >= 8:
            yield f"d{mailbox[:1]}{domain}"
    for requisite in profile.requisites:
        yield f"r{requisite}"
        # A slip in one half leaves the other.
        number = requisite.partition(":")[2]
        if len(number) >= 7:
            yield from (f"h{number[:-4]}{profile.birth[:4]}", f"t{number[3:]}{profile.birth[:4]}")


def _person(profile: Profile) -> Iterator[str]:
    family, given, birth = profile.family, profile.given, profile.birth
    names = [name for name in (family, given) if name]
    telling = [skeleton(name) for name in names if len(name) >= 3]
    if family and given:
        yield f"n{'.'.join(sorted(telling if len(telling) == 2 else names))}"
        yield from (f"g{full}.{family[:3]}" for full in full_names(given))
    for name in names:
        yield from _together(name[0], b=birth, s=profile.street)
    for name in telling:
        yield from _together(name, y=birth[:4], z=birth[5:], c=profile.postal_code)
    yield from _together(birth, l=skeleton(profile.city)[:3], o=profile.postal_code[:3])


def _together(sign: str, **others: str) -> Iterator[str]:
    """A weak sign with each of the others that is there; their names keep the kinds of keys apart."""
    if sign:
        yield from (f"{kind}{other}{sign}" for kind, other in others.items() if other)


def _organisation(profile: Profile) -> Iterator[str]:
    words = profile.title.split()
    if words:
        yield f"w{' '.join(sorted(words))}"
        longest = sorted(sorted(words), key=len, reverse=True)[:2]
        yield f"x{'.'.join(sorted(longest))}"
        if profile.city:
            yield from (f"k{word}.{profile.city}" for word in longest if len(word) >= 4)
        # Firms of one kind in one town: restaurants are written in many ways, and so are their numbers.
        yield from (f"a{word}.{phone[-10:-7]}" for word in longest for phone in profile.phones if len(word) >= 4)
    if profile.street:
        yield f"s{profile.street}"


def skeleton(word: str) -> str:
    """The first letter and the next hard consonants of a word: what survives most slips of hearing and typing."""
    return word[:1] + word[1:].translate(_HARD_SIGNS)[:4]
