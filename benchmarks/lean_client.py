"""A Kinesis client that does nothing but what it must, for when a full one would be what is measured."""

import http.client
from typing import Any

import orjson

CALL_WAIT_S = 30.0


class LeanClient:
    """One connection to a simulator at `http://host:port`. It signs nothing and tries nothing again."""

    def __init__(self, endpoint: str) -> None:
        host, _, port = endpoint.removeprefix("http://").partition(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=CALL_WAIT_S)

    def send(self, action: str, body: bytes) -> http.client.HTTPResponse:
        """The answer as it begins; its body is still to be read."""
        headers = {"X-Amz-Target": f"Kinesis_20131202.{action}", "Content-Type": "application/x-amz-json-1.1"}
        self._connection.request("POST", "/", body, headers)
        return self._connection.getresponse()

    def call(self, action: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and answer."""
        response = self.send(action, body)
        raw = response.read()
        return response.status, orjson.loads(raw) if raw else {}

    def ask(self, action: str, **request: Any) -> dict[str, Any]:
        """An answer that must be a success."""
        status, answer = self.call(action, orjson.dumps(request))
        if status != 200:
            raise RuntimeError(f"{action}: {answer}")
        return answer

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()
