"""Many records examined at once: rows as the database gives them in, what was found and how they score out.

Pure, so that it can be done in other processes: a record costs about as much as reading it from a file, and a base has
millions. What leaves holds no contact in clear: proposals for contacts are masked, values are keyed hashes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import compress
from typing import Any, NamedTuple

from service.domain.customers import provenance
from service.domain.customers.contacts import ContactKind, assess
from service.domain.quality.catalogue import CHECKS, examined
from service.domain.quality.model import USUAL_LIVES, Card, Check, ContactSeen, Finding, Severity
from service.domain.quality.scoring import USUAL_WEIGHTS, Fault, Score, scored

# The texts of a record that checks look at, in the order of a row.
FIELDS = (
    "family_name", "given_name", "patronymic", "legal_name", "trade_name", "legal_form", "region", "city",
    "postal_code", "country", "language", "time_zone",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How the records of a tenant are looked at."""

    today: date
    phone_region: str = "RU"
    key: bytes = field(default=b"", repr=False)
    off: frozenset[str] = frozenset()
    severities: Mapping[str, Severity] = field(default_factory=dict)
    weights: Mapping[str, int] = field(default_factory=lambda: dict(USUAL_WEIGHTS))
    lives: Mapping[str, int] = field(default_factory=lambda: dict(USUAL_LIVES))
    required: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def checks(self) -> list[Check]:
        return [check for code, check in CHECKS.items() if code not in self.off]

    def required_of(self, kind: str, status: str) -> frozenset[str]:
        """What must be filled on such a record."""
        nothing: frozenset[str] = frozenset()
        return self.required.get(kind, nothing) | self.required.get(status, nothing)


class ContactRow(NamedTuple):
    """A contact as it is stored; times in seconds."""

    kind: str
    value: str
    detail_id: str
    normal: str
    masked: str
    lookup: str
    verified: float | None
    since: float
    source: str
    author_id: str | None


class RecordRow(NamedTuple):
    """A record as the database gives it."""

    customer_id: str
    version: int
    kind: str
    status: str
    birth_date: str | None
    birth_year_known: bool
    gender: str | None
    texts: Sequence[str | None]
    provenance: Sequence[Mapping[str, Any]]
    since: float
    import_id: str | None
    last_active: str | None
    curator_gone: bool
    contacts: Sequence[Sequence[Any]] | None


class Found(NamedTuple):
    """One finding, ready to be kept."""

    customer_id: str
    code: str
    field: str
    detail_id: str | None
    cause: str
    severity: str
    confidence: float
    proposal: dict[str, Any] | None
    value_hash: bytes
    source: str
    import_id: str | None
    author_id: str | None


class Judged(NamedTuple):
    """How one record scores."""

    customer_id: str
    version: int
    score: Score


def examine(rows: Sequence[Sequence[Any]], look: Look) -> tuple[list[Judged], list[Found]]:
    """Every record with its score, and all that is wrong with them."""
    checks = look.checks()
    judged: list[Judged] = []
    found: list[Found] = []
    for values in rows:
        row = RecordRow(*values)
        card = card_of(row, look)
        findings = examined(card, checks)
        judged.append(Judged(row.customer_id, row.version, score_of(card, findings, look)))
        found += kept(row, card, findings, look)
    return judged, found


def score_of(card: Card, findings: Sequence[Finding], look: Look) -> Score:
    """The score of a card with what was found on it."""
    faults = [Fault(one.field, one.detail_id, severity_of(one.code, look)) for one in findings]
    return scored(card, faults, look.weights)


def severity_of(code: str, look: Look) -> Severity:
    """How much a finding matters to this tenant."""
    return look.severities.get(code) or CHECKS[code].severity


def card_of(row: RecordRow, look: Look) -> Card:
    """The record as checks see it."""
    texts = {name: text for name, text in zip(FIELDS, row.texts, strict=True) if text}
    since = datetime.fromtimestamp(row.since, UTC)
    dates, verified = dict.fromkeys(texts, since), {}
    if row.provenance:
        known = provenance.restored(row.provenance)
        for name in (*texts, "birth_date"):
            origin = known.of(name)
            if origin.set_at:
                dates[name] = origin.set_at
            if origin.verified_at:
                verified[name] = origin.verified_at
    return Card(
        customer_id=row.customer_id,
        kind=row.kind,
        status=row.status,
        fields=texts,
        birth_date=date.fromisoformat(row.birth_date) if row.birth_date else None,
        birth_year_known=row.birth_year_known,
        gender=row.gender,
        contacts=tuple(_seen(ContactRow(*one)) for one in row.contacts or ()),
        since=dates,
        verified=verified,
        last_active=date.fromisoformat(row.last_active) if row.last_active else None,
        curator_gone=row.curator_gone,
        today=look.today,
        phone_region=look.phone_region,
        lives=look.lives,
        required=look.required_of(row.kind, row.status),
    )


def kept(row: RecordRow, card: Card, findings: Sequence[Finding], look: Look) -> list[Found]:
    """The findings as they are kept; one of a kind for each place."""
    if not findings:
        return []
    contacts = {one[2]: ContactRow(*one) for one in row.contacts or ()}
    unique = {(one.code, one.field, one.detail_id): one for one in reversed(findings)}
    return [_kept(row, card, one, contacts, look) for one in unique.values()]


def _kept(row: RecordRow, card: Card, one: Finding, contacts: Mapping[str, ContactRow], look: Look) -> Found:
    contact = contacts.get(one.detail_id) if one.detail_id else None
    if contact:
        digest, source = bytes.fromhex(contact.lookup), contact.source
        author = contact.author_id
    else:
        digest, source, author = value_hash(card, one.field, look.key), source_of(row, one.field), None
    imported = source.removeprefix("import ") if source.startswith("import ") else None
    return Found(
        row.customer_id,
        one.code,
        one.field,
        one.detail_id,
        CHECKS[one.code].cause.value,
        severity_of(one.code, look).value,
        one.confidence,
        _proposed(one, contacts, look),
        digest,
        source,
        imported,
        author,
    )


def value_hash(card: Card, field: str, key: bytes) -> bytes:
    """A keyed hash of what stands in a field, so that one value can be told from another and not be read."""
    value = str(card.birth_date or "") if field == "birth_date" else card.fields.get(field, "")
    return hashlib.blake2b(f"{field}\0{value}".encode(errors="replace"), key=key[:64], digest_size=16).digest()


def source_of(row: RecordRow, field: str) -> str:
    """Where the value of a field comes from."""
    own = provenance.restored(row.provenance).of(field).source if row.provenance else None
    return own or (f"import {row.import_id}" if row.import_id else "api")


def _proposed(one: Finding, contacts: Mapping[str, ContactRow], look: Look) -> dict[str, Any] | None:
    if one.proposal is None:
        return None
    changes = []
    for change in one.proposal.changes:
        contact = contacts.get(change.detail_id) if change.detail_id else None
        before, after = change.before, change.after
        if contact:
            before, after = contact.masked, _masked(contact.kind, after, look.phone_region)
        changes.append({"field": change.field, "before": before, "after": after, "detail_id": change.detail_id})
    return {"changes": changes, "confidence": one.proposal.confidence}


def _masked(kind: str, value: str | None, region: str) -> str | None:
    return None if value is None else assess(ContactKind(kind), value, region).masked


def _seen(row: ContactRow) -> ContactSeen:
    return ContactSeen(
        kind=row.kind,
        value=row.value,
        detail_id=row.detail_id,
        normal=row.normal,
        verified_at=datetime.fromtimestamp(row.verified, UTC) if row.verified else None,
        since=datetime.fromtimestamp(row.since, UTC),
    )


def fit_for(score: Score) -> list[str]:
    """The purposes by name."""
    return list(
        compress(("call", "mail", "invoice", "deliver"), (score.call, score.mail, score.invoice, score.deliver))
    )
