"""fold places

Text as rules compare it: `folded` is `service/domain/customers/names.py: fold` in SQL (a contract test holds the two
equal; an empty text is none), and places are kept folded, so that a rule over a city reads a column.
"""

import json
import sys
from unicodedata import normalize

from alembic import op

revision = "2026_11_22_1970"
down_revision = "2026_11_22_1960"
branch_labels = None
depends_on = None

PLACES = ("country", "region", "city")
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЁё"
_SMALL = "abcdefghijklmnopqrstuvwxyzабвгдежзийклмнопрстуфхцчшщъыьэюяее"


def _case_folds() -> str:
    """What each decomposed character becomes without its case, as Python has it."""
    chars = (chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF)
    folds = {char: char.casefold() for char in chars if char.casefold() != char and normalize("NFD", char) == char}
    return json.dumps(folds, ensure_ascii=True)


def _blanks() -> str:
    return "".join(f"\\u{code:04x}" for code in range(1, 0x3001) if chr(code).isspace())


SLOWLY = rf"""
CREATE FUNCTION public.folded_slowly(value TEXT) RETURNS TEXT LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    folds CONSTANT JSONB := '{_case_folds()}';
    folded TEXT := normalize((SELECT string_agg(coalesce(folds ->> u.one, u.one), '' ORDER BY u.n)
        FROM string_to_table(normalize(value, NFD), NULL) WITH ORDINALITY u (one, n)), NFD);
BEGIN
    folded := normalize(regexp_replace(folded, '(е[\u0300-\u0307\u0309-\u036f]*)\u0308+', '\1', 'g'), NFC);
    RETURN nullif(btrim(regexp_replace(folded, '[{_blanks()}]+', ' ', 'g'), ' '), '');
END $$
"""
QUICKLY = f"""
CREATE FUNCTION public.folded(value TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN value !~ '^[ -~А-Яа-яЁё]*$' THEN public.folded_slowly(value)
        WHEN strpos(value, '  ') > 0
        THEN nullif(btrim(regexp_replace(translate(value, '{_CAPITALS}', '{_SMALL}'), ' +', ' ', 'g'), ' '), '')
        ELSE nullif(btrim(translate(value, '{_CAPITALS}', '{_SMALL}'), ' '), '') END
$$
"""
# A colon in the text is no parameter.
FUNCTIONS = [text.replace(":", "\\:") for text in (SLOWLY, QUICKLY)]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for function in FUNCTIONS:
        op.execute(function)
    columns = ", ".join(
        f'ADD COLUMN {name}_folded TEXT COLLATE "C" GENERATED ALWAYS AS (public.folded({name})) STORED'
        for name in PLACES
    )
    op.execute(f"ALTER TABLE customers {columns}")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE customers " + ", ".join(f"DROP COLUMN {name}_folded" for name in PLACES))
    op.execute("DROP FUNCTION public.folded(TEXT)")
    op.execute("DROP FUNCTION public.folded_slowly(TEXT)")
