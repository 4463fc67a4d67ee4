"""Which value of each unit survives, and why.

What somebody chooses comes from the record that he names. Else a rule decides among the records that fill the unit: the
survivor's own value stays unless the caller asks for another rule; lists are joined; the status is the furthest that
any has come to; the channel is the oldest, for that one brought the customer. Of a place, parts that the chosen record
leaves open come from records that agree with it in all the rest, so that no address is put together of two.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from service.domain.customers.model import Record
from service.domain.customers.names import fold
from service.domain.customers.provenance import Provenance, restored
from service.domain.merging.errors import BadSurvivorship
from service.domain.merging.model import (
    GROUPS,
    LISTS,
    SINGLE,
    Candidate,
    MergeOrder,
    Rule,
    Value,
    Wish,
    fullness,
    is_filled,
    parts,
    same,
    told_value,
    units,
    value_of,
    with_value,
)

_OWN_RULES = {"status": Rule.FURTHEST, "channel_id": Rule.OLDEST} | dict.fromkeys(LISTS, Rule.UNION)
_STATUSES = ("customer", "lapsed", "prospect", "archived")
_NEVER = datetime.min.replace(tzinfo=UTC)
# Of a place the first parts say where a record is; a record that differs there can't lend the rest.
_PLACE = GROUPS["place"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of one unit: the value, the record it is taken from (None: of several), and by which rule."""

    unit: str
    value: Value
    taken_from: UUID | None
    rule: Rule | None
    differs: bool


def survivor_of(candidates: Sequence[Candidate], asked: UUID | None) -> Candidate:
    """The record that stays: the one asked for, else the one with most orders, the fullest, the oldest."""
    if asked is not None:
        found = next((one for one in candidates if one.customer_id == asked), None)
        if found is None:
            raise BadSurvivorship("The survivor is one of the records.", pointer="/survivor_id")
        return found
    return min(candidates, key=lambda one: (-one.orders, -fullness(one.record), one.created_at, one.customer_id.int))


def decide(candidates: Sequence[Candidate], survivor: Candidate, order: MergeOrder) -> list[Decision]:
    """What becomes of each unit that any of the records fills."""
    found = units(one.record for one in candidates)
    known = {*SINGLE, *GROUPS, *LISTS, *found}
    for unit, wish in order.wishes.items():
        if unit not in known:
            raise BadSurvivorship("There is no such field in these records.", pointer=f"/fields/{unit}")
        _check(unit, wish, candidates)
    decisions = [_decided(unit, candidates, survivor, order) for unit in found]
    return [_of_a_buyer(one, candidates) if one.unit == "status" else one for one in decisions]


def merged(survivor: Candidate, decisions: Sequence[Decision]) -> Record:
    """The record that comes of the decisions."""
    record = survivor.record
    for one in decisions:
        record = with_value(record, one.unit, one.value)
    return record


def provenance_of(survivor: Candidate, candidates: Sequence[Candidate], decisions: Sequence[Decision]) -> Provenance:
    """The survivor's, with the origins of the values that come from others."""
    known = restored(survivor.provenance)
    by_id = {one.customer_id: one for one in candidates}
    own = dict(known.fields or {})
    for one in decisions:
        source = by_id.get(one.taken_from or survivor.customer_id)
        if source is None or source is survivor or same(value_of(survivor.record, one.unit), one.value):
            continue
        if one.unit not in ("status", "curator"):
            origin = source.origin(one.unit)
            # Provenance is kept in whole seconds; what is implied is not.
            whole = replace(origin, set_at=origin.set_at and origin.set_at.replace(microsecond=0))
            own |= dict.fromkeys(parts(one.unit), whole)
    return replace(known, fields=own) if own else known


def _check(unit: str, wish: Wish, candidates: Sequence[Candidate]) -> None:
    place = f"/fields/{unit}"
    if wish.taken_from is not None and wish.taken_from not in {one.customer_id for one in candidates}:
        raise BadSurvivorship("The value is taken from one of the records.", pointer=place)
    if (wish.rule is Rule.UNION and unit not in LISTS) or (wish.rule is Rule.FURTHEST and unit != "status"):
        raise BadSurvivorship(f"The rule {wish.rule} does not fit this field.", pointer=place)


def _decided(unit: str, candidates: Sequence[Candidate], survivor: Candidate, order: MergeOrder) -> Decision:
    wish = order.wishes.get(unit, Wish())
    filling = [one for one in candidates if is_filled(one.record, unit)]
    differs = len({_comparable(value_of(one.record, unit)) for one in filling}) > 1
    if wish.taken_from is not None:
        chosen = next(one for one in candidates if one.customer_id == wish.taken_from)
        value = value_of(chosen.record, unit)
        return Decision(unit=unit, value=value, taken_from=wish.taken_from, rule=None, differs=differs)
    rule = wish.rule or _OWN_RULES.get(unit, order.rule)
    if rule is Rule.UNION:
        joined = _joined(survivor, filling, unit)
        return Decision(unit=unit, value=joined, taken_from=None, rule=rule, differs=differs)
    ranked = sorted(filling, key=_ranking(rule, unit, survivor, filling))
    value = value_of(ranked[0].record, unit)
    if unit == "place":
        value = _completed(value, [value_of(one.record, unit) for one in ranked[1:]])
    return Decision(unit=unit, value=value, taken_from=ranked[0].customer_id, rule=rule, differs=differs)


def _of_a_buyer(status: Decision, candidates: Sequence[Candidate]) -> Decision:
    """Who has a counted order is no prospect, whatever was chosen."""
    bought = any(one.orders for one in candidates)
    return replace(status, value="customer") if bought and status.value == "prospect" else status


def _ranking(
    rule: Rule, unit: str, survivor: Candidate, filling: Sequence[Candidate]
) -> Callable[[Candidate], tuple[Any, ...]]:
    def age(one: Candidate) -> float:
        return (one.origin(unit).set_at or one.created_at).timestamp()

    def first(one: Candidate) -> Any:
        match rule:
            case Rule.OLDEST:
                return age(one)
            case Rule.VERIFIED:
                return -(one.origin(unit).verified_at or _NEVER).timestamp()
            case Rule.COMMON:
                mine = _comparable(value_of(one.record, unit))
                return -sum(_comparable(value_of(other.record, unit)) == mine for other in filling)
            case Rule.LONGEST:
                return -len(str(told_value(one.record, unit)))
            case Rule.FURTHEST:
                return _STATUSES.index(one.record.status)
            case Rule.SURVIVOR:
                return one is not survivor
        return 0  # the newest

    return lambda one: (first(one), -age(one), one is not survivor, one.customer_id.int)


def _joined(survivor: Candidate, filling: Sequence[Candidate], unit: str) -> list[str]:
    ordered = sorted(filling, key=lambda one: (one is not survivor, one.customer_id.int))
    return list(dict.fromkeys(word for one in ordered for word in value_of(one.record, unit)))


def _completed(place: Sequence[str | None], others: Sequence[Sequence[str | None]]) -> tuple[str | None, ...]:
    found = tuple(place)
    for other in others:
        agrees = all(a is None or b is None or fold(a) == fold(b) for a, b in zip(found, other, strict=True))
        shared = any(a is not None and b is not None for a, b in zip(found, other, strict=True))
        if agrees and shared:
            found = tuple(a if a is not None else b for a, b in zip(found, other, strict=True))
    return found


def _comparable(value: Value) -> Any:
    """Something that can stand in a set: lists without their order."""
    return tuple(sorted(map(str, value))) if isinstance(value, list) else repr(value)
