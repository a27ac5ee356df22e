"""The distillation loss: KL the right way round, softened on both sides, over real tokens; heads paired by their
original index; a teacher that stays as it is."""
import copy

import pytest
import torch
from torch.nn import functional as F

import reference
from checks import check
from reference import problems_of, randoms, tiny_batch, tiny_model
from tinyprune import PAD
from tinyprune.distill import Distillation, attention_alignment, attention_kl, kd_loss
from tinyprune.transformer import token_loss

B, N, T, S, V = 2, 3, 4, 5, 7
REAL = torch.tensor([[True] * 4, [True, False, False, False]])
t = 3.0  # the temperature; not 2, whose square is its double


# the outputs

def logits_pair():
    return 2 * randoms(B, T, V, seed=1), 2 * randoms(B, T, V, seed=2)


def torchs_kl(student, teacher, student_t=t, teacher_t=t):
    """torch's order: first the student's log-probabilities, then the teacher's probabilities."""
    return F.kl_div((student / student_t).log_softmax(-1), (teacher / teacher_t).softmax(-1), reduction="batchmean")


def test_kd_equals_torch_kl():
    student, teacher = logits_pair()
    s, q = student[REAL], teacher[REAL]  # (5, V)
    right = t ** 2 * torchs_kl(s, q)
    check(right, reference.kd_loss(student, teacher, REAL, t), "this test itself: torch against loops")
    each = F.kl_div((student / t).log_softmax(-1), (teacher / t).softmax(-1), reduction="none").sum(-1)  # (B, T)
    check(kd_loss(student, teacher, REAL, t), right, "KD loss over 5 real tokens of 8, t = 3", {
        "KL is the wrong way round: KL(teacher || student) weighs by the teacher's probabilities":
            t ** 2 * torchs_kl(q, s),
        "the factor t^2 is missing: without it the gradient shrinks as t grows": torchs_kl(s, q),
        "the factor is t, not t^2": t * torchs_kl(s, q),
        "only the student is softened by t": t ** 2 * torchs_kl(s, q, t, 1),
        "only the teacher is softened by t": t ** 2 * torchs_kl(s, q, 1, t),
        "the temperature is not applied to the logits": t ** 2 * torchs_kl(s, q, 1, 1),
        "the temperature is ignored altogether": torchs_kl(s, q, 1, 1),
        "the logits are multiplied by t, not divided": t ** 2 * torchs_kl(s, q, 1 / t, 1 / t),
        "padding is counted": t ** 2 * each.mean(),
        "padding is left out of the sum but counted in the mean": t ** 2 * (each * REAL).sum() / (B * T),
        "divided by the number of problems (batchmean of (B, T, V)): flatten to the real tokens first":
            t ** 2 * (each * REAL).sum() / B,
        "a mean of the problems' means: divide once by all real tokens":
            t ** 2 * ((each * REAL).sum(1) / REAL.sum(1)).mean(),
        "averaged over the vocabulary too: sum over V, mean over tokens": right / V,
        "summed over the tokens, not averaged": right * 5,
        "the sign is wrong: log teacher minus log student, weighed by the teacher": -right,
        "weighed by the teacher's log-probabilities, not by its probabilities":
            t ** 2 * ((q / t).log_softmax(-1) * ((q / t).log_softmax(-1) - (s / t).log_softmax(-1))).sum(-1).mean(),
        "this is the cross-entropy with the teacher, not KL: the teacher's own entropy is not taken off":
            -t ** 2 * ((q / t).softmax(-1) * (s / t).log_softmax(-1)).sum(-1).mean(),
        "the logits themselves are compared, not the distributions": F.mse_loss(s, q),
        "softmax was applied twice": t ** 2 * torchs_kl((s / t).softmax(-1), (q / t).softmax(-1), 1, 1)})


def test_kd_gradient_equals_torchs():
    student, teacher = logits_pair()
    student.requires_grad_()
    got, = torch.autograd.grad(kd_loss(student, teacher, REAL, t), student)
    expected, = torch.autograd.grad(t ** 2 * torchs_kl(student[REAL], teacher[REAL]), student)
    check(got, expected, "the gradient of the student's logits")


def test_kd_with_a_certain_teacher_is_cross_entropy():
    student, _ = logits_pair()
    target = torch.tensor([[3, 4, 5, 6], [1, PAD, PAD, PAD]])
    teacher = 1000.0 * F.one_hot(target, V).double()
    check(kd_loss(student, teacher, REAL, 1.0), token_loss(student, target), "a one-hot teacher at t = 1")


def test_kd_of_equal_logits_is_zero():
    student, _ = logits_pair()
    check(kd_loss(student, student + 5.0, REAL, t), torch.tensor(0.0, dtype=torch.double),
          "teacher = student (plus a constant, which softmax does not see)")


def test_kd_ignores_padding():
    student, teacher = logits_pair()
    expected = kd_loss(student, teacher, REAL, t)
    student, teacher = torch.where(REAL[..., None], student, 40 * student), torch.where(REAL[..., None], teacher, -9.0)
    student.requires_grad_()
    got = kd_loss(student, teacher, REAL, t)
    check(got, expected, "other logits at padding")
    gradient, = torch.autograd.grad(got, student)
    assert not gradient[~REAL].any(), "the logits at padding get a gradient"


def test_kd_at_a_large_temperature_compares_centred_logits():
    student, teacher = logits_pair()
    difference = student[REAL] - teacher[REAL]
    centred = difference - difference.mean(-1, keepdim=True)
    got, limit = kd_loss(student, teacher, REAL, 1000.0).item(), 0.5 * (centred ** 2).mean(-1).mean().item()
    assert abs(got - limit) < 0.01 * limit, \
        f"for a large t, t^2 * KL goes to half the mean square of the centred difference, {limit:.4f}; got {got:.4f}"


def test_no_gradient_reaches_the_teacher():
    student, teacher = (x.requires_grad_() for x in logits_pair())
    loss = kd_loss(student, teacher, REAL, t)
    assert loss.requires_grad, "the student gets no gradient: was it detached?"
    loss.backward()
    assert student.grad is not None and student.grad[REAL].any(), "the student gets no gradient: was it detached?"
    assert teacher.grad is None or not teacher.grad.any(), "the teacher gets a gradient: detach its logits"


# attention

def looks_pair():
    """Two probabilities (B, N, T, S); in the second problem, keys 3 and 4 are padding: exact zeros in both."""
    hidden = ~reference.padding_mask([S, 3], S)
    return [(2 * randoms(B, N, T, S, seed=seed)).masked_fill(hidden, -torch.inf).softmax(-1) for seed in (1, 2)]


def test_attention_kl_is_a_mean_over_heads_and_real_queries():
    student, teacher = looks_pair()
    rows = torch.xlogy(teacher, teacher).sum(-1) - torch.xlogy(teacher, student).sum(-1)  # (B, N, T)
    back = torch.xlogy(student, student).sum(-1) - torch.xlogy(student, teacher).sum(-1)
    real, q = REAL.sum(), REAL[:, None]
    check(attention_kl(student, teacher, REAL), reference.attention_kl(student, teacher, REAL),
          "attention_kl of 3 heads over 5 real queries of 8", {
        "KL is the wrong way round: KL(teacher || student) weighs by the teacher's probabilities":
            (back * q).sum() / real / N,
        "padded queries are counted": rows.mean(),
        "padded queries are left out of the sum but counted in the mean": (rows * q).mean(),
        "summed over heads, not averaged: a student with fewer heads would look better": (rows * q).sum() / real,
        "summed over queries, not averaged": (rows * q).sum() / N,
        "averaged over the keys too: sum over keys, mean over heads and queries": (rows * q).sum() / real / N / S,
        "a mean of the problems' means": ((rows * q).sum((1, 2)) / REAL.sum(1) / N).mean(),
        "the heads were averaged before the comparison; compare head by head":
            lambda: reference.attention_kl(*(x.mean(1, keepdim=True) for x in (student, teacher)), REAL),
        "the mean square of the difference, not KL":
            ((student - teacher) ** 2).transpose(1, 2)[REAL].mean()})


def test_attention_kl_survives_exact_zeros():
    student, teacher = looks_pair()
    sure = F.one_hot(torch.tensor(1), S).double().expand(B, N, T, S)
    student.requires_grad_()
    for look, other in ((student, teacher), (student, sure), (sure.clone().requires_grad_(), teacher)):
        loss = attention_kl(look, other, REAL)
        gradient, = torch.autograd.grad(loss, look)
        assert loss.isfinite() and gradient.isfinite().all(), "0 log 0 is 0; NaN or infinity reached loss or gradient"


def test_attention_kl_of_equal_looks_is_zero():
    look = looks_pair()[0]
    check(attention_kl(look, look.clone(), REAL), torch.tensor(0.0, dtype=torch.double), "student = teacher")


def test_no_gradient_reaches_the_teachers_attention():
    student, teacher = (x.requires_grad_() for x in looks_pair())
    attention_kl(student, teacher, REAL).backward()
    assert student.grad.any(), "the student gets no gradient: was it detached?"
    assert teacher.grad is None or not teacher.grad.any(), "the teacher gets a gradient: detach its probabilities"


def alignment_inputs():
    """A student with heads 1 and 3 of the teacher's four in one attention, and head 2 of three in another."""
    wide = [torch.cat([looks, looks.flip(1)[:, :1].roll(1, -2)], dim=1) for looks in looks_pair()]
    student = {("encoder", 0): wide[0][:, [0, 2]], ("cross", 1): wide[1][:, [1]]}
    teacher = {("encoder", 0): wide[1], ("cross", 1): wide[0][:, :3]}
    kept, heads = {("encoder", 0): [1, 3], ("cross", 1): [5]}, {("encoder", 0): [0, 1, 2, 3], ("cross", 1): [0, 2, 5]}
    return student, teacher, kept, heads, {"encoder": REAL, "cross": ~REAL}


def test_attention_loss_pairs_heads_by_their_original_index():
    student, teacher, kept, heads, reals = alignment_inputs()
    copied = {("encoder", 0): teacher["encoder", 0][:, [1, 3]]}
    by_place = reference.attention_kl(copied["encoder", 0], teacher["encoder", 0][:, :2], REAL)
    check(attention_alignment(copied, teacher, kept, heads, reals), torch.tensor(0.0, dtype=torch.double),
          "a student whose two heads copy the teacher's heads 1 and 3",
          {"heads were paired by position (0, 1), not by original index (1, 3)": by_place})


def test_alignment_is_a_mean_over_kept_heads():
    student, teacher, kept, heads, reals = alignment_inputs()
    places = {("encoder", 0): [1, 3], ("cross", 1): [2]}  # head 5 is the teacher's third: it has 0, 2 and 5
    losses = [reference.attention_kl(student[name], teacher[name][:, places[name]], reals[name[0]]) for name in student]
    check(attention_alignment(student, teacher, kept, heads, reals), (2 * losses[0] + losses[1]) / 3, "2 and 1 heads", {
        "summed over the heads, not averaged": 2 * losses[0] + losses[1],
        "a mean of the attentions' means: heads in small layers weigh more": sum(losses) / 2,
        "the encoder's real queries were taken for cross-attention too": lambda: (
            2 * losses[0] + reference.attention_kl(student["cross", 1], teacher["cross", 1][:, [2]], REAL)) / 3})


# the whole loss

KEPT = {"encoder": [[1, 2], [0]], "decoder": [[2], [0, 1]], "cross": [[0, 2], [1, 2]]}


def student_of(teacher, remove=False):
    """A student that differs from its teacher a little."""
    student = copy.deepcopy(teacher).requires_grad_(True)
    with torch.no_grad():
        for place, parameter in enumerate(student.parameters()):
            parameter += 0.1 * randoms(*parameter.shape, seed=500 + place)
        if remove:
            for (kind, layer), attention in student.attentions().items():
                attention.keep(KEPT[kind][layer])
    return student


def loss_parts(student, teacher, batch, kept):
    """KD, alignment and cross-entropy problem by problem, from the slow model; kept: {(kind, layer): heads in use}"""
    pairs, losses, looks = [], [], {name: [] for name in kept}
    for source, target in problems_of(batch):
        own, its = {}, {}
        gates = {name: torch.tensor([float(head in kept[name]) for head in a.heads]).double()
                 for name, a in student.attentions().items()}
        pairs.append([reference.logits(student, source, target, gates, own).detach(),
                      reference.logits(teacher, source, target, record=its).detach()])
        losses.append(F.cross_entropy(pairs[-1][0], torch.tensor(target), reduction="sum"))
        for name, heads in kept.items():
            places = [student.attentions()[name].heads.index(head) for head in heads]
            looks[name].append((own[name][places], its[name][heads]))
    tokens = sum(len(s) for s, _ in pairs)
    everywhere = torch.ones(1, tokens, dtype=torch.bool)
    kd = reference.kd_loss(*(torch.cat(rows)[None] for rows in zip(*pairs)), everywhere, t)
    aligned = []
    for name, rows in looks.items():
        each = [reference.attention_kl(s[None], q[None], torch.ones(1, s.shape[1], dtype=torch.bool)) * s.shape[1]
                for s, q in rows]
        aligned.append(len(kept[name]) * sum(each) / sum(s.shape[1] for s, _ in rows))
    return kd, sum(aligned) / sum(map(len, kept.values())), sum(losses) / tokens


@pytest.mark.parametrize("how", ["removed", "gates"])
def test_loss_of_a_pruned_student_equals_the_slow_one(how):
    teacher, batch = tiny_model(), tiny_batch()
    student = student_of(teacher, remove=how == "removed")
    kept = {(kind, layer): KEPT[kind][layer] for kind, layer in teacher.attentions()}
    gates = None if how == "removed" else {name: torch.tensor([float(head in kept[name]) for head in range(3)])
                                           for name in kept}
    kd, aligned, task = loss_parts(student, teacher, batch, kept)
    loss = Distillation(teacher, temperature=t, distill=0.7, task=0.4, alignment=0.3)
    check(loss(student, batch, gates).detach(), 0.7 * (kd + 0.3 * aligned) + 0.4 * task, f"the whole loss ({how})", {
        "the alignment is missing": 0.7 * kd + 0.4 * task,
        "the task's cross-entropy is missing": 0.7 * (kd + 0.3 * aligned),
        "distill and task are exchanged": 0.4 * (kd + 0.3 * aligned) + 0.7 * task,
        "the alignment's weight is beta alone: it is distill * beta": 0.7 * kd + 0.3 * aligned + 0.4 * task})
    without = Distillation(teacher, temperature=t, distill=0.7, task=0.4, alignment=0)
    check(without(student, batch, gates).detach(), 0.7 * kd + 0.4 * task, f"alignment 0 ({how})")
    smoothed = Distillation(teacher, temperature=t, distill=0, task=0.4, alignment=0, smoothing=0.2)
    logits = student(batch.source, batch.lengths, batch.target, gates).detach()
    expected = 0.4 * token_loss(logits, batch.target, 0.2)
    check(smoothed(student, batch, gates).detach(), expected, f"smoothing 0.2 ({how})")


def test_a_student_equal_to_its_teacher_pays_for_the_task_alone():
    teacher, batch = tiny_model(), tiny_batch()
    student = copy.deepcopy(teacher)
    logits = student(batch.source, batch.lengths, batch.target)
    check(Distillation(teacher, temperature=t, task=0.4, alignment=0.3)(student, batch, None).detach(),
          0.4 * token_loss(logits, batch.target).detach(), "student = teacher: KL and alignment are 0, the task is not")


def test_a_closed_head_has_nothing_to_align():
    """Its looks may be anything: the loss must not change with its W_Q."""
    teacher, batch = tiny_model(), tiny_batch()
    student = student_of(teacher)
    gates = {name: torch.ones(3) for name in teacher.attentions()} | {("cross", 0): torch.tensor([1.0, 0, 1])}
    loss = Distillation(teacher, temperature=t, alignment=0.3)
    expected = loss(student, batch, gates)
    query = student.attentions()["cross", 0].query.weight
    assert not torch.autograd.grad(expected, query)[0][4:8].any(), "a closed head gets a gradient from the alignment"
    query.data[4:8] *= 3
    check(loss(student, batch, gates).detach(), expected.detach(), "a closed head with other queries")


def test_more_padding_leaves_the_loss_as_it_is():
    teacher, batch = tiny_model(), tiny_batch()
    student, loss = student_of(teacher), Distillation(teacher, temperature=t, alignment=0.3)
    expected = loss(student, batch, None).detach()
    batch.source, batch.target = F.pad(batch.source, (0, 0, 0, 2)), F.pad(batch.target, (0, 3))
    check(loss(student, batch, None).detach(), expected, "two more padded words and three more padded tokens")


def test_teacher_is_frozen_and_unchanged():
    teacher, batch = tiny_model().train(), tiny_batch()
    student = student_of(teacher).train()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    loss = Distillation(teacher, temperature=t, alignment=0.3)
    assert not teacher.training, "the teacher ran in train mode: its dropout makes a different target every step; " \
        "call teacher.eval()"
    assert not any(parameter.requires_grad for parameter in teacher.parameters()), "the teacher must need no gradient"
    modes, graphs = [], []

    def note(module, inputs, output):
        modes.append(teacher.training)
        graphs.append(output.requires_grad)

    teacher.classifier.register_forward_hook(note)
    first = loss(student.eval(), batch, None).item()
    for _ in range(5):
        student.zero_grad()
        loss(student.train(), batch, None).backward()
        assert all(p.grad is not None for p in student.parameters()), "a part of the student gets no gradient"
        with torch.no_grad():
            for parameter in student.parameters():
                parameter -= 0.02 * parameter.grad
    assert not any(modes), "the teacher ran in train mode: call teacher.eval()"
    assert not any(graphs), "the teacher ran with gradients on: wrap it in torch.no_grad()"
    assert student.training, "the loss must leave the student in train mode"
    assert loss(student.eval(), batch, None).item() < first, "five steps did not lower the loss"
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, before[name]), f"{name} of the teacher has changed"
    assert all(p.grad is None for p in teacher.parameters()), "the teacher got gradients"


def test_the_teacher_says_the_same_at_every_step():
    teacher, batch = tiny_model(), tiny_batch()
    student = student_of(teacher).train()
    loss, said = Distillation(teacher, temperature=t, task=0), []

    def note(module, inputs, output):
        said.append(output)

    teacher.classifier.register_forward_hook(note)
    for _ in range(2):
        loss(student, batch, None)
    assert torch.equal(*said), "the teacher says something else in the second step: its dropout is on"


def test_a_smaller_teacher_may_teach():
    """In rounds: the pruned student of one round teaches the next; heads still pair by their original index."""
    batch, first = tiny_batch(), tiny_model()
    teacher = student_of(first, remove=True)
    student = copy.deepcopy(teacher)
    student.attentions()["cross", 0].keep([2])  # of the teacher's 0 and 2
    loss = Distillation(teacher, temperature=t, distill=0.7, task=0, alignment=0.3)
    looks = [{}, {}]
    logits = [model(batch.source, batch.lengths, batch.target, record=record)
              for model, record in zip((student, teacher), looks)]
    real = batch.target != PAD
    reals = {"encoder": batch.source[..., 0] != PAD, "decoder": real, "cross": real}
    places = {name: [1] if name == ("cross", 0) else range(len(a.heads)) for name, a in teacher.attentions().items()}
    aligned = [reference.attention_kl(looks[0][name], looks[1][name][:, list(places[name])], reals[name[0]])
               * len(places[name]) for name in places]
    heads = sum(map(len, places.values()))
    expected = 0.7 * (reference.kd_loss(*logits, real, t) + 0.3 * sum(aligned) / heads)
    check(loss(student, batch, None).detach(), expected, "a teacher without all heads")
