#!/usr/bin/python3
"""Writes items to a running server by BatchWriteItem and reads each back by GetItem, and checks them.

    dev/serve &
    bench/http_items.py --items 1000000

With --puts it also writes items one by one by PutItem, first new ones, then the same again; with --indexes the table
has that many global indexes of all attributes (with one or none the items are the same); with --pid it tells the CPU
time of the server (that process) for each item.

Speaks HTTP on plain sockets with prepared bodies, so that the client costs little; each connection keeps
--pipeline requests under way.
"""
import argparse
import json
import multiprocessing
import os
import socket
import time

HOST = "127.0.0.1"
TABLE = "HttpItems"
BATCH = 25


def request(operation, body):
    return (
        f"POST / HTTP/1.1\r\nHost: {HOST}\r\nX-Amz-Target: DynamoDB_20120810.{operation}\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection((HOST, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def send(self, data):
        self.socket.sendall(data)

    def answer(self):
        while True:
            end = self.rest.find(b"\r\n\r\n")
            if end >= 0:
                break
            self.receive()
        head = self.rest[:end]
        at = head.lower().index(b"content-length:") + 15
        length = int(head[at:].split(b"\r\n", 1)[0])
        while len(self.rest) < end + 4 + length:
            self.receive()
        body = self.rest[end + 4 : end + 4 + length]
        self.rest = self.rest[end + 4 + length :]
        if b" 200 " not in head[:20]:
            raise SystemExit(f"{head.splitlines()[0].decode()}: {body.decode()}")
        return body

    def receive(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise SystemExit("the server closed the connection")
        self.rest += data


def key(i):
    return f"{(i * 2654435761) % (1 << 32):08x}{i:08x}"


def item(i, value_bytes, indexes=0):
    attributes = {"Id": {"S": key(i)}, "Value": {"S": (key(i) * (value_bytes // 16 + 1))[:value_bytes]}}
    for n in range(max(1, indexes)):
        attributes[f"Group{n}"] = {"S": f"g{(i + n) % 1000}"}
    return attributes


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(job):
    """One process's share: requests first, first + step, ...; returns latencies in microseconds."""
    phase, first, last, step, options = job
    connection = Connection(options.port)
    units = range(first, last, step)
    latencies = []
    under_way = []

    def take():
        unit, started = under_way.pop(0)
        body = connection.answer()
        latencies.append((time.perf_counter() - started) * 1e6)
        if phase == "write":
            if json.loads(body)["UnprocessedItems"]:
                raise SystemExit("unprocessed items")
        elif phase == "read" and key(unit).encode() not in body:
            raise SystemExit(f"item {unit} is not there: {body.decode()}")

    for unit in units:
        if phase == "write":
            puts = [
                {"PutRequest": {"Item": item(i, options.value_bytes, options.indexes)}}
                for i in range(unit * BATCH, min(options.items, (unit + 1) * BATCH))
            ]
            data = request("BatchWriteItem", json.dumps({"RequestItems": {TABLE: puts}}))
        elif phase in ("put", "again"):
            # What is put again differs in an attribute that is not of the indexes' keys.
            put = item(options.items + unit, options.value_bytes, options.indexes)
            put["Phase"] = {"S": phase}
            data = request("PutItem", json.dumps({"TableName": TABLE, "Item": put}))
        else:
            data = request("GetItem", '{"TableName":"%s","Key":{"Id":{"S":"%s"}}}' % (TABLE, key(unit)))
        under_way.append((unit, time.perf_counter()))
        connection.send(data)
        if len(under_way) >= options.pipeline:
            take()
    while under_way:
        take()
    return latencies


def measure(phase, units, items, options):
    jobs = [(phase, i, units, options.connections, options) for i in range(options.connections)]
    started = time.perf_counter()
    cpu = cpu_seconds(options.pid) if options.pid else 0
    with multiprocessing.Pool(options.connections) as pool:
        latencies = sorted(sum(pool.map(run, jobs), []))
    seconds = time.perf_counter() - started
    at = lambda share: latencies[min(len(latencies) - 1, int(share * len(latencies)))]
    print(
        f"{phase:<6} {items} items in {seconds:.1f} s: {items / seconds:,.0f} items/s, "
        f"{len(latencies) / seconds:,.0f} requests/s, latency p50 {at(0.5):,.0f} us, p99 {at(0.99):,.0f} us, "
        f"max {latencies[-1]:,.0f} us"
        + (f", server CPU {(cpu_seconds(options.pid) - cpu) / items * 1e6:.1f} us an item" if options.pid else ""),
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--value-bytes", type=int, default=170, help="with key and names, 200 bytes an item")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--pipeline", type=int, default=4, help="requests under way on a connection")
    parser.add_argument("--reads", type=int, help="how many to read back (default: all)")
    parser.add_argument("--puts", type=int, default=0, help="how many to write by PutItem, twice")
    parser.add_argument("--indexes", type=int, default=0, help="global secondary indexes of the table")
    parser.add_argument("--pid", type=int, help="the server's process")
    parser.add_argument("--keep", action="store_true", help="leave the table there")
    options = parser.parse_args()
    reads = options.items if options.reads is None else min(options.reads, options.items)
    setup = Connection(options.port)
    table = {
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "Id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "Id", "KeyType": "HASH"}],
    }
    for n in range(options.indexes):
        table["AttributeDefinitions"].append({"AttributeName": f"Group{n}", "AttributeType": "S"})
        table.setdefault("GlobalSecondaryIndexes", []).append(
            {
                "IndexName": f"ByGroup{n}",
                "KeySchema": [
                    {"AttributeName": f"Group{n}", "KeyType": "HASH"},
                    {"AttributeName": "Id", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        )
    setup.send(request("CreateTable", json.dumps(table)))
    setup.answer()
    print(f"{options.connections} connections, {options.pipeline} requests under way on each", flush=True)
    measure("write", (options.items + BATCH - 1) // BATCH, options.items, options)
    if reads > 0:
        measure("read", reads, reads, options)
    if options.puts > 0:
        measure("put", options.puts, options.puts, options)
        measure("again", options.puts, options.puts, options)
    if options.keep:
        return
    setup.send(request("DeleteTable", json.dumps({"TableName": TABLE})))
    setup.answer()


if __name__ == "__main__":
    main()
