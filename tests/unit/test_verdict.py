from typing import Any

import pytest

from floodmark.run import STAGES, Latency, LatencySummary, Outputs, Records, SloResult
from floodmark.verdict import Measurement, judge

GOOD = LatencySummary(count=20_000, p50=1, p90=2, p99=3, p99_9=4, max=5)
EMPTY = LatencySummary(count=0, p50=None, p90=None, p99=None, p99_9=None, max=None)
RECORDS = Records(offered=1000, accepted=1000, throttled=0, failed=0)
OUTPUTS = Outputs(expected=10, observed=10, lost=0, duplicated=0, unexpected=0)

ADVICE = "close other programs or lower --rate, and run again."


def latency(**stages: LatencySummary) -> Latency:
    return Latency(**{stage: stages.get(stage, GOOD) for stage in STAGES})


def slo(verdict: Any) -> SloResult:
    return SloResult(slo="p99<1s", observed="3 ms", verdict=verdict)


def measurement(**changes: Any) -> Measurement:
    healthy: dict[str, Any] = {
        "records": RECORDS,
        "outputs": OUTPUTS,
        "latency": latency(),
        "slos": (slo("PASS"),),
        "schedule_delay_limit_ms": 20.0,
        "share_sustained": 1.0,
        "void_reason": None,
        "ledger_problem": "",
        "probe_error": "",
        "job_state": "RUNNING",
    }
    return Measurement(**{**healthy, **changes})


def test_a_pass_says_what_was_achieved() -> None:
    judgement = judge(measurement())
    assert judgement.verdict == "PASS"
    assert judgement.reasons == (
        "All 10 expected outputs came out once, and nothing else did.",
        "The objective p99<1s was met: 3 ms.",
        "The generator kept its schedule: the 99th percentile of its delay is 3 ms.",
    )


SLOW = LatencySummary(count=20_000, p50=1, p90=2, p99=21, p99_9=40, max=50)
AT_LIMIT = LatencySummary(count=20_000, p50=1, p90=2, p99=20, p99_9=40, max=50)
FEW = LatencySummary(count=100, p50=1, p90=2, p99=None, p99_9=None, max=20)
FEW_AND_SLOW = LatencySummary(count=100, p50=1, p90=2, p99=None, p99_9=None, max=21)
NOT_A_NUMBER = LatencySummary(count=20_000, p50=1, p90=2, p99=float("nan"), p99_9=4, max=5)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"probe_error": "a shard was lost"}, "The probe did not see everything: a shard was lost."),
        (
            {"broken_part": "the simulator ended by itself"},
            "The system under test broke: the simulator ended by itself.",
        ),
        ({"ledger_problem": "worker 2 was cut off"}, "The ledger is not whole: worker 2 was cut off."),
        ({"job_state": None}, "Nobody knows whether the job was running at the end."),
        ({"job_state": "FAILED"}, "The job was not running at the end: it was FAILED."),
        (
            {"job_state": "RESTARTING", "job_failure": "a shard was lost"},
            "The job was not running at the end: it was RESTARTING (a shard was lost).",
        ),
        ({"void_reason": "backlog too long"}, "The generator declared the run void: backlog too long."),
        (
            {"records": RECORDS.model_copy(update={"missed": 1})},
            "The generator fell behind: 1 due record never sent.",
        ),
        (
            {"latency": latency(schedule=SLOW)},
            "The generator fell behind: the 99th percentile of its schedule delay is 21 ms, the limit 20 ms; " + ADVICE,
        ),
        (
            {"latency": latency(schedule=FEW_AND_SLOW)},
            "The generator fell behind: the maximum of its schedule delay is 21 ms, the limit 20 ms; " + ADVICE,
        ),
        (
            {"latency": latency(schedule=EMPTY)},
            "No record of the measured window was accepted, so the generator's delay is not known.",
        ),
        (
            {"latency": latency(end_to_end=EMPTY)},
            "No output of the measured window was seen, so there is no end-to-end latency.",
        ),
        ({"latency": latency(process=NOT_A_NUMBER)}, "The latency of process is not a number."),
        ({"missing": ("checkpoints.json",)}, "Missing: checkpoints.json."),
        ({"slos": (slo("UNKNOWN"),)}, "The objective p99<1s could not be judged: 3 ms."),
    ],
)
def test_what_cannot_be_believed_is_unknown(changes: dict[str, Any], reason: str) -> None:
    judgement = judge(measurement(**changes))
    assert judgement.verdict == "UNKNOWN"
    assert judgement.reasons == (reason,)


@pytest.mark.parametrize("schedule", [AT_LIMIT, FEW])
def test_a_delay_at_the_limit_is_within_it(schedule: LatencySummary) -> None:
    assert judge(measurement(latency=latency(schedule=schedule))).verdict == "PASS"


def test_a_schedule_delay_that_is_no_number_is_unknown() -> None:
    judgement = judge(measurement(latency=latency(schedule=NOT_A_NUMBER)))
    assert judgement.verdict == "UNKNOWN"
    assert judgement.reasons[0].startswith(
        "The generator fell behind: the 99th percentile of its schedule delay is nan"
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"outputs": OUTPUTS.model_copy(update={"lost": 1})}, "Lost: 1 of 10 expected outputs."),
        ({"outputs": OUTPUTS.model_copy(update={"duplicated": 2})}, "Duplicated: 2 outputs more than expected."),
        (
            {"outputs": OUTPUTS.model_copy(update={"unexpected": 1})},
            "Unexpected: 1 output that nobody asked for, or with wrong contents.",
        ),
        (
            {"records": RECORDS.model_copy(update={"failed": 3})},
            "Failed: 3 of 1,000 offered records never accepted.",
        ),
        ({"slos": (slo("PASS"), slo("FAIL"))}, "The objective p99<1s was not met: 3 ms."),
    ],
)
def test_what_is_wrong_fails(changes: dict[str, Any], reason: str) -> None:
    judgement = judge(measurement(**changes))
    assert judgement.verdict == "FAIL"
    assert judgement.reasons == (reason,)


LOST = OUTPUTS.model_copy(update={"lost": 1})


@pytest.mark.parametrize(
    "changes", [{"void_reason": "late"}, {"latency": latency(schedule=SLOW)}, {"slos": (slo("UNKNOWN"),)}]
)
def test_wrong_outputs_fail_though_the_figures_are_void(changes: dict[str, Any]) -> None:
    judgement = judge(measurement(outputs=LOST, **changes))
    assert judgement.verdict == "FAIL"
    assert judgement.reasons[0] == "Lost: 1 of 10 expected outputs."
    assert len(judgement.reasons) == 2


@pytest.mark.parametrize(
    "changes", [{"probe_error": "gone"}, {"ledger_problem": "cut off"}, {"job_state": "CANCELED"}, {"job_state": None}]
)
def test_wrong_outputs_are_not_known_to_be_wrong_when_nobody_saw_everything(changes: dict[str, Any]) -> None:
    judgement = judge(measurement(outputs=LOST, **changes))
    assert judgement.verdict == "UNKNOWN"
    assert len(judgement.reasons) == 2


@pytest.mark.parametrize(
    "changes",
    [{"slos": (slo("FAIL"), slo("UNKNOWN"))}, {"slos": (slo("FAIL"),), "void_reason": "late"}],
)
def test_unknown_outranks_a_broken_objective(changes: dict[str, Any]) -> None:
    assert judge(measurement(**changes)).verdict == "UNKNOWN"


def test_without_an_oracle_outputs_are_not_judged() -> None:
    unjudged = Outputs(expected=0, observed=7, lost=0, duplicated=0, unexpected=7, judged=False)
    judgement = judge(measurement(outputs=unjudged))
    assert judgement.verdict == "PASS"
    assert not any("expected" in reason for reason in judgement.reasons)


@pytest.mark.parametrize(("share", "verdict"), [(1.0, "PASS"), (0.95, "PASS"), (0.949, "FAIL"), (0.0, "FAIL")])
def test_a_rate_that_was_not_sustained_is_no_pass(share: float, verdict: str) -> None:
    assert judge(measurement(share_sustained=share)).verdict == verdict


def test_the_reason_for_an_unsustained_rate_gives_the_share() -> None:
    (reason,) = judge(measurement(share_sustained=0.668)).reasons
    assert "67%" in reason


@pytest.mark.parametrize(
    ("all_calls_open_s", "who"), [(0.0, "generator fell behind"), (0.039, "generator fell behind")]
)
def test_a_delay_that_no_wait_explains_is_the_generators(all_calls_open_s: float, who: str) -> None:
    judgement = judge(measurement(latency=latency(schedule=SLOW), all_calls_open_s=all_calls_open_s))
    assert judgement.verdict == "UNKNOWN"
    assert who in judgement.reasons[0]


def test_a_service_that_keeps_every_call_waiting_is_named() -> None:
    """The longest delay is 50 ms, of which 40 are the 80 % that must be explained."""
    judgement = judge(measurement(latency=latency(schedule=SLOW), all_calls_open_s=0.04))
    assert judgement.verdict == "UNKNOWN"
    (reason,) = judgement.reasons
    assert reason == (
        "The service held the load up: for 0.04 s every call that may be open waited for its answer, and the 99th "
        "percentile of the schedule delay is 21 ms, the limit 20 ms; look for what kept the service from answering "
        "(on this machine: close other programs), or allow more calls with --senders if it is only far away."
    )


def test_a_wait_without_a_delay_is_nobodys_fault() -> None:
    assert judge(measurement(all_calls_open_s=30.0)).verdict == "PASS"


@pytest.mark.parametrize(("dropped", "verdict"), [(None, "PASS"), (4, "FAIL"), (5, "PASS"), (7, "PASS"), (8, "FAIL")])
def test_flink_must_drop_the_late_records_and_no_others(dropped: int | None, verdict: str) -> None:
    outputs = OUTPUTS.model_copy(update={"late": 5, "late_in_doubt": 2, "late_dropped": dropped})
    judgement = judge(measurement(outputs=outputs))
    assert judgement.verdict == verdict
    complaint = f"Late: Flink dropped {dropped} records, and 5 to 7 were late."
    assert (complaint in judgement.reasons) == (verdict == "FAIL")


def test_what_was_dropped_as_late_is_said() -> None:
    outputs = OUTPUTS.model_copy(update={"late": 1, "late_dropped": 1})
    assert "The job dropped 1 record as late, as it had to." in judge(measurement(outputs=outputs)).reasons
