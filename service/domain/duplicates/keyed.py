"""Keys hold names and contacts; what is stored of them is a keyed hash."""

import hashlib

from service.domain.linkage.keys import keys
from service.domain.linkage.profile import Profile


class KeyHash:
    """64 bits of a key, of no use to whoever does not have the secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = hashlib.sha256(b"linkage\0" + secret).digest()

    def of(self, key: str) -> int:
        digest = hashlib.blake2b(key.encode(), digest_size=8, key=self._secret).digest()
        return int.from_bytes(digest, signed=True)

    def all_of(self, profile: Profile) -> list[int]:
        return sorted({self.of(key) for key in keys(profile)})
