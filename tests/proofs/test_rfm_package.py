"""All 39 999 customers of the R package `rfm` score as it published (the suite tries every fifteenth)."""

from tests.api.test_rfm_package import scored_as_published
from tests.postgres import TestDatabase


def test_every_customer_is_scored_as_published(database: TestDatabase) -> None:
    assert scored_as_published(database, 1) == 39_999
