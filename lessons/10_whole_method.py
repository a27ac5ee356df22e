# %% [markdown]
r"""
# 10 The whole method: can we reproduce the paper's numbers?

This lesson is the main job of the project. It runs the method of "Efficient Mathematical Reasoning
Models via Dynamic Pruning and Knowledge Distillation" (arXiv 2511.17577) from end to end:

1. A teacher is trained, and its heads are scored.
2. A student begins as a copy of the teacher and learns from it, while a schedule prunes the heads
   with the lowest scores.
3. The pruned heads are removed from the student.
4. We measure the answers, the parameters, the FLOPs and the time.

You need lessons 05 to 09. Reading takes about 45 minutes, the run under 3 minutes on the sample,
and a minute more if the teacher of lesson 05 is not there yet. On a CPU ASDiv-A takes some minutes
a fold, Math23k some hours. Options: --data sample, asdiv-a or math23k, --fold 0 to 4, --ratio 0.3,
--seed 0, --out FOLDER, --threads 2, --batch 32. If you stop a run, the same command continues it.
"""

# %% 10.1 The teacher
import time

import torch

from tinyprune import cli, figures, recipe
from tinyprune.baseline import majority_baseline, nearest_neighbour_baseline
from tinyprune.batching import batches
from tinyprune.bidirectional import bidirectional_search
from tinyprune.checkpoint import load_model
from tinyprune.evaluate import best_equations, evaluate_model, find_candidates, grade
from tinyprune.masking import gates_for, remove_heads, select_heads
from tinyprune.measure import (
    costs_of,
    flops,
    flops_by_attention,
    head_parameters,
    latencies,
    mean_flops,
    parameters,
    problem_lengths,
)
from tinyprune.results import (
    BEST,
    BIDIRECTIONAL,
    GREEDY,
    MAJORITY,
    NEAREST,
    bootstrap_interval,
    compare,
    is_correct,
    judge_claim,
    read_rows,
    result_path,
    result_row,
    write_predictions,
    write_result,
)
from tinyprune.scorer import score_heads
from tinyprune.train import steps_of

started = time.time()
args = cli.options()
if not args.ratio:
    raise SystemExit("--ratio 0 prunes nothing, and this lesson is about pruning: name a ratio")
torch.set_num_threads(args.threads)
recipe.use_batch_size(args.data, args.batch)
experiment = recipe.EXPERIMENTS[args.data]

held_out = "" if args.fold is None else f", fold {args.fold} held out"
figures.heading(f"10.1 The teacher, on {args.data}{held_out}")
splits, vocabularies, teacher = recipe.load_teacher(args.data, args.fold, args.seed)
test = splits.test
block_parameters = parameters(teacher, embeddings=False)
print(f"  {len(splits.train)} training problems, {len(test)} test problems; "
      f"{parameters(teacher):,} parameters, {block_parameters:,} without embeddings")

# %% [markdown]
r"""
We take the paper's score (lesson 06): half weight norm, half entropy, each scaled to [0, 1] within
its kind of attention. The entropy is measured on the *calibration problems*, a few hundred training
problems. (The score has not been shown to measure what the model needs. We follow the paper here.)
Guess: are the heads with the lowest scores spread over all layers, or do some layers lose several?
"""

# %% 10.2 Scores
figures.heading(f"10.2 Scores of the teacher's heads; x is pruned at --ratio {args.ratio}")
calibration = recipe.calibration_batches(splits.train, vocabularies, experiment.calibration)
scores = score_heads(teacher, calibration)
figures.head_map(scores, f"10_scores_{args.data}", select_heads(scores, args.ratio),
                 title=f"The paper's score, {args.data}; x is pruned at {args.ratio:.0%}")

# %% [markdown]
r"""
On the sample, with seed 0, encoder layer 1 loses three of its four heads, and the self-attention of
decoder layer 1 none. (Layers count from 0.)

We try the naive way first. We mask the lowest heads all at once, train no further, and answer the
test problems. To mask a head, its gate is set to 0 (lesson 07). No head has to be removed for this.
Guess: how many points do the first two of the sample's 24 heads cost?
"""

# %% 10.3 Pruning without training
figures.heading("10.3 Accuracy against ratio, no training after (greedy answers)")
masked_reports = {}  # by ratio
table = []
for ratio in [tenth / 10 for tenth in range(8)]:
    masked = select_heads(scores, ratio)
    gates = gates_for(teacher, masked)
    report = evaluate_model(teacher, test, vocabularies, gates=gates)
    masked_reports[ratio] = report
    table.append((f"{ratio:.0%}", len(masked), report.answer_accuracy))
figures.table(table, ["ratio", f"masked of {len(scores)}", "answers right"])

# %% [markdown]
r"""
Now the method (lesson 09). The student starts as a copy of its teacher and trains on. During the
first half of the steps heads are pruned, and they may come back. Then the mask is frozen. At the
end the pruned heads are removed.

Two controls begin as the same copy and train for the same number of steps. They learn from the
equations alone. The first is pruned by the same schedule. The second keeps all heads: it shows what
the extra training alone does. Without it, we would count that, gain or loss, as an effect of the
method. (In the log the second is "none, cross-entropy". The losses of a distilled and of another
student are different sums, so do not compare them.)
"""

# %% 10.4 Students
STUDENT = "student: pruned, distilled"
PLANS = {STUDENT: dict(ratio=args.ratio, schedule="dynamic", distill=True),
         "pruned, not distilled": dict(ratio=args.ratio, schedule="dynamic", distill=False),
         "control: only trained on": dict(ratio=0.0, schedule="none", distill=False)}

figures.heading(f"10.4 Students: {args.ratio:.0%} of the heads are pruned while they learn")
students = {}
for name, plan in PLANS.items():
    students[name] = recipe.load_or_train_student(
        args.data, args.fold, args.seed, splits, vocabularies, teacher, **plan)
log = students[STUDENT].pruning_log
returns = sum(len(entry["returned"]) for entry in log)
print(f"  {STUDENT}: {len(log)} scorings; a pruned head came back {returns} times")
removed = select_heads(scores, args.ratio)
lost = set(teacher.heads()) - set(students[STUDENT].model.heads())
print(f"  of the {len(lost)} heads that it lost, {len(lost & removed)} are marked with x in 10.2")

# %% [markdown]
r"""
What did it cost, and what did it save? Each model answers the test problems in two ways. *Greedy*
decoding writes the best token at each step. *Bidirectional* decoding (lesson 05) searches left to
right and right to left. Here its candidates are always reranked: equations with plausible values
come first. FLOPs are floating-point operations (lesson 07). Time is measured on models whose heads
are really removed.

A clock is not exact. The teacher and the control have one shape, and the three pruned models do the
same work. So the differences of their times are noise.

Two baselines learn nothing: one gives the most frequent equation for such numbers, the other the
equation of the most similar training text.
"""

# %% 10.5 The table
figures.heading("10.5 What it costs and what it saves")
models = {"teacher": teacher, "pruned, no training after": remove_heads(teacher, removed)}
models |= {name: trained.model for name, trained in students.items()}

writable = [problem for problem in test if vocabularies.can_write(problem)]
seconds = latencies(models, batches(writable[:128], vocabularies, 32))
lengths = problem_lengths(test)
costs = {name: mean_flops(model, lengths) for name, model in models.items()}

reports = {}  # name: {decoding: Report}
table = []
for name, model in models.items():
    candidates = find_candidates(model, test, vocabularies, bidirectional_search)
    reranked = best_equations(test, candidates, recipe.reranker(args.data))
    reports[name] = {GREEDY: evaluate_model(model, test, vocabularies),
                     BEST: grade(test, reranked),
                     BIDIRECTIONAL: grade(test, best_equations(test, candidates))}  # for the file
    best = reports[name][BEST]
    table.append((name, reports[name][GREEDY].answer_accuracy,
                  best.answer_accuracy, best.equation_accuracy,
                  f"{parameters(model):,}", f"{costs[name] / 1e6:.2f}",
                  f"{seconds[name] * 1e3:.2f}"))
header = ["", "greedy", "reranked", "equation", "parameters", "MFLOPs", "ms"]
figures.table(table, header)
print("  greedy; reranked (bidirectional): share of right answers")
print("  equation: share of reranked answers that are the recorded equation, token for token")
print("  MFLOPs, ms: per problem")

majority = majority_baseline(splits.train, test)
nearest = nearest_neighbour_baseline(splits.train, test)
baselines = {MAJORITY: grade(test, majority), NEAREST: grade(test, nearest)}
for name, report in baselines.items():
    print(f"  baseline, {name}: {report.answer_accuracy:.3f}")

# %% [markdown]
r"""
## 10.6 The ledger

The ledger compares three things: what the paper reports for 30% of the heads on Math23k, what we
measure, and what arithmetic allows *our* model. (The ledger in `lessons/results/README.md` does the
same for the paper's model. RoBERTa's feed-forward layers are four times as wide as the model, ours
just as wide. So its heads are a smaller share.)

Removing heads shrinks attention and nothing else. So the parameters saved are attention's share
times the share of heads removed. The FLOPs saved depend on *which* heads go; the ledger gives the
least and the most that any choice of so many heads could save. If a share s of the FLOPs is saved,
a model can be faster by `1 / (1 - s) - 1`. More than that must have another cause than FLOPs.

The last row compares student and teacher problem by problem, in points. Its last column is the 95%
interval of the difference (a *paired bootstrap*, lesson 08).
"""

# %% 10.6 The ledger
figures.heading("10.6 The ledger: the paper at 30% on Math23k, and ours")
# arXiv 2511.17577
PAPER = {"parameters": 0.187, "FLOPs": 0.193, "speed": 0.275, "accuracy": -0.007}

student = students[STUDENT].model
saved_parameters = 1 - parameters(student, embeddings=False) / block_parameters
attention_share = head_parameters(teacher) / block_parameters
removed_share = len(removed) / len(scores)

source_lengths, target_lengths = zip(*lengths)
S = round(sum(source_lengths) / len(lengths))
T = round(sum(target_lengths) / len(lengths))
shares = []  # of the FLOPs, one for each head that can go
for name, cost in flops_by_attention(teacher, S, T).items():
    heads = len(teacher.attention_layers()[name].heads)
    share = cost / heads / flops(teacher, S, T)
    shares += [share] * (heads - 1)  # one head stays in each attention
shares.sort()
least = sum(shares[:len(removed)])
most = sum(shares[len(shares) - len(removed):])

saved_flops = 1 - costs[STUDENT] / costs["teacher"]
faster = seconds["teacher"] / seconds[STUDENT] - 1
fastest = 1 / (1 - saved_flops) - 1
paper_fastest = 1 / (1 - PAPER["FLOPs"]) - 1
correct = {name: is_correct(reports[name][BEST].outcomes) for name in (STUDENT, "teacher")}
gained = correct[STUDENT] - correct["teacher"]  # 1, 0 or -1 for each problem
low, high = bootstrap_interval(gained)

figures.table(
    [("parameters saved, no embeddings", f"{PAPER['parameters']:.1%}",
      f"{saved_parameters:.1%}", f"{removed_share * attention_share:.1%}"),
     ("FLOPs saved per problem", f"{PAPER['FLOPs']:.1%}",
      f"{saved_flops:.1%}", f"{least:.1%} … {most:.1%}"),
     ("faster by", f"{PAPER['speed']:.1%}",
      f"{faster:.1%}", f"{fastest:.1%}"),
     ("answers gained, points", f"{100 * PAPER['accuracy']:+.1f}",
      f"{100 * gained.mean():+.1f}", f"{100 * low:+.1f} … {100 * high:+.1f}")],
    ["", "paper", f"ours, {args.ratio:.0%}, {args.data}", "arithmetic allows"])
print("  last row, last column: the 95% interval of the difference, paired over problems")
if args.data == "math23k":
    print(f"  answers: the paper's figure is {judge_claim(PAPER['accuracy'], low, high)}")
print(f"  speed: the paper's {PAPER['FLOPs']:.1%} fewer FLOPs allow {paper_fastest:.1%}, and it is "
      f"{PAPER['speed']:.1%} faster: FLOPs do not explain all of it")

# %% 10.7 The picture, and the result file (its bookkeeping may be skipped)
figures.heading("10.7 Accuracy against ratio")
points = [(ratio, report.answer_accuracy) for ratio, report in masked_reports.items()]
lines = {"masked, no training after": points}
for name, plan in PLANS.items():
    lines[name] = [(plan["ratio"], reports[name][GREEDY].answer_accuracy)]
figures.curves(lines, "share of heads pruned", "answer accuracy (greedy)",
               f"10_accuracy_{args.data}", title=f"Accuracy against ratio, {args.data}")

# What a row of the result file says about each model.
FACTS = {
    "teacher": dict(
        model="teacher", ratio=0.0, schedule="none", loss="ce"),
    "pruned, no training after": dict(
        model="pruned", ratio=args.ratio, schedule="one-shot"),
    STUDENT: dict(
        model="student", ratio=args.ratio, schedule="dynamic", loss="ce+kl+attention"),
    "pruned, not distilled": dict(
        model="student", ratio=args.ratio, schedule="dynamic", loss="ce"),
    "control: only trained on": dict(
        model="student", ratio=0.0, schedule="none", loss="ce"),
}


def make_row(report, model, decoding, facts):
    """A row of the result file; facts: model, ratio, schedule and loss, as in FACTS."""
    configs = {"teacher": experiment.teacher, "student": experiment.student}
    config = configs.get(facts["model"])  # None: this model was not trained
    steps = config and steps_of(config, splits.train, vocabularies)
    distilled = facts.get("loss") == "ce+kl+attention"
    settings = dict(decoding=decoding, alpha=0.5, norm="norm_qkvo", entropy_sign=1, scope="kind",
                    distillation=recipe.DISTILLATION if distilled else None, round=1,
                    recipe=repr(experiment))
    return result_row(
        report, study="whole-method", data=args.data, split="test", fold=args.fold,
        criterion="paper" if facts["ratio"] else None, seed=args.seed,
        teacher_seed=None if facts["model"] == "teacher" else args.seed, steps=steps,
        settings=settings, **costs_of(model, test), **facts)


rows = []
for name, model in models.items():
    clock = dict(milliseconds_per_problem=seconds[name] * 1e3, batch_size=32,
                 speedup=seconds["teacher"] / seconds[name])
    for decoding, report in reports[name].items():
        rows.append(make_row(report, model, decoding, FACTS[name]) | clock)
for ratio, report in masked_reports.items():
    if ratio not in (0, args.ratio):  # these two are in the file already
        smaller = remove_heads(teacher, select_heads(scores, ratio))
        facts = dict(model="pruned", ratio=ratio, schedule="one-shot")
        rows.append(make_row(report, smaller, GREEDY, facts))
for name, report in baselines.items():
    rows.append(result_row(report, study="whole-method", data=args.data, split="test",
                           fold=args.fold, model="baseline", settings={"baseline": name}))

path = result_path(args.out, rows[0], f"-ratio{args.ratio}")
write_result(path, rows, started)
predictions = {name: report[BEST] for name, report in reports.items()}
write_predictions(path.with_suffix(".predictions.jsonl"), test, predictions)
print(f"  written: {path}, and beside it each model's answers")

# %% [markdown]
r"""
## Five questions

The sample is easy: its teacher answers nearly all problems. And this run has one seed: another one
could turn its small differences round. On the real sets the same lesson was run before
(`--data math23k`, and `--data asdiv-a` for each of the five folds), and its result files came with
the project. The next cell asks five questions of each of them (if this run's ratio is 0.3, too),
and of this run:

1. Does training win back what pruning has cost? (The student against the pruned teacher. The
   student's heads were chosen while it learned. Yet it lost nearly the same ones: 13 of 14 on
   Math23k, 6 or 7 of 7 on each fold of ASDiv-A. So the difference is nearly all training.)
2. Does the teacher help? (The student against the one that learned from the equations alone.)
3. What does pruning cost? (The pruned student that learned from the equations alone, against the
   control. Neither learned from a teacher; only the first was pruned.)
4. What does the extra training do? (The control against the teacher.)
5. Is the small model as good as the whole one? (The student against the teacher.)

Guess the five answers for Math23k, whose teacher answers three of four problems.

Each answer is a difference in percentage points, with its paired interval. The column "the first"
says how the first model of the pair did, and the last column has the same difference with greedy
answers. If the interval holds 0, the problems cannot tell the two models apart, and that is the
answer.
"""

# %% 10.8 Five questions
figures.heading("10.8 Five questions to this run and to the recorded ones")
QUESTIONS = [("student", "pruned teacher"), ("student", "not distilled"),
             ("not distilled", "control"), ("control", "teacher"), ("student", "teacher")]
KEYS = {"teacher": ("teacher", 0.0, "ce"), "pruned teacher": ("pruned", args.ratio, None),
        "student": ("student", args.ratio, "ce+kl+attention"),
        "not distilled": ("student", args.ratio, "ce"), "control": ("student", 0.0, "ce")}


def right_answers(rows, decoding):
    """Rows of one or more files -> {model: 1 or 0 for each of their problems}"""
    answers = {}
    for name, key in KEYS.items():
        outcomes = "".join(row["verdicts"] for row in rows
                           if (row["model"], row["ratio"], row["loss"]) == key
                           and row["settings"].get("decoding") == decoding)
        answers[name] = is_correct(outcomes)
    return answers


table = []
groups = {f"this run, {args.data}": rows}
if args.ratio == 0.3:
    groups |= {name: read_rows(f"whole-method-{name}-*.json") for name in ("math23k", "asdiv-a")}
for group, of_group in groups.items():
    best = right_answers(of_group, BEST)
    quick = right_answers(of_group, GREEDY)
    for first, second in QUESTIONS:
        both_greedy, _ = compare(quick[first], quick[second])
        table.append((group, f"{first} - {second}", *compare(best[first], best[second]),
                      both_greedy))
figures.table(table, ["", "difference", "points (95%)", "the first", "both greedy"])

# %% [markdown]
r"""
Read the table from the top of each group. On the real sets training after pruning is the large
effect. On the sample the search repairs much of the damage before any training: compare the columns
"greedy" and "reranked" of the pruned teacher in 10.5. The other effects are small, and small
effects need many problems. Suppose that on a tenth of n problems only one of two models is right,
each on about half of these. Then the interval is the difference ± 60 / √n points: ± 2 for a
thousand problems.

## The verdict

What does the paper's recipe buy? The recorded groups answer. Training wins back 33.2 of 35.4 points
on Math23k and 4.8 of 7.2 on ASDiv-A. With search and reranking the teacher's help cannot be told
from nothing, and the student ends below its teacher on both sets. (With greedy answers ASDiv-A's
student gains from its teacher. The study, with three seeds of other runs, does not confirm it:
lesson 08.) On Math23k the loss looks like the price of pruning: the pruned student without a
teacher does worse than the control, which keeps its heads. On ASDiv-A neither the price of pruning
nor the effect of the extra training can be told from nothing, so we cannot say how the loss
divides. The study measured both on the same five folds, with other runs. Extra training alone, on
the equations: +0.1 points (-0.6 to +0.9; ± 1.0). Pruning, a mean over four ways to prune and four
losses: -1.3 points (-2.1 to -0.5; ± 1.1). The first one cannot be told from nothing. The second one
is a *hint*: its interval over folds only just leaves out 0. (Lesson 08 explains the brackets and
±.)

Can we reproduce the paper's numbers?

- *Answers.* Its loss of 0.7 points on Math23k is not excluded: our interval there is -3.9 to -0.5.
  The smallest loss of its two models, 0.4, lies outside. The comparison is loose. The paper's model
  was pre-trained and answers 84.4%; ours began with random weights and answers 75.0%.
- *Parameters and FLOPs.* Not by these heads. In RoBERTa-base attention has a third of a layer's
  parameters. So 30% of the heads are 10% of them, and about 10% of the FLOPs. The paper reports
  18.7% and 19.3%. Something else must have been removed, or counted. (Our Math23k student saves
  21.0% and 20.9%, because our feed-forward layers are narrow.)
- *Speed.* The paper's FLOPs allow 23.9%, and it reports 27.5%. (Ours is 21.4% faster.) Work that
  FLOPs do not count may explain the rest (lesson 07).
- *The schedule and the score.* On ASDiv-A neither has been shown to do better than one-shot pruning
  or random heads, once training follows (lesson 09).

One seed stands behind each group, so another seed would move every line. The study asks the same
questions with one teacher and with five, and with other ways to choose the heads
(`lessons/results/study.md`). It says of each table how many seeds stand behind it.

The study also has students with higher means. Its *main student* of ASDiv-A first learned for as
many epochs as a teacher, from the equations and from five teachers, with three words in ten hidden.
Then it lost 30% of its heads at once, by greedy elimination (lesson 06), and trained on. Math23k's
began with random weights and learned from the equations and five teachers, for as many epochs as a
teacher, and lost 30% of its heads while it learned, by the paper's score. One of each came with the
project, so we can look at them beside a teacher. Each kind of attention has lost 30%, as nearly as
whole heads allow (lesson 07). Guess: from which layer of the encoder did most heads go? Is a
student faster, if it is asked one problem at a time? And how do they do on the test problems?
"""

# %% 10.9 The main students
figures.heading("10.9 The main students of the study")


def show_student(data):
    """The heads that a shipped main student has left, and its costs beside the shipped teacher."""
    paths = {"teacher": recipe.shipped_path(data), "student": recipe.shipped_student(data)}
    if not all(path.exists() for path in paths.values()):
        return
    loaded = {name: load_model(path) for name, path in paths.items()}
    shipped = {name: model for name, (model, _) in loaded.items()}
    _, words = loaded["teacher"]
    texts = [problem for problem in recipe.load("sample").test if words.can_write(problem)]
    alone = latencies(shipped, batches(texts[:32], words, 1))
    kinds = []
    for kind, layers in shipped["student"].heads_kept().items():
        kept = "; ".join(" ".join(map(str, layer)) for layer in layers)
        before = sum(map(len, shipped["teacher"].heads_kept()[kind]))
        kinds.append((kind, f"{sum(map(len, layers))} of {before}", kept))
    figures.table(kinds, [data, "heads left", "which, layer by layer"])
    by_name = {"parameters": {name: parameters(model, embeddings=False)
                              for name, model in shipped.items()},
               "FLOPs of 25 words, 4 tokens": {name: flops(model, 25, 4)
                                               for name, model in shipped.items()},
               "time, one problem at a time": alone}
    for what, cost in by_name.items():
        print(f"  {what}: {cost['student'] / cost['teacher'] - 1:+.1%}")


for data in recipe.MAIN_STUDENTS:
    show_student(data)
table = []
for data, main in recipe.MAIN_STUDENTS.items():
    recorded = read_rows(f"study/rounds-{data}-*.json")
    for plan, name in (("teacher", "plain teachers"), (main, "main students")):
        of_plan = [row for row in recorded
                   if row["settings"]["plan"] == plan and row["split"] == "test"]
        shares = []
        for decoding in (GREEDY, BEST):
            asked = [row for row in of_plan if row["settings"]["decoding"] == decoding]
            right = sum(row["correct"] for row in asked)
            shares.append(f"{right / sum(row['problems'] for row in asked):.1%}" if asked else "")
        table.append((data, name, str(len({row["seed"] for row in of_plan})), *shares))
figures.table(table, ["recorded", "", "seeds", "greedy", "bidirectional, reranked"])

# %% [markdown]
r"""
ASDiv-A's student lost most heads in the first of its two encoder layers, Math23k's in the third of
four. A quarter or a fifth of the FLOPs is gone. But one problem at a time, the time falls by much
less: to start the many small operations takes most of it, and pruning does not make them fewer
(lesson 07). In 10.5 a batch holds 32 problems.

With search and reranking ASDiv-A's main student cannot be told from a plain teacher: -0.1 points
(-1.3 to +1.2; ± 1.9). Its greedy mean is lower, -1.8 (-3.0 to -0.5; ± 2.0), so the search may hide
a loss. The heads have not been shown to be its cause: the same student with all its heads has as
low a greedy mean. A possible reason: with three words in ten hidden the student hardly ever read a
whole text, and whole texts are what we ask. A hint supports it. Models that hide between 0 and 60%
of each text's words, and keep all heads, have greedy means 3 to 4 points higher than models with
30% hidden. (These runs were added when the test results of the others were known.) Math23k's main
student minus a plain teacher is -1.1 points (-2.2 to -0.0; ± 1.5; -0.0 is just below 0): over
problems it just did worse, over seeds this is not shown.

The main students have higher means than the recorded students of 10.8: 69.5% beside 68.6% on
ASDiv-A, 74.0% beside 72.8% on Math23k. No table tests this difference, and much has changed at
once. On both sets they begin from the start, train longer, have five teachers, and align no
attention. On Math23k the batches are larger. On ASDiv-A more words are hidden, greedy elimination
chooses the heads, and these go in one step. For ASDiv-A the study's section "What pruning costs and
what distillation gives" (`lessons/results/study.md`) takes some of these apart.

## Exercises

1. (★, 15 minutes) By hand: a layer of RoBERTa-base has width 768 and a feed-forward layer of width
   3072. Which share of its matrices is attention? What do you save if you remove 30% of the heads?
   Compare with the paper's 18.7%. How wide would the feed-forward layer have to be for 18.7%?
2. (★★, 30 minutes) Compute what removing the heads of 10.2 saves of the *encoder* alone: of its
   parameters, and of the FLOPs of reading 25 words.
3. (★★, 20 minutes) Predict the student's greedy accuracy for `--ratio 0.5`, then run it. Masking 12
   heads without training costs points (10.3). Which share of them has the training won back?
4. (★★, 30 minutes) Find the mistake: someone tries the ratios 0.1 to 0.7 and reports the one with
   the best test accuracy. How large is the error on average, and in the worst 2.5% of the draws?
   Suppose all seven models answer 75% of all possible problems correctly. Draw seven rows of a
   thousand outcomes, take the best row, and repeat this often.
5. (★★★, 180 minutes) Open: reproduce one claim of Michel et al. (2019) or of Voita et al. (2019) on
   pruning heads (lesson 06). Write the claim as one number before you run. Give an interval.
"""
