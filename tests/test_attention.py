"""Attention's promises: masks, rotation, equality with torch, gates, the cache, heads removed."""
import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import reference
from builders import randoms, torch_attention
from checks import check, same
from tinyprune.attention import (
    MultiHeadAttention,
    attention,
    causal_mask,
    head_rows,
    merge_heads,
    padding_mask,
    rotate,
    split_heads,
)

B = 2
N = 3
T = 4
S = 5
K = 6
D = N * K
NO_GRADIENT = "the result has no gradient: was it detached?"


def random_attention(heads=range(N), width=D, rotary=False):
    a = MultiHeadAttention(width, K, heads, rotary).double()
    for seed, parameter in enumerate(a.parameters()):
        parameter.data = 0.5 * randoms(*parameter.shape, seed=seed)
    return a


def setting(kind, heads=range(N), width=D):
    """An attention of this kind, its x, and its other arguments; the second text has 3 words."""
    a = random_attention(heads, width, rotary=kind != "cross")
    x = randoms(B, S if kind == "encoder" else T, width, seed=20)
    causal = reference.causal_mask(T)
    arguments = dict(mask=causal if kind == "decoder" else reference.padding_mask([S, 3], S))
    if kind == "cross":
        arguments["source"] = randoms(B, S, width, seed=21)
    return a, x, arguments


every_kind = pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])


def check_both(got, expected, what, mistakes):
    """`check` for the pair that an attention returns; a mistake's part may be None."""
    for part, name in enumerate(("output", "probabilities")):
        wrong = {sentence: pair[part] for sentence, pair in mistakes.items()}
        check(got[part], expected[part], f"{what}, {name}", wrong)


def gradients(output, inputs):
    """Of a sum in which no two entries of the output weigh the same."""
    weighted = output * randoms(*output.shape, seed=5)
    return torch.autograd.grad(weighted.sum(), inputs)


def check_follows(function, tensor, *more):
    """All that it makes must lie where the tensor lies: torch's device "meta" stands for a GPU."""
    try:
        function(tensor.to("meta"), *more)
    except RuntimeError as error:  # any other one says little: "meta" holds no numbers to read
        assert "device" not in str(error), f"{function.__name__} fails on a GPU: what it makes " \
            f"must lie where its argument lies, device=….device ({error})"


# masks

def test_padding_mask_hides_keys_not_queries():
    expected = reference.padding_mask([3, 1], 4)  # (B, 1, 1, S)
    check(padding_mask(torch.tensor([3, 1]), 4), expected, "padding_mask([3, 1], 4)", {
        "it hides queries (rows); it must hide keys (columns): shape (B, 1, 1, S)":
            expected.transpose(-2, -1),
        "it must have the shape (B, 1, 1, S), to fit (B, N, T, S) from the right":
            expected[:, 0, 0],
        "off by one: `<` keeps exactly `length` tokens": reference.padding_mask([4, 2], 4),
        "True must mark real tokens, not padding": ~expected,
        "the mask is additive (0 and -inf): here it is True and False": additive(expected)})
    check_follows(padding_mask, torch.tensor([3, 1]), 4)


def additive(mask):
    """The other convention: 0 where a query may attend, -inf elsewhere."""
    return torch.zeros(mask.shape).masked_fill(~mask, -math.inf)


def test_causal_mask_lets_a_token_see_itself_and_the_past():
    expected = reference.causal_mask(4)
    check(causal_mask(4), expected, "causal_mask(4), row = query, column = key", {
        "a token cannot see itself (diagonal missing); row 0 then has no key and softmax gives NaN":
            expected.tril(-1),
        "a token sees the next one, the very token it has to predict":
            torch.ones(4, 4).tril(1).bool(),
        "rows and columns are swapped: every token sees the future": expected.T,
        "True must mark what may be seen": ~expected,
        "the mask is additive (0 and -inf): here it is True and False": additive(expected),
        "the mask holds the numbers 1 and 0: `~` and masked_fill need True and False, dtype=bool":
            expected.float()})


def test_causal_mask_of_new_tokens_shows_them_all_the_cached_ones():
    expected = reference.causal_mask(2, start=3)  # tokens 3 and 4
    check(causal_mask(2, 3), expected, "causal_mask(2, start=3): 2 queries, 5 keys", {
        "`start` is ignored: cached tokens are keys too, so there are start + queries columns":
            reference.causal_mask(2),
        "the first query stands at 3 and sees 0 to 3: shift the diagonal by `start`":
            expected.tril(),
        "a token cannot see itself": expected.tril(2)})
    assert causal_mask(2, device="meta").device.type == "meta", \
        "causal_mask: `device` is ignored, but the mask must be made there"


# heads side by side

def columns_and_heads():
    """Entries that say where they come from: x (B, T, N*K), its heads (B, N, T, K)"""
    x = torch.arange(B * T * N * K).view(B, T, N * K).double()
    return x, torch.stack(x.split(K, dim=2), dim=1)


def test_split_heads_gives_each_head_its_columns():
    x, expected = columns_and_heads()
    what = f"split_heads((2, 4, 18), {N}): head h must get columns {K}h to {K}h+{K - 1}"
    check(split_heads(x, N), expected, what, {
        "viewed straight as (B, N, T, K) it cuts across tokens: view as (B, T, N, K), then "
        "transpose(1, 2)": x.view(B, N, T, K),
        "heads and width are swapped: view as (B, T, N, K), not (B, T, K, N)":
            x.view(B, T, K, N).permute(0, 3, 1, 2),
        "heads and tokens are not transposed: (B, N, T, K) is needed": x.view(B, T, N, K)})
    assert split_heads(x.requires_grad_(), N).requires_grad, NO_GRADIENT


def test_texts_without_tokens_can_be_split():
    """A problem whose equation cannot be read has no target tokens."""
    assert split_heads(torch.zeros(2, 0, 18), N).shape == (2, N, 0, 18 // N)


def test_merge_heads_undoes_split_heads():
    x, z = columns_and_heads()
    check(merge_heads(z), x, "merge_heads of (2, 3, 4, 6)", {
        "transpose(1, 2) back before the reshape": z.reshape(B, T, N * K),
        "the heads must stand one after the other, not their columns interleaved":
            z.permute(0, 2, 3, 1).reshape(B, T, N * K)})
    assert merge_heads(z.requires_grad_()).requires_grad, NO_GRADIENT


def test_head_rows_are_blocks():
    check(head_rows([2, 0], 3), [6, 7, 8, 0, 1, 2], "head_rows([2, 0], 3)", {
        "head h owns the rows h*K to (h+1)*K, not every N-th row": [2, 5, 8, 0, 3, 6],
        "the heads' order is the caller's": [0, 1, 2, 6, 7, 8]})


# rotation

def test_first_pair_turns_one_radian_per_step():
    x = torch.tensor([1.0, 0, 1, 0]).double().expand(1, 1, 2, 4)
    slow = 10000 ** -0.5  # the speed of pair 1 for K = 4

    def turned(*angles):
        pairs = [(math.cos(angle), math.sin(angle)) for angle in angles]
        return torch.tensor(pairs).double().flatten()

    halves = [math.cos(1) - math.sin(1), 0, math.cos(1) + math.sin(1), 0]
    check(rotate(x)[0, 0, 1], turned(1, slow), "rotate: (1, 0, 1, 0) at position 1", {
        "every pair turns at the same speed: pair i turns by 10000^(-2i/K)": turned(1, 1),
        "positions start at 0, not at 1": turned(2, 2 * slow),
        "it turns the other way (sign of sin)": turned(-1, -slow),
        "the exponent is -2i/K, not -i/K": turned(1, 10000 ** -0.25),
        "the exponent is negative: later pairs turn slower": turned(1, 1 / slow),
        "pairs are neighbours (2i, 2i+1), not halves (i, i + K/2)": torch.tensor(halves),
        "it does not turn anything": turned(0, 0)})


@pytest.mark.parametrize("start", [0, 3, 61])
def test_rotate_equals_complex_multiplication(start):
    x = randoms(B, N, T, K)
    expected = reference.rotate(x, start)
    check(rotate(x, start), expected, f"rotate of (2, 3, 4, 6), start {start}", {
        "`start` is ignored: the first token stands at position `start`": reference.rotate(x),
        "positions must run along the tokens (dim 2), not along the heads (dim 1)":
            reference.rotate(x.transpose(1, 2), start).transpose(1, 2),
        "the turned pairs are not put back beside each other (stack, then flatten; cat puts all "
        "evens first)": torch.cat([expected[..., 0::2], expected[..., 1::2]], dim=-1)})
    assert rotate(x.requires_grad_(), start).requires_grad, NO_GRADIENT
    check_follows(rotate, x)


def test_rotate_keeps_lengths():
    x = randoms(B, N, T, K)
    assert same(rotate(x).norm(dim=-1), x.norm(dim=-1)), \
        "rotate changes the length of a vector: it must rotate each pair (cos, -sin; sin, cos)"


def test_rotated_products_depend_only_on_distance():
    query, key = (rotate(randoms(1, 1, 1, K, seed=seed).expand(1, 1, 7, K)) for seed in (1, 2))
    products = (query @ key.transpose(-2, -1))[0, 0]  # (7, 7)
    for distance in range(-6, 7):
        diagonal = products.diagonal(distance)
        assert same(diagonal, diagonal[:1].expand_as(diagonal)), \
            f"the same query and key, {distance} apart, give products that differ: {diagonal}"
    assert not same(products[0, 1], products[0, 2]), \
        "the products must depend on the distance; rotate does nothing"


# the function

MASKS = {"no mask": None,
         "padding": reference.padding_mask([S, 3], S),
         "causal and padding": reference.padding_mask([S, 1], S) & torch.ones(T, S).tril().bool(),
         "each head its own": (randoms(B, N, T, S, seed=4) > 0) | (torch.arange(S) == 2)}


def attention_inputs():
    return [randoms(B, N, size, K, seed=seed) for seed, size in enumerate((T, S, S))]


@pytest.mark.parametrize("shape", MASKS)
def test_attention_equals_torch(shape):
    query, key, value = attention_inputs()
    mask = MASKS[shape]
    inputs = [part for part in (query, key, value, mask) if part is not None]
    before = copy.deepcopy(inputs)
    got = attention(*inputs)
    assert isinstance(got, tuple) and len(got) == 2, \
        "attention must return two things: z, and the probabilities"
    for name, now, old in zip(("query", "key", "value", "mask"), inputs, before):
        assert same(now, old), \
            f"attention changed its {name} in place; an operation ending in _ or += on it?"
    seen = torch.ones(T, S).bool() if mask is None else mask
    products = query @ key.transpose(-2, -1)  # (B, N, T, S)
    scores = products / K ** 0.5
    wrong_scores = {
        "the scores are not divided by sqrt(K)": products,
        "the scores are divided by K, not by sqrt(K)": products / K,
        "the scores are multiplied by sqrt(K), not divided": products * K ** 0.5,
        "the scores are divided by sqrt(S), not by sqrt(K)": products / S ** 0.5,
        "the scores are divided by sqrt(T), not by sqrt(K)": products / T ** 0.5,
        "the scores are divided by sqrt(N), not by sqrt(K)": products / N ** 0.5,
        "the scores are divided by sqrt(N*K): K is the width of one head": products / D ** 0.5}
    hide = torch.where(seen, 0, -math.inf)  # added to the scores
    weights = {sentence: (wrong + hide).softmax(-1) for sentence, wrong in wrong_scores.items()}
    weights |= {
        "softmax runs over the queries (dim=-2); each query must spread 1 over its keys (dim=-1)":
            (scores + hide).softmax(-2),
        "softmax runs over the heads (dim=1); each query must spread 1 over its keys (dim=-1)":
            (scores + hide).softmax(1),
        "the weights are divided by sqrt(K), not the scores: softmax comes last":
            (products + hide).softmax(-1) / K ** 0.5,
        "the mask is applied after softmax, so the rest no longer sums to 1: mask the scores with "
        "-inf before it": scores.softmax(-1) * seen,
        "True means 'may attend' here; your mask is the wrong way round":
            scores.masked_fill(seen, -math.inf).softmax(-1),
        "forbidden scores are set to 0, and exp(0) = 1: use -inf":
            scores.masked_fill(~seen, 0).softmax(-1),
        "the mask is ignored": scores.softmax(-1),
        "the mask is added to the scores: True counts as 1": (scores + seen.double()).softmax(-1)}
    mistakes = {sentence: (wrong @ value, wrong) for sentence, wrong in weights.items()}
    right = reference.attention(*inputs)[1]
    mistakes["the weights average the keys, not the values"] = right @ key, None
    mistakes["these are the scores before softmax"] = None, scores
    z = F.scaled_dot_product_attention(*inputs)
    mistakes["z comes first, then the probabilities"] = right, z
    check_both(got, (z, right), f"attention with {shape}", mistakes)
    inputs[0] = 1000 * query
    check(attention(*inputs)[0], F.scaled_dot_product_attention(*inputs),
          f"attention with {shape}, large scores: mask with -inf, and subtract the maximum before "
          "exp, or use torch's softmax")


def test_gradients_of_attention_equal_torchs():
    inputs = [x.requires_grad_() for x in attention_inputs()]
    mask = MASKS["padding"]
    got = gradients(attention(*inputs, mask)[0], inputs)
    expected = gradients(F.scaled_dot_product_attention(*inputs, mask), inputs)
    for name, mine, torchs in zip(("query", "key", "value"), got, expected):
        check(mine, torchs, f"the gradient of the {name}")
    assert attention(*inputs, mask)[1].requires_grad, \
        "the probabilities have no gradient: were they detached?"


# the module

@every_kind
def test_module_equals_torchs_with_the_rotation_off(kind):
    a, x, arguments = setting(kind)
    a.rotary = False
    x.requires_grad_()
    source = arguments.get("source", x)
    hidden = ~arguments["mask"]
    masks = dict(attn_mask=hidden) if kind == "decoder" else dict(key_padding_mask=hidden[:, 0, 0])
    expected = torch_attention(a)(x, source, source, average_attn_weights=False, **masks)
    swapped = copy.deepcopy(a)
    swapped.key = a.value
    swapped.value = a.key
    got = a(x, **arguments)
    check_both(got, expected, f"{kind} attention", {
        "keys and values are exchanged": reference.multi_head(swapped, x, **arguments),
        "b_O is missing": (expected[0] - a.output.bias, None)})
    check(gradients(got[0], x)[0], gradients(expected[0], x)[0], f"{kind}: the gradient of x")


def test_cross_attention_reads_the_source():
    a, x, arguments = setting("cross")
    source = arguments["source"]
    check_both(a(x, source), reference.multi_head(a, x, source), "cross-attention, no mask", {
        "keys and values come from the source, not from x": reference.multi_head(a, x)})


WRONG_TURNS = {
    "the keys are not turned: queries and keys must both be": dict(turned=["query"]),
    "the queries are not turned: queries and keys must both be": dict(turned=["key"]),
    "the values are turned too: only queries and keys must be":
        dict(turned=["query", "key", "value"]),
    "nothing is turned": dict(turned=[]),
    "positions start at 1": dict(start=1)}


@every_kind
def test_module_equals_the_slow_one_with_the_rotation_on(kind):
    a, x, arguments = setting(kind, width=7)  # N*K = 18 is not D
    mistakes = {sentence: reference.multi_head(a, x, **arguments, **wrong)
                for sentence, wrong in WRONG_TURNS.items()}
    turning = copy.copy(a)
    turning.rotary = True
    mistakes["cross-attention has no positions: turn nothing there"] = \
        reference.multi_head(turning, x, **arguments)
    expected = reference.multi_head(a, x, **arguments)
    check_both(a(x, **arguments), expected, f"{kind} attention", mistakes)


def test_attention_without_rotation_does_not_know_the_order():
    x = randoms(B, T, D)
    order = [2, 0, 3, 1]
    for rotary in (False, True):
        a = random_attention(rotary=rotary)
        only_moved = same(a(x[:, order])[0], a(x)[0][:, order])
        assert only_moved != rotary, \
            f"rotary={rotary}: the order of the words must count with the rotation, and only then"


def test_attention_does_not_care_where_a_text_starts():
    a, x, arguments = setting("decoder")
    cache = {}
    a(randoms(B, 3, D, seed=9), cache=cache)  # three other tokens, which the mask hides
    check_cache(cache, 3, "three tokens")
    mask = torch.cat([torch.zeros(T, 3).bool(), arguments["mask"]], dim=1)
    got = a(x, mask=mask, cache=cache)[0]
    assert same(got, a(x, **arguments)[0]), \
        "the output depends on where the text starts: queries and keys must both be turned from " \
        "`start` on, and values not at all"


@pytest.mark.parametrize("kind", ["encoder", "cross"])
def test_what_padding_holds_does_not_matter(kind):
    a, x, arguments = setting(kind)
    real = 3 if kind == "encoder" else T
    expected = a(x, **arguments)[0][1, :real]
    arguments.get("source", x)[1, 3:] = 77.0
    check(a(x, **arguments)[0][1, :real], expected, f"{kind} attention over other padding")


# the cache

def test_cached_steps_equal_all_at_once():
    a, x, arguments = setting("decoder")
    whole, probabilities = a(x, **arguments)
    without_rotation = copy.copy(a)  # the steps, if every new token stands at position 0
    without_rotation.rotary = False
    cache = {}
    for step in range(T):
        now = slice(step, step + 1)
        read = x[:, :step + 1]
        try:
            got = a(x[:, now], cache=cache)  # the newest token may see all
        except RuntimeError as error:
            raise AssertionError(
                f"step {step} broke with a cache of shape {tuple(cache['key'].shape)}, expected "
                f"(B, N, step, K) = {(B, N, step, K)}: join along dim=2 ({error})") from error
        check_cache(cache, step + 1, f"step {step}: append the new key along dim=2")
        expected = whole[:, now], probabilities[:, :, now, :step + 1]
        check_both(got, expected, f"with the cache, step {step}", {
            "the new token's position restarts at 0": (without_rotation(read)[0][:, step:], None),
            "the cached keys were turned twice, or the new one not at all":
                (turned_again(a, read), None)})


def check_cache(cache, keys, what):
    for name in ("key", "value"):
        assert name in cache, f"after {what}: no {name!r} is stored in the cache that was given"
        check(cache[name].shape, (B, N, keys, K), f"after {what}: the cache's {name}")


def turned_again(a, x):
    """What the last token gives if the cached keys are turned again at every step."""
    query, key, value = (split_heads(linear(x), N) for linear in (a.query, a.key, a.value))
    steps = x.shape[1]
    keys = [reference.rotate(key[:, :, t:t + 1], t * (steps - t)) for t in range(steps)]
    z = reference.attention(reference.rotate(query), torch.cat(keys, dim=2), value)[0]
    return a.output(merge_heads(z))[:, -1:]


def test_cache_takes_several_tokens_at_a_time():
    a, x, arguments = setting("decoder")
    cache = {}
    first = a(x[:, :3], mask=reference.causal_mask(3), cache=cache)[0]
    check_cache(cache, 3, "three tokens")
    second = a(x[:, 3:], mask=reference.causal_mask(1, 3), cache=cache)[0]
    whole = a(x, **arguments)[0]
    check(torch.cat([first, second], dim=1), whole, "three tokens, then one")


def test_cross_attention_reads_its_source_once_into_the_cache():
    a, x, arguments = setting("cross")
    source = arguments["source"]
    whole = a(x, source)[0]
    cache = {}
    for step in range(T):
        new = x[:, step:step + 1]
        other = source + step  # nothing may depend on it after step 0
        got = a(new, other, cache=cache)[0]
        check_cache(cache, S, f"step {step}: the source does not grow")
        check(got, whole[:, step:step + 1], f"cross-attention with a cache, step {step}", {
            "keys and values of the source are computed again at every step":
                reference.multi_head(a, new, other)[0]})
    expected = split_heads(a.key(source), N)
    key, value = a.keys_and_values(source, 0, None)
    check(key, expected, "the keys of cross-attention, where `rotary` is False", {
        "they are turned: turn them only if `rotary`": reference.rotate(expected)})
    assert key.requires_grad and value.requires_grad, \
        "keys or values have no gradient: were they detached?"


def test_a_cache_keeps_nothing_between_two_texts():
    a, x, _ = setting("decoder")
    first = a(x)[0]
    a(randoms(B, S, D, seed=3), cache={})
    assert torch.equal(a(x)[0], first), \
        "the module remembers an earlier text: keys belong into the caller's cache"


# the gate

GATES = {"0.3, 1.7, 0": torch.tensor([0.3, 1.7, 0.0]).double(),
         "0, 0, 0": torch.zeros(N),
         "of their own for each problem": randoms(B, N, seed=7)}


@every_kind
@pytest.mark.parametrize("values", GATES)
def test_gate_multiplies_what_a_head_writes(kind, values):
    a, x, arguments = setting(kind)
    gates = GATES[values].expand(B, N)
    rows = gates.repeat_interleave(K, dim=1)  # (B, N*K)
    on_scores = copy.deepcopy(a)
    on_scores.query.weight.data *= rows[0, :, None]
    on_scores.query.bias.data *= rows[0]
    ungated, probabilities = a(x, **arguments)

    def gated(gate):
        return reference.multi_head(a, x, **arguments, gate=gate)[0]

    mistakes = {
        "the gates multiply the layer's output, after W_O has mixed the heads: multiply each "
        "head's z before W_O": ungated * rows[:, None],
        "the gates multiply the scores, not z": on_scores(x, **arguments)[0],
        "one number, the gates' mean, multiplies the whole layer: every head has a gate of its "
        "own, before W_O": ungated * gates.mean(),
        "the gates are ignored": ungated,
        "the gates are rounded to 0 and 1": gated((gates > 0).double()),
        "the gates are rescaled to a mean of 1: N/kept changes the function":
            gated(gates / gates.mean()),
        "b_O belongs to no head: it stays, whatever the gates": gated(gates) - a.output.bias,
        "the first problem's gates are used for all": gated(gates[0]),
        "the gates' mean over problems is used for all": gated(gates.mean(0))}
    got = a(x, **arguments, head_gate=GATES[values])
    check_both(got, (gated(gates), probabilities), f"{kind} attention with gates {values}",
               {sentence: (wrong, None) for sentence, wrong in mistakes.items()})


# removal: of the heads 0 to 3, the heads 0 and 2 go

MASKED = torch.tensor([0.0, 1, 0, 1])


def four_heads(kind):
    a, x, arguments = setting(kind, range(4), width=24)
    small = copy.deepcopy(a)
    small.prune_heads([0, 2])
    return a, small, x, arguments


def part_of(name, tensor, heads):
    """What these heads own of a parameter or its gradient; all of it where no head owns a part."""
    rows = [head * K + k for head in heads for k in range(K)]
    if name in ("x", "output.bias"):
        return tensor
    return tensor[:, rows] if name == "output.weight" else tensor[rows]


def cut(a, heads, changes=None):
    """By hand: the attention that has these heads alone, apart from the changes."""
    small = random_attention(heads, a.output.out_features, a.rotary)
    parts = {name: part_of(name, tensor, heads) for name, tensor in a.state_dict().items()}
    small.load_state_dict(parts | (changes or {}))
    return small


@every_kind
def test_removed_heads_equal_gates_of_zero(kind):
    a, small, x, arguments = four_heads(kind)
    assert small.head_width == K, f"K must stay {K}, not {small.head_width}: width and scale " \
        "1/sqrt(K) belong to the head, not to D / number of heads"
    weights = a.state_dict()
    for name, tensor in weights.items():
        size = small.get_parameter(name).shape
        says = "a head owns rows of W_Q, W_K, W_V and of their biases, and columns of W_O"
        if name == "output.bias":
            says = "b_O belongs to no head and stays whole"
        check(size, part_of(name, tensor, [1, 3]).shape, f"{name}: {says}; the shape")
    W_O = weights["output.weight"]
    scale = math.sqrt(K / 12)  # 1/sqrt(D / heads) = 1/sqrt(12) for 1/sqrt(K)
    rescaled = {name: scale * part_of(name, weights[name], [1, 3])
                for name in ("query.weight", "query.bias")}
    wrong_parts = {
        "rows of W_O were cut: W_O reads the heads, so cut its columns":
            {"output.weight": part_of("query.weight", W_O, [1, 3]).T},
        "the columns of W_O are those of the first heads": {"output.weight": W_O[:, :2 * K]},
        "the output bias belongs to no head: keep it whole":
            {"output.bias": 0 * weights["output.bias"]},
        "the scale was recomputed as 1/sqrt(D / heads): 1/sqrt(K) belongs to the head": rescaled}
    mistakes = {sentence: cut(a, [1, 3], part) for sentence, part in wrong_parts.items()}
    mistakes["the kept and the removed heads are exchanged"] = cut(a, [0, 2])
    mistakes["the first two heads were kept, whichever they are"] = cut(a, [0, 1])
    output, probabilities = a(x, **arguments, head_gate=MASKED)
    expected = output, probabilities[:, [1, 3]]
    check_both(small(x, **arguments), expected, f"{kind} attention, heads 0 and 2 removed",
               {sentence: wrong(x, **arguments) for sentence, wrong in mistakes.items()})
    a.output.weight.data *= MASKED.repeat_interleave(K)
    check(a(x, **arguments)[0], output, f"{kind} attention, heads 0 and 2 have columns of 0 in W_O")


@every_kind
def test_kept_heads_learn_the_same_masked_or_removed(kind):
    a, small, x, arguments = four_heads(kind)
    x.requires_grad_()
    masked = gradients(a(x, **arguments, head_gate=MASKED)[0], [x, *a.parameters()])
    removed = gradients(small(x, **arguments)[0], [x, *small.parameters()])
    for name, big, got in zip(["x", *a.state_dict()], masked, removed):
        expected = part_of(name, big, [1, 3])
        check(got, expected, f"the gradient of {name}, removed against masked")
        gone = part_of(name, big, [0, 2])
        assert gone is big or not gone.any(), f"a masked head gets a gradient in {name}"


def check_refused(a, indices, named):
    heads = list(a.heads)
    before = a.query.weight
    with pytest.raises(ValueError, match=named):
        a.prune_heads(indices)
    assert a.heads == heads and a.query.weight is before, \
        "a refused removal must leave everything as it was"


@pytest.mark.parametrize("indices, named", [
    ([1, 5], "5"), ([1, 2, 4], "at least one"), ([0], "0"), ([-1], "-1")])
def test_prune_heads_refuses_heads_that_are_not_here(indices, named):
    check_refused(random_attention([1, 2, 4]), indices, named)


def cut_with_a_divided_width(a):
    """Heads 1 and 3 of four went, and for the second one K was taken as D / 3."""
    wrong = cut(a, [0, 2, 3])
    width = a.output.out_features // 3
    for name in ("query", "key", "value"):
        projection = getattr(wrong, name)
        projection.weight = nn.Parameter(projection.weight[:2 * width])
        projection.bias = nn.Parameter(projection.bias[:2 * width])
    wrong.output.weight = nn.Parameter(wrong.output.weight[:, :2 * width])
    wrong.heads = [0, 2]
    return wrong


def test_removed_heads_leave_the_others_their_original_indices():
    a, x, arguments = setting("encoder", range(4), width=24)
    small = copy.deepcopy(a)
    small.prune_heads([1])
    check(small.heads, [0, 2, 3], "the heads after prune_heads([1])", {
        "heads keep their original index": [0, 1, 2],
        "prune_heads is told which heads go, not which stay": [1]})
    small.prune_heads([3])
    check(small.heads, [0, 2], "the heads after prune_heads([1]), then prune_heads([3])", {
        "the index was taken for a position: nothing stands at position 3": [0, 2, 3]})
    expected = cut(a, [0, 2])(x, **arguments)
    check_both(small(x, **arguments), expected, "prune_heads([1]), then prune_heads([3])", {
        "the rows are those of the position that a head has now, not of its original index":
            cut(a, [0, 3])(x, **arguments),
        "K was computed as D / number of heads: after a removal this is wider than a head":
            cut_with_a_divided_width(a)(x, **arguments)})
    check_refused(small, [1], "1")


def test_prune_heads_leaves_the_others_in_their_order():
    x = randoms(B, T, D)
    for indices in ([1, 3], [3, 1]):
        a = random_attention(range(4))
        expected = a(x)[1][:, [0, 2]]
        a.prune_heads(indices)
        assert a.heads == [0, 2], f"the heads after prune_heads({indices}): {a.heads}"
        check(a(x)[1], expected, f"the probabilities after prune_heads({indices})")


def test_pruning_no_head_changes_nothing():
    a, x, arguments = setting("decoder")
    before = a(x, **arguments)[0]
    a.prune_heads([])
    assert torch.equal(a(x, **arguments)[0], before), "prune_heads([]) changed the attention"


def test_removal_shares_no_memory():
    a = random_attention(range(4))
    big = {name: parameter.data for name, parameter in a.named_parameters()}
    values = copy.deepcopy(a.state_dict())
    a.prune_heads([2, 3])  # the first rows stay: a plain slice would be a view
    for name, parameter in a.named_parameters():
        if name != "output.bias":
            assert parameter.shape != values[name].shape, f"{name} was not cut"
            parameter.data.zero_()
    for name, value in values.items():
        assert torch.equal(big[name], value), \
            f"{name}: the small model shares memory with the big one: clone the slices"


@pytest.mark.parametrize("frozen", ["", "query", "output", "query key value output"])
def test_a_removed_head_leaves_the_others_trainable_or_frozen(frozen):
    a = random_attention(range(4))
    for name in frozen.split():
        getattr(a, name).requires_grad_(False)
    expected = {name: name.split(".")[0] not in frozen.split() for name in a.state_dict()}
    a.prune_heads([0, 1, 2])
    got = {name: parameter.requires_grad for name, parameter in a.named_parameters()}
    check(got, expected, "the parameters, and whether they are trained, after a removal")
    sizes = [a.query.out_features, a.key.out_features, a.value.out_features, a.output.in_features]
    assert sizes == [K] * 4, "out_features and in_features must say the new size"
