"""The sample corpus is what its generator makes, its equations are right, and its numbers do not give them away."""
import importlib.util
import json
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter, defaultdict
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import pytest

SAMPLE = Path(__file__).resolve().parent.parent / "data" / "sample"
FILES = sorted(path.relative_to(SAMPLE) for folder in ("math23k", "asdiv") for path in (SAMPLE / folder).rglob("*.*"))
WORDS = {word: str(place) for place, word in enumerate(
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen twenty".split(), start=2)}
NUMBER = re.compile(r"\d+/\d+|\d[\d,]*(?:\.\d+)?%?|\b(?:" + "|".join(WORDS) + r")\b", re.IGNORECASE)


def value(equation):
    """A small recursive descent, independent of the project's own reader: sums of products of numbers and brackets."""
    tokens = re.findall(r"[\d.]+%?|[-+*/()]", equation)
    assert "".join(tokens) == equation, f"{equation!r} has characters that no equation has"

    def chain(signs, part):
        total = part()
        while tokens and tokens[0] in signs:
            sign, other = tokens.pop(0), part()
            total = {"+": total + other, "-": total - other, "*": total * other, "/": other and total / other}[sign]
        return total

    def atom():
        token = tokens.pop(0)
        if token == "(":
            inside = chain("+-", lambda: chain("*/", atom))
            assert tokens.pop(0) == ")", f"{equation!r} lacks a bracket"
            return inside
        return Fraction(token.rstrip("%")) / (100 if token.endswith("%") else 1)

    total = chain("+-", lambda: chain("*/", atom))
    assert not tokens, f"{equation!r} goes on after its end: {tokens}"
    return total


class Problem:
    def __init__(self, text, equation, answer):
        self.equation, self.answer = equation, value(answer)
        self.texts = [WORDS.get(found.lower(), found.replace(",", "")) for found in NUMBER.findall(text)]
        self.numbers = [value(text) for text in self.texts]
        self.masked = NUMBER.sub("#", text)
        names = {f"({text})" if "/" in text else text: f"N{place}" for place, text in enumerate(self.texts)}
        pattern = "|".join([*(re.escape(name) for name in names if "/" in name), r"[\d.]+%?"])
        self.named = re.sub(pattern, lambda match: names.get(match[0], match[0]), equation)
        self.operations = len(re.findall(r"[-+*/]", self.named))

    def look(self):
        """All that can be seen of the numbers without reading a word."""
        sorts = tuple(sign if (sign := re.sub(r"\d", "", text)) else "#" for text in self.texts)
        return sorts, tuple((a < b, a == b, (a / b).denominator == 1, (b / a).denominator == 1)
                            for a, b in combinations(self.numbers, 2))


@pytest.fixture(scope="module")
def chinese():
    """{"train": [Problem], "valid": …, "test": …}"""
    return {split: [Problem(record["original_text"].replace("(", "").replace(")", ""), record["equation"][2:],
                            record["ans"])
                    for record in json.loads((SAMPLE / "math23k" / f"{split}23k_processed_nodup.json")
                                             .read_text(encoding="utf-8"))]
            for split in ("train", "valid", "test")}


@pytest.fixture(scope="module")
def english():
    """Five folds of [Problem]"""
    found = {}
    for record in ElementTree.parse(SAMPLE / "asdiv" / "ASDiv.xml").iter("Problem"):
        text = f"{record.find('Body').text} {record.find('Question').text}"
        left, right = record.find("Formula").text.split("=")
        answer = record.find("Answer").text.split(" (")[0]
        assert right == answer, f"{record.get('ID')}: the formula says {right}, the answer {answer}"
        found[record.get("ID")] = Problem(text, left, answer)
    folds = [(SAMPLE / "asdiv" / "nfolds" / "asdiv-a" / f"fold{fold}.txt").read_text().split() for fold in range(5)]
    assert sorted(sum(folds, [])) == sorted(found), "every problem must stand in one fold, and in no other"
    assert [len(fold) for fold in folds] == [360] * 5
    return [[found[id] for id in fold] for fold in folds]


def all_problems(chinese, english):
    return {"Chinese": sum(chinese.values(), []), "English": sum(english, [])}.items()


def test_shipped_files_are_what_the_generator_makes(tmp_path):
    spec = importlib.util.spec_from_file_location("make_sample", SAMPLE / "make_sample.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.make(tmp_path)
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert made == FILES
    for path in FILES:
        assert (tmp_path / path).read_bytes() == (SAMPLE / path).read_bytes(), f"{path}: run data/sample/make_sample.py"
    assert sum((SAMPLE / path).stat().st_size for path in FILES) < 2.5e6


def test_every_equation_gives_its_answer(chinese, english):
    assert [len(part) for part in chinese.values()] == [1200, 150, 150]
    for language, problems in all_problems(chinese, english):
        for problem in problems:
            assert value(problem.equation) == problem.answer > 0, f"{language}: {problem.masked} {problem.equation}"
            constants = set(re.findall(r"(?<![N\d.])\d[\d.]*%?", problem.named)) - {"1", "3.14"}
            assert not constants, f"{problem.equation} uses {constants}, which {problem.texts} lacks"


def test_problems_have_one_to_four_operations_in_the_promised_mix(chinese, english):
    for language, problems in all_problems(chinese, english):
        share = Counter(problem.operations for problem in problems)
        for operations, expected in {1: 0.35, 2: 0.35, 3: 0.2, 4: 0.1}.items():
            assert abs(share[operations] / len(problems) - expected) < 0.05, (language, operations)
        assert sum(share[operations] for operations in (1, 2, 3, 4)) == len(problems), (language, share)


def test_a_quarter_of_the_problems_has_a_number_that_is_not_needed(chinese, english):
    for language, problems in all_problems(chinese, english):
        unneeded = sum(len(set(re.findall(r"N\d", problem.named))) < len(problem.texts) for problem in problems)
        assert 0.2 < unneeded / len(problems) < 0.3, (language, unneeded)


def test_splits_share_no_text_once_numbers_are_masked(chinese, english):
    for name, train, test in (("Chinese test", chinese["train"], chinese["test"]),
                              ("Chinese validation", chinese["train"], chinese["valid"]),
                              ("English fold 0", sum(english[1:], []), english[0])):
        seen = {problem.masked for problem in train}
        assert sum(problem.masked in seen for problem in test) / len(test) < 0.02, name


def test_numbers_alone_do_not_give_the_answer(chinese, english):
    """The most frequent equation of the training problems whose numbers look alike, or else are as many."""
    for name, train, test in (("Chinese test", chinese["train"] + chinese["valid"], chinese["test"]),
                              ("English fold 0", sum(english[1:], []), english[0])):
        equations = defaultdict(Counter)
        for problem in train:
            equations[problem.look()][problem.named] += 1
            equations[len(problem.texts)][problem.named] += 1
        right = 0
        for problem in test:
            guesses = equations.get(problem.look()) or equations[len(problem.texts)]
            guess = guesses.most_common(1)[0][0] if guesses else "N0"
            written = re.sub(r"N(\d)", lambda match: f"({problem.texts[int(match[1])]})", guess)
            right += guess == problem.named or value(written) == problem.answer
        assert right / len(test) < 0.3, f"{name}: numbers alone answer {right} of {len(test)} problems"
