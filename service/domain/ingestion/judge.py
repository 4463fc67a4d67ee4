"""Each raw row becomes a value or a reject. A good row is a few look-ups; a bad one is searched for all its faults.

A reject keeps its cells as they were, save that a NUL is shown as ␀, because no database text can hold one.
"""

from collections.abc import Callable, Sequence
from operator import getitem, itemgetter
from typing import TypeVar

from service.domain.ingestion.binding import Bound
from service.domain.ingestion.faults import REASONS, Fault, Reject, Violation
from service.domain.ingestion.fields import FIELDS, OWN, is_free, is_own
from service.domain.ingestion.reader import Block, Broken
from service.domain.ingestion.rows import Row, customer, order, order_line

T = TypeVar("T")
Make = Callable[[int, int, Sequence[str], Sequence[object], str | None], Row]

_MAKERS: dict[str, Make] = {"order_lines": order_line, "orders": order, "customers": customer}


class Judge:
    """Reads the rows of one bound file."""

    def __init__(self, bound: Bound) -> None:
        kind = bound.mapping.kind
        free = sorted(name for name in {*bound.positions, *bound.values} if is_free(kind, name))
        names = [*FIELDS[kind], *free]
        mapped = list(bound.positions)
        absent = [name for name in names if name not in bound.positions]
        self._width = bound.width
        self._prefix = bound.mapping.return_prefix
        self._make = _with_free(free) if free else _MAKERS[kind]
        self._columns = [(name, bound.positions[name], bound.memos[name]) for name in mapped]
        self._memos = [bound.memos[name] for name in mapped]
        self._absent = [bound.values.get(name) for name in absent]
        # Picking cells, reading them and putting the values in order are one C call each: this is the hot path.
        self._pick = _picker([bound.positions[name] for name in mapped])
        self._arrange = _picker([[*mapped, *absent].index(name) for name in names])

    def read(self, block: Block, row: int, rows: list[Row], rejects: list[Reject]) -> None:
        """Judge the block, whose first record is data row `row` + 1, into rows and rejects."""
        pick, memos, absent, arrange = self._pick, self._memos, self._absent, self._arrange
        width, make, prefix, odd, keep = self._width, self._make, self._prefix, block.odd, rows.append
        for cells, line in zip(block.records, block.lines, strict=True):
            row += 1
            if len(cells) == width and not (odd and _unfit(cells)):
                try:
                    values = arrange([*map(getitem, memos, pick(cells)), *absent])
                    keep(make(row, line, cells, values, prefix))
                    continue
                except Fault as fault:
                    found = self._cells(row, line, cells) or (_violation(row, line, fault.field, fault),)
            else:
                found = (self._shape(row, line, cells),)
            kept = [cell.replace("\0", "␀") for cell in cells] if odd else cells
            rejects.append(Reject(row, line, kept, found))

    def _shape(self, row: int, line: int, cells: Sequence[str]) -> Violation:
        if code := _unfit(cells):
            return Violation(row, line, None, code, REASONS[code])
        code = "too-many-cells" if len(cells) > self._width else "too-few-cells"
        return Violation(row, line, None, code, f"{REASONS[code]} There are {len(cells)} cells, not {self._width}.")

    def _cells(self, row: int, line: int, cells: Sequence[str]) -> tuple[Violation, ...]:
        # Faults are not kept: with their tracebacks they would be cycles, and wait for the garbage collector.
        found = []
        for name, index, memo in self._columns:
            try:
                memo[cells[index]]
            except Fault as fault:
                found.append(_violation(row, line, name, fault))
        return tuple(found)


def _with_free(names: Sequence[str]) -> Make:
    """A customer, with the tenant's own fields and the labelled contacts that his row fills; their cells come last."""

    def make(row: int, line: int, cells: Sequence[str], values: Sequence[object], prefix: str | None) -> Row:
        filled = [(name, str(v)) for name, v in zip(names, values[-len(names) :], strict=True) if v is not None]
        return customer(row, line, cells, values[: -len(names)], prefix)._replace(
            attributes=tuple((name.removeprefix(OWN), text) for name, text in filled if is_own("customers", name)),
            contacts=tuple((name, text) for name, text in filled if not is_own("customers", name)),
        )

    return make


def _picker(places: Sequence[int]) -> Callable[[Sequence[T]], tuple[T, ...]]:
    # An itemgetter of one place gives the item itself, not a tuple.
    return itemgetter(*places) if len(places) > 1 else lambda items: tuple(items[place] for place in places)


def _violation(row: int, line: int, field: str | None, fault: Fault) -> Violation:
    return Violation(row, line, field, fault.code, fault.detail)


def _unfit(cells: Sequence[str]) -> str | None:
    if isinstance(cells, Broken):
        return "stray-quote"
    return "nul-character" if any("\0" in cell for cell in cells) else None
