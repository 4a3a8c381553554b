"""Secondary indexes through real clients: keys of several attributes, pages, and agreement with the table."""

import concurrent.futures
import itertools
import random

import pytest
from botocore.exceptions import ClientError

NAMES = itertools.count()


def schema(partition, sort=()):
    return [{"AttributeName": name, "KeyType": "HASH"} for name in partition] + [
        {"AttributeName": name, "KeyType": "RANGE"} for name in sort
    ]


def create(client, name):
    """Matches of a tournament: key id; by tournament and region, then round, court; by player; by day (local)."""
    client.create_table(
        TableName=name,
        KeySchema=schema(["id"], ["n"]),
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": type_}
            for attribute, type_ in {
                "id": "S",
                "n": "N",
                "tournament": "S",
                "region": "S",
                "round": "N",
                "court": "S",
                "player": "S",
                "day": "N",
            }.items()
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": "ByDay",
                "KeySchema": schema(["id"], ["day"]),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "ByPlace",
                "KeySchema": schema(["tournament", "region"], ["round", "court"]),
                "Projection": {"ProjectionType": "ALL"},
            },
            {
                "IndexName": "ByPlayer",
                "KeySchema": schema(["player"], ["day"]),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["score"]},
            },
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=name)


INDEXES = {
    "ByDay": ({"id", "day"}, {"id", "n", "day"}),
    "ByPlace": ({"tournament", "region", "round", "court"}, None),
    "ByPlayer": ({"player", "day"}, {"id", "n", "player", "day", "score"}),
}


@pytest.fixture
def matches(dynamodb):
    name = f"test.indexes.{next(NAMES)}"
    create(dynamodb, name)
    yield name
    dynamodb.delete_table(TableName=name)


def pages(operation, **parameters):
    items = []
    while True:
        page = operation(**parameters)
        items += page["Items"]
        if "LastEvaluatedKey" not in page:
            return items
        parameters["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def sorted_items(items):
    return sorted(items, key=lambda item: (item["id"]["S"], float(item["n"]["N"])))


def check_indexes(client, table):
    """Every index holds what the table's items say."""
    items = pages(client.scan, TableName=table, ConsistentRead=True)
    for index, (keys, projected) in INDEXES.items():
        expected = [
            {name: value for name, value in item.items() if projected is None or name in projected}
            for item in items
            if keys <= item.keys()
        ]
        found = pages(client.scan, TableName=table, IndexName=index, Limit=50)
        assert sorted_items(found) == sorted_items(expected), index
    return len(items)


def random_match(generator):
    item = {"id": {"S": f"m{generator.randrange(20)}"}, "n": {"N": str(generator.randrange(5))}}
    options = {
        "tournament": {"S": generator.choice(["winter", "summer"])},
        "region": {"S": generator.choice(["north", "south"])},
        "round": {"N": str(generator.randrange(-3, 10))},
        "court": {"S": generator.choice(["a", "b", "\0", "a\0b"])},
        "player": {"S": generator.choice("xyz")},
        "day": {"N": str(generator.randrange(30))},
        "score": {"S": "s" * generator.randrange(100)},
        "other": {"S": "o"},
    }
    item.update({name: value for name, value in options.items() if generator.random() < 0.8})
    return item


def write_randomly(client, table, seed, count):
    generator = random.Random(seed)
    for _ in range(count):
        item = random_match(generator)
        key = {"id": item["id"], "n": item["n"]}
        kind = generator.randrange(5)
        if kind == 0:
            client.delete_item(TableName=table, Key=key)
        elif kind == 1:
            name = generator.choice(["round", "day"])
            client.update_item(
                TableName=table,
                Key=key,
                UpdateExpression="ADD #n :one",
                ExpressionAttributeNames={"#n": name},
                ExpressionAttributeValues={":one": {"N": "1"}},
            )
        elif kind == 2:
            puts = {}
            for _ in range(5):
                other = random_match(generator)
                puts[(other["id"]["S"], other["n"]["N"])] = {"PutRequest": {"Item": other}}
            client.batch_write_item(RequestItems={table: list(puts.values())})
        else:
            client.put_item(TableName=table, Item=item)


def test_a_key_of_several_attributes_is_queried_from_the_left(dynamodb, matches):
    for i, (round_, court) in enumerate(itertools.product([1, 2, 10], ["a", "b", "c"])):
        dynamodb.put_item(
            TableName=matches,
            Item={
                "id": {"S": f"m{i}"},
                "n": {"N": "0"},
                "tournament": {"S": "winter"},
                "region": {"S": "north" if i % 9 else "south"},
                "round": {"N": str(round_)},
                "court": {"S": court},
            },
        )

    def query(condition, **values):
        items = pages(
            dynamodb.query,
            TableName=matches,
            IndexName="ByPlace",
            Limit=2,
            KeyConditionExpression=condition,
            ExpressionAttributeNames={"#r": "region", "#o": "round"}
            if "#o" in condition
            else {"#r": "region"}
            if "#r" in condition
            else {"#t": "tournament"},
            ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
        )
        return [item["round"]["N"] + item["court"]["S"] for item in items]

    place = {"t": {"S": "winter"}, "r": {"S": "north"}}
    both = "tournament = :t AND #r = :r"
    assert query(both, **place) == ["1b", "1c", "2a", "2b", "2c", "10a", "10b", "10c"]
    assert query(both + " AND #o = :o", **place, o={"N": "2"}) == ["2a", "2b", "2c"]
    assert query(both + " AND #o > :o", **place, o={"N": "2"}) == ["10a", "10b", "10c"]
    assert query(both + " AND #o = :o AND court >= :c", **place, o={"N": "2"}, c={"S": "b"}) == ["2b", "2c"]

    for condition, values, message in [
        ("#t = :t", {"t": {"S": "winter"}}, "Query condition missed key schema element: region"),
        (both + " AND court = :c", {**place, "c": {"S": "a"}}, "Query condition missed key schema element: round"),
    ]:
        with pytest.raises(ClientError) as error:
            query(condition, **values)
        assert error.value.response["Error"]["Message"] == message


def test_a_query_right_after_a_write_sees_it(dynamodb, matches):
    for n in range(20):
        dynamodb.put_item(
            TableName=matches,
            Item={"id": {"S": "m"}, "n": {"N": str(n)}, "player": {"S": "x"}, "day": {"N": str(-n)}},
        )
        items = dynamodb.query(
            TableName=matches,
            IndexName="ByPlayer",
            KeyConditionExpression="player = :p",
            ExpressionAttributeValues={":p": {"S": "x"}},
            Limit=1,
        )["Items"]
        assert items[0]["n"]["N"] == str(n)


def test_capacity_is_told_by_index(dynamodb, matches):
    item = random_match(random.Random(1)) | {
        "player": {"S": "x"},
        "day": {"N": "1"},
        "score": {"S": "s" * 2000},
        "other": {"S": "o" * 3000},
    }
    item.pop("tournament", None)
    capacity = dynamodb.put_item(TableName=matches, Item=item, ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]
    assert capacity["Table"]["CapacityUnits"] == 5
    assert capacity["GlobalSecondaryIndexes"] == {"ByPlayer": {"CapacityUnits": 2}}
    assert capacity["LocalSecondaryIndexes"] == {"ByDay": {"CapacityUnits": 1}}
    assert capacity["CapacityUnits"] == 8
    item["day"] = {"N": "2"}
    capacity = dynamodb.put_item(TableName=matches, Item=item, ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]
    assert capacity["GlobalSecondaryIndexes"] == {"ByPlayer": {"CapacityUnits": 4}}
    page = dynamodb.query(
        TableName=matches,
        IndexName="ByDay",
        KeyConditionExpression="id = :i",
        ExpressionAttributeValues={":i": item["id"]},
        Select="ALL_ATTRIBUTES",
        ReturnConsumedCapacity="INDEXES",
    )
    assert page["Items"] == [item]
    assert page["ConsumedCapacity"]["Table"]["CapacityUnits"] == 1
    assert page["ConsumedCapacity"]["LocalSecondaryIndexes"]["ByDay"]["CapacityUnits"] == 0.5


def test_indexes_agree_with_the_table_under_many_writers(dynamodb, matches):
    with concurrent.futures.ThreadPoolExecutor(8) as writers:
        for done in [writers.submit(write_randomly, dynamodb, matches, seed, 60) for seed in range(8)]:
            done.result()
    assert check_indexes(dynamodb, matches) > 20


def test_indexes_agree_with_the_table_after_kill(own_server):
    own_server.start()
    client = own_server.client()
    create(client, "test.killed")
    with concurrent.futures.ThreadPoolExecutor(4) as writers:
        running = [writers.submit(write_randomly, client, "test.killed", seed, 10_000) for seed in range(4)]
        concurrent.futures.wait(running, timeout=2, return_when=concurrent.futures.FIRST_EXCEPTION)
        own_server.kill()
        for done in running:
            assert done.exception() is not None
    own_server.start()
    assert check_indexes(own_server.client(), "test.killed") > 20
    own_server.stop()
