"""How the demo writes numbers, shares and money: digits in threes, plain spaces wherever nobody looks at a screen."""

from decimal import ROUND_HALF_EVEN, Decimal

from rich.console import Console

_NARROW = "\u202f"
_EIGHTHS = " ▏▎▍▌▋▊▉"
REASONS = {
    "missing-customer": "rejected for having no customer",
    "date-out-of-range": "rejected for a date out of range",
}


class Words:
    """The way of writing that fits where the text goes to, and whether there is room for bars."""

    def __init__(self, console: Console) -> None:
        self._space = _NARROW if console.is_terminal and console.encoding.startswith("utf") else " "
        self.wide = console.width >= 110

    def count(self, number: int) -> str:
        """1 234 567."""
        return f"{number:,}".replace(",", self._space)

    def exactly(self, amount: str) -> str:
        """A decimal string with all of its decimals."""
        whole, point, rest = amount.partition(".")
        return f"{int(whole):,}".replace(",", self._space).replace("-0", "0") + point + rest

    def rounded(self, amount: str | None) -> str:
        """A decimal string in whole units."""
        if amount is None:
            return "–"
        return self.count(int(Decimal(amount).quantize(Decimal(1), ROUND_HALF_EVEN)))

    def percent(self, share: str | None, places: int = 1) -> str:
        """A share of 0…1 in percent."""
        return "–" if share is None else f"{Decimal(share) * 100:.{places}f} %"

    def decimal(self, value: str | None) -> str:
        """A mean with one decimal."""
        return "–" if value is None else f"{Decimal(value):.1f}"


def bar(share: str | None, width: int = 16) -> str:
    """A bar as long as the share, to an eighth of a cell."""
    eighths = round(float(share or 0) * width * 8)
    full, rest = divmod(max(0, min(eighths, width * 8)), 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def reason(code: str, title: str) -> str:
    """Why rows were rejected, as the end of a sentence that begins with their number."""
    return REASONS.get(code, f"rejected ({code}: {title.rstrip('.')})")
