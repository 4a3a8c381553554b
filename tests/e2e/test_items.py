"""Requests about items: legacy parameters, expressions and limits, as a real client sends them."""

import concurrent.futures

import pytest
from botocore.exceptions import ClientError


def key(p, s):
    return {"p": {"S": p}, "s": {"N": str(s)}}


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def eq(value):
    return {"ComparisonOperator": "EQ", "AttributeValueList": [value]}


@pytest.fixture
def shelf(dynamodb, table):
    """Ten items in partition `a`: s from 0, its square n, a name, and for even s a set of tags."""
    for s in range(10):
        item = {**key("a", s), "n": {"N": str(s * s)}, "name": {"S": f"item-{s}"}}
        if s % 2 == 0:
            item["tags"] = {"SS": ["even", str(s)]}
        dynamodb.put_item(TableName=table, Item=item)
    return table


CONDITIONS = [
    # legacy operator, values, the expression that means the same, which s match
    ("EQ", [{"N": "16"}], "n = :a", {4}),
    ("NE", [{"N": "16"}], "n <> :a", set(range(10)) - {4}),
    ("LT", [{"N": "4"}], "n < :a", {0, 1}),
    ("LE", [{"N": "4"}], "n <= :a", {0, 1, 2}),
    ("GT", [{"N": "49"}], "n > :a", {8, 9}),
    ("GE", [{"N": "49"}], "n >= :a", {7, 8, 9}),
    ("IN", [{"N": "1"}, {"N": "4.0"}, {"N": "5"}], "n IN (:a, :b, :c)", {1, 2}),
    ("BETWEEN", [{"N": "2"}, {"N": "16"}], "n BETWEEN :a AND :b", {2, 3, 4}),
    ("BEGINS_WITH", [{"S": "item-"}], "begins_with(#n, :a)", set(range(10))),
    ("CONTAINS", [{"S": "em-3"}], "contains(#n, :a)", {3}),
    ("NOT_CONTAINS", [{"S": "em-3"}], "NOT contains(#n, :a)", set(range(10)) - {3}),
    ("CONTAINS", [{"S": "6"}], "contains(tags, :a)", {6}),
    ("NULL", [], "attribute_not_exists(tags)", {1, 3, 5, 7, 9}),
    ("NOT_NULL", [], "attribute_exists(tags)", {0, 2, 4, 6, 8}),
]


@pytest.mark.parametrize(("operator", "values", "expression", "matches"), CONDITIONS)
def test_legacy_conditions_mean_what_expressions_mean(dynamodb, shelf, operator, values, expression, matches):
    attribute = "tags" if "tags" in expression else "name" if "#n" in expression else "n"
    condition = {attribute: {"ComparisonOperator": operator, "AttributeValueList": values}}
    placeholders = {}
    if values:
        placeholders["ExpressionAttributeValues"] = dict(zip([":a", ":b", ":c"], values))
    if "#n" in expression:
        placeholders["ExpressionAttributeNames"] = {"#n": "name"}

    def found(answer):
        return {int(item["s"]["N"]) for item in answer["Items"]}

    partition = {"p": eq({"S": "a"})}
    assert found(dynamodb.scan(TableName=shelf, ScanFilter=condition)) == matches
    assert found(dynamodb.scan(TableName=shelf, FilterExpression=expression, **placeholders)) == matches
    assert found(dynamodb.query(TableName=shelf, KeyConditions=partition, QueryFilter=condition)) == matches
    both = dynamodb.query(TableName=shelf, KeyConditions=partition, FilterExpression=expression, **placeholders)
    assert found(both) == matches
    # As a condition of writes: it holds for those and for no others.
    for s in (0, 3, 4, 9):
        at = {"TableName": shelf, "Key": key("a", s)}
        for parameters in ({"Expected": condition}, {"ConditionExpression": expression, **placeholders}):
            if s in matches:
                dynamodb.update_item(**at, **parameters)
            else:
                assert refused(dynamodb.update_item, **at, **parameters)[0] == "ConditionalCheckFailedException"


def test_conditional_operator_connects(dynamodb, shelf):
    conditions = {"n": eq({"N": "1"}), "name": eq({"S": "item-3"})}
    for operator, count in (("AND", 0), ("OR", 2)):
        answer = dynamodb.scan(TableName=shelf, ScanFilter=conditions, ConditionalOperator=operator)
        assert answer["Count"] == count


def test_key_conditions_page_through_a_partition(dynamodb, shelf):
    conditions = {"p": eq({"S": "a"}), "s": {"ComparisonOperator": "GE", "AttributeValueList": [{"N": "3"}]}}
    pages = dynamodb.get_paginator("query").paginate(
        TableName=shelf, KeyConditions=conditions, AttributesToGet=["s"], PaginationConfig={"PageSize": 2}
    )
    assert [item["s"]["N"] for page in pages for item in page["Items"]] == [str(s) for s in range(3, 10)]


def test_attribute_updates_do_what_expressions_do(dynamodb, shelf):
    updates = {
        "n": {"Action": "ADD", "Value": {"N": "0.5"}},
        "tags": {"Action": "DELETE", "Value": {"SS": ["even"]}},
        "name": {"Action": "DELETE"},
        "new": {"Value": {"M": {"a": {"L": []}}}},
    }
    legacy = dynamodb.update_item(
        TableName=shelf, Key=key("a", 2), AttributeUpdates=updates, ReturnValues="ALL_NEW"
    )
    expression = dynamodb.update_item(
        TableName=shelf,
        Key=key("a", 4),
        UpdateExpression="ADD n :half DELETE tags :even REMOVE #n SET #w = :new",
        ExpressionAttributeNames={"#n": "name", "#w": "new"},
        ExpressionAttributeValues={
            ":half": {"N": "0.5"},
            ":even": {"SS": ["even"]},
            ":new": {"M": {"a": {"L": []}}},
        },
        ReturnValues="ALL_NEW",
    )
    assert legacy["Attributes"] == {
        **key("a", 2), "n": {"N": "4.5"}, "tags": {"SS": ["2"]}, "new": {"M": {"a": {"L": []}}},
    }  # fmt: skip
    assert expression["Attributes"].keys() == legacy["Attributes"].keys()
    assert expression["Attributes"]["n"] == {"N": "16.5"}


@pytest.mark.parametrize(
    ("word", "reserved"),
    [("ABORT", True), ("name", True), ("Zone", True), ("flattern", True), ("varve", False), ("names2", False)],
)
def test_reserved_words(dynamodb, table, word, reserved):
    at = {"TableName": table, "Key": key("r", 1)}
    if not reserved:
        dynamodb.get_item(**at, ProjectionExpression=word)
        return
    prefix = {"get_item": "ProjectionExpression", "update_item": "UpdateExpression"}
    reason = f"Attribute name is a reserved keyword; reserved keyword: {word}"
    got = refused(dynamodb.get_item, **at, ProjectionExpression=word)
    assert got == ("ValidationException", f"Invalid {prefix['get_item']}: {reason}")
    got = refused(dynamodb.update_item, **at, UpdateExpression=f"REMOVE {word}")
    assert got == ("ValidationException", f"1 validation error detected: Invalid {prefix['update_item']}: {reason}")
    # Behind a placeholder it is an attribute like any other.
    dynamodb.update_item(**at, UpdateExpression="REMOVE #w", ExpressionAttributeNames={"#w": word})


def test_the_same_text_with_other_names_and_values(dynamodb, shelf):
    """However often a text has been seen, what it means is said by its placeholders."""
    for s in range(10):
        for name, value in (("n", {"N": str(s * s)}), ("name", {"S": f"item-{s}"})):
            answer = dynamodb.scan(
                TableName=shelf,
                FilterExpression="#x = :x",
                ExpressionAttributeNames={"#x": name},
                ExpressionAttributeValues={":x": value},
            )
            assert [item["s"]["N"] for item in answer["Items"]] == [str(s)]
    between = {
        "TableName": shelf,
        "KeyConditionExpression": "p = :p AND s BETWEEN :low AND :high",
    }
    for low, high, count in ((0, 3, 4), (7, 7, 1), (9, 8, None), (2, 5, 4)):
        values = {":p": {"S": "a"}, ":low": {"N": str(low)}, ":high": {"N": str(high)}}
        if count is None:
            code, message = refused(dynamodb.query, **between, ExpressionAttributeValues=values)
            assert code == "ValidationException"
            assert message == (
                "Invalid KeyConditionExpression: The BETWEEN operator requires upper bound to be greater than or "
                "equal to lower bound; lower bound operand: AttributeValue: {N:9}, upper bound operand: "
                "AttributeValue: {N:8}"
            )
        else:
            assert dynamodb.query(**between, ExpressionAttributeValues=values)["Count"] == count
    # A value of another type is another question.
    assert refused(
        dynamodb.query, **between,
        ExpressionAttributeValues={":p": {"S": "a"}, ":low": {"S": "1"}, ":high": {"N": "2"}},
    )[0] == "ValidationException"  # fmt: skip


def test_conditional_writes_of_many_clients_count_exactly(server, dynamodb, table):
    """Optimistic counters: who loses reads the item and tries again."""
    dynamodb.put_item(TableName=table, Item={**key("c", 1), "n": {"N": "0"}})

    def count_to(goal):
        client = server.client()
        done, seen = 0, 0
        while done < goal:
            try:
                client.update_item(
                    TableName=table,
                    Key=key("c", 1),
                    UpdateExpression="SET n = n + :one",
                    ConditionExpression="n = :seen",
                    ExpressionAttributeValues={":one": {"N": "1"}, ":seen": {"N": str(seen)}},
                )
                done, seen = done + 1, seen + 1
            except client.exceptions.ConditionalCheckFailedException:
                item = client.get_item(TableName=table, Key=key("c", 1), ConsistentRead=True)["Item"]
                seen = int(item["n"]["N"])

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(count_to, [25] * 8))
    item = dynamodb.get_item(TableName=table, Key=key("c", 1), ConsistentRead=True)["Item"]
    assert item["n"]["N"] == "200"
