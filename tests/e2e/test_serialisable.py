"""Many clients run transactions, plain writes, index queries and scans on few keys; from what they
were answered alone, a checker proves that there is one order in which it all could have happened one
after the other, and in which nothing comes before what had been answered when it began.

Every write appends a number of its own to lists. The longest list read of a key tells in which order
its writes happened, and a read tells between which of them it stands. Those are edges between
operations (a write before the next one, a write before its reader, a reader before the next write),
and so is that one had ended before another began. A cycle among them means that no such order exists.
(Adya's dependency graph, with the list workload of Kingsbury and Alvaro, "Elle", VLDB 2020.)

In the end the index must have what the table has, and the stream lead to it change by change."""

import collections
import http.client
import itertools
import json
import os
import random
import threading
import time

import pytest

from test_streams import read_all, replay, streams_client

TABLE, INDEX = "lists", "by-group"
CLIENTS = 64
SECONDS = float(os.environ.get("VARVE_STRESS_SECONDS", 8))
KEYS = 5
# Then come other keys, so that lists stay short.
OPERATIONS_PER_SET_OF_KEYS = 400
CONFLICTS = {"TransactionCanceledException", "TransactionConflictException"}


class Operation:
    """What a client did, and what it was told."""

    def __init__(self, name, appends=(), number=None):
        self.name = name
        self.appends = list(appends)  # keys
        self.number = number  # what was appended to each
        self.reads = {}  # key: list
        self.start = time.monotonic()
        self.end = None  # None: never answered, so it may have happened or not
        self.after = set()  # operations that must come later

    def __repr__(self):
        return f"{self.name}({self.number}: {self.appends} {list(self.reads)})"


class Client:
    """Speaks to the server without an SDK, which would take most of the machine."""

    def __init__(self, server, seed, run):
        self.server, self.run = server, run
        self.random = random.Random(seed)
        self.connection = None
        self.operations = []
        self.counts = collections.Counter()

    def call(self, operation, body):
        """The answer, or the name of the error; None if there was no answer."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(
                    "127.0.0.1", self.server.port, timeout=20
                )
            self.connection.request(
                "POST",
                "/",
                json.dumps(body),
                {
                    "Content-Type": "application/x-amz-json-1.0",
                    "X-Amz-Target": f"DynamoDB_20120810.{operation}",
                },
            )
            response = self.connection.getresponse()
            answer = json.loads(response.read())
            if response.status == 200:
                return answer
            return answer["__type"].split("#")[1]
        except (OSError, http.client.HTTPException):
            self.connection = None
            return None

    def keys(self):
        group = next(self.run.counter) // OPERATIONS_PER_SET_OF_KEYS
        return group, [f"{group}.{i}" for i in range(KEYS)]

    def finish(self, operation, answer, reads=None):
        if answer is None:
            if operation.appends:
                self.operations.append(operation)
            self.counts["no answer"] += 1
            time.sleep(0.05)
            return
        if isinstance(answer, str):
            if answer in CONFLICTS:
                self.counts["conflicts"] += 1
            else:
                self.run.failures.append((operation, answer))
            return
        operation.end = time.monotonic()
        operation.reads = reads(answer) if reads else {}
        self.operations.append(operation)
        self.counts[operation.name] += 1

    # ---- What it does

    def append_together(self):
        group, keys = self.keys()
        chosen = self.random.sample(keys, self.random.randint(1, 4))
        operation = Operation("transact write", chosen, next(self.run.numbers))
        items = [{"Update": append(key, group, operation.number)} for key in chosen]
        if len(chosen) < KEYS and self.random.random() < 0.5:
            check = self.random.choice([key for key in keys if key not in chosen])
            items.append(
                {
                    "ConditionCheck": {
                        "TableName": TABLE,
                        "Key": {"p": {"S": check}},
                        "ConditionExpression": "attribute_not_exists(p) OR attribute_exists(g)",
                    }
                }
            )
        request = {"TransactItems": items}
        if self.random.random() < 0.3:
            request["ClientRequestToken"] = f"n{operation.number}"
        self.finish(operation, self.call("TransactWriteItems", request))

    def append_one(self):
        group, keys = self.keys()
        key = self.random.choice(keys)
        operation = Operation("update", [key], next(self.run.numbers))
        request = append(key, group, operation.number)
        if self.random.random() < 0.3:
            request["ConditionExpression"] = "attribute_not_exists(nothing)"
        answer = self.call("UpdateItem", {**request, "ReturnValues": "ALL_NEW"})
        # It read all that stood before what it appended.
        self.finish(operation, answer, lambda a: {key: list_in(a["Attributes"])[:-1]})

    def read_together(self):
        _, keys = self.keys()
        chosen = self.random.sample(keys, self.random.randint(2, KEYS))
        operation = Operation("transact read")
        gets = [{"Get": {"TableName": TABLE, "Key": {"p": {"S": key}}}} for key in chosen]
        answer = self.call("TransactGetItems", {"TransactItems": gets})
        self.finish(
            operation,
            answer,
            lambda a: {
                key: list_in(response.get("Item")) for key, response in zip(chosen, a["Responses"])
            },
        )

    def query_index(self):
        group, keys = self.keys()
        operation = Operation("index query")
        answer = self.call(
            "Query",
            {
                "TableName": TABLE,
                "IndexName": INDEX,
                "KeyConditionExpression": "g = :g",
                "ExpressionAttributeValues": {":g": {"N": str(group)}},
            },
        )
        self.finish(operation, answer, lambda a: page(a, keys))

    def batch_get(self):
        _, keys = self.keys()
        operation = Operation("batch get")
        answer = self.call(
            "BatchGetItem",
            {"RequestItems": {TABLE: {"Keys": [{"p": {"S": key}} for key in keys]}}},
        )
        self.finish(operation, answer, lambda a: page({"Items": a["Responses"][TABLE]}, keys))

    def work(self):
        kinds = [self.append_together] * 4 + [self.append_one] * 2
        kinds += [self.read_together] * 2 + [self.query_index, self.batch_get]
        while not self.run.stopping.is_set() and not self.run.failures:
            self.random.choice(kinds)()


def append(key, group, number):
    return {
        "TableName": TABLE,
        "Key": {"p": {"S": key}},
        "UpdateExpression": "SET g = :g, l = list_append(if_not_exists(l, :none), :one)",
        "ExpressionAttributeValues": {
            ":g": {"N": str(group)},
            ":none": {"L": []},
            ":one": {"L": [{"N": str(number)}]},
        },
    }


def list_in(item):
    return [int(each["N"]) for each in item["l"]["L"]] if item else []


def page(answer, keys):
    """A page of results: those of `keys` that are not in it had not been made."""
    assert "LastEvaluatedKey" not in answer
    reads = {key: [] for key in keys}
    for item in answer["Items"]:
        reads[item["p"]["S"]] = list_in(item)
    return reads


class Run:
    def __init__(self, server):
        self.server = server
        self.counter = itertools.count()
        self.numbers = itertools.count(1)
        self.stopping = threading.Event()
        self.failures = []

    def go(self, kills):
        clients = [Client(self.server, seed, self) for seed in range(CLIENTS)]
        threads = [threading.Thread(target=client.work) for client in clients]
        for thread in threads:
            thread.start()
        for _ in range(kills):
            time.sleep(SECONDS / (kills + 1))
            self.server.kill()
            self.server.start()
        time.sleep(SECONDS / (kills + 1))
        self.stopping.set()
        for thread in threads:
            thread.join()
        self.counts = sum((client.counts for client in clients), collections.Counter())
        return [operation for client in clients for operation in client.operations]


# ---- The checker


def check(operations, final):
    """Why `operations` can't have happened in any one order, or None. `final`: each key's list in
    the end."""
    writers = {}
    for operation in operations:
        for key in operation.appends:
            writers[key, operation.number] = operation
    orders = {key: list(numbers) for key, numbers in final.items()}
    for operation in operations:
        for key, numbers in operation.reads.items():
            order = orders.get(key, [])
            if numbers != order[: len(numbers)]:
                return f"{operation} read {numbers} of {key}, which became {order}"
    for key, order in orders.items():
        if len(set(order)) != len(order):
            return f"{key} has a number twice: {order}"
        for number in order:
            if (key, number) not in writers:
                return f"{key} has {number}, which nobody wrote"
    happened = {}
    for operation in operations:
        found = [operation.number in orders.get(key, []) for key in operation.appends]
        if any(found) and not all(found):
            return f"{operation} happened in part"
        happened[operation] = all(found)
        if operation.end is not None and not all(found):
            return f"{operation} was answered and is lost"

    for key, order in orders.items():
        for before, after in zip(order, order[1:]):
            writers[key, before].after.add(writers[key, after])
    for operation in operations:
        for key, numbers in operation.reads.items():
            order = orders.get(key, [])
            if numbers:
                writers[key, numbers[-1]].after.add(operation)
            if len(numbers) < len(order):
                operation.after.add(writers[key, order[len(numbers)]])
        operation.after.discard(operation)
    add_time(operations)
    return cycle(operation for operation in operations if happened[operation])


def add_time(operations):
    """Edges from each operation to those that began after its end: to a chain of moments, which
    needs one edge from each end and one to each start."""
    events = [(operation.start, 1, operation) for operation in operations]
    events += [(o.end, 0, o) for o in operations if o.end is not None]
    moment = None
    for _, is_start, operation in sorted(events, key=lambda event: event[:2]):
        if is_start:
            if moment is not None:
                moment.after.add(operation)
        else:
            now = Operation("moment")
            if moment is not None:
                moment.after.add(now)
            operation.after.add(now)
            moment = now


def cycle(operations):
    """A cycle among what can be reached from `operations`, as text, or None."""
    done, path, on_path = set(), [], set()
    for root in operations:
        if root in done:
            continue
        stack = [(root, iter(root.after))]
        path.append(root)
        on_path.add(root)
        while stack:
            node, rest = stack[-1]
            for following in rest:
                if following in on_path:
                    at = path.index(following)
                    return "cycle: " + " -> ".join(map(repr, path[at:] + [following]))
                if following not in done:
                    stack.append((following, iter(following.after)))
                    path.append(following)
                    on_path.add(following)
                    break
            else:
                stack.pop()
                path.pop()
                on_path.discard(node)
                done.add(node)
    return None


def history(*steps):
    """Operations from (name, appends, number, reads, start, end)."""
    operations = []
    for name, appends, number, reads, start, end in steps:
        operation = Operation(name, appends, number)
        operation.reads, operation.start, operation.end = reads, start, end
        operations.append(operation)
    return operations


@pytest.mark.parametrize(
    ("steps", "final", "expected"),
    [
        # One after the other.
        ([("w", "ab", 1, {}, 0, 1), ("r", "", None, {"a": [1], "b": [1]}, 2, 3)], {"a": [1], "b": [1]}, None),
        # Side by side, a read may see a write or not, but not half of it.
        ([("w", "ab", 1, {}, 0, 9), ("r", "", None, {"a": [], "b": []}, 2, 3)], {"a": [1], "b": [1]}, None),
        ([("w", "ab", 1, {}, 0, 9), ("r", "", None, {"a": [1], "b": []}, 2, 3)], {"a": [1], "b": [1]}, "cycle"),
        # What was answered must be seen.
        ([("w", "a", 1, {}, 0, 1), ("r", "", None, {"a": []}, 2, 3)], {"a": [1]}, "cycle"),
        ([("w", "a", 1, {}, 0, 1)], {"a": []}, "lost"),
        # What was not may be there or not, but whole.
        ([("w", "ab", 1, {}, 0, None)], {"a": [], "b": []}, None),
        ([("w", "ab", 1, {}, 0, None)], {"a": [1], "b": [1]}, None),
        ([("w", "ab", 1, {}, 0, None)], {"a": [1], "b": []}, "in part"),
        # Two reads that see two writes in different orders.
        (
            [
                ("w", "a", 1, {}, 0, 9),
                ("w", "b", 2, {}, 0, 9),
                ("r", "", None, {"a": [1], "b": []}, 0, 9),
                ("r", "", None, {"a": [], "b": [2]}, 0, 9),
            ],
            {"a": [1], "b": [2]},
            "cycle",
        ),
        # Write skew: each read what the other wrote as it was before.
        (
            [("w", "a", 1, {"b": []}, 0, 9), ("w", "b", 2, {"a": []}, 0, 9)],
            {"a": [1], "b": [2]},
            "cycle",
        ),
        # A list that was another one once.
        ([("w", "a", 1, {}, 0, 9), ("r", "", None, {"a": [2]}, 0, 9)], {"a": [1]}, "became"),
    ],
)  # fmt: skip
def test_the_checker_knows_right_from_wrong(steps, final, expected):
    found = check(history(*steps), final)
    assert (found is None) if expected is None else (found and expected in found), found


# ---- The server


@pytest.mark.parametrize("kills", [0, 2])
def test_history_is_strictly_serialisable(own_server, kills):
    own_server.start()
    client = own_server.client()
    made = client.create_table(
        TableName=TABLE,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "p", "AttributeType": "S"},
            {"AttributeName": "g", "AttributeType": "N"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": INDEX,
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    stream = made["TableDescription"]["LatestStreamArn"]
    client.get_waiter("table_exists").wait(TableName=TABLE)
    run = Run(own_server)
    operations = run.go(kills)
    assert not run.failures, run.failures[:5]

    def everything(**index):
        pages = own_server.client().get_paginator("scan").paginate(TableName=TABLE, **index)
        return sorted((item for page in pages for item in page["Items"]), key=lambda i: i["p"]["S"])

    items = everything()
    assert items == everything(IndexName=INDEX), "the index does not agree with its table"
    records = read_all(streams_client(own_server), stream)
    assert replay(records) == {item["p"]["S"]: item for item in items}, "the stream is not the table"
    wrong = check(operations, {item["p"]["S"]: list_in(item) for item in items})
    assert wrong is None, wrong
    kinds = ["transact write", "transact read", "update", "index query", "batch get"]
    assert all(run.counts[kind] >= 50 for kind in kinds), run.counts
    assert run.counts["conflicts"] > 0, run.counts
    print(dict(run.counts), f"{len(operations)} operations in {SECONDS} s")
    own_server.stop()
