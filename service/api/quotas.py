"""How often somebody may call: so many requests a minute, counted in this process alone.

A count is one look into a dictionary, so that the quickest read does not feel it; every process counts for itself, and
what is allowed altogether is that times the number of processes. Answers carry `RateLimit-Policy` and `RateLimit` in
the form of draft-ietf-httpapi-ratelimit-headers-11.
"""

import time
from collections.abc import Callable, Hashable
from math import ceil

from service.domain.errors import TooMany

Header = tuple[bytes, bytes]


class RateLimited(TooMany):
    code = "rate-limited"
    title = "Too many requests in a short time; `Retry-After` says when to go on."


class Quota:
    """`limit` requests in `window_s` seconds for each key, from its first request on; a limit of 0 is none."""

    def __init__(
        self,
        name: str,
        *,
        limit: int,
        window_s: int = 60,
        clock: Callable[[], float] = time.monotonic,
        remembered: int = 50_000,
    ) -> None:
        self._name = name
        self._limit = limit
        self._window_s = window_s
        self._clock = clock
        self._remembered = remembered
        self._policy = (b"ratelimit-policy", f'"{name}";q={limit};w={window_s}'.encode())
        self._form = f'"{name}";r=%d;t=%d'.encode()
        # key: [when the window ends, what is left of it]
        self._windows: dict[Hashable, list[float]] = {}

    def take(self, key: Hashable) -> tuple[Header, ...]:
        """Count one request; the headers that tell what is left. Raises RateLimited."""
        if not self._limit:
            return ()
        now = self._clock()
        window = self._windows.get(key)
        if window is None or window[0] <= now:
            window = self._begin(key, now)
        window[1] -= 1
        left, seconds = window[1], ceil(window[0] - now)
        if left < 0:
            raise RateLimited(
                f"{self._limit} requests in {self._window_s} seconds are allowed.", retry_after_seconds=seconds
            )
        return (self._policy, (b"ratelimit", self._form % (left, seconds)))

    def told(self, key: Hashable) -> tuple[Header, ...]:
        """The headers without counting anything: for the answer that refuses."""
        window = self._windows.get(key)
        if window is None:
            return ()
        return (self._policy, (b"ratelimit", self._form % (max(window[1], 0), max(ceil(window[0] - self._clock()), 0))))

    def _begin(self, key: Hashable, now: float) -> list[float]:
        if len(self._windows) >= self._remembered:
            self._forget()
        self._windows.pop(key, None)  # the oldest stand first
        window = self._windows[key] = [now + self._window_s, self._limit]
        return window

    def _forget(self) -> None:
        # Windows stand in the order of their ends: the tenth that ends first is let go.
        for key in list(self._windows)[: self._remembered // 10 + 1]:
            del self._windows[key]
