"""What the studies share: a run, the plain teachers, ways to answer, rows."""
from dataclasses import dataclass
from functools import partial

from tinyprune import recipe
from tinyprune.bidirectional import bidirectional_search
from tinyprune.decode import greedy
from tinyprune.evaluate import best_equations, find_candidates, grade
from tinyprune.results import BEST, BIDIRECTIONAL, GREEDY, result_row
from tinyprune.rivals import random_score
from tinyprune.scorer import CRITERIA, entropy_score, paper_score

# Studies without models of their own: they train those of other studies that are not there.
UNTRAINED = ("agreement", "targets", "trials-curves", "curves", "criteria", "pruned", "costs",
             "inference")
TEACHERS = 5  # plain ones, of each data set and of each fold
# Ways to choose heads; each kind of attention loses its share of them.
CHOICES = CRITERIA | {"paper, entropy reversed": partial(paper_score, entropy_sign=-1),
                      "entropy, reversed": partial(entropy_score, entropy_sign=-1)}
del CHOICES["random"]
CHOICES |= {f"lot {draw}": partial(random_score, seed=draw) for draw in range(5)}


@dataclass(frozen=True)
class Run:
    """One question to one model: a training, or a way to choose heads, for one seed."""
    study: str
    data: str
    fold: int | None
    plan: str
    seed: int

    @property
    def name(self):
        fold = "" if self.fold is None else f"-fold{self.fold}"
        plan = "-".join(self.plan.replace(",", " ").replace("%", " ").split())
        return f"{self.study}-{self.data}{fold}-{plan}-seed{self.seed}"

    @property
    def tuning(self):
        """Whether the run serves to choose settings, and must ask no test problem."""
        return self.study.startswith("trials")

    def splits(self):
        return recipe.load(self.data, self.fold, tuning=self.tuning)

    def asked(self):
        """The names of the splits whose problems are asked."""
        return ["valid"] if self.tuning else ["valid", "test"]


def folds_of(data):
    return range(5) if data == "asdiv-a" else [None]


def teacher_of(run, splits, seed):
    """The plain teacher of this seed, trained if it is not there: -> model, vocabularies

    A study that trains nothing may take the one that came with the project.
    """
    if run.tuning and not splits.test:  # ASDiv-A leaves a tenth of the training problems out
        trained, vocabularies = recipe.load_or_train_teacher_on(splits, run.data, run.fold,
                                                                "teacher-tuning", seed)
    else:
        trained, vocabularies = recipe.load_or_train_teacher(run.data, run.fold, seed,
                                                             shipped=run.study in UNTRAINED)
    return trained.model, vocabularies


def answers(data, model, problems, vocabularies):
    """{decoding: Report} of each way to answer; {} without problems."""
    if not problems:
        return {}
    quick = find_candidates(model, problems, vocabularies, greedy)
    candidates = find_candidates(model, problems, vocabularies, bidirectional_search)
    equations = {GREEDY: best_equations(problems, quick),
                 BIDIRECTIONAL: best_equations(problems, candidates),
                 BEST: best_equations(problems, candidates, recipe.reranker(data))}
    return {decoding: grade(problems, found) for decoding, found in equations.items()}


def row(run, report, split, decoding, settings, facts):
    """A row of the run's result file."""
    return result_row(report, study=run.study, data=run.data, fold=run.fold, seed=run.seed,
                      split=split, settings=settings | {"plan": run.plan, "decoding": decoding},
                      **facts)
