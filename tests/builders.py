"""Small models and batches for the tests, their sizes all different so that no mistake can hide.

B problems, S words of P subwords, T tokens; D 10, N 3, K 4, V 9; two layers in each stack.
"""
import torch
from torch.nn.utils.rnn import pad_sequence

from tinyprune import BOS
from tinyprune.batching import DEVICE, Batch
from tinyprune.transformer import Config, Head, Transformer

SIZES = dict(source_tokens=11, target_tokens=9, width=10, heads=3, head_width=4, encoder_layers=2,
             decoder_layers=2, feedforward=7)


def randoms(*shape, seed=0):
    """Doubles from a seed: five digits are five digits."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.double)


def fresh_model(seed=0, **changes):
    """A model as it is before training, in eval mode, without dropout."""
    torch.manual_seed(seed)
    return Transformer(Config(**(SIZES | dict(dropout=0) | changes))).to(DEVICE).eval()


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
    parts = [pad_sequence(source, batch_first=True), torch.tensor(sources),
             pad_sequence(target, batch_first=True), torch.full((len(sources),), BOS),
             torch.tensor(counts or [2] * len(sources))]
    return Batch(*(part.to(DEVICE) for part in parts), positions=list(range(len(sources))))


def problems_of(batch):
    """The batch's problems without padding: [(source, a list of subwords a word; target ids)]"""
    problems = []
    for source, target in zip(batch.source.tolist(), batch.target.tolist()):
        words = [[subword for subword in word if subword] for word in source if word[0]]
        problems.append((words, [token for token in target if token]))
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
