"""Results as JSON files, and honest intervals: no figure is ever typed by hand.

A result file is one object: the command that wrote it, the tree and machine it ran on, and one row
per measured model. lessons/results/make_tables.py makes the tables from these files.
"""
import json
import os
import platform
import subprocess
import sys
import time

import numpy as np
import torch

from tinyprune.checker import is_right
from tinyprune.files import ROOT, read_json, write_text

RESULTS = ROOT / "lessons" / "results"
# How a model's answers were found: these names stand in the rows' settings.
GREEDY = "greedy"
BEAM = "beam of 5"
BIDIRECTIONAL = "bidirectional"
BEAM_RERANKED = "beam of 5, reranked"
BEST = "bidirectional, reranked"  # the one that counts, chosen before any test problem was asked
# The solvers that learn nothing.
MAJORITY = "majority equation"
NEAREST = "nearest neighbour"

# "verdicts" are the outcomes of the problems, one letter each.
KEYS = """study data split fold model ratio criterion schedule loss seed teacher_seed steps
answer_accuracy equation_accuracy commutative_accuracy problems correct
correct_by_rounding verdicts heads heads_kept parameters parameters_without_embeddings flops
milliseconds_per_problem batch_size speedup settings""".split()


def is_correct(outcomes):
    """Outcomes as 0 and 1: an array."""
    return np.array([float(is_right(outcome)) for outcome in outcomes])


def bootstrap_interval(values):
    """A 95% interval of the mean, from problems drawn again with replacement: (low, high)

    For the difference of two models give the differences problem by problem: that is the paired
    interval.
    """
    distinct, counts = np.unique(values, return_counts=True)
    # Which problems a draw takes does not matter, only how often it takes each value.
    taken = np.random.default_rng(0).multinomial(len(values), counts / len(values), size=10_000)
    means = taken @ distinct / len(values)  # (draws,)
    return tuple(np.quantile(means, [0.025, 0.975]).tolist())


def judge_claim(claim, low, high):
    """Whether our interval leaves room for a figure that others report: a sentence's end.

    The bounds count as they are shown, in tenths of a percent.
    """
    low = round(low, 3)
    high = round(high, 3)
    if low <= claim <= high:
        return "not excluded: our interval holds it"
    lower = high < claim
    return f"does not hold here: ours is {'lower' if lower else 'higher'}"


COMPARED = ("did better", "cannot be told apart", "did worse")


def word_for(low, high):
    """What the interval of a difference allows to say of the first model: one of COMPARED"""
    if low > 0:
        return COMPARED[0]
    if high < 0:
        return COMPARED[2]
    return COMPARED[1]


def compare(first, second):
    """Two models' answers to the same problems, arrays of 0 and 1 or of shares of seeds.

    -> the mean difference in points with its interval, as a text; and what word_for says of it
    """
    gain = first - second
    low, high = bootstrap_interval(gain)
    return points(gain.mean(), low, high), word_for(low, high)


def points(mean, low, high):
    """A difference in shares, with its interval, in points: a text"""
    return f"{100 * mean:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def result_row(report, **facts):
    """One row with every key of KEYS: what a Report (evaluate.py) says, the facts, null elsewhere.

    Raises KeyError for a fact that is not one of KEYS.
    """
    unknown = set(facts) - set(KEYS)
    if unknown:
        raise KeyError(f"no such key in a result row: {sorted(unknown)}")
    measured = dict(answer_accuracy=report.answer_accuracy,
                    equation_accuracy=report.equation_accuracy,
                    commutative_accuracy=report.commutative_accuracy,
                    problems=len(report.outcomes),
                    correct=int(is_correct(report.outcomes).sum()),
                    correct_by_rounding=report.outcomes.count("~"),
                    verdicts=report.outcomes)
    known = measured | facts
    return {key: known.get(key) for key in KEYS}


def git(*words):
    """What git says, or None where there is no git or no repository."""
    try:
        return subprocess.check_output(["git", *words], cwd=ROOT, text=True,
                                       stderr=subprocess.DEVNULL).strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def provenance(started):
    """Where and how a result came to be; started: time.time() at the beginning."""
    status = git("status", "--porcelain")
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return {"command": " ".join(["python", *sys.orig_argv[1:]]),
            "commit": git("rev-parse", "HEAD"),
            "dirty": None if status is None else bool(status),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, {gpu}",
            "threads": torch.get_num_threads(),
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
            "seconds": round(time.time() - started, 1)}


def write_result(path, rows, started):
    """Writes one result file: provenance, and one line a row."""
    head = json.dumps(provenance(started), ensure_ascii=False, indent=1)[:-2]
    body = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    write_text(path, f'{head},\n "rows": [\n{body}\n]}}\n')


def gather(parts):
    """Prints each part, a dict, as soon as it is there -> all of them as one dict"""
    found = {}
    for part in parts:
        print(part, flush=True)
        found |= part
    return found


def write_findings(path, found, started):
    """Writes one object: provenance, and what was found."""
    whole = json.dumps(provenance(started) | found, ensure_ascii=False, indent=1)
    write_text(path, whole + "\n")


def read_rows(pattern):
    """All rows of the recorded result files (RESULTS) whose name fits."""
    rows = []
    for path in sorted(RESULTS.glob(pattern)):
        rows += read_json(path)["rows"]
    return rows


def result_path(folder, row, suffix=""):
    """A result file, named after its first row: study, data, fold and seed, then `suffix`."""
    fold = "" if row["fold"] is None else f"-fold{row['fold']}"
    return folder / f"{row['study']}-{row['data']}{fold}-seed{row['seed']}{suffix}.json"


def write_predictions(path, problems, reports):
    """One JSON line a problem: id, each model's equation and outcome; reports: {name: Report}"""
    lines = []
    for position, problem in enumerate(problems):
        line = {name: {"equation": " ".join(report.equations[position]),
                       "verdict": report.outcomes[position]} for name, report in reports.items()}
        lines.append(json.dumps({"id": problem.id} | line, ensure_ascii=False) + "\n")
    write_text(path, "".join(lines))
