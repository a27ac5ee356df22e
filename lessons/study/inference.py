"""Dynamic at inference: each problem without the heads that a router leaves out for it.

Beside it stand removal, where all problems do without the same heads, and an oracle that knows each
problem's own gate gradients, and so its equation. All answer greedily, one problem at a time.
"""
from collections import defaultdict
from functools import partial

from runs import Run, folds_of, row, teacher_of
from tinyprune import recipe
from tinyprune.batching import batches, make_batch
from tinyprune.decode import greedy
from tinyprune.evaluate import grade
from tinyprune.masking import remove_heads, select_heads
from tinyprune.measure import costs_of, forced_decoding, interleaved, seconds_of
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
TIMED = 64  # problems


def inference(data):
    return [Run("inference", data, fold, ratio, seed)
            for seed in range(3) for fold in folds_of(data) for ratio in RATIOS]


def execute(run):
    """-> [row]: the whole model, removal, the router and the oracle; the router's also in groups"""
    splits = run.splits()
    ratio = RATIOS[run.plan]
    model, vocabularies = teacher_of(run, splits, run.seed)
    calibration = recipe.calibration_batches(splits.train, vocabularies, CALIBRATION)
    router = fit_router(model, calibration)
    smaller = remove_heads(model, select_heads(score_heads(model, calibration, gradient_score),
                                               ratio))

    def by_router(batch):
        return route(router, model, batch, ratio)[0]

    def by_oracle(batch):
        return least_important(model, problem_importance(model, batch), ratio)[0]

    ways = {"whole": (model, nothing), "removed": (smaller, nothing), "router": (model, by_router),
            "oracle": (model, by_oracle)}
    problems = splits.test
    clock = milliseconds(ways, problems[:TIMED], vocabularies)
    clock["in groups"] = milliseconds_in_groups(model, by_router, problems, vocabularies)
    rows = []
    for way, (used, choose) in ways.items():
        report, chosen = answer_each(used, problems, vocabularies, choose)
        settings = {"way": way, "different choices": len(set(chosen)), "milliseconds": clock}
        facts = dict(model="teacher" if way == "whole" else "pruned", criterion="gradient",
                     ratio=0.0 if way == "whole" else ratio, batch_size=1,
                     milliseconds_per_problem=clock.get(way), teacher_seed=run.seed)
        if way in clock:
            facts["speedup"] = clock["whole"] / clock[way]
        facts |= costs_of(used if choose is nothing else smaller, problems)
        rows.append(row(run, report, "test", GREEDY, settings, facts))
    return rows


def nothing(batch):
    """The choice of a model that loses no head while it answers."""
    return frozenset()


def answer_each(model, problems, vocabularies, choose):
    """-> Report, [the heads that each problem did without]"""
    equations = []
    chosen = []
    for problem in problems:
        batch = make_batch([problem], vocabularies)
        chosen.append(choose(batch))
        with without_heads(model, chosen[-1]):
            [[best, *_]] = greedy(model, batch, vocabularies.target)
        equations.append(best.equation)
    return grade(problems, equations), chosen


def decode_all(model, asked, choose):
    for batch in asked:
        with without_heads(model, choose(batch)):
            forced_decoding(model, batch)


def milliseconds(ways, problems, vocabularies):
    """The median time a problem of each way but the oracle, one problem at a time, in turn."""
    asked = [make_batch([problem], vocabularies)
             for problem in problems if vocabularies.can_write(problem)]
    # The oracle computes gradients, which no solver would.
    timed = {way: partial(decode_all, model, asked, choose)
             for way, (model, choose) in ways.items() if way != "oracle"}
    return {way: 1e3 * took / len(asked) for way, took in interleaved(timed, rounds=5).items()}


def milliseconds_in_groups(model, choose, problems, vocabularies):
    """The time a problem where problems with one choice share a batch of at most 32."""
    groups = defaultdict(list)
    for problem in filter(vocabularies.can_write, problems):
        groups[choose(make_batch([problem], vocabularies))].append(problem)
    asked = [batch for group in groups.values() for batch in batches(group, vocabularies, 32)]
    took = seconds_of(partial(decode_all, model, asked, choose))
    return 1e3 * took / sum(len(batch.source) for batch in asked)
