import itertools
import subprocess
from pathlib import Path

import pytest

from harness import BUILD, Server


def pytest_sessionstart(session):
    if not (BUILD / "varved").exists():
        pytest.exit(f"{BUILD}/varved is not built", returncode=1)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """One server for all tests that don't stop it. It must be alive and well in the end."""
    server = Server(tmp_path_factory.mktemp("varve") / "data").start()
    yield server
    assert server.running(), server.tail()
    server.stop()


@pytest.fixture
def own_server(tmp_path):
    """A server of the test's own, not started."""
    server = Server(tmp_path / "data")
    yield server
    if server.running():
        server.kill()


@pytest.fixture(scope="session", params=["http", "binary"])
def dynamodb(request, server):
    """boto3 over HTTP, and over the binary protocol: what a test says of one holds for the other."""
    return server.client() if request.param == "http" else server.binary_client()


@pytest.fixture(scope="session")
def node_modules():
    """What package.json names, installed."""
    here = Path(__file__).resolve().parent
    lock = here / "package-lock.json"
    installed = here / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"], cwd=here, check=True, timeout=600
        )
    return here / "node_modules"


TABLE_NUMBERS = itertools.count()


@pytest.fixture
def table(dynamodb):
    """A table with partition key `p` (S) and sort key `s` (N)."""
    name = f"test.{next(TABLE_NUMBERS)}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": "p", "KeyType": "HASH"},
            {"AttributeName": "s", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "p", "AttributeType": "S"},
            {"AttributeName": "s", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name)
    yield name
    dynamodb.delete_table(TableName=name)
