"""Who may take out what: nothing without `exports:create`, nothing that the caller could not read, contacts masked
without `contacts:reveal`. A migration is all or nothing: every column in clear, over the whole tenant.

A job runs with what was asked for: the rights of the request, less those that have been withdrawn since, and never the
wider ones that the staff row may allow beside them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from service.domain.access import Principal, Reach, Scope, grant, widest_reach
from service.domain.errors import Rejected
from service.domain.exports.agreement import Kind
from service.domain.exports.columns import COLUMNS, Column, Part, close_to
from service.domain.exports.errors import MigrationIsWhole, MigrationNeedsAll
from service.domain.segmentation.rfm_groups import DEFAULT_GROUPS

_WIDTH = {Reach.OWN: 0, Reach.TEAM: 1, Reach.TENANT: 2}


class NotExportable(Rejected):
    code = "export-what-unknown"
    title = "What is to be exported is none of the things that can be."


class UnknownColumn(Rejected):
    code = "export-column-unknown"
    title = "An export has no column of this name."


class RepeatedColumn(Rejected):
    code = "export-column-repeated"
    title = "A column is named twice."


class UnknownExportGroup(Rejected):
    code = "export-group-unknown"
    title = "There is no RFM group of this name."


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What a person asks for: which records, which columns, how written, and why. A rule is kept as text, as those
    who decide read it."""

    what: str
    purpose: str
    columns: tuple[str, ...] | None = None
    group: str | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    delimiter: str = ","
    bom: bool = False
    kind: Kind = "plain"
    rule: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPlan:
    """What will be written; `clear` = contacts are shown, which is a reveal of every row; `exact` = each cell is
    written as it is stored, without a mark and with what a spreadsheet could run."""

    what: str
    columns: tuple[Column, ...]
    clear: bool
    exact: bool = False

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]


def decide(
    principal: Principal,
    what: str,
    columns: Sequence[str] | None,
    kind: Kind = "plain",
    known: Mapping[str, Column] = COLUMNS,
) -> ExportPlan:
    """What this caller gets of the known columns; without `columns` all that he may see. Raises MissingScope,
    UnknownColumn …"""
    principal.require(Scope.EXPORTS_CREATE)
    principal.require(Scope.CUSTOMERS_READ)
    if what != "customers":
        raise NotExportable(what=["customers"])
    if kind == "migration":
        return _whole(principal, what, columns, known)
    chosen = _all_for(principal, known) if columns is None else _named(columns, known)
    for column in chosen:
        principal.require(column.needs)
    contacts = any(column.part is Part.CONTACTS for column in chosen)
    return ExportPlan(what=what, columns=chosen, clear=contacts and principal.may(Scope.CONTACTS_REVEAL))


def _whole(principal: Principal, what: str, columns: Sequence[str] | None, known: Mapping[str, Column]) -> ExportPlan:
    # As it was kept with its request, a migration names all columns; own fields may have come or gone meanwhile.
    if columns is not None and tuple(columns[: len(COLUMNS)]) != tuple(COLUMNS):
        raise MigrationIsWhole(pointer="/columns")
    if principal.reach is not Reach.TENANT:
        raise MigrationNeedsAll
    for scope in (Scope.CONTACTS_REVEAL, *(column.needs for column in known.values())):
        principal.require(scope)
    return ExportPlan(what=what, columns=tuple(known.values()), clear=True, exact=True)


def check_group(principal: Principal, group: str | None) -> None:
    """A group is a piece of segmentation: it must exist, and the caller must be allowed to read segments."""
    if group is None:
        return
    principal.require(Scope.SEGMENTS_READ)
    if group not in DEFAULT_GROUPS.names:
        raise UnknownExportGroup(f"There is no RFM group {group!r}.", groups=list(DEFAULT_GROUPS.names))


def check_fetch(principal: Principal, asked_with: Iterable[str], *, clear: bool) -> None:
    """A file is fetched with no less than the rights that filled it: the same reach, and the right to reveal."""
    principal.require(Scope.EXPORTS_CREATE)
    if clear:
        principal.require(Scope.CONTACTS_REVEAL)
    asked = widest_reach(grant(asked_with, Scope))
    if _WIDTH[principal.reach] < _WIDTH[asked]:
        principal.require(Scope(f"reach:{asked}"))


def _all_for(principal: Principal, known: Mapping[str, Column]) -> tuple[Column, ...]:
    return tuple(column for column in known.values() if principal.may(column.needs))


def _named(names: Sequence[str], known: Mapping[str, Column]) -> tuple[Column, ...]:
    unknown = [_unknown(index, name, known) for index, name in enumerate(names) if name not in known]
    if unknown:
        raise UnknownColumn(unknown[0]["detail"], errors=unknown)
    if len(set(names)) < len(names):
        raise RepeatedColumn(columns=sorted({name for name in names if names.count(name) > 1}))
    return tuple(known[name] for name in names)


def _unknown(index: int, name: str, known: Mapping[str, Column]) -> dict[str, str]:
    matches = close_to(name, known)
    meant = f"Did you mean {' or '.join(matches)}?" if matches else f"The columns are {', '.join(known)}."
    return {"pointer": f"/columns/{index}", "detail": f"There is no column {name!r}. {meant}"}
