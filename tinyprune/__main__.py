"""Solves a word problem: python -m tinyprune "Tom had 12 apples and ate 3. How many are left?"

A Chinese text is answered by the teacher that was trained on Math23k, an English one by ASDiv-A's.
Both came with the project. data/README.md says how to train a model on problems of your own.
"""
import argparse
import contextlib
import json
import os
import sys
from decimal import Decimal
from pathlib import Path

from sympy import Rational

from tinyprune import checkpoint, cli, confidence, recipe
from tinyprune.data import DATA
from tinyprune.evaluate import rerank_by_plausibility
from tinyprune.files import FileError
from tinyprune.quantities import EquationError
from tinyprune.solver import MAX_PROBLEM_CHARACTERS, solve
from tinyprune.words import is_chinese


def main():
    sys.excepthook = cli.show_error
    cli.accept_any_console()
    args = parse()
    text = args.problem.encode(errors="replace").decode()  # without unpaired surrogates
    if len(text) > MAX_PROBLEM_CHARACTERS:
        sys.exit(f"The problem has {len(text)} characters: at most {MAX_PROBLEM_CHARACTERS} are "
                 "read.")
    try:
        # --json prints one object and nothing else
        with contextlib.redirect_stdout(sys.stderr if args.json else sys.stdout):
            solution = ask(args, text)
    except EquationError as error:
        sys.exit(f"The problem cannot be read: {error}.")
    print(as_json(solution) if args.json else as_text(solution))


def parse():
    parser = argparse.ArgumentParser(prog="python -m tinyprune", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problem", help="the text of a word problem, Chinese or English")
    parser.add_argument("--data", choices=DATA,
                        help="the data set whose teacher answers (default: Math23k's for Chinese, "
                             "ASDiv-A's for English; the sample's is trained first if needed)")
    parser.add_argument("--model", help="a model's file, in place of a teacher; or student, for "
                                        "the pruned model that came with the project")
    parser.add_argument("--json", action="store_true",
                        help="print one object: numbers, equation, answer (exact, as a text), "
                             "confidence (0 to 1) and warnings")
    return parser.parse_args()


def ask(args, text):
    """What the model that the options name says of a problem: a Solution"""
    data = args.data or ("math23k" if is_chinese(text) else "asdiv-a")
    reranker = recipe.reranker(data)
    if args.model == "student":
        path = recipe.shipped_student(data)
        if not path.exists():
            raise FileError(f"{path} is not there: no student of {data} came with the project; "
                            "leave --model out, and its teacher answers")
        model, vocabularies = checkpoint.load_model(path)
    elif args.model:
        path = Path(args.model)
        model, vocabularies = load_own(path)
        reranker = rerank_by_plausibility
    else:
        path = recipe.shipped_path(data)
        trained, vocabularies = recipe.load_or_train_teacher(data)
        model = trained.model
    return solve(text, model, vocabularies, reranker, confidence.load(path))


def load_own(path):
    """The user's model. Raises FileError, and never says to delete what may be another file."""
    if not os.path.isfile(path):  # pathlib's question fails for a name that is too long
        raise FileError(f"{path} is not there: check the model's name")
    if not os.access(path, os.R_OK):
        raise FileError(f"{path} may not be read: check its permissions")
    try:
        return checkpoint.load_model(path)
    except FileError as error:
        raise FileError(f"{path} is no model of this version: check its name, or train it anew "
                        "with `python data/train_own.py`") from error


def as_json(solution):
    answer = None if solution.answer is None else str(solution.answer)
    return json.dumps({"numbers": solution.numbers, "equation": solution.infix(), "answer": answer,
                       "confidence": solution.confidence, "warnings": solution.warnings})


def as_text(solution):
    answer = "none"
    if solution.answer is not None:
        answer = str(solution.answer)
        if solution.answer.q != 1:
            decimal = Decimal(solution.answer.p) / solution.answer.q
            exact = Rational(str(decimal)) == solution.answer
            answer += f" = {decimal:f}" if exact else f" ≈ {decimal:.6g}"
    sure = "nobody has measured it for this model"
    if solution.confidence is not None:
        sure = f"{solution.confidence:.0%} of validation answers with such a score were right"
        if solution.warnings:
            sure += ", but see below"
    numbers = ", ".join(f"{name} = {literal}" for name, literal in solution.numbers.items())
    lines = [f"numbers:  {numbers}",
             f"equation: x = {solution.infix(names=True)} = {solution.infix()}",
             f"answer:   {answer}", f"sure:     {sure}"]
    return "\n".join(lines + [f"warning:  {warning}" for warning in solution.warnings])


if __name__ == "__main__":
    main()
