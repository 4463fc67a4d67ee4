"""What an import did, in numbers: rows read, accepted, rejected, and why, with the first lines of each reason.

A row with several reasons counts once among the rejected and once under each of its reasons. The report holds no cell
of the file. The file of rejects holds all of them: the original cells in the original columns, then line, field, code
and reason; cells beyond the header stand behind those four.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from service.domain.ingestion.batches import Batch
from service.domain.ingestion.faults import REASONS, Reject, Violation

_EXAMPLES = 10
REJECT_COLUMNS = ("line", "field", "code", "reason")


@dataclass(slots=True, kw_only=True)
class Reason:
    """How many rows, and on which lines the first of them are."""

    code: str
    title: str
    count: int = 0
    fields: dict[str, int] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)

    def add(self, violation: Violation) -> None:
        """Count one more row."""
        self.count += 1
        if violation.field:
            self.fields[violation.field] = self.fields.get(violation.field, 0) + 1
        if len(self.lines) < _EXAMPLES:
            self.lines.append(violation.line)


@dataclass(slots=True, kw_only=True)
class Report:
    """The running sum over the batches of one import; `stored` and `restored` carry it over a restart."""

    read: int = 0
    accepted: int = 0
    rejected: int = 0
    reasons: dict[str, Reason] = field(default_factory=dict)

    def add(self, batch: Batch) -> None:
        """Count a batch."""
        self.read += batch.last_row - batch.first_row + 1
        self.accepted += len(batch.rows)
        self.reject(batch.rejects)

    def reject(self, rejects: Iterable[Reject]) -> None:
        """Count rejected rows; also for rows that a later step rejects (those are no longer accepted)."""
        for each in rejects:
            self.rejected += 1
            for code, violation in {v.code: v for v in reversed(each.violations)}.items():
                title = REASONS.get(code, violation.detail)
                self.reasons.setdefault(code, Reason(code=code, title=title)).add(violation)

    def stored(self) -> dict[str, object]:
        """The report as plain values, most frequent reasons first."""
        ordered = sorted(self.reasons.values(), key=lambda reason: (-reason.count, reason.code))
        return {
            "read": self.read,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "reasons": [asdict(reason) for reason in ordered],
        }


def restored(read: int, accepted: int, rejected: int, reasons: Iterable[Mapping[str, object]]) -> Report:
    """The report that `stored` gave away: `restored(**stored)`."""
    known = [Reason(**each) for each in reasons]  # type: ignore[arg-type]
    return Report(read=read, accepted=accepted, rejected=rejected, reasons={reason.code: reason for reason in known})


def reject_header(header: Sequence[str]) -> list[str]:
    """The first row of the file of rejects."""
    return [*header, *REJECT_COLUMNS]


def reject_cells(reject: Reject, width: int) -> list[str]:
    """One row of the file of rejects."""
    cells = [*reject.cells[:width], *[""] * (width - len(reject.cells))]
    told = reject.violations
    fields = "; ".join(violation.field or "" for violation in told)
    return [
        *cells,
        str(reject.line),
        fields,
        "; ".join(violation.code for violation in told),
        " ".join(violation.detail for violation in told),
        *reject.cells[width:],
    ]
