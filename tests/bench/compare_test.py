"""`varve_bench compare` measures every row of a tiny suite, and its reports are whole.

    compare_test.py VARVE_BENCH
"""

import json
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree
from pathlib import Path

VARVE_BENCH = sys.argv.pop()
ENGINES = ("varve", "rocksdb")


def compare(*arguments):
    return subprocess.run(
        [VARVE_BENCH, "compare", *arguments], capture_output=True, text=True, timeout=300
    )


class Compare(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.path = Path(cls.directory.name)
        cls.run_of_all = compare(
            *("--scale", "0.001", "--turns", "2", "--directory", cls.path / "data"),
            *("--json", cls.path / "report.json", "--html", cls.path / "report.html"),
        )

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def report(self):
        self.assertEqual(self.run_of_all.returncode, 0, self.run_of_all.stderr)
        return json.loads((self.path / "report.json").read_text())

    def test_json_has_every_row_that_list_names(self):
        listed = [line.split()[0] for line in compare("--list").stdout.splitlines()]
        self.assertGreater(len(listed), 20)
        self.assertEqual(listed, [row["name"] for row in self.report()["rows"]])

    def test_every_row_has_each_engines_figures_of_every_turn(self):
        for row in self.report()["rows"]:
            main = row["metrics"][0]
            for engine in ENGINES:
                with self.subTest(row=row["name"], engine=engine):
                    self.assertEqual(len(main[engine]["turns"]), 2)
                    self.assertLessEqual(main[engine]["min"], main[engine]["median"])
                    self.assertLessEqual(main[engine]["median"], main[engine]["max"])
            self.assertIn("rocksdb", main["ratios"], row["name"])
            self.assertIn("memory", [metric["name"] for metric in row["metrics"]])

    def test_every_target_is_judged(self):
        for row in self.report()["rows"]:
            for target in row["targets"]:
                with self.subTest(row=row["name"], target=target["target"]):
                    if " device" not in target["target"]:  # Its turns need io_uring.
                        self.assertIsNotNone(target["value"])
                    self.assertIn(target["met"], (True, False))

    def test_json_says_how_the_engines_were_opened(self):
        contestants = self.report()["contestants"]
        self.assertTrue(contestants["varve"].startswith("Varve"))
        self.assertTrue(contestants["rocksdb"].startswith("RocksDB"))

    def test_html_is_well_formed_and_stands_alone(self):
        self.report()
        page = (self.path / "report.html").read_text()
        root = xml.etree.ElementTree.fromstring(page)
        svg = "{http://www.w3.org/2000/svg}"
        self.assertGreater(len(list(root.iter(svg + "polyline"))), 20)
        for attribute in ("src=", "href=", "@import", "url("):
            self.assertNotIn(attribute, page)

    def test_data_is_removed(self):
        self.report()
        self.assertEqual(list((self.path / "data").iterdir()), [])

    def test_one_engine_runs_alone(self):
        alone = compare(
            *("--scale", "0.001", "--rows", "fill-random,read-cached", "--engine", "varve"),
            *("--directory", self.path / "alone"),
        )
        self.assertEqual(alone.returncode, 0, alone.stderr)
        self.assertIn("read-cached", alone.stdout)
        self.assertNotIn("RocksDB", alone.stdout)

    def test_unknown_row_is_an_error(self):
        unknown = compare("--rows", "no-such-row")
        self.assertEqual(unknown.returncode, 2)
        self.assertIn("no-such-row", unknown.stderr)


if __name__ == "__main__":
    unittest.main()
