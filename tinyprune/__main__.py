"""Solves a word problem: python -m tinyprune "Tom had 12 apples and gave 3 away. How many has he now?"

The solver is the teacher of lesson 05, by default the one of the sample; it is trained now if it is not there yet.
"""
import argparse
import sys

import torch

from tinyprune import recipe
from tinyprune.checker import evaluate
from tinyprune.data import DATA, Batch, chinese_words, english_words, is_name, pad, read_text
from tinyprune.decode import beam_search, first_positive
from tinyprune.tokenizer import EquationError, prefix_to_infix
from tinyprune.train import DEVICE

parser = argparse.ArgumentParser(prog="python -m tinyprune", description=__doc__)
parser.add_argument("problem", help="the text of a word problem, in the language that the solver was trained on")
parser.add_argument("--data", choices=DATA, default="sample", help="what the solver was trained on")
args = parser.parse_args()

sys.excepthook = recipe.explain
_, vocabularies, run = recipe.teacher(args.data)
english = not any("\u4e00" <= character <= "\u9fff" for character in args.problem)
words, literals, numbers = read_text(
    english_words(args.problem) if english else chinese_words(args.problem, vocabularies.source.index), english)
if not numbers:
    sys.exit("The problem has no numbers in it: nothing to calculate with.")
source = vocabularies.source.encode(words)
nothing = torch.zeros(1, 1, dtype=torch.long)  # no recorded equation
batch = Batch(pad([source]), torch.tensor([len(source)]), nothing, torch.tensor([len(numbers)])).to(DEVICE)
equation = first_positive(beam_search(run.model, batch, vocabularies.target)[0], numbers)
filled = [literals[int(token[1:])] if is_name(token) else token for token in equation]
print(f"equation: x = {prefix_to_infix(filled)}")
try:
    value = evaluate(equation, numbers)
    print(f"answer:   {value}" + (f" = {float(value):.6g}" if value.q != 1 else ""))
except EquationError as error:
    sys.exit(f"It has no answer: {error}.")
