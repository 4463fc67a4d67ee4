"""Mending records: fixes one by one, many at once or by themselves, every one of them with a way back.

A run is one transaction: the records are locked, each fix is computed anew from what stands there now, and what was
before is kept beside it. An undone fix leaves its issue dismissed, so that nothing makes it again by itself.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any
from uuid import UUID

from service.domain.access import Principal, Reach
from service.domain.customers.contacts import ContactKind, NormalForm, assess
from service.domain.customers.ports import Stored
from service.domain.customers.service import LookupKey
from service.domain.errors import DomainError
from service.domain.idempotency import Once
from service.domain.ids import new_id
from service.domain.ports import Clock, UnitOfWork
from service.domain.quality.due import MendingPolicy
from service.domain.quality.fixing import (
    Author,
    CantUndo,
    Detail,
    FixUndone,
    IssueClosed,
    NoFix,
    NoIssue,
    NoProposal,
    NothingChosen,
    Reader,
)
from service.domain.quality.fixing_ports import Card as Row
from service.domain.quality.fixing_ports import Chosen, Issue, KeptFix, MendingTransaction
from service.domain.quality.treating import Outcome, Patient

SOURCE = "fix"
# So many issues in one transaction: the records stay locked for its length.
MOST_AT_ONCE = 500
# Nobody waits for what is fixed by itself, and nobody should wait because of it: these are written in tens of
# milliseconds.
_BY_ITSELF = 100
_TIMEOUT_MS = 60_000
_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What came of taking a run back: the fixes that were undone, and those whose values have changed since."""

    undone: Sequence[UUID]
    conflicts: Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run did, or would do; `after` is the issue to go on behind, None at the end."""

    run_id: UUID
    outcomes: Sequence[Outcome]
    after: UUID | None

    @property
    def counts(self) -> Mapping[str, int]:
        return Counter(one.outcome for one in self.outcomes)


def by_itself(tenant_id: int) -> Principal:
    """The service itself within one tenant, which mends what the tenant lets it."""
    return Principal(
        tenant_id=tenant_id,
        tenant="",
        staff_id=_NOBODY,
        subject="quality",
        kind="system",
        reach=Reach.TENANT,
        scopes=frozenset(),
    )


class MendingService:
    def __init__(
        self, uow: UnitOfWork[MendingTransaction], clock: Clock, lookup: LookupKey, region: str = "RU"
    ) -> None:
        self._uow = uow
        self._clock = clock
        self._lookup = lookup
        self._region = region

    async def fix(self, principal: Principal, issue_id: UUID) -> Row:
        """Do what is proposed for one issue. Raises NoIssue, IssueClosed, NoProposal, CantMend, NameMissing."""
        async with self._uow.begin(principal) as tx:
            issue = await _open(tx, issue_id)
            (outcome,) = (await self._mend(tx, principal, [issue], least=0.0, automatic=False, dry=False))[1]
            if outcome.refusal is not None:
                raise outcome.refusal
            await tx.commit()
        if outcome.fix is None:
            raise IssueClosed(state="gone") if outcome.outcome == "gone" else NoProposal
        return await self._fix_card(principal, outcome.fix.fix_id)

    async def preview(self, principal: Principal, issue_id: UUID) -> Outcome:
        """What fixing one issue would do. Raises NoIssue, IssueClosed."""
        async with self._uow.begin(principal) as tx:
            issue = await _open(tx, issue_id)
            return (await self._mend(tx, principal, [issue], least=0.0, automatic=False, dry=True))[1][0]

    async def run(
        self,
        principal: Principal,
        chosen: Chosen,
        *,
        dry: bool,
        least: float = 0.0,
        after: UUID | None = None,
        limit: int = MOST_AT_ONCE,
        automatic: bool = False,
        once: Once | None = None,
    ) -> Run:
        """Fix all that fit, or say what fixing would do. Raises NothingChosen."""
        if chosen == Chosen() and not automatic:
            raise NothingChosen
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            if known := await tx.idempotency.recall(once):
                return _recalled(known)
            found = await tx.mending.issues(chosen, fixable=True, least=least, after=after, limit=limit + 1)
            issues, more = found[:limit], len(found) > limit
            run_id, outcomes = await self._mend(tx, principal, issues, least=least, automatic=automatic, dry=dry)
            run = Run(run_id=run_id, outcomes=outcomes, after=issues[-1].issue_id if more else None)
            if not dry:
                await tx.idempotency.remember(once, 200, _remembered(run))
                await tx.commit()
        return run

    async def mend_tenant(self, tenant_id: int) -> int:
        """Make the fixes of which the tenant is sure enough; how many there were."""
        principal = by_itself(tenant_id)
        async with self._uow.begin(principal) as tx:
            policies, time_zone = await tx.mending.policy()
        least = MendingPolicy.of(policies).fix_above
        if least is None:
            return 0
        principal = replace(principal, time_zone=time_zone)
        made, after = 0, None
        while True:
            run = await self.run(
                principal, Chosen(), dry=False, least=least, after=after, limit=_BY_ITSELF, automatic=True
            )
            made += run.counts["fixed"]
            after = run.after
            if after is None:
                return made

    async def dismiss(self, principal: Principal, issue_id: UUID, reason: str | None) -> None:
        """Leave the value as it is; the issue does not come back while it stays so. Raises NoIssue, IssueClosed."""
        async with self._uow.begin(principal) as tx:
            issue = await _open(tx, issue_id)
            await tx.mending.decide([issue_id], "dismissed")
            await tx.journal.audit(
                "quality.dismiss", "customer", issue.customer_id, reason=reason, issue_id=str(issue_id), code=issue.code
            )
            await tx.commit()

    async def reopen(self, principal: Principal, issue_id: UUID) -> None:
        """Take a dismissal back. Raises NoIssue, IssueClosed."""
        async with self._uow.begin(principal) as tx:
            card = await tx.mending.issue(issue_id)
            if card is None:
                raise NoIssue
            if card["state"] != "dismissed":
                raise IssueClosed(state=card["state"])
            await tx.mending.decide([issue_id], "open")
            await tx.journal.audit(
                "quality.reopen", "customer", card["customer_id"], issue_id=str(issue_id), code=card["code"]
            )
            await tx.commit()

    async def undo(self, principal: Principal, fix_id: UUID) -> Row:
        """Take one fix back. Raises NoFix, FixUndone, CantUndo."""
        async with self._uow.begin(principal) as tx:
            fixes = await tx.mending.kept([fix_id], None, 1)
            if not fixes:
                raise NoFix
            if fixes[0].undone:
                raise FixUndone
            undone = await self._undo(tx, principal, fixes)
            if undone.conflicts:
                raise CantUndo(changed=undone.conflicts[0]["changed"])
            await tx.commit()
        return await self._fix_card(principal, fix_id)

    async def undo_run(self, principal: Principal, run_id: UUID) -> Undone:
        """Take a run back, the latest fix first; what has changed since stays and is told of. Raises NoFix."""
        async with self._uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
            fixes = await tx.mending.kept(None, run_id, MOST_AT_ONCE)
            if not fixes:
                raise NoFix
            undone = await self._undo(tx, principal, fixes)
            await tx.commit()
        return undone

    async def _fix_card(self, principal: Principal, fix_id: UUID) -> Row:
        async with self._uow.begin(principal) as tx:
            card = await tx.mending.fix(fix_id)
        if card is None:
            raise NoFix
        return card

    async def _mend(
        self,
        tx: MendingTransaction,
        principal: Principal,
        issues: Sequence[Issue],
        *,
        least: float,
        automatic: bool,
        dry: bool,
    ) -> tuple[UUID, list[Outcome]]:
        ids = sorted({issue.customer_id for issue in issues})
        stored = await (tx.mending.seen(ids) if dry else tx.customers.lock(ids))
        details = await tx.mending.details(ids)
        run_id, outcomes, patients = new_id(), list[Outcome](), list[Patient]()
        for customer_id, his in groupby(sorted(issues, key=_by_customer), key=lambda one: one.customer_id):
            if customer_id in stored:
                patient = self._patient(principal, stored[customer_id], details.get(customer_id, ()))
                outcomes += [patient.treat(issue, least) for issue in his]
                patients.append(patient)
        if not dry:
            await self._write(tx, patients)
            await self._settle(tx, run_id, outcomes, automatic=automatic)
        return run_id, outcomes

    async def _settle(
        self, tx: MendingTransaction, run_id: UUID, outcomes: Sequence[Outcome], *, automatic: bool
    ) -> None:
        fixes = [one.fix for one in outcomes if one.fix]
        await tx.mending.decide([one.issue.issue_id for one in fixes], "fixed")
        await tx.mending.decide([one.issue.issue_id for one in outcomes if one.outcome == "gone"], "gone")
        if not fixes:
            return
        await tx.mending.keep(run_id, fixes, automatic=automatic)
        touched = [fix.issue.customer_id for fix in fixes]
        codes = sorted({fix.issue.code for fix in fixes})
        await tx.journal.audit(
            "quality.fix",
            "customer",
            touched[0] if len(fixes) == 1 else None,
            records=len(set(touched)),
            touched=touched,
            run_id=str(run_id),
            codes=codes,
            automatic=automatic,
        )

    async def _undo(self, tx: MendingTransaction, principal: Principal, fixes: Sequence[KeptFix]) -> Undone:
        ids = sorted({fix.customer_id for fix in fixes})
        stored = await tx.customers.lock(ids)
        details = await tx.mending.details(ids)
        patients = {one: self._patient(principal, record, details.get(one, ())) for one, record in stored.items()}
        undone: list[KeptFix] = []
        conflicts: list[Mapping[str, object]] = []
        for fix in fixes:
            try:
                patients[fix.customer_id].undo(fix)
                undone.append(fix)
            except DomainError as refused:
                conflicts.append(
                    {"fix_id": fix.fix_id, "code": refused.code, "changed": refused.extra.get("changed", [])}
                )
        await self._write(tx, list(patients.values()))
        await tx.mending.undone([fix.fix_id for fix in undone])
        await tx.mending.decide([fix.issue_id for fix in undone], "dismissed")
        if undone:
            touched = [fix.customer_id for fix in undone]
            await tx.journal.audit(
                "quality.undo",
                "customer",
                touched[0] if len(undone) == 1 else None,
                records=len(set(touched)),
                touched=touched,
            )
        return Undone(undone=[fix.fix_id for fix in undone], conflicts=conflicts)

    async def _write(self, tx: MendingTransaction, patients: Sequence[Patient]) -> None:
        changed = {one.stored.customer_id: one for one in patients if one.changed}
        if not changed:
            return
        await tx.mending.swap({customer_id: one.swaps for customer_id, one in changed.items() if one.swaps})
        await tx.customers.replace([one.written() for one in changed.values()])
        ids = list(changed)
        await tx.journal.changed_many("customer", "updated", ids, ids)

    def _patient(self, principal: Principal, stored: Stored, details: Sequence[Detail]) -> Patient:
        region = stored.record.country or self._region
        author = Author(staff_id=principal.staff_id, source=SOURCE, now=self._clock.now(), read=self._reader(region))
        return Patient(principal, stored, details, author, self._clock.today(principal.time_zone), self._region)

    def _reader(self, region: str) -> Reader:
        def read(kind: str, text: str) -> tuple[NormalForm, bytes]:
            form = assess(ContactKind(kind), text, region)
            return form, self._lookup.of(form.kind, form.normal)

        return read


async def _open(tx: MendingTransaction, issue_id: UUID) -> Issue:
    found = await tx.mending.issues(Chosen(issue_ids=[issue_id]), fixable=False, least=0.0, after=None, limit=1)
    if found:
        return found[0]
    card = await tx.mending.issue(issue_id)
    if card is None:
        raise NoIssue
    raise IssueClosed(state=card["state"])


def _by_customer(issue: Issue) -> tuple[UUID, UUID]:
    return issue.customer_id, issue.issue_id


_OF_ISSUE = ("issue_id", "customer_id", "code", "field", "detail_id")


def _remembered(run: Run) -> dict[str, Any]:
    """A run as it is told once more: without the values."""
    return {
        "run_id": str(run.run_id),
        "after": str(run.after) if run.after else None,
        "outcomes": [
            [*(_text(getattr(one.issue, name)) for name in _OF_ISSUE), one.outcome, one.confidence]
            for one in run.outcomes
        ],
    }


def _recalled(known: Mapping[str, Any]) -> Run:
    outcomes = []
    for issue_id, customer_id, code, field, detail_id, outcome, confidence in known["outcomes"]:
        issue = Issue(
            issue_id=UUID(issue_id),
            customer_id=UUID(customer_id),
            code=code,
            field=field,
            detail_id=UUID(detail_id) if detail_id else None,
            proposal=None,
        )
        outcomes.append(Outcome(issue=issue, outcome=outcome, confidence=confidence))
    after = UUID(known["after"]) if known["after"] else None
    return Run(run_id=UUID(known["run_id"]), outcomes=outcomes, after=after)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
