"""ExecuteStatement, BatchExecuteStatement, ExecuteTransaction: from statements as clients write
them to what is in the table."""

import json
import threading

import pytest


@pytest.fixture
def raw(server):
    """Calls an operation with JSON as it stands; the answer's status and JSON."""

    def call(operation, **body):
        status, _, content = server.post(operation, body)
        return status, json.loads(content)

    return call


@pytest.fixture
def run(raw, table):
    """Runs a statement about table `T`; its items. Other parameters go with it."""

    def call(statement, *parameters, **others):
        if parameters:
            others["Parameters"] = list(parameters)
        status, answer = raw("ExecuteStatement", Statement=statement.replace("T!", f'"{table}"'), **others)
        if status != 200:
            return answer["__type"].split("#")[1], answer["message"]
        return answer

    return call


def put(dynamodb, table, *items):
    for item in items:
        dynamodb.put_item(TableName=table, Item=item)


def key(p, s):
    return {"p": {"S": p}, "s": {"N": str(s)}}


def test_boto3_runs_statements(dynamodb, table):
    run = dynamodb.execute_statement
    run(Statement=f"INSERT INTO \"{table}\" VALUE {{'p': ?, 's': 1, 'tags': <<'x', 'y'>>}}", Parameters=[{"S": "a"}])
    items = run(
        Statement=f'SELECT * FROM "{table}" WHERE p = ? AND s = ?', Parameters=[{"S": "a"}, {"N": "1"}]
    )["Items"]
    assert items == [{**key("a", 1), "tags": {"SS": ["x", "y"]}}]
    new = run(
        Statement=f'UPDATE "{table}" SET n = 1 SET tags = set_add(tags, ?) WHERE p = \'a\' AND s = 1 RETURNING MODIFIED NEW *',
        Parameters=[{"SS": ["z"]}],
    )["Items"]
    assert new == [{"n": {"N": "1"}, "tags": {"SS": ["x", "y", "z"]}}]
    with pytest.raises(dynamodb.exceptions.DuplicateItemException):
        run(Statement=f"INSERT INTO \"{table}\" VALUE {{'p': 'a', 's': 1}}")
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        run(Statement=f"UPDATE \"{table}\" SET n = 2 WHERE p = 'a' AND s = 1 AND n = 5")
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        run(Statement="SELECT * FROM Nowhere")
    assert run(Statement=f"DELETE FROM \"{table}\" WHERE p = 'a' AND s = 1")["Items"] == []


def test_values_of_every_type_pass_as_parameters(dynamodb, table, run):
    values = [
        {"S": "text"}, {"N": "-1.5"}, {"B": "AQI="}, {"BOOL": True}, {"NULL": True},
        {"SS": ["a", "b"]}, {"NS": ["1", "2"]}, {"BS": ["AQ=="]},
        {"L": [{"S": "x"}, {"N": "1"}]}, {"M": {"k": {"S": "v"}}},
    ]  # fmt: skip
    for i, value in enumerate(values):
        assert run(f"INSERT INTO T! VALUE {{'p': 'v', 's': {i}, 'v': ?}}", value) == {"Items": []}
        found = run("SELECT s, v FROM T! WHERE p = 'v' AND v = ?", value)["Items"]
        assert found == [{"s": {"N": str(i)}, "v": value}]


@pytest.mark.parametrize(
    "parameter, message",
    [
        ({"N": "abc"}, "The parameter cannot be converted to a numeric value: abc"),
        ({"N": ""}, "The parameter cannot be converted to a numeric value"),
        ({"SS": ["a", "a"]}, "One or more parameter values were invalid: Input collection [a, a] contains duplicates."),
        ({"SS": []}, "One or more parameter values were invalid: An string set  may not be empty"),
        ({"NULL": False}, "One or more parameter values were invalid: Null attribute value types must have the value of true"),
    ],
)
def test_parameters_are_looked_at_before_the_statement(raw, run, parameter, message):
    assert run("UPDATE T! SET WHERE", parameter) == ("ValidationException", message)
    _, batch = raw("BatchExecuteStatement", Statements=[{"Statement": "no", "Parameters": [parameter]}])
    assert batch["Responses"] == [{"Error": {"Code": "ValidationError", "Message": message}}]
    _, answer = raw(
        "ExecuteTransaction", TransactStatements=[{"Statement": "no", "Parameters": [parameter]}]
    )
    assert answer["message"] == message


def test_pages_follow_each_other(dynamodb, table, run):
    put(dynamodb, table, *(key(p, s) for p in "ab" for s in range(25)))
    for statement in ("SELECT s FROM T!", "SELECT s FROM T! WHERE p IN ['b', 'a']"):
        count, token, pages = 0, {}, 0
        while True:
            answer = run(statement, Limit=7, **token)
            assert len(answer["Items"]) <= 7
            count += len(answer["Items"])
            pages += 1
            if "NextToken" not in answer:
                assert "LastEvaluatedKey" not in answer
                break
            token = {"NextToken": answer["NextToken"]}
        assert (count, pages) == (50, 8)
    token = run("SELECT s FROM T!", Limit=1)["NextToken"]
    assert run("SELECT p FROM T!", NextToken=token) == (
        "ValidationException",
        "NextToken does not match request",
    )
    assert run("SELECT s FROM T!", NextToken="nonsense") == ("ValidationException", "Invalid NextToken")


def test_keys_make_queries_and_queries_are_charged_as_such(dynamodb, table, run):
    put(dynamodb, table, *({**key("big", s), "x": {"S": "x" * 4000}} for s in range(20)), key("small", 1))

    def units(statement, **others):
        return run(statement, ReturnConsumedCapacity="TOTAL", **others)["ConsumedCapacity"]["CapacityUnits"]

    assert units("SELECT * FROM T! WHERE p = 'small'") == 0.5
    assert units("SELECT * FROM T! WHERE p = 'small' AND x = 'y'", ConsistentRead=True) == 1
    assert units("SELECT * FROM T! WHERE p = 'big' AND s = 3") == 0.5
    assert units("SELECT * FROM T! WHERE p IN ['small', 'none']") == 1
    assert units("SELECT * FROM T! WHERE p = 'small' OR p = 'big' AND s < 2") == 1.5
    assert units("SELECT * FROM T! WHERE s = 1") > 5


def test_constraints_of_requests(raw):
    constraint = "failed to satisfy constraint: Member must have length"
    for operation, body, words in [
        ("ExecuteStatement", {}, "Value null at 'statement' failed to satisfy constraint: Member must not be null"),
        ("ExecuteStatement", {"Statement": ""}, f"at 'statement' {constraint} greater than or equal to 1"),
        ("ExecuteStatement", {"Statement": "x" * 8193}, f"at 'statement' {constraint} less than or equal to 8192"),
        ("ExecuteStatement", {"Statement": "x", "Parameters": []}, f"at 'parameters' {constraint} greater than or equal to 1"),
        ("BatchExecuteStatement", {"Statements": []}, f"at 'statements' {constraint} greater than or equal to 1"),
        ("BatchExecuteStatement", {"Statements": [{"Statement": "x"}] * 26}, f"at 'statements' {constraint} less than or equal to 25"),
        ("ExecuteTransaction", {"TransactStatements": []}, f"at 'transactStatements' {constraint} greater than or equal to 1"),
        ("ExecuteTransaction", {"TransactStatements": [{"Statement": "x"}] * 101}, f"at 'transactStatements' {constraint} less than or equal to 100"),
    ]:  # fmt: skip
        status, answer = raw(operation, **body)
        assert status == 400
        assert answer["__type"].endswith("#ValidationException")
        assert words in answer["message"], answer


def test_batches_answer_statement_by_statement(raw, dynamodb, table):
    put(dynamodb, table, {**key("a", 1), "x": {"S": "here"}})
    update = f"UPDATE \"{table}\" SET y = 1 WHERE p = 'a' AND s = 1 AND x = 'not here'"
    status, answer = raw(
        "BatchExecuteStatement",
        Statements=[
            {"Statement": f"INSERT INTO \"{table}\" VALUE {{'p': 'a', 's': 1}}"},
            {"Statement": update},
            {"Statement": update, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"},
            {"Statement": f"DELETE FROM \"{table}\" WHERE p = 'a' AND s = 1 RETURNING ALL OLD *"},
        ],
        ReturnConsumedCapacity="TOTAL",
    )
    assert status == 200
    failed = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
    item = {**key("a", 1), "x": {"S": "here"}}
    assert answer["Responses"] == [
        {"Error": {"Code": "DuplicateItem", "Message": "Duplicate primary key exists in table"}, "TableName": table},
        {"Error": failed, "TableName": table},
        {"Error": {**failed, "Item": item}, "TableName": table},
        {"Item": item, "TableName": table},
    ]
    assert answer["ConsumedCapacity"] == [{"CapacityUnits": 1.0, "TableName": table}]


def test_transactions_are_all_or_nothing(raw, dynamodb, table):
    insert = f"INSERT INTO \"{table}\" VALUE {{'p': 'a', 's': ?}}"
    exists = f"EXISTS(SELECT * FROM \"{table}\" WHERE p = 'a' AND s = 1 AND done IS MISSING)"

    def transact(*statements, **others):
        return raw(
            "ExecuteTransaction",
            TransactStatements=[
                {"Statement": each[0], **({"Parameters": list(each[1:])} if each[1:] else {})}
                for each in statements
            ],
            **others,
        )

    assert transact((insert, {"N": "1"}), (insert, {"N": "2"})) == (200, {"Responses": []})
    status, answer = transact((insert, {"N": "3"}), (insert, {"N": "2"}))
    assert status == 400
    assert answer["__type"].endswith("#TransactionCanceledException")
    assert [reason["Code"] for reason in answer["CancellationReasons"]] == ["None", "DuplicateItem"]
    assert transact((exists,), (insert, {"N": "3"}))[0] == 200
    select = f'SELECT s FROM "{table}" WHERE p = \'a\' AND s = ?'
    status, answer = transact((select, {"N": "3"}), (select, {"N": "9"}), ReturnConsumedCapacity="TOTAL")
    assert answer["Responses"] == [{"Item": {"s": {"N": "3"}}}, {}]
    assert answer["ConsumedCapacity"][0]["CapacityUnits"] == 4


def test_a_client_token_makes_a_transaction_happen_once(dynamodb, table):
    put(dynamodb, table, {**key("a", 1), "n": {"N": "0"}})
    statement = f"UPDATE \"{table}\" SET n = n + 1 WHERE p = 'a' AND s = 1"
    request = {
        "TransactStatements": [{"Statement": statement}],
        "ClientRequestToken": f"partiql-{table}",
        "ReturnConsumedCapacity": "TOTAL",
    }
    first = dynamodb.execute_transaction(**request)["ConsumedCapacity"][0]
    again = dynamodb.execute_transaction(**request)["ConsumedCapacity"][0]
    assert (first["WriteCapacityUnits"], again["ReadCapacityUnits"]) == (2, 2)
    assert dynamodb.get_item(TableName=table, Key=key("a", 1))["Item"]["n"] == {"N": "1"}


def test_concurrent_updates_lose_nothing(dynamodb, server, table):
    put(dynamodb, table, {**key("a", 1), "n": {"N": "0"}})
    statement = f"UPDATE \"{table}\" SET n = n + 1 WHERE p = 'a' AND s = 1"

    def work():
        client = server.client()
        for _ in range(25):
            client.execute_statement(Statement=statement)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert dynamodb.get_item(TableName=table, Key=key("a", 1))["Item"]["n"] == {"N": "200"}


def test_a_tables_arn_is_a_name(dynamodb, table):
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    put(dynamodb, table, key("a", 1))
    items = dynamodb.execute_statement(Statement=f"SELECT * FROM \"{arn}\" WHERE p = 'a'")["Items"]
    assert items == [key("a", 1)]
