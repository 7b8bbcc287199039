from floodmark.bottleneck import Utilisation, find_bottleneck


def use(name: str, share: float | None, *, says_share: bool = False) -> Utilisation:
    return Utilisation(name=name, share=share, evidence=f"{name} is in use", says_share=says_share)


def test_the_resource_nearest_its_limit_is_named() -> None:
    found = find_bottleneck([use("cpu", 0.85), use("shard", 0.97), use("heap", 0.1)])
    assert found.name == "shard"
    assert found.evidence == "shard is in use (97% of its limit)."
    assert found.utilisation == {"shard": 0.97, "cpu": 0.85, "heap": 0.1}


def test_exactly_four_fifths_is_a_bottleneck_and_less_is_none() -> None:
    assert find_bottleneck([use("cpu", 0.8)]).name == "cpu"
    found = find_bottleneck([use("cpu", 0.7999), use("shard", 0.3)])
    assert found.name == "none"
    assert found.evidence == "Nothing is above 80% of its limit; nearest to it: cpu is in use (80%)."


def test_what_was_not_measured_is_named_and_has_no_share() -> None:
    found = find_bottleneck([use("cpu", 0.2), use("shard", None)])
    assert found.name == "none"
    assert found.evidence.endswith("Not measured: shard.")
    assert found.utilisation == {"cpu": 0.2}


def test_nothing_measured_is_unknown_and_not_none() -> None:
    found = find_bottleneck([use("shard", None), use("cpu", None)])
    assert found.name == "unknown"
    assert found.evidence == "No utilisation was measured. Not measured: cpu, shard."


def test_a_share_that_the_evidence_says_is_not_said_again() -> None:
    assert find_bottleneck([use("cpu", 0.98, says_share=True)]).evidence == "cpu is in use."
    spare = find_bottleneck([use("cpu", 0.5, says_share=True)])
    assert spare.evidence == "Nothing is above 80% of its limit; nearest to it: cpu is in use."


def test_above_its_limit_outranks_at_its_limit_and_ties_go_by_name() -> None:
    assert find_bottleneck([use("a", 1.0), use("b", 1.2)]).name == "b"
    assert find_bottleneck([use("b", 0.9), use("a", 0.9)]).name == "a"
