"""The teachers that come with the project, in half precision: config, vocabularies and weights, nothing else.

`python -m tinyprune.teachers` asks each of them its test problems again, which needs the data (data/download.py).
`python -m tinyprune.teachers --ship` makes them from the ones that lesson 05 has trained under runs/.
"""
import argparse
import sys
import time
from pathlib import Path

from tinyprune import figures, recipe
from tinyprune.data import load
from tinyprune.decode import beam_both_ways
from tinyprune.results import BEST, interval, result_row, right, write_result
from tinyprune.train import CheckpointError, choose, grade, load_model, save_model, solve

ALL = (("math23k", None), ("asdiv-a", 0))  # data and, on ASDiv-A, the fold that the teacher has not seen


def ship(data, fold):
    """Copies the trained teacher from runs/ in half precision. Raises CheckpointError if there is none."""
    path = recipe.teacher_path(data, fold)
    if not path.exists():
        raise CheckpointError(f"{path} is not there: python lessons/05_teacher.py --data {data}")
    model, vocabularies = load_model(path)
    save_model(model.half(), vocabularies, recipe.SHIPPED / path.name)
    print(f"  {path.name}: {(recipe.SHIPPED / path.name).stat().st_size / 1e6:.1f} MB")


def ask(data, fold):
    """The rows of the shipped teacher's answers to its test problems, with the rule of plausible values and without."""
    path = recipe.SHIPPED / recipe.teacher_path(data, fold).name
    model, vocabularies = load_model(path)
    test = load(data, fold or 0).test
    candidates = solve(model, test, vocabularies, beam_both_ways)
    rules = {BEST: recipe.rule(data), "both ways": None}
    return [result_row(grade(test, choose(test, candidates, rule)), study="shipped", data=data, split="test", fold=fold,
                       model="teacher", seed=0, settings={"decoding": decoding, "file": path.name})
            for decoding, rule in rules.items()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tinyprune.teachers", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ship", action="store_true", help="make them from runs/")
    parser.add_argument("--out", type=Path, default=recipe.RUNS, help="where shipped.json is written")
    args, started, rows = parser.parse_args(), time.time(), []
    sys.excepthook = recipe.explain
    for data, fold in ALL:
        if args.ship:
            ship(data, fold)
        else:
            rows += ask(data, fold)
    if rows:
        figures.table([(row["data"], row["settings"]["decoding"], row["answer_accuracy"],
                        *interval(right(row["verdicts"]))) for row in rows],
                      ["", "", "answers right", "from", "to (95%)"])
        write_result(args.out / "shipped.json", rows, started)
