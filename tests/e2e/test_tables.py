"""Tables over their lives: fields, indexes that come and go, tags, ARNs, capacity, many of them."""

import json
import threading
import time

import pytest
from botocore.exceptions import ClientError
from harness import Server

ACCOUNT = "123456789012"


def arn_of(name):
    return f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{name}"


def call(server, operation, body):
    """The answer of a request that must succeed."""
    status, _, answer = server.post(operation, body)
    assert status == 200, answer
    return json.loads(answer) if answer else None


def definitions(*names):
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


def keys(*names):
    return [
        {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"))
    ]


def index(name, *key_names, **more):
    return {
        "IndexName": name,
        "KeySchema": keys(*key_names),
        "Projection": {"ProjectionType": "ALL"},
        **more,
    }


def wait_for_indexes(server, table, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while True:
        described = call(server, "DescribeTable", {"TableName": table})["Table"]
        if all(i["IndexStatus"] == "ACTIVE" for i in described.get("GlobalSecondaryIndexes", [])):
            return described
        assert time.monotonic() < deadline, described
        time.sleep(0.01)


def make(server, name, **more):
    body = {
        "TableName": name,
        "KeySchema": keys("p"),
        "AttributeDefinitions": definitions("p"),
        "BillingMode": "PAY_PER_REQUEST",
        **more,
    }
    return call(server, "CreateTable", body)["TableDescription"]


def test_every_setting_of_a_table_is_described(server):
    made = make(
        server,
        "settings",
        AttributeDefinitions=definitions("p", "s", "a"),
        KeySchema=keys("p", "s"),
        LocalSecondaryIndexes=[
            {
                "IndexName": "local",
                "KeySchema": keys("p", "a"),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x", "y"]},
            }
        ],
        GlobalSecondaryIndexes=[
            index("global", "a", "p", OnDemandThroughput={"MaxReadRequestUnits": 7})
        ],
        OnDemandThroughput={"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 20},
        WarmThroughput={"ReadUnitsPerSecond": 15000, "WriteUnitsPerSecond": 5000},
        TableClass="STANDARD_INFREQUENT_ACCESS",
        SSESpecification={"Enabled": True, "SSEType": "KMS"},
        DeletionProtectionEnabled=True,
        Tags=[{"Key": "team", "Value": "storage"}],
    )
    assert made["TableStatus"] == "CREATING"
    assert made["GlobalSecondaryIndexes"][0]["IndexStatus"] == "CREATING"
    table = call(server, "DescribeTable", {"TableName": arn_of("settings")})["Table"]
    assert table["TableStatus"] == "ACTIVE"
    assert table["TableId"] == made["TableId"]
    assert table["TableArn"] == arn_of("settings")
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["OnDemandThroughput"] == {"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 20}
    assert table["WarmThroughput"] == {
        "ReadUnitsPerSecond": 15000,
        "WriteUnitsPerSecond": 5000,
        "Status": "ACTIVE",
    }
    assert table["TableClassSummary"] == {"TableClass": "STANDARD_INFREQUENT_ACCESS"}
    assert table["SSEDescription"]["Status"] == "ENABLED"
    assert table["SSEDescription"]["SSEType"] == "KMS"
    assert table["DeletionProtectionEnabled"] is True
    local = table["LocalSecondaryIndexes"][0]
    assert local == {
        "IndexName": "local",
        "KeySchema": keys("p", "a"),
        "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x", "y"]},
        "IndexSizeBytes": 0,
        "ItemCount": 0,
        "IndexArn": arn_of("settings") + "/index/local",
    }
    glob = table["GlobalSecondaryIndexes"][0]
    assert glob["IndexStatus"] == "ACTIVE"
    assert "Backfilling" not in glob
    assert glob["OnDemandThroughput"] == {"MaxReadRequestUnits": 7, "MaxWriteRequestUnits": -1}
    tags = call(server, "ListTagsOfResource", {"ResourceArn": arn_of("settings")})["Tags"]
    assert tags == [{"Key": "team", "Value": "storage"}]
    call(server, "UpdateTable", {"TableName": "settings", "DeletionProtectionEnabled": False})
    gone = call(server, "DeleteTable", {"TableName": arn_of("settings")})["TableDescription"]
    assert gone["TableStatus"] == "DELETING"


REFUSED_UPDATES = [
    (
        {},
        "ValidationException",
        "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
        "GlobalSecondaryIndexUpdates, SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, "
        "ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, "
        "OnDemandThroughput, WarmThroughput or TableClass is required",
    ),
    (
        {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
        "ValidationException",
        "One or more parameter values were invalid: Neither ReadCapacityUnits nor "
        "WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
    ),
    (
        {"SSESpecification": {"Enabled": True}, "DeletionProtectionEnabled": True},
        "ValidationException",
        "One or more parameter values were invalid: Server-Side Encryption modification must be "
        "the only operation in the request",
    ),
    (
        {"SSESpecification": {"Enabled": False}},
        "ValidationException",
        "One or more parameter values were invalid: Table is already encrypted by default",
    ),
    (
        {"TableClass": "SLOW"},
        "ValidationException",
        "Invalid table-class parameter provided. Please try again with a valid table-class value: "
        "[STANDARD, STANDARD_INFREQUENT_ACCESS].",
    ),
    (
        {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "absent"}}]},
        "ResourceNotFoundException",
        "Requested resource not found: Index absent for table updates",
    ),
    (
        {
            "GlobalSecondaryIndexUpdates": [
                {"Create": index("one", "a")},
                {"Create": index("two", "a")},
            ]
        },
        "LimitExceededException",
        "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously "
        "per table",
    ),
    (
        {"GlobalSecondaryIndexUpdates": [{"Create": index("one", "a")}]},
        "ValidationException",
        "One or more parameter values were invalid: AttributeDefinitions is not specified for "
        "index: one",
    ),
    (
        {"OnDemandThroughput": {"MaxReadRequestUnits": 0}},
        "ValidationException",
        "One or more parameter values were invalid: Requested MaxReadRequestUnits for "
        "OnDemandThroughput for table is outside of valid range",
    ),
]


def test_updates_are_refused_in_the_services_words(server):
    make(server, "updates")
    for body, kind, text in REFUSED_UPDATES:
        got = server.error("UpdateTable", {"TableName": "updates", **body})
        assert got == (400, kind, text), body
    call(server, "DeleteTable", {"TableName": "updates"})


def test_an_index_is_added_to_a_table_that_is_written_to(server):
    """Every item that has the attribute is in the index, whenever it was written."""
    make(server, "busy")
    client = server.client()
    count = 3000
    for start in range(0, count, 25):
        client.batch_write_item(
            RequestItems={
                "busy": [
                    {"PutRequest": {"Item": {"p": {"S": f"{i:05}"}, "a": {"S": f"old{i % 7}"}}}}
                    for i in range(start, start + 25)
                ]
            }
        )
    stop = threading.Event()
    failures = []

    def write(worker):
        own = server.client()
        n = worker
        while not stop.is_set():
            n = (n + 4 * 37) % count
            item = f"{n - n % 4 + worker:05}"
            try:
                if n % 3 == 0:
                    own.delete_item(TableName="busy", Key={"p": {"S": item}})
                elif n % 3 == 1:
                    own.put_item(TableName="busy", Item={"p": {"S": item}, "a": {"S": "new"}})
                else:
                    own.put_item(TableName="busy", Item={"p": {"S": item}})
            except ClientError as error:
                failures.append(error)

    writers = [threading.Thread(target=write, args=(w,)) for w in range(4)]
    for writer in writers:
        writer.start()
    client.update_table(
        TableName="busy",
        AttributeDefinitions=definitions("a"),
        GlobalSecondaryIndexUpdates=[{"Create": index("late", "a")}],
    )
    wait_for_indexes(server, "busy")
    stop.set()
    for writer in writers:
        writer.join()
    assert not failures

    def scan(**more):
        pages = client.get_paginator("scan").paginate(TableName="busy", **more)
        return {
            item["p"]["S"]: item["a"]["S"]
            for page in pages
            for item in page["Items"]
            if "a" in item
        }

    assert scan(IndexName="late") == scan()

    client.update_table(
        TableName="busy", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "late"}}]
    )
    table = client.describe_table(TableName="busy")["Table"]
    assert "GlobalSecondaryIndexes" not in table
    assert table["AttributeDefinitions"] == definitions("p")
    client.delete_table(TableName="busy")


def test_an_index_is_filled_across_kills(own_server):
    own_server.start()
    make(own_server, "filled")
    client = own_server.client()
    count = 5000
    for start in range(0, count, 25):
        client.batch_write_item(
            RequestItems={
                "filled": [
                    {"PutRequest": {"Item": {"p": {"S": f"{i:05}"}, "a": {"S": "x"}}}}
                    for i in range(start, start + 25)
                ]
            }
        )
    client.update_table(
        TableName="filled",
        AttributeDefinitions=definitions("a"),
        GlobalSecondaryIndexUpdates=[{"Create": index("late", "a")}],
    )
    for _ in range(3):
        own_server.kill()
        own_server.start()
    wait_for_indexes(own_server, "filled")
    pages = client.get_paginator("query").paginate(
        TableName="filled",
        IndexName="late",
        KeyConditionExpression="a = :x",
        ExpressionAttributeValues={":x": {"S": "x"}},
    )
    found = [item["p"]["S"] for page in pages for item in page["Items"]]
    assert sorted(found) == [f"{i:05}" for i in range(count)]


def sizes(server, table):
    """{name: (ItemCount, bytes)} of a table, as "", and its indexes."""
    described = call(server, "DescribeTable", {"TableName": table})["Table"]
    found = {"": (described["ItemCount"], described["TableSizeBytes"])}
    for each in described.get("GlobalSecondaryIndexes", []):
        found[each["IndexName"]] = (each["ItemCount"], each["IndexSizeBytes"])
    return found


def wait_for_sizes(server, table, expected, timeout_s=60):
    """Items are counted when somebody asks; on a busy machine not before the first answer."""
    deadline = time.monotonic() + timeout_s
    while (found := sizes(server, table)) != expected:
        assert time.monotonic() < deadline, (found, expected)
        time.sleep(0.02)


def test_sizes_are_exact(own_server):
    def size(numbers):
        """Each item has 7 bytes, each third one 3 more and an entry in the index, of 10."""
        thirds = sum(n % 3 == 0 for n in numbers)
        return {"": (len(numbers), 7 * len(numbers) + 3 * thirds), "odd": (thirds, 10 * thirds)}

    def key(n):
        return {"p": {"S": f"{n:06}"}}

    def item(n):
        return {**key(n), **({"a": {"S": "xy"}} if n % 3 == 0 else {})}

    def write(requests):
        for start in range(0, len(requests), 25):
            call(
                own_server,
                "BatchWriteItem",
                {"RequestItems": {"sized": requests[start : start + 25]}},
            )

    own_server.start()
    make(
        own_server,
        "sized",
        AttributeDefinitions=definitions("p", "a"),
        GlobalSecondaryIndexes=[index("odd", "a")],
    )
    write([{"PutRequest": {"Item": item(n)}} for n in range(20)])
    assert sizes(own_server, "sized") == size(range(20))
    write([{"PutRequest": {"Item": item(n)}} for n in range(5000)])
    wait_for_sizes(own_server, "sized", size(range(5000)))
    write([{"DeleteRequest": {"Key": key(n)}} for n in range(2000)])
    wait_for_sizes(own_server, "sized", size(range(2000, 5000)))
    own_server.kill()
    own_server.start()
    wait_for_sizes(own_server, "sized", size(range(2000, 5000)))
    transaction = [{"Delete": {"TableName": "sized", "Key": key(n)}} for n in range(2000, 2100)]
    call(own_server, "TransactWriteItems", {"TransactItems": transaction})
    wait_for_sizes(own_server, "sized", size(range(2100, 5000)))
    write([{"DeleteRequest": {"Key": key(n)}} for n in range(2000, 5000)])
    wait_for_sizes(own_server, "sized", size(range(0)))
    call(own_server, "DeleteTable", {"TableName": "sized"})
    make(own_server, "sized")
    assert sizes(own_server, "sized") == {"": (0, 0)}


def test_an_arn_works_wherever_a_name_does(server):
    make(server, "named")
    arn = arn_of("named")
    client = server.client()
    key = {"p": {"S": "a"}}
    call(server, "PutItem", {"TableName": arn, "Item": key})
    assert call(server, "GetItem", {"TableName": arn, "Key": key})["Item"] == key
    got = call(server, "BatchGetItem", {"RequestItems": {arn: {"Keys": [key]}}})
    assert got["Responses"] == {arn: [key]}
    call(server, "BatchWriteItem", {"RequestItems": {arn: [{"DeleteRequest": {"Key": key}}]}})
    assert call(server, "Scan", {"TableName": arn})["Count"] == 0
    call(server, "DeleteTable", {"TableName": arn})


DEFAULTS = [
    ("DescribeLimits", {}, {"TableMaxReadCapacityUnits": 40000}),
    ("ListBackups", {}, {"BackupSummaries": []}),
    ("ListExports", {}, {"ExportSummaries": []}),
    ("ListImports", {}, {"ImportSummaryList": []}),
    ("ListGlobalTables", {}, {"GlobalTables": []}),
    ("DescribeContributorInsights", {"TableName": "plain"}, {"ContributorInsightsStatus": "DISABLED"}),
    ("DescribeKinesisStreamingDestination", {"TableName": "plain"}, {"TableName": "plain"}),
]
REFUSALS = [
    ("DescribeContinuousBackups", {"TableName": "absent"}, "TableNotFoundException"),
    ("GetResourcePolicy", {"ResourceArn": arn_of("plain")}, "PolicyNotFoundException"),
    ("DescribeBackup", {"BackupArn": "arn:x"}, "BackupNotFoundException"),
    ("CreateBackup", {"TableName": "plain", "BackupName": "abc"}, "ValidationException"),
]


def test_the_rest_of_the_model_answers_its_defaults(server):
    make(server, "plain")
    for operation, body, part in DEFAULTS:
        answer = call(server, operation, body)
        assert part.items() <= answer.items(), operation
    backups = call(server, "DescribeContinuousBackups", {"TableName": "plain"})
    description = backups["ContinuousBackupsDescription"]
    assert description["ContinuousBackupsStatus"] == "ENABLED"
    assert description["PointInTimeRecoveryDescription"] == {
        "PointInTimeRecoveryStatus": "DISABLED"
    }
    endpoint = call(server, "DescribeEndpoints", {})["Endpoints"][0]["Address"]
    assert endpoint == f"127.0.0.1:{server.port}"
    for operation, body, kind in REFUSALS:
        assert server.error(operation, body)[1] == kind, operation
    status, _, answer = server.post("MakeCoffee", {})
    assert status == 400
    assert json.loads(answer)["__type"].endswith("#UnknownOperationException")
    call(server, "DeleteTable", {"TableName": "plain"})


def test_capacity_is_enforced_on_demand(tmp_path):
    server = Server(tmp_path / "data", "--capacity=enforce").start()
    try:
        make(
            server,
            "small",
            BillingMode="PROVISIONED",
            ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
        )
        client = server.client()
        # One write may cost more than there is, and is paid for afterwards.
        client.put_item(TableName="small", Item={"p": {"S": "big"}, "v": {"S": "x" * 350_000}})
        with pytest.raises(ClientError) as error:
            client.put_item(TableName="small", Item={"p": {"S": "small"}})
        answer = error.value.response
        assert answer["Error"]["Code"] == "ProvisionedThroughputExceededException"
        status, _, body = server.post(
            "PutItem", {"TableName": "small", "Item": {"p": {"S": "small"}}}
        )
        assert status == 400
        assert json.loads(body)["ThrottlingReasons"] == [
            {
                "reason": "TableWriteProvisionedThroughputExceeded",
                "resource": arn_of("small"),
            }
        ]
        # Reads have capacity of their own.
        client.get_item(TableName="small", Key={"p": {"S": "small"}})
        server.stop()
    finally:
        if server.running():
            server.kill()
