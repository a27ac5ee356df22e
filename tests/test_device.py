"""The promise that needs a GPU to break: all tensors of a step are on one device, and none is read.

torch's "meta" device has shapes and no values. A tensor made on the CPU by mistake cannot meet one
of its tensors, and whoever asks for a value (`.item()`, `x[mask]`) gets an error.
"""
from dataclasses import replace
from functools import partial

import pytest
import torch

from builders import batch_on, heads_of, model_for, tiny_batch, tiny_model
from cases import small_problem
from tinyprune import rivals, scorer, train
from tinyprune.batching import make_batch
from tinyprune.distill import (
    distillation_loss,
    ensemble_loss,
    live_ensemble_loss,
    mean_probabilities,
    task_loss,
)
from tinyprune.masking import gates_for, remove_heads
from tinyprune.train import TrainConfig, Training
from tinyprune.vocabulary import Vocabularies

ELSEWHERE = "meta"


@pytest.fixture
def model():
    return tiny_model().to(ELSEWHERE)


@pytest.fixture
def batch():
    return batch_on(tiny_batch(), ELSEWHERE)


def two_equations(batch):
    """A second equation for each text."""
    return replace(batch, target=batch.target.repeat(2, 1), start=batch.start.repeat(2))


def losses_of(model):
    """Every loss: {name: a function of the model, the batch and gates}"""
    teacher = tiny_model(seed=1).to(ELSEWHERE)

    def recorded(model, batch, gates, **options):
        soft = mean_probabilities([teacher], batch, temperature=2.5)
        return ensemble_loss(model, replace(batch, soft=soft), gates, **options)

    return {"plain": task_loss, "distilled": partial(distillation_loss, teacher=teacher),
            "without alignment": partial(distillation_loss, teacher=teacher, alignment=0),
            "recorded": recorded, "recorded, aligned": partial(recorded, origin=teacher),
            "live": partial(live_ensemble_loss, teachers=[teacher, teacher])}


@pytest.mark.parametrize("name", ["plain", "distilled", "without alignment", "recorded",
                                  "recorded, aligned", "live"])
@pytest.mark.parametrize("pruned", ["", "encoder 0 0, cross 1 2"])
def test_a_loss_and_its_gradient_read_no_value(model, batch, name, pruned):
    gates = gates_for(model, heads_of(pruned)) if pruned else None
    loss = losses_of(model)[name]
    loss(model.train(), two_equations(batch), gates).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_student_without_some_of_its_teachers_heads_reads_no_value(batch):
    student = remove_heads(tiny_model(), heads_of("encoder 0 0, cross 1 2")).to(ELSEWHERE)
    losses_of(student)["distilled"](student, batch).backward()


@pytest.mark.parametrize("share", [0.1, (0.0, 0.6)])
def test_a_whole_training_step_reads_no_value(share, monkeypatch):
    def plain_adamw(weights, rate, **options):
        """The fused one knows no meta device, and a rate is checked, which reads it.

        Nor does the clipping of all weights together.
        """
        return AdamW(weights, 0.1, **options | dict(fused=False, foreach=False))

    def plain_clip(weights, norm, foreach):
        return clip(weights, norm)

    AdamW = torch.optim.AdamW
    clip = torch.nn.utils.clip_grad_norm_
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", plain_clip)
    monkeypatch.setattr(torch.optim, "AdamW", plain_adamw)
    monkeypatch.setattr(train, "DEVICE", ELSEWHERE)
    problems = [small_problem("tom has N0 and N1", "+ N0 N1"), small_problem("ann N0", "N0")]
    words = Vocabularies.of(problems, min_count=1)
    model = model_for(words, dropout=0.1)
    config = TrainConfig(epochs=1, word_dropout=share)
    run = Training(model, problems, words, config, task_loss)
    batch = batch_on(make_batch(problems, words, mirrored=True), ELSEWHERE)
    run.learn(batch)
    assert run.learn(batch).is_meta


@pytest.mark.parametrize("criterion", [
    lambda model, _: scorer.head_norms(model), scorer.head_entropies, rivals.gradient_score,
    rivals.activation_score, rivals.leave_one_out_score])
def test_scores_are_read_only_when_all_are_there(criterion, batch, monkeypatch):
    model = tiny_model(encoder_layers=1, decoder_layers=1).to(ELSEWHERE)
    for module in (scorer, rivals):
        monkeypatch.setattr(module, "by_head", lambda _, values: values)
    scores = criterion(model, [batch, batch])
    assert scores and all(values.is_meta for values in scores.values())


# the guard itself

@pytest.mark.parametrize("mistake", [
    lambda x: x + torch.zeros(3), lambda x: x[x > 0], lambda x: x.sum().item(),
    lambda x: x.nonzero(), lambda x: x if x.sum() else -x])
def test_the_guard_finds_a_mistake(mistake):
    with pytest.raises((RuntimeError, NotImplementedError)):
        mistake(torch.ones(3, device=ELSEWHERE))
