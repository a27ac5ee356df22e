"""Two beams, one from each end of the equation, and each direction rescores what either has found.

The right-to-left decoder has already seen the end of the equation, so it can reject a bad
beginning, and the other way round (Liu et al. 2016).
"""
import math

import torch

from tinyprune import BOS, MIRROR, PAD
from tinyprune.batching import DEVICE, pad
from tinyprune.decode import Candidate, beam_search
from tinyprune.tokenizer import mirror
from tinyprune.transformer import shift_right


@torch.no_grad()
def score_equations(model, batch, vocabulary, equations, start=BOS):
    """Mean log-probability of the tokens of given equations: [[equation]] a problem -> [[score]]

    It is taken among all tokens, not among the allowed ones as in the beam, so that both directions
    are measured alike. With start=MIRROR the equations are scored as they are written mirrored.
    """
    memory, mask = model.encode(batch.source, batch.lengths)
    sizes = [len(candidates) for candidates in equations]
    # R: the equations of all problems together
    problem = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))  # (R,), of each row
    rows = sum(equations, [])
    if start == MIRROR:
        rows = [row and mirror(row) for row in rows]  # an empty one stays empty
    target = pad(map(vocabulary.encode, rows)).to(DEVICE)  # (R, T)
    tokens = shift_right(target, torch.full((len(rows),), start, device=DEVICE))
    logits = model.decode(tokens, memory[problem], mask[problem])  # (R, T, V)
    log_probability = logits.log_softmax(dim=-1).gather(2, target[..., None])[..., 0]  # (R, T)
    real = target != PAD
    means = (log_probability * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)  # (R,)
    means = means.masked_fill(~real.any(dim=1), -math.inf)  # an empty equation answers nothing
    return [part.tolist() for part in means.split(sizes)]


def bidirectional_search(model, batch, vocabulary, beam=5):
    """A beam of equations and a beam of mirrored ones: Batch -> [[Candidate]], best first.

    A candidate's score is the sum of its mean log-probabilities in both directions.
    """
    forward = beam_search(model, batch, vocabulary, beam)
    backward = beam_search(model, batch, vocabulary, beam, start=MIRROR)
    equations = []
    for candidates, mirrored in zip(forward, backward):
        found = [tuple(candidate.equation) for candidate in candidates]
        found += [tuple(mirror(candidate.equation)) for candidate in mirrored if candidate.equation]
        equations.append(list(map(list, dict.fromkeys(found))))  # each once
    scores = score_equations(model, batch, vocabulary, equations)
    mirrored_scores = score_equations(model, batch, vocabulary, equations, MIRROR)
    ranked = []
    for found, left_to_right, right_to_left in zip(equations, scores, mirrored_scores):
        candidates = [Candidate(forward_score + backward_score, equation)
                      for equation, forward_score, backward_score
                      in zip(found, left_to_right, right_to_left)]
        ranked.append(sorted(candidates, key=lambda candidate: -candidate.score))
    return ranked
