"""One token used from two places at once: it comes back to an address while another one uses it.

Whoever changes his network on the way to work crosses over once, and does not come back within minutes; two who share a
token do it all day. What is counted is of this process: where several answer, each sees a part, and that is enough.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

_AT_ONCE_S = 300.0
_TOKENS = 20_000
_ADDRESSES = 8


class Crossings:
    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Addresses of each token with the last time of each, the present one at the end.
        self._places: OrderedDict[Hashable, dict[str, float]] = OrderedDict()

    def back(self, token: Hashable, address: str) -> bool:
        """Note where the token is used now; whether it was used here, then elsewhere, and now here again."""
        now = self._clock()
        places = self._places.get(token)
        if places is None:
            places = self._places[token] = {}
            if len(self._places) > _TOKENS:
                self._places.popitem(last=False)
        here = next(reversed(places), None) == address
        before = places.pop(address, None)
        places[address] = now
        if len(places) > _ADDRESSES:
            del places[next(iter(places))]
        return not here and before is not None and now - before <= _AT_ONCE_S
