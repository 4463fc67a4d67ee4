"""Small order files, written as people's programs write them."""

import csv
import io
from collections.abc import Iterable, Sequence

HEADER = ("order_id", "customer_id", "ordered_at", "sku", "quantity", "unit_price")
Line = Sequence[object]


def written(lines: Iterable[Line], header: Sequence[str] = HEADER, delimiter: str = ",") -> bytes:
    """The file of these lines."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue().encode()


def a_line(order: object, customer: object = "1", **other: object) -> Line:
    """One line of an order: two of one thing at 10.50, unless stated."""
    known: dict[str, object] = {"ordered_at": "2024-03-01 12:00:00", "sku": "A", "quantity": 2, "unit_price": "10.50"}
    return [order, customer, *(known | other).values()]


def many(count: int, *, lines_each: int = 3, customers: int = 200, first: int = 0, fault_every: int = 0) -> list[Line]:
    """Orders of some lines each, a customer in turn; every so many-th line names nobody."""
    made = []
    for number in range(count):
        order = first + number // lines_each
        faulty = fault_every and number % fault_every == 0
        made.append(
            a_line(
                f"N{order}",
                "" if faulty else f"C{order % customers}",
                ordered_at=f"2024-{1 + order % 12:02}-{1 + order % 28:02} 10:{number % 60:02}:00",
                sku=f"S{number % 50}",
                quantity=1 + number % 4,
                unit_price=f"{number % 900 + 1}.{number % 1000:03}",
            )
        )
    return made
