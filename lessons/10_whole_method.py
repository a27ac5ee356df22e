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

You need lessons 05 to 09. Reading takes about 45 minutes, the run under 3 minutes on the sample.
Options: --data sample, asdiv-a or math23k, --fold 0 to 4, --ratio 0.3, --seed 0, --out FOLDER,
--threads 2. If you stop a run, the same command continues it.
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
Which heads does the model need least? Guess before you run the next cell. We take the paper's score
(lesson 06): half weight norm, half entropy, each scaled to [0, 1] within its kind of attention. The
entropy is measured on the *calibration problems*, a few hundred training problems.
"""

# %% 10.2 Scores
figures.heading(f"10.2 Scores of the teacher's heads; x is pruned at --ratio {args.ratio}")
calibration = recipe.calibration_batches(splits.train, vocabularies, experiment.calibration)
scores = score_heads(teacher, calibration)
figures.head_map(scores, f"10_scores_{args.data}", select_heads(scores, args.ratio),
                 title=f"The paper's score, {args.data}; x is pruned at {args.ratio:.0%}")

# %% [markdown]
r"""
We try the naive way first. We mask the lowest heads all at once, train no further, and answer the
test problems. To mask a head, its gate is set to 0 (lesson 07). No head has to be removed for this.
How steep will the curve be?
"""

# %% 10.3 Pruning without training
figures.heading("10.3 Accuracy against ratio, no training after (greedy answers)")
masked_reports = {}  # by ratio
rows = []
for ratio in [tenth / 10 for tenth in range(8)]:
    masked = select_heads(scores, ratio)
    gates = gates_for(teacher, masked)
    report = evaluate_model(teacher, test, vocabularies, gates=gates)
    masked_reports[ratio] = report
    rows.append((f"{ratio:.0%}", len(masked), report.answer_accuracy))
figures.table(rows, ["ratio", f"masked of {len(scores)}", "answers right"])

# %% [markdown]
r"""
Now the method (lesson 09). The student starts as a copy of its teacher and trains on. During the
first half of the steps heads are pruned, and they may come back. Then the mask is frozen. At the
end the pruned heads are removed.

Two controls train for the same number of steps. The first is pruned in the same way, but has no
teacher. The second is not pruned and has no teacher: it shows what the extra training alone does.
Without it, we would count that, gain or loss, as an effect of the method.
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
print(f"  {len(log)} scorings; a pruned head came back {returns} times")

# %% [markdown]
r"""
What did it cost, and what did it save? Each model answers the test problems in two ways. *Greedy*
decoding writes the best token at each step. *Bidirectional* decoding (lesson 05) searches left to
right and right to left. Here its candidates are always reranked: equations with plausible values
come first. FLOPs are floating-point operations (lesson 07). Time is measured on models whose heads
are really removed.

Two baselines learn nothing: one gives the most frequent equation for such numbers, the other the
equation of the most similar training text.
"""

# %% 10.5 The table
figures.heading("10.5 What it costs and what it saves")
removed = select_heads(scores, args.ratio)
models = {"teacher": teacher, "pruned, no training after": remove_heads(teacher, removed)}
models |= {name: trained.model for name, trained in students.items()}

writable = [problem for problem in test if vocabularies.can_write(problem)]
seconds = latencies(models, batches(writable[:128], vocabularies, 32))
lengths = problem_lengths(test)
costs = {name: mean_flops(model, lengths) for name, model in models.items()}

reports = {}  # name: {decoding: Report}
rows = []
for name, model in models.items():
    candidates = find_candidates(model, test, vocabularies, bidirectional_search)
    reranked = best_equations(test, candidates, recipe.reranker(args.data))
    reports[name] = {GREEDY: evaluate_model(model, test, vocabularies),
                     BEST: grade(test, reranked),
                     BIDIRECTIONAL: grade(test, best_equations(test, candidates))}
    best = reports[name][BEST]
    rows.append((name, reports[name][GREEDY].answer_accuracy,
                 best.answer_accuracy, best.equation_accuracy,
                 f"{parameters(model):,}", f"{costs[name] / 1e6:.2f}",
                 f"{seconds[name] * 1e3:.2f}"))
header = ["", "greedy", "bidirectional", "equation", "parameters", "MFLOPs", "ms"]
figures.table(rows, header)
print("  greedy; bidirectional, reranked: share of right answers")
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
measure by the same definitions, and what arithmetic allows *our* model. (The ledger in
`lessons/results/README.md` has what it allows the paper's: RoBERTa's feed-forward layers are four
times as wide, so its heads are a smaller share.)

Removing heads shrinks attention and nothing else. So the parameters saved are attention's share
times the share of heads removed. The FLOPs saved depend on *which* heads go; the ledger gives the
least and the most that any choice of so many heads could save. A speed-up above
`1 / (1 - FLOPs saved)` must have another cause than FLOPs.

The last row compares student and teacher problem by problem. Its last column is the 95% interval of
the difference (a *paired bootstrap*, lesson 08).
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
     ("answers gained", f"{PAPER['accuracy']:.1%}",
      f"{gained.mean():.1%}", f"{low:.1%} … {high:.1%}")],
    ["", "paper", f"ours, {args.ratio:.0%}, {args.data}", "arithmetic allows"])
print("  last row, last column: the 95% interval of the difference, paired over problems")
print(f"  answers: the paper's figure (Math23k) {judge_claim(PAPER['accuracy'], low, high)} "
      f"({args.data})")
possible = "allow this" if PAPER["speed"] <= paper_fastest else "do not explain all of it"
print(f"  speed: the paper's {PAPER['FLOPs']:.1%} fewer FLOPs allow {paper_fastest:.1%}, and it is "
      f"{PAPER['speed']:.1%} faster: FLOPs {possible}")

# %% 10.7 The picture and the result file
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


def row(report, model, decoding, facts):
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
        heads=len(scores), heads_kept=model.heads_kept(), parameters=parameters(model),
        parameters_without_embeddings=parameters(model, embeddings=False),
        flops=mean_flops(model, lengths), settings=settings, **facts)


rows = []
for name, model in models.items():
    clock = dict(milliseconds_per_problem=seconds[name] * 1e3, batch_size=32,
                 speedup=seconds["teacher"] / seconds[name])
    for decoding, report in reports[name].items():
        rows.append(row(report, model, decoding, FACTS[name]) | clock)
for ratio, report in masked_reports.items():
    if ratio not in (0, args.ratio):  # these two are in the file already
        smaller = remove_heads(teacher, select_heads(scores, ratio))
        facts = dict(model="pruned", ratio=ratio, schedule="one-shot")
        rows.append(row(report, smaller, GREEDY, facts))
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
## The verdict

The sample is easy: with search and reranking the pruned teacher answers nearly as many problems as
the whole one, so this run has little to show. On the real sets the same lesson was run
before (`--data math23k`, and `--data asdiv-a` for each of the five folds), and its result files
came with the project. The next cell asks four questions of each of them, and of this run:

1. Does training win back what pruning has cost? (The student against the pruned teacher. They lost
   different heads: the student's were chosen while it learned. So the difference holds two things,
   the training and the other choice of heads.)
2. Does the teacher help? (The student against the one that learned from the equations alone.)
3. What does pruning cost? (The pruned student that learned from the equations alone, against the
   control. Neither had a teacher; only the first was pruned.)
4. Is the small model as good as the whole one? (The student against the teacher.)

Guess the four answers for Math23k, whose teacher answers three of four problems.

Each answer is a difference in percentage points, with its paired interval. If the interval holds 0,
the problems cannot tell the two models apart, and that is the answer.
"""

# %% 10.8 Four questions
figures.heading("10.8 Four questions to this run and to the recorded ones")
QUESTIONS = {"training after pruning": ("student", "pruned"),
             "the teacher's help": ("student", "not distilled"),
             "the price of pruning": ("not distilled", "control"),
             "the student against its teacher": ("student", "teacher")}
KEYS = {"teacher": ("teacher", 0.0, "ce"), "pruned": ("pruned", args.ratio, None),
        "student": ("student", args.ratio, "ce+kl+attention"),
        "not distilled": ("student", args.ratio, "ce"), "control": ("student", 0.0, "ce")}


def right_answers(rows):
    """Rows of one or more files -> {model: 1 or 0 for each of their problems}"""
    found = {}
    for name, key in KEYS.items():
        letters = "".join(row["verdicts"] for row in rows
                          if (row["model"], row["ratio"], row["loss"]) == key
                          and row["settings"].get("decoding") == BEST)
        found[name] = is_correct(letters)
    return found


table = []
groups = {f"this run, {args.data}": rows}
if args.ratio == 0.3:
    groups |= {name: read_rows(f"whole-method-{name}-*.json") for name in ("math23k", "asdiv-a")}
for group, of_group in groups.items():
    answers = right_answers(of_group)
    for question, (first, second) in QUESTIONS.items():
        table.append((group, question, *compare(answers[first], answers[second])))
figures.table(table, ["", "question", "points (95%)", "the first"])

# %% [markdown]
r"""
Read the table from the top of each group. On the real sets training after pruning is the large
effect. On the sample the search repairs much of the damage before any training: compare the columns
"greedy" and "bidirectional" of the pruned teacher in 10.5. The other effects are small, and small
effects need many problems: with n problems and two models that differ on a tenth of them, the
interval is the difference ± 0.6 / √n: ± 2 points for a thousand problems.

So what does the paper's recipe buy? The recorded groups answer. Training wins back most of what the
removal costs. The teacher's help cannot be told from nothing. The student ends below its teacher on
both sets. On Math23k this looks like the price of pruning: the control, with all of its heads,
cannot be told from the teacher. On ASDiv-A the price of pruning cannot be told from nothing, and
the control loses, too: with this seed the extra training itself does harm. (The study does not
confirm it: there, on the same five folds, the interval holds zero. And with more ways to prune it
finds a price of 1.4 points, 0.2 to 2.6 over problems, ± 1.4 over folds.) The paper reports a loss
of 0.7 points. The upper ends of our two intervals lie near it.

One seed stands behind each group, so another seed would move every line. The study asks the same
questions with one teacher and with five, and with other ways to choose the heads
(`lessons/results/study.md`). It says of each table how many seeds stand behind it.

The study also has better students. Its *main student* of ASDiv-A first learned for the full length
from the equations and from five teachers, with three words in ten hidden. Then it lost 30% of its
heads at once, by greedy elimination (lesson 06), and trained on. Math23k's learned from the start
from the equations and from five teachers, for the full length, and lost 30% of its heads while it
learned, by the paper's score. One of each came with the project, so we can look at them beside a
teacher. Each kind of attention has lost nearly the same share, because the rule says so. Guess:
from which layer of the encoder did most heads go? And how do they do on the test problems?
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
    took = latencies(shipped, batches(texts[:32], words, 1))
    rows = []
    for kind, layers in shipped["student"].heads_kept().items():
        kept = "; ".join(" ".join(map(str, layer)) for layer in layers)
        whole = sum(map(len, shipped["teacher"].heads_kept()[kind]))
        rows.append((kind, f"{sum(map(len, layers))} of {whole}", kept))
    figures.table(rows, [data, "heads left", "which, layer by layer"])
    by_name = {"parameters": {name: parameters(model, embeddings=False)
                              for name, model in shipped.items()},
               "FLOPs of 25 words, 4 tokens": {name: flops(model, 25, 4)
                                               for name, model in shipped.items()},
               "time of a problem": took}
    for what, of in by_name.items():
        print(f"  {what}: {of['student'] / of['teacher'] - 1:+.1%}")


for data in recipe.MAIN_STUDENTS:
    show_student(data)
rows = []
for data, main in recipe.MAIN_STUDENTS.items():
    recorded = read_rows(f"study/rounds-{data}-*.json")
    for plan, name in (("teacher", "plain teachers"), (main, "main students")):
        of_plan = [row for row in recorded
                   if row["settings"]["plan"] == plan and row["split"] == "test"]
        shares = []
        for decoding in (GREEDY, BEST):
            found = [row for row in of_plan if row["settings"]["decoding"] == decoding]
            right = sum(row["correct"] for row in found)
            shares.append(f"{right / sum(row['problems'] for row in found):.1%}" if found else "")
        rows.append((data, name, str(len({row["seed"] for row in of_plan})), *shares))
figures.table(rows, ["recorded", "", "seeds", "greedy", "bidirectional, reranked"])

# %% [markdown]
r"""
Here 30% of the heads are gone. Look at the last table. If the last column is alike for both, then
with search and reranking the main student answers about as many problems as a plain teacher. If the
greedy column is lower, the search may hide a part of the damage. On ASDiv-A the heads have not been
shown to be the cause: the same student with all its heads has as low a greedy accuracy. With three
words in ten hidden, it has hardly ever read a whole text, and whole texts are what we ask. The
study reports this with intervals, and a remedy: each text hides its own share of words
(`lessons/results/study.md`).

The main students have higher means than this lesson's student. No table tests this difference, and
much has changed at once: the length of the training, the five teachers, no attention is aligned, on
Math23k the batch size, and on ASDiv-A the hidden words, the choice of heads, and that all go at
once. For ASDiv-A the study's section "What pruning costs and what distillation gives"
(`lessons/results/study.md`) takes some of these apart.

## Exercises

1. (★, 15 minutes) By hand: an encoder layer has width 192, 6 heads of width 32, and a feed-forward
   layer of width 192. What share of its matrices do you save if you remove 30% of its heads?
   Compare with the ledger, which also counts decoder layers: each has two attentions.
2. (★★, 30 minutes) Write the ledger's first two rows for the encoder alone: its parameters, and the
   FLOPs of reading a problem.
3. (★★, 20 minutes) Predict the student's accuracy for `--ratio 0.5`, then run it. How many heads,
   masked without training (10.3), cost as much accuracy as this student lost?
4. (★★, 30 minutes) Someone tries the ratios 0.1 to 0.7 and reports the one with the best test
   accuracy. What is wrong, and how large can the error become? Suppose all seven models answer 75%
   of all possible problems correctly. Draw seven rows of a thousand outcomes, take the best row,
   and repeat this often.
5. (★★★, 180 minutes) Open: reproduce one claim of another paper on head pruning with these tools.
   Give an interval.
"""
