"""The teachers that come with the project: a copy in half precision that answers as the trained one does."""
import pytest
import torch

from tinyprune import recipe, teachers
from tinyprune.train import CheckpointError, load_model


@pytest.fixture
def shipped(small, capsys):
    """The sample's teacher, trained for two epochs, shipped, and its original gone from runs/."""
    trained = recipe.teacher("sample")
    teachers.ship("sample", None)
    for path in small.glob("teacher-sample-*"):
        path.unlink()
    return trained


def test_a_shipped_teacher_is_found_without_training(shipped, small, capsys):
    (_, words, run), (splits, found_words, found) = shipped, recipe.teacher("sample")
    assert "came with the project" in capsys.readouterr().out and not list(small.glob("teacher-sample-*"))
    assert found_words.source.tokens == words.source.tokens and found_words.target.tokens == words.target.tokens
    for name, weight in found.model.state_dict().items():
        assert weight.dtype == torch.float32, f"{name} must be computed with in single precision"
        assert torch.equal(weight, run.model.state_dict()[name].half().float()), f"{name} is not the rounded original"


def test_a_shipped_teacher_takes_half_the_room(shipped, small):
    [path] = (small / "shipped").iterdir()
    stored = torch.load(path, weights_only=True)
    assert set(stored) == {"config", "source", "target", "weights"}
    assert {weight.dtype for weight in stored["weights"].values()} == {torch.float16}


def test_lesson_05_trains_even_if_a_teacher_came_with_the_project(shipped, small, capsys):
    recipe.solver("sample", shipped=False)
    assert list(small.glob("teacher-sample-*.pt")) and "came with" not in capsys.readouterr().out


def test_a_trained_teacher_comes_before_a_shipped_one(shipped, small, capsys):
    recipe.solver("sample", shipped=False)
    capsys.readouterr()
    recipe.teacher("sample")
    assert "came with" not in capsys.readouterr().out


def test_shipping_wants_a_trained_teacher(small):
    with pytest.raises(CheckpointError, match="lessons/05_teacher.py --data sample"):
        teachers.ship("sample", None)


def test_a_shipped_teacher_is_asked_its_test_problems(shipped, small, monkeypatch):
    monkeypatch.setattr(teachers, "load", recipe.load)  # the few problems of `small`
    rows = teachers.ask("sample", None)
    assert [row["settings"]["decoding"] for row in rows] == ["both ways, plausible values first", "both ways"]
    assert all(row["problems"] == len(shipped[0].test) for row in rows)


@pytest.mark.parametrize("data, fold", teachers.ALL)
def test_the_teachers_of_the_recipes_are_here(data, fold):
    """A recipe that changes without a new teacher would leave the project without one."""
    path = recipe.SHIPPED / recipe.teacher_path(data, fold).name
    assert path.exists(), f"{path.name}: lessons/05_teacher.py --data {data}, then python -m tinyprune.teachers --ship"
    model, _ = load_model(path)
    assert sum(p.numel() for name, p in model.named_parameters() if "_embedding" not in name) < 5_000_000
    assert path.stat().st_size < 10_000_000
