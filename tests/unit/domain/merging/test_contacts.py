"""The contacts of records that become one: each once, and one primary of a kind."""

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from service.domain.merging.contacts import Held, pooled

_AT = datetime(2026, 1, 1, tzinfo=UTC)
SURVIVOR = UUID(int=1)
_held = st.builds(
    Held,
    detail_id=st.uuids(),
    customer_id=st.sampled_from([UUID(int=n) for n in (1, 2, 3)]),
    kind=st.sampled_from(["phone", "email"]),
    lookup=st.sampled_from([b"a", b"b", b"c"]),
    masked=st.just("•"),
    is_primary=st.booleans(),
    verified_at=st.sampled_from([None, _AT]),
    created_at=st.just(_AT),
)


def _one_of_each(held: list[Held]) -> list[Held]:
    """As records are: no contact twice in one."""
    return list({(one.customer_id, one.kind, one.lookup): one for one in held}.values())


@given(st.lists(_held, max_size=12).map(_one_of_each))
def test_each_contact_stays_once_and_none_is_lost(held: list[Held]) -> None:
    found = pooled(SURVIVOR, held)
    kept = [one for one in found if one.same_as is None]
    keys = [(one.contact.kind, one.contact.lookup) for one in kept]
    assert sorted(keys) == sorted(set(keys))
    assert set(keys) == {(one.kind, one.lookup) for one in held}
    assert {one.contact.detail_id for one in found} == {one.detail_id for one in held}
    by_id = {one.contact.detail_id: one.contact for one in kept}
    for one in found:
        if one.same_as is not None:
            twin = by_id[one.same_as]
            assert (twin.kind, twin.lookup) == (one.contact.kind, one.contact.lookup)


@given(st.lists(_held, max_size=12).map(_one_of_each))
def test_the_survivor_s_contacts_are_not_touched_and_lead(held: list[Held]) -> None:
    found = pooled(SURVIVOR, held)
    for one in found:
        if one.contact.customer_id == SURVIVOR:
            assert (one.same_as, one.is_primary) == (None, one.contact.is_primary)
    for kind in ("phone", "email"):
        of_kind = [one for one in found if one.contact.kind == kind and one.same_as is None]
        own = [one for one in of_kind if one.contact.customer_id == SURVIVOR]
        others = [one for one in of_kind if one not in own]
        assert sum(one.is_primary for one in others) == (0 if own or not others else 1)
