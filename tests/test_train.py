"""The training loop's promises: (seed, step) decide all, a stopped run goes on, nothing is lost or half written."""
import copy
import errno
import math
from pathlib import Path

import pytest
import torch
from sympy import Rational

from checks import check
from tinyprune import PAD, UNK, train as training
from tinyprune.data import DataError, Problem, Vocabularies, read_problem
from tinyprune.decode import beam_both_ways, beam_search, first_plausible, greedy
from tinyprune.masking import DynamicPruning, remove_heads
from tinyprune.scorer import head_scores
from tinyprune.train import (CheckpointError, Settings, drop_words, evaluate, grade, learning_rate_at, load_model, read,
                             save, save_model, task_loss, train)
from tinyprune.transformer import Config, Transformer

VERBS = {"gets": "+", "loses": "-", "boxes-of": "*", "shares-by": "/"}


def thirty_problems():
    """The verb says the operator, and some texts tell the numbers the other way round."""
    made = []
    for n in range(30):
        verb, operator = list(VERBS.items())[n % 4]
        a, b, turned = 40 + n, 2 + n % 7, n % 3 == 0
        text = f"tom {verb} first {b} on {a}" if turned else f"tom {verb} {a} and {b}"
        value = Rational(a + b if operator == "+" else a - b if operator == "-" else a * b)
        value = Rational(a, b) if operator == "/" else value
        made.append(read_problem(f"p{n}", text.split(), f"{a}{operator}{b}", str(value), english=True))
    return made


PROBLEMS = thirty_problems()
WORDS = Vocabularies.of(PROBLEMS, least=1)
SIZES = dict(width=12, heads=3, head_width=4, encoder_layers=1, decoder_layers=1, feedforward=10)


def small_model(seed=0, **more):
    torch.manual_seed(seed)
    return Transformer(Config(len(WORDS.source), len(WORDS.target), **(SIZES | more)))


SETTINGS = Settings(epochs=3, batch_size=8, learning_rate=0.01, seed=5)  # 4 steps an epoch, the last of 6 problems


def run(path, settings=SETTINGS, loss=None, pruning=None, problems=PROBLEMS, **more):
    """-> the trained model, its log, the pruning"""
    model = small_model()
    pruning = pruning and pruning(model)
    log = train(model, problems, WORDS, settings, loss or task_loss(settings.smoothing), path, pruning=pruning, **more)
    return model, log, pruning


def same_weights(a, b):
    """Names of the weights that are not equal bit for bit."""
    return [name for name, tensor in a.state_dict().items() if not torch.equal(tensor, b.state_dict()[name])]


# the pieces

def test_the_learning_rate_warms_up_and_falls_to_zero():
    settings = Settings(learning_rate=0.8, warmup=0.2)
    got = torch.tensor([learning_rate_at(step, 20, settings) for step in (0, 1, 3, 4, 8, 12, 16, 19)])
    linear, cosine = [0.16, 0.32, 0.64], [0.4 * (1 + math.cos(math.pi * x / 16)) for x in (0, 4, 8, 12, 15)]
    cold = [0.4 * (1 + math.cos(math.pi * step / 20)) for step in (0, 1, 3, 4, 8, 12, 16, 19)]
    check(got, torch.tensor(linear + cosine), "20 steps, 4 of them warm-up, 0.8 at most; steps 0 1 3 4 8 12 16 19", {
        "the first step must not have a rate of 0": torch.tensor([0, 0.2, 0.6] + cosine),
        "there is no warm-up": torch.tensor(cold),
        "it falls in a straight line, not along a cosine": torch.tensor(linear + [0.8, 0.6, 0.4, 0.2, 0.05]),
        "it never falls": torch.tensor(linear + [0.8] * 5)})
    assert learning_rate_at(20, 20, settings) == 0 and 0 < learning_rate_at(0, 1, settings) <= 0.8


def test_words_are_dropped_and_padding_never():
    torch.manual_seed(0)
    source = torch.randint(3, 9, (40, 50, 2))
    source[:, 30:] = PAD
    kept, words = source.clone(), source[..., 0]
    assert torch.equal(drop_words(source, 0.0), source)
    check(drop_words(source, 1.0)[..., 0], words.masked_fill(words != PAD, UNK), "a share of 1: no word is known", {
        "padding was dropped too": torch.full_like(words, UNK),
        "a word not shown is UNK, not PAD": torch.full_like(words, PAD)})
    some = drop_words(source, 0.3)
    share = (some[:, :30, 0] == UNK).float().mean().item()
    assert (some[:, 30:] == PAD).all() and 0.25 < share < 0.35, f"{share:.2f} of the words are dropped, not 0.3"
    assert torch.equal(some[..., 1], kept[..., 1]), "a word's pieces are shown all the same"
    assert (some[some != UNK] == kept[some != UNK]).all() and torch.equal(source, kept), "the input must stay as it is"


def graded(equation, answer, recorded=None, decimal=False):
    return Problem("g", "", [], [Rational(8), Rational(3)], equation.split(), Rational(answer), decimal,
                   Rational(answer if recorded is None else recorded))


def test_grades_count_answers_equations_and_their_equals():
    problems = [graded("+ N0 N1", 11), graded("+ N0 N1", 11), graded("- N0 N1", 5),
                graded("/ N0 N1", "2.6667", decimal=True), graded("/ N0 N1", "8/3", recorded=3),
                graded("* N0 N1", 24), graded("", 7)]
    given = "+ N0 N1|+ N1 N0|- N1 N0|/ N0 N1|/ N0 N1|/ N0 - N1 N1|N0".split("|")
    report = grade(problems, [equation.split() for equation in given])
    check(report.verdicts, "==x~=!x", "right, commuted, wrong, rounded, with remainder, no value, recorded flawed", {
        "a division by zero has no value: !, not x": "==x~=xx", "a rounded decimal counts apart": "==x==!x",
        "the plain quotient counts": "==x~x!x"})
    check(report.strict, "==x~x!x", "the same, where the recorded answer alone is right", {
        "strict asks for the recorded answer, 3 buses": "==x~=!x"})
    check(report.answer_accuracy, 4 / 7, "answer accuracy", {"rounded answers count too": 3 / 7})
    check(report.equation_accuracy, 3 / 7, "equation accuracy", {"equal up to commutation is another figure": 4 / 7})
    check(report.commutative_accuracy, 4 / 7, "commutative accuracy", {"b + a equals a + b": 3 / 7})
    assert report.equations == [equation.split() for equation in given]


# what training does

def test_thirty_problems_are_learnt_by_heart(tmp_path):
    settings = Settings(epochs=30, batch_size=10, learning_rate=0.03, smoothing=0.0, word_dropout=0.0)
    model = small_model(dropout=0.0, gain=2.0)
    log = train(model, PROBLEMS, WORDS, settings, task_loss(0.0), tmp_path / "run")
    losses = [entry["loss"] for entry in log]
    assert len(log) == 30 and losses[0] > 1 and losses[-1] < 0.05, f"the loss fell from {losses[0]} to {losses[-1]}"
    report = evaluate(model, PROBLEMS, WORDS)
    assert report.answer_accuracy == 1 and report.equations == [p.equation for p in PROBLEMS], report.verdicts
    assert evaluate(model, PROBLEMS, WORDS, beam_both_ways, first_plausible, batch_size=7, beam=3).answer_accuracy == 1


def test_a_problem_without_numbers_counts_as_wrong():
    """No equation can be written where there is neither a number nor a constant: wrong, and no crash."""
    bare = Problem("bare", "", [["tom"]], [], [], Rational(1), False, Rational(1))
    for search in (greedy, beam_search, beam_both_ways):
        for asked in ([PROBLEMS[0], bare], [bare]):
            assert evaluate(small_model(), asked, WORDS, search, first_plausible).verdicts[-1] == "!"


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before(tmp_path):
    first, log, _ = run(tmp_path / "a")
    torch.rand(17)
    model = small_model()
    torch.manual_seed(123)
    torch.rand(5)
    again = train(model, PROBLEMS, WORDS, SETTINGS, task_loss(0.1), tmp_path / "b")
    assert not same_weights(first, model) and again == log
    other, _, _ = run(tmp_path / "c", Settings(**(vars(SETTINGS) | {"seed": 6})))
    assert same_weights(first, other), "another seed must be another run"


def watching(calls):
    """The task's loss, which writes down what it is asked with."""
    plain = task_loss(0.1)

    def loss(model, batch, gates):
        calls.append({"batch": batch, "training": model.training, "gates": gates,
                      "weights": {name: t.clone() for name, t in model.state_dict().items()}})
        value = plain(model, batch, gates)
        calls[-1]["loss"] = value.item()
        return value

    return loss


def test_an_epoch_trains_on_each_writable_problem_once_in_training_mode(tmp_path):
    calls = []
    flawed = Problem("flawed", "", ["tom"], [], [], Rational(1), False, Rational(1), "why")
    foreign = read_problem("foreign", "tom gets 4".split(), "4*3.14", "12.56", english=True)
    _, log, _ = run(tmp_path / "a", loss=watching(calls), problems=[flawed, foreign, *PROBLEMS])
    assert len(calls) == 12 and all(call["training"] and call["gates"] is None for call in calls)
    orders = []
    for epoch in range(3):
        places = [place for call in calls[4 * epoch:4 * epoch + 4] for place in call["batch"].places]
        assert sorted(places) == list(range(30)), f"epoch {epoch}: 30 problems have an equation that can be written"
        orders.append(places)
        check(log[epoch]["loss"], sum(call["loss"] for call in calls[4 * epoch:4 * epoch + 4]) / 4, "an epoch's loss", {
            "the last loss is not the mean": calls[4 * epoch + 3]["loss"]})
    assert orders[0] != orders[1] != orders[2], "each epoch has an order of its own"


def by_hand(calls, settings, longest):
    """The same steps, with the gradient's length written out and torch's plain AdamW. -> the last step's weights"""
    model = small_model(dropout=0.0).double().train()
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01, foreach=False)
    for step, call in enumerate(calls):
        optimizer.param_groups[0]["lr"] = learning_rate_at(step, len(calls), settings)
        slopes = torch.autograd.grad(task_loss(0.1)(model, call["batch"], None), list(model.parameters()))
        length = sum(slope.square().sum() for slope in slopes).sqrt()
        for weight, slope in zip(model.parameters(), slopes):
            weight.grad = slope * (longest / length).clamp(max=1)
        optimizer.step()
    return model.state_dict()


def test_the_trained_model_has_the_weights_of_the_last_step(tmp_path):
    calls, model = [], small_model(dropout=0.0).double()  # Adam makes steps of what is rounding alone in a key's bias
    settings = Settings(**(vars(SETTINGS) | {"word_dropout": 0.0}))
    train(model, PROBLEMS, WORDS, settings, watching(calls), tmp_path / "a")
    right, free = by_hand(calls, settings, 1.0), by_hand(calls, settings, math.inf)
    for name, tensor in model.state_dict().items():
        check(tensor, right[name], f"the trained {name}", {
            "nothing was learnt": calls[0]["weights"][name], "the last step is missing": calls[-1]["weights"][name],
            "gradients longer than 1 were not shortened": free[name]})
    assert not model.training, "a trained model is in eval mode"


def test_every_step_has_the_schedules_learning_rate_and_gates(tmp_path):
    class Watcher(DynamicPruning):
        def after_step(self, model, optimizer):
            rates.append(optimizer.param_groups[0]["lr"])
            super().after_step(model, optimizer)

    rates, calls = [], []
    _, _, pruning = run(tmp_path / "a", loss=watching(calls), pruning=lambda model: Watcher(
        model, lambda model: head_scores(model, [], "norm_qkvo"), 0.5, end=7, every=2))
    check(torch.tensor(rates), torch.tensor([learning_rate_at(step, 12, SETTINGS) for step in range(12)]),
          "the learning rates of 3 epochs of 4 steps", {"the rate never changes": torch.full((12,), 0.01)})
    shut = [sum(int((gate == 0).sum()) for gate in call["gates"].values()) for call in calls]
    assert shut[0] == 0 and shut[-1] == 5 == len(pruning.closed), f"closed gates at each step: {shut}"


def test_watching_answers_changes_nothing(tmp_path):
    plain, log, _ = run(tmp_path / "a")
    calls = []
    watched, seen, _ = run(tmp_path / "b", loss=watching(calls), valid=PROBLEMS[:6])
    assert not same_weights(plain, watched) and all(call["training"] for call in calls)
    assert [entry["accuracy"] for entry in log] == [None] * 3
    assert all(entry["accuracy"] in [n / 6 for n in range(7)] for entry in seen), "three epochs: asked after each"
    check(seen[-1]["accuracy"], evaluate(watched, PROBLEMS[:6], WORDS).answer_accuracy, "asked of the last weights")


# stopping and going on

def scripted_pruning(model):
    """Closes and reopens heads at steps 0, 2, 4, 6 and 7 by the norms of the weights as they are then."""
    return DynamicPruning(model, lambda model: head_scores(model, [], "norm_qkvo"), 0.5, end=7, every=2)


def stops_at(step, error=KeyboardInterrupt):
    """The task's loss, but the call number `step` raises."""
    calls, plain = [0], task_loss(0.1)

    def loss(model, batch, gates):
        calls[0] += 1
        if calls[0] > step:
            raise error
        return plain(model, batch, gates)

    return loss


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole")
    return {None: run(path / "a"), scripted_pruning: run(path / "b", pruning=scripted_pruning)}


@pytest.mark.parametrize("pruning, stop", [(None, 1), (None, 4), (None, 9), (scripted_pruning, 0),
                                           (scripted_pruning, 4), (scripted_pruning, 7), (scripted_pruning, 9)])
def test_a_run_that_was_stopped_and_resumed_is_the_run_that_never_was(tmp_path, uninterrupted, pruning, stop):
    """4 is an epoch's first step, and 0, 4 and 7 are steps at which heads are scored."""
    whole, log, schedule = uninterrupted[pruning]
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", loss=stops_at(stop), pruning=pruning)
    assert read(tmp_path / "run")["done"] == stop
    model, again, resumed = run(tmp_path / "run", pruning=pruning)
    if pruning:
        assert resumed.log == schedule.log, f"stopped at step {stop}: scored {[e['step'] for e in resumed.log]}"
        assert resumed.closed == schedule.closed and len(schedule.closed) > 0
    assert not same_weights(whole, model), f"stopped at step {stop}: {same_weights(whole, model)[:2]} differ"
    check(again, log, "the log of both halves")


def test_a_run_may_be_stopped_more_than_once(tmp_path, uninterrupted):
    whole, log, _ = uninterrupted[None]
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "run", loss=stops_at(3))
    model, again, _ = run(tmp_path / "run")
    assert not same_weights(whole, model) and again == log


def test_a_finished_run_is_not_trained_again(tmp_path):
    model, log, _ = run(tmp_path / "run")
    again, same_log, _ = run(tmp_path / "run", loss=stops_at(0, AssertionError("trained again")))
    assert not same_weights(model, again) and same_log == log


def test_the_checkpoint_is_written_on_the_way(tmp_path, monkeypatch):
    """Every minute, so that a machine that dies costs no more; here every look at the clock takes 15 seconds."""
    now, found = [0.0], []

    def clock():
        now[0] += 15
        return now[0]

    monkeypatch.setattr(training.time, "time", clock)
    plain = task_loss(0.1)

    def loss(model, batch, gates):
        found.append(read(tmp_path / "run")["done"] if (tmp_path / "run").exists() else None)
        return plain(model, batch, gates)

    run(tmp_path / "run", loss=loss)
    assert found[0] == 0 and found[-1] >= 6, f"checkpoints seen before each step: {found}"
    assert all(done is None or done <= step for step, done in enumerate(found))


@pytest.mark.parametrize("change", [{"seed": 6}, {"learning_rate": 0.02}, {"epochs": 4}])
def test_another_runs_checkpoint_is_refused_in_a_sentence(tmp_path, change):
    run(tmp_path / "run")
    before = (tmp_path / "run").read_bytes()
    with pytest.raises(CheckpointError) as caught:
        run(tmp_path / "run", Settings(**(vars(SETTINGS) | change)))
    message = str(caught.value)
    assert str(tmp_path / "run") in message and "settings" in message and "delete" in message and "\n" not in message
    assert (tmp_path / "run").read_bytes() == before, "a file that is another run's must stay as it is"


@pytest.mark.parametrize("others", [
    {"problems": PROBLEMS[:29]}, {"problems": PROBLEMS[:29] + [thirty_problems()[0]]}, {"pruning": scripted_pruning}])
def test_a_checkpoint_of_other_problems_or_another_pruning_is_refused(tmp_path, others):
    """Four folds of ASDiv-A have as many problems as each other: counting them is not enough."""
    run(tmp_path / "run")
    with pytest.raises(CheckpointError):
        run(tmp_path / "run", **others)


@pytest.mark.parametrize("damage", ["half", "empty", "text", "a model"])
def test_a_damaged_or_foreign_file_is_refused_in_a_sentence(tmp_path, damage):
    model, _, _ = run(tmp_path / "run")
    data = (tmp_path / "run").read_bytes()
    if damage == "a model":
        save_model(model, WORDS, tmp_path / "run")
    else:
        (tmp_path / "run").write_bytes({"half": data[:len(data) // 2], "empty": b"", "text": b"{}\n"}[damage])
    with pytest.raises(CheckpointError, match="run.*delete it"):
        run(tmp_path / "run")


def test_a_loss_that_is_not_finite_stops_with_its_step_and_leaves_the_last_good_one(tmp_path):
    calls = []
    plain = watching(calls)

    def loss(model, batch, gates):
        return plain(model, batch, gates) * (math.nan if len(calls) == 6 else 1)

    with pytest.raises(FloatingPointError) as caught:
        run(tmp_path / "run", loss=loss)
    message = str(caught.value)
    named = [PROBLEMS[place].id for place in calls[5]["batch"].places[:3]]
    assert "nan" in message and "step 5" in message and str(named) in message and "learning rate" in message, message
    found = read(tmp_path / "run")
    assert found["done"] == 5
    for name, tensor in found["model"].items():
        assert torch.equal(tensor, calls[5]["weights"][name]), f"{name} is not as it was after the last good step"
        assert tensor.isfinite().all()


def test_a_gradient_that_is_not_finite_never_reaches_the_weights(tmp_path):
    """The loss of this step is finite, but its gradient is not: at the next step it would be too late."""
    calls = []
    plain = watching(calls)

    def loss(model, batch, gates):
        value = plain(model, batch, gates)
        return value + (0 * value - 0 * value.detach()).sqrt() if len(calls) == 6 else value  # d sqrt(x) at 0

    with pytest.raises(FloatingPointError, match="gradient.*nan at step 5.*p[0-9]"):
        run(tmp_path / "run", loss=loss)
    found = read(tmp_path / "run")
    assert found["done"] == 5 and all(tensor.isfinite().all() for tensor in found["model"].values())
    for name, tensor in found["model"].items():
        assert torch.equal(tensor, calls[5]["weights"][name]), f"{name} is not as it was after the last good step"


# files

def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    save({"a": torch.arange(3)}, tmp_path / "new" / "file.pt")
    assert read(tmp_path / "new" / "file.pt")["a"].tolist() == [0, 1, 2], "missing folders are made"
    with pytest.raises(Exception):
        save({"a": torch.zeros(9), "b": (n for n in range(3))}, tmp_path / "new" / "file.pt")  # cannot be written
    assert read(tmp_path / "new" / "file.pt")["a"].tolist() == [0, 1, 2], "the failure destroyed the old file"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file.pt"], "a half-written file was left"


def test_a_file_is_never_written_in_place(tmp_path, monkeypatch):
    """A machine that dies while writing must leave the old file."""
    save({"a": 1}, tmp_path / "file.pt")
    written = []
    monkeypatch.setattr(Path, "write_bytes", lambda path, content: (written.append(path), path.touch()))
    save({"a": 2}, tmp_path / "file.pt")
    assert tmp_path / "file.pt" not in written, "write beside the file, then rename into its place"
    assert [path.parent for path in written] == [tmp_path], "a rename must stay in one folder"


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path, monkeypatch):
    """The disk is full from the second checkpoint on: one sentence, and the first one can be gone on with."""
    def full(temporary, content):
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    whole, log, _ = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", loss=stops_at(4))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(DataError, match="run cannot be written.*No space left on device.*make room"):
            run(tmp_path / "run")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "whole"], "a half-written file was left"
    assert read(tmp_path / "run")["done"] == 4
    again, same_log, _ = run(tmp_path / "run")
    assert not same_weights(whole, again) and same_log == log


def test_a_place_that_cannot_be_written_shows_before_the_first_step(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="run cannot be written.*permissions"):
        run(tmp_path / "file" / "run", loss=stops_at(0, AssertionError("an hour of training would be lost")))


def test_going_on_with_other_threads_is_said(tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", loss=stops_at(4))
    state = read(tmp_path / "run")
    save(state | {"threads": state["threads"] + 1}, tmp_path / "run")
    run(tmp_path / "run")
    assert f"--threads {state['threads'] + 1} and goes on with {state['threads']}" in capsys.readouterr().out


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "sprung",)

    torch.save({"config": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(CheckpointError):
        load_model(tmp_path / "trap.pt")
    assert not (tmp_path / "sprung").exists(), "reading the file ran its code"


@pytest.mark.parametrize("closed", [set(), {("encoder", 0, 1), ("cross", 0, 0), ("cross", 0, 2)}])
def test_a_loaded_model_is_the_saved_model(tmp_path, closed):
    model = remove_heads(small_model(3), closed) if closed else small_model(3)
    save_model(model, WORDS, tmp_path / "model.pt")
    loaded, words = load_model(tmp_path / "model.pt")
    assert not loaded.training and words.source.tokens == WORDS.source.tokens
    assert words.target.tokens == WORDS.target.tokens and loaded.heads_kept() == model.heads_kept()
    source, target = torch.tensor([[3, 4, 5, 6], [7, 8, PAD, PAD]])[..., None], torch.tensor([[3, 4, 5], [6, PAD, PAD]])
    with torch.no_grad():
        both = [m.eval()(source, torch.tensor([4, 2]), target) for m in (model, loaded)]
    assert torch.equal(*both), "the same weights must give the same logits"


def test_a_file_without_a_model_is_refused_in_a_sentence(tmp_path):
    save({"config": {"width": 3}, "weights": {}}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="other.pt.*delete it"):
        load_model(tmp_path / "other.pt")
    smaller = copy.deepcopy(small_model())
    smaller.config.width = 20
    save_model(smaller, WORDS, tmp_path / "wrong.pt")
    with pytest.raises(CheckpointError, match="(?s)wrong.pt.*delete it"):
        load_model(tmp_path / "wrong.pt")
    with pytest.raises(CheckpointError, match="gone.pt"):
        load_model(tmp_path / "gone.pt")
