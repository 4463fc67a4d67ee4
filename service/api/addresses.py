"""From where a request comes: the other end of the wire, or what a trusted proxy says of it."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

Networks = tuple[IPv4Network | IPv6Network, ...]


def networks(named: Sequence[str]) -> Networks:
    """The networks of trusted proxies. Raises ValueError for what is none."""
    return tuple(ip_network(one) for one in named)


def client_address(scope: Scope) -> str:
    """The caller's address; X-Forwarded-For counts only as far as each of its writers is a trusted proxy."""
    client = scope.get("client")
    address = str(client[0]) if client else ""
    trusted: Networks = scope["app"].state.trusted_proxies
    if trusted and _within(address, trusted):
        for said in reversed(_forwarded(scope)):
            address = said
            if not _within(said, trusted):
                break
    return address


@lru_cache(maxsize=10_000)
def home_of(address: str) -> str:
    """What is counted as one caller: of IPv6 the network that one household is given."""
    try:
        known = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(known, IPv6Address) and known.ipv4_mapped is None:
        return str(ip_network(f"{known}/64", strict=False))
    return address


def _forwarded(scope: Scope) -> list[str]:
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return [one.strip() for one in ",".join(lines).split(",") if one.strip()]


@lru_cache(maxsize=10_000)
def _within(address: str, trusted: Networks) -> bool:
    try:
        known = ip_address(address)
    except ValueError:
        return False
    return any(known in network for network in trusted)
