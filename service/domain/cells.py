"""What a spreadsheet could run is made plain text: such a cell gets a `'` in front, every other cell stays as it is.

Risky is a cell whose first sign, behind blanks, invisible signs and quotes, begins a formula (= + - @, their
full-width and small forms, the minus sign), and one that begins with TAB, CR, LF or NUL (ASVS 1.2.10, OWASP). Exempt,
byte for byte: negative numbers, phones in E.164, and masked phones – digits, blanks and dots can't make a formula. The
prefix can be taken back: a cell that already begins with `'` before a formula is risky too, so one `'` always means
one prefix. Quoting of separators is the CSV writer's part; a file opened with another separator than it was written
with is not covered.
"""

import re

Ranges = tuple[tuple[int, int], ...]

# Control signs, spaces of every kind, zero-width signs and both quotes.
SKIPPED: Ranges = (
    (0x00, 0x20),
    (0x22, 0x22),
    (0x27, 0x27),
    (0x7F, 0xA0),
    (0xAD, 0xAD),
    (0x1680, 0x1680),
    (0x180E, 0x180E),
    (0x2000, 0x200F),
    (0x2028, 0x202F),
    (0x205F, 0x206F),
    (0x3000, 0x3000),
    (0xFEFF, 0xFEFF),
)
TRIGGERS: Ranges = (
    (0x2B, 0x2B),
    (0x2D, 0x2D),
    (0x3D, 0x3D),
    (0x40, 0x40),
    (0x2212, 0x2212),
    (0xFE62, 0xFE63),
    (0xFE66, 0xFE66),
    (0xFE6B, 0xFE6B),
    (0xFF0B, 0xFF0B),
    (0xFF0D, 0xFF0D),
    (0xFF1D, 0xFF1D),
    (0xFF20, 0xFF20),
)
FIRST_SIGNS: Ranges = ((0x00, 0x00), (0x09, 0x0A), (0x0D, 0x0D))
# Digits and letters: a cell that begins with one is plain, whatever follows.
PLAIN_STARTS: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x167F))
NUMBER = "-[0-9]+([.,][0-9]+)?"
# Of a phone in one piece the length counts too; said apart, since a counted repetition doubles the cost of the pattern.
PHONE = "[+][1-9][0-9]*( [0-9•]+)*"
PHONE_SIGNS = (8, 16)


def risky(lowest: int = 0) -> str:
    """The pattern of a risky beginning, for text without signs below `lowest` (a database can't hold NUL)."""
    return f"^({_class(SKIPPED, lowest)}*{_class(TRIGGERS, lowest)}|{_class(FIRST_SIGNS, lowest)})"


def neutralise(text: str) -> str:
    """The cell as it is written: with `'` in front when a spreadsheet could run it."""
    return "'" + text if _RISKY.match(text) and not _exempt(text) else text


def restored(text: str) -> str:
    """The cell as it was before: without the `'` that was put in front of it."""
    return text[1:] if text[:1] == "'" and neutralise(text[1:]) == text else text


def _exempt(text: str) -> bool:
    if _PHONE.fullmatch(text):
        return " " in text or PHONE_SIGNS[0] <= len(text) <= PHONE_SIGNS[1]
    return _NUMBER.fullmatch(text) is not None


def _class(ranges: Ranges, lowest: int) -> str:
    kept = (f"\\u{max(first, lowest):04x}-\\u{last:04x}" for first, last in ranges if last >= lowest)
    return f"[{''.join(kept)}]"


_RISKY = re.compile(risky())
_NUMBER = re.compile(NUMBER)
_PHONE = re.compile(PHONE)
