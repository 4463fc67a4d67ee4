"""The cells of an export as SQL: made harmless by the rule of `cells.neutralise`, marked by that of `marks.written`.

First a look at the first sign, which settles nearly all cells for a tenth of what the pattern costs. A mark is one hash
of half a microsecond; the bytes of the key are bound as `mark_<form>`.
"""

from service.domain.cells import NUMBER, PHONE, PHONE_SIGNS, PLAIN_STARTS, risky
from service.domain.exports.marks import EMAIL, EVERY, Form
from service.domain.exports.marks import PHONE as MARKED_PHONE
from service.domain.exports.marks import PHONE_SIGNS as MARKED_SIGNS


def harmless(cell: str) -> str:
    """`cells.neutralise` as SQL over an expression of text; NULL stays NULL."""
    # An odd bucket lies within a range of plain first signs; nearly every cell is settled there, read once.
    borders = ",".join(f"{first},{last + 1}" for first, last in PLAIN_STARTS)
    whole = f"octet_length({cell}) BETWEEN {PHONE_SIGNS[0]} AND {PHONE_SIGNS[1]}"
    return (
        f"CASE WHEN width_bucket(ascii({cell}), '{{{borders}}}'::int[]) % 2 = 1 THEN {cell}"
        f" WHEN {cell} ~ '^{PHONE}$' AND (strpos({cell}, ' ') > 0 OR {whole}) THEN {cell}"
        f" WHEN {cell} ~ '^{NUMBER}$' THEN {cell}"
        f" WHEN {cell} ~ '{risky(lowest=1)}' THEN '''' || {cell} ELSE {cell} END"
    )


def marked(form: Form, cell: str, *, sparse: bool) -> str:
    """The harmless cell in the form that the key chooses for it; NULL stays NULL."""
    # What is sent is UTF-8, the encoding of every connection of ours; converting costs a fifth more.
    chosen = f"get_byte(sha256(textsend(:mark_{form}::text || {cell})), 0)"
    if form is Form.BLANK:
        counts = f"octet_length({cell}) % {EVERY} = 0 AND " if sparse else ""
        ends = f"{counts}{cell} <> '' AND {cell} NOT LIKE '% ' AND {chosen} & 1 = 1"
        return f"CASE WHEN {ends} THEN {harmless(cell)} || ' ' ELSE {harmless(cell)} END"
    if form is Form.CAPITAL:
        at = f"strpos({cell}, '@') + 1"
        capital = f"overlay({cell} PLACING chr(ascii(substr({cell}, {at}, 1)) - 32) FROM {at} FOR 1)"
        return f"CASE WHEN {cell} ~ '^{EMAIL}' AND {chosen} & 1 = 1 THEN {capital} ELSE {harmless(cell)} END"
    whole = f"octet_length({cell}) BETWEEN {MARKED_SIGNS[0]} AND {MARKED_SIGNS[1]}"
    parts = {
        1: f"left({cell}, -2) || ' ' || right({cell}, 2)",
        2: f"left({cell}, -4) || ' ' || right({cell}, 4)",
        3: f"left({cell}, -4) || ' ' || left(right({cell}, 4), 2) || ' ' || right({cell}, 2)",
    }
    cases = " ".join(f"WHEN {number} THEN {text}" for number, text in parts.items())
    return (
        f"CASE WHEN {whole} AND {cell} ~ '^{MARKED_PHONE}$' THEN CASE {chosen} & 3 {cases} ELSE {cell} END"
        f" ELSE {harmless(cell)} END"
    )
