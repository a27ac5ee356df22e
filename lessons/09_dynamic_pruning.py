# %% [markdown]
r"""
# 09 Dynamic pruning: would you prune the same heads if you scored them again later?

Scores change while a model learns. They also change because heads are pruned: other heads take over
their work. So the method scores the heads again and again. Each time it prunes a few more heads,
and a pruned head may come back if its score recovers. Is this better than one decision at the
start? This lesson looks for heads that come back. Then it compares the student with controls that
train for the same number of steps.

You need lessons 06 to 08. The teacher of lesson 05 is loaded, or trained now. Reading takes about
40 minutes, the run about a minute.
"""

# %% 9.1 The schedule
from functools import partial

import torch

from tinyprune import cli, figures, recipe
from tinyprune.dynamic_pruning import ratio_at
from tinyprune.evaluate import evaluate_model
from tinyprune.measure import attention_flops, mean_flops, problem_lengths
from tinyprune.results import bootstrap_interval, is_correct
from tinyprune.rivals import random_score
from tinyprune.scorer import paper_score

args = cli.options()
torch.set_num_threads(args.threads)
recipe.use_batch_size(args.data, args.batch)

figures.heading("9.1 The share of heads that are pruned at each step (cubic, 30% at step 100)")
steps = range(0, 151, 5)
cubic = [(step, ratio_at(step, 0, 100, 0.3)) for step in steps]
linear = [(step, 0.3 * min(step / 100, 1)) for step in steps]
figures.curves({"cubic": cubic, "linear": linear}, "step", "share pruned", "09_schedule")
print(f"  after a quarter of the way {ratio_at(25, 0, 100, 0.3):.0%} are pruned, "
      f"not {0.3 / 4:.0%}:")
print("  many heads can be spared at first; for the last ones the model needs time to adapt")

# %% [markdown]
r"""
Three details of each scoring matter.

- All heads are active. With masked heads, later layers would be judged by what a pruned model
  feeds them. A criterion that measures what a head adds (activation) would give a pruned head 0
  for ever.
- The new score is averaged with the old ones, so a single noisy scoring decides nothing.
- A pruned head keeps its weights *and Adam's averages of their gradients* as they are. Otherwise
  weight decay and old momentum would move a head that learns nothing. They would shrink its norm
  and so confirm the decision.

Guess: with 30% of the heads and some ten scorings, how many pruned heads come back?
"""

# %% 9.2 Heads that are pruned and come back
figures.heading(f"9.2 One student, {args.ratio:.0%} of the heads: # active, . pruned, a column for "
                "each scoring")
splits, vocabularies, teacher = recipe.load_teacher(args.data, args.fold, args.seed)


def student(schedule, ratio=args.ratio, criterion=paper_score):
    """A student of this teacher, distilled: loaded, or trained now."""
    return recipe.load_or_train_student(
        args.data, args.fold, args.seed, splits, vocabularies, teacher,
        ratio, schedule=schedule, criterion=criterion)


dynamic = student("dynamic")
timeline = {head: "" for head in teacher.heads()}
pruned = set()
for entry in dynamic.pruning_log:
    pruned -= set(entry["returned"])
    pruned |= set(entry["pruned"])
    for head in timeline:
        timeline[head] += "." if head in pruned else "#"
for head, line in timeline.items():
    if "." in line:
        name = f"{head.kind} {head.layer}.{head.index}"
        print(f"  {name:12} {line}" + ("   came back" if ".#" in line else ""))
returns = sum(len(entry["returned"]) for entry in dynamic.pruning_log)
print(f"  scorings: {len(dynamic.pruning_log)}, returns: {returns}; "
      "the heads not shown are active throughout")

# %% [markdown]
r"""
If no head came back, no decision was revised. Then the repeated scoring did one thing only: it
chose the later heads by newer scores. (With more heads to prune, `--ratio 0.5`, more decisions may
be revised.)

Is it worth the effort? We compare the dynamic student with four controls:

- *no way back* (monotone): a pruned head never returns;
- *one-shot*: the lowest heads are pruned at the first step, for good;
- *random, one-shot*: the same, but the heads are drawn at random;
- *nothing pruned*: the student only trains on.

All five train beside the same teacher, for the same number of steps. (Another `--seed` trains
another teacher first.) Guess the order of their accuracies.

Do "dynamic" and "one-shot" keep the same heads? The *Jaccard index* is the number of heads that
both keep, divided by the number that at least one of them keeps. Two random choices of 17 heads out
of 24 have a Jaccard index of about 55%.
"""

# %% 9.3 Controls
figures.heading("9.3 The same steps, other schedules (test, greedy)")
by_chance = partial(random_score, seed=args.seed)
models = {"teacher, no further training": teacher,
          "dynamic": dynamic.model,
          "dynamic, no way back": student("monotone").model,
          "one-shot": student("one-shot").model,
          "random, one-shot": student("one-shot", criterion=by_chance).model,
          "nothing pruned, trained on": student("none", ratio=0.0).model}
reports = {name: evaluate_model(model, splits.test, vocabularies)
           for name, model in models.items()}
correct_dynamic = is_correct(reports["dynamic"].outcomes)


def against_dynamic(report):
    """The difference in accuracy to the dynamic student, with its 95% interval, as text."""
    difference = is_correct(report.outcomes) - correct_dynamic
    low, high = bootstrap_interval(difference)
    return f"{difference.mean():+.3f} ({low:+.3f} to {high:+.3f})"


rows = []
for name, report in reports.items():
    comparison = "" if name == "dynamic" else against_dynamic(report)
    rows.append((name, len(models[name].heads()), report.answer_accuracy, comparison))
figures.table(rows, ["schedule", "heads", "answers right", "against dynamic (95%)"])
kept_dynamic = set(models["dynamic"].heads())
kept_one_shot = set(models["one-shot"].heads())
jaccard = len(kept_dynamic & kept_one_shot) / len(kept_dynamic | kept_one_shot)
print(f"  dynamic and one-shot keep the same heads to {jaccard:.0%} (Jaccard)")
print("  if an interval contains 0, the difference cannot be told from zero;")
print("  another seed would move it further")

# %% [markdown]
r"""
If the students tie, this is a result too: the extra training repairs the damage of a bad choice of
heads.

How bad may the choice be? Break it on purpose: turn the paper's score upside down, so that the
heads with the *highest* scores are pruned. A criterion is any function from (model, batches) to
{Head: float} (lesson 06). The student is pruned and trained by your function, and the library does
not change. Guess the accuracy first.

One caution: the library finds a trained student by the *name* of its criterion. If you change the
function, also give it a new name. Otherwise you see the old student again.
"""

# %% 9.4 Prune by your own score
figures.heading("9.4 The same steps, your own score (test, greedy)")


def my_score(model, batches):
    """The paper's score upside down: {Head: float}"""
    return {head: -score for head, score in paper_score(model, batches).items()}


mine = student("dynamic", criterion=my_score).model
report = evaluate_model(mine, splits.test, vocabularies)
row = ("my_score", len(mine.heads()), report.answer_accuracy, against_dynamic(report))
figures.table([row], ["criterion", "heads", "answers right", "against dynamic (95%)"])
shared = len(kept_dynamic & set(mine.heads()))
print(f"  the paper's score keeps {len(kept_dynamic)} heads; {shared} of them are kept here too")

# %% [markdown]
r"""
If even this student ties with the others, there are two explanations. Perhaps the training repairs
the damage of almost any choice. Or the paper's score says little about which heads matter: compare
its rank correlations in lesson 06.

There is one more reading of "dynamic, in real time": decide at inference, problem by problem, by
the entropy of a head's attention. But this entropy is known only after Q, K and their product have
been computed. What is left to save?
"""

# %% 9.5 The ceiling of an entropy gate at inference
figures.heading("9.5 What an entropy gate inside the layer could still save")
lengths = problem_lengths(splits.test)
source_lengths, _ = zip(*lengths)
S = round(sum(source_lengths) / len(lengths))
attention = teacher.encoder[0].attention
D = attention.output.out_features
inner = attention.output.in_features  # N*K
projections = 2 * (2 * S * D * inner)  # W_Q and W_K
products = 2 * S * S * inner  # Q K^T
spent = (projections + products) / attention_flops(attention, S, S)
of_encoder = sum(attention_flops(layer.attention, S, S) for layer in teacher.encoder)
share = args.ratio * of_encoder / mean_flops(teacher, lengths)
print(f"  an encoder head spends {spent:.0%} of its FLOPs before its entropy is known")
print(f"  skipping the rest for {args.ratio:.0%} of the encoder's heads saves at most "
      f"{share * (1 - spent):.1%} of a problem's FLOPs;")
print(f"  removing the same heads for good saves {share:.1%}")

# %% [markdown]
r"""
## Exercises

1. By hand: the cubic schedule half way to its end, for a ratio of 0.3.
2. Write `ratio_at`. `pytest tests/test_dynamic_pruning.py -k ratio`
3. Write `DynamicPruning.after_step`. What must be put back: the weights alone?
   `pytest tests/test_dynamic_pruning.py -k pruned_head`
4. Find the mistake: someone scores the heads while some are masked. Under which criteria of lesson
   06 can a pruned head never return? For which criteria does the head's own gate change nothing?
5. Rewrite `my_score` in 9.4 under a new name: take your score of lesson 06, or one that ignores the
   model. By how much can a criterion move the student's accuracy at this ratio?
6. Open: compare a schedule of your own with the controls above: three seeds, with intervals.
"""
