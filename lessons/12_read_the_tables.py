# %% [markdown]
r"""
# 12 Read the tables: which of these results can you trust?

Eight tables follow. Each has a fault that you can see in its numbers, if you know what to expect.
Every fault was made here, on purpose, by the code above the table. So first run the lesson into a
file, and read only its sections 12.1 to 12.8: `python lessons/12_read_the_tables.py > tables.txt`.
Name the fault, and name the one extra number that would settle the question. Then read the code.

You need lessons 07 and 10. It takes about 30 minutes. Nothing is trained if the teacher of lesson
05 is there. The answers stand at the end.

Four facts help. The *teacher* is the whole model. In this lesson "small" should be the teacher
without the heads that the paper's score ranks lowest, and without any training after. A *masked*
head is multiplied by 0, a *removed* one is gone (lesson 07). A *dense* matrix is stored with all
its numbers, a *sparse* one with those alone that are not 0, each with its row and its column.
"""

# %% 12.1 Heads that cost nothing
import statistics
from functools import partial

import numpy as np
import torch

from tinyprune import MIRROR, cli, figures, recipe
from tinyprune.batching import make_batch
from tinyprune.decode import beam_search
from tinyprune.evaluate import best_equations, evaluate_model, grade
from tinyprune.masking import gates_for, remove_heads, select_heads
from tinyprune.measure import forced_decoding, mean_flops, problem_lengths, seconds_of
from tinyprune.results import bootstrap_interval, is_correct
from tinyprune.scorer import score_heads
from tinyprune.transformer import Head

args = cli.options()
torch.set_num_threads(args.threads)
splits, vocabularies, teacher = recipe.load_teacher(args.data, args.fold, args.seed)
calibration = recipe.calibration_batches(splits.train, vocabularies, count=256)
scores = score_heads(teacher, calibration)
asked = splits.test[:200]
ratios = (0.0, 0.3, 0.5, 0.7)
smaller = {ratio: remove_heads(teacher, select_heads(scores, ratio)) for ratio in ratios}
small = smaller[0.3]
whole_report = evaluate_model(teacher, asked, vocabularies)
small_report = evaluate_model(small, asked, vocabularies)


def ablated(head):
    """The accuracy of a model, measured by someone who wrote the search anew."""
    model = teacher if head is None else remove_heads(teacher, [head])
    batch = make_batch(asked, vocabularies)
    found = beam_search(model, batch, vocabularies.target, beam=1, start=MIRROR)
    return grade(asked, best_equations(asked, found)).answer_accuracy


figures.heading("12.1 'No head of the first encoder layer is needed'")
of_library = f"{whole_report.answer_accuracy:.3f} on these problems"
print(f"  the library's greedy search gives the whole model {of_library}")
rows = [("no head removed", ablated(None))]
for index in range(teacher.config.heads):
    rows.append((f"without head encoder 0.{index}", ablated(Head("encoder", 0, index))))
figures.table(rows, ["ablation", "answers right"])

# %% 12.2 Faster than arithmetic
figures.heading("12.2 'Removing 30% of the heads makes the model much faster'")
timed = [problem for problem in asked if vocabularies.can_write(problem)][:32]
ready = make_batch(timed, vocabularies)
single = [make_batch([problem], vocabularies) for problem in timed]


def one_by_one(model):
    for batch in single:
        forced_decoding(model, batch)


def together(model):
    forced_decoding(model, ready)


def milliseconds(function, rounds=7):
    """The median time of a call."""
    return 1e3 * statistics.median(seconds_of(function) for _ in range(rounds))


def million_flops(model):
    return mean_flops(model, problem_lengths(timed)) / 1e6


one_by_one(teacher)  # both ways are warm
together(teacher)
rows = [("teacher", million_flops(teacher),
         milliseconds(partial(one_by_one, teacher))),
        ("small", million_flops(small),
         milliseconds(partial(together, small)))]
figures.table(rows, ["model", "million FLOPs a problem", "milliseconds, 32 problems"])

# %% 12.3 The student passes its teacher
figures.heading("12.3 'The pruned model is better than the whole one'")
seen = splits.train[:300]
rows = [("teacher", len(asked), whole_report.answer_accuracy),
        ("small", len(seen), evaluate_model(teacher, seen, vocabularies).answer_accuracy)]
figures.table(rows, ["model", "problems", "answers right"])

# %% 12.4 The check that passes
figures.heading("12.4 'Masked and removed agree, so the removal is right'")
mask = gates_for(teacher, select_heads(scores, 0.3))
masked_report = evaluate_model(teacher, asked, vocabularies, gates=mask)
print(f"  the library's greedy search gives the whole model {of_library}")
rows = [("whole model", evaluate_model(teacher, asked, vocabularies, gates=mask).answer_accuracy),
        ("heads masked", masked_report.answer_accuracy),
        ("heads removed", small_report.answer_accuracy)]
figures.table(rows, ["model", "answers right"])

# %% 12.5 Pruning, or something else?
figures.heading("12.5 'Masking heads makes the model several times as fast'")


def without_cache(model):
    """Reads the recorded equations, for each token the text and all earlier tokens anew."""
    for length in range(1, ready.target.shape[1] + 1):
        model(ready.source, ready.lengths, ready.target[:, :length])


def all_at_once(gates):
    teacher(ready.source, ready.lengths, ready.target, gates)


with torch.no_grad():
    rows = [("original", f"{milliseconds(partial(without_cache, teacher)):.0f}")]
    for ratio in ratios[1:]:
        gates = gates_for(teacher, select_heads(scores, ratio))
        rows.append((f"{ratio:.0%} masked", f"{milliseconds(partial(all_at_once, gates)):.0f}"))
figures.table(rows, ["model", "milliseconds, 32 problems"])

# %% 12.6 Sparse
figures.heading("12.6 'Stored as sparse matrices, the pruned model is small'")
numbers = sum(parameter.numel() for parameter in teacher.parameters())
rows = [("dense", f"{4 * numbers / 1e6:.2f}")]
for ratio in ratios[1:]:
    left = sum(parameter.numel() for parameter in smaller[ratio].parameters())
    # of each number that is not 0: the number (4 bytes), its row and its column (8 each)
    rows.append((f"{ratio:.0%} of the heads set to 0, sparse", f"{20 * left / 1e6:.2f}"))
figures.table(rows, ["file", "megabytes"])

# %% 12.7 One step at a time
figures.heading("12.7 'Pruning step by step is as good as all at once'")
accuracies = {ratio: evaluate_model(model, asked, vocabularies).answer_accuracy
              for ratio, model in smaller.items()}
rows = [("all at once, before training", *(accuracies[ratio] for ratio in ratios[1:])),
        ("step by step, trained after each step", *(accuracies[ratio] for ratio in ratios[1:]))]
figures.table(rows, ["", *(f"{ratio:.0%}" for ratio in ratios[1:])])

# %% 12.8 A narrow interval
figures.heading("12.8 'The difference is certain'")
difference = is_correct(small_report.outcomes) - is_correct(whole_report.outcomes)
tokens = [len(equation) for equation in whole_report.equations]
by_token = np.repeat(difference, [200 * length for length in tokens])
middle = by_token.mean()
half = 1.96 * by_token.std() / len(by_token) ** 0.5
rows = [(f"{len(asked)}", f"{middle:+.3f}", f"{middle - half:+.3f} to {middle + half:+.3f}")]
figures.table(rows, ["problems", "small minus teacher", "95% interval"])

# %% [markdown]
r"""
## The answers

1. The first row is the whole model, and it must have the accuracy above the table. The ablation
   reaches its accuracy by another path: its search starts with MIRROR, the sign for mirrored
   equations. So the model writes each equation mirrored, and nobody turns it back before it is
   graded. Only those are right that keep their value when they are mirrored (a + b). Where the
   whole model fails already, no head can do much harm. To settle it: the accuracies *without* a
   head, by the library's greedy search.
2. The FLOPs allow the speed-up 1 / (1 - FLOPs saved), and the table shows much more. (A few percent
   above may be noise, or work that FLOPs do not count: lesson 07.) The teacher answered one problem
   at a time, the small model all 32 in one batch. To settle it: both times, measured in turn on the
   same batch (next cell).
3. The two models were asked different numbers of problems, so they were asked different problems.
   Moreover, the second row's are training problems, and the model that answered them is the
   teacher. To settle it: the second model's accuracy on the first one's problems.
4. Three equal rows. Masked and removed must agree (lesson 07), but the whole model must not agree
   with them: it must have the accuracy above the table. It was asked while its heads were still
   masked, so the check compares a thing with itself. To settle it: the accuracy of the whole model
   with open gates (here it stands above the table already).
5. The times of the three ratios differ by noise alone (run it again, and they have another order),
   so pruning does not cause the gain. A mask multiplies by 0 and saves nothing. The original wrote
   token by token without a cache, the others got the whole equation at once. To settle it: the time
   of the original in the same way, which is a mask of 0%.
6. The file of a sparse matrix with more than a fifth of its numbers is larger than that of the
   dense one: each number brings its row and its column, 20 bytes in place of 4. To settle it: the
   size of the file without the heads (`remove_heads`), stored dense.
7. The two rows agree to the last digit. At 30% the second model could have been measured before its
   training. But at 50% it has already trained once, after the step to 30%. That it has exactly the
   accuracy of a model that has never trained, three times, is hardly chance: the first row was
   probably copied. To settle it: the accuracy after the training.
8. The interval is far too narrow: 200 problems cannot say so much. If only one of two models is
   right on a tenth of them, the interval of the difference is ± 0.04 (lesson 10). Here each token
   of each equation counts as 200 independent observations. (So long equations also count more, and
   the mean itself is another one.) To settle it: an interval from problems drawn again (next cell).
   It is wider, and still it does not hold 0.
"""

# %% 12.9 Two of them settled
figures.heading("12.9 Tables 2 and 8, as they should be")
pairs = [(milliseconds(partial(together, teacher), 1),
          milliseconds(partial(together, small), 1)) for _ in range(31)]
speedup = statistics.median(whole / pruned for whole, pruned in pairs)
allowed = million_flops(teacher) / million_flops(small)
low, high = bootstrap_interval(difference)
rows = [("speed-up of the small model", f"×{speedup:.2f}", f"the FLOPs allow ×{allowed:.2f}"),
        ("small minus teacher", f"{difference.mean():+.3f}", f"{low:+.3f} to {high:+.3f}")]
figures.table(rows, ["", "found", ""])
if speedup > allowed:
    print("  the speed-up is above what the FLOPs allow: other work shrinks with the heads, too")
else:
    print("  the speed-up is below what the FLOPs allow: other work does not shrink")

# %% [markdown]
r"""
## Exercises

1. (★, 10 minutes) By hand: 9% of a model's numbers are removed, and it becomes 25% faster. Which
   part of the 25% can the removal explain, if time is in proportion to numbers?
2. (★, 10 minutes) By hand: 200 problems, an accuracy of 0.9. What is the standard error of the
   accuracy, and which difference from 0.9 could be chance?
3. (★★, 20 minutes) Write a function `suspicious(rows)` that says whether two rows of a table agree
   in every digit, their first columns left out. Which of the eight tables does it find?
4. (★★, 20 minutes) Find the mistake: a table shows the pruned models of five ratios, each at the
   epoch where its test accuracy was highest.
5. (★★★, 45 minutes) Open: make a ninth table with a fault that a fellow student does not find in
   ten minutes.
"""
