"""What is not there: a way to reach the customer, and what the tenant requires."""

from collections.abc import Iterator

from service.domain.quality.checks.places import NAME_PARTS, Place, found
from service.domain.quality.model import Card, Cause, Check, Finding, Severity

_WAYS = frozenset(("phone", "email", "messenger"))


def _no_contact(card: Card) -> Iterator[Finding]:
    if not any(contact.kind in _WAYS for contact in card.contacts) and not _WAYS & card.fields.keys():
        yield found("no-contact", Place("contacts", None, ""))


def _half_a_name(card: Card) -> Iterator[Finding]:
    held = [part for part in NAME_PARTS[:2] if card.fields.get(part)]
    # A whole name within one field is found as such.
    if card.kind == "person" and len(held) == 1 and " " not in card.fields[held[0]].strip():
        absent = "given_name" if held == ["family_name"] else "family_name"
        yield found("name-incomplete", Place(absent, None, ""), 0.9)


def _required(card: Card) -> Iterator[Finding]:
    if not card.required:
        return
    kinds = {contact.kind for contact in card.contacts}
    for name in sorted(card.required):
        if name == "birth_date":
            there = card.birth_date is not None or name in card.fields
        elif name == "gender":
            there = card.gender is not None
        elif name == "contacts":
            there = bool(_WAYS & kinds)
        else:
            there = name in card.fields or name in kinds
        if not there:
            yield found("required-missing", Place(name, None, ""))


CHECKS = (
    Check(
        code="no-contact",
        cause=Cause.MISSING,
        severity=Severity.WARNING,
        fields=("contacts",),
        title="There is no way to reach the customer: no phone, no e-mail, no messenger.",
        example="a name alone",
        cure="Ask for a contact at the next purchase.",
        examine=_no_contact,
    ),
    Check(
        code="name-incomplete",
        cause=Cause.MISSING,
        severity=Severity.NOTE,
        fields=("family_name", "given_name"),
        title="Of the person's name only half is known.",
        example="Анна, and no family name",
        cure="Ask the customer for the other half.",
        examine=_half_a_name,
    ),
    Check(
        code="required-missing",
        cause=Cause.MISSING,
        severity=Severity.WARNING,
        fields=("birth_date", "gender", "city", "postal_code", "contacts"),
        title="The tenant requires this of records of this kind.",
        example="no INN with a firm that gets invoices",
        cure="Ask the customer.",
        examine=_required,
    ),
)
