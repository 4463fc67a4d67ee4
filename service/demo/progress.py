"""Bars for what takes a while: an upload by bytes, a job by rows with its rate and the time left, a download."""

from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text

from service.demo.client import Json, Service
from service.demo.words import Words


class _Rows(TextColumn):
    """Rows done and in all, rows a second, and the seconds left, as the service tells them."""

    def __init__(self, words: Words) -> None:
        super().__init__("")
        self._words = words

    def render(self, task: Task) -> Text:
        done = self._words.count(int(task.completed))
        whole = f" / {self._words.count(int(task.total))}" if task.total else ""
        rate, left = task.fields.get("rate"), task.fields.get("eta")
        pace = f"  {self._words.count(round(rate))} rows/s" if rate else ""
        rest = f"  {left:.0f} s left" if left else ""
        return Text(f"{done}{whole} rows{pace}{rest}")


def _progress(console: Console, *columns: TextColumn | DownloadColumn) -> Progress:
    name = TextColumn("{task.description:<36}")
    return Progress(SpinnerColumn(finished_text="✓"), name, BarColumn(32), *columns, console=console)


def upload(console: Console, service: Service, path: Path, fields: dict[str, str]) -> Json:
    """Send a file to be imported; returns the import as it was taken in."""
    with (
        _progress(console, DownloadColumn()) as progress,
        progress.open(path, "rb", description=path.name[:36]) as file,
    ):
        return service.upload("/v1/imports", path.name, file, fields)


def follow(console: Console, service: Service, path: str, name: str) -> Json:
    """Watch a job to its end by its stream of events, and again when a stream ends early; returns its last state."""
    words = Words(console)
    with _progress(console, _Rows(words)) as progress:
        task = progress.add_task(name, total=None)
        while True:
            for event, job in service.events(path):
                _show(progress, task, job)
                if event == "end":
                    return job


def _show(progress: Progress, task: TaskID, job: Json) -> None:
    progress.update(
        task, completed=job["done"], total=job["total"], rate=job["rate"] or _whole(job), eta=job["eta_seconds"]
    )


def _whole(job: Json) -> float | None:
    """The rate of a run that is over."""
    if job["started_at"] is None or job["finished_at"] is None:
        return None
    seconds = (datetime.fromisoformat(job["finished_at"]) - datetime.fromisoformat(job["started_at"])).total_seconds()
    return job["done"] / seconds if seconds > 0 else None


def download(console: Console, service: Service, path: str, target: Path) -> int:
    """Save a file; returns its size."""
    with _progress(console, DownloadColumn()) as progress:
        task = progress.add_task(target.name[:36], total=None)
        size = service.download(path, target, lambda done, total: progress.update(task, completed=done, total=total))
        progress.update(task, completed=size, total=size)
        return size
