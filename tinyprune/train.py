"""The training loop, for teachers and students alike: one step, stopping, and resuming.

The order of the data and every dropout are functions of (seed, step) alone. So a run that was
stopped and resumed is the run that was never stopped, and a checkpoint needs no state of a random
generator.
"""
import contextlib
import hashlib
import itertools
import math
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from tinyprune import PAD, UNK
from tinyprune.batching import DEVICE, group_by_length, make_batch, pad_soft
from tinyprune.checkpoint import read, save
from tinyprune.dynamic_pruning import DynamicPruning
from tinyprune.evaluate import evaluate_model
from tinyprune.files import FileError, one_line
from tinyprune.progress import Progress
from tinyprune.recorded import RecordedSteps
from tinyprune.transformer import Transformer
from tinyprune.vocabulary import Vocabularies

SAVE_EVERY = 60  # seconds between two checkpoints
READ_EVERY = 10  # steps between two looks at the losses: each makes a GPU wait


@dataclass
class TrainConfig:
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 1e-3
    warmup: float = 0.05  # share of the steps
    # The share of the source words that the model does not see whole, or (lowest, highest): a share
    # drawn for each text. Who never sees a whole text in training may not read one well.
    word_dropout: float | tuple = 0.1
    mirrored: bool = True  # every equation is learned in both directions
    weight_decay: float = 0.01
    seed: int = 0


def steps_of(config, problems, vocabularies):
    """How many steps `train` makes with this TrainConfig on these problems."""
    writable = sum(vocabularies.can_write(problem) for problem in problems)
    return config.epochs * math.ceil(writable / config.batch_size)


def learning_rate_at(step, steps, config):
    """Linear warm-up, then half a cosine down to 0."""
    warm = max(config.warmup * steps, 1)
    share = (step + 1) / (warm + 1)
    if step >= warm:
        share = (1 + math.cos(math.pi * (step - warm) / max(steps - warm, 1))) / 2
    return config.learning_rate * share


def drop_words(source, share):
    """Replaces a random share of the words by UNK, as the model will meet unknown words.

    Their other subwords stay. Of a number its kind and rank stay, and the model must tell it from
    the others by them. (B, S, P) -> (B, S, P)
    share: of all texts, or (lowest, highest), between which a share is drawn for each text
    """
    words = source[..., 0]  # (B, S)
    if isinstance(share, tuple):
        lowest, highest = share
        share = lowest + (highest - lowest) * torch.rand(len(words), 1, device=source.device)
    hidden = (torch.rand(words.shape, device=source.device) < share) & (words != PAD)
    return torch.cat([words.masked_fill(hidden, UNK)[..., None], source[..., 1:]], dim=-1)


@dataclass
class Training:
    """A run in progress: one step of it, and all that a checkpoint keeps."""
    model: Transformer
    problems: list
    vocabularies: Vocabularies
    config: TrainConfig
    loss: callable  # (model, batch, gates) -> a number
    pruning: DynamicPruning | None = None  # without it nothing is pruned
    soft: list | None = None  # of each problem, as ensemble_probabilities gives it

    def __post_init__(self):
        if self.pruning is None:
            self.pruning = DynamicPruning(None, ratio=0, end=0, every=1, schedule="none")
        config = self.config
        vocabularies = self.vocabularies
        kept = list(map(vocabularies.can_write, self.problems))
        self.problems = list(itertools.compress(self.problems, kept))
        self.soft = self.soft and list(itertools.compress(self.soft, kept))
        self.steps = steps_of(config, self.problems, vocabularies)
        if self.steps < 1:
            raise ValueError("nothing to train on: no epoch, or no problem whose equation the "
                             "vocabulary can write")
        self.steps_per_epoch = self.steps // config.epochs
        self.done = 0  # steps
        self.log = []  # an entry for each epoch
        self.model.to(DEVICE).train()
        on_gpu = DEVICE == "cuda"
        # The learning rate is a tensor, and `capturable`, so that a step can be recorded.
        self.optimizer = torch.optim.AdamW(self.model.parameters(), torch.zeros((), device=DEVICE),
                                           betas=(0.9, 0.98), weight_decay=config.weight_decay,
                                           fused=True, capturable=on_gpu)
        self.unread = []  # (step, positions of its problems, loss and gradient's norm)
        self.learn = self.update
        if on_gpu:
            self.learn = RecordedSteps(self.update, config.batch_size, lambda: self.pruning.gates)
        # What makes this run this run: a checkpoint of another run must not be used.
        content = [config, self.model.config, self.pruning, vocabularies.source.tokens,
                   vocabularies.target.tokens, [(p.id, p.words, p.equation) for p in self.problems],
                   self.soft and [row.sum(dim=(0, 1)).tolist() for row in self.soft]]
        self.identity = hashlib.sha256(repr(content).encode()).hexdigest()

    def batches_left(self):
        """The batches of the current epoch that are still to come, each made when it is needed."""
        epoch, done = divmod(self.done, self.steps_per_epoch)
        order = torch.Generator().manual_seed(self.config.seed * 10_007 + epoch)
        for group in group_by_length(self.problems, self.config.batch_size, order)[done:]:
            batch = make_batch([self.problems[position] for position in group], self.vocabularies,
                               self.config.mirrored, group)
            if self.soft:
                batch.soft = pad_soft([self.soft[position] for position in group])
            yield batch

    def step(self, batch):
        """Learns from one batch. Its loss is read later."""
        torch.manual_seed(self.config.seed * 1_000_003 + self.done)
        # Else its methods are not called: a student may not have written them yet.
        prunes = self.pruning.schedule != "none"
        if prunes:
            self.pruning.before_step(self.done, self.model, self.optimizer)
        rate = learning_rate_at(self.done, self.steps, self.config)
        self.optimizer.param_groups[0]["lr"].fill_(rate)
        self.unread.append((self.done, batch.positions, self.learn(batch)))
        if prunes:
            self.pruning.after_step(self.model, self.optimizer)
        self.done += 1

    def update(self, batch):
        """The part of a step that never asks the device for a value, and so never waits for it.

        -> loss and gradient's norm, (2,)
        """
        batch = replace(batch, source=drop_words(batch.source, self.config.word_dropout))
        loss = self.loss(self.model, batch, self.pruning.gates)
        self.optimizer.zero_grad()
        loss.backward()
        # foreach: all weights in a few operations, which is 3% of a step on a CPU
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0, foreach=True)
        self.optimizer.step()
        return torch.stack([loss.detach(), norm])

    def read_losses(self):
        """The losses of the steps since the last look: [number]

        Raises FloatingPointError if a loss, or its gradient's norm, is not finite.
        """
        pairs = torch.stack([pair for *_, pair in self.unread]).tolist() if self.unread else []
        for (step, positions, _), (loss, norm) in zip(self.unread, pairs):
            if not math.isfinite(loss + norm):
                ids = [self.problems[position].id for position in positions[:3]]
                raise FloatingPointError(f"the loss is {loss} and the gradient's norm {norm} at "
                                         f"step {step}, on the problems {ids}…: lower the "
                                         "learning rate")
        self.unread = []
        return [loss for loss, _ in pairs]

    def state(self):
        return {"identity": self.identity, "done": self.done, "log": self.log,
                "threads": torch.get_num_threads(), "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(), "pruning": self.pruning.state()}

    def resume(self, path, name):
        """Goes on from the checkpoint. Raises FileError if it is damaged or another run's."""
        found = read(path)
        if not isinstance(found, dict) or found.get("identity") != self.identity:
            raise FileError(f"{path} belongs to a run with other settings: delete it to start "
                            "afresh")
        try:
            self.done = found["done"]
            self.log = found["log"]
            self.model.load_state_dict(found["model"])
            self.optimizer.load_state_dict(found["optimizer"])
            self.pruning.restore(found["pruning"], self.model)
            threads = found["threads"]
            if not 0 <= self.done <= self.steps:
                raise ValueError(f"{self.done} steps of {self.steps}")
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise FileError(f"{path} is damaged ({one_line(error)}): delete it to start "
                            "afresh") from error
        print(f"  {name}: going on at step {self.done} of {self.steps}")
        if threads != torch.get_num_threads():  # sums in another order
            print(f"  it began with --threads {threads} and goes on with "
                  f"{torch.get_num_threads()}: its last bits will differ from those of a run that "
                  "was not stopped")


@contextlib.contextmanager
def ctrl_c_between_steps():
    """Half a step must not be saved, so Ctrl-C only fills the list that this yields."""
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append(True))
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, before)


def train(model, problems, vocabularies, config, *, loss, checkpoint, name="training", pruning=None,
          soft=None, valid=()):
    """Trains the model in place; at the end it is in eval mode.

    It learns from those problems whose equation the vocabulary can write.
    -> the log, [{"loss": mean of the epoch, "accuracy": of greedy answers, None if not asked}]

    loss: (model, batch, gates) -> a number, as in distill.py
    checkpoint: a path. Written at once, every minute, at the end and on Ctrl-C; a run found there
                is resumed. Another loss, criterion or initial model is not noticed: give it
                another path.
    pruning: a DynamicPruning, whose gates the loss gets; without it nothing is pruned
    soft: what teachers say of each problem, as ensemble_probabilities gives it, for ensemble_loss
    valid: problems that the model answers greedily about ten times during training
    Raises FileError if the checkpoint is another run's, damaged, or cannot be written;
    FloatingPointError if the loss or its gradient is not finite; ValueError if there is nothing to
    train on.
    """
    run = Training(model, problems, vocabularies, config, loss, pruning, soft)
    if Path(checkpoint).exists():
        run.resume(checkpoint, name)
    else:
        save(run.state(), checkpoint)  # a disk that is full or read-only shows now, not in a minute
    progress = Progress(name, run.steps, run.done)
    saved = time.time()
    with ctrl_c_between_steps() as stopped:  # after any other error what was saved before stays
        while run.done < run.steps:
            for batch in run.batches_left():
                run.step(batch)
                must_save = stopped or time.time() - saved > SAVE_EVERY
                epoch_ends = run.done % run.steps_per_epoch == 0
                if must_save or epoch_ends or run.done % READ_EVERY == 0:
                    progress.show(run.done, log_steps(run, valid))
                if must_save:
                    save(run.state(), checkpoint)
                    saved = time.time()
                if stopped:
                    raise KeyboardInterrupt
    save(run.state(), checkpoint)
    model.eval()
    return run.log


def log_steps(run, valid):
    """Logs the losses of an epoch's steps that nobody has read, and at some epochs' ends the
    accuracy.

    -> a line to show
    Raises FloatingPointError if a loss is not finite.
    """
    text = ""
    epoch = max(run.done - 1, 0) // run.steps_per_epoch
    for loss in run.read_losses():
        if len(run.log) == epoch:
            run.log.append({"loss": 0.0, "accuracy": None})
        run.log[epoch]["loss"] += loss / run.steps_per_epoch
        text = f"loss {loss:.3f}"
    if run.pruning.pruned:
        text += f"  {len(run.pruning.pruned)} heads pruned"
    every = run.steps_per_epoch * max(run.config.epochs // 10, 1)  # steps
    if valid and run.done % every == 0:
        report = evaluate_model(run.model, valid, run.vocabularies, gates=run.pruning.gates)
        run.model.train()
        run.log[epoch]["accuracy"] = report.answer_accuracy
        text += f"  accuracy {report.answer_accuracy:.3f}"
    return text
