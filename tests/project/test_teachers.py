"""The shipped teachers: a copy in half precision that answers as the trained one does.

Beside each stands a table that says how often its answers were right, by score.
"""
import json
import runpy
import sys
from types import SimpleNamespace

import pytest
import torch

from builders import model_for
from checks import check
from tinyprune import confidence, data, recipe
from tinyprune.bidirectional import bidirectional_search
from tinyprune.checkpoint import load_model, save_model
from tinyprune.data import Splits
from tinyprune.decode import Candidate
from tinyprune.evaluate import evaluate_model
from tinyprune.files import ROOT, FileError
from tinyprune.masking import remove_heads
from tinyprune.results import BEST, BIDIRECTIONAL
from tinyprune.transformer import Head
from tinyprune.vocabulary import Vocabularies

TEACHERS = sorted((ROOT / "data" / "teachers").glob("teacher-*.pt"))
SCRIPT = ROOT / "data" / "teachers" / "make_teachers.py"
make_teachers = SimpleNamespace(**runpy.run_path(str(SCRIPT)))


@pytest.fixture
def run(small, monkeypatch):
    """Runs make_teachers.py for the sample's teacher."""
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["make_teachers.py", *arguments])
        make_teachers.main([("sample", None)])

    return run


@pytest.fixture
def shipped(run, small):
    """The sample's teacher, trained for two epochs, shipped, and its original gone from runs/."""
    trained = recipe.load_or_train_teacher("sample")
    run("--ship")
    for path in small.glob("teacher-sample-*"):
        path.unlink()
    return trained


def test_a_shipped_teacher_is_found_without_training(shipped, small, capsys):
    trained, words = shipped
    found, found_words = recipe.load_or_train_teacher("sample")
    assert "came with the project" in capsys.readouterr().out
    assert not list(small.glob("teacher-sample-*"))
    assert found_words.source.tokens == words.source.tokens
    assert found_words.target.tokens == words.target.tokens
    weights = trained.model.state_dict()
    for name, weight in found.model.state_dict().items():
        assert weight.dtype == torch.float32, f"{name} must be computed with in single precision"
        assert torch.equal(weight, weights[name].half().float()), f"{name} is not the rounded one"


def test_a_shipped_teacher_takes_half_the_room(shipped, small):
    [path] = (small / "shipped").iterdir()
    stored = torch.load(path, weights_only=True)
    assert set(stored) == {"config", "source", "target", "weights"}
    assert {weight.dtype for weight in stored["weights"].values()} == {torch.float16}


def test_a_trained_teacher_comes_before_a_shipped_one(shipped, small, capsys):
    """Lesson 05 trains even if a teacher came with the project."""
    capsys.readouterr()
    recipe.load_or_train_teacher("sample", shipped=False)
    assert list(small.glob("teacher-sample-*.pt"))
    recipe.load_or_train_teacher("sample")
    assert "came with" not in capsys.readouterr().out


def test_shipping_wants_a_trained_teacher(run):
    with pytest.raises(FileError, match="lessons/05_teacher.py --data sample"):
        run("--ship")


def test_a_shipped_teacher_is_asked_its_test_problems(shipped, run, small, capsys):
    run("--out", str(small))
    rows = json.loads((small / "shipped.json").read_text(encoding="utf-8"))["rows"]
    assert [row["settings"]["decoding"] for row in rows] == [BEST, BIDIRECTIONAL]
    teacher, words = recipe.load_or_train_teacher("sample")
    problems = recipe.load("sample").test
    report = evaluate_model(teacher.model, problems, words, bidirectional_search)
    assert rows[1]["verdicts"] == report.outcomes
    assert BEST in capsys.readouterr().out
    assert not any("confidence" in row["settings"] for row in rows), "there is no table yet"


def test_a_shipped_student_is_asked_beside_its_teacher(shipped, run, small):
    teacher, words = shipped
    pruned = {Head("encoder", 0, 1), Head("cross", 1, 2)}
    save_model(remove_heads(teacher.model, pruned), words, recipe.shipped_student("sample"))
    run("--out", str(small))
    rows = json.loads((small / "shipped.json").read_text(encoding="utf-8"))["rows"]
    assert [row["model"] for row in rows] == ["teacher"] * 2 + ["student"] * 2
    assert [row["heads"] for row in rows] == [24, 24, 22, 22]
    assert rows[2]["parameters_without_embeddings"] < rows[0]["parameters_without_embeddings"]


@pytest.mark.parametrize("data, fold", make_teachers.TEACHERS)
def test_the_teachers_of_the_experiments_are_here(data, fold):
    """Settings that change without a new teacher would leave the project without one."""
    path = recipe.SHIPPED / recipe.teacher_path(data, fold).name
    assert path.exists(), f"lessons/05_teacher.py --data {data}, then make_teachers.py --ship"
    weights = load_model(path)[0].named_parameters()
    sizes = [weight.numel() for name, weight in weights if "_embedding" not in name]
    assert sum(sizes) < 5_000_000 and path.stat().st_size < 10_000_000


# tables of confidence

def test_a_table_counts_the_answers_to_validation_problems(run, small, capsys):
    run("--confidence")
    check([path.name for path in (small / "shipped").iterdir()],
          [confidence.path_beside(recipe.shipped_path("sample")).name], "what is written")
    teacher, words = recipe.load_or_train_teacher("sample")
    report = evaluate_model(teacher.model, recipe.load("sample").valid, words, bidirectional_search,
                            recipe.reranker("sample"))
    [group] = confidence.load(recipe.shipped_path("sample"))
    check((group.answers, group.right), (len(report.outcomes), report.answer_accuracy),
          "the answers, and the share that is right")
    assert "share right" in capsys.readouterr().out


def test_the_reranked_row_says_how_sure_each_answer_is(shipped, monkeypatch):
    """Every second problem's best candidate, 0, is not plausible: the other one's score counts."""
    def find_candidates(model, problems, *arguments):
        return [[Candidate(0.0, ["-", "N0", "N0"][2 * (position % 2):]), Candidate(-9.0, ["N0"])]
                for position, _ in enumerate(problems)]

    monkeypatch.setitem(make_teachers.ask.__globals__, "find_candidates", find_candidates)
    groups = [confidence.Group(-99.0, 0.25, 20), confidence.Group(-1.0, 0.75, 20)]
    confidence.save(groups, recipe.shipped_path("sample"))
    rows = make_teachers.ask("sample", None, "teacher", recipe.shipped_path("sample"))
    shares = [[0.25, 0.75][position % 2] for position in range(len(rows[0]["verdicts"]))]
    check([row["settings"].get("confidence") for row in rows], [shares, None], "how sure")


def test_without_a_validation_split_each_problem_is_asked_of_one_who_has_not_seen_it(
        whole, small, monkeypatch):
    """ASDiv-A: each tenth of the problems is asked of a teacher trained on the other nine."""
    problems = whole.train[:23]
    learned = []
    asked = []

    def train_teacher(splits, experiment, seed, checkpoint, target):
        learned.append({problem.id for problem in splits.train})
        vocabularies = Vocabularies.of(splits.train)
        return model_for(vocabularies), vocabularies, [], []

    def ask(model, part, vocabularies, reranker):
        check(learned[-1], {p.id for p in problems} - {p.id for p in part}, "what it learned from")
        check(reranker.keywords, {"whole": True}, "the data set's own reranker")
        asked.extend(problem.id for problem in part)
        return [0.0] * len(part), [True] * len(part)

    monkeypatch.setattr(data, "load", lambda name, fold: Splits(problems, [], []))
    monkeypatch.setattr(recipe, "train_teacher", train_teacher)
    monkeypatch.setattr(confidence, "ask", ask)
    make_teachers.measure_confidence("asdiv-a", 0)
    check(sorted(asked), sorted(problem.id for problem in problems), "each problem once")
    check(len(learned), 10, "teachers")
    [group] = confidence.load(recipe.shipped_path("asdiv-a", 0))
    check((group.answers, group.right), (23, 1.0), "the table")


@pytest.mark.parametrize("path", [*TEACHERS, recipe.shipped_path("sample")],
                         ids=lambda path: path.stem)
def test_every_teacher_has_its_table(path):
    """make_teachers.py --confidence has measured it, the sample's too."""
    groups = confidence.load(path)
    assert groups, f"{confidence.path_beside(path)} is missing: make_teachers.py --confidence"
    lowest = [group.lowest for group in groups]
    assert lowest == sorted(set(lowest)), f"the scores must rise, they are {lowest}"
    assert all(0 <= group.right <= 1 for group in groups)
    if path in TEACHERS:
        assert groups[0].right < groups[-1].right, "a higher score must be right more often"
        answers = sum(group.answers for group in groups)
        assert len(groups) >= 5 and answers >= 400, f"{len(groups)} groups of {answers} answers"
