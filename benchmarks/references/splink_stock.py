"""Splink as its documentation sets it up: comparisons of its library, term frequencies, u by sampling, m by EM, DuckDB.

It gets the same cleaned values as the service, in a table that stands before the clock starts, and blocks on the values
by which the service's keys let two records meet.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import combinations

import duckdb
import pyarrow as pa
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from service.domain.linkage.comparing import values
from service.domain.linkage.profile import Profile

Pair = tuple[int, int]
_COMPARISONS = {
    "given": lambda: cl.NameComparison("given").configure(term_frequency_adjustments=True),
    "family": lambda: cl.NameComparison("family").configure(term_frequency_adjustments=True),
    "patronymic": lambda: cl.NameComparison("patronymic"),
    "title": lambda: cl.JaroWinklerAtThresholds("title", [0.9, 0.8]),
    "birth": lambda: cl.DateOfBirthComparison("birth", input_is_string=True),
    "email": lambda: cl.EmailComparison("email"),
    "phone": lambda: cl.DamerauLevenshteinAtThresholds("phone", [1]),
    "requisite": lambda: cl.DamerauLevenshteinAtThresholds("requisite", [1]),
    "street": lambda: cl.JaroWinklerAtThresholds("street", [0.9]),
    "city": lambda: cl.ExactMatch("city").configure(term_frequency_adjustments=True),
    "postal_code": lambda: cl.ExactMatch("postal_code"),
}
_BLOCKS: Sequence[Sequence[str]] = (
    ("phone",),
    ("email",),
    ("requisite",),
    ("title",),
    ("family", "given"),
    ("birth", "substr(family, 1, 1)"),
    ("birth", "substr(given, 1, 1)"),
    ("substr(birth, 1, 4)", "family"),
    ("substr(birth, 6, 5)", "given"),
    ("postal_code", "family"),
    ("postal_code", "given"),
    ("street", "substr(family, 1, 1)"),
)
_CERTAIN: Sequence[Sequence[str]] = (
    ("family", "given", "birth"),
    ("email", "birth"),
    ("requisite",),
    ("title", "phone"),
)
_TRAINED_ON: Sequence[Sequence[str]] = (("birth",), ("family", "given"), ("phone",), ("email",), ("title",))


def table(profiles: Sequence[Profile]) -> pa.Table:
    """The values as Splink takes them: missing ones null."""
    rows = [values(profile) for profile in profiles]
    filled = [name for name in _COMPARISONS if any(row[name] for row in rows)]
    found: dict[str, list[object]] = {name: [row[name] or None for row in rows] for name in filled}
    return pa.table({"unique_id": list(range(len(rows))), **found})


def pairs(records: pa.Table, threshold: float = 0.9) -> Iterator[Pair]:
    """Train, predict and cluster; the pairs within the clusters."""
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    connection.register("records", records)
    names = set(records.column_names)
    linker = _linker(connection, names)
    linker.training.estimate_probability_two_random_records_match(
        [block_on(*rule) for rule in _there(_CERTAIN, names)], recall=0.7
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6)
    for rule in _there(_TRAINED_ON, names):
        # A chance that comes to nought in training is refused; the other rounds still train the model.
        with suppress(ValueError):
            linker.training.estimate_parameters_using_expectation_maximisation(block_on(*rule))
    predicted = linker.inference.predict(threshold_match_probability=threshold)
    clustered = linker.clustering.cluster_pairwise_predictions_at_threshold(predicted, threshold)
    members: dict[object, list[int]] = {}
    for row in clustered.as_record_list():
        members.setdefault(row["cluster_id"], []).append(int(row["unique_id"]))
    connection.close()
    return (pair for group in members.values() for pair in combinations(sorted(group), 2))


def _linker(connection: duckdb.DuckDBPyConnection, names: set[str]) -> Linker:
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[made() for name, made in _COMPARISONS.items() if name in names],
        blocking_rules_to_generate_predictions=[block_on(*rule) for rule in _there(_BLOCKS, names)],
        retain_matching_columns=False,
    )
    registered = DuckDBAPI(connection).register("records")
    return Linker(registered, settings, log_level=logging.ERROR)


def _there(rules: Sequence[Sequence[str]], names: set[str]) -> list[Sequence[str]]:
    return [rule for rule in rules if all(_column(part) in names for part in rule)]


def _column(part: str) -> str:
    return part.removeprefix("substr(").partition(",")[0]
