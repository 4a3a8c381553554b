#!/usr/bin/python3
"""What a page of Query holds in the server's memory while its client takes its time.

    MALLOC_CONF=dirty_decay_ms:0,muzzy_decay_ms:0 build/release/varved --port 8001 --data-dir DIR --durability relaxed &
    bench/http_pages.py --port 8001 --pid $!

Writes --items items under one partition key, has --connections clients ask for all of them in one page, several times,
and read nothing, and tells how much the server's resident memory grew for each, beside the bytes of an answer. Pages of
up to 1 MB; every client then reads its answers, which are checked. MALLOC_CONF has the allocator give freed memory back
at once, so that it isn't counted.
"""
import argparse
import json
import socket
import time

from http_items import HOST, Connection, request

TABLE = "HttpPages"
ANSWERS = 6  # that each client asks for


def resident_bytes(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    raise SystemExit("no RssAnon")


def queries(connection):
    """How many the server has answered since it was started."""
    connection.send(f"GET /metrics HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    for line in connection.answer().decode().splitlines():
        if line.startswith("varve_requests_total") and 'operation="Query"' in line:
            return int(float(line.split()[-1]))
    return 0


class SlowConnection(Connection):
    """One whose answer waits in the server, but for what the smallest receive buffer takes."""

    def __init__(self, port):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        self.socket.connect((HOST, port))
        self.rest = b""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--pid", type=int, required=True, help="the server's process")
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--value-bytes", type=int, default=950)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    setup = Connection(options.port)
    setup.send(request("CreateTable", json.dumps({
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "P", "AttributeType": "S"},
            {"AttributeName": "S", "AttributeType": "N"},
        ],
        "KeySchema": [{"AttributeName": "P", "KeyType": "HASH"}, {"AttributeName": "S", "KeyType": "RANGE"}],
    })))
    setup.answer()
    for i in range(options.items):
        item = {"P": {"S": "p"}, "S": {"N": str(i)}, "Value": {"S": "v" * options.value_bytes}}
        setup.send(request("PutItem", json.dumps({"TableName": TABLE, "Item": item})))
        setup.answer()
    query = request("Query", json.dumps({
        "TableName": TABLE,
        "KeyConditionExpression": "P = :p",
        "ExpressionAttributeValues": {":p": {"S": "p"}},
    }))
    setup.send(query)
    setup.answer()

    # More answers than the kernel takes in: so one of each client's waits.
    before = resident_bytes(options.pid)
    clients = [SlowConnection(options.port) for _ in range(options.connections)]
    for client in clients:
        client.send(query * ANSWERS)
    answered = 0
    while True:
        time.sleep(1)
        now = queries(setup)
        if now > options.connections and now == answered:
            break
        answered = now
    grown = resident_bytes(options.pid) - before
    for client in clients:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    for client in clients:
        for _ in range(ANSWERS):
            answer = client.answer()
            if json.loads(answer)["Count"] != options.items:
                raise SystemExit("a page is not complete")
    each = grown / options.connections
    print(
        f"{options.connections} pages of {options.items} items, {len(answer):,} bytes of JSON each: "
        f"{each:,.0f} bytes of memory each, {each / len(answer):.2f} x"
    )
    setup.send(request("DeleteTable", json.dumps({"TableName": TABLE})))
    setup.answer()


if __name__ == "__main__":
    main()
