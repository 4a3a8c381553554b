#!/usr/bin/python3
"""Loads the Debian package catalogue into a table, 25 packages a request."""

import time

import catalogue
from client import arguments, connect

try:
    from tqdm import tqdm
except ImportError:  # python3-tqdm

    class tqdm:
        """A line a second, for want of a bar."""

        def __init__(self, total, unit, desc):
            self.total, self.unit, self.desc = total, unit, desc
            self.done, self.next_line = 0, time.monotonic() + 1

        def update(self, n):
            self.done += n
            if self.done == self.total or time.monotonic() >= self.next_line:
                print(f"{self.desc}: {self.done} of {self.total} {self.unit}", flush=True)
                self.next_line = time.monotonic() + 1

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass


BATCH = 25  # what BatchWriteItem takes


def create_table(dynamodb, table):
    try:
        dynamodb.create_table(
            TableName=table,
            KeySchema=catalogue.KEY_SCHEMA,
            AttributeDefinitions=catalogue.ATTRIBUTE_DEFINITIONS,
            BillingMode="PAY_PER_REQUEST",
        )
    except dynamodb.exceptions.ResourceInUseException:
        return  # it is there already; what is in it is overwritten
    dynamodb.get_waiter("table_exists").wait(TableName=table)


def write_batch(dynamodb, table, items):
    """Writes the items; returns when all of them are acknowledged."""
    requests = {table: [{"PutRequest": {"Item": item}} for item in items]}
    pause_s = 0.05
    while requests:
        requests = dynamodb.batch_write_item(RequestItems=requests).get("UnprocessedItems")
        if requests:
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 2)


def load(dynamodb, table, items):
    create_table(dynamodb, table)
    with tqdm(total=len(items), unit="packages", desc=table) as bar:
        for begin in range(0, len(items), BATCH):
            batch = items[begin : begin + BATCH]
            write_batch(dynamodb, table, batch)
            bar.update(len(batch))


def main():
    parser = arguments(__doc__)
    parser.add_argument("--limit", type=int, help="load that many packages only")
    options = parser.parse_args()
    print("reading apt-cache dumpavail ...", flush=True)
    items = catalogue.items()[: options.limit]
    begin = time.monotonic()
    load(connect(options.endpoint_url), options.table, items)
    seconds = time.monotonic() - begin
    print(f"{len(items)} packages in {seconds:.1f} s, {len(items) / seconds:.0f} a second")


if __name__ == "__main__":
    main()
