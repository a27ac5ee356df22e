"""Curves: accuracy against the share of heads that are removed, for each way to choose them.

curves:        without training after; greedy answers
trials-curves: the same on validation problems, to choose the best way
"""
from runs import CHOICES, Run, folds_of, row, teacher_of
from tinyprune import recipe
from tinyprune.evaluate import evaluate_model
from tinyprune.masking import remove_heads, select_heads
from tinyprune.measure import costs_of
from tinyprune.results import GREEDY
from tinyprune.scorer import score_heads

RATIOS = [tenths / 10 for tenths in range(8)]
# Greedy elimination where the lowest of all heads go, whatever their kind.
WAYS = CHOICES | {"greedy, all kinds": CHOICES["greedy"]}


def curves(data, study="curves"):
    """Three seeds; on ASDiv-A of all folds."""
    return [Run(study, data, fold, name, seed)
            for seed in range(3) for fold in folds_of(data) for name in WAYS]


def trials_curves(data):
    return [run for run in curves(data, "trials-curves") if run.seed == 0]


def execute(run):
    """Scores the teacher's heads once, and asks the problems without the lowest: -> [row]"""
    splits = run.splits()
    teacher, vocabularies = teacher_of(run, splits, run.seed)
    count = recipe.EXPERIMENTS[run.data].calibration
    calibration = recipe.calibration_batches(splits.train, vocabularies, count)
    scores = score_heads(teacher, calibration, WAYS[run.plan])
    scope = "all" if run.plan.endswith("all kinds") else "kind"
    settings = {"scope": scope, "calibration": count}
    rows = []
    for ratio in RATIOS:
        smaller = remove_heads(teacher, select_heads(scores, ratio, scope))
        facts = dict(model="pruned", ratio=ratio, schedule="one-shot", criterion=run.plan,
                     teacher_seed=run.seed) | costs_of(smaller, splits.test or splits.valid)
        for split in run.asked():
            if problems := getattr(splits, split):
                report = evaluate_model(smaller, problems, vocabularies)
                rows.append(row(run, report, split, GREEDY, settings, facts))
    return rows
