"""Does a student say what its teachers say, on the problems that it has learned from and on new
ones? And does it read whole texts as well as texts with hidden words?

The teachers are four plain ones together, all but the one with the student's seed. That fifth one
is asked beside the students: it has learned from the same problems, and nothing from the four.
"""
import math
from dataclasses import replace

import torch

from committee import Committee
from runs import TEACHERS, Run, folds_of
from students import HIDDEN, LIVE, RECORDED_PRUNED, VARIED, VARIED_ALONE, VARIED_PRUNED
from tinyprune import PAD, recipe
from tinyprune.batching import batches
from tinyprune.decode import greedy
from tinyprune.distill import mean_probabilities, soft_loss
from tinyprune.evaluate import evaluate_model
from tinyprune.train import drop_words
from trainings import SEEDS, train_plan

LEARNED = 2000  # training problems that are asked, at most
# Plans of the rounds; the main student is asked, too.
ASKED = ("teacher", HIDDEN, LIVE, VARIED_ALONE, VARIED, VARIED_PRUNED)
ASKED_ON_MATH23K = ("teacher", VARIED_ALONE, "scratch", RECORDED_PRUNED)


def agreement(data):
    return [Run("agreement", data, fold, "models", seed)
            for seed in range(SEEDS) for fold in folds_of(data)]


def execute(run):
    """-> {"models": {plan: {"train", "test", "same equations", "whole", "one in ten hidden"}}}

    train, test: KL(teachers || model), a mean over the tokens of these problems' recorded equations
    same equations: of the test problems, the share that get the teachers' equation, all greedily
    whole, one in ten hidden: of the training problems, the share that are right, greedily
    """
    splits = run.splits()
    learned = splits.train[::math.ceil(len(splits.train) / LEARNED)]
    teachers, vocabularies = zip(*(model_of(run, splits, "teacher", seed)
                                   for seed in range(TEACHERS)))
    others = teachers[:run.seed] + teachers[run.seed + 1:]
    theirs = evaluate_model(Committee(others), splits.test, vocabularies[0]).equations
    found = {}
    asked = ASKED_ON_MATH23K if run.data == "math23k" else ASKED
    for plan in dict.fromkeys([*asked, recipe.MAIN_STUDENTS.get(run.data, LIVE)]):
        model, vocabularies = model_of(run, splits, plan, run.seed)
        mine = evaluate_model(model, splits.test, vocabularies).equations
        same = sum(map(list.__eq__, mine, theirs)) / len(splits.test)
        found[plan] = {"train": divergence(model, others, learned, vocabularies),
                       "test": divergence(model, others, splits.test, vocabularies),
                       "same equations": same,
                       "whole": right_with_hidden(model, learned, vocabularies, 0.0),
                       "one in ten hidden": right_with_hidden(model, learned, vocabularies, 0.1)}
    return {"study": run.study, "data": run.data, "fold": run.fold, "seed": run.seed,
            "models": found}


def model_of(run, splits, plan, seed):
    """A model of the rounds -> model, vocabularies"""
    model, vocabularies, _ = train_plan(Run("rounds", run.data, run.fold, plan, seed), splits)
    return model, vocabularies


def right_with_hidden(model, problems, vocabularies, share):
    """The share of the problems that are right, greedily, if this share of the words is hidden."""
    def search(model, batch, vocabulary):
        return greedy(model, replace(batch, source=drop_words(batch.source, share)), vocabulary)

    torch.manual_seed(0)
    return evaluate_model(model, problems, vocabularies, search).answer_accuracy


@torch.no_grad()
def divergence(model, teachers, problems, vocabularies):
    """KL(teachers || model) of a token, a mean over the tokens of the problems' equations, as they
    are and mirrored."""
    problems = [problem for problem in problems if vocabularies.can_write(problem)]
    total = 0
    tokens = 0
    for batch in batches(problems, vocabularies, 100, mirrored=True):
        logits = model.eval()(batch.source, batch.lengths, batch.target, start=batch.start)
        real = batch.target != PAD
        mean = soft_loss(logits, mean_probabilities(teachers, batch, 1.0), real, temperature=1.0)
        total += (mean * real.sum()).item()
        tokens += real.sum().item()
    return total / tokens
