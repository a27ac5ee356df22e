"""A small encoder-decoder transformer that reads a problem's words and writes its equation.

What differs from Vaswani et al. 2017:
- LayerNorm stands before each sublayer, not after it (pre-LN), and once more at the end of a stack;
- positions are rotary and only in the two self-attentions; cross-attention has none;
- a word is the sum of its subwords; a number is the sum of its name, its kind and its rank;
- an encoder layer first mixes each word with its two neighbours: local context decides in word
  problems;
- dropout drops a channel for all words of a text at once;
- the feed-forward layers are narrow, so that heads are a large share of the cost, worth pruning;
- there is no end token: a prefix equation shows by itself where it ends.
"""
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from tinyprune import BOS, PAD
from tinyprune.attention import MultiHeadAttention, causal_mask, padding_mask

KINDS = ("encoder", "decoder", "cross")


class Head(NamedTuple):
    """The name of a head, everywhere: in scores, in logs, and where heads are pruned or removed."""
    kind: str  # one of KINDS
    layer: int
    index: int  # the original one: a removed head's index is never given to another


@dataclass
class Config:
    source_tokens: int  # size of the source vocabulary
    target_tokens: int  # V
    width: int = 128  # D
    heads: int = 4  # N, before any is removed
    head_width: int = 32  # K
    encoder_layers: int = 3
    decoder_layers: int = 2
    feedforward: int = 128
    dropout: float = 0.1
    embedding_scale: float = 4.0  # multiplies embeddings and neighbours' weights where they are
    #                               used, so Adam's steps on them count this many times
    heads_kept: dict | None = None  # {"encoder": [[0, 2, 3], … a list per layer], "decoder": …}

    def heads_of(self, kind, layer):
        """The original indices of the heads that this layer has."""
        return self.heads_kept[kind][layer] if self.heads_kept else list(range(self.heads))


def mix_neighbours(x, weight, real):
    """A depthwise convolution over three tokens: each channel weighs left, self and right.

    x (B, S, D), weight: three (D,), real (B, S, 1), 1 for words and 0 for padding, which counts as
    nothing -> (B, S, D)
    """
    ### BEGIN SOLUTION
    x = x * real
    mixed = x * weight[1]
    mixed[:, 1:].addcmul_(x[:, :-1], weight[0])  # += left * weight[0]; the first word has no left
    mixed[:, :-1].addcmul_(x[:, 1:], weight[2])
    return mixed
    ### END SOLUTION


def shift_right(target, start=None):
    """What the decoder reads while it predicts `target`: the same tokens, one step later.

    target (B, T), start (B,), the token to read first, by default BOS -> (B, T)
    """
    ### BEGIN SOLUTION
    first = torch.full_like(target[:, :1], BOS) if start is None else start[:, None]  # (B, 1)
    return torch.cat([first, target[:, :-1]], dim=1)
    ### END SOLUTION


def masked_mean(values, real):
    """The mean of the values (…) where `real` (…), a mask, is True.

    A sum over all of them, with 0 for the others: values[real] would have to ask a GPU how many
    there are, and wait for its answer.
    """
    return (values * real).sum() / real.sum()


def token_loss(logits, target, label_smoothing=0.0):
    """Cross-entropy, the mean over all real target tokens of the batch.

    logits (B, T, V), target (B, T) padded with PAD -> a number
    label_smoothing: the share of the target that is spread evenly over the vocabulary (Szegedy et
    al. 2016)
    """
    ### BEGIN SOLUTION
    real = target != PAD
    log_probability = logits.log_softmax(dim=-1)  # (B, T, V)
    of_target = log_probability.gather(2, target[..., None])[..., 0]  # (B, T)
    smoothed = (1 - label_smoothing) * of_target + label_smoothing * log_probability.mean(dim=-1)
    return -masked_mean(smoothed, real)
    ### END SOLUTION


class ChannelDropout(nn.Dropout):
    """Drops whole channels of a text: one random number for all its words (Gal & Ghahramani 2016).

    x (B, T, D) -> (B, T, D)
    Otherwise the model could recover a dropped value from its neighbours. One random number per
    channel is also cheaper.
    """

    def forward(self, x):
        if not self.training:
            return x
        B, _, D = x.shape
        return x * super().forward(x.new_ones(B, 1, D))  # each 0 or 1 / (1 - p)


class FeedForward(nn.Sequential):
    def __init__(self, width, hidden):
        super().__init__(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))


class EncoderLayer(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        D = config.width
        self.embedding_scale = config.embedding_scale
        self.neighbours = nn.Parameter(torch.zeros(3, D))
        self.attention_norm = nn.LayerNorm(D)
        self.feedforward_norm = nn.LayerNorm(D)
        heads = config.heads_of("encoder", layer)
        self.attention = MultiHeadAttention(D, config.head_width, heads, rotary=True)
        self.feedforward = FeedForward(D, config.feedforward)
        self.dropout = ChannelDropout(config.dropout)

    def forward(self, x, mask, head_gate=None, observed=True):
        """x (B, S, D), mask (B, 1, 1, S), head_gate (N,) or (B, N)
        -> (B, S, D), probabilities (B, N, S, S), None unless observed"""
        real = mask[:, 0, 0, :, None]  # (B, S, 1)
        left, middle, right = self.neighbours * self.embedding_scale  # each (D,)
        x = mix_neighbours(x, (left, 1 + middle, right), real)  # the word itself stays: 1
        normed = self.attention_norm(x)
        attended, probabilities = self.attention(normed, mask=mask, head_gate=head_gate,
                                                 observed=observed)
        x = x + self.dropout(attended)
        x = x + self.dropout(self.feedforward(self.feedforward_norm(x)))
        return x, probabilities


def side_by_side(x, texts):
    """All equations of a text in one row: (E*B, T, D), all first ones first -> (B, E*T, D)

    Cross-attention knows no order, so the equations of a text can ask together, and the text's
    keys and values are computed once. texts: B
    """
    x = x.unflatten(0, (-1, texts))  # (E, B, T, D)
    return x.transpose(0, 1).flatten(1, 2)  # (B, E*T, D)


def one_below_the_other(x, equations):
    """Undoes side_by_side: (B, …, E*T, D) -> (E*B, …, T, D)"""
    x = x.unflatten(-2, (equations, -1))  # (B, …, E, T, D)
    return x.movedim(-3, 0).flatten(0, 1)  # (E*B, …, T, D)


class DecoderLayer(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        D = config.width
        K = config.head_width
        self.attention_norm = nn.LayerNorm(D)
        self.cross_norm = nn.LayerNorm(D)
        self.feedforward_norm = nn.LayerNorm(D)
        self.attention = MultiHeadAttention(D, K, config.heads_of("decoder", layer), rotary=True)
        self.cross = MultiHeadAttention(D, K, config.heads_of("cross", layer))
        self.feedforward = FeedForward(D, config.feedforward)
        self.dropout = ChannelDropout(config.dropout)

    def forward(self, x, memory, causal, memory_mask, gates=(None, None), caches=(None, None),
                observed=True):
        """x (B, T, D), or (E*B, T, D) with E equations of each text; memory (B, S, D); gates and
        caches: of self-attention and cross-attention
        -> (B, T, D), the two attentions' probabilities (B, N, T, T) and (B, N, T, S), None unless
        observed"""
        normed = self.attention_norm(x)
        attended, of_tokens = self.attention(normed, mask=causal, head_gate=gates[0],
                                             cache=caches[0], observed=observed)
        x = x + self.dropout(attended)
        normed = self.cross_norm(x)
        equations = len(x) // len(memory)  # E
        if equations > 1:
            normed = side_by_side(normed, len(memory))
        attended, of_memory = self.cross(normed, memory, mask=memory_mask, head_gate=gates[1],
                                         cache=caches[1], observed=observed)
        if equations > 1:
            attended = one_below_the_other(attended, equations)
            if observed:
                of_memory = one_below_the_other(of_memory, equations)
        x = x + self.dropout(attended)
        x = x + self.dropout(self.feedforward(self.feedforward_norm(x)))
        return x, of_tokens, of_memory


class Transformer(nn.Module):
    """The encoder-decoder.

    gates, everywhere: a dict from (kind, layer) to the gates of that attention's heads, (N,) or
    (B, N), in the order of its heads. Where an attention is not named, all its heads are active.
    attentions, everywhere: a dict that is filled with the attention probabilities of each
    (kind, layer).
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        D = config.width
        self.source_embedding = nn.EmbeddingBag(config.source_tokens, D, padding_idx=PAD,
                                                mode="sum")
        self.target_embedding = nn.Embedding(config.target_tokens, D, padding_idx=PAD)
        self.encoder = nn.ModuleList(EncoderLayer(config, i) for i in range(config.encoder_layers))
        self.decoder = nn.ModuleList(DecoderLayer(config, i) for i in range(config.decoder_layers))
        self.encoder_norm = nn.LayerNorm(D)
        self.decoder_norm = nn.LayerNorm(D)
        self.classifier = nn.Linear(D, config.target_tokens)
        self.dropout = ChannelDropout(config.dropout)
        for embedding in (self.source_embedding, self.target_embedding):
            # times embedding_scale, where they are used: entries near 1
            embedding.weight.data.normal_(std=1 / config.embedding_scale)
            embedding.weight.data[PAD] = 0

    def attention_layers(self):
        """{(kind, layer): MultiHeadAttention}, in the order of KINDS and of the layers."""
        modules = {"encoder": [layer.attention for layer in self.encoder],
                   "decoder": [layer.attention for layer in self.decoder],
                   "cross": [layer.cross for layer in self.decoder]}
        return {(kind, layer): attention
                for kind in KINDS for layer, attention in enumerate(modules[kind])}

    def heads(self):
        """[Head], the heads that are not removed, in the order of KINDS, layers and indices."""
        return [Head(*name, index) for name, attention in self.attention_layers().items()
                for index in attention.heads]

    def heads_kept(self):
        """{"encoder": [[original indices] per layer], "decoder": …, "cross": …}: see Config"""
        kept = {kind: [] for kind in KINDS}
        for (kind, _), attention in self.attention_layers().items():
            kept[kind].append(list(attention.heads))
        return kept

    def embed(self, source):
        """The sums of the words' subword embeddings, 0 for padding: (B, S, P) -> (B, S, D)"""
        sums = self.source_embedding(source.flatten(0, 1))  # (B*S, D)
        return sums.unflatten(0, source.shape[:2])

    def encode(self, source, lengths, gates=None, attentions=None):
        """source (B, S, P), P subwords a word, lengths (B,)
        -> memory (B, S, D), memory_mask (B, 1, 1, S)"""
        gates = gates or {}
        mask = padding_mask(lengths, source.shape[1])
        words = self.embed(source)
        x = self.dropout(words * self.config.embedding_scale)  # (B, S, D)
        for i, layer in enumerate(self.encoder):
            x, probabilities = layer(x, mask, gates.get(("encoder", i)), attentions is not None)
            if attentions is not None:
                attentions["encoder", i] = probabilities
        return self.encoder_norm(x), mask

    def decode(self, tokens, memory, memory_mask, gates=None, attentions=None, cache=None):
        """Logits of the token after each of `tokens`: (B, T) -> (B, T, V)

        tokens: the decoder's input, BOS or MIRROR first
        cache: a dict, empty at first, kept from step to step; tokens then holds the new ones alone
        """
        gates = gates or {}
        cached = cache["decoder", 0]["key"].shape[2] if cache else 0
        causal = None  # one new token may see all that came before
        if tokens.shape[1] > 1:
            causal = causal_mask(tokens.shape[1], cached, tokens.device)
        x = self.dropout(self.target_embedding(tokens) * self.config.embedding_scale)  # (B, T, D)
        for i, layer in enumerate(self.decoder):
            names = ("decoder", i), ("cross", i)
            caches = [None if cache is None else cache.setdefault(name, {}) for name in names]
            x, *probabilities = layer(x, memory, causal, memory_mask,
                                      list(map(gates.get, names)), caches,
                                      attentions is not None)
            if attentions is not None:
                attentions.update(zip(names, probabilities))
        return self.classifier(self.decoder_norm(x))

    def forward(self, source, lengths, target, gates=None, attentions=None, start=None):
        """Logits that predict `target`, all steps at once.

        source (B, S, P), lengths (B,), target (B, T), start (B,), by default BOS -> (B, T, V)
        target may hold several equations of each text, all first ones, then all second ones:
        (2B, T). Each text is then read once; gates must be (N,).
        """
        memory, memory_mask = self.encode(source, lengths, gates, attentions)
        return self.decode(shift_right(target, start), memory, memory_mask, gates, attentions)


def by_head(model, values):
    """Names what each attention has for its heads: {(kind, layer): (N,)} -> {Head: float}"""
    together = torch.cat([values[name] for name in model.attention_layers()])
    return dict(zip(model.heads(), together.tolist()))
