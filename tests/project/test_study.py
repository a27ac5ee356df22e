"""The study's promises: each run is a command of its own, and its result a file."""
import importlib
import json
import runpy
import sys

import pytest

from tinyprune.files import ROOT
from tinyprune.results import BEST, KEYS

SCRIPT = ROOT / "lessons" / "study" / "run.py"


@pytest.fixture
def study(small, monkeypatch, capsys):
    """study("trials --list"): what study.py prints on a few problems of the sample."""
    def study(line):
        monkeypatch.setattr(sys, "argv", ["run.py", *line.split(), "--out", str(small / "study")])
        monkeypatch.syspath_prepend(SCRIPT.parent)
        monkeypatch.setattr(importlib.import_module("trainings"), "TEACHERS", 2)
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
    assert facts == ("scratch", 0.3, 2, 5)
    teacher = study("rounds --run 0")
    assert "rounds-sample-teacher-seed0" in teacher
    assert study(f"trials --run {number}") == "", "a run that is there is left alone"
    assert "is there" in study("rounds --list")


def test_a_student_of_several_teachers_loses_its_heads(study, small):
    listed = study("trials --list").split("\n")
    assert "teacher-seed0" in listed[0] and "scratch-30-pruned" in listed[3], listed
    for number in (0, 3):
        study(f"trials --run {number}")
    sizes = {}
    for path in (small / "study").glob("*.json"):
        row = json.loads(path.read_text(encoding="utf-8"))["rows"][0]
        sizes[row["model"]] = row["parameters_without_embeddings"]
    assert sizes["scratch"] < sizes["teacher"]
