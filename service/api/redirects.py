"""Where the id of a record leads that was merged into another one.

A read answers 301 with the place of the survivor; a write is refused with 409 and the survivor's id, since who writes
should know to whom. Only what was not found is looked up, so a record that is there costs nothing more. A merge can be
undone, so neither answer may be kept.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import FastAPI, Request
from starlette.responses import Response

from service.api.problems import MEDIA_TYPE, document, problem_response, responses
from service.api.services import Services
from service.domain.customers.errors import NoCustomer
from service.domain.errors import DomainError
from service.domain.merging.errors import CustomerMerged

_READS = ("GET", "HEAD")


def install(app: FastAPI) -> None:
    """Look for the survivor wherever a record of the path is not found."""

    async def missing(request: Request, error: Exception) -> Response:
        assert isinstance(error, DomainError)
        return await elsewhere(request, error)

    app.add_exception_handler(NoCustomer, missing)


async def elsewhere(request: Request, error: DomainError) -> Response:
    """The answer for a record of the path that is not there: where it went, or that there is none."""
    services: Services = request.app.state.services
    named = str(request.path_params.get("customer_id", ""))
    try:
        survivor_id = await services.merging.led_to(request.scope["principal"], UUID(named))
    except ValueError:
        survivor_id = None
    problem = error if survivor_id is None else CustomerMerged(customer_id=str(survivor_id))
    request.scope["refusal"] = problem.code
    if survivor_id is None or request.method not in _READS:
        return problem_response(problem, request.url.path)
    answer = problem_response(problem, request.url.path, 301)
    place = request.url.path.replace(named, str(survivor_id), 1)
    answer.headers["Location"] = f"{place}?{request.url.query}" if request.url.query else place
    return answer


def describe(paths: Mapping[str, Mapping[str, Any]]) -> None:
    """Add these answers to the operations of an OpenAPI document that name a record in their path."""
    for path, verbs in paths.items():
        for verb, operation in verbs.items() if "{customer_id}" in path else ():
            if "404" in operation["responses"] and _finds_customers(operation):
                _add(verb.upper(), operation["responses"])


def _finds_customers(operation: Mapping[str, Any]) -> bool:
    content = operation["responses"]["404"].get("content", {})
    return NoCustomer.code in content.get(MEDIA_TYPE, {}).get("examples", {})


def _add(method: str, answers: dict[str, Any]) -> None:
    status = 301 if method in _READS else 409
    told = responses(CustomerMerged)[409]
    if status == 301:
        example = document(CustomerMerged(), status=301, instance="/v1/…")
        told["content"][MEDIA_TYPE]["examples"] = {CustomerMerged.code: {"value": example}}
        told["headers"] = {"Location": {"description": "The survivor's place.", "schema": {"type": "string"}}}
    elif (known := answers.get("409")) is not None:
        known["content"][MEDIA_TYPE]["examples"] |= told["content"][MEDIA_TYPE]["examples"]
        return
    answers[str(status)] = told
