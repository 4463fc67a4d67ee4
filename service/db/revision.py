"""Which schema this version of the service needs: the newest migration, told from the files themselves.

Alembic is left to `clientbase migrate`: importing it costs each process 15 MB and half a second.
"""

import re
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"
_NAMED = re.compile(r"^(down_)?revision = \"(\w+)\"$", re.MULTILINE)


def required_revision() -> str:
    """The newest revision that this version of the service knows."""
    known: set[str] = set()
    followed: set[str] = set()
    for script in (SCRIPTS / "versions").glob("*.py"):
        for down, name in _NAMED.findall(script.read_text("utf-8")):
            (followed if down else known).add(name)
    (newest,) = known - followed
    return newest
