"""Quantiles of the distributions that numbers are drawn from, as whole numbers of the smallest unit."""

import math
from statistics import NormalDist

INTERVALS = 1024
"""Evenly spaced in probability; a power of two, as `QuantileTable` wants it."""

CUT_SIGMAS = 4


def log_normal(*, median: float, sigma: float, end: int, least: int = 1) -> list[int]:
    """A log-normal distribution cut at `end`; its lowest thousandth begins at `least`."""
    normal = NormalDist()
    kept = normal.cdf(math.log(end / median) / sigma)
    inner = [round(median * math.exp(sigma * normal.inv_cdf(kept * at / INTERVALS))) for at in range(1, INTERVALS)]
    return [least, *inner, end]


def pareto(*, least: int, shape: float, end: int) -> list[int]:
    """A Pareto distribution from `least` on, cut at `end`."""
    return [*(min(end, round(least * (1 - at / INTERVALS) ** (-1 / shape))) for at in range(INTERVALS)), end]


def normal(*, mean: float, sigma: float, least: int, end: int) -> list[int]:
    """A normal distribution cut at four standard deviations; what lies outside `least` to `end` is moved to there."""
    bell = NormalDist(mean, sigma)
    inner = [bell.inv_cdf(at / INTERVALS) for at in range(1, INTERVALS)]
    every = [mean - CUT_SIGMAS * sigma, *inner, mean + CUT_SIGMAS * sigma]
    return [min(end, max(least, round(quantile))) for quantile in every]
