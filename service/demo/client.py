"""The service as its clients meet it: requests with a token, uploads, streams of events, downloads."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import httpx
import orjson

# Large answers are computed while the client waits.
_TIMEOUT = httpx.Timeout(120, connect=5)
Json = dict[str, Any]


class Refused(Exception):
    """An answer that is no success, with its problem document."""

    def __init__(self, response: httpx.Response) -> None:
        try:
            self.problem: Json = dict(response.json())
        except ValueError:
            self.problem = {"title": f"The service answered {response.status_code}.", "status": response.status_code}
        super().__init__(f"{self.problem['title']} {self.problem.get('detail') or ''}".strip())


class Service:
    """One caller of the service."""

    def __init__(self, base_url: str, token: str) -> None:
        self._client = httpx.Client(
            base_url=base_url, headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT, trust_env=False
        )

    def __enter__(self) -> "Service":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def get(self, path: str, **query: object) -> Json:
        """The JSON at a path; query members that are None are left out."""
        given = {name: str(value) for name, value in query.items() if value is not None}
        return self._json(self._client.get(path, params=given))

    def post(self, path: str, body: Mapping[str, object]) -> Json:
        """The JSON that answers a JSON body."""
        return self._json(self._client.post(path, json=body))

    def upload(self, path: str, name: str, file: IO[bytes], fields: Mapping[str, str]) -> Json:
        """The JSON that answers a file sent as a form."""
        return self._json(self._client.post(path, files={"file": (name, file, "text/csv")}, data=dict(fields)))

    def events(self, path: str) -> Iterator[tuple[str, Json]]:
        """Server-sent events by name, until the stream ends."""
        with self._client.stream("GET", path) as response:
            self._check(response)
            name = "message"
            for line in response.iter_lines():
                if line.startswith("event:"):
                    name = line.removeprefix("event:").strip()
                elif line.startswith("data:"):
                    yield name, orjson.loads(line.removeprefix("data:"))

    def download(self, path: str, target: Path, told: Callable[[int, int | None], None]) -> int:
        """Save the body as a file, telling how many bytes of how many are there; returns the size."""
        done = 0
        with self._client.stream("GET", path) as response, target.open("wb") as file:
            self._check(response)
            length = response.headers.get("content-length")
            for piece in response.iter_bytes():
                done += file.write(piece)
                told(done, int(length) if length else None)
        return done

    def _json(self, response: httpx.Response) -> Json:
        self._check(response)
        return dict(response.json())

    def _check(self, response: httpx.Response) -> None:
        if not response.is_success:
            response.read()
            raise Refused(response)
