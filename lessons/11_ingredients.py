# %% [markdown]
r"""
# 11 Ingredients: how much is each of the teacher's tricks worth?

The teacher of lesson 05 has parts and habits that the plain transformer of 2017 does not have. Each
of these ingredients is there for a reason. A reason is not a measurement. So leave out one
ingredient at a time, train again, and ask the same validation problems.

You need lesson 05, and of 08 the paragraphs on the paired interval. You read for about 15 minutes.
The code trains ten small models: about four minutes on the sample, with 6 epochs each, and not much
longer on ASDiv-A (`--data asdiv-a --fold 1 --seed 1 --epochs 20`), but hours on Math23k
(`--data math23k --epochs 5`). `--epochs 0` trains for as many epochs as the teacher.
`--without dropout,small` trains three models: the one with all ingredients, one without dropout,
and one without the small embedding_scale (the beginning of a name is enough). A run that was
stopped goes on where it stopped. No test problem is asked: on ASDiv-A the validation problems are a
tenth of the four training folds.
"""

# %% 11.1 The ingredients
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch

from tinyprune import cli, figures, recipe
from tinyprune.bidirectional import bidirectional_search
from tinyprune.data import load
from tinyprune.decode import beam_search, greedy
from tinyprune.distill import task_loss
from tinyprune.evaluate import best_equations, find_candidates, grade
from tinyprune.files import read_json
from tinyprune.measure import parameters
from tinyprune.results import (
    BEAM_RERANKED,
    BEST,
    BIDIRECTIONAL,
    GREEDY,
    RESULTS,
    bootstrap_interval,
    is_correct,
    result_path,
    result_row,
    write_result,
)
from tinyprune.train import Training, steps_of, train
from tinyprune.transformer import Config, Transformer
from tinyprune.vocabulary import Vocabularies, Vocabulary

started = time.time()
args = cli.options(epochs=6, without="")
torch.set_num_threads(args.threads)
if args.epochs < 0:
    raise SystemExit("--epochs must be 1 or more, or 0 for as many as the teacher gets")
splits = load(args.data, args.fold, tuning=True)
experiment = recipe.EXPERIMENTS[args.data]
epochs = args.epochs or experiment.teacher.epochs
teacher_config = replace(experiment.teacher, seed=args.seed, epochs=epochs)


def is_about_a_number(subword):
    return subword.startswith(("·whole", "·decimal", "·percent", "·fraction", "·rank"))


def is_character(subword):
    return subword.startswith("·") and not is_about_a_number(subword)


def no_subword(subword):
    return False


def freeze_neighbours(model):
    for layer in model.encoder:
        layer.neighbours.requires_grad_(False)


def stop_rotation(model):
    for attention in model.attention_layers().values():
        attention.rotary = False


def keep_model(model):
    pass


class Change(NamedTuple):
    """The difference between the teacher and a teacher without one ingredient."""
    training: dict = {}  # settings of TrainConfig
    model: dict = {}  # settings of the model's Config
    loss: Callable = task_loss  # as train wants it
    unread: Callable = no_subword  # subword -> whether the vocabulary leaves it out
    switch_off: Callable = keep_model  # changes the new model


width = experiment.model.get("width", Config.width)  # D
INGREDIENTS = {
    "nothing": Change(),
    "a number's kind and rank": Change(unread=is_about_a_number),
    "a word's characters": Change(unread=is_character),
    "mixing of neighbours": Change(switch_off=freeze_neighbours),
    "rotary positions": Change(switch_off=stop_rotation),
    "mirrored equations": Change(training={"mirrored": False}),
    "dropout": Change(model={"dropout": 0.0}),
    "word dropout": Change(training={"word_dropout": 0.0}),
    "label smoothing": Change(loss=partial(task_loss, label_smoothing=0.0)),
    "small embedding_scale (√D instead, as in 2017)": Change(model={"embedding_scale": width**0.5}),
}
training_words = [word for problem in splits.train for word in problem.words]
training_subwords = {subword for word in training_words for subword in word}
if not any(map(is_character, training_subwords)):
    del INGREDIENTS["a word's characters"]  # English words are not split into characters
names = [name for name in INGREDIENTS if name != "nothing"]
beginnings = tuple(args.without.split(","))  # every name begins with "", the default
for beginning in beginnings:
    if not any(name.startswith(beginning) for name in names):
        raise SystemExit(f"--without {beginning}: no ingredient's name begins with this; "
                         f"the names are: {', '.join(names)}")
left_out = [name for name in names if name.startswith(beginnings)]

figures.heading(f"11.1 {args.data}: ingredients to leave out: {len(left_out)}; "
                f"epochs: {epochs}; validation problems: {len(splits.valid)}")

# %% [markdown]
r"""
The library has no switch for some of these variants. To leave out a kind of subword, we take it out
of the vocabulary. Neighbours' weights that are frozen at 0 mix nothing. The rotation is switched
off in each attention layer. All other variants are settings. The row "small embedding_scale"
changes two things, because this scale multiplies the embeddings and the neighbours' weights. (On
ASDiv-A it is 1, and with it the neighbours' weights hardly leave 0. So the row "mixing of
neighbours" says little there.)

Guess before you run the cell: which ingredient costs most when it is missing, and which one least?
"""


# %% 11.2 Leave one out
def train_without(name):
    """The teacher without this ingredient, kept under runs/: -> Trained, Vocabularies"""
    change = INGREDIENTS[name]
    train_config = replace(teacher_config, **change.training)
    settings = experiment.model | change.model

    def make(checkpoint):
        vocabularies = Vocabularies.of(splits.train, experiment.min_count)
        known = vocabularies.source.tokens
        read = [token for token in known if not change.unread(token)]
        vocabularies.source = Vocabulary(read)
        torch.manual_seed(args.seed)
        config = Config(len(vocabularies.source), len(vocabularies.target), **settings)
        model = Transformer(config)
        change.switch_off(model)
        log = train(model, splits.train, vocabularies, train_config,
                    loss=change.loss, checkpoint=checkpoint, name=f"without {name}")
        return model, vocabularies, log, []

    path = recipe.model_path(args.data, args.fold, "ingredients", name, train_config, settings,
                             experiment.min_count)
    return recipe.load_or_train(path, f"without {name}", make)


def answer(name, model, vocabularies):
    """The model's equation for each validation problem: -> {decoding: [equation]}"""
    reranker = recipe.reranker(args.data)
    search = partial(find_candidates, model, splits.valid, vocabularies)
    choose = partial(best_equations, splits.valid)
    equations = {}
    if name != "mirrored equations":  # without them the model writes only from left to right
        candidates = search(bidirectional_search)
        equations[BEST] = choose(candidates, reranker)
    if name in ("nothing", "mirrored equations"):
        equations[BEAM_RERANKED] = choose(search(beam_search), reranker)
    if name == "nothing":
        equations[BIDIRECTIONAL] = choose(candidates)
        equations[GREEDY] = choose(search(greedy))
    return equations


rows = []
reports = {}
for name in ["nothing", *left_out]:
    trained, vocabularies = train_without(name)
    model = trained.model
    INGREDIENTS[name].switch_off(model)  # a model's file does not say whether it rotates
    for decoding, equations in answer(name, model, vocabularies).items():
        report = grade(splits.valid, equations)
        reports[name, decoding] = report
        facts = dict(study="ingredients", data=args.data, split="valid", fold=args.fold,
                     model="teacher", loss="ce", seed=args.seed)
        facts["steps"] = steps_of(teacher_config, splits.train, vocabularies)
        facts["parameters_without_embeddings"] = parameters(model, embeddings=False)
        facts["settings"] = {"without": name, "decoding": decoding,
                             "epochs": epochs, "recipe": repr(experiment)}
        rows.append(result_row(report, **facts))

# %% 11.3 The cost of each
figures.heading("11.3 Trained without it, asked the same problems")
table = []
for (name, decoding), report in reports.items():
    reference = reports["nothing", BEST if name == "nothing" else decoding]
    difference = is_correct(report.outcomes) - is_correct(reference.outcomes)
    low, high = bootstrap_interval(difference)
    table.append((name, decoding, report.answer_accuracy,
                  f"{difference.mean():+.3f}", f"{low:+.3f} … {high:+.3f}"))
figures.table(table, ["without", "decoding", "answers right", "difference", "95%"])
path = result_path(args.out, rows[0], f"-epochs{epochs}")
write_result(path, rows, started)
print(f"  written: {path}")

# %% [markdown]
r"""
Each difference is from "nothing" with the same decoding (for mirrored equations: the beam of 5).
The rows of "nothing" itself are compared with its first row.

An interval that holds 0 does not show that the ingredient does nothing. It does not show that the
ingredient does something either. For half its width you need four times as many problems. Where an
interval does not hold 0, remember that you have one seed: the intervals are over problems, and they
do not cover the change that another seed would bring. And there are many rows. With ten of them,
the chance is about 40% that at least one interval excludes 0 by luck. So decide beforehand which
one you ask about. The table in `lessons/results/README.md` has three models for each of ASDiv-A's
cells, each of another seed and fold. Its largest costs: on ASDiv-A rotary positions (4.8 points;
its folds share problems, and with the factor that the page gives for that the interval holds 0), on
Math23k with 5 epochs a word's characters (5.3), and with 52 epochs dropout (6.9). Nearest to 0:
mixing of neighbours on ASDiv-A (-0.3), a number's kind and rank on Math23k (-0.5).

An ablation (leaving parts out to see what they are worth) with a fraction of the epochs favours
ingredients that make learning fast. It is unfair to ingredients that stop a long training from
learning the problems by heart. Look at dropout, word dropout and small embedding_scale in that
table. With 5 epochs of Math23k, the models without dropout and without the small scale do better;
for word dropout the interval holds 0. With all 52 epochs, leaving out dropout costs many points.
Leaving out one of the other two costs one or two, which chance may also explain (their intervals
hold 0). The sample's default run is short, too, and several ingredients seem to do harm there.
After five epochs we would have removed dropout, which the long training needs.

## Why is my GPU idle?

A GPU makes the products of a training step much faster than a CPU, and still the whole step gains
far less. The step has thousands of operations, most of them small. Python starts them one after the
other, and each start costs some microseconds on the CPU, whatever the size of the tensors. The GPU
does each operation faster than Python can start the next one. So it waits. In a small batch it
waits for most of the time: from 32 problems to 64 the eager step of the table below takes 1.3 times
as long, and not twice.

`tinyprune/recorded.py` has the cure. The step is *recorded* once, as a CUDA graph: the list of its
operations, with the places in memory that they read and write. Then one call starts all of them.
This has a price for the code. Every batch must lie where the recorded one lay, so batches are
padded to a few sizes. And no operation may ask for a value (`.item()`, `x[mask]`), because then
Python would have to wait for the answer. That is why our losses multiply by a mask, where `x[mask]`
would be shorter.

A step that is not recorded is called *eager*. Guess: how many operations has one step? How many
times as fast is a recorded step?
"""

# %% 11.4 A step, eager and recorded
figures.heading("11.4 One training step: its operations, and its time on a GPU")
vocabularies = Vocabularies.of(splits.train, experiment.min_count)
learner = Transformer(Config(len(vocabularies.source), len(vocabularies.target),
                             **experiment.model))
run = Training(learner, splits.train, vocabularies, teacher_config, task_loss)
batch = next(run.batches_left())
with torch.autograd.profiler.profile(use_kineto=False) as profile:
    run.update(batch)
print(f"  operations of a step, those that call others included: "
      f"{sum(event.count for event in profile.key_averages())}")
if torch.cuda.is_available():
    for name, step in {"eager": run.update, "recorded": run.learn}.items():
        for repetition in range(30):
            if repetition == 10:  # before that it warms up and records
                torch.cuda.synchronize()
                clock = time.perf_counter()
            step(batch)
        torch.cuda.synchronize()
        print(f"  {name}: {(time.perf_counter() - clock) / 20 * 1000:.1f} ms a step")
else:
    print("  no GPU is here; one was measured (lessons/results/gpu.json):")
    gpu = read_json(RESULTS / "gpu.json")
    rows = [(name, f"{took} ms") for name, took in gpu["milliseconds_a_step"].items()]
    figures.table(rows, [gpu["machine"], "a step"])
    print("  (of 64 and 128 some steps were not recorded, so their times are too long)")

# %% [markdown]
r"""
The recorded step does the same operations with the same random numbers, and its loss is the same up
to rounding (`python tests/project/gpu.py` compares them). On a CPU nothing is recorded: there the
operations themselves take the time.

## Exercises

1. (★, 10 minutes) By hand: two models answer 98 validation problems and differ on 12 of them, 9 to
   3. How probable is a difference at least as large, in either direction, if a coin decides each of
   the 12?
2. (★★, 40 minutes) Write the variant with torch's element-wise dropout (`nn.Dropout`) in place of
   `ChannelDropout` (`transformer.py`). Which one is faster? And is there a difference in accuracy
   that you would defend?
3. (★★, 60 minutes) Write the subwords of an English word (`words.py`): its first five letters and
   its last two. What do they do on ASDiv-A's validation problems? (We tried; it did not pay.)
4. (★, 10 minutes) Find the mistake in the reasoning: each of two ingredients costs nothing when it
   is missing, so someone removes both, and loses four points.
5. (★★, 60 minutes) A text has 25 words. How often does a model read it whole, if one word in ten is
   hidden? And if it is three in ten? `word_dropout` may also be a pair, (lowest, highest): then
   each text draws a share of its own. Train two teachers on ASDiv-A for 20 epochs, with 0.3 and
   with (0.0, 0.6). Ask both their training problems, first whole, then with a tenth of the words
   hidden (`drop_words` in `train.py`). The study did this with 50 epochs
   (`lessons/results/study.md`).
6. (★★★, 180 minutes) Open: add an ingredient of your own, or try one that we removed because it did
   not pay: use a moving average of the weights, in which each step keeps 0.999 of the average and
   adds 0.001 of the new weights. Why should this change little where the learning rate falls to 0?
   Fix the number of seeds before you begin.
"""
