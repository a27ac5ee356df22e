"""Small models and batches for the tests, their sizes all different so that no mistake can hide.

B problems, S words of P subwords, T tokens; D 10, N 3, K 4, V 9; two layers in each stack.
"""
from dataclasses import replace

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from tinyprune import BOS
from tinyprune.batching import DEVICE, Batch
from tinyprune.transformer import Config, DecoderLayer, Head, Transformer

SIZES = dict(source_tokens=11, target_tokens=9, width=10, heads=3, head_width=4, encoder_layers=2,
             decoder_layers=2, feedforward=7)


def randoms(*shape, seed=0):
    """Doubles from a seed: five digits are five digits."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.double)


def fresh_model(seed=0, **changes):
    """A model as it is before training, in eval mode, without dropout."""
    torch.manual_seed(seed)
    config = Config(**(SIZES | dict(dropout=0) | changes))
    return Transformer(config).to(DEVICE).eval()


def model_for(vocabularies, seed=0, **changes):
    """A fresh model that reads and writes with these vocabularies."""
    return fresh_model(seed, source_tokens=len(vocabularies.source),
                       target_tokens=len(vocabularies.target), **changes)


def tiny_model(seed=0, **changes):
    """A model of doubles with every weight, bias and gain random (but the padding's embeddings)."""
    model = fresh_model(**(dict(dropout=0.3) | changes)).double()
    with torch.no_grad():
        for position, (name, parameter) in enumerate(model.named_parameters()):
            middle = 1 if "norm.weight" in name else 0
            parameter.copy_(middle + 0.4 * randoms(*parameter.shape, seed=100 * seed + position))
        model.source_embedding.weight[0] = 0
        model.target_embedding.weight[0] = 0
    return model


def tiny_batch(sources=(6, 3), targets=(2, 5), counts=None, seed=0):
    """Problems of these lengths, their ids random: words of two subwords, 3 to 10; targets 3 to 8.

    counts: how many numbers each has, by default two
    """
    generator = torch.Generator().manual_seed(seed)
    source = [torch.randint(3, 11, (length, 2), generator=generator) for length in sources]
    target = [torch.randint(3, 9, (length,), generator=generator) for length in targets]
    B = len(sources)
    parts = [pad_sequence(source, batch_first=True), torch.tensor(sources),
             pad_sequence(target, batch_first=True), torch.full((B,), BOS),
             torch.tensor(counts or [2] * B)]
    return Batch(*(part.to(DEVICE) for part in parts), positions=list(range(B)))


def batch_on(batch, device):
    """The batch on another device."""
    tensors = {name: value.to(device) for name, value in vars(batch).items()
               if isinstance(value, torch.Tensor)}
    return replace(batch, **tensors)


def problems_of(batch):
    """The batch's problems without padding: [(source, a list of subwords a word; target ids)]"""
    problems = []
    rows = zip(batch.source.tolist(), batch.target.tolist())
    for source, target in rows:
        words = [list(filter(None, word)) for word in source if word[0]]
        problems.append((words, list(filter(None, target))))
    return problems


def row_of(batch, row):
    """The problem of one row as a batch of its own, without padding."""
    one = slice(row, row + 1)
    length = batch.lengths[row]
    tokens = (batch.target[row] != 0).sum()
    return Batch(batch.source[one, :length], batch.lengths[one], batch.target[one, :tokens],
                 batch.start[one], batch.counts[one], positions=[batch.positions[row]])


def heads_of(text):
    """Heads as a test writes them: "encoder 0 1, cross 1 2" -> {Head("encoder", 0, 1), …}"""
    named = [part.split() for part in text.split(",")]
    return {Head(kind, int(layer), int(index)) for kind, layer, index in named}


def torch_attention(ours):
    """torch's own attention with the weights of our MultiHeadAttention, whose N*K must be D."""
    width = ours.output.out_features
    heads = len(ours.heads)
    theirs = nn.MultiheadAttention(width, heads, batch_first=True, dtype=torch.double)
    projections = ours.query, ours.key, ours.value
    with torch.no_grad():  # torch stacks the three projections
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in projections]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in projections]))
    theirs.out_proj.load_state_dict(ours.output.state_dict())
    return theirs


def torch_layer(ours):
    """torch's own pre-norm layer with the weights of our EncoderLayer or DecoderLayer."""
    first, _, second = ours.feedforward
    heads = len(ours.attention.heads)
    decoder = isinstance(ours, DecoderLayer)
    layer = nn.TransformerDecoderLayer if decoder else nn.TransformerEncoderLayer
    theirs = layer(first.in_features, heads, first.out_features, dropout=0,
                   norm_first=True, batch_first=True, dtype=torch.double)
    theirs.self_attn = torch_attention(ours.attention)
    pairs = {"linear1": first, "linear2": second, "norm1": ours.attention_norm}
    if decoder:
        theirs.multihead_attn = torch_attention(ours.cross)
        pairs |= {"norm2": ours.cross_norm, "norm3": ours.feedforward_norm}
    else:
        pairs |= {"norm2": ours.feedforward_norm}
    for name, part in pairs.items():
        theirs.get_submodule(name).load_state_dict(part.state_dict())
    return theirs
