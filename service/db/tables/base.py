"""What all tables share: the registry, and columns, keys and checks as they are written here."""

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    Text,
    text,
)
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

KEY = Text(collation="C")
NOW = text("now()")


def tenant() -> Column[int]:
    return Column("tenant_id", Integer, nullable=False)


def need(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], default: str | None = None) -> Column[Any]:
    return Column(name, kind, nullable=False, server_default=text(default) if default is not None else None)


def may(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]]) -> Column[Any]:
    return Column(name, kind, nullable=True)


def moment(name: str = "created_at") -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=NOW)


def moment_of_writing(name: str) -> Column[Any]:
    """When the row was written, not when its transaction began: in the order in which a record's locks were held."""
    return Column(name, DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()"))


def reference(columns: str, table: str, key: str | None = None, *, cascade: bool = False) -> ForeignKeyConstraint:
    """A foreign key that always starts with the tenant."""
    return ForeignKeyConstraint(
        ["tenant_id", columns],
        [f"{table}.tenant_id", f"{table}.{key or columns}"],
        ondelete="CASCADE" if cascade else None,
    )


def one_of(name: str, column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=name)
