"""Static segments from files of ids, ours or those of another system."""

import httpx
import pytest

from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase


async def _list(client: Client) -> str:
    answer = await client.post("/v1/segments", json={"name": "list"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["segment_id"])


async def _customer(client: Client, number: str) -> str:
    answer = await client.put(
        f"/v1/customers/by-external-id/{number}", params={"source": "1c"}, json={"family_name": "Иванова"}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customer_id"])


async def _upload(client: Client, segment_id: str, content: str | bytes, **form: str) -> httpx.Response:
    raw = content.encode() if isinstance(content, str) else content
    return await client.post(
        f"/v1/segments/{segment_id}/members/upload", files={"file": ("ids.csv", raw, "text/csv")}, data=form
    )


async def _members(client: Client, segment_id: str) -> set[str]:
    items = (await client.get(f"/v1/segments/{segment_id}/members")).json()["items"]
    return {one["customer"]["customer_id"] for one in items}


def test_a_file_of_ids_becomes_a_list_of_those_within_reach(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        mine, others = await _customer(anna, "17"), await _customer(head, "18")
        segment = await _list(anna)
        table = f"\ufeffcustomer_id;name\r\n{mine};Иванова\r\n\r\n{others}\r\n{mine.upper()}"
        answer = await _upload(anna, segment, table)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["added"], told["removed"], told["unknown"]) == (1, 0, 1)
        assert await _members(head, segment) == {mine}
        told = (await _upload(head, segment, '"17"\n18\n19\n', source="1c")).json()
        assert (told["added"], told["unknown"]) == (1, 1)
        told = (await _upload(head, segment, "17", source="1c", remove="true")).json()
        assert (told["added"], told["removed"]) == (0, 1)
        assert await _members(head, segment) == {others}

    in_the_api(database, scenario)


@pytest.mark.parametrize(
    ("content", "line"),
    [("customer_id\n\nnobody\n", 3), (b"\xff\xfe1\x00", None), ("a" * 20_000, None)],
    ids=["no id", "not UTF-8", "no end of line"],
)
def test_a_file_that_is_no_list_changes_nothing(database: TestDatabase, content: str | bytes, line: int | None) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        segment, known = await _list(head), await _customer(head, "17")
        good = f"{known}\n".encode()
        bad = content if isinstance(content, bytes) else content.encode()
        answer = await _upload(head, segment, (good if line is None else b"") + bad)
        assert answer.status_code == 422, answer.text
        assert answer.json()["type"] == "/problems/list-unreadable"
        assert answer.json().get("line") == line
        assert await _members(head, segment) == set()

    in_the_api(database, scenario)


def test_only_lists_take_files(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        made = await head.post("/v1/segments", json={"name": "live", "text": "city is missing"})
        answer = await _upload(head, made.json()["segment_id"], "")
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/segment-not-static")

    in_the_api(database, scenario)
