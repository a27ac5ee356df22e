import os
import sys
import traceback

# The tests run on the CPU, also where there is a GPU: bit for bit is a promise for the CPU.
# tests/project/gpu.py checks a GPU.
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import pytest
import torch

from grader import (  # noqa: F401  pytest finds its hooks here
    pytest_addoption,
    pytest_configure,
    pytest_make_collect_report,
    pytest_runtest_makereport,
)
from grading import pytest_cmdline_main  # noqa: F401

try:
    from tinyprune import data, decode, figures, files, measure, recipe
    from tinyprune.data import Splits
    from tinyprune.train import TrainConfig
except SystemExit as end:  # pytest would end without a word, as if all had passed
    last = traceback.extract_tb(end.__traceback__)[-1]
    raise ImportError(f"Python was ended by {last.filename}, line {last.lineno}, before any test "
                      "began") from end

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def whole():
    """The whole sample, read once."""
    return data.load("sample")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder that tests of one file share for their models: each is trained once, then loaded."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def small(whole, monkeypatch, tmp_path):
    """A sample of a few problems, models of one epoch, and an empty folder for what is written."""
    def load(name, fold=0, tuning=False):
        return Splits(whole.train[::40], whole.valid[::20], whole.test[::40])

    monkeypatch.setattr(recipe, "load", load)
    monkeypatch.setattr(data, "load", load)
    monkeypatch.setitem(recipe.EXPERIMENTS, "sample", recipe.ExperimentConfig(
        teacher=TrainConfig(epochs=2), student=TrainConfig(epochs=1),
        model=dict(width=32, head_width=8, encoder_layers=2, feedforward=32),
        calibration=32, scorings=1))
    drawn = recipe.calibration_batches
    monkeypatch.setattr(recipe, "calibration_batches", lambda problems, vocabularies, count, seed=0:
                        drawn(problems, vocabularies, min(count, 16), seed))
    # A model that has learned nothing writes as long as it may.
    monkeypatch.setattr(decode, "MAX_LENGTH", 9)
    monkeypatch.setattr(files, "RUNS", tmp_path)
    monkeypatch.setattr(recipe, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(figures, "PICTURES", tmp_path)
    many = measure.interleaved  # no test asks how fast a lesson's model is: one round will do
    monkeypatch.setattr(measure, "interleaved", lambda functions, rounds=1: many(functions, 1))
    # Two threads would wait for each other wherever another program keeps a core busy.
    monkeypatch.setattr(sys, "argv", ["lesson.py", "--threads", "1"])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    return tmp_path
