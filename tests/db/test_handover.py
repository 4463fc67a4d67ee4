"""A hand-over is one moment: a reader sees the portfolio with the one or with the other, and never in between."""

from tests.api.support import Api, in_the_api
from tests.db.portfolio import a_portfolio
from tests.postgres import TestDatabase

_RECORDS = 2_000


def test_no_reader_sees_half_a_hand_over(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        async with a_portfolio(api, records=_RECORDS, orders_each=2) as portfolio:
            async with portfolio.watched():
                assignment_id, _ = await portfolio.hand_over(portfolio.anna, portfolio.boris)
                await portfolio.head.post(f"/v1/assignments/{assignment_id}/undo")
            portfolio.seen.add(await portfolio.counts())
            assert portfolio.seen <= {(_RECORDS, 0), (0, _RECORDS)}
            assert (_RECORDS, 0) in portfolio.seen

    in_the_api(database, scenario)


def test_a_refused_hand_over_moves_nothing(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        async with a_portfolio(api, records=_RECORDS, orders_each=1) as portfolio:
            body = {
                "select": {"curator_id": str(portfolio.anna.staff_id)},
                "to": {"curator_id": str(portfolio.boris.staff_id)},
                "dry_run": False,
                "expected_records": _RECORDS - 1,
            }
            refused = await portfolio.head.post("/v1/assignments", json=body)
            assert (refused.status_code, refused.json()["found"]) == (409, _RECORDS)
            assert await portfolio.counts() == (_RECORDS, 0)

    in_the_api(database, scenario)
