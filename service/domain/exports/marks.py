"""Every plain file is marked: its cells are written in one of several forms that an import reads as the same value.

Text ends with a blank or not; the domain of an e-mail address begins with a capital or not; a phone has a blank before
its last four and its last two digits, or not. Which form a cell takes is a bit of SHA-256 over a key of this export and
the cell's own content, so a mark survives any order of the rows, other headings, and the loss of columns and rows.

Whose file it is: each distinct content of a column that shows both forms is a bit. If the file is not of an export, its
key knows nothing of the file, and the bits agree as coins do: `agree` or more of `bits` with a chance of at most
exp(-bits · KL(agree/bits ‖ 1/2)). An export is named when that is below `FALSE_NAMES` divided by the number of exports
that were compared, so whatever the file, a wrong one is named once in a million traces. A file with too few cells left
is nobody's. The key is derived from a secret of the installation, which the database does not hold.
"""

import hmac
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b, sha256
from math import log
from types import MappingProxyType
from uuid import UUID

from service.domain.cells import restored

FALSE_NAMES = 1e-6
# What is compared with each export; a leaked million says no more than its first thousands.
MOST_BITS = 4_000
# A column in which one of the forms is rarer than that was not marked, or its marks were taken away.
_LEAST = 0.05
# Of a large file one text in three is enough, and a hash for each would cost a third of the time.
SPARSE_ABOVE = 20_000
EVERY = 3
_DENSE, _SPARSE = b"\x01", b"\x02"


class Form(StrEnum):
    """How a cell can be written otherwise."""

    BLANK = "blank"
    CAPITAL = "capital"
    SPACED = "spaced"


# In a file with masked contacts there is nothing to choose in them: masks are not marked.
CARRIERS: Mapping[str, Form] = MappingProxyType(
    dict.fromkeys(("display_name", "family_name", "legal_name", "trade_name"), Form.BLANK)
    | {"email": Form.CAPITAL, "phone": Form.SPACED}
)
# Of 9 to 16 signs; said apart, since a counted repetition doubles the cost of the pattern.
PHONE = "[+][1-9][0-9]*"
PHONE_SIGNS = (9, 16)
# A cell that begins so is never a formula, and the domain's first letter is in small.
EMAIL = "[a-z0-9][^@]*@[a-z]"
_PHONE = re.compile(PHONE)
_EMAIL = re.compile(EMAIL)
_DOMAIN = re.compile("[a-z0-9][^@]*@[A-Za-z]")
_SPACED = re.compile("([+][1-9][0-9]{3,10})( ?)([0-9]{2})( ?)([0-9]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkKey:
    """One key for each form; `check` tells one key from another, and nothing else about it."""

    check: bytes
    sparse: bool
    keys: Mapping[Form, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class MarkKeys:
    """The keys of all exports, derived from one secret."""

    secret: bytes = field(repr=False)

    def of(self, tenant_id: int, export_id: UUID, *, sparse: bool = False) -> MarkKey:
        root = hmac.digest(self.secret, f"export mark {tenant_id} {export_id}".encode(), "sha256")
        return MarkKey(
            check=(_SPARSE if sparse else _DENSE) + hmac.digest(root, b"check", "sha256")[:8],
            sparse=sparse,
            keys={form: hmac.digest(root, form.encode(), "sha256").hex()[:32] for form in Form},
        )


def written(form: Form, key: MarkKey, cell: str) -> str:
    """The cell in the form that this key chooses for it."""
    if key.sparse and not _counts(form, cell):
        return cell
    chosen = _choice(key.keys[form], cell)
    match form:
        case Form.BLANK:
            return f"{cell} " if cell and cell[-1] != " " and chosen & 1 else cell
        case Form.CAPITAL:
            return _capital(cell) if chosen & 1 else cell
    if not _PHONE.fullmatch(cell) or not PHONE_SIGNS[0] <= len(cell) <= PHONE_SIGNS[1]:
        return cell
    return f"{cell[:-4]}{' ' * (chosen >> 1 & 1)}{cell[-4:-2]}{' ' * (chosen & 1)}{cell[-2:]}"


def _counts(form: Form, content: str) -> bool:
    return form is not Form.BLANK or not len(content.encode()) % EVERY


def _choice(key: str, content: str) -> int:
    return sha256((key + content).encode()).digest()[0]


def _capital(cell: str) -> str:
    found = _EMAIL.match(cell)
    return cell if found is None else f"{cell[: found.end() - 1]}{cell[found.end() - 1].upper()}{cell[found.end() :]}"


@dataclass(frozen=True, slots=True)
class Bit:
    """One choice that a file shows: which bit, for which content, and how it was written."""

    form: Form
    number: int
    content: str = field(repr=False)
    value: int


def shown(cell: str) -> Sequence[Bit]:
    """What one cell of a found file shows, were it marked; a phone in another writing shows nothing."""
    text = restored(cell)
    content = text.rstrip(" ")
    if not content:
        return ()
    if phone := _SPACED.fullmatch(content):
        head, first, middle, second, tail = phone.groups()
        whole = head + middle + tail
        return Bit(Form.SPACED, 1, whole, len(first)), Bit(Form.SPACED, 0, whole, len(second))
    if domain := _DOMAIN.match(content):
        before, letter = domain[0][:-1], domain[0][-1]
        plain = f"{before}{letter.lower()}{content[domain.end() :]}"
        return (Bit(Form.CAPITAL, 0, plain, int(letter.isupper())),)
    return (Bit(Form.BLANK, 0, content, int(text != content)),)


class Evidence:
    """The bits that a file shows, column by column; what it keeps does not grow with the file."""

    def __init__(self, most: int = MOST_BITS) -> None:
        self._most = most
        self._columns: dict[tuple[int, Form, int], dict[str, int]] = {}

    def add(self, row: Sequence[str]) -> None:
        for column, cell in enumerate(row):
            for bit in shown(cell):
                known = self._columns.setdefault((column, bit.form, bit.number), {})
                known.setdefault(bit.content, bit.value)
                if len(known) > 2 * self._most:
                    self._thin(known)

    def bits(self) -> Sequence[Bit]:
        """Those of the columns that show both forms; of one that shows a single form, somebody has evened it out."""
        telling = {
            (form, number, content): value
            for (_, form, number), known in self._columns.items()
            if _shows_both(known.values())
            for content, value in known.items()
        }
        first = sorted(telling, key=lambda one: _rank(one[2]))[: self._most]
        return [Bit(form, number, content, telling[form, number, content]) for form, number, content in first]

    def _thin(self, known: dict[str, int]) -> None:
        # The choice knows the content alone, no key and no form, so it favours nobody.
        for content in sorted(known, key=_rank)[self._most :]:
            del known[content]


def _shows_both(values: Collection[int]) -> bool:
    return _LEAST <= sum(values) / len(values) <= 1 - _LEAST


def _rank(content: str) -> bytes:
    return blake2b(content.encode("utf-8", "surrogatepass"), digest_size=8).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How an export agrees with a file; `log_chance` bounds the chance that a strange one agrees as well."""

    export_id: UUID
    agree: int
    bits: int
    log_chance: float


def scores(bits: Sequence[Bit], exports: Mapping[UUID, MarkKey]) -> Sequence[Score]:
    """Every export against the file, the likeliest first."""
    found = [_score(bits, export_id, key) for export_id, key in exports.items()]
    return sorted(found, key=lambda one: one.log_chance)


def named(found: Sequence[Score], compared: int) -> Sequence[Score]:
    """Those that the file is of, by the stated bound: one as a rule, several for a file put together, or none."""
    bound = log(FALSE_NAMES / max(compared, 1))
    return [one for one in found if one.log_chance <= bound]


def _score(bits: Sequence[Bit], export_id: UUID, key: MarkKey) -> Score:
    if key.sparse:
        bits = [bit for bit in bits if _counts(bit.form, bit.content)]
    keys = key.keys
    agree = sum((_choice(keys[bit.form], bit.content) >> bit.number & 1) == bit.value for bit in bits)
    return Score(export_id=export_id, agree=agree, bits=len(bits), log_chance=_log_chance(agree, len(bits)))


def _log_chance(agree: int, bits: int) -> float:
    if not bits or 2 * agree <= bits:
        return 0.0
    share = agree / bits
    return -bits * sum(part * log(2 * part) for part in (share, 1 - share) if part)


def evidence_of(rows: Iterable[Sequence[str]]) -> Sequence[Bit]:
    """What a file shows, its heading (if it has one) taken for a row like any other."""
    evidence = Evidence()
    for row in rows:
        evidence.add(row)
    return evidence.bits()
