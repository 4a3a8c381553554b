"""What boto3 can ask of the server, and that the answers are DynamoDB's."""

import decimal

import boto3
import pytest
from botocore.exceptions import ClientError


def message(error):
    return error.value.response["Error"]["Message"]


def code(error):
    return error.value.response["Error"]["Code"]


def key(p, s):
    return {"p": {"S": p}, "s": {"N": str(s)}}


# ---- Tables


def test_a_table_is_made_changed_and_dropped(dynamodb):
    made = dynamodb.create_table(
        TableName="one",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "B"}],
        ProvisionedThroughput={"ReadCapacityUnits": 2, "WriteCapacityUnits": 3},
    )["TableDescription"]
    assert made["TableName"] == "one"
    assert made["ItemCount"] == 0
    dynamodb.get_waiter("table_exists").wait(TableName="one")

    with pytest.raises(ClientError) as error:
        dynamodb.create_table(
            TableName="one",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "B"}],
            BillingMode="PAY_PER_REQUEST",
        )
    assert code(error) == "ResourceInUseException"

    dynamodb.update_table(TableName="one", BillingMode="PAY_PER_REQUEST")
    table = dynamodb.describe_table(TableName="one")["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    dynamodb.update_table(
        TableName="one",
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 7, "WriteCapacityUnits": 8},
    )
    table = dynamodb.describe_table(TableName="one")["Table"]
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 7

    dynamodb.delete_table(TableName="one")
    dynamodb.get_waiter("table_not_exists").wait(TableName="one")
    with pytest.raises(ClientError) as error:
        dynamodb.describe_table(TableName="one")
    assert code(error) == "ResourceNotFoundException"
    assert message(error) == "Requested resource not found: Table: one not found"


def test_tables_are_listed_in_pages(dynamodb):
    names = [f"list-{i}" for i in range(5)]
    for name in names:
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    pages = dynamodb.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 2})
    listed = [name for page in pages for name in page["TableNames"]]
    assert [name for name in listed if name.startswith("list-")] == names
    for name in names:
        dynamodb.delete_table(TableName=name)


def test_a_dropped_table_leaves_nothing_to_its_successor(dynamodb):
    def make():
        dynamodb.create_table(
            TableName="again",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    for _ in range(3):
        make()
        for i in range(50):
            dynamodb.put_item(TableName="again", Item={"id": {"S": str(i)}})
        assert dynamodb.scan(TableName="again", Select="COUNT")["Count"] == 50
        dynamodb.delete_table(TableName="again")
    make()
    assert dynamodb.scan(TableName="again")["Items"] == []
    dynamodb.delete_table(TableName="again")


# ---- Items


def test_all_ten_types_come_back(dynamodb, table):
    item = {
        **key("types", 1),
        "string": {"S": "ünïcödé 🐘 \"quoted\" \\ \n \u0001"},
        "empty string": {"S": ""},
        "number": {"N": "-12345678901234567890.123456789012345678"},
        "binary": {"B": bytes(range(256))},
        "empty binary": {"B": b""},
        "bool": {"BOOL": False},
        "null": {"NULL": True},
        "list": {"L": [{"N": "1"}, {"L": []}, {"M": {}}, {"S": "x"}]},
        "map": {"M": {"a": {"M": {"b": {"L": [{"BOOL": True}]}}}, "": {"S": "empty name"}}},
        "numbers": {"NS": ["-1", "0", "0.5", "3000000000"]},
    }
    del item["map"]["M"][""]
    sets = {
        "strings": {"SS": ["b", "a", "ä"]},
        "binaries": {"BS": [b"\x00", b"\xff"]},
    }
    dynamodb.put_item(TableName=table, Item={**item, **sets})
    got = dynamodb.get_item(TableName=table, Key=key("types", 1))["Item"]
    assert sorted(got.pop("strings")["SS"]) == sorted(sets["strings"]["SS"])
    assert sorted(got.pop("binaries")["BS"]) == sorted(sets["binaries"]["BS"])
    assert sorted(got.pop("numbers")["NS"], key=decimal.Decimal) == item.pop("numbers")["NS"]
    assert got == item


@pytest.mark.parametrize(
    ("given", "answered"),
    [
        ("1", "1"),
        ("+1.50", "1.5"),
        ("-0", "0"),
        ("00012.3400", "12.34"),
        ("1e3", "1000"),
        ("1E-5", "0.00001"),
        ("123456789012345678901234567890.12345678", "123456789012345678901234567890.12345678"),
        ("9.9999999999999999999999999999999999999E+125", "99999999999999999999999999999999999999" + "0" * 88),
        ("-1E-130", "-0." + "0" * 129 + "1"),
    ],
)  # fmt: skip
def test_numbers_are_exact_and_canonical(dynamodb, table, given, answered):
    dynamodb.put_item(TableName=table, Item={**key("n", 1), "n": {"N": given}})
    got = dynamodb.get_item(TableName=table, Key=key("n", 1))["Item"]["n"]["N"]
    assert decimal.Decimal(got) == decimal.Decimal(given)
    assert got == answered


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("", "The parameter cannot be converted to a numeric value: "),
        ("abc", "The parameter cannot be converted to a numeric value: abc"),
        ("1e126", "Number overflow. Attempting to store a number with magnitude larger than supported range"),
        ("1e-131", "Number underflow. Attempting to store a number with magnitude smaller than supported range"),
        ("1" * 39, "Attempting to store more than 38 significant digits in a Number"),
    ],
)  # fmt: skip
def test_bad_numbers_are_refused(dynamodb, table, given, reason):
    with pytest.raises(ClientError) as error:
        dynamodb.put_item(TableName=table, Item={**key("n", 1), "n": {"N": given}})
    assert code(error) == "ValidationException"
    assert message(error) == "1 validation error detected: " + reason


def test_return_values(dynamodb, table):
    at = {"TableName": table, "Key": key("r", 1)}
    dynamodb.put_item(TableName=table, Item={**key("r", 1), "a": {"N": "1"}, "b": {"S": "x"}})

    def update(return_values):
        return dynamodb.update_item(
            **at,
            UpdateExpression="SET a = a + :one REMOVE nope",
            ExpressionAttributeValues={":one": {"N": "1"}},
            ReturnValues=return_values,
        ).get("Attributes")

    assert update("NONE") is None
    assert update("ALL_OLD") == {**key("r", 1), "a": {"N": "2"}, "b": {"S": "x"}}
    assert update("ALL_NEW") == {**key("r", 1), "a": {"N": "4"}, "b": {"S": "x"}}
    assert update("UPDATED_OLD") == {"a": {"N": "4"}}
    assert update("UPDATED_NEW") == {"a": {"N": "6"}}
    old = dynamodb.put_item(TableName=table, Item=key("r", 1), ReturnValues="ALL_OLD")
    assert old["Attributes"]["a"] == {"N": "6"}
    assert dynamodb.delete_item(**at, ReturnValues="ALL_OLD")["Attributes"] == key("r", 1)
    assert "Attributes" not in dynamodb.delete_item(**at, ReturnValues="ALL_OLD")


def test_conditions_guard_writes(dynamodb, table):
    once = {
        "TableName": table,
        "Item": key("c", 1),
        "ConditionExpression": "attribute_not_exists(p)",
    }
    dynamodb.put_item(**once)
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as error:
        dynamodb.put_item(**once)
    assert message(error) == "The conditional request failed"
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.delete_item(
            TableName=table,
            Key=key("c", 1),
            ConditionExpression="v = :v",
            ExpressionAttributeValues={":v": {"N": "1"}},
        )
    assert "Item" in dynamodb.get_item(TableName=table, Key=key("c", 1))


def test_counters_lose_nothing_to_each_other(server, table):
    from concurrent.futures import ThreadPoolExecutor

    client = server.client()

    def add(_):
        client.update_item(
            TableName=table,
            Key=key("counter", 1),
            UpdateExpression="ADD n :one SET m = if_not_exists(m, :zero) + :one",
            ExpressionAttributeValues={":one": {"N": "1"}, ":zero": {"N": "0"}},
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(200)))
    got = client.get_item(TableName=table, Key=key("counter", 1))["Item"]
    assert got["n"] == got["m"] == {"N": "200"}


def test_projections(dynamodb, table):
    dynamodb.put_item(
        TableName=table,
        Item={
            **key("p", 1),
            "l": {"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}]},
            "m": {"M": {"a": {"S": "x"}, "size": {"S": "y"}}},
            "other": {"S": "z"},
        },
    )
    got = dynamodb.get_item(
        TableName=table,
        Key=key("p", 1),
        ProjectionExpression="s, l[2], l[0], m.#size, nope",
        ExpressionAttributeNames={"#size": "size"},
    )
    assert got["Item"] == {
        "s": {"N": "1"},
        "l": {"L": [{"N": "0"}, {"N": "2"}]},
        "m": {"M": {"size": {"S": "y"}}},
    }


# ---- Pages


@pytest.fixture
def hundred(dynamodb, table):
    """100 items under one partition key, in sort keys' order, and some under another."""
    items = [{**key("many", i - 50), "v": {"N": str(i % 7)}} for i in range(100)]
    for begin in range(0, 100, 25):
        dynamodb.batch_write_item(
            RequestItems={table: [{"PutRequest": {"Item": i}} for i in items[begin : begin + 25]]}
        )
    for i in range(3):
        dynamodb.put_item(TableName=table, Item=key("few", i))
    return items


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("limit", [1, 7, 100, 1000])
def test_queries_turn_pages(dynamodb, table, hundred, forward, limit):
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="p = :p",
        ExpressionAttributeValues={":p": {"S": "many"}},
        ScanIndexForward=forward,
        PaginationConfig={"PageSize": limit},
    )
    items = [item for page in pages for item in page["Items"]]
    assert items == (hundred if forward else hundred[::-1])


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("s = :a", {":a": "-3"}, range(-3, -2)),
        ("s < :a", {":a": "-48"}, range(-50, -48)),
        ("s <= :a", {":a": "-48"}, range(-50, -47)),
        ("s > :a", {":a": "47.5"}, range(48, 50)),
        (":a <= s", {":a": "48"}, range(48, 50)),
        ("s BETWEEN :a AND :b", {":a": "-1", ":b": "1.0"}, range(-1, 2)),
    ],
)
def test_sort_keys_are_asked_for_by_amount(dynamodb, table, hundred, condition, values, expected):
    page = dynamodb.query(
        TableName=table,
        KeyConditionExpression=f"p = :p AND {condition}",
        ExpressionAttributeValues={":p": {"S": "many"}, **{k: {"N": v} for k, v in values.items()}},
    )
    assert [int(item["s"]["N"]) for item in page["Items"]] == list(expected)


def test_limit_counts_items_before_the_filter(dynamodb, table, hundred):
    page = dynamodb.query(
        TableName=table,
        KeyConditionExpression="p = :p",
        FilterExpression="v = :v",
        ExpressionAttributeValues={":p": {"S": "many"}, ":v": {"N": "3"}},
        Limit=10,
    )
    assert (page["ScannedCount"], page["Count"]) == (10, 1)
    assert page["LastEvaluatedKey"] == key("many", -41)
    whole = dynamodb.query(
        TableName=table,
        KeyConditionExpression="p = :p",
        ExpressionAttributeValues={":p": {"S": "many"}},
        Limit=100,
        Select="COUNT",
    )
    assert (whole["Count"], whole["ScannedCount"]) == (100, 100)
    assert "Items" not in whole


def test_scans_see_everything_once_in_segments_too(dynamodb, table, hundred):
    seen = [
        (item["p"]["S"], item["s"]["N"])
        for segment in range(3)
        for page in dynamodb.get_paginator("scan").paginate(
            TableName=table, Segment=segment, TotalSegments=3, PaginationConfig={"PageSize": 9}
        )
        for item in page["Items"]
    ]
    assert len(seen) == len(set(seen)) == 103


def test_pages_end_at_a_megabyte(dynamodb, table):
    for i in range(30):
        dynamodb.put_item(TableName=table, Item={**key("big", i), "v": {"S": "x" * 100_000}})
    page = dynamodb.query(
        TableName=table,
        KeyConditionExpression="p = :p",
        ExpressionAttributeValues={":p": {"S": "big"}},
        ReturnConsumedCapacity="TOTAL",
    )
    assert page["Count"] == 11  # the one that passes the megabyte is still in it
    assert page["LastEvaluatedKey"] == key("big", 10)
    assert page["ConsumedCapacity"]["CapacityUnits"] == pytest.approx(134.5, abs=1)


# ---- Batches


def test_batches_put_delete_and_get(dynamodb, table):
    def write(requests):
        answer = dynamodb.batch_write_item(RequestItems={table: requests})
        assert answer["UnprocessedItems"] == {}

    write([{"PutRequest": {"Item": key("b", i)}} for i in range(25)])
    write([{"DeleteRequest": {"Key": key("b", i)}} for i in range(0, 25, 2)])
    answer = dynamodb.batch_get_item(
        RequestItems={table: {"Keys": [key("b", i) for i in range(30)], "ConsistentRead": True}}
    )
    assert answer["UnprocessedKeys"] == {}
    assert sorted(int(i["s"]["N"]) for i in answer["Responses"][table]) == list(range(1, 25, 2))


def test_batches_are_refused_whole(dynamodb, table):
    for requests, words in [
        ([{"PutRequest": {"Item": key("x", 1)}}] * 2, "Provided list of item keys contains duplicates"),
        ([{"PutRequest": {"Item": key("x", i)}} for i in range(26)], "less than or equal to 25"),
        ([{"PutRequest": {"Item": {"p": {"S": "x"}}}}], "The provided key element does not match the schema"),
    ]:  # fmt: skip
        with pytest.raises(ClientError) as error:
            dynamodb.batch_write_item(RequestItems={table: requests})
        assert code(error) == "ValidationException"
        assert words in message(error)
    assert dynamodb.scan(TableName=table)["Count"] == 0


# ---- The resource interface, which converts types


def test_the_resource_interface(server, table):
    resource = boto3.resource(
        "dynamodb",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    from boto3.dynamodb.conditions import Attr, Key

    books = resource.Table(table)
    with books.batch_writer() as batch:
        for i in range(60):
            batch.put_item(
                {"p": "book", "s": i, "tags": {"a", "b"}, "price": decimal.Decimal("9.99")}
            )
    page = books.query(
        KeyConditionExpression=Key("p").eq("book") & Key("s").gte(50),
        FilterExpression=Attr("tags").contains("a") & Attr("price").lt(10),
    )
    assert page["Count"] == 10
    assert page["Items"][0]["tags"] == {"a", "b"}
    assert books.scan(FilterExpression=~Attr("s").between(0, 57))["Count"] == 2


# ---- Durability across restarts


@pytest.mark.parametrize("durability", ["durable", "relaxed"])
@pytest.mark.parametrize("io", ["auto", "posix"])
def test_a_clean_stop_keeps_everything(tmp_path, durability, io):
    from harness import Server, assert_clean

    server = Server(tmp_path / "data", "--durability", durability, "--io", io)
    server.start()
    client = server.client()
    client.create_table(
        TableName="kept",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for round in range(3):
        for i in range(20):
            client.put_item(TableName="kept", Item={"id": {"S": f"{round}-{i}"}})
        server.stop()
        assert_clean(server.data_dir)
        server.start()
        assert client.scan(TableName="kept")["Count"] == 20 * (round + 1)
    server.stop()
