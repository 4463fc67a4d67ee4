"""A rule that is printed is read back as the same rule, and any text is read or refused with its place."""

from datetime import date
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service.domain.access import Scope
from service.domain.errors import Rejected
from service.domain.rules.binding import bind
from service.domain.rules.errors import RuleTooLarge, RuleUnreadable
from service.domain.rules.model import Field, Rule
from service.domain.rules.parsing import parse
from service.domain.rules.printing import printed
from tests.contract.rule_worlds import CATALOGUE, TODAY, rules

_SCOPES = frozenset(Scope)
_PEOPLE = (UUID(int=1), UUID(int=2))


def bound(rule: Rule) -> Rule:
    return bind(rule, CATALOGUE, _SCOPES, TODAY)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rules(_PEOPLE))
def test_what_is_printed_is_read_back(rule: Rule) -> None:
    try:
        known = bound(rule)
    except RuleTooLarge:
        return
    assert bound(parse(printed(known)).rule) == known


@settings(max_examples=300, deadline=None)
@example("((((((((((((((((((((city is missing")
@example('city = "\\u12"')
@example('city = "\\ud800"')
@example("orders.sum(last 99999999999999999999 days) > 1")
@example("birth_date = 2026-02-30")
@given(
    st.lists(
        st.sampled_from(
            ["city", "=", '"a"', "and", "or", "not", "(", ")", "orders", ".", "sum", "last", "3", "days", ",", "in",
             "today", "-", "2026-03-01", "is", "missing", "birthday", "within", "consent", "share", "\n", "\x00", "é"]
        ),
        max_size=14,
    ).map(" ".join)
)  # fmt: skip
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    try:
        bound(parse(text).rule)
    except Rejected as refused:
        kind, told = type(refused), refused.extra
    else:
        return
    if kind is RuleUnreadable:
        lines = text.split("\n")
        line, column = int(str(told["line"])), int(str(told["column"]))
        assert 1 <= line <= len(lines)
        assert 1 <= column <= len(lines[line - 1]) + 1
    else:
        assert told["pointer"] is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('city="Казань"and not tags has any("vip")', 'city = "Казань" and not tags has any ("vip")'),
        ("status = customer or kind=person and gender = male",
         'status = "customer" or (kind = "person" and gender = "male")'),
        ("(status = customer or kind = person) and not (gender = male)",
         '(status = "customer" or kind = "person") and not gender = "male"'),
        ("orders.count(last 90 days, category \"Чай\") between 2 and 5",
         'orders.count(last 90 days, category "Чай") between 2 and 5'),
        ("created_at >= today - 7 days", "created_at >= today - 7 days"),
        ("birth_date = 2026-03-01", "birth_date = 2026-03-01"),
        ("orders.sum > 50000.00", "orders.sum > 50000"),
        ('consent "ads" by "sms" withdrawn', 'consent "ads" by "sms" withdrawn'),
        ('attributes."met on" is present', 'attributes."met on" is present'),
    ],
)  # fmt: skip
def test_texts_have_one_form(text: str, said: str) -> None:
    assert printed(bound(parse(text).rule)) == said


def test_a_day_is_kept_relative() -> None:
    rule = bound(parse("created_at >= today - 7 days").rule)
    assert isinstance(rule, Field)
    assert not isinstance(rule.value, date)


def test_the_examples_of_the_document_are_rules() -> None:
    lines = Path("docs/segmentation.md").read_text(encoding="utf-8").splitlines()
    texts = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert len(texts) == 15
    for text in texts:
        known = bound(parse(text).rule)
        assert bound(parse(printed(known)).rule) == known
