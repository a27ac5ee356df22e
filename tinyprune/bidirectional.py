"""Two beams, one from each end of the equation, and each direction rescores what both have found.

The right-to-left decoder has already seen the end of the equation, so it can reject a bad
beginning, and the other way round (Liu et al. 2016).
"""
import torch

from tinyprune import BOS, MIRROR, PAD
from tinyprune.batching import DEVICE, pad
from tinyprune.decode import Candidate, beam_search, by_score
from tinyprune.tokenizer import mirror
from tinyprune.transformer import shift_right


@torch.no_grad()
def score_equations(model, batch, vocabulary, equations, start=BOS):
    """Mean log-probability of the tokens of given equations: [[equation]] a problem -> [[score]]

    It is taken among all tokens, not among the allowed ones as in the beam, so that both directions
    are measured alike.
    """
    memory, mask = model.encode(batch.source, batch.lengths)
    counts = [len(found) for found in equations]
    problem = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))  # (R,), of each row
    target = pad([vocabulary.encode(equation) for equation in sum(equations, [])]).to(DEVICE)  # (R, T)
    tokens = shift_right(target, torch.full_like(target[:, 0], start))
    logits = model.decode(tokens, memory[problem], mask[problem])  # (R, T, V)
    log_probability = logits.log_softmax(dim=-1).gather(2, target[..., None])[..., 0]  # (R, T)
    real = target != PAD
    means = (log_probability * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)  # (R,)
    return [part.tolist() for part in means.split(counts)]


def bidirectional_search(model, batch, vocabulary, beam=5):
    """A beam of equations and a beam of mirrored ones: Batch -> [[Candidate]], best first.

    A candidate's score is the sum of its mean log-probabilities in both directions.
    """
    forward = beam_search(model, batch, vocabulary, beam)
    backward = beam_search(model, batch, vocabulary, beam, start=MIRROR)
    pairs = []  # for each problem {equation: its mirrored form}
    for candidates, mirrored_candidates in zip(forward, backward):
        found = [candidate.equation for candidate in candidates]
        found += [mirror(candidate.equation) for candidate in mirrored_candidates if candidate.equation]
        pairs.append({tuple(equation): equation and mirror(equation) for equation in found})
    scores = score_equations(model, batch, vocabulary, [list(found) for found in pairs])
    mirrored_scores = score_equations(model, batch, vocabulary,
                                      [list(found.values()) for found in pairs], start=MIRROR)
    ranked = []
    for found in zip(pairs, scores, mirrored_scores):
        candidates = [Candidate(one + other, list(equation)) for equation, one, other in zip(*found)]
        ranked.append(sorted(candidates, key=by_score))
    return ranked
