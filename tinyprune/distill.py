"""The distillation loss: the student learns from the teacher's whole distribution.

    L = λ1 * (τ² * KL(teacher || student, both at temperature τ) + β * attention alignment)
        + λ2 * cross-entropy

All means are over real target tokens, or over real query rows; padding counts nowhere.
Hinton et al. 2015 (temperature); arXiv 2511.17577 (KL + attention alignment, layer by layer).

Several teachers answer together: the mean of their softened probabilities takes the one teacher's
place. It is computed once, and kept, or at each step (`live_ensemble_loss`). Or each problem is
asked only of a teacher that has not learned from it (`cross_fitted_probabilities`).

A loss for train.py is a function (model, batch, gates) -> a number: here `task_loss`,
`distillation_loss`, `ensemble_loss` and `live_ensemble_loss`. Bind their options with
functools.partial.
"""
from dataclasses import replace

import torch

from tinyprune import PAD
from tinyprune.batching import batches
from tinyprune.transformer import masked_mean, token_loss

LABEL_SMOOTHING = 0.1
TEMPERATURE = 3.0


def soft_loss(student_logits, probabilities, real, temperature):
    """τ² * KL(probabilities || student at temperature τ): a mean over real tokens.

    student_logits (B, T, V); probabilities (B, T, V), a teacher's at this temperature: some may be
    exactly 0, all at padding; real (B, T), True for real target tokens -> a number
    The factor τ² keeps the gradient's size: softening shrinks it by 1/τ twice.
    """
    ### BEGIN SOLUTION
    student = (student_logits / temperature).log_softmax(dim=-1)  # (B, T, V)
    terms = torch.xlogy(probabilities, probabilities) - probabilities * student
    return temperature**2 * masked_mean(terms.sum(dim=-1), real)
    ### END SOLUTION


def kd_loss(student_logits, teacher_logits, real, temperature):
    """τ² * KL(teacher || student), both softened by the temperature τ: a mean over real tokens.

    logits (B, T, V), real (B, T), True for real target tokens -> a number
    No gradient reaches the teacher.
    """
    ### BEGIN SOLUTION
    teacher = (teacher_logits / temperature).softmax(dim=-1).detach()
    return soft_loss(student_logits, teacher, real, temperature)
    ### END SOLUTION


def attention_kl(student, teacher, real):
    """KL(teacher || student) of each head's attention probabilities, a mean over real query rows.

    student and teacher, probabilities (B, N, T, S); real (B, T), True for real queries -> (N,)
    A term is 0 where the teacher's probability is 0. Under the logarithm, a student's probability
    below 1e-9 counts as 1e-9. No gradient reaches the teacher.
    """
    ### BEGIN SOLUTION
    teacher = teacher.detach()
    # xlogy is 0 where the teacher's probability is 0 (a masked key); the floor keeps the student's
    # logarithm finite.
    terms = torch.xlogy(teacher, teacher) - teacher * student.clamp(min=1e-9).log()  # (B, N, T, S)
    divergence = terms.sum(dim=-1)  # (B, N, T)
    rows = real[:, None]  # (B, 1, T)
    return (divergence * rows).sum(dim=(0, 2)) / rows.sum()
    ### END SOLUTION


def partner_heads(student, teacher):
    """Where each head of the student stands in the teacher, found by its original index.

    student, teacher: Transformers; `attention_layers()[kind, layer].heads` lists original indices
    -> {(kind, layer): [position in the teacher's layer]}, for each head of the student's layer
    """
    ### BEGIN SOLUTION
    partners = {}
    teacher_layers = teacher.attention_layers()
    for name, layer in student.attention_layers().items():
        heads = teacher_layers[name].heads
        partners[name] = [heads.index(index) for index in layer.heads]
    return partners
    ### END SOLUTION


def attention_alignment(student, teacher, partners, real, gates=None):
    """The mean of attention_kl over the student's active heads and their partners.

    student, teacher: what their heads attended, {(kind, layer): probabilities (B, N, T, S)}
    partners: as partner_heads gives them; real: {kind: (B, T)}, True for real queries
    gates: {(kind, layer): (N,)}, 0 for a pruned head and 1 for an active one; where an attention is
           not named, all its heads are active
    -> a number
    """
    ### BEGIN SOLUTION
    total = 0
    count = 0
    for name, positions in partners.items():
        # Not teacher[name][:, positions]: a list of indices is copied to the GPU, and a recorded
        # step (recorded.py) must not copy.
        heads = teacher[name].unbind(dim=1)  # N times (B, T, S)
        of_teacher = torch.stack([heads[position] for position in positions], dim=1)
        distance = attention_kl(student[name], of_teacher, real[name[0]])  # (N,)
        gate = (gates or {}).get(name, torch.ones_like(distance))
        total = total + (gate * distance).sum()
        count = count + gate.sum()
    return total / count
    ### END SOLUTION


@torch.no_grad()
def mean_probabilities(teachers, batch, temperature):
    """The mean over teachers of their softened probabilities of each target token: (…, T, V)"""
    total = 0
    for teacher in teachers:
        logits = teacher.eval()(batch.source, batch.lengths, batch.target, start=batch.start)
        total = total + (logits / temperature).softmax(dim=-1)
    return total / len(teachers)


def ensemble_probabilities(teachers, problems, vocabularies, temperature=TEMPERATURE):
    """What several teachers say together of each token of each equation, as it is and mirrored.

    -> [(2, T, V)] in the problems' order: the means of their probabilities, each softened by the
    temperature, on texts without dropped words. The teachers share their vocabularies.
    """
    answers = [None] * len(problems)
    for batch in batches(problems, vocabularies, 100, mirrored=True):
        mean = mean_probabilities(teachers, batch, temperature)  # (2B, T, V)
        both_ways = mean.unflatten(0, (2, -1)).cpu()  # (2, B, T, V)
        for row, position in enumerate(batch.positions):
            answers[position] = both_ways[:, row, :len(problems[position].equation)].clone()
    return answers


def cross_fitted_probabilities(teachers, problems, vocabularies, temperature=TEMPERATURE):
    """What the one teacher says of each problem that has not learned from it.

    There are n teachers. The k-th has learned from none of the problems k, k + n, k + 2n, …; their
    target vocabulary is the same, and `vocabularies` has each one's own words.
    -> as ensemble_probabilities gives it (Dao et al. 2021, cross-fitting)
    """
    answers = [None] * len(problems)
    for part, (teacher, of_teacher) in enumerate(zip(teachers, vocabularies)):
        asked = slice(part, None, len(teachers))
        answers[asked] = ensemble_probabilities([teacher], problems[asked], of_teacher, temperature)
    return answers


def live_ensemble_loss(model, batch, gates=None, *, teachers, temperature=TEMPERATURE, **options):
    """ensemble_loss, where the teachers read what the student reads: its hidden words, too.

    It costs a pass of every teacher at each step. Teachers that have learned the clean texts by
    heart agree on them; on a text with hidden words they must read.
    """
    batch = replace(batch, soft=mean_probabilities(teachers, batch, temperature))
    return ensemble_loss(model, batch, gates, temperature=temperature, **options)


def task_loss(model, batch, gates=None, *, label_smoothing=LABEL_SMOOTHING):
    """Cross-entropy with the recorded equations: a number."""
    logits = model(batch.source, batch.lengths, batch.target, gates, start=batch.start)
    return token_loss(logits, batch.target, label_smoothing)


@torch.no_grad()
def ask_teacher(teacher, batch):
    """-> the teacher's logits of each target token (…, T, V), and its attention probabilities"""
    attentions = {}
    logits = teacher.eval()(batch.source, batch.lengths, batch.target, attentions=attentions,
                            start=batch.start)
    return logits, attentions


def distillation_loss(model, batch, gates=None, *, teacher, temperature=TEMPERATURE, kd_weight=1.0,
                      ce_weight=0.5, alignment=0.1, label_smoothing=LABEL_SMOOTHING):
    """What the teacher says, and the recorded equations: a number.

    The teacher stays as it is, bit for bit. Gates, if any, are (N,); pruned heads are not aligned.
    kd_weight: λ1; ce_weight: λ2; alignment: β, 0 leaves the attention alone
    """
    attentions = {}
    logits = model(batch.source, batch.lengths, batch.target, gates=gates, attentions=attentions,
                   start=batch.start)
    teacher_logits, teacher_attentions = ask_teacher(teacher, batch)
    real = batch.target != PAD
    loss = ce_weight * token_loss(logits, batch.target, label_smoothing)
    loss = loss + kd_weight * kd_loss(logits, teacher_logits, real, temperature)
    if alignment:
        distance = attention_alignment(attentions, teacher_attentions,
                                       partner_heads(model, teacher), batch.real_queries(),
                                       gates)
        loss = loss + kd_weight * alignment * distance
    return loss


def ensemble_loss(model, batch, gates=None, *, temperature=TEMPERATURE, kd_weight=1.0,
                  ce_weight=0.5, origin=None, alignment=0.1, label_smoothing=LABEL_SMOOTHING):
    """What several teachers say together (batch.soft), and the recorded equations: a number.

    temperature: the one that ensemble_probabilities used
    origin: the teacher that the student began as a copy of; its attention is aligned with. A
            student that began from nothing has no heads that can be paired: None
    """
    attentions = {} if origin else None
    logits = model(batch.source, batch.lengths, batch.target, gates=gates, attentions=attentions,
                   start=batch.start)
    loss = soft_loss(logits, batch.soft, batch.target != PAD, temperature)
    if origin:
        _, of_origin = ask_teacher(origin, batch)
        distance = attention_alignment(attentions, of_origin, partner_heads(model, origin),
                                       batch.real_queries(), gates)
        loss = loss + alignment * distance
    return kd_weight * loss + ce_weight * token_loss(logits, batch.target, label_smoothing)
