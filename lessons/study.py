"""The study: many runs that settle which part of the method does what.

`python lessons/study.py trials --data asdiv-a` makes the runs of one study that are missing, one
after the other. `--list` prints their numbers and names, and `--run 7` makes one of them, so that
they spread over machines: copy the result files into one folder afterwards. A run that was stopped
goes on where it stopped. Each run is single-threaded; start two side by side with --run.

trials: what round 2 should be, chosen on validation problems (ASDiv-A: a tenth of the training
        folds). No test problem is asked.
rounds: round 1, five plain teachers; the test problems are asked once.
"""
import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from tinyprune import cli, files, recipe
from tinyprune.bidirectional import bidirectional_search
from tinyprune.data import DATA, load
from tinyprune.decode import greedy
from tinyprune.evaluate import best_equations, find_candidates, grade
from tinyprune.measure import parameters
from tinyprune.results import BEST, BIDIRECTIONAL, GREEDY, result_row, write_result

TEACHERS = 5  # of each data set, and of each fold
# A plan is a model: how it starts, and the share of its heads that is pruned while it learns.
# Each student learns from all five teachers.
TEACHER = "teacher"
STUDENTS = {"scratch": dict(start="scratch", ratio=0.0),
            "scratch, 30% pruned": dict(start="scratch", ratio=0.3),
            "copy": dict(start="copy", ratio=0.0),
            "copy, 30% pruned": dict(start="copy", ratio=0.3)}


@dataclass(frozen=True)
class Run:
    """One training and the questions that its model is asked."""
    study: str
    data: str
    fold: int | None
    plan: str
    seed: int

    @property
    def name(self):
        fold = "" if self.fold is None else f"-fold{self.fold}"
        plan = self.plan.replace(", ", "-").replace(" ", "-").replace("%", "")
        return f"{self.study}-{self.data}{fold}-{plan}-seed{self.seed}"

    @property
    def tuning(self):
        return self.study == "trials"


def runs_of(study, data):
    """All runs of a study on one data set, always in the same order."""
    folds = range(5) if data == "asdiv-a" else [None]
    runs = []
    for fold in folds:
        runs += [Run(study, data, fold, TEACHER, seed) for seed in range(TEACHERS)]
        if study == "trials":
            runs += [Run(study, data, fold, plan, seed=0) for plan in STUDENTS]
    return runs


def teacher_of(run, splits, seed):
    """The plain teacher of this seed, trained if it is not there: -> model, vocabularies"""
    if run.tuning and not splits.test:  # ASDiv-A leaves a tenth of the training problems out
        trained, vocabularies = recipe.load_or_train_teacher_on(splits, run.data, run.fold,
                                                                "teacher-tuning", seed)
    else:
        trained, vocabularies = recipe.load_or_train_teacher(run.data, run.fold, seed,
                                                             shipped=False)
    return trained.model, vocabularies


def execute(run, out):
    """Trains, asks the problems, and writes the run's result file."""
    started = time.time()
    splits = load(run.data, run.fold, tuning=run.tuning)
    model, vocabularies = teacher_of(run, splits, run.seed)
    about = dict(model="teacher", ratio=0.0, loss="ce")
    settings = {"round": 1, "teachers": 0, "start": "scratch", "plan": run.plan}
    if run.plan != TEACHER:
        plan = STUDENTS[run.plan]
        teachers = [teacher_of(run, splits, seed)[0] for seed in range(TEACHERS)]
        model = recipe.load_or_train_ensemble_student(run.data, run.fold, run.seed, splits,
                                                      vocabularies, teachers, **plan).model
        about = dict(model="student", ratio=plan["ratio"], loss="ce+kl")
        settings |= {"round": 2, "teachers": TEACHERS, "start": plan["start"]}
    about |= dict(study=run.study, data=run.data, fold=run.fold, seed=run.seed,
                  parameters_without_embeddings=parameters(model, embeddings=False))
    rows = []
    for split in ["valid"] if run.tuning else ["valid", "test"]:
        found = answers(run.data, model, getattr(splits, split), vocabularies)
        for decoding, report in found.items():
            rows.append(result_row(report, split=split, settings=settings | {"decoding": decoding},
                                   **about))
    write_result(out / f"{run.name}.json", rows, started)
    best = [row["answer_accuracy"] for row in rows if row["settings"]["decoding"] == BEST]
    print(f"  {run.name}: {best}", flush=True)


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


def main():
    sys.excepthook = cli.show_error
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=["trials", "rounds"])
    parser.add_argument("--data", choices=DATA, default="sample")
    parser.add_argument("--list", action="store_true", help="print the runs, and which are there")
    parser.add_argument("--run", type=int, action="append", help="a run's number; more than once")
    parser.add_argument("--out", type=Path, default=files.RUNS / "study", help="for result files")
    args = parser.parse_args()
    torch.set_num_threads(1)
    runs = dict(enumerate(runs_of(args.study, args.data)))
    for number in args.run or runs:
        run = runs[number]
        there = (args.out / f"{run.name}.json").exists()
        if args.list:
            print(f"{number:4}  {run.name}{'  is there' if there else ''}")
        elif not there:
            execute(run, args.out)


if __name__ == "__main__":
    main()
