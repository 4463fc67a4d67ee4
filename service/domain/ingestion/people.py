"""A customer row becomes a record: fields that the row leaves empty are kept as they are in the base."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any
from uuid import UUID

from service.domain.customers.attributes import BadAttribute, Definitions, read
from service.domain.customers.contacts import ContactKind, assess
from service.domain.customers.model import Contact, ExternalId, birthday_text
from service.domain.customers.service import Draft, LookupKey
from service.domain.ingestion.documents import DIFFERENT
from service.domain.ingestion.faults import Reject, Violation
from service.domain.ingestion.fields import CONTACT_KINDS, Labelled, labelled
from service.domain.ingestion.rows import CustomerRow

_PLAIN = (
    "status", "family_name", "given_name", "patronymic", "legal_name", "trade_name", "legal_form", "gender",
    "language", "time_zone", "country", "region", "city", "postal_code",
)  # fmt: skip


def draft(
    row: CustomerRow,
    source: str,
    staff: Mapping[str, UUID],
    channels: Mapping[str, UUID],
    definitions: Definitions = MappingProxyType({}),
) -> Draft | Reject:
    """What the row says of its customer; a curator or channel that nobody knows, or a bad own field, rejects it."""
    changes: dict[str, Any] = {name: getattr(row, name) for name in _PLAIN if getattr(row, name) is not None}
    changes["kind"] = row.kind
    _name_from_display(row, changes)
    if row.birth_date is not None:
        changes["birth_date"], changes["birth_year_known"] = row.birth_date
    if row.tags:
        changes["tags"] = list(row.tags)
    if row.preferences:
        changes["preferences"] = list(row.preferences)
    if row.attributes:
        try:
            changes["attributes"] = {name: read(definitions.get(name), text) for name, text in row.attributes}
        except BadAttribute:
            return rejected(row, "attributes", "bad-attribute")
    for name, given, known in (("curator", row.curator, staff), ("channel", row.channel, channels)):
        if given is not None:
            if given not in known:
                return rejected(row, name, f"unknown-{name}")
            changes[f"{name}_id"] = known[given]
    return Draft(changes=changes, external_ids=(ExternalId(source=source, external_id=row.external_id),))


def contacts(row: CustomerRow, lookup: LookupKey, region: str) -> list[Contact]:
    """The row's contacts with their verdicts; an import keeps what the API would refuse, marked as invalid."""
    plain = [(Labelled(kind, None, False), text) for kind in CONTACT_KINDS if (text := getattr(row, kind)) is not None]
    named = [(said, text) for name, text in row.contacts if (said := labelled(name)) is not None]
    found: list[Contact] = []
    for said, text in (*plain, *named):
        form = assess(ContactKind(said.kind), text, region)
        lookup_key = lookup.of(form.kind, form.normal)
        found.append(Contact(form=form, lookup=lookup_key, label=said.label, is_primary=said.is_primary))
    return found


def _name_from_display(row: CustomerRow, changes: dict[str, Any]) -> None:
    if row.display_name is None:
        return
    if row.kind == "organisation" and not (row.legal_name or row.trade_name):
        changes["trade_name"] = row.display_name
    if row.kind == "person" and not (row.family_name or row.given_name):
        changes["given_name"] = row.display_name


def rejected(row: CustomerRow, field: str, code: str) -> Reject:
    """The row as a reject, with its cells."""
    cells = tuple(_cell(value) for value in row[2:])
    return Reject(row.row, row.line, cells, (Violation(row.row, row.line, field, code, DIFFERENT[code]),))


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case (date() as day, bool() as year_known):
            return birthday_text(day, year_known)
        case tuple():
            return "|".join(_cell(part) for part in value)
    return str(value)
