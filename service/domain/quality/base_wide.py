"""Checks that only the whole base can answer: how often something occurs, and what all rows of one import have in
common. They are counted in SQL; what counts as too much is decided here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from service.domain.quality.model import Card, Cause, Check, Finding, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseWide:
    """An entry of the catalogue whose findings come from the base; `values` are what its query asks for."""

    check: Check
    values: Mapping[str, object]

    @property
    def severity(self) -> Severity:
        return self.check.severity


def _of_no_card(_: Card) -> Iterator[Finding]:
    return iter(())


def _base_wide(
    code: str,
    cause: Cause,
    severity: Severity,
    fields: tuple[str, ...],
    *,
    title: str,
    example: str,
    cure: str,
    **values: object,
) -> BaseWide:
    check = Check(
        code=code,
        cause=cause,
        severity=severity,
        fields=fields,
        title=title,
        example=example,
        cure=cure,
        examine=_of_no_card,
    )
    return BaseWide(check=check, values=values)


_ALL = (
    _base_wide(
        "contact-on-many",
        Cause.FALSE,
        Severity.WARNING,
        ("contacts",),
        title="The same phone or e-mail stands on many records: it is nobody's own.",
        example="+7 495 000-00-00 on forty people",
        cure="Ask for the customer's own contact; keep the common one on the organisation.",
        # So many records share it; a family or an office of a few may.
        least=6,
    ),
    _base_wide(
        "contact-of-unlike",
        Cause.FALSE,
        Severity.NOTE,
        ("contacts",),
        title="The same phone or e-mail stands on records of people with nothing in common.",
        example="one e-mail for Анна Смирнова of Perm and Пётр Кузнецов of Omsk",
        cure="Find out whose it is, or link the two as a household.",
        least=2,
        most=5,
    ),
    _base_wide(
        "name-on-many",
        Cause.FALSE,
        Severity.WARNING,
        ("family_name",),
        title="Far more records bear this full name than its two parts would let one expect.",
        example="Иван Иванов, fifty times",
        cure="Ask for the name on the next contact; a name typed to fill a form is nobody's.",
        least=20,
        times=10,
    ),
    _base_wide(
        "cut-at-length",
        Cause.TRANSFER,
        Severity.WARNING,
        ("family_name", "given_name", "patronymic", "legal_name", "trade_name", "city", "region"),
        title="Many values of this import end at the same length, as cut by a field that was too short.",
        example="Константинопо, Преображенска",
        cure="Widen the field of the export and import the column anew.",
        rows=50,
        # Of values as long as this, so many more than of those one letter shorter.
        shortest=8,
        share=0.02,
        times=5,
    ),
    _base_wide(
        "day-month-swapped",
        Cause.TRANSFER,
        Severity.WARNING,
        ("birth_date",),
        title="All birth dates of this import have a day up to the twelfth: day and month were swapped on the way.",
        example="03.11.1980 read as the 11th of March",
        cure="Import the column again with the order of day and month set.",
        rows=30,
        share=0.95,
    ),
    _base_wide(
        "fields-shifted",
        Cause.TRANSFER,
        Severity.ERROR,
        ("family_name", "given_name", "city", "postal_code"),
        title="Values of this import stand one column beside their own.",
        example="a postal code as city, a city as name",
        cure="Correct the mapping and import the file again.",
        rows=20,
        share=0.3,
    ),
)
BASE_WIDE: Mapping[str, BaseWide] = MappingProxyType({one.check.code: one for one in _ALL})
