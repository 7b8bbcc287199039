import java.math.BigInteger;
import java.net.URI;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.protocols.jsoncore.JsonWriter;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisClient;
import software.amazon.awssdk.services.kinesis.model.*;

/**
 * The contract as the SDK for Java sees it: {@code java Contract URL STREAM async|sync} prints what it saw as JSON.
 *
 * <p>What is done and what must come out is said in test_kinesis_clients.py. The asynchronous client speaks HTTP/2; the
 * synchronous one speaks HTTP/1.1 and has no SubscribeToShard.
 */
public final class Contract {
    private static final String FIRST = "shardId-000000000000";
    private static final String LAST_HASH = BigInteger.TWO.pow(128).subtract(BigInteger.ONE).toString();
    private static final long WAIT_S = 60;

    private final Map<String, Object> said = new LinkedHashMap<>();
    private final KinesisAsyncClient asynchronous;
    private final KinesisClient synchronous;
    private final String stream;

    private Contract(URI endpoint, String stream, boolean isAsynchronous) {
        this.stream = stream;
        this.asynchronous = isAsynchronous ? KinesisAsyncClient.builder().endpointOverride(endpoint).build() : null;
        this.synchronous = isAsynchronous ? null : KinesisClient.builder().endpointOverride(endpoint).build();
    }

    public static void main(String[] arguments) throws Exception {
        Contract contract = new Contract(URI.create(arguments[0]), arguments[1], arguments[2].equals("async"));
        contract.run();
        JsonWriter writer = JsonWriter.create();
        write(writer, contract.said);
        System.out.write(writer.getBytes());
        System.out.flush();
        System.exit(0);
    }

    private void run() throws Exception {
        String streamArn = createAndDescribe();
        String latest = putAndRead();
        fail(latest);
        String consumerArn = register(streamArn);
        if (asynchronous != null) {
            subscribe(consumerArn);
        }
        call("deregisterStreamConsumer", DeregisterStreamConsumerRequest.builder().consumerARN(consumerArn).build());
        call("deleteStream", DeleteStreamRequest.builder().streamName(stream).build());
        said.put("deleted", failure("describeStreamSummary", summaryOf(stream)).get("name"));
    }

    private String createAndDescribe() throws Exception {
        call("createStream", CreateStreamRequest.builder().streamName(stream).shardCount(2).tags(Map.of("team", "data")).build());
        if (asynchronous != null) {
            asynchronous.waiter().waitUntilStreamExists(r -> r.streamName(stream)).get(WAIT_S, TimeUnit.SECONDS);
        } else {
            synchronous.waiter().waitUntilStreamExists(r -> r.streamName(stream));
        }
        DescribeStreamSummaryResponse described = call("describeStreamSummary", summaryOf(stream));
        StreamDescriptionSummary summary = described.streamDescriptionSummary();
        said.put("summary", Map.of(
            "arn", summary.streamARN(), "status", summary.streamStatusAsString(), "openShards", summary.openShardCount()));
        ListShardsResponse first = call("listShards", ListShardsRequest.builder().streamName(stream).maxResults(1).build());
        ListShardsResponse second = call("listShards", ListShardsRequest.builder().nextToken(first.nextToken()).build());
        said.put("pages", List.of(shardIds(first), shardIds(second)));
        ListStreamsResponse listed = call("listStreams", ListStreamsRequest.builder().limit(1000).build());
        said.put("listed", listed.streamNames().contains(stream));
        ListTagsForStreamResponse tags = call("listTagsForStream", ListTagsForStreamRequest.builder().streamName(stream).build());
        said.put("tags", tags.tags().stream().collect(Collectors.toMap(Tag::key, Tag::value)));
        return summary.streamARN();
    }

    private String putAndRead() throws Exception {
        SdkBytes binary = SdkBytes.fromByteArray(new byte[] {0, (byte) 255, (byte) 254});
        PutRecordResponse put = call("putRecord", PutRecordRequest.builder()
            .streamName(stream).data(binary).partitionKey("key \"é\" \uD83D\uDE00").explicitHashKey("0").build());
        said.put("put", Map.of("shardId", put.shardId(), "sequenceNumber", put.sequenceNumber()));
        String latest = iterator(ShardIteratorType.LATEST, start -> { });
        PutRecordsResponse answer = putRecords(
            entry(SdkBytes.fromUtf8String("one"), "0"),
            entry(SdkBytes.fromUtf8String("zwei é \uD83D\uDE00"), "0"),
            entry(SdkBytes.fromUtf8String("other"), LAST_HASH));
        said.put("putRecords", Map.of("failed", answer.failedRecordCount(), "records", answer.records().stream()
            .map(one -> Map.of("shardId", one.shardId(), "sequenceNumber", one.sequenceNumber())).collect(Collectors.toList())));
        GetRecordsResponse read = getRecords(iterator(ShardIteratorType.TRIM_HORIZON, start -> { }));
        said.put("trimHorizon", read.records().stream().map(one -> Map.of(
            "data", text(one), "key", one.partitionKey(), "sequenceNumber", one.sequenceNumber(),
            "arrivalMs", one.approximateArrivalTimestamp().toEpochMilli())).collect(Collectors.toList()));
        said.put("behindMs", read.millisBehindLatest());
        String second = answer.records().get(0).sequenceNumber();
        Instant arrived = read.records().get(0).approximateArrivalTimestamp();
        said.put("latest", texts(getRecords(latest).records()));
        said.put("atSequence", data(ShardIteratorType.AT_SEQUENCE_NUMBER, start -> start.startingSequenceNumber(second)));
        said.put("afterSequence", data(ShardIteratorType.AFTER_SEQUENCE_NUMBER, start -> start.startingSequenceNumber(second)));
        said.put("atTimestamp", data(ShardIteratorType.AT_TIMESTAMP, start -> start.timestamp(arrived)));
        return latest;
    }

    private void fail(String latest) throws Exception {
        GetShardIteratorRequest noNumber = GetShardIteratorRequest.builder()
            .streamName(stream).shardId(FIRST).shardIteratorType(ShardIteratorType.AT_SEQUENCE_NUMBER).build();
        said.put("errors", Map.of(
            "missingStream", failure("describeStreamSummary", summaryOf("missing")),
            "noSequenceNumber", failure("getShardIterator", noNumber),
            "limit", failure("getRecords", GetRecordsRequest.builder().shardIterator(latest).limit(10_001).build())));
        PutRecordsRequestEntry big = entry(SdkBytes.fromByteArray(new byte[700_000]), LAST_HASH);
        PutRecordsResponse answer = putRecords(big, big);
        Map<String, Object> throttled = new LinkedHashMap<>();
        throttled.put("failed", answer.failedRecordCount());
        throttled.put("codes", answer.records().stream().map(PutRecordsResultEntry::errorCode).collect(Collectors.toList()));
        throttled.put("message", answer.records().get(1).errorMessage());
        said.put("throttled", throttled);
    }

    private String register(String streamArn) throws Exception {
        call("registerStreamConsumer", RegisterStreamConsumerRequest.builder().streamARN(streamArn).consumerName("reader").build());
        DescribeStreamConsumerResponse described = call("describeStreamConsumer",
            DescribeStreamConsumerRequest.builder().streamARN(streamArn).consumerName("reader").build());
        ConsumerDescription consumer = described.consumerDescription();
        said.put("consumer", Map.of("name", consumer.consumerName(), "status", consumer.consumerStatusAsString()));
        return consumer.consumerARN();
    }

    /** Reads the first shard to the end that a split brings, then its child until a record has come. */
    private void subscribe(String consumerArn) throws Exception {
        List<String> pushed = new ArrayList<>();
        List<String> children = new ArrayList<>();
        boolean[] split = {false};
        subscription(consumerArn, FIRST, event -> {
            pushed.addAll(texts(event.records()));
            event.childShards().forEach(child -> children.add(child.shardId()));
            if (pushed.size() == 3 && !split[0]) {
                split[0] = true;
                asynchronous.splitShard(r -> r.streamName(stream).shardToSplit(FIRST).newStartingHashKey("1000"))
                    .thenCompose(done -> asynchronous.putRecord(r -> r.streamName(stream).partitionKey("k")
                        .explicitHashKey("0").data(SdkBytes.fromUtf8String("after"))));
            }
        }).get(WAIT_S, TimeUnit.SECONDS);
        children.sort(null);
        said.put("pushed", pushed);
        said.put("children", children);
        CompletableFuture<List<String>> fromChild = new CompletableFuture<>();
        CompletableFuture<Void> reading = subscription(consumerArn, "shardId-000000000002", event -> {
            if (!event.records().isEmpty()) {
                fromChild.complete(texts(event.records()));
            }
        });
        said.put("pushedByChild", fromChild.get(WAIT_S, TimeUnit.SECONDS));
        reading.cancel(true);
    }

    private CompletableFuture<Void> subscription(String consumerArn, String shard, Consumer<SubscribeToShardEvent> take) {
        SubscribeToShardRequest request = SubscribeToShardRequest.builder().consumerARN(consumerArn).shardId(shard)
            .startingPosition(position -> position.type(ShardIteratorType.TRIM_HORIZON)).build();
        return asynchronous.subscribeToShard(request, SubscribeToShardResponseHandler.builder()
            .subscriber(SubscribeToShardResponseHandler.Visitor.builder().onSubscribeToShardEvent(take).build()).build());
    }

    private PutRecordsResponse putRecords(PutRecordsRequestEntry... entries) throws Exception {
        return call("putRecords", PutRecordsRequest.builder().streamName(stream).records(entries).build());
    }

    private static PutRecordsRequestEntry entry(SdkBytes data, String hashKey) {
        return PutRecordsRequestEntry.builder().data(data).partitionKey("k").explicitHashKey(hashKey).build();
    }

    private GetRecordsResponse getRecords(String iterator) throws Exception {
        return call("getRecords", GetRecordsRequest.builder().shardIterator(iterator).limit(10).build());
    }

    private List<String> data(ShardIteratorType type, Consumer<GetShardIteratorRequest.Builder> start) throws Exception {
        return texts(getRecords(iterator(type, start)).records());
    }

    private String iterator(ShardIteratorType type, Consumer<GetShardIteratorRequest.Builder> start) throws Exception {
        GetShardIteratorRequest.Builder request =
            GetShardIteratorRequest.builder().streamName(stream).shardId(FIRST).shardIteratorType(type);
        start.accept(request);
        GetShardIteratorResponse answer = call("getShardIterator", request.build());
        return answer.shardIterator();
    }

    private static DescribeStreamSummaryRequest summaryOf(String name) {
        return DescribeStreamSummaryRequest.builder().streamName(name).build();
    }

    private Map<String, Object> failure(String action, KinesisRequest request) throws Exception {
        try {
            call(action, request);
        } catch (KinesisException error) {
            return Map.of("name", error.awsErrorDetails().errorCode(), "message", error.awsErrorDetails().errorMessage(),
                "status", error.statusCode());
        }
        return Map.of();
    }

    /** Calls an action of whichever client there is, and waits for its answer. */
    @SuppressWarnings("unchecked")
    private <T> T call(String action, KinesisRequest request) throws Exception {
        try {
            Object answer = asynchronous != null
                ? KinesisAsyncClient.class.getMethod(action, request.getClass()).invoke(asynchronous, request)
                : KinesisClient.class.getMethod(action, request.getClass()).invoke(synchronous, request);
            return (T) (answer instanceof CompletableFuture ? ((CompletableFuture<?>) answer).join() : answer);
        } catch (CompletionException | java.lang.reflect.InvocationTargetException error) {
            throw (Exception) error.getCause();
        }
    }

    private static List<String> shardIds(ListShardsResponse page) {
        return page.shards().stream().map(Shard::shardId).collect(Collectors.toList());
    }

    private static List<String> texts(List<software.amazon.awssdk.services.kinesis.model.Record> records) {
        return records.stream().map(Contract::text).collect(Collectors.toList());
    }

    private static String text(software.amazon.awssdk.services.kinesis.model.Record one) {
        return Base64.getEncoder().encodeToString(one.data().asByteArray());
    }

    private static void write(JsonWriter writer, Object value) {
        if (value instanceof Map) {
            writer.writeStartObject();
            ((Map<?, ?>) value).forEach((name, member) -> {
                writer.writeFieldName((String) name);
                write(writer, member);
            });
            writer.writeEndObject();
        } else if (value instanceof List) {
            writer.writeStartArray();
            ((List<?>) value).forEach(member -> write(writer, member));
            writer.writeEndArray();
        } else if (value == null) {
            writer.writeNull();
        } else if (value instanceof Number) {
            writer.writeValue(((Number) value).longValue());
        } else if (value instanceof Boolean) {
            writer.writeValue((Boolean) value);
        } else {
            writer.writeValue((String) value);
        }
    }
}
