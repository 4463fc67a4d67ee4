"""A hundred thousand records with a million orders change hands in one transaction, at most three times as slowly as
the bare UPDATE of those rows, and no reader sees half of them."""

from statistics import median

from tests.api.support import Api, in_the_api
from tests.db.portfolio import a_portfolio
from tests.postgres import migrated_database

_RECORDS, _ORDERS_EACH = 100_000, 10
_ROUNDS = 5
_MOST = 3.0


def test_a_hand_over_costs_at_most_three_bare_updates() -> None:
    async def scenario(api: Api) -> None:
        async with a_portfolio(api, records=_RECORDS, orders_each=_ORDERS_EACH) as portfolio:
            bare, whole = [], []
            for _ in range(_ROUNDS):
                bare.append(await portfolio.bare_update(portfolio.anna, portfolio.boris))
                await portfolio.vacuum()
                whole.append((await portfolio.hand_over(portfolio.boris, portfolio.anna))[1])
                await portfolio.vacuum()
            async with portfolio.watched():
                await portfolio.hand_over(portfolio.anna, portfolio.boris)
            portfolio.seen.add(await portfolio.counts())
            assert portfolio.seen == {(_RECORDS, 0), (0, _RECORDS)}
            ratio = median(whole) / median(bare)
            rounds = ", ".join(f"{b:.2f}/{w:.2f}" for b, w in zip(bare, whole, strict=True))
            print(f"\nbare/hand-over in seconds: {rounds}; ratio of the medians {ratio:.2f}")  # noqa: T201
            assert ratio <= _MOST

    with migrated_database() as database:
        in_the_api(database, scenario)
