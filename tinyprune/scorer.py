"""Which heads matter? The paper's score, its two parts, and the rival criteria.

    I[h] = alpha * norm[h] + (1 - alpha) * entropy[h]         each scaled to [0, 1] within its kind of attention

The lowest scores are pruned. arXiv 2511.17577 leaves open which matrices the norm covers and how the two parts
are made comparable; the choices here are ours. Whether high entropy means an important head is contested:
entropy_sign=+1 is the paper, -1 is HIES (arXiv 2510.13832).

Scores are dicts from (kind, layer) to a tensor (N,), one number a head, taken in eval mode with all gates open.
"""
import torch

from tinyprune import PAD
from tinyprune.attention import causal_mask, padding_mask
from tinyprune.transformer import KINDS

CRITERIA = ("paper", "norm_qkvo", "norm_ov", "entropy", "random", "gradient", "activation", "oracle")


def entropy_sums(probabilities, mask, real):
    """Entropy as a share of the most possible, log n for n keys, summed over queries that have a choice.

    probabilities (B, N, T, S), mask broadcastable to (B, 1, T, S), real (B, T), True for queries that are no padding
    -> sum (N,), count (): divide once, over the whole set; a mean of batch means would weigh short batches more
    """
    B, _, T, S = probabilities.shape
    keys = mask.expand(B, 1, T, S).sum(dim=-1)  # (B, 1, T): how many keys each query may see
    counted = real[:, None] & (keys >= 2)  # a query with one key has no choice, and log 1 = 0
    share = torch.special.entr(probabilities).sum(dim=-1) / keys.clamp(min=2).log()  # (B, N, T)
    return (share * counted).sum(dim=(0, 2)), counted.sum()


def per_head(weight, head_width):
    """(N*K, D), the rows of W_Q, W_K, W_V or of W_O transposed -> (N, K, D): head by head."""
    return weight.unflatten(0, (-1, head_width))


def norm_qkvo(query, key, value, output, head_width):
    """Frobenius norm of a head's rows of W_Q, W_K, W_V and columns of W_O together, the plain reading of the paper.

    query, key, value (N*K, D), output (D, N*K) -> (N,)
    """
    weights = [per_head(weight, head_width) for weight in (query, key, value, output.T)]
    return torch.cat(weights, dim=1).flatten(1).norm(dim=1)


def norm_ov(query, key, value, output, head_width):
    """‖W_O[h] W_V[h]‖_F: what the head can write; scaling W_V up and W_O down leaves it as it is, as it does the
    function. Shapes as in norm_qkvo."""
    read, write = per_head(value, head_width), per_head(output.T, head_width)  # (N, K, D) each
    return (write.transpose(1, 2) @ read).flatten(1).norm(dim=1)  # of (N, D, D)


def unit_scale(values):
    """Values (n,) to [0, 1]: least -> 0, greatest -> 1; all equal -> 0.5, since 0/0 says nothing."""
    least, greatest = values.min(), values.max()
    return (values - least) / (greatest - least) if greatest > least else torch.full_like(values, 0.5)


def scale_within_kinds(scores):
    """unit_scale over all heads of one kind of attention at a time."""
    scaled = {}
    for kind in KINDS:
        names = [name for name in scores if name[0] == kind]
        together = unit_scale(torch.cat([scores[name] for name in names]))
        scaled.update(zip(names, together.split([len(scores[name]) for name in names])))
    return scaled


def paper_score(norm, entropy, alpha=0.5, entropy_sign=1):
    """alpha * norm + (1 - alpha) * entropy for two scaled tensors (N,); entropy_sign -1 takes 1 - entropy."""
    return alpha * norm + (1 - alpha) * (entropy if entropy_sign > 0 else 1 - entropy)


@torch.no_grad()
def norms(model, variant):
    """A norm, norm_qkvo or norm_ov, of every head, with the gain of the LayerNorm that feeds a matrix folded into it:
    a larger gain and a smaller matrix are the same function. Biases are left out."""
    gains = {}
    for number, layer in enumerate(model.encoder):
        gains["encoder", number] = (layer.attention_norm.weight, layer.attention_norm.weight)
    for number, layer in enumerate(model.decoder):
        gains["decoder", number] = (layer.attention_norm.weight, layer.attention_norm.weight)
        gains["cross", number] = (layer.cross_norm.weight, model.encoder_norm.weight)
    return {name: variant(a.query.weight * gains[name][0], a.key.weight * gains[name][1],
                          a.value.weight * gains[name][1], a.output.weight, a.head_width)
            for name, a in model.attentions().items()}


@torch.no_grad()
def entropies(model, batches):
    """The normalised entropy of every head over [Batch], in [0, 1]."""
    sums = {name: [0, 0] for name in model.attentions()}
    for batch in batches:
        record = {}
        model(batch.source, batch.lengths, batch.target, record=record)
        source_mask = padding_mask(batch.lengths, batch.source.shape[1])
        causal = causal_mask(batch.target.shape[1], device=batch.target.device)
        target_real = batch.target != PAD
        for name, probabilities in record.items():
            mask = causal if name[0] == "decoder" else source_mask
            real = source_mask[:, 0, 0] if name[0] == "encoder" else target_real
            total, count = entropy_sums(probabilities, mask, real)
            sums[name][0] += total
            sums[name][1] += count
    # With targets of one token no decoder query ever has a choice: entropy 0.
    return {name: total / max(count, 1) for name, (total, count) in sums.items()}


def example_losses(logits, target):
    """Each example's own mean cross-entropy over its real tokens: (B, T, V), (B, T) -> (B,)"""
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), target, ignore_index=PAD, reduction="none")
    return losses.sum(dim=1) / (target != PAD).sum(dim=1).clamp(min=1)  # an unreadable equation has no token


def gradients(model, batches):
    """Michel et al. 2019: the mean over examples of |d loss of example b / d gate of head h in example b|.

    A gate per example, (B, N), keeps the examples' gradients apart: in a batch's sum they would cancel.
    """
    sums, examples = {name: 0 for name in model.attentions()}, 0
    for batch in batches:
        B = len(batch.source)
        gates = {name: torch.ones(B, len(a.heads), device=batch.source.device, requires_grad=True)
                 for name, a in model.attentions().items()}
        losses = example_losses(model(batch.source, batch.lengths, batch.target, gates), batch.target)
        for name, gradient in zip(gates, torch.autograd.grad(losses.sum(), list(gates.values()))):
            sums[name] = sums[name] + gradient.abs().sum(dim=0)
        examples += B
    return {name: total / examples for name, total in sums.items()}


@torch.no_grad()
def activations(model, batches):
    """The mean over real queries of ‖z[h] W_O[h]‖: how much each head adds to the stream."""
    sums, queries, current = {name: 0 for name in model.attentions()}, {name: 0 for name in model.attentions()}, {}

    def watch(name, attention):
        def add(_, inputs):
            z = inputs[0].unflatten(-1, (-1, attention.head_width))  # (B, T, N, K)
            written = torch.einsum("btnk,nkd->btnd", z, per_head(attention.output.weight.T, attention.head_width))
            real = current["source" if name[0] == "encoder" else "target"]  # (B, T)
            sums[name] = sums[name] + written.norm(dim=-1)[real].sum(dim=0)
            queries[name] += real.sum()
        return attention.output.register_forward_pre_hook(add)

    handles = [watch(name, attention) for name, attention in model.attentions().items()]
    for batch in batches:
        current.update(source=batch.source[..., 0] != PAD, target=batch.target != PAD)
        model(batch.source, batch.lengths, batch.target)
    for handle in handles:
        handle.remove()
    return {name: sums[name] / queries[name] for name in sums}


@torch.no_grad()
def oracle(model, batches):
    """Leave-one-out: how much the mean loss over [Batch] rises when this head alone is closed. One pass a head."""
    def loss(gates):
        return torch.cat([example_losses(model(b.source, b.lengths, b.target, gates), b.target)
                          for b in batches]).mean()

    whole = loss(None)
    scores = {}
    for name, attention in model.attentions().items():
        gates = 1 - torch.eye(len(attention.heads), device=whole.device)  # row h closes head h
        scores[name] = torch.stack([loss({name: gate}) - whole for gate in gates])
    return scores


def head_scores(model, batches, criterion="paper", alpha=0.5, entropy_sign=1, norm=norm_qkvo, seed=0):
    """Scores of all heads by one of CRITERIA: {(kind, layer): (N,)}; high = keep.

    "paper" and the two norms and the entropy are scaled within kinds; the rivals are raw.
    seed: for "random" alone. Leaves the model in the mode in which it found it.
    """
    was_training = model.training
    model.eval()
    if criterion == "paper":
        weight, spread = scale_within_kinds(norms(model, norm)), scale_within_kinds(entropies(model, batches))
        scores = {name: paper_score(weight[name], spread[name], alpha, entropy_sign) for name in weight}
    elif criterion in ("norm_qkvo", "norm_ov"):
        scores = scale_within_kinds(norms(model, {"norm_qkvo": norm_qkvo, "norm_ov": norm_ov}[criterion]))
    elif criterion == "entropy":
        scores = {name: paper_score(0 * spread, spread, 0, entropy_sign)
                  for name, spread in scale_within_kinds(entropies(model, batches)).items()}
    elif criterion == "random":
        generator = torch.Generator().manual_seed(seed)
        scores = {name: torch.rand(len(a.heads), generator=generator).to(a.output.weight.device)
                  for name, a in model.attentions().items()}
    else:
        scores = {"gradient": gradients, "activation": activations, "oracle": oracle}[criterion](model, batches)
    model.train(was_training)
    return scores
