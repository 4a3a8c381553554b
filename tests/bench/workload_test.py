"""`varve_bench fill`, `read`, `scan` and `mixed` run on both engines and report what they did.

    workload_test.py VARVE_BENCH
"""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

VARVE_BENCH = sys.argv.pop()
KEYS = 3000


class Workloads(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name)

    def run_workload(self, name, *arguments):
        run = subprocess.run(
            [VARVE_BENCH, name, "--engine", "varve,rocksdb", "--keys", str(KEYS), *arguments,
             "--durability", "relaxed", "--directory", self.path / "data", "--json", self.path / "run.json"],
            capture_output=True, text=True, timeout=120,
        )
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("operations/s", run.stdout)
        results = json.loads((self.path / "run.json").read_text())["results"]
        self.assertEqual([result["engine"] for result in results], ["varve", "rocksdb"])
        return results

    def test_fill_writes_every_key_once(self):
        for result in self.run_workload("fill"):
            self.assertEqual(result["operations"], KEYS)
            self.assertGreater(result["table_bytes"], 0)
            self.assertGreater(result["write_amplification"], 0)

    def test_read_finds_every_key_of_the_fill(self):
        for result in self.run_workload("read", "--seconds", "0.1"):
            self.assertGreater(result["operations"], 0)
            self.assertEqual(result["keys_not_found"], 0)

    def test_scan_returns_the_entries_it_was_asked_for(self):
        for result in self.run_workload("scan", "--seconds", "0.1", "--scan-entries", "10"):
            self.assertGreater(result["keys"], result["operations"])

    def test_mixed_both_reads_and_writes(self):
        for result in self.run_workload("mixed", "--seconds", "0.1", "--zipf", "0.9"):
            self.assertEqual(set(result["latency_us"]), {"get", "write"})


if __name__ == "__main__":
    unittest.main()
