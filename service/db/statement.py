"""SQLAlchemy Core writes the SQL, asyncpg runs it.

A statement is compiled once, where it is defined, and kept as text with the order of its parameters; running it
costs what the driver costs. (SQLAlchemy's async engine took two thirds of a request by key; see the ADR.)
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.sql.expression import ClauseElement

_DIALECT = dialect()  # type: ignore[no-untyped-call]
# A name after one colon; `::type` casts and times of day are left alone.
_NAMED = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with $1, $2 … and the names that fill them, some with a value from the start."""

    text: str
    names: tuple[str, ...]
    constants: Mapping[str, object] = field(default_factory=dict)
    _by_role: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def as_role(self, role: str) -> str:
        """The text under a mark of its own: a plan holds the row policies of one role, and a statement that a
        connection has prepared would be analysed and planned again at each change of roles."""
        marked = self._by_role.get(role)
        if marked is None:
            marked = self._by_role[role] = f"{self.text} -- {role}"
        return marked

    def arguments(self, given: Mapping[str, object]) -> list[object]:
        """The parameters in order; a name that nobody filled is a programming error and raises KeyError."""
        constants = self.constants
        return [given[name] if name in given else constants[name] for name in self.names]


def sql(source: str | ClauseElement) -> Statement:
    """Compile a Core statement, or SQL text with `:names`; lists are passed as arrays (`= ANY(:ids)`)."""
    return _from_text(source) if isinstance(source, str) else _from_core(source)


def renamed(source: str, prefix: str) -> str:
    """SQL text whose parameters, the tenant aside, have a prefix: so that two of a kind fit into one statement."""
    return _NAMED.sub(lambda one: one[0] if one[1] == "tenant" else f":{prefix}{one[1]}", source)


def _from_text(source: str) -> Statement:
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return Statement(_NAMED.sub(number, source), tuple(names))


def _from_core(source: ClauseElement) -> Statement:
    compiled = source.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    names = tuple(getattr(compiled, "positiontup", None) or ())
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    return Statement(str(compiled), names, constants)
