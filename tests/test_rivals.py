"""The rivals' promises: each equals brute force, problem by problem and head by head.

That they score just the model's heads and leave no trace is tested in test_scorer.py.
"""
import copy
import inspect

import torch
from torch.nn.functional import cross_entropy

from builders import randoms, tiny_model
from checks import check
from test_scorer import ALONE, BATCHES, check_scores, shallow_model
from tinyprune import PAD
from tinyprune.masking import gates_for, remove_heads
from tinyprune.rivals import example_losses, greedy_score, mean_loss
from tinyprune.scorer import CRITERIA

LENGTHS = torch.tensor([[batch.target.shape[1]] for batch in ALONE])  # (6, 1), in tokens


@torch.no_grad()
def losses(model, gates=None):
    """Each problem's own loss, (6,), by the library's model, which test_transformer.py checks."""
    logits = [model(batch.source, batch.lengths, batch.target, gates) for batch in ALONE]
    return torch.stack([cross_entropy(x[0], batch.target[0]) for x, batch in zip(logits, ALONE)])


def test_example_losses_are_each_problems_own_mean():
    logits = randoms(4, 4, 7)
    target = torch.tensor([[3, 4, 5, 6], [5, 3, PAD, PAD], [6, 3, 4, PAD], [PAD] * 4])
    pairs = zip(logits, target)
    expected = torch.stack([cross_entropy(*pair, ignore_index=PAD) for pair in pairs]).nan_to_num()
    sizes = torch.tensor([4, 2, 3, 0])
    sums = expected * sizes
    every_token = cross_entropy(logits.transpose(1, 2), target, reduction="none")
    check(example_losses(logits, target), expected, "losses of 4 problems, one without a token", {
        "divided by the padded length, not by the real tokens": sums / 4,
        "summed, not averaged, over a problem's tokens": sums,
        "padding is counted": every_token.mean(1),
        "an unreadable equation has no token: 0/0": sums / sizes})


def test_gradients_equal_finite_differences():
    model = shallow_model()
    columns = []
    for kind, layer, index in model.heads():
        nudge = 1e-4 * torch.eye(3).double()[index]
        rise = losses(model, {(kind, layer): 1 + nudge}) - losses(model, {(kind, layer): 1 - nudge})
        columns.append(rise / 2e-4)
    slopes = torch.stack(columns, dim=1)  # (problems, heads)
    sizes = slopes.abs()
    first, last = slopes.split([2, 4])  # the two batches
    means = first.abs().mean(0) + last.abs().mean(0)
    check_scores(CRITERIA["gradient"], model, sizes.mean(0), "gradients", {
        "the absolute value of the batch's gradient: in the sum the problems' gradients cancel":
            (first.sum(0).abs() + last.sum(0).abs()) / 6,
        "the absolute value of the batch's mean gradient, averaged over batches":
            (first.mean(0).abs() + last.mean(0).abs()) / 2,
        "no absolute value: gradients of opposite sign cancel": slopes.mean(0),
        "the batches' means were averaged: divide once by all problems": means / 2,
        "summed over the problems, not averaged": sizes.sum(0),
        "divided by the number of batches, not of problems": sizes.sum(0) / 2,
        "the losses are divided by the batch's size before the absolute value is taken":
            means / 6,
        "each problem's loss is a sum over its tokens, not a mean": (sizes * LENGTHS).mean(0)})


def test_activations_equal_brute_force():
    """What a head adds = the attention's output with this head open alone, less b_O."""
    model = shallow_model()
    spy = copy.deepcopy(model)
    sizes = []  # ‖what a head adds to each word or token‖: 9 heads, then those of the next problem

    def note(attention, inputs, options):
        arguments = inspect.signature(attention.forward).bind(*inputs, **options).arguments
        for gate in torch.eye(3).double():
            output, _ = attention.forward(**(arguments | {"head_gate": gate}))
            sizes.append((output[0] - attention.output.bias).norm(dim=-1))

    for attention in spy.attention_layers().values():
        attention.register_forward_pre_hook(note, with_kwargs=True)
    losses(spy)  # every problem once; with one layer each, attention runs in the order of heads

    def each(function):
        return torch.stack([function(torch.cat(sizes[head::9])) for head in range(9)])

    check_scores(CRITERIA["activation"], model, each(torch.mean), "activations", {
        "summed over the queries, not averaged": each(torch.sum),
        "divided by the number of problems, not of real queries": each(torch.sum) / 6,
        "the root of the mean square, not the mean of the norms":
            each(lambda sizes: (sizes ** 2).mean().sqrt())})


def test_leave_one_out_equals_removing_each_head():
    model = shallow_model()
    whole = losses(model)
    without = [losses(remove_heads(model, {head})) for head in model.heads()]
    rises = torch.stack(without, dim=1) - whole[:, None]  # (problems, heads)
    first, last = rises.split([2, 4])  # the two batches
    right = rises.mean(0)
    check_scores(CRITERIA["leave-one-out"], model, right, "rises of the loss", {
        "the sign is wrong: a head is important if the loss rises without it": -right,
        "this is the loss itself, not its rise": right + whole.mean(),
        "the absolute rise: a head whose removal helps must score low": right.abs(),
        "the batches' means were averaged": (first.mean(0) + last.mean(0)) / 2,
        "long equations weigh more: a mean over problems is asked, not over tokens":
            (rises * LENGTHS).sum(0) / LENGTHS.sum()})


def test_random_scores_come_from_their_seed():
    model = tiny_model()
    torch.manual_seed(1)
    first = CRITERIA["random"](model, BATCHES, seed=4)
    torch.manual_seed(2)
    check(CRITERIA["random"](model, BATCHES, seed=4), first, "the same seed, the same scores")
    numbers = [*first.values(), *CRITERIA["random"](model, BATCHES, seed=5).values()]
    assert len(set(numbers)) == 36, "another seed, and every other head, needs another number"


# greedy elimination

def test_greedy_prunes_what_costs_least_beside_what_went_before():
    model = shallow_model()
    scores = greedy_score(model, BATCHES)
    order = sorted(scores, key=scores.get)
    left = {head[:2]: 3 for head in order}
    for turn in range(6):  # three attentions of three heads, and one stays in each
        gone = set(order[:turn])
        losses = {head: mean_loss(model, BATCHES, gates_for(model, {*gone, head})).item()
                  for head in order[turn:] if left[head[:2]] > 1}
        assert order[turn] == min(losses, key=losses.get), f"turn {turn}"
        assert scores[order[turn]] == turn
        left[order[turn][:2]] -= 1
    assert set(left.values()) == {1}


def test_greedy_stops_at_its_share_and_ranks_the_rest_by_loss():
    model = shallow_model()
    scores = greedy_score(model, BATCHES, share=0.3)  # 2.7 of 9 heads: 3
    order = sorted(scores, key=scores.get)
    assert [scores[head] for head in order[:3]] == [0, 1, 2]
    for head in order[3:]:
        loss = mean_loss(model, BATCHES, gates_for(model, {*order[:3], head})).item()
        check(scores[head], 3 + loss, f"{head} stays")
