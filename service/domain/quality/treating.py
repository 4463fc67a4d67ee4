"""One record under treatment: fixes are made on it one after another, each on what the one before has left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from service.domain.access import Principal
from service.domain.customers import provenance
from service.domain.customers.model import checked
from service.domain.customers.ports import Stored, Written
from service.domain.customers.service import gone_on
from service.domain.errors import DomainError
from service.domain.ids import new_id
from service.domain.quality import images
from service.domain.quality.catalogue import CHECKS, examined
from service.domain.quality.fixing import (
    TEXTS,
    Author,
    Detail,
    Held,
    Swap,
    event_of,
    fields_between,
    mended,
    restored,
    shown,
    swaps_between,
)
from service.domain.quality.fixing_ports import Fix, Issue, KeptFix
from service.domain.quality.model import Card, Change, ContactSeen, Proposal

_NO_TEXTS = {"gender"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one issue.

    `fixed` (in a dry run: would be) · `gone`: it is there no longer · `unfixable`: the record does not tell what is
    right · `unsure`: the fix is less sure than was asked for · `refused`: it can't be made, `refusal` says why.
    """

    issue: Issue
    outcome: str
    confidence: float | None = None
    changes: Sequence[Mapping[str, Any]] = ()
    fix: Fix | None = None
    refusal: DomainError | None = None


class Patient:
    def __init__(
        self, principal: Principal, stored: Stored, details: Sequence[Detail], author: Author, today: date, region: str
    ) -> None:
        self.stored = stored
        self.before = self.now = Held(record=stored.record, details=tuple(details))
        self._words = provenance.restored(stored.provenance)
        self._principal = principal
        self._author = author
        self._today = today
        self._region = region

    @property
    def changed(self) -> bool:
        return self.now != self.before

    @property
    def swaps(self) -> list[Swap]:
        """What became of the contacts since the beginning."""
        return swaps_between(self.before.details, self.now.details)

    def treat(self, issue: Issue, least: float) -> Outcome:
        """Make the fix of an issue, if there is one that is sure enough."""
        there, proposal = self._proposal(issue)
        if proposal is None:
            return Outcome(issue=issue, outcome="unfixable" if there else "gone")
        sure = proposal.confidence
        if sure < least:
            return Outcome(issue=issue, outcome="unsure", confidence=sure)
        try:
            after = mended(self.now, proposal, self._author)
            checked(after.record, self._principal)
        except DomainError as refusal:
            return Outcome(issue=issue, outcome="refused", confidence=sure, refusal=refusal)
        return self._made(issue, sure, after)

    def undo(self, fix: KeptFix) -> None:
        """Take a fix back. Raises CantUndo, NameMissing."""
        fields, swaps, words = images.read(fix.images)
        after = restored(self.now, fields, swaps)
        checked(after.record, self._principal)
        self.now = after
        self._words = self._words.returned(words)

    def written(self) -> Written:
        """The record as it is to be stored; its contacts are written apart."""
        record = self.now.record
        author = self._author
        written = gone_on(self.stored, record, source=author.source, now=author.now, contacts=None, external_ids=())
        event = event_of(fields_between(self.before.record, record), self.swaps)
        return replace(written, provenance=self._words.stored(), events=(event,))

    def _made(self, issue: Issue, sure: float, after: Held) -> Outcome:
        fields = fields_between(self.now.record, after.record)
        swaps = swaps_between(self.now.details, after.details)
        if not fields and not swaps:
            return Outcome(issue=issue, outcome="gone")
        told = shown(fields, swaps)
        kept = images.image(fields, swaps, self._words)
        fix = Fix(fix_id=new_id(), issue=issue, confidence=sure, changes=told, images=kept)
        self.now = after
        self._words = self._words.set(fields, self._author.source, self._author.now)
        return Outcome(issue=issue, outcome="fixed", confidence=sure, changes=told, fix=fix)

    def _proposal(self, issue: Issue) -> tuple[bool, Proposal | None]:
        """Whether the issue is still there, and what would mend it now."""
        check = CHECKS.get(issue.code)
        if check is None:
            return True, _of_the_base(issue)
        detail_id = str(issue.detail_id) if issue.detail_id else None
        same = [
            one
            for one in examined(card_of(self.stored.customer_id, self.now, self._today, self._region), (check,))
            if (one.field, one.detail_id) == (issue.field, detail_id)
        ]
        return bool(same), next((one.proposal for one in same if one.proposal), None)


def card_of(customer_id: UUID, held: Held, today: date, region: str) -> Card:
    """The record as checks see it, but for what is stale: no fix comes of that."""
    record = held.record
    texts = {name: text for name in sorted(TEXTS - _NO_TEXTS) if (text := getattr(record, name))}
    return Card(
        customer_id=str(customer_id),
        kind=record.kind,
        status=record.status,
        fields=texts,
        birth_date=record.birth_date,
        birth_year_known=record.birth_year_known,
        gender=record.gender,
        contacts=tuple(
            ContactSeen(kind=one.kind, value=one.value, detail_id=str(one.detail_id), normal=one.normal)
            for one in held.details
        ),
        today=today,
        phone_region=region,
    )


def _of_the_base(issue: Issue) -> Proposal | None:
    """What only the whole base could tell is as it was kept; contacts are kept masked, and nothing comes of those."""
    kept = issue.proposal
    if kept is None or any(one["detail_id"] for one in kept["changes"]):
        return None
    changes = tuple(
        Change(field=one["field"], before=one["before"], after=one["after"], detail_id=None) for one in kept["changes"]
    )
    return Proposal(changes=changes, confidence=kept["confidence"])
