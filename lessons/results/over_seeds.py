"""Rows of many seeds and folds as one cell of a table.

A model's accuracy is the mean over its seeds, problem by problem, then over the problems of all
folds. Intervals in brackets are over problems. ± of an accuracy is the standard deviation of the
seeds' own means; ± of anything else is half of a 95% interval over folds, without folds over seeds.
"""
import math
from collections import defaultdict
from operator import itemgetter

import numpy as np

from tables import against
from tinyprune.results import bootstrap_interval, is_correct


def mean_correct(rows, key):
    """{key(row): for each problem, the share of the rows with this key that are right}: arrays"""
    found = defaultdict(list)
    for row in rows:
        found[key(row)].append(is_correct(row["verdicts"]))
    return {name: np.mean(correct, axis=0) for name, correct in found.items()}


def by_problem(rows):
    """Rows of one model, many seeds and folds -> {fold: the share of its seeds that are right}"""
    return mean_correct(rows, itemgetter("fold"))


def by_model(rows):
    """Rows -> {(fold, seed): which of its problems are right, a mean over the rows}: arrays"""
    return mean_correct(rows, itemgetter("fold", "seed"))


def differences(mine, theirs):
    """Two dicts of arrays -> {name: the difference} of the names that both have"""
    return {name: mine[name] - theirs[name] for name in mine if name in theirs}


def joined(by_fold):
    """{fold: array} -> one array, one fold after the other"""
    return np.concatenate(list(by_fold.values()))


def accuracy_of(rows):
    return joined(by_problem(rows)).mean()


def gains_by_fold(rows, others):
    """{fold: the difference of two models on its problems} of the folds that both have: arrays"""
    return differences(by_problem(rows), by_problem(others))


def gains_by_model(rows, others):
    """{(fold, seed): the mean difference}

    Of each fold that both have, with all seeds of each (the seed is None). Where that is one fold
    alone, of each seed that both have.
    """
    gained = gains_by_fold(rows, others)
    if len(gained) > 1:
        return {(fold, None): values.mean() for fold, values in gained.items()}
    gained = differences(by_model(rows), by_model(others))
    return {model: values.mean() for model, values in gained.items()}


def independent(values):
    """{(fold, seed): number} -> [the seeds' mean of each fold], or the seeds' numbers of one fold

    Models of one fold have learned from the same problems, so they say much the same. Two folds
    still share most of their training problems.
    """
    folds = defaultdict(list)
    for (fold, _), value in values.items():
        folds[fold].append(value)
    return [np.mean(found) for found in folds.values()] if len(folds) > 1 else [*values.values()]


def spread(rows):
    """The standard deviation of the seeds' accuracies on the folds that all of them have.

    None for one seed, or without such a fold
    """
    models = by_model(rows)
    folds_of = defaultdict(set)  # {seed: its folds}
    for fold, seed in models:
        folds_of[seed].add(fold)
    shared = set.intersection(*folds_of.values())
    if len(folds_of) < 2 or not shared:
        return None
    means = []
    for seed in folds_of:
        correct = [models[fold, seed] for fold in shared]
        means.append(np.concatenate(correct).mean())
    return np.std(means, ddof=1)


# Student's t for a 95% interval of a mean, by the number of values; more than five take the last,
# which is a little wide for them
T_QUANTILE = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}


def mean_and_half(values):
    """{(fold, seed): number} -> the mean, and half of its 95% interval (Student's t)

    The half is None for one model.
    """
    values = independent(values)
    if len(values) < 2:
        return np.mean(values), None
    quantile = T_QUANTILE[min(len(values), max(T_QUANTILE))]
    return np.mean(values), quantile * np.std(values, ddof=1) / math.sqrt(len(values))


def over_files(files, measure):
    """The mean over models, and half of its 95% interval; measure: (file) -> number"""
    return mean_and_half({(file["fold"], file["seed"]): measure(file) for file in files})


def with_half(cell, half, digits):
    """A cell of a mean, and half of its interval behind it, unless that is None"""
    return cell if half is None else f"{cell} ± {half:.{digits}f}"


def shown_mean(rows):
    """Accuracy with its interval over problems, and ± over seeds: a cell."""
    if not rows:
        return ""
    values = joined(by_problem(rows))
    low, high = bootstrap_interval(values)
    between = spread(rows)
    seeds = "" if between is None else f" ± {100 * between:.1f}"
    return f"{values.mean():.1%}{seeds} ({low:.1%} to {high:.1%})"


def began_as(rows):
    """{(fold, seed)} of the plain teachers that these rows' models are copies of"""
    return {(row["fold"], row["teacher_seed"]) for row in rows
            if row["settings"].get("start") == "copy" and not row["settings"].get("origin")}


def origins(rows, teachers):
    """The plain teachers that these rows are compared with: those that copies began as, or all."""
    began = began_as(rows)
    return [row for row in teachers if (row["fold"], row["seed"]) in began] if began else teachers


def counted(rows):
    """How many seeds and folds stand behind a row: a cell."""
    seeds = defaultdict(set)
    for row in rows:
        seeds[row["fold"]].add(row["seed"])
    numbers = sorted({len(of_fold) for of_fold in seeds.values()})
    text = str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}–{numbers[-1]}"
    return text if len(seeds) == 1 else f"{text} × {len(seeds)} folds"


def relative(rows, whole, key):
    """A cost against the whole model's on the same folds: a cell, empty if one was not counted."""
    folds = {row["fold"] for row in rows}
    whole = [row for row in whole if row["fold"] in folds]
    return against(rows, whole, key) if whole and rows[0][key] is not None else ""
