"""Health, metrics, the offline documentation, and the page of each problem code."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.api.app import assemble
from service.api.catalogue import entries
from service.api.docs import _PAGE, _START
from tests.api.support import Api, in_the_api
from tests.postgres import TestDatabase


def test_alive_and_ready_need_no_token(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        alive = await api.call("GET", "/healthz")
        assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
        ready = await api.call("GET", "/readyz")
        assert ready.status_code == 200
        assert ready.json()["status"] == "ready"

    in_the_api(database, scenario)


def test_without_a_database_the_process_is_alive_and_not_ready(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        await api.tenant.pool.close()
        assert (await api.call("GET", "/healthz")).status_code == 200
        ready = await api.call("GET", "/readyz")
        assert ready.status_code == 503
        assert ready.headers["content-type"] == "application/problem+json"
        assert ready.json()["type"] == "/problems/not-ready"
        assert ready.json()["failures"]
        metrics = await api.call("GET", "/metrics")
        assert 'clientbase_jobs{state="queued"} NaN' in metrics.text

    in_the_api(database, scenario)


def test_metrics_are_prometheus_text_with_pool_and_jobs(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        answer = await api.call("GET", "/metrics")
        found = {family.name: family for family in text_string_to_metric_families(answer.text)}
        states = {sample.labels["state"] for sample in found["clientbase_jobs"].samples}
        assert {"queued", "picked"} <= states
        assert {sample.labels["state"] for sample in found["clientbase_pool_connections"].samples} >= {"idle", "busy"}
        assert "clientbase_import_rows" in found

    in_the_api(database, scenario)


def test_the_documentation_comes_from_this_server_alone(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        page = await api.call("GET", "/docs")
        assert page.status_code == 200
        assert "script-src 'self';" in page.headers["content-security-policy"]
        assert "http" not in _PAGE + _START
        for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
            asset = await api.call("GET", f"/{address}")
            assert asset.status_code == 200, address
            assert asset.content
        assert (await api.call("GET", "/openapi.json")).json()["openapi"].startswith("3.1")

    in_the_api(database, scenario)


def test_a_problem_code_is_explained_to_programs_and_to_people(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        answer = await api.call("GET", "/problems/job-not-found")
        assert answer.json()["status"] == 404
        page = await api.call("GET", "/problems/job-not-found", headers={"Accept": "text/html"})
        assert page.headers["content-type"].startswith("text/html")
        assert "job-not-found" in page.text
        unknown = await api.call("GET", "/problems/no-such-thing")
        assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/problem-not-found")

    in_the_api(database, scenario)


@pytest.mark.parametrize("code", ["unavailable", "missing-scope", "not-ready", "no-such-path"])
def test_codes_of_every_layer_are_in_the_catalogue(code: str) -> None:
    assemble()
    assert code in entries()
