"""The shipped teachers: a copy in half precision that answers as the trained one does."""
import json
import runpy
import sys
from types import SimpleNamespace

import pytest
import torch

from tinyprune import recipe
from tinyprune.bidirectional import bidirectional_search
from tinyprune.checkpoint import load_model
from tinyprune.evaluate import evaluate_model
from tinyprune.files import ROOT, FileError
from tinyprune.results import BEST, BIDIRECTIONAL

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


@pytest.mark.parametrize("data, fold", make_teachers.TEACHERS)
def test_the_teachers_of_the_experiments_are_here(data, fold):
    """Settings that change without a new teacher would leave the project without one."""
    path = recipe.SHIPPED / recipe.teacher_path(data, fold).name
    assert path.exists(), f"lessons/05_teacher.py --data {data}, then make_teachers.py --ship"
    weights = load_model(path)[0].named_parameters()
    sizes = [weight.numel() for name, weight in weights if "_embedding" not in name]
    assert sum(sizes) < 5_000_000 and path.stat().st_size < 10_000_000
