"""A small part of each check of trust.py: bad input and crashes."""
import itertools

import pytest
from sympy import Rational

import trust
from reference import value_of
from tinyprune.checker import evaluate_text, read_answer
from tinyprune.quantities import EquationError
from tinyprune.words import read_words


@pytest.mark.parametrize("name", trust.BAD_FILES)
def test_a_bad_file_is_refused_in_a_sentence(name, tmp_path):
    trust.bad_file(name, tmp_path)


@pytest.mark.parametrize("attempt", [
    trust.math(f"[{trust.RECORD}]"), trust.asdiv(), trust.model_file(trust.keep),
    trust.model_file(trust.edited('["config", "dropout"]', "0.5")), trust.checkpoint(trust.keep)])
def test_the_files_are_good_before_they_are_spoilt(attempt, tmp_path):
    """Or all of them would be refused for something else."""
    attempt(tmp_path)


def test_five_thousand_inputs_have_the_right_value_or_none():
    found = trust.fuzz(5_000, *trust.real_equations("sample"), seed=3)
    assert not found["fuzz_failures"], found["fuzz_examples"]
    assert found["fuzz_accepted"] > 300, "too few inputs have a value at all"


def wrong(text):
    return evaluate_text(text) + ("^" in text)


def accepts_all(text):
    return value_of(evaluate_text, text, refusal=EquationError) or Rational(1)


def crashes(text):
    return evaluate_text(text[:text.rindex(")") + 1] if "(" in text else text)


def forgets_the_percent(text):
    return evaluate_text(text.replace(")%", ")"))


def forgets_a_number(words, english):
    words, literals, numbers = read_words(words, english)
    return words, literals[1:], numbers


def is_another_answer(text):
    value, decimals = read_answer(text)
    return -value, decimals


@pytest.mark.parametrize("name, broken", [
    *(("evaluate_text", broken) for broken in (wrong, accepts_all, crashes, forgets_the_percent)),
    ("read_words", forgets_a_number), ("read_answer", is_another_answer)])
def test_the_fuzzer_finds_a_mistake(name, broken, monkeypatch):
    monkeypatch.setattr(trust, name, broken)
    found = trust.fuzz(600, *trust.real_equations("sample"))
    assert found["fuzz_failures"], "no mistake was found"


def test_the_fuzzer_finds_a_slow_check(monkeypatch):
    monkeypatch.setattr(trust, "SLOW", 0)
    assert trust.fuzz(60, *trust.real_equations("sample"))["fuzz_failures"] == 60


def test_both_evaluators_agree_on_all_short_texts():
    """Every text of up to five of these signs."""
    values = 0
    for length in range(6):
        for signs in itertools.product("20-^/()", repeat=length):
            text = "".join(signs)
            found = trust.results_of(text)
            assert trust.complaint(text, found) is None, text
            values += found["value"] is not None
    assert values > 500


def test_a_check_is_faster_than_sympys_own():
    found = trust.speed(trust.with_equations(trust.splits_of("sample").test)[:60])
    assert found["speed_agree"] == found["speed_texts"] == 60
    assert found["times_as_fast"] > 4


def test_the_samples_equations_have_the_recorded_answers():
    found = trust.agreement("sample")
    assert found["share"] == 1 and not found["rest"], found["rest"]


def test_a_killed_run_ends_as_if_it_had_never_been():
    found = trust.kills(1)
    assert found["kills"] == found["kills_bit_identical"] == 1, found
