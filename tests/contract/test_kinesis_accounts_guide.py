"""What docs/how-to/use-accounts-and-on-demand.md tells its readers to type works."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

GUIDE = (Path(__file__).parents[2] / "docs" / "how-to" / "use-accounts-and-on-demand.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def test_the_examples_can_be_run_one_after_the_other(start_simulator: Callable[..., Any], tmp_path: Path) -> None:
    (quotas,) = blocks("toml")
    file = tmp_path / "quick.toml"
    file.write_text(quotas)
    (command,) = blocks("console")
    options = command.split("kinesis ", 1)[1].replace("quick.toml", str(file)).split()
    one = start_simulator(*options, "--streams", "order-stream:1", "--transition-ms", "300")
    names: dict[str, Any] = {}
    for block in blocks("python"):
        exec(block.replace("http://127.0.0.1:4567", one.url), names)
    names["kinesis"].get_waiter("stream_exists").wait(StreamName="clicks", WaiterConfig={"Delay": 1})
    summary = names["kinesis"].describe_stream_summary(StreamName="clicks")["StreamDescriptionSummary"]
    assert (summary["OpenShardCount"], summary["WarmThroughput"]["TargetMiBps"]) == (20, 20)
    start = {"StreamName": "order-stream", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
    iterator = names["owner"].get_shard_iterator(**start)["ShardIterator"]
    (record,) = names["owner"].get_records(ShardIterator=iterator)["Records"]
    assert record["Data"] == b"from the other account"
