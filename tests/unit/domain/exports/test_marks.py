"""A mark names its export from a part of the file, and nobody else's."""

import random
from collections.abc import Sequence
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from service.domain.customers.contacts import ContactKind, assess
from service.domain.exports.marks import CARRIERS, Form, MarkKeys, evidence_of, named, scores, shown, written
from service.domain.ingestion.texts import text

_KEYS = MarkKeys(b"a secret")
_FAMILY = ["Иванов", "Петрова", "Орлова", "Ким", "Смирнов", "Волкова", "Гусев", "Лебедева", "Зайцев", "Белова"]
_GIVEN = ["Анна", "Иван", "Мария", "Олег", "Юлия", "Пётр", "Вера", "Лев", "Нина", "Егор"]
_COLUMNS = ("display_name", "family_name", "city", "email", "phone")
_KEY = _KEYS.of(1, UUID(int=7))


def base(size: int, seed: int = 1) -> list[dict[str, str]]:
    chance = random.Random(seed)
    rows = []
    for number in range(size):
        family = chance.choice(_FAMILY) + chance.choice(["", "ко", "ский", "ян"]) * (number % 3)
        name = f"{family} {chance.choice(_GIVEN)} {chance.choice(_GIVEN)}ович"
        phone = f"+79{chance.randrange(10**9):09}"
        rows.append(
            {
                "display_name": name,
                "family_name": family,
                "city": chance.choice(["Казань", "Омск"]),
                "email": f"user{number}@example.org",
                "phone": phone,
            }
        )
    return rows


def exported(
    rows: Sequence[dict[str, str]], keys: MarkKeys, export_id: UUID, *, sparse: bool = False
) -> list[dict[str, str]]:
    """What the file of that export holds: the pure meaning of what the database writes."""
    key = keys.of(1, export_id, sparse=sparse)
    return [
        {name: written(CARRIERS[name], key, cell) if name in CARRIERS else cell for name, cell in row.items()}
        for row in rows
    ]


def leaked(file: Sequence[dict[str, str]], chance: random.Random, share: float = 0.3) -> list[list[str]]:
    """A part of the file, shuffled, with columns dropped (a name or an e-mail stays) and phones written otherwise."""
    columns = [chance.choice(["display_name", "email"])]
    columns += [name for name in _COLUMNS if name not in columns and chance.random() < 0.5]
    chance.shuffle(columns)
    rows = chance.sample(list(file), int(len(file) * share))
    return [[_rewritten(row[name]) if name == "phone" else row[name] for name in columns] for row in rows]


def _rewritten(phone: str) -> str:
    digits = phone.replace(" ", "")
    return f"8 ({digits[2:5]}) {digits[5:8]}-{digits[8:10]}-{digits[10:]}"


def whose(rows: Sequence[Sequence[str]], exports: Sequence[UUID], keys: MarkKeys = _KEYS) -> list[UUID]:
    known = {export_id: keys.of(1, export_id) for export_id in exports}
    return [one.export_id for one in named(scores(evidence_of(rows), known), len(known))]


def test_a_part_names_its_export_and_nobody_else() -> None:
    chance = random.Random(2)
    rows = base(1_000)
    exports = [UUID(int=number) for number in range(100)]
    for export_id in chance.sample(exports, 8):
        assert whose(leaked(exported(rows, _KEYS, export_id), chance), exports) == [export_id]


def test_a_part_of_a_large_file_names_it_by_every_third_of_its_names() -> None:
    rows = exported(base(1_000), _KEYS, UUID(int=3), sparse=True)
    known = {UUID(int=number): _KEYS.of(1, UUID(int=number), sparse=number % 2 == 1) for number in range(50)}
    bits = evidence_of([row["display_name"], row["city"]] for row in rows[:300])
    assert [one.export_id for one in named(scores(bits, known), len(known))] == [UUID(int=3)]


def test_a_file_that_is_nobodys_is_nobodys() -> None:
    rows = base(500)
    plain = [list(row.values()) for row in rows]
    strange = [list(row.values()) for row in exported(rows, MarkKeys(b"another secret"), UUID(int=3))]
    dirty = [[cell + " " * (number % 2) for cell in row] for number, row in enumerate(plain)]
    exports = [UUID(int=number) for number in range(100)]
    for file in (plain, strange, dirty, [], [["Иванов "], ["Ким"]]):
        assert whose(file, exports) == []


def test_what_was_evened_out_does_not_hide_the_rest() -> None:
    marked = exported(base(400), _KEYS, UUID(int=3))
    trimmed = [[row["display_name"].strip(), row["family_name"].strip(), row["email"]] for row in marked]
    assert whose(trimmed, [UUID(int=3), UUID(int=4)]) == [UUID(int=3)]
    gone = [[row["display_name"].strip(), row["email"].lower()] for row in marked]
    assert whose(gone, [UUID(int=3), UUID(int=4)]) == []


def test_a_file_put_together_of_two_names_both() -> None:
    rows = base(1_000)
    both = [*exported(rows[:500], _KEYS, UUID(int=3)), *exported(rows[500:], _KEYS, UUID(int=4))]
    assert set(whose([[row["email"]] for row in both], [UUID(int=n) for n in range(20)])) == {UUID(int=3), UUID(int=4)}


def test_phones_as_they_were_written_name_it_by_themselves() -> None:
    marked = exported(base(200), _KEYS, UUID(int=3))
    assert whose([[row["phone"]] for row in marked], [UUID(int=n) for n in range(50)]) == [UUID(int=3)]


def test_a_key_is_told_by_its_check_and_by_nothing_else() -> None:
    checks = {_KEYS.of(tenant, UUID(int=number)).check for tenant in (1, 2) for number in range(50)}
    assert len(checks) == 100
    key = _KEYS.of(1, UUID(int=1))
    assert not any(one in repr(key) for one in key.keys.values())
    assert "a secret" not in repr(_KEYS)


@given(st.text(max_size=30))
def test_marked_text_is_imported_as_the_same(cell: str) -> None:
    storable = "".join(sign for sign in cell if sign != "\x00" and not "\ud800" <= sign <= "\udfff")
    for number in range(4):
        key = _KEYS.of(1, UUID(int=number))
        assert text(written(Form.BLANK, key, storable), 400) == text(storable, 400)


@given(
    st.sampled_from(["RU", "US", "DE", "GB"]),
    st.from_regex(r"\+(7[3489]|1[2-9]|49[1-9]|44[1-9])[0-9]{5,11}", fullmatch=True),
)
def test_a_marked_phone_is_the_same_phone(region: str, phone: str) -> None:
    for number in range(6):
        again = written(Form.SPACED, _KEYS.of(1, UUID(int=number)), phone)
        before, after = (assess(ContactKind.PHONE, one, region) for one in (phone, again))
        if before.verdict != "invalid":
            assert (after.normal, after.masked, after.verdict) == (before.normal, before.masked, before.verdict)


@given(st.emails())
def test_a_marked_address_is_the_same_address(address: str) -> None:
    normal = assess(ContactKind.EMAIL, address, "RU").normal
    before = assess(ContactKind.EMAIL, normal, "RU")
    for number in range(4):
        again = written(Form.CAPITAL, _KEYS.of(1, UUID(int=number)), normal)
        after = assess(ContactKind.EMAIL, again, "RU")
        assert (after.normal, after.masked, after.verdict) == (before.normal, before.masked, before.verdict)


@given(st.sampled_from(Form), st.sampled_from(["Иванов Иван", "user1@example.org", "+79123456789", "=1+1"]))
def test_what_is_shown_is_what_was_chosen(form: Form, cell: str) -> None:
    fitting = {Form.SPACED: cell[0] == "+", Form.CAPITAL: "@" in cell}.get(form, cell[0] not in "+u")
    if fitting:
        again = written(form, _KEY, cell)
        assert {bit.content for bit in shown(again)} == {cell}
        assert {bit.form for bit in shown(again)} == {form}
