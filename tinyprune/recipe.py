"""The settings of each data set, and the models that the lessons share.

Settings were chosen on validation data (lessons/results/README.md, "How the settings were chosen").
A model is trained once and kept under runs/. Later calls load it and print its file name.
"""
import copy
import hashlib
import math
import re
from dataclasses import dataclass, replace
from functools import partial

import torch

from tinyprune import files
from tinyprune.batching import batches
from tinyprune.checkpoint import load_model, read, save, save_model
from tinyprune.data import load
from tinyprune.distill import (
    TEMPERATURE,
    cross_fitted_probabilities,
    distillation_loss,
    ensemble_loss,
    ensemble_probabilities,
    live_ensemble_loss,
    task_loss,
)
from tinyprune.dynamic_pruning import DynamicPruning
from tinyprune.evaluate import rerank_by_plausibility
from tinyprune.masking import remove_heads
from tinyprune.scorer import paper_score, score_heads
from tinyprune.train import TrainConfig, steps_of, train
from tinyprune.transformer import Config, Transformer
from tinyprune.vocabulary import Vocabularies

# The losses' options: τ, λ1, λ2, β and label smoothing
DISTILLATION = distillation_loss.__kwdefaults__
ENSEMBLE = ensemble_loss.__kwdefaults__
SHIPPED = files.ROOT / "data" / "teachers"  # the models that came with the project


@dataclass
class ExperimentConfig:
    teacher: TrainConfig
    student: TrainConfig
    model: dict  # what differs from transformer.Config's defaults
    min_count: int = 2  # how often a subword must occur to get an embedding of its own
    whole: bool = False  # whether whole numbers are expected to have whole values: evaluate.py
    calibration: int = 256  # training problems on which heads are scored
    scorings: int = 10  # about how many times heads are scored while the ratio rises


EXPERIMENTS = {
    "sample": ExperimentConfig(
        teacher=TrainConfig(epochs=12),
        student=TrainConfig(epochs=2, learning_rate=5e-4),
        model=dict(encoder_layers=2, embedding_scale=8.0)),
    "asdiv-a": ExperimentConfig(
        teacher=TrainConfig(epochs=50),
        student=TrainConfig(epochs=15, learning_rate=5e-4),
        model=dict(encoder_layers=2, dropout=0.2, embedding_scale=1.0),
        min_count=1, whole=True),
    "math23k": ExperimentConfig(
        teacher=TrainConfig(epochs=52),
        student=TrainConfig(epochs=3, learning_rate=5e-4),
        model=dict(width=192, heads=6, encoder_layers=4, feedforward=192, dropout=0.25)),
}


def use_batch_size(data, size):
    """From here on, trainings on this data set take batches of `size` problems; 0 changes nothing.

    The learning rate grows with the square root of the size, as suits AdamW (Malladi et al. 2022,
    arXiv 2205.10287). Models of other batch sizes are kept apart.
    """
    experiment = EXPERIMENTS[data]
    if size:
        EXPERIMENTS[data] = replace(experiment, teacher=in_batches_of(size, experiment.teacher),
                                    student=in_batches_of(size, experiment.student))


def in_batches_of(size, config):
    """A TrainConfig with this batch size, and its learning rate."""
    rate = config.learning_rate * math.sqrt(size / config.batch_size)
    return replace(config, batch_size=size, learning_rate=rate)


def reranker(data):
    """How candidates are reranked on this data set: (candidates, numbers) -> candidates"""
    return partial(rerank_by_plausibility, whole=EXPERIMENTS[data].whole)


def calibration_batches(problems, vocabularies, count, seed=0):
    """`count` of these problems, always the same for a seed, to score heads on. -> [Batch]"""
    problems = [problem for problem in problems if vocabularies.can_write(problem)]
    order = torch.randperm(len(problems), generator=torch.Generator().manual_seed(seed))
    return batches([problems[position] for position in order[:count]], vocabularies, 64)


# models that are kept

@dataclass
class Trained:
    """A trained model with the logs of train.train and, for a student, of DynamicPruning."""
    model: Transformer
    log: list
    pruning_log: list


def model_path(data, fold, name, *settings):
    """Where a model is kept: the digest in the file's name keeps models of other settings apart.

    Only ASDiv-A has folds.
    """
    fold = fold if data == "asdiv-a" else None
    digest = hashlib.sha256(repr((data, fold, *settings)).encode()).hexdigest()[:10]
    return files.RUNS / f"{name}-{data}-{fold}-{digest}.pt"


def load_or_train(path, name, make):
    """Loads the model kept at `path`, or makes it: -> Trained, Vocabularies

    make: (checkpoint path) -> model, vocabularies, log, pruning log
    """
    if path.exists():
        print(f"  {name}: loaded {path.name} (delete it after a change of the code)")
    else:
        checkpoint = path.with_suffix(".checkpoint")
        model, vocabularies, log, pruning_log = make(checkpoint)
        save([log, pruning_log], path.with_suffix(".log"))
        save_model(model, vocabularies, path)
        checkpoint.unlink(missing_ok=True)  # another run of this training may have ended
    model, vocabularies = load_model(path)
    return Trained(model, *read(path.with_suffix(".log"))), vocabularies


def teacher_path(data, fold=0, seed=0):
    config = EXPERIMENTS[data]
    return model_path(data, fold, "teacher", replace(config.teacher, seed=seed), config.model,
                      config.min_count)


def load_or_train_teacher(data, fold=0, seed=0, shipped=True):
    """The data set's teacher: -> Trained, Vocabularies

    Loaded if it was trained before; else, if `shipped` allows it, the one that came with the
    project (it has no log); else trained now.
    """
    files.project_file("data")  # a clear error if only the package is here
    config = EXPERIMENTS[data]
    path = teacher_path(data, fold, seed)
    with_project = shipped_path(data, fold, seed)
    if shipped and not path.exists() and with_project.exists():
        print(f"  teacher: {path.name}, which came with the project")
        model, vocabularies = load_model(with_project)
        return Trained(model, [], []), vocabularies

    return load_or_train(path, "teacher", lambda checkpoint: train_teacher(
        load(data, fold), config, seed, checkpoint))


def load_or_train_teacher_on(splits, data, fold, label, seed=0, target=None):
    """A teacher with the data set's settings that learns from other splits of it, named `label`.

    target: its target vocabulary, by default that of the splits' training problems
    -> Trained, Vocabularies
    """
    experiment = EXPERIMENTS[data]
    learned = [problem.id for problem in splits.train]
    written = [target.tokens] if target else []
    path = model_path(data, fold, label, experiment, seed, learned, *written)
    return load_or_train(path, label, partial(train_teacher, splits, experiment, seed,
                                              target=target))


def train_teacher(splits, experiment, seed, checkpoint, target=None):
    """Trains a teacher from the start, with the settings of an ExperimentConfig.

    -> model, vocabularies, log, pruning log
    """
    vocabularies = Vocabularies.of(splits.train, experiment.min_count)
    vocabularies.target = target or vocabularies.target
    torch.manual_seed(seed)
    model = Transformer(Config(len(vocabularies.source), len(vocabularies.target),
                               **experiment.model))
    log = train(model, splits.train, vocabularies, replace(experiment.teacher, seed=seed),
                loss=task_loss, checkpoint=checkpoint, name="teacher",
                valid=splits.valid[::max(len(splits.valid) // 200, 1)])
    return model, vocabularies, log, []


def shipped_path(data, fold=0, seed=0):
    """Where the data set's teacher stands if it came with the project, its confidence beside it."""
    return SHIPPED / teacher_path(data, fold, seed).name


# The main student of each data set, named before the reported runs: a plan of the study.
MAIN_STUDENTS = {"asdiv-a": "live, then pruned and trained on", "math23k": "scratch, 30% pruned"}


def shipped_student(data):
    """Where the data set's main student stands, if it came with the project; ASDiv-A's of fold 0.

    It is pruned, and has learned from several teachers: lessons/study/ship.py.
    """
    return SHIPPED / f"student-{data}.pt"


def load_teacher(data, fold=0, seed=0):
    """The data set's splits, vocabularies and teacher (the model): see load_or_train_teacher."""
    trained, vocabularies = load_or_train_teacher(data, fold, seed)
    return load(data, fold), vocabularies, trained.model


def load_or_train_student(data, fold, seed, splits, vocabularies, teacher, ratio,
                          schedule="dynamic", distill=True):
    """Fine-tunes a copy of the teacher while a schedule masks heads by the paper's score, then
    removes these heads.

    schedule: as in DynamicPruning
    distill: False trains on the equations alone
    -> Trained
    """
    experiment = EXPERIMENTS[data]
    config = replace(experiment.student, seed=seed)
    name = f"student, {schedule}, {'distilled' if distill else 'cross-entropy'}"

    def make(checkpoint):
        pruning = make_pruning(experiment, config, splits, vocabularies, ratio, schedule,
                               paper_score)
        loss = partial(distillation_loss, teacher=teacher) if distill else task_loss
        return train_and_remove(copy.deepcopy(teacher), pruning, splits, vocabularies, config,
                                loss=loss, checkpoint=checkpoint, name=name)

    losses = DISTILLATION if distill else False
    path = model_path(data, fold, "student", config, experiment, ratio, schedule,
                      name_of(paper_score), losses, fingerprint(teacher))
    return load_or_train(path, name, make)[0]


def load_or_train_ensemble_student(data, fold, splits, vocabularies, teachers, config, *,
                                   origin=None, aligned=False, shape=None, ratio=0.0,
                                   schedule="dynamic", criterion=paper_score, calibration=None,
                                   live=False, own=None):
    """A student that learns from the recorded equations and the mean of several teachers.

    teachers: [] leaves it alone with the recorded equations
    config: its TrainConfig
    origin: the model that it begins as a copy of; without one it begins from nothing
    aligned: whether its attention is aligned with the origin's
    shape: what differs from the teachers' Config, where it begins from nothing
    ratio, schedule, criterion: as in load_or_train_student
    calibration: on how many problems heads are scored, by default as the data set's settings say
    live: whether the teachers read each text with the words hidden that the student does not see;
          otherwise they are asked once, on clean texts
    own: the vocabularies of each teacher, if they are cross-fitted: each problem is asked only of
         the one that has not learned from it
    -> Trained
    """
    assert not (live and own), "live teachers are asked together"
    experiment = EXPERIMENTS[data]
    experiment = replace(experiment, calibration=calibration or experiment.calibration)

    def make(checkpoint):
        torch.manual_seed(config.seed)
        model = copy.deepcopy(origin)
        if origin is None:
            blank = Config(len(vocabularies.source), len(vocabularies.target), **experiment.model)
            model = Transformer(replace(blank, **shape or {}))
        soft = None
        loss = task_loss
        aligned_with = origin if aligned else None
        if teachers and live:
            loss = partial(live_ensemble_loss, teachers=teachers, origin=aligned_with)
        elif teachers:
            soft = load_or_ask_teachers(data, fold, splits, vocabularies, teachers, own)
            loss = partial(ensemble_loss, origin=aligned_with)
        pruning = make_pruning(experiment, config, splits, vocabularies, ratio, schedule, criterion)
        return train_and_remove(model, pruning, splits, vocabularies, config, loss=loss, soft=soft,
                                checkpoint=checkpoint, name=f"student of {len(teachers)}")

    models = [*teachers, origin] if origin else teachers
    # A teacher has learned from the same problems. Without one, they alone tell trainings apart.
    learned = list(map(fingerprint, models)) or [problem.id for problem in splits.train]
    path = model_path(data, fold, "ensemble-student", config, experiment, ratio, schedule,
                      name_of(criterion), len(teachers), ENSEMBLE, aligned, shape, live, *learned,
                      *how_asked(own))
    return load_or_train(path, f"student of {len(teachers)} teachers", make)[0]


def train_and_remove(model, pruning, splits, vocabularies, config, **options):
    """Trains a student while a DynamicPruning masks heads, then removes these; options: train's

    -> smaller model, vocabularies, log, pruning log
    """
    log = train(model, splits.train, vocabularies, config, pruning=pruning, **options)
    return remove_heads(model, pruning.pruned), vocabularies, log, pruning.log


def load_or_ask_teachers(data, fold, splits, vocabularies, teachers, own=None):
    """What teachers say of the training problems, asked once and kept.

    own: as in load_or_train_ensemble_student
    """
    ids = [problem.id for problem in splits.train]
    path = model_path(data, fold, "soft", ids, TEMPERATURE, *map(fingerprint, teachers),
                      *how_asked(own))
    if path.exists():
        return [row.cpu() for row in read(path)]  # a batch takes its own to the device
    if own:
        soft = cross_fitted_probabilities(teachers, splits.train, own)
    else:
        soft = ensemble_probabilities(teachers, splits.train, vocabularies)
    save(soft, path)
    return soft


def how_asked(own):
    return ["cross-fitted"] if own else []


def make_pruning(experiment, config, splits, vocabularies, ratio, schedule, criterion):
    """The schedule that masks heads in the first half of a training."""
    calibration = calibration_batches(splits.train, vocabularies, experiment.calibration)
    end = steps_of(config, splits.train, vocabularies) // 2
    return DynamicPruning(lambda model: score_heads(model, calibration, criterion), ratio, end,
                          every=max(end // experiment.scorings, 1), schedule=schedule)


def name_of(criterion):
    """The criterion's name and bound options, without addresses in memory.

    Raises ValueError for a lambda: two of them would have one name.
    """
    if "<lambda>" in repr(criterion):
        raise ValueError("a criterion needs a name: write it with def, not as a lambda")
    return re.sub(" at 0x[0-9a-f]+", "", repr(criterion))


def fingerprint(model):
    """A digest of the model's weights: a student must not be taken for another teacher's."""
    weights = [weight.cpu().numpy().tobytes() for weight in model.state_dict().values()]
    return hashlib.sha256(b"".join(weights)).hexdigest()
