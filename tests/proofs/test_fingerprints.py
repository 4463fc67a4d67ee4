"""B16: from a thousand exports of one base, the right one is named by three rows in ten, and never a wrong one."""

import random
from uuid import UUID

from service.domain.exports.marks import MarkKeys, evidence_of, named, scores
from tests.unit.domain.exports.test_marks import base, exported, leaked

_EXPORTS = 1_000
_ROWS = 500
# Each is compared with all of them.
_TRACED = range(_EXPORTS)


def test_one_of_a_thousand_exports_is_named_by_a_part_of_it() -> None:
    chance = random.Random(16)
    keys = MarkKeys(b"a secret of the proof")
    rows = base(_ROWS)
    known = {UUID(int=number): keys.of(1, UUID(int=number), sparse=number % 10 == 0) for number in range(_EXPORTS)}
    right = wrong = 0
    for number in _TRACED:
        export_id, key = UUID(int=number), known[UUID(int=number)]
        part = leaked(exported(rows, keys, export_id, sparse=key.sparse), chance)
        found = [one.export_id for one in named(scores(evidence_of(part), known), len(known))]
        right += export_id in found
        wrong += any(one != export_id for one in found)
    strangers = MarkKeys(b"somebody else's secret")
    for number in range(100):
        part = leaked(exported(rows, strangers, UUID(int=number)), chance)
        wrong += bool(named(scores(evidence_of(part), known), len(known)))
    print(f"\n{right} of {len(_TRACED)} exports named by three rows in ten, {wrong} times a wrong one")  # noqa: T201
    assert right >= 0.99 * len(_TRACED)
    assert wrong == 0
