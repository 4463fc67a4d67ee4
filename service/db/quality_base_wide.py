"""The queries behind the checks that only the whole base can answer.

Each answers with customer_id, field, detail_id, confidence, proposal, value (what a dismissal holds for), source,
import_id and author_id. Those of contacts go by keyed hashes; nothing is read in clear.
"""

from collections.abc import Mapping

from service.db.statement import Statement, sql

_PRESENT = "c.tenant_id = :tenant AND c.erased_at IS NULL"
_CONTACT = """c.customer_id, 'contacts' AS field, d.detail_id, {confidence} AS confidence, NULL::jsonb AS proposal,
    d.lookup AS value, d.source,
    CASE WHEN d.source LIKE 'import %' THEN substr(d.source, 8)::uuid END AS import_id, d.author_id"""
_FIELD = """c.customer_id, {field} AS field, NULL::uuid AS detail_id, {confidence} AS confidence,
    {proposal} AS proposal, convert_to({value}, 'UTF8') AS value, NULL::text AS source, c.import_id,
    NULL::uuid AS author_id"""
_SHARED = """SELECT d.lookup FROM contact_details d WHERE d.tenant_id = :tenant AND d.kind IN ('phone', 'email')
    GROUP BY d.lookup HAVING count(*) {size}"""
_JOINED = f"""JOIN contact_details d ON d.tenant_id = :tenant AND d.lookup = s.lookup AND d.kind IN ('phone', 'email')
    JOIN customers c ON {_PRESENT} AND c.customer_id = d.customer_id"""
_CUT = ("family_name", "given_name", "patronymic", "legal_name", "trade_name", "city", "region")
_LENGTHS = ", ".join(f"('{name}', c.{name})" for name in _CUT)

STATEMENTS: Mapping[str, Statement] = {
    "contact-on-many": sql(f"""
        WITH s AS MATERIALIZED ({_SHARED.format(size=">= :least::int")})
        SELECT {_CONTACT.format(confidence="0.9::real")} FROM s {_JOINED}
    """),
    # A few records, no two with a name or a place in common, and no link between them.
    "contact-of-unlike": sql(f"""
        WITH s AS MATERIALIZED ({_SHARED.format(size="BETWEEN :least::int AND :most::int")}),
        held AS MATERIALIZED (
            SELECT s.lookup, count(*) AS n, count(DISTINCT folded(c.family_name)) AS families,
                count(DISTINCT folded(c.given_name)) AS names, count(DISTINCT c.city_folded) AS cities
            FROM s {_JOINED} AND c.kind = 'person' AND c.family_name IS NOT NULL AND c.given_name IS NOT NULL
                AND c.city IS NOT NULL
            GROUP BY s.lookup
        )
        SELECT {_CONTACT.format(confidence="0.6::real")}
        FROM (SELECT lookup FROM held WHERE n >= 2 AND families = n AND names = n AND cities = n) s {_JOINED}
        WHERE NOT EXISTS (SELECT FROM customer_links l WHERE l.tenant_id = :tenant AND l.customer_id = c.customer_id)
    """),
    "name-on-many": sql(f"""
        WITH named AS MATERIALIZED (
            SELECT folded(c.family_name) AS family, folded(c.given_name) AS given, count(*) AS n
            FROM customers c WHERE {_PRESENT} AND c.kind = 'person' AND c.family_name IS NOT NULL
                AND c.given_name IS NOT NULL GROUP BY 1, 2
        ), families AS (SELECT family, sum(n) AS n FROM named GROUP BY 1),
        givens AS (SELECT given, sum(n) AS n FROM named GROUP BY 1),
        odd AS MATERIALIZED (
            SELECT m.family, m.given FROM named m JOIN families f USING (family) JOIN givens g USING (given)
            WHERE m.n >= :least::int
                AND m.n > :times::int * (f.n - m.n + 1) * (g.n - m.n + 1) / (SELECT sum(n) FROM named)
        )
        SELECT {
        _FIELD.format(field="'family_name'", confidence="0.7::real", proposal="NULL::jsonb", value="c.family_name")
    }
        FROM customers c JOIN odd o ON o.family = folded(c.family_name) AND o.given = folded(c.given_name)
        WHERE {_PRESENT} AND c.kind = 'person'
    """),
    "cut-at-length": sql(f"""
        WITH lengths AS MATERIALIZED (
            SELECT c.import_id, x.field, length(x.value) AS size, count(*) AS n,
                count(DISTINCT x.value) AS different
            FROM customers c CROSS JOIN LATERAL (VALUES {_LENGTHS}) x (field, value)
            WHERE {_PRESENT} AND c.import_id IS NOT NULL AND x.value IS NOT NULL GROUP BY 1, 2, 3
        ), tops AS (
            SELECT import_id, field, max(size) AS size, sum(n) AS total FROM lengths GROUP BY 1, 2
        ), cut AS MATERIALIZED (
            SELECT t.import_id, t.field, t.size FROM tops t
            JOIN lengths l ON l.import_id = t.import_id AND l.field = t.field AND l.size = t.size
            LEFT JOIN lengths b ON b.import_id = t.import_id AND b.field = t.field AND b.size = t.size - 1
            WHERE t.total >= :rows::int AND t.size >= :shortest::int AND l.n >= 5
                -- One city with a long name is no cut: those that are leave the beginnings of many names.
                AND l.different >= 4
                AND l.n >= :share::float8 * t.total AND l.n >= :times::int * coalesce(b.n, 0)
        )
        SELECT {_FIELD.format(field="k.field", confidence="0.8::real", proposal="NULL::jsonb", value="x.value")}
        FROM cut k JOIN customers c ON {_PRESENT} AND c.import_id = k.import_id
        CROSS JOIN LATERAL (VALUES {_LENGTHS}) x (field, value)
        WHERE x.field = k.field AND length(x.value) = k.size
    """),
    "day-month-swapped": sql(f"""
        WITH dated AS MATERIALIZED (
            SELECT c.import_id FROM customers c
            WHERE {_PRESENT} AND c.import_id IS NOT NULL AND c.birth_date IS NOT NULL AND c.birth_year_known
                AND NOT (extract(day FROM c.birth_date) = 1 AND extract(month FROM c.birth_date) = 1)
            GROUP BY 1 HAVING count(*) >= :rows::int
                AND count(*) FILTER (WHERE extract(day FROM c.birth_date) <= 12) >= :share::float8 * count(*)
                -- Swapped dates still spread over the year; a column of one month was never spread.
                AND count(DISTINCT extract(month FROM c.birth_date)) > 6
        )
        SELECT {
        _FIELD.format(
            field="'birth_date'",
            confidence="0.9::real",
            value="c.birth_date::text",
            proposal='''jsonb_build_object('confidence', 0.85, 'changes', jsonb_build_array(jsonb_build_object(
                'field', 'birth_date', 'before', c.birth_date::text, 'detail_id', NULL,
                'after', to_char(c.birth_date, 'YYYY-DD-MM'))))''',
        )
    }
        FROM customers c JOIN dated d ON d.import_id = c.import_id
        WHERE {_PRESENT} AND c.birth_year_known AND extract(day FROM c.birth_date) <= 12
            AND extract(day FROM c.birth_date) <> extract(month FROM c.birth_date)
    """),
    # Names and cities of digits, postal codes of letters: many within one import stand a column off.
    "fields-shifted": sql(f"""
        WITH seen AS MATERIALIZED (
            SELECT c.import_id, x.field, count(*) AS n, count(*) FILTER (WHERE x.value ~ x.pattern) AS off
            FROM customers c CROSS JOIN LATERAL (VALUES
                ('family_name', c.family_name, '[0-9@]{{3}}|@'), ('given_name', c.given_name, '[0-9@]{{3}}|@'),
                ('city', c.city, '^[0-9 +()-]{{5,}}$|@'), ('postal_code', c.postal_code, '^[A-Za-zА-Яа-яЁё -]{{4,}}$|@')
            ) x (field, value, pattern)
            WHERE {_PRESENT} AND c.import_id IS NOT NULL AND x.value IS NOT NULL
            GROUP BY 1, 2 HAVING count(*) >= :rows::int
        ), shifted AS MATERIALIZED (SELECT import_id, field FROM seen WHERE off >= :share::float8 * n)
        SELECT {
        _FIELD.format(
            field="s.field",
            confidence="0.9::real",
            proposal="NULL::jsonb",
            value="coalesce(to_jsonb(c) ->> s.field, '')",
        )
    }
        FROM shifted s JOIN customers c ON {_PRESENT} AND c.import_id = s.import_id
        WHERE to_jsonb(c) ->> s.field ~ '[0-9@]{{3}}|@' AND s.field <> 'postal_code'
            OR s.field = 'postal_code' AND c.postal_code ~ '^[A-Za-zА-Яа-яЁё -]{{4,}}$|@'
    """),
}
