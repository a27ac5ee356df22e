"""Rows of many seeds and folds as one cell of a table.

A model's accuracy is the mean over its seeds, problem by problem, then over the problems of all
folds. Intervals are over problems; ± is the standard deviation of the seeds' own means.
"""
from collections import defaultdict

import numpy as np

from tables import against
from tinyprune.results import bootstrap_interval, compare, is_correct


def by_problem(rows):
    """Rows of one model, many seeds and folds -> {fold: the share of its seeds that are right}"""
    seeds = defaultdict(list)
    for row in rows:
        seeds[row["fold"]].append(is_correct(row["verdicts"]))
    return {fold: np.mean(correct, axis=0) for fold, correct in seeds.items()}


def of_all_folds(rows):
    """by_problem, one fold after the other: an array"""
    return np.concatenate(list(by_problem(rows).values()))


def accuracy_of(rows):
    return of_all_folds(rows).mean()


def gains(rows, others):
    """The difference of two models on the problems of the folds that both have: an array"""
    mine = by_problem(rows)
    theirs = by_problem(others)
    return np.concatenate([mine[fold] - theirs[fold] for fold in mine if fold in theirs] or [[]])


def spread(rows):
    """The standard deviation of the seeds' accuracies, or None for one seed."""
    seeds = defaultdict(list)
    for row in rows:
        seeds[row["seed"]].append(is_correct(row["verdicts"]))
    means = [np.concatenate(correct).mean() for correct in seeds.values()]
    return np.std(means, ddof=1) if len(means) > 1 else None


def shown_mean(rows):
    """Accuracy with its interval over problems, and ± over seeds: a cell."""
    if not rows:
        return ""
    values = of_all_folds(rows)
    low, high = bootstrap_interval(values)
    between = spread(rows)
    seeds = "" if between is None else f" ± {100 * between:.1f}"
    return f"{values.mean():.1%}{seeds} ({low:.1%} to {high:.1%})"


def shown_difference(rows, others):
    """In points, with an interval paired over problems, on the folds that both have: a cell."""
    values = gains(rows, others)
    if not len(values):
        return ""
    return compare(values, 0)[0]


def origins(rows, teachers):
    """The plain teachers that these rows are compared with: those that copies began as, or all."""
    began = {(row["fold"], row["teacher_seed"]) for row in rows
             if row["settings"].get("start") == "copy" and not row["settings"].get("origin")}
    return [row for row in teachers if (row["fold"], row["seed"]) in began] if began else teachers


def counted(rows):
    """How many seeds and folds stand behind a row: a cell."""
    seeds = defaultdict(set)
    for row in rows:
        seeds[row["fold"]].add(row["seed"])
    numbers = sorted({len(of_fold) for of_fold in seeds.values()})
    text = "–".join(map(str, [numbers[0], *numbers[1:][-1:]]))
    return text if len(seeds) == 1 else f"{text} × {len(seeds)} folds"


def relative(rows, whole, key):
    """A cost against the whole model's on the same folds: a cell, empty if it was not counted."""
    folds = {row["fold"] for row in rows}
    whole = [row for row in whole if row["fold"] in folds]
    return "" if rows[0][key] is None else against(rows, whole, key)
