"""What must hold under bad input and crashes, a small part of each check; tests/trust.py checks all of it."""
import itertools

import pytest
from sympy import Rational

import trust
from tinyprune.tokenizer import EquationError


@pytest.mark.parametrize("name", trust.BAD_FILES)
def test_a_bad_file_is_refused_in_a_sentence(name, tmp_path):
    trust.bad_file(name, tmp_path)


def test_the_files_are_good_before_they_are_spoilt(tmp_path):
    """Or all of them would be refused for something else."""
    for number, attempt in enumerate([trust.math([trust.RECORD]), trust.asdiv(), trust.model_file(lambda state: None),
                                      trust.checkpoint(), trust.checkpoint(trust.changed(lambda state: None))]):
        (tmp_path / str(number)).mkdir()
        attempt(tmp_path / str(number))


def test_five_thousand_inputs_have_the_right_value_or_none():
    found = trust.fuzz(5_000, trust.real_equations("sample"), seed=3)
    assert not found["fuzz_failures"], found["fuzz_examples"]
    assert found["fuzz_inputs"] == 5_000 and found["fuzz_accepted"] > 300, "too few of them have a value at all"


@pytest.mark.parametrize("mistake", ["wrong", "accepts", "crashes"])
def test_the_fuzzer_finds_a_mistake(mistake, monkeypatch):
    def broken(text):
        if mistake == "crashes" and text.endswith("("):
            raise IndexError
        try:
            value = evaluate_text(text)
        except EquationError:
            if mistake == "accepts" and text.endswith(")"):
                return Rational(1)
            raise
        return value + (mistake == "wrong" and "^" in text)

    evaluate_text = trust.evaluate_text
    monkeypatch.setattr(trust, "evaluate_text", broken)
    assert trust.fuzz(600, trust.real_equations("sample"))["fuzz_failures"]


def test_both_evaluators_agree_on_all_short_texts():
    """Every text of up to five of these signs."""
    values = 0
    for length in range(6):
        for signs in itertools.product("20-^/()", repeat=length):
            found = trust.taken("".join(signs), [])
            assert trust.complaint("".join(signs), found) is None, "".join(signs)
            values += found["value"] is not None
    assert values > 500


def test_a_check_is_faster_than_sympys_own():
    found = trust.speed([p for p in trust.splits_of("sample").test if p.equation][:60])
    assert found["speed_agree"] == found["speed_texts"] == 60 and found["times_as_fast"] > 4, found


def test_the_samples_equations_have_the_recorded_answers():
    found = trust.agreement("sample")
    assert found["share"] == 1 and not found["rest"], found["rest"]


def test_a_killed_run_ends_as_if_it_had_never_been():
    found = trust.kills(1)
    assert found["kills"] == found["kills_bit_identical"] == 1 and not found["kills_unreadable_checkpoints"], found
