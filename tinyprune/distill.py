"""The distillation loss: the student learns from the teacher's whole distribution, not from the answer alone.

    L = l1 * (t^2 * KL(teacher || student at temperature t) + beta * attention alignment) + l2 * cross-entropy

All means are over real target tokens, or over real query rows; padding counts nowhere.
Hinton et al. 2015 (temperature); arXiv 2511.17577 (KL + alignment of the attention, layer by layer).
"""
from dataclasses import dataclass

import torch

from tinyprune import PAD
from tinyprune.transformer import Transformer, token_loss


def kd_loss(student_logits, teacher_logits, real, temperature):
    """t^2 * KL(teacher || student), both softened by the temperature t: a mean over real tokens.

    logits (B, T, V), real (B, T), True for real target tokens. The factor t^2 keeps the gradient's size: softening
    shrinks it by 1/t twice.
    """
    student = (student_logits[real] / temperature).log_softmax(dim=-1)  # (real tokens, V)
    teacher = (teacher_logits[real] / temperature).log_softmax(dim=-1).detach()
    return temperature ** 2 * (teacher.exp() * (teacher - student)).sum(dim=-1).mean()


def attention_kl(student, teacher, real):
    """KL(teacher || student) of attention probabilities, a mean over heads and real query rows.

    student and teacher (B, N, T, S), real (B, T), True for real queries -> a number
    """
    teacher = teacher.detach()
    # xlogy is 0 where the teacher's probability is 0 (a masked key); the floor keeps the student's log finite.
    divergence = torch.xlogy(teacher, teacher) - teacher * student.clamp(min=1e-9).log()  # (B, N, T, S)
    return divergence.sum(dim=-1).transpose(1, 2)[real].mean()  # of (real rows, N)


def attention_alignment(student, teacher, kept, teacher_heads, reals):
    """The mean of attention_kl over all kept heads, layer by layer, heads paired by their original index.

    student, teacher: {(kind, layer): probabilities (B, N, T, S)}, the student's of its kept heads alone
    kept, teacher_heads: {(kind, layer): [original indices]}, in the order of those probabilities
    reals: {kind: (B, T)}, True for real queries -> a number
    """
    total, heads = 0, 0
    for name, probabilities in student.items():
        places = [teacher_heads[name].index(head) for head in kept[name]]
        total = total + len(places) * attention_kl(probabilities, teacher[name][:, places], reals[name[0]])
        heads += len(places)
    return total / heads


@dataclass
class Distillation:
    """The loss that train.py asks for: (student, batch, gates) -> a number. The teacher stays as it is, bit for bit.

    distill: l1, the weight of what the teacher says; task: l2, the weight of the recorded equation, smoothed as
    token_loss does; alignment: beta, 0 leaves the attention alone. Gates, if any, are (N,).
    """
    teacher: Transformer
    temperature: float = 3.0
    distill: float = 1.0
    task: float = 0.5
    alignment: float = 0.1
    smoothing: float = 0.0

    def __post_init__(self):
        self.teacher.eval().requires_grad_(False)

    def __call__(self, student, batch, gates):
        target, looks, teacher_looks = batch.target, {}, {}
        logits = student(batch.source, batch.lengths, target, gates, looks, batch.start)
        with torch.no_grad():
            teacher_logits = self.teacher(batch.source, batch.lengths, target, None, teacher_looks, batch.start)
        real = target != PAD
        loss = self.task * token_loss(logits, target, self.smoothing)
        loss = loss + self.distill * kd_loss(logits, teacher_logits, real, self.temperature)
        if self.alignment:
            kept, open_looks = {}, {}
            for name, attention in student.attentions().items():
                gate = (gates or {}).get(name)
                places = [place for place in range(len(attention.heads)) if gate is None or gate[place]]
                kept[name] = [attention.heads[place] for place in places]
                open_looks[name] = looks[name][:, places]
            heads = {name: attention.heads for name, attention in self.teacher.attentions().items()}
            reals = {"encoder": batch.source[..., 0] != PAD, "decoder": real, "cross": real}
            loss = loss + self.distill * self.alignment * attention_alignment(
                open_looks, teacher_looks, kept, heads, reals)
        return loss
