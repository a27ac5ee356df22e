"""The teachers that come with the project, in half precision: config, vocabularies, weights.

`python data/teachers/make_teachers.py` asks each of them its test problems again, which needs the
data (data/download.py). With --ship it makes them from those that lesson 05 has trained.
"""
import argparse
import sys
import time
from pathlib import Path

from tinyprune import cli, data, figures, files, recipe
from tinyprune.bidirectional import bidirectional_search
from tinyprune.checkpoint import load_model, save_model
from tinyprune.evaluate import best_equations, find_candidates, grade
from tinyprune.files import FileError
from tinyprune.results import (
    BEST,
    BIDIRECTIONAL,
    bootstrap_interval,
    is_correct,
    result_row,
    write_result,
)

# Data sets; on ASDiv-A also the fold that the teacher has not seen.
TEACHERS = [("math23k", None), ("asdiv-a", 0)]


def ship(name, fold):
    """Copies the trained teacher from runs/ in half precision. Raises FileError."""
    path = recipe.teacher_path(name, fold)
    if not path.exists():
        raise FileError(f"{path} is not there: train it with "
                        f"`python lessons/05_teacher.py --data {name}`")
    model, vocabularies = load_model(path)
    shipped = recipe.SHIPPED / path.name
    save_model(model.half(), vocabularies, shipped)
    print(f"  {shipped.name}: {shipped.stat().st_size / 1e6:.1f} MB")


def ask(name, fold):
    """The shipped teacher's answers to its test problems, reranked and not: [result row]"""
    path = recipe.SHIPPED / recipe.teacher_path(name, fold).name
    model, vocabularies = load_model(path)
    problems = data.load(name, fold).test
    candidates = find_candidates(model, problems, vocabularies, bidirectional_search)
    rows = []
    for decoding, reranker in [(BEST, recipe.reranker(name)), (BIDIRECTIONAL, None)]:
        report = grade(problems, best_equations(problems, candidates, reranker))
        rows.append(result_row(report, study="shipped", data=name, split="test", fold=fold,
                               model="teacher", seed=0,
                               settings={"decoding": decoding, "file": path.name}))
    return rows


def show(rows):
    """Prints the share of right answers in each row, with its interval."""
    cells = []
    for row in rows:
        low, high = bootstrap_interval(is_correct(row["verdicts"]))
        cells.append([row["data"], row["settings"]["decoding"], row["answer_accuracy"], low, high])
    figures.table(cells, ["", "", "answers right", "from", "to (95%)"])


def main(teachers=TEACHERS):
    sys.excepthook = cli.show_error
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ship", action="store_true", help="make them from runs/")
    parser.add_argument("--out", type=Path, default=files.RUNS, help="where to write shipped.json")
    args = parser.parse_args()
    started = time.time()
    if args.ship:
        for name, fold in teachers:
            ship(name, fold)
        return
    rows = [row for name, fold in teachers for row in ask(name, fold)]
    show(rows)
    write_result(args.out / "shipped.json", rows, started)


if __name__ == "__main__":
    main()
