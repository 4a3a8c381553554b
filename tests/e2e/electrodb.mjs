// A lending library, modelled with ElectroDB: three entities in one table with two global indexes.
// Argument: the server's URL.
import assert from "node:assert/strict";
import { CreateTableCommand, DeleteTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import electrodb from "electrodb";
import { run } from "./steps.mjs";

const { Entity, Service } = electrodb;

const table = "electrodb-library";
const client = new DynamoDBClient({
  endpoint: process.argv[2],
  region: "us-east-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
  maxAttempts: 1,
});

const key = (field, ...composite) => ({ field, composite });

const Member = new Entity(
  {
    model: { entity: "member", version: "1", service: "library" },
    attributes: {
      memberId: { type: "string", required: true },
      branch: { type: "string", required: true },
      name: { type: "string", required: true },
      fees: { type: "number", default: 0 },
      interests: { type: "set", items: "string" },
      address: {
        type: "map",
        properties: { street: { type: "string" }, city: { type: "string" } },
      },
      visits: { type: "list", items: { type: "number" }, default: [] },
    },
    indexes: {
      member: { collection: "account", pk: key("pk", "memberId"), sk: key("sk") },
      branch: {
        index: "gsi1",
        collection: "branch",
        pk: key("gsi1pk", "branch"),
        sk: key("gsi1sk", "name", "memberId"),
      },
    },
  },
  { client, table },
);

const Book = new Entity(
  {
    model: { entity: "book", version: "1", service: "library" },
    attributes: {
      isbn: { type: "string", required: true },
      branch: { type: "string", required: true },
      title: { type: "string", required: true },
      author: { type: "string", required: true },
      year: { type: "number" },
      copies: { type: "number", default: 1 },
    },
    indexes: {
      book: { pk: key("pk", "isbn"), sk: key("sk") },
      branch: {
        index: "gsi1",
        collection: "branch",
        pk: key("gsi1pk", "branch"),
        sk: key("gsi1sk", "title", "isbn"),
      },
      author: { index: "gsi2", pk: key("gsi2pk", "author"), sk: key("gsi2sk", "year", "title") },
    },
  },
  { client, table },
);

const Loan = new Entity(
  {
    model: { entity: "loan", version: "1", service: "library" },
    attributes: {
      memberId: { type: "string", required: true },
      isbn: { type: "string", required: true },
      due: { type: "string", required: true },
      status: { type: ["out", "returned"], default: "out" },
    },
    indexes: {
      loan: { collection: "account", pk: key("pk", "memberId"), sk: key("sk", "isbn") },
      due: {
        index: "gsi2",
        pk: key("gsi2pk", "status"),
        sk: key("gsi2sk", "due", "memberId", "isbn"),
      },
    },
  },
  { client, table },
);

const library = new Service({ Member, Book, Loan });
const names = (records, attribute) => records.map((record) => record[attribute]);

await run({
  async "a table for all entities"() {
    const attributes = ["pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk"];
    const schema = (hash, range) => [
      { AttributeName: hash, KeyType: "HASH" },
      { AttributeName: range, KeyType: "RANGE" },
    ];
    await client.send(
      new CreateTableCommand({
        TableName: table,
        BillingMode: "PAY_PER_REQUEST",
        AttributeDefinitions: attributes.map((AttributeName) => ({
          AttributeName,
          AttributeType: "S",
        })),
        KeySchema: schema("pk", "sk"),
        GlobalSecondaryIndexes: ["gsi1", "gsi2"].map((IndexName) => ({
          IndexName,
          KeySchema: schema(`${IndexName}pk`, `${IndexName}sk`),
          Projection: { ProjectionType: "ALL" },
        })),
      }),
    );
  },

  async "create fails on what is there, put and upsert don't"() {
    const ada = { memberId: "m1", branch: "north", name: "Ada", interests: ["maths", "engines"] };
    const { data } = await Member.create(ada).go();
    assert.equal(data.fees, 0);
    await assert.rejects(Member.create(ada).go(), /conditional request failed/);
    await Member.put({ ...ada, address: { street: "St James Square 12", city: "London" } }).go();
    await Member.upsert({ memberId: "m2", branch: "north", name: "Bob" })
      .add({ fees: 2 })
      .go();
    await Member.upsert({ memberId: "m2", branch: "north", name: "Bob" })
      .add({ fees: 3 })
      .go();
    const bob = await Member.get({ memberId: "m2" }).go();
    assert.equal(bob.data.fees, 5);
    assert.equal((await Member.get({ memberId: "m9" }).go()).data, null);
  },

  async "updates of every kind"() {
    const { data } = await Member.patch({ memberId: "m1" })
      .set({ fees: 10 })
      .append({ visits: [1, 2] })
      .add({ interests: ["music"] })
      .data((attributes, operations) => {
        operations.set(attributes.address.city, "Nottingham");
        operations.remove(attributes.address.street);
      })
      .go({ response: "all_new" });
    assert.equal(data.fees, 10);
    assert.deepEqual(data.visits, [1, 2]);
    assert.deepEqual([...data.interests].sort(), ["engines", "maths", "music"]);
    assert.deepEqual(data.address, { city: "Nottingham" });
    await Member.update({ memberId: "m1" })
      .subtract({ fees: 4 })
      .delete({ interests: ["maths"] })
      .go();
    const { data: ada } = await Member.get({ memberId: "m1" }).go({
      attributes: ["fees", "interests"],
    });
    assert.deepEqual(ada, { fees: 6, interests: ["engines", "music"] });
    await assert.rejects(Member.patch({ memberId: "m9" }).set({ fees: 1 }).go());
  },

  async "a condition decides, and tells what it met"() {
    const enough = Member.patch({ memberId: "m1" })
      .subtract({ fees: 100 })
      .where(({ fees }, { gte }) => gte(fees, 100));
    await assert.rejects(enough.go(), /conditional request failed/);
    const { rejected, data } = await Member.patch({ memberId: "m1" })
      .subtract({ fees: 6 })
      .where(({ fees, name }, { gte, begins }) => `${gte(fees, 6)} AND ${begins(name, "A")}`)
      .go({ response: "updated_new" });
    assert.ok(!rejected);
    assert.equal(data.fees, 0);
  },

  async "batches of more than one request"() {
    const books = Array.from({ length: 60 }, (_, i) => ({
      isbn: `isbn-${String(i).padStart(3, "0")}`,
      branch: i % 2 ? "south" : "north",
      title: `Title ${String(i).padStart(3, "0")}`,
      author: `Author ${i % 3}`,
      year: 1960 + i,
    }));
    const put = await Book.put(books).go({ concurrency: 2 });
    assert.deepEqual(put.unprocessed, []);
    const keys = [...books.map(({ isbn }) => ({ isbn })), { isbn: "isbn-none" }];
    const got = await Book.get(keys).go({ preserveBatchOrder: true });
    assert.equal(got.data.length, 61);
    assert.deepEqual(names(got.data.slice(0, 60), "year"), names(books, "year"));
    assert.equal(got.data[60], null);
    assert.deepEqual(got.unprocessed, []);
  },

  async "queries of indexes, in order, by every condition on the sort key"() {
    const titles = async (query, options) => names((await query.go(options)).data, "year");
    const author = Book.query.author({ author: "Author 1" });
    assert.equal((await titles(author, { pages: "all" })).length, 20);
    const between = (from, to) =>
      Book.query.author({ author: "Author 1" }).between({ year: from }, { year: to });
    assert.deepEqual(await titles(between(1961, 1971)), [1961, 1964, 1967, 1970]);
    const after = Book.query.author({ author: "Author 1" }).gt({ year: 2010 });
    assert.deepEqual(await titles(after), [2012, 2015, 2018]);
    const last = Book.query.author({ author: "Author 1" }).lt({ year: 1968 });
    assert.deepEqual(await titles(last, { order: "desc" }), [1967, 1964, 1961]);
    const begins = Book.query.branch({ branch: "north" }).begins({ title: "Title 01" });
    assert.deepEqual(await titles(begins), [1970, 1972, 1974, 1976, 1978]);
    const filtered = Book.query
      .author({ author: "Author 0" })
      .where(({ year, title }, { between, contains }) =>
        `${between(year, 1960, 1990)} AND ${contains(title, "2")}`,
      );
    assert.deepEqual(await titles(filtered), [1972, 1981, 1984, 1987]);
  },

  async "pages follow each other to the end"() {
    const seen = [];
    let cursor = null, pages = 0;
    do {
      const page = await Book.query.branch({ branch: "south" }).go({ cursor, limit: 7 });
      assert.ok(page.data.length <= 7);
      seen.push(...names(page.data, "isbn"));
      cursor = page.cursor;
      ++pages;
    } while (cursor !== null);
    assert.equal(new Set(seen).size, 30);
    assert.equal(seen.length, 30);
    assert.deepEqual(seen, [...seen].sort());
    assert.equal(pages, 5);
    const counted = await Book.query.branch({ branch: "south" }).go({ count: 12 });
    assert.equal(counted.data.length, 12);
  },

  async "a scan sees one entity"() {
    const { data } = await Book.scan
      .where(({ copies }, { exists }) => exists(copies))
      .go({ pages: "all" });
    assert.equal(data.length, 60);
    assert.equal((await Member.scan.go({ pages: "all" })).data.length, 2);
  },

  async "a loan is a transaction"() {
    const lend = (memberId, isbn) =>
      library.transaction
        .write(({ Member, Book, Loan }) => [
          Member.check({ memberId })
            .where(({ fees }, { eq }) => eq(fees, 0))
            .commit(),
          Book.patch({ isbn })
            .subtract({ copies: 1 })
            .where(({ copies }, { gt }) => gt(copies, 0))
            .commit(),
          Loan.create({ memberId, isbn, due: "2030-01-31" }).commit({ response: "all_old" }),
        ])
        .go();
    assert.equal((await lend("m1", "isbn-001")).canceled, false);
    const again = await lend("m1", "isbn-001");
    assert.equal(again.canceled, true);
    assert.deepEqual(names(again.data, "code"), ["None", "ConditionalCheckFailed",
      "ConditionalCheckFailed"]);
    assert.equal(again.data[2].item.isbn, "isbn-001");
    const indebted = await lend("m2", "isbn-002");
    assert.deepEqual(names(indebted.data, "code"), ["ConditionalCheckFailed", "None", "None"]);
    assert.equal((await lend("m1", "isbn-003")).canceled, false);

    const { data } = await library.transaction
      .get(({ Book, Loan }) => [
        Book.get({ isbn: "isbn-001" }).commit(),
        Loan.get({ memberId: "m1", isbn: "isbn-001" }).commit(),
        Loan.get({ memberId: "m2", isbn: "isbn-002" }).commit(),
      ])
      .go();
    assert.equal(data[0].item.copies, 0);
    assert.equal(data[1].item.status, "out");
    assert.equal(data[2].item, null);
  },

  async "a transaction with a token is done once"() {
    const pay = () =>
      library.transaction
        .write(({ Member }) => [Member.update({ memberId: "m2" }).subtract({ fees: 1 }).commit()])
        .go({ token: "payment-1" });
    assert.equal((await pay()).canceled, false);
    assert.equal((await pay()).canceled, false);
    assert.equal((await Member.get({ memberId: "m2" }).go()).data.fees, 4);
  },

  async "collections answer several entities at once"() {
    const account = await library.collections.account({ memberId: "m1" }).go();
    assert.deepEqual(names(account.data.Member, "name"), ["Ada"]);
    assert.deepEqual(names(account.data.Loan, "isbn"), ["isbn-001", "isbn-003"]);
    const branch = await library.collections.branch({ branch: "north" }).go({ pages: "all" });
    assert.equal(branch.data.Book.length, 30);
    assert.deepEqual(names(branch.data.Member, "name"), ["Ada", "Bob"]);
  },

  async "an entry moves with its index key"() {
    await Loan.patch({ memberId: "m1", isbn: "isbn-001" }).set({ status: "returned" })
      .composite({ due: "2030-01-31" }).go();
    const out = await Loan.query.due({ status: "out" }).go();
    assert.deepEqual(names(out.data, "isbn"), ["isbn-003"]);
    const returned = await Loan.query.due({ status: "returned" }).go();
    assert.deepEqual(names(returned.data, "isbn"), ["isbn-001"]);
  },

  async "what is removed was there"() {
    await Loan.remove({ memberId: "m1", isbn: "isbn-003" }).go();
    await assert.rejects(Loan.remove({ memberId: "m1", isbn: "isbn-003" }).go());
    const gone = await Loan.delete({ memberId: "m1", isbn: "isbn-001" })
      .go({ response: "all_old" });
    assert.equal(gone.data.status, "returned");
    const { data } = await Book.query.branch({ branch: "south" }).go({ pages: "all" });
    const { unprocessed } = await Book.delete(data.map(({ isbn }) => ({ isbn }))).go();
    assert.deepEqual(unprocessed, []);
    assert.deepEqual((await Book.query.branch({ branch: "south" }).go()).data, []);
    await client.send(new DeleteTableCommand({ TableName: table }));
  },
});
client.destroy();
