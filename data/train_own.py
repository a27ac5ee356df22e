"""Trains a model on problems of your own: python data/train_own.py problems.json model.pt

data/README.md describes the file of problems. Every tenth of them is kept for validation: beside
the model stands a table that says how often answers to these were right, by score.
"""
import argparse
import sys
from dataclasses import replace
from pathlib import Path

from tinyprune import cli, confidence, recipe
from tinyprune.checkpoint import save_model
from tinyprune.data import Splits, hold_out, read_own
from tinyprune.evaluate import rerank_by_plausibility
from tinyprune.files import FileError
from tinyprune.vocabulary import Vocabularies


def readable(problems, path):
    """Those with an equation; the others are reported. Raises FileError if too few are left."""
    left_out = [problem for problem in problems if problem.parse_error or not problem.numbers]
    for problem in left_out[:5]:
        print(f"  {problem.id} is left out: {problem.parse_error or 'its text has no number'}")
    if len(left_out) > 5:
        print(f"  … and {len(left_out) - 5} more")
    kept = [problem for problem in problems if problem.equation and problem.numbers]
    if len(kept) < 20:
        raise FileError(f"{path} has {len(kept)} problems with an equation that can be read and a "
                        "number in the text, and 20 are needed: mend the others, or add some")
    training, _ = hold_out(kept)
    learnt = list(map(Vocabularies.of(training).can_write, training))
    if not any(learnt):
        raise FileError(f"{path}: no equation can be learned: each has a constant that fewer than "
                        "five equations use: mend them")
    if not all(learnt):
        print(f"  {learnt.count(False)} records train nothing: their equations have constants that "
              "fewer than five equations use")
    return kept


def main():
    sys.excepthook = cli.show_error
    cli.accept_any_console()
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", type=Path, help="a JSON file")
    parser.add_argument("model", type=Path, help="the model's file, which is made")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if not args.model.name or args.model.is_dir():
        parser.error(f"{args.model} is a folder")
    checkpoint = args.model.with_suffix(".checkpoint")
    if args.epochs < 1:
        parser.error("--epochs must be 1 or more")
    cli.check_seed(parser, args.seed)
    outputs = (args.model, checkpoint, confidence.path_beside(args.model))
    if len({path.resolve() for path in (args.problems, *outputs)}) < 4:
        parser.error("the model needs a name of its own, such as model.pt")
    problems = readable(read_own(args.problems), args.problems)
    kept, valid = hold_out(problems)
    experiment = recipe.EXPERIMENTS["asdiv-a"]
    experiment = replace(experiment, teacher=replace(experiment.teacher, epochs=args.epochs))
    model, vocabularies, _, _ = recipe.train_teacher(Splits(kept, valid, []), experiment, args.seed,
                                                     checkpoint)
    scores, right = confidence.ask(model, valid, vocabularies, rerank_by_plausibility)
    # If a write fails, a model may have no table, but never another model's.
    confidence.path_beside(args.model).unlink(missing_ok=True)
    save_model(model, vocabularies, args.model)
    confidence.save(confidence.make_groups(scores, right), args.model)
    checkpoint.unlink()
    print(f"  {sum(right)} of {len(right)} validation problems answered right")
    print(f'  {args.model}: ask it with `python -m tinyprune --model {args.model} "…"`')


if __name__ == "__main__":
    main()
