# %% [markdown]
r"""
# 06 Head scores: which heads matter, and who says so?

The paper scores a head by two things that one can read off without training: how large its weights are, and how
spread its attention is. Then it prunes the lowest. This lesson computes both, asks what they can and cannot see, and
compares them with what is true: how much worse the model gets when a head is gone.

You need lesson 01 and the first page of 02; the teacher of lesson 05 is loaded, or trained now. About 40
minutes to read, one to run.
"""

# %% 6.1 Entropy
import math

import torch

from tinyprune import figures, recipe
from tinyprune.attention import MultiHeadAttention
from tinyprune.scorer import (entropy_sums, head_scores, norm_ov, norm_qkvo, paper_score, unit_scale)

args = recipe.options()

figures.heading("6.1 How undecided is a head that looks half here, half there?")
for name, p in (("half, half, nothing", [0.5, 0.5, 0.0]), ("one word alone", [1.0, 0.0, 0.0]),
                ("all three alike", [1 / 3] * 3)):
    nats = sum(x * math.log(1 / x) for x in p if x > 0)  # 0 log 0 is 0: the limit, not NaN
    probabilities = torch.tensor(p)[None, None, None]  # (B=1, N=1, T=1, S=3)
    total, count = entropy_sums(probabilities, torch.ones(1, 1, 1, 3, dtype=torch.bool), torch.ones(1, 1).bool())
    assert abs(total.item() / count.item() - nats / math.log(3)) < 1e-6
    print(f"  {name:20} {nats:.3f} nats, {nats / math.log(3):.3f} of the most possible, log 3")

# %% [markdown]
r"""
Entropy is the mean surprise, the sum of p log(1/p): 0 if the next look is certain, log n if all n words are equally
likely. With the natural logarithm it counts in nats. Divided by log n, n the number of words the query may see, it is a
share in [0, 1]; otherwise long problems would look undecided. A query with one key has no choice and is left out. Over
all batches, add up the shares, count the queries, and divide once at the end: a mean of batch means lets short batches
speak too loudly.

The weight norm (Frobenius': square all entries, add, take the root) is easier to compute, and easier to fool. Take any
head, make its W_V four times larger and its W_O four times smaller: what does the output do, and what the norm?
"""

# %% 6.2 What the norm sees and the function does not
figures.heading("6.2 W_V times 4, W_O divided by 4")
torch.manual_seed(0)
attention, x = MultiHeadAttention(12, 4, range(3)), torch.randn(2, 5, 12)


def both_norms():
    weights = attention.query.weight, attention.key.weight, attention.value.weight, attention.output.weight
    return norm_qkvo(*weights, 4)[0].item(), norm_ov(*weights, 4)[0].item()


with torch.no_grad():
    before, (plain, product) = attention(x)[0], both_norms()
    attention.value.weight[:4] *= 4  # the rows of head 0
    attention.value.bias[:4] *= 4
    attention.output.weight[:, :4] /= 4  # its columns
    after, (plain_after, product_after) = attention(x)[0], both_norms()
print(f"  the outputs differ by at most {(before - after).abs().max():.1e}")
print(f"  norm of W_Q, W_K, W_V, W_O together: {plain:.3f} -> {plain_after:.3f}, times {plain_after / plain:.2f}")
print(f"  norm of the product W_O W_V:         {product:.3f} -> {product_after:.3f}")

# %% [markdown]
r"""
The score has seen what the function has not: `norm_qkvo` is the plain reading of the paper, `norm_ov` does not have
this defect. (Neither is free of all: the LayerNorm before an attention multiplies each channel by a learnt scale, and a
larger scale is the same function as larger weights. So the library first multiplies the weights by it. Biases are left
out of both.)

Norm and entropy are then scaled to [0, 1] within each kind of attention, and mixed half and half. The norm needs no
problems; the entropy is read off a few hundred training problems drawn by lot, the *calibration* problems: no model
learns from them here, they are only what the heads look at.
"""

# %% 6.3 The paper's score
figures.heading("6.3 The paper's score of the teacher's heads")
splits, vocabularies, run = recipe.teacher(args.data, args.fold, args.seed)
teacher = run.model
calibration = recipe.calibration_batches(splits.train, vocabularies, recipe.RECIPES[args.data].calibration)
entropy, norm = (head_scores(teacher, calibration, criterion) for criterion in ("entropy", "norm_qkvo"))
paper = head_scores(teacher, calibration, "paper")
for name in paper:
    assert torch.allclose(paper[name], paper_score(norm[name], entropy[name], alpha=0.5))
assert unit_scale(torch.tensor([7.0, 7.0])).tolist() == [0.5, 0.5]  # all equal says nothing: not 0/0
figures.head_map(paper, f"06_paper_score_{args.data}")

# %% [markdown]
r"""
Now the truth, as far as one head at a time can tell it: close each head alone and see how much the loss rises. This
oracle costs one pass over the calibration problems for each head. Which criterion ranks the heads as it does? The
answer is a rank correlation: 1 the same order, 0 none in common, -1 the reverse. Guess first: does a head that looks
everywhere (high entropy) matter more, as the paper has it, or less? (What `gradient` and `activation` measure is said
in `scorer.py`.)
"""

# %% 6.4 Against the oracle
figures.heading("6.4 Rank correlation with leaving each head out")


def ranks(values):
    return values.argsort().argsort().double()


def spearman(a, b):
    """Spearman's rank correlation of two score tensors (n,)."""
    return torch.corrcoef(torch.stack([ranks(a), ranks(b)]))[0, 1].item()


oracle = head_scores(teacher, calibration, "oracle")
candidates = {"paper": paper, "paper, entropy reversed": head_scores(teacher, calibration, entropy_sign=-1),
              "weight norm": norm, "norm of W_O W_V": head_scores(teacher, calibration, "norm_ov"),
              "entropy": entropy, "random": head_scores(teacher, calibration, "random"),
              "gradient on the gate": head_scores(teacher, calibration, "gradient"),
              "activation": head_scores(teacher, calibration, "activation")}
kinds = ("encoder", "decoder", "cross")
rows = []
for name, scores in candidates.items():
    by_kind = [spearman(torch.cat([scores[key] for key in scores if key[0] == kind]),
                        torch.cat([oracle[key] for key in scores if key[0] == kind])) for kind in kinds]
    rows.append((name, *by_kind, sum(by_kind) / 3))
figures.table(rows, ["criterion", *kinds, "mean"])
least = min(sum(len(row) for key, row in oracle.items() if key[0] == kind) for kind in kinds)
print(f"  with {least} heads of a kind a correlation within ±{1.96 / math.sqrt(least - 1):.1f} may be chance; another "
      "--seed (which trains another teacher) moves it")

# %% [markdown]
r"""
The rivals that ask the loss (gradient) or look at what a head really adds (activation) see more than weights and
entropies can. That is no proof against the paper's score: with training after the pruning, heads that stay can take
over what the closed ones did, and then the order matters less (lesson 09).

## Exercises

1. By hand: the normalised entropy of (3/4, 1/4) and of (3/4, 1/4, 0), for two and for three keys.
2. Write `entropy_sums` so that padding changes nothing. `pytest tests/test_scorer.py`.
3. Write `norm_qkvo`: whose rows, whose columns?
4. Find the mistake: `torch.stack([entropy(batch) for batch in batches]).mean(dim=0)`, where entropy(batch) is (N,).
5. Open: invent a score of your own and compare it with the oracle; give an interval over five seeds. (Each `--seed`
   trains its own teacher: on the sample some two minutes each.)
"""
