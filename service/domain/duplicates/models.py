"""What was learnt of a tenant's base, kept without the values that it was learnt from.

A model knows which names, cities and telephones are common. Kept are their keyed hashes: whoever reads the table learns
no value, and nothing of an erased person stays in it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from service.domain.duplicates.keyed import KeyHash
from service.domain.linkage.model import Model


class HashedShares(Mapping[str, float]):
    """The shares of common values, found by the value, held by its hash."""

    def __init__(self, key_hash: KeyHash, name: str, shares: Mapping[str, float]) -> None:
        self._key_hash = key_hash
        self._name = name
        self._shares = shares

    def __getitem__(self, value: str) -> float:
        return self._shares[hashed(self._key_hash, self._name, value)]

    def __iter__(self) -> Iterator[str]:
        return iter(())  # the values are not known

    def __len__(self) -> int:
        return len(self._shares)


def hashed(key_hash: KeyHash, name: str, value: str) -> str:
    return str(key_hash.of(f"{name}={value}"))


def stored(model: Model, key_hash: KeyHash) -> dict[str, Any]:
    """A model as JSON, its common values by their hashes."""
    shares = {
        name: {hashed(key_hash, name, value): float(share) for value, share in values.items()}
        for name, values in model.frequency.items()
    }
    return replace(model, frequency=shares).stored()


def restored(stored: Mapping[str, Any], key_hash: KeyHash) -> Model:
    model = Model.of(stored)
    frequency = {name: HashedShares(key_hash, name, shares) for name, shares in model.frequency.items()}
    return replace(model, frequency=frequency)
