# %% [markdown]
r"""
# 09 Dynamic pruning: would you close the same heads if you asked again later?

Scores change while a model learns, and they change because heads close: others take over. So the method scores
again and again, closes a few more heads each time, and lets a closed head come back if its score recovers. Is that
better than deciding once? This lesson looks for heads that come back, then compares the student with controls that had
as many steps.

You need lessons 06 to 08; the teacher of lesson 05 is loaded, or trained now. About 40 minutes to read, three to run.
"""

# %% 9.1 The schedule
from tinyprune import figures, recipe
from tinyprune.data import problem_lengths
from tinyprune.masking import ratio_at
from tinyprune.measure import attention_flops, mean_flops
from tinyprune.results import interval, right
from tinyprune.train import evaluate

args = recipe.options()

figures.heading("9.1 How many heads are closed when? (cubic, 30% at step 100)")
figures.curves({"cubic": [(step, ratio_at(step, 0, 100, 0.3)) for step in range(0, 151, 5)],
                "linear": [(step, 0.3 * min(step / 100, 1)) for step in range(0, 151, 5)]},
               "step", "share closed", "09_schedule")
print(f"  after a quarter of the way {ratio_at(25, 0, 100, 0.3):.0%} are closed, not {0.3 / 4:.0%}: much can be")
print("  spared at first, and the last ones need the model's time to adapt")

# %% [markdown]
r"""
At every scoring all gates are opened: otherwise later layers would be judged on what a pruned model feeds them, and a
criterion that measures what a head adds (activation) would give a closed head 0 for ever. The new score is averaged
with the old ones, so that one noisy scoring decides nothing; and a closed head's weights *and Adam's averages of their
gradients* are kept as they are. Without that, weight decay and leftover momentum would move a head that learns nothing,
shrink its norm, and so confirm the decision.
"""

# %% 9.2 Heads that close and come back
figures.heading(f"9.2 One student, {args.ratio:.0%} of the heads: # open, . closed, a column for each scoring")
splits, vocabularies, run = recipe.teacher(args.data, args.fold, args.seed)
teacher = run.model


def student(schedule, ratio=args.ratio):
    return recipe.student(args.data, args.fold, args.seed, splits, vocabularies, teacher, ratio, schedule)


dynamic = student("dynamic")
timeline = {(kind, layer, place): "" for (kind, layer), a in teacher.attentions().items()
            for place in range(len(a.heads))}
closed = set()
for entry in dynamic.pruning_log:
    closed = closed - {tuple(head) for head in entry["returned"]} | {tuple(head) for head in entry["closed"]}
    for head in timeline:
        timeline[head] += "." if head in closed else "#"
for (kind, layer, place), line in timeline.items():
    if "." in line:
        print(f"  {kind:8}{layer}.{place}  {line}" + ("   came back" if ".#" in line else ""))
returns = sum(len(entry["returned"]) for entry in dynamic.pruning_log)
print(f"  scorings: {len(dynamic.pruning_log)}, returns: {returns}; heads not shown stayed open throughout")

# %% [markdown]
r"""
If none came back, no decision was taken back: all that scoring again did was to choose the later heads by newer
scores. (With more heads to close, `--ratio 0.5`, there is more to regret.)

Is it worth it? Beside the dynamic student stand: one from which no head may come back; one that closed its lowest heads
at the first step, for good; one whose heads were drawn by lot; one that closed nothing and only trained on. All five
trained on beside the same teacher, for the same number of steps. (Another `--seed` trains another teacher first.)

And do "dynamic" and "one-shot" keep the same heads? The Jaccard index is the number of heads that both keep, over the
number that at least one of them keeps. Two draws of 17 out of 24 by lot would share about 55%.
"""

# %% 9.3 Controls
figures.heading("9.3 The same steps, other schedules (test, greedy)")
runs = {"teacher, no further training": run, "dynamic": dynamic, "the same, no way back": student("monotone"),
        "one-shot": student("one-shot"), "drawn by lot, one-shot": student("random"),
        "nothing closed, trained on": student("none", 0.0)}
reports = {name: evaluate(r.model, splits.test, vocabularies) for name, r in runs.items()}
rows = []
for name, r in runs.items():
    difference = right(reports[name].verdicts) - right(reports["dynamic"].verdicts)
    low, high = interval(difference)
    rows.append((name, sum(len(a.heads) for a in r.model.attentions().values()), reports[name].answer_accuracy,
                 f"{difference.mean():+.3f} ({low:+.3f} to {high:+.3f})" if name != "dynamic" else ""))
figures.table(rows, ["schedule", "heads", "answers right", "against dynamic (95%)"])
kept = {name: {(*key, head) for key, a in r.model.attentions().items() for head in a.heads} for name, r in runs.items()}
same = len(kept["dynamic"] & kept["one-shot"]) / len(kept["dynamic"] | kept["one-shot"])
print(f"  dynamic and one-shot keep the same heads to {same:.0%} (Jaccard)")
print("  an interval that contains 0 cannot tell the difference from none; another seed would move it further")

# %% [markdown]
r"""
If that is a tie, then it is a tie, and worth knowing: the extra training repairs what the choice of heads broke.

One more reading of "dynamic, in real time": decide at inference, problem by problem, by the entropy of what a head
looks at. But to know that entropy, Q, K and their product must have been computed. What is left to save?
"""

# %% 9.4 The ceiling of an entropy gate at inference
figures.heading("9.4 What an entropy gate inside the layer could still save")
lengths = problem_lengths(splits.test)
S = round(sum(pair[0] for pair in lengths) / len(lengths))
attention = teacher.encoder[0].attention
whole = attention_flops(attention, S, S)
D, inner = attention.output.out_features, attention.output.in_features
paid = 2 * D * inner * 2 * S + 2 * inner * S * S  # W_Q, W_K and Q K^T
encoder = sum(attention_flops(layer.attention, S, S) for layer in teacher.encoder) / mean_flops(teacher, lengths)
print(f"  of an encoder head's FLOPs {paid / whole:.0%} are spent before its entropy is known")
print(f"  skipping the rest of {args.ratio:.0%} of the encoder's heads saves at most "
      f"{args.ratio * encoder * (1 - paid / whole):.1%} of a problem's FLOPs;")
print(f"  removing the same heads for good saves {args.ratio * encoder:.1%}")

# %% [markdown]
r"""
## Exercises

1. By hand: the cubic schedule at half way, for a ratio of 0.3.
2. Write `ratio_at` and `heads_to_close`. `pytest tests/test_masking.py`.
3. Write `DynamicPruning.after_step`: what must be put back, weights alone?
4. Find the mistake: scores taken with the gates closed. Under which criteria of lesson 06 can a closed head never
   return, and for which does its own gate change nothing?
5. Open: a schedule of your own against the controls above, three seeds, with intervals.
"""
