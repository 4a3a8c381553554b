"""Whatever arrives, the answer is DynamoDB's error or a closed connection, and the server lives on."""

import json
import os
import random
import re
import resource
import socket
import subprocess
import time
import zlib

import pytest

from harness import BUILD, ROOT, free_port

TARGET = "DynamoDB_20120810."


def until(condition, timeout_s=20):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def connect(server, timeout=10):
    return socket.create_connection(("127.0.0.1", server.port), timeout=timeout)


def read_to_end(connection):
    """What comes until the server closes. A reset counts as an end."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionError:
        pass
    return received


def request_bytes(operation, body, close=False):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (
        f"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: {TARGET}{operation}\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n"
        f"{'Connection: close' + chr(13) + chr(10) if close else ''}"
        "Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, "
        "SignedHeaders=host, Signature=0\r\n\r\n"
    ).encode() + body


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def threads(server):
    return len(os.listdir(f"/proc/{server.process.pid}/task"))


def anonymous_kib(server):
    status = open(f"/proc/{server.process.pid}/status").read()
    return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1])


@pytest.fixture(autouse=True)
def unharmed(server):
    """After each test the server answers, with about as many threads and descriptors as before."""
    before = threads(server), descriptors(server)
    yield
    assert server.running(), server.tail()
    assert server.answers()
    # The engine may have opened a few data files meanwhile, and started a worker.
    until(lambda: descriptors(server) <= before[1] + 8)
    assert threads(server) <= before[0] + 2


# ---- The answer's form


def test_answers_carry_checksum_and_request_id(server):
    status, headers, body = server.post("ListTables", {})
    headers = {name.lower(): value for name, value in headers.items()}
    assert status == 200
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert int(headers["x-amz-crc32"]) == zlib.crc32(body)
    assert re.fullmatch(r"[0-9A-Z]{52}", headers["x-amzn-requestid"])


def test_health_and_metrics(server):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert (answer.status, answer.read().strip()[:7]) == (200, b"healthy")
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    text = answer.read().decode()
    assert answer.status == 200
    assert re.search(r"^# TYPE varve_\w+ (counter|gauge|histogram|summary)$", text, re.M)
    connection.request("GET", "/no-such-page")
    assert connection.getresponse().status in (400, 404)
    connection.close()


# ---- JSON


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[", b"nonsense", b'{"TableName": }', b'{"TableName": "a"', b"\xff\xfe\x00",
        b'{"TableName": "\xff"}', b"[]", b'"text"', b"1", b"[" * 100_000, b'{"a":' * 100_000,
        b"\x00" * 1000, b'{"TableName": "abc"} trailing',
    ],
)  # fmt: skip
def test_malformed_json(server, body):
    status, kind, _ = server.error("GetItem", body)
    assert (status, kind) == (400, "SerializationException")


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("GetItem", {"TableName": 5, "Key": {}}),
        ("GetItem", {"TableName": ["abc"], "Key": {}}),
        ("GetItem", {"TableName": "abc", "Key": "k"}),
        ("GetItem", {"TableName": "abc", "Key": {"a": "text"}}),
        ("GetItem", {"TableName": "abc", "Key": {"a": {"S": 5}}}),
        ("GetItem", {"TableName": "abc", "Key": {"a": {"N": 5}}}),
        ("GetItem", {"TableName": "abc", "Key": {"a": {"B": "not base64"}}}),
        ("GetItem", {"TableName": "abc", "Key": {"a": {"SS": "a"}}}),
        ("GetItem", {"TableName": "abc", "Key": {"a": {"L": {}}}}),
        ("GetItem", {"TableName": "abc", "Key": {"a": {"M": []}}}),
        ("Scan", {"TableName": "abc", "Limit": "ten"}),
        ("Scan", {"TableName": "abc", "FilterExpression": 5}),
        ("Scan", {"TableName": "abc", "ExpressionAttributeNames": {"#a": 5}}),
        ("BatchWriteItem", {"RequestItems": []}),
        ("CreateTable", {"TableName": "abc", "KeySchema": {}}),
    ],
)
def test_wrong_json_types(server, operation, body):
    status, kind, _ = server.error(operation, body)
    assert (status, kind) == (400, "SerializationException")


@pytest.mark.parametrize(
    ("operation", "body", "words"),
    [
        ("GetItem", {}, "Value null at 'tableName' failed to satisfy constraint: Member must not be null"),
        ("GetItem", {"TableName": "a;", "Key": {}}, "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"),
        ("GetItem", {"TableName": "abc", "Key": {"a": {}}}, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
        ("GetItem", {"TableName": "abc", "Key": {"a": {"S": "x", "N": "1"}}}, "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"),
        ("Scan", {"TableName": "abc", "Limit": 0}, "Member must have value greater than or equal to 1"),
        ("Scan", {"TableName": "abc", "Segment": 1}, "The TotalSegments parameter is required but was not present in the request when Segment parameter is present"),
        ("Query", {"TableName": "abc"}, "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."),
        ("PutItem", {"TableName": "abc", "Item": {}, "ReturnValues": "SOME"}, "Member must satisfy enum value set"),
    ],
)  # fmt: skip
def test_constraints(server, operation, body, words):
    status, kind, message = server.error(operation, body)
    assert (status, kind) == (400, "ValidationException")
    assert words in message


@pytest.mark.parametrize("operation", ["NoSuchThing", "", "getitem", "A" * 1000])
def test_unknown_operations(server, operation):
    status, kind, _ = server.error(operation, {})
    assert (status, kind) == (400, "UnknownOperationException")


def test_tables_that_are_not_there(server):
    for operation, body in [
        ("GetItem", {"Key": {"a": {"S": "x"}}}),
        ("PutItem", {"Item": {"a": {"S": "x"}}}),
        ("Scan", {}),
    ]:
        status, kind, message = server.error(operation, {"TableName": "nowhere", **body})
        assert (status, kind) == (400, "ResourceNotFoundException")
        assert message == "Requested resource not found"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ({"p": {"S": "x"}}, "The provided key element does not match the schema"),
        ({"p": {"S": "x"}, "s": {"S": "1"}}, "The provided key element does not match the schema"),
        ({"p": {"S": "x"}, "s": {"N": "1"}, "t": {"N": "1"}}, "The provided key element does not match the schema"),
        ({"p": {"S": ""}, "s": {"N": "1"}}, "The AttributeValue for a key attribute cannot contain an empty string value. Key: p"),
        ({"p": {"S": "x" * 2049}, "s": {"N": "1"}}, "Size of hashkey has exceeded the maximum size limit of2048 bytes"),
    ],
)  # fmt: skip
def test_keys_that_are_none(server, table, key, words):
    status, kind, message = server.error("GetItem", {"TableName": table, "Key": key})
    assert (status, kind) == (400, "ValidationException")
    assert words in message


# ---- Expressions: the same table that the unit tests read, through the whole server


def expression_errors():
    path = ROOT / "tests" / "item" / "expression" / "testdata" / "errors.txt"
    values, names, case = {}, {}, None
    for line in path.read_text().splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "values":
            values = json.loads(rest)
        elif word == "names":
            names = json.loads(rest)
        elif word == "error":
            yield (*case, values, names, rest)
        elif word and not word.startswith("//"):
            case = word, line.strip("\n")[len(word) + 1 :]


def test_every_mistake_in_an_expression(server, table):
    key = {"p": {"S": "x"}, "s": {"N": "1"}}
    count = 0
    for word, text, values, names, message in expression_errors():
        operation, parameter, body = {
            "filter": ("Scan", "FilterExpression", {}),
            "condition": ("DeleteItem", "ConditionExpression", {"Key": key}),
            "update": ("UpdateItem", "UpdateExpression", {"Key": key}),
            "projection": ("GetItem", "ProjectionExpression", {"Key": key}),
        }[word]
        body = {"TableName": table, parameter: text, **body}
        used = {v: values[v] for v in re.findall(r":\w+", text) if v in values}
        if used and word != "projection":
            body["ExpressionAttributeValues"] = used
        used = {n: names[n] for n in re.findall(r"#\w+", text) if n in names}
        if used:
            body["ExpressionAttributeNames"] = used
        message = f"Invalid {parameter}: {message}"
        if operation in ("DeleteItem", "UpdateItem"):
            message = "1 validation error detected: " + message
        assert server.error(operation, body) == (400, "ValidationException", message)
        count += 1
    assert count > 150


@pytest.mark.parametrize("piece", ["(", "NOT (", "NOT ", "size(", "a = (", "a = b AND (", "a."])
def test_expressions_that_nest_without_end(server, table, piece):
    text = piece * (4096 // len(piece))
    for operation, body in [
        ("Scan", {"FilterExpression": text}),
        ("Query", {"KeyConditionExpression": text}),
        ("UpdateItem", {"Key": {}, "UpdateExpression": "SET a = " + text[: 4096 - 8]}),
        ("GetItem", {"Key": {}, "ProjectionExpression": text}),
    ]:
        status, kind, message = server.error(operation, {"TableName": table, **body})
        assert (status, kind) == (400, "ValidationException")
        assert message.removeprefix("1 validation error detected: ").startswith("Invalid ")


# ---- Sizes


def test_items_over_400_kilobytes(server, table):
    key = {"p": {"S": "x"}, "s": {"N": "1"}}
    at_most = 400 * 1024 - len("pxs") - 2 - len("v")
    item = {**key, "v": {"S": "x" * at_most}}
    assert server.post("PutItem", {"TableName": table, "Item": item})[0] == 200
    item["v"]["S"] += "x"
    answer = server.error("PutItem", {"TableName": table, "Item": item})
    assert answer == (400, "ValidationException", "Item size has exceeded the maximum allowed size")
    answer = server.error(
        "UpdateItem",
        {
            "TableName": table,
            "Key": key,
            "UpdateExpression": "SET w = :w",
            "ExpressionAttributeValues": {":w": {"S": "more"}},
        },
    )
    assert answer == (
        400,
        "ValidationException",
        "Item size to update has exceeded the maximum allowed size",
    )


def test_nesting_over_32_levels(server, table):
    value = {"S": "x"}
    for _ in range(60):
        value = {"L": [value]}
    item = {"p": {"S": "x"}, "s": {"N": "1"}, "v": value}
    status, kind, message = server.error("PutItem", {"TableName": table, "Item": item})
    assert (status, kind) == (400, "ValidationException")
    assert "Nesting Levels have exceeded supported limits" in message


@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_over_16_megabytes(server, chunked):
    with connect(server, timeout=30) as connection:
        head = f"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: {TARGET}PutItem\r\n"
        try:
            if chunked:
                connection.sendall((head + "Transfer-Encoding: chunked\r\n\r\n").encode())
                for _ in range(20):
                    connection.sendall(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")
                connection.sendall(b"0\r\n\r\n")
            else:
                connection.sendall((head + f"Content-Length: {20 << 20}\r\n\r\n").encode())
                connection.sendall(b"x" * (20 << 20))
        except ConnectionError:
            pass
        answer = read_to_end(connection)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400"))


# ---- HTTP


def test_pipelined_requests_are_answered_in_order(server, table):
    key = {"p": {"S": "pipe"}, "s": {"N": "1"}}
    update = {
        "TableName": table,
        "Key": key,
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
        "ReturnValues": "UPDATED_NEW",
    }
    with connect(server) as connection:
        sent = b"".join(request_bytes("UpdateItem", update) for _ in range(49))
        connection.sendall(sent + request_bytes("UpdateItem", update, close=True))
        answers = read_to_end(connection)
    counts = re.findall(rb'\{"Attributes":\{"n":\{"N":"(\d+)"\}\}\}', answers)
    assert [int(n) for n in counts] == list(range(1, 51))


def test_a_request_in_single_bytes(server):
    with connect(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request_bytes("ListTables", {}, close=True):
            connection.send(bytes([byte]))
        assert read_to_end(connection).startswith(b"HTTP/1.1 200")


def test_garbage_instead_of_http(server):
    numbers = random.Random(7)
    openings = [
        b"", b"\r\n\r\n", b"GET", b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n", b"GET /" + b"a" * 100_000,
        b"GET / HTTP/1.1\r\n" + b"".join(b"h%d: x\r\n" % i for i in range(10_000)) + b"\r\n",
        b"GET / HTTP/1.1\r\nh: " + b"x" * 1_000_000 + b"\r\n\r\n",
    ]  # fmt: skip
    for i in range(300):
        garbage = openings[i] if i < len(openings) else numbers.randbytes(numbers.randint(1, 3000))
        with connect(server) as connection:
            try:
                connection.sendall(garbage)
                connection.shutdown(socket.SHUT_WR)
            except ConnectionError:
                pass
            answer = read_to_end(connection)
        assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")), garbage[:80]


def test_mutated_requests(server, table):
    numbers = random.Random(8)
    good = request_bytes(
        "PutItem", {"TableName": table, "Item": {"p": {"S": "x"}, "s": {"N": "1"}}}, close=True
    )
    for _ in range(500):
        bad = bytearray(good)
        for _ in range(numbers.randint(1, 8)):
            at = numbers.randrange(len(bad))
            kind = numbers.randrange(3)
            if kind == 0:
                bad[at] = numbers.randrange(256)
            elif kind == 1:
                del bad[at : at + numbers.randint(1, 20)]
            else:
                bad[at:at] = numbers.randbytes(numbers.randint(1, 20))
        with connect(server) as connection:
            try:
                connection.sendall(bad)
                connection.shutdown(socket.SHUT_WR)
            except ConnectionError:
                pass
            answer = read_to_end(connection)
        assert answer == b"" or answer.startswith(b"HTTP/1."), bad


def test_half_a_request_and_silence_holds_up_nobody(server):
    whole = request_bytes("ListTables", {})
    silent = [connect(server) for _ in range(200)]
    for i, connection in enumerate(silent):
        connection.sendall(whole[: 1 + i % (len(whole) - 1)])
    begin = time.monotonic()
    for _ in range(50):
        assert server.post("ListTables", {})[0] == 200
    assert time.monotonic() - begin < 10
    for connection in silent:
        connection.close()


def test_clients_that_leave_in_the_middle(server, table):
    whole = request_bytes("Scan", {"TableName": table})
    for i in range(300):
        connection = connect(server)
        connection.sendall(whole if i % 2 else whole[: i % len(whole)])
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset
        connection.close()


def test_answers_that_nobody_takes(server, table):
    for i in range(4):
        item = {"p": {"S": "x"}, "s": {"N": str(i)}, "v": {"S": "x" * 200_000}}
        assert server.post("PutItem", {"TableName": table, "Item": item})[0] == 200
    whole = request_bytes("Scan", {"TableName": table})
    greedy = [connect(server) for _ in range(20)]
    for connection in greedy:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(1)
        try:
            connection.sendall(whole * 20)
        except TimeoutError:
            pass
    for _ in range(20):
        assert server.post("ListTables", {})[0] == 200
    for connection in greedy:
        connection.close()


def test_idle_connections_cost_little(server):
    count = 4000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count + 500)), hard))
    before = anonymous_kib(server)
    idle = []
    for _ in range(count):
        connection = connect(server)
        connection.sendall(request_bytes("ListTables", {}))
        idle.append(connection)
    for connection in idle:
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    grown = anonymous_kib(server) - before
    for connection in idle:
        connection.close()
    assert grown < count * 8, f"{grown / count:.1f} KiB a connection"


# ---- The command line


def test_only_loopback_without_authentication(tmp_path):
    done = subprocess.run(
        [BUILD / "varved", "--host", "0.0.0.0", "--port", str(free_port()),
         "--data-dir", tmp_path / "data"],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode != 0
    assert "--allow-any" in done.stdout + done.stderr


def test_two_servers_on_one_directory(server, tmp_path):
    done = subprocess.run(
        [BUILD / "varved", "--port", str(free_port()), "--data-dir", server.data_dir],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode != 0
    assert str(server.data_dir) in done.stdout + done.stderr
