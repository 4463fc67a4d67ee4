"""Why a row is rejected. A rejected row is data: it is kept with its cells, its line and its reasons.

Reasons never quote a cell, because reports are read (and logged) by people who may not see personal data.
"""

from collections.abc import Sequence
from typing import NamedTuple

REASONS: dict[str, str] = {
    "missing-customer": "The row names no customer.",
    "missing-order": "The row has no order number.",
    "missing-date": "The row has no date.",
    "missing-price": "The row has neither a price nor an amount.",
    "missing-quantity": "The row has no quantity.",
    "missing-total": "The row has no total.",
    "missing-external-id": "The row has no external id.",
    "missing-name": "The row has no name of a person or an organisation.",
    "bad-number": "The cell is not a number.",
    "ambiguous-number": "The number can be read in two ways (1,234 is 1.234 or 1234); set `decimal` in the mapping.",
    "amount-too-precise": "The amount has more than six decimals.",
    "amount-too-large": "The amount is larger than can be kept.",
    "quantity-out-of-range": "The quantity is larger than 1 000 000 000 or has more than six decimals.",
    "negative-refund": "A refunded sum can't be negative.",
    "bad-date": "The cell is not a date or time that can be read.",
    "ambiguous-date": "Day and month can be swapped in this date; set `dates` in the mapping.",
    "date-out-of-range": "The year lies outside 1900–2100.",
    "text-too-long": "The text is longer than its field holds.",
    "nul-character": "The row has a NUL character.",
    "bad-character": "The text has half of a character (a lone surrogate).",
    "bad-currency": "The currency is not a code of three letters.",
    "unknown-status": "The status is not one of those that are known here.",
    "unknown-kind": "The kind is neither person nor organisation.",
    "unknown-gender": "The gender is neither female nor male.",
    "unknown-time-zone": "The time zone is not one of the IANA list, such as Europe/Moscow.",
    "too-many-cells": "The row has more cells than the header.",
    "too-few-cells": "The row has fewer cells than the header.",
    "stray-quote": "A quoted cell goes on after its closing quote.",
}


class Fault(Exception):
    """One cell (or the row as a whole, field None) can't be accepted; caught by the row reader, never leaves it."""

    def __init__(self, code: str, detail: str | None = None, field: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail or REASONS[code]
        self.field = field


class Violation(NamedTuple):
    """One reason: the data row (from 1), the line of the file (from 1), the field, a public code and a sentence."""

    row: int
    line: int
    field: str | None
    code: str
    detail: str


class Reject(NamedTuple):
    """A row that was not accepted, with its original cells and every reason found."""

    row: int
    line: int
    cells: Sequence[str]
    violations: tuple[Violation, ...]
