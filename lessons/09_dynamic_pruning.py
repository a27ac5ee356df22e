# %% [markdown]
r"""
# 09 Dynamic pruning: would you prune the same heads if you scored them again later?

Scores change while a model learns. They also change because heads are pruned: other heads take over
their work. The paper calls its pruning *dynamic*, and does not say exactly what that means. Our
reading: the heads are scored again and again. Each time a few more heads are pruned, and a pruned
head may come back if its score recovers. Is this better than one decision at the start? This lesson
builds the schedule, shows heads that leave and come back, and compares the student with controls
that train for the same number of steps.

You need lessons 06 to 08. The teacher of lesson 05 is loaded, or trained now. Reading takes about
50 minutes, the run a minute, the exercises five hours. "The library" is the package `tinyprune`.

Three words from lesson 07: a head is *pruned* if it takes no part. While the student learns it is
only *masked*: its gate is 0. At the end it is *removed*. One word is new: in a *scoring* all heads
get a score.

## How many heads, and when

The *ratio* r is the share of heads that is pruned in the end. The schedule says which share is
pruned at step s, if pruning ends at step E:

    cubic:   ratio(s) = r * (1 - (1 - s/E)^3)          linear:   ratio(s) = r * s/E

Both start at 0 and end at r. After step E the mask no longer changes, and the student trains on
with it. Work out the cubic one by hand at half of the way, for r = 0.3. Then guess: which share of
all pruned heads goes in the first quarter, and which in the last?
"""

# %% 9.1 The schedule
import copy
import itertools
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from tinyprune import cli, figures, recipe
from tinyprune.attention import MultiHeadAttention
from tinyprune.batching import batches
from tinyprune.decode import greedy
from tinyprune.distill import ensemble_loss, ensemble_probabilities
from tinyprune.dynamic_pruning import DynamicPruning, ratio_at
from tinyprune.evaluate import evaluate_model, grade
from tinyprune.masking import gates_for, remove_heads, select_heads
from tinyprune.measure import (
    attention_flops,
    forced_decoding,
    interleaved,
    mean_flops,
    problem_lengths,
)
from tinyprune.results import compare, is_correct
from tinyprune.rivals import gradient_score, random_score
from tinyprune.router import (
    fit_router,
    least_important,
    problem_importance,
    route,
    without_heads,
)
from tinyprune.scorer import paper_score, score_heads
from tinyprune.train import Training, steps_of
from tinyprune.transformer import Transformer

args = cli.options()
torch.set_num_threads(args.threads)
recipe.use_batch_size(args.data, args.batch)

figures.heading("9.1 The share of heads that are pruned, 30% in the end, pruning ends at step 100")
rows = []
for s in (0, 10, 25, 50, 75, 100, 150):
    left = 1 - min(s / 100, 1)  # the share of the way that is left
    cubic = 0.3 - 0.3 * left * left * left
    linear = 0.3 * (1 - left)
    assert abs(cubic - ratio_at(s, 0, 100, 0.3)) < 1e-12
    rows.append((str(s), cubic, f"{24 * cubic:.1f}", linear, f"{24 * linear:.1f}"))
figures.table(rows, ["step", "cubic", "of 24 heads", "linear", "of 24 heads"])
curves = {"cubic": [(s, ratio_at(s, 0, 100, 0.3)) for s in range(0, 151, 3)],
          "linear": [(s, 0.3 * min(s / 100, 1)) for s in range(0, 151, 3)]}
for name, points in curves.items():
    bars = "".join(figures.BARS[int(7 * share / 0.3)] for _, share in points)
    print(f"  {name:6}  {bars}")


def draw_schedules(axes):
    for name, points in curves.items():
        axes.plot(*zip(*points), label=name)
    axes.set_title("Two schedules for a ratio of 30%")
    axes.set_xlabel("step (pruning ends at 100)")
    axes.set_ylabel("share of the heads pruned")
    axes.legend(loc="lower right")


figures.save_picture("09_schedule", draw_schedules)
first_quarter = ratio_at(25, 0, 100, 1.0)
last_quarter = 1 - ratio_at(75, 0, 100, 1.0)
print(f"  of the pruned heads {first_quarter:.0%} go in the first quarter, {last_quarter:.1%} in "
      "the last")

# %% [markdown]
r"""
Why cubic (Zhu and Gupta 2017), and not linear? The heads go in the order of their scores. The first
ones matter less than those that follow, so many can go at once. The last ones matter more, and each
of them leaves work that other heads must learn. After an early rise the mask is nearly final for
most of the time, and the student trains with the heads that it will keep. With the linear schedule
a quarter of the pruned heads would leave in the last quarter. (We have not compared the two:
exercise 8.)

## A score with a memory

Scores move from scoring to scoring, because the model changes at every step. Part of this movement
is chance. So the new scores are averaged with the old ones. (The choice of the calibration problems
adds an error of its own. They are the same at every scoring, so no average removes it.) Let s_k be
the score of one head at scoring k = 0, 1, 2, … The *exponential moving average* (EMA) m_k of the
scores is

    m_0 = s_0          m_k = d * m_(k-1) + (1 - d) * s_k

The *decay* d is the weight of the old average. With d = 0 only the last scoring counts. With d =
0.9 it counts one tenth. The whole project uses d = 0.5.

A memory makes the average calm, and it makes it late. If each scoring has new noise of size 1, the
average has noise of size √((1 - d) / (1 + d)). If the true score jumps, the average has done half
of the jump after log(1/2) / log(d) scorings. The next cell takes two heads with true scores 0.50
and 0.52, adds noise of size 0.05, and counts how often the order of the two changes in 200
scorings, for d = 0, 0.5 and 0.9. Guess the three counts.
"""

# %% 9.2 The moving average
figures.heading("9.2 Two heads of nearly equal score: how often does their order change?")
noise = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
noisy = torch.tensor([0.50, 0.52]) + 0.05 * noise  # (200 scorings, 2 heads)


def smooth(scores, decay, before=None):
    """The moving averages of scores (scorings, heads); before: the average before scores[0]"""
    average = scores[0] if before is None else decay * before + (1 - decay) * scores[0]
    averages = [average]
    for fresh in scores[1:]:
        average = decay * average + (1 - decay) * fresh
        averages.append(average)
    return torch.stack(averages)


rows = []
for decay in (0.0, 0.5, 0.9):
    averages = smooth(noisy, decay)
    first_is_lower = averages[:, 0] < averages[:, 1]
    changes = (first_is_lower[1:] != first_is_lower[:-1]).sum().item()
    half_way = np.log(0.5) / np.log(decay) if decay else 0.0
    rows.append((f"{decay:g}", float(np.sqrt((1 - decay) / (1 + decay))), str(changes),
                 f"{half_way:.1f}"))
figures.table(rows, ["decay", "noise left (formula)", "changes of order",
                     "scorings until half a jump (formula)"])

constant = torch.full((5, 1), 0.8)
from_zero = smooth(constant, 0.5, before=torch.zeros(1))
rows = [("from the first score", *smooth(constant, 0.5)[:, 0].tolist()),
        ("from 0", *from_zero[:, 0].tolist()),
        ("1 - d^(k+1)", *(1 - 0.5 ** (k + 1) for k in range(5)))]
figures.table(rows, ["a constant score of 0.8, d = 0.5", *(f"k = {k}" for k in range(5))])

# %% [markdown]
r"""
A larger decay changes the order less often. It would also see a real change later. (With d = 0 the
first new scoring does the whole jump.)

The second table shows a trap. An average that starts at 0 has m_0 = (1 - d) * s_0. It is too low at
first: for a constant score the factor is `1 - d^(k+1)`. If all heads start at 0 together, all are
too low by the same factor, so their order is right. But such an average cannot be compared with a
fresh score or with a fixed limit. Ours starts at the first scores. That has a price, too: the first
scoring weighs d / (1 - d) times as much as the second, nine times at d = 0.9. At our d = 0.5 both
weigh the same. (Adam starts at 0, too, and divides its averages by 1 - d^(k+1).)

## The head that returns must be the head that left

A masked head has gate 0, so the gradient of each of its weights is exactly 0. Still they move, for
two reasons. Adam's first moment is a moving average of old gradients, and it goes on pushing: this
is *momentum*. And *weight decay* pulls every weight towards 0 at each step. So the head would
change without learning from anything.

The next cell trains one small attention layer for 50 steps with all heads active. Then it masks
head 0 and trains on. It measures how far the head's rows of W_V have moved since then, relative to
their size. Guess: after 200 steps, which of the two reasons has moved it further?
"""

# %% 9.3 A masked head has no gradient, and moves
figures.heading("9.3 How far do the weights of a masked head move?")
data = torch.Generator().manual_seed(0)
x = torch.randn(8, 5, 12, generator=data)  # (B, T, D)
wanted = torch.randn(8, 5, 12, generator=data)
AFTER = (1, 10, 50, 200)  # steps since head 0 was masked


def drift(weight_decay, momentum=True):
    """How far W_V of the masked head has moved after so many steps, relative to its size: [float]

    momentum: whether the optimizer keeps the moments of the time when the head was active
    """
    torch.manual_seed(0)
    layer = MultiHeadAttention(12, 4, range(3))  # D=12, K=4, N=3
    optimizer = torch.optim.AdamW(layer.parameters(), lr=1e-3, betas=(0.9, 0.98),
                                  weight_decay=weight_decay)
    gate = torch.ones(3)
    own = slice(0, 4)  # the rows of head 0
    moved = {}
    for step in range(1, 251):
        output, _ = layer(x, head_gate=gate)
        optimizer.zero_grad()
        (output - wanted).square().mean().backward()
        optimizer.step()
        now = layer.value.weight[own].detach()  # (K, D)
        if step == 50:
            before = now.clone()
            gate[0] = 0
            if not momentum:
                optimizer.state.clear()
        if step > 50:
            assert not layer.value.weight.grad[own].any(), "the gradient is exactly 0"
            moved[step - 50] = ((now - before).norm() / before.norm()).item()
    return [moved[step] for step in AFTER]


def in_percent(shares):
    return [f"{share:.2%}" for share in shares]


rows = [("moved by momentum and weight decay", *in_percent(drift(weight_decay=0.01))),
        ("moved by momentum alone", *in_percent(drift(weight_decay=0.0))),
        ("moved by weight decay alone", *in_percent(drift(weight_decay=0.01, momentum=False))),
        ("what is left of Adam's first moment", *in_percent(0.9 ** step for step in AFTER))]
figures.table(rows, ["steps since then:", *map(str, AFTER)])

# %% [markdown]
r"""
Momentum has moved the head further. It ends when the old gradients are forgotten. The decay is
slow, and it goes on for ever: in a long training the norm of a masked head would shrink, and a
score that contains the norm would confirm the decision. So the library takes three measures
(`tinyprune/dynamic_pruning.py`):

- When a head is pruned, copies of its weights *and of Adam's two moments* are kept: its rows of
  W_Q, W_K and W_V with their biases, and its columns of W_O. b_O belongs to no head.
- After every step of the optimizer the copies are written back. If only the weights were put back,
  the moments would fade to 0, and the head that returns would not be the head that left.
- When a head returns, its copies are dropped, and it learns on from where it was.

And every scoring looks at the model with *all heads active*. Otherwise a criterion that measures
what a head adds would give a pruned head 0 for ever, and it could never return. The price: the
scored model is not the model that trains. In the scoring the masked heads work again, with their
old weights. So the scores do not say how the student does without them.

## Heads that leave and come back

Now a real student. It begins as a copy of the teacher, learns from the equations and from the
teacher's softened probabilities (lesson 08, without alignment to save time), and is scored about
twelve times in the first half of its training. Half of all heads go: with more decisions, more of
them may be revised. (`--ratio 0.6` prunes still more. A ratio below 0.5 changes nothing here.)

We use two criteria of lesson 06. The *paper's score* mixes the norm of a head's weights and the
entropy of its attention. The *gradient score* is the mean over examples of |d loss / d gate|: how
much the loss would move if the gate moved. In the text picture each line is a head that was pruned
at least once, and each column a scoring: # is active, . is pruned. Guess for both criteria: how
many heads come back?
"""

# %% 9.4 The timeline of heads
RATIO = max(args.ratio, 0.5)
splits, vocabularies, teacher = recipe.load_teacher(args.data, args.fold, args.seed)
student_config = recipe.EXPERIMENTS[args.data].student
config = replace(student_config, epochs=max(student_config.epochs // 2, 1), seed=args.seed)
END = steps_of(config, splits.train, vocabularies) // 2
EVERY = max(END // 12, 1)
figures.heading(f"9.4 {RATIO:.0%} of the heads, scored every {EVERY} steps until step {END}: who "
                "comes back?")
calibration = recipe.calibration_batches(splits.train, vocabularies, 128)
soft = ensemble_probabilities([teacher], splits.train, vocabularies)


@dataclass
class Student:
    model: Transformer  # without the pruned heads
    pruned: set  # of Heads
    log: list  # an entry for each scoring: the Heads pruned then, and those that returned


def train_student(schedule, criterion=gradient_score, ratio=RATIO):
    """A copy of the teacher, trained while the schedule masks heads -> Student"""
    model = copy.deepcopy(teacher)
    pruning = DynamicPruning(lambda model: score_heads(model, calibration, criterion),
                             ratio, END, EVERY, schedule)
    run = Training(model, splits.train, vocabularies, config, ensemble_loss, pruning, soft)
    for _ in range(config.epochs):
        for batch in run.batches_left():
            run.step(batch)
    print(f"  trained {run.done} steps: {schedule}, {len(pruning.pruned)} heads pruned", flush=True)
    return Student(remove_heads(model, pruning.pruned).eval(), pruning.pruned, pruning.log)


def timeline(student):
    """For each head, whether it was active after each scoring: {Head: [bool]}"""
    pruned = set()
    active = {head: [] for head in teacher.heads()}
    for entry in student.log:
        pruned = (pruned - set(entry["returned"])) | set(entry["pruned"])
        for head, states in active.items():
            states.append(head not in pruned)
    return active


def returns(student):
    return sum(len(entry["returned"]) for entry in student.log)


def show_timeline(student, name, picture):
    """The timeline as text, without the heads that were never pruned, and as a picture."""
    active = timeline(student)
    comebacks = Counter()
    for entry in student.log:
        comebacks.update(entry["returned"])
    for head, states in active.items():
        if not all(states):
            line = "".join("#" if state else "." for state in states)
            if comebacks[head]:
                line += f"   came back: {comebacks[head]}"
            print(f"    {head.kind:7} {head.layer}.{head.index}  {line}")
    print(f"  {name}: {len(student.log)} scorings; returns: {returns(student)}; heads that came "
          f"back: {len(comebacks)}")

    def draw(axes):
        axes.imshow([*active.values()], cmap="Blues", vmin=0, vmax=1.4, aspect="auto")
        axes.set_yticks(range(len(active)), [f"{h.kind} {h.layer}.{h.index}" for h in active],
                        fontsize=7)
        axes.set_title(f"{name}: dark = active, white = pruned")
        axes.set_xlabel(f"scoring (one every {EVERY} steps)")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylabel("head (kind layer.index)")

    figures.save_picture(f"09_timeline_{picture}", draw, (6, 5))


by_paper = train_student("dynamic", paper_score)
show_timeline(by_paper, "paper's score", "paper")
by_gradient = train_student("dynamic")
show_timeline(by_gradient, "gradient score", "gradient")
difference = returns(by_gradient) - returns(by_paper)
more = "the gradient score" if difference > 0 else "the paper's score"
print(f"  {'neither' if difference == 0 else more} revises more decisions than the other")

# %% [markdown]
r"""
A head that comes back is a decision that was revised. A criterion revises its decisions only if its
scores move between two scorings by more than the heads differ. A norm of weights moves slowly: a
step of the optimizer changes a weight by about the learning rate. The gradient depends on the loss,
and it moves with every change of the model. If a criterion shows no return above, its repeated
scoring did one thing only: it chose the later heads by newer scores.

A return is not a merit in itself. It may correct a mistake, or it may be noise. Look for heads that
flicker: out, in, out. The gradient score is the noisier one: in the study, scores from two draws of
128 calibration problems rank the heads of a kind only roughly alike (correlation 0.50 on ASDiv-A;
the paper's score has 0.97). Only a comparison can tell.

## What asking again could buy at its best

Why should a second scoring know more than the first one? Because the worth of a head depends on the
others. Two heads may do the same work. Either of them can go, but not both, and a ranking that was
made once may prune both. Lesson 06 (section 6.14) has masked half of the heads by leave-one-out in
two ways: ranked once, and asked again after each head (`greedy_score` in `tinyprune/rivals.py`).
Asking again did better there, and on the real sets (`lessons/results/heads.md`). It asked with the
pruned heads masked.

Our schedule does not: it scores with all heads active, so that heads can return. While one of two
such heads is masked, the other still looks unimportant to it. It sees the difference only if the
student has changed its weights meanwhile. So 6.14 shows what asking again can buy at its best. It
does not show that our schedule buys it. And the student trains, which may repair what a worse
choice has broken. So the next table must decide.

## Is it worth the effort?

We compare the dynamic student (gradient score) with controls:

- *no way back* (the schedule "monotone"): the same, but a pruned head never returns;
- *one-shot*: the lowest heads are pruned at the first step, for good;
- *random*: one-shot, but the heads are drawn at random (we draw five times, measure each draw
  before training, and train the one in the middle);
- *the paper's score*: dynamic, as in the timeline above;
- *nothing pruned*: the student trains on beside the same teacher, with all heads.

All train beside the same teacher, for the same number of steps, on the same batches. Differences
have a paired 95% interval over the test problems, as in lesson 08. A positive number says that the
control answers more. The table has two accuracies. "Untrained" is the *teacher* with the heads
masked that this student lost in the end. So it shows how good the choice of heads is before any
repair. Guess the order of the five pruned students in each of the two columns.

Do two schedules prune the same heads? "Same heads" counts those that the dynamic student has lost,
too. Two random choices of half of the heads share half of them on average.
"""

# %% 9.5 Controls
figures.heading(f"9.5 The same steps, other schedules: answers right ({len(splits.test)} test "
                "problems, greedy)")


def accuracy_of_choice(pruned):
    """The teacher's accuracy with these heads masked, without any training."""
    gates = gates_for(teacher, pruned)
    report = evaluate_model(teacher, splits.test, vocabularies, gates=gates)
    return report.answer_accuracy


draws = {}  # {seed: accuracy}, untrained
for seed in range(5):
    scores = random_score(teacher, None, seed=seed)
    draws[seed] = accuracy_of_choice(select_heads(scores, RATIO))
in_the_middle = sorted(draws, key=draws.get)[2]
random_heads = partial(random_score, seed=in_the_middle)
students = {"dynamic": by_gradient,
            "no way back": train_student("monotone") if returns(by_gradient) else by_gradient,
            "one-shot": train_student("one-shot"),
            "one-shot, random": train_student("one-shot", random_heads),
            "dynamic by the paper's score": by_paper,
            "nothing pruned": train_student("none", ratio=0.0)}  # last: not in rows[:-1]


def correct_answers(student):
    """Which test problems the student answers, as 0 and 1: an array"""
    return is_correct(evaluate_model(student.model, splits.test, vocabularies).outcomes)


def row_of(name, student, answers):
    """A row of the table: both accuracies, and the comparison with the dynamic student."""
    compared = ("", "") if name == "dynamic" else compare(answers, correct["dynamic"])
    shared = student.pruned & by_gradient.pruned
    same = f"{len(shared)} of {len(student.pruned)}" if student.pruned else ""
    return (name, accuracy_of_choice(student.pruned), answers.mean(), same, *compared)


correct = {name: correct_answers(student) for name, student in students.items()}
rows = [row_of(name, student, correct[name]) for name, student in students.items()]
HEADER = ["student", "untrained", "trained", "same heads", "points against dynamic", ""]
figures.table(rows, HEADER)
range_of_draws = f"{min(draws.values()):.3f} to {max(draws.values()):.3f}"
print(f"  five random draws, untrained: {range_of_draws}")
before = [row[1] for row in rows[:-1]]  # without "nothing pruned"
after = [row[2] for row in rows[:-1]]
print(f"  between the best and the worst of the pruned students: {max(before) - min(before):.3f} "
      f"untrained, {max(after) - min(after):.3f} trained")
below = [row[0] for row in rows[:-1] if row[1] < min(draws.values())]
print(f"  below all five draws: {', '.join(below) or 'none'}")
for column, when in ((1, "untrained"), (2, "trained")):
    ranked = sorted(rows[:-1], key=lambda row: -row[column])
    line = ranked[0][0]
    for better, row in itertools.pairwise(ranked):
        line += (" = " if row[column] == better[column] else "; ") + row[0]
    print(f"  {when}, from the best to the worst: {line}")
gain, words = compare(correct["one-shot"], correct["one-shot, random"])
print(f"  one-shot by the gradient against random heads: {gain} points, {words}")
if not returns(by_gradient):
    print("  no head came back, so \"no way back\" is the same training")
elif students["no way back"].pruned == by_gradient.pruned:
    print("  \"no way back\" ends with the same heads: the two differ only on the way there")

# %% [markdown]
r"""
The last column says what these problems allow to say about each control. *Cannot be told apart*
says that no difference is shown. The interval says how large one may still be. Now the reasons, for
each way that it can turn out.

*No way back did better*: returns did harm, for example because a head that leaves and comes back
late has missed steps of training. *It did worse*: some early decisions were wrong, and the way back
corrected them. *They cannot be told apart*: the returns have not been shown to help or to harm. If
both end with the same heads, only the way there differs.

*One-shot did better*: newer scores were not worth the wait. One-shot has an advantage of its own:
its student trains with its final heads from the first step on. *It did worse*: the scores at the
start were not the scores that count later.

*Random* must be compared with *one-shot*, which differs from it in the choice of the heads alone:
the line below the table does it. *One-shot did better than random*: the criterion is worth its
price here. Then ask whether a longer training would close the gap. *Random did better*: the choice
counts, and the criterion chose the wrong heads. *They cannot be told apart*: these problems do not
show that the choice of the heads counts, at this ratio and this length of training. The column
"untrained" does not contradict this. All heads of the decoder add to one residual stream (lesson
02), and so do those of the encoder. So the heads that remain can learn the work of those that left.
A criterion helps only where training cannot repair the damage. And look at "untrained" itself, and
at the line that names those below all five random draws: such a criterion measures something other
than what the model needs.

The column "same heads" answers the question of this lesson's title. If *one-shot* shares most of
its heads with the dynamic student, the later scorings said again what the first one had said. If it
shares no more than half, the scores have moved, and only the answers can tell whether for the
better.

*Nothing pruned*: its row says what pruning costs. (It is compared with the dynamic student, which
we named before we looked. The best of several students would look too good.) Another `--seed`
trains another teacher first. The intervals cover the choice of problems only. And this training is
short: the recipe's student (lesson 10) trains twice as long and loses 30% of its heads, so it has
less to repair and more time for it.

What does dynamic pruning buy, then? On the sample the intervals of 9.5 are wide. The study asked on
ASDiv-A, with longer training (`lessons/results/study.md` and `heads.md`; brackets and ± are
explained at the end of lesson 08). Copies of teachers lose 30% of their heads and train for 15
epochs, on each of five folds:

- *Dynamic* minus *one-shot* is -0.4 points (-0.9 to +0.1; ± 0.6), a mean over two criteria and four
  losses. No difference has been shown.
- Nor has any of ten ways to choose the heads been shown to do better than random heads, once
  training follows, at 10, 30, 50 and 70% of the heads (three of the folds).
- Pruning itself costs. These copies minus copies that lose no head: -1.3 points (-2.1 to -0.5; ±
  1.1), over folds only just. Students of five teachers, trained from the start, after their removal
  minus before: -1.5 (-2.5 to -0.5; ± 1.0). The sample's loss is larger: half of the heads go, and
  72 steps repair most of it, but not all.

Other models were asked, too: some that are smaller from the start, narrower or with a layer fewer,
without a teacher. They have not been shown to be worse than the plain teachers. Their mean minus
that of such copies, without teachers on both sides, is +1.3 points (+0.3 to +2.3; ± 1.3), a hint
(lesson 08). Minus the best of the four ways to prune it is +0.6 (-0.6 to +1.7; ± 0.4), not shown.

So a smaller model is worth a try, too. If you prune, let training follow: without it the choice of
heads matters much, with it neither the choice nor the schedule has been shown to matter.

## A criterion of your own

A criterion is any function from (model, batches) to {Head: float}, where high means keep (lesson
06). You can give your own function to the schedule. Break something on purpose: turn the gradient
score upside down, so that the heads with the *highest* scores are pruned. Guess both accuracies
first.
"""

# %% 9.6 Prune by your own score
figures.heading("9.6 The same steps, your own score")


def my_score(model, batches):
    """The gradient score upside down: {Head: float}"""
    return {head: -score for head, score in gradient_score(model, batches).items()}


mine = train_student("dynamic", my_score)
row = row_of("my_score, dynamic", mine, correct_answers(mine))
figures.table([row], HEADER)
print(f"  scorings: {len(mine.log)}, returns: {returns(mine)}")
print(f"  five random draws, untrained: {range_of_draws}")
print(f"  the training brings {row[2] - row[1]:+.3f}; against the dynamic student: {row[-1]}")

# %% [markdown]
r"""
"Untrained" shows what the worst choice by this score costs, beside five random choices. "Trained"
shows how much of it a short training repairs. If this student did worse than the others, the repair
has a limit, and the choice of heads is not free.

## Dynamic at inference

The paper says that heads are pruned "in real time". One more reading of this is: decide problem by
problem, while the model answers. An easy problem could do with few heads. Suppose that a switch in
the layer computes the entropy of a head's attention and skips the rest of the head if the entropy
is low. What is left to save? Count one head of width K, for S queries and S keys, with 2 FLOPs for
each multiply-and-add:

    before the entropy is known                 after it
    queries  W_Q:  2 * S * D * K                values   W_V:  2 * S * D * K
    keys     W_K:  2 * S * D * K                average  P V:  2 * S * S * K
    scores  Q K^T: 2 * S * S * K                output   W_O:  2 * S * K * D

Both columns have the same sum. So exactly half is spent before the entropy is known, whatever S, D
and K are. The same holds for cross-attention, with T queries and S keys: W_Q and W_O are paid per
query, W_K and W_V per key. On the sample the encoder's attention takes 46% of a problem's FLOPs.
Guess: which share of a problem's FLOPs can such a switch save at most, if it skips half of the
encoder's heads?
"""

# %% 9.7 The ceiling of a switch at inference
figures.heading("9.7 What a switch at inference could save at most, of a problem's FLOPs")
lengths = problem_lengths(splits.test)
source_lengths, _ = zip(*lengths)
S = round(np.mean(source_lengths))
attention = teacher.encoder[0].attention
D, inner = attention.output.weight.shape  # inner = N*K
before_entropy = 2 * (2 * S * D * inner) + 2 * S * S * inner
spent = before_entropy / attention_flops(attention, S, S)
assert spent == 0.5
encoder_flops = sum(attention_flops(block.attention, S, S) for block in teacher.encoder)
whole = mean_flops(teacher, lengths)
skipped = RATIO * encoder_flops / whole
encoder_heads = [head for head in teacher.heads() if head.kind == "encoder"]
early = 2 * D * len(encoder_heads) / whole  # one row of D weights for each head
rows = [("a switch by entropy, inside the layer", f"{skipped * (1 - spent):.1%}"),
        ("a switch that decides before Q and K", f"{skipped - early:.1%}"),
        ("the same heads removed for good", f"{skipped:.1%}")]
figures.table(rows, [f"{RATIO:.0%} of the encoder's heads skipped", "saved at most"])
print(f"  a switch that reads the mean embedding costs {early:.3%}")

# %% [markdown]
r"""
A switch inside the layer gives away half of the gain, by arithmetic. A switch that decides *before*
queries and keys are computed loses nearly nothing: a matrix with one row of D numbers for each head
reads the mean embedding of the words once. But it must guess a head's worth from the words alone.
And fewer FLOPs need not mean less time (lesson 07). In a batch each problem skips other heads. Then
the matrices stay whole, unless we group problems that skip the same heads. That helps only if many
do.

So build one and look at the clock. The *router* (`tinyprune/router.py`) is one linear map from the
mean embedding of a problem's words to a number for each head. It is fitted to the size of each
gate's gradient on training problems: the gradient score, problem by problem. Of all linear maps we
take the one with the smallest squared error, with a penalty on large weights. (It has 129 weights a
head on the sample, so 128 problems are few. The study takes 1,024; ASDiv-A has slightly fewer, so
there it takes all.) At inference the lowest heads are left out before the problem is read
(`without_heads`), now half of all heads, in the decoder too. Beside it stands a router that cheats:
it takes *the problem's own gradients*, so it knows the equation. (It is no upper limit: a gradient
with all heads active does not know what the heads do together.) Guess the order of the three by
their answers: removal, where all problems lose the same heads, the router, the one that cheats.
Which of them are faster than the whole model?
"""

# %% 9.8 A router, on the clock
figures.heading("9.8 One problem at a time: the same heads for all, or heads for each problem")
problems = [problem for problem in splits.test if vocabularies.can_write(problem)][:50]
singles = batches(problems, vocabularies, 1)
router = fit_router(teacher, calibration)
smaller = remove_heads(teacher, select_heads(score_heads(teacher, calibration, gradient_score),
                                             RATIO))


def by_router(batch):
    return route(router, teacher, batch, RATIO)[0]


def by_own_gradients(batch):
    return least_important(teacher, problem_importance(teacher, batch), RATIO)[0]


def nothing(batch):
    return ()


def ask(model, choose):
    """Answers each problem without the heads that are chosen for it: 0 and 1, an array"""
    equations = []
    for batch in singles:
        with without_heads(model, choose(batch)):
            [candidates] = greedy(model, batch, vocabularies.target)  # of the one problem
        equations.append(candidates[0].equation)
    asked = [problems[batch.positions[0]] for batch in singles]
    return is_correct(grade(asked, equations).outcomes)


def read_all(model, choose):
    """The same work for all: the recorded equations are written."""
    for batch in singles:
        with without_heads(model, choose(batch)):
            forced_decoding(model, batch)


WAYS = {"whole model": (teacher, nothing), "the same heads removed": (smaller, nothing),
        "chosen by the router": (teacher, by_router),
        "chosen by its own gradients": (teacher, by_own_gradients)}
# Not by its own gradients: they need the equation, which nobody has at inference.
timed = ("whole model", "the same heads removed", "chosen by the router")
seconds = interleaved({name: partial(read_all, *WAYS[name]) for name in timed}, rounds=3)
answers = {name: ask(*way) for name, way in WAYS.items()}
rows = []
for name in WAYS:
    speed = f"×{seconds['whole model'] / seconds[name]:.2f}" if name in timed else ""
    rows.append((name, answers[name].mean(), speed))
figures.table(rows, [f"{RATIO:.0%} of the heads left out", "answers right", "speed"])
gain, words = compare(answers["chosen by the router"], answers["the same heads removed"])
print(f"  the router against removal: {gain} points, {words}")
slower = seconds["chosen by the router"] > seconds["whole model"]
print(f"  the router's model is {'slower' if slower else 'faster'} than the whole one")

# %% [markdown]
r"""
Do a problem's words tell which heads it needs? Fifty problems cannot decide it: the interval is
wide. In the study, at 50%, the router cannot be told from removal on ASDiv-A (+0.2, -2.8 to +3.0; ±
5.2). On Math23k it has fewer answers right, over problems (-10.4, -12.4 to -8.4; ± 10.9). And on
both it is slower than the *whole* model (`lessons/results/heads.md`).

The clock says what the choice costs. For each problem the router slices the rows and columns of the
chosen heads out of every matrix, some dozens of small copies. If it is slower than the whole model,
the choice and these copies take longer than the skipped heads would have taken. Removal has paid
for them once and for all. But it saves little here, too: one problem at a time, most of the time
goes to starting operations (lesson 07). A choice for each problem could win where a head costs much
more than a copy of its weights: on long texts, or in large groups of problems with one choice. The
study has looked for such groups in the real sets: nearly every problem has a choice of its own.

## Exercises

Stars give the difficulty, from ★ to ★★★.

1. (★, 10 minutes) By hand: the cubic schedule at one half and at three quarters of the way, for a
   ratio of 0.4 and 24 heads. How many heads leave in between? How many with the linear schedule?
2. (★, 15 minutes) Write `ratio_at(step, start, end, ratio)`: 0 before `start`, `ratio` from `end`
   on, cubic in between. What if start = end? `pytest tests/test_dynamic_pruning.py -k ratio`
3. (★★, 30 minutes) Write `DynamicPruning.update_average` and `is_due`. (The docstring of `is_due`
   says what happens when a stopped run goes on.)
   `pytest tests/test_dynamic_pruning.py -k "smoothing or few_steps"`
4. (★★★, 60 minutes) Write `DynamicPruning.before_step` and `after_step`. What must be put back: the
   weights alone? `pytest tests/test_dynamic_pruning.py`
5. (★★, 20 minutes) Find the mistake: someone scores the heads while some are masked. Under which
   criteria of lesson 06 can a pruned head never return, or hardly ever? For which criteria does the
   head's own gate change nothing?
6. (★★, 20 minutes) Find the mistake: a colleague starts the moving average at 0 and prunes every
   head whose average is below 0.3. The true scores lie between 0.4 and 1, and d = 0.9. What does
   the first scoring prune, and when would the last wrongly pruned head return?
7. (★★, 40 minutes) Rewrite `my_score` in 9.6: take your score of lesson 06, or one that ignores the
   model. By how much can a criterion move the student's accuracy at this ratio?
8. (★★★, 90 minutes) Open: a schedule of your own (linear, or one-shot after some steps of training)
   against the controls above: three seeds, with intervals. Say before you run it what would change
   your mind. (Linear: change `ratio_at` in your copy. One-shot after 20 steps: `DynamicPruning`
   with end=20 and every=20, whose first scoring prunes nothing.)
"""
