"""Which fields of their own the tenants have: made, changed and taken away by administrators."""

from collections.abc import Mapping
from typing import Any, Protocol

from service.domain.access import Principal
from service.domain.customers.attributes import AttributeKnown, Attributes, ChoicesMissing, Definition, NoAttribute
from service.domain.idempotency import Idempotency, Once
from service.domain.ports import Journal, Transaction, UnitOfWork
from service.domain.staff import administer


class AttributesTransaction(Transaction, Protocol):
    @property
    def attributes(self) -> Attributes: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def idempotency(self) -> Idempotency: ...


class AttributeService:
    def __init__(self, uow: UnitOfWork[AttributesTransaction]) -> None:
        self._uow = uow

    async def define(self, principal: Principal, definition: Definition, once: Once | None = None) -> None:
        """Give a name its kind; what stands under it already stays as it is. Raises AttributeKnown, ChoicesMissing."""
        administer(principal)
        _check_choices(definition)
        async with self._uow.begin(principal) as tx:
            if await tx.idempotency.recall(once):
                return
            if not await tx.attributes.add(definition):
                raise AttributeKnown
            await tx.journal.audit("attributes.create", "attribute", name=definition.name, kind=definition.kind)
            await tx.idempotency.remember(once, 201, {"name": definition.name})
            await tx.commit()

    async def change(self, principal: Principal, name: str, changes: Mapping[str, Any]) -> None:
        """Another label, order or set of choices; the kind stays. Raises NoAttribute, ChoicesMissing."""
        administer(principal)
        async with self._uow.begin(principal) as tx:
            known = (await tx.attributes.among([name])).get(name)
            if known is None:
                raise NoAttribute
            definition = Definition(
                name=name,
                kind=known.kind,
                label=changes.get("label", known.label),
                choices=tuple(changes.get("choices", known.choices)),
                position=changes.get("position", known.position),
            )
            _check_choices(definition)
            await tx.attributes.change(definition)
            await tx.journal.audit("attributes.update", "attribute", name=name, changed=sorted(changes))
            await tx.commit()

    async def forget(self, principal: Principal, name: str) -> None:
        """Take a definition away: the name is free again, its values stay. Raises NoAttribute."""
        administer(principal)
        async with self._uow.begin(principal) as tx:
            if not await tx.attributes.remove(name):
                raise NoAttribute
            await tx.journal.audit("attributes.delete", "attribute", name=name)
            await tx.commit()


def _check_choices(definition: Definition) -> None:
    if (definition.kind == "choice") != bool(definition.choices):
        raise ChoicesMissing(pointer="/choices")
