# %% [markdown]
r"""
# 06 Head scores: which heads matter, and how can we know?

We want to remove three heads in ten. Which ones? The paper scores a head by two quantities that
need no training: the size of its weights, and the spread of its attention. It prunes the heads with
the lowest scores. This lesson builds both quantities and asks what they can see and what they
cannot. Then it measures the truth: how much worse the model becomes without a head. At the end it
masks many heads together, and compares that with the sum of their single costs.

You need lesson 01, and of 02 the first page and the section "The residual stream". You read for
about 45 minutes. The teacher of lesson 05 is loaded, or trained now (a minute on the sample). The
code then runs for less than a minute, and the exercises take four hours.

Some words. There are three *kinds* of attention: the encoder's self-attention, the decoder's
self-attention, and cross-attention. Each kind has several *layers*. One layer of one kind is *an
attention*, and it has N heads. So a head has a name of three parts, `Head(kind, layer, index)`. Its
score is one number, where a high score means "keep". A *criterion* gives a score to each head:
`{Head: float}`. Whatever the scores say, every attention keeps at least one head (lesson 07). We
say *the library* for the package `tinyprune`.

## Entropy: how spread is the attention?

A head gives every query a distribution over n keys: p_1, …, p_n, all at least 0, with sum 1. Its
*entropy* is the mean surprise:

    H(p) = -sum over s of p_s log p_s          (0 log 0 counts as 0)

It is 0 if one key has all the attention, and log n if all n keys have the same share. With the
natural logarithm its unit is the *nat*. Order the five rows of the next cell by their entropy
before you run it. For which of them do the divisions by log 4 and by log n differ?
"""

# %% 6.1 Entropy
import itertools
import math
from collections import Counter
from functools import partial

import torch

from tinyprune import cli, figures, recipe
from tinyprune.attention import MultiHeadAttention
from tinyprune.evaluate import evaluate_model
from tinyprune.masking import gates_for, lowest_heads, select_heads
from tinyprune.results import compare, is_correct
from tinyprune.rivals import gate_gradients, mean_loss
from tinyprune.scorer import (
    CRITERIA,
    entropy_sums,
    head_entropies,
    head_norms,
    min_max,
    norm_ov,
    norm_qkvo,
    paper_score,
    scale_within_kinds,
    score_heads,
)
from tinyprune.transformer import KINDS, by_head

args = cli.options()
torch.set_num_threads(args.threads)

figures.heading("6.1 Five queries of one head, four keys: how undecided is each query?")
QUERIES = {"two alike": ([1 / 2, 1 / 2, 0, 0], 4),  # the attention, and n: the keys it may see
           "one key alone": ([1, 0, 0, 0], 4),
           "four alike": ([1 / 4, 1 / 4, 1 / 4, 1 / 4], 4),
           "three alike, then padding": ([1 / 3, 1 / 3, 1 / 3, 0], 3),
           "no choice": ([1, 0, 0, 0], 1)}
rows = []
shares = []
for name, (p, n) in QUERIES.items():
    nats = sum(x * math.log(1 / x) for x in p if x > 0)
    by_four = nats / math.log(4)
    share = "left out"
    if n > 1:
        share = nats / math.log(n)
        shares.append(share)
    rows.append((name, n, nats, by_four, share))
figures.table(rows, ["attention", "n", "nats", "/ log 4", "/ log n"])

P = torch.tensor([p for p, _ in QUERIES.values()])  # (T=5, S=4)
allowed = torch.tensor([n for _, n in QUERIES.values()])  # (T,)
mask = torch.arange(4) < allowed[:, None]  # (T, S)
every_query = torch.ones(1, 5, dtype=torch.bool)  # (B=1, T)
total, count = entropy_sums(P[None, None], mask[None, None], every_query)
mean_share = sum(shares) / len(shares)
assert abs(total.item() / count.item() - mean_share) < 1e-6
print(f"  the head's entropy, the mean of {count.item()} queries: {mean_share:.3f}, "
      "as in the library")

# %% [markdown]
r"""
A query that treats all its keys alike is as undecided as it can be, with three keys or with four.
So we divide by log n, and n counts the keys that *this* query may see: the words of its own text
without padding, or, in a causal row, the tokens up to itself. The result is a share in [0, 1].
Divided by log 4, the row with padding would look more decided than it is. Without any division,
long problems would look undecided. A query with one key has no choice, and log 1 is 0: we leave it
out. Every equation has one such query: the decoder begins with BOS, a fixed token ("beginning of
sequence"), and BOS can see only itself.

The library's `entropy_sums` does this for all heads of a layer at once. It takes the probabilities
P (B, N, T, S), a mask that says which keys each query may see, and `real` (B, T), which is True for
queries that are no padding. It returns two things: for every head the *sum* of the shares, (N,),
and the *count* of the queries in it. Why not the mean? Guess the entropy of the head below: in a
batch of one query its share is 0.9, in a batch of nine queries each share is 0.1.
"""

# %% 6.2 Many batches
figures.heading("6.2 One query of 0.9, nine queries of 0.1: what is the head's entropy?")
small_batch = torch.tensor([0.9])
large_batch = torch.full((9,), 0.1)
means = (small_batch.mean() + large_batch.mean()) / 2
sums = small_batch.sum() + large_batch.sum()
queries = len(small_batch) + len(large_batch)
rows = [("the mean of the batches' means", means.item()),
        ("all shares added, divided once", (sums / queries).item())]
figures.table(rows, ["", "entropy"])

# %% [markdown]
r"""
A mean of means gives the one query the weight of nine, and the score depends on how problems are
grouped into batches. So add up over all batches, and divide once at the end.

## The weight norm: how large are the matrices?

Lesson 01 showed what a head owns. Its queries, keys and values come from its K rows of W_Q, W_K and
W_V, each (N·K, D). W_O, (D, N·K), reads the head through its K columns. The *Frobenius norm* of a
matrix squares all entries, adds them and takes the root. The plain reading of the paper takes all
four blocks of head h together:

    norm_qkvo[h] = sqrt( ‖W_Q,h‖² + ‖W_K,h‖² + ‖W_V,h‖² + ‖W_O,h‖² )

with W_Q,h, W_K,h, W_V,h of shape (K, D) and W_O,h of shape (D, K). A second norm asks how strongly
the head can write. It reads a word through W_V,h and writes through W_O,h, so it takes the norm of
their product, a matrix (D, D):

    norm_ov[h] = ‖W_O,h W_V,h‖

Biases are left out. The next cell draws the blocks of head 1 and breaks the norm in two ways. Is
the number of a wrong way smaller or larger than the right one?
"""

# %% 6.3 Rows and columns
figures.heading("6.3 N=3 heads of width K=2, D=5: what belongs to head 1?")
torch.manual_seed(0)
N = 3
K = 2
D = 5
W_Q = torch.randn(N * K, D)
W_K = torch.randn(N * K, D)
W_V = torch.randn(N * K, D)
W_O = torch.randn(D, N * K)
own = slice(2, 4)  # head 1: K numbers from 1·K on
figures.beside({"W_Q, W_K, W_V (N·K=6, D=5)": figures.marked(N * K, D, own_rows=[2, 3]),
                "W_O (D=5, N·K=6)": figures.marked(D, N * K, own_columns=[2, 3])})


def squares(block):
    return (block ** 2).sum()


read = squares(W_Q[own]) + squares(W_K[own]) + squares(W_V[own])
frobenius = (read + squares(W_O[:, own])).sqrt()
with_rows = (read + squares(W_O[own])).sqrt()  # broken: rows of W_O mix all heads
four_norms = W_Q[own].norm() + W_K[own].norm() + W_V[own].norm() + W_O[:, own].norm()
product = W_O[:, own] @ W_V[own]  # (D, K) @ (K, D) -> (D, D)
library = norm_qkvo(W_Q, W_K, W_V, W_O, K)[1]
library_ov = norm_ov(W_Q, W_K, W_V, W_O, K)[1]
rows = [("norm_qkvo: four blocks together", frobenius.item()),
        ("broken: rows of W_O", with_rows.item()),
        ("broken: four norms added", four_norms.item()),
        ("norm_ov: of the product", product.norm().item())]
figures.table(rows, ["head 1", "norm"])
assert torch.allclose(frobenius, library)
assert torch.allclose(product.norm(), library_ov)

# %% [markdown]
r"""
Rows of W_O give a number too, and no error. It may be smaller or larger than the right one, for it
measures weights of all heads. Four added norms are never smaller than the norm of all four blocks.

A norm is easier to compute than an entropy, and easier to fool. Take one head, make its W_V four
times larger and its W_O four times smaller. Guess: what happens to the layer's output, and what
happens to each of the two norms?
"""

# %% 6.4 What the norm sees and the function does not
figures.heading("6.4 Head 0: W_V times 4, W_O divided by 4")
torch.manual_seed(0)
K = 4
layer = MultiHeadAttention(width=12, head_width=K, heads=range(3))
x = torch.randn(2, 5, 12)  # (B, T, D)


def both_norms():
    """norm_qkvo and norm_ov of head 0."""
    weights = [part.weight for part in (layer.query, layer.key, layer.value, layer.output)]
    return norm_qkvo(*weights, K)[0].item(), norm_ov(*weights, K)[0].item()


with torch.no_grad():
    before, _ = layer(x)
    plain, of_product = both_norms()
    layer.value.weight[:K] *= 4  # the rows of head 0, and their biases
    layer.value.bias[:K] *= 4
    layer.output.weight[:, :K] /= 4  # the columns of head 0
    after, _ = layer(x)
    plain_after, of_product_after = both_norms()
rows = [("norm_qkvo", plain, plain_after, plain_after / plain),
        ("norm_ov", of_product, of_product_after, of_product_after / of_product)]
figures.table(rows, ["", "before", "after", "factor"])
difference = (before - after).abs().max().item()
print(f"  the outputs differ by at most {difference:.1e}")

# %% [markdown]
r"""
The function is the same, and `norm_qkvo` has changed: it looks at the matrices one by one. The
product does not change. Both norms can still be fooled. The LayerNorm before an attention
multiplies each channel by a learned scale, its *gain*, and a larger gain is the same function as
larger weights. So the library first multiplies the weights by the gain.

## One scale, and the mix

A norm of 6 and an entropy of 0.7 cannot be added: their units differ. And the kinds of attention
differ too. So each of the two is scaled to [0, 1] over all heads of one kind:

    x̂[h] = (x[h] - min) / (max - min)          min and max over the heads of h's kind

The lowest head of a kind gets 0 and the highest gets 1. If all are equal this is 0/0, and each gets
0.5. The paper's score mixes the two parts:

    I[h] = α · norm̂[h] + (1 - α) · entropŷ[h]          with α = 0.5 unless we say otherwise

The norm needs no problems. The entropy is measured on the *calibration problems*: a few hundred
training problems, drawn at random. The model does not learn from them here. Its heads only attend
to their words.

The next cell shows the range of each kind, and four heads of the decoder. At α = 0 and at α = 1 the
head that is pruned first need not be the same. Which kind would lose the most heads if all kinds
were ranked together by their unscaled entropy?
"""

# %% 6.5 Scaled and mixed
figures.heading("6.5 The teacher's norms and entropies, raw and scaled: how much does α change?")
splits, vocabularies, teacher = recipe.load_teacher(args.data, args.fold, args.seed)
calibration_size = recipe.EXPERIMENTS[args.data].calibration
calibration = recipe.calibration_batches(splits.train, vocabularies, calibration_size)
norms = score_heads(teacher, calibration, lambda model, _: head_norms(model))
entropies = score_heads(teacher, calibration, head_entropies)
rows = []
for kind in KINDS:
    of_kind = [head for head in norms if head.kind == kind]
    sizes = [norms[head] for head in of_kind]
    spreads = [entropies[head] for head in of_kind]
    rows.append((kind, min(sizes), max(sizes), min(spreads), max(spreads)))
figures.table(rows, ["kind", "norm: min", "max", "entropy: min", "max"])
number = len(select_heads(entropies, args.ratio))
by_spread = Counter(head.kind for head in lowest_heads(entropies, number))
listed = ", ".join(f"{kind} {by_spread[kind]}" for kind in KINDS)
print(f"  the {number} lowest unscaled entropies of all kinds: {listed}")

scaled_norms = scale_within_kinds(norms)
scaled_entropies = scale_within_kinds(entropies)
decoder = [head for head in norms if head.kind == "decoder"]
raw = [norms[head] for head in decoder]
span = max(raw) - min(raw)
by_hand = [(norm - min(raw)) / span for norm in raw]
library_scale = [scaled_norms[head] for head in decoder]
assert min_max([7.0, 7.0]) == [0.5, 0.5]
assert torch.allclose(torch.tensor(by_hand), torch.tensor(library_scale), atol=1e-6)
mixes = {alpha: paper_score(teacher, calibration, alpha) for alpha in (0, 0.5, 1)}
rows = []
for head in decoder[:4]:
    scores = [mix[head] for mix in mixes.values()]
    rows.append((f"decoder {head.layer}.{head.index}", norms[head], scaled_norms[head],
                 entropies[head], scaled_entropies[head], *scores))
figures.table(rows, ["head", "norm", "scaled", "entropy", "scaled", "α=0", "α=0.5", "α=1"])
pruned_by = {alpha: select_heads(mix, args.ratio) for alpha, mix in mixes.items()}
in_common = len(pruned_by[0] & pruned_by[1])
print(f"  entropy alone and norm alone agree on {in_common} of {number} heads to prune")

# %% [markdown]
r"""
Row by row you can check the mix: the column α = 0 is the scaled entropy, α = 1 the scaled norm, and
α = 0.5 lies in the middle. The scale also hides something: the lowest head of a kind always gets 0,
even if all heads of this kind are excellent. So scores of different kinds cannot be compared. Our
rule compares heads of one kind only, and it prunes the same share of each kind, as nearly as whole
heads allow (lesson 07 computes it).

Now the paper's score of all heads. An x marks the heads that `--ratio` prunes. Guess: does every
layer lose about as many heads as the others?
"""

# %% 6.6 The map
pruned = pruned_by[0.5]
figures.heading(f"6.6 The paper's score (darker = higher): {len(pruned)} heads (x) go at --ratio "
                f"{args.ratio}")
paper = mixes[0.5]
figures.head_map(paper, f"06_paper_score_{args.data}", pruned,
                 title=f"Score of each head, {args.data}; x is pruned at {args.ratio:.0%}")
losses = Counter((head.kind, head.layer) for head in pruned)
untouched = [name for name in teacher.attention_layers() if name not in losses]
for (kind, layer_index), lost in losses.most_common(1):
    print(f"  the most from one layer: {lost}, {kind} {layer_index}; layers that lose none: "
          f"{len(untouched)}")

# %% [markdown]
r"""
## Criteria that ask the model

Weights and entropies do not say what a head does for the answer. Three other criteria (`rivals.py`)
ask the model: two of them ask its loss, and activation asks how much a head writes. A fourth one
follows in 6.14.

**Gradient on the gate** (Michel et al. 2019). Lesson 01 gave every head a gate, which is 1. How
much does the loss L move if the gate moves? That is ∂L/∂gate. Masking the head moves its gate by
-1. A straight line promises a change of -∂L/∂gate. But a step of -1 is far too long for a straight
line. And some examples promise a rise and others a fall, which nearly cancel. So the sign of the
mean says little, and the score takes the size, as a mean over examples b:

    I[h] = mean over b of |∂L_b / ∂gate_b[h]|

(6.9 has the mean with its sign beside it.) The absolute value stands *inside* the mean. The next
cell shows why. A model has one head, which writes 1, and its loss is a squared distance. For
problem A the head writes a little too much, for problem B a little too little. Guess the gradient
of the mean loss.
"""

# %% 6.7 Two problems that cancel
figures.heading("6.7 Two problems, one head that writes 1: the gradient on its gate")
wanted = torch.tensor([0.75, 1.25])  # by problem A and by problem B: (B=2,)


def squared_losses(gate):
    """The head writes gate * 1: gate () or (B,) -> the loss of each problem (B,)"""
    return (gate * 1.0 - wanted) ** 2


shared_gate = torch.tensor(1.0, requires_grad=True)
[of_mean] = torch.autograd.grad(squared_losses(shared_gate).mean(), shared_gate)
own_gates = torch.ones(2, requires_grad=True)  # a gate for each problem
[of_each] = torch.autograd.grad(squared_losses(own_gates).sum(), own_gates)
rise = squared_losses(torch.tensor(0.0)).mean() - squared_losses(torch.tensor(1.0)).mean()
rows = [("gradient for A, and for B", "  ".join(f"{slope:+.2f}" for slope in of_each.tolist())),
        ("gradient of the mean loss", f"{of_mean.item():+.2f}"),
        ("mean of the absolute values", f"{of_each.abs().mean().item():+.2f}"),
        ("rise of the mean loss if the head is masked", f"{rise.item():+.2f}")]
figures.table(rows, ["", "value"])

# %% [markdown]
r"""
The gradients of the two problems cancel. A score of 0 would call the head useless, but without it
the loss rises. So every example gets a gate of its own, (B, N) for a layer: first the absolute
value of each, then the mean.

**Activation.** How long is the vector that the head adds to the residual stream? For one query the
head computes z_h, K numbers. (Its gate is 1 here.) W_O,h turns them into D numbers. The score is
the mean over real queries of ‖W_O,h z_h‖. It sees the values, which entropy does not.

**Leave-one-out**, the *oracle*. Mask this head alone and see how much the mean loss rises:

    I[h] = L(without h) - L

This is what we want to know of a single head, measured on these problems. The oracle costs one pass
over the calibration problems for each head: cheap for 24 heads, expensive for the thousands of a
large model. Its ranks depend on the problems: on ASDiv-A two draws of 256 problems rank the heads
only roughly alike. So a criterion that asks other problems cannot be expected to agree with it much
better. (Those of 6.9 ask the same problems, which may flatter them.)

Each cell of the next table is "score, rise": the paper's score of a head, and the rise of the loss
without it. Guess before you run it: do heads with high scores have the large rises?
"""

# %% 6.8 Score against oracle
figures.heading("6.8 The paper's score, and the rise of the loss without this head")
oracle = score_heads(teacher, calibration, CRITERIA["leave-one-out"])
cells = {}  # (kind, layer): one text for each head
points = {kind: [] for kind in KINDS}
for head, rise in oracle.items():
    cells.setdefault(head[:2], []).append(f"{paper[head]:.2f}, {rise:+.3f}")
    points[head.kind].append((paper[head], rise))
most = max(map(len, cells.values()))
rows = [(f"{kind} {layer_index}", *texts) for (kind, layer_index), texts in cells.items()]
figures.table(rows, ["", *(f"head {index}" for index in range(most))])
figures.scatter(points, "the paper's score", "rise of the loss (nats) without the head",
                f"06_oracle_{args.data}", title=f"Score against oracle, {args.data}")


def name_of(head):
    return f"{head.kind} {head.layer}.{head.index}"


largest = max(oracle, key=oracle.get)
below = sum(score < paper[largest] for score in paper.values())
print(f"  the largest rise: {name_of(largest)}, {oracle[largest]:+.3f}; "
      f"{below} of {len(paper)} heads have a lower score"
      + (", and the score prunes it" if largest in pruned else ""))
enough = 5 if largest.kind == "decoder" else 3  # tokens, for a picture that shows something
long = [p for p in splits.train if vocabularies.can_write(p) and len(p.equation) >= enough]
problem = min(long, key=lambda p: len(p.words))
[short] = recipe.calibration_batches([problem], vocabularies, 1)
attentions = {}
with torch.no_grad():
    teacher(short.source, short.lengths, short.target, attentions=attentions)
text = [word for word, *_ in problem.words]
reads = ["BOS", *problem.equation[:-1]]  # what the decoder reads at each step
of_head = attentions[largest[:2]][0, largest.index]  # (T, S)
figures.matrix(of_head.tolist(), text if largest.kind == "encoder" else reads,
               reads if largest.kind == "decoder" else text, f"06_largest_rise_{args.data}",
               title=name_of(largest))

# %% [markdown]
r"""
Look at the picture of the head with the largest rise. With the sample and `--seed 0` it is decoder
0.0. Each token looks at one place: an operator at BOS, and a number at the operator that it belongs
to. Perhaps this head follows which slots of the equation are open (lesson 03). Its entropy is low
because its job is precise. The paper's score reads a low entropy as "not important".

One number says how well two orders agree: the *rank correlation* (Spearman). Replace each value by
its rank among the heads, and correlate the ranks. 1 means the same order, 0 means no relation, -1
means the reverse order. We compute it within each kind of attention, because pruning compares heads
of one kind, and take the mean of the three.

How large is it by chance? For n heads in random order it lies within ±1.96/√(n - 1) in about 95 of
100 cases. For the mean of three kinds, divide by √3, too. Which criterion comes closest to the
oracle? Does a head that attends everywhere (high entropy) matter more, as the paper says? Or does
it matter less, as another paper says (HIES, arXiv 2510.13832)? In the table "reversed entropy" is
one minus the entropy.
"""

# %% 6.9 Rank correlations
figures.heading("6.9 Rank correlation with the oracle: which criterion comes closest?")


def ranks(values):
    """The rank of each value in a list: [float] -> (n,)"""
    return torch.tensor(values).argsort().argsort().double()


def spearman(a, b):
    """Spearman's rank correlation of two lists of scores."""
    return torch.corrcoef(torch.stack([ranks(a), ranks(b)]))[0, 1].item()


def correlations(scores):
    """Spearman's correlation with the oracle in each kind of attention, and their mean: [float]"""
    by_kind = []
    for kind in KINDS:
        heads = [head for head in oracle if head.kind == kind]
        by_kind.append(spearman([scores[head] for head in heads],
                                [oracle[head] for head in heads]))
    return [*by_kind, sum(by_kind) / len(by_kind)]


def promised_rise(model, batches):
    """What a straight line promises if the head is masked: -∂L/∂gate, a mean over examples"""
    gradients = [gate_gradients(model, batch) for batch in batches]  # {(kind, layer): (B, N)}
    means = {}
    for name in gradients[0]:
        means[name] = -torch.cat([of_batch[name] for of_batch in gradients]).mean(dim=0)  # (N,)
    return by_head(model, means)  # {(kind, layer): (N,)} -> {Head: float}


criteria = {"paper": paper_score,
            "paper with reversed entropy": partial(paper_score, entropy_sign=-1),
            "weight norm": CRITERIA["norm_qkvo"],
            "norm of W_O W_V": CRITERIA["norm_ov"],
            "entropy": CRITERIA["entropy"],
            "random": CRITERIA["random"],
            "gradient on the gate": CRITERIA["gradient"],
            "the same with its sign": promised_rise,
            "activation": CRITERIA["activation"]}
found = {}
for name, criterion in criteria.items():
    found[name] = correlations(score_heads(teacher, calibration, criterion))
rows = [(name, *values) for name, values in found.items()]
figures.table(rows, ["criterion", *KINDS, "mean"])

heads_by_kind = Counter(head.kind for head in oracle)
fewest = min(heads_by_kind.values())
of_kind_by_chance = 1.96 / math.sqrt(fewest - 1)
by_chance = of_kind_by_chance / math.sqrt(3)
means = {name: values[-1] for name, values in found.items()}
second, first = sorted(means, key=means.get)[-2:]
beyond = [name for name, mean in means.items() if abs(mean) > by_chance] or ["none"]
print(f"  by chance: ±{of_kind_by_chance:.2f} for one kind ({fewest} heads), ±{by_chance:.2f} for "
      "the mean")
print(f"  beyond chance: {', '.join(beyond)}")
print(f"  closest to the oracle: {first} ({means[first]:+.2f}), then {second} "
      f"({means[second]:+.2f})")


def direction(value):
    return "more" if value > 0 else "less"


sides = [f"{direction(value)} in {kind} attention" for kind, value in zip(KINDS, found["entropy"])
         if abs(value) > of_kind_by_chance]
if abs(means["entropy"]) > by_chance:
    sides.append(f"{direction(means['entropy'])} in the mean of the kinds")
print("  beyond chance, heads with high entropy matter "
      + (", ".join(sides) or "neither more nor less"))

# %% [markdown]
r"""
The program computes its verdict from the table. (Of some thirty single cells about one is beyond
chance by luck.) Another `--seed` trains another teacher and gives other correlations. A low
correlation does not refute the paper's score: after pruning the student trains on, and its active
heads can take over the work of the pruned ones (lesson 09).

You can score heads by a function of your own. A *criterion* is any function from (model, batches)
to {Head: float}. The next cell defines one: the *confidence* of Voita et al. (2019), the mean over
queries of the largest attention probability. Change it as you like. Nothing in the library has to
change. Guess: confidence is high where entropy is low, so how does its correlation compare with
that of the entropy?
"""

# %% 6.10 A score of your own
figures.heading("6.10 A score of your own: confidence")


@torch.no_grad()
def my_score(model, batches):
    """The largest attention probability, a mean over the real queries: {Head: float}"""
    sums = Counter()
    queries = Counter()
    for batch in batches:
        attentions = {}
        model(batch.source, batch.lengths, batch.target, attentions=attentions)
        real = batch.real_queries()  # {kind: (B, T)}: no padding
        for (kind, layer_index), probabilities in attentions.items():  # (B, N, T, S)
            largest = probabilities.amax(dim=-1).transpose(1, 2)  # (B, T, N)
            sums[kind, layer_index] += largest[real[kind]].sum(dim=0)  # (N,)
            queries[kind, layer_index] += real[kind].sum()
    means = {name: sums[name] / queries[name] for name in sums}
    return by_head(model, means)  # {(kind, layer): (N,)} -> {Head: float}


mine = correlations(score_heads(teacher, calibration, my_score))
rows = [("entropy", *found["entropy"]), ("my_score", *mine)]
figures.table(rows, ["criterion", *KINDS, "mean"])

# %% [markdown]
r"""
Confidence is high where entropy is low. So its correlations are nearly those of the entropy with
the sign turned round.

## Alone or together

The oracle masks one head at a time. Pruning removes many. Take the two thirds of the heads that
cost least alone. It is tempting to conclude: each of them costs little, so all of them together
cost little. We work with 64 of the calibration problems, so that the searches below take seconds.
"""

# %% 6.11 Each alone
figures.heading("6.11 Two thirds of the heads, those that cost least: each one masked alone")
few = recipe.calibration_batches(splits.train, vocabularies, 64)
alone = score_heads(teacher, few, CRITERIA["leave-one-out"])
cheap = lowest_heads(alone, 2 * len(alone) // 3)
rows = []
for kind in KINDS:
    rises = [alone[head] for head in cheap if head.kind == kind]
    rows.append((kind, len(rises), max(rises, default=0.0), float(sum(rises))))
figures.table(rows, ["kind", "heads", "largest rise", "sum of rises"])
sum_of_rises = sum(alone[head] for head in cheap)
print(f"  {len(cheap)} of {len(alone)} heads, the sum of all their rises: {sum_of_rises:.3f}")

# %% [markdown]
r"""
Now mask them all together. Write down your guess of the joint rise: as large as the sum, smaller,
or how many times larger? The function `joint_rise` answers for any set of heads. It sets their
gates to 0 (`gates_for`) and compares the mean loss with that of the whole model.
"""

# %% 6.12 All together
figures.heading("6.12 The same heads masked together: the sum of the rises, and the joint rise")


def loss_without(heads):
    """The mean loss of the few problems with these heads masked."""
    return mean_loss(teacher, few, gates_for(teacher, heads)).item()


whole_loss = loss_without([])


def joint_rise(heads):
    """How much the mean loss rises when these heads are masked together."""
    return loss_without(heads) - whole_loss


rows = []
points = []
for size in range(1, len(cheap) + 1):
    heads = cheap[:size]
    expected = sum(alone[head] for head in heads)
    rise = joint_rise(heads)
    points.append((expected, rise))
    if size % (len(cheap) // 4) == 0:
        rows.append((size, expected, rise, f"{rise / expected:.1f}" if expected > 0 else ""))
figures.table(rows, ["heads", "sum of rises", "joint rise", "times"])
figures.scatter({"1, 2, 3, … heads": points}, "sum of the rises alone (nats)", "joint rise (nats)",
                f"06_together_{args.data}", "Alone or together", diagonal=True)

asked = (splits.valid or splits.train)[:500]
of_split = "validation" if splits.valid else "training"


def outcomes_without(heads):
    """Which of the asked problems are right with these heads masked: (problems,) of 0 and 1"""
    report = evaluate_model(teacher, asked, vocabularies, gates=gates_for(teacher, heads))
    return is_correct(report.outcomes)


right = outcomes_without([])


def points_lost(heads):
    """By how many points the answer accuracy falls when these heads are masked together."""
    return 100 * (right - outcomes_without(heads)).mean()


lost_alone = sum(points_lost([head]) for head in cheap)
lost_together = points_lost(cheap)
print(f"  points of accuracy lost on {len(asked)} {of_split} problems: {lost_alone:.1f} in sum, "
      f"{lost_together:.1f} together")
more = "more than the sum" if lost_together > 1.5 * lost_alone else "about the sum, or less"
print(f"  together they cost {more}")

# %% [markdown]
r"""
How can a joint rise be larger than the sum? Heads meet in the residual stream. Two of them may
write similar things into it, and later layers read the sum. If one is gone, the other still writes.
If both are gone, nobody does. Then each of them is harmless alone *because the other is there*. So
a sum of single rises says little about a set, and "can be pruned" is a property of a set of heads,
not of a head.

The smallest case is a pair: each head harmless alone, both ruinous together. Let us search for one
among the cheap heads whose rise alone is at most 0.025. For each pair we take the joint rise minus
the sum of both rises, on the few calibration problems. Then we check the best three pairs on other
problems, in points of accuracy. `check_pair` calls a pair harmless if each head alone costs at most
2 points. It calls the pair ruinous if both together cost at least 5 points and at least twice the
sum. Guess: do the two heads of the best pair belong to the same layer and kind, or to different
ones?
"""

# %% 6.13 A pair
figures.heading("6.13 Harmless alone, ruinous together? Pairs found on calibration problems")


def check_pair(one, other):
    """What two heads cost alone and together: (points, points, points, verdict)"""
    costs = [points_lost([one]), points_lost([other]), points_lost([one, other])]
    both = costs[0] + costs[1]
    harmless = max(costs[:2]) <= 2
    ruinous = costs[2] >= 5 and costs[2] >= 2 * both
    alone_verdict = "harmless alone" if harmless else "not harmless alone"
    together_verdict = "ruinous together" if ruinous else "not ruinous together"
    return *costs, f"{alone_verdict}, {together_verdict}"


excess = {}  # {pair of heads: its joint rise minus the two rises}
candidates = [head for head in cheap if alone[head] <= 0.025]
for pair in itertools.combinations(candidates, 2):
    excess[pair] = joint_rise(pair) - alone[pair[0]] - alone[pair[1]]
best_pairs = sorted(excess, key=excess.get, reverse=True)[:3]
rows = []
for one, other in best_pairs:
    *costs, verdict = check_pair(one, other)
    rows.append((f"{name_of(one)} + {name_of(other)}", *(f"{cost:.1f}" for cost in costs), verdict))
figures.table(rows, ["pair", "one", "other", "both", f"on {len(asked)} {of_split} problems"])
one, other = best_pairs[0]
place = "of one layer and kind" if one[:2] == other[:2] else "of different layers or kinds"
print(f"  the two heads of the first pair are {place}")

# %% [markdown]
r"""
The calibration problems choose, and other problems judge: a pair that was chosen among many looks
more harmful on the problems that chose it than it is. That is why a verdict of the table may be
"not ruinous". (ASDiv-A has no validation problems. There training problems judge, and some of them
have chosen, so trust its verdicts less.)

What follows for pruning? A ranking that was made once cannot know what the first pruned heads do to
the others. *Greedy elimination* asks again after each head: mask the head whose masking hurts least
now, and repeat. To mask one head it tries every head that is left, and each try costs a pass. (The
library has it as `greedy_score`.) The next cell masks half of the heads in both ways. Guess: how
many heads do the two sets have in common, and which set costs more?
"""

# %% 6.14 Ranked once, or asked again
figures.heading("6.14 Half of the heads: ranked once by the oracle, or asked again each time")


def greedy_backward(size):
    """Masks the head that hurts least, then asks again: [Head] in the order of masking"""
    masked = []
    while len(masked) < size:
        active = [head for head in alone if head not in masked]
        left = Counter(head[:2] for head in active)  # one stays in each attention
        losses = {head: loss_without([*masked, head]) for head in active if left[head[:2]] > 1}
        masked.append(min(losses, key=losses.get))
    return masked


half = len(alone) // 2
again = greedy_backward(half)
rows = []
for size in (half // 2, half):
    ranked = lowest_heads(alone, size)
    chosen = again[:size]
    rows.append((size, len(set(ranked) & set(chosen)), joint_rise(ranked), joint_rise(chosen),
                 f"{points_lost(ranked):.1f}", f"{points_lost(chosen):.1f}"))
figures.table(rows, ["heads", "in both", "once: rise", "again: rise", "once: points",
                     "again: points"])
gain, words = compare(outcomes_without(again), outcomes_without(lowest_heads(alone, half)))
print(f"  {half} heads, asked again against ranked once: {gain} points, {words}")

# %% [markdown]
r"""
The interval is a 95% interval over the problems: would other problems say the same? (Lesson 08
explains how it is made.) Lesson 09 asks again at less cost. While a student trains, it scores all
heads again and again, and a pruned head may come back.

One teacher is one throw of dice. `lessons/results/heads.md` has these correlations for fifteen
teachers of ASDiv-A, and their accuracy against the share of heads removed. There the paper's score
has not been shown to do better than random heads. A possible reason: in cross-attention it prunes
heads with low entropy, and these look at the numbers of a text. Exercise 7 lets you see it.

## Exercises

★ easy, ★★ medium, ★★★ hard; the minutes are for working, not for reading.

1. (★, 15 minutes) By hand: the entropy as a share of log n, of (3/4, 1/4) with two keys, and of
   (3/4, 1/4, 0) with three. Then: four heads of a kind have the norms 2, 3, 5, 6 and the entropies
   0.9, 0.3, 0.7, 0.5. Scale both, and mix them with α = 0, 0.5 and 1. Which head goes first each
   time?
2. (★★, 30 minutes) Write `entropy_sums` so that padding changes nothing. Section 6.1 has one head
   and no batch. Two masks are at work: which keys count in n, and which queries count at all?
   `pytest tests/test_scorer.py -k "entropy or one_key"`
3. (★★, 30 minutes) Write `norm_qkvo` and `norm_ov` for all heads at once, and `min_max`.
   `pytest tests/test_scorer.py -k "norm or min_max"`
4. (★★, 20 minutes) Find two mistakes. The first one computes the entropy of a set of batches by
   `torch.stack([entropy(batch) for batch in batches]).mean(dim=0)`, where entropy(batch) is (N,).
   Put this mistake into `head_entropies` (`tinyprune/scorer.py`): why must `pytest
   tests/test_scorer.py -k batched` fail then? The second mistake scores a head by
   `loss.mean().backward()` and then `gate.grad.abs()`, with one gate (N,) for the whole batch.
   Which number of 6.7 does it compute?
5. (★★★, 45 minutes) Hand in a pair: each head harmless alone, both ruinous together. Start with
   `excess`, and let `check_pair` judge. Try `--data asdiv-a` or another `--seed` if your teacher
   has none. Then open: what do the two heads do for each other? Look at their attention (lesson 05,
   section 5.7) with and without the partner.
6. (★★★, 60 minutes) Open: rewrite `my_score`, and try to come closer to the oracle than the
   gradient on the gate does. Give an interval over five seeds. (Each `--seed` trains its own
   teacher, on the sample about a minute each.) Lesson 09 prunes and trains with such a function.
7. (★★, 45 minutes) Open: what do heads with low entropy look at? For each head of cross-attention,
   measure which share of its attention goes to numbers (words whose first subword is a name, N0,
   N1, …), as a mean over real queries. Compare with a head that looks at all words alike. How does
   it correlate with the entropy, on the sample and with `--data asdiv-a`? (`on_numbers` in
   `lessons/study/pruned.py` is one way to do it.)
"""
