"""`python -m benchmarks [--only PREFIX] [--scale S] [--rounds N]`: the table, and `benchmarks/latest.json`."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from benchmarks import (
    abc_rows,
    batch_rows,
    duplicate_rows,
    export_rows,
    http_rows,
    import_rows,
    preview_rows,
    quality_rows,
    rfm_rows,
    search_rows,
    segment_rows,
)
from benchmarks.databases import Server, run, served
from benchmarks.measure import Result, Row, machine, measured

ROWS: Sequence[Row] = (
    *http_rows.ROWS,
    *batch_rows.ROWS,
    *search_rows.ROWS,
    *import_rows.ROWS,
    *export_rows.ROWS,
    *rfm_rows.ROWS,
    *abc_rows.ROWS,
    *preview_rows.ROWS,
    *segment_rows.ROWS,
    *duplicate_rows.ROWS,
    *quality_rows.ROWS,
)
LATEST = Path(__file__).with_name("latest.json")


def main() -> int:
    options = _options()
    rows = [row for row in ROWS if row.name.startswith(options.only)]
    console = Console()
    if not rows:
        console.print(f"No row begins with {options.only!r}; there are {', '.join(row.name for row in ROWS)}.")
        return 2
    with served() as server:
        address = server.embedded.url(user="postgres", database="postgres")
        version = run(address, "SHOW server_version")[0][0]
        where = f"{machine()}; PostgreSQL {version}; scale {options.scale:g}"
        console.print(where)
        results = _results(console, server, rows, options)
    console.print(_table(results, where))
    LATEST.write_text(json.dumps([result.stored() for result in results], indent=1) + "\n")
    return 0 if all(result.reached for result in results) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--only", default="", help="rows whose name starts so")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the data, 1 = as in the goals")
    parser.add_argument("--rounds", type=int, default=7, help="pairs of measurements, 5 or more")
    options = parser.parse_args()
    options.rounds = max(5, options.rounds)
    return options


def _results(console: Console, server: Server, rows: Sequence[Row], options: argparse.Namespace) -> list[Result]:
    columns = (TextColumn("{task.description:<26}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    results: list[Result] = []
    with Progress(*columns, TextColumn("{task.fields[step]}"), console=console) as progress:
        for row in rows:
            # Two warm-ups, then two measurements a round.
            task = progress.add_task(row.name, total=2 + 2 * options.rounds, step="setting up")
            with row.opened(server, options.scale) as sides:
                # The word comes before the step that it announces.
                progress.advance(task, -1)
                results.append(
                    measured(
                        row, sides, options.rounds, lambda step, task=task: progress.update(task, advance=1, step=step)
                    )
                )
            progress.update(task, completed=2 + 2 * options.rounds, step=f"ratio {results[-1].ratio}")
    return results


def _table(results: Sequence[Result], where: str) -> Table:
    table = Table(
        Column("row", no_wrap=True), "ours", "reference", "unit", "ratio", "goal", "spread", "rounds", caption=where
    )
    for result in results:
        ratio = f"[{'green' if result.reached else 'red'}]{result.ratio:.2f}[/]"
        spread = f"{result.spread[0]:.2f}…{result.spread[1]:.2f}"
        figures = (
            (f"{result.ours:,.4g}", f"{result.reference:,.4g}")
            if result.unit == "s"
            else (f"{result.ours:,.0f}", f"{result.reference:,.0f}")
        )
        table.add_row(result.name, *figures, result.unit, ratio, f"{result.goal:.2f}", spread, str(result.rounds))
    return table


if __name__ == "__main__":
    raise SystemExit(main())
