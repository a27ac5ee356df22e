"""Dynamic at inference: each problem without the heads that a router leaves out for it.

Beside it stand removal, where all problems do without the same heads, and an oracle that knows each
problem's own gate gradients, and so its equation. All answer greedily, one problem at a time.
"""
from collections import defaultdict

from runs import Run, folds_of, row, teacher_of
from tinyprune import recipe
from tinyprune.batching import batches, make_batch
from tinyprune.decode import greedy
from tinyprune.evaluate import grade
from tinyprune.masking import remove_heads, select_heads
from tinyprune.measure import costs_of, forced_decoding, interleaved
from tinyprune.results import GREEDY
from tinyprune.rivals import gradient_score
from tinyprune.router import (
    fit_router,
    least_important,
    problem_importance,
    route,
    without_heads,
)
from tinyprune.scorer import score_heads

RATIOS = {"30%": 0.3, "50%": 0.5}
CALIBRATION = 1024  # problems; the router has a weight for each channel and head
TIMED = {1: 64, 32: 512}  # {problems in a batch: problems that are timed}


def inference(data):
    return [Run("inference", data, fold, ratio, seed)
            for seed in range(3) for fold in folds_of(data) for ratio in RATIOS]


def execute(run):
    """-> [row]: the whole model, removal, the router and the oracle"""
    splits = run.splits()
    ratio = RATIOS[run.plan]
    model, vocabularies = teacher_of(run, splits, run.seed)
    calibration = recipe.calibration_batches(splits.train, vocabularies, CALIBRATION)
    router = fit_router(model, calibration)
    smaller = remove_heads(model, select_heads(score_heads(model, calibration, gradient_score),
                                               ratio))

    def by_router(batch):
        return route(router, model, batch, ratio)

    def by_oracle(batch):
        return least_important(model, problem_importance(model, batch), ratio)

    ways = {"whole": (model, nothing), "removed": (smaller, nothing), "router": (model, by_router),
            "oracle": (model, by_oracle)}
    problems = splits.test
    clock = {size: milliseconds(ways, problems[:timed], vocabularies, size)
             for size, timed in TIMED.items()}
    rows = []
    for way, (used, choose) in ways.items():
        report, chosen = answer_each(used, problems, vocabularies, choose)
        settings = {"way": way, "different choices": len(set(chosen)), "scope": "kind",
                    "calibration": CALIBRATION,
                    "milliseconds": {size: found.get(way) for size, found in clock.items()}}
        facts = dict(model="teacher" if way == "whole" else "pruned", criterion="gradient",
                     ratio=0.0 if way == "whole" else ratio, batch_size=1,
                     milliseconds_per_problem=clock[1].get(way), teacher_seed=run.seed)
        if way in clock[1]:
            facts["speedup"] = clock[1]["whole"] / clock[1][way]
        facts |= costs_of(used, problems)
        if choose is not nothing:  # heads of a kind cost the same, whichever a problem does without
            facts["flops"] = costs_of(smaller, problems)["flops"]
        rows.append(row(run, report, "test", GREEDY, settings, facts))
    return rows


def nothing(batch):
    """The choices of a model that loses no head while it answers."""
    return [frozenset()] * len(batch.source)


def answer_each(model, problems, vocabularies, choose):
    """-> Report, [the heads that each problem did without]"""
    equations = []
    chosen = []
    for problem in problems:
        batch = make_batch([problem], vocabularies)
        chosen += choose(batch)
        with without_heads(model, chosen[-1]):
            [[best, *_]] = greedy(model, batch, vocabularies.target)
        equations.append(best.equation)
    return grade(problems, equations), chosen


def milliseconds(ways, problems, vocabularies, size):
    """The median time a problem of each way but the oracle, in batches of at most `size`."""
    problems = [problem for problem in problems if vocabularies.can_write(problem)]
    # The oracle computes gradients, which no solver would.
    timed = {way: choose_and_decode(model, choose, problems, vocabularies, size)
             for way, (model, choose) in ways.items() if way != "oracle"}
    return {way: 1e3 * took / len(problems)
            for way, took in interleaved(timed, rounds=5).items()}


def choose_and_decode(model, choose, problems, vocabularies, size):
    """A function to time: it chooses for all problems, and decodes those of one choice together."""
    asked = [make_batch(problems[start:start + size], vocabularies)
             for start in range(0, len(problems), size)]
    choices = sum(map(choose, asked), [])
    groups = defaultdict(list)  # {heads: the problems that do without them}
    for problem, choice in zip(problems, choices):
        groups[choice].append(problem)
    groups = {choice: batches(group, vocabularies, size) for choice, group in groups.items()}

    def call():
        for batch in asked:
            choose(batch)
        for choice, group in groups.items():
            with without_heads(model, choice):
                for batch in group:
                    forced_decoding(model, batch)

    return call
