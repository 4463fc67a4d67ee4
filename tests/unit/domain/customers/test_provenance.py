"""Every field knows its source, and a record written in one go keeps nothing for it."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from service.domain.customers.provenance import Origin, Provenance, begun, restored

_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_NAMES = ("family_name", "city", "tags", "attributes.size")
fields = st.frozensets(st.sampled_from(_NAMES), min_size=1)
sources = st.sampled_from(["api", "customer", "import 1", "curator 2"])
moments = st.integers(0, 5).map(lambda hours: _NOW + timedelta(hours=hours))
steps = st.lists(st.tuples(st.just("set"), fields, sources, moments) | st.tuples(st.just("verify"), fields, moments))


def test_a_record_made_by_an_import_or_the_api_keeps_nothing() -> None:
    assert begun("import 0198").stored() == begun("api").stored() == []
    assert begun("curator 7").stored() == [{"s": "curator 7"}]


def test_fields_that_share_a_source_share_a_group() -> None:
    found = begun("curator 7").set(["city", "region"], "customer", _NOW).verify(["city"], _NOW + timedelta(hours=1))
    assert found.stored() == [
        {"s": "curator 7"},
        {"s": "customer", "t": 1772366400, "v": 1772370000, "f": ["city"]},
        {"s": "customer", "t": 1772366400, "f": ["region"]},
    ]
    assert found.of("family_name") == Origin(source="curator 7")


def test_what_is_set_anew_has_not_been_checked() -> None:
    checked = Provenance().verify(["city"], _NOW)
    assert checked.of("city").verified_at == _NOW
    assert checked.set(["city"], "api", _NOW).of("city").verified_at is None


@given(sources, steps)
def test_the_last_word_on_each_field_counts_and_survives_storing(source: str, played: list[tuple[object, ...]]) -> None:
    kept = begun(source)
    plain = dict.fromkeys(_NAMES, kept.origin)
    for step in played:
        match step:
            case ("set", frozenset() as names, str() as by, datetime() as when):
                kept = kept.set(names, by, when)
                plain |= dict.fromkeys(names, Origin(source=by, set_at=when))
            case ("verify", frozenset() as names, datetime() as when):
                kept = kept.verify(names, when)
                for name in names:
                    old = plain[name]
                    plain[name] = Origin(source=old.source, set_at=old.set_at, verified_at=when)
    again = restored(kept.stored())
    assert {name: again.of(name) for name in _NAMES} == plain == {name: kept.of(name) for name in _NAMES}
    assert len(kept.stored()) <= len(_NAMES) + 1
