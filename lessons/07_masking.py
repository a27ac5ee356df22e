# %% [markdown]
r"""
# 07 Masking and removal: a head's gate is closed. What did we gain?

Nothing, yet: a gate of 0 multiplies a result that has been computed. Only taking the head's rows and columns out of
the matrices saves anything, and how much that saves is arithmetic, known before any training.

You need lesson 01 and the first page of 02; the teacher of lesson 05 is loaded, or trained now. About 35
minutes to read, one to run. Which heads are closed is said by the score of lesson 06; for this lesson any choice
would do.
"""

# %% 7.1 Closed, removed, zeroed: one function
import copy

import torch

from tinyprune import figures, recipe
from tinyprune.attention import head_rows
from tinyprune.data import batches, problem_lengths
from tinyprune.masking import gates_of, heads_to_close, remove_heads
from tinyprune.measure import attentions_flops, head_parameters, latencies, mean_flops, parameters
from tinyprune.scorer import head_scores
from tinyprune.train import DEVICE, evaluate

args = recipe.options()
splits, vocabularies, run = recipe.teacher(args.data, args.fold, args.seed)
teacher = run.model
calibration = recipe.calibration_batches(splits.train, vocabularies, recipe.RECIPES[args.data].calibration)
scores = head_scores(teacher, calibration)

figures.heading("7.1 Three ways to silence the same heads")
closed = heads_to_close(scores, args.ratio)
removed = remove_heads(teacher, closed)
zeroed = copy.deepcopy(teacher)
with torch.no_grad():
    for kind, layer, place in closed:
        attention = zeroed.attentions()[kind, layer]
        attention.output.weight[:, head_rows([place], attention.head_width)] = 0  # W_O reads the head: its columns
batch = calibration[0]
with torch.no_grad():
    answers = {"gate 0": teacher(batch.source, batch.lengths, batch.target, gates_of(teacher, closed)),
               "removed": removed(batch.source, batch.lengths, batch.target),
               "columns of W_O zeroed": zeroed(batch.source, batch.lengths, batch.target)}
    untouched = teacher(batch.source, batch.lengths, batch.target)
print(f"  {len(closed)} heads go: " + ", ".join(f"{kind} {layer}.{place}" for kind, layer, place in sorted(closed)))
for name, logits in answers.items():
    difference = (logits - answers["gate 0"]).abs().max().item()
    assert difference < 1e-3
    print(f"  {name:22} differs from the gated model by at most {difference:.0e}")
print(f"  {'nothing silenced':22} differs from it by          {(untouched - answers['gate 0']).abs().max():.2f}")

# %% [markdown]
r"""
What goes with a head: its rows of W_Q, W_K, W_V with their biases, and its columns of W_O. What stays: b_O, which
belongs to no head, and the scale 1/sqrt(K), which belongs to a head's width. Then N*K no longer equals D, and
nothing minds.

Which is faster, closed or removed? Guess before you look.

A clock depends on the machine and what else it does. A count does not: FLOPs are floating-point operations, two for
each multiply-and-add of a matrix product. `tinyprune/measure.py` counts those of one problem, read once and answered
greedily.
"""

# %% 7.2 The clock
figures.heading("7.2 Time per problem, relative to the whole model")


class Gated(torch.nn.Module):
    """The teacher with some gates closed, as a model of its own for the stopwatch."""

    def encode(self, source, lengths):
        return teacher.encode(source, lengths, gates)

    def decode(self, tokens, memory, mask, cache):
        return teacher.decode(tokens, memory, mask, gates, cache=cache)


gates = gates_of(teacher, closed)
asked = [b.to(DEVICE) for b in batches([p for p in splits.train[:96] if vocabularies.can_write(p)], vocabularies, 32)]
seconds = latencies({"whole": teacher, "gates closed": Gated(), "heads removed": removed}, asked)
figures.table([(name, value / seconds["whole"]) for name, value in seconds.items()], ["", "time"])

# %% 7.3 What it saves
figures.heading(f"7.3 What removing {args.ratio:.0%} of the heads saves")
lengths = problem_lengths(splits.train[:500])
S = round(sum(pair[0] for pair in lengths) / len(lengths))
T = round(sum(pair[1] for pair in lengths) / len(lengths))
whole_flops = mean_flops(teacher, lengths)
rows = [("parameters without embeddings", head_parameters(teacher) / parameters(teacher, embeddings=False),
         1 - parameters(removed, embeddings=False) / parameters(teacher, embeddings=False))]
cost = attentions_flops(teacher, S, T)
share = sum(cost.values()) / whole_flops
rows.append(("FLOPs per problem", share, 1 - mean_flops(removed, lengths) / whole_flops))
figures.table(rows, ["", "attention's share", "saved"])
print(f"  words a problem: {S}, tokens an equation: {T}")
per_head = {kind: cost[kind, 0] / len(teacher.attentions()[kind, 0].heads) for kind in ("encoder", "decoder", "cross")}
print("  MFLOPs of one head: " + ", ".join(f"{kind} {value / 1e6:.3f}" for kind, value in per_head.items()))

# %% [markdown]
r"""
Of the parameters, what is saved is attention's share times the share of heads that really go (the ratio, rounded to
whole heads), whichever they are. A model whose feed-forward layers are wide has a small share, and so little to win;
ours are narrow.

FLOPs depend on *which* heads go, for they work on texts of different lengths: an encoder head reads a whole problem, a
decoder head a short equation. The rule that each kind loses the same share, as nearly as whole heads allow, fixes that
too. Which kind can be spared most easily?
"""

# %% 7.4 One kind at a time
asked = (splits.valid or splits.train)[:200]
figures.heading("7.4 Accuracy when one kind loses its lowest heads, no training after, on "
                + ("validation problems" if splits.valid else "training problems"))
lines = {}
for kind in ("encoder", "decoder", "cross"):
    mine = {name: row for name, row in scores.items() if name[0] == kind}
    points = []
    for ratio in (0.0, 0.25, 0.5, 0.75):
        gone = heads_to_close(mine, ratio, scope="all") if ratio else set()
        points.append((ratio, evaluate(teacher, asked, vocabularies, gates=gates_of(teacher, gone)).answer_accuracy))
    lines[kind] = points
figures.table([(kind, *(y for _, y in points)) for kind, points in lines.items()], ["kind", "0%", "25%", "50%", "75%"])
figures.curves(lines, "share of this kind's heads closed", "answer accuracy", f"07_kinds_{args.data}")

# %% [markdown]
r"""
## Exercises

1. By hand: D = 128, 4 heads of width 32, feed-forward 128 wide. What share of an encoder layer's matrices is
   attention? And with a feed-forward of 512?
2. Write `MultiHeadAttention.keep` (which rows, which columns, which biases). `pytest tests/test_attention.py`.
3. Write `heads_to_close`: the exact count, one head left in every attention. `pytest tests/test_masking.py`.
4. Find the mistake. In `keep`, someone finds the head's width K by division:

       rows = head_rows([self.heads.index(head) for head in kept], self.query.in_features // len(self.heads))

   The first removal is right, in a model whose heads are together as wide as it is. What does the second one do?
   `pytest tests/test_attention.py -k "removed or keep"`
5. Open: prune by kind or over all kinds together (`scope="all"`)? Measure both at three ratios, with intervals.
"""
