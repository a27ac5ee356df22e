"""The sample: its generator makes it, it is right, and its numbers do not give answers away."""
import json
import re
import runpy
import xml.etree.ElementTree as ElementTree
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import pytest

from reference import Refused, exact_text, value_of

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"
WORDS = ("two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
         "sixteen seventeen eighteen nineteen twenty").split()
DIGITS = {word: str(value) for value, word in enumerate(WORDS, start=2)}
NUMBER = re.compile(rf"\d+/\d+|\d[\d,]*(?:\.\d+)?%?|\b(?:{'|'.join(WORDS)})\b", re.IGNORECASE)


class Problem:
    def __init__(self, text, equation, answer):
        self.equation = equation
        self.answer = exact_text(answer)
        found = NUMBER.findall(text)
        self.literals = [DIGITS.get(literal.lower(), literal.replace(",", "")) for literal in found]
        self.numbers = list(map(exact_text, self.literals))
        self.masked = NUMBER.sub("#", text)
        names = {}
        for index, literal in enumerate(self.literals):
            names[f"({literal})" if "/" in literal else literal] = f"N{index}"
        fractions = [re.escape(name) for name in names if "/" in name]
        pattern = "|".join([*fractions, r"[\d.]+%?"])
        self.named = re.sub(pattern, lambda match: names.get(match[0], match[0]), equation)
        self.operations = len(re.findall(r"[-+*/]", self.named))

    def look(self):
        """All that can be seen of the numbers without reading a word."""
        look = [re.sub(r"\d", "", literal) for literal in self.literals]
        for a, b in combinations(self.numbers, 2):
            look += [a < b, a == b, (a / b).denominator == 1, (b / a).denominator == 1]
        return tuple(look)

    def value_of(self, named):
        """The value of any equation over names with this problem's numbers, or None."""
        filled = re.sub(r"N(\d)", lambda match: f"({self.literals[int(match[1])]})", named)
        return value_of(exact_text, filled, refusal=Refused)


def read_chinese(split):
    path = SAMPLE / "math23k" / f"{split}23k_processed_nodup.json"
    for record in json.loads(path.read_text(encoding="utf-8")):
        text = re.sub("[()]", "", record["original_text"])
        yield Problem(text, record["equation"].removeprefix("x="), record["ans"])


@pytest.fixture(scope="module")
def chinese():
    """[training problems, validation problems, test problems]"""
    return [list(read_chinese(split)) for split in ("train", "valid", "test")]


@pytest.fixture(scope="module")
def english():
    """Five folds of [Problem]"""
    found = {}
    for record in ElementTree.parse(SAMPLE / "asdiv" / "ASDiv.xml").iter("Problem"):
        text = f"{record.findtext('Body')} {record.findtext('Question')}"
        left, right = record.findtext("Formula").split("=")
        answer, *_ = record.findtext("Answer").split(" (")
        assert right == answer, text
        found[record.get("ID")] = Problem(text, left, answer)
    lists = SAMPLE / "asdiv" / "nfolds" / "asdiv-a"
    folds = [(lists / f"fold{fold}.txt").read_text().split() for fold in range(5)]
    assert sorted(sum(folds, [])) == sorted(found), "every problem must stand in one fold alone"
    assert [len(fold) for fold in folds] == [360] * 5
    return [list(map(found.get, fold)) for fold in folds]


@pytest.fixture(params=["Chinese", "English"])
def problems(request, chinese, english):
    return sum(chinese if request.param == "Chinese" else english, [])


@pytest.fixture(params=["Chinese test", "Chinese validation", "English fold 0"])
def training_and_asked(request, chinese, english):
    train, valid, test = chinese
    pairs = {"Chinese test": (train + valid, test), "Chinese validation": (train, valid),
             "English fold 0": (sum(english[1:], []), english[0])}
    return pairs[request.param]


def test_shipped_files_are_what_the_generator_makes(tmp_path):
    runpy.run_path(SAMPLE / "make_sample.py")["make"](tmp_path)
    made = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    shipped = [*SAMPLE.glob("math23k/**/*.*"), *SAMPLE.glob("asdiv/**/*.*")]
    assert sorted(made) == sorted(path.relative_to(SAMPLE) for path in shipped)
    for path in made:
        same = (tmp_path / path).read_bytes() == (SAMPLE / path).read_bytes()
        assert same, f"{path}: run data/sample/make_sample.py"
    assert sum(path.stat().st_size for path in shipped) < 2.5e6


def test_the_chinese_splits_have_their_sizes(chinese):
    assert [len(split) for split in chinese] == [1200, 150, 150]


def test_every_equation_gives_its_answer(problems):
    for problem in problems:
        given = f"{problem.masked} {problem.equation}"
        assert exact_text(problem.equation) == problem.answer > 0, given
        constants = set(re.findall(r"(?<![N\d.])\d[\d.]*%?", problem.named))
        assert constants <= {"1", "3.14"}, f"{problem.equation} uses {constants}"


def test_problems_have_one_to_four_operations_in_the_promised_mix(problems):
    counts = Counter(problem.operations for problem in problems)
    assert sorted(counts) == [1, 2, 3, 4]
    for operations, share in enumerate([0.35, 0.35, 0.2, 0.1], start=1):
        assert abs(counts[operations] / len(problems) - share) < 0.05, operations


def test_a_quarter_of_the_problems_has_a_number_that_is_not_needed(problems):
    names = [set(re.findall(r"N\d", problem.named)) for problem in problems]
    unneeded = [len(used) < len(problem.literals) for used, problem in zip(names, problems)]
    assert 0.2 < sum(unneeded) / len(problems) < 0.3


def test_splits_share_no_text_once_numbers_are_masked(training_and_asked):
    training, asked = training_and_asked
    seen = {problem.masked for problem in training}
    assert sum(problem.masked in seen for problem in asked) / len(asked) < 0.02


def test_numbers_alone_do_not_give_the_answer(training_and_asked):
    """The most frequent equation of training problems whose numbers look alike, or are as many."""
    training, asked = training_and_asked
    equations = defaultdict(Counter)
    for problem in training:
        equations[problem.look()][problem.named] += 1
        equations[len(problem.literals)][problem.named] += 1
    right = 0
    for problem in asked:
        guesses = equations.get(problem.look()) or equations[len(problem.literals)]
        [(guess, _)] = guesses.most_common(1) or [("N0", 0)]
        right += guess == problem.named or problem.value_of(guess) == problem.answer
    assert right / len(asked) < 0.3, f"numbers alone answer {right} of {len(asked)} problems"
