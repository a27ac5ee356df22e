"""The promises about numbers: each has its exact value, and its name in reading order."""
import pytest
from sympy import Rational

from cases import refusal, table
from checks import check
from tinyprune.quantities import mask_numbers, read_number


@pytest.mark.parametrize("literal, value", table("""
    12            | 12
    3.5           | 7/2
    0.1           | 1/10
    20%           | 1/5
    12.5%         | 1/8
    1,250         | 1250
    1,234,567.5   | 2469135/2
    3/8           | 3/8
    (3/8)         | 3/8
    5(3/4)        | 23/4
    5(7/4)        | 27/4
    ((7)/(15))    | 7/15
    5((7)/(10))   | 57/10
    007           | 7
"""))
def test_a_number_has_its_exact_value(literal, value):
    got = read_number(literal)
    expected = Rational(value)
    check(got, expected, f"the value of {literal}", {
        "the percent sign is ignored": 100 * expected if "%" in literal else None,
        "a mixed number is a sum, 5 + 3/4, not a product": Rational(15, 4)})
    assert isinstance(got, Rational), \
        f"{literal} must be exact ({value}), got {got!r}, a {type(got).__name__}: " \
        "float arithmetic says 0.1 + 0.2 != 0.3"


@pytest.mark.parametrize("literal", [
    "", "3 / 8", *"N0 -3 1e5 1. .5 12%% 1,25 (3/0) ٣ 1_000".split()])
def test_what_is_no_number_is_refused(literal):
    assert refusal(read_number, literal).reason == "not a number"


def test_a_number_without_end_is_refused_at_once():
    assert refusal(read_number, "1" * 100_000).reason == "too long"


def test_numbers_become_names_in_order():
    text = "12 boxes of 3.5 kg and 12 more"
    words, literals = mask_numbers(text.split())
    check(" ".join(words), "N0 boxes of N1 kg and N2 more", text, {
        "each number gets its own name in reading order (12 twice: two names)":
            "N0 boxes of N1 kg and N0 more",
        "names count from N0": "N1 boxes of N2 kg and N3 more",
        "every occurrence is a name of its own, but in reading order, not by size":
            "N1 boxes of N0 kg and N2 more"})
    assert literals == ["12", "3.5", "12"]


@pytest.mark.parametrize("text, masked, literals", table("""
    比 故事书 少 ( 3 / 8 ) ，         | 比 故事书 少 N0 ，               | (3/8)
    用 了 5 ( 3 / 4 ) 米              | 用 了 N0 米                      | 5(3/4)
    长 8m ， 重 Kg4.5 ， 占 20% 。    | 长 N0 m ， 重 Kg N1 ， 占 N2 。  | 8 4.5 20%
    $1,250.50, or $5.                 | $ N0 , or $ N1 .                 | 1,250.50 5
    in 2012 1,2504 men                | in N0 N1 , N2 men                | 2012 1 2504
    (180/3) and 1/2 on 3/4/2012       | N0 and N1 on N2 / N3 / N4        | (180/3) 1/2 3 4 2012
    ２０％ 是 １２ 个                 | N0 是 N1 个                      | 20% 12
    N0 has ( 3 / 0 )                  | N N0 has ( N1 / N2 )             | 0 3 0
    没有 数                           | 没有 数                          |
"""))
def test_numbers_are_found_where_texts_hide_them(text, masked, literals):
    words, found = mask_numbers(text.split())
    assert (" ".join(words), found) == (masked, literals.split())
    for literal in found:
        read_number(literal)


def test_english_number_words_are_numbers():
    text = "Seven boys, forty-two girls and Twelve five-dollar bills for someone.".split()
    words, literals = mask_numbers(text, english=True)
    assert " ".join(words) == "N0 boys, N1 girls and N2 N3 -dollar bills for someone."
    assert literals == ["7", "42", "12", "5"]
    assert mask_numbers(text) == (text, []), "number words count in English texts only"


def test_number_words_go_from_zero_to_ninety_nine():
    known = "zero one two three four five six seven eight nine fourteen fifty Ninety-nine".split()
    assert mask_numbers(known, english=True)[1] == [*"0123456789", "14", "50", "99"]
    for word in ["half", "twentyten"]:
        assert mask_numbers([word], english=True)[1] == [], word
