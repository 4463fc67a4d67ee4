"""Ten rules by hand, as superuser: whom each means, their revenue, the newest five, and the whole base.

Written as somebody would who knows the base: a window of orders is grouped once, all of time comes from the kept
totals, what is rare is found first; the record is read once for each rule.
"""

from dataclasses import dataclass
from datetime import date

import asyncpg

from benchmarks.references import rfm_sql

ready = rfm_sql.ready

_COUNTED = "o.tenant_id = 1 AND o.currency = 'RUB' AND o.status IN ('paid', 'completed') AND NOT (o.refunded > 0 AND o.refunded >= o.total)"
_TEA = """JOIN order_lines l ON l.tenant_id = 1 AND l.order_id = o.order_id
    JOIN products p ON p.tenant_id = 1 AND p.product_id = l.product_id"""
_OF_TEA = "p.category_id = (SELECT category_id FROM categories WHERE tenant_id = 1 AND name = 'Чай')"
_YEAR = "o.ordered_on > $1::date - 365 AND o.ordered_on <= $1::date"
_BUYERS = """customers c JOIN purchase_totals t ON t.tenant_id = 1 AND t.customer_id = c.customer_id
    AND t.currency = 'RUB'"""
_LEFT = _BUYERS.replace("JOIN", "LEFT JOIN")

# The text of the rule, and FROM … WHERE of the records `c` with the totals `t`.
RULES: tuple[tuple[str, str], ...] = (
    (
        'city = "Казань" and orders.sum(last 365 days) >= 50000',
        f"""(SELECT o.customer_id FROM orders o JOIN customers k ON k.tenant_id = 1 AND k.customer_id = o.customer_id
            AND k.city = 'Казань' WHERE {_COUNTED} AND {_YEAR}
            GROUP BY 1 HAVING sum(o.total - o.refunded) >= 50000000000) s
        JOIN {_BUYERS} ON c.customer_id = s.customer_id WHERE true""",
    ),
    (
        "orders.count = 0 and created_at < today - 30 days",
        f"{_LEFT} WHERE coalesce(t.orders, 0) = 0 AND c.created_at < ($1::date - 30)::timestamp AT TIME ZONE 'Europe/Moscow'",
    ),
    (
        'orders.count(last 90 days, category "Чай") between 2 and 5',
        f"""(SELECT o.customer_id FROM orders o {_TEA} AND {_OF_TEA} WHERE {_COUNTED}
            AND o.ordered_on > $1::date - 90 AND o.ordered_on <= $1::date GROUP BY 1 HAVING count(DISTINCT o.order_id) BETWEEN 2 AND 5) s
        JOIN {_BUYERS} ON c.customer_id = s.customer_id WHERE true""",
    ),
    (
        "orders.avg >= 3000 and orders.last < today - 180 days",
        f"{_BUYERS} WHERE t.orders > 0 AND t.revenue >= 3000000000 * t.orders AND t.last_on < $1::date - 180",
    ),
    (
        'share("Чай", last 365 days) >= 0.5',
        f"""(SELECT o.customer_id FROM orders o {_TEA} WHERE {_COUNTED} AND {_YEAR} GROUP BY 1
            HAVING sum(l.amount) > 0 AND 2 * sum(l.amount) FILTER (WHERE {_OF_TEA}) >= sum(l.amount)) s
        JOIN {_BUYERS} ON c.customer_id = s.customer_id WHERE true""",
    ),
    (
        'birthday within 7 days and consent "marketing" by "email" given',
        """(SELECT DISTINCT ON (customer_id) customer_id, given FROM consents
            WHERE tenant_id = 1 AND purpose = 'marketing' AND channel IN ('', 'email')
            ORDER BY customer_id, at DESC, consent_id DESC) s
        JOIN customers c ON c.tenant_id = 1 AND c.customer_id = s.customer_id
        LEFT JOIN purchase_totals t ON t.tenant_id = 1 AND t.customer_id = c.customer_id AND t.currency = 'RUB'
        WHERE s.given AND to_char(c.birth_date, 'MMDD') IN (SELECT to_char($1::date + i, 'MMDD') FROM generate_series(0, 7) i)""",
    ),
    (
        'contacts has any (email, phone) and not tags has any ("vip")',
        f"""(SELECT DISTINCT customer_id FROM contact_details
            WHERE tenant_id = 1 AND kind IN ('email', 'phone') AND verdict <> 'invalid') s
        JOIN {_LEFT} ON c.customer_id = s.customer_id WHERE NOT c.tags && ARRAY['vip']""",
    ),
    (
        "status in (customer, lapsed) and curator is missing",
        f"{_LEFT} WHERE c.status IN ('customer', 'lapsed') AND c.curator_id IS NULL",
    ),
    (
        "depth in (none, mailing) and orders.sum >= 100000",
        f"""{_BUYERS} WHERE t.revenue >= 100000000000 AND NOT (
            coalesce(nullif(c.family_name, ''), nullif(c.given_name, ''), c.legal_name, c.trade_name, '') <> ''
            AND EXISTS (SELECT FROM contact_details d WHERE d.tenant_id = 1 AND d.customer_id = c.customer_id
                AND d.verdict <> 'invalid' AND d.kind IN ('email', 'phone', 'messenger'))
            AND (t.orders > 0 OR EXISTS (SELECT FROM contact_details d WHERE d.tenant_id = 1
                AND d.customer_id = c.customer_id AND d.verdict <> 'invalid'
                AND d.kind IN ('inn', 'kpp', 'ogrn', 'bic', 'account', 'vat', 'iban'))))""",
    ),
    (
        'attributes.size > 2 and not (city = "Москва" or city is missing)',
        f"""{_LEFT} WHERE jsonb_typeof(c.attributes -> 'size') = 'number' AND (c.attributes -> 'size')::numeric > 2
            AND c.city <> 'Москва' AND c.city <> ''""",
    ),
)


@dataclass(frozen=True, slots=True)
class Answer:
    customers: int
    base: int
    revenue: int
    sample: tuple[str, ...]


async def answered(connection: asyncpg.Connection, rule: str, today: date) -> Answer:
    where = dict(RULES)[rule]
    row = await connection.fetchrow(
        f"""WITH meant AS MATERIALIZED (
            SELECT c.customer_id, t.revenue FROM {where} AND c.tenant_id = 1 AND c.erased_at IS NULL
        )
        SELECT (SELECT count(*) FROM meant) AS customers, (SELECT coalesce(sum(revenue), 0)::bigint FROM meant) AS revenue,
            (SELECT count(*) FROM customers WHERE tenant_id = 1 AND erased_at IS NULL AND $1::date IS NOT NULL) AS base,
            ARRAY(SELECT customer_id FROM meant ORDER BY customer_id DESC LIMIT 5) AS sample""",
        today,
    )
    assert row is not None
    return Answer(row["customers"], row["base"], row["revenue"], tuple(map(str, row["sample"])))
