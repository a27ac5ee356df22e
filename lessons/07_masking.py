# %% [markdown]
r"""
# 07 Masking and removal: we set a head's gate to 0. What do we gain?

We gain nothing yet. A gate of 0 multiplies a result that is already computed. To save anything, we
must remove the head's rows and columns from the matrices. How much this saves is arithmetic: we
know it before any training.

You need lesson 01 and the first page of 02. The teacher of lesson 05 is loaded, or trained now.
Reading takes about 35 minutes, the run under a minute. We prune the heads that lesson 06 scores
lowest, but this lesson works with any choice of heads.

Three words: a *pruned* head no longer takes part. It is *masked* if its gate is 0, and *removed* if
its weights are gone. All other heads are *active*.
"""

# %% 7.1 Masked, removed, zeroed: one function
import copy
import re

import torch

from tinyprune import cli, figures, recipe
from tinyprune.attention import head_rows
from tinyprune.batching import batches
from tinyprune.evaluate import evaluate_model
from tinyprune.masking import gates_for, remove_heads, select_heads
from tinyprune.measure import (
    flops_by_attention,
    forced_decoding,
    head_parameters,
    latencies,
    mean_flops,
    parameters,
    problem_lengths,
)
from tinyprune.scorer import score_heads
from tinyprune.transformer import KINDS

args = cli.options()
torch.set_num_threads(args.threads)
splits, vocabularies, teacher = recipe.load_teacher(args.data, args.fold, args.seed)
count = recipe.EXPERIMENTS[args.data].calibration
calibration = recipe.calibration_batches(splits.train, vocabularies, count)
scores = score_heads(teacher, calibration)

figures.heading("7.1 Three ways to silence the same heads")
pruned = select_heads(scores, args.ratio)
names = [f"{head.kind} {head.layer}.{head.index}" for head in sorted(pruned)]
print(f"  {len(pruned)} heads are pruned: {', '.join(names)}")

gates = gates_for(teacher, pruned)
removed = remove_heads(teacher, pruned)
zeroed = copy.deepcopy(teacher)
with torch.no_grad():
    for head in pruned:
        attention = zeroed.attention_layers()[head.kind, head.layer]
        position = attention.heads.index(head.index)
        columns = head_rows([position], attention.head_width)
        attention.output.weight[:, columns] = 0  # W_O reads the head through these columns

batch = calibration[0]
inputs = (batch.source, batch.lengths, batch.target)
with torch.no_grad():
    masked_logits = teacher(*inputs, gates)  # (B, T, V)
    answers = {"gate 0": masked_logits,
               "removed": removed(*inputs),
               "columns of W_O zeroed": zeroed(*inputs)}
    untouched = teacher(*inputs)
for name, logits in answers.items():
    difference = (logits - masked_logits).abs().max().item()
    assert difference < 1e-3
    print(f"  {name:22} differs from the masked model by at most {difference:.0e}")
difference = (untouched - masked_logits).abs().max().item()
print(f"  {'no head pruned':22} differs from it by            {difference:.2f}")

# %% [markdown]
r"""
A head owns its rows of W_Q, W_K and W_V, with their biases, and its columns of W_O. All of these
go. Two things stay: b_O, which belongs to no head, and the scale 1/sqrt(K), which depends on the
width of a head. After the removal N*K no longer equals D, and nothing in the code needs it to.

Which model is faster, the masked one or the one whose heads are removed? Guess before you look.

A clock depends on the machine and on its other work. A count does not. *FLOPs* are floating-point
operations, two for each multiply-and-add of a matrix product. `tinyprune/measure.py` counts the
FLOPs of one problem: the text is read once, and the answer is decoded greedily.
"""

# %% 7.2 The clock
figures.heading("7.2 Time per problem, relative to the whole model")


class Masked(torch.nn.Module):
    """The teacher with some heads masked: a model of its own for the stopwatch."""

    def encode(self, source, lengths):
        return teacher.encode(source, lengths, gates)

    def decode(self, tokens, memory, mask, cache):
        return teacher.decode(tokens, memory, mask, gates, cache=cache)


timed = [problem for problem in splits.train[:96] if vocabularies.can_write(problem)]
models = {"whole": teacher, "heads masked": Masked(), "heads removed": removed}
seconds = latencies(models, batches(timed, vocabularies, 32))
rows = [(name, value / seconds["whole"]) for name, value in seconds.items()]
figures.table(rows, ["", "time"])

# %% 7.3 What removal saves
figures.heading(f"7.3 What removing {args.ratio:.0%} of the heads saves")
whole_parameters = parameters(teacher, embeddings=False)
removed_parameters = parameters(removed, embeddings=False)
lengths = problem_lengths(splits.train[:500])
source_lengths, target_lengths = zip(*lengths)
S = round(sum(source_lengths) / len(lengths))
T = round(sum(target_lengths) / len(lengths))
cost = flops_by_attention(teacher, S, T)
whole_flops = mean_flops(teacher, lengths)
rows = [("parameters without embeddings", head_parameters(teacher) / whole_parameters,
         1 - removed_parameters / whole_parameters),
        ("FLOPs per problem", sum(cost.values()) / whole_flops,
         1 - mean_flops(removed, lengths) / whole_flops)]
figures.table(rows, ["", "attention's share", "saved"])
print(f"  words per problem: {S}, tokens per equation: {T}")
per_head = []
for kind in KINDS:
    heads = len(teacher.attention_layers()[kind, 0].heads)
    per_head.append(f"{kind} {cost[kind, 0] / heads / 1e6:.3f}")
print(f"  MFLOPs of one head: {', '.join(per_head)}")

# %% [markdown]
r"""
The parameters saved are attention's share times the share of heads removed (the ratio, rounded to
whole heads). It does not matter which heads go. In a model with wide feed-forward layers, attention
has a small share, so there is little to save. Our feed-forward layers are narrow.

The FLOPs saved depend on *which* heads go, because heads work on texts of different lengths. An
encoder head reads the whole problem, a decoder head a short equation. Our rule prunes the same
share of each kind, as nearly as whole heads allow, and so it also fixes the FLOPs.

## What the FLOPs do not count

FLOPs count matrix products. Softmax, the rotation of queries and keys, norms, sums and copies are
not in the formula, but they take time too. Some of them shrink with the heads (softmax, rotation).
Others stay (norms, sums, mixing neighbours). And every operation has a price of its own, however
small its tensors are: Python must name it, and torch must find the code for it. A decoding step
works on one token, so there this price is most of the time. Guess: which share of the time of
decoding are the matrix products? Does the share change when heads are removed?
"""

# %% 7.4 Where the time goes
figures.heading("7.4 Decoding, one batch at a time: where the time goes")
KINDS_OF_WORK = {"matrix products": "mm$",
                 "fused attention (products and softmax)": "_scaled_dot_product",
                 "copies": "copy_|cat$|index|fill_",
                 "norms": "layer_norm",
                 "sums and products, number by number": "add_?$|addcmul|mul_?$|div|relu|clamp"}
shares = {}
for name, model in (("whole", teacher), ("heads removed", removed)):
    with torch.autograd.profiler.profile(use_kineto=False) as profile:
        forced_decoding(model, calibration[0])
    times = dict.fromkeys([*KINDS_OF_WORK, "the rest"], 0.0)
    operations = 0
    for event in profile.key_averages():
        fitting = [kind for kind, names in KINDS_OF_WORK.items() if re.search(names, event.key)]
        times[[*fitting, "the rest"][0]] += event.self_cpu_time_total
        operations += event.count
    shares[name] = [took / sum(times.values()) for took in times.values()]
    print(f"  {name}: {operations} operations, those that call others included")
figures.table(list(zip(times, *shares.values())), ["share of the time", *shares])

# %% [markdown]
r"""
So fewer FLOPs need not make a model faster by as much. It depends on the batch.
`lessons/results/README.md` has the measured speed as a share of what the FLOPs allow: in batches of
128 problems it is about all of it, and problem by problem much less.

The model has three kinds of attention: encoder, decoder and cross. Which kind can lose heads with
the least damage? Guess.
"""

# %% 7.5 One kind at a time
asked = (splits.valid or splits.train)[:200]
split = "validation" if splits.valid else "training"
figures.heading(f"7.5 Accuracy when one kind loses its lowest heads, no training after ({split} "
                "problems)")
RATIOS = (0.0, 0.25, 0.5, 0.75)
lines = {}
for kind in KINDS:
    of_kind = {head: score for head, score in scores.items() if head.kind == kind}
    lines[kind] = []
    for ratio in RATIOS:
        gates_of_kind = gates_for(teacher, select_heads(of_kind, ratio))
        report = evaluate_model(teacher, asked, vocabularies, gates=gates_of_kind)
        lines[kind].append((ratio, report.answer_accuracy))
rows = []
for kind, points in lines.items():
    rows.append([kind, *(accuracy for _, accuracy in points)])
figures.table(rows, ["kind", *(f"{ratio:.0%}" for ratio in RATIOS)])
figures.curves(lines, "share of this kind's heads pruned", "answer accuracy",
               f"07_kinds_{args.data}")

# %% [markdown]
r"""
## Exercises

1. By hand: D = 128, 4 heads of width 32, a feed-forward layer of width 128. What share of an
   encoder layer's matrices is attention? What is it with a feed-forward layer of width 512?
2. Write `MultiHeadAttention.prune_heads`. Which rows, which columns and which biases stay?
   `pytest tests/test_attention.py -k "remov or prun"`
3. Write `select_heads`: the exact count, and one head left in every attention.
   `pytest tests/test_masking.py`
4. Find the mistake. In `prune_heads`, someone computes the head width K by a division:

       positions = [self.heads.index(index) for index in kept]
       rows = head_rows(positions, self.query.in_features // len(self.heads))

   The first removal is right if all heads together are as wide as the model. What does the second
   removal do? `pytest tests/test_attention.py -k "remov or prun"`
5. Open: is it better to prune by kind, or over all kinds together (`scope="all"`)? Measure both at
   three ratios, with intervals.
"""
