"""Dynamic at inference: each problem without the heads that a router leaves out for it.

Beside it stand removal, where all problems do without the same heads, and an oracle that knows each
problem's own gate gradients, and so its equation. All answer greedily, one problem at a time.
"""
import contextlib
import statistics
from collections import defaultdict
from functools import partial

from runs import Run, costs_of, folds_of, row, teacher_of
from tinyprune import recipe
from tinyprune.batching import batches, make_batch
from tinyprune.decode import greedy
from tinyprune.evaluate import grade
from tinyprune.masking import remove_heads, select_heads
from tinyprune.measure import forced_decoding, seconds_of
from tinyprune.results import GREEDY
from tinyprune.rivals import gradient_score
from tinyprune.router import fit_router, problem_importance, route, without_heads
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
        importance = problem_importance(model, batch)[0].tolist()
        return select_heads(dict(zip(model.heads(), importance)), ratio)

    ways = {"whole": (model, None), "removed": (smaller, None), "router": (model, by_router),
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
        facts |= costs_of(smaller if choose else used, splits)
        rows.append(row(run, report, "test", GREEDY, settings, facts))
    return rows


@contextlib.contextmanager
def chosen_heads(model, batch, choose):
    """Inside, the model does without the heads that `choose` gives for the batch: -> these"""
    pruned = frozenset(choose(batch)) if choose else frozenset()
    with without_heads(model, pruned) if choose else contextlib.nullcontext():
        yield pruned


def answer_each(model, problems, vocabularies, choose):
    """-> Report, [the heads that each problem did without]"""
    equations = []
    chosen = []
    for problem in problems:
        batch = make_batch([problem], vocabularies)
        with chosen_heads(model, batch, choose) as pruned:
            [[best, *_]] = greedy(model, batch, vocabularies.target)
        equations.append(best.equation)
        chosen.append(pruned)
    return grade(problems, equations), chosen


def decode(model, batch, choose):
    with chosen_heads(model, batch, choose):
        forced_decoding(model, batch)


def milliseconds(ways, problems, vocabularies, rounds=5):
    """The median time a problem of each way but the oracle, one problem at a time, in turn."""
    asked = [make_batch([problem], vocabularies)
             for problem in problems if vocabularies.can_write(problem)]
    seconds = defaultdict(list)
    for _ in range(rounds + 1):
        for way, (model, choose) in ways.items():
            if way != "oracle":  # it computes gradients, which no solver would
                took = sum(seconds_of(partial(decode, model, batch, choose)) for batch in asked)
                seconds[way].append(took / len(asked))
    return {way: 1e3 * statistics.median(took[1:]) for way, took in seconds.items()}


def milliseconds_in_groups(model, choose, problems, vocabularies):
    """The time a problem where problems with one choice share a batch of at most 32."""
    groups = defaultdict(list)
    for problem in filter(vocabularies.can_write, problems):
        groups[frozenset(choose(make_batch([problem], vocabularies)))].append(problem)
    asked = [batch for group in groups.values() for batch in batches(group, vocabularies, 32)]
    took = sum(seconds_of(partial(decode, model, batch, choose)) for batch in asked)
    return 1e3 * took / sum(len(batch.source) for batch in asked)
