#!/usr/bin/env python3
"""Writes series.json: samples, and what a real Prometheus says of stretches of them.

    tests/references/series.py        # needs prometheus and promtool; the answers are kept beside this file

The samples are put into a Prometheus as blocks, which is then asked over HTTP. Ranges are closed at the left in Prometheus
2 and open in Prometheus 3 (and here), so that no stretch begins at a sample. Beside it the formulas are worked out here
once more, as Prometheus 3 has them: the two must agree, except for the one case in which Prometheus 2 carried a counter on
further (to the zero of the counter although that is farther than half the distance of two samples).
"""

import json
import math
import pathlib
import random
import socket
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request

START = 1_700_000_000_000  # ms
HERE = pathlib.Path(__file__).parent


def samples():
    """By name: [ms since the start, value], in order."""
    dice = random.Random(17)
    regular, counter, jittered = [], [], []
    total, at = 0, 0
    for n in range(120):
        regular.append([n * 1000, round(dice.gauss(50, 20), 3)])
    for n in range(120):
        total = 3 if n in (40, 41, 77) else total + dice.randint(0, 9)
        counter.append([n * 1000, total])
    total = 0
    for n in range(80):
        at += dice.randint(400, 1900) if n != 30 else 14_000
        total = dice.randint(0, 2) if n == 55 else total + dice.randint(0, 40)
        jittered.append([at, total])
    return {"regular": regular, "counter": counter, "jittered": jittered}


def window(series, at, over):
    return [(t / 1000, v) for t, v in series if at - over < t <= at]


def quantile(percent, values):
    values = sorted(values)
    rank = percent / 100 * (len(values) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(values) - 1)
    return values[low] * (1 - (rank - low)) + values[high] * (rank - low)


def rate(points, at, over, before_3):
    """extrapolatedRate of promql/functions.go."""
    sampled = points[-1][0] - points[0][0]
    growth = points[-1][1] - points[0][1] + sum(a for (_, a), (_, b) in zip(points, points[1:]) if b < a)
    between = sampled / (len(points) - 1)
    start, end = points[0][0] - (at - over) / 1000, at / 1000 - points[-1][0]
    zero = sampled * points[0][1] / growth if growth > 0 and points[0][1] >= 0 else math.inf
    if before_3:
        start = min(start, zero)
    start = start if start < between * 1.1 else between / 2
    end = end if end < between * 1.1 else between / 2
    start = min(start, zero)
    return growth * (sampled + start + end) / sampled / (over / 1000)


def worked_out(function, n, points, at, over, before_3=False):
    values = [v for _, v in points]
    if function == "count":
        return len(points)
    if not points or (function == "rate" and len(points) < 2):
        return None
    if function == "rate":
        return rate(points, at, over, before_3)
    if function == "p":
        return quantile(n, values)
    return {"avg": lambda: math.fsum(values) / len(values), "min": lambda: min(values), "max": lambda: max(values)}[function]()


def promql(function, n, name, over):
    stretch = f"{name}[{over}ms]"
    if function == "p":
        return f"quantile_over_time({n / 100!r}, {stretch})"
    return f"rate({stretch})" if function == "rate" else f"{function}_over_time({stretch})"


class Prometheus:
    def __init__(self, folder, series):
        lines = []
        for name, points in series.items():
            lines.append(f"# TYPE {name} gauge")
            lines += [f"{name} {value} {(START + at) / 1000:.3f}" for at, value in points]
        text, data = folder / "samples.txt", folder / "data"
        text.write_text("\n".join(lines + ["# EOF", ""]))
        subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", text, data], check=True, capture_output=True)
        (folder / "prometheus.yml").write_text("scrape_configs: []\n")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.at = f"127.0.0.1:{free.getsockname()[1]}"
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={data}",
             "--storage.tsdb.retention.time=100y", f"--web.listen-address={self.at}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            try:
                self.get("/-/ready")
                break
            except OSError:
                assert self.process.poll() is None, "Prometheus did not start"
                time.sleep(0.05)

    def get(self, path):
        return urllib.request.urlopen(f"http://{self.at}{path}").read()

    def ask(self, query, at):
        asked = urllib.parse.urlencode({"query": query, "time": f"{(START + at) / 1000:.3f}"})
        result = json.loads(self.get(f"/api/v1/query?{asked}"))["data"]["result"]
        return float(result[0]["value"][1]) if result else None


def main():
    series = samples()
    asked = [(function, None) for function in ("avg", "min", "max", "count", "rate")]
    asked += [("p", n) for n in (0, 25, 50, 90, 99, 99.5, 100)]
    answers, older = [], 0
    with tempfile.TemporaryDirectory() as folder:
        server = Prometheus(pathlib.Path(folder), series)
        try:
            version = json.loads(server.get("/api/v1/status/buildinfo"))["data"]["version"]
            for name, points in series.items():
                # At samples, and a while behind one: there the last samples are without data.
                moments = [points[n][0] for n in (0, 1, 5, 29, 45, 60, 79)] + [points[35][0] + 333, points[-1][0] + 5001]
                for at in moments:
                    for over in (999, 2_999, 9_999, 29_999, 59_999):
                        within = window(points, at, over)
                        for function, n in asked:
                            real = server.ask(promql(function, n, name, over), at)
                            # PromQL has no count of nothing.
                            real = 0 if function == "count" and real is None else real
                            ours = worked_out(function, n, within, at, over)
                            then = worked_out(function, n, within, at, over, before_3=True)
                            same = lambda a, b: a == b or (None not in (a, b) and math.isclose(a, b, rel_tol=1e-12))
                            assert same(real, then), (name, at, over, function, n, real, then)
                            older += not same(ours, then)
                            answers.append([name, at, over, function, n, ours])
        finally:
            server.process.kill()
            server.process.wait()
    made = {"prometheus": version, "differs_before_3": older, "series": series, "answers": answers}
    lines = ",\n".join(f" {json.dumps(key)}: " + (
        "[\n  " + ",\n  ".join(json.dumps(entry) for entry in value) + "\n ]" if key == "answers" else json.dumps(value))
        for key, value in made.items())
    (HERE / "series.json").write_text("{\n" + lines + "\n}\n")
    print(f"{len(answers)} answers of Prometheus {version}, {older} of which are other in Prometheus 3")


main()
