"""Solves a word problem: python -m tinyprune "Tom had 12 apples and gave 3 away. How many has he now?"

A Chinese text is answered by the teacher that was trained on Math23k, an English one by ASDiv-A's; both came with the
project. Beside the answer stand the words that the heads looked at while each number was written.
"""
import argparse
import sys

import torch

from tinyprune import figures, recipe
from tinyprune.checker import evaluate
from tinyprune.data import DATA, Batch, chinese_words, english_words, is_name, pad, pad_words, read_text
from tinyprune.decode import beam_both_ways
from tinyprune.tokenizer import EquationError, prefix_to_infix
from tinyprune.train import DEVICE

MOST_CHARACTERS = 2000  # the longest published problem has under 600

parser = argparse.ArgumentParser(prog="python -m tinyprune", description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("problem", help="the text of a word problem, Chinese or English")
parser.add_argument("--data", choices=DATA, help="what the solver was trained on, if the language shall not decide; "
                                                 "the sample's is trained now if it is not there yet")
args = parser.parse_args()

sys.excepthook = recipe.explain
problem = args.problem.encode(errors="replace").decode()  # a terminal may pass on half a character
if len(problem) > MOST_CHARACTERS:
    sys.exit(f"The problem has {len(problem)} characters: at most {MOST_CHARACTERS} are read.")
english = not any("\u4e00" <= character <= "\u9fff" for character in problem)
data = args.data or ("asdiv-a" if english else "math23k")
run, vocabularies = recipe.solver(data)
model = run.model
words, literals, numbers = read_text(
    english_words(problem) if english else chinese_words(problem, vocabularies.source.index), english)
if not numbers:
    sys.exit("The problem has no numbers in it: nothing to calculate with.")
nothing = torch.zeros(1, 1, dtype=torch.long)  # no recorded equation
batch = Batch(pad_words([vocabularies.source.encode_words(words)]), torch.tensor([len(words)]), nothing,
              torch.tensor([len(numbers)])).to(DEVICE)
equation = recipe.rule(data)(beam_both_ways(model, batch, vocabularies.target)[0], numbers)
filled = [literals[int(token[1:])] if is_name(token) else token for token in equation]
filled = [f"({token})" if "/" in token[1:] and token[0] != "(" else token for token in filled]  # 3/8 is one number
print(f"equation: x = {prefix_to_infix(filled)}")
try:
    value = evaluate(equation, numbers)
    print(f"answer:   {value}" + (f" = {float(value):.6g}" if value.q != 1 else ""))
except EquationError as error:
    sys.exit(f"It has no answer: {error}.")

record = {}
with torch.no_grad():
    model(batch.source, batch.lengths, pad([vocabularies.target.encode(equation)]).to(DEVICE), record=record)
last = max(layer for kind, layer in record if kind == "cross")
heads, looks = model.attentions()["cross", last].heads, record["cross", last][0]  # (N, T, S)
shown = [literals[int(word[1:])] if is_name(word) else word for word, *_ in words]
print("\nWhile it wrote a number, each head of the last cross-attention looked most at")
figures.table([(filled[step], *(shown[int(head[step].argmax())] for head in looks))
               for step, token in enumerate(equation) if is_name(token)], ["", *(f"head {head}" for head in heads)])
