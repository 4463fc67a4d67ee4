"""The demo's base: exactly as large as asked for, the same for a seed, with a long tail and faults that are known."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from service.demo.customers import CURATORS, TEAMS
from service.demo.faults import KINDS
from service.demo.generate import CUSTOMER_FILES, ORDERS_FILE, RETURN_PREFIX, Recipe, Truth, generate
from service.domain.ingestion.batches import Options, read_batches
from service.domain.ingestion.mapping import ColumnMapping
from service.domain.ingestion.presets import PRESETS, recognise
from service.domain.ingestion.report import Report

RECIPE = Recipe(customers=1_200, orders=9_000, seed=7, as_of=date(2026, 3, 1))
Rows = list[dict[str, str]]


class Base:
    """One generated base, read back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.truth: Truth = generate(RECIPE, folder)
        self.by_team: dict[str, Rows] = {team: _rows(folder / name) for team, name in CUSTOMER_FILES.items()}
        self.customers = [row for rows in self.by_team.values() for row in rows]
        self.lines = _rows(folder / ORDERS_FILE)


def _rows(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _counted(base: Base) -> Iterator[dict[str, str]]:
    return (line for line in base.lines if line["customer_id"] and line["status"] in ("completed", "paid"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return Base(tmp_path_factory.mktemp("base"))


def _report(path: Path, mapping: ColumnMapping) -> Report:
    report = Report()
    options = Options(time_zone="Europe/Moscow", currency="RUB")
    for batch in read_batches([path.read_bytes()], mapping, options):
        report.add(batch)
    return report


def test_there_are_as_many_customers_and_orders_as_asked_for(base: Base) -> None:
    refused = {line["order_id"] for line in base.lines if not line["customer_id"] or "1-" in line["ordered_at"][4:6]}
    orders = {line["order_id"] for line in base.lines if not line["order_id"].startswith(RETURN_PREFIX)} - refused
    assert len(base.customers) == len({row["external_id"] for row in base.customers}) == RECIPE.customers
    assert len(orders) == base.truth.orders == RECIPE.orders
    assert len(base.lines) == base.truth.lines


def test_a_seed_gives_the_same_files_and_another_seed_gives_others(base: Base, tmp_path: Path) -> None:
    again, other = tmp_path / "again", tmp_path / "other"
    for folder in (again, other):
        folder.mkdir()
    assert generate(RECIPE, again) == base.truth
    generate(Recipe(customers=1_200, orders=9_000, seed=8, as_of=RECIPE.as_of), other)
    for name in (ORDERS_FILE, *CUSTOMER_FILES.values()):
        assert (again / name).read_bytes() == (base.folder / name).read_bytes()
        assert (other / name).read_bytes() != (base.folder / name).read_bytes()


def test_a_fifth_of_the_customers_brings_most_of_the_money_but_not_all(base: Base) -> None:
    spent: dict[str, Decimal] = defaultdict(Decimal)
    for line in _counted(base):
        spent[line["customer_id"]] += Decimal(line["unit_price"]) * int(line["quantity"])
    best = sorted(spent.values(), reverse=True)
    share = sum(best[: len(best) // 5]) / sum(best)
    assert Decimal("0.6") < share < Decimal("0.9")


def test_languages_kinds_statuses_and_returns_keep_their_shares(base: Base) -> None:
    russian = sum(row["language"] == "ru" for row in base.customers) / RECIPE.customers
    organisations = sum(row["kind"] == "organisation" for row in base.customers) / RECIPE.customers
    status = {line["order_id"]: line["status"] for line in base.lines}
    assert russian == pytest.approx(0.75, abs=0.05)
    assert organisations == pytest.approx(0.08, abs=0.03)
    assert Counter(status.values())["completed"] / len(status) == pytest.approx(0.93, abs=0.03)
    assert base.truth.returns / base.truth.orders == pytest.approx(0.01, abs=0.005)
    assert 0 < base.truth.prospects < RECIPE.customers * 0.2


def test_each_team_has_its_own_kind_of_customers_and_its_own_curators(base: Base) -> None:
    kinds = {team: {row["kind"] for row in rows} for team, rows in base.by_team.items()}
    assert list(kinds.values()) == [{"person"}, {"organisation"}]
    for team in TEAMS:
        allowed = {name for name, of in CURATORS if of == team} | {""}
        assert {row["curator"] for row in base.by_team[team]} <= allowed


def test_december_sells_more_than_july_and_no_day_lies_outside_the_period(base: Base) -> None:
    days = [line["ordered_at"][:10] for line in base.lines if line["ordered_at"][4] == "-"]
    months = Counter(day[5:7] for day in days)
    assert months["12"] > 1.2 * months["07"]
    assert date.fromisoformat(min(days)) >= date(2023, 3, 2)
    assert date.fromisoformat(max(days)) < RECIPE.as_of


def test_planted_faults_are_one_in_eight_and_every_kind_is_known(base: Base) -> None:
    faults = base.truth.faults
    records = {row["external_id"] for row in base.customers}
    assert len(faults) / RECIPE.customers == pytest.approx(0.14, abs=0.05)
    assert len({fault.external_id for fault in faults}) == len(faults)
    assert all(fault.external_id in records and KINDS[fault.kind] == fault.cause for fault in faults)


def test_the_truth_about_faults_can_be_seen_in_the_records(base: Base) -> None:
    records = {row["external_id"]: row for row in base.customers}
    planted = defaultdict(list)
    for fault in base.truth.faults:
        planted[fault.kind].append(records[fault.external_id])
    assert all(row["birth_date"] == "1900-01-01" for row in planted["birth_date_1900"])
    assert not any(row["email"] or row["phone"] for row in planted["contacts_missing"])
    assert all(row["family_name"].isascii() for row in planted["name_keyboard_layout"])
    assert all(any(sign.isascii() for sign in row["family_name"]) for row in planted["name_mixed_alphabets"])
    assert not any(row["email"].endswith(("@gmail.com", "@mail.ru")) for row in planted["email_domain_misspelt"])
    originals = [records[fault.of] for fault in base.truth.faults if fault.of is not None]
    doubles = [records[fault.external_id] for fault in base.truth.faults if fault.of is not None]
    assert originals
    assert all(a["given_name"] == b["given_name"] for a, b in zip(originals, doubles, strict=True))


def test_the_import_reads_every_customer(base: Base) -> None:
    for name in CUSTOMER_FILES.values():
        path = base.folder / name
        header = path.read_text(encoding="utf-8").partition("\n")[0].strip().split(",")
        assert recognise(header) == "clientbase_customers"
        assert _report(path, PRESETS["clientbase_customers"].mapping).rejected == 0


def test_the_import_rejects_exactly_the_lines_that_were_planted(base: Base) -> None:
    report = _report(base.folder / ORDERS_FILE, PRESETS["clientbase_order_lines"].mapping)
    assert report.read == base.truth.lines
    assert {code: reason.count for code, reason in report.reasons.items()} == dict(base.truth.rejected)


def test_without_orders_or_buyers_the_files_have_only_their_headers(tmp_path: Path) -> None:
    truth = generate(Recipe(customers=1, orders=0, seed=1, as_of=RECIPE.as_of), tmp_path)
    assert (truth.customers, truth.prospects, truth.orders) == (1, 1, 0)
    assert _rows(tmp_path / ORDERS_FILE) == []
