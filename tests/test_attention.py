"""Attention's promises: masks, rotation, equality with torch, the gate, the cache, and heads that go for good."""
import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import reference
from checks import check, same
from reference import randoms
from tinyprune.attention import (MultiHeadAttention, attention, causal_mask, head_rows, merge_heads, padding_mask,
                                 rotate, split_heads)

B, N, T, S, K, D = 2, 3, 4, 5, 6, 18


def random_attention(width=D, heads=range(N), rotary=False, K=K):
    a = MultiHeadAttention(width, K, heads, rotary).double()
    with torch.no_grad():
        for seed, parameter in enumerate(a.parameters()):
            parameter.copy_(0.5 * randoms(*parameter.shape, seed=seed))
    return a


def setting(kind, heads=range(N), width=D):
    """One of the three kinds of attention, and what it is called with; the padded text is 3 long."""
    a = random_attention(width, heads, rotary=kind != "cross")
    x = randoms(B, S if kind == "encoder" else T, width, seed=20)
    padding = reference.padding_mask([S, 3], S)
    return a, x, {"encoder": dict(mask=padding), "decoder": dict(mask=reference.causal_mask(T)),
                  "cross": dict(source=randoms(B, S, width, seed=21), mask=padding)}[kind]


every_kind = pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])


# masks

def test_padding_mask_hides_keys_not_queries():
    expected = reference.padding_mask([3, 1], 4)  # (B, 1, 1, S)
    check(padding_mask(torch.tensor([3, 1]), 4), expected, "padding_mask([3, 1], 4)", {
        "it hides queries (rows); it must hide keys (columns): shape (B, 1, 1, S)": expected.transpose(-2, -1),
        "it must have the shape (B, 1, 1, S), to fit (B, N, T, S) from the right": expected[:, 0, 0],
        "off by one: `<` keeps exactly `length` tokens": reference.padding_mask([4, 2], 4),
        "True must mark real tokens, not padding": ~expected})


def test_causal_mask_lets_a_token_see_itself_and_the_past():
    expected = reference.causal_mask(4)
    check(causal_mask(4), expected, "causal_mask(4), row = query, column = key", {
        "a token cannot see itself (diagonal missing); row 0 then has no key and softmax gives NaN": expected.tril(-1),
        "a token sees the next one, the very token it has to predict": torch.ones(4, 4).tril(1).bool(),
        "rows and columns are swapped: every token sees the future": expected.T,
        "True must mark what may be seen": ~expected})


def test_causal_mask_of_new_tokens_shows_them_all_the_cached_ones():
    expected = reference.causal_mask(2, start=3)  # tokens 3 and 4
    check(causal_mask(2, 3), expected, "causal_mask(2, start=3): 2 queries, 5 keys", {
        "`start` is ignored: the cached tokens are keys too, so there are start + queries columns":
            reference.causal_mask(2),
        "the first query stands at 3 and sees 0 to 3: shift the diagonal by `start`":
            torch.ones(2, 5).tril().bool(),
        "a token cannot see itself": torch.ones(2, 5).tril(2).bool()})


# heads side by side

def test_split_heads_gives_each_head_its_columns():
    x = torch.arange(B * T * N * K, dtype=torch.double).view(B, T, N * K)
    expected = torch.stack([x[..., h * K:(h + 1) * K] for h in range(N)], dim=1)
    check(split_heads(x, N), expected, f"split_heads((2, 4, 18), {N}): head h must get columns {K}h to {K}h+{K - 1}", {
        "viewed straight as (B, N, T, K) it cuts across tokens: view as (B, T, N, K), then transpose(1, 2)":
            x.view(B, N, T, K),
        "heads and width are swapped: view as (B, T, N, K), not (B, T, K, N)":
            x.view(B, T, K, N).permute(0, 3, 1, 2),
        "heads and tokens are not transposed: (B, N, T, K) is needed": x.view(B, T, N, K)})


def test_merge_heads_undoes_split_heads():
    x = torch.arange(B * T * N * K, dtype=torch.double).view(B, T, N * K)
    z = torch.stack([x[..., h * K:(h + 1) * K] for h in range(N)], dim=1)
    check(merge_heads(z), x, "merge_heads of (2, 3, 4, 6)", {
        "transpose(1, 2) back before the reshape": z.reshape(B, T, N * K),
        "the heads must stand one after the other, not their columns interleaved":
            z.permute(0, 2, 3, 1).reshape(B, T, N * K)})


def test_head_rows_are_blocks():
    check(head_rows([2, 0], 3), [6, 7, 8, 0, 1, 2], "head_rows([2, 0], 3)",
          {"head h owns the rows h*K to (h+1)*K, not every N-th row": [2, 5, 8, 0, 3, 6],
           "the heads' order is the caller's": [0, 1, 2, 6, 7, 8]})


# rotation

def test_first_pair_turns_one_radian_per_step():
    x = torch.tensor([1, 0, 1, 0], dtype=torch.double).expand(1, 1, 2, 4)
    got = rotate(x)[0, 0, 1]
    slow = 10000 ** -0.5  # the speed of pair 1 for K = 4

    def turned(*angles):
        return torch.tensor([f(angle) for angle in angles for f in (math.cos, math.sin)], dtype=torch.double)

    check(got, turned(1, slow), "rotate: (1, 0, 1, 0) at position 1", {
        "every pair turns at the same speed: pair i turns by 10000^(-2i/K)": turned(1, 1),
        "positions start at 0, not at 1": turned(2, 2 * slow),
        "it turns the other way (sign of sin)": turned(-1, -slow),
        "the exponent is -2i/K, not -i/K": turned(1, 10000 ** -0.25),
        "the exponent is negative: later pairs turn slower": turned(1, 1 / slow),
        "pairs are neighbours (2i, 2i+1), not halves (i, i + K/2)":
            torch.tensor([math.cos(1) - math.sin(1), 0, math.cos(1) + math.sin(1), 0], dtype=torch.double),
        "it does not turn anything": turned(0, 0)})


@pytest.mark.parametrize("start", [0, 3])
def test_rotate_equals_complex_multiplication(start):
    x = randoms(B, N, T, K)
    check(rotate(x, start), reference.rotate(x, start), f"rotate of (2, 3, 4, 6), start {start}", {
        "`start` is ignored: the first token stands at position `start`": reference.rotate(x),
        "positions must run along the tokens (dim 2), not along the heads (dim 1)":
            reference.rotate(x.transpose(1, 2), start).transpose(1, 2),
        "the turned pairs are not put back beside each other (stack, then flatten; cat puts all evens first)":
            torch.cat([reference.rotate(x, start)[..., 0::2], reference.rotate(x, start)[..., 1::2]], dim=-1)})


def test_rotate_keeps_lengths():
    x = randoms(B, N, T, K)
    assert same(rotate(x).norm(dim=-1), x.norm(dim=-1)), \
        "rotate changes the length of a vector: it must rotate each pair (cos, -sin; sin, cos)"


def test_rotated_products_depend_only_on_distance():
    query, key = (randoms(1, 1, 1, K, seed=seed).expand(1, 1, 7, K) for seed in (1, 2))
    products = (rotate(query) @ rotate(key).transpose(-2, -1))[0, 0]  # (7, 7)
    for distance in range(-6, 7):
        diagonal = products.diagonal(distance)
        assert same(diagonal, diagonal[:1].expand_as(diagonal)), \
            f"the same query and key, {distance} apart, give different products at different places: {diagonal}"
    assert not same(products[0, 1], products[0, 2]), "the products must depend on the distance; rotate does nothing"


# the function

def attention_inputs():
    return randoms(B, N, T, K, seed=1), randoms(B, N, S, K, seed=2), randoms(B, N, S, K, seed=3)


def test_attention_equals_torch():
    query, key, value = attention_inputs()
    z, probabilities = attention(query, key, value)
    scores = query @ key.transpose(-2, -1)
    wrong = {
        "the scores are not divided by sqrt(K)": scores.softmax(-1),
        "the scores are divided by K, not by sqrt(K)": (scores / K).softmax(-1),
        "the scores are multiplied by sqrt(K), not divided": (scores * K ** 0.5).softmax(-1),
        "softmax runs over the queries (dim=-2); each query must spread 1 over its keys (dim=-1)":
            (scores / K ** 0.5).softmax(-2),
        "the scores are divided by sqrt(S), not by sqrt(K)": (scores / S ** 0.5).softmax(-1)}
    right = reference.attention(query, key, value)[1]
    check(z, F.scaled_dot_product_attention(query, key, value), "attention without a mask, z",
          {**{sentence: p @ value for sentence, p in wrong.items()},
           "the weights average the keys, not the values": right @ key})
    check(probabilities, right, "attention without a mask, probabilities",
          {**wrong, "these are the scores before softmax": scores / K ** 0.5})


@pytest.mark.parametrize("shape", ["padding", "causal and padding", "each head its own"])
def test_masked_attention_equals_torch(shape):
    query, key, value = attention_inputs()
    mask = {"padding": reference.padding_mask([S, 3], S),
            "causal and padding": reference.padding_mask([S, 1], S) & torch.ones(T, S).tril().bool(),
            "each head its own": (randoms(B, N, T, S, seed=4) > 0).logical_or(torch.arange(S) == 2)}[shape]
    inputs = query, key, value, mask
    before = [x.clone() for x in inputs]
    z, probabilities = attention(*inputs)
    for x, old, name in zip(inputs, before, ("query", "key", "value", "mask")):
        assert torch.equal(x, old), f"attention changed its {name} in place; an operation ending in _ or += on it?"
    scores = query @ key.transpose(-2, -1) / K ** 0.5
    wrong = {
        "the mask is applied after softmax, so the rest no longer sums to 1: mask the scores with -inf before it":
            scores.softmax(-1) * mask,
        "True means 'may attend' here; your mask is the wrong way round":
            scores.masked_fill(mask, -math.inf).softmax(-1),
        "forbidden scores are set to 0, and exp(0) = 1: use -inf": scores.masked_fill(~mask, 0).softmax(-1),
        "the mask is ignored": scores.softmax(-1),
        "the mask is added to the scores: True counts as 1": (scores + mask.double()).softmax(-1),
        "the scores are not divided by sqrt(K)": (scores * K ** 0.5).masked_fill(~mask, -math.inf).softmax(-1)}
    check(z, F.scaled_dot_product_attention(query, key, value, mask), f"attention with a mask ({shape}), z",
          {sentence: p @ value for sentence, p in wrong.items()})
    check(probabilities, reference.attention(*inputs)[1], f"attention with a mask ({shape}), probabilities", wrong)


def test_gradients_of_attention_equal_torchs():
    inputs = [x.requires_grad_() for x in attention_inputs()]
    mask, weight = reference.padding_mask([S, 3], S), randoms(B, N, T, K, seed=5)
    got = torch.autograd.grad((attention(*inputs, mask)[0] * weight).sum(), inputs)
    expected = torch.autograd.grad((F.scaled_dot_product_attention(*inputs, mask) * weight).sum(), inputs)
    for name, g, e in zip(("query", "key", "value"), got, expected):
        check(g, e, f"the gradient of the {name}")


# the module

def torchs(a):
    """torch's module with the same weights; its in_proj stacks the three projections."""
    module = nn.MultiheadAttention(D, N, batch_first=True, dtype=torch.double)
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.cat([a.query.weight, a.key.weight, a.value.weight]))
        module.in_proj_bias.copy_(torch.cat([a.query.bias, a.key.bias, a.value.bias]))
        module.out_proj.load_state_dict(a.output.state_dict())
    return module


@every_kind
def test_module_equals_torchs_with_the_rotation_off(kind):
    a, x, more = setting(kind)
    a.rotary = False
    x.requires_grad_()
    read, mask = more.get("source", x), more["mask"]
    causal = dict(attn_mask=~mask) if kind == "decoder" else dict(key_padding_mask=~mask[:, 0, 0])
    expected, looks = torchs(a)(x, read, read, average_attn_weights=False, **causal)
    output, probabilities = a(x, **more)
    assert probabilities.shape == looks.shape, \
        f"{kind} probabilities: expected (B, N, T, S) = {tuple(looks.shape)}, got {tuple(probabilities.shape)}" \
        + (": keys and values come from the source" if kind == "cross" else "")
    check(probabilities, looks, f"{kind} attention, probabilities")
    check(output, expected, f"{kind} attention, output", {
        "keys and values are exchanged": lambda: swapped(a)(x, **more)[0],
        "b_O is missing": lambda: expected - a.output.bias})
    weight = randoms(*output.shape, seed=6)
    check(torch.autograd.grad((output * weight).sum(), x, retain_graph=True)[0],
          torch.autograd.grad((expected * weight).sum(), x)[0], f"{kind} attention, the gradient of x")


def test_cross_attention_reads_the_source():
    a, x, more = setting("cross")
    output, probabilities = a(x, more["source"])
    assert probabilities.shape == (B, N, T, S), f"cross-attention probabilities: expected (B, N, T, S) = " \
        f"{(B, N, T, S)}, got {tuple(probabilities.shape)}: keys and values come from the source"
    check(output, reference.multi_head(a, x, more["source"])[0], "cross-attention without a mask")


def swapped(a):
    other = copy.deepcopy(a)
    other.key, other.value = other.value, other.key
    return other


@every_kind
def test_module_equals_the_slow_one_with_the_rotation_on(kind):
    a, x, more = setting(kind, width=7)  # N*K = 18 is not D
    expected, looks = reference.multi_head(a, x, **more)
    mistakes = {} if kind == "cross" else {
        "the keys are not turned: queries and keys must both be": reference.multi_head(a, x, **more, turned=["query"]),
        "the queries are not turned: queries and keys must both be": reference.multi_head(a, x, **more, turned=["key"]),
        "the values are turned too: only queries and keys must be":
            reference.multi_head(a, x, **more, turned=["query", "key", "value"]),
        "nothing is turned": reference.multi_head(a, x, **more, turned=[]),
        "positions start at 1": reference.multi_head(a, x, **more, start=1)}
    if kind == "cross":
        a.rotary = True
        mistakes["cross-attention has no positions: turn nothing there"] = reference.multi_head(a, x, **more)
        a.rotary = False
    output, probabilities = a(x, **more)
    check(probabilities, looks, f"{kind} attention, probabilities", {s: wrong[1] for s, wrong in mistakes.items()})
    check(output, expected, f"{kind} attention, output", {s: wrong[0] for s, wrong in mistakes.items()})


def test_attention_without_rotation_does_not_know_the_order():
    a, x = random_attention(), randoms(B, T, D)
    order = [2, 0, 3, 1]
    check(a(x[:, order])[0], a(x)[0][:, order], "a text in another order, rotation off")
    a.rotary = True
    assert not same(a(x[:, order])[0], a(x)[0][:, order]), "with the rotation on, the order of the words must count"


def test_attention_does_not_care_where_a_text_starts():
    a, x = random_attention(rotary=True), randoms(B, T, D)
    cache = {}
    a(randoms(B, 3, D, seed=9), cache=cache)  # three other tokens before the text, hidden from it by the mask
    mask = torch.cat([torch.zeros(T, 3).bool(), reference.causal_mask(T)], dim=1)
    got = a(x, mask=mask, cache=cache)[0]
    assert same(got, a(x, mask=reference.causal_mask(T))[0]), \
        "the output depends on where the text starts: queries and keys must both be turned from `start` on, " \
        "and values not at all"


@pytest.mark.parametrize("kind", ["encoder", "cross"])
def test_what_padding_holds_does_not_matter(kind):
    a, x, more = setting(kind)
    expected = a(x, **more)[0]
    (more["source"] if kind == "cross" else x)[1, 3:] = 77.0
    got = a(x, **more)[0]
    real = 3 if kind == "encoder" else T
    check(got[1, :real], expected[1, :real], f"{kind} attention over other padding")


# the cache

def test_cached_steps_equal_all_at_once():
    a, x = random_attention(rotary=True), randoms(B, T, D)
    whole, looks = a(x, mask=reference.causal_mask(T))
    cache = {}
    for step in range(T):
        try:
            got, probabilities = a(x[:, step:step + 1], cache=cache)  # the newest token may see all
        except RuntimeError as error:
            raise AssertionError(f"step {step} broke with a cache of shape {tuple(cache['key'].shape)}, expected "
                                 f"(B, N, step, K) = {(B, N, step, K)}: join along dim=2 ({error})") from error
        keys = cache["key"].shape
        assert keys == (B, N, step + 1, K), f"after {step + 1} steps the cache holds {tuple(keys)}, expected " \
            f"(B, N, steps, K) = {(B, N, step + 1, K)}: append the new key along dim=2"
        restarted = copy.deepcopy(a)  # what the steps give if every new token stands at position 0
        restarted.rotary = False
        check(got, whole[:, step:step + 1], f"with the cache, step {step}", {
            "the new token's position restarts at 0": restarted(x[:, :step + 1])[0][:, step:],
            "the cached keys were turned twice, or the new one not at all":
                lambda: turned_again(a, x[:, :step + 1])})
        check(probabilities, looks[:, :, step:step + 1, :step + 1], f"with the cache, probabilities of step {step}")


def turned_again(a, x):
    """What the last token gives if the cached keys are turned at every step anew."""
    query, key, value = (split_heads(linear(x), N).detach().clone() for linear in (a.query, a.key, a.value))
    last = x.shape[1] - 1
    for t in range(last + 1):
        for _ in range(t, last + 1):  # key t is turned at the steps t, t+1, ..., last
            key[:, :, t:t + 1] = reference.rotate(key[:, :, t:t + 1], start=t)
    z = reference.attention(reference.rotate(query)[:, :, -1:], key, value)[0]
    return a.output(merge_heads(z))


def test_cache_takes_several_tokens_at_a_time():
    a, x = random_attention(rotary=True), randoms(B, T, D)
    cache = {}
    first = a(x[:, :3], mask=reference.causal_mask(3), cache=cache)[0]
    second = a(x[:, 3:], mask=reference.causal_mask(1, 3), cache=cache)[0]
    check(torch.cat([first, second], dim=1), a(x, mask=reference.causal_mask(T))[0], "three tokens, then one")


def test_cross_attention_reads_its_source_once():
    a, x, more = setting("cross")
    whole, cache = a(x, more["source"])[0], {}
    for step in range(T):
        got = a(x[:, step:step + 1], more["source"], cache=cache)[0]
        assert cache["key"].shape == (B, N, S, K), \
            f"after step {step} the cache of cross-attention holds {tuple(cache['key'].shape)}, expected " \
            f"(B, N, S, K) = {(B, N, S, K)}: the source does not grow"
        check(got, whole[:, step:step + 1], f"cross-attention with a cache, step {step}")
    before = cache["key"].data_ptr()
    a(x[:, :1], more["source"] + 1, cache=cache)
    assert cache["key"].data_ptr() == before, "keys and values of the source were computed again at a later step"


def test_a_cache_keeps_nothing_between_two_texts():
    a, x = random_attention(rotary=True), randoms(B, T, D)
    first = a(x)[0]
    a(randoms(B, S, D, seed=3), cache={})
    assert torch.equal(a(x)[0], first), "the module remembers an earlier text: keys belong into the caller's cache"


# the gate

@every_kind
def test_gate_multiplies_what_a_head_writes(kind):
    a, x, more = setting(kind)
    gate = torch.tensor([0.3, 1.7, 0.0], dtype=torch.double)
    rows = gate.repeat_interleave(K)
    on_scores = copy.deepcopy(a)
    on_scores.query.weight.data *= rows[:, None]
    on_scores.query.bias.data *= rows
    ungated = a(x, **more)[0]
    got, probabilities = a(x, **more, head_gate=gate)
    check(got, reference.multi_head(a, x, **more, gate=gate)[0], f"{kind} attention with gates 0.3, 1.7, 0", {
        "the gates multiply the layer's output, after W_O has mixed the heads: multiply each head's z before W_O":
            ungated * rows,
        "the gates multiply the scores, not z": on_scores(x, **more)[0],
        "one number, the gates' mean, multiplies the whole layer: every head has a gate of its own, before W_O":
            ungated * gate.mean(),
        "the gates are ignored": ungated,
        "the gates are rounded to open or closed": reference.multi_head(a, x, **more, gate=(gate > 0).double())[0],
        "the gates are rescaled to a mean of 1: N/kept changes the function":
            reference.multi_head(a, x, **more, gate=gate / gate.mean())[0],
        "b_O belongs to no head, so no gate may touch it": ungated - a.output.bias})
    check(probabilities, a(x, **more)[1], "the probabilities, which no gate changes")


@every_kind
def test_each_problem_may_have_its_own_gates(kind):
    a, x, more = setting(kind)
    gates = randoms(B, N, seed=7)
    alone = [a(x[b:b + 1], head_gate=gates[b], **{name: y if y.dim() == 2 else y[b:b + 1] for name, y in more.items()})
             for b in range(B)]
    check(a(x, **more, head_gate=gates)[0], torch.cat([output for output, _ in alone]), f"{kind}: gates (B, N)", {
        "one number, the gates' mean, multiplies the whole layer: every head has a gate of its own, before W_O":
            a(x, **more)[0] * gates.mean(),
        "the first problem's gates are used for all": reference.multi_head(a, x, **more, gate=gates[0])[0],
        "the gates' mean over problems is used for all": reference.multi_head(a, x, **more, gate=gates.mean(0))[0]})


def test_all_gates_closed_leaves_the_output_bias():
    a, x, more = setting("cross")
    check(a(x, **more, head_gate=torch.zeros(N))[0], a.output.bias.expand(B, T, D), "all gates closed", {
        "b_O belongs to no head: it stays when all are closed": torch.zeros(B, T, D, dtype=torch.double)})


# removal: heads 1 and 3 of four stay

def cut(a, places, columns=None, output_bias=True):
    """By hand: the attention that has the heads at these places alone; W_O's part may be taken wrongly."""
    rows = [place * K + k for place in places for k in range(K)]
    small = random_attention(heads=places, rotary=a.rotary, width=a.output.out_features)
    with torch.no_grad():
        for name in ("query", "key", "value"):
            getattr(small, name).weight.copy_(getattr(a, name).weight[rows])
            getattr(small, name).bias.copy_(getattr(a, name).bias[rows])
        small.output.weight.copy_(a.output.weight[:, rows] if columns is None else columns(a.output.weight, rows))
        small.output.bias.copy_(a.output.bias * output_bias)
    return small


@every_kind
def test_removed_heads_equal_closed_gates(kind):
    a, x, more = setting(kind, heads=range(4), width=24)
    expected, looks = a(x, **more, head_gate=torch.tensor([0.0, 1, 0, 1]))
    small = copy.deepcopy(a)
    small.keep([1, 3])
    rescaled = cut(a, [1, 3])  # 1/sqrt(D / heads) = 1/sqrt(12) for 1/sqrt(K)
    for parameter in (rescaled.query.weight, rescaled.query.bias):
        parameter.data *= math.sqrt(K / 12)
    assert small.head_width == K, f"K must stay {K}, not {small.head_width}: width and scale 1/sqrt(K) belong to " \
        "the head, not to D / number of heads"
    for name in ("query", "key", "value"):
        linear = getattr(small, name)
        assert linear.weight.shape == (2 * K, 24), \
            f"{name}: expected a weight (12, 24), got {tuple(linear.weight.shape)}"
        assert linear.bias.shape == (2 * K,), f"{name}: the bias was not cut with its rows"
    assert small.output.weight.shape == (24, 2 * K), "output: expected a weight (24, 12), got " \
        f"{tuple(small.output.weight.shape)}: W_O reads the heads, so cut its columns"
    output, probabilities = small(x, **more)
    check(output, expected, f"{kind} attention, heads 1 and 3 kept", {
        "the kept and the removed heads are exchanged": cut(a, [0, 2])(x, **more)[0],
        "the first two heads were kept, whichever they are": cut(a, [0, 1])(x, **more)[0],
        "rows of W_O were cut: W_O reads the heads, so cut its columns":
            cut(a, [1, 3], columns=lambda weight, rows: weight[rows].T)(x, **more)[0],
        "the columns of W_O are those of the first heads":
            cut(a, [1, 3], columns=lambda weight, rows: weight[:, :2 * K])(x, **more)[0],
        "the output bias belongs to no head: keep it whole": cut(a, [1, 3], output_bias=False)(x, **more)[0],
        "the scale was recomputed as 1/sqrt(D / heads): 1/sqrt(K) belongs to the head": rescaled(x, **more)[0]})
    check(probabilities, looks[:, [1, 3]], f"{kind} attention, probabilities of heads 1 and 3")


@every_kind
def test_closed_gate_equals_zeroed_columns_of_the_output(kind):
    a, x, more = setting(kind)
    zeroed = copy.deepcopy(a)
    zeroed.output.weight.data[:, K:2 * K] = 0
    check(a(x, **more, head_gate=torch.tensor([1.0, 0, 1]))[0], zeroed(x, **more)[0], f"{kind}: head 1 closed")


@every_kind
def test_kept_heads_learn_the_same_masked_or_removed(kind):
    a, x, more = setting(kind, heads=range(4), width=24)
    weight, rows = randoms(*x.shape, seed=8), head_rows([1, 3], K)
    small = copy.deepcopy(a)
    small.keep([1, 3])
    x.requires_grad_()
    into_x = [torch.autograd.grad((module(x, **more, head_gate=gate)[0] * weight).sum(), x)[0]
              for module, gate in ((a, torch.tensor([0.0, 1, 0, 1])), (small, None))]
    check(into_x[1], into_x[0], "the gradient of x, removed against masked")
    (a(x, **more, head_gate=torch.tensor([0.0, 1, 0, 1]))[0] * weight).sum().backward()
    (small(x, **more)[0] * weight).sum().backward()
    for name, parameter in a.named_parameters():
        kept = parameter.grad if name == "output.bias" else parameter.grad[:, rows] if name == "output.weight" \
            else parameter.grad[rows]
        check(small.get_parameter(name).grad, kept, f"the gradient of {name}, removed against masked")
        if name != "output.bias":
            gone = head_rows([0, 2], K)
            rest = parameter.grad[:, gone] if name == "output.weight" else parameter.grad[gone]
            assert not rest.any(), f"a closed head gets a gradient in {name}"


def test_heads_keep_their_original_index_when_removed_twice():
    a, x, more = setting("encoder", heads=range(4), width=24)
    twice = copy.deepcopy(a)
    twice.keep([1, 2, 3])
    check(twice.heads, [1, 2, 3], "the heads after keep([1, 2, 3])", {"heads keep their original index": [0, 1, 2]})
    twice.keep([1, 3])
    check(twice.heads, [1, 3], "the heads after keep([1, 3])")
    check(twice(x, **more)[0], cut(a, [1, 3])(x, **more)[0], "keep([1, 2, 3]), then keep([1, 3])", {
        "the second time the indices were taken for places: heads 2 and 3 stayed":
            lambda: cut(a, [2, 3])(x, **more)[0]})


def test_keep_leaves_the_heads_in_their_order():
    a, x, more = setting("cross", heads=range(4), width=24)
    forwards, backwards = copy.deepcopy(a), copy.deepcopy(a)
    forwards.keep([0, 2])
    backwards.keep([2, 0])
    assert backwards.heads == [0, 2] and torch.equal(backwards(x, **more)[1], forwards(x, **more)[1]), \
        "keep([2, 0]) and keep([0, 2]) are the same removal"


def test_keeping_all_heads_changes_nothing():
    a, x, more = setting("decoder")
    before = a(x, **more)[0]
    a.keep([0, 1, 2])
    assert torch.equal(a(x, **more)[0], before), "keep of all heads changed the attention"


def test_removal_shares_no_memory():
    a = random_attention(heads=range(4), width=24)
    big, values = dict(a.named_parameters()), {name: p.detach().clone() for name, p in a.named_parameters()}
    a.keep([0, 1])  # the first rows: a plain slice would be a view
    with torch.no_grad():
        for name, parameter in a.named_parameters():
            if name != "output.bias":
                parameter.zero_()
    for name in values:
        assert torch.equal(big[name], values[name]), \
            f"{name}: the small model shares memory with the big one: clone the slices"


def test_a_removed_head_leaves_trainable_parameters():
    a = random_attention(heads=range(4), width=24)
    a.keep([3])
    for name, parameter in a.named_parameters():
        assert isinstance(parameter, nn.Parameter) and parameter.is_leaf, f"{name} is no trainable parameter any more"
    assert a.query.out_features == a.key.out_features == a.value.out_features == a.output.in_features == K, \
        "out_features and in_features must say the new size"


@pytest.mark.parametrize("heads, said", [([1, 5], "5"), ([], "at least one"), ([0], "0"), ([-1], "-1")])
def test_keep_refuses_heads_that_are_not_here(heads, said):
    a = random_attention(heads=[1, 2, 4])
    before = a.query.weight
    with pytest.raises(ValueError, match=said):
        a.keep(heads)
    assert a.heads == [1, 2, 4] and a.query.weight is before, "a refused removal must leave everything as it was"
