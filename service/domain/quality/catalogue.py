"""The checks that every base begins with, in the order in which they are made, and their run over one card."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from service.domain.quality.checks import dates, emails, phones, signs
from service.domain.quality.model import Card, Check, Finding

CHECKS: Mapping[str, Check] = MappingProxyType(
    {check.code: check for family in (signs, emails, phones, dates) for check in family.CHECKS}
)
_ALL = tuple(CHECKS.values())


def examined(card: Card, checks: Iterable[Check] = _ALL) -> list[Finding]:
    """What these checks find on the card; what only follows from another finding is left out."""
    return [one for check in checks for one in check.examine(card)]
