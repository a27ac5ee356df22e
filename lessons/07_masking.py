# %% [markdown]
r"""
# 07 Masking and removal: we set a head's gate to 0. What do we gain?

We gain nothing yet. A gate of 0 multiplies a result that is already computed. To save anything, we
must remove the head's rows and columns from the matrices. How much this saves is arithmetic: we
know it before any training. How much of the saving the clock shows is another question.

You need lessons 01 and 02. You read for about 40 minutes. The teacher of lesson 05 is loaded, or
trained now. The code then runs for less than a minute, and the exercises take three and a half
hours. We prune the heads that lesson 06 scores lowest, but this lesson works with any choice of
heads.

Some words. There are three *kinds* of attention, encoder, decoder and cross, each with several
*layers*. A *pruned* head no longer takes part. It is *masked* if its gate is 0, and *removed* if
its weights are gone. All other heads are *active*. *The library* is the package `tinyprune`.

## What a gate multiplies, and what a head owns

For each query, head h computes z_h, K numbers. W_O, (D, N·K), reads the head through its own K
columns, W_O,h. The layer adds up what the heads write, and then adds a bias b_O of D numbers:

    output = sum over h of gate[h] * W_O,h z_h + b_O

The gate stands before W_O. A head owns its K rows of W_Q, W_K and W_V, its K entries of their
biases b_Q, b_K and b_V, and its K columns of W_O. The bias b_O belongs to no head.

The next cell silences head 1 of three in five more ways. Guess which of them are the same function
as a gate of 0.
"""

# %% 7.1 Ways to silence a head
import copy
import math
import re

import torch

from tinyprune import cli, figures, recipe, results
from tinyprune.attention import MultiHeadAttention
from tinyprune.batching import batches
from tinyprune.evaluate import evaluate_model
from tinyprune.files import read_json
from tinyprune.masking import apportion, gates_for, remove_heads, select_heads
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

figures.heading("7.1 Silence head 1 of three: which ways are a gate of 0?")
N = 3
K = 2
D = 5
goes = [2, 3]  # the rows of head 1: 1·K and 1·K + 1
stays = [0, 1, 4, 5]
figures.beside({"W_Q, W_K, W_V (6, 5)": figures.marked(N * K, D, own_rows=goes),
                "b_Q, b_K, b_V (6,)": figures.marked(N * K, 1, own_rows=goes),
                "W_O (5, 6)": figures.marked(D, N * K, own_columns=goes),
                "b_O (5,)": figures.marked(D, 1, own_rows=[])})

torch.manual_seed(0)
layer = MultiHeadAttention(D, K, range(N))
x = torch.randn(1, 4, D)  # (B=1, T=4, D)
without_columns = copy.deepcopy(layer)
without_values = copy.deepcopy(layer)
smaller = MultiHeadAttention(D, K, [0, 2])
with torch.no_grad():
    without_columns.output.weight[:, goes] = 0
    without_values.value.weight[goes] = 0  # b_V of head 1 is forgotten
    for name in ("query", "key", "value"):
        whole_part = layer.get_submodule(name)
        small_part = smaller.get_submodule(name)
        small_part.weight.copy_(whole_part.weight[stays])
        small_part.bias.copy_(whole_part.bias[stays])
    smaller.output.weight.copy_(layer.output.weight[:, stays])
    smaller.output.bias.copy_(layer.output.bias)
    no_bias = copy.deepcopy(smaller)
    no_bias.output.bias.zero_()
    gate = torch.tensor([1., 0, 1])
    masked, _ = layer(x, head_gate=gate)
    whole, _ = layer(x)
    ways = {"its rows and columns removed": smaller(x)[0],
            "its columns of W_O set to 0": without_columns(x)[0],
            "its rows of W_V set to 0, b_V forgotten": without_values(x)[0],
            "removed, and b_O removed with it": no_bias(x)[0],
            "the gates' mean, after W_O": whole * gate.mean()}
rows = []
for name, output in ways.items():
    difference = (output - masked).abs().max().item()
    rows.append((name, f"{difference:.0e}", "same" if difference < 1e-6 else "another function"))
figures.table(rows, ["way", "differs from gate 0 by", ""])
rows = []
for name in ("query", "key", "value", "output"):
    before = tuple(layer.get_submodule(name).weight.shape)
    after = tuple(smaller.get_submodule(name).weight.shape)
    rows.append((f"W of {name}", str(before), str(after)))
figures.table(rows, ["shape", "before", "after"])

# %% [markdown]
r"""
The marks # show what goes. Two ways are the gate of 0. If W_V's rows are 0 and b_V stays, the head
still writes W_O,h b_V,h, the same vector for each word. Without b_O every word loses a vector that
no head has written. After W_O the heads are mixed, and no factor can select one of them.

After the removal N·K is 4 and D is 5: the two need not be equal, and nothing in the code needs it.
Two things stay as they are: b_O, and the scale 1/√K of the scores, which depends on the width of a
head, not on the number of heads.

## How many heads of each kind?

`--ratio 0.3` of 24 heads are 7.2, so 7 heads go (halves are rounded up). Our rule shares the number
among the three kinds in proportion to their heads. The shares are rarely whole. The method of the
*largest remainder*, by which some parliaments share out their seats, has two steps. Each kind gets
the whole part of its exact share. Then the heads that are left over go, one each, to the kinds with
the largest remainders; of equal remainders the first kind wins, in the order encoder, decoder,
cross. Take a model with 10, 8 and 8 heads, of which 5 go. What does each kind lose? And what if
each share is simply rounded?
"""

# %% 7.2 Largest remainder
figures.heading("7.2 Five of 26 heads go: how many of each kind?")
heads_of = {"encoder": 10, "decoder": 8, "cross": 8}
exact = {kind: 5 * heads / 26 for kind, heads in heads_of.items()}
whole_part = {kind: math.floor(share) for kind, share in exact.items()}
remainder = {kind: exact[kind] - whole_part[kind] for kind in KINDS}
left_over = 5 - sum(whole_part.values())
luckiest = sorted(KINDS, key=remainder.get, reverse=True)[:left_over]  # ties: in order
gets = {kind: whole_part[kind] + (kind in luckiest) for kind in KINDS}
rounded = {kind: round(exact[kind]) for kind in KINDS}
rows = []
for kind in KINDS:
    rows.append((kind, heads_of[kind], exact[kind], whole_part[kind], remainder[kind], gets[kind],
                 rounded[kind]))
figures.table(rows, ["kind", "heads", "exact", "whole", "remainder", "loses", "rounded"])
assert apportion(5, list(heads_of.values())) == list(gets.values())
print(f"  largest remainder: {sum(gets.values())} heads; each share rounded: "
      f"{sum(rounded.values())} heads")

# %% [markdown]
r"""
Rounded shares need not add up to the number that we want. Within a kind the lowest scores go. One
rule stands above the scores: every attention keeps at least one head. Where the lowest head is the
last one of its layer, the next lowest goes in its place. Equal scores go by layer and index.

The next cell does this for the teacher. It masks the heads with gates (`gates_for`), builds the
smaller model (`remove_heads`), and compares the logits of one batch. How large will the difference
be, next to the difference that pruning makes?
"""

# %% 7.3 The teacher, masked and removed
figures.heading("7.3 The teacher: masked, removed, and whole")
splits, vocabularies, teacher = recipe.load_teacher(args.data, args.fold, args.seed)
calibration_size = recipe.EXPERIMENTS[args.data].calibration
calibration = recipe.calibration_batches(splits.train, vocabularies, calibration_size)
scores = score_heads(teacher, calibration)
pruned = select_heads(scores, args.ratio)
names = [f"{head.kind} {head.layer}.{head.index}" for head in sorted(pruned)]
print(f"  {len(pruned)} of {len(scores)} heads are pruned:")
for start in range(0, len(names), 6):
    print(f"    {', '.join(names[start:start + 6])}")

gates = gates_for(teacher, pruned)
removed = remove_heads(teacher, pruned)
batch = calibration[0]
inputs = (batch.source, batch.lengths, batch.target)
with torch.no_grad():
    masked_logits = teacher(*inputs, gates)  # (B, T, V)
    removed_logits = removed(*inputs)
    whole_logits = teacher(*inputs)


def largest_difference(logits):
    difference = (logits - masked_logits).abs()
    return difference.max().item()


rows = [("heads removed", f"{largest_difference(removed_logits):.0e}"),
        ("no head pruned", f"{largest_difference(whole_logits):.2f}")]
figures.table(rows, ["logits of", "differ from the masked model by"])
assert largest_difference(removed_logits) < 1e-3
rows = []
for name, attention in teacher.attention_layers().items():
    small = removed.attention_layers()[name]
    before = tuple(attention.query.weight.shape)
    after = tuple(small.query.weight.shape)
    if before != after:
        rows.append((" ".join(map(str, name)), str(before), str(after), small.heads))
figures.table(rows, ["attention", "W_Q before", "after", "the heads that stay"])

# %% [markdown]
r"""
The masked and the removed model are one function, up to the rounding of floating-point numbers. A
head keeps its original index: after the removal of head 1, head 2 is still called 2.

## The clock, and the count

Which model is faster, the masked one or the one whose heads are removed? By how much, if three
heads in ten are gone? Guess before you look.
"""

# %% 7.4 The clock
figures.heading("7.4 Time per problem, relative to the whole model")


class Masked(torch.nn.Module):
    """The teacher with some heads masked: a model of its own for the stopwatch."""

    def encode(self, source, lengths):
        return teacher.encode(source, lengths, gates)

    def decode(self, tokens, memory, mask, cache):
        return teacher.decode(tokens, memory, mask, gates, cache=cache)


timed = [problem for problem in splits.train[:96] if vocabularies.can_write(problem)]
timed_batches = batches(timed, vocabularies, 32)
models = {"whole": teacher, "heads masked": Masked(), "heads removed": removed}
seconds = latencies(models, timed_batches)
relative = {name: value / seconds["whole"] for name, value in seconds.items()}
figures.table(list(relative.items()), ["", "time"])
saves = relative["heads masked"] < 0.97
print(f"  masking {'saved time here, by chance' if saves else 'saves no time'}; "
      f"removal makes the model {1 / relative['heads removed']:.2f} times as fast")

# %% [markdown]
r"""
A clock depends on the machine and on its other work. A count does not. *FLOPs* are floating-point
operations, two for each multiply-and-add of a matrix product. We count one problem: a text of S
words is read once, and an equation of T tokens is decoded greedily, with a cache (lesson 02).

What does one head cost? Its parameters are K rows of three matrices, each with D weights and a
bias, and K columns of W_O:

    parameters = 3 K (D + 1) + K D

For its FLOPs, each token passes through the head's K rows or columns: 2 D K for each of the four
matrices. Each pair of a query and a key costs 2 K for the score and 2 K for the average of values:

    encoder    2 D K · 4 S            + 4 K · S²              S words look at S words
    decoder    2 D K · 4 T            + 4 K · T (T + 1) / 2   token t looks at t tokens
    cross      2 D K · (2 T + 2 S)    + 4 K · T S             queries T, keys and values S

The library counts the same in `measure.py`. Take S = 30 and T = 5: which of the three kinds has the
most expensive heads?
"""

# %% 7.5 The price of one head
figures.heading("7.5 One head's price: the formula, and measure.py")
config = teacher.config
D = config.width
K = config.head_width
by_formula = 3 * K * (D + 1) + K * D
counted = head_parameters(teacher) / len(teacher.heads())
assert by_formula == counted
print(f"  parameters of one head, D = {D}, K = {K}: {by_formula:,}, as counted")
lengths = problem_lengths(splits.train[:500])
source_lengths, target_lengths = zip(*lengths)
S = round(sum(source_lengths) / len(lengths))
T = round(sum(target_lengths) / len(lengths))
one_matrix = 2 * D * K  # FLOPs of one token
one_pair = 4 * K  # of one query and one key
formulas = {"encoder": one_matrix * 4 * S + one_pair * S * S,
            "decoder": one_matrix * 4 * T + one_pair * T * (T + 1) // 2,
            "cross": one_matrix * (2 * T + 2 * S) + one_pair * T * S}
cost = flops_by_attention(teacher, S, T)
rows = []
for kind, by_formula in formulas.items():
    attention = teacher.attention_layers()[kind, 0]
    counted = cost[kind, 0] / len(attention.heads)
    assert counted == by_formula
    rows.append((kind, f"{by_formula / 1e6:.3f}", f"{counted / 1e6:.3f}"))
figures.table(rows, ["MFLOPs of one head", "formula", "measure.py"])
dearest = max(formulas, key=formulas.get)
cheapest = min(formulas, key=formulas.get)
print(f"  S = {S} words, T = {T} tokens: one {dearest} head costs as much as "
      f"{formulas[dearest] / formulas[cheapest]:.1f} {cheapest} heads")

# %% [markdown]
r"""
All heads have the same number of parameters, so the parameters saved are

    attention's share of the parameters × share of the heads removed

whichever heads go. In a model with wide feed-forward layers attention has a small share, and there
is little to save. Our feed-forward layers are narrow. The FLOPs saved depend on *which* heads go.
Our rule fixes the number of each kind, and so it fixes the FLOPs too.

If the time were all FLOPs, a model that saves a share s of them would need 1 - s of the time:

    speed-up = 1 / (1 - s)          the ceiling of the FLOPs

We call it a ceiling because most other work shrinks less. It is no law: 7.8 has work that shrinks
more.


The paper saves 19.3% of the FLOPs and reports 27.5% more speed. Compute its ceiling before you run
the cell. Can FLOPs alone explain the report?
"""

# %% 7.6 The ceiling
figures.heading(f"7.6 What removing {args.ratio:.0%} of the heads saves, and the ceiling of speed")
whole_parameters = parameters(teacher, embeddings=False)
whole_flops = mean_flops(teacher, lengths)


def flops_saved(model):
    """The share of the teacher's FLOPs that this model does not need."""
    return 1 - mean_flops(model, lengths) / whole_flops


saved_parameters = 1 - parameters(removed, embeddings=False) / whole_parameters
parameter_share = head_parameters(teacher) / whole_parameters
rows = [("parameters without embeddings", parameter_share, saved_parameters),
        ("FLOPs per problem", sum(cost.values()) / whole_flops, flops_saved(removed))]
figures.table(rows, ["", "attention's share", "saved"])
by_arithmetic = parameter_share * len(pruned) / len(scores)
assert abs(saved_parameters - by_arithmetic) < 1e-6
print(f"  {parameter_share:.3f} × {len(pruned)}/{len(scores)} = {by_arithmetic:.3f}")
print(f"  ceiling here: {1 / (1 - flops_saved(removed)):.2f} times as fast; "
      f"ceiling of the paper: {1 / (1 - 0.193):.3f}, reported 1.275")

# %% [markdown]
r"""
The paper's speed is above its ceiling, so it needs another cause than these FLOPs (7.8 looks for
one).

Why stop at 30%? The next cell prunes 0 to 70% of the heads and trains no further. At each ratio it
measures the accuracy here, the FLOPs saved, the ceiling, and the speed of the removed model. Beside
it stand recorded results of the real sets (`lessons/results/`, test problems, greedy decoding; for
ASDiv-A the mean of five folds). Guess the first ratio at which more than two points are lost. Is it
the same on all three sets?
"""

# %% 7.7 From 0 to 70%
asked = (splits.valid or splits.train)[:200]
split = "validation" if splits.valid else "training"
figures.heading(f"7.7 No training after: {len(asked)} {split} problems, and recorded real sets")
RATIOS = [tenth / 10 for tenth in range(8)]


def recorded_accuracies(data):
    """The recorded greedy accuracy at each ratio, a mean over folds: {ratio: float}"""
    found = {}
    for row in results.read_rows(f"whole-method-{data}-*.json"):
        greedy = row["settings"].get("decoding") == results.GREEDY
        if greedy and row["model"] in ("teacher", "pruned"):
            found.setdefault(row["ratio"], []).append(row["answer_accuracy"])
    return {ratio: sum(values) / len(values) for ratio, values in sorted(found.items())}


lowest = {ratio: select_heads(scores, ratio) for ratio in RATIOS}
accuracies = {}
for ratio, heads in lowest.items():
    report = evaluate_model(teacher, asked, vocabularies, gates=gates_for(teacher, heads))
    accuracies[ratio] = report.answer_accuracy
curves = {f"{args.data}, {split}": accuracies,
          "ASDiv-A, recorded": recorded_accuracies("asdiv-a"),
          "Math23k, recorded": recorded_accuracies("math23k")}
rows = []
for ratio in RATIOS:
    rows.append((f"{ratio:.0%}", *(f"{curve[ratio]:.1%}" for curve in curves.values())))
figures.table(rows, ["ratio", *curves])
for name, curve in curves.items():
    costly = [ratio for ratio in RATIOS if curve[ratio] < curve[0.0] - 0.02]
    fall = f"from {costly[0]:.0%} on" if costly else "at no ratio"
    print(f"  more than 2 points lost: {fall} ({name})")
lines = {name: list(curve.items()) for name, curve in curves.items()}
figures.curves(lines, "share of all heads pruned", "answers right", f"07_ratios_{args.data}",
               title="Accuracy without training after pruning")

# %% The same ratios: FLOPs and time
sizes = {ratio: remove_heads(teacher, heads) for ratio, heads in lowest.items()}
seconds = latencies(sizes, timed_batches, rounds=5)
speeds = {ratio: seconds[0.0] / value for ratio, value in seconds.items()}
ceilings = {ratio: 1 / (1 - flops_saved(model)) for ratio, model in sizes.items()}
rows = []
for ratio in RATIOS:
    rows.append((f"{ratio:.0%}", f"{1 - 1 / ceilings[ratio]:.1%}", f"{ceilings[ratio]:.2f}",
                 f"{speeds[ratio]:.2f}", f"{speeds[ratio] / ceilings[ratio]:.0%}"))
figures.table(rows, ["ratio", "FLOPs saved", "ceiling", "speed", "speed / ceiling"])
lines = {"ceiling, 1 / (1 - FLOPs saved)": list(ceilings.items()),
         "measured": list(speeds.items())}
figures.curves(lines, "share of all heads removed", "times as fast", f"07_speed_{args.data}",
               title=f"Speed of the smaller model, {args.data}, batches of 32")

# %% [markdown]
r"""
## What the FLOPs do not count

FLOPs count matrix products. Softmax, the rotation of queries and keys, norms, sums and copies are
not in the formula, but they take time too. Some of them shrink with the heads (softmax, rotation).
Others stay (norms, sums, mixing neighbours). And every operation has a price of its own, however
small its tensors are: Python must start it, and torch must find the code for it. A decoding step
works on one token for each problem, so this price counts there. Guess: what share of the time of
decoding do the matrix products take? (*Fused attention* is torch's one operation for two products
and the softmax between them. It has a row of its own.) Does the share change when heads are
removed?
"""

# %% 7.8 Where the time goes
figures.heading("7.8 Decoding in batches of 32: where the time goes")
KINDS_OF_WORK = {"matrix products": "mm$",
                 "fused attention (products and softmax)": "_scaled_dot_product",
                 "copies": "copy_|cat$|index|fill_",
                 "norms": "layer_norm",
                 "sums and products, number by number": "add_?$|addcmul|mul_?$|div|relu|clamp"}
shares = {}
for name, model in (("whole", teacher), ("heads removed", removed)):
    forced_decoding(model, timed_batches[0])  # not timed: it warms up
    with torch.autograd.profiler.profile(use_kineto=False) as profile:
        for timed_batch in timed_batches:
            forced_decoding(model, timed_batch)
    times = dict.fromkeys([*KINDS_OF_WORK, "the rest"], 0.0)
    operations = 0
    for event in profile.key_averages():
        fitting = [kind for kind, names in KINDS_OF_WORK.items() if re.search(names, event.key)]
        kind = fitting[0] if fitting else "the rest"
        times[kind] += event.self_cpu_time_total
        operations += event.count
    shares[name] = [took / sum(times.values()) for took in times.values()]
    each = operations // len(timed_batches)
    print(f"  {name}: {each} operations for a batch, those that call others included")
figures.table(list(zip(times, *shares.values())), ["share of the time", *shares])
products = {name: values[0] for name, values in shares.items()}
change = products["heads removed"] - products["whole"]
direction = "about the same share"
if abs(change) > 0.03:
    direction = "a larger share" if change > 0 else "a smaller share"
print(f"  matrix products take {products['whole']:.0%} of the time, and {direction} when heads are "
      "removed")

recorded = read_json(results.RESULTS / "speed.json")
rows = []
for name, key in (("128 problems", "pruned_speed"), ("1 problem", "pruned_speed_batch1")):
    rows.append((name, *(f"{share:.0%}" for _, share in recorded[key])))
ratios = [f"{ratio:.0%}" for ratio, _ in recorded["pruned_speed"]]
figures.table(rows, ["Math23k: speed / ceiling, in batches of", *ratios])
highest = max(share for key in ("pruned_speed", "pruned_speed_batch1")
              for _, share in recorded[key])
if highest > 1:
    print(f"  {highest:.0%} is above the ceiling: softmax and rotation shrink more than the FLOPs, "
          "and no clock is exact")

# %% [markdown]
r"""
Both models start nearly as many operations: pruning makes tensors smaller, not fewer. So fewer
FLOPs need not make a model faster by as much. It depends on the batch. The second table has the
recorded speed of Math23k's teacher with heads removed, as a share of its ceiling. Where a batch is
large, the matrices are large, and their products are more of the time. With one problem at a time
the start of each operation counts, and most of the saving is lost.

Our own speed passes the ceiling at some ratios, and the paper's is only 3% above its own. A
possible reason: softmax and rotation belong to the heads alone, so they shrink as much as the
heads. The FLOPs shrink less, because the feed-forward layers stay. So the paper's figure alone is
no proof of an error: work that the FLOPs do not count may explain it.

The model has three kinds of attention. Which kind can lose heads with the least damage? Guess.
"""

# %% 7.9 One kind at a time
figures.heading(f"7.9 Accuracy when one kind loses its lowest heads ({split} problems)")
PARTS = (0.0, 0.25, 0.5, 0.75)
lines = {}
for kind in KINDS:
    own_scores = {head: scores[head] for head in teacher.heads() if head.kind == kind}
    lines[kind] = [(0.0, accuracies[0.0])]
    for ratio in PARTS[1:]:
        gates_of_kind = gates_for(teacher, select_heads(own_scores, ratio))
        report = evaluate_model(teacher, asked, vocabularies, gates=gates_of_kind)
        lines[kind].append((ratio, report.answer_accuracy))
rows = []
for kind, points in lines.items():
    rows.append([kind, *(accuracy for _, accuracy in points)])
figures.table(rows, ["kind", *(f"{ratio:.0%}" for ratio in PARTS)])
figures.curves(lines, "share of this kind's heads pruned", "answers right",
               f"07_kinds_{args.data}", title=f"One kind at a time, {args.data}")
at_half = {kind: points[2][1] for kind, points in lines.items()}
mildest = max(at_half, key=at_half.get)
others = [accuracy for kind, accuracy in at_half.items() if kind != mildest]
margin = at_half[mildest] - max(others)
error = math.sqrt(0.5 / len(asked))  # of a difference of two shares, unless they are opposed
clear = "" if margin > 2 * error else ", but not by more than chance allows"
print(f"  at 50%: {mildest} heads cost least, by {100 * margin:.1f} points{clear}")

# %% [markdown]
r"""
On the sample the encoder's heads have the most FLOPs (7.5) and cost the least accuracy. Our rule
takes the same share of each kind, so it saves fewer FLOPs than it could for this loss; exercise 5
does better. Why the encoder can spare heads, we do not know. (A kind that costs little is no proof
that its heads are useless: the score chose the heads, and lesson 06 showed how the cost depends on
which other heads are gone.) The heads that stay can learn to do without the pruned ones. This is
what the next two lessons are for.

## Exercises

★ easy, ★★ medium, ★★★ hard; the minutes are for working, not for reading.

1. (★, 20 minutes) By hand: D = 128, 4 heads of width 32, a feed-forward layer of width 128. What
   share of an encoder layer's matrices is attention? With a feed-forward layer of width 512? If 30%
   of the heads go and the matrices are all the FLOPs, how high is the ceiling of each? And: a model
   has 4, 6 and 6 heads of the three kinds, and 4 heads go. How many does each kind lose?
2. (★★, 30 minutes) Write `head_rows` and `MultiHeadAttention.prune_heads`. Which rows, which
   columns and which biases stay? `pytest tests/test_attention.py -k "head_rows or remov or prun"`
3. (★★, 45 minutes) Write `apportion`, `lowest_heads` (one head stays in every attention),
   `select_heads` (the exact count, halves rounded up) and `gates_for`.
   `pytest tests/test_masking.py`
4. (★★, 20 minutes) Find the mistake. In `prune_heads`, someone computes the head width K by a
   division:

       positions = [self.heads.index(index) for index in kept]
       rows = head_rows(positions, self.query.in_features // len(self.heads))

   The first removal is right if all heads together are as wide as the model. What does the second
   removal do? `pytest tests/test_attention.py -k original_indices`
5. (★★, 30 minutes) A budget. Choose heads such that 20% of the FLOPs are saved and the accuracy
   falls least. The heads of the three kinds have different prices (7.5). How many heads of each
   kind do you take, and do you need fewer heads than our rule?
6. (★★★, 60 minutes) Open: is it better to prune by kind, or over all kinds together
   (`scope="all"`)? Measure both at three ratios, with paired intervals (lesson 08;
   `bootstrap_interval` in `results.py`). What does the scale of lesson 06 do to the ranking over
   all kinds?
"""
