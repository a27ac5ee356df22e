"""Does a student say what its teachers say? On the problems that it has learned from, and on new
ones.

The judges are four plain teachers together, all but the one with the student's seed. That fifth one
is asked beside the students: it has learned from the same problems, and nothing from the judges.
"""
import torch

from committee import Committee
from runs import TEACHERS, Run, folds_of
from tinyprune import PAD, recipe
from tinyprune.batching import batches
from tinyprune.distill import mean_probabilities, soft_loss
from tinyprune.evaluate import best_equations, find_candidates
from trainings import HIDDEN, SEEDS, WHOLE, train_plan


def agreement(data):
    return [Run("agreement", data, fold, "models", seed)
            for seed in range(SEEDS) for fold in folds_of(data)]


def execute(run):
    """-> {"models": {plan: {"train", "test", "same equations"}}}

    train, test: KL(judges || model), the mean over the tokens of these problems' recorded equations
    same equations: of the test problems, the share that get the judges' equation, all greedily
    """
    splits = run.splits()
    teachers = [model_of(run, splits, "teacher", seed)[0] for seed in range(TEACHERS)]
    judges = teachers[:run.seed] + teachers[run.seed + 1:]
    found = {}
    for plan in ("teacher", HIDDEN, WHOLE, recipe.MAIN_STUDENTS.get(run.data, WHOLE)):
        model, vocabularies = model_of(run, splits, plan, run.seed)
        mine, theirs = (best_equations(splits.test, find_candidates(asked, splits.test,
                                                                    vocabularies))
                        for asked in (model, Committee(judges)))
        same = sum(map(list.__eq__, mine, theirs)) / len(splits.test)
        found[plan] = {"train": divergence(model, judges, splits.train, vocabularies),
                       "test": divergence(model, judges, splits.test, vocabularies),
                       "same equations": same}
    return {"study": run.study, "data": run.data, "fold": run.fold, "seed": run.seed,
            "models": found}


def model_of(run, splits, plan, seed):
    """A model of the rounds -> model, vocabularies"""
    model, vocabularies, _ = train_plan(Run("rounds", run.data, run.fold, plan, seed), splits)
    return model, vocabularies


@torch.no_grad()
def divergence(model, judges, problems, vocabularies):
    """KL(judges || model) of a token, a mean over the tokens of the problems' equations, as they
    are and mirrored."""
    problems = [problem for problem in problems if vocabularies.can_write(problem)]
    total = 0
    tokens = 0
    for batch in batches(problems, vocabularies, 100, mirrored=True):
        logits = model.eval()(batch.source, batch.lengths, batch.target, start=batch.start)
        real = batch.target != PAD
        mean = soft_loss(logits, mean_probabilities(judges, batch, 1.0), real, temperature=1.0)
        total += (mean * real.sum()).item()
        tokens += real.sum().item()
    return total / tokens
