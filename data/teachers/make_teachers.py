"""The models that come with the project, in half precision: config, vocabularies, weights.

`python data/teachers/make_teachers.py` asks each of them its test problems again, which needs the
data (data/download.py). With --ship it makes the teachers from those that lesson 05 has trained;
lessons/study/ship.py makes the students. With --confidence it counts, by score, how many of a
teacher's answers to validation problems are right.
"""
import argparse
import sys
import time
from pathlib import Path

from tinyprune import cli, confidence, data, figures, files, recipe
from tinyprune.bidirectional import bidirectional_search
from tinyprune.checkpoint import load_model, save_model
from tinyprune.data import Splits
from tinyprune.evaluate import best_candidates, find_candidates, grade
from tinyprune.files import FileError
from tinyprune.measure import costs_of
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
    shipped = recipe.shipped_path(name, fold)
    save_model(model.half(), vocabularies, shipped)
    print(f"  {shipped.name}: {shipped.stat().st_size / 1e6:.1f} MB")


def measure_confidence(name, fold):
    """Writes the table of confidence.py for a teacher's answers to validation problems.

    ASDiv-A has no validation split: each tenth of the training problems is asked of a teacher that
    has learned from the other nine.
    """
    splits = data.load(name, fold)
    scores = []
    right = []
    if splits.valid:
        trained, vocabularies = recipe.load_or_train_teacher(name, fold)
        scores, right = confidence.ask(trained.model, splits.valid, vocabularies,
                                       recipe.reranker(name))
    for part in range(0 if splits.valid else 10):
        kept, held_out = data.hold_out(splits.train, part)
        trained, vocabularies = recipe.load_or_train_teacher_on(Splits(kept, [], []), name, fold,
                                                                f"without-tenth-{part}")
        found = confidence.ask(trained.model, held_out, vocabularies, recipe.reranker(name))
        scores += found[0]
        right += found[1]
    groups = confidence.make_groups(scores, right)
    confidence.save(groups, recipe.shipped_path(name, fold))
    figures.table([[g.lowest, g.right, g.answers] for g in groups],
                  [f"{name}: score from", "share right", "answers"])


def models_of(name, fold):
    """{what it is: path} of the shipped models of a data set."""
    paths = {"teacher": recipe.shipped_path(name, fold), "student": recipe.shipped_student(name)}
    return {kind: path for kind, path in paths.items() if path.exists()}


def ask(name, fold, kind, path):
    """A shipped model's answers to its test problems, reranked and not: [result row]

    The reranked row's settings say how sure the solver is of each answer.
    """
    model, vocabularies = load_model(path)
    problems = data.load(name, fold).test
    candidates = find_candidates(model, problems, vocabularies, bidirectional_search)
    groups = confidence.load(path)
    rows = []
    for decoding, reranker in [(BEST, recipe.reranker(name)), (BIDIRECTIONAL, None)]:
        best = best_candidates(problems, candidates, reranker)
        settings = {"decoding": decoding, "file": path.name}
        if reranker and groups:
            settings["confidence"] = [confidence.confidence(c.score, groups) for c in best]
        rows.append(result_row(grade(problems, [candidate.equation for candidate in best]),
                               study="shipped", data=name, split="test", fold=fold,
                               model=kind, seed=0, settings=settings,
                               **costs_of(model, problems)))
    return rows


def show(rows):
    """Prints the share of right answers in each row, with its interval."""
    cells = []
    for row in rows:
        low, high = bootstrap_interval(is_correct(row["verdicts"]))
        cells.append([row["data"], row["model"], row["settings"]["decoding"],
                      row["answer_accuracy"], low, high])
    figures.table(cells, ["", "", "", "answers right", "from", "to (95%)"])


def main(teachers=TEACHERS):
    sys.excepthook = cli.show_error
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ship", action="store_true", help="make them from runs/")
    parser.add_argument("--confidence", action="store_true",
                        help="write the tables of confidence, the sample's too")
    parser.add_argument("--out", type=Path, default=files.RUNS, help="where to write shipped.json")
    args = parser.parse_args()
    started = time.time()
    if args.ship:
        for name, fold in teachers:
            ship(name, fold)
        return
    if args.confidence:
        for name, fold in dict.fromkeys([*teachers, ("sample", None)]):
            measure_confidence(name, fold)
        return
    rows = [row for name, fold in teachers for kind, path in models_of(name, fold).items()
            for row in ask(name, fold, kind, path)]
    show(rows)
    write_result(args.out / "shipped.json", rows, started)


if __name__ == "__main__":
    main()
