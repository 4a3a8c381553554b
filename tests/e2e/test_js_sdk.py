"""The current AWS SDK for JavaScript, which knows parameters that Debian's boto3 is too old for, and
object mappers, on which applications are built, each with a model that uses most of what it has."""

import subprocess
from pathlib import Path

import pytest
from harness import Server

HERE = Path(__file__).resolve().parent


def run(script, url):
    done = subprocess.run(
        ["node", "--no-warnings", f"{script}.mjs", url],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # Each step is a property of `steps`; all of them have been taken.
    steps = (HERE / f"{script}.mjs").read_text().count("\n  async \"")
    assert done.stdout.count("ok: ") == steps > 0


@pytest.mark.parametrize("script", ["tour", "electrodb", "dynamoose"])
def test_script(server, node_modules, script):
    run(script, server.url)


def test_a_client_that_waits_for_states(tmp_path, node_modules):
    server = Server(tmp_path / "data", "--transition-ms=50").start()
    try:
        run("dynamoose", server.url)
        server.stop()
    finally:
        if server.running():
            server.kill()
