"""Puts a data set's main student beside the teachers, in half precision.

`python lessons/study/ship.py asdiv-a` trains it if the study has not (lessons/study/run.py rounds).
Math23k's learned in batches of 64: `python lessons/study/ship.py math23k --batch 64`.
"""
import argparse
import sys

from runs import Run
from tinyprune import cli, recipe
from tinyprune.checkpoint import save_model
from trainings import train_plan


def ship(data):
    """Saves the student of seed 0, on ASDiv-A the one that has not seen fold 0."""
    run = Run("rounds", data, 0 if data == "asdiv-a" else None, recipe.MAIN_STUDENTS[data],
              seed=0)
    model, vocabularies, _ = train_plan(run, run.splits())
    path = recipe.shipped_student(data)
    save_model(model.half(), vocabularies, path)
    print(f"  {path.name}: {path.stat().st_size / 1e6:.1f} MB")


def main():
    sys.excepthook = cli.show_error
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", choices=recipe.MAIN_STUDENTS)
    args = cli.parse_with_batch(parser)
    recipe.use_batch_size(args.data, args.batch)
    ship(args.data)


if __name__ == "__main__":
    main()
