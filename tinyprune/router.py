"""Heads chosen for each problem before anything of them is computed: pruning at inference.

    importance[h] = w[h] · mean embedding of the problem's words + c[h]

A router is one linear map, fitted by least squares to the gate gradients of training problems (what
each head's gate does to that problem's own loss, rivals.py). It reads the problem's embeddings
alone. So a head that it leaves out costs nothing: no query, key or value of it is computed. To
decide by a head's own attention would come too late for that: Q, K and Q K^T are paid by then.
"""
import contextlib

import torch

from tinyprune.masking import check_heads, select_heads
from tinyprune.rivals import gate_gradients


def mean_embedding(model, batch):
    """What the router reads: the mean of a problem's word embeddings, and 1: (B, D + 1)"""
    mean = model.embed(batch.source).sum(dim=1) / batch.lengths[:, None]  # (B, D)
    return torch.cat([mean, torch.ones_like(mean[:, :1])], dim=1)


def problem_importance(model, batch):
    """|gate gradient| of every head for each problem, in the order of model.heads(): (B, heads)"""
    gradients = gate_gradients(model, batch)
    return torch.cat([gradients[name] for name in model.attention_layers()], dim=1).abs()


def fit_router(model, batches, decay=1.0):
    """Least squares with a penalty (ridge regression) on the problems of [Batch]: (D + 1, heads)

    decay: the weight of the penalty on the squares of w and c
    """
    with torch.no_grad():
        X = torch.cat([mean_embedding(model, batch) for batch in batches])  # (problems, D + 1)
    Y = torch.cat([problem_importance(model, batch) for batch in batches])  # (problems, heads)
    penalty = decay * torch.eye(X.shape[1], device=X.device)
    return torch.linalg.solve(X.T @ X + penalty, X.T @ Y)


@torch.no_grad()
def route(router, model, batch, ratio):
    """The heads that each problem of the batch does without: [frozenset of Heads]

    As many in each kind of attention as select_heads takes at this ratio.
    """
    return least_important(model, mean_embedding(model, batch) @ router, ratio)


def least_important(model, importance, ratio):
    """The heads that each problem does without, by its row of `importance` (B, heads), in the order
    of model.heads(): [frozenset of Heads]"""
    heads = model.heads()
    return [frozenset(select_heads(dict(zip(heads, row)), ratio)) for row in importance.tolist()]


@contextlib.contextmanager
def without_heads(model, pruned):
    """Inside, the model does not have these Heads; afterwards it is as before.

    Slices of the weights stand in for them, so the heads are truly skipped. Raises ValueError as
    remove_heads does.
    """
    pruned = check_heads(model, pruned)
    layers = model.attention_layers()
    gone = {}  # (kind, layer): the indices of its pruned heads; other layers stay as they are
    for head in pruned:
        gone.setdefault((head.kind, head.layer), []).append(head.index)
    whole = {name: (layers[name].heads, dict(layers[name].named_parameters())) for name in gone}
    try:
        for name, indices in gone.items():
            layers[name].prune_heads(indices)
        yield
    finally:
        for name, (heads, parameters) in whole.items():
            attention = layers[name]
            attention.heads = heads
            for key, parameter in parameters.items():
                part, _, weight_or_bias = key.partition(".")
                projection = getattr(attention, part)
                setattr(projection, weight_or_bias, parameter)
                projection.out_features, projection.in_features = projection.weight.shape
