"""HTTP as SDKs and browsers use it, by raw sockets: what is sent is exactly what a test says."""

import gzip
import json
import re
import socket
import zlib

import pytest

TARGET = "DynamoDB_20120810."
LIMIT = 16 << 20


class Connection:
    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, *parts):
        for part in parts:
            self.socket.sendall(part if isinstance(part, bytes) else part.encode())

    def answer(self, body=True):
        """The next answer: status, headers by lower-case name, body as sent."""
        status = int(self.file.readline().split()[1])
        headers = {}
        while line := self.file.readline().strip().decode():
            name, value = line.split(": ", 1)
            headers[name.lower()] = value
        content = self.file.read(int(headers.get("content-length", 0))) if body else b""
        return status, headers, content

    def closed(self):
        return self.file.read(1) == b""


@pytest.fixture
def wire(server):
    with Connection(server) as connection:
        yield connection


def head(operation="ListTables", length=None, **headers):
    """A POST's head. Names of headers: `_` stands for `-`."""
    fields = {
        "Host": "x",
        "X-Amz-Target": TARGET + operation,
        "Content-Type": "application/x-amz-json-1.0",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    if length is not None:
        fields["Content-Length"] = length
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "POST / HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n"


def call(wire, operation, body, **headers):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    wire.send(head(operation, len(body), **headers), body)
    return wire.answer()


def kind(content):
    return json.loads(content)["__type"]


@pytest.fixture
def big_item(dynamodb, table):
    dynamodb.put_item(
        TableName=table, Item={"p": {"S": "big"}, "s": {"N": "1"}, "text": {"S": "x" * 300_000}}
    )
    return {"TableName": table, "Key": {"p": {"S": "big"}, "s": {"N": "1"}}}


# ---- Compressed bodies


def test_a_packed_request(wire, big_item):
    plain = json.dumps(big_item).encode()
    for body in [gzip.compress(plain), gzip.compress(plain[:7]) + gzip.compress(plain[7:])]:
        status, _, content = call(wire, "GetItem", body, Content_Encoding="gzip")
        assert status == 200
        assert len(json.loads(content)["Item"]["text"]["S"]) == 300_000


def test_a_packed_request_in_chunks(wire, big_item):
    body = gzip.compress(json.dumps(big_item).encode())
    wire.send(head("GetItem", Content_Encoding="gzip", Transfer_Encoding="chunked"))
    for byte in body:
        wire.send(b"1;comment=x\r\n" + bytes([byte]) + b"\r\n")
    wire.send("0\r\nTrailer: ignored\r\n\r\n")
    status, _, content = wire.answer()
    assert (status, "Item" in json.loads(content)) == (200, True)


@pytest.mark.parametrize(
    ("encoding", "body", "status", "error"),
    [
        ("gzip", b"{}", 400, "SerializationException"),
        ("gzip", gzip.compress(b"{}")[:-1], 400, "SerializationException"),
        ("gzip", gzip.compress(b"{}") + b"{}", 400, "SerializationException"),
        ("gzip", gzip.compress(b"{}" + b" " * LIMIT), 413, "RequestEntityTooLargeException"),
        ("deflate", zlib.compress(b"{}"), 415, "UnsupportedMediaTypeException"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"{}")), 415, "UnsupportedMediaTypeException"),
    ],
)
def test_a_body_that_is_not_what_its_encoding_says(wire, encoding, body, status, error):
    answered, _, content = call(wire, "ListTables", body, Content_Encoding=encoding)
    assert (answered, kind(content)) == (status, f"com.amazon.coral.service#{error}")
    assert wire.closed()


def test_a_bomb_of_exactly_the_limit_is_a_request(wire):
    body = gzip.compress(b"{}" + b" " * (LIMIT - 2))
    assert len(body) < 20_000
    status, _, _ = call(wire, "ListTables", body, Content_Encoding="gzip")
    assert status == 200


@pytest.mark.parametrize(
    ("accept", "packed"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("identity", False),
        ("gzip;q=0", False),
        (None, False),
    ],
)
def test_answers_are_packed_for_those_who_ask(wire, big_item, accept, packed):
    status, headers, content = call(wire, "GetItem", big_item, Accept_Encoding=accept)
    assert status == 200
    assert (headers.get("content-encoding") == "gzip") == packed
    assert int(headers["x-amz-crc32"]) == zlib.crc32(content)  # of what was sent
    assert (len(content) < 10_000) == packed
    plain = gzip.decompress(content) if packed else content
    assert len(json.loads(plain)["Item"]["text"]["S"]) == 300_000


def test_a_short_answer_is_not_worth_packing(wire):
    _, headers, content = call(wire, "GetItem", {}, Accept_Encoding="gzip")
    assert "content-encoding" not in headers
    json.loads(content)


# ---- Bodies


def test_a_chunked_body(wire):
    wire.send(head("ListTables", Transfer_Encoding="chunked"), "2\r\n{}\r\n0\r\n\r\n")
    assert wire.answer()[0] == 200


def test_expect_100_continue(wire):
    wire.send(head("ListTables", 2, Expect="100-continue"))
    assert wire.answer()[0] == 100
    wire.send("{}")
    assert wire.answer()[0] == 200


@pytest.mark.parametrize("expect", [None, "100-continue"])
def test_a_body_over_the_limit_is_refused_unread(wire, expect):
    wire.send(head("PutItem", LIMIT + 1, Expect=expect))
    status, headers, content = wire.answer()
    assert status == 413
    assert kind(content) == "com.amazon.coral.service#RequestEntityTooLargeException"
    assert headers["connection"] == "close"
    assert wire.closed()


def test_chunks_over_the_limit_are_refused_where_they_pass_it(wire):
    wire.send(head("PutItem", Transfer_Encoding="chunked"))
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    for _ in range(17):
        wire.send(chunk)
    assert wire.answer()[0] == 413


def test_a_body_of_exactly_the_limit(wire):
    status, _, _ = call(wire, "ListTables", b"{}" + b" " * (LIMIT - 2))
    assert status == 200


# ---- Names and targets


def test_header_names_have_no_case_and_targets_have(wire):
    body = b"{}"
    for name in ["x-amz-target", "X-AMZ-TARGET", "X-Amz-Target"]:
        wire.send(
            f"POST / HTTP/1.1\r\nHOST: x\r\n{name}: {TARGET}ListTables\r\n"
            f"content-TYPE: application/x-amz-json-1.0\r\ncontent-length: {len(body)}\r\n\r\n",
            body,
        )
        assert wire.answer()[0] == 200
    unknown = b'{"__type":"com.amazon.coral.service#UnknownOperationException"}'
    for target in [
        "dynamodb_20120810.ListTables",
        TARGET + "listTables",
        TARGET + "ListTables ListTables",
        TARGET + "ListTables.ListTables",
        TARGET,
        "ListTables",
        "DynamoDB_20111205.ListTables",
        "DynamoDBStreams_20120810.ListTables",
    ]:
        status, _, content = call(wire, "", b"{}", **{"X-Amz-Target": target})
        assert (status, content) == (400, unknown), target


def test_the_content_type_of_the_answer_is_that_of_the_request(wire):
    for sent, expected in [
        ("application/x-amz-json-1.0", "application/x-amz-json-1.0"),
        ("application/json", "application/json"),
        ("application/json;charset=utf-8", "application/json"),
    ]:
        status, headers, _ = call(wire, "ListTables", {}, Content_Type=sent)
        assert (status, headers["content-type"]) == (200, expected)
    for sent in ["application/x-amz-json-1.1", "text/plain", "application/jsonx", None]:
        status, _, content = call(wire, "ListTables", {}, Content_Type=sent)
        assert (status, content) == (404, b"<UnknownOperationException/>\n")


# ---- Browsers

PREFLIGHT = (
    "OPTIONS / HTTP/1.1\r\nHost: x\r\nOrigin: {}\r\nAccess-Control-Request-Method: POST\r\n"
    "Access-Control-Request-Headers: authorization,content-type,x-amz-target\r\n\r\n"
)


def test_a_page_of_this_machine_may_call(wire):
    origin = "http://localhost:5173"
    wire.send(PREFLIGHT.format(origin))
    status, headers, content = wire.answer()
    assert (status, content) == (200, b"")
    assert headers["access-control-allow-origin"] == origin
    assert headers["access-control-allow-methods"] == "POST"
    assert headers["access-control-allow-headers"] == "authorization,content-type,x-amz-target"
    assert headers["access-control-max-age"] == "172800"
    assert re.fullmatch(r"[0-9A-Z]{52}", headers["x-amzn-requestid"])
    for body, expected in [(b"{}", 200), (b"{", 400)]:
        status, headers, _ = call(wire, "ListTables", body, Origin=origin)
        assert status == expected
        assert headers["access-control-allow-origin"] == origin
        assert "x-amz-crc32" in headers["access-control-expose-headers"]


def test_a_page_from_elsewhere_may_not(wire):
    wire.send(PREFLIGHT.format("https://example.com"))
    _, headers, _ = wire.answer()
    assert not [name for name in headers if name.startswith("access-control")]
    _, headers, _ = call(wire, "ListTables", {}, Origin="https://example.com")
    assert "access-control-allow-origin" not in headers


def test_any_page_may_where_the_server_says_so(own_server):
    own_server.flags = ("--cors-origin", "*")
    own_server.start()
    with Connection(own_server) as wire:
        wire.send(PREFLIGHT.format("https://example.com"))
        status, headers, _ = wire.answer()
        assert (status, headers["access-control-allow-origin"]) == (200, "*")
        # Also where the request is refused before it is looked at.
        wire.send(head("PutItem", LIMIT + 1, Origin="https://example.com"))
        status, headers, _ = wire.answer()
        assert (status, headers["access-control-allow-origin"]) == (413, "*")


def test_options_without_an_origin_is_nothing(wire):
    wire.send("OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n")
    status, _, content = wire.answer()
    assert (status, content) == (404, b"<UnknownOperationException/>\n")


# ---- Errors


@pytest.mark.parametrize(
    ("operation", "body", "type_", "member"),
    [
        ("GetItem", b"{", "com.amazon.coral.service#SerializationException", None),
        ("GetItem", {"TableName": []}, "com.amazon.coral.service#SerializationException", "Message"),
        ("GetItem", {}, "com.amazon.coral.validate#ValidationException", "message"),
        (
            "GetItem",
            {"TableName": "no-such-table", "Key": {"a": {"S": "a"}}},
            "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
            "message",
        ),
    ],
)
def test_each_error_has_its_namespace_and_its_spelling(wire, operation, body, type_, member):
    status, _, content = call(wire, operation, body)
    assert status == 400
    answer = json.loads(content)
    assert answer.pop("__type") == type_
    assert list(answer) == ([member] if member else [])


def nested(depth):
    value = '{"S":"x"}'
    for _ in range(depth):
        value = '{"L":[' + value + "]}"
    return value


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ('{"TableName":"abc","Key":{"a":' + nested(40) + "}}", "validate#ValidationException"),
        ('{"TableName":"abc","Key":{"a":' + nested(5000) + "}}", "service#SerializationException"),
        ("[" * 1_000_000, "service#SerializationException"),
        (
            json.dumps(
                {
                    "TableName": "abc",
                    "Key": {"a": {"S": "a"}},
                    "ConditionExpression": "(" * 2000 + "a = b" + ")" * 2000,
                }
            ),
            "validate#ValidationException",
        ),
        (
            json.dumps(
                {
                    "TableName": "abc",
                    "Key": {"a": {"S": "a"}},
                    "ConditionExpression": "NOT " * 1000 + "a = b",
                }
            ),
            "validate#ValidationException",
        ),
    ],
)
def test_what_is_nested_thousands_deep_is_refused(wire, body, error):
    status, _, content = call(wire, "DeleteItem", body.encode())
    assert (status, kind(content)) == (400, "com.amazon.coral." + error)
