from dataclasses import replace

import pytest

from service.domain.ingestion.binding import Bound, bind
from service.domain.ingestion.errors import (
    BadMapping,
    DuplicateHeader,
    MissingColumn,
    UnknownColumn,
    UnknownField,
)
from service.domain.ingestion.mapping import ColumnMapping
from service.domain.ingestion.presets import preset
from tests.unit.domain.ingestion.reading import LINES

_HEADER = ["order", "customer", "date", "quantity", "price"]


def _bind(header: list[str], mapping: ColumnMapping = LINES, sample: tuple[list[str], ...] = ()) -> Bound:
    return bind(header, mapping, time_zone="Europe/Moscow", currency="RUB", sample=sample)


def test_columns_are_found_without_case_and_space() -> None:
    bound = _bind([" Price", "DATE", "note", "order ", "customer", "Quantity"])
    assert bound.positions == {"order_id": 3, "customer_id": 4, "ordered_at": 1, "quantity": 5, "unit_price": 0}
    assert bound.ignored == ("note",)


def test_the_exact_name_wins_over_another_case() -> None:
    assert _bind([*_HEADER, "Price"]).positions["unit_price"] == 4


def test_a_column_named_twice_is_refused_with_its_places() -> None:
    with pytest.raises(DuplicateHeader, match="'date' in columns 3 and 6") as refusal:
        _bind([*_HEADER, " date"])
    assert refusal.value.extra == {"columns": ["date"], "positions": [3, 6]}


def test_nameless_columns_may_repeat() -> None:
    assert _bind([*_HEADER, "", ""]).width == 7


def test_an_unknown_column_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownColumn, match=r"'price'. Did you mean 'prices'\?"):
        _bind([*_HEADER[:4], "prices"])
    with pytest.raises(UnknownColumn, match=r"'price'.$"):
        _bind([*_HEADER[:4], "Сумма"])


def test_a_closed_format_refuses_a_column_that_it_does_not_know() -> None:
    mapping = preset("clientbase_customers").mapping
    with pytest.raises(UnknownColumn, match=r"'emial'. Did you mean 'email'"):
        _bind(["external_id", "family_name", "emial"], mapping)
    assert _bind(["external_id", "family_name", "email", ""], mapping).ignored == ("",)


@pytest.mark.parametrize(
    "columns",
    [
        {"order_id": "order", "ordered_at": "date", "unit_price": "price"},
        {"order_id": "order", "ordered_at": "date", "customer_id": "customer"},
    ],
)
def test_a_needed_field_without_a_column_refuses_the_file(columns: dict[str, str]) -> None:
    with pytest.raises(MissingColumn):
        _bind(_HEADER, replace(LINES, columns=columns))


def test_an_unknown_field_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownField, match="Did you mean 'quantity'"):
        _bind(_HEADER, replace(LINES, constants={"quantty": "1"}))


def test_columns_are_names_where_there_is_a_header_and_positions_where_not() -> None:
    with pytest.raises(BadMapping, match="names"):
        _bind(_HEADER, replace(LINES, columns={**LINES.columns, "sku": 3}))
    with pytest.raises(BadMapping, match="positions"):
        _bind(_HEADER, replace(LINES, header=False))


def test_a_position_outside_the_file_is_refused() -> None:
    with pytest.raises(UnknownColumn, match="has 3 columns"):
        _bind(["1", "2", "3"], preset("cdnow").mapping)


def test_a_constant_must_be_a_value_of_its_field() -> None:
    with pytest.raises(BadMapping, match="currency"):
        _bind(_HEADER, replace(LINES, constants={"currency": "roubles"}))
    with pytest.raises(BadMapping, match="quantity"):
        _bind(_HEADER, replace(LINES, constants={"quantity": "many"}))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc", ""])
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(BadMapping, match="time zone"):
        bind(_HEADER, LINES, time_zone=zone, currency="RUB")


def test_the_first_rows_settle_what_the_mapping_leaves_open() -> None:
    sample = (["1", "2", "03/04/19", "1", "1,234"], ["1", "2", "25/04/19", "1", "12,5"], ["short"])
    reading = _bind(_HEADER, sample=sample).reading
    assert (reading.mark, reading.dates) == ("comma", "day_first")
    told = _bind(_HEADER, replace(LINES, decimal="point", dates="month_first"), sample).reading
    assert (told.mark, told.dates) == ("point", "month_first")
