"""Depth: three levels, each on top of the one before, and what would lift a record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.customers.depth import FACTS, FIELDS, LEVELS, depth, lifts, missing

facts = st.frozensets(st.sampled_from(FACTS))


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ("", "none"),
        ("name", "none"),
        ("name contact", "mailing"),
        ("name contact requisites", "accounting"),
        ("name contact order", "accounting"),
        ("requisites order orders address curator preferences", "none"),
        ("name contact order orders", "accounting"),
        ("name contact order orders curator", "extended"),
        ("name contact requisites address curator", "extended"),
        ("name contact requisites preferences", "accounting"),
    ],
)
def test_the_depth_is_the_last_level_whose_needs_are_all_met(held: str, expected: str) -> None:
    assert depth(held.split()) == expected


def test_what_is_missing_is_named_with_its_alternatives() -> None:
    assert missing(["name"]) == ("mailing", [("contact",)])
    assert missing(["name", "contact"]) == ("accounting", [("requisites", "order")])
    assert missing(["name", "contact", "order"]) == (
        "extended",
        [("address", "preferences", "orders"), ("curator",)],
    )
    assert missing(FACTS) == (None, [])


def test_a_field_lifts_alone_or_not_at_all() -> None:
    assert lifts([]) == []
    assert lifts(["name"]) == ["contact"]
    assert lifts(["name", "contact", "order"]) == []
    assert lifts(["name", "contact", "order", "city", "curator"]) == ["address", "preferences"]


@given(facts, st.sampled_from(FIELDS))
def test_more_facts_never_make_a_record_shallower(held: frozenset[str], more: str) -> None:
    order = ["none", *(name for name, _ in LEVELS)]
    assert order.index(depth(held)) <= order.index(depth({*held, more}))
    assert (more in lifts(held)) == (depth(held) != depth({*held, more}))
