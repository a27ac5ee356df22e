# %% [markdown]
r"""
# 05 The teacher: which model is worth pruning?

If a model knows nothing, pruning costs it nothing. So we first need a model that knows something.
This lesson trains a transformer from scratch: it reads a problem and writes its equation. Then we
compare it with two solvers that learn nothing. The later lessons prune this model and use it as the
*teacher* of smaller ones, its *students*.

You need lessons 02 to 04. You read for about 35 minutes, and the exercises take nearly four hours.
It trains for a minute on the sample (`--data asdiv-a`: a few minutes, `--data math23k`: an hour and
a half), and the next lessons load the model that it has trained.
"""

# %% 5.1 Before the first step
import copy
import math
import time
from collections import Counter

import torch

from tinyprune import cli, figures, files, recipe, results
from tinyprune.baseline import majority_baseline, near_duplicates, nearest_neighbour_baseline
from tinyprune.batching import DEVICE, batches
from tinyprune.bidirectional import bidirectional_search
from tinyprune.checker import same_equation
from tinyprune.data import load
from tinyprune.decode import beam_search
from tinyprune.distill import LABEL_SMOOTHING, task_loss
from tinyprune.evaluate import best_equations, evaluate_model, find_candidates, grade
from tinyprune.measure import parameters
from tinyprune.results import BEAM, BEST, BIDIRECTIONAL, GREEDY, MAJORITY, NEAREST
from tinyprune.tokenizer import OPERATORS, prefix_to_infix
from tinyprune.train import learning_rate_at, steps_of
from tinyprune.transformer import Config, Transformer, token_loss
from tinyprune.vocabulary import Vocabularies

started = time.time()
args = cli.options(wrong=2)
torch.set_num_threads(args.threads)
recipe.use_batch_size(args.data, args.batch)
experiment = recipe.EXPERIMENTS[args.data]
config = experiment.teacher

figures.heading("5.1 Before the first step: what is the loss of a model that knows nothing?")
splits = load(args.data, args.fold)
vocabularies = Vocabularies.of(splits.train, experiment.min_count)
V = len(vocabularies.target)
torch.manual_seed(args.seed)
fresh = Transformer(Config(len(vocabularies.source), V, **experiment.model))
fresh.to(DEVICE).eval()
batch = batches(splits.train[:64], vocabularies, 64)[0]
with torch.no_grad():
    logits = fresh(batch.source, batch.lengths, batch.target)  # (B, T, V)
    loss = token_loss(logits, batch.target).item()
print(f"  {V} target tokens, all equally likely: log V = {math.log(V):.2f}")
print(f"  measured: {loss:.2f}")

# %% [markdown]
r"""
The loss is near log V, but not equal to it, because the first weights have accidental preferences.
If the first loss is far above log V, something has the wrong scale. If it is far below, the model
sees the answer.

The training uses these ingredients, each for one reason (`tinyprune/train.py`, `TrainConfig`):

- Learning rate: it rises at first, because Adam's averages are still empty, and then falls to 0
  along a cosine.
- Label smoothing: a tenth of the target's probability is spread over all tokens, so that no logit
  must grow forever.
- Word dropout: some words are hidden. A Chinese word then shows only its characters, and an English
  word shows nothing. A number loses its name, and the model must use its kind and its rank. The
  test texts of the published sets, too, have words that training does not have.
- Channel dropout: a channel is dropped for all words of a text at once. Otherwise the model could
  recover the dropped value from the neighbouring words.
- Small `embedding_scale`: Adam changes every stored number by about the learning rate, whether it
  is small or large. The model multiplies a stored embedding by the scale where it uses it. So one
  step moves the embedding by the scale times the learning rate: with a small scale words are
  learned slowly. Vaswani et al. use √D, here 11 to 14. We expect that a model with such a large
  scale learns words by heart; lesson 11 measures it. Our scale, chosen on validation problems (for
  ASDiv-A on a tenth of the training folds), is 8 on the sample, 4 on Math23k and 1 on ASDiv-A. The
  weights that mix neighbouring words (lesson 02) have the same scale: with 4 they become important,
  with 1 they stay near 0.
- Mirrored equations: the model learns every equation twice, as it is and mirrored (lesson 03), and
  reads the text once for both.

Lesson 11 leaves out most of these, one at a time, and measures the effect. The rest is usual, and
no other values were tried. AdamW pulls all weights a little towards 0 (weight decay). A gradient
longer than 1 is shortened to 1, so that one strange batch cannot undo a hundred good ones (gradient
clipping). Problems of similar length share a batch, so that little work is spent on padding.

Before you run the next cell, guess: after which share of the steps is the learning rate highest?
"""

# %% 5.2 The schedule
figures.heading("5.2 The learning rate: how long does it rise, and how long does it fall?")
rates = [learning_rate_at(step, 400, config) for step in range(401)]
figures.curves({"learning rate": list(enumerate(rates))[::10]}, "step of 400", "learning rate",
               "05_learning_rate", title="The learning rate: warm-up, then half a cosine")
print(f"  the maximum, {max(rates):.2g}, is at step {rates.index(max(rates))}")

# %% 5.3 Training
figures.heading(f"5.3 Training on {args.data}: {len(splits.train)} problems, "
                f"{config.epochs} epochs")
left_out = [problem for problem in splits.train if not vocabularies.can_write(problem)]
print(f"  left out, because the vocabulary cannot write their equations: {len(left_out)}")
for problem in left_out[:3]:
    print(f"    {problem.id}: {problem.parse_error or 'a rare constant'}")
begun = time.time()
trained, vocabularies = recipe.load_or_train_teacher(args.data, args.fold, args.seed, shipped=False)
model = trained.model
print(f"  ready after {(time.time() - begun) / 60:.1f} minutes")
smoothed = torch.full((V,), LABEL_SMOOTHING / V)  # a share for every token
smoothed[0] += 1 - LABEL_SMOOTHING  # and the rest for the right one
lowest = torch.special.entr(smoothed).sum()
print(f"  with label smoothing the lowest possible loss is {lowest:.2f}, not 0")
lines = {"loss": [], "answers right (validation)": []}
for epoch, entry in enumerate(trained.log, 1):
    lines["loss"].append((epoch, entry["loss"]))
    if entry["accuracy"] is not None:
        lines["answers right (validation)"].append((epoch, entry["accuracy"]))
lines = {name: points for name, points in lines.items() if points}  # ASDiv-A has no validation
figures.curves(lines, "epoch", "loss, accuracy", f"05_training_{args.data}",
               title=f"Training of the teacher, {args.data}")

# %% [markdown]
r"""
Is that good? An accuracy means nothing alone. Two solvers that learn nothing stand beside it. The
*majority* baseline sees only how many numbers a problem has and their order by size. It answers
with the most frequent training equation for such numbers. The *nearest-neighbour* baseline copies
the equation of the most similar training text. Two texts are as similar as the number of words that
they share, divided by the number of different words in both. (It passes over an equation that needs
more numbers than the problem has.)

The model answers in four ways:

- *Greedy* decoding (`decode.py`) writes the most probable token at each step, of those that lesson
  03 allows. A first token that looks good may lead to nothing good, and greedy decoding cannot take
  it back.
- A *beam of five* (`decode.py`) keeps the five best beginnings. It continues each of them with
  every token, keeps the five best results, and repeats this until all are complete. Every token
  makes an equation less probable, so short equations would win, whatever they say. So a beginning's
  score is its log-probability divided by the square root of its length, and the five with the
  highest scores are kept.
- *Bidirectional* decoding (`bidirectional.py`) runs two beams, and one of them writes mirrored
  equations. Then each direction scores all equations that either has found, by the mean
  log-probability of a token. The right-to-left direction has already read the end of the equation
  when it comes to the beginning. So it can reject a bad beginning, and the other way round.
- With *reranking* (`evaluate.py`) an equation comes last if it has no value (it divides by 0), and
  just before these if one of its values is 0 or less, because word problems count and measure. (On
  ASDiv-A it also comes later if whole numbers lead to a value that is not whole.)

Guess the accuracy of each of the six before you run the cell.
"""

# %% 5.4 Beside solvers that learn nothing
figures.heading(f"5.4 Share of right answers on {len(splits.test)} test problems")
test = splits.test
candidates = find_candidates(model, test, vocabularies, bidirectional_search)
first = best_equations(test, candidates)
reranked = best_equations(test, candidates, recipe.reranker(args.data))
reports = {MAJORITY: grade(test, majority_baseline(splits.train, test)),
           NEAREST: grade(test, nearest_neighbour_baseline(splits.train, test)),
           GREEDY: evaluate_model(model, test, vocabularies),
           BEAM: evaluate_model(model, test, vocabularies, beam_search),
           BIDIRECTIONAL: grade(test, first),
           BEST: grade(test, reranked)}
rows = []
for name, report in reports.items():
    label = name if name in (MAJORITY, NEAREST) else f"teacher, {name}"
    rows.append((label, report.answer_accuracy, report.equation_accuracy,
                 report.commutative_accuracy))
figures.table(rows, ["", "answer", "equation", "up to order"])

# %% [markdown]
r"""
On the sample the four ways to answer differ by a few problems of 510, and that is chance: the
standard error of a share p of n problems is √(p(1 - p)/n), here about 1.3 points. On the published
sets search and reranking gain three points on Math23k and two on ASDiv-A
(`lessons/results/README.md`).

The answer may be right although the equation is not the recorded one: 3 + 5 and 5 + 3. "Up to
order" accepts commutation and association (lesson 04). Where the answer is right and the equation
differs even up to order, the model has found another way to the same value, or has been lucky.

Where does the model fail? Longer equations have more occasions to be wrong. Equations that training
does not have may be harder. And some test *texts* differ from a training text only in their
numbers: how high is the accuracy without them? (A problem may stand in several rows of the table.)
"""

# %% 5.5 Where it fails
figures.heading("5.5 Share of right answers, by kind of problem")
correct = {name: results.is_correct(reports[name].outcomes) for name in (BEST, MAJORITY, NEAREST)}
seen = {" ".join(problem.equation) for problem in splits.train if problem.equation}
equal_texts, near_texts = near_duplicates(splits.train, test)


def kinds_of(problem, near):
    """The groups that a test problem belongs to; near: whether a training text is like its text."""
    if not problem.equation:
        return ["recorded equation cannot be read"]
    operators = [token for token in problem.equation if token in OPERATORS]
    steps = f"{len(operators)} operations" if len(operators) < 5 else "5 operations and more"
    known = " ".join(problem.equation) in seen
    kinds = [steps, "equation seen in training" if known else "equation never seen"]
    kinds += [f"with {operator}" for operator in set(operators)]
    return kinds if near else [*kinds, "text unlike any of training"]


groups = {}  # {kind: positions of its problems}
for position, problem in enumerate(test):
    for kind in kinds_of(problem, near_texts[position]):
        groups.setdefault(kind, []).append(position)
kinds = {}  # {kind: [problems, and how many of them each solver answers]}
rows = []
for kind, positions in sorted(groups.items()):
    hits = [int(values[positions].sum()) for values in correct.values()]
    kinds[kind] = [len(positions), *hits]
    rows.append((kind, len(positions), *(hit / len(positions) for hit in hits)))
figures.table(rows, ["", "problems", "teacher", MAJORITY, NEAREST])
print(f"  {sum(equal_texts)} texts equal a training text once numbers are named")
print(f"  {sum(near_texts)} texts have a trigram similarity of 0.8 or more to a training text")

# %% [markdown]
r"""
The sample is too easy to show much. Math23k's teacher answers 86% of the problems with one
operation and 34% of those with five and more; 81% of those whose equation training has and 20% of
the others (`lessons/results/README.md`).

The similarity of the last line counts *trigrams*, runs of three words: the trigrams that two texts
share, divided by all different trigrams of both.

How does the model fail? We compare its equation with the recorded one: the number of steps, the
operators, and the numbers used. And sometimes the data is wrong. Two such teachers were trained on
Math23k. We read by hand all 314 problems of the test split that at least one of them answers wrong.
The file `data_errors.json` lists the problems whose recorded equation does not answer the text. (Of
ASDiv-A we read two folds, and found none.) Guess how many of the 314 are on the list.
"""

# %% 5.6 How it fails
figures.heading("5.6 Wrong answers by cause")


def count_parts(equation):
    """-> two Counters, of its operators and of its numbers"""
    operators = Counter(token for token in equation if token in OPERATORS)
    return operators, Counter(equation) - operators


def cause(predicted, recorded):
    """How a wrong equation differs from the recorded one; both in prefix order."""
    if not recorded:
        return "the recorded equation cannot be read"
    if same_equation(predicted, recorded):
        return "none: the recorded equation does not give the recorded answer"
    if len(predicted) < len(recorded):
        return "a step too few"
    if len(predicted) > len(recorded):
        return "a step too many"
    operators, numbers = count_parts(predicted)
    recorded_operators, recorded_numbers = count_parts(recorded)
    if operators == recorded_operators:
        same_parts = numbers == recorded_numbers
        return "the same parts, joined otherwise" if same_parts else "other numbers"
    if numbers == recorded_numbers:
        return "another operator"
    return "another operator, other numbers"


# {id: why the recorded equation does not answer the text}
data_errors = files.read_json(files.project_file("lessons", "data_errors.json"))
equations = reports[BEST].equations
wrong = [position for position in range(len(test)) if not correct[BEST][position]]
causes = Counter(cause(equations[position], test[position].equation) for position in wrong)
figures.table(causes.most_common(), ["cause", "problems"])
faulty = [test[position].id for position in wrong if test[position].id in data_errors]
print(f"  in at least {len(faulty)} of these {len(wrong)} the data itself is wrong")
print(f"  of Math23k's 314, in {len(data_errors)} (lessons/data_errors.json)")
english_first = sorted(wrong, key=lambda position: not test[position].text.isascii())
for position in english_first[:args.wrong]:
    problem = test[position]
    predicted = equations[position]
    recorded = problem.parse_error
    if problem.equation:
        recorded = prefix_to_infix(problem.equation)
    print(f"\n  {problem.id}: {problem.text}")
    print(f"    predicted {prefix_to_infix(predicted)}")
    print(f"    recorded  {recorded}")
    print(f"    {data_errors.get(problem.id) or cause(predicted, problem.equation)}")

# %% [markdown]
r"""
Four of the 314 are on the list: nearly always the model is wrong, not the data.

The next picture shows the cross-attention of the last decoder layer for one problem: a row for each
token of the equation, a column for each word of the text, and darker means more attention. Which
words will `-` look at, and which ones `N0`?
"""

# %% 5.7 One problem, and the words that the decoder attends to
figures.heading("5.7 One problem: which words does each token of the equation attend to?")
exact = [problem for problem, letter in zip(test, reports[BEST].outcomes) if letter == "="]
short = [problem for problem in exact if 3 <= len(problem.equation) <= 7] or test
english = [problem for problem in short if problem.text.isascii()]
problem = (english or short)[0]
batch = batches([problem], vocabularies, 1)[0]
attentions = {}
with torch.no_grad():
    model(batch.source, batch.lengths, batch.target, attentions=attentions)
last = len(model.decoder) - 1
probabilities = attentions["cross", last][0].mean(dim=0)  # (T, S), the mean over the heads
words = [word for word, *_ in problem.words]
figures.matrix(probabilities.tolist(), problem.equation, words, f"05_attention_{args.data}",
               title="Cross-attention of the last decoder layer")

# %% [markdown]
r"""
Compare the rows with your guess. A row need not look at its own number: the layers before have
moved information from word to word. So the attention of one layer does not explain the answer.

Where does the time of a training step go? Forward and backward pass need matrix products. They also
need softmax, copies, norms and random numbers, and the optimizer's step comes last. We let torch's
profiler measure the time of each operation over ten batches, on a copy of the model and with a
learning rate of 0. Guess the share of the matrix products.
"""

# %% 5.8 Where the time goes
figures.heading("5.8 Forward, backward and the optimizer's step: where does the time go?")
PARTS = {"aten::mm": "matrix products",
         "aten::addmm": "matrix products",
         "aten::bmm": "matrix products",
         # Fused attention: two products, and the softmax between them.
         "aten::_scaled_dot_product_flash_attention_for_cpu": "matrix products",
         "aten::_scaled_dot_product_flash_attention_for_cpu_backward": "matrix products",
         "aten::_fused_adamw_": "optimizer"}
learner = copy.deepcopy(model).train()
optimizer = torch.optim.AdamW(learner.parameters(), lr=0.0, fused=True)
writable = [problem for problem in splits.train if vocabularies.can_write(problem)]
order = torch.Generator().manual_seed(0)
timed = batches(writable, vocabularies, config.batch_size, order, config.mirrored)[:10]


def train_step(batch):
    optimizer.zero_grad()
    task_loss(learner, batch).backward()
    optimizer.step()


train_step(timed[0])  # not timed: the first step allocates the optimizer's memory
with torch.autograd.profiler.profile(use_kineto=False) as profile:
    for batch in timed:
        train_step(batch)
seconds = {"matrix products": 0.0, "optimizer": 0.0, "the rest": 0.0}
for event in profile.key_averages():
    part = PARTS.get(event.key, "the rest")
    seconds[part] += event.self_cpu_time_total  # without the operations that it calls
shares = {name: part / sum(seconds.values()) for name, part in seconds.items()}
figures.table(list(shares.items()), ["", "share of the time"])

# %% [markdown]
r"""
At this size matrix products are only a part of the time (48% on ASDiv-A, 61% on Math23k:
`lessons/results/README.md`). So dropping other operations saves time, too, not only smaller
products. The last cell writes the results into a file, from which the tables in
`lessons/results/README.md` are made.
"""

# %% 5.9 The result file
analysis = {"time": shares,
            "causes": causes,
            "data_errors": faulty,
            "equal_texts": sum(equal_texts),
            "near_texts": [position for position, near in enumerate(near_texts) if near],
            "kinds": kinds}
about = dict(study="teacher", data=args.data, split="test", fold=args.fold)
teacher = dict(model="teacher", ratio=0.0, schedule="none", loss="ce", seed=args.seed,
               steps=steps_of(config, splits.train, vocabularies),
               parameters=parameters(model),
               parameters_without_embeddings=parameters(model, embeddings=False))
rows = []
for name in (GREEDY, BEAM, BIDIRECTIONAL, BEST):
    settings = {"decoding": name, "recipe": repr(experiment)}
    if name == BEST:
        settings |= analysis
    rows.append(results.result_row(reports[name], settings=settings, **about, **teacher))
for name in (MAJORITY, NEAREST):
    settings = {"baseline": name}
    rows.append(results.result_row(reports[name], model="baseline", settings=settings, **about))
path = results.result_path(args.out, rows[0])
results.write_result(path, rows, started)
print(f"  written: {path}")

# %% [markdown]
r"""
## Exercises

1. (★, 5 minutes) By hand: what is the loss of a model that gives 12 tokens the same probability?
   What is the loss of a model that knows that the token is `+` or `-`, but not which of the two?
2. (★★, 30 minutes) Write `token_loss` (tinyprune/transformer.py).
   `pytest tests/test_transformer.py -k loss`
3. (★★★, 60 minutes) Write `greedy` (tinyprune/decode.py): rows end at different steps.
   `pytest tests/test_decode.py -k greedy`
4. (★, 10 minutes) Find the mistake: `(loss.sum(dim=1) / tokens).mean()`, where `loss` is (B, T)
   with 0 at padding, and `tokens` (B,) is the number of real tokens of each equation. In which
   equations does a token have more weight than in the others? (Lesson 06 takes this mean on
   purpose: there every problem is to count alike.)
5. (★★★, 120 minutes) Open: change one setting and gain a point on validation. Was it noise? Train
   three seeds with each setting and give an interval. (Lesson 08 shows how; until then use the
   standard error of 5.4. ASDiv-A has no validation problems unless it is loaded with tuning=True,
   as in lesson 11.)
"""
