"""From scores to gates, and from gates to a smaller model.

A pruned head has gate 0: nothing of it reaches the output, and it gets no gradient. Masked and
removed are the same function; only removal makes the model smaller and faster.
"""
import copy
import math
from collections import Counter
from dataclasses import replace

import torch

from tinyprune.transformer import KINDS, Head


def apportion(total, sizes):
    """Splits `total` in proportion to `sizes` into whole numbers, by the largest remainder.

    apportion(3, [4, 2, 2]) -> [1, 1, 1]
    Of equal remainders the first wins. Remainders are compared as whole numbers, total * size %
    sum(sizes): as floats, equal ones may differ in the last digit.
    """
    ### BEGIN SOLUTION
    shares = [total * size // sum(sizes) for size in sizes]
    remainders = [total * size % sum(sizes) for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda position: -remainders[position])
    for position in by_remainder[:total - sum(shares)]:
        shares[position] += 1
    return shares
    ### END SOLUTION


def lowest_heads(scores, count):
    """The `count` heads with the lowest scores: [Head], the lowest first

    scores: {Head: float}; ties go by layer, then index, then the name of the kind
    One head always stays in each attention. Raises ValueError if that many cannot go.
    """
    ### BEGIN SOLUTION
    ranked = sorted(scores, key=lambda head: (scores[head], head[1:], head.kind))
    left = Counter(head[:2] for head in scores)  # of each (kind, layer)
    chosen = []
    for head in ranked:
        if len(chosen) < count and left[head[:2]] > 1:
            left[head[:2]] -= 1
            chosen.append(head)
    ### END SOLUTION
    if len(chosen) < count:
        raise ValueError(f"cannot prune {count} heads: only {len(chosen)} can go if one stays in "
                         "every attention")
    return chosen


def select_heads(scores, ratio, scope="kind"):
    """Which heads to prune: round-half-up(ratio * all) of them, the lowest scores first.

    scores: {Head: float} -> a set of Heads
    ratio: a decimal number, so 0.58 of 25 heads is 14.5 and rounds to 15, though 0.58 * 25 is
           14.499999999999998 in floating point
    scope: "kind" shares the number among the kinds of attention in proportion, and ranks each kind
           alone; "all" ranks all heads together
    Raises ValueError if so many cannot go, and for another scope or ratio.
    """
    if scope not in ("kind", "all") or not 0 <= ratio <= 1:
        raise ValueError(f'scope must be "kind" or "all", and ratio from 0 to 1: not {scope!r} and '
                         f"{ratio}")
    ### BEGIN SOLUTION
    count = math.floor(round(ratio * len(scores), 9) + 0.5)
    if scope == "all":
        return set(lowest_heads(scores, count))
    sizes = Counter(head.kind for head in scores)
    shares = apportion(count, [sizes[kind] for kind in KINDS])
    selected = set()
    for kind, share in zip(KINDS, shares):
        scores_of_kind = {head: scores[head] for head in scores if head.kind == kind}
        selected.update(lowest_heads(scores_of_kind, share))
    return selected
    ### END SOLUTION


def check_heads(model, heads):
    """-> the heads as a set. Raises ValueError for one that the model has not, or not any more."""
    heads = set(heads)
    missing = sorted(heads - set(model.heads()))
    if missing:
        raise ValueError(f"the model has no {missing[0]}: it never existed, or is removed already")
    return heads


def gates_for(model, pruned):
    """The gates (N,) of every attention: 0 for the pruned Heads, 1 for the others.

    Raises ValueError for a head that the model does not have.
    """
    pruned = check_heads(model, pruned)
    ### BEGIN SOLUTION
    device = model.classifier.weight.device
    gates = {}
    for name, attention in model.attention_layers().items():
        active = [Head(*name, index) not in pruned for index in attention.heads]
        gates[name] = torch.tensor(active, dtype=torch.float, device=device)
    return gates
    ### END SOLUTION


def remove_heads(model, pruned):
    """A smaller model without the pruned Heads; the model itself stays as it is.

    The smaller model's config has the heads that stay in heads_kept.
    Raises ValueError for a head that the model does not have, or if an attention would lose its
    last head.
    """
    pruned = check_heads(model, pruned)
    ### BEGIN SOLUTION
    smaller = copy.deepcopy(model)
    for name, attention in smaller.attention_layers().items():
        attention.prune_heads([head.index for head in pruned if head[:2] == name])
    smaller.config = replace(model.config, heads_kept=smaller.heads_kept())
    return smaller
    ### END SOLUTION
