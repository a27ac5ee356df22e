"""The measures' promises: parameters, operations and times are those of the model that runs."""
import itertools

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from checks import check
from tinyprune import BOS, PAD, measure
from tinyprune.attention import MultiHeadAttention
from tinyprune.data import Batch
from tinyprune.masking import remove_heads
from tinyprune.measure import (attention_flops, feedforward_flops, flops, forced_decoding, latencies, mean_flops,
                               parameters, step_time)
from tinyprune.transformer import Config, FeedForward, Transformer, token_loss

CONFIG = Config(source_tokens=17, target_tokens=13, width=10, heads=3, head_width=4, encoder_layers=2,
                decoder_layers=3, feedforward=7, dropout=0)  # N*K = 12 and D = 10 differ
CLOSED = {("encoder", 0, 1), ("encoder", 1, 0), ("encoder", 1, 2), ("decoder", 1, 1), ("cross", 0, 0), ("cross", 2, 1),
          ("cross", 2, 2)}


def model(pruned=False):
    torch.manual_seed(0)
    whole = Transformer(CONFIG).eval()
    return remove_heads(whole, CLOSED) if pruned else whole


def batch(sources=(6,), targets=(4,)):
    """Problems of these lengths, padded."""
    generator = torch.Generator().manual_seed(1)
    source, target = (torch.randint(3, 13, (len(n), max(n), *pieces), generator=generator)
                      for n, pieces in ((sources, [2]), (targets, [])))
    lengths = torch.tensor(sources)
    source[torch.arange(max(sources)) >= lengths[:, None]] = PAD
    target[torch.arange(max(targets)) >= torch.tensor(targets)[:, None]] = PAD
    return Batch(source, lengths, target, torch.full((len(sources),), 2))


def counted(function, *arguments, **more):
    """The FLOPs that torch's own counter sees."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        function(*arguments, **more)
    return counter.get_total_flops()


# parameters

@pytest.mark.parametrize("pruned", [False, True])
def test_parameters_are_those_of_all_layers(pruned):
    """By hand: a head costs 4*K*D weights and 3*K biases, an attention b_O beside them."""
    D, K, F, V = 10, 4, 7, 13
    heads = {"encoder": [3, 3], "decoder": [3, 3, 3], "cross": [3, 3, 3]}
    if pruned:
        heads = {"encoder": [2, 1], "decoder": [3, 2, 3], "cross": [2, 3, 1]}
    attention = sum(n * K * (4 * D + 3) + D for layers in heads.values() for n in layers)
    feedforward, norms = 5 * (2 * D * F + F + D), (2 * 2 + 3 * 3 + 2) * 2 * D
    rest = attention + feedforward + norms + 2 * 3 * D + D * V + V
    tables = 17 * D + V * D
    check(parameters(model(pruned), embeddings=False), rest, "parameters without the two embedding tables", {
        "both tables are counted": rest + tables, "the source table is counted": rest + 17 * D,
        "the target table is counted": rest + V * D, "the biases are left out": rest - 5 * (F + D),
        "the mixing of neighbours is left out": rest - 6 * D})
    check(parameters(model(pruned)), rest + tables, "all parameters", {"the embeddings are left out": rest})
    assert parameters(model(pruned)) == sum(p.numel() for p in model(pruned).parameters())


# FLOPs

@pytest.mark.parametrize("heads", [[0, 1, 2], [1], [0, 1, 2, 3]])
def test_attention_flops_equal_torchs_counter(heads):
    D, K, T, S = 10, 4, 5, 7
    part = MultiHeadAttention(D, K, heads).eval()
    x, source, inner = torch.randn(1, T, D), torch.randn(1, S, D), len(heads) * K
    for keys, arguments in ((T, (x,)), (S, (x, source))):
        expected = counted(part, *arguments)
        what = f"{T} queries, {keys} keys, {len(heads)} heads, K = {K}, D = {D}"
        check(attention_flops(part, T, keys), expected, what, {
            "a multiply-add is 2 operations, not 1": expected // 2,
            "the inner width is N*K, not D": 2 * D * D * 2 * (T + keys) + 4 * D * T * keys,
            "Q K^T is counted, P V is not": 2 * D * inner * 2 * (T + keys) + 2 * inner * T * keys,
            "the output projection is left out": 2 * D * inner * (T + 2 * keys) + 4 * inner * T * keys})


def test_cached_keys_are_projected_once():
    part, x = MultiHeadAttention(10, 4, [0, 1, 2]).eval(), torch.randn(1, 6, 10)
    cache, steps = {}, []
    for step in range(6):
        steps.append(counted(part, x[:, step:step + 1], cache=cache))
    check([attention_flops(part, 1, step + 1, new_keys=1) for step in range(6)], steps, "six cached steps", {
        "cached keys are projected again": [attention_flops(part, 1, step + 1) for step in range(6)],
        "step t looks at t keys, itself among them": [attention_flops(part, 1, step, new_keys=1) for step in range(6)]})
    source = torch.randn(1, 7, 10)
    cache = {}
    counted(part, x[:, :1], source, cache=cache)
    check(attention_flops(part, 1, 7, new_keys=0), counted(part, x[:, :1], source, cache=cache),
          "one more step of cross-attention: the source is not read again")


def test_feedforward_flops_equal_torchs_counter():
    check(feedforward_flops(FeedForward(10, 7), 6), counted(FeedForward(10, 7), torch.randn(1, 6, 10)),
          "6 tokens through 10 -> 7 -> 10", {"a multiply-add is 2 operations, not 1": 6 * 140})


@pytest.mark.parametrize("S, T", [(6, 4), (3, 9), (11, 1), (1, 5)])
@pytest.mark.parametrize("pruned", [False, True])
def test_flops_equal_torchs_counter_on_a_whole_decoding(S, T, pruned):
    solver = model(pruned)
    expected = counted(forced_decoding, solver, batch([S], [T]))
    uncached = counted(solver, *(getattr(batch([S], [T]), name) for name in ("source", "lengths", "target")))
    check(flops(solver, S, T), expected, f"one problem of {S} words and {T} tokens", {
        "a multiply-add is 2 operations, not 1": expected // 2, "all tokens at once is not cached decoding": uncached,
        "source and target length are swapped": lambda: counted(forced_decoding, solver, batch([T], [S])),
        "the heads that were removed are counted": lambda: counted(forced_decoding, model(), batch([S], [T]))})


def test_mean_flops_is_the_mean_over_problems():
    pairs = [(6, 4), (3, 9), (11, 2)]
    each = [flops(model(), *pair) for pair in pairs]
    check(mean_flops(model(), pairs), sum(each) / 3, "three problems", {
        "the sum is not divided": sum(each),
        "the cost of the mean length is not the mean cost": flops(model(), 20 / 3, 5)})


# time

class Watched(torch.nn.Module):
    """A model that writes down what it is asked."""

    def __init__(self):
        super().__init__()
        self.inner, self.encoded, self.tokens = model(), 0, []

    def encode(self, *arguments):
        self.encoded += 1
        return self.inner.encode(*arguments)

    def decode(self, tokens, *arguments, cache=None):
        assert cache is not None, "decoding must use the cache"
        self.tokens.append(tokens)
        self.grad = torch.is_grad_enabled()
        return self.inner.decode(tokens, *arguments, cache=cache)


def test_forced_decoding_takes_as_many_steps_as_the_recorded_equation():
    watched, problems = Watched(), batch([6, 2], [3, 5])
    forced_decoding(watched, problems)
    assert watched.encoded == 1 and not watched.grad
    check(len(watched.tokens), 5, "steps for equations of 3 and 5 tokens", {
        "one step too many: the last token is written, not read": 6, "one step too few": 4})
    read = torch.cat(watched.tokens, dim=1)
    check(read, torch.cat([torch.full((2, 1), BOS), problems.target[:, :-1]], dim=1), "what the decoder reads", {
        "BOS comes first": problems.target})


def test_latencies_are_medians_per_problem_after_a_warm_up(monkeypatch):
    """A clock of our own: each decoding takes the seconds that the script says."""
    now, order = [0.0], []
    script = {"teacher": iter([900, 8, 2, 6]), "student": iter([700, 1, 5, 3])}

    def run(name, one):
        order.append((name, len(one.source)))
        now[0] += next(script[name]) if len(one.source) == 2 else 4  # the batch of three takes 4 s each time

    monkeypatch.setattr(measure, "forced_decoding", run)
    monkeypatch.setattr(measure.time, "perf_counter", lambda: now[0])
    problems = [batch([6, 2], [3, 5]), batch([1, 2, 3], [1, 1, 1])]
    got = latencies({"teacher": "teacher", "student": "student"}, problems, rounds=3)
    check(got, {"teacher": (6 + 4) / 5, "student": (3 + 4) / 5}, "rounds of 8, 2, 6 s and 1, 5, 3 s, and 4 s more", {
        "the mean is not the median": {"teacher": (16 / 3 + 4) / 5, "student": (3 + 4) / 5},
        "the first round warms up and does not count": {"teacher": (7 + 4) / 5, "student": (4 + 4) / 5},
        "seconds per problem, not per batch": {"teacher": 5.0, "student": 3.5},
        "seconds per problem, not per round": {"teacher": 10.0, "student": 7.0}})
    one_round = [("teacher", 2), ("teacher", 3), ("student", 2), ("student", 3)]
    assert order == one_round * 4, "the models take turns in every round, so that a busy machine slows all alike"


def test_every_model_gets_a_time():
    times = latencies({"whole": model(), "pruned": model(pruned=True)}, [batch([6, 2], [3, 5])], rounds=2)
    assert set(times) == {"whole", "pruned"} and all(0 < seconds < 5 for seconds in times.values())


def test_fewer_heads_cost_less_whichever_go():
    whole = flops(model(), 9, 5)
    for kind, layer in itertools.chain(model().attentions()):
        assert flops(remove_heads(model(), {(kind, layer, 1)}), 9, 5) < whole, f"{kind} {layer}"


def test_a_steps_time_falls_into_parts_and_teaches_nothing():
    torch.manual_seed(0)
    solver, some = Transformer(CONFIG), batch((6, 4), (4, 2))
    before = {name: weight.clone() for name, weight in solver.state_dict().items()}
    parts = step_time(solver, [some, some], lambda model, b, gates: token_loss(model(b.source, b.lengths, b.target),
                                                                               b.target))
    assert set(parts) == {"matrix products", "optimizer", "the rest"} and abs(sum(parts.values()) - 1) < 1e-9
    assert all(share > 0 for share in parts.values()), parts
    assert all(torch.equal(before[name], weight) for name, weight in solver.state_dict().items())
