# %% [markdown]
r"""
# 11 Ingredients: what is each of the teacher's tricks worth?

The teacher of lesson 05 has habits that the plain transformer of 2017 has not. Each was put there with a reason. A
reason is not a measurement: so leave one out at a time, train again, and ask the same validation problems.

You need lesson 05. About 15 minutes to read; it trains ten small models: about ten minutes on the sample, with 6 epochs
each, and not much longer on ASDiv-A (`--data asdiv-a --fold 1 --seed 1 --epochs 20`), but hours on Math23k (`--data
math23k --epochs 5`). `--epochs 0` takes as many as the teacher gets, `--without dropout,slow` trains without those two
alone (the names' beginnings). A stopped run goes on where it stopped. No test problem is asked: on ASDiv-A a tenth of
the four training folds is kept apart.
"""

# %% 11.1 What can be left out
import time
from dataclasses import replace

import torch

from tinyprune import figures, recipe
from tinyprune.data import Vocabularies, load
from tinyprune.decode import beam_both_ways, beam_search, greedy
from tinyprune.measure import parameters
from tinyprune.results import BEST, ONE_WAY, interval, result_path, result_row, right, write_result
from tinyprune.tokenizer import Vocabulary
from tinyprune.train import choose, grade, solve, task_loss, train
from tinyprune.transformer import Config, Transformer

started = time.time()
args = recipe.options(epochs=6, without="")
if args.epochs < 0:
    raise SystemExit("--epochs must be 1 or more, or 0 for as many as the teacher gets")
splits = load(args.data, args.fold, tuning=True)
plan = recipe.RECIPES[args.data]
settings = replace(plan.teacher, seed=args.seed, epochs=args.epochs or plan.teacher.epochs)

NUMBERS = ("·whole", "·decimal", "·percent", "·fraction", "·rank")


def is_character(piece):
    return piece.startswith("·") and not piece.startswith(NUMBERS)


# name: what changes in the settings, in the config, in the vocabulary, in the new model
INGREDIENTS = {
    "nothing": {},
    "a number's kind and rank": dict(pieces=lambda piece: piece.startswith(NUMBERS)),
    "a word's characters": dict(pieces=is_character),
    "mixing of neighbours": dict(model=lambda model: [layer.neighbours.requires_grad_(False)
                                                      for layer in model.encoder]),
    "rotary positions": dict(model=lambda model: [setattr(attention, "rotary", False)
                                                  for attention in model.attentions().values()]),
    "mirrored equations": dict(settings=dict(mirrored=False)),
    "dropout": dict(config=dict(dropout=0.0)),
    "word dropout": dict(settings=dict(word_dropout=0.0)),
    "label smoothing": dict(settings=dict(smoothing=0.0)),
    "slow embeddings (gain as of 2017, the root of D)": dict(
        config=dict(gain=plan.config.get("width", Config.width) ** 0.5)),
}
if not any(is_character(piece) for problem in splits.train for word in problem.words for piece in word):
    del INGREDIENTS["a word's characters"]  # English words have none
names = [name for name in INGREDIENTS if name != "nothing"]
beginnings = tuple(args.without.split(","))  # every name begins with ""
for beginning in beginnings:
    if not any(name.startswith(beginning) for name in names):
        raise SystemExit(f"--without {beginning}: no ingredient's name begins so; there are: {', '.join(names)}")
chosen = ["nothing", *(name for name in names if name.startswith(beginnings))]

figures.heading(f"11.1 {args.data}: ingredients to leave out: {len(chosen) - 1}; epochs: {settings.epochs}; "
                f"validation problems: {len(splits.valid)}")

# %% [markdown]
r"""
Nothing in the library knows of these variants. A piece that is not in the vocabulary is not read; neighbours' weights
that are frozen at 0 mix nothing; rotation is switched off; the rest are settings. One row changes two things: the gain
multiplies embeddings and neighbours' weights alike. (On ASDiv-A it is 1, and with it the neighbours' weights hardly
leave 0: leaving them out asks little there.) Which will cost most when it is missing, and which least?
"""


# %% 11.2 Leave one out
def trained(name):
    """-> a Run and its Vocabularies: the teacher without this ingredient, kept under runs/."""
    change = INGREDIENTS[name]
    mine, config = replace(settings, **change.get("settings", {})), plan.config | change.get("config", {})

    def make(checkpoint):
        vocabularies = Vocabularies.of(splits.train, plan.least)
        if "pieces" in change:
            vocabularies.source = Vocabulary([t for t in vocabularies.source.tokens if not change["pieces"](t)])
        torch.manual_seed(args.seed)
        model = Transformer(Config(len(vocabularies.source), len(vocabularies.target), **config))
        change.get("model", lambda model: None)(model)
        log = train(model, splits.train, vocabularies, mine, task_loss(mine.smoothing), checkpoint, f"without {name}")
        return model, vocabularies, [log, []]

    path = recipe.model_path(args.data, args.fold, "ingredients", name, mine, config, plan.least)
    return recipe.once(path, f"without {name}", make)


rows, reports = [], {}
for name in chosen:
    run, vocabularies = trained(name)
    INGREDIENTS[name].get("model", lambda model: None)(run.model)  # rotary positions are no part of a model's file
    rule, ways = recipe.rule(args.data), {}
    if name != "mirrored equations":  # without them there is one way to write alone
        both = solve(run.model, splits.valid, vocabularies, beam_both_ways)
        ways[BEST] = choose(splits.valid, both, rule)
    if name in ("nothing", "mirrored equations"):
        ways[ONE_WAY] = choose(splits.valid, solve(run.model, splits.valid, vocabularies, beam_search), rule)
    if name == "nothing":
        ways |= {"both ways": choose(splits.valid, both),
                 "greedy": choose(splits.valid, solve(run.model, splits.valid, vocabularies, greedy))}
    for decoding, equations in ways.items():
        report = reports[name, decoding] = grade(splits.valid, equations)
        rows.append(result_row(report, study="ingredients", data=args.data, split="valid", fold=args.fold,
                               model="teacher", loss="ce", seed=args.seed,
                               steps=recipe.steps_of(settings, splits.train, vocabularies),
                               parameters_without_embeddings=parameters(run.model, embeddings=False),
                               settings={"without": name, "decoding": decoding, "epochs": settings.epochs,
                                         "recipe": repr(plan)}))

# %% 11.3 What it cost
figures.heading("11.3 Without it, on the same problems")
table = []
for (name, decoding), report in reports.items():
    whole = reports["nothing", BEST if name == "nothing" else decoding]  # written in the same way
    difference = right(report.verdicts) - right(whole.verdicts)
    low, high = interval(difference)
    table.append((name, decoding, report.answer_accuracy, f"{difference.mean():+.3f}", f"{low:+.3f} … {high:+.3f}"))
figures.table(table, ["without", "written", "answers right", "difference", "95%"])
path = result_path(args.out, rows[0], f"-epochs{settings.epochs}")
write_result(path, rows, started)
print(f"  written: {path}")

# %% [markdown]
r"""
Each difference is from "nothing" written in the same way (mirrored equations: from the beam of 5); the rows of
"nothing" are from its first.

Where an interval holds 0, that is no reason to believe that the ingredient does nothing, nor that it does something; it
says how many problems one would need. Where it does not, remember that this is one seed: the intervals are over
problems, and do not cover what another seed would do. The README's table has three seeds on ASDiv-A.

And an ablation at a fraction of the epochs flatters what learns fast and is unfair to what keeps a long training from
learning by heart. Look at dropout, word dropout and slow embeddings in the README's table: on Math23k all three seem to
do harm when everything is trained for 5 epochs. Trained for all 52, leaving them out costs points, many for dropout,
some (within chance) for the other two. Whoever judges by the cheap experiment throws out what the long training needs.

## Exercises

1. By hand: 98 validation problems, two models that differ on 12 of them, 9 to 3. How probable is a difference as large,
   in either direction, if each of the 12 fell by a coin's toss?
2. Write the variant that has torch's element-wise dropout (`nn.Dropout`) in place of `ChannelDropout`. Which is
   faster, and is there a difference in accuracy that you would defend?
3. Write the pieces of an English word: its first five letters, its last two. What does it do on ASDiv-A's validation
   problems? (We tried; it did not pay.)
4. Find the mistake in the reasoning: someone removes two ingredients, since each costs nothing when it is missing, and
   loses four points.
5. Open: an ingredient of your own, or one that we threw out since it did not pay: the trained model's weights were a
   moving average of those after each step (0.999 of the average, 0.001 of the new ones). Why should that do little
   where the learning rate falls to 0? Fix the number of seeds before you begin.
"""
