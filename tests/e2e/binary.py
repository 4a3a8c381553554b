"""The binary protocol, written from docs/protocol.md and docs/item.md alone, for boto3.

    client = boto3.client("dynamodb", ...)
    speak_binary(client, ("127.0.0.1", 7411))

From then on the client's requests, which botocore has made into the JSON of the HTTP API, travel as typed
messages of the binary protocol, and the typed answers become that JSON again. What has no typed form (legacy
parameters, say) goes as a frame of type Json. Numbers of types and fields are read from the tables of
docs/protocol.md, so these cannot say something else than the server does.
"""

import base64
import decimal
import itertools
import json
import re
import socket
import struct
import threading
from pathlib import Path

import botocore.awsrequest
import urllib3

ROOT = Path(__file__).resolve().parents[2]
SPECIFICATION = (ROOT / "docs" / "protocol.md").read_text()

MORE, ERROR = 1, 2


def numbers_of_types():
    rows = re.findall(r"^\| (\d+) \| (\w+) \|", SPECIFICATION, re.MULTILINE)
    return {name: int(number) for number, name in rows}


def numbers_of_fields():
    """message -> [(number, name)], ascending."""
    section = SPECIFICATION
    messages = {}
    for name, fields in re.findall(r"^\| ([\w.]+) \| (\d+ \w+(?:, \d+ \w+)*) \|$", section, re.MULTILINE):
        messages[name] = [(int(n), field) for n, field in re.findall(r"(\d+) (\w+)", fields)]
    return messages


TYPES = {**numbers_of_types(), "Ping": 4, "Pong": 5}
FIELDS = numbers_of_fields()
EXTRAS = FIELDS["RequestExtras"]

# ---- What fields are. What is not here is text.

SIGNED = {
    "Limit", "Segment", "TotalSegments", "ReadCapacityUnits", "WriteCapacityUnits", "MaxReadRequestUnits",
    "MaxWriteRequestUnits", "ReadUnitsPerSecond", "WriteUnitsPerSecond", "NumberOfDecreasesToday",
}  # fmt: skip
UNSIGNED = {
    "VersionMin", "VersionMax", "Version", "Features", "ItemEncodingMin", "ItemEncodingMax", "ItemEncoding",
    "CreditBytes", "RequestBytesMax", "RequestsMax", "PreparedMax", "CreditBytesMax", "IdleTimeoutMs", "Bytes",
    "HttpStatus", "Count", "ScannedCount", "CreationTimeMs", "LastUpdateToPayPerRequestMs", "LastIncreaseMs",
    "LastDecreaseMs", "TableSizeBytes", "IndexSizeBytes", "ItemCount", "Prepared", "Operation",
}  # fmt: skip
BOOLEANS = {
    "ConsistentRead", "ScanIndexForward", "HasItems", "ReturnItemCollectionMetrics", "Retryable", "Repeated",
    "ReturnValuesOnConditionCheckFailure", "DeletionProtectionEnabled", "StreamEnabled", "Enabled", "Global",
    "Backfilling", "SSEEnabled", "HasBillingModeSummary",
}  # fmt: skip
DOUBLES = {"CapacityUnits", "TableCapacityUnits", "SizeEstimateRangeGBMin", "SizeEstimateRangeGBMax"}
ENUMERATIONS = {
    "AttributeType": {2: "N", 3: "S", 4: "B"},
    "KeyType": ["HASH", "RANGE"],
    "BillingMode": ["PROVISIONED", "PAY_PER_REQUEST"],
    "TableStatus": ["CREATING", "UPDATING", "DELETING", "ACTIVE"],
    "IndexStatus": ["CREATING", "UPDATING", "DELETING", "ACTIVE"],
    "TimeToLiveStatus": ["DISABLED", "ENABLING", "ENABLED", "DISABLING"],
    "TableClass": ["STANDARD", "STANDARD_INFREQUENT_ACCESS"],
    "ProjectionType": ["KEYS_ONLY", "INCLUDE", "ALL"],
    "StreamViewType": ["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"],
    "ReturnValues": ["NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"],
    "ReturnConsumedCapacity": ["NONE", "TOTAL", "INDEXES"],
    "Select": ["ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "COUNT"],
    "Purpose": ["", "Read", "Write"],
}
# Where they are absent; everything else is 0, false or the first.
ABSENT = {"AttributeType": "S", "TableStatus": "ACTIVE", "IndexStatus": "ACTIVE", "ScanIndexForward": True,
          "HasItems": True}  # fmt: skip
ITEMS = {"Key", "Item", "ExclusiveStartKey", "LastEvaluatedKey", "Attributes", "ItemCollectionKey",
         "WriteRequest.PutRequest", "WriteRequest.DeleteRequest"}  # fmt: skip
# [X]: repeated. (X,): an optional list. {X}: a map, pairs of a name and X. (None, X): a list of optional X.
SHAPES = {
    "ExpressionAttributeNames": ({"text"},),
    "ExpressionAttributeValues": ({"value"},),
    "Items": ["item"],
    "Keys": ["item"],
    "Parameters": ["value"],
    "BatchGetItemRequest.RequestItems": {"KeysAndAttributes"},
    "BatchGetItemResponse.Responses": {("item",)},
    "UnprocessedKeys": {"KeysAndAttributes"},
    "BatchWriteItemRequest.RequestItems": {("WriteRequest",)},
    "UnprocessedItems": {("WriteRequest",)},
    "BatchWriteItemResponse.ItemCollectionMetrics": {("ItemCollectionMetrics",)},
    "TransactWriteItemsResponse.ItemCollectionMetrics": {("ItemCollectionMetrics",)},
    "ItemCollectionMetrics": "ItemCollectionMetrics",
    "TransactGetItemsRequest.TransactItems": ["TransactGetItem"],
    "TransactWriteItemsRequest.TransactItems": ["TransactWriteItem"],
    "TransactGetItemsResponse.Responses": (None, "item"),
    "ExecuteTransactionResponse.Responses": (None, "item"),
    "BatchExecuteStatementResponse.Responses": ["BatchStatementResponse"],
    "BatchStatementResponse.Error": "BatchStatementError",
    "ExecuteStatementRequest.Statement": "ParameterizedStatement",
    "Statements": ["ParameterizedStatement"],
    "TransactStatements": ["ParameterizedStatement"],
    "TransactWriteItem.ConditionCheck": "TransactWriteAction",
    "TransactWriteItem.Put": "TransactWriteAction",
    "TransactWriteItem.Update": "TransactWriteAction",
    "TransactWriteItem.Delete": "TransactWriteAction",
    "CancellationReasons": ["CancellationReason"],
    "ConsumedCapacity": "ConsumedCapacity",
    "BatchGetItemResponse.ConsumedCapacity": ["ConsumedCapacity"],
    "BatchWriteItemResponse.ConsumedCapacity": ["ConsumedCapacity"],
    "TransactGetItemsResponse.ConsumedCapacity": ["ConsumedCapacity"],
    "TransactWriteItemsResponse.ConsumedCapacity": ["ConsumedCapacity"],
    "BatchExecuteStatementResponse.ConsumedCapacity": ["ConsumedCapacity"],
    "ExecuteTransactionResponse.ConsumedCapacity": ["ConsumedCapacity"],
    "ConsumedCapacity.LocalSecondaryIndexes": {"double"},
    "ConsumedCapacity.GlobalSecondaryIndexes": {"double"},
    "AttributeDefinitions": ["AttributeDefinition"],
    "KeySchema": ["KeySchemaElement"],
    "ProvisionedThroughput": "ProvisionedThroughput",
    "OnDemandThroughput": "OnDemandThroughput",
    "WarmThroughput": "WarmThroughput",
    "CreateTableRequest.LocalSecondaryIndexes": (["SecondaryIndex"],),
    "CreateTableRequest.GlobalSecondaryIndexes": (["SecondaryIndex"],),
    "CreateTableRequest.Tags": (["Tag"],),
    "Tags": ["Tag"],
    "TagKeys": ["text"],
    "TableNames": ["text"],
    "NonKeyAttributes": ["text"],
    "StreamSpecification": "StreamSpecification",
    "SSESpecification": "SseSpecification",
    "Projection": "Projection",
    "GlobalSecondaryIndexUpdates": (["GlobalSecondaryIndexUpdate"],),
    "GlobalSecondaryIndexUpdate.Create": "SecondaryIndex",
    "GlobalSecondaryIndexUpdate.Update": "GlobalSecondaryIndexUpdate.Update",
    "TableDescription": "TableDescription",
    "Table": "TableDescription",
    "Indexes": ["IndexDescription"],
    "TimeToLiveSpecification": "TimeToLiveSpecification",
}


def shape_of(message, field):
    for name in (f"{message}.{field}", field):
        if name in SHAPES:
            return SHAPES[name]
        if name in ITEMS:
            return "item"
    for shape, names in (("signed", SIGNED), ("unsigned", UNSIGNED), ("boolean", BOOLEANS), ("double", DOUBLES)):
        if field in names and not (field == "Operation" and message == "JsonRequest"):
            return shape
    return field if field in ENUMERATIONS else "bytes" if field == "Data" else "text"


# ---- Items (docs/item.md)

SCALARS = {"NULL": 0, "BOOL": 1, "N": 2, "S": 3, "B": 4}
CONTAINERS = {"SS": 5, "NS": 6, "BS": 7, "L": 8, "M": 9}
NAMES = {number: name for name, number in {**SCALARS, **CONTAINERS}.items()}


def encode_number(text):
    number = decimal.Decimal(text)
    sign, digits, exponent = number.as_tuple()
    digits = "".join(map(str, digits)).lstrip("0")
    if not digits:
        return b"\x80\x00"
    first = exponent + len(digits) - 1  # of the first significant digit
    digits = digits.rstrip("0")
    if first % 2 == 0:
        digits = "0" + digits
    digits += "0" * (len(digits) % 2)
    pairs = [2 * int(digits[i : i + 2]) + 1 for i in range(0, len(digits), 2)]
    pairs[-1] -= 1
    encoded = bytes([0x80 + 65 + first // 2, *pairs])
    return bytes(255 - byte for byte in encoded) if sign else encoded


def decode_number(encoded):
    """The number's text, as the service writes it, and how many bytes it took."""
    negative = encoded[0] < 0x80
    plain = bytes(255 - byte for byte in encoded) if negative else encoded
    if plain[0] == 0x80 and plain[1] == 0:
        return "0", 2
    end = 1
    while plain[end] & 1:
        end += 1
    digits = "".join(f"{byte >> 1:02}" for byte in plain[1 : end + 1])
    exponent = 2 * (plain[0] - 0x80 - 65) + 1 - (len(digits) - 1)
    number = decimal.Decimal((negative, tuple(map(int, digits)), exponent))
    with decimal.localcontext() as context:
        context.prec = 60
        text = f"{number.normalize():f}"
    return text, end + 1


def container(kind, elements):
    total = sum(map(len, elements))
    flag, code = next((i, code) for i, (limit, code) in enumerate([(1 << 8, "B"), (1 << 16, "H"), (1 << 32, "I")])
                      if total < limit)  # fmt: skip
    ends = itertools.accumulate(map(len, elements))
    count = struct.pack(f"<{code}", len(elements))
    return bytes([kind | flag << 4]) + count + b"".join(struct.pack(f"<{code}", end) for end in ends) + b"".join(elements)


class NoTypedForm(Exception):
    """The request says something that only JSON can say."""


def encode_value(value):
    if not isinstance(value, dict) or len(value) != 1:
        raise NoTypedForm
    ((kind, content),) = value.items()
    if kind == "NULL":
        if content is not True:
            raise NoTypedForm
        return b"\0"
    if kind == "BOOL":
        return bytes([1 | bool(content) << 4])
    if kind == "N":
        return b"\x02" + checked_number(content)
    if kind == "S":
        return b"\x03" + content.encode()
    if kind == "B":
        return b"\x04" + base64.b64decode(content)
    if kind == "L":
        return container(8, [encode_value(element) for element in content])
    if kind == "M":
        return encode_item(content)
    elements = [checked_number(e) if kind == "NS" else e.encode() if kind == "SS" else base64.b64decode(e)
                for e in content]  # fmt: skip
    if not elements or len(set(elements)) < len(elements):
        raise NoTypedForm  # the service's words for it are those of JSON
    return container(CONTAINERS[kind], sorted(elements))


def checked_number(text):
    try:
        number = decimal.Decimal(text)
    except decimal.InvalidOperation:
        raise NoTypedForm from None
    digits = "".join(map(str, number.as_tuple().digits)).strip("0") if number.is_finite() else "x" * 99
    if len(digits) > 38 or (number and not -130 <= number.adjusted() <= 125):
        raise NoTypedForm
    return encode_number(text)


def encode_item(attributes):
    encoded = {name.encode(): encode_value(value) for name, value in attributes.items()}
    return container(9, [varint(len(name)) + name + encoded[name] for name in sorted(encoded)])


def slices(encoded):
    width = {0: 1, 1: 2, 2: 4}[encoded[0] >> 4]
    code = {1: "B", 2: "H", 4: "I"}[width]
    (count,) = struct.unpack_from(f"<{code}", encoded, 1)
    ends = struct.unpack_from(f"<{count}{code}", encoded, 1 + width)
    body = 1 + width * (count + 1)
    return [encoded[body + begin : body + end] for begin, end in zip((0, *ends), ends)]


def decode_value(encoded):
    kind = NAMES[encoded[0] & 15]
    rest = encoded[1:]
    if kind == "NULL":
        return {"NULL": True}
    if kind == "BOOL":
        return {"BOOL": encoded[0] >> 4 == 1}
    if kind == "N":
        return {"N": decode_number(rest)[0]}
    if kind == "S":
        return {"S": rest.decode()}
    if kind == "B":
        return {"B": base64.b64encode(rest).decode()}
    if kind == "L":
        return {"L": [decode_value(element) for element in slices(encoded)]}
    if kind == "M":
        return {"M": decode_item(encoded)}
    elements = slices(encoded)
    if kind == "NS":
        return {"NS": [decode_number(element)[0] for element in elements]}
    if kind == "SS":
        return {"SS": [element.decode() for element in elements]}
    return {"BS": [base64.b64encode(element).decode() for element in elements]}


def decode_item(encoded):
    attributes = {}
    for element in slices(encoded):
        length, at = read_varint(element, 0)
        attributes[element[at : at + length].decode()] = decode_value(element[at + length :])
    return attributes


# ---- Messages


def varint(number):
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(encoded) + bytes([number])


def read_varint(encoded, at):
    number = shift = 0
    while True:
        byte = encoded[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, at


def field(number, wire_type, content):
    key = varint(number << 3 | wire_type)
    return key + (varint(len(content)) if wire_type == 2 else b"") + content


def encode_field(number, shape, value):
    if isinstance(shape, list):
        return b"".join(encode_field(number, shape[0], element) for element in value)
    if isinstance(shape, set):
        (inner,) = shape
        inner = [inner[0]] if isinstance(inner, tuple) else inner
        pairs = (encode_field(1, "text", name) + encode_field(2, inner, each) for name, each in value.items())
        return b"".join(field(number, 2, pair) for pair in pairs)
    if isinstance(shape, tuple):
        return field(number, 2, encode_field(1, shape[0], value))
    if shape == "text":
        return field(number, 2, value.encode())
    if shape == "bytes":
        return field(number, 2, value)
    if shape == "item":
        if not value:
            raise NoTypedForm  # an empty item is an absent one
        return field(number, 2, encode_item(value))
    if shape == "value":
        return field(number, 2, encode_value(value))
    if shape == "boolean":
        return field(number, 0, varint(int(value)))
    if shape == "unsigned":
        return field(number, 0, varint(value))
    if shape == "signed":
        return field(number, 0, varint((value << 1 ^ value >> 63) & (1 << 64) - 1))
    if shape in ENUMERATIONS:
        members = ENUMERATIONS[shape]
        pairs = members.items() if isinstance(members, dict) else enumerate(members)
        numbers = {name: n for n, name in pairs}
        if value not in numbers:
            raise NoTypedForm
        return field(number, 0, varint(numbers[value]))
    return field(number, 2, encode(shape, value))


def encode(message, values):
    unknown = values.keys() - {name for _, name in FIELDS[message]}
    if unknown:
        raise NoTypedForm(unknown)
    return b"".join(
        encode_field(number, shape_of(message, name), values[name])
        for number, name in FIELDS[message]
        if name in values
    )


def read_fields(encoded):
    """(number, wire type, content), in their order."""
    at = last = 0
    while at < len(encoded):
        key, at = read_varint(encoded, at)
        number, wire_type = key >> 3, key & 7
        assert number >= last, "fields do not ascend"
        last = number
        if wire_type == 0:
            content, at = read_varint(encoded, at)
        elif wire_type == 1:
            content, at = encoded[at : at + 8], at + 8
        else:
            assert wire_type == 2
            length, at = read_varint(encoded, at)
            content, at = encoded[at : at + length], at + length
            assert len(content) == length
        yield number, wire_type, content


def decode_one(shape, content):
    if shape == "text":
        return content.decode()
    if shape == "bytes":
        return content
    if shape == "item":
        return decode_item(content)
    if shape == "value":
        return decode_value(content)
    if shape == "boolean":
        return bool(content)
    if shape == "unsigned":
        return content
    if shape == "signed":
        return content >> 1 ^ -(content & 1)
    if shape == "double":
        return struct.unpack("<d", content)[0]
    if shape in ENUMERATIONS:
        return ENUMERATIONS[shape][content]
    return decode(shape, content)


def decode_repeated(shape, contents):
    if isinstance(shape, list):
        return [decode_one(shape[0], content) for content in contents]
    if isinstance(shape, set):
        (inner,) = shape
        pairs = {}
        for content in contents:
            parts = list(read_fields(content))
            name = next((c.decode() for n, _, c in parts if n == 1), "")
            values = [c for n, _, c in parts if n == 2]
            if isinstance(inner, tuple):
                pairs[name] = decode_repeated([inner[0]], values)
            else:
                pairs[name] = decode_one(inner, values[0]) if values else {"double": 0.0, "text": ""}[inner]
        return pairs
    if isinstance(shape, tuple) and shape[0] is None:
        return [next((decode_one(shape[1], c) for _, _, c in read_fields(content)), None) for content in contents]
    if isinstance(shape, tuple):
        (content,) = contents
        return decode_repeated(shape[0], [c for _, _, c in read_fields(content)])
    (content,) = contents
    return decode_one(shape, content)


def decode(message, encoded):
    contents = {}
    for number, _, content in read_fields(encoded):
        contents.setdefault(number, []).append(content)
    return {
        name: decode_repeated(shape_of(message, name), contents[number])
        for number, name in FIELDS.get(message, [])
        if number in contents
    }


# ---- The JSON of the HTTP API, and back


def action(parameters):
    action = dict(parameters)
    if "Key" in action:
        action["Item"] = action.pop("Key")
    return action


def request_of(operation, body):
    """The message's values for an operation's parameters."""
    values = dict(body)
    for name, yes, no in (("ReturnValuesOnConditionCheckFailure", "ALL_OLD", "NONE"),
                          ("ReturnItemCollectionMetrics", "SIZE", "NONE")):  # fmt: skip
        values = replace(values, name, {yes: True, no: False})
    if operation == "TransactWriteItems":
        values["TransactItems"] = [{kind: action(each) for kind, each in item.items()} for item in values["TransactItems"]]
    elif operation == "TransactGetItems":
        values["TransactItems"] = [item["Get"] for item in values["TransactItems"]]
    elif operation == "BatchWriteItem":
        values["RequestItems"] = {
            table: [
                {kind: write["Item" if kind == "PutRequest" else "Key"] for kind, write in each.items()} for each in writes
            ]
            for table, writes in values["RequestItems"].items()
        }
    elif operation == "ExecuteStatement":
        own = {"NextToken", "Limit", "ReturnConsumedCapacity"}
        statement = {name: value for name, value in values.items() if name not in own}
        values = {name: value for name, value in values.items() if name in own}
        values["Statement"] = statement
    elif operation == "UpdateTable":
        for update in values.get("GlobalSecondaryIndexUpdates", []):
            if "Delete" in update:
                update["Delete"] = update["Delete"]["IndexName"]
    return values


def replace(value, name, by):
    if isinstance(value, dict):
        replaced = {}
        for key, each in value.items():
            if key == name and isinstance(each, str):
                if each not in by:
                    raise NoTypedForm
                replaced[key] = by[each]
            else:
                replaced[key] = replace(each, name, by)
        return replaced
    if isinstance(value, list):
        return [replace(each, name, by) for each in value]
    return value


def capacity_of(capacity):
    purpose = capacity.get("Purpose", "")

    def units(number):
        return {"CapacityUnits": number, **({f"{purpose}CapacityUnits": number} if purpose else {})}

    answer = {"TableName": capacity["TableName"], **units(capacity.get("CapacityUnits", 0.0))}
    if "TableCapacityUnits" in capacity:
        answer["Table"] = units(capacity["TableCapacityUnits"])
    for kind in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        if kind in capacity:
            answer[kind] = {name: units(number) for name, number in capacity[kind].items()}
    return answer


def metrics_of(metrics):
    size = [metrics.get(f"SizeEstimateRangeGB{end}", 0.0) for end in ("Min", "Max")]
    return {"ItemCollectionKey": metrics["ItemCollectionKey"], "SizeEstimateRangeGB": size}


def throughput_of(described, on_demand):
    units = described.get("ProvisionedThroughput", {})
    throughput = {
        "NumberOfDecreasesToday": described.get("NumberOfDecreasesToday", 0),
        "ReadCapacityUnits": units.get("ReadCapacityUnits", 0),
        "WriteCapacityUnits": units.get("WriteCapacityUnits", 0),
    }
    for way in ("Increase", "Decrease"):
        if f"Last{way}Ms" in described:
            throughput[f"Last{way}DateTime"] = described[f"Last{way}Ms"] / 1000
    answer = {"ProvisionedThroughput": throughput}
    if "OnDemandThroughput" in described:
        most = described["OnDemandThroughput"]
        answer["OnDemandThroughput"] = {
            name: most.get(name, -1) for name in ("MaxReadRequestUnits", "MaxWriteRequestUnits")
        }
    asked = described.get("WarmThroughput", {})
    initial = (12000, 4000) if on_demand else (throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"])
    answer["WarmThroughput"] = {
        "ReadUnitsPerSecond": max(asked.get("ReadUnitsPerSecond", 0), initial[0]),
        "WriteUnitsPerSecond": max(asked.get("WriteUnitsPerSecond", 0), initial[1]),
        "Status": "ACTIVE",
    }
    return answer


def defined(entries):
    return [{"AttributeType": "S", **entry} if "KeyType" not in entry else entry for entry in entries]


def keys_of(entries):
    return [{"KeyType": "HASH", **entry} for entry in entries]


def table_of(table):
    on_demand = table.get("BillingMode") == "PAY_PER_REQUEST"
    answer = {
        "AttributeDefinitions": defined(table.get("AttributeDefinitions", [])),
        "TableName": table["TableName"],
        "KeySchema": keys_of(table["KeySchema"]),
        "TableStatus": table.get("TableStatus", "ACTIVE"),
        "CreationDateTime": table["CreationTimeMs"] / 1000,
        **throughput_of(table, on_demand),
        "TableSizeBytes": table.get("TableSizeBytes", 0),
        "ItemCount": table.get("ItemCount", 0),
        "TableArn": table["TableArn"],
        "TableId": table["TableId"],
        "DeletionProtectionEnabled": table.get("DeletionProtectionEnabled", False),
    }
    if table.get("HasBillingModeSummary"):
        answer["BillingModeSummary"] = {"BillingMode": table.get("BillingMode", "PROVISIONED")}
        if "LastUpdateToPayPerRequestMs" in table:
            answer["BillingModeSummary"]["LastUpdateToPayPerRequestDateTime"] = (
                table["LastUpdateToPayPerRequestMs"] / 1000
            )
    for index in table.get("Indexes", []):
        described = {name: index[name] for name in ("IndexName", "IndexArn")}
        described["KeySchema"] = keys_of(index["KeySchema"])
        described["Projection"] = index.get("Projection", {})
        described["IndexSizeBytes"] = index.get("IndexSizeBytes", 0)
        described["ItemCount"] = index.get("ItemCount", 0)
        kind = "LocalSecondaryIndexes"
        if index.get("Global"):
            kind = "GlobalSecondaryIndexes"
            described["IndexStatus"] = index.get("IndexStatus", "ACTIVE")
            if described["IndexStatus"] == "CREATING" and answer["TableStatus"] != "CREATING":
                described["Backfilling"] = index.get("Backfilling", False)
            described.update(throughput_of(index, on_demand))
        answer.setdefault(kind, []).append(described)
    if "StreamViewType" in table:
        answer["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": table["StreamViewType"]}
    for name in ("LatestStreamLabel", "LatestStreamArn"):
        if name in table:
            answer[name] = table[name]
    if table.get("SSEEnabled"):
        arn = table["KMSMasterKeyArn"]
        answer["SSEDescription"] = {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": arn}
    if "TableClass" in table:
        answer["TableClassSummary"] = {"TableClass": table["TableClass"]}
    return answer


def answer_of(operation, values):
    """An operation's answer in JSON for what its message says."""
    answer = dict(values)
    if "ConsumedCapacity" in answer:
        capacity = answer["ConsumedCapacity"]
        answer["ConsumedCapacity"] = (
            [capacity_of(each) for each in capacity] if isinstance(capacity, list) else capacity_of(capacity)
        )
    if "ItemCollectionMetrics" in answer:
        metrics = answer["ItemCollectionMetrics"]
        answer["ItemCollectionMetrics"] = (
            metrics_of(metrics)
            if "ItemCollectionKey" in metrics
            else {table: [metrics_of(each) for each in list_] for table, list_ in metrics.items()}
        )
    if operation in ("Query", "Scan"):
        if answer.pop("HasItems", True):
            answer.setdefault("Items", [])
        for name in ("Count", "ScannedCount"):
            answer.setdefault(name, 0)
    elif operation == "BatchGetItem":
        for name in ("Responses", "UnprocessedKeys"):
            answer.setdefault(name, {})
    elif operation == "BatchWriteItem":
        answer["UnprocessedItems"] = {
            table: [
                {kind: {"Item" if kind == "PutRequest" else "Key": item} for kind, item in each.items()}
                for each in writes
            ]
            for table, writes in answer.get("UnprocessedItems", {}).items()
        }
    elif operation == "TransactGetItems":
        answer["Responses"] = [{} if item is None else {"Item": item} for item in answer.get("Responses", [])]
    elif operation == "ExecuteTransaction":
        answer["Responses"] = [{} if item is None else {"Item": item} for item in answer.get("Responses", [])]
    elif operation == "ExecuteStatement":
        answer.setdefault("Items", [])
    elif operation == "BatchExecuteStatement":
        answer.setdefault("Responses", [])
    elif operation == "ListTables":
        answer.setdefault("TableNames", [])
    elif operation == "ListTagsOfResource":
        answer.setdefault("Tags", [])
    elif operation == "DescribeTimeToLive":
        answer = {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED", **answer}}
    for name in ("TableDescription", "Table"):
        if name in answer:
            answer[name] = table_of(answer[name])
    if operation == "UpdateTimeToLive":
        answer["TimeToLiveSpecification"].setdefault("Enabled", False)
    return answer


def error_of(error):
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{error['Type']}"}
    message = error.get("Message", "")
    body["Message" if error["Type"] in ("TransactionCanceledException",) else "message"] = message
    if "Item" in error:
        body["Item"] = error["Item"]
    if "CancellationReasons" in error:
        body["CancellationReasons"] = error["CancellationReasons"]
    status = {"InternalServerError": 500, "ServiceUnavailable": 503}.get(error["Type"], 400)
    return status, body


TYPED = {
    "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem",
    "TransactGetItems", "TransactWriteItems", "ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction",
    "CreateTable", "DescribeTable", "ListTables", "UpdateTable", "DeleteTable", "UpdateTimeToLive",
    "DescribeTimeToLive", "TagResource", "UntagResource", "ListTagsOfResource",
}  # fmt: skip


def answer_message(operation):
    return "ItemPage" if operation in ("Query", "Scan") else f"{operation}Response"


# ---- Connections


class Connection:
    """One connection, one request at a time."""

    def __init__(self, address):
        if isinstance(address, tuple):
            self.socket = socket.create_connection(address, timeout=60)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(60)
            self.socket.connect(str(address))
        self.ids = itertools.count(1)
        hello = {"Magic": "varve", "VersionMin": 1, "VersionMax": 1, "ItemEncodingMin": 1, "ItemEncodingMax": 1}
        hello |= {"Features": 1, "ClientName": "test", "CreditBytes": 1 << 20}
        self.send(TYPES["Hello"], 0, encode("Hello", hello))
        kind, _, flags, payload = self.receive()
        assert (kind, flags) == (TYPES["Welcome"], 0), (kind, flags, payload)
        self.welcome = decode("Welcome", payload)

    def close(self):
        self.socket.close()

    def send(self, kind, request_id, payload):
        self.socket.sendall(struct.pack("<IIBBH", len(payload), request_id, kind, 0, 0) + payload)

    def receive(self):
        size, request_id, kind, flags, reserved = struct.unpack("<IIBBH", self.read(12))
        assert reserved == 0
        return kind, request_id, flags, self.read(size)

    def read(self, size):
        parts = []
        while size > 0:
            part = self.socket.recv(min(size, 1 << 20))
            if not part:
                raise ConnectionError("the server ended the connection")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def ask(self, kind, payload):
        """(whether it is an error, payload) of each frame of the answer."""
        request_id = next(self.ids)
        self.send(kind, request_id, payload)
        while True:
            answered, answered_id, flags, answer = self.receive()
            if answered == TYPES["Goodbye"]:
                raise ConnectionError(decode("Goodbye", answer)["Reason"])
            assert (answered, answered_id) == (kind, request_id)
            self.send(TYPES["Credit"], 0, encode("Credit", {"Bytes": 12 + len(answer)}))
            yield flags & ERROR != 0, answer
            if not flags & MORE:
                return

    def json(self, operation, body):
        """The status and the body that HTTP would answer."""
        ((is_error, answer),) = self.ask(TYPES["Json"], encode("JsonRequest", {"Operation": operation, "Body": body}))
        if is_error:
            status, error = error_of(decode("Error", answer))
            return status, json.dumps(error)
        values = decode("JsonResponse", answer)
        return values["HttpStatus"], values.get("Body", "")

    def typed(self, operation, body):
        """The same by typed messages. NoTypedForm if they cannot say it."""
        message = f"{operation}Request"
        try:
            payload = encode(message, request_of(operation, json.loads(body)))
        except (TypeError, ValueError, KeyError, AttributeError) as error:  # not of the shape that it should have
            raise NoTypedForm from error
        ((is_error, answer),) = self.ask(TYPES[operation], payload)
        if is_error:
            status, error = error_of(decode("Error", answer))
            return status, json.dumps(error)
        return 200, json.dumps(answer_of(operation, decode(answer_message(operation), answer)))


class BinarySession:
    """Stands where botocore has its HTTP session."""

    def __init__(self, address):
        self.address = address
        self.local = threading.local()
        self.typed = self.untyped = 0

    def connection(self):
        if not hasattr(self.local, "connection"):
            self.local.connection = Connection(self.address)
        return self.local.connection

    def send(self, request):
        operation = request.headers["X-Amz-Target"].decode().split(".")[-1]
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        try:
            if operation not in TYPED:
                raise NoTypedForm
            status, answer = self.connection().typed(operation, body)
            self.typed += 1
        except NoTypedForm:
            status, answer = self.connection().json(operation, body)
            self.untyped += 1
        except BaseException:
            del self.local.connection
            raise
        headers = {"content-type": "application/x-amz-json-1.0", "x-amzn-requestid": "0"}
        raw = urllib3.response.HTTPResponse()
        response = botocore.awsrequest.AWSResponse(request.url, status, headers, raw)
        response._content = answer.encode()
        return response

    def close(self):
        if hasattr(self.local, "connection"):
            self.local.connection.close()


def speak_binary(client, address):
    """Makes a boto3 client of DynamoDB use the binary protocol at (host, port), or at the path of a socket."""
    client._endpoint.http_session = BinarySession(address)
    return client
