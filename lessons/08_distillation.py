# %% [markdown]
r"""
# 08 Distillation: what does a teacher know that the answer does not say?

The recorded equation names one right token at each step. A teacher says more: which other tokens
are nearly as good, and how sure it is. This lesson builds the loss that passes this knowledge on to
a *student*, a model that learns from it and is often smaller. It asks which way round a distance
between distributions goes, what the temperature does, and why the square of the temperature stands
before the loss. At the end two false teachers stand beside the true one. Does the student notice
the difference?

You need lessons 02, 03 (mirrored equations) and 05, and from 8.6 on lessons 06 and 07. The teacher
of lesson 05 is loaded, or trained now. Reading takes about 50 minutes, the run a minute, the
exercises four hours. "The library" is the package `tinyprune`, as in all lessons.

## A distance between distributions

At each step both models give a probability to each of V tokens. Let p be the teacher's
probabilities and q the student's, both (V,). The *Kullback-Leibler divergence* measures how far q
is from p:

    KL(p || q) = sum over tokens i of p[i] * log(p[i] / q[i])          (V,), (V,) -> a number

It is the mean of log(p / q) over tokens that are drawn from p. It is 0 if p = q, and positive
otherwise. Where p is 0 the term is 0. Where q is 0 and p is not, it is infinite.

The next cell computes one pair by hand, with four tokens and powers of two. There the logarithm of
base 2 is a whole number, and the unit is the *bit*. (Everywhere else we use the natural logarithm,
and the unit is the *nat*: 1 bit is 0.693 nats.) Compute the two sums before you run the cell:

    p = (1/2, 1/4, 1/8, 1/8),  q = (1/8, 1/2, 1/4, 1/8)

Is KL(p || q) the same as KL(q || p)?
"""

# %% 8.1 One pair by hand
import time
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from tinyprune import PAD, cli, figures, recipe, results
from tinyprune.batching import batches
from tinyprune.distill import (
    LABEL_SMOOTHING,
    attention_alignment,
    attention_kl,
    distillation_loss,
    ensemble_loss,
    ensemble_probabilities,
    kd_loss,
    partner_heads,
    task_loss,
)
from tinyprune.evaluate import evaluate_model
from tinyprune.masking import remove_heads, select_heads
from tinyprune.results import bootstrap_interval, is_correct
from tinyprune.rivals import example_losses
from tinyprune.scorer import score_heads
from tinyprune.train import Training
from tinyprune.transformer import Head, token_loss

args = cli.options()
torch.set_num_threads(args.threads)
recipe.use_batch_size(args.data, args.batch)

figures.heading("8.1 Four tokens: KL(p || q) and KL(q || p), in bits")
p = torch.tensor([1/2, 1/4, 1/8, 1/8])  # the teacher's (V=4,)
q = torch.tensor([1/8, 1/2, 1/4, 1/8])  # the student's
forward_terms = p * (p / q).log2()  # (V,)
reverse_terms = q * (q / p).log2()
rows = list(zip("+-*/", p.tolist(), q.tolist(), forward_terms.tolist(), reverse_terms.tolist()))
rows.append(("sum", p.sum().item(), q.sum().item(), forward_terms.sum().item(),
             reverse_terms.sum().item()))
figures.table(rows, ["token", "p", "q", "p log2(p/q)", "q log2(q/p)"])
recorded = torch.tensor([0., 1, 0, 0])  # the recorded equation as a teacher: all on one token
divergence = F.kl_div(q.log(), recorded, reduction="sum")  # torch: log q first, then p
assert divergence == -q[1].log()

# %% [markdown]
r"""
The two sums differ, 5/8 and 1/2 bit: KL is not symmetric. Single terms may be negative, the sum
never is.

The recorded equation is a special teacher. It puts all of its probability on one token. With it,
KL(p || q) is -log q of this token: the cross-entropy of lesson 02 (the last line of the cell checks
it). So distillation changes the target, from one token to a distribution. The loss stays the same
kind of loss. For any teacher, KL(p || q) is the cross-entropy with the target p minus the entropy
of p (lesson 06). The student cannot change that entropy, so both have the same gradient.

Which way round should it be? The next cell makes the question visible. The teacher has two bumps,
and the student is a single bump whose centre and width are learned. Guess for both ways: where will
it stand, and how wide will it be?
"""

# %% 8.2 Which way round?
figures.heading("8.2 A student with one bump imitates a teacher with two: where will it stand?")
x = torch.linspace(-6, 6, 241)


def bump(centre, width):
    """A normal distribution over the points x: (241,)"""
    distance = (x - centre) / width
    return (-distance ** 2 / 2).softmax(dim=0)


def kl(p, q):
    """KL(p || q): the mean of log(p / q) under p."""
    return (p * (p / q).log()).sum()


def fit(loss):
    """Learns a bump with the lowest loss(bump) -> the bump (241,), its centre, its width"""
    centre = torch.tensor(0.5, requires_grad=True)
    log_width = torch.tensor(0.0, requires_grad=True)  # its exponential is never negative
    optimizer = torch.optim.Adam([centre, log_width], lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        one_bump = bump(centre, log_width.exp()) + 1e-12  # no zero under the logarithm
        loss(one_bump).backward()
        optimizer.step()
    return one_bump.detach(), centre.item(), log_width.exp().item()


two_bumps = (bump(torch.tensor(-2.0), 0.4) + bump(torch.tensor(2.0), 0.4)) / 2 + 1e-12
fitted = {"KL(teacher || student)": fit(lambda one_bump: kl(two_bumps, one_bump)),
          "KL(student || teacher)": fit(lambda one_bump: kl(one_bump, two_bumps))}
for name, (_, centre, width) in fitted.items():
    print(f"  {name}: the bump stands at {centre:.1f}, with width {width:.1f}")
curves = {"teacher": two_bumps} | {name: found[0] for name, found in fitted.items()}
highest = max(curve.max().item() for curve in curves.values())
for name, curve in curves.items():
    bars = [figures.BARS[int(7 * y / highest)] for y in curve[40:201:3].tolist()]
    print(f"  {name:22}  {''.join(bars)}")
print(f"  {'x':22}  -4{'0':>25}{'4':>27}")


def draw_bumps(axes):
    for name, curve in curves.items():
        axes.plot(x, curve, label=name)
    axes.set_title("One bump fitted to two")
    axes.set_xlabel("x")
    axes.set_ylabel("probability of each of 241 points")
    axes.legend(loc="upper left")


figures.save_picture("08_two_bumps", draw_bumps)

# %% [markdown]
r"""
With KL(teacher || student), the student must put some probability wherever the teacher has some. So
it covers both bumps and becomes wide. With KL(student || teacher), the student pays only where it
has probability itself. It may choose one bump and forget the other. (It began at 0.5, so it went to
the right one.) Distillation uses the first way: a student must not forget a token that its teacher
finds possible.

## The temperature

A *temperature* τ (tau) softens a distribution: we divide all logits z by τ before the softmax.

    p[i] at temperature τ  =  softmax(z / τ)[i]   is proportional to   p[i] ** (1/τ)

So at τ = 3 the ratio of two probabilities becomes its cube root: 8 to 1 becomes 2 to 1. The order
of the tokens stays. The next cell takes a real step of a test problem. It chooses the step where
the teacher's best token has a probability nearest to 0.8. The other tokens share the rest, fifteen
of them on the sample. Guess: at τ = 3, has the best token more than half of the probability? And
how much has it at τ = 100?
"""

# %% 8.3 One token, softened
figures.heading("8.3 One step of a test problem: the teacher's probabilities at four temperatures")
splits, vocabularies, teacher = recipe.load_teacher(args.data, args.fold, args.seed)
tokens = vocabularies.target.tokens
batch = recipe.calibration_batches(splits.test, vocabularies, 64)[0]
inputs = (batch.source, batch.lengths, batch.target)
real = batch.target.ne(PAD)  # (B, T): no padding
with torch.no_grad():
    logits = teacher(*inputs)  # (B, T, V)
V = logits.shape[-1]
best = logits.softmax(dim=-1).topk(2)
largest = best.values[..., 0]  # (B, T)
distance_to_80 = (largest - 0.8).abs().masked_fill(~real, 1)
b, step = divmod(distance_to_80.argmin().item(), real.shape[1])
one = logits[b, step].double().cpu()  # (V,)
TEMPERATURES = (1.0, 3.0, 10.0, 100.0)
softened = torch.stack([(one / temperature).softmax(dim=0)
                        for temperature in TEMPERATURES])  # (4, V)
for temperature, row in zip(TEMPERATURES, softened):
    power = softened[0] ** (1 / temperature)
    assert torch.allclose(power / power.sum(), row)
order = one.argsort(descending=True)
rows = [(tokens[i], *softened[:, i].tolist()) for i in order[:5].tolist()]
rows.append((f"{V - 5} others", *softened[:, order[5:]].sum(dim=1).tolist()))
rows.append(("entropy, nats", *torch.special.entr(softened).sum(dim=1).tolist()))
equation = [tokens[i] for i in batch.target[b].tolist()]
print(f"  after {' '.join(equation[:step]) or '(nothing)'}, recorded: {equation[step]}")
figures.table(rows, ["token", *(f"τ = {temperature:g}" for temperature in TEMPERATURES)])
print(f"  all {V} tokens alike: {1 / V:.3f} each, entropy log {V} = {np.log(V):.3f}")


def draw_temperatures(axes):
    for temperature, row in zip(TEMPERATURES, softened):
        axes.plot(range(1, V + 1), row[order], marker=".", label=f"τ = {temperature:g}")
    axes.set_title("One step of an equation at four temperatures")
    axes.set_xlabel("rank of the token")
    axes.set_ylabel("probability (log scale)")
    axes.set_yscale("log")
    axes.legend()


figures.save_picture("08_temperature", draw_temperatures)

# %% [markdown]
r"""
At τ = 1 the best token hides the others. At τ = 3 it keeps less than half, because all the others
grow. Together they have the larger share now, and the loss listens to them. Most of them are nearly
alike: `<pad>` and `<bos>`, which stand in no equation, are as likely as they. This is the floor of
label smoothing (lesson 05), which gave each of V tokens 0.1 / V. What the teacher knows of the
other tokens is what stands above this floor. At τ = 100 all tokens are nearly alike. What is left
then is a small difference between them, and it still has the order of the logits.

## Why the square of the temperature

Both sides are softened, the teacher and the student: with teacher probabilities p = softmax(v / τ)
and student probabilities q = softmax(z / τ), both (V,). We need the gradient with respect to the
student's logits z. Only the student's part of KL depends on z, and the logarithm of q[i] is z[i] /
τ - log(sum over j of exp(z[j] / τ)). Its derivative with respect to z[k] is 1/τ if i = k, minus
q[k] / τ in any case. KL holds -p[i] log q[i], summed over i, and all p[i] add up to 1, so

    d KL / d z[k] = (q[k] - p[k]) / τ

This is the first factor 1/τ. The second one hides in the difference. If τ is large, exp(z / τ) is
nearly 1 + z / τ, and the sum of all V of these is nearly V (1 + (mean of z) / τ). To divide by this
sum is nearly to divide by V and to subtract (mean of z) / τ. So q[k] is nearly (1 + (z[k] - mean of
z) / τ) / V, and the same holds for p. Then

    q[k] - p[k]  is nearly  ((z[k] - mean of z) - (v[k] - mean of v)) / (V τ)

The gradient shrinks by 1/τ twice. The factor τ² makes up for both, and a new temperature needs no
new weights. The formula says one thing more: at a very high temperature the gradient points along
"student logits minus teacher logits". We check all this in numbers. Guess: from τ = 1 to τ = 64, by
which factor does the gradient shrink without τ²? And with it?
"""

# %% 8.4 The gradient at rising temperature
figures.heading("8.4 The gradient of the loss at rising temperature, random logits")
torch.manual_seed(0)
all_real = torch.ones(1, 6, dtype=torch.bool)  # one equation of six tokens
v = torch.randn(1, 6, 11, dtype=torch.double)  # the teacher's; double: τ² also magnifies rounding
z = torch.randn(1, 6, 11, dtype=torch.double)  # the student's
z.requires_grad_(True)
logit_difference = (z - v).detach()
logit_difference -= logit_difference.mean(dim=-1, keepdim=True)  # softmax sees no constant
rows = []
norms = []  # of the gradients without τ²
for temperature in (1.0, 3.0, 16.0, 64.0):
    gap = (z / temperature).softmax(dim=-1) - (v / temperature).softmax(dim=-1)  # q - p, (1, 6, 11)
    loss = kd_loss(z, v, all_real, temperature)  # the library's: with τ², a mean over six tokens
    with_square, = torch.autograd.grad(loss, z)
    without_square = gap.detach() / temperature / 6  # our formula
    assert torch.allclose(with_square, temperature**2 * without_square)
    cosine = F.cosine_similarity(with_square.flatten(), logit_difference.flatten(), dim=0)
    norms.append(without_square.norm().item())
    rows.append((f"{temperature:g}", gap.abs().max().item(), f"{norms[-1]:.6f}",
                 with_square.norm().item(), cosine.item()))
figures.table(rows, ["τ", "largest q - p", "gradient", "with τ²", "cosine with z - v"])
print(f"  from τ = 1 to τ = 64 the gradient shrinks {norms[0] / norms[-1]:,.0f} times; with τ² "
      f"{rows[0][3] / rows[-1][3]:.2f} times")

# %% [markdown]
r"""
Autograd and our formula agree (the `assert` in the cell). 64² is 4,096. The gradient shrinks a
little more, because the approximation is rough at τ = 1. So without the factor τ² the gradient of
the distillation loss becomes tiny beside that of the cross-entropy, and the weights of the two
would have to be chosen anew for every τ. With it the size stays. The last column goes to 1: at a
high temperature the gradient points along z - v. The optimizer steps against it, so the student's
logits move towards the teacher's.

## What the teacher knows

Where the teacher is certain, it repeats the recorded equation. It can teach more where it
hesitates. But it teaches on the same problems from which it has learned. Guess, for test problems
and for training problems: how often is the recorded token the teacher's best one, and how often its
second?
"""

# %% 8.5 What the teacher knows
figures.heading("8.5 The teacher's two best tokens, on test problems and on training problems")


@torch.no_grad()
def shares_of_recorded(batch):
    """How often the recorded token is the best one, and the second; the best one's probability"""
    best = teacher(batch.source, batch.lengths, batch.target).softmax(dim=-1).topk(2)  # (B, T, 2)
    real = batch.target.ne(PAD)  # (B, T)
    is_recorded = best.indices == batch.target[..., None]  # (B, T, 2)
    shares = is_recorded[real].double().mean(dim=0).tolist()
    return [f"{share:.1%}" for share in [*shares, best.values[..., 0][real].mean().item()]]


[taught] = recipe.calibration_batches(splits.train, vocabularies, 64)
rows = [(name, *shares_of_recorded(asked))
        for name, asked in {"test problems": batch, "training problems": taught}.items()]
figures.table(rows, ["the recorded token is", "the best", "the second", "probability of the best"])
print("  the four steps of test problems where the second token has the highest probability:")
second_best = best.values[..., 1].masked_fill(~real, 0)  # (B, T)
least_sure = second_best.flatten().topk(4).indices
for position in least_sure.tolist():
    b, step = divmod(position, second_best.shape[1])
    equation = [tokens[i] for i in batch.target[b].tolist()]
    prefix = " ".join(equation[:step]) or "(nothing)"
    first, second = best.indices[b, step].tolist()
    p_first, p_second = best.values[b, step].tolist()
    print(f"  after {prefix:18} `{tokens[first]}` {p_first:.2f}, `{tokens[second]}` "
          f"{p_second:.2f}; recorded: `{equation[step]}`")

# %% [markdown]
r"""
At these steps the teacher is least sure. Between two numbers it hesitates where both would do: a
product may take its factors in any order, and the recorded equation has one of them. Between `+`
and `-` it hesitates between two readings of the text. In both cases a student could learn which
tokens its teacher hesitates between, and not only which one won.

(On average the best token has hardly more than 0.9: label smoothing has taught the teacher to stay
there.) On the sample the two lines of the table are alike. Now run the lesson with
`--data asdiv-a`, and stop it with Ctrl-C when this table has been printed. On the real sets the
recorded token is the best one at nearly all steps of training problems, but of test problems only
at about nine steps in ten: the teacher knows its training problems by heart. So it adds least on
the training problems, the only ones that it is asked. Section 8.8 measures what is left.

## Attention alignment

The paper also compares where both models attend. In one attention the teacher has probabilities P
and the student has Q, both (B, N, T, S): N heads, T queries, S keys. The *attention alignment*
compares head by head. Let R be the real query rows (no padding):

    distance[b,h,t] = sum over s of P[b,h,t,s] * log(P[b,h,t,s] / Q[b,h,t,s])     (B, N, T)
    distance[h]     = mean of distance[b,h,t] over (b, t) in R                    (N,)
    alignment       = mean of distance[h] over all heads that the student still has

It is KL(teacher || student) again, over the keys of an attention instead of the tokens. But which
of the teacher's heads belongs to which of the student's? The student began as a copy of the
teacher, so its head 2 is the teacher's head 2. A head keeps its *original index* for ever. Its
*position* in the layer changes as soon as a head before it is removed.

The next cell removes one head, index 1, from the first cross-attention. The other heads of this
attention read the same inputs as before. So the right distance is 0. Guess: if we pair the heads by
position, which of the remaining heads have a distance above 0?
"""

# %% 8.6 Attention alignment
figures.heading("8.6 Head 1 is removed: which of the teacher's heads belongs to which?")
layer = ("cross", 0)
smaller = remove_heads(teacher, {Head("cross", 0, 1)}).eval()
attended_by_teacher = {}
attended_by_student = {}
with torch.no_grad():
    teacher(*inputs, attentions=attended_by_teacher)
    smaller(*inputs, attentions=attended_by_student)
P = attended_by_teacher[layer]  # (B, N, T, S)
Q = attended_by_student[layer]  # (B, N-1, T, S)
kept = smaller.attention_layers()[layer].heads  # original indices: 1 is not among them
names = range(P.shape[1])
print("  teacher's head     " + "   ".join(map(str, names)))
print("  same index         " + "   ".join("|" if name in kept else " " for name in names))
print("  student's head     " + "   ".join(str(name) if name in kept else " " for name in names))


def head_distance(of_teacher, of_student):
    """KL(teacher || student) of one head, a mean over real rows: twice (B, T, S) -> a number"""
    tiny = 1e-9  # no zero under the logarithm
    ratio = of_teacher.clamp(min=tiny) / of_student.clamp(min=tiny)
    by_row = (of_teacher * ratio.log()).sum(dim=-1)  # (B, T)
    return by_row[real].mean().item()


rows = []
for position, index in enumerate(kept):
    own = Q[:, position]  # (B, T, S)
    by_index = head_distance(P[:, index], own)
    by_position = head_distance(P[:, position], own)
    rows.append((str(index), str(position), abs(by_index), by_position))
figures.table(rows, ["student's head", "its position", "KL by index", "KL by position"])
library = attention_kl(Q, P[:, kept], real)  # (N-1,)
assert np.allclose(library.tolist(), [row[2] for row in rows], atol=1e-4)
mean_by_position = sum(row[3] for row in rows) / len(rows)
print(f"  by position the mean is {mean_by_position:.3f}, although the student attends exactly as "
      "its teacher")

# %% [markdown]
r"""
Heads before the removed one are paired rightly either way. Each head after it is compared with a
neighbour, and the loss would pull it away from what it does well. No error is raised. The loss only
falls more slowly.

## The whole loss

Three parts stand together (`tinyprune/distill.py`):

    L = λ1 * (τ² * KL(teacher || student at temperature τ) + β * attention alignment)
        + λ2 * cross-entropy with the recorded equation

τ is 3. λ1 = 1 is the option `kd_weight`, λ2 = 0.5 is `ce_weight`, β = 0.1 is `alignment`.

The cross-entropy is there because the teacher makes mistakes, and the recorded equation corrects
them. Here are the parts for two students: a perfect copy of the teacher, and a copy without its
lowest heads that has not trained yet. Guess which parts are 0 for the perfect copy.
"""

# %% 8.7 The parts of the loss
figures.heading("8.7 The parts of the loss, on 64 test problems")
experiment = recipe.EXPERIMENTS[args.data]
calibration = recipe.calibration_batches(splits.train, vocabularies, experiment.calibration)
pruned = select_heads(score_heads(teacher, calibration), args.ratio)
unpractised = remove_heads(teacher, pruned).eval()
options = recipe.DISTILLATION
weights = {"τ² * KL of the outputs": options["kd_weight"],
           "attention alignment": options["kd_weight"] * options["alignment"],
           "cross-entropy": options["ce_weight"]}


@torch.no_grad()
def parts_of_loss(student):
    """The three parts of the loss on the batch, before their weights: three numbers"""
    attended = {}
    student_logits = student(*inputs, attentions=attended)
    pairs = partner_heads(student, teacher)
    aligned = attention_alignment(attended, attended_by_teacher, pairs, batch.real_queries())
    return [kd_loss(student_logits, logits, real, options["temperature"]).item(),
            aligned.item(),
            token_loss(student_logits, batch.target, LABEL_SMOOTHING).item()]


students = {"perfect copy": teacher, f"without {len(pruned)} heads": unpractised}
parts = {name: parts_of_loss(student) for name, student in students.items()}
for name, student in students.items():
    total = sum(weight * part for weight, part in zip(weights.values(), parts[name]))
    with torch.no_grad():
        whole = distillation_loss(student, batch, teacher=teacher).item()
    assert abs(total - whole) < 1e-3
    parts[name].append(whole)
labels = [*weights, "whole loss"]
factors = [*(f"{weight:g}" for weight in weights.values()), ""]
figures.table(zip(labels, factors, *parts.values()), ["", "weight", *parts])

# %% [markdown]
r"""
The outputs and the attentions of a perfect copy cost nothing. (A "-0.000" is rounding.) The
cross-entropy is not 0. Most of it is what label smoothing alone makes of a perfect answer: 0.56 for
the sample's 16 tokens (lesson 05 computes such a floor). The rest is what the teacher does not
know.

## Placebo teachers

Suppose a distilled student does better than one that learns from equations alone. Has it learned
what its teacher *knows*? Perhaps softer targets alone would do: they keep a model from being too
sure. Medicine has a control for this question, the *placebo*: it looks like the medicine, and has
nothing in it. We make two, out of the teacher's probabilities for every training equation:

- `permute_the_rest` keeps the best token and its probability, and shuffles the probabilities of all
  other tokens. The confidence is the same, the entropy is the same. The order of the other tokens
  is lost.
- `someone_elses` gives each problem the probabilities of another problem, whose equation has as
  many tokens. This teacher is well informed, about something else.

Four students lose the same heads at once, and train for the same number of steps in the same order
of problems. They differ in the teacher, and so in the loss: beside a teacher the cross-entropy
counts half (`ensemble_loss`). Alignment is left out, because a placebo has no attention. The
teacher's probabilities are computed once, on the whole texts, and kept (`ensemble_probabilities`;
8.9 uses it for several teachers). Guess the order of the four, by their loss on test problems.
"""

# %% 8.8 Placebo teachers
figures.heading(f"8.8 Four students without {len(pruned)} heads: is it what the teacher knows?")
soft = ensemble_probabilities([teacher], splits.train, vocabularies)  # of a problem (2, T, V)


def permute_the_rest(soft, seed):
    """The best token of each step keeps its probability, the other tokens share theirs anew."""
    generator = torch.Generator().manual_seed(seed)
    shuffled = [rows.clone() for rows in soft]  # (2, T, V) each
    for rows in shuffled:
        for row in rows.flatten(0, 1):  # (V,), a view: rows change with it
            others = torch.arange(V) != row.argmax()
            order = torch.randperm(V - 1, generator=generator)
            row[others] = row[others][order]
    return shuffled


def someone_elses(soft):
    """Each problem gets those of another one, half a list away, whose equation is as long."""
    by_length = {}
    for position, rows in enumerate(soft):
        by_length.setdefault(rows.shape[1], []).append(position)
    mismatched = list(soft)
    for positions in by_length.values():
        half = len(positions) // 2
        for position, other in zip(positions, positions[half:] + positions[:half]):
            mismatched[position] = soft[other]
    return mismatched


def stacked(soft):
    """All steps of all problems: (steps, V)"""
    return torch.cat([rows.flatten(0, 1) for rows in soft])


permuted = permute_the_rest(soft, args.seed)
mismatched = someone_elses(soft)
true_rows = stacked(soft)
permuted_rows = stacked(permuted)
assert torch.equal(true_rows.argmax(dim=1), permuted_rows.argmax(dim=1))  # the same best token
assert torch.equal(true_rows.sort(dim=1).values, permuted_rows.sort(dim=1).values)  # and entropy
assert not torch.equal(true_rows, permuted_rows)
assert sorted(map(id, mismatched)) == sorted(map(id, soft))  # every target is used once
same_best = (true_rows.argmax(dim=1) == stacked(mismatched).argmax(dim=1)).double().mean()
print(f"  the mismatched teacher names the true one's best token at {same_best:.0%} of the steps")

config = replace(experiment.student, seed=args.seed)
ARMS = {"equations alone": (task_loss, None),
        "true teacher": (ensemble_loss, soft),
        "permuted teacher": (ensemble_loss, permuted),
        "mismatched teacher": (ensemble_loss, mismatched)}
test_batches = batches([problem for problem in splits.test if vocabularies.can_write(problem)],
                       vocabularies, 64)


def train_student(loss, soft):
    """A copy of the teacher without the pruned heads, trained -> the model"""
    student = remove_heads(teacher, pruned)
    run = Training(student, splits.train, vocabularies, config, loss, soft=soft)
    for _ in range(config.epochs):
        for training_batch in run.batches_left():
            run.step(training_batch)
    return student.eval()


@torch.no_grad()
def loss_by_problem(model):
    """-log probability of a recorded token, each test problem's mean: an array"""
    losses = [example_losses(model(b.source, b.lengths, b.target), b.target) for b in test_batches]
    return torch.cat(losses).double().cpu().numpy()


models = {"before training": unpractised}
for name, (loss, targets) in ARMS.items():
    started = time.time()
    models[name] = train_student(loss, targets)
    print(f"  trained: {name}, {time.time() - started:.0f} s", flush=True)
correct = {}
losses = {}
for name, model in models.items():
    report = evaluate_model(model, splits.test, vocabularies)
    correct[name] = is_correct(report.outcomes)
    losses[name] = loss_by_problem(model)
rows = [(name, correct[name].mean(), losses[name].mean()) for name in models]
figures.table(rows, ["student", "answers right (test, greedy)", "loss (test)"])
by_loss = sorted(ARMS, key=lambda name: losses[name].mean())
print(f"  from the lowest loss to the highest: {', '.join(by_loss)}")

# %% [markdown]
r"""
All four answer the same test problems, so we compare two students problem by problem: the
difference is 1, 0 or -1. Would other problems give the same result? The *bootstrap* estimates this
from the problems that we have. It draws as many of them again, with replacement, and takes the mean
difference. It does so ten thousand times, and reports the range of the middle 95%
(`bootstrap_interval` in `tinyprune/results.py`). This is a *paired interval*.

The verdict follows from the interval alone (`compare` in the same file), and we fix the rule before
we look. The first *did better* if the whole interval is above 0, and *did worse* if it is below 0.
Otherwise the two *cannot be told apart*. That does not say that they are equal. The upper end of
the interval says how large a gain these problems still allow.
"""

# %% The four students, two at a time
def row_of(first, second):
    """A row of the table: two students' difference, and what the intervals allow to say"""
    gain, words = results.compare(correct[first], correct[second])
    low, high = bootstrap_interval(losses[first] - losses[second])
    return (f"{first} - {second}", gain, words, f"{low:+.3f} to {high:+.3f}")


PAIRS = [("true teacher", "equations alone"), ("true teacher", "permuted teacher"),
         ("permuted teacher", "equations alone"), ("true teacher", "mismatched teacher"),
         ("mismatched teacher", "equations alone")]
rows = [row_of(*pair) for pair in PAIRS]
figures.table(rows, ["difference", "points (95%)", "the first student", "loss difference (95%)"])

# %% [markdown]
r"""
Read the lines like this. The first one asks whether distillation helped, and the next two ask why.
True minus permuted: both teachers are equally sure, and only the true one knows the order of the
other tokens. Permuted minus equations alone: softer targets, and no other knowledge. The last two
lines check the experiment: the student of the mismatched teacher must do worse, or it does not
listen. *Cannot be told apart* leaves the question open, up to the ends of the interval. More
problems or more seeds would narrow it.

The last column gives the interval of the difference in loss. The loss sees more than the answers
do, because every token of every problem counts. So it may tell two students apart whose answers
cannot be told apart: the first one then is more sure of the right tokens, and this is not yet
enough to turn wrong answers into right ones. But a student that was told to be unsure also has a
higher loss, even if it writes the same equations.

What does the sample say, with seed 0? The answers of the first three students cannot be told apart.
Only the mismatched teacher does harm, so a student does listen. (It names the right token at a
third of the steps by chance: equations of one length often share tokens.) The true teacher's
student has a lower loss than the permuted one's. So the order of the other tokens carries some
knowledge, but too little to change the answers. At most steps these tokens lie near the floor of
8.3, and there the permuted teacher is nearly the true one.

The interval covers the choice of the problems, and not the choice of the seed. For a claim, run the
lesson with three seeds (`--seed 1`, `--seed 2`; each trains its own teacher first, a minute on the
sample) and read the verdicts together.

## Rounds

The paper calls its distillation *recursive* and does not say what recurs. We make it exact:

- Round 1: several plain teachers learn from the recorded equations. They differ only in the seed.
- Round 2: students learn from the recorded equations and from the *mean of the teachers' softened
  probabilities*. The mean is computed once, for every token of every training equation, on the
  clean text, and kept. The students see texts with hidden words (lesson 05), the teachers do not.
- Round 3: the students of round 2 may be the teachers. (We did not make it: round 2 gave no
  reason.)

There is a second way to ask in round 2. The teachers know the training problems by heart, so on
clean texts they say little more than the recorded equation. *Live* teachers are asked at each step,
on the text that the student sees, with the same hidden words. Then they must read, and they
disagree where the text allows more than one reading. It costs a pass of every teacher at each step
(`live_ensemble_loss`).

In the loss, the mean takes the place of one teacher's probabilities, and attention is not aligned
with that of several teachers (`ensemble_loss`). Probabilities are averaged, not logits. Guess why:
teacher A gives three tokens (0.90, 0.099, 0.001), teacher B gives them (0.001, 0.099, 0.90). Which
token is best by the mean of the probabilities, and which one by the mean of the logits?
"""

# %% 8.9 The mean of two teachers
figures.heading("8.9 Two teachers who disagree: the mean of probabilities, and of logits")
a = torch.tensor([0.900, 0.099, 0.001])
b = torch.tensor([0.001, 0.099, 0.900])
of_probabilities = (a + b) / 2
of_logits = ((a.log() + b.log()) / 2).softmax(dim=0)  # log p is a logit, up to a constant
rows = [("teacher A", *a.tolist()), ("teacher B", *b.tolist()),
        ("mean of probabilities", *of_probabilities.tolist()),
        ("mean of logits", *of_logits.tolist())]
figures.table(rows, ["", "+", "-", "*"])

second_teacher = models["equations alone"]  # it stands in for a teacher of another seed
temperature = options["temperature"]
problem = next(problem for problem in splits.test if vocabularies.can_write(problem))
[alone] = batches([problem], vocabularies, 1)
with torch.no_grad():
    both = [model(alone.source, alone.lengths, alone.target)[0] for model in
            (teacher, second_teacher)]  # two times (T, V)
ours = ((both[0] / temperature).softmax(dim=-1) + (both[1] / temperature).softmax(dim=-1)) / 2
[library] = ensemble_probabilities([teacher, second_teacher], [problem], vocabularies, temperature)
assert torch.allclose(ours.cpu(), library[0], atol=1e-5)
print(f"  `{' '.join(problem.equation)}`: the library keeps {tuple(library.shape)}, "
      "as it is and mirrored;")
print(f"  ours and the library's differ by at most {(ours.cpu() - library[0]).abs().max():.0e}")

# %% [markdown]
r"""
The mean of the probabilities says: one of the two, each with 45%. This is the truth about two
teachers who disagree. The mean of the logits prefers the middle token, in which neither of them
believes: a small probability has a large negative logit, so each teacher has a veto. Logits of
different teachers also have different sizes, and the teacher with the larger logits would count
more.

A round takes several trainings of full length, so it is not part of this lesson: a study makes the
runs (`lessons/study`). Where its result files are there (`lessons/results/study/`), we show them
and compare each kind of model with the plain teachers of round 1, paired over the same problems.
Guess: does a student of several teachers do better than a teacher?
"""

# %% 8.10 Recorded rounds
figures.heading("8.10 Rounds on the real sets, as recorded")
groups = {}  # {data set: {plan: its rows}}
for row in results.read_rows("study/rounds-*.json"):
    settings = row["settings"]
    if row["split"] == "test" and settings["decoding"] == results.BEST:
        groups.setdefault(row["data"], {}).setdefault(settings["plan"], []).append(row)


def share_right(rows, folds):
    """For each problem of these folds, the share of the models that answers it: an array"""
    shares = []
    for fold in folds:
        correct = [is_correct(row["verdicts"]) for row in rows if row["fold"] == fold]
        shares.append(np.mean(correct, axis=0))
    return np.concatenate(shares)


def share_hidden(settings):
    """The share of a text's words that a model does not see while it learns: a cell"""
    share = settings["word_dropout"]
    return "{:.0%} to {:.0%}".format(*share) if isinstance(share, list) else f"{share:.0%}"


def described(row, plans):
    """Four cells: what a model began as, its teachers, the hidden words, how it was pruned

    plans: those of the table, line by line
    """
    settings = row["settings"]
    if settings["round"] == 1:
        began = "random weights" if settings["plan"] == "teacher" else "the five together"
        return [began, "", "", ""]
    began = "random weights" if settings["start"] == "scratch" else "a plain teacher"
    if settings["origin"]:
        began = f"line {1 + plans.index(settings['origin'])}"
    teachers = "none"
    if settings["teachers"]:
        teachers = "five, live" if settings["live"] else "five, recorded"
    schedules = {"none": "", "dynamic": "meanwhile", "one-shot": "at once"}
    return [began, teachers, share_hidden(settings), schedules[row["schedule"]]]


for data, of_set in groups.items():
    facts = {plan: found[0]["settings"] for plan, found in of_set.items()}
    # A model comes after the one that it began as.
    plans = sorted(of_set, key=lambda plan: (facts[plan]["round"],
                                             bool(facts[plan].get("origin"))))
    rows = []
    for line, plan in enumerate(plans, start=1):
        found = of_set[plan]
        folds = sorted({row["fold"] for row in found})
        students = share_right(found, folds)
        gain = ""
        if plan != "teacher":
            teachers = share_right(of_set["teacher"], folds)
            gain = "{}, {}".format(*results.compare(students, teachers))
        cells = described(found[0], plans)
        rows.append((str(line), *cells, len(found), students.mean(), gain))
    figures.table(rows, [data, "began as", "teachers", "hidden", "30% pruned", "models", "right",
                         "points against teachers"])
if not groups:
    print("  no result of a round is in lessons/results/study/ yet")

# %% [markdown]
r"""
The table compares each kind of model with the five plain teachers. (The study compares a copy with
the teacher that it was.) *Models* counts all seeds on all folds. A model began from random weights,
as a plain teacher, or as the model of another line. *Recorded* teachers were asked once, on whole
texts; *live* ones read what the student reads, without the hidden words. Heads were pruned
*meanwhile*, step by step, or *at once*, before the training of this line. "The five together" are
the five teachers of round 1, who answer as one: the mean of their probabilities.

The five together answer 4 points more than one. No student of theirs did better than a plain
teacher in this table, so what they know together has not passed into one model. On ASDiv-A one
single model did better, and it had no teacher: between 0 and 60% of each text's words were hidden
from it. (Over folds its lead is not shown; on Math23k it has not been shown to gain.)

Why do they teach so little? 8.5 suggests a reason: they know the training problems by heart. The
study tried two cures, both on ASDiv-A (`lessons/results/study.md`).

*Live* teachers cannot answer a text with hidden words by heart. Two students tied for the best
result on validation problems (a tenth of the training problems, kept apart): one of live teachers
with 30% of the words hidden, and the same one without 30% of its heads. We took the smaller one. On
test problems nothing of its lead was left.

*Cross-fitting* asks each teacher only about problems from which it has not learned
(`cross_fitted_probabilities`; Dao et al. 2021). On training problems the best token of a plain
teacher is the recorded one at 99.6% of the steps; that of a cross-fitted one at 88.1%, nearly as on
test problems (86.6%). Its students have not been shown to do better than others. Perhaps because a
teacher that has not learned a problem is also more often wrong about it.

The study also measured how far students are from their teachers on new problems. They have not been
shown to be nearer than a model that learned with as many hidden words and had no teacher. On
Math23k, with twenty times as many training problems, a model without a teacher is as near as any
student. But it had more hidden words than they, so this says less.

So what does distillation buy? Little. Here are the study's comparisons on ASDiv-A, in points: the
students with these teachers minus the same training without a teacher. The brackets hold an
interval over problems, as in 8.8. The number after ± is half of a 95% interval over the five folds:
would other teachers say the same? A finding should hold in both.

| teachers | students | points | both greedy |
| --- | --- | --- | --- |
| one, recorded | copies, as here | -0.0 (-0.4 to +0.3; ± 0.4) | +0.1 (-0.2 to +0.4; ± 0.4) |
| five, recorded | copies | +0.1 (-0.3 to +0.4; ± 0.4) | +0.1 (-0.2 to +0.4; ± 0.4) |
| five, aligned | copies | +0.2 (-0.1 to +0.6; ± 0.2) | +0.3 (-0.1 to +0.6; ± 0.4) |
| five, recorded | from the start | +0.4 (-0.8 to +1.5; ± 2.1) | +1.1 (+0.0 to +2.2; ± 2.3) |
| five, recorded | smaller | -0.9 (-1.5 to -0.3; ± 0.3) | -0.1 (-0.7 to +0.5; ± 0.7) |
| cross-fitted | from the start | -0.5 (-1.9 to +0.8; ± 1.3) | -0.7 (-2.1 to +0.7; ± 2.1) |
| live, 30% | from the start | +0.8 (-0.3 to +2.0; ± 1.9) | -0.2 (-1.4 to +1.0; ± 2.9) |
| live, 0–60% | from the start (5) | -0.8 (-2.7 to +1.1; ± 2.1) | +0.1 (-1.9 to +2.0; ± 2.1) |
| live, 0–60% | after a removal | +1.2 (+0.5 to +1.9; ± 1.9) | +1.5 (+0.8 to +2.2; ± 2.1) |
| live, 0–60% | copies | +0.5 (+0.0 to +0.9; ± 0.9) | +0.9 (+0.5 to +1.3; ± 0.5) |

*Live, 30%*: 30% of the words were hidden. *Copies* began as plain teachers; in most of these lines
some of them are pruned. *Smaller* models are narrower or have a layer fewer. There are five models
on each side in the line with (5), and fifteen or more in all others.

Of the gains in the third column none holds in both intervals; the loss of the smaller models does.
The study calls it a *hint*: folds share training problems, so the second interval is a little too
narrow. With greedy answers one gain holds in both, and would even in wider ones: that of the copies
with live teachers. But it is the mean of two experiments (half of the copies lost heads, half did
not), put together when both were known, and each of them alone is a hint. So the surest gain is
that of copies whose teachers read the same texts as they do, and it is not very sure. On Math23k it
has not been found again: two pruned copies with live teachers minus two without are -0.1 (-0.7 to
+0.5; ± 3.2).

## Exercises

Stars give the difficulty, from ★ to ★★★.

1. (★, 10 minutes) By hand: the KL divergence of two coins, (1/2, 1/2) and (1/4, 3/4), both ways
   round, in nats. Then the gradient of KL(p || q) with respect to the two logits of q, for p =
   (1/2, 1/2), q = (1/4, 3/4) and τ = 1. Check it with autograd.
2. (★★, 25 minutes) Write `soft_loss` and `kd_loss` so that padding counts nowhere. The mean is over
   real tokens, not over problems and not over the vocabulary.
   `pytest tests/test_distill.py -k "kd or soft"`
3. (★★, 40 minutes) Write `attention_kl`, `partner_heads` and `attention_alignment`: 8.6 has the
   formula and the pairs. `pytest tests/test_distill.py -k "partner or align or attention_kl"`
4. (★★, 15 minutes) Find the mistake: delete `.eval()` in `ask_teacher` in your copy, and run the
   test. Trainings still seem to work: their loss falls. Why is the target wrong? Put `.eval()`
   back. `pytest tests/test_distill.py -k teacher`
5. (★, 10 minutes) Find the mistake: to save time, someone computes the teacher's probabilities for
   the training problems in a shuffled order (shuffled among equations of the same length), keeps
   them in a list, and trains on the problems in file order. Which student of 8.8 is this, and how
   many points does it cost?
6. (★★★, 90 minutes) Open: the placebo experiment with three seeds. Change one thing: another τ, a
   new permutation at every step, `--ratio 0.5`, or ASDiv-A. (τ is `TEMPERATURE` in `distill.py`.)
   Or test the reason of 8.5 as the study did: train two teachers, each on half of the training
   problems, and ask each one about the other half (`cross_fitted_probabilities`). First find your
   noise: put `functools.partial(ensemble_loss, kd_weight=0)` in the place of the true teacher's
   loss, and run three seeds. The spread of its difference to "equations alone" is your noise. A
   gain must also survive a second control: the equations alone with their loss doubled. (AdamW
   divides by the gradient's size, and the gradient is clipped at 1: guess what doubling does.)
7. (★★, 45 minutes) Open: does the student copy its teacher's errors? Take the problems that both
   answer wrongly, and count how often they write the same equation. Compare with two models that
   are not teacher and student.
"""
