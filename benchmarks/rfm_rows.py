"""`rfm.report`: the whole report of the head, who sees the whole tenant, against hand-written SQL over the same totals,
and against DuckDB and Polars over the raw orders in Parquet.

The references stop at the cuts and the cells; ours goes on to groups, shares, and who and what was left out. Before
the clock starts, a report is made of the reference's cells, and it must be ours.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import duckdb

from benchmarks.acting import Acting, acting
from benchmarks.base import AS_OF, SLUG, Size, base, subject
from benchmarks.databases import Database, Server
from benchmarks.measure import Row, Sides, timed
from benchmarks.references import rfm_duckdb, rfm_polars, rfm_sql
from benchmarks.references.orders_file import orders_file
from benchmarks.references.rfm_answer import Answer
from service.domain.access import Scope
from service.domain.segmentation import rfm_report
from service.domain.segmentation.basis import Basis
from service.domain.segmentation.rfm import Cuts, LetterCuts, RfmScheme
from service.domain.segmentation.rfm_report import Cell, RfmReport, Surroundings

_CURRENCY = "RUB"
_SCHEME = RfmScheme(currency=_CURRENCY, as_of=AS_OF)
_SCOPES = tuple(str(scope) for scope in Scope if not scope.startswith("reach:"))
# How a reference is made ready; what it returns answers once.
Reference = Callable[[Acting, Database], Callable[[], Answer]]


@contextmanager
def _report(server: Server, scale: float, *, reference: Reference) -> Iterator[Sides]:
    customers = max(2_000, int(1_000_000 * scale))
    database = base(server, "purchases", Size(customers=customers, orders=10 * customers))
    with acting(database, tenant=SLUG, subject=subject("tenant"), scopes=(*_SCOPES, "reach:tenant")) as head:
        answered = reference(head, database)
        segmentation = head.container.services.segmentation

        def reported() -> RfmReport:
            return head.run(segmentation.rfm_report(head.principal, _SCHEME))

        _agree(reported(), answered())
        yield Sides(ours=timed(reported), reference=timed(answered))


def _by_sql(head: Acting, _: Database) -> Callable[[], Answer]:
    head.run(rfm_sql.ready(head.onlooker))
    return lambda: head.run(rfm_sql.answered(head.onlooker, _CURRENCY, AS_OF))


def _by_duckdb(_: Acting, database: Database) -> Callable[[], Answer]:
    return partial(rfm_duckdb.answered, duckdb.connect(), orders_file(database), _CURRENCY, AS_OF)


def _by_polars(_: Acting, database: Database) -> Callable[[], Answer]:
    return partial(rfm_polars.answered, orders_file(database), _CURRENCY, AS_OF)


ROWS = (
    Row(name="rfm.report", goal=0.8, unit="s", opened=partial(_report, reference=_by_sql)),
    Row(name="rfm.report.duckdb", goal=1.0, unit="s", opened=partial(_report, reference=_by_duckdb)),
    Row(name="rfm.report.polars", goal=1.0, unit="s", opened=partial(_report, reference=_by_polars)),
)


def _agree(ours: RfmReport, answer: Answer) -> None:
    """Cuts, groups and grid must be the same; who stands beside the population only ours has counted."""
    made = replace(
        _made(answer, ours), no_orders=ours.no_orders, prospects=ours.prospects, excluded_orders=ours.excluded_orders
    )
    if made != ours:
        raise RuntimeError(f"the sides answer differently:\n{ours}\n{made}")


def _made(answer: Answer, ours: RfmReport) -> RfmReport:
    """The report that the domain makes of a reference's cells."""
    cells = (
        Cell(
            r=cell.r,
            f=cell.f,
            m=None,
            customers=cell.customers,
            revenue=cell.revenue,
            orders=cell.orders,
            recency_days=cell.recency_days,
            monetary=cell.revenue,
        )
        for cell in answer.cells
    )
    recency, frequency, monetary = (
        LetterCuts(cuts=tuple(cuts), floors=())
        for cuts in ([day.toordinal() for day in answer.last_on], answer.orders, answer.revenue)
    )
    return rfm_report.report(
        cells,
        scheme=_SCHEME,
        basis=Basis(currency=_CURRENCY, as_of=AS_OF, window_days=None),
        scores=Cuts(recency=recency, frequency=frequency, monetary=monetary),
        surroundings=Surroundings(customers=0, recorded=0, orders_in_other_currencies=0, orders_after_as_of=0),
        computed_at=ours.computed_at,
    )
