"""The search's promises: well-formed equations over the problem's numbers, and the best of them."""
import itertools
import math
from functools import partial

import pytest
import torch
from torch import nn

from builders import heads_of, randoms, row_of, tiny_batch, tiny_model
from checks import check
from tinyprune import BOS, MIRROR, PAD, decode
from tinyprune.attention import rotations
from tinyprune.bidirectional import bidirectional_search
from tinyprune.decode import (
    Candidate,
    allowed_log_probabilities,
    allowed_tokens,
    beam_search,
    greedy,
    token_slots,
)
from tinyprune.masking import gates_for, remove_heads
from tinyprune.tokenizer import OPERATORS
from tinyprune.vocabulary import Vocabulary

LARGE = Vocabulary([*OPERATORS, "1", "3.14", *(f"N{i}" for i in range(7))])
SMALL = Vocabulary(["+", "-", "N0", "N1"])


def case(counts, seed=0, vocabulary=LARGE):
    """A model that has learnt nothing, and a problem of 2 to 9 words for each count of numbers."""
    lengths = [2 + (5 * row + seed) % 8 for row in range(len(counts))]
    model = tiny_model(seed, target_tokens=len(vocabulary))
    return model, tiny_batch(lengths, lengths, counts, seed)


@pytest.fixture
def at_most(monkeypatch):
    """at_most(7): the longest equation has 7 tokens."""
    return lambda length: monkeypatch.setattr(decode, "MAX_LENGTH", length)


def texts(candidates):
    """[Candidate] -> [equation as a text]"""
    return [" ".join(candidate.equation) for candidate in candidates]


def shown(candidates):
    """[Candidate] -> [equation and score as a text]"""
    return [f"{' '.join(equation)}: {score:.4f}" for score, equation in candidates]


def answers(search, model, batch, **options):
    return [shown(candidates) for candidates in search(model, batch, LARGE, **options)]


def after_expression(tokens):
    """What follows the prefix expression at the start; None if there is none."""
    if not tokens:
        return None
    if tokens[0] not in OPERATORS:
        return tokens[1:]
    right = after_expression(tokens[1:])
    return None if right is None else after_expression(right)


def is_well_formed(tokens):
    return after_expression(list(tokens)) == []


def is_foreign(token, count):
    """Whether the token names a number that a problem with `count` numbers does not have."""
    return token[0] == "N" and int(token[1:]) >= count


def equations(vocabulary, count, max_length):
    """All well-formed equations of at most max_length tokens over `count` numbers."""
    tokens = [token for token in vocabulary.tokens[4:] if not is_foreign(token, count)]
    return {sequence for length in range(1, max_length + 1)
            for sequence in itertools.product(tokens, repeat=length) if is_well_formed(sequence)}


# what may be written next

def test_a_token_fills_a_slot_and_an_operator_opens_two():
    slots, names = token_slots(Vocabulary(["+", "^", "3.14", "N0", "N12"]))
    check(" ".join(map(str, slots.tolist())), "0 0 0 0 1 1 -1 -1 -1",
          "slots of <pad> <unk> <bos> <mirror> + ^ 3.14 N0 N12", {
              "an operator fills a slot and opens two: +1 in all": "0 0 0 0 2 2 -1 -1 -1",
              "a constant fills a slot as a number does": "0 0 0 0 1 1 0 -1 -1",
              "<unk>, <bos> and <mirror> are never written": "0 -1 -1 -1 1 1 -1 -1 -1"})
    check(" ".join(map(str, names.tolist())), "-1 -1 -1 -1 -1 -1 -1 0 12", "the named numbers", {
        "-1 for what is no number: 0 is N0": "0 0 0 0 0 0 0 0 12"})


def test_allowed_tokens_by_hand():
    """The columns: <pad> <unk> <bos> <mirror> + 1 N0 N1 N2"""
    slots, names = token_slots(Vocabulary(["+", "1", "N0", "N1", "N2"]))
    open_slots = torch.tensor([1, 3, 2, 0])
    counts = torch.tensor([2, 3, 1, 3])
    allowed = allowed_tokens(open_slots, 3, counts, slots, names)
    got = " ".join("".join(map(str, row)) for row in allowed.int().tolist())
    check(got, "000011110 000001111 000001100 100000000",
          "3 steps left; four rows with 1, 3, 2 and 0 open slots, and 2, 3, 1 and 3 numbers; 1 = "
          "allowed, for <pad> <unk> <bos> <mirror> + 1 N0 N1 N2", {
              "off by one: after this step there are 2 steps for the slots that stay open":
                  "000011110 000001111 000011100 100000000",
              "the steps that are left do not count, or what is open before the token is compared "
              "with them, not what is open after it":
                  "000011110 000011111 000011100 100000000",
              "off by one: a problem with 2 numbers has N0 and N1":
                  "000011111 000001111 000001110 100000000",
              "numbers that the problem does not have":
                  "000011111 000001111 000001111 100000000",
              "a complete row writes PAD and nothing else":
                  "000011110 000001111 000001100 100011111",
              "a row with open slots may write PAD": "100011110 100001111 100001100 100000000",
              "a complete row must be able to write PAD":
                  "000011110 000001111 000001100 000000000"})


@pytest.mark.parametrize("count, max_length",
                         [(2, 1), (2, 2), (1, 3), (2, 4), (0, 5), (1, 5), (2, 5)])
def test_every_well_formed_equation_can_be_reached_and_nothing_else(count, max_length):
    vocabulary = Vocabulary(["+", "*", "1", "N0", "N1"])
    slots, names = token_slots(vocabulary)
    reached = set()

    def go_on(tokens):
        open_slots = 1 + slots[vocabulary.encode(tokens)].sum()
        [allowed] = allowed_tokens(open_slots[None], max_length - len(tokens),
                                   torch.tensor([count]), slots, names)
        following = list(itertools.compress(vocabulary.tokens, allowed))
        assert following, f"{tokens}: nothing may follow, and it is not complete"
        if following == ["<pad>"]:
            reached.add(tokens)
            return
        for token in following:
            go_on((*tokens, token))

    expected = equations(vocabulary, count, max_length)
    go_on(())
    assert not reached - expected, f"{min(reached - expected)} must not be written"
    assert not expected - reached, f"{min(expected - reached)} cannot be written"


def test_what_is_allowed_has_probabilities_that_sum_to_one():
    logits = 2 * randoms(3, 5, seed=1)
    logits[0] *= 1000
    before = logits.clone()
    allowed = torch.tensor([[True, False, True, True, False], [False] * 3 + [True, False],
                            [False] * 5])
    among = logits.masked_fill(~allowed, -math.inf)
    expected = among - among.logsumexp(-1, keepdim=True)
    expected[2] = -math.inf
    everywhere = logits.log_softmax(-1)
    raw = logits.softmax(-1) * allowed
    check(allowed_log_probabilities(logits, allowed), expected, "three rows of five tokens", {
        "a row where nothing is allowed has -inf everywhere: its softmax is NaN":
            among.log_softmax(-1),
        "the tokens are masked after the softmax: what is allowed no longer sums to 1":
            everywhere.masked_fill(~allowed, -math.inf),
        "nothing is masked": everywhere,
        "these are probabilities: their logarithms are needed": expected.exp(),
        "these are logits: they must sum to 1 after exp": among,
        "these are probabilities that no longer sum to 1": raw,
        "the softmax of a small logit is 0, and its logarithm -inf: use log_softmax":
            (raw / raw.sum(-1, keepdim=True)).nan_to_num().log(),
        "-1e9 is not -inf: a row where nothing is allowed gets probabilities":
            logits.masked_fill(~allowed, -1e9).log_softmax(-1),
        "True means: may be written": logits.masked_fill(allowed, -math.inf).log_softmax(-1)})
    check(logits, before, "the logits after the call, which must stay as they were")


# greedy

class Scripted(nn.Module):
    """A stand-in for the model: at step s it prefers token plans[row][s], later `afterwards`."""

    def __init__(self, plans, afterwards, vocabulary=LARGE):
        super().__init__()
        self.plans = [plan.split() for plan in plans]
        self.afterwards = afterwards
        self.vocabulary = vocabulary
        self.steps = [0] * len(plans)  # of each row: one may be decoded without the others
        self.weight = nn.Parameter(torch.zeros(1))  # a model's parameters say where it is

    def encode(self, *_):
        B = len(self.plans)
        rows = torch.arange(B).view(B, 1, 1).float()  # the memory says which rows are left
        return rows, torch.ones(B, 1, 1, 1, dtype=torch.bool)

    def decode(self, tokens, memory, *_, **__):
        preferred = []
        for row in memory.flatten().int().tolist():
            preferred.append([*self.plans[row][self.steps[row]:], self.afterwards][0])
            self.steps[row] += 1
            assert self.steps[row] <= decode.MAX_LENGTH, \
                f"greedy wants more than {decode.MAX_LENGTH} tokens: does it end in every case?"
        chosen = self.vocabulary.encode(preferred)
        return torch.eye(len(self.vocabulary))[chosen][:, None]  # (B, 1, V)


def written_by(model):
    """What greedy makes of a Scripted model, on problems with two numbers."""
    _, batch = case([2] * len(model.plans))
    return [texts(candidates)[0] for candidates in greedy(model, batch, LARGE)]


def test_each_row_ends_where_its_equation_is_complete():
    model = Scripted(["N1", "- N0 * N1 1", "+ N0 N1"], afterwards="N0")
    check(written_by(model), ["N1", "- N0 * N1 1", "+ N0 N1"], "three rows that end apart", {
        "decoding stopped as soon as one row had ended: go on until all have": ["N1", "-", "+"],
        "a complete row must write PAD, whatever the model likes":
            ["N1 N0 N0 N0 N0", "- N0 * N1 1", "+ N0 N1 N0 N0"],
        "BOS is the start signal, not part of the answer":
            ["<bos> N1", "<bos> - N0 * N1 1", "<bos> + N0 N1"]})
    check(max(model.steps), 5, "steps for equations of 1, 5 and 3 tokens", {
        "decoding went on although every row had ended": 41,
        "decoding stopped as soon as one row had ended": 1})


def test_greedy_takes_the_best_token_that_may_be_written(at_most):
    """With 3 steps left + is allowed once; N6 never, for the problem has 2 numbers."""
    at_most(3)
    [equation] = written_by(Scripted(["+ + N6"], afterwards="+"))
    tokens = equation.split()
    wanted = is_well_formed(tokens) and tokens[0] == "+" and len(tokens) == 3
    assert wanted, f"3 steps, + preferred: expected + and two operands, got {equation}"
    _, batch = case([0, 1])
    model = Scripted(["N0", "N0"], afterwards="N0", vocabulary=SMALL)
    got = [texts(candidates) for candidates in greedy(model, batch, SMALL)]
    check(got, [[""], ["N0"]], "a problem without numbers or constants, and one with N0")


def test_greedy_scores_an_equation():
    model = Scripted(["- N0 * N1 1"], afterwards="N0")
    _, batch = case([2])
    [[candidate]] = greedy(model, batch, LARGE)
    # The preferred token has logit 1, the others 0; all 5 operators, 2 constants and 2 numbers may
    # be written at each step.
    step = 1 - math.log(math.e + 8)
    check(candidate.score, 5 * step / math.sqrt(5), "log-probability / sqrt(length), 5 tokens", {
        "only the last token counts": step / math.sqrt(5),
        "the sum is not divided by sqrt(length)": 5 * step,
        "the sum is divided by the length": step,
        "the score is the probability, not its logarithm": math.exp(5 * step) / math.sqrt(5)})


@torch.no_grad()
def slow_greedy(model, problem, start=BOS, reads=lambda ids: ids):
    """Greedy search, what it has written read anew at every step; reads: what of it is read"""
    slots, names = token_slots(LARGE)
    ids = [start]
    total = 0.0
    while (open_slots := 1 + slots[ids[1:]].sum()):
        memory, mask = model.encode(problem.source, problem.lengths)
        logits = model.decode(torch.tensor([reads(ids)]), memory, mask)[:, -1]
        allowed = allowed_tokens(open_slots[None], decode.MAX_LENGTH - len(ids) + 1,
                                 problem.counts, slots, names)
        among = allowed_log_probabilities(logits, allowed)[0].tolist()
        total += max(among)
        ids.append(among.index(max(among)))
    return shown([Candidate(total / math.sqrt(len(ids) - 1), LARGE.decode(ids[1:]))])


@pytest.mark.parametrize("seed", range(3))
def test_greedy_goes_on_from_what_it_has_written(seed, at_most):
    at_most(9)
    model, batch = case([2, 3, 7], seed)
    rows = [row_of(batch, row) for row in range(3)]

    def slow(**options):
        return [slow_greedy(model, row, **options) for row in rows]

    check(answers(greedy, model, batch), slow(), "three problems", {
        "the model sees the last token alone: give it the cache": slow(reads=lambda ids: ids[-1:]),
        "the cache has the earlier tokens: give the new one alone": slow(
            reads=lambda ids: sum((ids[:size] for size in range(1, len(ids) + 1)), [])),
        "the first token is BOS": slow(start=PAD)})


def test_a_model_that_has_decoded_can_be_trained():
    """What decoding keeps for later must not be kept from training."""
    for search in SEARCHES:
        model, batch = case([2, 1])
        rotations.cache_clear()
        search(model, batch, LARGE)
        model(batch.source, batch.lengths, batch.target).sum().backward()


# all searches

SEARCHES = [greedy, beam_search, bidirectional_search]


@pytest.mark.parametrize("search, sizes", [(greedy, [1]), (beam_search, [5]),
                                           (bidirectional_search, range(5, 11))])
def test_every_search_returns_candidates_for_each_problem_best_first(search, sizes):
    model, batch = case([2, 3, 5])
    ranked = search(model, batch, LARGE)
    check(len(ranked), 3, "one list a problem")
    for candidates in ranked:
        assert all(isinstance(candidate, Candidate) for candidate in candidates)
        assert len(candidates) in sizes, f"{len(candidates)} candidates of a beam of 5"
        scores = [candidate.score for candidate in candidates]
        assert scores == sorted(scores, reverse=True), f"best first: {scores}"
        assert scores[0] < 0, "a log-probability is below 0"
        assert len(set(texts(candidates))) == len(candidates), "an equation is there twice"


@pytest.mark.parametrize("max_length", [1, 2, 3, 6, 13])
@pytest.mark.parametrize("search", SEARCHES)
def test_an_untrained_model_writes_well_formed_equations_over_the_problems_numbers(
        search, max_length, at_most):
    at_most(max_length)
    counts = [1, 2, 3, 7, 2]
    for seed in range(4):
        model, batch = case(counts, seed)
        for count, candidates in zip(counts, search(model, batch, LARGE)):
            for _, equation in candidates:
                assert is_well_formed(equation), f"{equation} is no prefix expression"
                assert len(equation) <= max_length, f"{equation}: at most {max_length} tokens"
                foreign = [token for token in equation if is_foreign(token, count)]
                assert not foreign, f"{foreign} in an equation for {count} numbers"


@pytest.mark.parametrize("search", SEARCHES)
def test_a_problem_is_answered_alike_alone_and_in_a_batch(search, at_most):
    at_most(9)
    model, batch = case([2, 4, 1, 7, 3, 2], seed=3)
    alone = [answers(search, model, row_of(batch, row))[0] for row in range(6)]
    check(answers(search, model, batch), alone, "six problems together and each one alone")


# beam search

@torch.no_grad()
def slow_beam(model, problem, vocabulary, beam, max_length, start, norm=math.sqrt, copies=1):
    """Beam search with lists, the whole equation read anew at every step: [Candidate]

    norm: what a sum is divided by while the best are chosen; copies: of the empty beginning
    """
    slots, names = token_slots(vocabulary)
    start = torch.tensor([start])
    hypotheses = copies * [(0.0, [])]
    for step in range(max_length):
        extended = []
        for total, ids in hypotheses:
            open_slots = 1 + slots[ids].sum()
            if not open_slots:
                extended.append((total, ids))
                continue
            allowed = allowed_tokens(open_slots[None], max_length - step, problem.counts, slots,
                                     names)
            target = torch.tensor([[*ids, PAD]])
            logits = model(problem.source, problem.lengths, target, start=start)[:, -1]
            [among] = logits.masked_fill(~allowed, -math.inf).log_softmax(dim=-1).tolist()
            extended += [(total + more, [*ids, token]) for token, more in enumerate(among)]
        hypotheses = sorted(extended, key=lambda pair: -pair[0] / norm(len(pair[1])))[:beam]
    return [Candidate(total / math.sqrt(len(ids)), vocabulary.decode(ids))
            for total, ids in hypotheses if total > -math.inf]


def mistakes_of(slow, beam):
    """Candidates' scores are divided by sqrt(length) in the end, whatever chose them."""
    return {
        "the sums are not divided by sqrt(length) while the best are chosen, so that short "
        "equations win, or all are divided by the same length: PAD does not count":
            lambda: shown(slow(norm=lambda length: 1)),
        "the sums are divided by the length, not by its square root, while the best are chosen":
            lambda: shown(slow(norm=float)),
        "all hypotheses of a problem begin alike, so the beam holds copies: let one begin":
            lambda: shown(slow(copies=beam)),
        "`start` is not used: mirrored equations begin with MIRROR":
            lambda: shown(slow(start=BOS)),
        "worst first": lambda: shown(slow()[::-1])}


@pytest.mark.parametrize("vocabulary, counts, beam, max_length, seed", [
    (SMALL, [2, 1], 24, 3, 6), (SMALL, [2, 1], 120, 5, 6),
    *((LARGE, [2, 3], 3, 7, seed) for seed in range(5))])
def test_the_beam_keeps_the_best_at_every_step(vocabulary, counts, beam, max_length, seed, at_most):
    """The first two beams keep all equations; in the others complete ones wait while some grow."""
    at_most(max_length)
    model, batch = case(counts, seed, vocabulary)
    start = MIRROR if seed % 2 else BOS
    for row, got in enumerate(beam_search(model, batch, vocabulary, beam, start)):
        slow = partial(slow_beam, model, row_of(batch, row), vocabulary, beam, max_length,
                       start=start)
        check(shown(got), shown(slow()), f"beam {beam}, problem {row}", mistakes_of(slow, beam))
        if vocabulary is SMALL:
            check({tuple(equation) for _, equation in got},
                  equations(SMALL, counts[row], max_length), "a wide beam keeps every equation")


@pytest.mark.parametrize("seed", range(4))
def test_a_beam_of_one_is_greedy(seed):
    model, batch = case([1, 2, 3, 7], seed)
    check(answers(beam_search, model, batch, beam=1), answers(greedy, model, batch),
          "the only hypothesis of each problem")


def test_a_wider_beam_than_there_are_equations_holds_them_all(at_most):
    """One number and one step: N0 is the only equation, and the rest of the beam stays empty."""
    at_most(1)
    model, batch = case([1], vocabulary=SMALL)
    check(beam_search(model, batch, SMALL, beam=4), [[Candidate(0.0, ["N0"])]], "a beam of 4")


# gates

PRUNED = heads_of("encoder 0 1, encoder 1 0, decoder 1 2, cross 0 0, cross 0 2, cross 1 1")


@pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])
def test_decoding_with_closed_gates_is_decoding_without_the_heads(kind):
    model, batch = case([2, 3, 4, 5], seed=7)
    pruned = {head for head in PRUNED if head.kind == kind}
    got = answers(greedy, model, batch, gates=gates_for(model, pruned))
    check(got, answers(greedy, remove_heads(model, pruned), batch), f"{kind} heads", {
        "the gates are not passed on": answers(greedy, model, batch)})


def test_every_problem_may_have_gates_of_its_own():
    """Gates (B, N)"""
    model, batch = case([2, 3, 4], seed=9)
    selections = [set(), PRUNED, heads_of("encoder 1 1, cross 1 2, decoder 0 0")]
    rows = [gates_for(model, pruned) for pruned in selections]
    gates = {}
    for name in rows[0]:
        gates[name] = torch.stack([row[name] for row in rows])
    alone = [answers(greedy, model, row_of(batch, b), gates=rows[b])[0] for b in range(3)]
    check(answers(greedy, model, batch, gates=gates), alone, "greedy, gates (B, N)")
