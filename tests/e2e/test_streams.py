"""Streams, as boto3 reads them: in order, whole, and across kill -9."""

import itertools
import json
import random
import threading
import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from harness import REGION


def streams_client(server):
    return boto3.client(
        "dynamodbstreams",
        endpoint_url=server.url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 0}, connect_timeout=10, read_timeout=60),
    )


NUMBERS = itertools.count()


def new_name():
    """A table's name that none had before: streams outlive their tables."""
    return f"stream.{next(NUMBERS)}"


def make_table(dynamodb, name, view="NEW_AND_OLD_IMAGES"):
    """A table with partition key `p` and a stream; the stream's ARN."""
    made = dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": view},
    )["TableDescription"]
    return made["LatestStreamArn"]


def shards_of(streams, arn):
    shards, start = [], {}
    while True:
        page = streams.describe_stream(StreamArn=arn, **start)["StreamDescription"]
        shards += page["Shards"]
        if "LastEvaluatedShardId" not in page:
            return shards
        start = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}


def read_all(streams, arn):
    """All records there are, parents before children."""
    records = []
    for shard in shards_of(streams, arn):
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            page = streams.get_records(ShardIterator=iterator)
            if not page["Records"]:
                break
            records += page["Records"]
            iterator = page.get("NextShardIterator")
    return records


def replay(records):
    """The table's items after these changes; fails if one does not follow from those before."""
    items, numbers, ids = {}, {}, set()
    for record in records:
        change = record["dynamodb"]
        key = change["Keys"]["p"]["S"]
        assert numbers.get(key, "") < change["SequenceNumber"]
        numbers[key] = change["SequenceNumber"]
        assert record["eventID"] not in ids
        ids.add(record["eventID"])
        assert change.get("OldImage") == items.get(key), key
        before, after = change.get("OldImage"), change.get("NewImage")
        expected = "INSERT" if before is None else "REMOVE" if after is None else "MODIFY"
        assert record["eventName"] == expected
        if after is None:
            del items[key]
        else:
            items[key] = after
    return items


def contents(dynamodb, name):
    pages = dynamodb.get_paginator("scan").paginate(TableName=name)
    return {item["p"]["S"]: item for page in pages for item in page["Items"]}


def test_a_record_has_everything_that_the_service_says(server, dynamodb):
    streams = streams_client(server)
    name = new_name()
    arn = make_table(dynamodb, name)
    before = int(time.time())
    dynamodb.put_item(TableName=name, Item={"p": {"S": "a"}, "n": {"N": "1.50"}})
    (record,) = read_all(streams, arn)
    assert record["eventName"] == "INSERT"
    assert record["eventVersion"] == "1.1"
    assert record["eventSource"] == "aws:dynamodb"
    assert record["awsRegion"] == REGION
    assert "userIdentity" not in record
    change = record["dynamodb"]
    assert change["Keys"] == {"p": {"S": "a"}}
    assert change["NewImage"] == {"p": {"S": "a"}, "n": {"N": "1.5"}}
    assert "OldImage" not in change
    assert change["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert change["SizeBytes"] == 2 + 2 + 1 + 3
    assert 21 <= len(change["SequenceNumber"]) <= 40
    assert before <= change["ApproximateCreationDateTime"].timestamp() <= time.time()
    assert change["ApproximateCreationDateTime"].microsecond == 0

    description = streams.describe_stream(StreamArn=arn)["StreamDescription"]
    assert description["StreamStatus"] == "ENABLED"
    assert description["TableName"] == name
    assert description["KeySchema"] == [{"AttributeName": "p", "KeyType": "HASH"}]
    assert arn.endswith(f"/stream/{description['StreamLabel']}")
    listed = streams.list_streams(TableName=name)["Streams"]
    assert [stream["StreamArn"] for stream in listed] == [arn]
    dynamodb.delete_table(TableName=name)


@pytest.mark.parametrize(
    "view, images",
    [
        ("KEYS_ONLY", set()),
        ("NEW_IMAGE", {"NewImage"}),
        ("OLD_IMAGE", {"OldImage"}),
        ("NEW_AND_OLD_IMAGES", {"NewImage", "OldImage"}),
    ],
)
def test_view_types(server, dynamodb, view, images):
    name = f"stream.{view}"
    arn = make_table(dynamodb, name, view)
    dynamodb.put_item(TableName=name, Item={"p": {"S": "a"}, "n": {"N": "1"}})
    dynamodb.put_item(TableName=name, Item={"p": {"S": "a"}, "n": {"N": "2"}})
    changed = read_all(streams_client(server), arn)[1]["dynamodb"]
    assert {"NewImage", "OldImage"} & set(changed) == images
    assert changed["Keys"] == {"p": {"S": "a"}}
    dynamodb.delete_table(TableName=name)


def test_a_stream_is_disabled_and_enabled_again(server, dynamodb):
    streams = streams_client(server)
    name = new_name()
    first = make_table(dynamodb, name)
    dynamodb.put_item(TableName=name, Item={"p": {"S": "a"}})

    def change(enabled, **specification):
        dynamodb.update_table(
            TableName=name,
            StreamSpecification={"StreamEnabled": enabled, **specification},
        )
        dynamodb.get_waiter("table_exists").wait(TableName=name)
        return dynamodb.describe_table(TableName=name)["Table"]

    table = change(False)
    assert "StreamSpecification" not in table
    assert table["LatestStreamArn"] == first
    dynamodb.put_item(TableName=name, Item={"p": {"S": "b"}})
    with pytest.raises(ClientError, match="Table has no stream to disable"):
        change(False)
    second = change(True, StreamViewType="KEYS_ONLY")["LatestStreamArn"]
    assert second != first
    dynamodb.put_item(TableName=name, Item={"p": {"S": "c"}})
    for arn, keys in ((first, ["a"]), (second, ["c"])):
        assert [r["dynamodb"]["Keys"]["p"]["S"] for r in read_all(streams, arn)] == keys
    description = streams.describe_stream(StreamArn=first)["StreamDescription"]
    assert description["StreamStatus"] == "DISABLED"
    dynamodb.delete_table(TableName=name)
    # The streams of a table outlive it.
    assert len(streams.list_streams(TableName=name)["Streams"]) == 2
    assert len(read_all(streams, second)) == 1


def test_the_target_of_streams_is_another_service(server):
    target = "DynamoDBStreams_20120810.ListStreams"
    status, _, body = server.post("", {}, headers={"X-Amz-Target": target})
    assert status == 200
    assert "Streams" in json.loads(body)
    status, _, body = server.post("ListStreams", {})
    assert status == 400
    assert "UnknownOperationException" in json.loads(body)["__type"]
    status, _, body = server.post(
        "", {"StreamArn": "x" * 40}, headers={"X-Amz-Target": target.replace("List", "Describe")[:-1]}
    )
    assert status == 400
    assert "ValidationException" in json.loads(body)["__type"]


class Writers:
    """Clients that change few keys in every way there is, until told to stop."""

    def __init__(self, server, table, count=6, keys=8):
        self.server, self.table, self.keys = server, table, keys
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self.run, args=(seed,), daemon=True) for seed in range(count)
        ]
        for thread in self.threads:
            thread.start()

    def run(self, seed):
        random_of = random.Random(seed)
        client = self.server.client()
        n = 0
        while not self.stopping.is_set():
            n += 1
            item = {
                "p": {"S": str(random_of.randrange(self.keys))},
                "by": {"S": f"{seed}-{n}"},
            }
            key = {"p": item["p"]}
            try:
                choice = random_of.randrange(5)
                if choice == 0:
                    client.put_item(TableName=self.table, Item=item)
                elif choice == 1:
                    client.delete_item(TableName=self.table, Key=key)
                elif choice == 2:
                    client.update_item(
                        TableName=self.table,
                        Key=key,
                        UpdateExpression="ADD n :one",
                        ExpressionAttributeValues={":one": {"N": "1"}},
                    )
                elif choice == 3:
                    puts = [
                        {"Put": {"TableName": self.table, "Item": {**item, "p": {"S": str(k)}}}}
                        for k in random_of.sample(range(self.keys), 3)
                    ]
                    client.transact_write_items(TransactItems=puts)
                else:
                    puts = [
                        {"PutRequest": {"Item": {**item, "p": {"S": str(k)}}}}
                        for k in range(self.keys)
                    ]
                    client.batch_write_item(RequestItems={self.table: puts})
            except (ClientError, BotoCoreError):
                time.sleep(0.01)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(timeout=60)
            assert not thread.is_alive()


def test_a_reader_that_follows_concurrent_writers_misses_nothing(server, dynamodb):
    name = "stream.follow"
    arn = make_table(dynamodb, name)
    streams = streams_client(server)
    (shard,) = shards_of(streams, arn)
    iterator = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="LATEST"
    )["ShardIterator"]
    writers = Writers(server, name)
    followed = []
    end = time.monotonic() + 5
    while True:
        last = time.monotonic() > end
        if last:
            writers.stop()
        page = streams.get_records(ShardIterator=iterator, Limit=random.choice([1, 10, 1000]))
        followed += page["Records"]
        iterator = page["NextShardIterator"]
        if last and not page["Records"]:
            break
    assert len(followed) > 100
    numbers = [record["dynamodb"]["SequenceNumber"] for record in followed]
    assert numbers == sorted(set(numbers))
    assert replay(followed) == contents(dynamodb, name)
    assert followed == read_all(streams, arn)
    dynamodb.delete_table(TableName=name)


def test_the_stream_replays_to_the_table_across_kill_9(own_server):
    name = "stream.killed"
    own_server.start()
    arn = make_table(own_server.client(), name)
    seen = []
    for _ in range(4):
        writers = Writers(own_server, name)
        time.sleep(1)
        own_server.kill()
        writers.stop()
        own_server.start()
        records = read_all(streams_client(own_server), arn)
        # What was read before a crash is read again.
        assert records[: len(seen)] == seen
        seen = records
        assert replay(records) == contents(own_server.client(), name)
    assert len(seen) > 100
