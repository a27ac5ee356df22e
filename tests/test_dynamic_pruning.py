"""What dynamic pruning promises: when heads are masked, which, and that they return unchanged."""
import copy
import math
import random

import pytest
import torch

from builders import heads_of, tiny_batch, tiny_model
from checks import check
from tinyprune.checkpoint import read, save
from tinyprune.distill import task_loss
from tinyprune.dynamic_pruning import DynamicPruning, head_parts, ratio_at
from tinyprune.masking import remove_heads, select_heads
from tinyprune.transformer import Head

BATCH = tiny_batch()

# the schedule


def cubic(step, end=10, ratio=0.5):
    return ratio * (1 - (1 - step / end) ** 3)


def test_the_ratio_rises_from_zero_cubically_and_is_held():
    steps = [0, 10, 20, 30, 49, 50, 51, 999]
    got = torch.tensor([ratio_at(step, 10, 50, 0.4) for step in steps])
    expected = torch.tensor([0, 0, 0.23125, 0.35, cubic(39, 40, 0.4), 0.4, 0.4, 0.4])
    slow_first = 0.4 * (39 / 40) ** 3
    done = torch.tensor([0, 0, 0.25, 0.5, 39 / 40, 1, 41 / 40, 989 / 40])
    held = done.clamp(max=1)
    check(got, expected, f"steps {steps} of a schedule from 10 to 50, ratio 0.4", {
        "it is not held after the end: the cubic goes on": 0.4 * (1 - (1 - done) ** 3),
        "it goes on after the end, where it must be held": 0.4 * done,
        "after the end it is 0: it must be held": expected * (done <= 1),
        "quadratic: it must be cubic": 0.4 * (1 - (1 - held) ** 2),
        "to the fourth power: it must be cubic": 0.4 * (1 - (1 - held) ** 4),
        "the ratio is missing: it rises to 1": expected / 0.4,
        "it starts at the ratio and falls to 0": 0.4 * (1 - held) ** 3,
        "the first step is counted as done: at `start` nothing is pruned":
            0.4 * (1 - (1 - (done + (done > 0) / 40).clamp(max=1)) ** 3),
        "linear: it must be cubic, most heads go early, the last ones slowly":
            torch.tensor([0, 0, 0.1, 0.2, 0.39, 0.4, 0.4, 0.4]),
        "cubic the other way round: slow at first":
            torch.tensor([0, 0, 0.00625, 0.05, slow_first, 0.4, 0.4, 0.4]),
        "it starts at step 0, not at `start`":
            torch.tensor([cubic(min(step, 50), 50, 0.4) for step in steps])})
    assert ratio_at(50, 10, 50, 0.3) == 0.3, "exactly, so that the count of heads is exact"


@pytest.mark.parametrize("start, end", [(0, 1), (0, 7), (3, 4), (0, 0), (5, 5)])
def test_the_ratio_is_reached_at_the_end_and_never_falls(start, end):
    try:
        ratios = [ratio_at(step, start, end, 0.6) for step in range(20)]
    except ZeroDivisionError as error:
        raise AssertionError(f"a schedule from {start} to {end} divides by end - start = 0: all "
                             "heads go at once there") from error
    assert ratios == sorted(ratios), f"from {start} to {end}: {ratios}"
    assert ratios[:start] == [0] * start, f"before step {start} nothing is pruned: {ratios}"
    assert ratios[end] == max(ratios) == 0.6, f"from {start} to {end}: {ratios}"


class Script:
    """A score function that gives random scores, each time others, and keeps them."""

    def __init__(self, seed=0, scale=1.0):
        self.rng = random.Random(seed)
        self.scale = scale
        self.given = []

    def __call__(self, model):
        scores = {head: self.scale * (self.rng.random() - 0.5) for head in model.heads()}
        self.given.append(dict(scores))
        return scores


def start(model, schedule, script=None, end=12, every=2, **options):
    """An optimizer, unless the model is None, and a DynamicPruning of half of the heads."""
    optimizer = model and torch.optim.AdamW(model.parameters(), lr=0.05, weight_decay=0.2)
    script = script or Script(2)
    return optimizer, DynamicPruning(script, 0.5, end, every, schedule, **options)


def masked_heads(model, gates):
    """The heads whose gate is 0."""
    values = [value for gate in gates.values() for value in gate.tolist()]
    return {head for head, value in zip(model.heads(), values) if value == 0}


def run(schedule, steps=14, every=3, scale=1.0, seed=0):
    """The schedule alone, to its end at step 10, without learning; half of the 18 heads go.

    -> DynamicPruning, its Script, the pruned heads at each step
    """
    model = tiny_model(6).train()
    script = Script(seed, scale)
    optimizer, pruning = start(model, schedule, script, end=10, every=every)
    pruned = []
    for step in range(steps):
        pruning.before_step(step, model, optimizer)
        pruned.append(set(pruning.pruned))
        assert masked_heads(model, pruning.gates) == pruned[-1], "the gates mask the pruned heads"
        assert set(pruning.saved) == pruned[-1], \
            f"step {step}: `saved` must have parts of the pruned heads and of no others"
        assert all(map(math.isfinite, pruning.scores.values())), \
            "to rank a pruned head lowest must not change its average"
    assert model.training, "the model was in train mode and must be in it again"
    for head, parts in pruning.saved.items():
        views = head_parts(head, model, optimizer)
        shared = [name for name, part in parts.items() if part.data_ptr() == views[name].data_ptr()]
        assert not shared, "`saved` holds views, which change with the model: copy them"
    return pruning, script, pruned


def test_dynamic_prunes_the_lowest_smoothed_scores_and_heads_come_back():
    pruning, script, pruned = run("dynamic")
    steps = [entry["step"] for entry in pruning.log]
    assert steps == [0, 3, 6, 9, 10], "every 3 steps, and at the end"
    smoothed = script.given[0]
    before = set()
    for entry, fresh in zip(pruning.log, script.given):
        if entry["step"] > 0:
            smoothed = {head: (smoothed[head] + fresh[head]) / 2 for head in fresh}
        ratio = cubic(entry["step"])
        expected = select_heads(smoothed, ratio)
        check(entry["ratio"], ratio, f"the ratio at step {entry['step']}, in the log")
        check(pruned[entry["step"]], expected, f"pruned heads at step {entry['step']}", {
            "the scores are not smoothed": select_heads(fresh, ratio)})
        check(entry["pruned"], sorted(expected - before), "newly pruned heads, in the log")
        check(entry["returned"], sorted(before - expected), "heads that returned, in the log")
        before = expected
    assert any(entry["returned"] for entry in pruning.log), "with these scores some heads come back"
    assert len(pruned[0]) == 0, "none at step 0"
    assert len(pruned[10]) == 9, "half of 18 heads at the end"


def test_smoothing_weighs_the_old_scores():
    model = tiny_model()
    head = Head("cross", 0, 1)
    _, pruning = start(model, "dynamic", every=1, ema_decay=0.8)
    pruning.update_average(dict.fromkeys(model.heads(), 2.0))
    check(pruning.scores[head], 2.0, "the first scores, 2", {
        "the average starts at 0: start it at the first scores": 0.4})
    pruning.update_average(dict.fromkeys(model.heads(), 1.0))
    check(pruning.scores[head], 1.8, "0.8 of the old scores, 2, and 0.2 of the new ones, 1", {
        "ema_decay is the weight of the old scores, not of the new": 1.2,
        "the scores are not smoothed": 1.0,
        "the new scores never count": 2.0,
        "the old and the new scores weigh the same": 1.5,
        "the old scores are not weighed down: the weights must sum to 1": 2.2})
    fresh = dict.fromkeys(model.heads(), 1.0)
    pruning.update_average(fresh)
    check(pruning.scores[head], 0.8 * 1.8 + 0.2, "the same new scores again")
    _, another = start(model, "dynamic", every=1)
    another.update_average(fresh)
    another.update_average(dict.fromkeys(model.heads(), 3.0))
    assert fresh[head] == 1.0, "the average and the first scores are one dictionary: make a new one"
    _, zero = start(model, "dynamic", every=1, ema_decay=0.8)
    zero.update_average(dict.fromkeys(model.heads(), 0.0))
    zero.update_average(fresh)
    check(zero.scores[head], 0.2, "first scores of 0, then of 1", {
        "an old average of 0 is an average, too: it is not missing": 1.0})


def test_heads_are_scored_every_few_steps_and_at_the_end():
    def due(schedule, every=3, end=10):
        pruning = start(None, schedule, end=end, every=every)[1]
        return [step for step in range(20) if pruning.is_due(step)]

    check(due("dynamic"), [0, 3, 6, 9, 10], "the steps with a scoring, every 3, to the end at 10", {
        "not at the end: there the whole ratio is reached": [0, 3, 6, 9],
        "it goes on after the end: there the mask is frozen": [0, 3, 6, 9, 10, 12, 15, 18],
        "not at step 0: every 3 steps begins there": [3, 6, 9, 10],
        "the last scoring is at the end, 10, not after it": [0, 3, 6, 9, 12],
        "every step": list(range(11))})
    check(due("monotone", end=9), [0, 3, 6, 9], "monotone, to the end at 9")
    check(due("one-shot"), [0], "one-shot: at the first step and never again")
    check(due("none"), [], "none: never")


@pytest.mark.parametrize("scale", [1, 100])
def test_no_head_comes_back_in_monotone(scale):
    """Whatever the size of the scores: those of the rival criteria are raw."""
    returned = []
    for seed in range(3):
        pruning, _, pruned = run("monotone", scale=scale, seed=seed)
        for step, (before, after) in enumerate(zip(pruned, pruned[1:]), 1):
            back = before - after
            assert not back, f"scores up to {scale}, step {step}: {back} came back"
        assert not any(entry["returned"] for entry in pruning.log), "the log says they did"
        check(len(pruned[-1]), 9, "half of 18 heads at the end (pruned heads rank lowest, and are "
                                  "not added to the choice)")
        returned += [entry["returned"] for entry in run("dynamic", seed=seed)[0].log]
    assert any(returned), "the same scores without `monotone`: heads come back"


def test_one_shot_prunes_all_at_the_first_step_and_never_again():
    pruning, script, pruned = run("one-shot")
    check(len(script.given), 1, "how often the heads were scored")
    entries = [(entry["step"], entry["ratio"]) for entry in pruning.log]
    check(entries, [(0, 0.5)], "steps and ratios of the log")
    check(pruned, [select_heads(script.given[0], 0.5)] * 14, "the pruned heads at each step")


def test_none_prunes_nothing():
    pruning, script, pruned = run("none")
    assert pruned == [set()] * 14
    assert pruning.log == script.given == []


def test_a_mistyped_schedule_is_refused():
    with pytest.raises(ValueError, match="no schedule 'one_shot': choose one of .*one-shot"):
        run("one_shot")


@pytest.mark.parametrize("schedule", ["dynamic", "none"])
def test_there_are_no_gates_while_nothing_is_pruned(schedule):
    pruning = run(schedule, steps=1)[0]
    assert pruning.gates == {}
    pruning.restore(pruning.state(), tiny_model(6))
    assert pruning.gates == {}, "nor in a run that goes on"


@pytest.mark.parametrize("schedule", ["dynamic", "monotone"])
def test_from_the_end_on_the_mask_is_frozen(schedule):
    _, script, pruned = run(schedule, steps=30, every=4)
    assert len(script.given) == 4, "scored at 0, 4, 8 and at the end, 10, and never later"
    check(pruned[10:], [pruned[10]] * 20, "the pruned heads from step 10 on")
    check(len(pruned[10]), 9, "half of 18 heads")


# a pruned head stays as it was


def learn(model, optimizer, pruning):
    """The rest of a step of train.py, after before_step."""
    optimizer.zero_grad()
    task_loss(model, BATCH, pruning.gates).backward()
    optimizer.step()
    pruning.after_step(model, optimizer)


def owned(head, model, optimizer):
    """Copies of a head's rows and columns, and of their moments: 0 before the first step."""
    attention = model.attention_layers()[head[:2]]
    position = attention.heads.index(head.index)
    rows = slice(4 * position, 4 * position + 4)
    parts = {}
    for name, parameter in attention.named_parameters():
        state = optimizer.state.get(parameter, {})
        tensors = {name: parameter.detach()}
        for moment in ("exp_avg", "exp_avg_sq"):
            tensors[f"{moment} of {name}"] = state.get(moment, torch.zeros_like(parameter))
        for key, tensor in tensors.items():
            if name == "output.weight":
                parts[key] = tensor[:, rows].clone()
            elif name != "output.bias":  # it belongs to no head
                parts[key] = tensor[rows].clone()
    return parts


def moved(before, after):
    return [name for name in before if not torch.equal(before[name], after[name])]


@pytest.mark.parametrize("schedule", ["dynamic", "monotone", "one-shot"])
@pytest.mark.parametrize("removed", [set(), heads_of("encoder 0 0, cross 1 1")],
                         ids=["all heads there", "two heads removed before"])
def test_a_pruned_head_is_kept_bit_for_bit(schedule, removed):
    """Weight decay and momentum would move it; one-shot prunes before there are any moments.

    removed: heads that were removed before; the others keep their names
    """
    model = remove_heads(tiny_model(7), removed)
    optimizer, pruning = start(model, schedule)
    kept = {}  # what was pruned, as it was then
    returns = 0
    for step in range(18):
        before = {head: owned(head, model, optimizer) for head in model.heads()}
        pruning.before_step(step, model, optimizer)
        for head in set(kept) - pruning.pruned:
            changed = moved(kept.pop(head), owned(head, model, optimizer))
            assert not changed, f"{head} came back changed"
            returns += 1
        kept |= {head: before[head] for head in pruning.pruned - set(kept)}
        learn(model, optimizer, pruning)
        for head in model.heads():
            after = owned(head, model, optimizer)
            if head in kept:
                names = moved(kept[head], after)
                assert not names, (f"step {step}: {head} is pruned, yet {names[0]} and "
                                   f"{len(names) - 1} others moved: weight decay and momentum "
                                   "move what has no gradient, and the moments move, too")
            else:
                assert moved(before[head], after), (f"step {step}: {head} is active and must learn "
                                                    "(is it still in `saved`?)")
    check(len(kept), len(model.heads()) // 2, "how many heads are pruned at the end")
    assert returns > 0 or schedule != "dynamic", "no head came back"
    check(masked_heads(model, pruning.gates), set(kept), "the heads with gate 0")
    assert set(remove_heads(model, pruning.pruned).heads()) == set(model.heads()) - set(kept)


def test_the_output_bias_belongs_to_no_head_and_goes_on_learning():
    model = tiny_model(7)
    before = copy.deepcopy(model).attention_layers()
    optimizer, pruning = start(model, "one-shot")
    pruning.before_step(0, model, optimizer)
    learn(model, optimizer, pruning)
    for name, attention in model.attention_layers().items():
        changed = attention.output.bias != before[name].output.bias
        assert changed.all(), f"b_O of {name}, or a part of it, was held back"


def go_on(steps, model, optimizer, pruning):
    for step in steps:
        pruning.before_step(step, model, optimizer)
        learn(model, optimizer, pruning)


@pytest.mark.parametrize("stop", [0, 1, 5, 14])
def test_a_restored_schedule_goes_on_as_if_never_stopped(stop, tmp_path):
    """Through a file, read without running code from it."""
    path = tmp_path / "checkpoint.pt"
    model = tiny_model(8)
    optimizer, pruning = start(model, "dynamic")
    go_on(range(stop), model, optimizer, pruning)
    save([model.state_dict(), optimizer.state_dict(), pruning.state()], path)

    model2 = tiny_model(0)
    optimizer2, pruning2 = start(model2, "dynamic")
    pruning2.score = copy.deepcopy(pruning.score)  # its random numbers go on too
    model_state, optimizer_state, pruning_state = read(path)
    model2.load_state_dict(model_state)
    optimizer2.load_state_dict(optimizer_state)
    pruning2.restore(pruning_state, model2)
    assert pruning2.log == pruning.log
    assert pruning2.pruned == pruning.pruned
    assert masked_heads(model2, pruning2.gates) == pruning.pruned
    go_on(range(stop, 16), model, optimizer, pruning)
    go_on(range(stop, 16), model2, optimizer2, pruning2)
    assert pruning2.log == pruning.log
    assert pruning2.pruned == pruning.pruned
    assert pruning.pruned, "else the test sees nothing"
    for name, tensor in model.state_dict().items():
        same = torch.equal(model2.state_dict()[name], tensor)
        assert same, f"{name} differs after going on from step {stop}"
