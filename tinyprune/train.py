"""The training loop, for teachers and students alike: schedule, checkpoint, resume, evaluation.

The order of the data and every dropout are functions of (seed, step) alone, so a run that was stopped and resumed
is the run that was never stopped, and a checkpoint needs no state of a random generator.
"""
import hashlib
import io
import math
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from tinyprune import PAD, UNK
from tinyprune.checker import judge, same_equation
from tinyprune.data import Vocabularies, batches, one_line, write_whole
from tinyprune.decode import greedy
from tinyprune.tokenizer import Vocabulary
from tinyprune.transformer import Config, Transformer, token_loss

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SAVE_EVERY = 60  # seconds between two checkpoints


@dataclass
class Settings:
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 1e-3
    warmup: float = 0.05  # share of the steps
    smoothing: float = 0.1
    word_dropout: float = 0.1  # share of the source words of which the model is shown the pieces alone
    mirrored: bool = True  # every equation is learnt in both directions
    weight_decay: float = 0.01
    seed: int = 0


class CheckpointError(ValueError):
    """A file that is not this run's checkpoint or model: one sentence that names it, and the remedy."""


def learning_rate_at(step, steps, settings):
    """Linear warm-up, then half a cosine down to 0."""
    warm = max(settings.warmup * steps, 1)
    if step < warm:
        return settings.learning_rate * (step + 1) / (warm + 1)
    return settings.learning_rate * (1 + math.cos(math.pi * (step - warm) / max(steps - warm, 1))) / 2


def save(state, path):
    """Writes a whole file that `read` understands, or nothing. Raises DataError where there is no room."""
    whole = io.BytesIO()  # torch would call a full disk an internal error
    torch.save(state, whole)
    write_whole(path, lambda temporary: temporary.write_bytes(whole.getbuffer()))


def read(path):
    """A file that `save` wrote. Raises CheckpointError; never runs code from it."""
    if not Path(path).exists():
        raise CheckpointError(f"{path} is not there: delete what else bears its name, and it will be made again")
    try:
        return torch.load(path, map_location=DEVICE, weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged or foreign file
        raise CheckpointError(f"{path} is no whole file of tinyprune's: delete it ({type(error).__name__})") from None


def save_model(model, vocabularies, path):
    """Config, vocabularies and weights: all that it takes to solve problems."""
    save({"config": asdict(model.config), "source": vocabularies.source.tokens,
          "target": vocabularies.target.tokens, "weights": model.state_dict()}, path)


def load_model(path):
    """-> model in eval mode, Vocabularies. Raises CheckpointError."""
    state = read(path)
    try:
        if not isinstance(state, dict):
            raise TypeError(f"it holds a {type(state).__name__}")
        config = Config(**state["config"])
        vocabularies = Vocabularies(Vocabulary(state["source"]), Vocabulary(state["target"]))
        for name, words, size in (("source", vocabularies.source, config.source_tokens),
                                  ("target", vocabularies.target, config.target_tokens)):
            if words.tokens != [str(token) for token in state[name]] or len(words.index) != size:
                raise ValueError(f"its {name} vocabulary is no list of {size} different words")
        with torch.device("meta"):  # shapes alone: a config that asks for more room than there is does no harm
            model = Transformer(config)
        model.load_state_dict(state["weights"], assign=True)
        return model.float().to(DEVICE).eval(), vocabularies
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} holds no model of this version ({one_line(error)}): delete it") from None


class Progress:
    """One updating line in a terminal, a plain line at each tenth elsewhere: step, loss, time left."""

    def __init__(self, name, steps, done=0):
        self.name, self.steps, self.first, self.start, self.shown = name, steps, done, time.time(), -1

    def show(self, step, text):
        terminal = sys.stdout.isatty()
        mark = int(time.time() * 4) if terminal else 10 * step // self.steps
        if mark == self.shown and step < self.steps:
            return
        self.shown = mark
        left = (time.time() - self.start) / max(step - self.first, 1) * (self.steps - step)
        end = "\n" if step == self.steps or not terminal else ""
        print(f"{chr(13) if terminal else ''}  {self.name}: step {step}/{self.steps}  {text}  "
              f"{left / 60:.1f} min left ", end=end, flush=True)


def task_loss(smoothing):
    """Plain cross-entropy as the loss that `train` asks for: (model, batch, gates) -> a number."""
    return lambda model, batch, gates: token_loss(model(batch.source, batch.lengths, batch.target, gates,
                                                        start=batch.start), batch.target, smoothing)


def drop_words(source, share):
    """Shows the model UNK in place of a random share of the words, as it will meet unknown words; their pieces stay.
    Of a number its kind and rank stay, and the model must tell it from the others by them. (B, S, P) -> (B, S, P)"""
    words = source[..., 0]  # (B, S)
    hidden = (torch.rand(words.shape, device=source.device) < share) & (words != PAD)
    return torch.cat([words.masked_fill(hidden, UNK)[..., None], source[..., 1:]], dim=-1)


def train(model, problems, vocabularies, settings, loss, checkpoint, name="training", pruning=None, valid=()):
    """Trains the model in place on those problems whose equation the vocabulary can write; at the end it is in eval
    mode. -> the log, [{"loss": mean of the epoch, "accuracy": of greedy answers, None if not asked}]

    loss: (model, batch, gates) -> a number; pruning: None or a masking.DynamicPruning, whose gates the loss gets
    valid: problems that the model answers some ten times on the way, to be watched
    checkpoint: a path. Written at once, every minute, at the end and on Ctrl-C; a run found there is resumed.
    Raises CheckpointError if what is found there is another run's or damaged; DataError if it cannot be written;
    FloatingPointError if the loss or its gradient is not finite.
    """
    problems = [problem for problem in problems if vocabularies.can_write(problem)]
    per_epoch = math.ceil(len(problems) / settings.batch_size)
    steps = settings.epochs * per_epoch
    model.to(DEVICE).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay,
                                  betas=(0.9, 0.98), fused=True)
    content = [vocabularies.source.tokens, vocabularies.target.tokens, *((p.id, p.words, p.equation) for p in problems)]
    identity = {"settings": asdict(settings), "config": asdict(model.config),
                "problems": hashlib.sha256(repr(content).encode()).hexdigest(),
                "pruning": pruning.settings if pruning else None}
    done, log, threads = 0, [], torch.get_num_threads()

    def state():
        return {"identity": identity, "done": done, "log": log, "threads": threads, "model": model.state_dict(),
                "optimizer": optimizer.state_dict(), "pruning": pruning.state() if pruning else None}

    if Path(checkpoint).exists():
        found = read(checkpoint)
        if not isinstance(found, dict) or found.get("identity") != identity:
            raise CheckpointError(f"{checkpoint} belongs to a run with other settings: delete it to start afresh")
        try:
            done, log = found["done"], found["log"]
            model.load_state_dict(found["model"])
            optimizer.load_state_dict(found["optimizer"])
            if pruning:
                pruning.restore(found["pruning"], model)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{checkpoint} is damaged ({one_line(error)}): delete it to start afresh") from None
        print(f"  {name}: going on at step {done} of {steps}")
        if found["threads"] != threads:  # sums in another order
            print(f"  it began with --threads {found['threads']} and goes on with {threads}: its last bits will differ "
                  "from those of a run that was not stopped")
    else:
        save(state(), checkpoint)  # a disk that is full or read-only shows now, not after the first minute

    progress, saved = Progress(name, steps, done), time.time()
    stop = []  # Ctrl-C is heard between two steps: half a step must not be saved
    before = signal.signal(signal.SIGINT, lambda *_: stop.append(True))
    try:
        while done < steps:
            epoch, place = divmod(done, per_epoch)
            order = torch.Generator().manual_seed(settings.seed * 10_007 + epoch)
            if len(log) == epoch:
                log.append({"loss": 0.0, "accuracy": None})
            for batch in batches(problems, vocabularies, settings.batch_size, order, settings.mirrored)[place:]:
                torch.manual_seed(settings.seed * 1_000_003 + done)
                if pruning:
                    pruning.before_step(done, model, optimizer)
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate_at(done, steps, settings)
                batch = batch.to(DEVICE)
                batch.source = drop_words(batch.source, settings.word_dropout)
                value = loss(model, batch, pruning.gates if pruning else None)
                optimizer.zero_grad()
                value.backward()
                norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                for what, number in (("loss", value.item()), ("gradient's norm", norm.item())):
                    if not math.isfinite(number):  # before the optimizer writes it into the weights
                        ids = [problems[p].id for p in batch.places[:3]]
                        raise FloatingPointError(f"the {what} is {number} at step {done}, on the problems {ids}…: "
                                                 "lower the learning rate")
                optimizer.step()
                if pruning:
                    pruning.after_step(model, optimizer)
                done += 1
                log[epoch]["loss"] += value.item() / per_epoch
                text = f"loss {value.item():.3f}" + (f"  {len(pruning.closed)} heads closed" if pruning else "")
                if valid and done % per_epoch == 0 and (epoch + 1) % max(settings.epochs // 10, 1) == 0:
                    gates = pruning.gates if pruning else None
                    log[epoch]["accuracy"] = evaluate(model, valid, vocabularies, gates=gates).answer_accuracy
                    model.train()
                    text += f"  accuracy {log[epoch]['accuracy']:.3f}"
                progress.show(done, text)
                if stop:
                    raise KeyboardInterrupt
                if time.time() - saved > SAVE_EVERY:
                    save(state(), checkpoint)
                    saved = time.time()
    finally:  # the end, Ctrl-C, or a loss that is not finite: the last whole step stays
        signal.signal(signal.SIGINT, before)
        save(state(), checkpoint)
    model.eval()
    return log


@dataclass
class Report:
    """What a model answered: one verdict of checker.judge and one equation a problem, in the split's order."""
    verdicts: str
    strict: str  # the same, where the recorded answer alone is right even for a division with remainder
    equations: list[list[str]]
    equation_accuracy: float
    commutative_accuracy: float

    @property
    def answer_accuracy(self):
        return sum(verdict in "=~" for verdict in self.verdicts) / len(self.verdicts)


def grade(problems, equations):
    """[Problem] and one predicted prefix equation for each -> Report"""
    pairs = list(zip(problems, equations))
    return Report(
        "".join(judge(equation, p.numbers, p.answer, p.decimal) for p, equation in pairs),
        "".join(judge(equation, p.numbers, p.recorded, p.decimal) for p, equation in pairs), equations,
        sum(equation == p.equation for p, equation in pairs) / len(pairs),
        sum(same_equation(equation, p.equation) for p, equation in pairs) / len(pairs))


def solve(model, problems, vocabularies, search=greedy, batch_size=100, **options):
    """Candidate equations of each problem, best first: [[(score, equation)]].

    search: greedy, which gives one, decode.beam_search or decode.beam_both_ways; options: its own, such as gates
    """
    model.to(DEVICE).eval()
    candidates = [None] * len(problems)
    for batch in batches(problems, vocabularies, batch_size):
        found = search(model, batch.to(DEVICE), vocabularies.target, **options)
        for place, ranked in zip(batch.places, found):
            candidates[place] = [(0.0, ranked)] if search is greedy else ranked
    return candidates


def choose(problems, candidates, rule=None):
    """The best of each problem's candidates, or what rule(candidates, numbers) picks of them. -> [equation]"""
    return [rule(ranked, problem.numbers) if rule else ranked[0][1] for problem, ranked in zip(problems, candidates)]


def evaluate(model, problems, vocabularies, search=greedy, rule=None, **options):
    """solve, choose and grade: how well the model answers these problems. -> Report"""
    return grade(problems, choose(problems, solve(model, problems, vocabularies, search, **options), rule))
