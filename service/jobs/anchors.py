"""The anchors' file: one line for each anchor, its statement and an Ed25519 signature over it.

Lines are only ever added, and are on the disk before the next one is made.
"""

import base64
import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.domain.audit.anchors import Anchor, Anchored, statement, told


class AnchorFile:
    """`secret` is asked for when the first line is signed or read."""

    def __init__(self, path: Path, secret: Callable[[], str]) -> None:
        self._path = path
        self._secret = secret

    @cached_property
    def _key(self) -> Ed25519PrivateKey:
        seed = hashlib.sha256(b"clientbase anchors\0" + self._secret().encode()).digest()
        return Ed25519PrivateKey.from_private_bytes(seed)

    def append(self, anchor: Anchor) -> None:
        """Sign and keep an anchor; it is on the disk when this returns. Raises OSError."""
        signed = statement(anchor)
        line = signed + b" " + base64.b64encode(self._key.sign(signed)) + b"\n"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)

    def of(self, tenant_id: int) -> Anchored | None:
        """What is anchored of a tenant; None where there is no file."""
        places: dict[date, dict[int, bytes]] = defaultdict(dict)
        forged: list[int] = []
        last: datetime | None = None
        number = 0
        try:
            for number, anchor in self._lines():
                if anchor is None:
                    forged.append(number)
                    continue
                last = anchor.at
                for head in anchor.heads:
                    if head.tenant_id == tenant_id:
                        places[head.month][head.seq] = head.chain_hash
        except FileNotFoundError:
            return None
        return Anchored(places=places, last_at=last, lines=number, forged=forged)

    def _lines(self) -> Iterator[tuple[int, Anchor | None]]:
        """Each line's number and anchor; None for one that does not bear the signature."""
        public = self._key.public_key()
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                signed, _, signature = line.rstrip(b"\n").rpartition(b" ")
                anchor = None
                with suppress(InvalidSignature, ValueError):
                    public.verify(base64.b64decode(signature, validate=True), signed)
                    anchor = told(signed)
                yield number, anchor
