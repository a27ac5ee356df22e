"""What the measures promise: parameters, operations and times are those of the model that runs."""
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from builders import fresh_model, heads_of, tiny_batch
from checks import check
from tinyprune import BOS, measure
from tinyprune.attention import MultiHeadAttention
from tinyprune.masking import remove_heads
from tinyprune.measure import (
    attention_flops,
    feedforward_flops,
    flops,
    forced_decoding,
    head_parameters,
    latencies,
    mean_flops,
    parameters,
)
from tinyprune.transformer import FeedForward


def model_of(pruned=False):
    """N*K = 12 and D = 10 differ; 7 of the 24 heads are pruned."""
    model = fresh_model(decoder_layers=3)
    heads = heads_of("encoder 0 1, encoder 1 0, encoder 1 2, decoder 1 1, "
                     "cross 0 0, cross 2 1, cross 2 2")
    return remove_heads(model, heads) if pruned else model


def counted(function, *arguments, **options):
    """The FLOPs that torch's own counter sees; it cannot look into the fused attention."""
    plain = sdpa_kernel(SDPBackend.MATH)
    with torch.no_grad(), plain, FlopCounterMode(display=False) as counter:
        function(*arguments, **options)
    return counter.get_total_flops()


# parameters


@pytest.mark.parametrize("pruned", [False, True])
def test_parameters_are_those_of_all_layers(pruned):
    """By hand: a head costs 4*K*D weights and 3*K biases, an attention b_O beside them."""
    model = model_of(pruned)
    D = 10
    K = 4
    F = 7
    V = 9
    of_heads = (24 - 7 * pruned) * K * (4 * D + 3)
    biases = 5 * (F + D)
    feedforward = 5 * 2 * D * F + biases
    norms = (2 * 2 + 3 * 3 + 2) * 2 * D
    neighbours = 2 * 3 * D
    rest = of_heads + 8 * D + feedforward + norms + neighbours + D * V + V
    source = 11 * D
    target = V * D
    check(head_parameters(model), of_heads, "parameters of the heads", {
        "b_O belongs to no head": of_heads + 8 * D})
    check(parameters(model, embeddings=False), rest, "parameters without the embedding tables", {
        "both tables are counted": rest + source + target,
        "the source table is counted": rest + source,
        "the target table is counted": rest + target,
        "the biases are left out": rest - biases,
        "the mixing of neighbours is left out": rest - neighbours})
    check(parameters(model), rest + source + target, "all parameters", {
        "the embeddings are left out": rest})
    assert parameters(model) == sum(parameter.numel() for parameter in model.parameters())


# FLOPs


@pytest.mark.parametrize("heads", [[0, 1, 2], [1], [0, 1, 2, 3]])
@pytest.mark.parametrize("cross", [False, True])
def test_attention_flops_equal_torchs_counter(heads, cross):
    D = 10
    K = 4
    T = 5
    S = 7 if cross else T
    attention = MultiHeadAttention(D, K, heads).eval()
    source = torch.randn(1, S, D) if cross else None
    expected = counted(attention, torch.randn(1, T, D), source)
    inner = len(heads) * K
    projections = 2 * D * inner * 2 * (T + S)
    check(attention_flops(attention, T, S), expected,
          f"{T} queries, {S} keys, {len(heads)} heads, K = {K}, D = {D}", {
              "a multiply-add is 2 operations, not 1": expected // 2,
              "the inner width is N*K, not D": 2 * D * D * 2 * (T + S) + 4 * D * T * S,
              "Q K^T is counted, P V is not": projections + 2 * inner * T * S,
              "the output projection is left out":
                  projections - 2 * D * inner * T + 4 * inner * T * S})


def test_cached_keys_are_projected_once():
    attention = MultiHeadAttention(10, 4, [0, 1, 2]).eval()
    token = torch.randn(1, 1, 10)
    cache = {}
    expected = [counted(attention, token, cache=cache) for _ in range(6)]
    got = [attention_flops(attention, 1, step + 1, new_keys=1) for step in range(6)]
    check(got, expected, "six cached steps", {
        "cached keys are projected again":
            [attention_flops(attention, 1, step + 1) for step in range(6)],
        "step t looks at t keys, itself among them":
            [attention_flops(attention, 1, step, new_keys=1) for step in range(6)]})
    source = torch.randn(1, 7, 10)
    cache = {}
    counted(attention, token, source, cache=cache)
    check(attention_flops(attention, 1, 7, new_keys=0),
          counted(attention, token, source, cache=cache),
          "one more step of cross-attention: the source is not read again")


def test_feedforward_flops_equal_torchs_counter():
    layer = FeedForward(10, 7)
    check(feedforward_flops(layer, 6), counted(layer, torch.randn(1, 6, 10)),
          "6 tokens through 10 -> 7 -> 10", {"a multiply-add is 2 operations, not 1": 6 * 140})


@pytest.mark.parametrize("S, T", [(6, 4), (3, 9), (11, 1), (1, 5)])
@pytest.mark.parametrize("pruned", [False, True])
def test_flops_equal_torchs_counter_on_a_whole_decoding(S, T, pruned):
    model = model_of(pruned)
    batch = tiny_batch([S], [T])
    swapped = tiny_batch([T], [S])
    expected = counted(forced_decoding, model, batch)
    check(flops(model, S, T), expected, f"one problem of {S} words and {T} tokens", {
        "a multiply-add is 2 operations, not 1": expected // 2,
        "all tokens at once is not cached decoding":
            lambda: counted(model, batch.source, batch.lengths, batch.target),
        "source and target length are swapped": lambda: counted(forced_decoding, model, swapped),
        "the heads that were removed are counted":
            lambda: counted(forced_decoding, model_of(), batch)})


def test_mean_flops_is_the_mean_over_problems():
    model = model_of()
    lengths = [(6, 4), (3, 9), (11, 2)]
    total = sum(flops(model, *pair) for pair in lengths)
    check(mean_flops(model, lengths), total / 3, "three problems", {
        "the sum is not divided": total,
        "the cost of the mean length is not the mean cost": flops(model, 20 / 3, 5)})


@pytest.mark.parametrize("layer", ["encoder 0", "encoder 1", "decoder 0", "decoder 1", "decoder 2",
                                   "cross 0", "cross 1", "cross 2"])
def test_fewer_heads_cost_less_whichever_go(layer):
    model = model_of()
    smaller = remove_heads(model, heads_of(f"{layer} 1"))
    assert flops(smaller, 9, 5) < flops(model, 9, 5)


# time


class Watched:
    """A model that writes down what it is asked."""

    def __init__(self):
        self.model = model_of()
        self.encoded = 0
        self.tokens = []

    def encode(self, *arguments):
        self.encoded += 1
        return self.model.encode(*arguments)

    def decode(self, tokens, *arguments, cache=None):
        assert cache is not None, "decoding must use the cache"
        self.tokens.append(tokens)
        self.grad = torch.is_grad_enabled()
        return self.model.decode(tokens, *arguments, cache=cache)


def test_forced_decoding_takes_as_many_steps_as_the_recorded_equation():
    model = Watched()
    batch = tiny_batch((6, 2), (3, 5))
    forced_decoding(model, batch)
    assert model.encoded == 1
    assert not model.grad
    check(len(model.tokens), 5, "steps for equations of 3 and 5 tokens", {
        "one step too many: the last token is written, not read": 6,
        "one step too few": 4})
    expected = torch.full_like(batch.target, BOS)
    expected[:, 1:] = batch.target[:, :-1]
    check(torch.cat(model.tokens, dim=1), expected, "what the decoder reads", {
        "BOS comes first": batch.target})


BATCHES = [tiny_batch([6], [3]), tiny_batch((1, 2, 3), (1, 1, 1))]


def test_latencies_are_medians_per_problem_after_a_warm_up(monkeypatch):
    """A clock of our own: decoding one problem takes the script's seconds, the other three 4 s."""
    clock = [0.0]
    order = []
    script = {"teacher": iter([900, 9, 2, 7]), "student": iter([700, 1, 5, 3])}

    def decoding(name, batch):
        problems = len(batch.source)
        order.append((name, problems))
        clock[0] += next(script[name]) if problems == 1 else 4

    monkeypatch.setattr(measure, "forced_decoding", decoding)
    monkeypatch.setattr(measure.time, "perf_counter", lambda: clock[0])
    got = latencies({"teacher": "teacher", "student": "student"}, BATCHES, rounds=3)
    expected = {"teacher": (7 + 4) / 4, "student": (3 + 4) / 4}
    check(got, expected, "rounds of 9, 2, 7 s and 1, 5, 3 s, and 4 s more", {
        "the mean is not the median": {"teacher": (6 + 4) / 4, "student": (3 + 4) / 4},
        "the first round warms up and does not count":
            {"teacher": (8 + 4) / 4, "student": (4 + 4) / 4},
        "seconds per problem, not per batch": {"teacher": 5.5, "student": 3.5},
        "seconds per problem, not per round": {"teacher": 11.0, "student": 7.0}})
    one_round = [("teacher", 1), ("teacher", 3), ("student", 1), ("student", 3)]
    assert order == one_round * 4, "models take turns, so that a busy machine slows all alike"


def test_every_model_gets_a_time():
    times = latencies({"whole": model_of(), "pruned": model_of(pruned=True)}, BATCHES, rounds=2)
    assert set(times) == {"whole", "pruned"}
    assert all(0 < seconds < 5 for seconds in times.values())
