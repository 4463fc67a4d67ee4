"""Identifiers: UUIDv7 (RFC 9562), made by the service, so that new rows land at the end of every index."""

import os
import threading
import time
from uuid import UUID

_lock = threading.Lock()
_last = 0


def new_id() -> UUID:
    """A fresh UUIDv7; within one process each is greater than the one before."""
    global _last
    with _lock:
        # 48 bits of milliseconds, then 12 bits of sub-millisecond order, kept strictly rising.
        stamp = max((time.time_ns() << 12) // 1_000_000, _last + 1)
        _last = stamp
    high = (stamp >> 12) << 16 | 0x7000 | (stamp & 0xFFF)
    low = int.from_bytes(os.urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    return UUID(int=high << 64 | low)
