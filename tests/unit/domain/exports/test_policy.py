"""What may be taken out follows from the caller's rights alone, column by column."""

from typing import cast
from uuid import uuid4

import pytest

from service.domain.access import Principal, Reach, Scope, narrowed
from service.domain.errors import MissingScope
from service.domain.exports.columns import COLUMNS
from service.domain.exports.policy import (
    NotExportable,
    RepeatedColumn,
    UnknownColumn,
    UnknownExportGroup,
    check_fetch,
    check_group,
    decide,
)

EXPORTER = (Scope.EXPORTS_CREATE, Scope.CUSTOMERS_READ)


def caller(*scopes: Scope, reach: Reach = Reach.TENANT) -> Principal:
    granted = frozenset((*scopes, Scope(f"reach:{reach}")))
    return Principal(tenant_id=1, tenant="acme", staff_id=uuid4(), subject="anna", reach=reach, scopes=granted)


@pytest.mark.parametrize("missing", EXPORTER)
def test_both_rights_are_needed(missing: Scope) -> None:
    held = [scope for scope in (*EXPORTER, Scope.CONTACTS_REVEAL, Scope.ORDERS_READ) if scope is not missing]
    with pytest.raises(MissingScope) as refusal:
        decide(caller(*held), "customers", None)
    assert refusal.value.extra == {"scope": str(missing)}


def test_contacts_are_masked_without_the_right_to_reveal() -> None:
    assert not decide(caller(*EXPORTER), "customers", ["phone"]).clear


def test_contacts_are_clear_with_the_right_to_reveal() -> None:
    assert decide(caller(*EXPORTER, Scope.CONTACTS_REVEAL), "customers", ["phone"]).clear


def test_a_file_without_contacts_reveals_nothing() -> None:
    assert not decide(caller(*EXPORTER, Scope.CONTACTS_REVEAL), "customers", ["city"]).clear


def test_without_columns_the_caller_gets_all_that_he_may_see() -> None:
    assert decide(caller(*EXPORTER, Scope.ORDERS_READ), "customers", None).names == list(COLUMNS)
    some = decide(caller(*EXPORTER), "customers", None).names
    assert "city" in some
    assert "revenue" not in some


def test_totals_asked_for_by_name_need_the_right_to_read_orders() -> None:
    with pytest.raises(MissingScope):
        decide(caller(*EXPORTER), "customers", ["city", "revenue"])


def test_columns_keep_the_order_asked_for() -> None:
    assert decide(caller(*EXPORTER), "customers", ["phone", "city", "kind"]).names == ["phone", "city", "kind"]


def test_an_unknown_column_is_named_with_those_it_may_have_meant() -> None:
    with pytest.raises(UnknownColumn) as refusal:
        decide(caller(*EXPORTER), "customers", ["city", "Phon", "§"])
    first, second = cast("list[dict[str, str]]", refusal.value.extra["errors"])
    assert first == {"pointer": "/columns/1", "detail": "There is no column 'Phon'. Did you mean phone?"}
    assert "display_name" in second["detail"]


def test_a_column_named_twice_is_refused() -> None:
    with pytest.raises(RepeatedColumn) as refusal:
        decide(caller(*EXPORTER), "customers", ["city", "kind", "city"])
    assert refusal.value.extra == {"columns": ["city"]}


def test_other_things_are_not_exported() -> None:
    with pytest.raises(NotExportable):
        decide(caller(*EXPORTER), "staff", None)


def test_a_group_needs_the_right_to_read_segments() -> None:
    check_group(caller(*EXPORTER), None)
    check_group(caller(*EXPORTER, Scope.SEGMENTS_READ), "champions")
    with pytest.raises(MissingScope):
        check_group(caller(*EXPORTER), "champions")


def test_an_unknown_group_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownExportGroup) as refusal:
        check_group(caller(*EXPORTER, Scope.SEGMENTS_READ), "champion")
    assert "champions" in cast("list[str]", refusal.value.extra["groups"])


def test_a_job_has_no_more_rights_than_the_request() -> None:
    today = caller(*EXPORTER, Scope.CONTACTS_REVEAL)
    job = narrowed(today, ["exports:create", "customers:read", "reach:own", "audit:read"])
    assert job.scopes == {Scope.EXPORTS_CREATE, Scope.CUSTOMERS_READ}
    assert job.reach is Reach.OWN


def test_a_job_has_no_right_that_was_withdrawn() -> None:
    job = narrowed(caller(Scope.CUSTOMERS_READ, reach=Reach.TEAM), [*map(str, Scope)])
    assert job.scopes == {Scope.CUSTOMERS_READ, Scope.REACH_TEAM}
    assert job.reach is Reach.TEAM


def test_a_file_is_fetched_with_the_rights_that_filled_it() -> None:
    wide = ["exports:create", "reach:tenant"]
    check_fetch(caller(*EXPORTER), wide, clear=False)
    check_fetch(caller(*EXPORTER, reach=Reach.TEAM), ["exports:create", "reach:own"], clear=False)
    check_fetch(caller(*EXPORTER, Scope.CONTACTS_REVEAL), wide, clear=True)
    for principal, clear, scope in (
        (caller(Scope.CUSTOMERS_READ), False, "exports:create"),
        (caller(*EXPORTER), True, "contacts:reveal"),
        (caller(*EXPORTER, reach=Reach.TEAM), False, "reach:tenant"),
    ):
        with pytest.raises(MissingScope) as refusal:
            check_fetch(principal, wide, clear=clear)
        assert refusal.value.extra == {"scope": scope}
