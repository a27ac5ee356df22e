"""Which heads matter? The paper's score, its two parts, and all criteria by name.

    I[h] = alpha * norm[h] + (1 - alpha) * entropy[h]     each scaled to [0, 1] within its kind

The lowest scores are pruned. arXiv 2511.17577 leaves open which matrices the norm covers and how
the two parts are made comparable; the choices here are ours. Whether high entropy means an
important head is contested: entropy_sign=+1 is the paper, -1 is HIES (arXiv 2510.13832).

A criterion is any function (model, batches) -> {Head: float}, high = keep. `score_heads` calls it.
"""
import math
from collections import Counter
from functools import partial

import torch

from tinyprune.attention import causal_mask
from tinyprune.rivals import (
    activation_score,
    gradient_score,
    greedy_score,
    leave_one_out_score,
    random_score,
)
from tinyprune.transformer import KINDS, by_head

# entropy: how spread is a head's attention?

def entropy_sums(probabilities, mask, real):
    """Entropy as a share of its maximum, log n for n keys, summed over queries that have a choice.

    probabilities (B, N, T, S), mask broadcastable to (B, 1, T, S), real (B, T), True for queries
    that are no padding -> sum (N,), count ()
    Divide once, over the whole set: a mean of batch means would weigh short batches more.
    """
    ### BEGIN SOLUTION
    B, _, T, S = probabilities.shape
    keys = mask.expand(B, 1, T, S).sum(dim=-1)  # (B, 1, T): how many keys each query may see
    counted = real[:, None] & (keys >= 2)  # a query with one key has no choice, and log 1 = 0
    entropy = torch.special.entr(probabilities).sum(dim=-1)  # (B, N, T)
    share = entropy / keys.clamp(min=2).log()
    return (share * counted).sum(dim=(0, 2)), counted.sum()
    ### END SOLUTION


@torch.no_grad()
def head_entropies(model, batches):
    """The normalised entropy of every head over [Batch], in [0, 1]: {Head: float}"""
    sums = Counter()
    counts = Counter()
    for batch in batches:
        attentions = {}
        model(batch.source, batch.lengths, batch.target, attentions=attentions)
        real = batch.real_queries()
        words = real["encoder"][:, None, None]  # (B, 1, 1, S), a mask
        masks = {"encoder": words, "cross": words,
                 "decoder": causal_mask(batch.target.shape[1], device=words.device)}
        for name, probabilities in attentions.items():
            total, count = entropy_sums(probabilities, masks[name[0]], real[name[0]])
            sums[name] += total
            counts[name] += count
    # With targets of one token no decoder query ever has a choice: entropy 0.
    return by_head(model, {name: sums[name] / counts[name].clamp(min=1) for name in sums})


# weight norm: how large are a head's matrices?

def per_head(weight, head_width):
    """(N*K, D), the rows of W_Q, W_K, W_V or of W_O transposed -> (N, K, D): head by head."""
    return weight.unflatten(0, (-1, head_width))


def norm_qkvo(query, key, value, output, head_width):
    """Frobenius norm of a head's rows of W_Q, W_K, W_V and columns of W_O together.

    It is the plain reading of the paper. query, key, value (N*K, D), output (D, N*K) -> (N,)
    """
    ### BEGIN SOLUTION
    weights = [per_head(weight, head_width) for weight in (query, key, value, output.T)]
    return torch.cat(weights, dim=1).flatten(1).norm(dim=1)
    ### END SOLUTION


def norm_ov(query, key, value, output, head_width):
    """‖W_O[h] W_V[h]‖_F: the size of what the head can write.

    It does not change when W_V is scaled up and W_O down, as the head's function does not.
    query, key, value (N*K, D), output (D, N*K) -> (N,)
    """
    ### BEGIN SOLUTION
    read = per_head(value, head_width)  # (N, K, D)
    write = per_head(output.T, head_width)  # (N, K, D)
    return (write.transpose(1, 2) @ read).flatten(1).norm(dim=1)  # of (N, D, D)
    ### END SOLUTION


@torch.no_grad()
def head_norms(model, norm=norm_qkvo):
    """A norm of every head, norm_qkvo or norm_ov, with LayerNorm's gain folded in: {Head: float}

    A larger gain and a smaller matrix are the same function. Biases are left out.
    """
    norms = {}
    for (kind, layer), attention in model.attention_layers().items():
        block = model.encoder[layer] if kind == "encoder" else model.decoder[layer]
        key_gain = block.attention_norm.weight  # LayerNorm's gain before W_K and W_V
        query_gain = key_gain  # and before W_Q
        if kind == "cross":
            key_gain = model.encoder_norm.weight
            query_gain = block.cross_norm.weight
        norms[kind, layer] = norm(attention.query.weight * query_gain,
                                  attention.key.weight * key_gain,
                                  attention.value.weight * key_gain,
                                  attention.output.weight, attention.head_width)
    return by_head(model, norms)


# the paper's score

def min_max(values):
    """Scales a list of numbers to [0, 1]; all equal -> 0.5, since 0/0 says nothing."""
    ### BEGIN SOLUTION
    low = min(values)
    high = max(values)
    return [(value - low) / (high - low) if high > low else 0.5 for value in values]
    ### END SOLUTION


def scale_within_kinds(scores):
    """min_max over all heads of one kind of attention at a time: {Head: float} -> {Head: float}"""
    ### BEGIN SOLUTION
    scaled = {}
    for kind in KINDS:
        heads = [head for head in scores if head.kind == kind]
        scaled.update(zip(heads, min_max([scores[head] for head in heads])))
    return scaled
    ### END SOLUTION


def norm_score(model, batches, norm=norm_qkvo):
    """The weight norm alone; it needs no problems."""
    return scale_within_kinds(head_norms(model, norm))


def entropy_score(model, batches, entropy_sign=1):
    """The entropy alone; entropy_sign=-1 takes 1 - entropy."""
    scores = scale_within_kinds(head_entropies(model, batches))
    return scores if entropy_sign > 0 else {head: 1 - score for head, score in scores.items()}


def paper_score(model, batches, alpha=0.5, entropy_sign=1, norm=norm_qkvo):
    """The score of arXiv 2511.17577."""
    ### BEGIN SOLUTION
    norms = norm_score(model, batches, norm)
    entropies = entropy_score(model, batches, entropy_sign)
    return {head: alpha * norms[head] + (1 - alpha) * entropies[head] for head in norms}
    ### END SOLUTION


# all criteria

CRITERIA = {"paper": paper_score,
            "norm_qkvo": norm_score,
            "norm_ov": partial(norm_score, norm=norm_ov),
            "entropy": entropy_score,
            "random": random_score,
            "gradient": gradient_score,
            "activation": activation_score,
            "leave-one-out": leave_one_out_score,
            "greedy": greedy_score}


def score_heads(model, batches, criterion=paper_score):
    """The scores of all heads, {Head: float}, by any criterion: one of CRITERIA, or your own.

    They come in the order of model.heads().

    The criterion sees the model in eval mode; afterwards the model is in the mode that it was in.
    Raises ValueError if the criterion does not score just the model's heads, each with a finite
    number, and for mirrored batches: criteria read one equation of each problem.
    """
    if any(len(batch.target) != len(batch.source) for batch in batches):
        raise ValueError("score heads on batches that are not mirrored")
    was_training = model.training
    model.eval()
    try:
        scores = criterion(model, batches)
    finally:
        model.train(was_training)
    wrong = set(scores) ^ set(model.heads())
    if wrong:
        raise ValueError("the criterion must score each of the model's heads, and no others: "
                         f"{wrong.pop()} is missing or not the model's")
    for head, score in scores.items():
        if not math.isfinite(score):
            raise ValueError(f"the criterion gives {head} the score {score}, which has no rank")
    return {head: scores[head] for head in model.heads()}
