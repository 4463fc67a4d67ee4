"""A customer record as people and partners write it: a person or an organisation, with contacts in any number.

A person needs a family or given name, an organisation a legal or trade name. A prospect becomes a customer with
the first counted order. Whoever sees only part of the base may only place records inside that part. A birthday whose
year nobody knows is written `--05-17`; such a day is kept in a leap year, since the 29th of February is one too.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from typing import Any, Literal
from uuid import UUID

from service.domain.access import Principal, Reach
from service.domain.customers.contacts import NormalForm
from service.domain.customers.errors import NameMissing, OutsideOwnReach
from service.domain.customers.names import display_name, fold, search_tokens

Kind = Literal["person", "organisation"]
Status = Literal["prospect", "customer", "lapsed", "archived"]


# The year that stands in for an unknown one.
_SOME_YEAR = 1604
_DAY = re.compile(r"(?:([0-9]{4})|-)-([0-9]{2})-([0-9]{2})")


def birthday(text: str) -> tuple[date, bool]:
    """The day, and whether its year is known, of `1990-05-17` or `--05-17`; ValueError where there is no such day."""
    written = _DAY.fullmatch(text)
    if written is None:
        raise ValueError("a birth date is written 1990-05-17, or --05-17 where the year is not known")
    year, month, day = written.groups()
    return date(int(year) if year else _SOME_YEAR, int(month), int(day)), year is not None


def birthday_text(day: date, year_known: bool) -> str:
    """How a birth date is written; the inverse of `birthday`."""
    return day.isoformat() if year_known else f"--{day.month:02}-{day.day:02}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalId:
    """What another system calls this record."""

    external_id: str
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactInput:
    """A contact as given; its normal form, mask and verdict are found out when it is written."""

    kind: str
    value: str
    label: str | None = None
    is_primary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The editable fields of a customer."""

    kind: Kind = "person"
    status: Status = "prospect"
    family_name: str | None = None
    given_name: str | None = None
    patronymic: str | None = None
    legal_name: str | None = None
    trade_name: str | None = None
    legal_form: str | None = None
    birth_date: date | None = None
    birth_year_known: bool = True
    gender: Literal["female", "male"] | None = None
    language: str | None = None
    time_zone: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    postal_code: str | None = None
    curator_id: UUID | None = None
    team_id: UUID | None = None
    channel_id: UUID | None = None
    tags: list[str] = field(default_factory=list)
    preferences: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        return display_name(
            kind=self.kind,
            family_name=self.family_name,
            given_name=self.given_name,
            patronymic=self.patronymic,
            legal_name=self.legal_name,
            trade_name=self.trade_name,
        )

    @property
    def sort_name(self) -> str:
        return fold(self.shown)

    @property
    def tokens(self) -> frozenset[str]:
        parts = (self.family_name, self.given_name, self.patronymic, self.legal_name, self.trade_name)
        return search_tokens(part for part in parts if part)


RECORD_FIELDS = tuple(one.name for one in fields(Record))


def as_mapping(record: Record) -> dict[str, Any]:
    """The record's fields by name; shallow, which is a tenth of the work of `dataclasses.asdict`."""
    return {name: getattr(record, name) for name in RECORD_FIELDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A contact ready to be stored: clear and normal form, mask, keyed hash for exact search."""

    form: NormalForm
    lookup: bytes
    label: str | None
    is_primary: bool


def checked(record: Record, principal: Principal) -> Record:
    """The record with a name for sure, and placed within the writer's reach; refuses what can't be."""
    named = (
        (record.family_name, record.given_name) if record.kind == "person" else (record.legal_name, record.trade_name)
    )
    if not any(part and part.strip() for part in named):
        raise NameMissing
    return placed(record, principal)


def placed(record: Record, principal: Principal) -> Record:
    """Own reach writes into its own portfolio, team reach into its own teams; both are filled in when absent."""
    if principal.reach is Reach.OWN:
        record = replace(record, curator_id=record.curator_id or principal.staff_id)
        if record.curator_id not in principal.owners:
            raise OutsideOwnReach(pointer="/curator_id")
    if principal.reach is Reach.TEAM:
        record = replace(record, team_id=record.team_id or next(iter(principal.teams), None))
        if record.team_id not in principal.teams:
            raise OutsideOwnReach(pointer="/team_id")
    return record


def merge_patch(current: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """JSON Merge Patch (RFC 7396): null removes, objects merge, everything else replaces."""
    merged = dict(current)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            inner = merged.get(name)
            merged[name] = merge_patch(inner if isinstance(inner, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged


def with_one_primary(contacts: Iterable[Contact]) -> list[Contact]:
    """The same contacts without repeats, exactly one of each kind primary: the first marked, else the first."""
    unique = list({(contact.form.kind, contact.form.normal): contact for contact in contacts}.values())
    chosen: dict[str, Contact] = {}
    for contact in unique:
        held = chosen.get(contact.form.kind)
        if held is None or (contact.is_primary and not held.is_primary):
            chosen[contact.form.kind] = contact
    return [replace(contact, is_primary=chosen[contact.form.kind] is contact) for contact in unique]
