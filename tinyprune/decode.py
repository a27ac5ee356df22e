"""Greedy and beam search that can only write well-formed prefix equations over numbers that the problem has.

A prefix equation starts with one open slot; an operator fills it and opens two, a number or constant fills it
and opens none; with no slot open, the equation is complete, and no end token is needed. So whatever the model
believes, a token is offered only if the equation can still be completed within the steps that are left.
"""
import math

import torch

from tinyprune import BOS, MIRROR, PAD
from tinyprune.checker import values
from tinyprune.data import is_name, pad
from tinyprune.tokenizer import OPERATORS, EquationError, mirror
from tinyprune.transformer import shift_right

LONGEST = 41  # tokens: the longest recorded equation of Math23k


def token_slots(vocabulary):
    """How each target token changes the number of open slots, and which number it names.

    -> slots (V,): +1 for an operator, -1 for a number or constant, 0 for PAD, UNK, BOS and MIRROR, of no equation;
       names (V,): i for Ni, -1 for every other token
    """
    tokens = vocabulary.tokens
    slots = [0 if place <= MIRROR else 1 if token in OPERATORS else -1 for place, token in enumerate(tokens)]
    return torch.tensor(slots), torch.tensor([int(token[1:]) if is_name(token) else -1 for token in tokens])


def allowed_tokens(open_slots, steps_left, counts, slots, names):
    """Which tokens may come next in each row.

    open_slots (B,), steps_left a number, counts (B,) the numbers each problem has; slots and names as above
    -> (B, V), True = may be written; a complete row (no open slot) may write PAD alone
    """
    after = open_slots[:, None] + slots  # (B, V)
    allowed = (slots != 0) & (after < steps_left) & (names < counts[:, None]) & (open_slots > 0)[:, None]
    allowed[:, PAD] = open_slots == 0
    return allowed


@torch.no_grad()
def greedy(model, batch, vocabulary, gates=None, longest=LONGEST):
    """The likeliest allowed token at every step: Batch -> [[token]], one equation a problem."""
    slots, names = (x.to(batch.source.device) for x in token_slots(vocabulary))
    memory, mask = model.encode(batch.source, batch.lengths, gates)
    written = torch.full((len(batch.source), 1), BOS, device=memory.device)  # (B, steps so far)
    open_slots = torch.ones(len(written), dtype=torch.long, device=memory.device)
    cache = {}
    for step in range(longest):
        logits = model.decode(written[:, -1:], memory, mask, gates, cache=cache)[:, 0]  # (B, V)
        allowed = allowed_tokens(open_slots, longest - step, batch.counts, slots, names)
        token = logits.masked_fill(~allowed, -math.inf).argmax(dim=-1)  # (B,)
        written = torch.cat([written, token[:, None]], dim=1)
        open_slots = open_slots + slots[token]
        if not open_slots.any():
            break
    return [vocabulary.decode(row) for row in written[:, 1:].tolist()]


@torch.no_grad()
def beam_search(model, batch, vocabulary, beam=5, gates=None, longest=LONGEST, start=BOS):
    """The `beam` best equations of each problem by log-probability / sqrt(length): Batch -> [[(score, [token])]].

    Without the division long equations lose to short ones, whatever they say. Best first; a problem for which
    nothing can be written, having no numbers, gets the empty equation. From start=MIRROR equations come mirrored.
    """
    slots, names = (x.to(batch.source.device) for x in token_slots(vocabulary))
    B, V = len(batch.source), len(vocabulary)
    memory, mask = (x.repeat_interleave(beam, dim=0) for x in model.encode(batch.source, batch.lengths, gates))
    device = memory.device
    gates = gates_of_rows(gates, torch.arange(B, device=device).repeat_interleave(beam))
    counts = batch.counts.repeat_interleave(beam)
    written = torch.full((B * beam, 1), start, device=device)
    open_slots = torch.ones(B * beam, dtype=torch.long, device=device)
    lengths = torch.zeros(B * beam, device=device)
    total = torch.full((B, beam), -math.inf, device=device)  # log-probability of each hypothesis
    total[:, 0] = 0  # all hypotheses are equal at first: let one of them speak
    cache = {}
    for step in range(longest):
        logits = model.decode(written[:, -1:], memory, mask, gates, cache=cache)[:, 0]  # (B*beam, V)
        allowed = allowed_tokens(open_slots, longest - step, counts, slots, names)
        # The probabilities of what is allowed sum to 1, so a complete row goes on with PAD at no cost.
        log_probability = logits.masked_fill(~allowed, -math.inf).log_softmax(dim=-1)
        # The softmax of a row where nothing is allowed is NaN: it is no candidate.
        log_probability = log_probability.masked_fill(~allowed, -math.inf)
        candidates = total[:, :, None] + log_probability.view(B, beam, V)
        length = lengths.view(B, beam, 1) + (open_slots > 0).view(B, beam, 1)
        score = candidates / length.sqrt()
        best = score.flatten(1).topk(beam).indices  # (B, beam), places in beam * V
        total = candidates.flatten(1).gather(1, best)
        parent = (best // V + torch.arange(B, device=device)[:, None] * beam).flatten()  # (B*beam,)
        token = (best % V).flatten()
        written = torch.cat([written[parent], token[:, None]], dim=1)
        lengths = length.flatten()[parent]
        open_slots = open_slots[parent] + slots[token]
        for (kind, _), kept in cache.items():
            if kind == "decoder":  # all hypotheses of a problem read the same source: cross-attention stays
                kept["key"], kept["value"] = kept["key"][parent], kept["value"][parent]
        if not open_slots.any():
            break
    scores = (total / lengths.view(B, beam).sqrt()).tolist()
    rows = [vocabulary.decode(row) for row in written[:, 1:].tolist()]
    ranked = []
    for b in range(B):
        pairs = [(score, row) for score, row in zip(scores[b], rows[b * beam:(b + 1) * beam]) if score > -math.inf]
        ranked.append(sorted(pairs, key=lambda pair: -pair[0]) or [(-math.inf, [])])
    return ranked


def gates_of_rows(gates, places):
    """The gates for rows that belong to the problems at `places`: gates (B, N) follow their problem, (N,) are all's."""
    return {name: gate[places] if gate.dim() == 2 else gate for name, gate in (gates or {}).items()}


@torch.no_grad()
def equation_scores(model, batch, vocabulary, candidates, gates=None, start=BOS):
    """Mean log-probability of the tokens of given equations, [[equation]] a problem -> [[score]]: among all tokens, not
    among the allowed ones as in the beam, so that both directions are measured alike."""
    memory, mask = model.encode(batch.source, batch.lengths, gates)
    device = memory.device
    places = torch.tensor([b for b, found in enumerate(candidates) for _ in found], device=device)
    target = pad([vocabulary.encode(equation) for found in candidates for equation in found]).to(device)
    read = shift_right(target, torch.full_like(places, start))
    logits = model.decode(read, memory[places], mask[places], gates_of_rows(gates, places))
    log_probability = logits.log_softmax(dim=-1).gather(2, target[..., None])[..., 0]  # (rows, T)
    real = target != PAD
    scores = iter(((log_probability * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)).tolist())
    return [[next(scores) for _ in found] for found in candidates]


def beam_both_ways(model, batch, vocabulary, beam=5, gates=None):
    """Two beams, one that writes equations and one that writes them mirrored, and what they find ranked by the sum of
    both scores: Batch -> [[(score, [token])]], best first.

    What one direction believes for want of looking ahead the other one, which begins at the other end, can veto
    (Liu et al. 2016).
    """
    forth = beam_search(model, batch, vocabulary, beam, gates)
    back = beam_search(model, batch, vocabulary, beam, gates, start=MIRROR)
    found = [list(dict.fromkeys([tuple(row) for _, row in ones] + [tuple(mirror(row)) for _, row in others if row]))
             for ones, others in zip(forth, back)]
    scores = zip(equation_scores(model, batch, vocabulary, found, gates),
                 equation_scores(model, batch, vocabulary, [[mirror(row) if row else row for row in rows]
                                                            for rows in found], gates, start=MIRROR))
    return [sorted(((one + other, list(row)) for one, other, row in zip(*both, rows)), key=lambda pair: -pair[0])
            for both, rows in zip(scores, found)]


def first_plausible(candidates, numbers, whole=False):
    """The best candidate all of whose values, the intermediate ones too, are above 0 and, if `whole` is asked for and
    the problem's own numbers are whole, whole as well; else the best that is positive; else the best of all.

    candidates: [(score, equation)] best first. Word problems count and measure: in 99.9% of Math23k's training
    equations no value is 0 or less, and on ASDiv-A 97.5% of the problems in whole numbers have whole values only.
    """
    whole, positive = whole and all(number.q == 1 for number in numbers), []
    for _, equation in candidates:
        try:
            found = values(equation, numbers)
        except EquationError:  # a division by zero, a power without a value: not this one
            continue
        if all(value > 0 for value in found):
            positive.append(equation)
            if not whole or all(value.q == 1 for value in found):
                return equation
    return (positive or [candidates[0][1]])[0]
