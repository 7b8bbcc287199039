"""Aggregates are read back as they were made, by us and by protobuf; whatever else there is, is a plain record."""

import hashlib

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

from floodmark.aggregate import MAGIC, UserRecord, aggregate, deaggregate

record = st.builds(
    UserRecord,
    st.text(min_size=1, max_size=20),
    st.binary(max_size=300),
    st.one_of(st.none(), st.integers(0, 2**128 - 1).map(str)),
)


def message_class() -> tuple[type, type]:
    """AggregatedRecord as protobuf itself makes it from the published fields."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="kpl.proto", package="kpl", syntax="proto2")
    inner = file.message_type.add(name="Record")
    inner.field.add(name="partition_key_index", number=1, type=field.TYPE_UINT64, label=field.LABEL_REQUIRED)
    inner.field.add(name="explicit_hash_key_index", number=2, type=field.TYPE_UINT64, label=field.LABEL_OPTIONAL)
    inner.field.add(name="data", number=3, type=field.TYPE_BYTES, label=field.LABEL_REQUIRED)
    outer = file.message_type.add(name="AggregatedRecord")
    for number, name in ((1, "partition_key_table"), (2, "explicit_hash_key_table")):
        outer.field.add(name=name, number=number, type=field.TYPE_STRING, label=field.LABEL_REPEATED)
    outer.field.add(
        name="records", number=3, type=field.TYPE_MESSAGE, label=field.LABEL_REPEATED, type_name=".kpl.Record"
    )
    POOL.AddSerializedFile(file.SerializeToString())
    POOL.FindMessageTypeByName("kpl.Record")
    classes = message_factory.GetMessageClassesForFiles(["kpl.proto"], POOL)
    return classes["kpl.AggregatedRecord"], classes["kpl.Record"]


POOL = descriptor_pool.DescriptorPool()
Aggregated, Inner = message_class()


@given(st.lists(record, min_size=1, max_size=30))
def test_an_aggregate_holds_what_was_put_into_it(records: list[UserRecord]) -> None:
    data = aggregate(records)
    assert deaggregate(data) == records
    read = Aggregated.FromString(data[4:-16])
    assert [
        UserRecord(
            read.partition_key_table[one.partition_key_index],
            one.data,
            read.explicit_hash_key_table[one.explicit_hash_key_index]
            if one.HasField("explicit_hash_key_index")
            else None,
        )
        for one in read.records
    ] == records
    again = MAGIC + read.SerializeToString() + hashlib.md5(read.SerializeToString()).digest()
    assert deaggregate(again) == records


@given(st.lists(record, min_size=1, max_size=5), st.integers(0), st.integers(1, 255))
def test_a_damaged_aggregate_is_a_plain_record(records: list[UserRecord], place: int, change: int) -> None:
    data = bytearray(aggregate(records))
    data[place % len(data)] ^= change
    assert deaggregate(bytes(data)) is None


@given(st.binary(max_size=200))
def test_whatever_the_trailer_covers_is_never_an_error(body: bytes) -> None:
    found = deaggregate(MAGIC + body + hashlib.md5(body).digest())
    assert found is None or isinstance(found, list)
    assert deaggregate(body) is None or body.startswith(MAGIC)
