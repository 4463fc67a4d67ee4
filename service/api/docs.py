"""For the people who read us: the documentation of the API and the meaning of each problem code.

Everything is served from here, so that it works with no internet: Swagger UI's files come with the package
`fastapi-swagger` (its code is not run). The page may run our own script alone.
"""

from html import escape
from string import Template

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.staticfiles import StaticFiles

from service.api.catalogue import Entry, entries
from service.api.problems import responses
from service.api.schemas import as_json
from service.domain.errors import NotFound

routes = APIRouter(tags=["ops"])
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Clientbase API</title>
<link rel="icon" href="docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
# Relative addresses keep working behind a proxy that adds a prefix.
_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "none",
  filter: true,
  validatorUrl: null
});
"""
_CODE_PAGE = Template("""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>$code</title></head>
<body>
<h1>$code</h1>
<p>$title</p>
<p>Status: $status</p>
<p>$cure</p>
</body>
</html>
""")

routes.mount("/docs/assets", StaticFiles(packages=[("fastapi_swagger", "resources")]), name="docs-assets")


class NoSuchProblem(NotFound):
    code = "problem-not-found"
    title = "No refusal of this service has this code."


class Explanation(BaseModel):
    """What a problem code means and what to do about it."""

    type: str = Field(examples=["/problems/customer-not-found"])
    code: str = Field(examples=["customer-not-found"])
    title: str = Field(examples=["There is no such customer within the caller's reach."])
    status: int | None = Field(description="Null where the code only stands in the error of a job.", examples=[404])
    cure: str = Field(examples=["Check the id."])


@routes.get("/docs", include_in_schema=False)
async def docs() -> Response:
    return Response(_PAGE, media_type="text/html", headers=_HEADERS)


@routes.get("/docs/start.js", include_in_schema=False)
async def start() -> Response:
    return Response(_START, media_type="text/javascript", headers=_HEADERS)


@routes.get(
    "/problems/{code}",
    response_model=Explanation,
    summary="Explain a problem code",
    operation_id="ops.problem",
    responses=responses(NoSuchProblem),
    openapi_extra={"x-scopes": [], "security": []},
)
async def problem(code: str, request: Request) -> Response:
    """The meaning of a code and its cure: a page for people who ask for HTML, JSON for everyone else."""
    entry = entries().get(code)
    if entry is None:
        raise NoSuchProblem
    if "text/html" in request.headers.get("accept", ""):
        return Response(_page(entry), media_type="text/html", headers=_HEADERS)
    return as_json(_explanation(entry), headers=_HEADERS)


def _explanation(entry: Entry) -> dict[str, object]:
    return {
        "type": f"/problems/{entry.code}",
        "code": entry.code,
        "title": entry.title,
        "status": entry.status,
        "cure": entry.cure,
    }


def _page(entry: Entry) -> str:
    shown = {name: escape(str(value)) for name, value in _explanation(entry).items()}
    return _CODE_PAGE.substitute(shown | {"status": entry.status or "in jobs only"})
