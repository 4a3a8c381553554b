"""TransactWriteItems and TransactGetItems: atomic, serialisable, once per token, and in the
service's words."""

import collections
import random
import threading
import time

import pytest
from botocore.exceptions import ClientError

ACCOUNTS, BALANCE = 6, 1000
CANCELLED = "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]"
ONE_OF = "TransactItems can only contain one of Check, Put, Update or Delete"
NONE_OF = (
    "1 validation error detected: Value '' at 'transactItems' failed to satisfy constraint: "
    "TransactWriteRequest should contain Delete or Put or Update or ConditionCheck"
)


@pytest.fixture
def raw(server):
    """Calls an operation with JSON as it stands; the answer's status and JSON."""

    def call(operation, body):
        import json

        status, _, content = server.post(operation, body)
        return status, json.loads(content)

    return call


@pytest.fixture
def names(dynamodb, table):
    """Two tables: one with a sort key, one without."""
    other = table + ".hash"
    dynamodb.create_table(
        TableName=other,
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName=other)
    yield table, other
    dynamodb.delete_table(TableName=other)


def key(p, s=None):
    return {"p": {"S": p}} if s is None else {"p": {"S": p}, "s": {"N": str(s)}}


def get(dynamodb, table, which):
    return dynamodb.get_item(TableName=table, Key=which, ConsistentRead=True).get("Item")


def reasons(error):
    """The codes of a cancelled transaction's reasons."""
    assert error.response["Error"]["Code"] == "TransactionCanceledException", error
    return [reason["Code"] for reason in error.response["CancellationReasons"]]


# ---- What they do


def test_all_four_actions_across_tables(dynamodb, names):
    sorted_table, table = names
    dynamodb.put_item(TableName=table, Item={**key("old"), "n": {"N": "1"}})
    dynamodb.put_item(TableName=table, Item=key("gone"))
    dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": sorted_table, "Item": {**key("new", 1), "x": {"S": "y"}}}},
            {
                "Update": {
                    "TableName": table,
                    "Key": key("old"),
                    "UpdateExpression": "SET n = n + :one",
                    "ConditionExpression": "n = :one",
                    "ExpressionAttributeValues": {":one": {"N": "1"}},
                }
            },
            {"Delete": {"TableName": table, "Key": key("gone")}},
            {
                "ConditionCheck": {
                    "TableName": table,
                    "Key": key("absent"),
                    "ConditionExpression": "attribute_not_exists(p)",
                }
            },
        ]
    )
    answer = dynamodb.transact_get_items(
        TransactItems=[
            {"Get": {"TableName": sorted_table, "Key": key("new", 1), "ProjectionExpression": "x"}},
            {"Get": {"TableName": table, "Key": key("old")}},
            {"Get": {"TableName": table, "Key": key("gone")}},
        ]
    )
    assert answer["Responses"] == [
        {"Item": {"x": {"S": "y"}}},
        {"Item": {**key("old"), "n": {"N": "2"}}},
        {},
    ]


def test_a_failed_condition_cancels_everything_and_says_which(raw, dynamodb, names):
    _, table = names
    item = {**key("there"), "n": {"N": "1"}}
    dynamodb.put_item(TableName=table, Item=item)
    failing = {
        "TableName": table,
        "Key": key("there"),
        "ConditionExpression": "n > :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    status, answer = raw(
        "TransactWriteItems",
        {
            "TransactItems": [
                {"Put": {"TableName": table, "Item": key("fresh")}},
                {"ConditionCheck": {**failing, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}},
                {
                    "Delete": {
                        "TableName": table,
                        "Key": key("absent"),
                        "ConditionExpression": "attribute_exists(p)",
                        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    }
                },
            ]
        },
    )
    failed = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
    assert status == 400
    assert answer == {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "CancellationReasons": [{"Code": "None"}, {**failed, "Item": item}, failed],
        "Message": CANCELLED.format("None, ConditionalCheckFailed, ConditionalCheckFailed"),
    }
    assert get(dynamodb, table, key("fresh")) is None


def test_index_entries_change_with_the_items(dynamodb, names):
    name = names[1] + ".indexed"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "p", "AttributeType": "S"},
            {"AttributeName": "g", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-g",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name)

    def in_index(g):
        return sorted(
            item["p"]["S"]
            for item in dynamodb.query(
                TableName=name,
                IndexName="by-g",
                KeyConditionExpression="g = :g",
                ExpressionAttributeValues={":g": {"S": g}},
            )["Items"]
        )

    dynamodb.put_item(TableName=name, Item={**key("a"), "g": {"S": "one"}})
    answer = dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": name, "Item": {**key("b"), "g": {"S": "one"}}}},
            {
                "Update": {
                    "TableName": name,
                    "Key": key("a"),
                    "UpdateExpression": "SET g = :g",
                    "ExpressionAttributeValues": {":g": {"S": "two"}},
                }
            },
        ],
        ReturnConsumedCapacity="INDEXES",
    )
    assert (in_index("one"), in_index("two")) == (["b"], ["a"])
    # Two items; one entry made, one removed and one made: all twice.
    [capacity] = answer["ConsumedCapacity"]
    assert capacity["WriteCapacityUnits"] == capacity["CapacityUnits"] == 2 * (2 + 3)
    assert capacity["Table"] == {"CapacityUnits": 4.0, "WriteCapacityUnits": 4.0}
    assert capacity["GlobalSecondaryIndexes"] == {
        "by-g": {"CapacityUnits": 6.0, "WriteCapacityUnits": 6.0}
    }
    with pytest.raises(ClientError) as raised:
        dynamodb.transact_write_items(
            TransactItems=[{"Put": {"TableName": name, "Item": {**key("c"), "g": {"N": "1"}}}}]
        )
    assert reasons(raised.value) == ["ValidationError"]
    dynamodb.delete_table(TableName=name)


def test_capacity_is_doubled(dynamodb, names):
    sorted_table, table = names
    dynamodb.put_item(TableName=table, Item={**key("big"), "t": {"S": "x" * 5000}})
    write = {
        "TransactItems": [
            {"Put": {"TableName": sorted_table, "Item": key("a", 1)}},
            {
                "ConditionCheck": {
                    "TableName": table,
                    "Key": key("big"),
                    "ConditionExpression": "attribute_exists(p)",
                }
            },
            {"Delete": {"TableName": table, "Key": key("nothing")}},
        ],
        "ReturnConsumedCapacity": "TOTAL",
        "ClientRequestToken": str(random.getrandbits(100)),
    }
    assert dynamodb.transact_write_items(**write)["ConsumedCapacity"] == [
        {"TableName": sorted_table, "CapacityUnits": 2.0, "WriteCapacityUnits": 2.0},
        {"TableName": table, "CapacityUnits": 10.0 + 2, "WriteCapacityUnits": 10.0 + 2},
    ]
    # The same again is a read of the items.
    assert dynamodb.transact_write_items(**write)["ConsumedCapacity"] == [
        {"TableName": sorted_table, "CapacityUnits": 2.0, "ReadCapacityUnits": 2.0},
        {"TableName": table, "CapacityUnits": 4.0 + 2, "ReadCapacityUnits": 4.0 + 2},
    ]
    assert dynamodb.transact_get_items(
        TransactItems=[
            {"Get": {"TableName": table, "Key": key("big")}},
            {"Get": {"TableName": table, "Key": key("nothing")}},
        ],
        ReturnConsumedCapacity="TOTAL",
    )["ConsumedCapacity"] == [{"TableName": table, "CapacityUnits": 6.0, "ReadCapacityUnits": 6.0}]


# ---- What they refuse

PUT = {"Put": {"TableName": "{hash}", "Item": {"p": {"S": "a"}}}}
DELETE = {"Delete": {"TableName": "{hash}", "Key": {"p": {"S": "a"}}}}


def constraint(value, path, text):
    return (
        f"1 validation error detected: Value {value} at '{path}' failed to satisfy constraint: "
        f"Member must {text}"
    )


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([{}], NONE_OF),
        ([{**PUT, **DELETE}], ONE_OF),
        ([PUT, DELETE], "Transaction request cannot include multiple operations on one item"),
        (
            [],
            constraint(
                "'[]'", "transactItems", "have length greater than or equal to 1"
            ),
        ),
        (None, constraint("null", "transactItems", "not be null")),
        (
            [{"Put": {"TableName": "{hash}"}}],
            constraint("null", "transactItems.1.member.put.item", "not be null"),
        ),
        (
            [PUT, {"ConditionCheck": {"TableName": "{hash}", "Key": {"p": {"S": "b"}}}}],
            constraint(
                "null", "transactItems.2.member.conditionCheck.conditionExpression", "not be null"
            ),
        ),
        (
            [{"Update": {"TableName": "{hash}", "Key": {"p": {"S": "b"}}}}],
            constraint("null", "transactItems.1.member.update.updateExpression", "not be null"),
        ),
        (
            [{"Put": {**PUT["Put"], "ConditionExpression": ""}}],
            "Invalid ConditionExpression: The expression can not be empty;",
        ),
        (
            [{"Put": {**PUT["Put"], "ConditionExpression": "attribute_not_exists("}}],
            'Invalid ConditionExpression: Syntax error; token: "<EOF>", near: "("',
        ),
        (
            [{"Put": {"TableName": "{hash}", "Item": {"p": {"S": ""}}}}],
            "One or more parameter values are not valid. The AttributeValue for a key attribute "
            "cannot contain an empty string value. Key: p",
        ),
        (
            [{"Put": {"TableName": "{hash}", "Item": {"p": {"S": "a"}, "t": {"S": "x" * 410_000}}}}],
            "Item size has exceeded the maximum allowed size",
        ),
    ],
)
def test_mistakes_of_the_request(raw, names, items, message):
    body = {"TransactItems": items}

    def fill(value):
        if isinstance(value, dict):
            return {name: fill(each) for name, each in value.items()}
        if isinstance(value, list):
            return [fill(each) for each in value]
        return names[1] if value == "{hash}" else value

    status, answer = raw("TransactWriteItems", fill(body))
    assert status == 400
    assert answer == {
        "__type": "com.amazon.coral.validate#ValidationException",
        "message": message,
    }


def test_a_token_has_36_characters(raw, names):
    for length, status in [(36, 200), (37, 400), (0, 400)]:
        item = {"Put": {"TableName": names[1], "Item": key("a")}}
        answered, _ = raw(
            "TransactWriteItems",
            # Tokens are remembered beyond this test.
            {"TransactItems": [item], "ClientRequestToken": f"{names[1]:t<37}"[:length]},
        )
        assert answered == status, length


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (
            {"Put": {"Item": {"p": {"N": "5"}}}},
            "One or more parameter values were invalid: Type mismatch for key p expected: S "
            "actual: N",
        ),
        ({"Delete": {"Key": {"p": {"N": "5"}}}}, "The provided key element does not match the schema"),
        ({"Delete": {"Key": {}}}, "The provided key element does not match the schema"),
        (
            {"Update": {"Key": key("n"), "UpdateExpression": "SET x = y"}},
            "The provided expression refers to an attribute that does not exist in the item",
        ),
    ],
)
def test_mistakes_of_one_action(dynamodb, names, action, message):
    [(kind, parameters)] = action.items()
    with pytest.raises(ClientError) as raised:
        dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": names[1], "Item": key("good")}},
                {kind: {"TableName": names[1], **parameters}},
            ]
        )
    assert reasons(raised.value) == ["None", "ValidationError"]
    assert raised.value.response["CancellationReasons"][1]["Message"] == message
    assert get(dynamodb, names[1], key("good")) is None


# ---- Tokens


def test_a_token_outlives_the_server(own_server):
    own_server.start()
    client = own_server.client()
    client.create_table(
        TableName="abc",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName="abc")

    def add(amount):
        own_server.client().transact_write_items(
            TransactItems=[
                {
                    "Update": {
                        "TableName": "abc",
                        "Key": key("n"),
                        "UpdateExpression": "ADD n :n",
                        "ExpressionAttributeValues": {":n": {"N": str(amount)}},
                    }
                }
            ],
            ClientRequestToken="once",
        )

    add(1)
    for end in [own_server.kill, own_server.stop]:
        end()
        own_server.start()
        add(1)
        with pytest.raises(ClientError) as raised:
            add(2)
        assert raised.value.response["Error"]["Code"] == "IdempotentParameterMismatchException"
        assert get(own_server.client(), "abc", key("n"))["n"] == {"N": "1"}
    own_server.stop()


def test_the_same_token_many_times_at_once(server, dynamodb, names):
    outcomes = collections.Counter()

    def add():
        try:
            server.client().transact_write_items(
                TransactItems=[
                    {
                        "Update": {
                            "TableName": names[1],
                            "Key": key("at-once"),
                            "UpdateExpression": "ADD n :n",
                            "ExpressionAttributeValues": {":n": {"N": "1"}},
                        }
                    }
                ],
                ClientRequestToken=f"at-once-{names[1]}",
            )
            outcomes["OK"] += 1
        except ClientError as error:
            outcomes[error.response["Error"]["Code"]] += 1

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes["OK"] >= 1
    assert set(outcomes) <= {"OK", "TransactionInProgressException"}
    assert get(dynamodb, names[1], key("at-once"))["n"] == {"N": "1"}


# ---- Many at once


def transfer(client, table, chance):
    chosen = chance.sample(range(ACCOUNTS), chance.randint(2, 4))
    amount = chance.randint(1, 50)
    total = amount * (len(chosen) - 1)

    def update(account, expression, value, **more):
        return {
            "Update": {
                "TableName": table,
                "Key": key(f"account{account}"),
                "UpdateExpression": expression,
                "ExpressionAttributeValues": {":v": {"N": str(value)}},
                **more,
            }
        }

    items = [update(chosen[0], "SET b = b - :v", total, ConditionExpression="b >= :v")]
    items += [update(account, "ADD b :v", amount) for account in chosen[1:]]
    chance.shuffle(items)
    client.transact_write_items(TransactItems=items)


def test_money_is_neither_made_nor_lost(own_server):
    """Random transfers between few accounts, plain writes among them, sums by TransactGetItems and
    by Scan, and kill -9 in the middle."""
    table = "accounts"
    own_server.start()
    client = own_server.client()
    client.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=table)
    for account in range(ACCOUNTS):
        client.put_item(
            TableName=table, Item={**key(f"account{account}"), "b": {"N": str(BALANCE)}}
        )
    counts = collections.Counter()
    failures = []
    stopping = threading.Event()

    def balances(client, by_scan):
        if by_scan:
            items = client.scan(TableName=table, ConsistentRead=True)["Items"]
        else:
            answer = client.transact_get_items(
                TransactItems=[
                    {"Get": {"TableName": table, "Key": key(f"account{account}")}}
                    for account in range(ACCOUNTS)
                ]
            )
            items = [response["Item"] for response in answer["Responses"]]
        return [int(item["b"]["N"]) for item in items]

    def check(client, by_scan):
        found = balances(client, by_scan)
        if sum(found) != ACCOUNTS * BALANCE or min(found) < 0 or len(found) != ACCOUNTS:
            failures.append((by_scan, found))
        counts["looks"] += 1

    def work(seed):
        chance = random.Random(seed)
        client = own_server.client()
        while not stopping.is_set():
            try:
                kind = chance.randrange(6)
                if kind < 2:
                    check(client, by_scan=kind == 0)
                elif kind == 2:
                    client.update_item(
                        TableName=table,
                        Key=key(f"account{chance.randrange(ACCOUNTS)}"),
                        UpdateExpression="ADD touched :one",
                        ExpressionAttributeValues={":one": {"N": "1"}},
                    )
                    counts["touches"] += 1
                else:
                    transfer(client, table, chance)
                    counts["transfers"] += 1
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "TransactionConflictException":
                    counts["conflicts"] += 1
                elif code == "TransactionCanceledException":
                    codes = reasons(error)
                    allowed = {"None", "ConditionalCheckFailed", "TransactionConflict"}
                    if not set(codes) <= allowed:
                        failures.append(codes)
                    counts["conflicts"] += "TransactionConflict" in codes
                else:
                    failures.append(error)
            except Exception as error:  # the server was killed
                counts["cut off"] += 1
                if counts["cut off"] > 10_000:
                    failures.append(error)
                time.sleep(0.05)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        time.sleep(2)
        own_server.kill()
        own_server.start()
    time.sleep(2)
    stopping.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[:5]
    for by_scan in [False, True]:
        check(own_server.client(), by_scan)
    assert not failures, failures
    assert counts["transfers"] > 50 and counts["looks"] > 20, counts
    touched = sum(
        int(item.get("touched", {"N": "0"})["N"])
        for item in own_server.client().scan(TableName=table)["Items"]
    )
    # What was answered is there; what was under way at a kill may be.
    assert counts["touches"] <= touched <= counts["touches"] + counts["cut off"]
    own_server.stop()


def test_item_collection_metrics_name_each_collection_written_to(dynamodb, names):
    plain = names[0]
    local = plain + ".local"
    dynamodb.create_table(
        TableName=local,
        KeySchema=[
            {"AttributeName": "p", "KeyType": "HASH"},
            {"AttributeName": "s", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind}
            for name, kind in (("p", "S"), ("s", "N"), ("a", "S"))
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": "by-a",
                "KeySchema": [
                    {"AttributeName": "p", "KeyType": "HASH"},
                    {"AttributeName": "a", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    actions = [
        {"Put": {"TableName": plain, "Item": key("a", 1)}},
        {"Put": {"TableName": local, "Item": {**key("a", 1), "a": {"S": "x"}}}},
        {"Delete": {"TableName": local, "Key": key("a", 2)}},
        {
            "Update": {
                "TableName": local,
                "Key": key("b", 1),
                "UpdateExpression": "SET v = :v",
                "ExpressionAttributeValues": {":v": {"N": "1"}},
            }
        },
        {
            "ConditionCheck": {
                "TableName": local,
                "Key": key("c", 1),
                "ConditionExpression": "attribute_not_exists(p)",
            }
        },
    ]
    answer = dynamodb.transact_write_items(
        TransactItems=actions, ReturnItemCollectionMetrics="SIZE"
    )
    assert answer["ItemCollectionMetrics"] == {
        local: [
            {"ItemCollectionKey": {"p": {"S": p}}, "SizeEstimateRangeGB": [0.0, 1.0]}
            for p in ("a", "b")
        ]
    }
    quiet = dynamodb.transact_write_items(TransactItems=actions)
    assert "ItemCollectionMetrics" not in quiet
    dynamodb.delete_table(TableName=local)
