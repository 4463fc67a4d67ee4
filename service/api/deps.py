"""What endpoints ask for."""

from typing import Annotated

from fastapi import Depends, Request

from service.api.schemas import expected_version, once
from service.api.services import Services
from service.domain.idempotency import Once


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Wired = Annotated[Services, Depends(services_of)]
OnceKey = Annotated[Once | None, Depends(once)]
Expected = Annotated[int | None, Depends(expected_version)]
