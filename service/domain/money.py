"""Money is a whole number of micros (10**-6 of the currency), so that sums are exact and fast.

Six decimals hold every real price; a value with more is refused, never rounded.
"""

from decimal import ROUND_HALF_EVEN, Decimal

from service.domain.errors import Rejected

MICROS = 1_000_000
_LIMIT = 9_000_000_000_000 * MICROS  # just inside a 64-bit integer


class TooPrecise(Rejected):
    code = "amount-too-precise"
    title = "An amount has more than six decimals or more digits than can be kept."


def to_micros(amount: Decimal) -> int:
    """The amount in micros; refuses what would lose a digit or overflow."""
    if not amount.is_finite():
        raise TooPrecise("An amount must be a finite number.")
    micros = int(amount.scaleb(6).to_integral_value(rounding=ROUND_HALF_EVEN))
    if micros != amount * MICROS or abs(micros) > _LIMIT:
        raise TooPrecise
    return micros


def from_micros(micros: int) -> Decimal:
    """The decimal value, without trailing zeros beyond the second place."""
    return Decimal(money_text(micros))


def money_text(micros: int) -> str:
    """The decimal string of the wire: at least two decimals, none lost."""
    sign = "-" if micros < 0 else ""
    whole, part = divmod(abs(micros), MICROS)
    decimals = f"{part:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{decimals}"


def line_amount(unit_price: int, quantity: Decimal) -> int:
    """Price × quantity in micros; a product finer than a micro is rounded half to even."""
    return int((unit_price * quantity).to_integral_value(rounding=ROUND_HALF_EVEN))


def bounded(micros: int) -> int:
    """The same sum; refuses one that is too large to be kept."""
    if abs(micros) > _LIMIT:
        raise TooPrecise
    return micros
