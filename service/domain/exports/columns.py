"""The columns an export may have: of the record, of what stands around it, and of its contacts.

A column is shown to whoever may read what it shows. Totals are in the tenant's currency; a customer without purchases
has 0 orders. Contact columns hold the primary e-mail and phone, masked unless the export's plan says otherwise.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from service.domain.access import Scope


class Part(StrEnum):
    """Where a column comes from."""

    RECORD = "record"
    IDS = "ids"
    CURATOR = "curator"
    TEAM = "team"
    CHANNEL = "channel"
    TOTALS = "totals"
    CONTACTS = "contacts"
    OWN = "own"


# The tenant's own fields, by their definitions.
OWN = "attributes."


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`typed` = somebody typed it, so it could be a formula; dates, numbers and closed lists could not."""

    name: str
    part: Part
    typed: bool
    needs: Scope = Scope.CUSTOMERS_READ

    @property
    def own(self) -> str:
        """The name of the tenant's own field that it shows."""
        return self.name.removeprefix(OWN)


def _columns() -> tuple[Column, ...]:
    def of(part: Part, *names: str, typed: bool, needs: Scope = Scope.CUSTOMERS_READ) -> list[Column]:
        return [Column(name=name, part=part, typed=typed, needs=needs) for name in names]

    names = ("display_name", "family_name", "given_name", "patronymic", "legal_name", "trade_name")
    places = ("language", "country", "region", "city", "postal_code", "tags")
    totals = ("orders", "revenue", "currency", "first_on", "last_on")
    return (
        *of(Part.RECORD, "customer_id", typed=False),
        *of(Part.IDS, "external_ids", typed=True),
        *of(Part.RECORD, "kind", "status", typed=False),
        *of(Part.RECORD, *names, typed=True),
        *of(Part.RECORD, "birth_date", "gender", typed=False),
        *of(Part.RECORD, *places, typed=True),
        *of(Part.CURATOR, "curator", typed=True),
        *of(Part.TEAM, "team", typed=True),
        *of(Part.CHANNEL, "channel", typed=True),
        *of(Part.CONTACTS, "email", "phone", typed=True),
        *of(Part.TOTALS, *totals, typed=False, needs=Scope.ORDERS_READ),
        *of(Part.RECORD, "created_at", "updated_at", typed=False),
    )


COLUMNS: Mapping[str, Column] = {column.name: column for column in _columns()}


def with_own(names: Iterable[str]) -> Mapping[str, Column]:
    """All columns of a tenant that has defined these fields. What stands in one may be older than its definition, so
    whatever its kind, somebody typed it."""
    own = [Column(name=OWN + name, part=Part.OWN, typed=True) for name in names]
    return {**COLUMNS, **{column.name: column for column in own}}


def close_to(name: str, columns: Iterable[str]) -> list[str]:
    """The names of columns that a mistyped one may have meant, the likeliest first."""
    return get_close_matches(name.lower(), list(columns), n=3, cutoff=0.5)
