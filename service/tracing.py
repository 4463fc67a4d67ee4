"""`clientbase trace`: whose export a found file is, told from the forms in which its cells are written.

The file is read as it comes: any encoding and delimiter that an import reads, any order of rows and columns, with or
without a heading. It works on the operator's machine; nothing of the file goes anywhere.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import log
from pathlib import Path

from service.db.tracing import MarkedExport, marked_exports
from service.domain.exports.marks import FALSE_NAMES, MarkKeys, Score, evidence_of, named, scores
from service.domain.ingestion.detect import detect, rows_of

_SAMPLE = 1 << 20
# More rows would only cost time: a fraction of them names an export.
_ROWS = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """Who was named; `compared` exports had a key that this installation knows, `strange` ones had not."""

    found: Sequence[tuple[MarkedExport, Score]]
    bits: int
    compared: int
    strange: int


def trace(path: Path, owner_url: str, tenant: str, keys: MarkKeys) -> Traced:
    """Compare the file with every marked export of the tenant. Raises NoTenant, DomainError (no table), OSError."""
    tenant_id, exports = asyncio.run(marked_exports(owner_url, tenant))
    known = {one.export_id: one for one in exports}
    tried = [(one, keys.of(tenant_id, one.export_id, sparse=sparse)) for one in exports for sparse in (False, True)]
    ours = {one.export_id: key for one, key in tried if one.check == key.check}
    bits = evidence_of(islice(_rows(path), _ROWS))
    found = [(known[score.export_id], score) for score in named(scores(bits, ours), len(ours))]
    return Traced(found=found, bits=len(bits), compared=len(ours), strange=len(known) - len(ours))


def told(traced: Traced) -> Iterator[str]:
    """What the operator reads."""
    for export, score in traced.found:
        yield (
            f"{export.export_id}  asked for by {export.staff_name} ({export.staff_id}), {export.rows} rows,"
            f" {export.finished_at:%Y-%m-%d %H:%M} UTC, for: {export.purpose}"
        )
        chance = f"10^{score.log_chance / log(10):.0f}"
        yield f"  {score.agree} of {score.bits} marks agree; by chance at most {chance} for one export"
    if not traced.found:
        yield f"Nobody's: none of {traced.compared} exports agrees with the {traced.bits} marks that the file shows."
    yield f"Somebody is named wrongly in at most one of {1 / FALSE_NAMES:,.0f} traces."
    if traced.strange:
        yield (
            f"{traced.strange} exports could not be compared: they were marked with another secret than that of"
            " CLIENTBASE_CONTACTS__LOOKUP_KEY."
        )


def _rows(path: Path) -> Iterator[Sequence[str]]:
    with path.open("rb") as opened:
        sample = opened.read(_SAMPLE)
        final = not opened.read(1)
    dialect = detect(sample, final=final)
    with path.open(encoding=dialect.encoding, errors="replace", newline="") as text:
        yield from rows_of((line.lstrip("\ufeff") for line in text), dialect.delimiter, dialect.quote, strict=False)
