// A shop, modelled with Dynamoose, which makes its table itself and changes it when the model does.
// Argument: the server's URL.
import assert from "node:assert/strict";
import dynamoose from "dynamoose";
import { run } from "./steps.mjs";

const ddb = new dynamoose.aws.ddb.DynamoDB({
  endpoint: process.argv[2],
  region: "us-east-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
  maxAttempts: 1,
});
dynamoose.aws.ddb.set(ddb);

const TableName = "dynamoose-shop";
const options = {
  throughput: "ON_DEMAND",
  waitForActive: { enabled: true, check: { frequency: 10, timeout: 20_000 } },
  expires: { ttl: 86_400_000, attribute: "expires", items: { returnExpired: false } },
  tags: { team: "shop" },
  initialize: false,
};
const attributes = {
  shop: { type: String, hashKey: true },
  id: { type: Number, rangeKey: true },
  customer: { type: String, required: true, index: { name: "byCustomer", rangeKey: "total" } },
  status: { type: String, enum: ["open", "paid", "sent"], default: "open" },
  total: { type: Number, validate: (total) => total >= 0 },
  lines: { type: Array, schema: [{ type: Object, schema: { sku: String, count: Number } }] },
  tags: { type: Set, schema: [String] },
  placed: { type: Date },
  note: String,
};
const model = (definition) =>
  dynamoose.model(TableName, new dynamoose.Schema({ ...definition }, { timestamps: true }));

let Order = model(attributes);
let table = new dynamoose.Table(TableName, [Order], options);
const ids = (orders) => orders.map(({ id }) => id);
const order = (id, more = {}) => ({
  shop: "oslo",
  id,
  customer: `customer-${id % 3}`,
  total: id * 10,
  lines: [{ sku: "apple", count: id }],
  ...more,
});

await run({
  async "the table is made as the model says"() {
    await table.initialize();
    const { Table } = await ddb.describeTable({ TableName });
    assert.equal(Table.TableStatus, "ACTIVE");
    assert.equal(Table.BillingModeSummary.BillingMode, "PAY_PER_REQUEST");
    assert.deepEqual(
      Table.GlobalSecondaryIndexes.map(({ IndexName }) => IndexName),
      ["byCustomer"],
    );
    const { TimeToLiveDescription } = await ddb.describeTimeToLive({ TableName });
    assert.equal(TimeToLiveDescription.AttributeName, "expires");
    const { Tags } = await ddb.listTagsOfResource({ ResourceArn: Table.TableArn });
    assert.deepEqual(Tags, [{ Key: "team", Value: "shop" }]);
  },

  async "an item as it was saved"() {
    const placed = new Date(1_700_000_000_000);
    await Order.create(order(1, { placed, tags: new Set(["gift", "fragile"]) }));
    const saved = await Order.get({ shop: "oslo", id: 1 });
    assert.equal(saved.status, "open");
    assert.deepEqual(saved.placed, placed);
    assert.deepEqual([...saved.tags].sort(), ["fragile", "gift"]);
    assert.deepEqual(saved.lines, [{ sku: "apple", count: 1 }]);
    assert.ok(saved.createdAt instanceof Date && saved.expires instanceof Date);
    saved.note = "ring twice";
    await saved.save();
    assert.equal((await Order.get({ shop: "oslo", id: 1 })).note, "ring twice");
    assert.equal(await Order.get({ shop: "oslo", id: 99 }), undefined);
    await assert.rejects(Order.create(order(1)), { name: "ConditionalCheckFailedException" });
  },

  async "updates of every kind"() {
    const key = { shop: "oslo", id: 1 };
    const updated = await Order.update(key, {
      $SET: { status: "paid" },
      $ADD: { total: 5 },
      $REMOVE: ["note"],
    });
    assert.equal(updated.status, "paid");
    assert.equal(updated.total, 15);
    assert.equal(updated.note, undefined);
    const condition = new dynamoose.Condition().where("status").eq("open");
    await assert.rejects(Order.update(key, { status: "sent" }, { condition }), {
      name: "ConditionalCheckFailedException",
    });
    const sendable = new dynamoose.Condition()
      .where("status").eq("paid").and()
      .parenthesis((or) => or.where("total").gt(1000).or().where("tags").contains("gift"));
    const sent = await Order.update(
      key, { status: "sent", lines: [] }, { condition: sendable, return: "item" });
    assert.equal(sent.status, "sent");
    assert.deepEqual(sent.lines, []);
  },

  async "batches"() {
    const orders = Array.from({ length: 25 }, (_, i) => order(i + 2));
    const { unprocessedItems } = await Order.batchPut(orders);
    assert.deepEqual(unprocessedItems, []);
    const keys = [4, 3, 99].map((id) => ({ shop: "oslo", id }));
    assert.deepEqual(ids(await Order.batchGet(keys)).sort(), [3, 4]);
    await Order.batchDelete([25, 26].map((id) => ({ shop: "oslo", id })));
    assert.equal((await Order.query("shop").eq("oslo").count().exec()).count, 24);
  },

  async "queries of the table and of its index"() {
    const some = await Order.query("shop").eq("oslo").where("id").between(5, 9).exec();
    assert.deepEqual(ids(some), [5, 6, 7, 8, 9]);
    const last = await Order.query("shop").eq("oslo").sort("descending").limit(3).exec();
    assert.deepEqual(ids(last), [24, 23, 22]);
    assert.deepEqual({ ...last.lastKey }, { shop: "oslo", id: 22 });
    const next = await Order.query("shop").eq("oslo").sort("descending").limit(2)
      .startAt(last.lastKey).exec();
    assert.deepEqual(ids(next), [21, 20]);
    const dear = await Order.query("customer").eq("customer-2").where("total").ge(170).exec();
    assert.deepEqual(ids(dear), [17, 20, 23]);
    const indexed = await Order.query("customer").eq("customer-1").using("byCustomer")
      .filter("note").not().exists().filter("id").in([4, 7, 8]).attributes(["id", "total"]).exec();
    assert.deepEqual(indexed.map((each) => ({ ...each })), [
      { id: 4, total: 40 },
      { id: 7, total: 70 },
    ]);
  },

  async "scans, in pages and in parallel"() {
    assert.equal((await Order.scan().exec()).count, 24);
    const open = await Order.scan("status").eq("open").and().where("total").lt(60).exec();
    assert.deepEqual(ids(open).sort(), [2, 3, 4, 5]);
    const all = await Order.scan().limit(5).all().exec();
    assert.equal(new Set(ids(all)).size, 24);
    const parallel = await Order.scan().parallel(4).exec();
    assert.deepEqual(ids(parallel).sort(), ids(all).sort());
    const none = await Order.scan().where("note").exists().exec();
    assert.equal(none.count, 0);
    assert.equal(none.scannedCount, 24);
  },

  async "transactions"() {
    const key = (id) => ({ shop: "oslo", id });
    await dynamoose.transaction([
      Order.transaction.update(key(2), { status: "paid" }),
      Order.transaction.delete(key(3)),
      Order.transaction.create(order(50)),
      Order.transaction.condition(key(4), new dynamoose.Condition("status").eq("open")),
    ]);
    const [paid, created] = await dynamoose.transaction([
      Order.transaction.get(key(2)),
      Order.transaction.get(key(50)),
    ]);
    assert.equal(paid.status, "paid");
    assert.equal(created.total, 500);
    assert.equal(await Order.get(key(3)), undefined);
    const refused = dynamoose.transaction([
      Order.transaction.update(key(2), { status: "sent" }),
      Order.transaction.create(order(50)),
    ]);
    await assert.rejects(refused, (error) => {
      assert.equal(error.name, "TransactionCanceledException");
      const codes = error.CancellationReasons.map(({ Code }) => Code);
      assert.deepEqual(codes, ["None", "ConditionalCheckFailed"]);
      return true;
    });
    assert.equal((await Order.get(key(2))).status, "paid");
  },

  async "an item that has expired is not returned"() {
    await Order.create(order(60, { expires: new Date(Date.now() - 6 * 365 * 86_400_000) }));
    assert.equal(await Order.get({ shop: "oslo", id: 60 }), undefined);
  },

  async "a model that changes changes its table"() {
    Order = model({
      ...attributes,
      customer: { type: String, required: true },
      status: { ...attributes.status, index: { name: "byStatus", rangeKey: "id", project: false } },
    });
    table = new dynamoose.Table(TableName, [Order], {
      ...options,
      tags: { team: "sales", stage: "test" },
      tableClass: "infrequentAccess",
      streamOptions: { enabled: true, type: "NEW_IMAGE" },
      update: true,
    });
    await table.initialize();
    const { Table } = await ddb.describeTable({ TableName });
    assert.deepEqual(
      Table.GlobalSecondaryIndexes.map(({ IndexName, IndexStatus }) => [IndexName, IndexStatus]),
      [["byStatus", "ACTIVE"]],
    );
    assert.equal(Table.TableClassSummary.TableClass, "STANDARD_INFREQUENT_ACCESS");
    assert.equal(Table.StreamSpecification.StreamViewType, "NEW_IMAGE");
    const { Tags } = await ddb.listTagsOfResource({ ResourceArn: Table.TableArn });
    assert.deepEqual(Tags.map(({ Key, Value }) => `${Key}=${Value}`).sort(), [
      "stage=test",
      "team=sales",
    ]);
    assert.deepEqual(ids(await Order.query("status").eq("paid").exec()), [2]);
  },

  async "deleted, and gone"() {
    await Order.delete({ shop: "oslo", id: 2 });
    assert.equal(await Order.get({ shop: "oslo", id: 2 }), undefined);
    const { TableDescription } = await ddb.deleteTable({ TableName });
    assert.equal(TableDescription.TableStatus, "DELETING");
    await assert.rejects(
      async () => {
        for (;;) {
          const { Table } = await ddb.describeTable({ TableName });
          assert.equal(Table.TableStatus, "DELETING");
        }
      },
      { name: "ResourceNotFoundException" },
    );
  },
});
ddb.destroy();
