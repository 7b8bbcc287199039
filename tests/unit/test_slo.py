from fractions import Fraction

import pytest

from floodmark.errors import ConfigurationError
from floodmark.run import STAGES, Latency, LatencySummary, Outputs, Records
from floodmark.slo import evaluate, parse_slo

NOTHING = LatencySummary(count=0, p50=None, p90=None, p99=None, p99_9=None, max=None)


def latency(**stages: LatencySummary) -> Latency:
    return Latency(**{stage: stages.get(stage, NOTHING) for stage in STAGES})


def summary(count: int = 20_000, **points: float | None) -> LatencySummary:
    return LatencySummary(count=count, **{"p50": 1, "p90": 2, "p99": 3, "p99_9": 4, "max": 5, **points})


def records(**counts: int) -> Records:
    return Records(**{"offered": 1000, "accepted": 1000, "throttled": 0, "failed": 0, **counts})


def outputs(**counts: int | bool) -> Outputs:
    return Outputs(**{"expected": 10, "observed": 10, "lost": 0, "duplicated": 0, "unexpected": 0, **counts})


@pytest.mark.parametrize(
    ("text", "name", "comparison", "limit"),
    [
        ("p99<800ms", "p99", "<", 800),
        ("p99.9<=2s", "p99.9", "<=", 2000),
        ("max<5s", "max", "<", 5000),
        (" max < 1.5m ", "max", "<", 90_000),
        ("schedule.p99<20ms", "schedule.p99", "<", 20),
        ("end_to_end.p99.9<0.5s", "end_to_end.p99.9", "<", 500),
        ("lost<=0", "lost", "<=", 0),
        ("missed<1", "missed", "<", 1),
        ("accepted>=99.9%", "accepted", ">=", Fraction(999, 10)),
    ],
)
def test_objectives_are_read(text: str, name: str, comparison: str, limit: Fraction) -> None:
    slo = parse_slo(text)
    assert (slo.name, slo.comparison, slo.limit) == (name, comparison, limit)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is no objective"),
        ("p99", "'p99' is no objective"),
        ("p99=800ms", "'p99=800ms' is no objective"),
        ("p99<-5ms", "'p99<-5ms' is no objective"),
        ("p99<nanms", "'p99<nanms' is no objective"),
        ("p98<800ms", "speaks of 'p98', which is no figure, did you mean 'p99'?"),
        ("P99<800ms", "speaks of 'P99', which is no figure, did you mean 'p99'?"),
        ("shedule.p99<20ms", "did you mean 'schedule.p99'?"),
        ("zzz<1", "speaks of 'zzz', which is no figure"),
        ("p99<800", "has the unit '', and p99 takes ms or s or m"),
        ("p99<800us", "has the unit 'us', and p99 takes ms or s or m"),
        ("lost<=0ms", "has the unit 'ms', and lost takes no unit"),
        ("accepted>=99.9", "has the unit '', and accepted takes %"),
        ("p99>800ms", "p99 can only be asked to be at most something"),
        ("accepted<=99%", "accepted can only be asked to be at least something"),
    ],
)
def test_what_is_no_objective_is_refused_with_the_grammar(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_slo(text)
    assert message in caught.value.message
    assert "p99<800ms" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "verdict", "observed"),
    [
        ("p99<800ms", "PASS", "799 ms"),
        ("p99<799ms", "FAIL", "799 ms"),
        ("p99<=799ms", "PASS", "799 ms"),
        ("p99.9<1s", "PASS", "999 ms"),
        ("max<5s", "FAIL", "12,345 ms"),
        ("p50<1ms", "UNKNOWN", "not a number"),
        ("schedule.p99<20ms", "UNKNOWN", "not measured: 900 samples, and p99 needs 1,000"),
        ("schedule.max<20ms", "PASS", "7 ms"),
        ("put.p99<1s", "UNKNOWN", "not measured: there are no samples"),
        ("lost<=0", "FAIL", "2"),
        ("lost<=2", "PASS", "2"),
        ("duplicated<1", "PASS", "0"),
        ("failed<=0", "PASS", "0"),
        ("throttled<10", "FAIL", "10"),
        ("accepted>=99.9%", "PASS", "999 of 1,000 = 99.900 %"),
        ("accepted>99.9%", "FAIL", "999 of 1,000 = 99.900 %"),
    ],
)
def test_objectives_are_held_against_figures(text: str, verdict: str, observed: str) -> None:
    result = evaluate(
        parse_slo(text),
        latency=latency(
            end_to_end=summary(p50=float("nan"), p99=799, p99_9=999, max=12_345),
            schedule=summary(count=900, p99=None, p99_9=None, max=7),
        ),
        records=records(accepted=999, throttled=10),
        outputs=outputs(lost=2),
    )
    assert (result.slo, result.verdict, result.observed) == (text, verdict, observed)


def test_no_offer_and_no_oracle_are_unknown() -> None:
    nothing = records(offered=0, accepted=0)
    unjudged = outputs(judged=False)
    for text in ("accepted>=1%", "lost<=0"):
        result = evaluate(parse_slo(text), latency=latency(), records=nothing, outputs=unjudged)
        assert result.verdict == "UNKNOWN"
