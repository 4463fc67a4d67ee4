"""The base that is searched: a million people with Russian names as they are spread in life, an order, a phone, an e-mail.

Family and given names come with the frequencies of a long tail; one family name in five is rare. Tokens and keyed hashes
are those that the service itself writes. Every run makes the same rows.
"""

from collections.abc import Iterator
from itertools import accumulate
from random import Random

import asyncpg
from mimesis import Gender, Locale, Person

from benchmarks.base import MANAGERS, SLUG, subject
from benchmarks.databases import Database, Server
from service.db.tenancy import add_staff, create_tenant
from service.domain.access import Scope
from service.domain.customers.names import fold, search_tokens
from service.domain.customers.service import LookupKey

LOOKUP_KEY = "the key of a base that nobody lives in"
_SYLLABLES = (
    "ба",
    "во",
    "гу",
    "де",
    "жи",
    "за",
    "ко",
    "лу",
    "мя",
    "не",
    "пи",
    "ро",
    "су",
    "те",
    "фы",
    "хо",
    "ша",
    "щу",
)
_RECIPE = "names 1"


def searched(server: Server, customers: int) -> Database:
    """The database with so many people, made at the first call."""

    async def fill(database: Database) -> None:
        await _fill(database, customers)

    return server.filled("search", f"{_RECIPE} {customers} {_TABLES}", fill)


def phone(number: int) -> str:
    return f"+7912{number:07d}"


def email(number: int) -> str:
    return f"client{number}@example.com"


def customer_id(number: int) -> str:
    """The id of the person of that number, as a UUIDv7 would stand in time."""
    digits = f"{1_700_000_000_000 + number * 7:012x}7{number % 4096:03x}a{number * 7919 % 16**15:015x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def people(customers: int) -> Iterator[tuple[str, str, str]]:
    """Family name, given name and patronymic, one after another."""
    rng = Random(7)
    by_gender = [_names(gender) for gender in (Gender.FEMALE, Gender.MALE)]
    for _ in range(customers):
        families, givens, patronymics = by_gender[rng.random() < 0.45]
        family = "".join(rng.choices(_SYLLABLES, k=4)).title() if rng.random() < 0.2 else _drawn(rng, families)
        yield family, _drawn(rng, givens), _drawn(rng, patronymics)


_Weighted = tuple[list[str], list[float]]


def _names(gender: Gender) -> tuple[_Weighted, _Weighted, _Weighted]:
    person = Person(Locale.RU, seed=3)
    lists = (person._dataset["surnames"], person._dataset["names"], person._dataset["patronymic"])
    families, givens, patronymics = (_weighted(sorted(set(one[gender.value])), gender) for one in lists)
    return families, givens, patronymics


def _weighted(names: list[str], gender: Gender) -> _Weighted:
    Random(gender.value).shuffle(names)
    first = [name for name in names if name.startswith(("Иван", "Мари"))]
    ordered = [*first, *(name for name in names if name not in first)]
    return ordered, list(accumulate(1 / (rank + 8) for rank in range(len(ordered))))


def _drawn(rng: Random, names: _Weighted) -> str:
    return rng.choices(names[0], cum_weights=names[1])[0]


async def _fill(database: Database, customers: int) -> None:
    tenant = await create_tenant(database.owner_url, slug=SLUG, name="Bench", time_zone="Europe/Moscow", currency="RUB")
    assert tenant == 1
    granted = tuple(str(scope) for scope in Scope if not scope.startswith("reach:"))
    for number in range(MANAGERS):
        await add_staff(
            database.owner_url,
            tenant,
            subject=subject("own", number),
            name=f"Manager {number}",
            scopes=(*granted, "reach:own"),
            teams=(f"Team {number % 4}",),
        )
    await add_staff(
        database.owner_url, tenant, subject=subject("tenant"), name="Head", scopes=(*granted, "reach:tenant")
    )
    connection = await asyncpg.connect(database.superuser_url)
    try:
        await connection.execute(
            "SET session_replication_role = replica; SET synchronous_commit = off; SET work_mem = '512MB';"
            "SET maintenance_work_mem = '512MB'; SET temp_buffers = '512MB'"
        )
        await connection.execute(
            """CREATE TEMP TABLE people (no int, customer_id uuid, family text, given text, patronymic text,
                sort_name text, phone bytea, email bytea);
            CREATE TEMP TABLE words (word text, token text)"""
        )
        known: dict[str, frozenset[str]] = {}
        await connection.copy_records_to_table("people", records=_records(customers, known))
        pairs = [(word, token) for word, tokens in known.items() for token in tokens]
        await connection.copy_records_to_table("words", records=pairs)
        await connection.execute("ANALYZE people, words")
        names = ", ".join(f"'{table}'::regclass" for table in _NAMES)
        await connection.execute(
            f"UPDATE pg_index SET indisready = false, indisvalid = false WHERE indrelid IN ({names})"
        )
        await connection.execute(_TABLES)
        for table in _NAMES:
            await connection.execute(f"REINDEX TABLE {table}")
        for table in _NAMES:
            await connection.execute(f"VACUUM (FREEZE, ANALYZE) {table}")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def _records(customers: int, known: dict[str, frozenset[str]]) -> Iterator[tuple[object, ...]]:
    key = LookupKey(LOOKUP_KEY.encode())
    for number, (family, given, patronymic) in enumerate(people(customers)):
        for word in (family, given, patronymic):
            if word not in known:
                known[word] = search_tokens((word,))
        sort_name = fold(f"{family} {given} {patronymic}")
        hashes = (key.of("phone", phone(number)), key.of("email", email(number)))
        yield (number, customer_id(number), family, given, patronymic, sort_name, *hashes)


_NAMES = ("customers", "search_tokens", "customer_external_ids", "contact_details", "orders")
_TABLES = f"""
    CREATE TEMP TABLE managers AS
        SELECT row_number() OVER (ORDER BY s.subject) - 1 AS no, s.staff_id, m.team_id
        FROM staff s JOIN team_members m USING (tenant_id, staff_id);
    INSERT INTO customers (tenant_id, customer_id, curator_id, team_id, kind, status, display_name, sort_name,
        family_name, given_name, patronymic, language, country, city)
    SELECT 1, customer_id, m.staff_id, m.team_id, 'person',
        (ARRAY['customer', 'customer', 'customer', 'prospect', 'lapsed', 'customer', 'archived'])[1 + p.no % 7],
        family || ' ' || given || ' ' || patronymic, sort_name, family, given, patronymic, 'ru', 'Россия',
        (ARRAY['Москва', 'Санкт-Петербург', 'Казань', 'Пермь', 'Омск', 'Тула', 'Самара', 'Уфа', 'Сочи',
               'Тверь'])[1 + (p.no / 7) % 10]
    FROM people p JOIN managers m ON m.no = p.no % {MANAGERS} ORDER BY p.no;
    INSERT INTO search_tokens (tenant_id, token, customer_id)
    SELECT DISTINCT 1, w.token, p.customer_id FROM people p CROSS JOIN LATERAL unnest(ARRAY[p.family, p.given, p.patronymic]) AS part JOIN words w ON w.word = part
    ORDER BY p.customer_id, w.token;
    INSERT INTO customer_external_ids (tenant_id, source, external_id, customer_id)
    SELECT 1, 'shop', 'C-' || no, customer_id FROM people;
    INSERT INTO contact_details (tenant_id, customer_id, detail_id, kind, is_primary, value, normal, masked, lookup,
        verdict, source)
    SELECT 1, customer_id, gen_random_uuid(), 'phone', true, '+7912' || lpad(no::text, 7, '0'),
        '+7912' || lpad(no::text, 7, '0'), '+7 ••• ••• ••', phone, 'valid', 'bench' FROM people
    UNION ALL
    SELECT 1, customer_id, gen_random_uuid(), 'email', true, 'client' || no || '@example.com',
        'client' || no || '@example.com', 'c•••@•••.com', email, 'valid', 'bench' FROM people;
    INSERT INTO orders (tenant_id, order_id, customer_id, total, ordered_at, ordered_on, currency, status, source,
        external_id)
    SELECT 1, gen_random_uuid(), customer_id, 10000000, timestamptz '2026-01-01' + no * interval '1 second',
        date '2026-01-01', 'RUB', 'completed', 'shop', 'O-' || no FROM people;
"""
