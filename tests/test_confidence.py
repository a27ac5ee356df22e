"""How sure the solver is: answers sorted by score, cut into equal groups, the right counted."""
from dataclasses import astuple, replace

import pytest
from sympy import Rational

from cases import refusal, small_problem, table, with_mistakes
from checks import check
from tinyprune import confidence
from tinyprune.confidence import Group, load, make_groups, path_beside, save
from tinyprune.decode import Candidate
from tinyprune.evaluate import rerank_by_plausibility
from tinyprune.files import FileError

# Seven answers as they come: the score, and whether the answer is right.
ANSWERS = [(-3.0, False), (-0.5, False), (-7.0, True), (-2.0, True), (-4.0, True), (-1.0, True),
           (-6.0, False)]
GROUPS = [Group(-4.0, 0.1, 2), Group(-2.0, 0.6, 3), Group(-1.0, 0.9, 2)]


def cut(answers, *sizes):
    """Answers in a given order, cut into groups of these sizes -> [(lowest, right, answers)]"""
    rest = list(answers)
    groups = []
    for size in sizes:
        group = [rest.pop(0) for _ in range(size)]
        groups.append((group[0][0], sum(right for _, right in group) / size, size))
    return groups


# groups

def test_answers_are_sorted_cut_and_counted(monkeypatch):
    monkeypatch.setattr(confidence, "GROUPS", 3)
    monkeypatch.setattr(confidence, "SMALLEST", 2)
    ordered = sorted(ANSWERS)
    expected = cut(ordered, 2, 2, 3)
    shares = [share for _, share, _ in expected]
    wrong = [(lowest, 1 - share, size) for lowest, share, size in expected]
    neighbours = [(lowest, share, size)
                  for (lowest, _, size), share in zip(expected, [*shares[1:], shares[-1]])]
    got = list(map(astuple, make_groups(*zip(*ANSWERS))))
    check(got, expected, "seven answers, three groups", {
        "the answers were not sorted": cut(ANSWERS, 2, 2, 3),
        "the highest scores must come last": cut(ordered[::-1], 2, 2, 3),
        "the answers that the division leaves over were dropped": cut(ordered, 2, 2, 2),
        "the answers that the division leaves over got a group of their own":
            cut(ordered, 2, 2, 2, 1),
        "the wrong answers were counted": wrong,
        "each group has the share of its neighbour": neighbours})


@pytest.mark.parametrize("answers, groups", [
    (1, 0), (19, 0), (20, 1), (39, 1), (40, 2), (59, 2), (200, 10), (219, 10), (1003, 10)])
def test_every_group_has_20_answers_and_there_are_at_most_ten(answers, groups):
    """The share of fewer answers says little, so they are no group."""
    got = make_groups([float(n) for n in range(answers)], [n % 3 == 0 for n in range(answers)])
    sizes = [group.answers for group in got]
    kept = answers if groups else 0
    check((len(got), sum(sizes)), (groups, kept), f"groups and answers of {answers}")
    assert len(set(sizes)) < 3 and max(sizes, default=0) - min(sizes, default=0) <= 1, \
        f"the groups must have equal sizes, got {sizes}"


# a score

@pytest.mark.parametrize("score, share, mistakes", with_mistakes("""
    -9.0 | 0.1 | 0.9 | a score below the lowest belongs to the first group, not to the last
    -4.0 | 0.1
    -2.1 | 0.1 | 0.6 | a group begins at its lowest score: the nearest one is not asked for
    -2.0 | 0.6 | 0.1 | the lowest score of a group belongs to it
    -1.5 | 0.6 | 0.9 | the next higher group was taken
    -1.0 | 0.9 | 0.6 | the lowest score of a group belongs to it
     3.0 | 0.9
"""))
def test_a_score_gets_the_share_of_its_group(score, share, mistakes):
    wrong = {sentence: float(share) for sentence, share in mistakes.items()}
    check(confidence.confidence(float(score), GROUPS), float(share), f"the score {score}", wrong)


def test_scores_are_those_of_the_answers_that_are_given(monkeypatch):
    """The reranker may choose the second candidate: its score and its answer count."""
    ranked = [[Candidate(-1.0, ["-", "N0", "N1"]), Candidate(-2.0, ["-", "N1", "N0"])],
              [Candidate(-3.0, ["/", "N1", "N0"])],
              [Candidate(-4.0, ["+", "N0", "N1"])]]
    monkeypatch.setattr(confidence, "find_candidates", lambda *arguments: ranked)
    answers = [("5", 0), ("2.67", 2), ("99", 0)]
    problems = [replace(small_problem("", "N0", (3, 8)), answer=Rational(answer), decimals=decimals)
                for answer, decimals in answers]
    scores, right = confidence.ask(None, problems, None, rerank_by_plausibility)
    check(scores, [-2.0, -3.0, -4.0], "the scores", {
        "the score is the first candidate's, not the best one's": [-1.0, -3.0, -4.0]})
    check(right, [True, True, False], "whether they are right", {
        "the candidates were not reranked": [False, True, False],
        "an answer that is right by rounding is right": [True, False, False]})


# the file

def test_a_saved_table_is_the_loaded_one(tmp_path):
    model = tmp_path / "my.model.pt"
    save(GROUPS, model)
    check([path.name for path in tmp_path.iterdir()], ["my.model.confidence.json"], "its name")
    check(load(model), GROUPS, "the groups")


def test_a_model_without_a_table_has_no_groups(tmp_path):
    check(load(tmp_path / "model.pt"), [], "the groups")


@pytest.mark.parametrize("text", [*(row[0] for row in table("""
    not JSON
    5
    ["low"]
    [{"lowest": -1.0, "right": 0.5}]
    [{"lowest": -1.0, "right": 1.5, "answers": 20}]
    [{"lowest": -1.0, "right": NaN, "answers": 20}]
    [{"lowest": NaN, "right": 0.5, "answers": 20}]
    [{"lowest": "low", "right": 0.5, "answers": 20}]
    [{"lowest": -1.0, "right": null, "answers": 20}]
    [{"lowest": -1.0, "right": 0.5, "answers": 20, "wrong": 10}]
""")), "", "[" * 100_000], ids=lambda text: text[:60])
def test_a_damaged_table_is_refused_in_one_sentence(text, tmp_path):
    model = tmp_path / "model.pt"
    path_beside(model).write_text(text, encoding="utf-8")
    sentence = str(refusal(load, model, kind=FileError))
    assert str(path_beside(model)) in sentence and "\n" not in sentence, sentence


def test_a_table_that_is_no_text_is_refused(tmp_path):
    path_beside(tmp_path / "model.pt").write_bytes(b"\xff\xfe\0")
    sentence = str(refusal(load, tmp_path / "model.pt", kind=FileError))
    assert sentence.count("model.confidence.json") == 1, sentence
