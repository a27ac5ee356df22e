"""The mask's promises: which heads go, that a closed head is a missing head, and what the schedule does to it."""
import copy
import io
import math
import random
from fractions import Fraction

import pytest
import torch

from checks import check
from tinyprune import PAD
from tinyprune.masking import DynamicPruning, gates_of, heads_to_close, lowest, ratio_at, remove_heads, share_out
from tinyprune.transformer import KINDS, Config, Transformer, token_loss


def tiny(seed=0, **more):
    """12 heads: 2 x 3 in the encoder, 3 in the decoder, 3 in cross-attention; D = 10, K = 4."""
    torch.manual_seed(seed)
    sizes = dict(width=10, heads=3, head_width=4, encoder_layers=2, decoder_layers=1, feedforward=7, dropout=0) | more
    return Transformer(Config(11, 9, **sizes)).eval()


SOURCE = torch.tensor([[3, 4, 5, 6, 7], [8, 9, PAD, PAD, PAD], [10, 3, 4, PAD, PAD]])[..., None]  # words of one piece
LENGTHS = torch.tensor([5, 2, 3])
TARGET = torch.tensor([[3, 4, 5, 6], [7, PAD, PAD, PAD], [8, 3, 4, PAD]])


def logits(model, gates=None):
    with torch.no_grad():
        return model(SOURCE, LENGTHS, TARGET, gates)


# how many, and which

def test_the_largest_remainders_get_what_is_left():
    check(share_out(5, [8, 4, 4]), [3, 1, 1], "5 shared among 8, 4 and 4: exactly 2.5, 1.25 and 1.25", {
        "what is left over goes to the largest remainder, not to the last": [2, 1, 2],
        "each share was rounded, down or to the nearest (2.5 to 2): the sum is 4": [2, 1, 1],
        "each share was rounded up": [3, 2, 2]})
    check(share_out(3, [4, 2, 2]), [1, 1, 1], "3 shared among 4, 2 and 2: exactly 1.5, 0.75 and 0.75", {
        "the largest remainder goes first, not the largest share": [2, 1, 0],
        "each share was rounded: the sum is 4": [2, 1, 1],
        "what is left over goes to the largest remainders, one each, not all to the first": [3, 0, 0]})
    assert share_out(0, [4, 2, 2]) == [0, 0, 0] and share_out(8, [4, 2, 2]) == [4, 2, 2] and share_out(3, [7]) == [3]


def test_shares_are_whole_sum_to_the_total_and_follow_the_remainders():
    rng = random.Random(1)
    for _ in range(400):
        sizes = [rng.randint(1, 12) for _ in range(rng.randint(1, 4))]
        total = rng.randint(0, sum(sizes))
        exact = [Fraction(total * size, sum(sizes)) for size in sizes]
        floors = [math.floor(x) for x in exact]
        order = sorted(range(len(sizes)), key=lambda i: floors[i] - exact[i])  # equal remainders: the first one
        expected = [floor + (i in order[:total - sum(floors)]) for i, floor in enumerate(floors)]
        check(share_out(total, sizes), expected, f"share_out({total}, {sizes}), exactly {' '.join(map(str, exact))}")


def scores_of(**rows):
    """encoder=[[…], […]] -> {("encoder", 0): tensor, …}: a list per layer."""
    return {(kind, layer): torch.tensor(row) for kind in KINDS for layer, row in enumerate(rows[kind])}


def slow_choice(scores, count):
    """The lowest head of the layers that have more than one, again and again; equal ones by layer, index, kind."""
    left = {(name, place): float(row[place]) for name, row in scores.items() for place in range(len(row))}
    chosen = set()
    while len(chosen) < count:
        free = [head for head in left if sum(other[0] == head[0] for other in left) > 1]
        name, place = min(free, key=lambda head: (left[head], head[0][1], head[1], head[0][0]))
        chosen.add((*name, place))
        del left[name, place]
    return chosen


def test_the_lowest_scores_of_each_kind_close_and_one_head_stays_in_a_layer():
    scores = scores_of(encoder=[[.5, .1, .2, .3], [.9, .6, .8, .7]], decoder=[[.4, .3, .22, .25]],
                       cross=[[.05, .06, .07, .08]])
    by_kind = {("encoder", 0, 1), ("encoder", 0, 2), ("encoder", 0, 3), ("decoder", 0, 2), ("cross", 0, 0)}
    check(heads_to_close(scores, 0.3), by_kind, "30% of 16 heads: 5, that is 3, 1 and 1", {
        "the highest scores were closed": {("encoder", 1, 0), ("encoder", 1, 2), ("encoder", 1, 3), ("decoder", 0, 0),
                                           ("cross", 0, 3)},
        "all kinds were ranked together": {("cross", 0, 0), ("cross", 0, 1), ("cross", 0, 2), ("encoder", 0, 1),
                                           ("encoder", 0, 2)},
        "30% of 16 heads is 5, the budget was rounded down to 4": by_kind - {("encoder", 0, 3)}})
    emptied = {("encoder", 0, place) for place in range(4)} | {("decoder", 0, 2), ("decoder", 0, 3), ("cross", 0, 0),
                                                               ("cross", 0, 1)}
    check(heads_to_close(scores, 0.5), emptied - {("encoder", 0, 0)} | {("encoder", 1, 1)}, "half of 16 heads", {
        "a layer lost its last head: nothing is left to attend": emptied,
        "a layer keeps one head, and the next lowest goes in its place": emptied - {("encoder", 0, 0)}})


def test_all_kinds_may_be_ranked_together():
    scores = scores_of(encoder=[[.5, .1, .2, .3], [.9, .6, .8, .7]], decoder=[[.4, .3, .22, .25]],
                       cross=[[.05, .06, .07, .08]])
    check(heads_to_close(scores, 0.3, scope="all"),
          {("cross", 0, 0), ("cross", 0, 1), ("cross", 0, 2), ("encoder", 0, 1), ("encoder", 0, 2)},
          "5 of 16 heads, the fourth of cross-attention must stay", {
              "each kind was ranked alone": lambda: heads_to_close(scores, 0.3),
              "the last head of cross-attention was closed":
                  {("cross", 0, 0), ("cross", 0, 1), ("cross", 0, 2), ("cross", 0, 3), ("encoder", 0, 1)}})


@pytest.mark.parametrize("scope", ["kind", "all"])
@pytest.mark.parametrize("heads", [[[4, 4, 4], [4, 4], [4, 4]], [[6], [6, 6], [6, 6]], [[2, 2], [2], [2]]])
def test_every_ratio_closes_exactly_its_share(heads, scope):
    generator = torch.Generator().manual_seed(3)
    everything = sum(map(sum, heads))
    most = everything - sum(map(len, heads))
    for percent in range(101):
        count = math.floor(Fraction(percent * everything, 100) + Fraction(1, 2))  # round half up
        if count > most:
            continue
        scores = scores_of(**{kind: [torch.randint(6, (n,), generator=generator).tolist() for n in layers]
                              for kind, layers in zip(KINDS, heads)})  # six different scores: many ties
        closed = heads_to_close(scores, percent / 100, scope)
        check(len(closed), count, f"{percent}% of {everything} heads, {count} with halves rounded up", {
            "the budget was rounded down, or half a head to the even number (Python's round)":
                math.floor(Fraction(percent * everything, 100)),
            "the budget was rounded up": math.ceil(Fraction(percent * everything, 100))})
        for name, row in scores.items():
            assert sum(head[:2] == name for head in closed) < len(row), f"{percent}%: {name} lost its last head"
        if scope == "all":
            assert closed == slow_choice(scores, count), f"{percent}%, all kinds together"
            continue
        shares = share_out(count, [sum(layers) for layers in heads])
        for kind, share in zip(KINDS, shares):
            group = {name: row for name, row in scores.items() if name[0] == kind}
            check({head for head in closed if head[0] == kind}, slow_choice(group, share),
                  f"{percent}%: the {share} lowest of {kind}")


def test_half_a_head_is_rounded_up():
    """Exactly half, also where floating point falls short of it."""
    scores = scores_of(encoder=[[.1] * 7] * 3, decoder=[[.2] * 7], cross=[[.3] * 7])
    check(len(heads_to_close(scores, 0.3)), 11, "30% of 35 heads, exactly 10.5", {
        "rounded down, or to the even neighbour as Python's round does: halves go up here": 10})
    scores = scores_of(encoder=[[.1] * 5] * 3, decoder=[[.2] * 5], cross=[[.3] * 5])
    check(len(heads_to_close(scores, 0.58)), 15, "58% of 25 heads, exactly 14.5", {
        "0.58 * 25 is 14.499999999999998 in floating point": 14})


@pytest.mark.parametrize("scope", ["kind", "all"])
def test_ties_close_by_layer_and_index(scope):
    flat = scores_of(encoder=[[.5] * 4, [.5] * 4], decoder=[[.5] * 4], cross=[[.5] * 4])
    expected = {("encoder", 0, 0), ("encoder", 0, 1), ("decoder", 0, 0), ("cross", 0, 0)}
    if scope == "kind":
        check(heads_to_close(flat, 0.25), expected, "4 of 16 equal heads", {
            "the last of equal heads were closed": {("encoder", 1, 2), ("encoder", 1, 3), ("decoder", 0, 3),
                                                    ("cross", 0, 3)}})
    backwards = dict(reversed(flat.items()))
    same = heads_to_close(backwards, 0.25, scope) == heads_to_close(flat, 0.25, scope)
    assert same, "the order of the dict must not matter"
    assert lowest({("encoder", 1): flat["encoder", 1], ("encoder", 0): flat["encoder", 0]}, 4) == [
        ("encoder", 0, 0), ("encoder", 0, 1), ("encoder", 0, 2), ("encoder", 1, 0)]


@pytest.mark.parametrize("scope", ["kind", "all"])
def test_a_ratio_that_would_empty_a_layer_is_refused(scope):
    scores = scores_of(encoder=[[.1] * 4] * 2, decoder=[[.1] * 4], cross=[[.1] * 4])
    assert len(heads_to_close(scores, 0.75, scope)) == 12, "three of four in every layer may go"
    with pytest.raises(ValueError, match="one stays"):
        heads_to_close(scores, 0.82, scope)
    with pytest.raises(ValueError, match="13 heads.* 12 can go"):
        heads_to_close(scores, 13 / 16, "all")


# gates and removal

def test_gates_are_zero_for_closed_heads_and_one_for_others():
    gates = gates_of(tiny(), {("encoder", 1, 0), ("encoder", 1, 2), ("cross", 0, 1)})
    assert list(gates) == [("encoder", 0), ("encoder", 1), ("decoder", 0), ("cross", 0)]
    check(torch.stack(list(gates.values())), torch.tensor([[1., 1, 1], [0, 1, 0], [1, 1, 1], [1, 0, 1]]), "the gates", {
        "a closed head has gate 0, an open one 1": torch.tensor([[0., 0, 0], [1, 0, 1], [0, 0, 0], [0, 1, 0]])})
    kept = remove_heads(tiny(), {("encoder", 0, 1)})
    assert gates_of(kept, set())["encoder", 0].tolist() == [1, 1], "a gate for each head that is there"


CLOSED_SETS = [{("encoder", 0, 1)}, {("encoder", 1, 0), ("encoder", 1, 1)}, {("decoder", 0, 0)}, {("cross", 0, 2)},
               {("encoder", 0, 0), ("encoder", 0, 2), ("encoder", 1, 2), ("decoder", 0, 1), ("cross", 0, 0)}]


def others(closed):
    """The heads of the layers that lose some, kept and removed exchanged."""
    layers = {head[:2] for head in closed}
    return {(*name, place) for name in layers for place in range(3)} - closed


@pytest.mark.parametrize("closed", CLOSED_SETS)
def test_removed_heads_equal_closed_gates(closed):
    model = tiny(1)
    smaller = remove_heads(model, closed)
    kept = {name: [p for p in range(3) if (*name, p) not in closed] for name in model.attentions()}
    check({name: part.heads for name, part in smaller.attentions().items()}, kept, f"the heads left without {closed}", {
        "the kept and the removed heads are exchanged": {
            name: [p for p in range(3) if p not in row] or row for name, row in kept.items()},
        "the first heads were kept, whichever they are": {name: list(range(len(row))) for name, row in kept.items()}})
    check(logits(smaller), logits(model, gates_of(model, closed)), f"logits without {closed}", {
        "nothing was removed": lambda: logits(model),
        "the kept and the removed heads are exchanged": lambda: logits(model, gates_of(model, others(closed)))})
    for name, part in smaller.attentions().items():
        inner = 4 * len(kept[name])
        assert part.query.weight.shape == (inner, 10) and part.output.weight.shape == (10, inner)
        assert part.head_width == 4, "K stays: width and scale 1/sqrt(K) belong to the head"


def test_the_kept_heads_get_the_same_gradient():
    closed, model = CLOSED_SETS[-1], tiny(2)
    smaller = remove_heads(model, closed)
    token_loss(model(SOURCE, LENGTHS, TARGET, gates_of(model, closed)), TARGET).backward()
    token_loss(smaller(SOURCE, LENGTHS, TARGET), TARGET).backward()
    for (kind, layer), part in model.attentions().items():
        rows = [4 * p + k for p in range(3) if (kind, layer, p) not in closed for k in range(4)]
        gone = [row for row in range(12) if row not in rows]
        small = smaller.attentions()[kind, layer]
        for matrix in ("query", "key", "value"):
            big = getattr(part, matrix)
            check(getattr(small, matrix).weight.grad, big.weight.grad[rows], f"gradient of W_{matrix}, {kind} {layer}")
            assert not big.weight.grad[gone].any() and not big.bias.grad[gone].any(), "a closed head gets no gradient"
        check(small.output.weight.grad, part.output.weight.grad[:, rows], f"gradient of W_O, {kind} {layer}")
        check(small.output.bias.grad, part.output.bias.grad, "b_O belongs to no head and keeps its gradient")


def test_removal_leaves_the_model_as_it_was():
    model = tiny(3)
    before, config = {name: t.clone() for name, t in model.state_dict().items()}, copy.deepcopy(model.config)
    smaller = remove_heads(model, CLOSED_SETS[-1])
    with torch.no_grad():
        for parameter in smaller.parameters():
            parameter.add_(1)
    assert model.config == config and model.config.heads_kept is None
    for name, tensor in model.state_dict().items():
        assert tensor.shape == before[name].shape, f"{name} was cut in the model itself"
        assert torch.equal(tensor, before[name]), f"{name}: the small model shares memory with the big one"


def test_the_config_of_a_smaller_model_rebuilds_it():
    smaller = remove_heads(tiny(4), CLOSED_SETS[-1])
    assert smaller.config.heads_kept == {"encoder": [[1], [0, 1]], "decoder": [[0, 2]], "cross": [[1, 2]]}
    torch.manual_seed(99)
    rebuilt = Transformer(smaller.config).eval()
    rebuilt.load_state_dict(smaller.state_dict())
    assert torch.equal(logits(rebuilt), logits(smaller))
    assert {name: a.heads for name, a in rebuilt.attentions().items()} == {("encoder", 0): [1], ("encoder", 1): [0, 1],
                                                                          ("decoder", 0): [0, 2], ("cross", 0): [1, 2]}


def test_heads_can_be_removed_twice():
    """The second time a head's place is its place among those left; its original index is never given to another."""
    model = tiny(5, heads=4)
    once = remove_heads(model, {("encoder", 0, 1), ("cross", 0, 0), ("cross", 0, 3)})
    twice = remove_heads(once, {("encoder", 0, 1), ("cross", 0, 0)})
    check(twice.config.heads_kept, {"encoder": [[0, 3], [0, 1, 2, 3]], "decoder": [[0, 1, 2, 3]], "cross": [[2]]},
          "heads left after two removals", {
              "heads were numbered afresh after the first removal":
                  {"encoder": [[0, 2], [0, 1, 2, 3]], "decoder": [[0, 1, 2, 3]], "cross": [[1]]}})
    at_once = remove_heads(model, {("encoder", 0, 1), ("encoder", 0, 2), *(("cross", 0, place) for place in (0, 1, 3))})
    assert torch.equal(logits(twice), logits(at_once))
    assert once.config.heads_kept["cross"] == [[1, 2]], "the first model keeps its heads"


def test_the_last_head_of_a_layer_cannot_be_removed():
    with pytest.raises(ValueError, match="at least one"):
        remove_heads(tiny(), {("cross", 0, place) for place in range(3)})


# the schedule

def test_the_ratio_rises_from_zero_cubically_and_is_held():
    got = torch.tensor([ratio_at(step, 10, 50, 0.4) for step in (0, 10, 20, 30, 49, 50, 51, 999)])
    expected = torch.tensor([0, 0, 0.23125, 0.35, 0.4 * (1 - 1 / 40 ** 3), 0.4, 0.4, 0.4])
    check(got, expected, "steps 0, 10, 20, 30, 49, 50, 51, 999 of a schedule from 10 to 50, ratio 0.4", {
        "linear: it must be cubic, most heads close early, the last ones slowly":
            torch.tensor([0, 0, 0.1, 0.2, 0.39, 0.4, 0.4, 0.4]),
        "cubic the other way round: slow at first": torch.tensor([0, 0, .00625, .05, .4 * (39 / 40) ** 3, .4, .4, .4]),
        "it starts at step 0, not at `start`": torch.tensor([0.4 * (1 - (1 - min(s / 50, 1)) ** 3)
                                                            for s in (0, 10, 20, 30, 49, 50, 51, 999)])})
    assert ratio_at(50, 10, 50, 0.3) == 0.3, "exactly, so that the count of heads is exact"


@pytest.mark.parametrize("start, end", [(0, 1), (0, 7), (3, 4), (0, 0), (5, 5)])
def test_the_ratio_is_reached_at_the_end_and_never_falls(start, end):
    ratios = [ratio_at(step, start, end, 0.6) for step in range(20)]
    assert ratios == sorted(ratios) and ratios[end] == 0.6, f"from {start} to {end}: {ratios[:end + 2]}"
    assert all(ratio == 0 for ratio in ratios[:start]) and max(ratios) == 0.6


class Script:
    """A score function that gives one prepared set of scores after the other, and counts."""

    def __init__(self, model, seed=0, scale=1.0):
        self.generator, self.scale, self.given = torch.Generator().manual_seed(seed), scale, []
        self.sizes = {name: len(part.heads) for name, part in model.attentions().items()}

    def __call__(self, model):
        self.given.append({name: self.scale * torch.rand(size, generator=self.generator)
                           for name, size in self.sizes.items()})
        return self.given[-1]


def adamw(model):
    return torch.optim.AdamW(model.parameters(), lr=0.05, betas=(0.9, 0.98), weight_decay=0.2)


def one_step(step, model, optimizer, pruning):
    """What train.py does: mask, loss, optimizer, mask."""
    pruning.before_step(step, model, optimizer)
    optimizer.zero_grad()
    token_loss(model(SOURCE, LENGTHS, TARGET, pruning.gates), TARGET).backward()
    optimizer.step()
    pruning.after_step(model, optimizer)


def run(schedule, steps=14, end=10, every=3, ratio=0.5, scale=1.0, seed=0):
    """The schedule alone, without learning -> the pruning, its script, and the closed heads after each step"""
    model = tiny(6)
    script, optimizer = Script(model, seed, scale), adamw(model)
    pruning, closed = DynamicPruning(model, script, ratio, end, every, schedule), []
    for step in range(steps):
        pruning.before_step(step, model, optimizer)
        closed.append(set(pruning.closed))
        assert {(*name, p) for name, gate in pruning.gates.items() for p, g in enumerate(gate) if g == 0} == closed[-1]
    return pruning, script, closed


def test_dynamic_closes_the_lowest_smoothed_scores_and_heads_come_back():
    pruning, script, closed = run("dynamic")
    assert [entry["step"] for entry in pruning.log] == [0, 3, 6, 9, 10], "every 3 steps, and at the end"
    smoothed, before = None, set()
    for entry, fresh in zip(pruning.log, script.given):
        old = smoothed
        smoothed = fresh if old is None else {name: (old[name] + row) / 2 for name, row in fresh.items()}
        expected = heads_to_close(smoothed, 0.5 * (1 - (1 - entry["step"] / 10) ** 3))
        check(closed[entry["step"]], expected, f"closed heads at step {entry['step']}", {
            "the scores are not smoothed": lambda: heads_to_close(fresh, 0.5 * (1 - (1 - entry["step"] / 10) ** 3))})
        check(entry["ratio"], 0.5 * (1 - (1 - entry["step"] / 10) ** 3), "the ratio of the log")
        assert entry["closed"] == sorted(expected - before) and entry["returned"] == sorted(before - expected)
        before = expected
    assert sum(len(entry["returned"]) for entry in pruning.log) > 0, "with these scores some heads come back"
    assert len(closed[0]) == 0 and len(closed[10]) == 6, "nothing at step 0, half of 12 heads at the end"


def test_smoothing_weighs_the_old_scores():
    model, rows = tiny(), [2.0]
    pruning = DynamicPruning(model, lambda model: {name: torch.full((3,), rows[0]) for name in model.attentions()},
                             0.5, end=9, every=1, smoothing=0.8)
    optimizer = adamw(model)
    pruning.before_step(0, model, optimizer)
    check(pruning.scores["cross", 0], torch.full((3,), 2.0), "the first scores, 2", {
        "the average starts at 0: start it at the first scores": torch.full((3,), 0.4)})
    rows[0] = 1.0
    pruning.before_step(1, model, optimizer)
    check(pruning.scores["cross", 0], torch.full((3,), 1.8), "0.8 of the old scores, 2, and 0.2 of the new ones, 1", {
        "smoothing is the weight of the old scores, not of the new": torch.full((3,), 1.2),
        "the scores are not smoothed": torch.full((3,), 1.0)})


@pytest.mark.parametrize("scale", [1, 100])
def test_no_head_comes_back_in_monotone(scale):
    """Whatever the size of the scores: those of the rival criteria are raw."""
    for seed in range(3):
        pruning, _, closed = run("monotone", scale=scale, seed=seed)
        for step, (before, after) in enumerate(zip(closed, closed[1:])):
            assert before <= after, f"scores up to {scale}, step {step + 1}: {before - after} came back"
        assert all(entry["returned"] == [] for entry in pruning.log) and len(closed[-1]) == 6
    assert any(entry["returned"] for seed in range(4) for entry in run("dynamic", seed=seed)[0].log)


def test_one_shot_closes_all_at_the_first_step_and_never_again():
    pruning, script, closed = run("one-shot")
    assert len(script.given) == 1 and [entry["step"] for entry in pruning.log] == [0]
    assert pruning.log[0]["ratio"] == 0.5
    assert all(heads == heads_to_close(script.given[0], 0.5) for heads in closed)


def test_none_closes_nothing():
    pruning, script, closed = run("none")
    assert closed == [set()] * 14 and pruning.log == [] and script.given == []


def test_from_the_end_on_the_mask_is_frozen():
    for schedule in ("dynamic", "monotone"):
        _, script, closed = run(schedule, steps=30, end=10, every=4)
        assert len(script.given) == 4, "scored at 0, 4, 8 and at the end, 10, and never later"
        assert all(heads == closed[10] for heads in closed[10:]) and len(closed[10]) == 6


# a closed head stays what it was

def owned(head, model, optimizer):
    """Copies of all that belongs to a head: its rows and columns, and their two moments (0 before the first step)."""
    kind, layer, place = head
    part, found = model.attentions()[kind, layer], {}
    for matrix in ("query", "key", "value", "output"):
        for name, parameter in getattr(part, matrix).named_parameters():
            if (matrix, name) == ("output", "bias"):
                continue
            state = optimizer.state.get(parameter, {})
            for what, tensor in (("", parameter.detach()), ("exp_avg", state.get("exp_avg")),
                                 ("exp_avg_sq", state.get("exp_avg_sq"))):
                tensor = torch.zeros_like(parameter) if tensor is None else tensor
                cut = tensor[:, 4 * place:4 * place + 4] if matrix == "output" else tensor[4 * place:4 * place + 4]
                found[f"{matrix}.{name} {what}"] = cut.clone()
    return found


def moved(before, after):
    return [name for name in before if not torch.equal(before[name], after[name])]


@pytest.mark.parametrize("schedule", ["dynamic", "monotone", "one-shot"])
def test_a_closed_head_is_kept_bit_for_bit(schedule):
    """Weight decay and momentum would move it; one-shot closes heads before the optimizer has any moments."""
    model = tiny(7).train()
    pruning, optimizer = DynamicPruning(model, Script(model, 2), 0.5, 12, 2, schedule), adamw(model)
    kept, returns = {}, 0
    heads = [(*name, place) for name in model.attentions() for place in range(3)]
    for step in range(18):
        before = {head: owned(head, model, optimizer) for head in heads}
        pruning.before_step(step, model, optimizer)
        returned = set(kept) - pruning.closed
        for head in returned:
            assert not moved(kept[head], owned(head, model, optimizer)), f"{head} came back changed"
            del kept[head]
        returns += len(returned)
        kept |= {head: before[head] for head in pruning.closed - set(kept)}
        optimizer.zero_grad()
        token_loss(model(SOURCE, LENGTHS, TARGET, pruning.gates), TARGET).backward()
        optimizer.step()
        pruning.after_step(model, optimizer)
        for head in heads:
            after = owned(head, model, optimizer)
            if head in kept:
                assert not moved(kept[head], after), f"step {step}: {head} is closed, yet {moved(kept[head], after)} " \
                                                     "moved: weight decay and momentum move what has no gradient"
            else:
                assert moved(before[head], after), f"step {step}: {head} is open and must learn"
    assert len(kept) == 6 and (returns > 0 or schedule != "dynamic")


def test_without_putting_it_back_a_closed_head_would_move():
    model = tiny(7).train()
    pruning, optimizer = DynamicPruning(model, Script(model, 2), 0.5, 12, 2, "one-shot"), adamw(model)
    pruning.after_step = lambda *_: None
    pruning.before_step(0, model, optimizer)
    head = min(pruning.closed)
    before = owned(head, model, optimizer)
    one_step(1, model, optimizer, pruning)
    assert "query.weight " in moved(before, owned(head, model, optimizer)), "this is what the test above must see"


def test_the_output_bias_belongs_to_no_head_and_goes_on_learning():
    model = tiny(7).train()
    before = {name: part.output.bias.detach().clone() for name, part in model.attentions().items()}
    pruning, optimizer = DynamicPruning(model, Script(model, 2), 0.5, 12, 2, "one-shot"), adamw(model)
    one_step(0, model, optimizer, pruning)
    for name, part in model.attentions().items():
        assert (part.output.bias != before[name]).all(), f"b_O of {name}, or a part of it, was held back"


@pytest.mark.parametrize("stop", [0, 1, 5, 12])
def test_a_restored_schedule_goes_on_as_if_never_stopped(stop):
    """Through a file, read without running code from it."""
    model = tiny(8).train()
    optimizer, script = adamw(model), Script(model, 5)
    pruning = DynamicPruning(model, script, 0.5, 10, 3)
    for step in range(stop):
        one_step(step, model, optimizer, pruning)
    file = io.BytesIO()
    torch.save({"pruning": pruning.state(), "model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    state = torch.load(file, weights_only=True)

    again = tiny(0).train()
    again.load_state_dict(state["model"])
    optimizer2, script2 = adamw(again), Script(again, 5)
    optimizer2.load_state_dict(state["optimizer"])
    for _ in script.given:
        script2(again)  # its random numbers go on where the first stopped
    pruning2 = DynamicPruning(again, script2, 0.5, 10, 3)
    pruning2.restore(state["pruning"], again)
    assert pruning2.closed == pruning.closed and pruning2.log == pruning.log
    for name, gate in pruning.gates.items():
        assert torch.equal(pruning2.gates[name], gate), f"the gates of {name}"
    for step in range(stop, 14):
        one_step(step, model, optimizer, pruning)
        one_step(step, again, optimizer2, pruning2)
    assert pruning2.closed == pruning.closed and pruning2.log == pruning.log and pruning.closed
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), f"{name} differs after going on from step {stop}"
