"""`varve_bench ycsb` loads and runs YCSB's workloads, in this process and on a server, and reports what it did.

    ycsb_test.py VARVE_BENCH VARVED
"""

import json
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
import xml.etree.ElementTree
from pathlib import Path

VARVED = sys.argv.pop()
VARVE_BENCH = sys.argv.pop()
RECORDS = 500
OPERATIONS = 2000


class Server:
    """varved on a port of the system's choice."""

    def __init__(self, directory):
        self.process = subprocess.Popen(
            [VARVED, "--port", "0", "--binary-port", "0", "--binary-socket", directory + ".socket", "--data-dir", directory,
             "--durability", "relaxed", "--threads", "1"],
            stderr=subprocess.PIPE, text=True)
        self.socket = directory + ".socket"
        for line in self.process.stderr:
            if listens := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                self.port = int(listens.group(1))
                break

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)


class Redis(threading.Thread):
    """Enough of Redis for one connection after the other: SET and GET, in pieces and pipelined."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.values = {}
        self.start()

    def run(self):
        readers = {}
        while True:
            ready, _, _ = select.select([self.listener, *readers], [], [])
            for connection in ready:
                if connection is self.listener:
                    accepted, _ = self.listener.accept()
                    readers[accepted] = b""
                    continue
                try:
                    piece = connection.recv(65536)
                except OSError:
                    piece = b""
                if not piece:
                    del readers[connection]
                    connection.close()
                    continue
                readers[connection] = self.answer(connection, readers[connection] + piece)

    def answer(self, connection, received):
        while True:
            words, rest = [], received
            head, found, rest = rest.partition(b"\r\n")
            if not found:
                return received
            for _ in range(int(head[1:])):
                length, found, rest = rest.partition(b"\r\n")
                if not found or len(rest) < int(length[1:]) + 2:
                    return received
                words.append(rest[: int(length[1:])])
                rest = rest[int(length[1:]) + 2:]
            if words[0] == b"SET":
                self.values[words[1]] = words[2]
                connection.sendall(b"+OK\r\n")
            elif words[1] in self.values:
                value = self.values[words[1]]
                connection.sendall(b"$%d\r\n%s\r\n" % (len(value), value))
            else:
                connection.sendall(b"$-1\r\n")
            received = rest


class Ycsb(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.server = Server(cls.directory.name + "/server")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.directory.cleanup()

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name)

    def start(self, *arguments):
        if "--http-port" not in arguments:
            arguments += "--http-port", str(self.server.port)
        return subprocess.Popen(
            [VARVE_BENCH, "ycsb", "--records", str(RECORDS), "--warmup-seconds", "0", "--durability", "relaxed",
             "--directory", self.path / "data", "--json", self.path / "run.json", "--html",
             self.path / "run.html", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run_ycsb(self, *arguments, exit_code=0):
        process = self.start(*arguments)
        self.out, self.error = process.communicate(timeout=120)
        self.assertEqual(process.returncode, exit_code, self.error)

    def report(self):
        return json.loads((self.path / "run.json").read_text())

    def run_of(self, *arguments):
        """The run of the one target."""
        self.run_ycsb("--operations", str(OPERATIONS), *arguments)
        [result] = self.report()["results"]
        [load], [run] = result["loads"], result["runs"]
        for phase in load, run:
            self.assertEqual(phase["errors"], 0)
            self.assertEqual(phase["not_found"], 0)
        self.assertEqual(load["operations"], RECORDS)
        self.assertEqual(run["operations"], OPERATIONS)
        self.assertEqual(sum(latency["count"] for latency in run["latency_us"].values()), OPERATIONS)
        return run

    def test_every_workload_runs_in_process(self):
        kinds = {
            "a": {"read": 0.5, "update": 0.5},
            "b": {"read": 0.95, "update": 0.05},
            "c": {"read": 1},
            "d": {"read": 0.95, "insert": 0.05},
            "e": {"scan": 0.95, "insert": 0.05},
            "f": {"read": 0.5, "read-modify-write": 0.5},
        }
        for workload, shares in kinds.items():
            with self.subTest(workload):
                latencies = self.run_of("--workload", workload, "--target", "embedded")["latency_us"]
                self.assertEqual(set(latencies), set(shares))
                for kind, share in shares.items():
                    self.assertAlmostEqual(latencies[kind]["count"] / OPERATIONS, share, delta=0.05)

    def test_rocksdb_is_a_target(self):
        for workload in "a", "e":
            self.run_of("--workload", workload, "--target", "rocksdb", "--connections", "2")

    def test_http_is_a_target_also_with_several_requests_under_way(self):
        for workload in "a", "e", "f":
            self.run_of("--workload", workload, "--target", "http", "--connections", "3", "--depth", "4")

    def test_the_binary_protocol_is_a_target(self):
        for workload in "a", "e", "f":
            self.run_of("--workload", workload, "--target", "binary", "--binary-socket", self.server.socket,
                        "--connections", "3", "--depth", "4")

    def test_redis_is_a_target_whose_keys_cannot_be_scanned(self):
        redis = Redis()
        arguments = ("--target", "redis", "--redis-port", str(redis.port), "--fields", "1")
        self.run_of("--workload", "a", "--depth", "5", *arguments)
        self.assertEqual(len(redis.values), RECORDS)
        self.run_ycsb("--workload", "e", *arguments, exit_code=1)
        self.assertIn("no order", self.error)

    def test_targets_are_reported_side_by_side(self):
        self.run_ycsb("--target", "embedded,http", "--operations", "300", "--turns", "2")
        results = self.report()["results"]
        self.assertEqual([result["target"] for result in results], ["embedded", "http"])
        self.assertEqual([len(result["runs"]) for result in results], [2, 2])
        self.assertIn("read p99.9, us", self.out)
        page = (self.path / "run.html").read_text()
        xml.etree.ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>"))
        self.assertIn("Latency of read by percentile", page)
        self.assertNotIn("<script", page)
        self.assertNotIn("src=", page)

    def test_an_open_loop_begins_operations_at_the_rate(self):
        for arrivals in "even", "poisson":
            self.run_ycsb("--target", "http", "--rate", "1000", "--arrivals", arrivals, "--seconds", "1")
            [result] = self.report()["results"]
            [run] = result["runs"]
            # All whose time comes are begun or counted, however slow the machine is.
            arrived = run["operations"] + run["not_begun"]
            self.assertAlmostEqual(arrived, 1000, delta=150)
            for kind, latency in run["latency_us"].items():
                # From when an operation was to begin, and from when it did.
                self.assertGreaterEqual(latency["mean"], run["service_us"][kind]["mean"])

    def test_a_run_uses_what_a_load_left(self):
        self.run_ycsb("--target", "embedded", "--phase", "load")
        [result] = self.report()["results"]
        self.assertEqual(result["runs"], [])
        self.run_ycsb("--target", "embedded", "--phase", "run", "--workload", "c", "--operations", "100")
        [result] = self.report()["results"]
        self.assertEqual(result["loads"], [])
        self.assertEqual(result["runs"][0]["not_found"], 0)

    def test_records_that_are_missing_are_counted(self):
        self.run_ycsb("--target", "embedded", "--phase", "run", "--workload", "c", "--operations", "100")
        [result] = self.report()["results"]
        self.assertEqual(result["runs"][0]["not_found"], 100)

    def test_a_server_that_is_not_there_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = str(unused.getsockname()[1])
        for target in "http", "redis", "binary":
            self.run_ycsb("--target", target, f"--{target}-port", port, exit_code=1)
            self.assertIn(port, self.error)
            self.assertIn("there?", self.error)

    def test_interrupted_it_reports_what_it_has(self):
        process = self.start("--target", "embedded", "--seconds", "100", "--workload", "c")
        # The load is over when the data is there; then the run begins.
        while not (self.path / "data" / "embedded.relaxed" / "CURRENT").exists():
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
        self.assertIn("interrupted", error)
        [result] = self.report()["results"]
        self.assertTrue((result["runs"] or result["loads"])[-1]["interrupted"])
        self.assertIn("embedded", out)


if __name__ == "__main__":
    unittest.main()
