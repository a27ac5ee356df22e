"""Greedy and beam search that can only write well-formed prefix equations.

A prefix equation starts with one open slot. An operator fills it and opens two; a number or
constant fills it and opens none. With no open slot the equation is complete, and no end token is
needed. So whatever the model prefers, a token is allowed only if the problem has that number, and
if the equation can still be completed within the steps that are left.
"""
import functools
import math
from typing import NamedTuple

import torch

from tinyprune import BOS, MIRROR, PAD
from tinyprune.batching import DEVICE
from tinyprune.quantities import is_name, name_index
from tinyprune.tokenizer import OPERATORS

MAX_LENGTH = 41  # tokens: the longest recorded equation of Math23k


class Candidate(NamedTuple):
    score: float  # higher is better; each search says how it is computed
    equation: list[str]  # prefix tokens; empty where nothing can be written


@functools.cache
def token_slots(vocabulary):
    """How each target token changes the number of open slots, and which number it names.

    -> slots (V,): +1 for an operator, -1 for a number or constant, 0 for PAD, UNK, BOS and MIRROR,
       which every vocabulary has first
       names (V,): i for Ni, -1 for every other token; both are whole numbers on DEVICE
    """
    ### BEGIN SOLUTION
    slots = [1 if token in OPERATORS else -1 for token in vocabulary.tokens]
    slots[:MIRROR + 1] = [0] * (MIRROR + 1)
    names = [name_index(token) if is_name(token) else -1 for token in vocabulary.tokens]
    return torch.tensor(slots, device=DEVICE), torch.tensor(names, device=DEVICE)
    ### END SOLUTION


def allowed_tokens(open_slots, steps_left, counts, slots, names):
    """Which tokens may come next in each row.

    open_slots (B,); steps_left, how many tokens may still be written, the next one among them;
    counts (B,), how many numbers each problem has; slots and names (V,) as above
    -> (B, V), True = may be written
    What is open after a token must fit into the steps after it. A complete row (no open slot) may
    write only PAD.
    """
    ### BEGIN SOLUTION
    after = open_slots[:, None] + slots  # (B, V)
    can_end = after < steps_left
    has_number = names < counts[:, None]
    allowed = can_end & has_number & (slots != 0) & (open_slots > 0)[:, None]
    allowed[:, PAD] = open_slots == 0
    return allowed
    ### END SOLUTION


def allowed_log_probabilities(logits, allowed):
    """Log-probabilities among the allowed tokens, -inf for the others.

    logits and allowed (B, V) -> (B, V)
    The probabilities of what is allowed sum to 1, so a complete row goes on with PAD at no cost.
    """
    ### BEGIN SOLUTION
    log_probability = logits.masked_fill(~allowed, -math.inf).log_softmax(dim=-1)
    # The softmax of a row where nothing is allowed is NaN: such a row has no candidate.
    return log_probability.masked_fill(~allowed, -math.inf)
    ### END SOLUTION


@torch.inference_mode()
def greedy(model, batch, vocabulary, gates=None):
    """Writes the likeliest allowed token at every step: Batch -> [[Candidate]], one a problem.

    Its score is log-probability / sqrt(length), with probabilities among the allowed tokens. The
    search ends when all rows are complete; candidates_of makes the result. gates: (N,) each, the
    same for all problems. In a batch of one no text is padded, so its mask may be None.
    """
    slots, names = token_slots(vocabulary)
    memory, mask = model.encode(batch.source, batch.lengths, gates)
    ### BEGIN SOLUTION
    B = len(memory)
    if B == 1:
        mask = None  # a text alone is not padded, and attention without a mask is faster
    written = torch.full((B, MAX_LENGTH), PAD, device=DEVICE)
    total = torch.zeros(B, device=DEVICE)  # log-probability
    # Of the R rows that are still decoded, all B at first:
    rows = torch.arange(B, device=DEVICE)
    token = torch.full_like(rows, BOS)
    open_slots = torch.ones_like(rows)
    counts = batch.counts
    cache = {}
    for step in range(MAX_LENGTH):
        logits = model.decode(token[:, None], memory, mask, gates, cache=cache)[:, 0]  # (R, V)
        allowed = allowed_tokens(open_slots, MAX_LENGTH - step, counts, slots, names)
        best, token = allowed_log_probabilities(logits, allowed).max(dim=-1)  # (R,)
        total[rows] += best
        written[rows, step] = token
        open_slots = open_slots + slots[token]
        [unfinished] = open_slots.nonzero(as_tuple=True)
        if len(unfinished) == 0:
            break
        if 2 * len(unfinished) <= len(rows):  # leaving rows out costs a copy of all others
            rows, token, open_slots, counts, memory, mask = (
                x[unfinished] for x in (rows, token, open_slots, counts, memory, mask))
            keep_rows(cache, unfinished, kinds=("decoder", "cross"))
    return candidates_of(vocabulary, written[:, None], total[:, None])
    ### END SOLUTION


@torch.inference_mode()
def beam_search(model, batch, vocabulary, beam=5, start=BOS):
    """The `beam` best equations of each problem by log-probability / sqrt(length).

    Batch -> [[Candidate]], best first. Without the division long equations lose to short ones,
    whatever they say. So at every step all that may follow the hypotheses of a problem, complete
    ones among them, is ranked by its sum so far / sqrt(its tokens so far, PAD not counted).
    start: the first token that the decoder reads; with MIRROR equations come mirrored
    """
    slots, names = token_slots(vocabulary)
    encoded = model.encode(batch.source, batch.lengths)
    ### BEGIN SOLUTION
    B = len(batch.source)
    V = len(vocabulary)
    memory, mask, counts = (x.repeat_interleave(beam, dim=0) for x in (*encoded, batch.counts))
    first_row = torch.arange(0, B * beam, beam, device=DEVICE)[:, None]  # (B, 1), of each problem
    written = torch.full_like(counts, start)[:, None]  # (B*beam, steps so far)
    open_slots = torch.ones_like(counts)
    total = torch.full((B, beam), -math.inf, device=DEVICE)  # log-probability of each hypothesis
    total[:, 0] = 0  # all hypotheses are equal at first, so one of them stands for all
    cache = {}
    for step in range(MAX_LENGTH):
        logits = model.decode(written[:, -1:], memory, mask, cache=cache)[:, 0]  # (B*beam, V)
        allowed = allowed_tokens(open_slots, MAX_LENGTH - step, counts, slots, names)
        extended = total[:, :, None] + allowed_log_probabilities(logits, allowed).view(B, beam, V)
        lengths = (written[:, 1:] != PAD).sum(dim=1) + (open_slots > 0)  # (B*beam,)
        scores = extended / lengths.view(B, beam, 1).sqrt()
        best = scores.flatten(1).topk(beam).indices  # (B, beam), positions in beam * V
        total = extended.flatten(1).gather(1, best)
        parent = (best // V + first_row).flatten()  # (B*beam,), the row that each one extends
        token = (best % V).flatten()
        written = torch.cat([written[parent], token[:, None]], dim=1)
        open_slots = open_slots[parent] + slots[token]
        # Each hypothesis follows the one that it extends. All of a problem read the same source,
        # so cross-attention's keys stay.
        keep_rows(cache, parent, kinds=("decoder",))
        if not open_slots.any():
            break
    return candidates_of(vocabulary, written[:, 1:].view(B, beam, -1), total)
    ### END SOLUTION


def keep_rows(cache, rows, kinds):
    """Puts these rows of the cached keys and values in the place of all, in these kinds."""
    for (kind, _), cached in cache.items():
        if kind in kinds:
            cached.update({part: tensor[rows] for part, tensor in cached.items()})


def candidates_of(vocabulary, ids, log_probabilities):
    """ids (B, beam, T) and log_probabilities (B, beam), best first -> [[Candidate]]

    A problem for which nothing can be written, having no numbers, gets the empty equation.
    """
    scores = log_probabilities / (ids != PAD).sum(dim=-1).clamp(min=1).sqrt()
    ranked = []
    for rows, row_scores in zip(ids.tolist(), scores.tolist()):
        found = [Candidate(score, vocabulary.decode(row)) for row, score in zip(rows, row_scores)
                 if score > -math.inf]
        ranked.append(found or [Candidate(-math.inf, [])])
    return ranked
