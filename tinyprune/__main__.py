"""Solves a word problem: python -m tinyprune "Tom had 12 apples and ate 3. How many are left?"

A Chinese text is answered by the teacher that was trained on Math23k, an English one by ASDiv-A's.
Both came with the project.
"""
import argparse
import sys

from tinyprune import cli, recipe
from tinyprune.bidirectional import bidirectional_search
from tinyprune.checker import evaluate_prefix
from tinyprune.data import DATA, Problem
from tinyprune.evaluate import best_equations, find_candidates
from tinyprune.quantities import EquationError, is_name, name_index
from tinyprune.tokenizer import prefix_to_infix
from tinyprune.words import chinese_words, english_words, read_words

MAX_PROBLEM_CHARACTERS = 2000  # the longest published problem has under 600


def main():
    sys.excepthook = cli.show_error
    args = parse()
    text = args.problem.encode(errors="replace").decode()  # without unpaired surrogates
    if len(text) > MAX_PROBLEM_CHARACTERS:
        sys.exit(f"The problem has {len(text)} characters: at most {MAX_PROBLEM_CHARACTERS} are "
                 "read.")
    english = not any("\u4e00" <= character <= "\u9fff" for character in text)
    data = args.data or ("asdiv-a" if english else "math23k")
    trained, vocabularies = recipe.load_or_train_teacher(data)
    words = english_words(text) if english else chinese_words(text, vocabularies.source.index)
    try:
        words, literals, numbers = read_words(words, english)
    except EquationError as error:
        sys.exit(f"The problem cannot be read: {error}.")
    if not numbers:
        sys.exit("The problem has no numbers in it: nothing to calculate with.")
    problem = Problem("typed", text, words, numbers, equation=[])
    candidates = find_candidates(trained.model, [problem], vocabularies, bidirectional_search)
    problem.equation = best_equations([problem], candidates, recipe.reranker(data))[0]
    print(f"equation: x = {prefix_to_infix([with_number(t, literals) for t in problem.equation])}")
    try:
        value = evaluate_prefix(problem.equation, numbers)
    except EquationError as error:
        sys.exit(f"It has no answer: {error}.")
    print(f"answer:   {value}" + (f" = {float(value):.6g}" if value.q != 1 else ""))


def parse():
    parser = argparse.ArgumentParser(prog="python -m tinyprune", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problem", help="the text of a word problem, Chinese or English")
    parser.add_argument("--data", choices=DATA,
                        help="the data set whose teacher answers (default: Math23k's for Chinese, "
                             "ASDiv-A's for English; the sample's is trained first if needed)")
    return parser.parse_args()


def with_number(token, literals):
    """N0 -> the number as it was written, a fraction in brackets; any other token stays."""
    if not is_name(token):
        return token
    literal = literals[name_index(token)]
    bare_fraction = "/" in literal and "(" not in literal  # 1/2, not (1/2) or 5(3/4)
    return f"({literal})" if bare_fraction else literal


if __name__ == "__main__":
    main()
