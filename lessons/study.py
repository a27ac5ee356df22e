"""The study: many runs that settle which part of the method does what.

`python lessons/study.py rounds --data asdiv-a` makes the runs of one study that are missing, one
after the other. `--list` prints their numbers and names, and `--run 7` makes one of them, so that
they spread over machines: copy the result files into one folder afterwards. A run that was stopped
goes on where it stopped. Each run is single-threaded; start two side by side with --run.
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
from tinyprune.train import steps_of

SEEDS = range(5)


@dataclass(frozen=True)
class Run:
    """One training and the questions that its model is asked."""
    study: str
    data: str
    fold: int | None
    seed: int

    @property
    def name(self):
        fold = "" if self.fold is None else f"-fold{self.fold}"
        return f"{self.study}-{self.data}{fold}-round1-seed{self.seed}"


def runs_of(study, data):
    """All runs of a study on one data set, always in the same order."""
    folds = range(5) if data == "asdiv-a" else [None]
    return [Run(study, data, fold, seed) for fold in folds for seed in SEEDS]


def execute(run, out):
    """Trains, asks the validation and test problems, and writes the run's result file."""
    started = time.time()
    splits = load(run.data, run.fold)
    trained, vocabularies = recipe.load_or_train_teacher(run.data, run.fold, run.seed,
                                                         shipped=False)
    config = recipe.EXPERIMENTS[run.data].teacher
    about = dict(study=run.study, data=run.data, fold=run.fold, seed=run.seed, model="teacher",
                 ratio=0.0, schedule="none", loss="ce",
                 steps=steps_of(config, splits.train, vocabularies),
                 parameters=parameters(trained.model),
                 parameters_without_embeddings=parameters(trained.model, embeddings=False))
    rows = []
    for split in ("valid", "test"):
        for decoding, report in answers(run, trained.model, getattr(splits, split), vocabularies):
            settings = {"round": 1, "teachers": 0, "start": "scratch", "decoding": decoding}
            rows.append(result_row(report, split=split, settings=settings, **about))
    write_result(out / f"{run.name}.json", rows, started)
    best = [row["answer_accuracy"] for row in rows if row["settings"]["decoding"] == BEST]
    print(f"  {run.name}: {best}", flush=True)


def answers(run, model, problems, vocabularies):
    """(decoding, Report) of each way to answer; none without problems."""
    if not problems:
        return
    quick = find_candidates(model, problems, vocabularies, greedy)
    yield GREEDY, grade(problems, best_equations(problems, quick))
    candidates = find_candidates(model, problems, vocabularies, bidirectional_search)
    yield BIDIRECTIONAL, grade(problems, best_equations(problems, candidates))
    reranked = best_equations(problems, candidates, recipe.reranker(run.data))
    yield BEST, grade(problems, reranked)


def main():
    sys.excepthook = cli.show_error
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=["rounds"])
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
