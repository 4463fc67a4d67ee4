"""`segments.preview`: ten typical rules tried by the head who sees the whole tenant, against hand-written SQL.

The references say how many, of how many, what they brought and the newest five; ours says which clause costs most, too.
Before the clock starts the sides must agree on each rule. `CLIENTBASE_BENCH_EACH=1` prints what each rule takes.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from benchmarks.acting import Acting, acting
from benchmarks.base import AS_OF, SLUG, Size, shop, subject
from benchmarks.databases import Server
from benchmarks.measure import Row, Sides, timed
from benchmarks.references import preview_sql
from benchmarks.references.preview_sql import RULES, Answer
from service.domain.access import Scope
from service.domain.rules.model import Asked

_SCOPES = tuple(str(scope) for scope in Scope if not scope.startswith("reach:"))


@contextmanager
def _previews(server: Server, scale: float) -> Iterator[Sides]:
    customers = max(2_000, int(1_000_000 * scale))
    database = shop(server, "shop", Size(customers=customers, orders=10 * customers))
    with acting(database, tenant=SLUG, subject=subject("tenant"), scopes=(*_SCOPES, "reach:tenant")) as head:
        head.run(preview_sql.ready(head.onlooker))
        rules = {text: _asked(head, text) for text, _ in RULES}
        for text, rule in rules.items():
            _compare(head, text, rule)

        def ours() -> None:
            for rule in rules.values():
                _previewed(head, rule)

        def by_hand() -> None:
            for text in rules:
                head.run(preview_sql.answered(head.onlooker, text, AS_OF))

        yield Sides(ours=timed(ours), reference=timed(by_hand))


ROWS = (Row(name="segments.preview", goal=0.75, unit="s", opened=_previews),)


def _asked(head: Acting, text: str) -> Asked:
    return replace(head.run(head.container.services.rules.asked(head.principal, text=text)), today=AS_OF)


def _previewed(head: Acting, rule: Asked) -> Answer:
    found = head.run(head.container.services.rules.preview(head.principal, rule))
    return Answer(found.customers, found.base, found.revenue, tuple(found.sample))


def _compare(head: Acting, text: str, rule: Asked) -> None:
    started = time.perf_counter()
    ours = _previewed(head, rule)
    between = time.perf_counter()
    answer = head.run(preview_sql.answered(head.onlooker, text, AS_OF))
    ended = time.perf_counter()
    if os.environ.get("CLIENTBASE_BENCH_EACH"):
        print(f"{between - started:8.3f} {ended - between:8.3f} {answer.customers:>8} {text}")
    if ours != answer:
        raise RuntimeError(f"the sides answer differently about {text}:\n{ours}\n{answer}")
