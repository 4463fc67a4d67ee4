"""The checks that every base begins with, in the order in which they are made, and their run over one card."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from service.domain.quality.checks import (
    addresses,
    dates,
    emails,
    filler,
    freshness,
    layout,
    missing,
    mojibake,
    names,
    phones,
    requisites,
    signs,
    typos,
)
from service.domain.quality.checks.places import words
from service.domain.quality.model import Card, Check, Finding

_FAMILIES = (
    mojibake,
    filler,
    layout,
    signs,
    names,
    typos,
    emails,
    phones,
    dates,
    requisites,
    addresses,
    freshness,
    missing,
)
CHECKS: Mapping[str, Check] = MappingProxyType({check.code: check for family in _FAMILIES for check in family.CHECKS})
_ALL = tuple(CHECKS.values())

# Where the first is found, the others at the same place only follow from it.
_EXPLAINS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "mojibake": words("""
            filler lost-letters invisible-characters mixed-alphabets letter-case stray-blanks html-entities
        """),
        "filler": words("""
            made-up-name stray-blanks letter-case gender-disagrees
            email-syntax phone-impossible phone-fake requisite-form
        """),
        "made-up-name": words("letter-case gender-disagrees latin-name swapped-name-parts name-typo"),
        "wrong-keyboard-layout": words("letter-case latin-name email-syntax gender-disagrees name-typo"),
        "whole-name-in-one-field": words("name-incomplete letter-case"),
        "phone-in-name": words("letter-case"),
        "email-in-name": words("letter-case latin-name"),
        "email-placeholder": words("email-role email-domain-typo"),
        "email-syntax": words("email-domain-typo email-role email-disposable"),
        "email-domain-typo": words("email-disposable"),
    }
)


def examined(card: Card, checks: Iterable[Check] = _ALL) -> list[Finding]:
    """What these checks find on the card; what only follows from another finding is left out."""
    findings = [one for check in checks for one in check.examine(card)]
    if len(findings) < 2:
        return findings
    explained = {(code, one.field, one.detail_id) for one in findings for code in _EXPLAINS.get(one.code, ())}
    return [one for one in findings if (one.code, one.field, one.detail_id) not in explained]
