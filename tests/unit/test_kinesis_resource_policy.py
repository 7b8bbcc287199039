"""Policies of streams and consumers, and what they let other accounts do."""

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.accounts.caller import Caller
from simulators.kinesis.accounts.resource_policy import POLICY_CHARACTERS_MAX, parse_policy
from simulators.kinesis.direct import START_MS, DirectService
from simulators.kinesis.errors import ServiceError

OWNER, OTHER, THIRD = "111111111111", "222222222222", "333333333333"
STREAM = f"arn:aws:kinesis:us-east-1:{OWNER}:stream/s"
SHARD = "shardId-000000000000"
PUT = {"Data": "AA==", "PartitionKey": "k"}


def statement(effect: str = "Allow", **changed: Any) -> dict[str, Any]:
    """Lets, or forbids, the other account to do everything to the stream; None takes an element away."""
    usual = {"Effect": effect, "Principal": {"AWS": OTHER}, "Action": "kinesis:*", "Resource": STREAM}
    return {name: value for name, value in (usual | changed).items() if value is not None}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Direct(DirectService):
    """A stream `s` of the owner."""

    def __init__(self) -> None:
        super().__init__(AccountSettings(), START_MS)
        self.as_(OWNER)("CreateStream", StreamName="s", ShardCount=1)

    def as_(self, account_id: str) -> "Direct":
        self.caller = Caller(account_id, "us-east-1")
        return self

    def error(self, action: str, **request: Any) -> ServiceError:
        with pytest.raises(ServiceError) as caught:
            self(action, **request)
        return caught.value

    def share(self, *statements: dict[str, Any], arn: str = STREAM) -> None:
        self.as_(OWNER)("PutResourcePolicy", ResourceARN=arn, Policy=policy(*statements))
        self.as_(OTHER)


@pytest.fixture
def direct() -> Direct:
    return Direct()


def test_a_policy_is_given_back_as_it_was_put_until_it_is_deleted(direct: Direct) -> None:
    assert direct.error("GetResourcePolicy", ResourceARN=STREAM).type == "ResourceNotFoundException"
    for text in (policy(statement()), policy(statement("Deny"))):
        direct("PutResourcePolicy", ResourceARN=STREAM, Policy=text)
        assert direct("GetResourcePolicy", ResourceARN=STREAM) == {"Policy": text}
    direct("DeleteResourcePolicy", ResourceARN=STREAM)
    for action in ("GetResourcePolicy", "DeleteResourcePolicy"):
        assert direct.error(action, ResourceARN=STREAM).type == "ResourceNotFoundException"
    missing = direct.error("PutResourcePolicy", ResourceARN=STREAM + "x", Policy=policy(statement()))
    assert missing.type == "ResourceNotFoundException"


def test_what_a_policy_allows_another_account_can_write_and_read(direct: Direct) -> None:
    denied = direct.as_(OTHER).error("PutRecord", StreamARN=STREAM, **PUT)
    assert (denied.type, denied.message) == (
        "AccessDeniedException",
        (
            f"User: arn:aws:iam::{OTHER}:root is not authorized to perform: kinesis:PutRecord on resource: {STREAM} "
            "because no resource-based policy allows the kinesis:PutRecord action"
        ),
    )
    direct.share(statement())
    direct("PutRecord", StreamARN=STREAM, **PUT)
    direct("PutRecords", StreamARN=STREAM, Records=[PUT])
    start = {"ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = direct("GetShardIterator", StreamARN=STREAM, **start)["ShardIterator"]
    for _ in range(2):
        answer = direct("GetRecords", ShardIterator=iterator)
        assert len(answer["Records"]) == 2
    assert direct("DescribeStream", StreamARN=STREAM)["StreamDescription"]["StreamARN"] == STREAM
    # By its name the stream is that of the caller, who has none.
    assert direct.error("PutRecord", StreamName="s", **PUT).type == "ResourceNotFoundException"
    assert direct.as_(THIRD).error("GetRecords", ShardIterator=iterator).type == "AccessDeniedException"


def test_the_pages_of_a_shared_stream_go_on_by_their_token(direct: Direct) -> None:
    direct("UpdateShardCount", StreamName="s", TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    direct.share(statement())
    token = direct("ListShards", StreamARN=STREAM, MaxResults=1)["NextToken"]
    assert len(direct("ListShards", NextToken=token)["Shards"]) == 2
    assert direct.as_(THIRD).error("ListShards", NextToken=token).type == "AccessDeniedException"
    direct.as_(OWNER)("DeleteResourcePolicy", ResourceARN=STREAM)
    assert direct.as_(OTHER).error("ListShards", NextToken=token).type == "AccessDeniedException"


@pytest.mark.parametrize(
    "action", ["DeleteStream", "MergeShards", "UpdateShardCount", "AddTagsToStream", "RegisterStreamConsumer"]
)
def test_what_changes_a_stream_is_never_shared(direct: Direct, action: str) -> None:
    direct.share(statement())
    assert direct.error(action, StreamARN=STREAM).type == "AccessDeniedException"
    for policies in ("PutResourcePolicy", "GetResourcePolicy", "DeleteResourcePolicy"):
        assert direct.error(policies, ResourceARN=STREAM, Policy="{}").type == "AccessDeniedException"


def test_a_consumer_has_a_policy_of_its_own(direct: Direct) -> None:
    arn = direct("RegisterStreamConsumer", StreamARN=STREAM, ConsumerName="c")["Consumer"]["ConsumerARN"]
    start = {"ConsumerARN": arn, "ShardId": SHARD, "StartingPosition": {"Type": "LATEST"}}
    direct.share(statement(Resource="*"))
    with pytest.raises(ServiceError, match="AccessDeniedException"):
        direct.subscribe(**start)
    direct.share(statement(Resource=arn), arn=arn)
    direct.subscribe(**start)
    for named in ({"ConsumerARN": arn}, {"StreamARN": STREAM, "ConsumerName": "c"}):
        described = direct("DescribeStreamConsumer", **named)["ConsumerDescription"]
        assert described["ConsumerARN"] == arn


@pytest.mark.parametrize(
    ("statements", "is_allowed"),
    [
        ([statement()], True),
        ([statement(Principal="*")], True),
        ([statement(Principal={"AWS": "*"})], True),
        ([statement(Principal={"AWS": f"arn:aws:iam::{OTHER}:root"})], True),
        ([statement(Principal={"AWS": [THIRD, OTHER]})], True),
        ([statement(Principal={"AWS": THIRD})], False),
        ([statement(Principal={"Service": "lambda.amazonaws.com"})], False),
        ([statement(Action="kinesis:PutRecord")], True),
        ([statement(Action=["kinesis:Get*", "KINESIS:PUT*"])], True),
        ([statement(Action="kinesis:PutRecord?")], False),
        ([statement(Action="*")], True),
        ([statement(Action="s3:*")], False),
        ([statement(Action=None, NotAction="kinesis:Get*")], True),
        ([statement(Action=None, NotAction="kinesis:Put*")], False),
        ([statement(Resource="*")], True),
        ([statement(Resource="arn:aws:kinesis:*:*:stream/?")], True),
        ([statement(Resource=STREAM + "x")], False),
        ([statement(Resource=None, NotResource=STREAM)], False),
        ([statement(), statement("Deny", Action="kinesis:PutRecord")], False),
        ([statement("Deny", Principal="*"), statement()], False),
        ([statement(), statement("Deny", Principal={"AWS": THIRD})], True),
        # What cannot be judged lets nobody in.
        ([statement(Condition={"Bool": {"aws:SecureTransport": "true"}})], False),
        ([statement(), statement("Deny", Condition={"Bool": {"aws:SecureTransport": "false"}})], False),
        ([statement(Principal={"AWS": f"arn:aws:iam::{OTHER}:role/reader"})], False),
        ([statement(), statement("Deny", Principal={"AWS": f"arn:aws:iam::{OTHER}:user/mallory"})], False),
        ([statement(Principal=None, NotPrincipal={"AWS": THIRD})], False),
        ([statement(), statement("Deny", Principal=None, NotPrincipal={"AWS": OTHER})], False),
    ],
)
def test_policies_are_evaluated(direct: Direct, statements: list[dict[str, Any]], is_allowed: bool) -> None:
    direct.share(*statements)
    if is_allowed:
        direct("PutRecord", StreamARN=STREAM, **PUT)
    else:
        assert direct.error("PutRecord", StreamARN=STREAM, **PUT).type == "AccessDeniedException"


def test_a_denial_holds_for_the_owner_too_who_can_still_take_it_back(direct: Direct) -> None:
    direct.share(statement("Deny", Principal="*", Action="kinesis:Put*"))
    for named in ({"StreamName": "s"}, {"StreamARN": STREAM}):
        denied = direct.as_(OWNER).error("PutRecord", **named, **PUT)
        assert denied.type == "AccessDeniedException"
        assert "with an explicit deny in a resource-based policy" in str(denied.message)
    direct("ListShards", StreamName="s")
    direct("DeleteResourcePolicy", ResourceARN=STREAM)
    direct("PutRecord", StreamName="s", **PUT)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is not JSON"),
        ("[]", "it is not an object"),
        ("[" * 10_000, "it is not JSON"),
        (" " * (POLICY_CHARACTERS_MAX + 1), "it has more than"),
        ("{}", "it needs 1 to 100 statements"),
        (policy(), "it needs 1 to 100 statements"),
        (json.dumps({"Version": "2024-01-01", "Statement": [statement()]}), "its Version is none of"),
        (json.dumps({"Statements": [statement()]}), "the policy has an unknown element Statements"),
        (policy(statement("Permit")), "the Effect of statement 1 is neither Allow nor Deny"),
        (policy(statement(), statement(Principal=None)), "statement 2 needs either Principal or NotPrincipal"),
        (policy(statement(NotAction="*")), "statement 1 needs either Action or NotAction"),
        (policy(statement(Resource=None)), "statement 1 needs either Resource or NotResource"),
        (policy(statement(Resource=[])), "the Resource of statement 1 is not a text or a list of texts"),
        (policy(statement(Action=[1])), "the Action of statement 1 is not a text or a list of texts"),
        (policy(statement(Principal="me")), 'the Principal of statement 1 is neither "*" nor an object of'),
        (policy(statement(Principal={"AWS": "me"})), "the principal me of statement 1 is no account, user or role"),
        (policy(statement(Extra=1)), "statement 1 has an unknown element Extra"),
    ],
)
def test_a_policy_that_is_none_is_refused(direct: Direct, text: str, reason: str) -> None:
    refused = direct.error("PutResourcePolicy", ResourceARN=STREAM, Policy=text)
    assert refused.type == "InvalidArgumentException"
    assert reason in str(refused.message)


@given(st.text(alphabet="ab*?", max_size=12), st.text(alphabet="ab", max_size=10))
def test_wildcards_match_as_regular_expressions_do(pattern: str, text: str) -> None:

    wanted = re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text) is not None
    parsed = parse_policy(policy(statement(Resource=pattern))) if pattern else None
    assert parsed is None or parsed.allows(OTHER, "kinesis:PutRecord", text) == wanted


def test_a_pattern_made_to_be_slow_is_not() -> None:
    parsed = parse_policy(policy(statement(Resource="*a" * 5000)))
    assert not parsed.allows(OTHER, "kinesis:PutRecord", "a" * 1000 + "b")


def test_the_same_stream_name_in_two_accounts_is_two_streams(direct: Direct) -> None:
    direct.as_(OTHER)("CreateStream", StreamName="s", ShardCount=1)
    direct.share(statement())
    direct("PutRecord", StreamARN=STREAM, Data=base64.b64encode(b"owner").decode(), PartitionKey="k")
    direct("PutRecord", StreamName="s", Data=base64.b64encode(b"other").decode(), PartitionKey="k")
    for account_id, data in ((OWNER, b"owner"), (OTHER, b"other")):
        start = {"StreamName": "s", "ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = direct.as_(account_id)("GetShardIterator", **start)["ShardIterator"]
        (record,) = direct("GetRecords", ShardIterator=iterator)["Records"]
        assert base64.b64decode(record["Data"]) == data


def test_naming_a_second_resource_gets_nobody_past_the_policy_of_the_first(direct: Direct) -> None:
    consumer = direct("RegisterStreamConsumer", StreamARN=STREAM, ConsumerName="c")["Consumer"]["ConsumerARN"]
    direct("CreateStream", StreamName="open", ShardCount=1)
    shared = STREAM[:-1] + "open"
    direct.as_(OTHER)("CreateStream", StreamName="s", ShardCount=1)
    own = STREAM.replace(OWNER, OTHER)
    start = {"ShardId": SHARD, "ShardIteratorType": "LATEST"}
    hidden = direct.as_(OWNER)("GetShardIterator", StreamARN=STREAM, **start)["ShardIterator"]
    direct("UpdateShardCount", StreamName="s", TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    page = direct("ListShards", StreamARN=STREAM, MaxResults=1)["NextToken"]
    direct.share(statement(Resource="*"), arn=consumer)
    direct.share(statement(Resource="*"), arn=shared)
    for request in ({"ConsumerARN": consumer}, {"ResourceARN": shared}):
        assert direct.error("PutRecord", StreamARN=STREAM, **request, **PUT).type == "AccessDeniedException"
    for named in (shared, own):
        assert direct.error("GetRecords", ShardIterator=hidden, StreamARN=named).type == "InvalidArgumentException"
        assert direct.error("ListShards", NextToken=page, StreamARN=named).type == "InvalidArgumentException"
