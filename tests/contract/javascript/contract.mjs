// The contract as the SDK for JavaScript sees it: `node contract.mjs URL STREAM` prints what it saw as JSON.
// What is done and what must come out is said in test_kinesis_clients.py.

import * as sdk from "@aws-sdk/client-kinesis";

const [endpoint, StreamName] = process.argv.slice(2);
const kinesis = new sdk.KinesisClient({ endpoint });
const FIRST = "shardId-000000000000";
const LAST_HASH = (2n ** 128n - 1n).toString();
const said = {};

const call = (name, request) => kinesis.send(new sdk[`${name}Command`](request));
const text = (data) => Buffer.from(data).toString("base64");
const bytes = (string) => Buffer.from(string, "utf8");

async function iterator(ShardIteratorType, start = {}) {
  return (await call("GetShardIterator", { StreamName, ShardId: FIRST, ShardIteratorType, ...start })).ShardIterator;
}

async function data(kind, start) {
  const { Records } = await call("GetRecords", { ShardIterator: await iterator(kind, start) });
  return Records.map((one) => text(one.Data));
}

async function failure(name, request) {
  try {
    await call(name, request);
  } catch (error) {
    return { name: error.name, message: error.message, status: error.$metadata.httpStatusCode };
  }
  return {};
}

await call("CreateStream", { StreamName, ShardCount: 2, Tags: { team: "data" } });
await sdk.waitUntilStreamExists({ client: kinesis, maxWaitTime: 30 }, { StreamName });
const { StreamDescriptionSummary: summary } = await call("DescribeStreamSummary", { StreamName });
const StreamARN = summary.StreamARN;
said.summary = { arn: StreamARN, status: summary.StreamStatus, openShards: summary.OpenShardCount };
let page = await call("ListShards", { StreamName, MaxResults: 1 });
said.pages = [page.Shards.map((one) => one.ShardId)];
page = await call("ListShards", { NextToken: page.NextToken });
said.pages.push(page.Shards.map((one) => one.ShardId));
said.listed = false;
for await (const names of sdk.paginateListStreams({ client: kinesis }, {})) {
  said.listed ||= names.StreamNames.includes(StreamName);
}
const { Tags } = await call("ListTagsForStream", { StreamName });
said.tags = Object.fromEntries(Tags.map((one) => [one.Key, one.Value]));

const binary = { Data: Uint8Array.from([0, 255, 254]), PartitionKey: 'key "é" 😀', ExplicitHashKey: "0" };
const put = await call("PutRecord", { StreamName, ...binary });
said.put = { shardId: put.ShardId, sequenceNumber: put.SequenceNumber };
const latest = await iterator("LATEST");
let answer = await call("PutRecords", {
  StreamName,
  Records: [
    { Data: bytes("one"), PartitionKey: "k", ExplicitHashKey: "0" },
    { Data: bytes("zwei é 😀"), PartitionKey: "k", ExplicitHashKey: "0" },
    { Data: bytes("other"), PartitionKey: "k", ExplicitHashKey: LAST_HASH },
  ],
});
said.putRecords = {
  failed: answer.FailedRecordCount,
  records: answer.Records.map((one) => ({ shardId: one.ShardId, sequenceNumber: one.SequenceNumber })),
};
const read = await call("GetRecords", { ShardIterator: await iterator("TRIM_HORIZON"), Limit: 10 });
said.trimHorizon = read.Records.map((one) => ({
  data: text(one.Data),
  key: one.PartitionKey,
  sequenceNumber: one.SequenceNumber,
  arrivalMs: one.ApproximateArrivalTimestamp.getTime(),
}));
said.behindMs = read.MillisBehindLatest;
said.latest = (await call("GetRecords", { ShardIterator: latest })).Records.map((one) => text(one.Data));
const second = { StartingSequenceNumber: answer.Records[0].SequenceNumber };
said.atSequence = await data("AT_SEQUENCE_NUMBER", second);
said.afterSequence = await data("AFTER_SEQUENCE_NUMBER", second);
said.atTimestamp = await data("AT_TIMESTAMP", { Timestamp: read.Records[0].ApproximateArrivalTimestamp });

said.errors = {
  missingStream: await failure("DescribeStreamSummary", { StreamName: "missing" }),
  noSequenceNumber: await failure("GetShardIterator", {
    StreamName,
    ShardId: FIRST,
    ShardIteratorType: "AT_SEQUENCE_NUMBER",
  }),
  limit: await failure("GetRecords", { ShardIterator: latest, Limit: 10_001 }),
};
const big = { Data: new Uint8Array(700_000), PartitionKey: "k", ExplicitHashKey: LAST_HASH };
answer = await call("PutRecords", { StreamName, Records: [big, big] });
said.throttled = {
  failed: answer.FailedRecordCount,
  codes: answer.Records.map((one) => one.ErrorCode ?? null),
  message: answer.Records[1].ErrorMessage,
};

await call("RegisterStreamConsumer", { StreamARN, ConsumerName: "reader" });
const described = await call("DescribeStreamConsumer", { StreamARN, ConsumerName: "reader" });
const { ConsumerARN, ConsumerName, ConsumerStatus } = described.ConsumerDescription;
said.consumer = { name: ConsumerName, status: ConsumerStatus };

async function subscribe(ShardId) {
  const StartingPosition = { Type: "TRIM_HORIZON" };
  return (await call("SubscribeToShard", { ConsumerARN, ShardId, StartingPosition })).EventStream;
}

async function splitAndPut() {
  await call("SplitShard", { StreamName, ShardToSplit: FIRST, NewStartingHashKey: "1000" });
  await call("PutRecord", { StreamName, Data: bytes("after"), PartitionKey: "k", ExplicitHashKey: "0" });
}

said.pushed = [];
let split;
for await (const { SubscribeToShardEvent: event } of await subscribe(FIRST)) {
  said.pushed.push(...event.Records.map((one) => text(one.Data)));
  if (said.pushed.length === 3) split ??= splitAndPut();
  said.children = (event.ChildShards ?? []).map((one) => one.ShardId).sort();
}
await split;
for await (const { SubscribeToShardEvent: event } of await subscribe("shardId-000000000002")) {
  if (event.Records.length) {
    said.pushedByChild = event.Records.map((one) => text(one.Data));
    break;
  }
}
await call("DeregisterStreamConsumer", { ConsumerARN });
await call("DeleteStream", { StreamName });
said.deleted = (await failure("DescribeStreamSummary", { StreamName })).name;
kinesis.destroy();
console.log(JSON.stringify(said));
