"""What masking promises: which heads go, and that a masked head is as good as a removed one."""
import copy
import math
import random
import re
from collections import Counter
from fractions import Fraction

import pytest
import torch

from builders import fresh_model, heads_of, tiny_batch, tiny_model
from checks import check
from tinyprune.distill import task_loss
from tinyprune.masking import apportion, gates_for, lowest_heads, remove_heads, select_heads
from tinyprune.transformer import KINDS, Head, Transformer

# how many, and which


def test_the_largest_remainders_get_what_is_left():
    check(apportion(5, [8, 4, 4]), [3, 1, 1], "5 split among 8, 4 and 4: exactly 2.5, 1.25, 1.25", {
        "what is left over goes to the largest remainder, not to the last": [2, 1, 2],
        "each share was rounded, down or to the nearest (2.5 to 2): the sum is 4": [2, 1, 1],
        "each share was rounded up": [3, 2, 2]})
    check(apportion(3, [4, 2, 2]), [1, 1, 1], "3 split among 4, 2 and 2: exactly 1.5, 0.75, 0.75", {
        "the largest remainder goes first, not the largest share": [2, 1, 0],
        "each share was rounded: the sum is 4": [2, 1, 1],
        "what is left over goes to the largest remainders, one each, not all to the first":
            [3, 0, 0]})
    assert apportion(0, [4, 2, 2]) == [0, 0, 0]
    assert apportion(8, [4, 2, 2]) == [4, 2, 2]
    assert apportion(3, [7]) == [3]


def largest_remainders(exact):
    """Shares of a whole number -> whole shares; what is left goes to the largest remainders."""
    shares = [math.floor(share) for share in exact]
    remainders = [share - floor for share, floor in zip(exact, shares)]
    for _ in range(round(sum(exact)) - sum(shares)):
        largest = remainders.index(max(remainders))  # of equal ones the first
        shares[largest] += 1
        remainders[largest] = 0
    return shares


def test_shares_are_whole_sum_to_the_total_and_follow_the_remainders():
    rng = random.Random(1)
    for _ in range(400):
        sizes = rng.choices(range(1, 13), k=rng.randint(1, 4))
        total = rng.randint(0, sum(sizes))
        exact = [Fraction(total * size, sum(sizes)) for size in sizes]
        shown = " ".join(map(str, exact))
        check(apportion(total, sizes), largest_remainders(exact),
              f"apportion({total}, {sizes}), exactly {shown}", {
                  "equal remainders differ as floats: compare fractions, or whole numbers":
                      largest_remainders([total * size / sum(sizes) for size in sizes])})


def all_heads(N, encoder_layers, decoder_layers):
    """The heads of a model with N heads in each attention."""
    layers = {"encoder": encoder_layers, "decoder": decoder_layers, "cross": decoder_layers}
    return [Head(kind, layer, index)
            for kind in KINDS for layer in range(layers[kind]) for index in range(N)]


SCORES = dict(zip(all_heads(4, 2, 1), [.5, .1, .2, .3, .9, .6, .8, .7,  # encoder 0 and 1
                                       .4, .3, .22, .25,  # decoder
                                       .05, .06, .07, .08]))  # cross
LOWEST_OF_ALL = heads_of("cross 0 0, cross 0 1, cross 0 2, encoder 0 1, encoder 0 2")


def slow_choice(scores, count):
    """The lowest head of the layers that have two or more left, again and again.

    Ties by layer, index and kind.
    """
    left = dict(scores)
    while len(scores) - len(left) < count:
        sizes = Counter(head[:2] for head in left)
        free = [head for head in left if sizes[head[:2]] > 1]
        del left[min(free, key=lambda head: (left[head], head.layer, head.index, head.kind))]
    return set(scores) - set(left)


def ascending(counts):
    """The lowest heads, as many of each kind, where every kind has one layer: a set of Heads"""
    return {Head(kind, 0, index) for kind, count in zip(KINDS, counts) for index in range(count)}


def test_the_count_is_rounded_once_and_then_shared():
    scores = {head: head.index / 10 for head in ascending([8, 5, 5])}
    check(select_heads(scores, 0.3), ascending([2, 2, 1]),
          "30% of 8, 5 and 5 heads: 5 of 18 (exactly 5.4), that is 2, 2 and 1", {
              "the count was rounded within each kind (2.4, 1.5, 1.5): round once, over all heads, "
              "then share": ascending([2, 2, 2]),
              "the count was rounded down within each kind": ascending([2, 1, 1]),
              "the count was rounded up within each kind": ascending([3, 2, 2]),
              "the count was rounded up to 6": ascending([3, 2, 1]),
              "all kinds were ranked together": ascending([1, 2, 2])})
    scores = {head: head.index / 10 for head in ascending([4, 3, 3])}
    check(select_heads(scores, 0.55), ascending([2, 2, 2]),
          "55% of 4, 3 and 3 heads: 6 of 10 (exactly 5.5, half a head is rounded up)", {
              "the count was rounded down to 5": ascending([2, 2, 1]),
              "the count was rounded down within each kind": ascending([2, 1, 1]),
              "the count was rounded up within each kind": ascending([3, 2, 2])})


def test_lowest_heads_leave_one_in_each_attention():
    """Four of the encoder's eight heads; the fifth one has the fourth one's score."""
    scores = {head: score for head, score in SCORES.items() if head.kind == "encoder"}
    scores[Head("encoder", 1, 3)] = scores[Head("encoder", 1, 1)]
    before = dict(scores)
    first = heads_of("encoder 0 1, encoder 0 2, encoder 0 3")
    fourth = heads_of("encoder 1 1")
    got = lowest_heads(scores, 4)
    check(set(got), first | fourth, "the 4 lowest of 8 heads in two layers", {
        "the last head of layer 0 was pruned: one must stay in every attention":
            first | heads_of("encoder 0 0"),
        "all heads up to the fourth one's score were pruned: of equal heads the first layers and "
        "indices go, and no more than asked": first | fourth | heads_of("encoder 1 3"),
        "of equal heads the last one was pruned": first | heads_of("encoder 1 3"),
        "as many were pruned in each layer: the layers are ranked together":
            heads_of("encoder 0 1, encoder 0 2, encoder 1 1, encoder 1 3"),
        "the highest scores were pruned":
            heads_of("encoder 1 0, encoder 1 2, encoder 1 1, encoder 0 0"),
        "the ranking was read from its end, and the highest scores were pruned":
            heads_of("encoder 1 0, encoder 1 2, encoder 1 3, encoder 0 0")})
    check(got, sorted(first) + sorted(fourth), "lowest_heads, the lowest first", {
        "a set has no order: return a list": set(got)})
    assert scores == before, "lowest_heads changed the dictionary that it was given"
    equal = dict.fromkeys(reversed(scores), 0.5)
    check(lowest_heads(equal, 4), sorted(heads_of(
        "encoder 0 0, encoder 0 1, encoder 0 2, encoder 1 0")), "4 of 8 equal heads", {
            "of equal heads those of the first layer go first, not those of the first index":
                sorted(heads_of("encoder 0 0, encoder 1 0, encoder 0 1, encoder 1 1"),
                       key=lambda head: (head.index, head.layer)),
            "of equal heads those that stand first in the dict went first": [
                Head("encoder", *head) for head in ((1, 3), (1, 2), (1, 1), (0, 3))]})
    with pytest.raises(ValueError, match="7 heads.* 6 can go"):
        lowest_heads(scores, 7)


def test_the_lowest_scores_of_each_kind_go_and_one_head_stays_in_a_layer():
    lowest = heads_of("encoder 0 1, encoder 0 2, encoder 0 3, decoder 0 2, cross 0 0")
    check(select_heads(SCORES, 0.3), lowest, "30% of 16 heads: 5, that is 3, 1 and 1", {
        "the highest scores were pruned":
            heads_of("encoder 1 0, encoder 1 2, encoder 1 3, decoder 0 0, cross 0 3"),
        "all kinds were ranked together": LOWEST_OF_ALL,
        "each layer was ranked alone: heads of all layers of a kind are compared":
            lowest - heads_of("encoder 0 3") | heads_of("encoder 1 1"),
        "this is a list: the selected heads are a set": sorted(lowest),
        "30% of 16 heads is 5: the count was rounded down, or rounded within each kind (2.4, 1.2 "
        "and 1.2)": lowest - heads_of("encoder 0 3")})
    low = lowest | heads_of("decoder 0 3, cross 0 1")
    check(select_heads(SCORES, 0.5), low | heads_of("encoder 1 1"), "half of 16 heads", {
        "a layer lost its last head: nothing is left to attend": low | heads_of("encoder 0 0"),
        "a layer keeps one head, and the next lowest goes in its place": low})


def test_all_kinds_may_be_ranked_together():
    check(select_heads(SCORES, 0.3, scope="all"), LOWEST_OF_ALL,
          "5 of 16 heads, the fourth of cross-attention must stay", {
              "each kind was ranked alone":
                  heads_of("encoder 0 1, encoder 0 2, encoder 0 3, decoder 0 2, cross 0 0"),
              "each layer was ranked alone":
                  heads_of("encoder 0 1, encoder 0 2, encoder 1 1, decoder 0 2, cross 0 0"),
              "the last head of cross-attention was pruned":
                  LOWEST_OF_ALL - heads_of("encoder 0 2") | heads_of("cross 0 3")})


@pytest.mark.parametrize("scope", ["kind", "all"])
@pytest.mark.parametrize("sizes", [(4, 3, 2), (6, 1, 2), (2, 2, 1)])
def test_every_ratio_prunes_exactly_its_share(sizes, scope):
    rng = random.Random(3)
    heads = all_heads(*sizes)
    layers = {head[:2] for head in heads}
    for percent in range(101):
        exact = Fraction(percent * len(heads), 100)
        count = math.floor(exact + Fraction(1, 2))  # round half up
        if count > len(heads) - len(layers):
            break
        distinct = dict(zip(heads, rng.sample(range(999), len(heads))))
        what = f"{percent}% of {len(heads)} heads, halves rounded up"
        check(len(select_heads(distinct, percent / 100, scope)), count, what, {
            "a head too few: the budget was rounded down, or half a head to the even number "
            "(Python's round), or each kind was rounded alone, or apportion loses one":
                math.floor(exact),
            "a head too many: the budget was rounded up, or each kind was rounded alone":
                math.ceil(exact)})
        scores = {head: rng.randrange(6) for head in heads}  # six different scores: many ties
        pruned = select_heads(scores, percent / 100, scope)
        assert len(pruned) == count, f"{what}: with equal scores {len(pruned)} heads go, " \
            f"expected {count}: a threshold takes all heads of its score, so count instead"
        emptied = layers - {head[:2] for head in set(heads) - pruned}
        assert not emptied, f"{percent}%: {emptied} lost the last head"
        ranked_together = [KINDS] if scope == "all" else [[kind] for kind in KINDS]
        groups = []
        for kinds in ranked_together:
            groups.append({head: score for head, score in scores.items() if head.kind in kinds})
        for group, share in zip(groups, apportion(count, list(map(len, groups)))):
            check(pruned & set(group), slow_choice(group, share),
                  f"{percent}%: the {share} lowest of {len(group)} heads")


def test_half_a_head_is_rounded_up():
    """Exactly half, also where floating point falls short of it."""
    scores = dict.fromkeys(all_heads(7, 3, 1), 0.1)
    check(len(select_heads(scores, 0.3)), 11, "30% of 35 heads, exactly 10.5", {
        "a head too few: rounded down, to the even neighbour as Python's round does, or within "
        "each kind; halves go up here": 10})
    scores = dict.fromkeys(all_heads(5, 3, 1), 0.1)
    check(len(select_heads(scores, 0.58)), 15, "58% of 25 heads, exactly 14.5", {
        "0.58 * 25 is 14.499999999999998 in floating point": 14})


EQUAL_SCORES = dict.fromkeys(all_heads(4, 2, 1), 0.5)


@pytest.mark.parametrize("scope", ["kind", "all"])
def test_of_equal_heads_the_first_layers_and_indices_go(scope):
    selected = select_heads(EQUAL_SCORES, 0.25, scope)
    assert len(selected) == 4, f"4 of 16 equal heads go, got {len(selected)}"
    if scope == "kind":
        first = heads_of("encoder 0 0, encoder 0 1, decoder 0 0, cross 0 0")
        check(selected, first, "4 of 16 equal heads", {
            "the last of equal heads were pruned":
                heads_of("encoder 1 2, encoder 1 3, decoder 0 3, cross 0 3")})
    backwards = dict(reversed(EQUAL_SCORES.items()))
    assert select_heads(backwards, 0.25, scope) == selected, "the order of the dict must not matter"
    encoder = {head: 0.5 for head in backwards if head.kind == "encoder"}
    lowest = heads_of("encoder 0 0, encoder 0 1, encoder 0 2, encoder 1 0")
    assert lowest_heads(encoder, 4) == sorted(lowest)


@pytest.mark.parametrize("scope", ["kind", "all"])
def test_a_ratio_that_would_empty_a_layer_is_refused(scope):
    selected = select_heads(EQUAL_SCORES, 0.75, scope)
    assert len(selected) == 12, "three of four in every layer may go"
    with pytest.raises(ValueError, match="one stays"):
        select_heads(EQUAL_SCORES, 0.82, scope)
    with pytest.raises(ValueError, match="13 heads.* 12 can go"):
        select_heads(EQUAL_SCORES, 13 / 16, "all")


@pytest.mark.parametrize("ratio, scope", [(-0.1, "kind"), (1.1, "all"), (0.3, "al")])
def test_a_mistyped_choice_is_refused(ratio, scope):
    with pytest.raises(ValueError, match=f"not '{scope}' and {ratio}"):
        select_heads(EQUAL_SCORES, ratio, scope)


# gates and removal

BATCH = tiny_batch()
MANY = "encoder 0 0, encoder 0 2, encoder 1 2, decoder 1 1, cross 0 0"


def logits(model, gates=None):
    with torch.no_grad():
        return model(BATCH.source, BATCH.lengths, BATCH.target, gates)


def test_gates_are_zero_for_pruned_heads_and_one_for_others():
    model = tiny_model(decoder_layers=1)
    gates = gates_for(model, heads_of("encoder 1 0, encoder 1 2, cross 0 1"))
    names = [("encoder", 0), ("encoder", 1), ("decoder", 0), ("cross", 0)]
    assert isinstance(gates, dict) and list(gates) == names, \
        f"expected a dict with the keys (kind, layer), in order {names}, got {str(gates)[:200]}"
    assert all(isinstance(gate, torch.Tensor) for gate in gates.values()), \
        "expected a tensor (N,) for each attention"
    expected = torch.tensor([[1., 1, 1], [0, 1, 0], [1, 1, 1], [1, 0, 1]])
    got = torch.stack(list(gates.values())).cpu()
    check(got, expected, "the gates, a row for each attention", {
        "a pruned head has gate 0, an active one 1": 1 - expected})
    smaller = remove_heads(model, heads_of("encoder 0 1"))
    assert gates_for(smaller, set())["encoder", 0].tolist() == [1, 1], \
        "an attention that has lost a head has one gate less: one for each head that is there"
    gate = gates_for(smaller, heads_of("encoder 0 2"))["encoder", 0]
    check(gate.tolist(), [1, 0], "head 2 is the second of the heads 0 and 2")
    gate = gates_for(fresh_model().to("meta"), set())["cross", 0]
    assert gate.dtype != torch.double, \
        "gates of doubles do not fit a model of floats: dtype=torch.float"
    assert gate.device.type == "meta", "gates must be made on the device of the model's weights"


@pytest.mark.parametrize("text", ["encoder 0 1", "encoder 1 0, encoder 1 1", "decoder 0 0",
                                  "cross 0 2", MANY])
def test_removed_heads_equal_masked_heads(text):
    model = tiny_model(1)
    pruned = heads_of(text)
    smaller = remove_heads(model, pruned)
    touched = {head[:2] for head in pruned}
    exchanged = {head for head in model.heads() if head[:2] in touched} - pruned
    kept = [head for head in model.heads() if head not in pruned]
    sizes = Counter(head[:2] for head in kept)
    check(smaller.heads(), kept, f"the heads left without {text}", {
        "the kept and the removed heads are exchanged":
            [head for head in model.heads() if head not in exchanged],
        "the first heads were kept, whichever they are":
            [head for head in model.heads() if head.index < sizes[head[:2]]]})
    check(logits(smaller), logits(model, gates_for(model, pruned)), f"logits without {text}", {
        "nothing was removed": lambda: logits(model),
        "the kept and the removed heads are exchanged":
            lambda: logits(model, gates_for(model, exchanged))})
    for name, attention in smaller.attention_layers().items():
        inner = 4 * sizes[name]
        assert attention.query.weight.shape == (inner, 10)
        assert attention.output.weight.shape == (10, inner)
        assert attention.head_width == 4, "K stays: width and scale 1/sqrt(K) belong to the head"


def test_the_kept_heads_get_the_same_gradient():
    model = tiny_model(2)
    pruned = heads_of(MANY)
    smaller = remove_heads(model, pruned)
    task_loss(model, BATCH, gates_for(model, pruned)).backward()
    task_loss(smaller, BATCH).backward()
    for name, small in smaller.attention_layers().items():
        whole = model.attention_layers()[name]
        kept = torch.tensor([index in small.heads for index in range(3)]).repeat_interleave(4)
        for key, parameter in small.named_parameters():
            expected = whole.get_parameter(key).grad
            if key == "output.weight":
                expected = expected[:, kept]
            elif key != "output.bias":  # b_O belongs to no head and keeps its gradient
                assert not expected[~kept].any(), f"{name}: a pruned head gets no gradient"
                expected = expected[kept]
            check(parameter.grad, expected, f"gradient of {key}, {name}")


def assert_unchanged(model, before):
    """before: a copy of the model."""
    check(model.config, before.config, "the config of the model itself")
    check(model.heads(), before.heads(), "the heads of the model itself, which must stay")
    weights = model.state_dict()
    for name, tensor in before.state_dict().items():
        assert weights[name].shape == tensor.shape, f"{name} was cut in the model itself"
        assert torch.equal(weights[name], tensor), f"{name} changed in the model itself"


def test_removal_leaves_the_model_as_it_was():
    """The small model shares no memory with it either."""
    model = tiny_model(3)
    before = copy.deepcopy(model)
    smaller = remove_heads(model, heads_of(MANY))
    with torch.no_grad():
        for parameter in smaller.parameters():
            parameter.add_(1)
    assert_unchanged(model, before)
    check(model.config.heads_kept, None, "heads_kept in the config of the model itself")


@pytest.mark.parametrize("text, kept", [
    (MANY, [[[1], [0, 1]], [[0, 1, 2], [0, 2]], [[1, 2], [0, 1, 2]]]),
    ("cross 0 0", [[[0, 1, 2], [0, 1, 2]], [[0, 1, 2], [0, 1, 2]], [[1, 2], [0, 1, 2]]])],
    ids=["many heads", "one head"])
def test_the_config_of_a_smaller_model_rebuilds_it(text, kept):
    smaller = remove_heads(tiny_model(4), heads_of(text))
    kept = dict(zip(KINDS, kept))
    assert smaller.config.heads_kept, "the smaller model's config.heads_kept must list what stays"
    check(smaller.config.heads_kept, kept, "heads_kept in the smaller model's config")
    rebuilt = Transformer(smaller.config).to(BATCH.source.device).double().eval()
    rebuilt.load_state_dict(smaller.state_dict())
    assert not smaller.training, "a model in eval mode must still be in eval mode"
    assert torch.equal(logits(rebuilt), logits(smaller)), "Transformer(config) has other logits"
    assert rebuilt.heads() == smaller.heads()
    assert all(part.requires_grad for part in smaller.parameters()), \
        "the smaller model cannot learn: a parameter has lost its requires_grad"
    smaller = remove_heads(tiny_model(4).train(), heads_of(text))
    assert smaller.training, "a model in train mode must still be in train mode"


@pytest.mark.parametrize("index, left", [(2, [0, 3]), (3, [0, 2])])
def test_a_head_keeps_its_name_when_others_are_removed(index, left):
    """A removed head's index is never given to another."""
    model = tiny_model(5, heads=4)
    once = remove_heads(model, heads_of("encoder 0 1, cross 1 0"))
    twice = remove_heads(once, {Head("encoder", 0, index), Head("cross", 1, 1)})
    kept = twice.config.heads_kept
    check((kept["encoder"][0], kept["cross"][1]), (left, [2, 3]), f"0, {index} and 0, 1 removed", {
        "an index was taken for a position among the heads left": ([0, 2], [1, 3]),
        "heads were numbered afresh after the first removal": ([0, 1], [0, 2])})
    together = heads_of(f"encoder 0 1, cross 1 0, encoder 0 {index}, cross 1 1")
    assert torch.equal(logits(twice), logits(remove_heads(model, together)))
    assert once.config.heads_kept["cross"][1] == [1, 2, 3], "the first model keeps its heads"


@pytest.mark.parametrize("function", [remove_heads, gates_for])
@pytest.mark.parametrize("text", ["encoder 0 1", "encoder 0 4", "encoder 2 0", "sideways 0 0"])
def test_a_head_that_is_not_there_is_refused_by_name(function, text):
    """Head 1 is removed already; the others never existed."""
    model = remove_heads(tiny_model(heads=4), heads_of("encoder 0 1"))
    before = copy.deepcopy(model)
    missing = heads_of(text)
    with pytest.raises(ValueError, match=re.escape(str(*missing))):
        function(model, missing | heads_of("encoder 0 3"))
    assert_unchanged(model, before)


@pytest.mark.parametrize("function", [remove_heads, gates_for])
def test_heads_may_come_one_at_a_time(function):
    """An iterator is used up by who looks at it first."""
    model = tiny_model()
    heads = heads_of("encoder 0 1, cross 1 0")
    results = [function(model, heads), function(model, iter(heads))]
    if function is remove_heads:
        results = [smaller.heads_kept() for smaller in results]
    expected, got = map(str, results)
    assert got == expected, "what an iterator of the same heads gives"


def test_the_last_head_of_a_layer_cannot_be_removed():
    with pytest.raises(ValueError, match="at least one"):
        remove_heads(tiny_model(), heads_of("cross 0 0, cross 0 1, cross 0 2"))
