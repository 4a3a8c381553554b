"""The current AWS SDK for JavaScript, which knows parameters that Debian's boto3 is too old for."""

import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
INSTALLED = HERE / "node_modules" / ".package-lock.json"


@pytest.fixture(scope="session")
def node_modules():
    lock = HERE / "package-lock.json"
    if not INSTALLED.exists() or INSTALLED.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE, check=True, timeout=600
        )


def test_the_tour(server, node_modules):
    done = subprocess.run(
        ["node", "tour.mjs", server.url], cwd=HERE, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok: ") == 9
