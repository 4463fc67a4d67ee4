"""The duplicates of a whole base, from its profiles to clusters, in one call.

It takes as long as it takes: run it in a process of its own, never on a server's loop.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from service.domain.linkage.batch import Scored, score
from service.domain.linkage.clusters import clusters
from service.domain.linkage.columns import columns, meetings
from service.domain.linkage.learning import learnt
from service.domain.linkage.model import DEFAULT, Model
from service.domain.linkage.profile import Profile

# How many pairs a record has to meet at most, on average, and how many any base may have.
_MEETINGS_EACH = 12
_FEW = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Deduplicated:
    """What was learnt, the pairs over the bound (the surest first), and the clusters; records go by their position."""

    model: Model
    pairs: Scored
    clusters: list[list[int]]


def deduplicated(
    profiles: Iterable[Profile], *, start: Model = DEFAULT, apart: Iterable[tuple[int, int]] = ()
) -> Deduplicated:
    """Learn from the base and find its duplicates; those told `apart` never meet in a cluster."""
    base = columns(profiles)
    met = meetings(base, most=max(_FEW, _MEETINGS_EACH * base.count))
    base = replace(base, keys=base.keys[:0].copy(), holders=base.holders[:0].copy())
    model = learnt(base, met, start)
    found = score(base, met, model, bound=model.bound)
    order = np.argsort(-found.total, kind="stable")
    pairs = Scored(one=found.one[order], other=found.other[order], total=found.total[order])
    together = zip(pairs.one.tolist(), pairs.other.tolist(), strict=True)
    return Deduplicated(model=model, pairs=pairs, clusters=clusters(together, apart=apart))
