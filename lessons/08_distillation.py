# %% [markdown]
r"""
# 08 Distillation: what does a teacher know that the answer does not say?

The recorded equation names one right token at each step. A teacher says more: which other tokens
are nearly as good, and how sure it is. This lesson builds the loss that passes this knowledge on to
a student. It asks which way round the KL divergence goes, what the temperature does, and why the
square of the temperature stands before the loss.

You need lesson 02, and for 8.5 also lessons 06 and 07. The teacher of lesson 05 is loaded, or
trained now. Reading takes about 35 minutes, the run under a minute.

The *Kullback-Leibler divergence* KL(p || q) measures how far a distribution q is from another one,
p. It is the mean of log(p / q), taken under p. It is 0 if the two agree, and never negative. It is
not symmetric: KL(p || q) and KL(q || p) differ.
"""

# %% 8.1 Which way round?
import copy

import torch
import torch.nn.functional as F

from tinyprune import PAD, cli, figures, recipe
from tinyprune.distill import attention_kl, distillation_loss, kd_loss
from tinyprune.evaluate import evaluate_model
from tinyprune.results import bootstrap_interval, is_correct

args = cli.options()
torch.set_num_threads(args.threads)
recipe.use_batch_size(args.data, args.batch)

figures.heading("8.1 A student with one bump imitates a teacher with two: where will it stand?")
x = torch.linspace(-6, 6, 241)


def bump(centre, width):
    """A normal distribution over the points x: (241,)"""
    distance = (x - centre) / width
    return (-distance ** 2 / 2).softmax(dim=0)


def kl(p, q):
    """KL(p || q): the mean of log(p / q) under p."""
    return (p * (p / q).log()).sum()


left = bump(torch.tensor(-2.0), 0.4)
right = bump(torch.tensor(2.0), 0.4)
two_bumps = (left + right) / 2 + 1e-12  # no zero under the logarithm
for name in ("KL(teacher || student)", "KL(student || teacher)"):
    centre = torch.tensor(0.5, requires_grad=True)
    log_width = torch.tensor(0.0, requires_grad=True)  # its exponential is never negative
    optimizer = torch.optim.Adam([centre, log_width], lr=0.05)
    for _ in range(600):
        optimizer.zero_grad()
        one_bump = bump(centre, log_width.exp()) + 1e-12
        if name == "KL(teacher || student)":
            loss = kl(two_bumps, one_bump)
        else:
            loss = kl(one_bump, two_bumps)
        loss.backward()
        optimizer.step()
    width = log_width.exp().item()
    print(f"  {name}: the bump stands at {centre.item():.1f}, "
          f"with width {width:.1f}")

# %% [markdown]
r"""
With KL(teacher || student), the student must put some probability wherever the teacher has some, so
it becomes wide. With KL(student || teacher), the student may choose one of the two bumps and forget
the other. Distillation uses the first: KL(teacher || student).

A *temperature* t softens both distributions: we divide the logits by t before the softmax. What
does this do to the size of the gradient? Guess: at t = 16, is it smaller, equal or larger?
"""

# %% 8.2 Why the square of the temperature
figures.heading("8.2 The gradient of the loss at rising temperature")
torch.manual_seed(0)
B = 1
T = 6
V = 11
real = torch.ones(B, T, dtype=torch.bool)
teacher_logits = torch.randn(B, T, V, dtype=torch.double)  # double: t^2 also magnifies rounding
student_logits = torch.randn(B, T, V, dtype=torch.double)
student_logits.requires_grad_(True)
difference = student_logits.detach() - teacher_logits
difference -= difference.mean(dim=-1, keepdim=True)  # softmax does not see a constant
rows = []
for t in (1.0, 3.0, 16.0, 64.0):
    loss = kd_loss(student_logits, teacher_logits, real, temperature=t)
    soft_student = (student_logits[0] / t).log_softmax(dim=-1)
    soft_teacher = (teacher_logits[0] / t).softmax(dim=-1)
    divergence = F.kl_div(soft_student, soft_teacher, reduction="batchmean")
    assert torch.allclose(loss, t ** 2 * divergence, atol=1e-5)
    gradient, = torch.autograd.grad(loss, student_logits)
    cosine = F.cosine_similarity(gradient.flatten(), difference.flatten(), dim=0)
    size = gradient.norm().item()
    rows.append((f"{t:g}", f"{size / t ** 2:.6f}", size, cosine.item()))
figures.table(rows, ["t", "without t^2", "with t^2", "cosine with matching logits"])

# %% [markdown]
r"""
Without the factor t^2, the gradient of the distillation loss becomes small beside that of the task
as t grows. The last column compares the gradient's direction with "student logits minus teacher
logits". At a very high temperature they agree: the loss simply says "make your logits like mine".

What does our teacher say beside the answer?
"""

# %% 8.3 What the teacher knows
figures.heading("8.3 The teacher's two best tokens, on test problems")
splits, vocabularies, teacher = recipe.load_teacher(args.data, args.fold, args.seed)
tokens = vocabularies.target.tokens
batch = recipe.calibration_batches(splits.test, vocabularies, 64)[0]
inputs = (batch.source, batch.lengths, batch.target)
real = batch.target != PAD  # (B, T)
with torch.no_grad():
    probabilities = teacher(*inputs).softmax(dim=-1)  # (B, T, V)
best = probabilities.topk(2)
second_best = best.values[..., 1].masked_fill(~real, 0)  # (B, T)
least_sure = second_best.flatten().topk(4).indices
for position in least_sure.tolist():
    b, t = divmod(position, second_best.shape[1])
    target = [tokens[i] for i in batch.target[b].tolist()]
    prefix = " ".join(target[:t]) or "(nothing)"
    first, second = best.indices[b, t].tolist()
    p_first, p_second = best.values[b, t].tolist()
    print(f"  after {prefix:18} {tokens[first]:>4} {p_first:.2f}   "
          f"{tokens[second]:>4} {p_second:.2f}   "
          f"recorded: {target[t]}")

# %% [markdown]
r"""
At these steps the teacher is least sure. Sometimes both tokens would do: a + b and b + a are both
right, and the recorded equation is one of them. Elsewhere the teacher hesitates between two
readings of the text. In both cases the student learns which tokens its teacher hesitates between,
and not only which one won.

The second part of the loss is the *attention alignment*. It compares the attention of student and
teacher: the KL divergence of their attention probabilities, head by head. The student began as a
copy of the teacher, so its head 3 is compared with the teacher's head 3. This holds even if other
heads are removed and head 3 is now the student's second one.

The third part is the cross-entropy with the recorded equation, as before. Together
(`tinyprune/distill.py`; the weights and t = 3 stand in `recipe.py`):

    1 * (t^2 * KL(teacher || student at temperature t) + 0.1 * alignment) + 0.5 * cross-entropy
"""

# %% 8.4 Attention alignment
figures.heading("8.4 Heads that attend alike cost nothing")
attentions = {}
with torch.no_grad():
    teacher(*inputs, attentions=attentions)
own = attentions["cross", 0]  # (B, N, T, S)
neighbours = own.roll(1, dims=1)  # each head gets the attention of the head before it
print(f"  head against itself:          {attention_kl(own, own, real).mean():.4f}")
print(f"  paired with its neighbour:    {attention_kl(neighbours, own, real).mean():.4f}")

perfect_copy = copy.deepcopy(teacher).eval()
loss = distillation_loss(perfect_copy, batch, teacher=teacher, ce_weight=0.0)
print(f"  whole loss of a perfect copy, cross-entropy left out: {loss:.6f}")

# %% [markdown]
r"""
Now the question that counts: does the teacher help? Two students lose the same share of their heads
at once, and train on for the same number of steps. One sees the recorded equations alone. The other
one sees its teacher as well. Guess: by how many percentage points do they differ?

Both students answer the same test problems, so we take the difference problem by problem: 1, 0 or
-1. Would other problems give the same result? The *bootstrap* estimates this from the problems that
we have. It draws as many of them again, with replacement, and takes the mean difference. It does so
two thousand times, and reports the range of the middle 95% (`bootstrap_interval` in
`tinyprune/results.py`).
"""

# %% 8.5 With a teacher and without
figures.heading(f"8.5 Students that lose {args.ratio:.0%} of their heads at once, with a teacher "
                "and without")
reports = {"teacher": evaluate_model(teacher, splits.test, vocabularies)}
PLANS = {"recorded equations alone": False, "with the teacher": True}
for name, distill in PLANS.items():
    student = recipe.load_or_train_student(
        args.data, args.fold, args.seed, splits, vocabularies, teacher,
        args.ratio, schedule="one-shot", distill=distill)
    reports[name] = evaluate_model(student.model, splits.test, vocabularies)
rows = [(name, report.answer_accuracy) for name, report in reports.items()]
figures.table(rows, ["", "answers right (test, greedy)"])
with_teacher = is_correct(reports["with the teacher"].outcomes)
alone = is_correct(reports["recorded equations alone"].outcomes)
low, high = bootstrap_interval(with_teacher - alone)
print(f"  with the teacher minus without: {low:+.3f} to {high:+.3f} (95%, paired, over problems)")

# %% [markdown]
r"""
If the interval contains 0, these problems cannot tell the two students apart. The interval does not
cover the choice of the seed, and another seed would move the difference further. The README asks
the same question on both published sets, and cannot tell them apart either.

## Exercises

1. By hand: the KL divergence of two coins, (1/2, 1/2) and (1/4, 3/4), both ways round.
2. Write `kd_loss` so that padding counts nowhere. `pytest tests/test_distill.py -k kd`
3. Write `partner_heads` and `attention_alignment`: which of the teacher's heads belongs to which
   of the student's? `pytest tests/test_distill.py -k "partner or align"`
4. Find the mistake: someone deletes the line `teacher.eval()` from `distillation_loss`, and the
   loss still falls. What does the teacher's dropout do to the target?
   `pytest tests/test_distill.py -k teacher`
5. Open: does the student copy its teacher's errors? Take the problems that both answer wrongly, and
   count how often they write the same equation.
"""
