"""A list of customers as people upload it: a text file with one id a line, ours or that of another system.

Only the first cell of a line counts, so a table exported from elsewhere will do; its heading and empty lines are passed
over.
"""

from codecs import getincrementaldecoder
from collections.abc import AsyncIterable, AsyncIterator, Callable
from uuid import UUID

from service.domain.errors import Rejected
from service.domain.segments.model import MOST_IDS

MOST_LINES = 200_000
_LONGEST = 10_000
_HEADINGS = frozenset({"id", "customer_id", "external_id"})


class ListUnreadable(Rejected):
    code = "list-unreadable"
    title = "The list can't be read: one id a line is expected, in UTF-8."


async def listed(pieces: AsyncIterable[bytes], *, ours: bool) -> AsyncIterator[list[str]]:
    """The ids in batches, each but once within its batch; `ours` are UUIDs. Raises ListUnreadable."""
    found: dict[str, None] = {}
    number = 0
    async for line in _lines(pieces):
        number += 1
        if number > MOST_LINES:
            raise ListUnreadable(f"A list may have {MOST_LINES} lines.", pointer="/file")
        if one := _first_cell(line, number, ours=ours):
            found[one] = None
        if len(found) == MOST_IDS:
            yield list(found)
            found.clear()
    if found:
        yield list(found)


def _first_cell(line: str, number: int, *, ours: bool) -> str | None:
    for separator in ",;\t":
        line = line.partition(separator)[0]
    cell = line.strip().strip('"').strip()
    if not cell or (number == 1 and cell.lower() in _HEADINGS):
        return None
    if "\x00" in cell or len(cell) > 200:
        raise ListUnreadable(f"Line {number} holds no id.", pointer="/file", line=number)
    if not ours:
        return cell
    try:
        return str(UUID(cell))
    except ValueError:
        raise ListUnreadable(f"Line {number} holds no id (UUID).", pointer="/file", line=number) from None


async def _lines(pieces: AsyncIterable[bytes]) -> AsyncIterator[str]:
    decoder = getincrementaldecoder("utf-8-sig")()
    rest = ""
    async for piece in pieces:
        *lines, rest = (rest + _text(decoder.decode, piece)).split("\n")
        for line in lines:
            yield line
        if len(rest) > _LONGEST:
            raise ListUnreadable("A line is longer than any id.", pointer="/file")
    yield rest + _text(lambda none: decoder.decode(none, True), b"")


def _text(decode: Callable[[bytes], str], piece: bytes) -> str:
    try:
        return decode(piece)
    except UnicodeDecodeError:
        raise ListUnreadable("The list is not in UTF-8.", pointer="/file") from None
