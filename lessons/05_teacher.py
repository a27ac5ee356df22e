# %% [markdown]
r"""
# 05 The teacher: what does it take before pruning means anything?

Pruning a model that knows nothing costs nothing. So first there must be a teacher worth pruning: a transformer that
reads a problem and writes its equation, trained from scratch, and compared with solvers that cannot read at all.

You need lessons 02 to 04. About 35 minutes to read; it trains for two minutes on the sample (--data asdiv-a: a few
minutes; math23k: an hour and a half), and the next lessons load what it has made.
"""

# %% 5.1 Before the first step
import copy
import json
import math
import time
from collections import Counter

import torch

from tinyprune import figures, recipe
from tinyprune.baseline import most_frequent_equation, near_duplicates, nearest_text_equation
from tinyprune.checker import same_equation
from tinyprune.data import Vocabularies, batches, load
from tinyprune.decode import beam_both_ways, beam_search
from tinyprune.measure import parameters, step_time
from tinyprune.results import BEST, result_path, result_row, write_result
from tinyprune.tokenizer import OPERATORS, prefix_to_infix
from tinyprune.train import DEVICE, choose, evaluate, grade, learning_rate_at, solve, task_loss
from tinyprune.transformer import Config, Transformer, token_loss

started = time.time()
args = recipe.options(wrong=2)
settings = recipe.RECIPES[args.data].teacher

figures.heading("5.1 Before the first step: what loss does a model have that knows nothing?")
splits = load(args.data, args.fold)
vocabularies = Vocabularies.of(splits.train, recipe.RECIPES[args.data].least)
torch.manual_seed(args.seed)
fresh = Transformer(Config(len(vocabularies.source), len(vocabularies.target), **recipe.RECIPES[args.data].config))
fresh.eval()
batch = batches(splits.train[:64], vocabularies, 64)[0]
with torch.no_grad():
    loss = token_loss(fresh(batch.source, batch.lengths, batch.target), batch.target).item()
V = len(vocabularies.target)
print(f"  {V} target tokens, all equally likely: log V = {math.log(V):.2f}")
print(f"  measured: {loss:.2f}")

# %% [markdown]
r"""
Near log V, not equal to it: the first weights have accidental preferences. A first loss far above it would say that
something is scaled wrongly, one far below it that the answer leaks in.

What else is done to train it, each for one reason (`tinyprune/train.py`, `Settings`):

- the learning rate rises for the first steps, since Adam's averages are still empty, and falls to 0 along a cosine;
- label smoothing: a tenth of the target's probability is spread over all tokens, so that no logit must grow forever;
- word dropout: some words are hidden and only their pieces shown, as tests will have words that nobody has seen (of a
  number, whose name is hidden too, kind and rank must do);
- channel dropout: a channel is dropped for all words of a text at once, or it could be guessed from the neighbours;
- slow embeddings: Adam moves every weight by about the learning rate, whatever its size. An embedding is kept divided
  by the config's `gain` and multiplied by it where it is used, so that a step moves it by gain times the learning rate.
  Vaswani et al. have a gain of √D, here 11 to 14: words are learnt by heart, and the fewer the problems the worse that
  is. Ours is 8 on the sample, 4 on Math23k, 1 on ASDiv-A. The neighbours' weights have the same gain: with that of 4
  they come to matter, with 1 they hardly leave 0;
- every equation is learnt twice, as it is and mirrored, from one reading of the text.

Lesson 11 leaves most of them out, one at a time, and measures. The rest is usual and was not tried otherwise: AdamW
pulls all weights a little towards 0; a gradient longer than 1 is shortened to 1, lest one strange batch undo a hundred
good ones; and problems of like length share a batch, so that little is spent on padding.
"""

# %% 5.2 The schedule
figures.heading("5.2 The learning rate: how long does it take to arrive, and to leave?")
rates = [learning_rate_at(step, 400, settings) for step in range(401)]
figures.curves({"learning rate": list(enumerate(rates))[::10]}, "step of 400", "learning rate", "05_learning_rate")
print(f"  the most, {max(rates):.2g}, at step {rates.index(max(rates))}")

# %% 5.3 Training
figures.heading(f"5.3 Training on {args.data}: {len(splits.train)} problems, {settings.epochs} epochs")
left_out = [problem for problem in splits.train if not vocabularies.can_write(problem)]
print(f"  left out, since their equations cannot be written: {len(left_out)}",
      *(f"{problem.id} ({problem.flaw or 'a rare constant or a number far back'})" for problem in left_out[:3]))
begun = time.time()
run, vocabularies = recipe.solver(args.data, args.fold, args.seed, shipped=False)
model, log = run.model, run.log
print(f"  ready after {(time.time() - begun) / 60:.1f} minutes")
wanted = torch.full((V,), settings.smoothing / V)  # what label smoothing asks for: a share for every token
wanted[0] += 1 - settings.smoothing  # and the rest for the right one
print(f"  with label smoothing the best loss possible is {torch.special.entr(wanted).sum():.2f}, not 0")
lines = {"loss": [(epoch, entry["loss"]) for epoch, entry in enumerate(log, 1)]}
watched = [(epoch, entry["accuracy"]) for epoch, entry in enumerate(log, 1) if entry["accuracy"] is not None]
if watched:
    lines["answers right (validation)"] = watched
figures.curves(lines, "epoch", "loss, accuracy", f"05_training_{args.data}")

# %% [markdown]
r"""
Is that good? A number means nothing alone. Two solvers that learn nothing stand beside it: one sees only how many
numbers there are and their order, the other copies the equation of the training text that shares most words.

The model answers in four ways (`tinyprune/decode.py`). *Greedily*: at each step the likeliest token. A first token that
looks good may lead to nothing good, and cannot be taken back; so *with a beam of five*: it keeps the five likeliest
beginnings, goes on with every token from each of them, and keeps the five best of these, until all are complete. Every
token makes an equation less probable, so among finished ones short equations would win, whatever they say: the
log-probability is divided by the root of the length. *Both ways*: two beams, one of which writes equations mirrored,
and each direction judges what both have found, by the mean log-probability of a token; what one believes for want of
looking ahead, the other, which begins at the other end, can veto. And *with plausible values*: candidates are passed
over if any of their values is 0 or less, for word problems count and measure. (On ASDiv-A also if whole numbers lead to
a value that is not whole.)
"""

# %% 5.4 Beside solvers that learn nothing
figures.heading(f"5.4 Answers right on {len(splits.test)} test problems")
test = splits.test
candidates = solve(model, test, vocabularies, beam_both_ways)  # one search, two choices from it
reports = {"the commonest equation for such numbers": grade(test, most_frequent_equation(splits.train, test)),
           "the nearest training text's equation": grade(test, nearest_text_equation(splits.train, test)),
           "the model, greedy": evaluate(model, test, vocabularies),
           "the model, beam of 5": evaluate(model, test, vocabularies, beam_search),
           "the model, both ways": grade(test, choose(test, candidates)),
           "the model, both ways, plausible values": grade(test, choose(test, candidates, recipe.rule(args.data)))}
figures.table([(name, report.answer_accuracy, report.equation_accuracy, report.commutative_accuracy)
               for name, report in reports.items()], ["", "answer", "equation", "up to order"])

# %% [markdown]
r"""
The answer may be right where the equation is not the recorded one: 3 + 5 and 5 + 3. "Up to order" forgives
commutation and association (lesson 04), and what still remains is another way to the same value, or luck.

Where does it fail? Where equations are longer, with more occasions to be wrong (the sample hardly shows it, the
README's table does)? Where they were never seen in training? Some *texts* were, all but the numbers: what is the
accuracy worth without them?
"""

# %% 5.5 Where it fails
figures.heading("5.5 Answers right, by kind of problem")
with open(recipe.ROOT / "lessons" / "data_errors.json", encoding="utf-8") as file:
    data_errors = json.load(file)  # {id: why the recorded equation does not answer the text}, read by hand
best = reports["the model, both ways, plausible values"]
baselines = [reports[name] for name in list(reports)[:2]]
seen = {" ".join(problem.equation) for problem in splits.train if problem.equation}
equal_texts, near_texts = near_duplicates(splits.train, test)


def kinds(place):
    """The groups that a test problem belongs to."""
    if not test[place].equation:
        yield "recorded equation cannot be read"
        return
    operators = [token for token in test[place].equation if token in OPERATORS]
    yield f"{min(len(operators), 5)} operations" + (" and more" if len(operators) >= 5 else "")
    yield from (f"with {operator}" for operator in set(operators))
    yield "equation seen in training" if " ".join(test[place].equation) in seen else "equation never seen"
    if not near_texts[place]:
        yield "text unlike any of training"


groups = {}
for place in range(len(test)):
    for kind in kinds(place):
        groups.setdefault(kind, []).append(place)
figures.table([(kind, len(places), *(sum(report.verdicts[place] in "=~" for place in places) / len(places)
                                     for report in (best, *baselines))) for kind, places in sorted(groups.items())],
              ["", "problems", "the model", "numbers alone", "nearest text"])
print(f"  {sum(equal_texts)} texts equal one of training once numbers are named; {sum(near_texts)} share at least 0.8 "
      "of their word trigrams with one")

# %% [markdown]
r"""
And how does it fail? Compare what was written with what is recorded: the number of steps, the operators, the numbers
used. And sometimes the data is wrong: all 314 problems of Math23k's test split that one or the other of two such
teachers got wrong were read by hand, and `data_errors.json` lists those whose recorded equation does not answer the
text. (Of ASDiv-A's, two folds were read, and none was found.) Guess how many of the 314.
"""

# %% 5.6 How it fails
figures.heading("5.6 Wrong answers by cause")


def cause(written, recorded):
    """Of two prefix equations."""
    operators, numbers = ([Counter(token for token in equation if (token in OPERATORS) == wanted)
                           for equation in (written, recorded)] for wanted in (True, False))
    if not recorded:
        return "the recorded equation cannot be read"
    if same_equation(written, recorded):
        return "none: the recorded equation does not give the recorded answer"
    if len(written) != len(recorded):
        return "a step too few" if len(written) < len(recorded) else "a step too many"
    if operators[0] != operators[1]:
        return "another operator" if numbers[0] == numbers[1] else "another operator, other numbers"
    return "other numbers" if numbers[0] != numbers[1] else "the same parts, joined otherwise"


wrong = [place for place in range(len(test)) if best.verdicts[place] not in "=~"]
causes = Counter(cause(best.equations[place], test[place].equation) for place in wrong)
figures.table(causes.most_common(), ["cause", "problems"])
faulty = [test[place].id for place in wrong if test[place].id in data_errors]
print(f"  of these {len(wrong)} the data itself is at fault in at least {len(faulty)}; of Math23k's 314, in "
      f"{len(data_errors)} (lessons/data_errors.json)")
for place in wrong[:args.wrong]:
    print(f"\n  {test[place].id}: {test[place].text}\n    wrote    {prefix_to_infix(best.equations[place])}"
          f"\n    recorded {prefix_to_infix(test[place].equation) if test[place].equation else test[place].flaw}"
          f"\n    {data_errors.get(test[place].id) or cause(best.equations[place], test[place].equation)}")

# %% 5.7 One problem, and what the writer looked at
figures.heading("5.7 One problem: where cross-attention looks while each token is written")
short = [p for p, verdict in zip(test, best.verdicts) if verdict == "=" and 3 <= len(p.equation) <= 7]
problem = next((p for p in short if p.text.isascii()), (short or test)[0])
one = batches([problem], vocabularies, 1)[0].to(DEVICE)
record = {}
with torch.no_grad():
    model(one.source, one.lengths, one.target, record=record)
last = max(layer for kind, layer in record if kind == "cross")
looks = record["cross", last][0].mean(dim=0)  # (T, S), the mean over heads
words = [word for word, *_ in problem.words]
figures.matrix(looks.tolist(), problem.equation, words, f"05_attention_{args.data}")

# %% [markdown]
r"""
What does an hour of training consist of? At this size matrix products are only part of it: the rest is softmax,
copies, norms, random numbers, the optimizer. What one drops or batches cleverly counts as much as what one multiplies.
"""

# %% 5.8 Where the time goes
figures.heading("5.8 Forward, backward and the optimizer's step: where the time goes")
some = batches([problem for problem in splits.train if vocabularies.can_write(problem)], vocabularies,
               settings.batch_size, torch.Generator().manual_seed(0), settings.mirrored)[:10]
parts = step_time(copy.deepcopy(model), [batch.to(DEVICE) for batch in some], task_loss(settings.smoothing))
figures.table([(name, share) for name, share in parts.items()], ["", "share of the time"])

# %% 5.9 The result file
DECODING = {"the model, greedy": "greedy", "the model, beam of 5": "beam 5", "the model, both ways": "both ways",
            "the model, both ways, plausible values": BEST}
analysis = {"time": parts, "causes": causes, "data_errors": faulty, "equal_texts": sum(equal_texts),
            "near_texts": [place for place, near in enumerate(near_texts) if near],
            "kinds": {kind: [len(places), *(sum(report.verdicts[place] in "=~" for place in places)
                                            for report in (best, *baselines))]
                      for kind, places in sorted(groups.items())}}  # problems, and how many each got right
facts = dict(study="teacher", data=args.data, split="test", fold=args.fold)
steps = recipe.steps_of(settings, splits.train, vocabularies)
rows = [result_row(reports[name], model="teacher", ratio=0.0, schedule="none", loss="ce", seed=args.seed, steps=steps,
                   parameters=parameters(model), parameters_without_embeddings=parameters(model, embeddings=False),
                   settings={"decoding": decoding, "recipe": repr(recipe.RECIPES[args.data]),
                             **(analysis if reports[name] is best else {})}, **facts)
        for name, decoding in DECODING.items()]
rows += [result_row(report, model="baseline", settings={"baseline": name}, **facts)
         for name, report in list(reports.items())[:2]]
path = result_path(args.out, rows[0])
write_result(path, rows, started)
print(f"  written: {path}")

# %% [markdown]
r"""
## Exercises

1. By hand: what is the loss of a model that spreads its belief evenly over 12 tokens? And of one that knows it must
   be `+` or `-`, but not which?
2. Write `token_loss` (tinyprune/transformer.py). `pytest tests/test_transformer.py`.
3. Write `greedy` (tinyprune/decode.py): rows end at different steps. `pytest tests/test_decode.py`.
4. Find the mistake: `(loss.sum(dim=1) / tokens).mean()` where loss is (B, T), 0 at padding, and `tokens` (B,) counts
   each equation's real ones. Whose tokens weigh more than others?
5. Open: change one setting and gain a point on validation. Was it noise? Train three seeds of each and give an
   interval. (ASDiv-A has no validation problems unless it is loaded with tuning=True, as in lesson 11.)
"""
