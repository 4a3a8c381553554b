"""dynamodb-admin, a web application that shows and edits tables: its pages, and what they call."""

import http.client
import json
import os
import subprocess
import time
from urllib.parse import quote, urlencode

import pytest

from harness import REGION, free_port

TABLE = "admin.cities"


class Admin:
    """The application, and requests as its pages make them."""

    def __init__(self, node_modules, endpoint, log):
        self.port = free_port()
        self.log = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                [
                    "node",
                    "--no-warnings",
                    node_modules / "dynamodb-admin" / "dist" / "dynamodb-admin.js",
                    *["--host", "127.0.0.1", "--port", str(self.port)],
                    *["--dynamo-endpoint", endpoint],
                ],
                env={**os.environ, "AWS_REGION": REGION},
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def wait(self):
        deadline = time.monotonic() + 30
        while "listening" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, "dynamodb-admin does not start"
            time.sleep(0.01)

    def request(self, method, path, body=None):
        """(status, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def page(self, path):
        status, html = self.request("GET", path)
        assert status == 200, html
        assert "<!DOCTYPE html>" in html
        return html

    def items(self, **query):
        """One page of a table's items, as the table of items on its page loads it."""
        if "filters" in query:
            query["filters"] = json.dumps(query["filters"])
        status, answer = self.request("GET", f"/tables/{TABLE}/items?{urlencode(query)}")
        assert status == 200, answer
        return json.loads(answer)


def key_path(*key):
    return f"/tables/{TABLE}/items/{quote(','.join(map(str, key)), safe='')}"


def city(land, rank, **more):
    return {"land": land, "rank": rank, "name": f"{land}-{rank:02}", "mayor": rank % 2, **more}


@pytest.fixture(scope="module")
def admin(server, node_modules, tmp_path_factory):
    admin = Admin(node_modules, server.url, tmp_path_factory.mktemp("admin") / "log")
    admin.wait()
    yield admin
    admin.process.terminate()
    admin.process.wait(timeout=30)


@pytest.fixture
def cities(admin):
    """A table made by the form for it, with a few items put in by the editor."""
    definition = {
        "TableName": TABLE,
        "HashAttributeName": "land",
        "HashAttributeType": "S",
        "RangeAttributeName": "rank",
        "RangeAttributeType": "N",
        "ReadCapacityUnits": 3,
        "WriteCapacityUnits": 3,
    }
    index = {
        "IndexName": "byMayor",
        "IndexType": "global",
        "HashAttributeName": "mayor",
        "HashAttributeType": "N",
        "RangeAttributeName": "name",
        "RangeAttributeType": "S",
        "ReadCapacityUnits": 1,
        "WriteCapacityUnits": 1,
    }
    form = {"TableDefinition": definition, "SecondaryIndexes": [index]}
    assert admin.request("POST", "/create-table", form) == (204, "")
    for land in "no", "se":
        for rank in range(1, 16):
            item = city(land, rank, seen={"by": ["ship", None, True]})
            status, key = admin.request("PUT", f"/tables/{TABLE}/add-item", item)
            assert (status, json.loads(key)) == (200, {"land": land, "rank": rank})
    yield TABLE
    assert admin.request("DELETE", f"/tables/{TABLE}") == (204, "")
    assert TABLE not in admin.page("/")


def test_tables_are_listed(admin, cities):
    assert TABLE in admin.page("/")
    tables = json.loads(admin.request("GET", "/api/tables")[1])
    table = next(each for each in tables if each["TableName"] == TABLE)
    assert table["TableStatus"] == "ACTIVE"
    assert table["ItemCount"] == 30
    assert table["GlobalSecondaryIndexes"][0]["ItemCount"] == 30


@pytest.mark.parametrize("page", ["", "/get", "/add-item", "/meta", "/ttl"])
def test_each_page_of_a_table_is_shown(admin, cities, page):
    assert TABLE in admin.page(f"/tables/{TABLE}{page}")


def test_an_item_is_shown_edited_and_deleted(admin, cities):
    assert "se-07" in admin.page(key_path("se", 7))
    changed = city("se", 7, name="Lund", seen={"by": []})
    status, answer = admin.request("PUT", key_path("se", 7), changed)
    assert (status, json.loads(answer)) == (200, changed)
    assert "Lund" in admin.page(key_path("se", 7))
    assert admin.request("DELETE", key_path("se", 7)) == (204, "")
    assert admin.request("GET", key_path("se", 7)) == (404, "Not found")


def test_items_come_in_pages(admin, cities):
    first = admin.items(pageSize=20)
    second = admin.items(pageSize=20, startKey=json.dumps(first["Items"][-1]["__key"]))
    assert [len(first["Items"]), len(second["Items"])] == [20, 10]
    assert first["nextKey"] and not second["nextKey"]
    names = {item["name"] for item in first["Items"] + second["Items"]}
    assert len(names) == 30


def test_queries_and_filters(admin, cities):
    def names(**query):
        return [item["name"] for item in admin.items(**query)["Items"]]

    def equal(type, value):
        return {"type": type, "operator": "=", "value": value}

    land = {"land": equal("S", "no")}
    first = {**land, "rank": {"type": "N", "operator": "<=", "value": "3"}}
    assert names(operationType="query", filters=first) == ["no-01", "no-02", "no-03"]
    tens = {"type": "S", "operator": "begins_with", "value": "se-1"}
    odd = {"mayor": equal("N", "1"), "name": tens}
    by_mayor = names(operationType="query", queryableSelection="byMayor", filters=odd)
    assert by_mayor == ["se-11", "se-13", "se-15"]
    assert len(names(operationType="scan", filters=land)) == 15
    some = {"rank": {"type": "N", "operator": ">", "value": "13"}, **land}
    assert sorted(names(operationType="scan", filters=some)) == ["no-14", "no-15"]


def test_errors_are_shown_in_the_services_words(admin, cities):
    status, answer = admin.request("GET", "/tables/admin.none/items")
    assert status == 500
    assert json.loads(answer)["message"] == (
        "Requested resource not found: Table: admin.none not found"
    )
    status, answer = admin.request("PUT", f"/tables/{TABLE}/add-item", {"land": "no"})
    assert status == 500
    assert "Missing the key rank in the item" in json.loads(answer)["message"]
