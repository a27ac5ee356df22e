"""The distillation loss: KL the right way round, softened on both sides, over real tokens; heads
paired by their original index; a teacher that stays as it is.
"""
import copy
import math
from dataclasses import replace
from functools import partial
from statistics import fmean

import pytest
import torch
from torch.nn import functional as F

import reference
from builders import heads_of, model_for, problems_of, randoms, tiny_batch, tiny_model
from cases import small_problem
from checks import check, same
from tinyprune import MIRROR, PAD
from tinyprune.batching import make_batch, pad_soft
from tinyprune.distill import (
    attention_alignment,
    attention_kl,
    distillation_loss,
    ensemble_loss,
    ensemble_probabilities,
    kd_loss,
    live_ensemble_loss,
    mean_probabilities,
    partner_heads,
    soft_loss,
    task_loss,
)
from tinyprune.masking import gates_for, remove_heads
from tinyprune.train import drop_words
from tinyprune.transformer import Head, token_loss
from tinyprune.vocabulary import Vocabularies

B = 2
N = 3
T = 4
S = 5
V = 7
REAL = torch.tensor([[True] * 4, [True, False, False, False]])
t = 3.0  # the temperature; not 2, whose square is its double
kd = partial(kd_loss, real=REAL, temperature=t)
kl = partial(attention_kl, real=REAL)
LARGE = "large logits: use torch's log_softmax for the student; 0 log 0 of the teacher is 0"


def logits_pair():
    """The student's and the teacher's, (B, T, V)"""
    return [2 * randoms(B, T, V, seed=seed) for seed in (1, 2)]


def attention_pair():
    """Two probabilities (B, N, T, S). Keys 3 and 4 of the second problem are padding: 0 in both."""
    hidden = ~reference.padding_mask([S, 3], S)
    return [(2 * randoms(B, N, T, S, seed=seed)).masked_fill(hidden, -torch.inf).softmax(-1)
            for seed in (1, 2)]


BOTH = pytest.mark.parametrize("loss, pair", [(kd, logits_pair), (kl, attention_pair)],
                               ids=["outputs", "attention"])


@BOTH
def test_a_student_equal_to_its_teacher_is_no_distance_away(loss, pair):
    student = pair()[0]
    check(loss(student, student.clone()).sum(), torch.tensor(0.0), "student = teacher")


def check_learns(distance, *students):
    """Each of these tensors of the student gets a gradient."""
    message = "the student gets no gradient: was it detached, or is this a plain number?"
    assert isinstance(distance, torch.Tensor) and distance.requires_grad, message
    distance.backward()
    for student in students:
        assert student.grad is not None and student.grad.any(), message


def check_gradients(loss, pair):
    """The student gets a gradient, the teacher none."""
    student, teacher = (x.requires_grad_() for x in pair)
    check_learns(loss(student, teacher).sum(), student)
    assert teacher.grad is None or not teacher.grad.any(), \
        "the teacher gets a gradient: detach what comes from it"


def test_kd_gives_the_teacher_no_gradient():
    check_gradients(kd, logits_pair())


def test_attention_kl_gives_the_teacher_no_gradient():
    check_gradients(kl, attention_pair())


# the outputs

def torch_kd(student, teacher, student_t=t, teacher_t=t):
    """t² * KL by torch, a mean over rows: first the student's log-probabilities, then the
    teacher's probabilities. (rows, V) -> a number"""
    log_student = (student / student_t).log_softmax(-1)
    teacher = (teacher / teacher_t).softmax(-1)
    return t ** 2 * F.kl_div(log_student, teacher, reduction="batchmean")


def test_kd_equals_torch_kl():
    student, teacher = logits_pair()
    s = student[REAL]  # (5, V)
    q = teacher[REAL]
    right = torch_kd(s, q)
    check(right, reference.kd_loss(student, teacher, REAL, t), "this test itself: torch, loops")
    log_s = (student / t).log_softmax(-1)
    log_q = (teacher / t).log_softmax(-1)
    each = t ** 2 * (log_q.exp() * (log_q - log_s)).sum(-1)  # (B, T)
    real = each * REAL
    check(kd(student, teacher), right, "KD loss over 5 real tokens of 8, t = 3", {
        "KL is the wrong way round: KL(teacher || student) weighs by the teacher's probabilities":
            torch_kd(q, s),
        "the factor t² is missing: without it the gradient shrinks as t grows": right / t ** 2,
        "the factor is t, not t²": right / t,
        "only the student is softened by t": torch_kd(s, q, t, 1),
        "only the teacher is softened by t": torch_kd(s, q, 1, t),
        "the temperature is not applied to the logits": torch_kd(s, q, 1, 1),
        "the temperature is ignored altogether": torch_kd(s, q, 1, 1) / t ** 2,
        "the logits are multiplied by t, not divided": torch_kd(s, q, 1 / t, 1 / t),
        "padding is counted": each.mean(),
        "padding is left out of the sum but counted in the mean": real.mean(),
        "divided by the number of problems (batchmean of (B, T, V)): flatten to the real tokens "
        "first": real.sum() / B,
        "batchmean over (B, T, V) divides by B alone, and padding is counted": each.sum() / B,
        "reduction='mean' divides by B, T and V, and counts padding": each.mean() / V,
        "kl_div got the student's probabilities: its first argument is their logarithm":
            t ** 2 * (log_q.exp() * (log_q - log_s.exp())).sum(-1)[REAL].mean(),
        "kl_div got the teacher's logarithms: its second argument are probabilities, unless "
        "log_target=True": t ** 2 * F.kl_div(log_s[REAL], log_q[REAL], reduction="batchmean"),
        "softmax runs over the tokens (dim=1), not over the vocabulary (dim=-1)":
            t ** 2 * torch.nan_to_num((teacher / t).softmax(1) * (
                (teacher / t).log_softmax(1) - (student / t).log_softmax(1))).sum(-1)[REAL].mean(),
        "softmax runs over the problems (dim=0), not over the vocabulary (dim=-1)":
            t ** 2 * ((teacher / t).softmax(0) * (
                (teacher / t).log_softmax(0) - (student / t).log_softmax(0))).sum(-1)[REAL].mean(),
        "a mean of the problems' means: divide once by all real tokens":
            (real.sum(1) / REAL.sum(1)).mean(),
        "averaged over the vocabulary too: sum over V, mean over tokens": right / V,
        "summed over the tokens, not averaged": right * 5,
        "the sign is wrong: log teacher minus log student, weighed by the teacher": -right,
        "weighed by the teacher's log-probabilities, not by its probabilities":
            t ** 2 * (log_q * (log_q - log_s)).sum(-1)[REAL].mean(),
        "this is the cross-entropy with the teacher, not KL: the teacher's own entropy is not "
        "taken off": -t ** 2 * (log_q.exp() * log_s).sum(-1)[REAL].mean(),
        "the logits themselves are compared, not the distributions": F.mse_loss(s, q),
        "softmax was applied twice": torch_kd((s / t).softmax(-1), (q / t).softmax(-1), 1, 1)})
    for name, now, old in zip(("student", "teacher"), (student, teacher), logits_pair()):
        assert same(now, old), f"kd_loss changed the logits of the {name} in place"
    check(kd(1000 * student, 1000 * teacher), torch_kd(1000 * s, 1000 * q), f"KD loss, {LARGE}")


def test_soft_loss_takes_probabilities_that_are_soft_already():
    student, teacher = logits_pair()
    soft = (teacher / t).softmax(-1)
    s = student[REAL]
    q = soft[REAL]
    right = torch_kd(s, teacher[REAL])
    with_padding = torch_kd(student.flatten(0, 1), teacher.flatten(0, 1))
    check(soft_loss(student, soft, REAL, t), right, "soft_loss over 5 real tokens of 8, t = 3", {
        "the probabilities were softened again": torch_kd(s, q),
        "the student is not softened": torch_kd(s, teacher[REAL], 1, t),
        "the factor t² is missing": right / t ** 2,
        "the factor is t, not t²": right / t,
        "this is the cross-entropy with the teacher, not KL: the teacher's own entropy is not "
        "taken off": right + t ** 2 * torch.special.entr(q).sum(-1).mean(),
        "KL is the wrong way round: KL(teacher || student) weighs by the teacher's probabilities":
            torch_kd(teacher[REAL], s),
        "padding is counted": with_padding,
        "padding is left out of the sum but counted in the mean": right * 5 / (B * T),
        "divided by the number of problems (batchmean of (B, T, V)): flatten to the real tokens "
        "first": right * 5 / B,
        "batchmean over (B, T, V) divides by B alone, and padding is counted": with_padding * T})
    sure = F.one_hot(teacher.argmax(-1), V).double()
    for zeros in (sure, sure * REAL[..., None]):  # the second one: all 0 at padding
        assert soft_loss(student, zeros, REAL, t).isfinite(), "0 log 0 is 0, also at padding"
    large = soft_loss(1000 * student, soft, REAL, t)
    check(large, torch_kd(1000 * s, teacher[REAL]), f"soft_loss, {LARGE}")
    check_learns(soft_loss(student.requires_grad_(), soft, REAL, t), student)


def test_kd_gradient_equals_torchs():
    student, teacher = logits_pair()
    student.requires_grad_()
    got, = torch.autograd.grad(kd(student, teacher), student)
    expected, = torch.autograd.grad(torch_kd(student[REAL], teacher[REAL]), student)
    check(got, expected, "the gradient of the student's logits")


def test_kd_with_a_certain_teacher_is_cross_entropy():
    student, _ = logits_pair()
    target = torch.tensor([[3, 4, 5, 6], [1, PAD, PAD, PAD]])
    teacher = 1000.0 * F.one_hot(target, V).double()
    got = kd(student, teacher, temperature=1.0)
    check(got, token_loss(student, target), "a one-hot teacher at t = 1")


def test_kd_does_not_see_a_constant():
    student, _ = logits_pair()
    check(kd(student, student + 5.0), torch.tensor(0.0), "teacher = student plus a constant")


def test_kd_ignores_padding():
    student, teacher = logits_pair()
    expected = kd(student, teacher)
    padding = ~REAL[..., None]
    student = torch.where(padding, 40 * student, student).requires_grad_()
    got = kd(student, teacher.masked_fill(padding, -9.0))
    check(got, expected, "the loss with other logits at padding, expected as before")
    gradient, = torch.autograd.grad(got, student)
    assert not gradient[~REAL].any(), "the logits at padding get a gradient"


def test_kd_at_a_large_temperature_compares_centred_logits():
    student, teacher = logits_pair()
    limit = (student - teacher)[REAL].var(dim=-1, correction=0).mean().item() / 2
    got = kd(student, teacher, temperature=1000.0).item()
    assert abs(got - limit) < 0.01 * limit, \
        "for a large t, t² * KL goes to half the mean square of the centred difference, " \
        f"{limit:.4f}; got {got:.4f}"


# attention

def test_attention_kl_of_a_head_is_a_mean_over_real_queries():
    student, teacher = attention_pair()
    rows = (torch.xlogy(teacher, teacher) - torch.xlogy(teacher, student)).sum(-1)  # (B, N, T)
    back = (torch.xlogy(student, student) - torch.xlogy(student, teacher)).sum(-1)
    real = rows * REAL[:, None]
    right = real.sum((0, 2)) / 5
    expected = torch.stack([reference.attention_kl(student[:, [h]], teacher[:, [h]], REAL)
                            for h in range(N)])
    check(kl(student, teacher), expected, "attention_kl of 3 heads over 5 real queries of 8", {
        "KL is the wrong way round: KL(teacher || student) weighs by the teacher's probabilities":
            (back * REAL[:, None]).sum((0, 2)) / 5,
        "padded queries are counted": rows.mean((0, 2)),
        "padded queries are left out of the sum but counted in the mean": real.mean((0, 2)),
        "summed over queries, not averaged": right * 5,
        "averaged over the keys too: sum over keys, mean over queries": right / S,
        "a mean of the problems' means": (real.sum(2) / REAL.sum(1)[:, None]).mean(0),
        "a mean over the heads, one number for each problem: a head has a number of its own":
            (real.sum(2) / REAL.sum(1)[:, None]).mean(1),
        "one number for all heads: the mean is over problems and queries": right.mean(),
        "divided by the number of problems: divide by all real queries": real.sum((0, 2)) / B,
        "the mean square of the difference, not KL":
            ((student - teacher) ** 2).transpose(1, 2)[REAL].mean((0, 2))})


def test_attention_kl_survives_exact_zeros():
    student, teacher = attention_pair()
    sure = F.one_hot(torch.tensor(1), S).double().expand(B, N, T, S)
    zeros = {"both have 0 at padded keys, and 0 log 0 is 0": (student, teacher),
             "the teacher has 0, and 0 log 0 is 0": (student, sure),
             "the student has 0 where the teacher has not: raise it to 1e-9 under the logarithm":
                 (sure, teacher)}
    for reason, (one, other) in zeros.items():
        one = one.clone().requires_grad_()
        loss = kl(one, other).sum()
        gradient, = torch.autograd.grad(loss, one)
        assert loss.isfinite() and gradient.isfinite().all(), \
            f"NaN or infinity in loss or gradient: {reason}"
        terms = torch.xlogy(other, other) - other * one.clamp(min=1e-9).log()
        right = (terms.sum(-1) * REAL[:, None]).sum((0, 2)) / 5
        check(kl(one, other), right, f"attention_kl with exact zeros, {reason}")


def test_a_heads_partner_has_its_original_index():
    teacher = remove_heads(tiny_model(), heads_of("cross 0 1"))  # it has the heads 0 and 2
    student = remove_heads(teacher, heads_of("encoder 0 0, cross 0 0"))
    partners = dict.fromkeys(teacher.attention_layers(), [0, 1, 2])
    partners |= {("encoder", 0): [1, 2], ("cross", 0): [1]}
    check(partner_heads(student, teacher), partners, "positions of the partners", {
        "heads were paired by position, not by original index":
            partners | {("encoder", 0): [0, 1], ("cross", 0): [0]},
        "the teacher's heads have positions, too: 2 is its second head":
            partners | {("cross", 0): [2]}})


def test_alignment_is_a_mean_over_active_heads_and_their_partners():
    first, second = attention_pair()
    student = {("encoder", 0): first, ("cross", 1): second[:, [1, 0]]}
    teacher = {("encoder", 0): second, ("cross", 1): first}
    partners = {("encoder", 0): [2, 0, 1], ("cross", 1): [2, 1]}
    gates = {("encoder", 0): torch.tensor([1.0, 0.0, 1.0]), ("cross", 1): torch.tensor([1.0, 0.0])}
    encoder = reference.attention_kl(first[:, [0, 2]], second[:, [2, 1]], REAL)
    pair = second[:, [1]], first[:, [2]]
    cross = reference.attention_kl(*pair, ~REAL)
    real = {"encoder": REAL, "cross": ~REAL}
    got = attention_alignment(student, teacher, partners, real, gates)
    every = attention_alignment(student, teacher, partners, real)
    check(got, (2 * encoder + cross) / 3, "2 of 3 and 1 of 2 heads are active", {
        "masked heads are aligned too": every,
        "masked heads are left out of the sum but counted in the mean": (2 * encoder + cross) / 5,
        "summed over the heads, not averaged": 2 * encoder + cross,
        "heads were paired by position, not by `partners`": (
            2 * reference.attention_kl(first[:, [0, 2]], second[:, [0, 2]], REAL)
            + reference.attention_kl(second[:, [1]], first[:, [0]], ~REAL)) / 3,
        "a mean of the attentions' means: heads in small layers weigh more": (encoder + cross) / 2,
        "the encoder's real queries were taken for cross-attention too":
            (2 * encoder + reference.attention_kl(*pair, REAL)) / 3})
    encoder = reference.attention_kl(first, second[:, [2, 0, 1]], REAL)  # all three heads
    both = reference.attention_kl(second[:, [1, 0]], first[:, [2, 1]], ~REAL)  # of cross-attention
    check(every, (3 * encoder + 2 * both) / 5, "without gates all heads are active")
    some = {("cross", 1): gates["cross", 1]}
    for named, expected in (({}, every), (some, (3 * encoder + cross) / 4)):
        message = f"`gates` names {list(named)}: all heads are active where it does not name them"
        try:
            given = dict(named)
            got = attention_alignment(student, teacher, partners, real, given)
        except KeyError as error:
            raise AssertionError(message) from error
        check(got, expected, message)
        assert given.keys() == named.keys(), "attention_alignment changed the dictionary `gates`"
    learning = {name: probabilities.requires_grad_() for name, probabilities in student.items()}
    distance = attention_alignment(learning, teacher, partners, real, gates)
    check_learns(distance, *learning.values())


# the whole loss

PRUNED = heads_of("encoder 0 0, encoder 1 1, encoder 1 2, decoder 0 0, decoder 0 1, decoder 1 2, "
                  "cross 0 1, cross 1 0")


def student_of(teacher):
    """A student that differs from its teacher a little."""
    student = copy.deepcopy(teacher)
    with torch.no_grad():
        for position, parameter in enumerate(student.parameters()):
            parameter += 0.1 * randoms(*parameter.shape, seed=500 + position)
    return student


def slow_run(model, source, target):
    """One problem's logits and attention probabilities by the slow model: [row], {Head: [row]}"""
    attentions = {}
    logits = reference.logits(model, source, target, attentions=attentions)
    of_heads = {}
    for name, attention in model.attention_layers().items():
        for index, rows in zip(attention.heads, attentions[name].tolist()):
            of_heads[Head(*name, index)] = rows
    return logits.tolist(), of_heads


def slow_parts(student, teacher, batch):
    """KD, alignment and cross-entropy: problem by problem, row by row and head by head."""
    outputs = []
    losses = []
    distances = {head: [] for head in student.heads()}
    for problem in problems_of(batch):
        logits, attentions = slow_run(student, *problem)
        teacher_logits, teacher_attentions = slow_run(teacher, *problem)
        for row, teacher_row, token in zip(logits, teacher_logits, problem[1]):
            soft = reference.softmax(teacher_row, t)
            outputs.append(reference.kl(soft, reference.softmax(row, t)))
            losses.append(-math.log(reference.softmax(row)[token]))
        for head, values in distances.items():
            values += map(reference.kl, teacher_attentions[head], attentions[head])
    return t ** 2 * fmean(outputs), fmean(map(fmean, distances.values())), fmean(losses)


@pytest.mark.parametrize("how", ["removed", "gates"])
def test_loss_of_a_pruned_student_equals_the_slow_one(how):
    teacher = tiny_model()
    batch = tiny_batch()
    student = student_of(teacher)
    smaller = remove_heads(student, PRUNED)
    gates = gates_for(student, PRUNED)
    if how == "removed":
        student = smaller
        gates = None
    loss = partial(distillation_loss, student, batch, gates, label_smoothing=0, teacher=teacher,
                   temperature=t,
                   kd_weight=0.7, ce_weight=0.4, alignment=0.3)
    distance, aligned, task = slow_parts(smaller, teacher, batch)
    check(loss().item(), 0.7 * (distance + 0.3 * aligned) + 0.4 * task, f"the whole loss ({how})", {
        "the alignment is missing": 0.7 * distance + 0.4 * task,
        "the task's cross-entropy is missing": 0.7 * (distance + 0.3 * aligned),
        "kd_weight and ce_weight are exchanged": 0.4 * (distance + 0.3 * aligned) + 0.7 * task,
        "the alignment's weight is beta alone: it is kd_weight * beta":
            0.7 * distance + 0.3 * aligned + 0.4 * task})
    check(loss(alignment=0).item(), 0.7 * distance + 0.4 * task, f"alignment 0 ({how})")
    logits = smaller(batch.source, batch.lengths, batch.target)
    smoothed = token_loss(logits, batch.target, 0.2).item()
    got = loss(kd_weight=0, alignment=0, label_smoothing=0.2).item()
    check(got, 0.4 * smoothed, f"label smoothing 0.2 ({how})")


def test_both_losses_have_one_form():
    teacher = tiny_model()
    student = student_of(teacher)
    batch = tiny_batch()
    batch.start[1] = MIRROR
    gates = gates_for(student, PRUNED)
    smaller = remove_heads(student, PRUNED)
    logits = smaller(batch.source, batch.lengths, batch.target, start=batch.start)
    smoothed = task_loss
    check(smoothed(student, batch, gates).item(), token_loss(logits, batch.target, 0.1).item(),
          "task_loss with label smoothing 0.1, gates and mirrored targets")
    for loss in (smoothed, partial(distillation_loss, teacher=teacher)):
        number = loss(student, batch, gates)
        check(number.shape, torch.Size([]), "the shape of a loss")
        check(loss(smaller, batch, None).item(), number.item(), "heads removed for heads masked")
        check(loss(smaller, batch).item(), number.item(), "no gates given")


def test_a_student_equal_to_its_teacher_pays_for_the_task_alone():
    teacher = tiny_model()
    batch = tiny_batch()
    batch.start[1] = MIRROR  # for the teacher too
    logits = teacher(batch.source, batch.lengths, batch.target, start=batch.start)
    got = distillation_loss(copy.deepcopy(teacher), batch, teacher=teacher, ce_weight=0.4)
    check(got.item(), 0.4 * token_loss(logits, batch.target, 0.1).item(),
          "student = teacher: KL and alignment are 0, the task is not")


def test_a_masked_head_has_nothing_to_align():
    """Its attention may be anything: the loss must not change with its W_Q."""
    teacher = tiny_model()
    student = student_of(teacher)
    gates = gates_for(student, heads_of("cross 0 1"))
    loss = partial(distillation_loss, student, tiny_batch(), gates, teacher=teacher)
    expected = loss()
    query = student.attention_layers()["cross", 0].query.weight
    gradient, = torch.autograd.grad(expected, query)
    assert not gradient[4:8].any(), "a masked head gets a gradient from the alignment"
    query.data[4:8] *= 3
    check(loss().item(), expected.item(), "a masked head with other queries")
    named = {name: gate for name, gate in gates.items() if name == ("cross", 0)}
    check(distillation_loss(student, tiny_batch(), named, teacher=teacher).item(), expected.item(),
          "an attention that is not named has all its heads")


def test_more_padding_leaves_the_loss_as_it_is():
    teacher = tiny_model()
    batch = tiny_batch()
    loss = partial(distillation_loss, student_of(teacher), batch, teacher=teacher)
    expected = loss().item()
    batch.source = F.pad(batch.source, (0, 0, 0, 2))
    batch.target = F.pad(batch.target, (0, 3))
    check(loss().item(), expected, "two more padded words and three more padded tokens")


def test_teacher_is_unchanged_and_in_eval_mode():
    teacher = tiny_model()
    student = student_of(teacher)
    before = copy.deepcopy(teacher.state_dict())
    loss = partial(distillation_loss, student, tiny_batch(), teacher=teacher)
    first = loss().item()
    heard = []
    teacher.classifier.register_forward_hook(
        lambda module, inputs, logits: heard.append(logits))
    student.train()
    for _ in range(5):
        teacher.train()  # a caller may have left it so
        student.zero_grad()
        loss().backward()
        assert all(p.grad is not None for p in student.parameters()), \
            "a part of the student gets no gradient"
        with torch.no_grad():
            for parameter in student.parameters():
                parameter -= 0.02 * parameter.grad
    assert student.training, "the loss must leave the student in train mode"
    assert all(torch.equal(logits, heard[0]) for logits in heard), \
        "the teacher says something else at another step: its dropout is on; call teacher.eval()"
    assert not teacher.training, "the teacher was left in train mode: call teacher.eval()"
    assert not any(logits.requires_grad for logits in heard), \
        "the teacher ran with gradients on: wrap it in torch.no_grad()"
    student.eval()
    assert loss().item() < first, "five steps did not lower the loss"
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, before[name]), f"{name} of the teacher has changed"
    assert all(p.grad is None for p in teacher.parameters()), "the teacher got gradients"


def test_a_smaller_teacher_may_teach():
    """In rounds: the pruned student of one round teaches the next."""
    teacher = remove_heads(student_of(tiny_model()), PRUNED)
    student = remove_heads(student_of(teacher), heads_of("cross 0 0"))  # of the teacher's 0 and 2
    batch = tiny_batch()
    distance, aligned, _ = slow_parts(student, teacher, batch)
    got = distillation_loss(student, batch, teacher=teacher, temperature=t, kd_weight=0.7,
                            ce_weight=0, alignment=0.3)
    check(got.item(), 0.7 * (distance + 0.3 * aligned), "a teacher without all heads")


# several teachers

def ensemble():
    """Two teachers, four problems of different lengths, and their vocabularies."""
    problems = [small_problem("tom has N0 and N1", "+ N0 N1"), small_problem("ann N0", "N0"),
                small_problem("a b c d e N0 N1 f", "* - N0 N1 N0"),
                small_problem("x N1", "- N0 N1")]
    words = Vocabularies.of(problems, min_count=1)
    return [model_for(words, seed, dropout=0.5).train() for seed in (1, 2)], problems, words


def softened(teacher, problem, words, direction):
    """One teacher's softened probabilities of one equation alone: (T, V)"""
    batch = make_batch([problem], words, mirrored=True)
    with torch.no_grad():
        logits = teacher.eval()(batch.source, batch.lengths, batch.target, start=batch.start)
    return (logits / t).softmax(dim=-1)[direction]


def test_several_teachers_say_the_mean_of_what_each_says():
    teachers, problems, words = ensemble()
    found = ensemble_probabilities(teachers, problems, words, temperature=t)
    for problem, got in zip(problems, found):
        for direction, name in enumerate(["as it is", "mirrored"]):
            each = [softened(teacher, problem, words, direction) for teacher in teachers]
            check(got[direction], sum(each) / 2, f"{problem.equation}, {name}", {
                "the sum is not the mean": sum(each),
                "only the last teacher counts": each[1],
                "the logits were averaged before the softmax, not the probabilities":
                    ((each[0].log() + each[1].log()) / 2).softmax(-1)})


def test_one_teacher_in_the_ensemble_is_that_teacher():
    (teacher, student), problems, words = ensemble()
    soft = ensemble_probabilities([teacher], problems, words, temperature=t)
    batch = make_batch(problems, words, mirrored=True)
    batch.soft = pad_soft(soft)
    got = ensemble_loss(student.eval(), batch, temperature=t)
    expected = distillation_loss(student, batch, teacher=teacher, temperature=t, alignment=0)
    check(got, expected, "the loss with one teacher")


def test_a_student_of_several_teachers_is_aligned_with_its_origin():
    (teacher, student), problems, words = ensemble()
    batch = make_batch(problems, words, mirrored=True)
    batch.soft = pad_soft(ensemble_probabilities([teacher], problems, words, temperature=t))
    got = ensemble_loss(student.eval(), batch, temperature=t, origin=teacher, alignment=0.3,
                        kd_weight=0.7)
    expected = distillation_loss(student, batch, teacher=teacher, temperature=t, alignment=0.3,
                                 kd_weight=0.7)
    check(got, expected, "one teacher, which is the origin")


def test_live_teachers_say_of_a_clean_text_what_they_said_before():
    teachers, problems, words = ensemble()
    student = model_for(words, seed=3)
    batch = make_batch(problems, words, mirrored=True)
    live = live_ensemble_loss(student, batch, teachers=teachers, temperature=t, kd_weight=0.7)
    batch.soft = pad_soft(ensemble_probabilities(teachers, problems, words, temperature=t))
    kept = ensemble_loss(student, batch, temperature=t, kd_weight=0.7)
    check(live, kept, "the loss with teachers that are asked now")


def test_live_teachers_do_not_see_a_hidden_word():
    teachers, problems, words = ensemble()
    student = model_for(words, seed=3)
    batch = make_batch(problems, words, mirrored=True)
    hidden = replace(batch, source=drop_words(batch.source, share=1.0))
    clean, masked = (live_ensemble_loss(student, shown, teachers=teachers, ce_weight=0,
                                        temperature=t) for shown in (batch, hidden))
    asked = mean_probabilities(teachers, hidden, t)
    logits = student(hidden.source, hidden.lengths, hidden.target, start=hidden.start)
    expected = soft_loss(logits, asked, hidden.target != PAD, t)
    check(masked, expected, "student and teachers read the same hidden words")
    assert not same(clean, masked)
