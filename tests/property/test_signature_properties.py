"""Our signature of the one kind of request is the one that botocore makes."""

import datetime
from unittest import mock

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from floodmark.producer.signature import RequestSigner

printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


@settings(deadline=None)
@given(
    body=st.binary(max_size=3000),
    host=st.from_regex(r"[a-z0-9.-]{1,30}(:[1-9][0-9]{1,4})?", fullmatch=True),
    region=st.from_regex(r"[a-z]{2}-[a-z]{4,9}-[0-9]", fullmatch=True),
    access=printable,
    secret=printable,
    token=st.one_of(st.none(), printable),
    second=st.integers(0, 4_000_000_000),
)
def test_heads_are_signed_as_botocore_signs_them(
    body: bytes, host: str, region: str, access: str, secret: str, token: str | None, second: int
) -> None:
    credentials = Credentials(access, secret, token)
    signer = RequestSigner(
        host=host,
        content_type="application/x-amz-json-1.1",
        target="Kinesis_20131202.PutRecords",
        service="kinesis",
        region=region,
        credentials=credentials.get_frozen_credentials,
        now_ns=lambda: second * 1_000_000_000 + 5,
    )
    request = AWSRequest(
        method="POST",
        url=f"http://{host}/",
        data=body,
        headers={"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Kinesis_20131202.PutRecords"},
    )
    moment = datetime.datetime.fromtimestamp(second, datetime.UTC)
    with (
        mock.patch("botocore.auth.get_current_datetime", return_value=moment),
        mock.patch("botocore.auth._host_from_url", return_value=host),
    ):
        SigV4Auth(credentials, "kinesis", region).add_auth(request)
    for _ in range(2):  # the second time from what is kept for this second
        first, *lines = signer.head(body).decode().split("\r\n")
        ours = dict(line.split(": ", 1) for line in lines if line)
        assert first == "POST / HTTP/1.1"
        assert lines[-2:] == ["", ""]
        assert ours["Authorization"] == request.headers["Authorization"]
        assert ours["Host"] == host
        assert ours["Content-Length"] == str(len(body))
        assert {name: ours[name] for name in dict(request.headers.items())} == dict(request.headers.items())


def test_new_credentials_are_used_at_once() -> None:
    given = [Credentials("old", "x").get_frozen_credentials(), Credentials("new", "y").get_frozen_credentials()]
    signer = RequestSigner(
        host="h",
        content_type="c",
        target="t",
        service="kinesis",
        region="r",
        credentials=lambda: given.pop(0),
        now_ns=lambda: 0,
    )
    assert b"Credential=old/" in signer.head(b"")
    assert b"Credential=new/" in signer.head(b"")
