"""The study: many runs that settle which part of the method does what.

`python lessons/study/run.py trials --data asdiv-a` makes the runs of one study that are missing in
lessons/results/study, one after the other. `--list` prints their numbers and names, and `--run 7`
makes one of them, so that they spread over machines: copy the result files into one folder
afterwards. A run that was stopped goes on where it stopped. Each run is single-threaded: start two
side by side with --run.
"""
import argparse
import sys
import time
from pathlib import Path

import torch

import agreement
import costs
import criteria
import cross_fitting
import curves
import inference
import pruned
import trainings
from runs import UNTRAINED
from tinyprune import cli, files, recipe
from tinyprune.data import DATA
from tinyprune.results import RESULTS, write_findings, write_result

# {study: (its runs on a data set, how one is executed)}
STUDIES = {"trials": (trainings.trials, trainings.execute),
           "rounds": (trainings.rounds, trainings.execute),
           "factorial": (trainings.factorial, trainings.execute),
           "agreement": (agreement.agreement, agreement.execute),
           "trained-curves": (trainings.trained_curves, trainings.execute),
           "cross-fitting": (trainings.cross_fitting, trainings.execute),
           "targets": (cross_fitting.targets, cross_fitting.execute),
           "trials-curves": (curves.trials_curves, curves.execute),
           "curves": (curves.curves, curves.execute),
           "costs": (costs.costs, costs.execute),
           "criteria": (criteria.criteria, criteria.execute),
           "pruned": (pruned.pruned, pruned.execute),
           "inference": (inference.inference, inference.execute)}


def write(path, found, started):
    """Result rows, a list, or what else was found, a dict."""
    writer = write_result if isinstance(found, list) else write_findings
    writer(path, found, started)


def main():
    sys.excepthook = cli.show_error
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--data", choices=DATA, default="sample")
    parser.add_argument("--list", action="store_true", help="print the runs, and which are there")
    parser.add_argument("--run", type=int, action="append", help="a run's number; more than once")
    parser.add_argument("--train", action="store_true",
                        help="train and keep the models (runs/), and ask nothing: another machine "
                             "may have no GPU, and more time")
    parser.add_argument("--out", type=Path,
                        help="for result files (default: lessons/results/study; runs/study for the "
                             "sample)")
    args = cli.parse_with_batch(parser)
    torch.set_num_threads(1)
    recipe.use_batch_size(args.data, args.batch)
    out = args.out or (files.RUNS if args.data == "sample" else RESULTS) / "study"
    runs_of, execute = STUDIES[args.study]
    runs = dict(enumerate(runs_of(args.data)))
    if unknown := set(args.run or []) - set(runs):
        parser.error(f"--run {min(unknown)}: {args.study} has the runs 0 to {len(runs) - 1} on "
                     f"{args.data}")
    if args.train and args.study in UNTRAINED:
        parser.error(f"--train: {args.study} trains nothing but models of other studies")
    for number in args.run or runs:
        run = runs[number]
        path = out / f"{run.name}.json"
        if args.list:
            print(f"{number:4}  {run.name}{'  is there' if path.exists() else ''}")
        elif args.train:
            trainings.train_plan(run, run.splits())
        elif not path.exists():
            started = time.time()
            write(path, execute(run), started)
            print(f"  {run.name}: {time.time() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
