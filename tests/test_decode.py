"""The decoder's promises: only well-formed equations over the problem's numbers, and the best of them."""
import itertools
import math

import pytest
import torch
from sympy import Rational

from checks import check
from tinyprune import BOS, MIRROR, PAD, UNK
from tinyprune.data import Batch
from tinyprune.decode import (allowed_tokens, beam_both_ways, beam_search, equation_scores, first_plausible, greedy,
                              token_slots)
from tinyprune.masking import gates_of, remove_heads
from tinyprune.tokenizer import OPERATORS, Vocabulary, mirror
from tinyprune.transformer import Config, Transformer

LARGE = Vocabulary([*OPERATORS, "1", "3.14", *(f"N{i}" for i in range(7))])
SMALL = Vocabulary(["+", "-", "N0", "N1"])


def untrained(vocabulary, seed=0, **more):
    """A model that has learnt nothing and is sure of it: large random logits in eval mode."""
    torch.manual_seed(seed)
    sizes = dict(width=14, heads=3, head_width=4, encoder_layers=2, decoder_layers=2, feedforward=10) | more
    model = Transformer(Config(11, len(vocabulary), **sizes)).eval()
    with torch.no_grad():
        model.classifier.weight.mul_(5)
    return model


def some_batch(counts, seed=1):
    """A problem of 2 to 9 random words for each count of numbers; the target is not read."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(2, 10, (len(counts),), generator=generator)
    source = torch.randint(3, 11, (len(counts), int(lengths.max()), 2), generator=generator)
    source[torch.arange(source.shape[1]) >= lengths[:, None]] = PAD
    return Batch(source, lengths, torch.zeros(len(counts), 1, dtype=torch.long), torch.tensor(counts))


def row_of(batch, row):
    """The problem of one row as a batch of its own, without padding."""
    return Batch(batch.source[row:row + 1, :batch.lengths[row]], batch.lengths[row:row + 1],
                 batch.target[row:row + 1], batch.counts[row:row + 1])


def is_well_formed(tokens):
    """Whether the tokens are one prefix expression, by reading it recursively."""
    def rest(tokens):  # what follows the expression at the start; None if there is none
        if not tokens:
            return None
        if tokens[0] not in OPERATORS:
            return tokens[1:]
        after_left = rest(tokens[1:])
        return None if after_left is None else rest(after_left)

    return rest(tuple(tokens)) == ()


def equations(vocabulary, count, longest):
    """All well-formed equations of at most `longest` tokens over `count` numbers, by trying every sequence."""
    tokens = [t for t in vocabulary.tokens[4:] if t[0] != "N" or int(t[1:]) < count]
    return {sequence for length in range(1, longest + 1)
            for sequence in itertools.product(tokens, repeat=length) if is_well_formed(sequence)}


# what may be written next

def test_a_token_fills_a_slot_and_an_operator_opens_two():
    slots, names = token_slots(Vocabulary(["+", "^", "3.14", "N0", "N12"]))
    check(slots, torch.tensor([0, 0, 0, 0, 1, 1, -1, -1, -1]), "slots of <pad> <unk> <bos> <mirror> + ^ 3.14 N0 N12", {
        "an operator fills a slot and opens two: +1 in all": torch.tensor([0, 0, 0, 0, 2, 2, -1, -1, -1]),
        "a constant fills a slot as a number does": torch.tensor([0, 0, 0, 0, 1, 1, 0, -1, -1]),
        "<unk>, <bos> and <mirror> are never written": torch.tensor([0, -1, -1, -1, 1, 1, -1, -1, -1])})
    check(names, torch.tensor([-1, -1, -1, -1, -1, -1, -1, 0, 12]), "which number a token names", {
        "-1 for what is no number: 0 is N0": torch.tensor([0, 0, 0, 0, 0, 0, 0, 0, 12])})


def test_allowed_tokens_by_hand():
    slots, names = token_slots(Vocabulary(["+", "1", "N0", "N1", "N2"]))  # <pad> <unk> <bos> <mirror> + 1 N0 N1 N2
    open_slots, counts = torch.tensor([1, 3, 2, 0]), torch.tensor([2, 3, 1, 3])

    def table(*rows):
        return torch.tensor([[int(sign) for sign in row] for row in rows]).bool()

    check(allowed_tokens(open_slots, 3, counts, slots, names),
          table("000011110", "000001111", "000001100", "100000000"),
          "3 steps left, open slots 1, 3, 2 and 0, numbers 2, 3, 1 and 3", {
              "off by one: after this step there are 2 steps for the slots that stay open":
                  table("000011110", "000001111", "000011100", "100000000"),
              "the steps that are left do not count: the equation may never end":
                  table("000011110", "000011111", "000011100", "100000000"),
              "off by one: a problem with 2 numbers has N0 and N1":
                  table("000011111", "000001111", "000001110", "100000000"),
              "numbers that the problem does not have": table("000011111", "000001111", "000001111", "100000000"),
              "a complete row writes PAD and nothing else": table("000011110", "000001111", "000001100", "100011111"),
              "a row with open slots may write PAD": table("100011110", "100001111", "100001100", "100000000"),
              "a complete row must be able to write PAD": table("000011110", "000001111", "000001100", "000000000")})


@pytest.mark.parametrize("count, longest", [(2, 1), (2, 2), (1, 3), (2, 4), (0, 5), (1, 5), (2, 5)])
def test_every_well_formed_equation_can_be_reached_and_nothing_else(count, longest):
    vocabulary = Vocabulary(["+", "*", "1", "N0", "N1"])
    slots, names = token_slots(vocabulary)
    written, dead_ends, unfinished = set(), [], [()]
    while unfinished:
        tokens = unfinished.pop()
        open_slots = 1 + sum(int(slots[vocabulary.index[token]]) for token in tokens)
        allowed = allowed_tokens(torch.tensor([open_slots]), longest - len(tokens), torch.tensor([count]), slots, names)
        following = [vocabulary.tokens[i] for i in allowed[0].nonzero()[:, 0].tolist()]
        if following == ["<pad>"]:
            written.add(tokens)
        elif following:
            unfinished += [(*tokens, token) for token in following]
        else:
            dead_ends.append(tokens)
    expected = equations(vocabulary, count, longest)
    assert not dead_ends, f"{' '.join(dead_ends[0])}: nothing may follow, and it is not complete"
    assert not written - expected, f"{' '.join(min(written - expected, key=len))!r} must not be written"
    assert not expected - written, f"{' '.join(min(expected - written, key=len))!r} cannot be written"


# greedy

class Scripted:
    """A stand-in for the model: at step s it likes token plan[row][s] best, after the plan's end `afterwards`."""

    def __init__(self, vocabulary, plans, afterwards):
        self.vocabulary, self.afterwards, self.steps = vocabulary, afterwards, 0
        self.plans = [plan.split() for plan in plans]

    def encode(self, source, lengths, gates=None, record=None):
        return torch.zeros(len(source), 1, 1), torch.ones(len(source), 1, 1, 1, dtype=torch.bool)

    def decode(self, tokens, memory, memory_mask, gates=None, record=None, cache=None):
        liked = [plan[self.steps] if self.steps < len(plan) else self.afterwards for plan in self.plans]
        self.steps += 1
        ids = torch.tensor([self.vocabulary.index[token] for token in liked])
        return torch.nn.functional.one_hot(ids, len(self.vocabulary)).float()[:, None]


def test_each_row_ends_where_its_equation_is_complete():
    model = Scripted(LARGE, ["N1", "- N0 * N1 1", "+ N0 N1"], afterwards="N0")
    found = greedy(model, some_batch([2, 2, 2]), LARGE)
    check([" ".join(row) for row in found], ["N1", "- N0 * N1 1", "+ N0 N1"], "three rows that end apart", {
        "decoding stopped as soon as one row had ended: go on until all have": ["N1", "-", "+"],
        "a complete row must write PAD, whatever the model likes": ["N1 N0 N0 N0 N0", "- N0 * N1 1", "+ N0 N1 N0 N0"],
        "BOS is the start signal, not part of the answer": ["<bos> N1", "<bos> - N0 * N1 1", "<bos> + N0 N1"]})
    check(model.steps, 5, "steps for equations of 1, 5 and 3 tokens", {
        "decoding went on although every row had ended": 41, "decoding stopped as soon as one row had ended": 1})


def test_greedy_takes_the_best_token_that_may_be_written():
    """With 3 steps left + is allowed once; N6 never, for the problem has 2 numbers."""
    torch.manual_seed(0)
    model = Scripted(LARGE, ["+ + N6"], afterwards="+")
    [found] = greedy(model, some_batch([2]), LARGE, longest=3)
    assert is_well_formed(found) and found[0] == "+" and len(found) == 3, f"got {found}"


@pytest.mark.parametrize("longest", [1, 2, 3, 6, 13])
@pytest.mark.parametrize("search", ["greedy", "beam"])
def test_an_untrained_model_writes_well_formed_equations_over_the_problems_numbers(search, longest):
    counts = [1, 2, 3, 7, 2]
    for seed in range(4):
        model, batch = untrained(LARGE, seed), some_batch(counts, seed)
        if search == "greedy":
            found = [[row] for row in greedy(model, batch, LARGE, longest=longest)]
        else:
            found = [[row for _, row in rows] for rows in beam_search(model, batch, LARGE, 4, longest=longest)]
        for count, rows in zip(counts, found):
            for row in rows:
                assert is_well_formed(row), f"{row} is no prefix expression"
                assert len(row) <= longest, f"{len(row)} tokens, at most {longest}"
                foreign = [token for token in row if token[0] == "N" and int(token[1:]) >= count]
                assert not foreign, f"{foreign} in an equation for {count} numbers"


def test_a_problem_is_answered_alike_alone_and_in_a_batch():
    model, batch = untrained(LARGE, 3), some_batch([2, 4, 1, 7, 3, 2], seed=3)
    together, ranked = (greedy(model, batch, LARGE, longest=9),
                        beam_search(model, batch, LARGE, 3, longest=9))
    for row in range(6):
        alone = row_of(batch, row)
        assert greedy(model, alone, LARGE, longest=9) == [together[row]], f"row {row} depends on its neighbours"
        [found] = beam_search(model, alone, LARGE, 3, longest=9)
        assert [tokens for _, tokens in found] == [tokens for _, tokens in ranked[row]], f"row {row} of the beam"
        check(torch.tensor([s for s, _ in found]), torch.tensor([s for s, _ in ranked[row]]), f"row {row}: scores")


# beam search

def log_probabilities(model, batch, row, vocabulary, longest):
    """log-probability of every equation that can be written, each token's taken among those that may stand there."""
    found, alone = {}, row_of(batch, row)
    complete = equations(vocabulary, int(batch.counts[row]), longest)
    with torch.no_grad():
        for equation in complete:
            ids = torch.tensor([vocabulary.encode(equation)])
            logits, total = model(alone.source, alone.lengths, ids)[0], 0.0
            for place in range(len(equation)):
                possible = {other[place] for other in complete if other[:place] == equation[:place]
                            and len(other) > place}
                among = torch.stack([logits[place, vocabulary.index[token]] for token in sorted(possible)])
                total += float(logits[place, ids[0, place]] - among.logsumexp(0))
            found[equation] = total
    return found


@pytest.mark.parametrize("longest", [3, 5])
def test_a_wide_beam_finds_the_best_of_all_equations(longest):
    model, batch = untrained(SMALL, 2), some_batch([2, 1], seed=6)
    ranked = beam_search(model, batch, SMALL, beam=24 if longest == 3 else 120, longest=longest)
    for row in range(2):
        exact = log_probabilities(model, batch, row, SMALL, longest)
        orders = {name: sorted(exact, key=lambda e: -exact[e] / score(len(e)))
                  for name, score in (("sqrt", math.sqrt), ("none", lambda n: 1), ("length", float))}
        got = [tuple(tokens) for _, tokens in ranked[row]]
        assert set(got) <= set(exact), f"no equation of this problem: {set(got) - set(exact)}"
        check(got[:6], orders["sqrt"][:6], f"the best of {len(exact)} equations, problem {row}", {
            "log-probabilities are not divided by sqrt(length): short equations win": orders["none"][:6],
            "log-probabilities are divided by the length, not by its square root": orders["length"][:6],
            "worst first": orders["sqrt"][::-1][:6]})
        expected = torch.tensor([exact[e] / math.sqrt(len(e)) for e in orders["sqrt"]])
        check(len(got), len(exact), "a beam wide enough keeps every equation")
        check(torch.tensor([score for score, _ in ranked[row]]), expected, "log-probability / sqrt(length)", {
            "not divided by sqrt(length)": lambda: torch.tensor([exact[e] for e in orders["sqrt"]])})


def slow_beam(model, batch, row, vocabulary, beam, longest, norm=math.sqrt):
    """Beam search with lists, the whole equation read anew at every step."""
    slots, names = token_slots(vocabulary)
    alone, count = row_of(batch, row), batch.counts[row:row + 1]
    hypotheses = [(0.0, [])]
    for step in range(longest):
        longer = []
        for total, tokens in hypotheses:
            open_slots = 1 + sum(int(slots[token]) for token in tokens)
            if not open_slots:
                longer.append((total, tokens))
                continue
            allowed = allowed_tokens(torch.tensor([open_slots]), longest - step, count, slots, names)[0]
            with torch.no_grad():
                logits = model(alone.source, alone.lengths, torch.tensor([[*tokens, PAD]]))[0, -1]
            among = logits.masked_fill(~allowed, -math.inf).log_softmax(dim=-1)
            longer += [(total + float(among[token]), [*tokens, token]) for token in allowed.nonzero()[:, 0].tolist()]
        hypotheses = sorted(longer, key=lambda pair: -pair[0] / norm(len(pair[1])))[:beam]
    return [vocabulary.decode(tokens) for _, tokens in hypotheses]


@pytest.mark.parametrize("seed", range(5))
def test_a_narrow_beam_keeps_the_best_at_every_step(seed):
    """Complete equations wait in the beam at no cost while others grow."""
    model, batch = untrained(LARGE, seed), some_batch([2, 3], seed=seed)
    ranked = beam_search(model, batch, LARGE, beam=3, longest=7)
    for row in range(2):
        expected = slow_beam(model, batch, row, LARGE, 3, 7)
        check([tokens for _, tokens in ranked[row]], expected, f"beam 3, problem {row}", {
            "the beam is not ranked by log-probability / sqrt(length) on the way":
                lambda: slow_beam(model, batch, row, LARGE, 3, 7, norm=lambda n: 1)})


def test_the_beam_holds_different_equations_best_first():
    ranked = beam_search(untrained(LARGE, 5), some_batch([2, 3, 5], seed=2), LARGE, beam=4, longest=9)
    for candidates in ranked:
        scores = [score for score, _ in candidates]
        assert scores == sorted(scores, reverse=True) and len(candidates) == 4
        assert len({tuple(tokens) for _, tokens in candidates}) == 4, "the beam holds one equation more than once"
        assert all(score < 0 for score in scores), "a log-probability is below 0"


@pytest.mark.parametrize("seed", range(4))
def test_a_beam_of_one_is_greedy(seed):
    model, batch = untrained(LARGE, seed), some_batch([1, 2, 3, 7], seed)
    ranked = beam_search(model, batch, LARGE, beam=1)
    check([rows[0][1] for rows in ranked], greedy(model, batch, LARGE), "the only hypothesis of each problem")


def test_a_wider_beam_than_there_are_equations_holds_them_all():
    """One number and one step: N0 is the only equation; three places of the beam stay empty."""
    [candidates] = beam_search(untrained(SMALL), some_batch([1]), SMALL, beam=4, longest=1)
    check(candidates, [(0.0, ["N0"])], "the beam of a problem with one possible equation")


# gates

CLOSED = {("encoder", 0, 1), ("encoder", 1, 0), ("decoder", 1, 2), ("cross", 0, 0), ("cross", 0, 2), ("cross", 1, 1)}


@pytest.mark.parametrize("part", ["encoder", "decoder", "cross"])
def test_decoding_with_closed_gates_is_decoding_without_the_heads(part):
    model, batch = untrained(LARGE, 7), some_batch([2, 3, 4, 5], seed=7)
    closed = {head for head in CLOSED if head[0] == part}
    gates, smaller = gates_of(model, closed), remove_heads(model, closed)
    check(greedy(model, batch, LARGE, gates), greedy(smaller, batch, LARGE), f"greedy, {part} heads closed", {
        "the gates are not passed on": lambda: greedy(model, batch, LARGE)})
    masked, removed = beam_search(model, batch, LARGE, 3, gates), beam_search(smaller, batch, LARGE, 3)
    for row in range(4):
        check([tokens for _, tokens in masked[row]], [tokens for _, tokens in removed[row]], f"beam, row {row}", {
            "the gates are not passed on": lambda: [t for _, t in beam_search(model, batch, LARGE, 3)[row]]})
        check(torch.tensor([s for s, _ in masked[row]]), torch.tensor([s for s, _ in removed[row]]), "scores")


def test_every_problem_may_have_gates_of_its_own():
    """(B, N): in the beam each hypothesis must be read with the gates of its own problem."""
    model, batch = untrained(LARGE, 9), some_batch([2, 3, 4], seed=9)
    sets = [set(), CLOSED, {("encoder", 1, 1), ("cross", 1, 2), ("decoder", 0, 0)}]
    rows = [gates_of(model, closed) for closed in sets]
    gates = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
    check(greedy(model, batch, LARGE, gates),
          [greedy(model, row_of(batch, b), LARGE, rows[b])[0] for b in range(3)], "greedy, gates (B, N)")
    together = beam_search(model, batch, LARGE, 4, gates)
    for b in range(3):
        [alone] = beam_search(model, row_of(batch, b), LARGE, 4, rows[b])
        check([tokens for _, tokens in together[b]], [tokens for _, tokens in alone], f"beam 4, problem {b}")
        check(torch.tensor([s for s, _ in together[b]]), torch.tensor([s for s, _ in alone]), f"scores of problem {b}")
    assert gates["cross", 0].shape == (3, 3), "the caller's gates must stay as they are"


# both ways

def test_given_equations_are_scored_as_the_model_sees_them():
    model, batch = untrained(LARGE, 4), some_batch([2, 3, 1], seed=4)
    given = [["- N0 N1", "N1"], ["+ N0 * N1 N2"], ["N0", "+ N0 1", "1"]]
    given = [[equation.split() for equation in equations] for equations in given]
    for start in (BOS, MIRROR):
        got = equation_scores(model, batch, LARGE, given, start=start)
        for row, equations in enumerate(given):
            alone, expected, others = row_of(batch, row), [], []
            for equation in equations:
                ids = torch.tensor([LARGE.encode(equation)])
                with torch.no_grad():
                    for first, scores in ((start, expected), (BOS + MIRROR - start, others)):
                        logits = model(alone.source, alone.lengths, ids, start=torch.tensor([first]))
                        steps = logits.log_softmax(-1)[0, range(len(equation)), ids[0]]
                        scores.append(steps.mean())
            check(torch.tensor(got[row]), torch.stack(expected), f"scores of problem {row}, start {start}", {
                "a mean is taken, or a long equation has no chance": torch.stack(
                    [score * len(equation) for score, equation in zip(expected, equations)]),
                "the other direction's start token": torch.stack(others)})


def test_both_ways_ranks_what_either_beam_found_by_the_sum_of_both_scores():
    model, batch = untrained(LARGE, 6), some_batch([2, 3, 1, 5], seed=8)
    ranked = beam_both_ways(model, batch, LARGE, beam=3)
    forth, back = (beam_search(model, batch, LARGE, 3, start=start) for start in (BOS, MIRROR))
    for row, found in enumerate(ranked):
        either = {tuple(tokens) for _, tokens in forth[row]} | {tuple(mirror(tokens)) for _, tokens in back[row]}
        assert {tuple(tokens) for _, tokens in found} == either and len(found) == len(either), f"problem {row}"
        alone = row_of(batch, row)
        sums = [equation_scores(model, alone, LARGE, [[tokens]])[0][0]
                + equation_scores(model, alone, LARGE, [[mirror(tokens)]], start=MIRROR)[0][0] for _, tokens in found]
        check(torch.tensor([score for score, _ in found]), torch.tensor(sums), f"problem {row}: sums of both scores")
        assert sums == sorted(sums, reverse=True), f"problem {row}: best first"


# the best candidate that makes sense

@pytest.mark.parametrize("candidates, numbers, whole, best", [
    (["/ N0 N1", "- N1 N0"], (4, 6), True, 1), (["/ N0 N1", "- N1 N0"], (4, 6), False, 0),
    (["- N1 N0", "* N0 N0"], (4, Rational(13, 2)), True, 0), (["- N0 N1", "/ N0 N1"], (4, 6), True, 1),
    (["* / N0 N1 N1", "+ N0 N1"], (4, 6), True, 1), (["- N0 N1", "- N0 N1"], (4, 6), True, 0)])
def test_whole_numbers_want_whole_values_where_that_is_asked_for(candidates, numbers, whole, best):
    ranked = [(-place, equation.split()) for place, equation in enumerate(candidates)]
    got = first_plausible(ranked, [Rational(number) for number in numbers], whole)
    check(" ".join(got), candidates[best], f"{candidates} with {numbers}, whole={whole}", {
        "a positive value comes before any other": candidates[0],
        "values on the way count too, and numbers that are not whole want no whole values": candidates[1]})


NUMBERS = [Rational(4), Rational(6), Rational(0)]


@pytest.mark.parametrize("candidates, best", [
    (["+ N0 N1", "- N1 N0"], 0), (["- N0 N1", "- N1 N0"], 1), (["+ N1 - N0 N1", "* N0 N1"], 1),
    (["/ N0 N2", "+ N0 N1"], 1), (["/ N0 - N1 N1", "+ N0 N1"], 1), (["+ N0 N2", "+ N0 N1"], 1),
    (["- N0 N1", "- N2 N1"], 0), (["/ N0 N2"], 0), (["^ N0 99", "- N0 N0", "N0"], 2)])
def test_the_first_candidate_whose_values_are_all_above_zero(candidates, best):
    """Of N0 = 4, N1 = 6 and N2 = 0; the values on the way count too, and if none is positive the best stays."""
    ranked = [(-place, equation.split()) for place, equation in enumerate(candidates)]
    check(first_plausible(ranked, NUMBERS), ranked[best][1], f"{candidates} with 4, 6, 0", {
        "the last candidate is no better than the first: if none fits, take the best": ranked[-1][1],
        "values on the way count too, 0 is not above 0, and a division by zero has no value": ranked[0][1]})


def test_what_is_never_written_is_not_in_any_equation():
    assert {PAD, UNK, BOS, MIRROR} == {0, 1, 2, 3}
    slots, _ = token_slots(LARGE)
    allowed = allowed_tokens(torch.tensor([3]), 99, torch.tensor([7]), slots, torch.full((len(LARGE),), -1))
    assert not allowed[0, [PAD, UNK, BOS, MIRROR]].any() and allowed[0, 4:].all()
