"""`abc.report`: ABC over all customers, of the head who sees the whole tenant, against hand-written SQL over the same
totals. Before the clock starts the sides must agree: items, sums, classes of what brings anything, the best by name.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.acting import acting
from benchmarks.base import AS_OF, SLUG, Size, base, subject
from benchmarks.databases import Server
from benchmarks.measure import Row, Sides, timed
from benchmarks.references import abc_sql
from benchmarks.references.abc_sql import Answer
from service.domain.access import Scope
from service.domain.segmentation.abc_analysis import AbcReport
from service.domain.segmentation.abc_service import AbcAsked

_CURRENCY = "RUB"
_SCOPES = tuple(str(scope) for scope in Scope if not scope.startswith("reach:"))


@contextmanager
def _report(server: Server, scale: float) -> Iterator[Sides]:
    customers = max(2_000, int(1_000_000 * scale))
    database = base(server, "purchases", Size(customers=customers, orders=10 * customers))
    with acting(database, tenant=SLUG, subject=subject("tenant"), scopes=(*_SCOPES, "reach:tenant")) as head:
        head.run(abc_sql.ready(head.onlooker))

        def reported() -> AbcReport:
            asked = AbcAsked(currency=_CURRENCY, as_of=AS_OF)
            return head.run(head.container.services.abc.report(head.principal, asked, limit=20))

        def answered() -> Answer:
            return head.run(abc_sql.answered(head.onlooker, _CURRENCY, AS_OF))

        _agree(reported(), answered())
        yield Sides(ours=timed(reported), reference=timed(answered))


ROWS = (Row(name="abc.report", goal=0.8, unit="s", opened=_report),)


def _agree(ours: AbcReport, answer: Answer) -> None:
    top = tuple((str(one.item), str(one.name), one.total) for one in ours.top)
    same = (ours.items, ours.total, top) == (answer.items, answer.total, answer.top)
    # The last class holds those without any positive total too, which the reference leaves alone.
    classes = tuple((one.items, one.total) for one in ours.classes)
    if not same or classes[:2] != answer.classes[:2] or classes[2][1] != answer.classes[2][1]:
        raise RuntimeError(f"the sides answer differently:\n{ours}\n{answer}")
