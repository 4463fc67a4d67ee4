"""A pass to ask for a record of another portfolio, given to one person for a day; it tells nothing of the record."""

import base64
import binascii
import hashlib
import hmac
import secrets
from datetime import datetime
from uuid import UUID

_DAY_S = 24 * 3600
_NONCE, _MOMENT, _ID, _MAC = 8, 4, 16, 16


class RequestTokens:
    """Makes and reads the passes; the same key in every process."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"access request", hashlib.sha256)

    def make(self, *, tenant_id: int, staff_id: UUID, customer_id: UUID, now: datetime) -> str:
        head = secrets.token_bytes(_NONCE) + int(now.timestamp()).to_bytes(_MOMENT, "big")
        body = head + self._hidden(head, customer_id.bytes)
        return base64.urlsafe_b64encode(body + self._mac(body, tenant_id, staff_id)).decode().rstrip("=")

    def read(self, token: str, *, tenant_id: int, staff_id: UUID, now: datetime) -> UUID | None:
        """The record that the pass was made for; None when it was not made for this person, is damaged or too old."""
        try:
            raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        body, mac = raw[:-_MAC], raw[-_MAC:]
        if len(raw) != _NONCE + _MOMENT + _ID + _MAC:
            return None
        if not hmac.compare_digest(mac, self._mac(body, tenant_id, staff_id)):
            return None
        head, hidden = body[: _NONCE + _MOMENT], body[_NONCE + _MOMENT :]
        age = now.timestamp() - int.from_bytes(head[_NONCE:], "big")
        return UUID(bytes=self._hidden(head, hidden)) if -60 <= age <= _DAY_S else None

    def _hidden(self, head: bytes, plain: bytes) -> bytes:
        pad = hmac.digest(self._key, b"pad" + head, hashlib.sha256)[:_ID]
        return bytes(one ^ other for one, other in zip(plain, pad, strict=True))

    def _mac(self, body: bytes, tenant_id: int, staff_id: UUID) -> bytes:
        return hmac.digest(self._key, b"mac%d:%s" % (tenant_id, staff_id.bytes) + body, hashlib.sha256)[:_MAC]
