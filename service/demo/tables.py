"""What the service says, as tables: counts, RFM groups and their grid, ABC classes, who sees what."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from service.demo.client import Json
from service.demo.words import Words, bar

_STYLES = {
    "champions": "bold green",
    "loyal": "green",
    "potential_loyalist": "cyan",
    "new": "bright_cyan",
    "promising": "blue",
    "need_attention": "yellow",
    "about_to_sleep": "dark_orange",
    "cant_lose": "bold red",
    "at_risk": "red",
    "hibernating": "bright_black",
}
_CLASSES = {"A": "bold green", "B": "yellow", "C": "bright_black"}


def _table(title: str, *columns: str, left: Sequence[str] = ()) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, justify="left" if column in left else "right", no_wrap=True)
    return table


def overview(page: Json, words: Words) -> Table:
    """Customers by kind and status, and what they bought by currency."""
    table = _table("The base", "what", "how many", left=("what",))
    table.show_header = False
    table.add_row("customers and prospects", words.count(page["customers"]["total"]), style="bold")
    for one in page["customers"]["by_status_and_kind"]:
        name = f"  {one['status']}s, {one['kind']}s" if one["status"] != "lapsed" else f"  lapsed, {one['kind']}s"
        table.add_row(name, words.count(one["customers"]))
    for money in page["purchases"]:
        currency = money["currency"]
        table.add_row(f"orders that count, {currency}", words.count(money["orders"]), style="bold")
        table.add_row("  from – to", f"{money['first_on']} – {money['last_on']}")
        table.add_row("  returns that name no order", words.count(money["returns_unlinked"]))
        table.add_row(f"  net revenue, {currency}", words.exactly(money["revenue"]))
    return table


def reasons(found: Iterable[Json], words: Words) -> Table:
    """Why rows were rejected, and on which lines first."""
    table = _table(
        "Rejected rows",
        "rows",
        "reason",
        "what it means",
        "first lines",
        left=("reason", "what it means", "first lines"),
    )
    for one in found:
        lines = ", ".join(str(line) for line in one["lines"][:4])
        table.add_row(words.count(one["count"]), one["code"], one["title"], lines)
    return table


def rfm_groups(report: Json, words: Words) -> Table:
    """The groups with their shares and means; a narrow screen does without the bars and what they show."""
    currency = report["currency"]
    bars = ["share", ""] if words.wide else []
    marks = [f", {currency}", ", days", ", orders"] if words.wide else ["", "", ""]
    table = _table(
        f"RFM groups on {report['as_of']}, {currency}",
        *("group", "customers", *bars, f"revenue{marks[0]}", "of it"),
        *(f"R{marks[1]}", f"F{marks[2]}", f"M{marks[0]}"),
        left=("group", ""),
    )
    table.collapse_padding = not words.wide
    largest = max((float(group["share"] or 0) for group in report["groups"]), default=0) or 1
    for group in report["groups"]:
        table.add_row(
            group["group"],
            words.count(group["customers"]),
            *([words.percent(group["share"]), bar(str(float(group["share"] or 0) / largest))] if bars else []),
            words.rounded(group["revenue"]),
            words.percent(group["revenue_share"]),
            words.decimal(group["mean_recency_days"]),
            words.decimal(group["mean_frequency"]),
            words.rounded(group["mean_monetary"]),
            style=_STYLES.get(group["group"], ""),
        )
    table.add_section()
    whole = [words.count(report["population"]), *("" for _ in bars), words.rounded(report["revenue"])]
    table.add_row("all", *whole, style="bold")
    return table


def rfm_grid(report: Json, words: Words) -> Table:
    """Customers by scores: recency downwards, frequency across, each cell with its group."""
    cells = {(cell["r"], cell["f"]): cell for cell in report["grid"]}
    scores = range(1, report["bins"] + 1)
    table = Table(title="R × F: customers by scores (5 is best)", box=box.SQUARE, show_lines=True, title_justify="left")
    table.title_style = "bold"
    table.padding = (0, 1 if words.wide else 0)
    table.add_column("", justify="center")
    for f in scores:
        table.add_column(f"F{f}", justify="center")
    for r in reversed(scores):
        table.add_row(Text(f"R{r}", "bold"), *(_cell(cells[r, f], words) for f in scores))
    return table


def fitness(summary: Json, words: Words) -> Table:
    """How many records are fit for what."""
    table = _table(
        f"Records fit for use; the mean score is {words.decimal(_text(summary['score']))} of 100",
        *("to", "records", "share", " "),
        left=("to", " "),
    )
    for purpose, fit in summary["fit"].items():
        share = _text(fit["share"])
        table.add_row(purpose, words.count(fit["records"]), words.percent(share), bar(share))
    return table


def faults(summary: Json, words: Words) -> Table:
    """What was found, by its cause, and the commonest checks."""
    table = _table("What is wrong with the records", "cause or check", "findings", " ", left=("cause or check", " "))
    for found in (summary["by"]["cause"], summary["by"]["code"][:8]):
        most = max((one["findings"] for one in found), default=0) or 1
        for one in found:
            table.add_row(one["key"], words.count(one["findings"]), bar(str(one["findings"] / most)))
        table.add_section()
    return table


def _text(number: float | None) -> str | None:
    return None if number is None else str(number)


def _cell(cell: Json, words: Words) -> Text:
    style = _STYLES.get(cell["group"] or "", "")
    return Text.assemble(
        (words.count(cell["customers"]), style), "\n", ((cell["group"] or "").replace("_", " "), "dim")
    )


def abc_classes(report: Json, words: Words) -> Table:
    """Classes with their shares of customers and of the whole."""
    table = _table(
        f"ABC of {report['over']} by {report['by']}",
        "class", report["over"], "share", f"{report['by']}, {report['currency']}", "of the whole", " ",
        left=("class", " "),
    )  # fmt: skip
    for one in report["classes"]:
        table.add_row(
            one["name"],
            words.count(one["items"]),
            words.percent(one["items_share"]),
            words.rounded(one["total"]),
            words.percent(one["share"]),
            bar(one["share"]),
            style=_CLASSES.get(one["name"], ""),
        )
    return table


def views(found: Iterable[tuple[str, Json, str]], words: Words) -> Table:
    """The same base through the eyes of several callers."""
    table = _table(
        "Who sees what", "caller", "reach", "customers", "orders", "net revenue", "may export", left=("caller", "reach")
    )
    for name, page, export in found:
        money: Json = next(iter(page["purchases"]), {"orders": 0, "revenue": "0"})
        table.add_row(
            name,
            page["reach"],
            words.count(page["customers"]["total"]),
            words.count(money["orders"]),
            words.rounded(money["revenue"]),
            export,
        )
    return table
