"""The score of a record, and what it is fit for."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from service.domain.quality.model import Card, ContactSeen, Severity
from service.domain.quality.scoring import PURPOSES, Fault, scored

_PHONES = tuple(ContactSeen(kind="phone", value="+79161234567", detail_id=name) for name in ("p1", "p2"))
_WHOLE = Card(
    fields={"family_name": "Орлова", "given_name": "Анна", "city": "Тула", "postal_code": "300000"},
    birth_date=date(1980, 5, 17),
    contacts=(*_PHONES, ContactSeen(kind="email", value="a@yandex.ru", detail_id="e")),
    today=date(2026, 7, 1),
)
_PLACES = [
    *(("contacts", name) for name in ("p1", "p2", "e")),
    *((name, None) for name in ("family_name", "given_name", "city", "postal_code", "birth_date")),
]
_FAULTS = st.lists(
    st.tuples(st.sampled_from(_PLACES), st.sampled_from(list(Severity))).map(lambda one: Fault(*one[0], one[1])),
    max_size=12,
)


def test_a_whole_record_without_faults_is_fit_for_everything() -> None:
    score = scored(_WHOLE, [])
    assert score.points == 100
    assert all(getattr(score, purpose) for purpose in PURPOSES)


def test_an_empty_record_is_fit_for_nothing() -> None:
    score = scored(Card(today=date(2026, 7, 1)), [])
    assert score.points == 0
    assert not any(getattr(score, purpose) for purpose in PURPOSES)


def test_of_several_contacts_the_best_one_counts() -> None:
    one = scored(_WHOLE, [Fault("contacts", "p1", Severity.ERROR)])
    both = scored(_WHOLE, [Fault("contacts", name, Severity.ERROR) for name in ("p1", "p2")])
    assert (one.points, one.call) == (100, True)
    assert (both.points, both.call, both.mail) == (75, False, True)


def test_a_warning_halves_a_part_and_keeps_it_fit() -> None:
    score = scored(_WHOLE, [Fault("contacts", "e", Severity.WARNING)])
    assert (score.points, score.mail) == (90, True)


def test_an_organisation_is_invoiced_by_its_name_and_number() -> None:
    inn = ContactSeen(kind="inn", value="7707083893", detail_id="i")
    card = Card(kind="organisation", fields={"legal_name": "Ромашка"}, contacts=(inn,), today=date(2026, 7, 1))
    assert scored(card, []).invoice
    assert not scored(card, [Fault("contacts", "i", Severity.ERROR)]).invoice


def test_weights_of_nothing_score_nothing() -> None:
    assert scored(_WHOLE, [], dict.fromkeys(("name", "phone", "email", "address", "birth_date"), 0)).points == 0


@given(_FAULTS, _FAULTS)
def test_more_faults_never_score_higher_nor_fit_more(some: list[Fault], others: list[Fault]) -> None:
    less, more = scored(_WHOLE, some), scored(_WHOLE, [*some, *others])
    assert 0 <= more.points <= less.points <= 100
    assert all(getattr(less, purpose) or not getattr(more, purpose) for purpose in PURPOSES)
