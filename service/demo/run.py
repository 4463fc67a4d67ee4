"""The show: load files over HTTP, tell what came of them, segment the base, export under rights."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from rich.console import Console

from service.demo import progress, tables
from service.demo.client import Json, Refused, Service
from service.demo.generate import Truth
from service.demo.words import Words, reason

_COLUMNS = ("customer_id", "display_name", "city", "email", "phone", "orders", "revenue", "currency", "last_on")
_GROUP = "champions"


class JobFailed(Exception):
    """An import, a scan or an export that did not come to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A file, what is said of it, and who uploads it."""

    path: Path
    caller: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What the show needs: where the service is, tokens by the name of the caller (the first sees all), and files."""

    base_url: str
    tokens: Mapping[str, str]
    loads: tuple[Load, ...]
    guard: str
    exports: Path
    truth: Truth | None = None
    from_file: bool = False


class Show:
    def __init__(self, console: Console, stage: Stage) -> None:
        self._console = console
        self._stage = stage
        self._words = Words(console)
        self._services = {name: Service(stage.base_url, token) for name, token in stage.tokens.items()}
        self._head = next(iter(self._services.values()))

    def run(self) -> None:
        """Everything in turn. Raises Refused and JobFailed."""
        imports = [self._load(load) for load in self._stage.loads]
        self._told(imports[-1])
        page = self._head.get("/v1/overview")
        self._console.print(tables.overview(page, self._words))
        self._segment(self._as_of(page))
        self._quality()
        self._export()
        self._rights()

    def close(self) -> None:
        for service in self._services.values():
            service.close()

    def _load(self, load: Load) -> Json:
        service = self._services[load.caller]
        taken = progress.upload(self._console, service, load.path, dict(load.fields))
        path = f"/v1/imports/{taken['import_id']}"
        progress.follow(self._console, service, f"{path}/events", f"import of {taken['kind'].replace('_', ' ')}")
        done = service.get(path)
        if done["state"] != "done":
            problem = done["error"] or {"title": f"The import was {done['state']}.", "detail": None}
            raise JobFailed(f"{load.path.name}: {problem['title']} {problem['detail'] or ''}".strip())
        self._sentence(done)
        return done

    def _sentence(self, done: Json) -> None:
        words, counts = self._words, done["counts"]
        parts = [f"{words.count(done['rows_read'])} lines read"]
        parts += [f"{words.count(one['count'])} {reason(one['code'], one['title'])}" for one in done["reasons"]]
        created = {name: counts.get(f"{name}_created", 0) for name in ("customers", "orders", "returns")}
        parts += [f"{words.count(number)} {name}" for name, number in created.items() if number]
        self._say(", ".join(parts), style="bold")

    def _told(self, done: Json) -> None:
        for currency, amount in done["revenue"].items():
            self._say(
                f"net revenue over all lines with a customer: {self._words.exactly(amount)} {currency}, returns netted"
            )
        if done["reasons"]:
            self._console.print(tables.reasons(done["reasons"], self._words))
        if self._stage.truth is not None:
            self._compare(done, self._stage.truth)

    def _compare(self, done: Json, truth: Truth) -> None:
        """The generator knows what it planted, so the demo can say whether the import found exactly that."""
        found = {one["code"]: one["count"] for one in done["reasons"]}
        same = found == dict(truth.rejected) and done["counts"].get("orders_created") == truth.orders
        same = same and done["counts"].get("returns_created") == truth.returns
        verdict = "[green]✓ exactly" if same else "[red]✗ not"
        self._console.print(f"{verdict} the orders, returns and faulty lines that were generated[/]")
        faults = self._words.count(len(truth.faults))
        self._say(f"{faults} faults were planted in {self._words.count(truth.customers)} customer records", style="dim")

    def _as_of(self, page: Json) -> date | None:
        """A file is looked at from the day after its last order, the generated base from today."""
        days = [money["last_on"] for money in page["purchases"] if money["last_on"]]
        return date.fromisoformat(max(days)) + timedelta(days=1) if self._stage.from_file and days else None

    def _segment(self, as_of: date | None) -> None:
        words = self._words
        began = time.perf_counter()
        rfm = self._head.get("/v1/rfm", as_of=as_of)
        took = time.perf_counter() - began
        self._console.print(tables.rfm_groups(rfm, words))
        beside = f"besides: {words.count(rfm['no_orders'])} customers without an order that counts"
        self._say(f"{beside}, {words.count(rfm['prospects'])} prospects; computed in {took * 1000:.0f} ms", style="dim")
        self._console.print(tables.rfm_grid(rfm, words))
        abc = self._head.get("/v1/abc", as_of=as_of)
        self._console.print(tables.abc_classes(abc, words))
        if abc["bringers"] is not None:
            self._say(f"{words.percent(abc['bringers'])} of the customers bring 80 % of the revenue", style="bold")

    def _quality(self) -> None:
        taken = self._head.post("/v1/quality/scans", {"scope": "all"})
        job = progress.follow(self._console, self._head, f"/v1/jobs/{taken['job_id']}/events", "quality of the records")
        if job["state"] != "done":
            raise JobFailed(f"The scan ended as {job['state']}: {job['error']}")
        summary = self._head.get("/v1/quality/summary")
        self._console.print(tables.fitness(summary, self._words))
        self._console.print(tables.faults(summary, self._words))

    def _export(self) -> None:
        body = {
            "what": "customers",
            "group": _GROUP,
            "columns": _COLUMNS,
            "purpose": "demo: a mailing to the champions",
        }
        asked = self._head.post("/v1/exports", body)
        if asked["state"] == "awaiting_approval":
            asked = self._approved(asked["export_id"])
        job = progress.follow(self._console, self._head, f"/v1/jobs/{asked['job_id']}/events", f"export of {_GROUP}")
        if job["state"] != "done":
            raise JobFailed(f"The export ended as {job['state']}: {job['error']}")
        self._stage.exports.mkdir(exist_ok=True)
        target = self._stage.exports / f"{_GROUP}-{asked['export_id'][-12:]}.csv"
        progress.download(self._console, self._head, f"/v1/exports/{asked['export_id']}/file", target)
        self._say(f"{self._words.count(job['done'])} customers of the group {_GROUP} in {target}", style="bold")

    def _approved(self, export_id: str) -> Json:
        """Above the tenant's threshold a second person has to agree."""
        with Service(self._stage.base_url, self._stage.guard) as guard:
            agreed: Json = guard.post(f"/v1/exports/{export_id}/approve", {})
        self._say(f"{self._words.count(agreed['asked_rows'])} records leave: a second person has agreed", style="dim")
        return agreed

    def _rights(self) -> None:
        found = []
        refusal: Json | None = None
        for name, service in self._services.items():
            problem = _refusal(service)
            refusal = problem or refusal
            found.append((name, service.get("/v1/overview"), "no" if problem else "yes"))
        self._console.print(tables.views(found, self._words))
        if refusal is not None:
            self._say(
                f"An export without the right: {refusal['status']} {refusal['title']} {refusal.get('detail') or ''}"
            )

    def _say(self, text: str, style: str = "") -> None:
        self._console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def _refusal(service: Service) -> Json | None:
    """The problem document of an export that the caller may not make; no file is asked for where the caller may."""
    if "exports:create" in service.get("/v1/me")["scopes"]:
        return None
    try:
        service.post("/v1/exports", {"what": "customers", "purpose": "demo"})
    except Refused as refused:
        return refused.problem
    return None


def farewell(console: Console, stage: Stage) -> None:
    """Where the docs are, and lines to paste; tokens stand on lines of their own, so that nothing wraps."""
    console.rule("The service is up")
    console.print(f"docs     {stage.base_url}/docs", highlight=False)
    for line in paste(stage.base_url, stage.tokens):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def paste(base_url: str, tokens: Mapping[str, str]) -> Iterable[str]:
    """Ready shell lines: a token for each caller, and what to ask."""
    names = {name: f"TOKEN_{name.upper().replace('-', '_')}" for name in tokens}
    for name, token in tokens.items():
        yield f"{names[name]}={token}"
    first, *_, last = names.values()
    paths = (
        "overview",
        "rfm",
        f"rfm/customers?group={_GROUP}&limit=3",
        "abc?over=products&top=5",
        "customers?limit=3&sort=name",
    )
    for path in paths:
        yield f'curl -sw "\\n" -H "Authorization: Bearer ${first}" "{base_url}/v1/{path}"'
    yield f'curl -sw "\\n" -H "Authorization: Bearer ${last}" "{base_url}/v1/me"'
