"""What was right once: each kind of value has a life, counted from the day on which it was last known to hold."""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

from service.domain.quality.checks.places import Place, found
from service.domain.quality.model import Card, Cause, Check, Finding, Severity

_ADDRESS = ("country", "region", "city", "postal_code")


def months_between(earlier: date, later: date) -> int:
    """The whole months from one day to another."""
    months = (later.year - earlier.year) * 12 + later.month - earlier.month
    return months - (later.day < earlier.day)


def _latest(*moments: datetime | None) -> date | None:
    known = [moment.date() for moment in moments if moment is not None]
    return max(known) if known else None


def _old(card: Card, life: str, since: date | None) -> bool:
    months = card.lives.get(life, 0)
    return bool(since is not None and months and months_between(since, card.today) >= months)


def _examine(kind: str, code: str) -> Callable[[Card], Iterator[Finding]]:
    def examine(card: Card) -> Iterator[Finding]:
        for contact in card.contacts:
            if contact.kind == kind and _old(card, kind, _latest(contact.verified_at, contact.since)):
                yield found(code, Place("contacts", contact.detail_id, contact.value), 0.7)

    return examine


def _address(card: Card) -> Iterator[Finding]:
    for name in _ADDRESS:
        if name in card.fields and _old(card, "address", _latest(card.verified.get(name), card.since.get(name))):
            yield found("address-stale", Place(name, None, card.fields[name]), 0.6)
            return


def _bounced(card: Card) -> Iterator[Finding]:
    for contact in card.contacts:
        if contact.bounced:
            yield found("contact-bounced", Place("contacts", contact.detail_id, contact.value), 0.95)


def _silent(card: Card) -> Iterator[Finding]:
    if _old(card, "activity", card.last_active):
        yield found("no-activity", Place("status", None, card.status), 0.9)


def _curator(card: Card) -> Iterator[Finding]:
    if card.curator_gone:
        yield found("curator-gone", Place("curator_id", None, ""))


def _stale(code: str, fields: tuple[str, ...], title: str, example: str, cure: str, **one: Any) -> Check:
    return Check(
        code=code, cause=Cause.STALE, severity=one.get("severity", Severity.NOTE), fields=fields, title=title,
        example=example, cure=cure, examine=one["examine"],
    )  # fmt: skip


_ASK = "Verify it with the customer; what is verified begins its life anew."

CHECKS = (
    _stale(
        "phone-stale",
        ("contacts",),
        "Nobody has verified this phone number within the life of phone numbers.",
        "set two years ago, never called since",
        _ASK,
        examine=_examine("phone", "phone-stale"),
    ),
    _stale(
        "email-stale",
        ("contacts",),
        "Nobody has verified this e-mail address within the life of e-mail addresses.",
        "set two years ago, nothing delivered since",
        _ASK,
        examine=_examine("email", "email-stale"),
    ),
    _stale(
        "address-stale",
        _ADDRESS,
        "Nobody has verified the address within the life of addresses.",
        "set three years ago, nothing delivered since",
        _ASK,
        examine=_address,
    ),
    _stale(
        "contact-bounced",
        ("contacts",),
        "What was sent there has come back.",
        "an address whose mailbox is gone",
        "Ask the customer by another way.",
        severity=Severity.ERROR,
        examine=_bounced,
    ),
    _stale(
        "no-activity",
        ("status",),
        "Nothing was heard of the customer for longer than the tenant calls alive.",
        "the last order or call two years ago",
        "Call the customer, or mark the record as lapsed.",
        severity=Severity.WARNING,
        examine=_silent,
    ),
    _stale(
        "curator-gone",
        ("curator_id",),
        "The curator has left, and nobody looks after the customer.",
        "a curator dismissed in May",
        "Hand the customer over.",
        severity=Severity.WARNING,
        examine=_curator,
    ),
)
