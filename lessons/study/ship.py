"""Puts the main students of both sets beside the teachers, in half precision.

`python lessons/study/ship.py` trains them if the study has not (lessons/study/run.py rounds).
"""
import sys

from trainings import MAIN, train_plan

from runs import Run
from tinyprune import cli, recipe
from tinyprune.checkpoint import save_model


def ship(data, plan):
    """Saves the student of seed 0, on ASDiv-A the one that has not seen fold 0."""
    run = Run("rounds", data, 0 if data == "asdiv-a" else None, plan, seed=0)
    model, vocabularies, _ = train_plan(run, run.splits())
    path = recipe.shipped_student(data)
    save_model(model.half(), vocabularies, path)
    print(f"  {path.name}: {path.stat().st_size / 1e6:.1f} MB")


def main(students=MAIN):
    sys.excepthook = cli.show_error
    for data, plan in students.items():
        ship(data, plan)


if __name__ == "__main__":
    main()
