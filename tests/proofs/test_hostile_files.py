"""Hostile files over HTTP: each refused in words within a second, while the service stays small and quick (B23)."""

import json
import statistics
import threading
import time
from pathlib import Path

import httpx

from tests.e2e.files import HEADER, a_line, written
from tests.e2e.running import running_service
from tests.hostile import HOSTILE
from tests.postgres import migrated_database
from tests.proofs.test_memory import watched

_MAPPING = json.dumps({"kind": "order_lines", "columns": {name: name for name in HEADER}})
_MOST_S, _MOST_MIB, _MOST_MS = 1.0, 64.0, 100.0


class Pulse:
    """How long the service takes to say that it is alive, asked all the while."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.taken_ms: list[float] = []

    def __enter__(self) -> "Pulse":
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        with httpx.Client() as client:
            while not self._over.wait(0.02):
                started = time.monotonic()
                assert client.get(self._url).status_code == 200
                self.taken_ms.append((time.monotonic() - started) * 1000)


def test_hostile_files_are_refused_within_a_second(tmp_path: Path) -> None:
    files = {case: (make(), expected) for case, (make, expected) in HOSTILE.items()}
    with migrated_database() as database, running_service(database, tmp_path) as service:
        person = service.tenant().person()
        person.imported(written([a_line(1)]), mapping=_MAPPING)
        with watched(service) as before:
            time.sleep(1)
        seconds: dict[str, float] = {}
        with watched(service) as during, Pulse(f"http://127.0.0.1:{service.port}/healthz") as pulse:
            for case, (content, expected) in files.items():
                started = time.monotonic()
                answer = person.upload(content, mapping=_MAPPING)
                told = answer.json()
                assert answer.status_code in (202, 413, 422), (case, answer.text)
                if answer.status_code == 202:
                    report = person.ended(told["import_id"])
                    told = report["error"] or {"type": "rows" if report["rows_rejected"] else "ok"}
                seconds[case] = time.monotonic() - started
                assert told["type"].removeprefix("/problems/") == expected, case
        slowest = sorted(seconds, key=lambda case: -seconds[case])[:5]
        p99 = statistics.quantiles(pulse.taken_ms, n=100)[98]
        grown = during.mib - before.mib
        print(f"\n{len(files)} files; slowest { {case: round(seconds[case], 2) for case in slowest} };"  # noqa: T201
              f" {grown:.0f} MiB more; healthz p99 {p99:.0f} ms")  # fmt: skip
        assert seconds[slowest[0]] <= _MOST_S
        assert grown <= _MOST_MIB
        assert p99 <= _MOST_MS
