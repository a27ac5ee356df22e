"""A small encoder-decoder transformer that reads a problem's words and writes its equation's tokens.

What differs from Vaswani et al. 2017:
- LayerNorm stands before each sublayer, not after it (pre-LN), and once more at the end of each stack;
- positions are rotary and only in the two self-attentions; cross-attention has none;
- a word is the sum of its pieces: itself and its characters; a number is its name, its kind and its rank;
- an encoder layer first mixes each word with its two neighbours: local context decides in word problems;
- dropout drops a channel for all words of a text at once;
- the feed-forward layers are narrow, so that heads are a large share of the cost, and worth pruning;
- there is no end token: an equation in prefix order says itself when it is complete.
"""
from dataclasses import dataclass

import torch
from torch import nn

from tinyprune import BOS, PAD
from tinyprune.attention import MultiHeadAttention, causal_mask, padding_mask

KINDS = ("encoder", "decoder", "cross")  # a head is named by its kind, layer and original index


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
    gain: float = 4.0  # multiplies embeddings and neighbours' weights where they are used, and so Adam's steps on them
    heads_kept: dict | None = None  # {"encoder": [[0, 2, 3], …a list per layer], "decoder": …, "cross": …}

    def heads_of(self, kind, layer):
        """The original indices of the heads that stand in this layer."""
        return self.heads_kept[kind][layer] if self.heads_kept else list(range(self.heads))


def mix_neighbours(x, weight, real):
    """A depthwise convolution over three tokens: each channel adds its own weights of left, self and right.

    x (B, S, D), weight (3, D), real (B, S, 1), 1 for words and 0 for padding, which counts as nothing -> (B, S, D)
    """
    x = x * real
    left, right = x.roll(1, dims=1), x.roll(-1, dims=1)
    left[:, 0], right[:, -1] = 0, 0
    return left * weight[0] + x * weight[1] + right * weight[2]


def shift_right(target, start=None):
    """What the decoder reads while it predicts `target`: the same tokens one step later, after BOS or the tokens
    `start` (B,). (B, T) -> (B, T)"""
    first = torch.full_like(target[:, :1], BOS) if start is None else start[:, None]
    return torch.cat([first, target[:, :-1]], dim=1)


def token_loss(logits, target, smoothing=0.0):
    """Cross-entropy, the mean over all real target tokens of the batch; a share `smoothing` of the target
    is spread evenly over the vocabulary (Szegedy et al. 2016).

    logits (B, T, V), target (B, T) padded with PAD -> a number
    """
    real = target != PAD
    log_probability = logits[real].log_softmax(dim=-1)  # (real tokens, V)
    right = log_probability.gather(1, target[real][:, None]).mean()
    return -(1 - smoothing) * right - smoothing * log_probability.mean()


class ChannelDropout(nn.Dropout1d):
    """Drops whole channels of a text: one random number for all its words (Gal & Ghahramani 2016), x (B, T, D).

    A word's channel could else be guessed from its neighbours'; and random numbers are dear on a CPU.
    """

    def forward(self, x):
        return super().forward(x.transpose(1, 2)).transpose(1, 2)  # Dropout1d wants (B, D, T)


class FeedForward(nn.Sequential):
    def __init__(self, width, hidden):
        super().__init__(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))


class EncoderLayer(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        D = config.width
        self.gain, self.neighbours = config.gain, nn.Parameter(torch.zeros(3, D))
        self.attention_norm, self.feedforward_norm = nn.LayerNorm(D), nn.LayerNorm(D)
        self.attention = MultiHeadAttention(D, config.head_width, config.heads_of("encoder", layer), rotary=True)
        self.feedforward = FeedForward(D, config.feedforward)
        self.dropout = ChannelDropout(config.dropout)

    def forward(self, x, mask, head_gate=None):
        """x (B, S, D), mask (B, 1, 1, S), head_gate (N,) or (B, N) -> (B, S, D), probabilities (B, N, S, S)"""
        x = x + mix_neighbours(x, self.neighbours * self.gain, mask[:, 0, 0, :, None])
        attended, probabilities = self.attention(self.attention_norm(x), mask=mask, head_gate=head_gate)
        x = x + self.dropout(attended)
        return x + self.dropout(self.feedforward(self.feedforward_norm(x))), probabilities


class DecoderLayer(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        D, K = config.width, config.head_width
        self.attention_norm, self.cross_norm, self.feedforward_norm = (nn.LayerNorm(D) for _ in range(3))
        self.attention = MultiHeadAttention(D, K, config.heads_of("decoder", layer), rotary=True)
        self.cross = MultiHeadAttention(D, K, config.heads_of("cross", layer))
        self.feedforward = FeedForward(D, config.feedforward)
        self.dropout = ChannelDropout(config.dropout)

    def forward(self, x, memory, causal, memory_mask, head_gates=(None, None), caches=(None, None)):
        """x (B, T, D), memory (B, S, D); gates and caches of self-attention and cross-attention
        -> (B, T, D), the two attentions' probabilities (B, N, T, T) and (B, N, T, S)"""
        attended, own = self.attention(self.attention_norm(x), mask=causal, head_gate=head_gates[0], cache=caches[0])
        x = x + self.dropout(attended)
        attended, cross = self.cross(self.cross_norm(x), memory, memory_mask, head_gates[1], caches[1])
        x = x + self.dropout(attended)
        return x + self.dropout(self.feedforward(self.feedforward_norm(x))), own, cross


class Transformer(nn.Module):
    """gates, everywhere: a dict from (kind, layer) to the gates of that attention's heads, (N,) or (B, N); an
    attention that is not named has all its heads open.
    record, everywhere: a dict that is filled with the probabilities of each (kind, layer)."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        D = config.width
        self.source_embedding = nn.EmbeddingBag(config.source_tokens, D, mode="sum", padding_idx=PAD)
        self.target_embedding = nn.Embedding(config.target_tokens, D, padding_idx=PAD)
        self.encoder = nn.ModuleList(EncoderLayer(config, layer) for layer in range(config.encoder_layers))
        self.decoder = nn.ModuleList(DecoderLayer(config, layer) for layer in range(config.decoder_layers))
        self.encoder_norm, self.decoder_norm = nn.LayerNorm(D), nn.LayerNorm(D)
        self.classifier = nn.Linear(D, config.target_tokens)
        self.dropout = ChannelDropout(config.dropout)
        for embedding in (self.source_embedding, self.target_embedding):
            nn.init.normal_(embedding.weight, std=1 / config.gain)  # times the gain below: entries near 1
            with torch.no_grad():
                embedding.weight[PAD] = 0

    def attentions(self):
        """{(kind, layer): MultiHeadAttention}, in the order of KINDS and of the layers."""
        parts = {"encoder": [layer.attention for layer in self.encoder],
                 "decoder": [layer.attention for layer in self.decoder],
                 "cross": [layer.cross for layer in self.decoder]}
        return {(kind, layer): attention for kind in KINDS for layer, attention in enumerate(parts[kind])}

    def heads_kept(self):
        """{"encoder": [[original indices] per layer], "decoder": …, "cross": …}: what a config needs to know."""
        kept = {kind: [] for kind in KINDS}
        for (kind, _), attention in self.attentions().items():
            kept[kind].append(list(attention.heads))
        return kept

    def encode(self, source, lengths, gates=None, record=None):
        """source (B, S, P), P pieces a word, lengths (B,) -> memory (B, S, D), memory_mask (B, 1, 1, S)"""
        gates = gates or {}
        mask = padding_mask(lengths, source.shape[1])
        x = self.source_embedding(source.flatten(0, 1)).unflatten(0, source.shape[:2])  # (B*S, D) -> (B, S, D)
        x = self.dropout(x * self.config.gain)
        for number, layer in enumerate(self.encoder):
            x, probabilities = layer(x, mask, gates.get(("encoder", number)))
            if record is not None:
                record["encoder", number] = probabilities
        return self.encoder_norm(x), mask

    def decode(self, tokens, memory, memory_mask, gates=None, record=None, cache=None):
        """Logits of the token after each of `tokens`: (B, T), the decoder's input, BOS or MIRROR first -> (B, T, V)

        cache: a dict, empty at first, kept from step to step; tokens then holds the new ones alone.
        """
        gates = gates or {}
        cached = 0 if not cache else cache["decoder", 0]["key"].shape[2]
        causal = causal_mask(tokens.shape[1], cached, tokens.device)
        x = self.dropout(self.target_embedding(tokens) * self.config.gain)  # (B, T, D)
        for number, layer in enumerate(self.decoder):
            names = ("decoder", number), ("cross", number)
            caches = (None, None) if cache is None else [cache.setdefault(name, {}) for name in names]
            x, *probabilities = layer(x, memory, causal, memory_mask, [gates.get(name) for name in names], caches)
            if record is not None:
                record.update(zip(names, probabilities))
        return self.classifier(self.decoder_norm(x))

    def forward(self, source, lengths, target, gates=None, record=None, start=None):
        """Logits that predict `target`, all steps at once: source (B, S, P), lengths (B,), target (B, T), start (B,),
        by default BOS -> (B, T, V).

        target may hold several equations of each text, all first ones, then all second ones: (2B, T). Each text is
        then read once; gates must be (N,).
        """
        memory, memory_mask = self.encode(source, lengths, gates, record)
        memory_mask = memory_mask.repeat(len(target) // len(source), 1, 1, 1)
        return self.decode(shift_right(target, start), memory, memory_mask, gates, record)
