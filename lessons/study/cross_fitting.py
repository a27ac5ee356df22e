"""Cross-fitting: each training problem is asked of a teacher that has not learned from it.

A teacher knows its own training problems by heart, and says little more of them than the recorded
equation. So the problems are split into parts, and there is a teacher for each part, which has
learned from all the others.

Dao et al. 2021, "Knowledge Distillation as Semiparametric Inference" (arXiv 2104.09732)
"""
from tinyprune import recipe
from tinyprune.data import Splits, hold_out
from tinyprune.distill import ensemble_probabilities


def teachers_of_others(run, splits, count, target):
    """`count` teachers: each has learned from all training problems but its own part of them.

    target: the target vocabulary that all share with their student; the words that a teacher has
            not seen are unknown to it
    -> teachers, the vocabularies of each
    """
    teachers = []
    vocabularies = []
    for part in range(count):
        others, _ = hold_out(splits.train, part, count)
        trained, own = recipe.load_or_train_teacher_on(
            Splits(others, [], []), run.data, run.fold, f"teacher-without-part-{part}", seed=part,
            target=target)
        teachers.append(trained.model)
        vocabularies.append(own)
    return teachers, vocabularies


def cross_fitted_probabilities(teachers, problems, vocabularies):
    """What each problem's own teacher says of it: [(2, T, V)], as ensemble_probabilities gives it.

    vocabularies: those of each teacher
    """
    found = [None] * len(problems)
    for part, (teacher, own) in enumerate(zip(teachers, vocabularies)):
        mine = slice(part, None, len(teachers))
        found[mine] = ensemble_probabilities([teacher], problems[mine], own)
    return found
