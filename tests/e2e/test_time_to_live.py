"""Time to live: items go when their time is over, and streams say who deleted them."""

import re
import time
import urllib.request

import pytest
from botocore.exceptions import ClientError

from test_streams import make_table, read_all, streams_client


def set_time_to_live(dynamodb, name, enabled, attribute="expires"):
    return dynamodb.update_time_to_live(
        TableName=name,
        TimeToLiveSpecification={"Enabled": enabled, "AttributeName": attribute},
    )


def put(dynamodb, name, key, expires):
    dynamodb.put_item(
        TableName=name, Item={"p": {"S": key}, "expires": {"N": str(int(time.time() + expires))}}
    )


def keys(dynamodb, name):
    return {item["p"]["S"] for item in dynamodb.scan(TableName=name)["Items"]}


def wait_for(condition, timeout_s=30):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def metric(server, name):
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=10) as answer:
        return float(re.search(rf"^{name} (\S+)$", answer.read().decode(), re.M)[1])


def test_settings(dynamodb, table):
    describe = lambda: dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert describe() == {"TimeToLiveStatus": "DISABLED"}
    with pytest.raises(ClientError, match="TimeToLive is already disabled"):
        set_time_to_live(dynamodb, table, False)
    answer = set_time_to_live(dynamodb, table, True)["TimeToLiveSpecification"]
    assert answer == {"Enabled": True, "AttributeName": "expires"}
    assert describe() == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    with pytest.raises(ClientError, match="TimeToLive is already enabled"):
        set_time_to_live(dynamodb, table, True)
    with pytest.raises(ClientError, match="current AttributeName is expires"):
        set_time_to_live(dynamodb, table, True, "other")
    with pytest.raises(ClientError, match="modified multiple times within a fixed interval"):
        set_time_to_live(dynamodb, table, False)
    with pytest.raises(ClientError, match="Table: nix not found") as error:
        set_time_to_live(dynamodb, "nix", True)
    assert error.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_items_expire_and_the_stream_names_the_service(server, dynamodb):
    name = "ttl.stream"
    arn = make_table(dynamodb, name)
    deleted = metric(server, "varve_time_to_live_deleted_total")
    for i in range(60):
        put(dynamodb, name, f"old{i}", -1)
    put(dynamodb, name, "new", 3600)
    set_time_to_live(dynamodb, name, True)
    put(dynamodb, name, "late", -5)
    wait_for(lambda: keys(dynamodb, name) == {"new"})
    removed = [r for r in read_all(streams_client(server), arn) if r["eventName"] == "REMOVE"]
    assert len(removed) == 61
    for record in removed:
        identity = record["userIdentity"]
        assert identity == {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
        assert "OldImage" in record["dynamodb"]
    assert metric(server, "varve_time_to_live_deleted_total") == deleted + 61
    wait_for(lambda: metric(server, "varve_time_to_live_lag_seconds") == 0)
    dynamodb.delete_table(TableName=name)


def test_expiry_goes_on_after_kill_9(own_server):
    own_server.start()
    client = own_server.client()
    make_table(client, "ttl.killed")
    for i in range(300):
        put(client, "ttl.killed", str(i), 2)
    set_time_to_live(client, "ttl.killed", True)
    own_server.kill()
    own_server.start()
    wait_for(lambda: not keys(own_server.client(), "ttl.killed"))
