#!/usr/bin/env python3
"""Writes comparison.json: pairs of samples, and what SciPy says of them.

    pip install scipy; tests/references/comparison.py

The p-value and U are `scipy.stats.mannwhitneyu(method="asymptotic")`. The shift is the median of all differences. The
interval is that of R's `wilcox.test(conf.int = TRUE, exact = FALSE)`, worked out from SciPy's ranks at every place where
the statistic can change.
"""

import json
import pathlib

import numpy
from scipy import stats

HERE = pathlib.Path(__file__).parent


def standardised(new, old, shift):
    n, m = len(new), len(old)
    # Differences of decimal numbers are rounded; what is tied in truth must be tied here.
    ranks = stats.rankdata(numpy.round(numpy.concatenate([new - shift, old]), 9))
    above = ranks[:n].sum() - n * (n + 1) / 2 - n * m / 2
    _, ties = numpy.unique(ranks, return_counts=True)
    size = n + m
    deviation = numpy.sqrt(n * m / 12 * (size + 1 - (ties**3.0 - ties).sum() / (size * (size - 1))))
    return 0.0 if deviation == 0 else (above - numpy.sign(above) * 0.5) / deviation


def interval(new, old, confidence):
    edges = numpy.unique(numpy.round(numpy.subtract.outer(new, old), 9))
    quantile = stats.norm.ppf(0.5 + confidence / 2)

    def crossing(height):
        if standardised(new, old, edges[0]) <= height:
            return edges[0]
        if standardised(new, old, edges[-1]) >= height:
            return edges[-1]
        low, high = 0, len(edges) - 1
        while high - low > 1:  # between two edges the statistic does not change
            middle = (low + high) // 2
            if standardised(new, old, (edges[middle] + edges[middle + 1]) / 2) > height:
                low = middle
            else:
                high = middle
        return edges[high]

    return [float(crossing(quantile)), float(crossing(-quantile))]


def cases():
    dice = numpy.random.default_rng(5)
    draw = lambda kind, size: numpy.round(kind(size), 3)
    normal = lambda at, wide: lambda size: dice.normal(at, wide, size)
    latency = lambda scale: lambda size: dice.lognormal(3, 0.5, size) * scale
    yield "the same distribution", draw(normal(100, 10), 60), draw(normal(100, 10), 60), 0.98
    yield "a little slower", draw(normal(103, 10), 300), draw(normal(100, 10), 300), 0.98
    yield "much slower", draw(latency(1.5), 120), draw(latency(1), 80), 0.98
    yield "faster", draw(latency(0.7), 90), draw(latency(1), 150), 0.95
    yield "many ties", numpy.round(dice.normal(5, 2, 70)), numpy.round(dice.normal(4, 2, 90)), 0.98
    yield "few values", dice.integers(0, 2, 50).astype(float), dice.integers(0, 2, 55).astype(float), 0.98
    yield "far apart", draw(normal(1000, 1), 50), draw(normal(1, 1), 50), 0.999
    yield "all the same", numpy.full(50, 7.0), numpy.full(60, 7.0), 0.98
    yield "two constants", numpy.full(50, 9.0), numpy.full(60, 7.0), 0.98
    yield "around zero", draw(normal(0, 0.01), 64), draw(normal(0, 0.01), 64), 0.9


def main():
    made = []
    for name, new, old, confidence in cases():
        test = stats.mannwhitneyu(new, old, alternative="two-sided", method="asymptotic", use_continuity=True)
        one = len(numpy.unique(numpy.concatenate([new, old]))) == 1
        made.append({
            "name": name,
            "confidence": confidence,
            "effect": float(test.statistic) / (len(new) * len(old)),
            # SciPy says 0/0 where all points are tied.
            "p_value": 1.0 if one else float(test.pvalue),
            "shift": float(numpy.median(numpy.subtract.outer(new, old))),
            "interval": interval(new, old, confidence),
            "new": new.tolist(),
            "old": old.tolist(),
        })
    (HERE / "comparison.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in made) + "\n]\n")
    for case in made:
        print(case["name"], case["p_value"], case["shift"], case["interval"])


main()
