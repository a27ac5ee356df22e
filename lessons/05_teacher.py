# %% [markdown]
r"""
# 05 The teacher: what does it take before pruning means anything?

Pruning a model that knows nothing costs nothing. So first there must be a teacher worth pruning: a transformer that
reads a problem and writes its equation, trained from scratch, and compared with solvers that cannot read at all.

You need lessons 02 to 04. About 35 minutes to read; it trains for a minute or two on the sample (--data asdiv-a:
a few minutes; math23k: an hour), and the next lessons load what it has made.
"""

# %% 5.1 Before the first step
import math
import time

import torch

from tinyprune import figures, recipe
from tinyprune.baseline import most_frequent_equation, nearest_text_equation
from tinyprune.data import Vocabularies, batches, load
from tinyprune.tokenizer import OPERATORS, prefix_to_infix
from tinyprune.train import DEVICE, choose, evaluate, grade, learning_rate_at, solve
from tinyprune.transformer import Config, Transformer, token_loss

args = recipe.options(threads=2)
torch.set_num_threads(args.threads)
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
- word dropout: some words are hidden, as test problems will have words that nobody has seen;
- a moving average of the weights is what is kept: it is steadier than the last step.
"""

# %% 5.2 The schedule
figures.heading("5.2 The learning rate: how long does it take to arrive, and to leave?")
figures.curves({"learning rate": [(step, learning_rate_at(step, 400, settings)) for step in range(0, 401, 10)]},
               "step of 400", "learning rate", "05_learning_rate")

# %% 5.3 Training
figures.heading(f"5.3 Training on {args.data}: {len(splits.train)} problems, {settings.epochs} epochs")
begun = time.time()
splits, vocabularies, run = recipe.teacher(args.data, args.fold, args.seed)
model, log = run.model, run.log
print(f"  ready after {(time.time() - begun) / 60:.1f} minutes")
lines = {"loss": [(epoch, entry["loss"]) for epoch, entry in enumerate(log, 1)]}
watched = [(epoch, entry["accuracy"]) for epoch, entry in enumerate(log, 1) if entry["accuracy"] is not None]
if watched:
    lines["answers right (validation)"] = watched
figures.curves(lines, "epoch", "loss, accuracy", f"05_training_{args.data}")

# %% [markdown]
r"""
Is that good? A number means nothing alone. Two solvers that learn nothing stand beside it: one sees only how many
numbers there are and their order, the other copies the equation of the training text that shares most words.

The model answers in three ways: greedily, with a beam of five, and with a beam whose candidates are passed over if
any of their values is 0 or less, for word problems count and measure.
"""

# %% 5.4 Beside solvers that learn nothing
figures.heading(f"5.4 Answers right on {len(splits.test)} test problems")
test = splits.test
candidates = solve(model, test, vocabularies, beam=5)  # one search for both ways to choose from it
reports = {"the commonest equation for such numbers": grade(test, most_frequent_equation(splits.train, test)),
           "the nearest training text's equation": grade(test, nearest_text_equation(splits.train, test)),
           "the model, greedy": evaluate(model, test, vocabularies),
           "the model, beam of 5": grade(test, choose(test, candidates)),
           "the model, beam, positive values first": grade(test, choose(test, candidates, positive=True))}
figures.table([(name, report.answer_accuracy, report.equation_accuracy, report.commutative_accuracy)
               for name, report in reports.items()], ["", "answer", "equation", "up to order"])

# %% [markdown]
r"""
The answer may be right where the equation is not the recorded one: 3 + 5 and 5 + 3. "Up to order" forgives
commutation and association (lesson 04), and what still remains is another way to the same value, or luck.

Where does it fail? Longer equations are rarer and give more occasions to be wrong.
"""

# %% 5.5 Where it fails
figures.heading("5.5 Answers right by number of operations")
best = reports["the model, beam, positive values first"]
groups = {}
for place, problem in enumerate(test):
    groups.setdefault(sum(token in OPERATORS for token in problem.equation), []).append(best.verdicts[place] in "=~")
figures.table([(operations, len(hits), sum(hits) / len(hits)) for operations, hits in sorted(groups.items())],
              ["operations", "problems", "answers right"])

wrong = [place for place in range(len(test)) if best.verdicts[place] not in "=~"]
for place in wrong[:2]:
    print(f"\n  {test[place].text}\n    wrote    {prefix_to_infix(best.equations[place])}"
          f"\n    recorded {prefix_to_infix(test[place].equation)}")

# %% 5.6 One problem, and what the writer looked at
figures.heading("5.6 One problem: where cross-attention looks while each token is written")
short = [p for p, verdict in zip(test, best.verdicts) if verdict == "=" and 3 <= len(p.equation) <= 7]
problem = next((p for p in short if p.text.isascii()), (short or test)[0])
one = batches([problem], vocabularies, 1)[0].to(DEVICE)
record = {}
with torch.no_grad():
    model(one.source, one.lengths, one.target, record=record)
last = max(layer for kind, layer in record if kind == "cross")
looks = record["cross", last][0].mean(dim=0)  # (T, S), the mean over heads
words = [vocabularies.source.tokens[token] for token in one.source[0].tolist()]
figures.matrix(looks.tolist(), problem.equation, words, f"05_attention_{args.data}")

# %% [markdown]
r"""
## Exercises

1. By hand: what is the loss of a model that spreads its belief evenly over 12 tokens? And of one that knows it must
   be `+` or `-`, but not which?
2. Write `token_loss` (tinyprune/transformer.py). `pytest tests/test_transformer.py`.
3. Write `greedy` (tinyprune/decode.py): rows end at different steps. `pytest tests/test_decode.py`.
4. Find the mistake: `(loss.sum(dim=1) / lengths).mean()` where loss is (B, T) and padding is 0. Whose tokens weigh
   more?
5. Open: change one setting and gain a point on validation. Was it noise? Train three seeds of each and give an
   interval.
"""
