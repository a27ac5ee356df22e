"""Multi-head attention by hand, with a gate per head, a key/value cache, and removal of heads.

    z[h] = softmax(query[h] key[h]ᵀ / √K) value[h]
    output = sum over h of gate[h] * z[h] W_O[h]ᵀ + b_O

Vaswani et al. 2017, section 3.2 (attention); Su et al. 2021 (rotary positions); Michel et al. 2019
(gates).
Letters: B batch, N heads, T queries, S keys, K head width, D model width.
Masks have one convention everywhere: True = may attend, rows are queries, columns are keys.
"""
import functools
import math

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention


def padding_mask(lengths, size):
    """Hides padded keys: lengths (B,), the number of real tokens of each text -> (B, 1, 1, size)"""
    ### BEGIN SOLUTION
    return (torch.arange(size, device=lengths.device) < lengths[:, None])[:, None, None]
    ### END SOLUTION


def causal_mask(queries, start=0, device=None):
    """Each token sees itself and the past: (queries, start + queries).

    start: the position of the first query; device: where the mask is made, by default the CPU
    """
    ### BEGIN SOLUTION
    return torch.ones(queries, start + queries, dtype=torch.bool, device=device).tril(start)
    ### END SOLUTION


def split_heads(x, heads):
    """(B, T, N*K) -> (B, N, T, K): head h gets columns h*K to (h+1)*K of every token."""
    ### BEGIN SOLUTION
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)  # (B, T, N, K) -> (B, N, T, K)
    ### END SOLUTION


def merge_heads(z):
    """(B, N, T, K) -> (B, T, N*K): undoes split_heads."""
    ### BEGIN SOLUTION
    return z.transpose(1, 2).flatten(-2)
    ### END SOLUTION


def rotate(x, start=0):
    """Rotary positions: rotates the pair (2i, 2i+1) of a token at position p by p * 10000^(-2i/K).

    The product of a rotated query and a rotated key depends on the distance between the two
    positions, not on the positions themselves.
    x (B, N, T, K) with K even, the first token at position `start` -> (B, N, T, K)
    """
    ### BEGIN SOLUTION
    T, K = x.shape[-2:]
    end = start + T
    size = max(64, 1 << (end - 1).bit_length())  # a power of two: few tables serve all lengths
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))  # (B, N, T, K/2)
    turned = pairs * rotations(size, K, x.device, x.dtype)[start:end]
    return torch.view_as_real(turned).flatten(-2)  # (B, N, T, K)
    ### END SOLUTION


@functools.cache  # a table is made once, not in each layer and at each step
def rotations(size, head_width, device, dtype):
    """e^(i angle) of every position and pair: (size, K/2), complex"""
    with torch.inference_mode(False):  # a table that decoding has made must serve training, too
        steps = torch.arange(0, head_width, 2, device=device, dtype=dtype)  # (K/2,)
        positions = torch.arange(size, device=device)[:, None]
        angles = positions * 10000.0 ** (-steps / head_width)  # (size, K/2)
        return torch.polar(torch.ones_like(angles), angles)


def attention(query, key, value, mask=None):
    """Scaled dot-product attention.

    query (B, N, T, K), key and value (B, N, S, K), mask broadcastable to (B, N, T, S)
    -> z (B, N, T, K), probabilities (B, N, T, S)
    """
    ### BEGIN SOLUTION
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])  # (B, N, T, S)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    probabilities = scores.softmax(dim=-1)
    return probabilities @ value, probabilities
    ### END SOLUTION


def head_rows(positions, head_width):
    """The rows of W_Q, W_K, W_V, and the columns of W_O, of the heads at these positions: [row]"""
    ### BEGIN SOLUTION
    return [position * head_width + k for position in positions for k in range(head_width)]
    ### END SOLUTION


class MultiHeadAttention(nn.Module):
    """Self-attention or cross-attention of a layer's heads.

    heads: the original indices of the heads that are here; N*K need not equal D. Without a source
    the tokens attend to each other, rotated by their positions if `rotary`. With a source they
    attend to the source.
    """

    def __init__(self, width, head_width, heads, rotary=False):
        super().__init__()
        if rotary and head_width % 2:
            raise ValueError("rotary positions rotate pairs: the head width must be even, "
                             f"not {head_width}")
        self.heads = list(heads)
        self.head_width = head_width
        self.rotary = rotary
        inner = len(self.heads) * head_width  # N*K
        self.query = nn.Linear(width, inner)
        self.key = nn.Linear(width, inner)
        self.value = nn.Linear(width, inner)
        self.output = nn.Linear(inner, width)

    def forward(self, x, source=None, mask=None, head_gate=None, cache=None, observed=True):
        """x (B, T, D), source (B, S, D) or None, mask broadcastable to (B, N, T, S),
        head_gate (N,) or (B, N) -> output (B, T, D), probabilities (B, N, T, S)

        observed: without it the probabilities are None, and torch's fused attention, which never
        holds them as a whole, computes the same z in less time.
        cache: a dict, empty at first, that keeps keys and values from one decoding step to the
        next. x then holds the new tokens alone, and a source is read once.
        """
        query = split_heads(self.query(x), len(self.heads))  # (B, N, T, K)
        start = cache["key"].shape[2] if cache and source is None else 0
        if self.rotary:
            query = rotate(query, start)
        if cache and source is not None:  # the first step has read it
            key = cache["key"]
            value = cache["value"]
        else:
            key, value = self.keys_and_values(x if source is None else source, start, cache)
        probabilities = None
        if observed:
            z, probabilities = attention(query, key, value, mask)
        else:
            z = scaled_dot_product_attention(query, key, value, mask)
        if head_gate is not None:
            z = z * head_gate[..., :, None, None]  # before W_O mixes the heads
        return self.output(merge_heads(z)), probabilities

    def keys_and_values(self, x, start, cache):
        """x (B, S, D), the first token at position `start` -> keys and values (B, N, S, K)

        Keys are rotated if `rotary`, values never. With a cache they are appended to its "key" and
        "value", keys as they are rotated, and all that it then holds is returned.
        """
        ### BEGIN SOLUTION
        key = split_heads(self.key(x), len(self.heads))
        value = split_heads(self.value(x), len(self.heads))
        if self.rotary:
            key = rotate(key, start)
        if cache:
            key = torch.cat([cache["key"], key], dim=2)
            value = torch.cat([cache["value"], value], dim=2)
        if cache is not None:
            cache["key"] = key
            cache["value"] = value
        return key, value
        ### END SOLUTION

    @torch.no_grad()
    def prune_heads(self, indices):
        """Removes for good the heads with these original indices.

        A head owns its rows of W_Q, W_K, W_V with their biases, and its columns of W_O. b_O
        belongs to no head. The other heads keep their order, their values and requires_grad, in
        parameters of their own. `heads`, out_features and in_features follow.
        Raises ValueError for a head that is not here, or if none would stay.
        """
        indices = set(indices)
        missing = sorted(indices - set(self.heads))
        kept = [index for index in self.heads if index not in indices]
        if missing:
            raise ValueError(f"cannot prune the heads {missing}: here are the heads {self.heads}")
        if not kept:
            raise ValueError(f"cannot prune all of the heads {self.heads}: at least one must stay")
        ### BEGIN SOLUTION
        rows = head_rows([self.heads.index(index) for index in kept], self.head_width)
        # A tensor, so that the 7 indexings below do not convert the list each time.
        rows = torch.tensor(rows, device=self.query.weight.device)
        for projection in (self.query, self.key, self.value):
            weight = projection.weight
            bias = projection.bias
            projection.weight = nn.Parameter(weight[rows], weight.requires_grad)
            projection.bias = nn.Parameter(bias[rows], bias.requires_grad)
            projection.out_features = len(rows)
        weight = self.output.weight
        self.output.weight = nn.Parameter(weight[:, rows], weight.requires_grad)
        self.output.in_features = len(rows)
        self.heads = kept
        ### END SOLUTION
