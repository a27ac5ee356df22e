"""The rivals of the paper's score: chance, and four criteria that ask the model itself.

All have the form (model, batches) -> {Head: float}, high = keep, on a model in eval mode with all
heads active. None is scaled.
"""
import math
from collections import Counter

import torch
from torch.nn.functional import cross_entropy

from tinyprune import PAD
from tinyprune.masking import gates_for
from tinyprune.transformer import by_head


def random_score(model, batches, seed=0):
    """A random number in [0, 1) for each head."""
    generator = torch.Generator().manual_seed(seed)
    heads = model.heads()
    return dict(zip(heads, torch.rand(len(heads), generator=generator).tolist()))


def example_losses(logits, target):
    """Each example's own mean cross-entropy over its real tokens: (B, T, V), (B, T) -> (B,)"""
    losses = cross_entropy(logits.transpose(1, 2), target, ignore_index=PAD, reduction="none")
    tokens = (target != PAD).sum(dim=1)
    return losses.sum(dim=1) / tokens.clamp(min=1)  # an unreadable equation has no token


def gate_gradients(model, batch):
    """d loss of example b / d gate of head h in b: {(kind, layer): (B, N)}

    A gate per example, (B, N), keeps the examples' gradients apart: in a batch's sum they would
    cancel.
    """
    B = len(batch.source)
    like = model.classifier.weight  # its device and its type of numbers
    gates = {name: like.new_ones(B, len(attention.heads), requires_grad=True)
             for name, attention in model.attention_layers().items()}
    logits = model(batch.source, batch.lengths, batch.target, gates)
    loss = example_losses(logits, batch.target).sum()
    return dict(zip(gates, torch.autograd.grad(loss, list(gates.values()))))


def gradient_score(model, batches):
    """Michel et al. 2019: the mean over examples b of |d loss of b / d gate of head h in b|."""
    sums = Counter()
    for batch in batches:
        for name, gradient in gate_gradients(model, batch).items():
            sums[name] += gradient.abs().sum(dim=0)  # (N,)
    examples = sum(len(batch.source) for batch in batches)
    return by_head(model, {name: total / examples for name, total in sums.items()})


@torch.no_grad()
def activation_score(model, batches):
    """The mean over real queries of ‖z[h] W_O[h]ᵀ‖: how much a head adds to the residual stream."""
    layers = model.attention_layers()
    z = {}  # (kind, layer): what W_O of this attention was given, (B, T, N*K)
    hooks = [layer.output.register_forward_pre_hook(
        lambda _, given, name=name: z.update({name: given[0]})) for name, layer in layers.items()]
    sums = Counter()
    queries = Counter()
    try:
        for batch in batches:
            model(batch.source, batch.lengths, batch.target)
            real = batch.real_queries()
            for name, attention in layers.items():
                N = len(attention.heads)
                z_heads = z[name].unflatten(-1, (N, -1))  # (B, T, N, K)
                W_O = attention.output.weight.T.unflatten(0, (N, -1))  # (N*K, D) -> (N, K, D)
                added = torch.einsum("btnk,nkd->btnd", z_heads, W_O)
                counted = real[name[0]][..., None]  # (B, T, 1)
                sums[name] += (added.norm(dim=-1) * counted).sum(dim=(0, 1))  # (N,)
                queries[name] += counted.sum()
    finally:  # Ctrl-C leaves no hook behind either
        for hook in hooks:
            hook.remove()
    return by_head(model, {name: sums[name] / queries[name] for name in sums})


@torch.no_grad()
def mean_loss(model, batches, gates=None):
    """The mean of example_losses over [Batch]: a number."""
    losses = [example_losses(model(b.source, b.lengths, b.target, gates), b.target)
              for b in batches]
    return torch.cat(losses).mean()


def leave_one_out_score(model, batches):
    """The oracle: how much the mean loss over examples rises when this head alone is pruned.

    It costs one pass over the batches for each head.
    """
    whole = mean_loss(model, batches)
    rises = {}
    for name, attention in model.attention_layers().items():
        gates = 1 - torch.eye(len(attention.heads), device=whole.device)  # row h masks head h
        of_layer = [mean_loss(model, batches, {name: gate}) - whole for gate in gates]
        rises[name] = torch.stack(of_layer)  # (N,)
    return by_head(model, rises)


def greedy_score(model, batches, share=1.0):
    """Backward elimination: the oracle, asked again after each head.

    Each turn prunes one more head, beside those that went before: the one without which the loss
    stays lowest. Its score is the number of its turn. What stays gets the number of turns, plus the
    mean loss without it, which is asked once more. One head stays in each attention.
    share: of all heads, how many go. A turn costs one pass over the batches for each head left.
    """
    heads = model.heads()
    turns = math.ceil(share * len(heads))
    left = Counter(head[:2] for head in heads)  # of each (kind, layer)
    scores = {}
    for turn in range(turns + 1):
        staying = [head for head in heads if head not in scores]
        losses = {head: mean_loss(model, batches, gates_for(model, {*scores, head})).item()
                  for head in staying}
        removable = [head for head in staying if left[head[:2]] > 1]
        if turn == turns or not removable:
            return scores | {head: turn + loss for head, loss in losses.items()}
        gone = min(removable, key=losses.get)
        left[gone[:2]] -= 1
        scores[gone] = float(turn)
