# %% [markdown]
r"""
# 10 The whole method: can the paper's numbers be had?

A teacher is trained, its heads are scored, a copy of it learns from it while its weakest heads close, and what has
closed is cut out. Then everything is measured: answers, parameters, FLOPs, time. This is the main job of the
project, the method of "Efficient Mathematical Reasoning Models via Dynamic Pruning and Knowledge Distillation"
(arXiv 2511.17577) from end to end.

You need lessons 05 to 09. About 45 minutes to read; it runs for 3 minutes on the sample. Options: --data sample,
asdiv-a or math23k, --fold 0 to 4, --ratio 0.3, --seed 0, --out FOLDER, --threads 2. A stopped run goes on where it
stopped.
"""

# %% 10.1 The teacher
import time

from tinyprune import figures, recipe
from tinyprune.baseline import most_frequent_equation, nearest_text_equation
from tinyprune.data import batches, problem_lengths
from tinyprune.decode import beam_both_ways
from tinyprune.masking import gates_of, heads_to_close, remove_heads
from tinyprune.measure import attentions_flops, flops, head_parameters, latencies, mean_flops, parameters
from tinyprune.results import BEST, interval, result_path, result_row, right, write_predictions, write_result
from tinyprune.scorer import head_scores
from tinyprune.train import DEVICE, choose, evaluate, grade, solve

started = time.time()
args = recipe.options()

figures.heading(f"10.1 The teacher, on {args.data}" + ("" if args.fold is None else f", fold {args.fold} held out"))
splits, vocabularies, teaching = recipe.teacher(args.data, args.fold, args.seed)
teacher, test = teaching.model, splits.test
print(f"  {len(splits.train)} problems to learn from, {len(test)} to be asked; "
      f"{parameters(teacher):,} parameters, {parameters(teacher, embeddings=False):,} without embeddings")

# %% [markdown]
r"""
Which heads would you miss least? The paper's score, taken on training problems: half weight norm, half entropy,
each scaled to [0, 1] within its kind of attention.
"""

# %% 10.2 Scores
figures.heading("10.2 Scores of the teacher's heads (dark = keep)")
calibration = recipe.calibration_batches(splits.train, vocabularies, recipe.RECIPES[args.data].calibration)
scores = head_scores(teacher, calibration)
figures.head_map(scores, f"10_scores_{args.data}")

# %% [markdown]
r"""
First the naive way: close the lowest heads at once and ask the test problems, with no training after. The gates do
it; nothing has to be removed for that. How steep will the curve be?
"""

# %% 10.3 Closing heads without any training
figures.heading("10.3 Accuracy against ratio, no training after (greedy answers)")
everything = sum(len(row) for row in scores.values())
curve = []
for tenth in range(8):
    closed = heads_to_close(scores, tenth / 10)
    curve.append((tenth / 10, evaluate(teacher, test, vocabularies, gates=gates_of(teacher, closed))))
figures.table([(f"{ratio:.0%}", len(heads_to_close(scores, ratio)), report.answer_accuracy)
               for ratio, report in curve], ["ratio", f"closed of {everything}", "answers right"])

# %% [markdown]
r"""
Now the method: the student starts as a copy of its teacher and trains on, heads close and may come back for half of
the steps, then the mask is frozen; in the end the closed heads are removed. Beside it stand two controls with the
same number of steps: the same pruning without the teacher, and the same extra training without pruning and without the
teacher. Without the second, what training alone brings would be counted as the method's merit.
"""

# %% 10.4 Students
figures.heading(f"10.4 Students: {args.ratio:.0%} of the heads go while they learn")
students = {}
for name, ratio, schedule, distil in (("student: pruned, distilled", args.ratio, "dynamic", True),
                                      ("pruned, not distilled", args.ratio, "dynamic", False),
                                      ("control: only trained on", 0.0, "none", False)):
    students[name] = recipe.student(args.data, args.fold, args.seed, splits, vocabularies, teacher,
                                    ratio, schedule, distil)
log = students["student: pruned, distilled"].pruning_log
print(f"  {len(log)} scorings; {sum(len(entry['returned']) for entry in log)} times a closed head came back")

# %% 10.5 The table
figures.heading("10.5 What it costs and what it saves")
models = {"teacher": teacher,
          "pruned, no training after": remove_heads(teacher, heads_to_close(scores, args.ratio))}
models |= {name: run.model for name, run in students.items()}
# What a row of the result file says about each: model, ratio, schedule, loss.
facts = {"teacher": ("teacher", 0.0, "none", "ce"),
         "pruned, no training after": ("pruned", args.ratio, "one-shot", None),
         "student: pruned, distilled": ("student", args.ratio, "dynamic", "ce+kl+attention"),
         "pruned, not distilled": ("student", args.ratio, "dynamic", "ce"),
         "control: only trained on": ("student", 0.0, "none", "ce")}

lengths = problem_lengths(test)
asked = [batch.to(DEVICE) for batch in batches([p for p in test if vocabularies.can_write(p)][:128], vocabularies, 32)]
seconds = latencies(models, asked)
reports = {}
for name, model in models.items():
    candidates = solve(model, test, vocabularies, beam_both_ways)  # one search, two choices from it
    ruled, free = (grade(test, choose(test, candidates, rule)) for rule in (recipe.rule(args.data), None))
    reports[name] = evaluate(model, test, vocabularies), ruled, free
DECODING = ("greedy", BEST, "both ways")

costs = {name: (parameters(model), mean_flops(model, lengths)) for name, model in models.items()}
figures.table([(name, reports[name][0].answer_accuracy, reports[name][1].answer_accuracy,
                reports[name][1].equation_accuracy, f"{costs[name][0]:,}", f"{costs[name][1] / 1e6:.2f}",
                f"{seconds[name] * 1e3:.2f}") for name in models],
              ["", "greedy", "both ways", "equation", "parameters", "MFLOPs", "ms"])
print("  greedy, both ways (plausible values first): answers right; equation: word for word; ms: per problem")

baselines = {"the commonest equation for such numbers": most_frequent_equation(splits.train, test),
             "the nearest training text's equation": nearest_text_equation(splits.train, test)}
baselines = {name: grade(test, equations) for name, equations in baselines.items()}
for name, report in baselines.items():
    print(f"  for comparison, {name}: {report.answer_accuracy:.3f}")

# %% [markdown]
r"""
## 10.6 The ledger

What the paper reports for 30% of the heads on Math23k, beside what ours does by the same definitions, and beside what
arithmetic allows. Removing heads removes attention and nothing else: of the parameters, attention's share times the
share of heads that go is all there is to save; of the FLOPs it depends on which heads go, and the least and the most
that any choice of so many heads could save stand beside. A speed-up above `1 / (1 - FLOPs saved)` must have another
cause than FLOPs.
"""

# %% 10.6 The ledger
figures.heading("10.6 The ledger: the paper at 30% on Math23k, and ours")
PAPER = {"parameters": 0.187, "FLOPs": 0.193, "speed": 0.275, "accuracy": -0.007}  # arXiv 2511.17577

student = students["student: pruned, distilled"].model
blocks = parameters(teacher, embeddings=False)
saved_flops = 1 - costs["student: pruned, distilled"][1] / costs["teacher"][1]
S, T = (round(sum(sizes) / len(lengths)) for sizes in zip(*lengths))
per_head = sorted(cost / len(teacher.attentions()[name].heads) / flops(teacher, S, T)
                  for name, cost in attentions_flops(teacher, S, T).items()
                  for _ in teacher.attentions()[name].heads[1:])  # one head stays in each
gone = len(heads_to_close(scores, args.ratio))
least, most = sum(per_head[:gone]), sum(per_head[len(per_head) - gone:])
drop = [right(reports[name][1].verdicts) for name in ("student: pruned, distilled", "teacher")]
low, high = interval(drop[0] - drop[1])
figures.table([
    ("parameters saved, no embeddings", f"{PAPER['parameters']:.1%}",
     f"{1 - parameters(student, embeddings=False) / blocks:.1%}",
     f"{gone / everything * head_parameters(teacher) / blocks:.1%}"),
    ("FLOPs saved a problem", f"{PAPER['FLOPs']:.1%}", f"{saved_flops:.1%}", f"{least:.1%} … {most:.1%}"),
    ("faster by", f"{PAPER['speed']:.1%}",
     f"{seconds['teacher'] / seconds['student: pruned, distilled'] - 1:.1%}", f"{1 / (1 - saved_flops) - 1:.1%}"),
    ("answers gained", f"{PAPER['accuracy']:.1%}", f"{(drop[0] - drop[1]).mean():.1%}", f"{low:.1%} … {high:.1%}"),
], ["", "paper", f"ours, {args.ratio:.0%}, {args.data}", "arithmetic allows"])
print("  last line, last column: the 95% interval of the difference, paired, over problems")
print(f"  the paper's own {PAPER['FLOPs']:.1%} fewer FLOPs allow {1 / (1 - PAPER['FLOPs']) - 1:.1%} more speed at most")

# %% 10.7 The picture and the result file
figures.heading("10.7 Accuracy against ratio")
figures.curves({"closed, no training after": [(ratio, report.answer_accuracy) for ratio, report in curve]},
               "share of heads removed", "answer accuracy (greedy)", f"10_accuracy_{args.data}",
               [(name, facts[name][1], reports[name][0].answer_accuracy) for name in students])


def row(report, model, decoding, kind, ratio, schedule, loss, name=None):
    """A row of the result file: measured costs only where a removed model was measured (`name`)."""
    training = {"teacher": recipe.RECIPES[args.data].teacher, "student": recipe.RECIPES[args.data].student}.get(kind)
    steps = training and recipe.steps_of(training, splits.train, vocabularies)
    return result_row(
        report, study="whole-method", data=args.data, split="test", fold=args.fold, model=kind, ratio=ratio,
        criterion="paper" if ratio else None, schedule=schedule, loss=loss, seed=args.seed,
        teacher_seed=None if kind == "teacher" else args.seed, steps=steps, heads=everything,
        heads_kept=model.heads_kept(), parameters=parameters(model),
        parameters_without_embeddings=parameters(model, embeddings=False), flops=mean_flops(model, lengths),
        milliseconds_per_problem=name and seconds[name] * 1e3, batch_size=name and 32,
        speedup=name and seconds["teacher"] / seconds[name],
        settings={"decoding": decoding, "alpha": 0.5, "norm": "norm_qkvo", "entropy_sign": 1, "scope": "kind",
                  "distillation": recipe.DISTILLATION if loss and "kl" in loss else None, "round": 1,
                  "recipe": repr(recipe.RECIPES[args.data])})


rows = [row(report, models[name], decoding, *facts[name], name=name)
        for name in models for decoding, report in zip(DECODING, reports[name])]
rows += [row(report, remove_heads(teacher, heads_to_close(scores, ratio)), "greedy", "pruned", ratio, "one-shot", None)
         for ratio, report in curve if ratio not in (0, args.ratio)]
rows += [result_row(report, study="whole-method", data=args.data, split="test", fold=args.fold, model="baseline",
                    settings={"baseline": name}) for name, report in baselines.items()]
path = result_path(args.out, rows[0], f"-ratio{args.ratio}")
write_result(path, rows, started)
write_predictions(path.with_suffix(".predictions.jsonl"), test, {name: report[1] for name, report in reports.items()})
print(f"  written: {path}, and what each model answered beside it")

# %% [markdown]
r"""
## Exercises

1. By hand: an encoder layer has width 192, 6 heads of width 32, and a feed-forward of width 192. What share of its
   matrices can 30% of its heads save? Compare with the ledger, which also counts decoder layers: two attentions each.
2. Write the ledger's first two rows for the encoder alone: its parameters, and the FLOPs of reading a problem.
3. `--ratio 0.5`: predict the student's accuracy first. How many heads, closed without training after (10.3), cost as
   much as this student lost?
4. Someone tried ratios 0.1 to 0.7 and reports the one with the best test accuracy. What is wrong, and how large can
   the error become? Suppose all seven are right on 75% of all problems there are: draw seven rows of a thousand
   verdicts, take the best, and do it often.
5. Open: reproduce one claim of another paper on head pruning with these tools, with an interval.
"""
