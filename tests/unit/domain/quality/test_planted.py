"""Held against the planted faults: how many are found, how many findings are right, and what the fixes restore."""

from collections import Counter
from functools import cache

from service.domain.customers.names import fold
from service.domain.quality.catalogue import CHECKS, examined
from service.domain.quality.model import Card, Cause, Finding
from tests.unit.domain.quality.planted import Planted, mended, planted

# What each planted fault must be found as, and its cause.
FOUND_AS: dict[str, tuple[frozenset[str], Cause]] = {
    "BAD:dob_default": (frozenset({"birth-date-placeholder"}), Cause.FALSE),
    "BAD:dob_future": (frozenset({"birth-date-future"}), Cause.FALSE),
    "BAD:dob_impossible": (frozenset({"birth-date-impossible"}), Cause.FALSE),
    "BAD:double_space": (frozenset({"stray-blanks"}), Cause.ENTRY),
    "BAD:email_disposable": (frozenset({"email-disposable"}), Cause.FALSE),
    "BAD:email_role": (frozenset({"email-role"}), Cause.FALSE),
    "BAD:email_syntax": (frozenset({"email-syntax"}), Cause.ENTRY),
    "BAD:gender_disagree": (frozenset({"gender-disagrees"}), Cause.ENTRY),
    "BAD:inn_checksum": (frozenset({"requisite-control-digit"}), Cause.FALSE),
    "BAD:mojibake": (frozenset({"mojibake"}), Cause.TRANSFER),
    "BAD:phone_fake": (frozenset({"phone-fake"}), Cause.FALSE),
    "BAD:phone_short": (frozenset({"phone-impossible"}), Cause.ENTRY),
    "BAD:placeholder_name": (frozenset({"made-up-name", "filler"}), Cause.FALSE),
    "BAD:stale_2_years": (frozenset({"no-activity"}), Cause.STALE),
    "BAD:surname_in_first": (frozenset({"whole-name-in-one-field"}), Cause.TRANSFER),
    "BAD:zip_city_mismatch": (frozenset({"postal-code-region"}), Cause.ENTRY),
}
# What else was planted as a difference between copies, and is a fault to whoever looks at the record alone.
ALSO_FOUND_AS = {
    "translit": {"latin-name"},
    "homoglyph": {"mixed-alphabets", "wrong-keyboard-layout"},
    "layout": {"wrong-keyboard-layout"},
    "upper": {"letter-case"},
    "email_domain_typo": {"email-domain-typo"},
    "swap_fio": {"swapped-name-parts"},
    "initials": {"initials-only"},
    "typo_surname": {"name-typo"},
    "no_phone": {"no-contact"},
    "no_email": {"no-contact"},
}
# The same fault seen from another side: a whole name may end in a blank, what was typed in Latin letters may stay so.
_BESIDE = {"BAD:surname_in_first": {"stray-blanks"}, "layout": {"latin-name"}, "homoglyph": {"latin-name"}}
# The faults whose truth stands in the record: in the letters themselves, or in the customer's own address.
NAME_MENDED = ("BAD:double_space", "BAD:mojibake", "BAD:surname_in_first", "homoglyph", "layout", "upper", "swap_fio")
EMAIL_MENDED = ("BAD:email_syntax", "email_domain_typo")


@cache
def looked_at() -> list[tuple[Planted, list[Finding]]]:
    return [(one, examined(one.card)) for one in planted()]


def _named(fault: str, findings: list[Finding]) -> list[Finding]:
    return [one for one in findings if one.code in FOUND_AS[fault][0]]


def test_of_the_planted_faults_95_in_100_are_found_with_their_cause() -> None:
    counts = Counter[str]()
    for row, findings in looked_at():
        for fault in row.faults & FOUND_AS.keys():
            named = _named(fault, findings)
            counts["planted"] += 1
            counts["found"] += bool(named)
            counts["cause"] += any(CHECKS[one.code].cause is FOUND_AS[fault][1] for one in named)
    assert counts["planted"] >= 140
    assert counts["found"] / counts["planted"] >= 0.95
    assert counts["cause"] / counts["found"] >= 0.95


def test_of_the_findings_95_in_100_are_of_something_planted() -> None:
    wrong = []
    total = 0
    for row, findings in looked_at():
        planted_here = set[str]()
        for fault in row.faults:
            planted_here |= FOUND_AS[fault][0] if fault in FOUND_AS else ALSO_FOUND_AS.get(fault, set())
            planted_here |= _BESIDE.get(fault, set())
        total += len(findings)
        wrong += [(row.number, one.code) for one in findings if one.code not in planted_here]
    assert total > 300
    assert len(wrong) / total <= 0.05, wrong


def test_rows_without_a_fault_have_no_finding() -> None:
    clean = [(row, findings) for row, findings in looked_at() if not row.faults]
    assert len(clean) > 500
    assert sum(bool(findings) for _, findings in clean) / len(clean) <= 0.005


def _parts(card: Card) -> list[str]:
    held = [card.fields.get(part, "") for part in ("family_name", "given_name", "patronymic")]
    return [fold(part) for part in held]


def _is_true(card: Card, row: Planted) -> bool:
    """Whether the name is the true one; initials and a patronymic left out say nothing against it."""
    true = fold(row.truth["true_fio"]).split()
    return all(
        got == meant or (not got and at == 2) or ("initials" in row.faults and got[:1] == meant[:1])
        for at, (got, meant) in enumerate(zip(_parts(card), true, strict=False))
    )


def _email(card: Card) -> str:
    return next((one.value.lower() for one in card.contacts if one.kind == "email"), "")


def test_nine_fixes_in_ten_restore_the_true_value() -> None:
    restored, total, missed = 0, 0, []
    for row, _ in looked_at():
        after = mended(row.card)
        lost = "translit" in row.faults or "typo_surname" in row.faults or "BAD:placeholder_name" in row.faults
        for fault in row.faults & {*NAME_MENDED, *EMAIL_MENDED}:
            if fault in EMAIL_MENDED:
                if not _email(row.card) or {"BAD:email_disposable", "BAD:email_role"} & row.faults:
                    continue
                right = _email(after) == row.truth["true_email"].lower()
            elif lost or "BAD:gender_disagree" in row.faults:
                continue
            else:
                right = _is_true(after, row)
            total += 1
            restored += right
            if not right:
                missed.append((row.number, fault, dict(after.fields), _email(after)))
    assert total > 150
    assert restored / total >= 0.9, missed


def test_a_family_name_is_mended_from_the_customers_own_address() -> None:
    slips = [row for row, _ in looked_at() if "typo_surname" in row.faults and "translit" not in row.faults]
    right = sum(_is_true(mended(row.card), row) for row in slips)
    assert right / len(slips) >= 0.7
    changed = [
        row.number
        for row, findings in looked_at()
        if "typo_surname" not in row.faults and any(one.code == "name-typo" for one in findings)
    ]
    assert not changed
