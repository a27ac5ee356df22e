"""What figures.py prints: text that says the same with and without matplotlib."""
import importlib.util
import sys

import pytest

from tinyprune import figures
from tinyprune.transformer import Head

SCORES = {Head("encoder", 0, 0): 0.2, Head("encoder", 0, 2): 1.0, Head("cross", 1, 3): 0.5}


MATPLOTLIB = ["with matplotlib"] if importlib.util.find_spec("matplotlib") else []


@pytest.fixture(params=["without", *MATPLOTLIB])
def pictures(request, monkeypatch, tmp_path):
    """The folder of pictures; it stays empty without matplotlib."""
    monkeypatch.setattr(figures, "PICTURES", tmp_path)
    if request.param == "without":
        monkeypatch.setattr(figures, "pyplot", lambda: None)
    return tmp_path


def drawn(pictures, capsys, name):
    """What was printed, but for the line that names the picture: [line]"""
    lines = capsys.readouterr().out.splitlines()
    path = pictures / f"{name}.png"
    if figures.pyplot():
        assert path.exists(), "with matplotlib there is a picture"
        assert lines.pop() == f"  picture: {path.as_posix()}", "the path as one would type it"
    return lines


def test_without_matplotlib_one_line_says_once_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # its import fails
    figures.pyplot.cache_clear()
    assert figures.pyplot() is None and figures.pyplot() is None
    assert capsys.readouterr().out.count("pip install matplotlib") == 1
    figures.pyplot.cache_clear()


def test_marked_draws_the_rows_and_columns_of_a_head():
    assert figures.marked(3, 2, own_rows=[1]) == [". .", "# #", ". ."]
    assert figures.marked(2, 3, own_columns=[0, 2]) == ["# . #", "# . #"]
    assert figures.marked(2, 2, own_rows=[]) == [". .", ". ."]


def test_drawings_of_different_heights_stand_side_by_side(capsys):
    figures.beside({"W": ["# #", ". .", ". ."], "wide title": ["."]})
    expected = "  W      wide title\n  # #    .\n  . .\n  . .\n"
    assert capsys.readouterr().out == expected


def test_the_head_map_has_one_scale_and_marks_what_closes(pictures, capsys):
    figures.head_map(SCORES, "map", pruned={Head("encoder", 0, 0)}, title="Scores")
    assert drawn(pictures, capsys, "map") == ["  encoder 0  |░░██|  0.20x  1.00",
                                              "  cross 1    |▒▒|  0.50"]


def test_a_scatter_is_a_picture_alone(pictures, capsys):
    figures.scatter({"a": [(1, 2), (2, 3)], "b": [(0, 1)]}, "x", "y", "points", "Title",
                    diagonal=True)
    assert not drawn(pictures, capsys, "points")


def test_a_matrix_numbers_its_columns_and_names_them_below(pictures, capsys):
    figures.matrix([[0, 0.5], [1, 0]], ["a", "bb"], ["x", "9"], "small")
    assert drawn(pictures, capsys, "small") == ["   a |  ▒▒|", "  bb |██  |", "      0 1 ",
                                                "  0: x  1: 9"]


def test_a_wide_matrix_has_a_line_of_tens(pictures, capsys):
    figures.matrix([[1] * 21], ["a"], list("abcdefghijklmnopqrstu"), "wide")
    _, tens, ones, names = drawn(pictures, capsys, "wide")
    assert [tens[place] for place in (5, 25, 45)] == ["0", "1", "2"]
    assert ones == "     " + 2 * "0 1 2 3 4 5 6 7 8 9 " + "0 "
    assert names.endswith("19: t  20: u")
