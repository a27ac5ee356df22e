# %% [markdown]
r"""
# 06 Head scores: which heads matter, and how can we know?

The paper scores a head by two quantities that need no training: the size of its weights, and the
spread of its attention. Then it prunes the heads with the lowest scores. This lesson computes both
quantities and asks what they can see and what they cannot. Then it compares them with the truth:
how much worse the model becomes without the head.

You need lesson 01 and the first page of 02. The teacher of lesson 05 is loaded, or trained now.
Reading takes about 40 minutes, the run under a minute.
"""

# %% 6.1 Entropy
import math
from collections import Counter
from functools import partial

import torch

from tinyprune import cli, figures, recipe
from tinyprune.attention import MultiHeadAttention
from tinyprune.scorer import (
    CRITERIA,
    entropy_sums,
    min_max,
    norm_ov,
    norm_qkvo,
    paper_score,
    score_heads,
)
from tinyprune.transformer import KINDS, by_head

args = cli.options()
torch.set_num_threads(args.threads)

figures.heading("6.1 A head attends half to one word, half to another: how undecided is it?")
EXAMPLES = {"half, half, nothing": [0.5, 0.5, 0.0],
            "one word alone": [1.0, 0.0, 0.0],
            "all three alike": [1 / 3, 1 / 3, 1 / 3]}
for name, p in EXAMPLES.items():
    nats = sum(x * math.log(1 / x) for x in p if x > 0)  # p = 0 adds 0
    probabilities = torch.tensor(p).reshape(1, 1, 1, 3)  # (B=1, N=1, T=1, S=3)
    mask = torch.ones(1, 1, 1, 3, dtype=torch.bool)
    real = torch.ones(1, 1, dtype=torch.bool)
    total, count = entropy_sums(probabilities, mask, real)
    share = total.item() / count.item()
    assert abs(share - nats / math.log(3)) < 1e-6
    print(f"  {name:20} {nats:.3f} nats, {share:.3f} of the maximum, log 3")

# %% [markdown]
r"""
*Entropy* is the mean surprise, the sum of p log(1/p). It is 0 if one word has all the attention. It
is log n if all n words have the same share. With the natural logarithm its unit is the nat.

We divide the entropy by log n, where n is the number of words that the query may see. The result is
a share in [0, 1]. Without this division, long problems would look undecided. A query with one key
has no choice, so we leave it out.

Over all batches, add up the shares, count the queries, and divide once at the end. A mean of batch
means would give a query in a small batch more weight than a query in a large one.

The *weight norm* is the Frobenius norm: square all entries, add them, take the root. It is easier
to compute than the entropy, and easier to fool. Take any head, make its W_V four times larger and
its W_O four times smaller. Guess: what happens to the output, and what happens to the norm?
"""

# %% 6.2 What the norm sees and the function does not
figures.heading("6.2 W_V times 4, W_O divided by 4")
torch.manual_seed(0)
K = 4
attention = MultiHeadAttention(width=12, head_width=K, heads=range(3))
x = torch.randn(2, 5, 12)  # (B, T, D)


def both_norms():
    """norm_qkvo and norm_ov of head 0."""
    weights = [part.weight for part in
               (attention.query, attention.key, attention.value, attention.output)]
    return norm_qkvo(*weights, K)[0].item(), norm_ov(*weights, K)[0].item()


with torch.no_grad():
    before, _ = attention(x)
    plain, product = both_norms()
    attention.value.weight[:K] *= 4  # the rows of head 0
    attention.value.bias[:K] *= 4
    attention.output.weight[:, :K] /= 4  # the columns of head 0
    after, _ = attention(x)
    plain_after, product_after = both_norms()
difference = (before - after).abs().max().item()
print(f"  the outputs differ by at most {difference:.1e}")
print(f"  norm of W_Q, W_K, W_V, W_O together: {plain:.3f} -> {plain_after:.3f}, "
      f"times {plain_after / plain:.2f}")
print(f"  norm of the product W_O W_V:         {product:.3f} -> {product_after:.3f}")

# %% [markdown]
r"""
The function is the same, but its norm is not. `norm_qkvo` is the plain reading of the paper and has
this defect. `norm_ov`, the norm of the product W_O W_V, does not have it.

Neither norm is free of all defects. The LayerNorm before an attention multiplies each channel by a
learned gain. A larger gain gives the same function as larger weights. So the library first
multiplies the weights by the gain. Both norms leave the biases out.

The norm and the entropy are each scaled to [0, 1] within their kind of attention, then mixed half
and half. The norm needs no problems. The entropy is measured on the *calibration problems*: a few
hundred training problems, drawn at random. The model does not learn from them here; its heads only
attend to their words.
"""

# %% 6.3 The paper's score
figures.heading("6.3 The paper's score of the teacher's heads")
splits, vocabularies, teacher = recipe.load_teacher(args.data, args.fold, args.seed)
count = recipe.EXPERIMENTS[args.data].calibration
calibration = recipe.calibration_batches(splits.train, vocabularies, count)
norms = score_heads(teacher, calibration, CRITERIA["norm_qkvo"])
entropies = score_heads(teacher, calibration, CRITERIA["entropy"])
scores = score_heads(teacher, calibration, paper_score)
for head, score in scores.items():
    half_and_half = 0.5 * norms[head] + 0.5 * entropies[head]
    assert abs(score - half_and_half) < 1e-6
assert min_max([7.0, 7.0]) == [0.5, 0.5]  # all equal: 0/0 says nothing, so each is in the middle
figures.head_map(scores, f"06_paper_score_{args.data}")

# %% [markdown]
r"""
Now the truth, as far as single heads can tell it. We mask each head alone and see how much the loss
rises. This criterion is called *leave-one-out*, and we use it as the oracle. It costs one pass over
the calibration problems for each head.

Which criterion ranks the heads as the oracle does? We compare by *rank correlation*: 1 means the
same order, 0 means no relation, -1 means the reverse order. Guess first: does a head that attends
everywhere (high entropy) matter more, as the paper says, or less? (`rivals.py` explains what
`gradient` and `activation` measure.)
"""

# %% 6.4 Against the oracle
figures.heading("6.4 Rank correlation with leaving each head out")


def ranks(values):
    """The rank of each value in a list: [float] -> (n,)"""
    return torch.tensor(values).argsort().argsort().double()


def spearman(a, b):
    """Spearman's rank correlation of two lists of scores."""
    return torch.corrcoef(torch.stack([ranks(a), ranks(b)]))[0, 1].item()


def correlations(scores, oracle):
    """Spearman's correlation within each kind of attention, and their mean: [float]"""
    by_kind = []
    for kind in KINDS:
        heads = [head for head in oracle if head.kind == kind]
        by_kind.append(spearman([scores[head] for head in heads],
                                [oracle[head] for head in heads]))
    return [*by_kind, sum(by_kind) / len(by_kind)]


criteria = {"paper": paper_score,
            "paper, entropy reversed": partial(paper_score, entropy_sign=-1),
            "weight norm": CRITERIA["norm_qkvo"],
            "norm of W_O W_V": CRITERIA["norm_ov"],
            "entropy": CRITERIA["entropy"],
            "random": CRITERIA["random"],
            "gradient on the gate": CRITERIA["gradient"],
            "activation": CRITERIA["activation"]}
oracle = score_heads(teacher, calibration, CRITERIA["leave-one-out"])
rows = []
for name, criterion in criteria.items():
    scores = score_heads(teacher, calibration, criterion)
    rows.append((name, *correlations(scores, oracle)))
figures.table(rows, ["criterion", *KINDS, "mean"])
heads_by_kind = Counter(head.kind for head in oracle)
fewest = min(heads_by_kind.values())
chance = 1.96 / math.sqrt(fewest - 1)
print(f"  with {fewest} heads of a kind, a correlation within ±{chance:.1f} may be chance;")
print("  another --seed trains another teacher and gives other correlations")

# %% [markdown]
r"""
The gradient asks the loss, and the activation measures what a head really adds. Weights and
entropies see neither. With so few heads chance alone gives large correlations: look at the row
`random` before you trust any other row. And a low correlation does not refute the paper's score.
After pruning, the student trains on, and its active heads can take over the work of the pruned
ones. Then the order of the heads matters less (lesson 09).

You can score heads by a function of your own. A *criterion* is any function from (model, batches)
to a dict {Head: float}, where a high score means "keep". The next cell defines one: the
*confidence* of Voita et al. (2019), the mean over queries of the largest attention probability.
Change it as you like. Nothing in the library has to change. Guess: confidence is high where entropy
is low, so what sign will its correlations have?
"""

# %% 6.5 A score of your own
figures.heading("6.5 A score of your own: confidence")


@torch.no_grad()
def my_score(model, batches):
    """The largest attention probability, a mean over the real queries: {Head: float}"""
    sums = Counter()
    queries = Counter()
    for batch in batches:
        attentions = {}
        model(batch.source, batch.lengths, batch.target, attentions=attentions)
        real = batch.real_queries()  # {kind: (B, T)}: no padding
        for (kind, layer), probabilities in attentions.items():  # (B, N, T, S)
            largest = probabilities.amax(dim=-1).transpose(1, 2)  # (B, T, N)
            sums[kind, layer] += largest[real[kind]].sum(dim=0)  # (N,)
            queries[kind, layer] += real[kind].sum()
    return by_head(model, {name: sums[name] / queries[name] for name in sums})


scores = score_heads(teacher, calibration, my_score)
figures.table([("my_score", *correlations(scores, oracle))], ["criterion", *KINDS, "mean"])

# %% [markdown]
r"""
## Exercises

1. By hand: the normalised entropy of (3/4, 1/4), with two keys, and of (3/4, 1/4, 0), with three.
2. Write `entropy_sums` so that padding changes nothing. `pytest tests/test_scorer.py -k entropy`
3. Write `norm_qkvo`. Which matrices give their rows, and which gives its columns?
   `pytest tests/test_scorer.py -k norm`
4. Find the mistake: someone computes the entropy of a set of batches by
   `torch.stack([entropy(batch) for batch in batches]).mean(dim=0)`, where entropy(batch) is (N,).
   `pytest tests/test_scorer.py -k batched`
5. Rewrite `my_score` in 6.5, and try to come closer to the oracle than `activation` does. Lesson 09
   prunes and trains with such a function.
6. Open: compare your score with the oracle, and give an interval over five seeds. (Each `--seed`
   trains its own teacher. On the sample this takes about a minute each.)
"""
