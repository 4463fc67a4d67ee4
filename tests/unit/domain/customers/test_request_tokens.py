"""A pass to ask for a record works for whom it was made, for a day, and tells nothing."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from service.domain.customers.request_tokens import RequestTokens

_TOKENS = RequestTokens(b"a key")
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(customer_id=st.uuids(), staff_id=st.uuids(), hours=st.integers(0, 24))
def test_a_pass_names_its_record_to_its_holder_within_a_day(customer_id: UUID, staff_id: UUID, hours: int) -> None:
    token = _TOKENS.make(tenant_id=1, staff_id=staff_id, customer_id=customer_id, now=_NOW)
    now = _NOW + timedelta(hours=hours)
    assert _TOKENS.read(token, tenant_id=1, staff_id=staff_id, now=now) == customer_id
    assert customer_id.hex not in token


def test_a_pass_is_of_no_use_to_others_nor_later() -> None:
    customer_id, staff_id = uuid4(), uuid4()
    token = _TOKENS.make(tenant_id=1, staff_id=staff_id, customer_id=customer_id, now=_NOW)
    later = _NOW + timedelta(days=1, seconds=1)
    assert _TOKENS.read(token, tenant_id=1, staff_id=uuid4(), now=_NOW) is None
    assert _TOKENS.read(token, tenant_id=2, staff_id=staff_id, now=_NOW) is None
    assert _TOKENS.read(token, tenant_id=1, staff_id=staff_id, now=later) is None
    assert RequestTokens(b"another").read(token, tenant_id=1, staff_id=staff_id, now=_NOW) is None


@given(text=st.text(max_size=80))
def test_any_other_text_is_no_pass(text: str) -> None:
    assert _TOKENS.read(text, tenant_id=1, staff_id=uuid4(), now=_NOW) is None
