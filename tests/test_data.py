"""The data's promises: each published problem is read, and no mistake in code or file is hidden."""
import json
import random
import re
from collections import Counter
from fractions import Fraction
from functools import partial
from xml.sax.saxutils import escape

import pytest
from sympy import Rational

from cases import refusal, table
from checks import check
from tinyprune import checker, data, files, tokenizer
from tinyprune.checker import evaluate_prefix, evaluate_text, outcome
from tinyprune.cli import show_error
from tinyprune.data import folder, load, read_asdiv, read_math23k, read_own, read_problem
from tinyprune.decode import MAX_LENGTH
from tinyprune.files import FileError
from tinyprune.quantities import EquationError, is_name
from tinyprune.tokenizer import OPERATORS
from tinyprune.vocabulary import Vocabularies
from tinyprune.words import chinese_words, english_words, number_subwords

LISTS = "nfolds/asdiv-a"


def ids(problems):
    return [problem.id for problem in problems]


def words_of(problem):
    return [word for word, *_ in problem.words]


def outcome_of(problem, answer):
    """How the recorded equation does, a letter: it is right ("=") exactly where the data are."""
    return outcome(problem.equation, problem.numbers, answer, problem.decimals)


def not_exact(problems):
    """{id: the outcome} of those whose equation does not give the answer exactly."""
    letters = {problem.id: outcome_of(problem, problem.answer) for problem in problems}
    return {id: letter for id, letter in letters.items() if letter != "="}


def assert_unreadable(problem):
    """Its equation, 80千米/小时, is none; its answer stays."""
    assert problem.equation == []
    assert "千" in problem.parse_error
    assert problem.answer == 80


def complaint(names, function, *arguments):
    """The sentence of the FileError that the call must raise: it must hold each of the names."""
    sentence = str(refusal(function, *arguments, kind=FileError))
    assert "\n" not in sentence
    for name in names.split(", "):
        assert name in sentence, f"{name!r} is missing in: {sentence}"
    return sentence


# the published sets

def real(name):
    """The folder of a published set. Skips where it was not downloaded."""
    try:
        return folder(name)
    except FileError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def math23k():
    real("math23k")
    return load("math23k")


@pytest.fixture(scope="module")
def asdiv():
    return read_asdiv(real("asdiv-a"))


@pytest.fixture(scope="module")
def vocabularies(math23k):
    return Vocabularies.of(math23k.train)


def records(split):
    path = real("math23k") / f"{split}23k_processed_nodup.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_problem_of_math23k_is_read_in_file_order(math23k):
    for split, sizes in [("train", [21_160, 21_162]), ("valid", [1000]), ("test", [1000])]:
        read = ids(getattr(math23k, split))
        assert read == [record["id"] for record in records(split)], \
            f"{split} lost or moved a record"
        assert len(read) in sizes


def test_every_recorded_equation_of_the_test_split_has_the_recorded_answer(math23k):
    assert not_exact(math23k.test) == {}, "exact arithmetic gets all 1,000"


def test_the_two_flawed_validation_records_stay_in_the_set(math23k):
    assert not_exact(math23k.valid) == {"9718": "x", "10431": "!"}
    [unreadable] = [problem for problem in math23k.valid if problem.id == "10431"]
    assert_unreadable(unreadable)
    assert unreadable.words


def test_training_answers_are_exact_or_rounded_decimals(math23k):
    if not math23k.train[0].id.startswith("rebuilt"):
        pytest.skip("the counts are those of the rebuilt training file")
    assert Counter(not_exact(math23k.train).values()) == {"~": 972, "x": 4}
    assert not any(problem.parse_error for problem in math23k.train)


def test_naming_the_numbers_keeps_the_value_of_every_equation(math23k):
    for problem, record in zip(math23k.test, records("test")):
        value = evaluate_text(record["equation"])
        check(evaluate_prefix(problem.equation, problem.numbers), value, record["equation"])


def test_plain_answers_keep_their_exact_value(math23k):
    for problem, record in zip(math23k.test, records("test")):
        if record["ans"].replace(".", "").isdigit():
            exact = Fraction(record["ans"])
            assert (problem.answer.p, problem.answer.q) == exact.as_integer_ratio(), problem.id


PLAIN_NUMBER = re.compile(r"""(?:[0-9]+\s)?\(\s[0-9]+\s/\s[0-9]+\s\)  # ( 3 / 8 )
    |[0-9]+/[0-9]+|[0-9,]*[0-9](?:\.[0-9]+)?
    |\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen
        |(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:-\w+)?)\b""", re.VERBOSE)
RULES = {"a name": r"\b[A-Za-z]+[0-9]", "an ordinal": r"[0-9](?:st|nd|rd|th)\b",
         "one": r"\b(?:each|no|the|another) one\b|\bone (?:of|day)\b"}


def cause_of(text):
    """The rules that are about a text, joined: "" if none is."""
    return ", ".join(name for name, rule in RULES.items() if re.search(rule, text))


def test_published_texts_have_other_numbers_than_plain_ones_only_where_a_rule_says_so(math23k,
                                                                                       asdiv):
    every_text = [(math23k.train + math23k.valid + math23k.test, {"a name": 7}),
                  (sum(asdiv, []), {"a name": 1, "an ordinal": 3, "one": 13})]
    for problems, expected in every_text:
        causes = Counter()
        for problem in problems:
            if len(PLAIN_NUMBER.findall(problem.text)) != len(problem.numbers):
                causes[cause_of(problem.text)] += 1
        check(dict(causes), expected, "the rules that change the numbers of texts, and how many")


def test_the_longest_equation_of_math23k_can_be_decoded(math23k):
    assert max(len(problem.equation) for problem in math23k.train) == MAX_LENGTH


def test_every_name_of_an_equation_is_a_number_of_its_text(math23k, asdiv):
    for problem in math23k.train + math23k.valid + math23k.test + sum(asdiv, []):
        names = list(filter(is_name, words_of(problem)))
        assert names == [f"N{i}" for i in range(len(problem.numbers))], problem
        assert set(filter(is_name, problem.equation)) <= set(names), problem


def test_the_vocabulary_of_math23k_writes_all_but_one_equation(math23k, vocabularies):
    tokens = vocabularies.target.tokens[4:]
    assert tokens[:5] == OPERATORS
    assert [token for token in tokens[5:] if not is_name(token)] == ["1", "2", "3.14"]
    assert sum(map(vocabularies.can_write, math23k.train)) == len(math23k.train) - 1


def test_no_power_is_ever_written_on_asdiv(asdiv):
    tokens = Vocabularies.of(sum(asdiv[1:], [])).target.tokens[4:]
    check(" ".join(tokens), "+ - * / N0 N1 N2 N3 N5", "what the model of fold 0 can write", {
        "no training equation uses ^": "+ - * / ^ N0 N1 N2 N3 N5",
        "no training equation uses N4": "+ - * / N0 N1 N2 N3 N4 N5"})


def test_words_of_the_test_split_alone_get_no_embedding(math23k, vocabularies):
    trained = set().union(*(problem.text for problem in math23k.train))
    words = sum((problem.words for problem in math23k.test), [])
    unseen = [word for word in words if not set(word[0]) & trained]
    assert unseen, "the test split has words that training does not have"
    assert not set(sum(unseen, [])) & set(vocabularies.source.tokens)


def test_asdiv_has_five_folds_of_the_published_problems(asdiv):
    assert [len(fold) for fold in asdiv] == [238, 238, 238, 238, 266]
    for number, fold in enumerate(asdiv):
        path = real("asdiv-a") / LISTS / f"fold{number}.txt"
        assert ids(fold) == path.read_text().split(), f"fold {number} lost or moved a problem"
    assert len(set(ids(sum(asdiv, [])))) == 1218


def test_every_formula_of_asdiv_has_the_counted_answer(asdiv):
    assert not_exact(sum(asdiv, [])) == {"nluds-0575": "~"}, \
        "all are exact but one, whose answer is recorded rounded"


def test_a_division_with_remainder_counts_the_plain_quotient_beside_the_recorded_answer(asdiv):
    problems = sum(asdiv, [])
    differ = [problem for problem in problems if problem.answer != problem.reference_answer]
    check(len(differ), 28, "divisions with remainder", {
        "the recorded answer replaced the plain quotient": 0,
        "only answers rounded down were found": 19,
        "only answers rounded up were found": 9})
    for problem in differ:
        assert "/" in problem.equation, problem
        assert problem.reference_answer.q == 1, problem
        assert abs(problem.answer - problem.reference_answer) < 1, problem
    rounded_down = [bool(problem.reference_answer < problem.answer) for problem in differ]
    assert sum(rounded_down) == 19, "19 of the 28 are rounded down"
    strict = Counter(outcome_of(problem, problem.reference_answer) for problem in problems)
    assert strict == {"=": 1189, "~": 1, "x": 28}


# texts

@pytest.mark.parametrize("literal, rank, kind, shown", table("""
    12    | 3  | whole    | 3
    3.5   | 1  | decimal  | 1
    20%   | 2  | percent  | 2
    12.5% | 0  | percent  | 0
    (3/8) | 4  | fraction | 4
    7     | 23 | whole    | 9
"""))
def test_a_number_is_described_by_its_kind_and_rank(literal, rank, kind, shown):
    expected = ["N1", f"·{kind}", f"·rank {shown}"]
    check(number_subwords("N1", literal, int(rank)), expected, f"{literal}, rank {rank}", {
        "12.5% is a percentage before it is a decimal": ["N1", "·decimal", f"·rank {shown}"],
        "ranks above 9 are all 9, so that few subwords are needed":
            ["N1", f"·{kind}", f"·rank {rank}"]})


def test_equal_values_have_equal_ranks():
    text = "10 和 5 和 50% 和 0.5 和 5"
    problem = read_problem("1", text.split(), "10+5", "15", english=False)
    ranks = [word[2] for word in problem.words if is_name(word[0])]
    check("".join(ranks), "·rank 2·rank 1·rank 0·rank 0·rank 1", text, {
        "equal values share a rank: rank the set of values":
            "·rank 4·rank 2·rank 0·rank 1·rank 3",
        "0 is the smallest value's rank": "·rank 0·rank 1·rank 2·rank 2·rank 1"})


@pytest.mark.parametrize("text, words", table("""
    Tom's 1,250 pens.                | tom 's 1,250 pens .
    It costs $5.50, or 3/4 of 20%!   | it costs $ 5.50 , or 3/4 of 20% !
    forty-two girls; 7-day           | forty-two girls ; 7 - day
    He ran 5km (Café)                | he ran 5 km ( café )
    in 5, 6 and 1,250, all           | in 5 6 and 1,250 all
    Tim's MP3 and H2O on the 3rd     | tim 's mp3 and h2o on the 3rd
    -3 or (-3) or 3-4, 3 -4, x-3     | -3 or ( -3 ) or 3 - 4 3 -4 x - 3
    (5)-3 10%-20% $-5, −5            | ( 5 ) - 3 10% -20% $ -5 -5
    on 3/4/2012 at 1 1/2 or 3 / 4    | on 3/4/2012 at 1 1/2 or 3 / 4
    .5 of 1. No.5; -.5               | .5 of 1 . no . 5 ; -.5
    and ...5 boys                    | and . . . 5 boys
    5/2.5 of Kg4.5 or 12/25.5        | 5 / 2.5 of kg 4.5 or 12 / 25.5
    ２０％ is １２                   | 20% is 12
                                     |
""") + [("  two\n lines ", "two lines")])
def test_english_texts_fall_into_words_numbers_and_signs(text, words):
    check(" ".join(english_words(text)), words, repr(text))


@pytest.mark.parametrize("text, words", table("""
    小明有12个苹果。  | 小明 有 12 个 苹果 。
    吃了(3/8)，剩5kg  | 吃 了 (3/8) ， 剩 5kg
    苹果树 小明       | 苹果树 小明
    跑2，000，又５０．５ | 跑 2,000 ， 又 50.5
    苹果．12．          | 苹果 ． 12 ．
    －5或１／２       | -5 或 1/2
                      |
"""))
def test_a_typed_chinese_text_falls_into_the_longest_known_words(text, words):
    known = {"小明", "苹果", "苹果树", "个"}
    check(" ".join(chinese_words(text, known)), words, text, {
        "the longest known word wins, 苹果树 before 苹果": words.replace("苹果树", "苹果 树")})


SIGNS = [*"0123456789.,%+-*/^()[]{}=: x千又万，²½٣％（\n",
         *"(3/8) 5(1/2) 又1/2 )% .5 ** N0".split(), " 1/2"]


def test_any_text_and_any_equation_become_a_problem():
    """The text is the equation too, so that the equation meets the text's own fractions."""
    rng = random.Random(11)
    equations = 0
    for _ in range(2000):
        text = "".join(rng.choices(SIGNS, k=rng.randrange(12)))
        problem = read_problem("1", ["=", *text.split()], text, "1", english=False)
        names = re.findall("(?<![a-z0-9])N?[0-9]+", " ".join(words_of(problem)))  # not of n0, x2
        assert names == [f"N{i}" for i in range(len(problem.numbers))], text
        assert bool(problem.equation) != bool(problem.parse_error), text
        equations += bool(problem.equation)
    assert equations > 50, "the nonsense is too hard to show anything"


# small files of our own

RECORD = {"id": "7", "original_text": "",
          "new_split": "有 12 个 苹果 ， 吃 了 ( 3 / 8 ) ， 剩 多少 ？",
          "equation": "x=12*(1-(3/8))", "ans": "7.5", "unknown": [1]}


def math_file(path, *records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


def asdiv_folder(path, per_fold=2, **changes):
    """Five folds of `per_fold` problems f0-0, f0-1, …

    changes: a part of every record, such as Formula="7/5=1 r2"; None leaves it out
    """
    parts = {"Body": "Tom has seven pens.", "Question": "How many with 5 more?",
             "Formula": "5+7=12", "Answer": "12 (pens)"}
    parts |= changes
    fields = [f"<{name}>{escape(text)}</{name}>" for name, text in parts.items() if text]
    problems = []
    (path / LISTS).mkdir(parents=True)
    for fold in range(5):
        names = [f"f{fold}-{number}" for number in range(per_fold)]
        (path / LISTS / f"fold{fold}.txt").write_text("\n".join(names) + "\n")
        problems += [f'<Problem ID="{name}">{"".join(fields)}</Problem>' for name in names]
    (path / "ASDiv.xml").write_text(f"<Machine>{''.join(problems)}</Machine>")
    return path


def test_a_record_becomes_words_numbers_and_an_equation_over_names(tmp_path):
    [problem] = read_math23k(math_file(tmp_path / "m.json", RECORD))
    check(" ".join(words_of(problem)), "有 N0 个 苹果 ， 吃 了 N1 ， 剩 多少 ？", "the words")
    subwords = [" ".join(problem.words[position]) for position in (1, 3, 7)]
    check(subwords, ["N0 ·whole ·rank 1", "苹果 ·苹 ·果", "N1 ·fraction ·rank 0"], "three words", {
        "ranks count from the smallest number":
            ["N0 ·whole ·rank 0", "苹果 ·苹 ·果", "N1 ·fraction ·rank 1"]})
    check(" ".join(problem.equation), "* N0 - 1 N1", "the equation", {
        "(3/8) is a number of the text, not a division": "* N0 - 1 / 3 8"})
    assert problem.numbers == [12, Rational(3, 8)]
    assert problem.answer == problem.reference_answer == Rational(15, 2)
    assert (problem.id, problem.decimals, problem.parse_error) == ("7", 1, "")


def test_an_equation_that_grows_too_long_in_prefix_order_is_none():
    """A minus without a left operand becomes two tokens."""
    problem = read_problem("8", ["12"], "12" + 320 * "--5", "80", english=False)
    assert problem.equation == [] and "at most" in problem.parse_error


def test_an_unreadable_equation_stays_as_an_empty_one(tmp_path):
    bad = RECORD | {"id": "8", "equation": "x=80千米/小时", "ans": "80"}
    problems = read_math23k(math_file(tmp_path / "m.json", RECORD, bad, RECORD | {"id": "9"}))
    assert ids(problems) == ["7", "8", "9"], "nothing is dropped"
    assert_unreadable(problems[1])
    assert not_exact(problems) == {"8": "!"}


def test_a_remainder_gives_two_answers(tmp_path):
    path = asdiv_folder(tmp_path / "remainder", Formula="7/5=1 r2", Answer="2 (boxes)")
    problem = read_asdiv(path)[3][0]
    quotient = Rational(7, 5)
    got = [problem.answer, problem.reference_answer]
    check(got, [quotient, 2], "7/5=1 r2, answer 2: counted, strict", {
        "the field counts the plain quotient, 7/5": [2, 2],
        "the recorded answer must be kept for the strict figure": [quotient, quotient]})


def test_a_remainder_of_a_formula_without_a_value_is_refused(tmp_path):
    path = asdiv_folder(tmp_path / "zero", Formula="7/0=1 r2", Answer="2 (boxes)")
    with pytest.raises(FileError, match="ASDiv.xml: problem .* has no value .*zero"):
        read_asdiv(path)


def test_without_a_remainder_the_recorded_answer_counts(tmp_path):
    path = asdiv_folder(tmp_path / "asdiv", Formula="7*5=35", Answer="36 (boxes)")
    problem = read_asdiv(path)[0][0]
    assert problem.answer == problem.reference_answer == 36


def test_an_answer_may_be_recorded_as_a_number(tmp_path):
    [problem] = read_math23k(math_file(tmp_path / "m.json", RECORD | {"ans": 7.5}))
    assert problem.answer == Rational(15, 2)


# problems of one's own

def own_file(path, *texts):
    return math_file(path, *({"id": number, "text": text, "equation": "x=(3/4)*12", "answer": 9}
                             for number, text in enumerate(texts)))


@pytest.mark.parametrize("text, words", table("""
    Tom has 3 / 4 of 12 Pens.    | tom has N0 of N1 pens .
    Five are one of -3           | N0 are one of N1
    小明 有 3/4 个 12            | 小明 有 N0 个 N1
    小明有(3/4)个苹果，12        | 小 明 有 N0 个 苹 果 ， N1
    Tom有5又1/2或５             | Tom 有 N0 或 N1
"""))
def test_an_own_problem_is_english_or_chinese_by_its_text(text, words, tmp_path):
    [problem] = read_own(own_file(tmp_path / "own.json", text))
    check(" ".join(words_of(problem)), words, text)


def test_an_own_record_becomes_a_problem(tmp_path):
    [problem] = read_own(own_file(tmp_path / "own.json", "  Tom has 3 / 4 of 12 pens\n"))
    assert problem.id == "0" and problem.numbers == [Rational(3, 4), 12]
    check(" ".join(problem.equation), "* N0 N1", "(3/4)*12")
    assert problem.answer == problem.reference_answer == 9 and problem.decimals == 0


def test_own_problems_have_different_ids(tmp_path):
    records = [{"id": id, "text": "5", "equation": "5", "answer": "5"} for id in (7, "7")]
    complaint("own.json, '7' occurs twice", read_own, math_file(tmp_path / "own.json", *records))


# bad files: one sentence that names the file, the record and the remedy

FIELDS = "expected a JSON list of records with the fields id, new_split, equation, ans"


@pytest.mark.parametrize("text, found", [
    ('[{"id": "7", "new_sp', """a text that begins with '[{"id": "7", "new_sp' and is no JSON"""),
    ("", "a text that begins with ''"), ("id,ans\n7,12", "begins with 'id,ans\\n7,12'"),
    (json.dumps(RECORD), "an object with the fields id, original_text, new_split"),
    ("{}", "an object with the fields (none)"), ("[]", "an empty list"), ("7", "found 7"),
    ('"seven"', "the text 'seven'"), ("null", "found None"), ("[7]", "record 0: 7"),
    ("[[]]", "record 0: an empty list"), ("[" * 100_000, "is no JSON")])
def test_a_file_in_another_format_is_told_what_is_expected_and_what_was_found(tmp_path, text,
                                                                              found):
    (tmp_path / "m.json").write_text(text)
    sentence = complaint("m.json, mend, download", read_math23k, tmp_path / "m.json")
    assert FIELDS in sentence and found in sentence, sentence
    assert len(sentence) < 800


def test_a_missing_file_is_not_there(tmp_path):
    for read in (read_math23k, read_own):
        complaint(f"{tmp_path / 'm.json'} is not there, download", read, tmp_path / "m.json")
    complaint("ASDiv.xml is not there, download", read_asdiv, tmp_path)


@pytest.mark.parametrize("name", ["id", "new_split", "equation", "ans"])
def test_a_missing_field_is_named_with_its_record(tmp_path, name):
    lacking = {key: value for key, value in RECORD.items() if key != name}
    path = math_file(tmp_path / "m.json", RECORD, RECORD, lacking)
    sentence = complaint("m.json, mend, download", read_math23k, path)
    assert f"record 2: an object with the fields {', '.join(lacking)}" in sentence, sentence
    assert FIELDS in sentence


@pytest.mark.parametrize("name, value, remedy", [
    ("new_split", None, "record 1, whose new_split is None"),
    ("equation", 7, "record 1, whose equation is 7"), ("ans", [7], "record 1, whose ans is a list"),
    ("id", 1.5, "record 1, whose id is 1.5"), ("id", None, "record 1, whose id is None"),
    ("ans", "", "record bad, '', mend"), ("ans", "seven", "record bad, 'seven', mend"),
    ("ans", "1/0", "record bad, '1/0', mend")])
def test_a_bad_field_is_named_with_its_record(tmp_path, name, value, remedy):
    bad = RECORD | {"id": "bad", name: value}
    path = math_file(tmp_path / "m.json", RECORD, bad)
    complaint(f"m.json, {remedy}", read_math23k, path)


def test_a_truncated_xml_is_named_with_the_remedy(tmp_path):
    xml = asdiv_folder(tmp_path / "asdiv") / "ASDiv.xml"
    xml.write_text(xml.read_text()[:-30])
    complaint(f"{xml}, XML, download", read_asdiv, xml.parent)


def test_a_problem_of_a_fold_list_that_is_not_there_is_named(tmp_path):
    path = asdiv_folder(tmp_path / "asdiv")
    (path / LISTS / "fold4.txt").write_text("f4-0\nghost-1\n")
    complaint("ASDiv.xml, ghost-1, download", read_asdiv, path)


@pytest.mark.parametrize("part", ["Body", "Question", "Formula", "Answer"])
def test_a_problem_without_a_part_is_named(tmp_path, part):
    path = asdiv_folder(tmp_path / "asdiv", **{part: None})
    complaint(f"ASDiv.xml, f0-0, {part}, download", read_asdiv, path)


@pytest.mark.parametrize("name, part", [("asdiv-a", "asdiv"), ("math23k", "math23k")])
def test_a_set_that_is_not_there_comes_with_its_command(name, part, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYPRUNE_DATA", str(tmp_path))
    complaint(f"data/download.py {part}, TINYPRUNE_DATA, {tmp_path}", load, name)
    (tmp_path / part).mkdir()
    assert folder(name) == tmp_path / part
    monkeypatch.delenv("TINYPRUNE_DATA")
    monkeypatch.setattr(data, "ROOT", tmp_path)
    complaint(f"{tmp_path / 'data' / part} is not there", load, name)


# mistakes in the code: never hidden, never blamed on a file

def off_by_one(function, tokens, *more, **named):
    return function(tokens[1:], *more, **named)


def past_the_end(function, tokens, *more, **named):
    return tokens[len(tokens)]


def refuses_all(function, *arguments, **named):
    raise EquationError("empty", "there is nothing to read")


@pytest.mark.parametrize("name", ["lex", "infix_to_prefix", "fold_prefix"])
@pytest.mark.parametrize("mistake, error", [
    (off_by_one, ValueError), (past_the_end, IndexError), (refuses_all, ValueError)])
def test_a_programmers_mistake_keeps_its_traceback(name, mistake, error, tmp_path, monkeypatch,
                                                   capsys):
    broken = partial(mistake, getattr(tokenizer, name))
    for module in (tokenizer, checker, data):
        monkeypatch.setattr(module, name, broken, raising=False)
    remainders = asdiv_folder(tmp_path / "asdiv", Formula="7/5=1 r2", Answer="2 (boxes)")
    chinese = math_file(tmp_path / "m.json", *(RECORD | {"id": str(n)} for n in range(9)))
    with pytest.raises(error) as caught:
        read_math23k(chinese)
        read_asdiv(remainders)  # only a division with remainder needs fold_prefix
    assert not isinstance(caught.value, FileError), f"no file is at fault: {caught.value}"
    show_error(caught.type, caught.value, caught.tb)
    assert "Traceback" in capsys.readouterr().err


def test_a_code_that_reads_no_equation_says_so(monkeypatch):
    monkeypatch.setattr(data, "infix_to_prefix", partial(refuses_all, None))
    error = refusal(load, "sample", kind=ValueError)
    assert "1200 of 1200 equations cannot be read" in str(error)
    assert "there is nothing to read" in str(error)


# splits

@pytest.fixture
def own_asdiv(tmp_path, monkeypatch):
    asdiv_folder(tmp_path / "asdiv", per_fold=7)
    monkeypatch.setenv("TINYPRUNE_DATA", str(tmp_path))


def ids_of_folds(*folds):
    return [f"f{fold}-{number}" for fold in folds for number in range(7)]


@pytest.mark.parametrize("fold", range(5))
def test_a_fold_is_the_test_split_and_the_others_train(own_asdiv, fold):
    splits = load("asdiv-a", fold)
    others = [other for other in range(5) if other != fold]
    assert ids(splits.test) == ids_of_folds(fold)
    assert ids(splits.train) == ids_of_folds(*others)
    assert splits.valid == []


@pytest.mark.parametrize("fold, others", [(0, [1, 2, 3, 4]), (3, [0, 1, 2, 4])])
def test_tuning_takes_a_tenth_and_leaves_the_fold_alone(own_asdiv, fold, others):
    splits = load("asdiv-a", fold, tuning=True)
    assert splits.test == []
    # No problem is both trained on and chosen by.
    assert sorted(ids(splits.train) + ids(splits.valid)) == sorted(ids_of_folds(*others))
    check(len(splits.valid), 3, "a tenth of 28 problems, every tenth from the first")


@pytest.mark.parametrize("fold", [-1, 5])
def test_a_fold_that_is_not_there_is_refused(own_asdiv, fold):
    with pytest.raises(ValueError, match="folds 0 to 4"):  # -1 would be the last fold
        load("asdiv-a", fold)


def test_the_sample_is_math_and_word_problems_in_three_splits(tmp_path, monkeypatch):
    sample = tmp_path / "data" / "sample"
    asdiv_folder(sample / "asdiv", per_fold=1)
    for split in ("train", "valid", "test"):
        path = sample / "math23k" / f"{split}23k_processed_nodup.json"
        math_file(path, RECORD | {"id": split})
    monkeypatch.setattr(files, "ROOT", tmp_path)
    monkeypatch.setenv("TINYPRUNE_DATA", "/elsewhere")
    splits = load("sample")
    assert ids(splits.train) == ["train", "f2-0", "f3-0", "f4-0"]
    assert ids(splits.valid) == ["valid", "f1-0"]
    assert ids(splits.test) == ["test", "f0-0"]
