"""How many records somebody who leaves may see in clear in a day: enough to end his work, too few to take along."""

from service.domain.access import Principal
from service.domain.customers.errors import RevealBudgetSpent

LEAVING_A_DAY = 10


def within_budget(principal: Principal, looks_today: int, more: int = 1) -> None:
    """Raises RevealBudgetSpent where so many more looks are too many for one who leaves."""
    if principal.leaving and looks_today + more > LEAVING_A_DAY:
        raise RevealBudgetSpent(limit=LEAVING_A_DAY, spent=looks_today)
