"""The generated base: customers with contacts and numbers of the shop, and their orders, made by SQL in one pass each.

Orders per customer have a long tail, dates rise towards today, one order in twenty is cancelled or returned and three
in a hundred are paid back in part or in full. Every run makes the same rows. Indexes are built after the rows, and
foreign keys are not asked: the rows are right by construction, and what is built is the same.
"""

from dataclasses import dataclass
from datetime import date

import asyncpg

from benchmarks.databases import Database, Server
from service.db.tenancy import add_staff, create_tenant
from service.domain.access import Scope

SLUG = "bench"
MANAGERS = 20
FIRST_DAY, DAYS = date(2023, 7, 1), 1096
AS_OF = date(2026, 7, 1)
_ID = "(lpad(to_hex(1700000000000 + {i} * 7), 12, '0') || '7' || substr(md5('{kind}' || {i}), 1, 3) || 'a' || substr(md5('{kind}' || {i}), 4, 15))::uuid"
_CUSTOMER_ID = _ID.format(i="i", kind="c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    customers: int
    orders: int


def base(server: Server, purpose: str, size: Size) -> Database:
    """A database with a base of this size, made at the first call."""

    async def fill(database: Database) -> None:
        await _fill(database, size)

    recipe = f"{size} {_customers(size)} {_orders(size)} {_TOTALS} {_REFUNDS}"
    return server.filled(purpose, recipe, fill)


def shop(server: Server, purpose: str, size: Size) -> Database:
    """The same base with a line of each order, consents of every third customer, and a field of the tenant's own."""

    async def fill(database: Database) -> None:
        await _fill(database, size)
        connection = await asyncpg.connect(database.superuser_url)
        try:
            await connection.execute("SET session_replication_role = replica; SET synchronous_commit = off")
            await connection.execute(_CATALOGUE)
            await _without_indexes(connection, ("order_lines", "consents"), _LINES, _consents(size))
            await connection.execute("VACUUM (FREEZE, ANALYZE)")
        finally:
            await connection.close()

    recipe = f"{size} {_customers(size)} {_orders(size)} {_REFUNDS} {_TOTALS} {_CATALOGUE} {_LINES} {_consents(size)}"
    return server.filled(purpose, recipe, fill)


def untidy(server: Server, purpose: str, size: Size) -> Database:
    """The same base with names and contacts as people have them, one record in ten with something wrong."""

    async def fill(database: Database) -> None:
        await _fill(database, size)
        connection = await asyncpg.connect(database.superuser_url)
        try:
            await connection.execute("SET session_replication_role = replica; SET synchronous_commit = off")
            await _without_indexes(connection, ("customers", "contact_details"), _UNTIDY)
            await connection.execute("VACUUM (FULL, FREEZE, ANALYZE) customers")
            await connection.execute("VACUUM (FULL, FREEZE, ANALYZE) contact_details")
        finally:
            await connection.close()

    return server.filled(purpose, f"{size} {_customers(size)} {_orders(size)} {_TOTALS} {_UNTIDY}", fill)


def subject(reach: str, number: int = 0) -> str:
    return f"{reach}-{number}"


async def _fill(database: Database, size: Size) -> None:
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
            "SET maintenance_work_mem = '512MB'; SET max_parallel_maintenance_workers = 2; SET temp_buffers = '256MB'"
        )
        await _without_indexes(connection, _CUSTOMER_TABLES, _customers(size))
        if size.orders:
            await _without_indexes(
                connection, ("orders", "refunds", "purchase_totals"), _orders(size), _REFUNDS, _TOTALS
            )
        for table in (*_CUSTOMER_TABLES, "orders", "refunds", "purchase_totals"):
            await connection.execute(f"VACUUM (FREEZE, ANALYZE) {table}")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def _without_indexes(connection: asyncpg.Connection, tables: tuple[str, ...], *statements: str) -> None:
    names = ", ".join(f"'{table}'::regclass" for table in tables)
    await connection.execute(f"UPDATE pg_index SET indisready = false, indisvalid = false WHERE indrelid IN ({names})")
    for statement in statements:
        await connection.execute(statement)
    for table in tables:
        await connection.execute(f"REINDEX TABLE {table}")


_CUSTOMER_TABLES = ("customers", "customer_external_ids", "contact_details")


def _customers(size: Size) -> str:
    return f"""
    CREATE TEMP TABLE managers AS
        SELECT row_number() OVER (ORDER BY s.subject) - 1 AS no, s.staff_id, m.team_id
        FROM staff s JOIN team_members m USING (tenant_id, staff_id);
    INSERT INTO customers (tenant_id, customer_id, birth_date, curator_id, team_id, created_at, updated_at, kind,
        status, display_name, sort_name, family_name, given_name, patronymic, language, country, region, city,
        postal_code, tags, attributes, gender)
    SELECT 1, {_CUSTOMER_ID}, date '1950-01-01' + (i::bigint * 7919 % 20000)::int, m.staff_id, m.team_id, now(), now(),
        'person', (ARRAY['customer', 'customer', 'customer', 'prospect', 'lapsed', 'customer', 'archived'])[1 + i % 7],
        family || ' ' || given || ' Ивановна', lower(family || ' ' || given || ' Ивановна'), family, given, 'Ивановна',
        'ru', 'Россия', 'Область ' || i % 60, (ARRAY['Москва', 'Санкт-Петербург', 'Казань', 'Пермь', 'Омск', 'Тула',
        'Самара', 'Уфа', 'Сочи', 'Тверь'])[1 + (i / 7) % 10], (100000 + i % 500000)::text,
        CASE WHEN i % 5 = 0 THEN ARRAY['vip', 'опт'] ELSE '{{}}' END,
        CASE WHEN i % 3 = 0 THEN jsonb_build_object('size', i % 50, 'note', 'постоянный клиент') ELSE '{{}}' END, 'female'
    FROM (SELECT i, 'Фамилия' || substr(md5('f' || i), 1, 6) AS family,
              (ARRAY['Мария', 'Анна', 'Ольга', 'Елена', 'Ирина'])[1 + i % 5] AS given
          FROM generate_series(1, {size.customers}) i) n JOIN managers m ON m.no = i % {MANAGERS}
    ORDER BY i;
    INSERT INTO customer_external_ids (tenant_id, source, external_id, customer_id)
    SELECT 1, 'shop', 'C-' || i, {_CUSTOMER_ID} FROM generate_series(1, {size.customers}) i;
    INSERT INTO contact_details (tenant_id, customer_id, detail_id, kind, label, is_primary, value, normal, masked,
        lookup, verdict, source)
    SELECT 1, {_CUSTOMER_ID}, {_ID.format(i="i", kind="d")}, 'phone', 'mobile', true,
        '+7 912 ' || lpad((i % 10000000)::text, 7, '0'), '+7912' || lpad((i % 10000000)::text, 7, '0'),
        '+7 ••• ••• ' || lpad((i % 100)::text, 2, '0') || ' ' || lpad((i / 100 % 100)::text, 2, '0'),
        sha256(('p' || i)::bytea), 'valid', 'bench' FROM generate_series(1, {size.customers}) i
    UNION ALL
    SELECT 1, {_CUSTOMER_ID}, {_ID.format(i="i", kind="e")}, 'email', NULL, true, 'client' || i || '@example.com',
        'client' || i || '@example.com', 'c•••@e•••.com', sha256(('e' || i)::bytea), 'valid', 'bench'
    FROM generate_series(1, {size.customers}) i;
    """


def _orders(size: Size) -> str:
    """Customer numbers by the fourth power of chance: a tenth of the customers make more than half of the orders."""
    return f"""
    SELECT setseed(0.42);
    INSERT INTO orders (tenant_id, order_id, customer_id, total, refunded, ordered_at, created_at, updated_at,
        ordered_on, currency, status, source, external_id, sales_channel)
    SELECT 1, {_ID.format(i="o", kind="o")}, {_CUSTOMER_ID}, total,
        CASE WHEN back < 0.01 THEN total WHEN back < 0.03 THEN total / 2 ELSE 0 END,
        (day + time '12:00') AT TIME ZONE 'Europe/Moscow', now(), now(), day, 'RUB',
        CASE WHEN fate < 0.03 THEN 'cancelled' WHEN fate < 0.05 THEN 'returned' WHEN fate < 0.35 THEN 'paid'
             ELSE 'completed' END, 'shop', 'O-' || o, (ARRAY['web', 'shop', 'phone'])[1 + o % 3]
    FROM (SELECT o, 1 + floor({size.customers} * pow(random(), 2.2))::bigint AS i,
              (50 + floor(exp(random() * 6) * 40))::bigint * 10000 * (1 + floor(random() * 100)::bigint) AS total,
              date '{FIRST_DAY}' + floor({DAYS} * sqrt(random()))::int AS day, random() AS fate, random() AS back
          FROM generate_series(1, {size.orders}) o) n;
    """


_REFUNDS = f"""
    INSERT INTO refunds (tenant_id, refund_id, customer_id, order_id, amount, refunded_at, refunded_on, currency,
        source, external_id)
    SELECT 1, {_ID.format(i="substr(external_id, 3)::bigint", kind="r")}, customer_id, order_id, refunded,
        ordered_at, ordered_on, currency, 'shop', 'R' || external_id
    FROM orders WHERE refunded > 0;
"""
_TOTALS = """
    INSERT INTO purchase_totals (tenant_id, customer_id, currency, orders, revenue, refunded, refunds, first_on,
        last_on, latest_on)
    SELECT 1, customer_id, currency, count(*) FILTER (WHERE counted),
        coalesce(sum(total - refunded) FILTER (WHERE counted), 0), sum(refunded), count(*) FILTER (WHERE refunded > 0),
        min(ordered_on) FILTER (WHERE counted), max(ordered_on) FILTER (WHERE counted), max(ordered_on)
    FROM (SELECT *, status IN ('paid', 'completed') AND NOT (refunded > 0 AND refunded >= total) AS counted
          FROM orders) o
    GROUP BY customer_id, currency;
"""
_CATALOGUE = f"""
    INSERT INTO categories (tenant_id, category_id, name)
    SELECT 1, {_ID.format(i="i", kind="g")}, CASE i WHEN 0 THEN 'Чай' ELSE 'Категория ' || i END
    FROM generate_series(0, 9) i;
    INSERT INTO products (tenant_id, product_id, sku, name, category_id)
    SELECT 1, {_ID.format(i="i", kind="p")}, 'SKU-' || i, 'Товар ' || i, {_ID.format(i="(i % 10)", kind="g")}
    FROM generate_series(0, 99) i;
    INSERT INTO attribute_definitions (tenant_id, name, kind, label) VALUES (1, 'size', 'number', 'Размер');
"""


# Every order of one product; a third of them are drawn to few products.
_LINES = f"""
    INSERT INTO order_lines (tenant_id, order_id, line_no, product_id, quantity, unit_price, amount)
    SELECT 1, r.order_id, 1, p.product_id, 1, r.total, r.total
    FROM (SELECT order_id, total, substr(external_id, 3)::bigint AS o FROM orders) r
    JOIN (SELECT i, {_ID.format(i="i", kind="p")} AS product_id FROM generate_series(0, 99) i) p
        ON p.i = CASE WHEN o % 3 = 0 THEN o % 4 * 10 ELSE o * 7 % 100 END;
"""


def _consents(size: Size) -> str:
    return f"""
    INSERT INTO consents (tenant_id, customer_id, consent_id, purpose, channel, given, at, source, staff_id)
    SELECT 1, {_CUSTOMER_ID}, {_ID.format(i="i", kind="n")}, 'marketing', CASE WHEN i % 2 = 0 THEN 'email' ELSE '' END,
        i % 5 > 0, timestamptz '2025-01-01' + i % 400 * interval '1 day', 'form',
        (SELECT staff_id FROM staff ORDER BY subject LIMIT 1)
    FROM generate_series(3, {size.customers}, 3) i;
    """


# Of each hundred records ten have one of ten faults.
_UNTIDY = """
    WITH n AS (
        SELECT customer_id, row_number() OVER (ORDER BY customer_id) AS i FROM customers WHERE tenant_id = 1
    ), p AS (
        SELECT customer_id, i, (ARRAY['Иванова', 'Смирнова', 'Кузнецова', 'Попова', 'Васильева', 'Петрова', 'Соколова',
            'Михайлова', 'Новикова', 'Фёдорова', 'Морозова', 'Волкова', 'Алексеева', 'Лебедева', 'Семёнова', 'Егорова',
            'Павлова', 'Козлова', 'Степанова', 'Николаева', 'Орлова', 'Андреева', 'Макарова', 'Никитина', 'Захарова',
            'Зайцева', 'Соловьёва', 'Борисова', 'Яковлева', 'Григорьева'])[1 + i % 30] AS family,
            (ARRAY['Мария', 'Анна', 'Ольга', 'Елена', 'Ирина', 'Наталья', 'Татьяна'])[1 + i / 30 % 7] AS given,
            (ARRAY['Ивановна', 'Петровна', 'Сергеевна', 'Андреевна', 'Олеговна'])[1 + i / 210 % 5] AS patronymic
        FROM n
    )
    UPDATE customers c SET patronymic = p.patronymic,
        family_name = CASE p.i % 100 WHEN 1 THEN upper(p.family) WHEN 2 THEN '-' WHEN 3 THEN p.family || '  ' ELSE p.family END,
        given_name = CASE p.i % 100 WHEN 4 THEN 'ghbdtn' WHEN 5 THEN 'тест' WHEN 6 THEN replace(p.given, 'а', 'a') ELSE p.given END,
        birth_date = CASE p.i % 100 WHEN 7 THEN date '1900-01-01' ELSE c.birth_date END,
        region = CASE c.city WHEN 'Москва' THEN 'Москва' WHEN 'Санкт-Петербург' THEN 'Санкт-Петербург' ELSE NULL END,
        postal_code = CASE c.city WHEN 'Москва' THEN '101000' WHEN 'Санкт-Петербург' THEN '190000' ELSE NULL END
    FROM p WHERE c.tenant_id = 1 AND c.customer_id = p.customer_id;
    UPDATE contact_details d SET
        value = CASE d.kind WHEN 'email' THEN replace(d.value, 'example.com', m.domain) ELSE d.value END,
        normal = CASE d.kind WHEN 'email' THEN replace(d.normal, 'example.com', m.domain) ELSE d.normal END,
        created_at = now() - (m.h % 900) * interval '1 day'
    FROM (SELECT detail_id, h, (ARRAY['mail.ru', 'yandex.ru', 'gmail.com', 'bk.ru', 'list.ru', 'inbox.ru', 'rambler.ru'])[
            1 + h % 7] || CASE h % 97 WHEN 0 THEN 'u' ELSE '' END AS domain
        FROM (SELECT detail_id, abs(hashtext(detail_id::text)) AS h FROM contact_details WHERE tenant_id = 1) x) m
    WHERE d.tenant_id = 1 AND d.detail_id = m.detail_id;
"""
