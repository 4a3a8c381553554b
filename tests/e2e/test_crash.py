"""kill -9 in the middle of a load: what was acknowledged is there, and nothing is half there."""

import random
import threading

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from harness import assert_clean

ROUNDS = 20
WRITERS = 4
BATCH = 25
TABLE = "Packages"


@pytest.fixture(scope="module")
def packages():
    import catalogue

    items = catalogue.items()
    assert len(items) > 10_000, "apt-cache knows few packages: run apt-get update"
    return items


def key(item):
    return item["Section"]["S"], item["Package"]["S"]


def written_by(item):
    """The round that wrote the item; 0 is the first load."""
    return int(item["Load"]["N"])


class Ledger:
    """What must be there: for each key the newest acknowledged round, and the rounds that may be."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged = {}
        self.attempted = {}

    def attempt(self, keys, load):
        with self.lock:
            for k in keys:
                self.attempted[k] = load

    def acknowledge(self, keys, load):
        with self.lock:
            for k in keys:
                self.acknowledged[k] = load

    def allows(self, k, load):
        return self.acknowledged.get(k, 0) <= load <= self.attempted.get(k, 0)


def write(client, ledger, items, load):
    """Writes one batch; returns how many items were acknowledged."""
    batch = [{**item, "Load": {"N": str(load)}} for item in items]
    ledger.attempt(map(key, batch), load)
    answer = client.batch_write_item(
        RequestItems={TABLE: [{"PutRequest": {"Item": item}} for item in batch]}
    )
    left = answer["UnprocessedItems"].get(TABLE, [])
    unprocessed = {key(request["PutRequest"]["Item"]) for request in left}
    done = [key(item) for item in batch if key(item) not in unprocessed]
    ledger.acknowledge(done, load)
    return len(done)


def in_threads(work, count=WRITERS):
    failures = []

    def run(i):
        try:
            work(i)
        except Exception as error:  # noqa: BLE001: handed to the test's thread
            failures.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    return threads, failures


def batches(items):
    return [items[i : i + BATCH] for i in range(0, len(items), BATCH)]


def without_sets(item):
    return {k: v if "SS" not in v else set(v["SS"]) for k, v in item.items() if k != "Load"}


@pytest.mark.parametrize("durability", ["durable", "relaxed"])
def test_acknowledged_items_survive_kill_9(own_server, packages, durability):
    own_server.flags = ("--durability", durability)
    if durability == "relaxed":
        packages = packages[:10_000]
    rounds = ROUNDS if durability == "durable" else 5
    own_server.start()
    client = own_server.client()
    client.create_table(
        TableName=TABLE,
        KeySchema=[
            {"AttributeName": "Section", "KeyType": "HASH"},
            {"AttributeName": "Package", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "Section", "AttributeType": "S"},
            {"AttributeName": "Package", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    ledger = Ledger()
    all_batches = batches(packages)

    def first_load(i):
        for batch in all_batches[i::WRITERS]:
            assert write(client, ledger, batch, 0) == len(batch)

    threads, failures = in_threads(first_load)
    for thread in threads:
        thread.join()
    assert not failures

    by_key = {key(item): item for item in packages}
    random_numbers = random.Random(20)
    for load in range(1, rounds + 1):
        # The second load, in an order of its own, ended at a moment of its own.
        order = random_numbers.sample(all_batches, len(all_batches))
        enough = random_numbers.randint(200, 3000)
        count, counted = [0], threading.Condition()

        def second_load(i):
            for batch in order[i::WRITERS]:
                try:
                    done = write(client, ledger, batch, load)
                except (BotoCoreError, ClientError):
                    return  # the server is gone
                with counted:
                    count[0] += done
                    counted.notify()

        threads, failures = in_threads(second_load)
        with counted:
            assert counted.wait_for(lambda: count[0] >= enough, timeout=120)
        own_server.kill()
        for thread in threads:
            thread.join()
        assert not failures

        assert_clean(own_server.data_dir)
        own_server.start()
        touched = [k for k, attempted in ledger.attempted.items() if attempted == load]
        for begin in range(0, len(touched), 100):
            keys = touched[begin : begin + 100]
            request = {"Keys": [{"Section": {"S": s}, "Package": {"S": p}} for s, p in keys]}
            got = {}
            while request:
                answer = client.batch_get_item(RequestItems={TABLE: request})
                got.update({key(item): item for item in answer["Responses"][TABLE]})
                request = answer["UnprocessedKeys"].get(TABLE)
            for k in keys:
                assert k in got, f"round {load}: {k} is lost"
                assert ledger.allows(k, written_by(got[k])), f"round {load}: {k} is of another round"
                assert without_sets(got[k]) == without_sets(by_key[k])
                # What was found is what the next crash must preserve.
                ledger.acknowledge([k], written_by(got[k]))

    found = {}
    for page in client.get_paginator("scan").paginate(TableName=TABLE):
        for item in page["Items"]:
            found[key(item)] = item
    assert found.keys() == by_key.keys()
    for k, item in found.items():
        assert ledger.allows(k, written_by(item))
        assert without_sets(item) == without_sets(by_key[k])
    own_server.stop()
    assert_clean(own_server.data_dir)
