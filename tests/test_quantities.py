"""The promises about numbers: each has its exact value, and its name in reading order."""
import re
import time

import pytest
from sympy import Rational

from cases import refusal, table
from checks import check
from tinyprune.quantities import mask_numbers, plain_literal, read_number
from tinyprune.words import english_words


@pytest.mark.parametrize("literal, value", table("""
    12            | 12
    3.5           | 7/2
    0.1           | 1/10
    .5            | 1/2
    5.            | 5
    20%           | 1/5
    5 %           | 1/20
    12.5%         | 1/8
    1,250         | 1250
    1,234,567.5   | 2469135/2
    1，260        | 1260
    10万          | 100000
    1.5 亿        | 150000000
    3/8           | 3/8
    (3/8)         | 3/8
    5(3/4)        | 23/4
    5(7/4)        | 27/4
    5 3/4         | 23/4
    5又3/4        | 23/4
    5 又 3/4      | 23/4
    ((7)/(15))    | 7/15
    5((7)/(10))   | 57/10
    007           | 7
    -3            | -3
    -.5           | -1/2
    -5 3/4        | -23/4
"""))
def test_a_number_has_its_exact_value(literal, value):
    got = read_number(literal)
    expected = Rational(value)
    check(got, expected, f"the value of {literal}", {
        "the percent sign is ignored": 100 * expected if "%" in literal else None,
        "a mixed number is a sum, 5 + 3/4, not a product": Rational(15, 4),
        "the sign belongs to the whole mixed number: -(5 + 3/4)": Rational(-17, 4),
        "万 is 10^4 and 亿 is 10^8": Rational(re.split("[ 万亿]", literal)[0])
        if re.search("[万亿]", literal) else None})
    assert isinstance(got, Rational), \
        f"{literal} must be exact ({value}), got {got!r}, a {type(got).__name__}: " \
        "float arithmetic says 0.1 + 0.2 != 0.3"


@pytest.mark.parametrize("literal", [
    "", "3 / 8", "1 2", "1 2 / 3", "5 3/0", "5 3/4/2", "1.5 1/2", "- 3", "3 million",
    *"N0 --3 1e5 . 5.% 5.万 .5.5 12%% 10万% (3/8)% 1,25 1，25 又1/2 (3/0) ٣ 1_000".split()])
def test_what_is_no_number_is_refused(literal):
    assert refusal(read_number, literal).reason == "not a number"


def test_a_number_without_end_is_refused_at_once():
    for literal in ("1" * 100_000, "1 " * 499 + "1/2"):
        started = time.process_time()
        assert refusal(read_number, literal).reason in ("too long", "not a number")
        assert time.process_time() - started < 0.05
    assert refusal(mask_numbers, ["9" * 5000, "thousand"], True).reason == "too long"


@pytest.mark.parametrize("written, plain", table("""
    1 1/2          | 1(1/2)
    1 又 1/2       | 1(1/2)
    1(1/2)         | 1(1/2)
    5 ( 3 / 4 )    | 5(3/4)
    3 / 4          | 3/4
    .5             | 0.5
    -.5            | -0.5
    10.5           | 10.5
    5 %            | 5%
    1，260         | 1,260
"""))
def test_a_number_has_one_form(written, plain):
    check(plain_literal(written), plain, f"{written!r} in its one form")
    assert read_number(plain) == read_number(plain_literal(plain)), "the form keeps its value"


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


def masked(text, english):
    """-> the masked text and its literals, two texts; each literal must be a number."""
    words = english_words(text) if english else text.split()
    words, literals = mask_numbers(words, english)
    for literal in literals:
        read_number(literal)
    return " ".join(words), " ".join(literals)


@pytest.mark.parametrize("text, words, literals", table("""
    比 故事书 少 ( 3 / 8 ) ，         | 比 故事书 少 N0 ，               | (3/8)
    用 了 5 ( 3 / 4 ) 米              | 用 了 N0 米                      | 5(3/4)
    用 了 5 3/4 和 5又3/4 米          | 用 了 N0 和 N1 米                | 5(3/4) 5(3/4)
    长 8m ， 重 Kg4.5 ， kg4.5        | 长 N0 m ， 重 Kg N1 ， kg N2     | 8 4.5 4.5
    占 5 % ， 重 .5 吨                | 占 N0 ， 重 N1 吨                | 5% 0.5
    1，260 人 ， 1 ， 260 人          | N0 人 ， N1 ， N2 人             | 1,260 1 260
    10万 元 ， 3 亿                   | N0 万 元 ， N1 亿                | 10 3
    $1,250.50, or $5.                 | $ N0 , or $ N1 .                 | 1,250.50 5
    in 2012 1,2504 men                | in N0 N1 , N2 men                | 2012 1 2504
    (180/3) and 1/2 on 3/4/2012       | N0 and N1 on N2 / N3 / N4        | (180/3) 1/2 3 4 2012
    2 3/4/5 1.5 1/2                   | N0 N1 / N2 / N3 N4 N5            | 2 3 4 5 1.5 1/2
    ２０％ 是 １２ 个                 | N0 是 N1 个                      | 20% 12
    长 ２．５ 米 ． 宽 3．            | 长 N0 米 ． 宽 N1 ．             | 2.5 3
    -3 度 ， (-5) ， −4               | N0 度 ， ( N1 ) ， N2            | -3 -5 -4
    3-4 人 ， 3 -4 ， ( 5 ) -3        | N0 - N1 人 ， N2 - N3 ， ( N4 ) - N5 | 3 4 3 4 5 3
    （ 5 ） -3 ， 5% -3               | （ N0 ） - N1 ， N2 - N3         | 5 3 5% 3
    MP3 A4 H2O T27 60m                | mp3 a4 h2o t27 N0 m              | 60
    N0 has ( 3 / 0 )                  | n0 has ( N0 / N1 )               | 3 0
    没有 数 又 两 个                  | 没有 数 又 两 个                 |
"""))
def test_numbers_are_found_where_texts_hide_them(text, words, literals):
    check(masked(text, english=False), (words, literals), text)


@pytest.mark.parametrize("text, words, literals", table("""
    3 / 4 of it and 1 1 / 2 cups   | N0 of it and N1 cups         | 3/4 1(1/2)
    1 1/2 or 2/3 cups              | N0 or N1 cups                | 1(1/2) 2/3
    on 3/4/2012                    | on N0 / N1 / N2              | 3 4 2012
    3 / 4 / 5 or 1 / 0             | N0 / N1 / N2 or N3 / N4      | 3 4 5 1 0
    5 / 2.5 or 5/2.5               | N0 / N1 or N2 / N3           | 5 2.5 5 2.5
    at -3 degrees or −4            | at N0 degrees or N1          | -3 -4
    3-4 people, 3 -4 or 3 - 4      | N0 - N1 people , N2 - N3 or N4 - N5 | 3 4 3 4 3 4
    $-5 for (-5) or ( 5 ) -3       | $ N0 for ( N1 ) or ( N2 ) - N3 | -5 -5 5 3
    5 % of .5 kg of 1,260 kg       | N0 of N1 kg of N2 kg         | 5% 0.5 1,260
    5. Then 1,26                   | N0 . then N1 , N2            | 5 1 26
    the 3rd, 21st, 2nd and 100th   | the 3rd , 21st , 2nd and 100th |
    MP3, A4, H2O or N0             | mp3 , a4 , h2o or n0         |
    Kg4.5 and 60m                  | kg N0 and N1 m               | 4.5 60
    each one, one of us, one day   | each one , one of us , one day |
    no one, another one, one by one | no one , another one , one by one |
    someone has one or 3 of one boy | someone has N0 or N1 of N2 boy | 1 3 1
    He cut one by 3 cm             | he cut N0 by N1 cm           | 1 3
"""))
def test_an_english_text_has_rules_of_its_own(text, words, literals):
    check(masked(text, english=True), (words, literals), text)


def test_spaced_fractions_and_number_words_count_in_english_texts_only():
    for text in ("twenty five", "3 / 4"):
        assert len(mask_numbers(text.split(), english=True)[1]) == 1
    assert masked("twenty five", english=False) == ("twenty five", "")
    assert masked("3 / 4", english=False) == ("N0 / N1", "3 4"), "in Math23k a division"


@pytest.mark.parametrize("words, values", table("""
    zero one nine ten nineteen           | 0 1 9 10 19
    twenty five and Ninety-nine          | 25 99
    twelve five twenty fifteen           | 12 5 20 15
    two hundred and six                  | 206
    two-hundred and six                  | 206
    seven-thousand                       | 7000
    1.2345 thousand                      | 1234.5
    2½                                   | 2(1/2)
    ½                                    | 1/2
    two hundred six                      | 206
    a hundred and one                    | 101
    three hundred ninety-six and six     | 396 6
    twelve hundred                       | 1200
    five thousand, six hundred           | 5600
    five thousand , six hundred and one  | 5601
    two thousand and six                 | 2006
    two hundred thousand                 | 200000
    3 million                            | 3000000
    3.5 thousand                         | 3500
    0.1234567890123456789012345678901 million | 123456.7890123456789012345678901
    1234567890123456789012345678901 thousand  | 1234567890123456789012345678901000
    1,250 million                        | 1250000000
    two million, three hundred thousand and five | 2300005
    1 billion two million 3 thousand     | 1002003000
    each one hundred, the one thousand   | 100 1000
    five, six                            | 5 6
    six, seven hundred                   | 6 700
    half hundred thousand and a          |
    one hundred-twenty                   | 120
    the one million, one thousandth      | 1000000 1
    five thousand, six thousand          | 5000 6000
    3 million 5 million                  | 3000000 5000000
    twentyten sixth tenfold often ſix    |
"""))
def test_number_words_are_read(words, values):
    check(masked(words, english=True)[1], values, words)


def test_number_words_leave_the_rest_of_a_word():
    text = "Seven boys, forty-two girls and Twelve five-dollar bills for someone."
    words = "N0 boys , N1 girls and N2 N3 -dollar bills for someone ."
    check(masked(text, english=True), (words, "7 42 12 5"), text)
