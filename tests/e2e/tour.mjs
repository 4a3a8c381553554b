// The tour of the current AWS SDK for JavaScript, with parameters that older SDKs don't know.
// Argument: the server's URL.
import assert from "node:assert/strict";
import {
  BatchExecuteStatementCommand,
  BatchGetItemCommand,
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  CreateTableCommand,
  DeleteItemCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  DuplicateItemException,
  DynamoDBClient,
  ExecuteStatementCommand,
  ExecuteTransactionCommand,
  GetItemCommand,
  ListTablesCommand,
  PutItemCommand,
  QueryCommand,
  ResourceNotFoundException,
  ScanCommand,
  UpdateItemCommand,
  UpdateTableCommand,
  paginateQuery,
  paginateScan,
  waitUntilTableExists,
  waitUntilTableNotExists,
} from "@aws-sdk/client-dynamodb";
import { run } from "./steps.mjs";

const TableName = "js-tour";
const client = new DynamoDBClient({
  endpoint: process.argv[2],
  region: "us-east-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
  maxAttempts: 1,
});
const send = (Command, input) => client.send(new Command({ TableName, ...input }));

await run({
  async "a table with class and deletion protection"() {
    const { TableDescription } = await send(CreateTableCommand, {
      KeySchema: [
        { AttributeName: "p", KeyType: "HASH" },
        { AttributeName: "s", KeyType: "RANGE" },
      ],
      AttributeDefinitions: [
        { AttributeName: "p", AttributeType: "S" },
        { AttributeName: "s", AttributeType: "B" },
      ],
      BillingMode: "PAY_PER_REQUEST",
      TableClass: "STANDARD_INFREQUENT_ACCESS",
      DeletionProtectionEnabled: true,
    });
    assert.equal(TableDescription.DeletionProtectionEnabled, true);
    await waitUntilTableExists({ client, maxWaitTime: 20, minDelay: 1 }, { TableName });
    const { Table } = await send(DescribeTableCommand, {});
    assert.equal(Table.TableStatus, "ACTIVE");
    assert.equal(Table.TableClassSummary.TableClass, "STANDARD_INFREQUENT_ACCESS");
    assert.ok(Table.CreationDateTime instanceof Date);
    assert.match(Table.TableId, /^[0-9a-f-]{36}$/);
    const { TableNames } = await client.send(new ListTablesCommand({}));
    assert.ok(TableNames.includes(TableName));
  },

  async "protection keeps the table"() {
    await assert.rejects(send(DeleteTableCommand, {}), { name: "ValidationException" });
    await send(DescribeTableCommand, {});
  },

  async "put, get and a condition that fails with the item"() {
    const key = { p: { S: "a" }, s: { B: new Uint8Array([0, 255]) } };
    await send(PutItemCommand, { Item: { ...key, n: { N: "1" }, b: { BOOL: true } } });
    const { Item } = await send(GetItemCommand, { Key: key, ConsistentRead: true });
    assert.deepEqual(Item.s.B, new Uint8Array([0, 255]));
    assert.equal(Item.n.N, "1");

    for (const [Command, input] of [
      [PutItemCommand, { Item: { ...key, n: { N: "2" } } }],
      [DeleteItemCommand, { Key: key }],
      [UpdateItemCommand, { Key: key, UpdateExpression: "REMOVE b" }],
    ]) {
      const refused = await send(Command, {
        ...input,
        ConditionExpression: "attribute_not_exists(p)",
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      }).then(
        () => assert.fail("the condition held"),
        (error) => error,
      );
      assert.ok(refused instanceof ConditionalCheckFailedException);
      assert.equal(refused.$metadata.httpStatusCode, 400);
      assert.equal(refused.Item.n.N, "1");
      assert.equal(refused.Item.b.BOOL, true);
    }

    // Without an item there is none to return.
    const refused = await send(UpdateItemCommand, {
      Key: { ...key, p: { S: "nobody" } },
      UpdateExpression: "SET n = :n",
      ConditionExpression: "attribute_exists(p)",
      ExpressionAttributeValues: { ":n": { N: "1" } },
      ReturnValuesOnConditionCheckFailure: "ALL_OLD",
    }).then(
      () => assert.fail("the condition held"),
      (error) => error,
    );
    assert.ok(refused instanceof ConditionalCheckFailedException);
    assert.equal(refused.Item, undefined);
  },

  async "update with every clause"() {
    const key = { p: { S: "u" }, s: { B: new Uint8Array([1]) } };
    const update = (UpdateExpression, ExpressionAttributeValues, ReturnValues) =>
      send(UpdateItemCommand, {
        Key: key,
        UpdateExpression,
        ExpressionAttributeValues,
        ReturnValues,
        ReturnConsumedCapacity: "INDEXES",
      });
    const made = await update(
      "SET l = :l, m = :m, c = if_not_exists(c, :zero) + :one ADD hits :one, tags :tags",
      {
        ":l": { L: [{ S: "x" }] },
        ":m": { M: {} },
        ":zero": { N: "0" },
        ":one": { N: "1" },
        ":tags": { SS: ["a", "b"] },
      },
      "ALL_NEW",
    );
    assert.equal(made.Attributes.c.N, "1");
    assert.equal(made.ConsumedCapacity.Table.CapacityUnits, 1);
    const changed = await update(
      "SET l = list_append(l, :l), m.k = c REMOVE hits DELETE tags :tags",
      { ":l": { L: [{ S: "y" }] }, ":tags": { SS: ["a", "c"] } },
      "UPDATED_NEW",
    );
    assert.deepEqual(changed.Attributes, {
      l: { L: [{ S: "x" }, { S: "y" }] },
      m: { M: { k: { N: "1" } } },
      tags: { SS: ["b"] },
    });
  },

  async "batches, and pages of queries and scans"() {
    const items = Array.from({ length: 25 }, (_, i) => ({
      p: { S: "batch" },
      s: { B: new Uint8Array([i]) },
      even: { BOOL: i % 2 === 0 },
    }));
    const { UnprocessedItems } = await client.send(
      new BatchWriteItemCommand({
        RequestItems: { [TableName]: items.map((Item) => ({ PutRequest: { Item } })) },
      }),
    );
    assert.deepEqual(UnprocessedItems, {});
    const { Responses } = await client.send(
      new BatchGetItemCommand({
        RequestItems: {
          [TableName]: {
            Keys: items.map(({ p, s }) => ({ p, s })),
            ProjectionExpression: "#e",
            ExpressionAttributeNames: { "#e": "even" },
          },
        },
      }),
    );
    assert.equal(Responses[TableName].length, 25);

    const query = {
      TableName,
      KeyConditionExpression: "p = :p AND s BETWEEN :from AND :to",
      FilterExpression: "even = :true",
      ExpressionAttributeValues: {
        ":p": { S: "batch" },
        ":from": { B: new Uint8Array([3]) },
        ":to": { B: new Uint8Array([20]) },
        ":true": { BOOL: true },
      },
    };
    const found = [];
    for await (const page of paginateQuery({ client, pageSize: 4 }, { ...query })) {
      found.push(...page.Items.map((item) => item.s.B[0]));
    }
    assert.deepEqual(found, [4, 6, 8, 10, 12, 14, 16, 18, 20]);
    const counted = await send(QueryCommand, { ...query, Select: "COUNT" });
    assert.equal(counted.Count, 9);
    assert.equal(counted.ScannedCount, 18);

    let scanned = 0;
    for await (const page of paginateScan({ client, pageSize: 5 }, { TableName })) {
      scanned += page.Count;
    }
    assert.equal(scanned, 27);
    assert.equal((await send(ScanCommand, { Select: "COUNT" })).Count, 27);
  },

  async "errors have their classes"() {
    await assert.rejects(
      send(GetItemCommand, { TableName: "no-such-table", Key: { p: { S: "a" } } }),
      (error) => error instanceof ResourceNotFoundException && error.$metadata.requestId.length > 0,
    );
    await assert.rejects(
      send(QueryCommand, {
        KeyConditionExpression: "p = :p AND",
        ExpressionAttributeValues: { ":p": { S: "a" } },
      }),
      {
        name: "ValidationException",
        message: 'Invalid KeyConditionExpression: Syntax error; token: "<EOF>", near: "AND"',
      },
    );
  },

  async "an aborted request harms nobody"() {
    const controller = new AbortController();
    const aborted = client.send(new ScanCommand({ TableName }), {
      abortSignal: controller.signal,
    });
    controller.abort();
    await assert.rejects(aborted, { name: "AbortError" });
    assert.equal((await send(ScanCommand, { Select: "COUNT" })).Count, 27);
  },

  async "statements of PartiQL"() {
    const run = (Statement, ...Parameters) =>
      client.send(
        new ExecuteStatementCommand({ Statement, ...(Parameters.length && { Parameters }) }),
      );
    const insert = `INSERT INTO "${TableName}" VALUE {'p': 'sql', 's': ?}`;
    const binary = (byte) => ({ B: Uint8Array.of(byte) });
    await run(insert, binary(1));
    await assert.rejects(run(insert, binary(1)), DuplicateItemException);
    await client.send(
      new ExecuteTransactionCommand({
        TransactStatements: [2, 3].map((s) => ({ Statement: insert, Parameters: [binary(s)] })),
      }),
    );
    const { Items } = await run(`SELECT s FROM "${TableName}" WHERE p = 'sql' ORDER BY s DESC`);
    assert.deepEqual(Items, [{ s: binary(3) }, { s: binary(2) }, { s: binary(1) }]);
    const { Responses } = await client.send(
      new BatchExecuteStatementCommand({
        Statements: [1, 2, 3, 4].map((s) => ({
          Statement: `DELETE FROM "${TableName}" WHERE p = 'sql' AND s = ? RETURNING ALL OLD *`,
          Parameters: [binary(s)],
        })),
      }),
    );
    assert.deepEqual(
      Responses.map(({ Item }) => Item?.s.B[0]),
      [1, 2, 3, undefined],
    );
  },

  async "the unprotected table goes"() {
    await send(UpdateTableCommand, { DeletionProtectionEnabled: false });
    await send(DeleteTableCommand, {});
    await waitUntilTableNotExists({ client, maxWaitTime: 20, minDelay: 1 }, { TableName });
  },
});
client.destroy();
