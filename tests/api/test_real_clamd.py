"""The real clamd with the one signature of the test file: what it finds is refused, its death lets nothing through."""

import asyncio
import gzip
import io
import os
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_antivirus import Guarded, within
from tests.clamd import EICAR, real_clamd, running_clamd
from tests.e2e.files import a_line, many, written
from tests.postgres import TestDatabase

pytestmark = [
    pytest.mark.skipif(
        real_clamd() is None, reason="no clamd here; name one in CLIENTBASE_TEST_CLAMD (see docs/operations.md)"
    ),
    pytest.mark.xdist_group("clamd"),
]
Clamd = tuple[str, Any]


@pytest.fixture(scope="module")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clamd]:
    with running_clamd(tmp_path_factory.mktemp("clamd")) as running:
        yield running


def _zipped(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def _nested(content: bytes, depth: int) -> bytes:
    for level in range(depth):
        content = _zipped(f"{level}.zip", content)
    return content


def _workbook(hidden: bytes = b"") -> bytes:
    """As much of a workbook as tells one: its parts, a sheet, and a picture that is none."""
    kinds = "http://schemas.openxmlformats.org/package/2006/content-types"
    sheet = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    cells = '<c r="A1" t="inlineStr"><is><t>order_id</t></is></c>'
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("[Content_Types].xml", f'<Types xmlns="{kinds}"/>')
        book.writestr("xl/workbook.xml", f'<workbook xmlns="{sheet}"/>')
        rows = f'<sheetData><row r="1">{cells}</row></sheetData>'
        book.writestr("xl/worksheets/sheet1.xml", f'<worksheet xmlns="{sheet}">{rows}</worksheet>')
        if hidden:
            book.writestr("xl/media/image1.png", hidden)
    return file.getvalue()


_INFECTED = {
    "raw": EICAR,
    "in a zip": _zipped("e.com", EICAR),
    "nested five times": _nested(EICAR, 5),
    "nested beyond what is unpacked": _nested(EICAR, 20),
    "in a workbook": _workbook(EICAR),
    "in gzip": gzip.compress(EICAR),
    "in gzip twice": gzip.compress(gzip.compress(EICAR)),
    "in a cell": written([a_line(1), a_line(2, sku=EICAR.decode())]),
    "behind many rows": written(many(30_000)) + EICAR,
}


def test_the_test_file_is_refused_in_every_wrapping(database: TestDatabase, tmp_path: Path, clamd: Clamd) -> None:
    async def scenario(world: Guarded) -> None:
        for case, content in _INFECTED.items():
            answer = await world.upload(content, "orders.xlsx" if "book" in case else "orders.csv")
            assert (answer.status_code, answer.json().get("type")) == (422, "/problems/file-infected"), case
        assert await world.count("files") == 0
        found = {one["signature"] for one in await world.audited("imports.infected")}
        assert "Test.Eicar.UNOFFICIAL" in found

    within(database, tmp_path, scenario, address=clamd[0], at_once_s=20)


def test_clean_files_pass_and_formats_are_judged_after_the_scan(
    database: TestDatabase, tmp_path: Path, clamd: Clamd
) -> None:
    async def scenario(world: Guarded) -> None:
        answer = await world.upload()
        assert (answer.status_code, answer.json()["state"]) == (202, "queued")
        book = await world.upload(_workbook(), "orders.xlsx")
        assert (book.status_code, book.json()["type"]) == (422, "/problems/not-a-text-file")

    within(database, tmp_path, scenario, address=clamd[0], at_once_s=20)


def test_a_stream_over_the_limit_of_clamd_is_refused(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(world: Guarded) -> None:
        answer = await world.upload(written(many(100_000)))
        # A broken pipe may come before clamd's word.
        refused = (answer.status_code, answer.json().get("type")) == (413, "/problems/too-large-to-scan")
        assert refused or (answer.status_code, answer.json()["state"]) == (202, "quarantined")
        assert await world.count("orders") == 0

    with running_clamd(tmp_path / "small", stream_mib=1) as (address, _):
        within(database, tmp_path, scenario, address=address, at_once_s=20)


def test_a_clamd_that_hangs_or_is_killed_lets_nothing_through(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(world: Guarded) -> None:
        os.kill(process.pid, signal.SIGSTOP)
        hung = (await world.upload(EICAR)).json()
        assert (hung["state"], hung["kind"]) == ("quarantined", None)
        os.kill(process.pid, signal.SIGCONT)
        assert not await world.work(hung)
        assert (await world.card(hung))["error"]["type"] == "/problems/file-infected"

        async def killed() -> None:
            await asyncio.sleep(0.05)
            process.kill()

        content = written(many(250_000))
        answer, _ = await asyncio.gather(world.upload(content), killed())
        assert (answer.status_code, answer.json()["state"]) == (202, "quarantined")
        assert await world.work(answer.json())
        assert await world.count("orders") == 0
        down = await world.upload(EICAR)
        assert (down.status_code, down.json()["state"]) == (202, "quarantined")

    with running_clamd(tmp_path / "own") as (address, process):
        within(database, tmp_path, scenario, address=address, at_once_s=20, patient_s=20)
