"""Multi-head attention by hand, with a gate per head, a key/value cache, and heads that can be taken out.

    z[h] = softmax(Q[h] K[h]^T / sqrt(K)) V[h]          output = sum over h of gate[h] * z[h] W_O[h] + b_O

Vaswani et al. 2017, section 3.2 (attention); Su et al. 2021 (rotary positions); Michel et al. 2019 (gates).
Letters: B batch, N heads, T queries, S keys, K head width, D model width.
Masks have one convention everywhere: True = may attend, rows are queries, columns are keys.
"""
import math

import torch
from torch import nn


def padding_mask(lengths, size):
    """Hides padded keys: lengths (B,), the number of real tokens of each text -> (B, 1, 1, size)."""
    return (torch.arange(size, device=lengths.device) < lengths[:, None])[:, None, None]


def causal_mask(queries, start=0, device=None):
    """Each token sees itself and the past: (queries, start + queries), the first query standing at `start`."""
    return torch.ones(queries, start + queries, dtype=torch.bool, device=device).tril(start)


def split_heads(x, heads):
    """(B, T, N*K) -> (B, N, T, K): head h gets columns h*K to (h+1)*K of every token."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)  # (B, T, N, K) -> (B, N, T, K)


def merge_heads(z):
    """(B, N, T, K) -> (B, T, N*K): undoes split_heads."""
    return z.transpose(1, 2).flatten(-2)


def rotate(x, start=0):
    """Rotary positions: turns the pair (2i, 2i+1) of the token at position p by the angle p * 10000^(-2i/K).

    The product of a turned query and a turned key depends on how far one stands before the other, not on where.
    x (B, N, T, K) with K even, the first token standing at position `start` -> (B, N, T, K)
    """
    T, K = x.shape[-2:]
    positions = torch.arange(start, start + T, device=x.device, dtype=x.dtype)
    speeds = 10000.0 ** (-torch.arange(0, K, 2, device=x.device, dtype=x.dtype) / K)
    angles = positions[:, None] * speeds  # (T, K/2)
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))  # (B, N, T, K/2): to turn is to multiply by e^(i angle)
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)  # (B, N, T, K)


def attention(query, key, value, mask=None):
    """Scaled dot-product attention.

    query (B, N, T, K), key and value (B, N, S, K), mask broadcastable to (B, N, T, S)
    -> z (B, N, T, K), probabilities (B, N, T, S)
    """
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])  # (B, N, T, S)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    probabilities = scores.softmax(dim=-1)
    return probabilities @ value, probabilities


def head_rows(places, head_width):
    """The rows of W_Q, W_K, W_V, and the columns of W_O, that the heads at `places` own: a list of numbers."""
    return [place * head_width + k for place in places for k in range(head_width)]


class MultiHeadAttention(nn.Module):
    """Self-attention or cross-attention of some of a layer's heads.

    heads: the original indices of the heads that are here; N*K need not equal D. Without `source` the
    tokens attend to each other, turned by their positions if `rotary`; with it they attend to the source.
    """

    def __init__(self, width, head_width, heads, rotary=False):
        super().__init__()
        if rotary and head_width % 2:
            raise ValueError(f"rotary positions turn pairs: the head width must be even, not {head_width}")
        self.heads, self.head_width, self.rotary = list(heads), head_width, rotary
        inner = len(self.heads) * head_width
        self.query, self.key, self.value = (nn.Linear(width, inner) for _ in range(3))
        self.output = nn.Linear(inner, width)

    def forward(self, x, source=None, mask=None, head_gate=None, cache=None):
        """x (B, T, D), source (B, S, D) or None, mask broadcastable to (B, N, T, S), head_gate (N,) or (B, N).

        x may hold several equations of each text (lesson 03), all first ones, then all second ones: the source has
        fewer rows then.
        cache: a dict, empty at first, that keeps keys and values from one decoding step to the next; x then
        holds the new tokens alone, and a source is read once.
        -> output (B, T, D), probabilities (B, N, T, S)
        """
        N = len(self.heads)
        query = split_heads(self.query(x), N)  # (B, N, T, K)
        cached = cache["key"].shape[2] if cache else 0
        start = cached if source is None else 0
        if source is not None and cached:
            key, value = cache["key"], cache["value"]
        else:
            read = x if source is None else source
            key, value = split_heads(self.key(read), N), split_heads(self.value(read), N)  # (B, N, S, K)
            if len(x) > len(read):  # several equations of each text: it is read once
                key, value = (part.repeat(len(x) // len(read), 1, 1, 1) for part in (key, value))
            if self.rotary:
                key = rotate(key, start)
            if cached:
                key, value = torch.cat([cache["key"], key], dim=2), torch.cat([cache["value"], value], dim=2)
            if cache is not None:
                cache["key"], cache["value"] = key, value
        if self.rotary:
            query = rotate(query, start)
        z, probabilities = attention(query, key, value, mask)
        if head_gate is not None:
            z = z * head_gate[..., :, None, None]  # before W_O mixes the heads
        return self.output(merge_heads(z)), probabilities

    @torch.no_grad()
    def keep(self, heads):
        """Removes for good every head whose original index is not in `heads`, and copies what stays.

        A head owns its rows of W_Q, W_K, W_V with their biases, and its columns of W_O; b_O belongs to none.
        Raises ValueError for a head that is not here, or if none would stay.
        """
        heads = list(heads)
        missing = [head for head in heads if head not in self.heads]
        if missing or not heads:
            raise ValueError(f"cannot keep heads {heads} of the heads {self.heads}: "
                             + (f"{missing} are not here" if missing else "at least one head must stay"))
        kept = [head for head in self.heads if head in heads]
        rows = head_rows([self.heads.index(head) for head in kept], self.head_width)
        trained = self.output.weight.requires_grad  # a frozen model stays frozen
        for projection in (self.query, self.key, self.value):
            projection.weight = nn.Parameter(projection.weight[rows].clone(), trained)
            projection.bias = nn.Parameter(projection.bias[rows].clone(), trained)
            projection.out_features = len(rows)
        self.output.weight = nn.Parameter(self.output.weight[:, rows].clone(), trained)
        self.output.in_features = len(rows)
        self.heads = kept
