"""The audit trail gone along for an operator: a bar while it lasts, one sentence for each thing that is wrong."""

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service.domain.audit.inspection import Finding
from service.domain.audit.service import AuditService, Verified, operator

_SAID = 200


async def verify_all(audit: AuditService, tenants: Sequence[tuple[int, str]], console: Console) -> bool:
    """Every month of these tenants; True when nothing is wrong."""
    checked = wrong = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        for tenant_id, slug in tenants:
            seen = await _tenant(audit, tenant_id, slug, bar)
            checked += sum(one.checked for one in seen)
            wrong += sum(len(one.findings) for one in seen)
            for one in seen:
                _tell(console, slug, one)
    anchored = audit.anchored()
    if anchored is None:
        console.print("[yellow]No anchors can be read here: a cut tail and a rewritten chain would not show.[/]")
    else:
        console.print(f"{anchored.lines} anchors, the last one of {anchored.last_at}.")
        for line in anchored.forged[:_SAID]:
            console.print(f"[red]Line {line} of the anchors does not bear the signature.[/]")
        wrong += len(anchored.forged)
    verdict = f"[red]{wrong} findings[/]" if wrong else "[green]nothing is wrong[/]"
    console.print(f"{checked} rows of {len(tenants)} tenants were held against their seals: {verdict}.")
    return not wrong


async def _tenant(audit: AuditService, tenant_id: int, slug: str, bar: Progress) -> list[Verified]:
    principal = operator(tenant_id)
    seen: list[Verified] = []
    for month, last in await audit.months(principal):
        task = bar.add_task(f"{slug} {month:%Y-%m}", total=last)
        async for step in audit.whole_month(principal, month):
            bar.update(task, completed=step.checked, total=step.last)
        seen.append(step)
        bar.remove_task(task)
    return seen


def _tell(console: Console, slug: str, seen: Verified) -> None:
    for finding in seen.findings[:_SAID]:
        console.print(f"[red]{slug} {finding.month:%Y-%m} {_place(finding)}[/]: {finding.words}")
    if len(seen.findings) > _SAID:
        console.print(f"[red]… and {len(seen.findings) - _SAID} more in this month.[/]")


def _place(finding: Finding) -> str:
    row = f" row {finding.audit_id}" if finding.audit_id else ""
    if finding.seq is None:
        return row.strip()
    places = f"#{finding.seq}" if finding.seq == finding.through else f"#{finding.seq} to #{finding.through}"
    return f"{places}{row}"
