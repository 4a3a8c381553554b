"""The C++ client of the binary protocol: the example that the package's test builds, against the server."""

import subprocess

import pytest

from binary import TYPES, Connection, decode, encode, encode_item
from harness import BUILD, ROOT, Server

LIBRARY = BUILD / "package_test" / "client" / "library"
EXPECTED = (ROOT / "examples" / "client" / "expected_output").read_text()


needs_example = pytest.mark.skipif(not LIBRARY.exists(), reason="the example is not built: ctest -R package")


def run_example(where):
    return subprocess.run([LIBRARY, where], capture_output=True, text=True, timeout=60)


@needs_example
def test_the_example_over_tcp(server):
    for host in ("127.0.0.1", "localhost"):
        done = run_example(f"{host}:{server.binary_port}")
        assert (done.returncode, done.stdout, done.stderr) == (0, EXPECTED, "")


@needs_example
def test_the_example_over_a_unix_socket(tmp_path):
    path = tmp_path / "socket"
    server = Server(tmp_path / "data", "--binary-socket", path).start()
    done = run_example(path)
    assert (done.returncode, done.stdout, done.stderr) == (0, EXPECTED, "")
    server.stop()
    assert not path.exists()


@needs_example
def test_the_example_without_a_server(tmp_path):
    done = run_example(tmp_path / "nobody")
    assert done.returncode == 1
    assert "nobody" in done.stderr


# ---- What boto3 does not do


@pytest.fixture
def connection(server):
    connection = Connection(("127.0.0.1", server.binary_port))
    yield connection
    connection.close()


def test_a_stream_of_pages(dynamodb, table, connection):
    count, text = 300, "x" * 2000
    for begin in range(0, count, 25):
        puts = [
            {"PutRequest": {"Item": {"p": {"S": "a"}, "s": {"N": str(s)}, "t": {"S": text}}}}
            for s in range(begin, begin + 25)
        ]
        dynamodb.batch_write_item(RequestItems={table: puts})
    query = {
        "TableName": table,
        "KeyConditionExpression": "p = :p",
        "ExpressionAttributeValues": {":p": {"S": "a"}},
    }
    pages = [decode("ItemPage", page) for _, page in connection.ask(TYPES["QueryStream"], encode("QueryRequest", query))]
    assert len(pages) > 3
    assert [int(item["s"]["N"]) for page in pages for item in page["Items"]] == list(range(count))
    # Where the second page ends another stream goes on.
    query["ExclusiveStartKey"] = pages[1]["LastEvaluatedKey"]
    query["Limit"] = 7
    rest = [decode("ItemPage", page) for _, page in connection.ask(TYPES["QueryStream"], encode("QueryRequest", query))]
    first = len(pages[0]["Items"]) + len(pages[1]["Items"])
    assert [int(item["s"]["N"]) for page in rest for item in page["Items"]] == list(range(first, first + 7))


def test_prepared_expressions(dynamodb, table, connection):
    dynamodb.put_item(TableName=table, Item={"p": {"S": "a"}, "s": {"N": "1"}, "n": {"N": "5"}})
    definition = {
        "TableName": table,
        "Operation": TYPES["UpdateItem"],
        "UpdateExpression": "SET #n = #n + :by",
        "ExpressionAttributeNames": {"#n": "n"},
    }
    ((_, answer),) = connection.ask(TYPES["Prepare"], encode("PrepareRequest", definition))
    extras = encode("RequestExtras", decode("PrepareResponse", answer))
    request = encode(
        "UpdateItemRequest",
        {
            "TableName": table,
            "Key": {"p": {"S": "a"}, "s": {"N": "1"}},
            "ExpressionAttributeValues": {":by": {"N": "2"}},
            "ReturnValues": "ALL_NEW",
        },
    )
    for n in (7, 9):
        ((is_error, answer),) = connection.ask(TYPES["UpdateItem"], request + extras)
        assert not is_error, decode("Error", answer)
        assert decode("UpdateItemResponse", answer)["Attributes"]["n"] == {"N": str(n)}
    list(connection.ask(TYPES["Forget"], extras_of(extras)))
    ((is_error, answer),) = connection.ask(TYPES["UpdateItem"], request + extras)
    assert is_error
    assert decode("Error", answer)["Type"] == "PreparedExpressionInvalid"


def extras_of(extras):
    """ForgetRequest of the handle that RequestExtras name."""
    return encode("ForgetRequest", decode("RequestExtras", extras))


def test_a_request_token_makes_a_write_happen_once(server, dynamodb, table, connection):
    assert connection.welcome["Features"] == 1
    key = {"p": {"S": "a"}, "s": {"N": "1"}}
    update = {
        "TableName": table,
        "Key": key,
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    request = encode("UpdateItemRequest", update) + encode("RequestExtras", {"RequestToken": f"token of {table}"})
    another = Connection(("127.0.0.1", server.binary_port))
    repeated = []
    for each in (connection, another, connection):
        ((is_error, answer),) = each.ask(TYPES["UpdateItem"], request)
        assert not is_error, decode("Error", answer)
        repeated.append(decode("AnswerExtras", answer).get("Repeated", False))
    another.close()
    assert repeated == [False, True, True]
    assert dynamodb.get_item(TableName=table, Key=key)["Item"]["n"] == {"N": "1"}


def test_stored_bytes_are_wire_bytes(dynamodb, table, connection):
    item = {"p": {"S": "a"}, "s": {"N": "1"}, "m": {"M": {"l": {"L": [{"NULL": True}, {"NS": ["2", "1"]}]}}}}
    dynamodb.put_item(TableName=table, Item=item)
    request = encode("GetItemRequest", {"TableName": table, "Key": {"p": item["p"], "s": item["s"]}})
    ((_, answer),) = connection.ask(TYPES["GetItem"], request)
    assert encode_item(item) in answer
