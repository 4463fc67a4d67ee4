"""`duplicates.batch`: learning, comparing and clustering a made base with known duplicates, against stock Splink.

Both sides begin with the same cleaned values; the reference's stand in DuckDB before the clock starts, ours are packed
while it runs. Before that both judge the public bases, and the table of how right they were is printed. The row holds
only while ours is at least as right as the reference.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import combinations

from benchmarks.databases import Server
from benchmarks.duplicate_base import entries
from benchmarks.measure import Row, Sides, timed
from benchmarks.references import splink_stock
from benchmarks.truth_sets import FOLDER, SETS, Pair, TruthSet, judged, within
from service.domain.linkage.deduplication import deduplicated
from service.domain.linkage.profile import Profile


@contextmanager
def _batch(_: Server, scale: float) -> Iterator[Sides]:
    print(f"{'base':<14}{'side':<11}{'precision':>10}{'recall':>8}{'F1':>8}{'forbidden':>11}{'seconds':>9}")
    if FOLDER.exists():
        for made in SETS.values():
            _compared(made())
    base = _made_base(max(2_000, int(100_000 * scale)))
    ours, reference = _compared(base)
    if ours < reference:
        raise RuntimeError(f"the reference is more right than the service: F1 {reference:.4f} against {ours:.4f}")
    table = splink_stock.table(base.profiles)
    yield Sides(
        ours=timed(lambda: deduplicated(base.profiles)), reference=timed(lambda: list(splink_stock.pairs(table)))
    )


def _compared(truth: TruthSet) -> tuple[float, float]:
    """The F1 of both sides on one base."""
    table = splink_stock.table(truth.profiles)
    return (
        _told(truth, "ours", lambda: _together(truth.profiles)),
        _told(truth, "reference", lambda: splink_stock.pairs(table)),
    )


def _together(profiles: Iterable[Profile]) -> Iterator[Pair]:
    return (pair for group in deduplicated(profiles).clusters for pair in combinations(group, 2))


def _told(truth: TruthSet, side: str, answered: Callable[[], Iterable[Pair]]) -> float:
    started = time.perf_counter()
    found = set(answered())
    took = time.perf_counter() - started
    told = judged(found, truth)
    print(
        f"{truth.name:<14}{side:<11}{told.precision:>10.4f}{told.recall:>8.4f}{told.f1:>8.4f}"
        f"{len(found & truth.forbidden):>11}{took:>9.1f}"
    )
    return told.f1


def _made_base(count: int) -> TruthSet:
    made = list(entries(count))
    return TruthSet(
        name=f"made {count}",
        profiles=[entry.profile() for entry in made],
        pairs=within([str(entry.entity) for entry in made]),
    )


ROWS = (Row(name="duplicates.batch", goal=1.0, unit="s", opened=_batch),)
