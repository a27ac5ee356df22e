"""Cross-fitting: each training problem is asked of a teacher that has not learned from it.

A teacher knows its own training problems by heart, and says little more of them than the recorded
equation. So the problems are split into parts, and there is a teacher for each part, which has
learned from all the others. The study `cross-fitting` (trainings.py) has students of such teachers;
the study `targets` is here.

Dao et al. 2021, "Knowledge Distillation as Semiparametric Inference" (arXiv 2104.09732)
"""
import torch

from runs import TEACHERS, Run, folds_of, teacher_of
from tinyprune import recipe
from tinyprune.data import Splits, hold_out
from tinyprune.distill import cross_fitted_probabilities, ensemble_probabilities
from tinyprune.vocabulary import Vocabularies


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


def targets(data):
    return [Run("targets", data, fold, "teachers", 0) for fold in folds_of(data)]


def execute(run):
    """What do teachers say of problems that they know by heart, and of others? Temperature 1.

    -> {"said": {who, of which problems: as `sureness` gives it}}
    """
    splits = run.splits()
    words = Vocabularies.of(splits.train, recipe.EXPERIMENTS[run.data].min_count)
    plain = [teacher_of(run, splits, seed)[0] for seed in range(TEACHERS)]
    others, own = teachers_of_others(run, splits, TEACHERS, words.target)
    said = {"cross-fitted teachers, training problems":
                (splits.train, cross_fitted_probabilities(others, splits.train, own, 1.0))}
    for who, teachers in (("one plain teacher", plain[:1]), ("five plain teachers", plain)):
        for what, problems in (("training", splits.train), ("test", splits.test)):
            said[f"{who}, {what} problems"] = (
                problems, ensemble_probabilities(teachers, problems, words, 1.0))
    return {"study": run.study, "data": run.data, "fold": run.fold, "seed": run.seed,
            "said": {name: sureness(problems, soft, words)
                     for name, (problems, soft) in said.items()}}


def sureness(problems, soft, vocabularies):
    """How often the recorded token is the teachers' best, and its probability: means over tokens

    soft: [(2, T, V)], of which the equations as they are count, where they can be written
    """
    best = []
    probabilities = []
    for problem, (as_it_is, _) in zip(problems, soft):
        if not vocabularies.can_write(problem):
            continue
        recorded = torch.tensor(vocabularies.target.encode(problem.equation))  # (T,)
        best += (as_it_is.argmax(dim=-1) == recorded).tolist()
        probabilities += as_it_is.gather(1, recorded[:, None]).flatten().tolist()
    return {"best": sum(best) / len(best), "probability": sum(probabilities) / len(best)}
