"""Includes point down the layers only, and no file knows where it was built."""

import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Bottom up: what a room's files may include, besides the room itself.
MAY_INCLUDE = {
    "base": "",
    "io": "base",
    "wal": "base io",
    "memtable": "base io",
    "sstable": "base io",
    "compaction": "base io memtable sstable",
    "engine": "base io wal memtable sstable compaction",
    "item": "base io engine",
    "protocol": "base item",
    "client": "base io item protocol",
    "server": "base io engine item protocol",
    "tools": "base io wal memtable sstable compaction engine item protocol client",
    "bench": "base io wal memtable sstable compaction engine item protocol client",
    # Tests may look into every room, and nothing may include a test.
    "tests": "base io wal memtable sstable compaction engine item protocol client server tools",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
ABSOLUTE_PATH = re.compile(r"(?<![\w./-])/(?:home|work|root|Users)/[\w.-]+")


def tracked_files():
    """What belongs to the project: all that git tracks or would; all there is where there is no git."""
    git = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
    )
    if git.returncode == 0:
        paths = (ROOT / name.decode() for name in git.stdout.split(b"\0") if name)
    else:
        hidden = {"build", "node_modules", "varve-data"}
        paths = (p for p in ROOT.rglob("*") if not hidden & set(p.relative_to(ROOT).parts))
    return [path for path in paths if path.is_file()]


def sources():
    return [path for path in tracked_files() if path.suffix in (".h", ".cc")]


class Layering(unittest.TestCase):
    def test_there_are_sources(self):
        self.assertGreater(len(sources()), 100)

    def test_includes_point_down_only(self):
        for path in sources():
            name = path.relative_to(ROOT)
            room = name.parts[0]
            if room not in MAY_INCLUDE:
                continue
            allowed = {room, *MAY_INCLUDE[room].split()}
            for included in INCLUDE.findall(path.read_text()):
                target = included.split("/")[0] if "/" in included else room  # beside the file
                with self.subTest(file=str(name), include=included):
                    self.assertIn(target, allowed)

    def test_only_io_talks_to_the_kernel(self):
        """The engine's rooms reach files, sockets and randomness through io/ alone."""
        kernel = re.compile(
            r"^\s*#\s*include\s*<(unistd\.h|fcntl\.h|poll\.h|liburing\.h|sys/[\w/]+\.h|netinet/[\w/]+\.h"
            r"|fstream|condition_variable|random)>",
            re.MULTILINE,
        )
        for path in sources():
            name = path.relative_to(ROOT)
            if name.parts[0] not in ("wal", "memtable", "sstable", "compaction", "engine", "item", "protocol"):
                continue
            found = set(kernel.findall(path.read_text())) - {"sys/mman.h"}  # memory is no I/O
            with self.subTest(file=str(name)):
                self.assertFalse(found)

    def test_no_file_names_a_build_machine(self):
        for path in tracked_files():
            try:
                text = path.read_text()
            except UnicodeDecodeError:
                continue
            name = path.relative_to(ROOT)
            with self.subTest(file=str(name)):
                self.assertIsNone(ABSOLUTE_PATH.search(text))


if __name__ == "__main__":
    unittest.main()
