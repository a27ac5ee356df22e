"""Training's promises: (seed, step) decide all, a stopped run goes on, nothing is half written."""
import itertools
import math
import signal
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from builders import model_for
from checks import check
from tinyprune import PAD, UNK
from tinyprune.bidirectional import bidirectional_search
from tinyprune.checker import evaluate_text
from tinyprune.checkpoint import read, save
from tinyprune.data import Problem, read_problem
from tinyprune.distill import task_loss
from tinyprune.dynamic_pruning import DynamicPruning
from tinyprune.evaluate import evaluate_model, rerank_by_plausibility
from tinyprune.files import FileError
from tinyprune.recipe import Trained
from tinyprune.scorer import norm_score
from tinyprune.train import TrainConfig, Training, drop_words, learning_rate_at, log_steps, train
from tinyprune.vocabulary import Vocabularies

VERBS = {"gets": "+", "loses": "-", "boxes-of": "*", "shares-by": "/"}


def thirty_problems():
    """The verb says the operator, and some texts tell the numbers the other way round."""
    problems = []
    for n in range(30):
        verb, operator = list(VERBS.items())[n % 4]
        a = 40 + n
        b = 2 + n % 7
        text = f"tom {verb} {a} and {b}" if n % 3 else f"tom {verb} first {b} on {a}"
        equation = f"{a}{operator}{b}"
        answer = str(evaluate_text(equation))
        problems.append(read_problem(f"p{n}", text.split(), equation, answer, english=True))
    return problems


PROBLEMS = thirty_problems()
WORDS = Vocabularies.of(PROBLEMS, min_count=1)
LOSS = task_loss
# 4 steps an epoch, the last one on 6 problems
CONFIG = TrainConfig(epochs=3, batch_size=8, learning_rate=0.01, seed=5)


def small_model(dropout=0.1, **changes):
    return model_for(WORDS, encoder_layers=1, decoder_layers=1, dropout=dropout, **changes)


def scripted_pruning():
    """Scores heads at steps 0, 2, 4, 6 and 7, by the norms of the weights as they are then."""
    return DynamicPruning(partial(norm_score, batches=[]), 0.5, end=7, every=2)


def run(path, config=CONFIG, problems=PROBLEMS, loss=LOSS, model=None, pruned=False, valid=()):
    """-> Trained: the model, its log, and the log of pruning"""
    model = model or small_model()
    pruning = scripted_pruning() if pruned else None
    log = train(model, problems, WORDS, config, loss=loss, checkpoint=path, pruning=pruning,
                valid=valid)
    return Trained(model, log, pruning.log if pruned else [])


@pytest.fixture
def path(tmp_path):
    """Where a run keeps its checkpoint."""
    return tmp_path / "run"


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The runs that were never stopped, without pruning and with it."""
    folder = tmp_path_factory.mktemp("whole")
    return {pruned: run(folder / str(pruned), pruned=pruned) for pruned in (False, True)}


def check_same_run(got, expected):
    """Two runs: equal logs, and weights equal bit for bit."""
    check(got.log, expected.log, "the log")
    check(got.pruning_log, expected.pruning_log, "the log of pruning")
    check_same_weights(got.model.state_dict(), expected.model.state_dict(), "the trained model")


def check_same_weights(got, expected, what):
    differ = [name for name, weight in got.items() if not torch.equal(weight, expected[name])]
    assert not differ, f"{what}: {differ[:3]} differ"


# the pieces

def test_the_learning_rate_warms_up_and_falls_to_zero():
    config = TrainConfig(learning_rate=0.8, warmup=0.2)
    steps = (0, 1, 3, 4, 8, 12, 16, 19)
    got = torch.tensor([learning_rate_at(step, 20, config) for step in steps])
    linear = [0.16, 0.32, 0.64]
    cosine = [0.4 * (1 + math.cos(math.pi * x / 16)) for x in (0, 4, 8, 12, 15)]
    cold = [0.4 * (1 + math.cos(math.pi * step / 20)) for step in steps]
    check(got, torch.tensor(linear + cosine), f"steps {steps} of 20, 4 of warm-up, up to 0.8", {
        "the first step must not have a rate of 0": torch.tensor([0, 0.2, 0.6] + cosine),
        "there is no warm-up": torch.tensor(cold),
        "it falls in a straight line, not along a cosine":
            torch.tensor(linear + [0.8, 0.6, 0.4, 0.2, 0.05]),
        "it never falls": torch.tensor(linear + [0.8] * 5)})
    assert learning_rate_at(20, 20, config) == 0
    assert 0 < learning_rate_at(0, 1, config) <= 0.8


def test_words_are_dropped_and_padding_never():
    torch.manual_seed(0)
    source = torch.randint(3, 9, (40, 50, 2))
    source[:, 30:] = PAD
    before = source.clone()
    words = source[..., 0]
    check(drop_words(source, 0.0), before, "a share of 0: all words are known")
    hidden = words.masked_fill(words != PAD, UNK)
    check(drop_words(source, 1.0)[..., 0], hidden, "a share of 1: no word is known", {
        "padding was dropped too": torch.full_like(words, UNK),
        "a word not shown is UNK, not PAD": torch.full_like(words, PAD)})
    some = drop_words(source, 0.3)
    dropped = some[..., 0] == UNK
    share = dropped[:, :30].float().mean().item()
    assert 0.25 < share < 0.35, f"{share:.2f} of the words are dropped, not 0.3"
    check(some[..., 0], words.masked_fill(dropped, UNK), "words that are not dropped, and padding")
    check(some[..., 1], before[..., 1], "a word's other subwords are shown all the same")
    check(source, before, "the input must stay as it is")


def test_each_text_may_lose_a_share_of_its_own():
    torch.manual_seed(0)
    texts = torch.full((400, 500, 1), 7)
    shares = (drop_words(texts, (0.2, 0.6))[..., 0] == UNK).float().mean(dim=1).sort().values
    expected = torch.linspace(0.2, 0.6, 400)  # each share is as likely as another
    assert (shares - expected).abs().max() < 0.08
    same = (drop_words(texts, 0.4)[..., 0] == UNK).float().mean(dim=1)
    assert (same - 0.4).abs().max() < 0.08, "one share for all: texts differ by chance alone"


# what training does

def test_thirty_problems_are_learnt_by_heart(path, monkeypatch):
    config = TrainConfig(epochs=30, batch_size=10, learning_rate=0.03, word_dropout=0.0)
    model = small_model(dropout=0.0, width=12, feedforward=10, embedding_scale=2.0)
    log = run(path, config, loss=partial(task_loss, label_smoothing=0), model=model).log
    losses = [entry["loss"] for entry in log]
    assert len(log) == 30 and losses[0] > 1 and losses[-1] < 0.05, f"the losses: {losses}"
    monkeypatch.setattr("tinyprune.evaluate.BATCH_SIZE", 7)
    report = evaluate_model(model, PROBLEMS, WORDS)
    check(report.equations, [problem.equation for problem in PROBLEMS], "equations learnt by heart")
    report = evaluate_model(model, PROBLEMS, WORDS, bidirectional_search, rerank_by_plausibility)
    check(report.outcomes, "=" * 30, "answers from both directions")


def test_only_the_first_four_arguments_have_no_name(path):
    with pytest.raises(TypeError):
        train(small_model(), PROBLEMS, WORDS, CONFIG, LOSS, path)


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before(path, uninterrupted):
    model = small_model()
    torch.rand(5)
    check_same_run(run(path, model=model), uninterrupted[False])
    path.unlink()
    other = run(path, replace(CONFIG, seed=6))
    assert other.log != uninterrupted[False].log, "another seed must be another run"


def test_steps_taken_alone_are_the_run(path, uninterrupted):
    """One run takes 6 steps, another one resumes it, and both together are train's run."""
    first, second = [Training(small_model(), PROBLEMS, WORDS, CONFIG, LOSS, scripted_pruning())
                     for _ in range(2)]
    while first.done < 6:
        first.step(next(first.batches_left()))
        assert "loss " in log_steps(first, valid=())
    save(first.state(), path)
    second.resume(path, "a run")
    while second.done < second.steps:
        second.step(next(second.batches_left()))
        log_steps(second, valid=())
    both = Trained(second.model, second.log, second.pruning.log)
    check_same_run(both, uninterrupted[True])


def watching(calls, spoil=lambda value: value, at=None):
    """The loss, which notes what it is asked with. Its value is spoilt at the step `at`."""
    def loss(model, batch, gates):
        weights = {name: weight.clone() for name, weight in model.state_dict().items()}
        value = LOSS(model, batch, gates)
        calls.append(SimpleNamespace(batch=batch, training=model.training, gates=gates,
                                     weights=weights, loss=value.item()))
        return spoil(value) if len(calls) - 1 == at else value

    return loss


def test_an_epoch_trains_on_each_writable_problem_once_in_training_mode(path):
    calls = []
    unreadable = Problem("unreadable", "", [["tom"]], [], [], parse_error="why")
    foreign = read_problem("foreign", "tom gets 4".split(), "4*3.14", "12.56", english=True)
    log = run(path, problems=[unreadable, foreign, *PROBLEMS], loss=watching(calls)).log
    check(len(calls), 12, "steps of 3 epochs")
    assert all(call.training and not call.gates for call in calls)
    orders = []
    for epoch, entry in enumerate(log):
        steps = calls[4 * epoch:4 * epoch + 4]
        orders.append(sum((call.batch.positions for call in steps), []))
        check(sorted(orders[epoch]), list(range(30)), "the problems whose equation can be written")
        losses = [call.loss for call in steps]
        check(entry["loss"], sum(losses) / 4, "an epoch's loss", {
            "the last loss is not the mean": losses[3]})
    assert orders[0] != orders[1] != orders[2], "each epoch has an order of its own"


def test_what_teachers_say_stays_with_its_problem(path):
    """Here they give each problem's first number as the only probability."""
    unreadable = Problem("unreadable", "", [["tom"]], [], [], parse_error="why")
    seen = []

    def loss(model, batch, gates):
        first = torch.tensor([float(PROBLEMS[i].numbers[0]) for i in batch.positions])
        seen.append(batch.soft[:, 0, 0].tolist() == [*first, *first])
        return LOSS(model, batch, gates)

    soft = [torch.zeros(2, 3, 1)]
    soft += [torch.full((2, 3, 1), float(problem.numbers[0])) for problem in PROBLEMS]
    train(small_model(), [unreadable, *PROBLEMS], WORDS, CONFIG, loss=loss, checkpoint=path,
          soft=soft)
    assert len(seen) == 12 and all(seen)
    with pytest.raises(FileError, match="another|settings"):
        train(small_model(), [unreadable, *PROBLEMS], WORDS, CONFIG, loss=loss, checkpoint=path,
              soft=[row + 1 for row in soft])


def by_hand(calls, config, max_norm):
    """The last step's weights, with clipping written out and torch's plain AdamW."""
    model = small_model(dropout=0.0).double().train()
    weights = list(model.parameters())
    optimizer = torch.optim.AdamW(weights, betas=(0.9, 0.98), weight_decay=0.01, foreach=False)
    for step, call in enumerate(calls):
        optimizer.param_groups[0]["lr"] = learning_rate_at(step, len(calls), config)
        gradients = torch.autograd.grad(LOSS(model, call.batch), weights)
        norm = sum(gradient.square().sum() for gradient in gradients).sqrt()
        for weight, gradient in zip(weights, gradients):
            weight.grad = gradient * (max_norm / norm).clamp(max=1)
        optimizer.step()
    return model.state_dict()


def test_the_trained_model_has_the_weights_of_the_last_step(path):
    """In doubles: Adam makes whole steps of a key's bias, whose gradient is rounding alone."""
    calls = []
    model = small_model(dropout=0.0).double()
    config = replace(CONFIG, word_dropout=0.0)
    run(path, config, loss=watching(calls), model=model)
    expected = by_hand(calls, config, 1.0)
    unclipped = by_hand(calls, config, math.inf)
    for name, weight in model.state_dict().items():
        check(weight, expected[name], f"the trained {name}", {
            "nothing was learnt": calls[0].weights[name],
            "the last step is missing": calls[-1].weights[name],
            "gradients longer than 1 were not shortened": unclipped[name]})
    assert not model.training, "a trained model is in eval mode"


def test_every_step_has_the_schedules_learning_rate_and_gates():
    calls = []
    rates = []
    steps = Training(small_model(), PROBLEMS, WORDS, CONFIG, watching(calls), scripted_pruning())
    steps.pruning.after_step = lambda _, optimizer: rates.append(
        optimizer.param_groups[0]["lr"].item())
    while steps.done < 12:
        steps.step(next(steps.batches_left()))
    expected = torch.tensor([learning_rate_at(step, 12, CONFIG) for step in range(12)])
    check(torch.tensor(rates), expected, "the learning rates of 3 epochs of 4 steps", {
        "the rate never changes": torch.full((12,), 0.01)})
    masked = []
    for call in calls:
        masked.append(sum(int((gate == 0).sum()) for gate in call.gates.values()))
    assert masked[0] == 0 and masked[-1] == 5, f"masked heads of 9: {masked}"


def test_a_training_that_prunes_nothing_asks_nothing_of_the_schedule(path, monkeypatch):
    """So lessons can train a teacher before a student has written the schedule."""
    for name in ("is_due", "before_step", "after_step"):
        monkeypatch.delattr(DynamicPruning, name)
    run(path, replace(CONFIG, epochs=1))


def test_a_mistake_in_the_first_step_is_the_one_that_is_shown(path):
    pruning = scripted_pruning()
    pruning.after_step = lambda *_: 1 / 0
    with pytest.raises(ZeroDivisionError):
        train(small_model(), PROBLEMS, WORDS, CONFIG, loss=LOSS, checkpoint=path, pruning=pruning)


def test_watching_answers_changes_nothing(path, uninterrupted):
    calls = []
    plain = uninterrupted[False]
    watched = run(path, loss=watching(calls), valid=PROBLEMS[:6])
    check_same_weights(watched.model.state_dict(), plain.model.state_dict(), "a watched run")
    assert all(call.training for call in calls), "training mode comes back"
    check([entry["accuracy"] for entry in plain.log], [None] * 3, "accuracies, not asked for")
    accuracies = [entry["accuracy"] for entry in watched.log]
    assert None not in accuracies, "asked after each of 3 epochs"
    report = evaluate_model(watched.model, PROBLEMS[:6], WORDS)
    check(accuracies[-1], report.answer_accuracy, "asked of the last weights")


# stopping and going on

def stops_in(step):
    """The loss, but Ctrl-C is pressed while it is asked the `step`-th time."""
    steps = itertools.count(1)

    def loss(model, batch, gates):
        if next(steps) == step:
            signal.raise_signal(signal.SIGINT)
        return LOSS(model, batch, gates)

    return loss


def start_and_stop(path, step, **options):
    with pytest.raises(KeyboardInterrupt):
        run(path, loss=stops_in(step), **options)
    return read(path)


@pytest.mark.parametrize("pruned, stops", [
    (False, [1]), (False, [4]), (False, [9]), (False, [3, 3, 3]),
    (True, [1]), (True, [4]), (True, [7]), (True, [9])])
def test_a_run_that_was_stopped_and_resumed_is_the_run_that_never_was(
        path, uninterrupted, pruned, stops):
    """4 steps are an epoch; before the steps 0, 4 and 7 heads are scored."""
    for number, stop in enumerate(stops, 1):
        state = start_and_stop(path, stop, pruned=pruned)
        check(state["done"], number * stop, "steps in the checkpoint")
    check_same_run(run(path, pruned=pruned), uninterrupted[pruned])


@pytest.mark.parametrize("part", ["before_step", "after_step"])
def test_a_step_that_fails_half_way_is_not_saved(path, uninterrupted, monkeypatch, part):
    """The masks or the weights have moved, and the step is not done: it must be taken again."""
    monkeypatch.setattr("tinyprune.train.SAVE_EVERY", -1)  # each step is saved
    whole = getattr(DynamicPruning, part)

    def fails(pruning, *arguments):
        whole(pruning, *arguments)
        if len(pruning.log) == 2:
            raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(DynamicPruning, part, fails)
        with pytest.raises(ZeroDivisionError):
            run(path, pruned=True)
    check_same_run(run(path, pruned=True), uninterrupted[True])


def test_a_finished_run_is_not_trained_again(path, uninterrupted):
    def never(model, batch, gates):
        raise AssertionError("trained again")

    run(path)
    check_same_run(run(path, loss=never), uninterrupted[False])


def test_the_checkpoint_is_written_on_the_way(path, monkeypatch):
    """Every minute; here every look at the clock takes 15 seconds."""
    now = iter(range(0, 10_000, 15))
    monkeypatch.setattr("tinyprune.train.time.time", lambda: next(now))
    found = []

    def loss(model, batch, gates):
        found.append(read(path)["done"])
        return LOSS(model, batch, gates)

    run(path, loss=loss)
    assert found[0] == 0 and found[-1] >= 6, f"checkpoints seen before each step: {found}"
    assert all(done <= step for step, done in enumerate(found)), found


@pytest.mark.parametrize("change", [
    dict(config=replace(CONFIG, seed=6)), dict(config=replace(CONFIG, learning_rate=0.02)),
    dict(config=replace(CONFIG, epochs=4)), dict(problems=PROBLEMS[:29]),
    dict(problems=PROBLEMS[:29] + PROBLEMS[:1]), dict(pruned=True),
    dict(model=small_model(dropout=0.2))])
def test_another_runs_checkpoint_is_refused_in_a_sentence(path, change):
    """Four folds of ASDiv-A have as many problems as each other: counting them is not enough."""
    run(path)
    before = path.read_bytes()
    with pytest.raises(FileError, match="run belongs to .* settings: delete it") as caught:
        run(path, **change)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert path.read_bytes() == before, "a file that is another run's must stay as it is"


@pytest.mark.parametrize("nothing", [dict(problems=[]), dict(config=replace(CONFIG, epochs=0))])
def test_training_on_nothing_is_refused(path, nothing):
    with pytest.raises(ValueError, match="nothing to train on"):
        run(path, **nothing)


@pytest.mark.parametrize("name, spoil", [
    ("loss", lambda value: value * math.nan),
    # d sqrt(x) at 0: the value is finite, and at the next step it would be too late
    ("gradient", lambda value: value + (0 * value - 0 * value.detach()).sqrt())])
@pytest.mark.parametrize("save_every, kept", [(60, 0), (-1, 5)])
def test_what_is_not_finite_stops_the_run_before_it_is_saved(
        path, monkeypatch, name, spoil, save_every, kept):
    """Losses are read at an epoch's end, after step 7, and before the run is saved."""
    monkeypatch.setattr("tinyprune.train.SAVE_EVERY", save_every)
    calls = []
    with pytest.raises(FloatingPointError) as caught:
        run(path, loss=watching(calls, spoil, at=5))
    message = str(caught.value)
    ids = [PROBLEMS[position].id for position in calls[5].batch.positions[:3]]
    for part in (name, "nan", "step 5", str(ids), "learning rate"):
        assert part in message, f"{part!r} is not in {message}"
    check(len(calls), 8 if kept == 0 else 6, "steps taken")
    state = read(path)
    check(state["done"], kept, "steps in the checkpoint")
    check_same_weights(state["model"], calls[kept].weights, "the weights after the last good step")


def test_a_full_disk_leaves_the_last_good_checkpoint(path, uninterrupted, capsys):
    """No file may grow beyond a few bytes. capsys keeps what is printed off the disk."""
    resource = pytest.importorskip("resource")  # Windows has none
    start_and_stop(path, 4)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(FileError, match="run cannot be written.*File too large.*make room"):
            run(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    check(list(path.parent.iterdir()), [path], "the files: half a file is left")
    check(read(path)["done"], 4, "steps in the checkpoint")
    check_same_run(run(path), uninterrupted[False])


def test_a_place_that_cannot_be_written_shows_before_the_first_step(path):
    path.touch()
    calls = []
    with pytest.raises(FileError, match="run cannot be written.*permissions"):
        run(path / "run", loss=watching(calls))
    assert not calls, "an hour of training would be lost"


def test_going_on_with_other_threads_is_said(path, capsys):
    state = start_and_stop(path, 4)
    threads = state["threads"]
    save(state | {"threads": threads + 1}, path)
    run(path)
    assert f"--threads {threads + 1} and goes on with {threads}" in capsys.readouterr().out
