"""Both directions' promises: the beams of both, and each equation scored from both of its ends."""
import math

import pytest
import torch

from builders import row_of, tiny_batch, tiny_model
from checks import check
from tinyprune import BOS, MIRROR
from tinyprune.bidirectional import bidirectional_search, score_equations
from tinyprune.decode import beam_search
from tinyprune.tokenizer import OPERATORS, mirror
from tinyprune.vocabulary import Vocabulary

WORDS = Vocabulary([*OPERATORS, "1", "3.14", "N0", "N1", "N2", "N3", "N4"])
MODEL = tiny_model(6, target_tokens=len(WORDS))
BATCH = tiny_batch(sources=(6, 3, 5, 4), targets=(1, 1, 1, 1), counts=(2, 3, 1, 5))


@torch.no_grad()
def score(row, tokens, start):
    """The mean log-probability of what is written for one of the problems."""
    problem = row_of(BATCH, row)
    target = torch.tensor([WORDS.encode(tokens)])
    [logits] = MODEL(problem.source, problem.lengths, target, start=torch.tensor([start]))
    return logits.log_softmax(dim=-1).gather(1, target.T).mean()


def scores(row, equations, start, change=list):
    return torch.stack([score(row, change(equation), start) for equation in equations])


@pytest.mark.parametrize("start, other, change", [(BOS, MIRROR, list), (MIRROR, BOS, mirror)])
def test_given_equations_are_scored_as_the_model_writes_them(start, other, change):
    """From the right an equation is written mirrored."""
    given = ["- N0 N1|N1", "+ N0 * N1 N2", "N0|/ N0 1|1", "N4"]
    given = [list(map(str.split, row.split("|"))) for row in given]
    got = score_equations(MODEL, BATCH, WORDS, given, start=start)
    for row, equations in enumerate(given):
        expected = scores(row, equations, start, change)
        lengths = torch.tensor(list(map(len, equations)))
        check(torch.tensor(got[row]), expected, f"problem {row}, start {start}", {
            "a mean is taken, or a long equation has no chance": expected * lengths,
            "the other direction's start token": scores(row, equations, other, change),
            "from the right an equation is written mirrored": scores(row, equations, start)})


def test_no_equation_is_the_worst_answer():
    given = [[[], ["N0"]], [["N0"]], [["N0"]], [["N0"]]]
    for start in (BOS, MIRROR):
        nothing, something = score_equations(MODEL, BATCH, WORDS, given, start=start)[0]
        assert nothing == -math.inf < something


def equations_of(candidates, change=tuple):
    return {tuple(change(equation)) for _, equation in candidates}


def test_what_either_beam_has_found_is_ranked_by_the_sum_of_both_scores():
    forward = beam_search(MODEL, BATCH, WORDS, 3)
    backward = beam_search(MODEL, BATCH, WORDS, 3, start=MIRROR)
    for row, candidates in enumerate(bidirectional_search(MODEL, BATCH, WORDS, beam=3)):
        expected = equations_of(forward[row]) | equations_of(backward[row], mirror)
        check(equations_of(candidates), expected, f"problem {row}", {
            "the right-to-left beam's equations are mirrored: mirror them back":
                equations_of(forward[row] + backward[row])})
        for got, equation in candidates:
            one = score(row, equation, BOS).item()
            other = score(row, mirror(equation), MIRROR).item()
            check(got, one + other, f"problem {row}: the score of {equation}", {
                "both directions count": one})
