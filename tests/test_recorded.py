"""Recorded steps without a GPU: what is padded, recorded and replayed. gpu.py checks a real one."""
import contextlib
from types import SimpleNamespace

import pytest
import torch

from builders import tiny_batch, tiny_model
from checks import check
from tinyprune import PAD, recorded
from tinyprune.distill import task_loss
from tinyprune.recorded import RecordedSteps, pad_batch, size_for


@pytest.mark.parametrize("length, size", [(1, 5), (5, 5), (6, 7), (8, 11), (12, 12), (41, 41)])
def test_a_length_gets_the_smallest_size_that_holds_it(length, size):
    check(size_for(length, (5, 7, 11)), size, f"a size for {length}")


def test_more_padding_changes_no_loss():
    model = tiny_model()
    batch = tiny_batch(sources=(6, 3), targets=(2, 5))
    longer = pad_batch(batch)
    assert longer.source.shape == (2, 16, 5) and longer.target.shape == (2, 5)
    assert (longer.source[:, 6:] == PAD).all() and (longer.source[:, :, 2:] == PAD).all()
    check(task_loss(model, longer), task_loss(model, batch), "the loss of the padded batch")


class FakeGraph:
    """A CUDA graph that does on replay what the recorded function does, to the same batch."""

    def replay(self):
        self.result.copy_(self.work())


@pytest.fixture
def steps(monkeypatch):
    """RecordedSteps around a function that sums a batch's words and notes each call of its own."""
    calls = []

    def update(batch):
        if not recording:
            calls.append(batch)
        return batch.source.sum()[None]

    @contextlib.contextmanager
    def graph(new, pool, stream):
        recording.append(new)
        yield
        recording.pop()

    def record(batch):
        new, recorded_batch, result = RecordedSteps.record(steps, batch)
        new.result = result
        new.work = lambda: recorded_batch.source.sum()[None]
        result.zero_()  # what was recorded was not executed
        return new, recorded_batch, result

    recording = []
    waiting = SimpleNamespace(wait_stream=lambda other: None)
    fake = dict(Stream=lambda: waiting, current_stream=lambda: waiting, CUDAGraph=FakeGraph,
                graph=graph, graph_pool_handle=lambda: None,
                stream=lambda stream: contextlib.nullcontext())
    monkeypatch.setattr(recorded.torch, "cuda", SimpleNamespace(**fake))
    gates = {}
    steps = RecordedSteps(update, batch_size=2, gates=lambda: gates)
    monkeypatch.setattr(steps, "record", record)
    return SimpleNamespace(steps=steps, calls=calls, gates=gates)


def test_a_size_is_recorded_at_its_second_batch_and_then_replayed_on_each(steps):
    batches = [tiny_batch(seed=seed) for seed in range(4)]
    found = [steps.steps(batch).item() for batch in batches]
    check(found, [batch.source.sum().item() for batch in batches], "four batches of one size", {
        "each replay must see its own batch": [found[0]] + 3 * [batches[1].source.sum().item()]})
    check(len(steps.calls), 1, "steps taken one operation at a time")


def test_a_result_survives_the_next_replay(steps):
    results = [steps.steps(tiny_batch(seed=seed)) for seed in range(4)]
    kept = [result.item() for result in results]
    assert len(set(kept)) == 4, "each replay writes to the same place: keep a copy"


def test_other_sizes_and_gates_are_recorded_apart(steps):
    for _ in range(2):
        steps.steps(tiny_batch())
        steps.steps(tiny_batch(sources=(17, 3)))
    steps.gates["encoder", 0] = torch.ones(3)
    steps.steps(tiny_batch())
    check(len(steps.steps.recordings), 3, "two sizes, and one of them with gates")
    check(len(steps.calls), 3, "the first batch of each")


def test_a_batch_of_fewer_problems_is_not_recorded(steps):
    for _ in range(3):
        steps.steps(tiny_batch(sources=(6,), targets=(2,)))
    check(len(steps.calls), 3, "steps taken one operation at a time")
    assert not steps.steps.recordings
