"""A map of groups says which group each cell of scores belongs to; it must name every cell exactly once.

A group is a union of boxes, a box is a range of each letter; a map over R × F has no ranges of M. The default map
is the partition of the 25 cells of n = 5 that the definitions give; other n need a map of their own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

from service.domain.errors import Rejected

# (r, f) of a map over R × F, (r, f, m) of a map over R × F × M.
Scores = tuple[int, ...]


class GroupMapIncomplete(Rejected):
    code = "group-map-incomplete"
    title = "A map of groups must put every cell into exactly one group."


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Scores from … to, both included, of each letter; without `m` every monetary score."""

    group: str
    r: tuple[int, int]
    f: tuple[int, int]
    m: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMap:
    bins: int
    boxes: tuple[Box, ...]
    _cells: Mapping[Scores, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_cells", _partition(self.bins, self.boxes))

    @property
    def by_monetary(self) -> bool:
        """Whether the map tells monetary scores apart."""
        return any(box.m for box in self.boxes)

    @property
    def names(self) -> tuple[str, ...]:
        """The groups in the order in which the map first names them."""
        return tuple(dict.fromkeys(box.group for box in self.boxes))

    @property
    def numbers(self) -> tuple[int, ...]:
        """The number of the group (from 1, in the order of `names`) of each (r, f, m), m running fastest."""
        places = {name: place for place, name in enumerate(self.names, 1)}
        return tuple(places[self.group_of(*cell)] for cell in product(range(1, self.bins + 1), repeat=3))

    def group_of(self, r: int, f: int, m: int | None = None) -> str:
        """The one group of these scores."""
        return self._cells[(r, f, m) if self.by_monetary and m is not None else (r, f)]


def _partition(bins: int, boxes: tuple[Box, ...]) -> dict[Scores, str]:
    letters = 3 if any(box.m for box in boxes) else 2
    every = list(product(range(1, bins + 1), repeat=letters))
    named: dict[Scores, list[int]] = {cell: [] for cell in every}
    outside: dict[Scores, int] = {}
    for place, box in enumerate(boxes):
        for cell in _cells_of(box, bins, letters):
            if cell in named:
                named[cell].append(place)
            else:
                outside.setdefault(cell, place)
    if outside or any(len(places) != 1 for places in named.values()):
        raise _incomplete(named, outside, boxes)
    return {cell: boxes[places[0]].group for cell, places in named.items()}


def _incomplete(
    named: Mapping[Scores, list[int]], outside: Mapping[Scores, int], boxes: tuple[Box, ...]
) -> GroupMapIncomplete:
    """Every fault cell by cell; a pointer names the box that takes what another one has, or reaches too far."""
    gaps = [cell for cell, places in named.items() if not places]
    overlaps = {cell: places for cell, places in named.items() if len(places) > 1}
    errors = [{"pointer": "/groups", "detail": f"No group takes the cell {_told(cell)}."} for cell in gaps]
    errors += [
        {"pointer": f"/groups/{place}", "detail": f"The cell {_told(cell)} is in /groups/{places[0]} already."}
        for cell, places in overlaps.items()
        for place in places[1:]
    ]
    errors += [
        {"pointer": f"/groups/{place}", "detail": f"There is no cell {_told(cell)}."} for cell, place in outside.items()
    ]
    return GroupMapIncomplete(
        gaps=[_spelled(cell) for cell in gaps],
        overlaps=[
            {**_spelled(cell), "groups": [boxes[place].group for place in places]} for cell, places in overlaps.items()
        ],
        outside=[_spelled(cell) for cell in sorted(outside)],
        errors=errors,
    )


def _cells_of(box: Box, bins: int, letters: int) -> Iterable[Scores]:
    ranges = (box.r, box.f, box.m or (1, bins))[:letters]
    # A range far outside is one finding, not a million.
    return product(*(range(max(low, 0), min(high, bins + 1) + 1) for low, high in ranges))


def _spelled(cell: Scores) -> dict[str, object]:
    return dict(zip("rfm", cell, strict=False))


def _told(cell: Scores) -> str:
    return " ".join(f"{letter}={score}" for letter, score in zip("rfm", cell, strict=False))


def _box(group: str, r: tuple[int, int], f: tuple[int, int]) -> Box:
    return Box(group=group, r=r, f=f)


DEFAULT_GROUPS = GroupMap(
    bins=5,
    boxes=(
        _box("champions", (5, 5), (4, 5)),
        _box("loyal", (3, 4), (4, 5)),
        _box("potential_loyalist", (4, 5), (2, 3)),
        _box("new", (5, 5), (1, 1)),
        _box("promising", (4, 4), (1, 1)),
        _box("need_attention", (3, 3), (3, 3)),
        _box("about_to_sleep", (3, 3), (1, 2)),
        _box("cant_lose", (1, 2), (5, 5)),
        _box("at_risk", (1, 2), (3, 4)),
        _box("hibernating", (1, 2), (1, 2)),
    ),
)
