"""The settings of each data set, and the models that the lessons share.

Settings were chosen on validation data (README, "How the settings were chosen"). A model is trained once and kept
under runs/; whoever needs it afterwards loads it, and says so.
"""
import argparse
import copy
import hashlib
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from tinyprune.data import DATA, ROOT, DataError, Vocabularies, batches, load
from tinyprune.decode import first_plausible
from tinyprune.distill import Distillation
from tinyprune.masking import DynamicPruning, remove_heads
from tinyprune.scorer import head_scores
from tinyprune.tokenizer import EquationError
from tinyprune.train import DEVICE, CheckpointError, Settings, load_model, read, save, save_model, task_loss, train
from tinyprune.transformer import Config, Transformer


# The temperature and weights of the distillation loss: t, l1, l2 and beta of distill.py.
DISTILLATION = {"temperature": 3.0, "distill": 1.0, "task": 0.5, "alignment": 0.1}
RUNS = ROOT / "runs"  # models, checkpoints and results that are made here
SHIPPED = ROOT / "data" / "teachers"  # teachers that came with the project, in half precision


@dataclass
class Recipe:
    teacher: Settings
    student: Settings
    config: dict  # what differs from transformer.Config's defaults
    least: int = 2  # how often a word or piece must occur to get an embedding of its own
    whole: bool = False  # whether whole numbers are expected to have whole values: decode.first_plausible
    calibration: int = 256  # training problems on which heads are scored
    scorings: int = 10  # about how often, while the ratio rises


RECIPES = {
    "sample": Recipe(Settings(epochs=12, batch_size=32), Settings(epochs=4, batch_size=32, learning_rate=5e-4),
                     dict(encoder_layers=2, gain=8.0)),
    "asdiv-a": Recipe(Settings(epochs=50, batch_size=32), Settings(epochs=15, batch_size=32, learning_rate=5e-4),
                      dict(encoder_layers=2, dropout=0.2, gain=1.0), least=1, whole=True),
    "math23k": Recipe(Settings(epochs=52, batch_size=32), Settings(epochs=3, batch_size=32, learning_rate=5e-4),
                      dict(width=192, heads=6, encoder_layers=4, feedforward=192, dropout=0.25)),
}


def options(**more):
    """The options that lessons share: data, fold, seed, ratio, threads and out; more: further ones, name=default.

    The number of threads is set here, and never left to the machine: sums in another order differ in their last bits.
    A notebook's kernel has an argument -f of its own, which is left alone. From here on the user's own mistakes get
    their one sentence, and Ctrl-C a word of comfort, instead of a traceback.
    """
    sys.excepthook = explain
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=DATA, default="sample")
    parser.add_argument("--fold", type=int, choices=range(5), default=0, help="of ASDiv-A: the test fold")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ratio", type=float, default=0.3, help="share of the heads to remove")
    parser.add_argument("--threads", type=int, default=2, help="the same number, seed and machine give the same result")
    parser.add_argument("--out", type=Path, default=RUNS, help="where result files are written")
    for name, default in more.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("-f", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not 0 <= args.ratio <= 0.7:  # with four heads a layer, and one that must stay, 3/4 would be the end
        parser.error("--ratio must be between 0 and 0.7")
    if not 0 <= args.seed < 2 ** 31:
        parser.error("--seed must be 0 or more, and less than 2^31")
    if args.threads < 1:
        parser.error("--threads must be 1 or more")
    args.fold = args.fold if args.data == "asdiv-a" else None
    torch.set_num_threads(args.threads)
    return args


def explain(kind, error, trace):
    """sys.excepthook: one sentence for what is no fault of the program's."""
    if issubclass(kind, KeyboardInterrupt):
        print("\nstopped: the same command goes on where it was", file=sys.stderr)
    elif issubclass(kind, (DataError, CheckpointError, EquationError, FloatingPointError)):
        print(f"\n{error}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


@dataclass
class Run:
    """A trained model with its log of train.train and, for a student, of masking.DynamicPruning."""
    model: Transformer
    log: list
    pruning_log: list


def model_path(data, fold, what, *settings):
    """Where a model is kept; a digest of all its settings in the name keeps models of other settings apart. Only
    ASDiv-A has folds."""
    fold = fold if data == "asdiv-a" else None
    digest = hashlib.sha256(repr((data, fold, *settings)).encode()).hexdigest()[:10]
    return RUNS / f"{what}-{data}-{fold}-{digest}.pt"


def fingerprint(model):
    """A digest of the model's weights: a student must not be taken for another teacher's."""
    digest = hashlib.sha256()
    for weight in model.state_dict().values():
        digest.update(weight.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def once(path, name, make):
    """Loads the Run kept at `path`, or makes it there; make(checkpoint path) -> (model, vocabularies, logs)."""
    if not path.exists():
        checkpoint = path.with_suffix(".checkpoint")
        model, vocabularies, logs = make(checkpoint)
        save(logs, path.with_suffix(".log"))
        save_model(model, vocabularies, path)
        checkpoint.unlink()
    else:
        print(f"  {name}: loaded {path.name} (after a change of the code delete it, to train anew)")
    model, vocabularies = load_model(path)
    return Run(model, *read(path.with_suffix(".log"))), vocabularies


def teacher_path(data, fold=0, seed=0):
    recipe = RECIPES[data]
    return model_path(data, fold, "teacher", replace(recipe.teacher, seed=seed), recipe.config, recipe.least)


def solver(data, fold=0, seed=0, shipped=True):
    """The data set's trained teacher, a Run, and its Vocabularies: loaded if it was made before or, if `shipped` allows
    it, came with the project (then without a log); else trained now."""
    recipe, path = RECIPES[data], teacher_path(data, fold, seed)
    if shipped and not path.exists() and (SHIPPED / path.name).exists():
        print(f"  teacher: {path.name}, which came with the project")
        model, vocabularies = load_model(SHIPPED / path.name)
        return Run(model, [], []), vocabularies

    def make(checkpoint):
        splits, settings = load(data, fold), replace(recipe.teacher, seed=seed)
        vocabularies = Vocabularies.of(splits.train, recipe.least)
        torch.manual_seed(seed)
        model = Transformer(Config(len(vocabularies.source), len(vocabularies.target), **recipe.config))
        log = train(model, splits.train, vocabularies, settings, task_loss(settings.smoothing), checkpoint,
                    "teacher", valid=splits.valid[::max(len(splits.valid) // 200, 1)])
        return model, vocabularies, [log, []]

    return once(path, "teacher", make)


def teacher(data, fold=0, seed=0):
    """The data set's splits, vocabularies, and its trained teacher as a Run: see solver."""
    run, vocabularies = solver(data, fold, seed)
    return load(data, fold), vocabularies, run


def rule(data):
    """How the answer is picked from a beam's candidates on this data set: see decode.first_plausible."""
    return partial(first_plausible, whole=RECIPES[data].whole)


def steps_of(settings, problems, vocabularies):
    """How many steps train.train makes of these settings on these problems."""
    writable = sum(vocabularies.can_write(problem) for problem in problems)
    return settings.epochs * -(-writable // settings.batch_size)


def calibration_batches(problems, vocabularies, count, seed=0):
    """`count` of these problems, always the same for a seed: what heads are scored on. -> [Batch]"""
    problems = [problem for problem in problems if vocabularies.can_write(problem)]
    chosen = torch.randperm(len(problems), generator=torch.Generator().manual_seed(seed))[:count].tolist()
    return [batch.to(DEVICE) for batch in batches([problems[place] for place in chosen], vocabularies, 64)]


def student(data, fold, seed, splits, vocabularies, teacher_model, ratio, schedule="dynamic", distil=True):
    """A copy of the teacher that trains on while heads close, and then loses them for good: a Run.

    schedule: as in masking.DynamicPruning, or "random": heads drawn by lot, all at the first step
    distil: False trains on the equations alone
    """
    recipe = RECIPES[data]
    settings = replace(recipe.student, seed=seed)
    name = f"student, {schedule}, {'distilled' if distil else 'cross-entropy'}"

    def make(checkpoint):
        model = copy.deepcopy(teacher_model).requires_grad_(True)
        calibration = calibration_batches(splits.train, vocabularies, recipe.calibration)
        steps = steps_of(settings, splits.train, vocabularies)
        criterion = "random" if schedule == "random" else "paper"
        pruning = DynamicPruning(model, lambda model: head_scores(model, calibration, criterion, seed=seed), ratio,
                                 end=steps // 2, every=max(steps // 2 // recipe.scorings, 1),
                                 schedule="one-shot" if schedule == "random" else schedule)
        loss = task_loss(settings.smoothing)
        if distil:  # with the same smoothing: what the teacher says is what is new
            loss = Distillation(copy.deepcopy(teacher_model), smoothing=settings.smoothing, **DISTILLATION)
        log = train(model, splits.train, vocabularies, settings, loss, checkpoint, name, pruning)
        return remove_heads(model, pruning.closed), vocabularies, [log, pruning.log]

    path = model_path(data, fold, "student", settings, recipe, ratio, schedule,
                      DISTILLATION if distil else False, fingerprint(teacher_model))
    return once(path, name, make)[0]
