"""Plain FastAPI over SQLAlchemy's async ORM: mapped classes, selectin loading, one response model. No security.

Only the columns of the answer are mapped. The engine is in autocommit, so that a read costs no BEGIN and no ROLLBACK;
Pydantic's core writes the body. `python -m benchmarks.references.http_orm PORT`, with DATABASE_URL in the environment.
"""

import gc
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any
from uuid import UUID

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict
from sqlalchemy import DateTime, ForeignKeyConstraint, literal_column
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, relationship, selectinload

_TENANT = 1


class Base(DeclarativeBase):
    type_annotation_map = {list[str]: ARRAY(TEXT), dict[str, Any]: JSONB}  # noqa: RUF012


class ExternalId(Base):
    __tablename__ = "customer_external_ids"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "customer_id"], ["customers.tenant_id", "customers.customer_id"]),
    )
    tenant_id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID]


class Contact(Base):
    __tablename__ = "contact_details"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "customer_id"], ["customers.tenant_id", "customers.customer_id"]),
    )
    tenant_id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    detail_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    label: Mapped[str | None]
    is_primary: Mapped[bool]
    value: Mapped[str] = mapped_column("masked")
    verdict: Mapped[str]
    source: Mapped[str]
    author_id: Mapped[UUID | None]
    verified_at: Mapped[datetime | None]


class Customer(Base):
    __tablename__ = "customers"
    tenant_id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    display_name: Mapped[str]
    kind: Mapped[str]
    status: Mapped[str]
    family_name: Mapped[str | None]
    given_name: Mapped[str | None]
    patronymic: Mapped[str | None]
    legal_name: Mapped[str | None]
    trade_name: Mapped[str | None]
    legal_form: Mapped[str | None]
    birth_date: Mapped[date | None]
    gender: Mapped[str | None]
    language: Mapped[str | None]
    time_zone: Mapped[str | None]
    country: Mapped[str | None]
    region: Mapped[str | None]
    city: Mapped[str | None]
    postal_code: Mapped[str | None]
    curator_id: Mapped[UUID | None]
    team_id: Mapped[UUID | None]
    channel_id: Mapped[UUID | None]
    tags: Mapped[list[str]]
    preferences: Mapped[list[str]]
    attributes: Mapped[dict[str, Any]]
    restricted_at: Mapped[datetime | None]
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    status_at: Mapped[datetime] = column_property(
        literal_column("coalesce(customers.status_at, customers.created_at)", DateTime(timezone=True))
    )
    external_ids: Mapped[list[ExternalId]] = relationship(order_by=[ExternalId.source, ExternalId.external_id])
    contacts: Mapped[list[Contact]] = relationship(order_by=[Contact.kind, Contact.detail_id])


class _Shown(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ExternalIdOut(_Shown):
    source: str
    external_id: str


class ContactOut(_Shown):
    detail_id: UUID
    kind: str
    value: str
    label: str | None
    is_primary: bool
    verdict: str
    source: str
    author_id: UUID | None
    verified_at: datetime | None


class CustomerOut(_Shown):
    customer_id: UUID
    display_name: str
    kind: str
    status: str
    family_name: str | None
    given_name: str | None
    patronymic: str | None
    legal_name: str | None
    trade_name: str | None
    legal_form: str | None
    birth_date: date | None
    gender: str | None
    language: str | None
    time_zone: str | None
    country: str | None
    region: str | None
    city: str | None
    postal_code: str | None
    curator_id: UUID | None
    team_id: UUID | None
    channel_id: UUID | None
    tags: list[str]
    preferences: list[str]
    attributes: dict[str, Any]
    external_ids: list[ExternalIdOut]
    contacts: list[ContactOut]
    status_at: datetime
    restricted_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    engine = create_async_engine(
        os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"),
        pool_size=10,
        max_overflow=0,
        pool_reset_on_return=None,
        isolation_level="AUTOCOMMIT",
        connect_args={"server_settings": {"timezone": "UTC"}},
    )
    app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
_WITH_ALL = (selectinload(Customer.external_ids), selectinload(Customer.contacts))


@app.get("/v1/customers/{customer_id}", response_model=CustomerOut)
async def get_customer(customer_id: UUID) -> Customer:
    session: AsyncSession
    async with app.state.sessions() as session:
        customer = await session.get(Customer, (_TENANT, customer_id), options=_WITH_ALL)
    if customer is None:
        raise HTTPException(404)
    return customer


if __name__ == "__main__":
    # The same care for the runtime as the service takes.
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    options = {"loop": "uvloop", "http": "httptools", "log_config": None, "access_log": False, "proxy_headers": False}
    uvicorn.run(app, port=int(sys.argv[1]), **options)
