"""The study's promises: each run is a command of its own, and its result a file."""
import json
import runpy
import sys
from dataclasses import replace

import pytest
import torch

import agreement
import costs
import criteria
import cross_fitting
import inference
import pruned
import students
import trainings
from agreement_tables import targets_table
from builders import model_for, tiny_batch, tiny_model
from cases import small_problem
from checks import check
from committee import Committee
from criteria_tables import pairs_table, pruned_table
from curves_tables import costs_table, curves_table
from inference_tables import inference_table
from runs import Run
from tinyprune import files, recipe
from tinyprune.batching import make_batch
from tinyprune.bidirectional import bidirectional_search
from tinyprune.data import Splits
from tinyprune.decode import greedy
from tinyprune.distill import ensemble_probabilities
from tinyprune.evaluate import evaluate_model
from tinyprune.files import ROOT
from tinyprune.results import BEST, KEYS
from tinyprune.rivals import random_score
from tinyprune.scorer import norm_score
from tinyprune.train import TrainConfig
from tinyprune.transformer import shift_right
from tinyprune.vocabulary import Vocabularies

PRUNED = "scratch, 30% pruned"
SCRIPT = ROOT / "lessons" / "study" / "run.py"
# Of each study: what makes a table of what its runs have found.
TABLES = {"curves": curves_table, "costs": costs_table, "criteria": pairs_table,
          "pruned": pruned_table, "inference": inference_table, "targets": targets_table}


@pytest.fixture
def study(small, monkeypatch, capsys):
    """study("trials --list"): what study.py prints on a few problems of the sample."""
    def study(line):
        monkeypatch.setattr(sys, "argv", ["run.py", *line.split(), "--out", str(small / "study")])
        monkeypatch.setattr(trainings, "TEACHERS", 2)
        monkeypatch.setitem(students.PLANS, PRUNED, replace(students.PLANS[PRUNED], teachers=2))
        runpy.run_path(str(SCRIPT))["main"]()
        return capsys.readouterr().out

    return study


def test_a_run_writes_its_rows_and_is_not_made_twice(study, small):
    names = study("trials --list").split("\n")
    number = next(name for name in names if "scratch-30-pruned" in name).split()[0]
    study(f"trials --run {number}")
    [path] = (small / "study").glob("*.json")
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    assert {row["split"] for row in rows} == {"valid"}, "trials ask no test problem"
    assert all(list(row) == KEYS for row in rows)
    best = next(row for row in rows if row["settings"]["decoding"] == BEST)
    facts = (best["model"], best["ratio"], best["settings"]["round"], best["settings"]["teachers"])
    assert facts == ("scratch", 0.3, 2, 2)
    assert best["parameters"] > best["parameters_without_embeddings"]
    assert best["heads"] == 17, "of 24: a student of several teachers loses its heads, too"
    teacher = study("rounds --run 0")
    assert "rounds-sample-teacher-seed0" in teacher
    assert study(f"trials --run {number}") == "", "a run that is there is left alone"
    assert "is there" in study("rounds --list")


@pytest.mark.parametrize("name", TABLES)
def test_what_a_study_finds_fits_its_table(name, study, small, runs, monkeypatch):
    monkeypatch.setattr(files, "RUNS", runs)
    monkeypatch.setattr(criteria, "SIZES", (4, 8))
    monkeypatch.setattr(pruned, "PROBLEMS", 8)
    monkeypatch.setattr(costs, "BATCHES", {1: 4, 128: 8})
    monkeypatch.setattr(inference, "TIMED", {1: 2, 32: 8})
    monkeypatch.setattr(inference, "CALIBRATION", 8)
    monkeypatch.setattr(cross_fitting, "TEACHERS", 2)
    study(f"{name} --run 0")
    found = [json.loads(path.read_text(encoding="utf-8"))
             for path in sorted((small / "study").glob("*.json"))]
    if name in ("curves", "inference"):  # their files hold result rows
        assert all(list(row) == KEYS for file in found for row in file["rows"])
        found = [row for file in found for row in file["rows"] if row["split"] == "test"]
    assert "|" in TABLES[name](found)


@pytest.mark.parametrize("line, sentence", [
    ("rounds --run 999", "--run 999: rounds has the runs 0 to"),
    ("rounds --batch -1 --run 0", "--batch must be 1 or more"),
    ("criteria --train", "--train: criteria trains nothing")])
def test_a_run_that_there_is_not_is_refused_in_a_sentence(line, sentence, study, capsys):
    with pytest.raises(SystemExit):
        study(line)
    assert sentence in capsys.readouterr().err


def test_a_model_is_trained_now_and_asked_later(study, small):
    assert "teacher: step" in study("rounds --run 0 --train")
    assert not (small / "study").exists(), "nothing is asked"
    assert "teacher: step" not in study("rounds --run 0")


# A plan of each kind, how many of 24 heads are left, and what it is.
KINDS = [("live, then pruned and trained on", 17, dict(start="copy", live=True)),
         ("copy, dynamic, paper, five teachers and alignment", 17, dict(start="copy", teachers=2)),
         ("copy, one-shot, paper, one teacher", 17, dict(teachers=1)),
         ("narrower, equal parameters, equations", 24, dict(start="scratch", teachers=0)),
         ("scratch, cross-fitted teachers", 24, dict(start="scratch", cross_fitted=True)),
         ("teachers together", None, dict(round=1, teachers=2))]


@pytest.mark.parametrize("plan, heads, facts", KINDS)
def test_a_plan_of_each_kind_is_trained_and_asked(plan, heads, facts, small, runs, monkeypatch):
    monkeypatch.setattr(files, "RUNS", runs)
    monkeypatch.setitem(students.SHAPES, "sample", {"narrower, equal parameters": dict(width=24)})
    two = {name: replace(known, teachers=min(known.teachers, 2))
           for name, known in students.PLANS.items()}
    monkeypatch.setattr(trainings, "PLANS", two)
    rows = trainings.execute(Run("rounds", "sample", None, plan, 0))
    assert {row["split"] for row in rows} == {"valid", "test"}
    assert rows[0]["heads"] == heads
    assert facts.items() <= rows[0]["settings"].items()


def test_a_student_that_learns_from_no_teacher_trains_none(small):
    run = Run("rounds", "sample", None, students.HIDDEN, 0)
    trainings.train_plan(run, run.splits())
    assert list(small.glob("*student*.pt")) and not list(small.glob("*teacher*"))


def test_a_student_without_a_teacher_is_known_by_its_problems(whole, small):
    """So one of the trials, which has seen fewer of them, is not taken for one of the rounds."""
    config = TrainConfig(epochs=1)
    for count in (10, 20):
        problems = whole.train[:count]
        words = Vocabularies.of(problems)
        trained = recipe.load_or_train_ensemble_student(
            "sample", 0, Splits(problems, [], []), words, [], config)
        assert trained.model.config.source_tokens == len(words.source)
    assert len(list(small.glob("ensemble-student-*.pt"))) == 2


@pytest.mark.parametrize("count", [2, 3])
def test_no_cross_fitted_teacher_is_asked_about_a_problem_it_has_learned(count, small, whole,
                                                                         runs, monkeypatch):
    monkeypatch.setattr(files, "RUNS", runs)  # teachers of other counts are there, too
    splits = Splits(whole.train[:12 * count], [], [])
    words = Vocabularies.of(splits.train)
    run = Run("cross-fitting", "sample", None, students.CROSS_FITTED, 0)
    teachers, own = cross_fitting.teachers_of_others(run, splits, count, words.target)
    soft = recipe.load_or_ask_teachers("sample", None, splits, words, teachers, own)
    for position, (problem, got) in enumerate(zip(splits.train, soft)):
        part = position % count
        others = [other for place, other in enumerate(splits.train) if place % count != part]
        learned = Vocabularies.of(others)
        trained, _ = recipe.load_or_train_teacher_on(
            Splits(others, [], []), "sample", None, f"teacher-without-part-{part}", seed=part,
            target=words.target)
        words_of = replace(learned, target=words.target)
        [expected] = ensemble_probabilities([trained.model], [problem], words_of)
        check(got, expected, f"what is said of {problem.id}")
        assert own[part].source.tokens == learned.source.tokens, "words it has not seen"


def test_a_criterion_without_a_name_is_refused():
    """Students are kept under their criterion's name."""
    assert recipe.name_of(norm_score) != recipe.name_of(random_score)
    with pytest.raises(ValueError, match="not as a lambda"):
        recipe.name_of(lambda model, batches: {})


def test_cross_fitted_teachers_are_not_taken_for_recorded_ones(whole, small):
    splits = Splits(whole.train[:10], [], [])
    words = Vocabularies.of(splits.train)
    teachers = [model_for(words, seed) for seed in range(2)]
    config = TrainConfig(epochs=1)
    for own in (None, [words, words]):
        recipe.load_or_train_ensemble_student("sample", 0, splits, words, teachers, config, own=own)
    recorded, crossed = [recipe.load_or_ask_teachers("sample", 0, splits, words, teachers, own)
                         for own in (None, [words, words])]
    assert len(list(small.glob("soft-*.pt"))) == len(list(small.glob("ensemble-*.pt"))) == 2
    check(crossed[3], ensemble_probabilities(teachers[1:], splits.train[3:4], words)[0],
          "what the second teacher says of the fourth problem")
    assert not torch.equal(recorded[3], crossed[3])


def test_how_sure_teachers_are_is_counted_over_the_recorded_tokens():
    problems = [small_problem("tom has N0 and N1", "+ N0 N1"), small_problem("ann N0", "- N0 7")]
    words = Vocabularies.of(problems[:1], min_count=1)  # cannot write the second one
    said = torch.full((2, 3, len(words.target)), 0.1)
    for step, (token, probability) in enumerate([("+", 0.7), ("N0", 0.4), ("N0", 0.6)]):
        said[0, step, words.target.index[token]] = probability
    found = cross_fitting.sureness(problems, [said, said], words)
    assert found["best"] == pytest.approx(2 / 3), "not the last one, which is recorded as N1"
    assert found["probability"] == pytest.approx((0.7 + 0.4 + 0.1) / 3)


def test_a_student_is_known_by_its_teachers_weights():
    model = tiny_model(seed=1)
    known = recipe.fingerprint(model)
    assert recipe.fingerprint(tiny_model(seed=1)) == known
    model.classifier.bias.data[0] += 1e-3
    assert recipe.fingerprint(model) != known


def test_each_draw_of_calibration_problems_is_another(whole):
    words = Vocabularies.of(whole.train)

    def texts(seed):
        drawn = recipe.calibration_batches(whole.train, words, 20, seed)
        return [row.tolist() for batch in drawn for row in batch.source]

    assert texts(1) == texts(1)
    assert texts(1) != texts(2)
    assert len(texts(2)) == 20


# several models that answer as one

def equations(search, model, batch, vocabulary):
    candidates = sum(search(model, batch, vocabulary), [])
    return [candidate.equation for candidate in candidates]


@pytest.mark.parametrize("search", [greedy, bidirectional_search])
def test_a_model_and_its_double_answer_as_the_model(search):
    problems = [small_problem("tom has N0 and N1", "+ N0 N1"), small_problem("ann N0", "N0")]
    words = Vocabularies.of(problems, min_count=1)
    model = model_for(words)
    batch = make_batch(problems, words)
    both = Committee([model, model])
    expected = equations(search, model, batch, words.target)
    assert equations(search, both, batch, words.target) == expected


def test_a_committee_says_the_mean_of_the_probabilities():
    models = [tiny_model(seed=seed) for seed in (1, 2)]
    batch = tiny_batch()
    both = Committee(models)
    tokens = shift_right(batch.target)
    each = [model.decode(tokens, *model.encode(batch.source, batch.lengths)) for model in models]
    expected = sum(logits.softmax(dim=-1) for logits in each) / 2
    memory, mask = both.encode(batch.source, batch.lengths)
    check(both.decode(tokens, memory, mask).exp(), expected, "all tokens at once")
    cache = {}
    steps = [both.decode(token, memory, mask, cache=cache) for token in tokens.split(1, dim=1)]
    check(torch.cat(steps, dim=1).exp(), expected, "token by token, with one cache for both")


# agreement

def test_a_model_is_as_far_from_its_teachers_as_a_mean_over_tokens_says(whole):
    problems = whole.train[:7]
    words = Vocabularies.of(problems)
    model = model_for(words)
    teacher = model_for(words, seed=5)
    same = agreement.divergence(model, [model, model], problems, words)
    assert same == pytest.approx(0, abs=1e-6)
    rows = []
    for problem in filter(words.can_write, problems):  # alone: no padding
        batch = make_batch([problem], words, mirrored=True)
        p, q = (asked(batch.source, batch.lengths, batch.target, start=batch.start).softmax(dim=-1)
                for asked in (teacher, model))
        rows.append((p * (p / q).log()).sum(dim=-1).flatten())
    expected = torch.cat(rows).mean().item()
    assert agreement.divergence(model, [teacher], problems, words) == pytest.approx(expected)


def test_answers_to_whole_texts_are_the_greedy_ones(small, whole):
    problems = whole.train[:20]
    words = Vocabularies.of(problems)
    model = model_for(words)
    expected = evaluate_model(model, problems, words).answer_accuracy
    assert agreement.right_with_hidden(model, problems, words, 0.0) == expected


# what the pruned heads look at

def test_attention_on_numbers_is_a_mean_over_the_queries_of_all_problems():
    problems = [small_problem("tom has N0 and N1", "+ N0 N1"), small_problem("ann N0", "N0")]
    words = Vocabularies.of(problems, min_count=1)
    model = model_for(words)
    found = pruned.on_numbers(model, [make_batch(problems, words)], words)
    sums = {}
    queries = {"encoder": 5 + 2, "cross": 3 + 1}
    for problem in problems:  # alone: no padding
        batch = make_batch([problem], words)
        attentions = {}
        model(batch.source, batch.lengths, batch.target, attentions=attentions)
        places = [place for place, (word, *_) in enumerate(problem.words) if word in ("N0", "N1")]
        for kind in queries:
            seen = [shares for (of, _), shares in attentions.items() if of == kind]
            heads = torch.cat(seen, dim=1)[0]  # (N, T, S)
            total = heads[:, :, places].sum(dim=(1, 2))
            share = len(places) / len(problem.words)
            total = torch.cat([total, torch.tensor([share * heads.shape[1]])])
            sums[kind] = sums.get(kind, 0) + total
    for kind, total in sums.items():
        check(torch.tensor(found[kind]), total / queries[kind], kind)


def test_larger_batches_learn_at_a_higher_rate(monkeypatch):
    monkeypatch.setattr(recipe, "EXPERIMENTS", dict(recipe.EXPERIMENTS))
    recipe.use_batch_size("math23k", 128)
    found = recipe.EXPERIMENTS["math23k"]
    assert (found.teacher.batch_size, found.student.batch_size) == (128, 128)
    assert (found.teacher.learning_rate, found.student.learning_rate) == (2e-3, 1e-3)
    recipe.use_batch_size("math23k", 0)
    assert recipe.EXPERIMENTS["math23k"] == found
