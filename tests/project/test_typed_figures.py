"""Differences with an interval that prose repeats: each stands in a table, word for word."""
import re

import pytest

from tinyprune.files import ROOT

PAGES = [ROOT / "README.md", *sorted(ROOT.glob("lessons/results/*.md"))]
TEXTS = [*PAGES, *sorted(ROOT.glob("lessons/[0-9]*.py"))]
TABLE = re.compile(r"<!-- table .*?<!-- end -->", re.DOTALL)
TABLES = "".join("".join(TABLE.findall(page.read_text(encoding="utf-8"))) for page in PAGES)
# "-1.2 points (-2.0 to -0.5; ± 1.2)": a mean, its interval over problems, and over folds or seeds
DIFFERENCE = re.compile(r"(\S+)(?: points)? (\([-+]?\d+\.\d to [-+]?\d+\.\d(?:; ± \d+\.\d)?\))")


def typed_differences(text):
    """The differences of a text's prose, as a table writes them: [text]"""
    prose = " ".join(TABLE.sub("", text).split())
    return [" ".join(found) for found in DIFFERENCE.findall(prose)]


def in_a_table(difference):
    """Whether it is a cell or its beginning: prose may leave ± out."""
    return difference in TABLES or difference.removesuffix(")") + ";" in TABLES


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_a_typed_difference_stands_in_a_table(path):
    for difference in typed_differences(path.read_text(encoding="utf-8")):
        assert in_a_table(difference), f"{path.name}: no table has {difference}"


def test_a_difference_that_is_in_no_table_is_found():
    [difference] = typed_differences("It is lower:\n-1.5 points (-9.9 to -0.5;\n± 1.0), shown.")
    assert difference == "-1.5 (-9.9 to -0.5; ± 1.0)"
    assert not in_a_table(difference)
