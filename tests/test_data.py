"""The data's promises: every published problem is read, none is lost, and batches change nothing but the order."""
import json
import os
from collections import Counter
from fractions import Fraction
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
import torch
from sympy import Rational

from checks import check
from tinyprune import BOS, MIRROR, PAD, UNK, data
from tinyprune.checker import evaluate, evaluate_text, judge
from tinyprune.data import (Batch, DataError, Problem, Vocabularies, batches, chinese_words, english_words, folder,
                            is_name, load, number_pieces, pad, pad_words, read_asdiv, read_math23k, read_problem)
from tinyprune.decode import LONGEST
from tinyprune.tokenizer import OPERATORS, mirror


def error_of(function, *arguments):
    """The message of the DataError that the call must raise."""
    with pytest.raises(DataError) as caught:
        function(*arguments)
    return str(caught.value)


def verdicts(problems):
    return [judge(p.equation, p.numbers, p.answer, p.decimal) for p in problems]


# the published sets

def real(name):
    """The folder of a published set. Skips where it was not downloaded."""
    places = [os.environ.get("TINYPRUNE_DATA"), data.ROOT.parent / "shared" / "data", data.ROOT / "data"]
    for place in places:
        if place and (Path(place) / name).is_dir():
            return Path(place) / name
    pytest.skip(f"{name} is not here: python data/download.py {name}")


@pytest.fixture(scope="module")
def math23k():
    path = real("math23k")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYPRUNE_DATA", str(path.parent))
        return load("math23k")


@pytest.fixture(scope="module")
def asdiv():
    return read_asdiv(real("asdiv"))


@pytest.fixture(scope="module")
def vocabularies(math23k):
    return Vocabularies.of(math23k.train)


def records(split):
    return json.loads((real("math23k") / f"{split}23k_processed_nodup.json").read_text(encoding="utf-8"))


def test_every_problem_of_math23k_is_read_in_file_order(math23k):
    assert len(math23k.train) in (21_160, 21_162), f"{len(math23k.train)} training problems"
    for split, problems in (("train", math23k.train), ("valid", math23k.valid), ("test", math23k.test)):
        listed = [record["id"] for record in records(split)]
        assert [p.id for p in problems] == listed, f"{split} lost or moved a record"
    assert (len(math23k.valid), len(math23k.test)) == (1000, 1000)


def test_every_recorded_equation_of_the_test_split_has_the_recorded_answer(math23k):
    wrong = [p.id for p, verdict in zip(math23k.test, verdicts(math23k.test)) if verdict != "="]
    assert not wrong, f"exact arithmetic gets all 1,000; these are off: {wrong[:5]}"


def test_the_two_flawed_validation_records_stay_in_the_set(math23k):
    wrong = {p.id: verdict for p, verdict in zip(math23k.valid, verdicts(math23k.valid)) if verdict != "="}
    assert wrong == {"9718": "x", "10431": "!"}
    [flawed] = [p for p in math23k.valid if p.id == "10431"]
    assert flawed.equation == [] and "千" in flawed.flaw and flawed.answer == 80 and flawed.words


def test_training_answers_are_exact_or_rounded_decimals(math23k):
    if not math23k.train[0].id.startswith("rebuilt"):
        pytest.skip("the counts are those of the rebuilt training file")
    assert Counter(verdicts(math23k.train)) == {"=": 20_184, "~": 972, "x": 4}
    assert not any(p.flaw for p in math23k.train)


def test_naming_the_numbers_keeps_the_value_of_every_equation(math23k):
    for problem, record in zip(math23k.test, records("test")):
        check(evaluate(problem.equation, problem.numbers), evaluate_text(record["equation"]),
              f"{problem.id}: {record['equation']}")


def test_the_longest_equation_of_math23k_can_be_decoded(math23k):
    assert max(len(p.equation) for p in math23k.train) == LONGEST


def test_every_name_of_an_equation_is_a_number_of_its_text(math23k, asdiv):
    for problem in math23k.train + math23k.valid + math23k.test + sum(asdiv, []):
        names = [word for word, *_ in problem.words if is_name(word)]
        assert names == [f"N{i}" for i in range(len(problem.numbers))], f"{problem.id}: {problem.words}"
        assert {token for token in problem.equation if is_name(token)} <= set(names), problem.id


def test_the_vocabulary_of_math23k_writes_all_but_one_equation(math23k, vocabularies):
    constants = [token for token in vocabularies.target.tokens[4:] if token not in OPERATORS and not is_name(token)]
    assert constants == ["1", "2", "3.14"]
    assert sum(not vocabularies.can_write(p) for p in math23k.train) == 1
    assert vocabularies.target.tokens[4:9] == OPERATORS


def test_words_of_the_test_split_alone_get_no_embedding(math23k, vocabularies):
    trained = {character for p in math23k.train for character in p.text}
    unseen = {piece for p in math23k.test for word in p.words if not set(word[0]) & trained for piece in word}
    assert unseen, "the test split has words that training does not have"
    assert not unseen & set(vocabularies.source.tokens)


def test_asdiv_has_five_folds_of_the_published_problems(asdiv):
    assert [len(fold) for fold in asdiv] == [238, 238, 238, 238, 266]
    for number, fold in enumerate(asdiv):
        listed = (real("asdiv") / "nfolds" / "asdiv-a" / f"fold{number}.txt").read_text().split()
        assert [p.id for p in fold] == listed, f"fold {number} lost or moved a problem"
    assert len({p.id for fold in asdiv for p in fold}) == 1218


def test_every_formula_of_asdiv_has_the_counted_answer(asdiv):
    problems = sum(asdiv, [])
    off = {p.id: verdict for p, verdict in zip(problems, verdicts(problems)) if verdict != "="}
    assert off == {"nluds-0575": "~"}, "all are exact but one, whose answer is recorded rounded"


def test_a_division_with_remainder_counts_the_plain_quotient_beside_the_recorded_answer(asdiv):
    problems = sum(asdiv, [])
    differ = [p for p in problems if p.answer != p.recorded]
    check(len(differ), 28, "divisions with remainder", {
        "the recorded answer replaced the plain quotient": 0, "only answers rounded down were found": 19,
        "only answers rounded up were found": 9})
    odd = [p.id for p in differ if "/" not in p.equation or p.recorded.q != 1 or abs(p.answer - p.recorded) >= 1]
    assert not odd, f"a remainder's answer is the quotient rounded up or down: {odd}"
    assert sum(bool(p.recorded < p.answer) for p in differ) == 19, "19 of the 28 are rounded down"
    strict = Counter(judge(p.equation, p.numbers, p.recorded, p.decimal) for p in problems)
    assert strict == {"=": 1189, "~": 1, "x": 28}


# small files of our own

RECORD = {"id": "7", "original_text": "", "new_split": "有 12 个 苹果 ， 吃 了 ( 3 / 8 ) ， 剩 多少 ？",
          "equation": "x=12*(1-(3/8))", "ans": "7.5", "unknown": [1]}


def math_file(path, *records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


def asdiv_folder(path, per_fold=2, formula="5+7=12", answer="12 (pens)", without=None):
    """Five folds of `per_fold` problems f0-0, f0-1, …; `without` names a part that every record lacks."""
    (path / "nfolds" / "asdiv-a").mkdir(parents=True)
    xml = []
    for fold in range(5):
        ids = [f"f{fold}-{number}" for number in range(per_fold)]
        (path / "nfolds" / "asdiv-a" / f"fold{fold}.txt").write_text("\n".join(ids) + "\n")
        for id in ids:
            parts = {"Body": "Tom has seven pens.", "Question": "How many with 5 more?", "Formula": formula,
                     "Answer": answer}
            fields = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in parts.items() if name != without)
            xml.append(f'<Problem ID="{id}">{fields}</Problem>')
    (path / "ASDiv.xml").write_text(f"<Machine><ProblemSet>{''.join(xml)}</ProblemSet></Machine>", encoding="utf-8")
    return path


def test_a_record_becomes_words_numbers_and_an_equation_over_names(tmp_path):
    [problem] = read_math23k(math_file(tmp_path / "m.json", RECORD))
    check(" ".join(word for word, *_ in problem.words), "有 N0 个 苹果 ， 吃 了 N1 ， 剩 多少 ？", "the words")
    check([problem.words[place] for place in (1, 3, 7)],
          [["N0", "·whole", "·rank 1"], ["苹果", "·苹", "·果"], ["N1", "·fraction", "·rank 0"]], "three words' pieces", {
        "ranks count from the smallest number":
            [["N0", "·whole", "·rank 0"], ["苹果", "·苹", "·果"], ["N1", "·fraction", "·rank 1"]]})
    check(" ".join(problem.equation), "* N0 - 1 N1", "the equation", {
        "(3/8) is a number of the text, not a division": "* N0 - 1 / 3 8"})
    assert problem.numbers == [12, Rational(3, 8)] and problem.answer == problem.recorded == Rational(15, 2)
    assert problem.decimal and problem.id == "7" and problem.flaw == ""


@pytest.mark.parametrize("literal, rank, parts", [
    ("12", 3, "whole 3"), ("3.5", 1, "decimal 1"), ("20%", 2, "percent 2"), ("12.5%", 0, "percent 0"),
    ("(3/8)", 4, "fraction 4"), ("7", 23, "whole 9")])
def test_a_number_is_described_by_its_kind_and_rank(literal, rank, parts):
    kind, shown = parts.split()
    check(number_pieces("N1", literal, rank), ["N1", f"·{kind}", f"·rank {shown}"], f"{literal}, rank {rank}", {
        "12.5% is a percentage before it is a decimal": ["N1", "·decimal", f"·rank {shown}"],
        "ranks above 9 are all 9, so that few pieces are needed": ["N1", f"·{kind}", f"·rank {rank}"]})


def test_equal_values_have_equal_ranks():
    problem = read_problem("1", "10 和 5 和 50% 和 0.5 和 5".split(), "10+5", "15", english=False)
    ranks = [word[2] for word in problem.words if is_name(word[0])]
    check(ranks, [f"·rank {rank}" for rank in (2, 1, 0, 0, 1)], "10, 5, 50%, 0.5 and 5", {
        "equal values share a rank: rank the set of values": [f"·rank {rank}" for rank in (4, 2, 0, 1, 3)],
        "0 is the smallest value's rank": [f"·rank {rank}" for rank in (0, 1, 2, 2, 1)]})


@pytest.mark.parametrize("text, words", [
    ("Tom's 1,250 pens.", "tom 's 1,250 pens ."),
    ("It costs $5.50, or 3/4 of 20%!", "it costs $ 5.50 , or 3/4 of 20% !"),
    ("forty-two girls; 7-day", "forty-two girls ; 7 - day"), ("He ran 5km (Café)", "he ran 5 km ( café )"),
    ("in 5, 6 and 1,250, all", "in 5 6 and 1,250 all"), ("  two\n lines ", "two lines"), ("", "")])
def test_english_texts_fall_into_words_numbers_and_signs(text, words):
    check(" ".join(english_words(text)), words, repr(text))


@pytest.mark.parametrize("text, words", [
    ("小明有12个苹果。", "小明 有 12 个 苹果 。"), ("吃了(3/8)，剩5kg", "吃 了 (3/8) ， 剩 5kg"),
    ("苹果树 小明 ", "苹果树 小明"), ("", "")])
def test_a_typed_chinese_text_falls_into_the_longest_known_words(text, words):
    check(" ".join(chinese_words(text, {"小明", "苹果", "苹果树", "个"})), words, text, {
        "the longest known word wins, 苹果树 before 苹果": words.replace("苹果树", "苹果 树")})


def test_the_flawed_record_stays_with_an_empty_equation(tmp_path):
    bad = RECORD | {"id": "8", "equation": "x=80千米/小时", "ans": "80"}
    problems = read_math23k(math_file(tmp_path / "m.json", RECORD, bad, RECORD | {"id": "9"}))
    assert [p.id for p in problems] == ["7", "8", "9"], "nothing is dropped"
    assert problems[1].equation == [] and "千" in problems[1].flaw and problems[1].answer == 80
    assert judge(problems[1].equation, problems[1].numbers, problems[1].answer, False) == "!"


def test_a_remainder_gives_two_answers(tmp_path):
    folds = read_asdiv(asdiv_folder(tmp_path / "asdiv", formula="7/5=1 r2", answer="2 (boxes)"))
    problem = folds[3][0]
    check((problem.answer, problem.recorded), (Rational(7, 5), Rational(2)), "7/5=1 r2, answer 2: counted, strict", {
        "the field counts the plain quotient, 7/5": (Rational(2), Rational(2)),
        "the recorded answer must be kept for the strict figure": (Rational(7, 5), Rational(7, 5))})
    whole = read_asdiv(asdiv_folder(tmp_path / "whole", formula="7*5=35", answer="36 (boxes)"))[0][0]
    assert whole.answer == whole.recorded == 36, "without a remainder the recorded answer counts"


@pytest.mark.parametrize("text, said", [
    ('[{"id": "7", "new_sp', ["m.json", "JSON", "download"]), ("", ["m.json", "JSON", "download"])])
def test_a_truncated_file_is_named_with_the_remedy(tmp_path, text, said):
    path = tmp_path / "m.json"
    path.write_text(text, encoding="utf-8")
    message = error_of(read_math23k, path)
    assert all(part in message for part in said), message


def test_a_missing_file_is_named_with_the_remedy(tmp_path):
    assert "m.json" in error_of(read_math23k, tmp_path / "m.json")
    assert "download" in error_of(read_math23k, tmp_path / "m.json")
    assert "download" in error_of(read_asdiv, tmp_path / "asdiv")


@pytest.mark.parametrize("name", ["id", "new_split", "equation", "ans"])
def test_a_missing_field_is_named_with_its_record(tmp_path, name):
    lacking = {key: value for key, value in RECORD.items() if key != name}
    message = error_of(read_math23k, math_file(tmp_path / "m.json", RECORD, RECORD, lacking))
    assert "m.json" in message and "record 2" in message and name in message and "download" in message, message


@pytest.mark.parametrize("name, value", [("new_split", None), ("equation", None)])
def test_a_field_of_the_wrong_kind_is_refused_in_a_sentence(tmp_path, name, value):
    message = error_of(read_math23k, math_file(tmp_path / "m.json", RECORD, RECORD | {name: value}))
    assert "m.json" in message and "record 1" in message, message


def test_an_answer_may_be_recorded_as_a_number(tmp_path):
    [problem] = read_math23k(math_file(tmp_path / "m.json", RECORD | {"ans": 7.5}))
    assert problem.answer == Rational(15, 2)


@pytest.mark.parametrize("answer", ["", "seven", "1/0"])
def test_an_unreadable_answer_is_named_with_its_record(tmp_path, answer):
    message = error_of(read_math23k, math_file(tmp_path / "m.json", RECORD, RECORD | {"id": "broken", "ans": answer}))
    assert "m.json" in message and "broken" in message and repr(answer) in message and "mend" in message, message


def test_a_truncated_xml_is_named_with_the_remedy(tmp_path):
    path = asdiv_folder(tmp_path / "asdiv") / "ASDiv.xml"
    path.write_text(path.read_text()[:-30])
    message = error_of(read_asdiv, path.parent)
    assert str(path.parent) in message and "download" in message, message


def test_a_problem_of_a_fold_list_that_is_not_there_is_named(tmp_path):
    path = asdiv_folder(tmp_path / "asdiv")
    with open(path / "nfolds" / "asdiv-a" / "fold4.txt", "a") as file:
        file.write("ghost-1\n")
    message = error_of(read_asdiv, path)
    assert "ASDiv.xml" in message and "ghost-1" in message and "download" in message, message


@pytest.mark.parametrize("part", ["Body", "Question", "Formula", "Answer"])
def test_a_problem_without_a_part_is_named(tmp_path, part):
    message = error_of(read_asdiv, asdiv_folder(tmp_path / "asdiv", without=part))
    assert "ASDiv.xml" in message and "f0-0" in message and "download" in message, message


def test_a_set_that_is_not_there_comes_with_the_command_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYPRUNE_DATA", str(tmp_path))
    for name, part in (("asdiv-a", "asdiv"), ("math23k", "math23k")):
        message = error_of(load, name)
        assert f"data/download.py {part}" in message and "TINYPRUNE_DATA" in message and str(tmp_path) in message
    (tmp_path / "asdiv").mkdir()
    assert folder("asdiv-a") == tmp_path / "asdiv"


# splits

@pytest.fixture
def own_asdiv(tmp_path, monkeypatch):
    asdiv_folder(tmp_path / "asdiv", per_fold=7)
    monkeypatch.setenv("TINYPRUNE_DATA", str(tmp_path))


def ids(problems):
    return [p.id for p in problems]


@pytest.mark.parametrize("fold", range(5))
def test_a_fold_is_the_test_split_and_the_others_train(own_asdiv, fold):
    splits = load("asdiv-a", fold)
    assert ids(splits.test) == [f"f{fold}-{n}" for n in range(7)]
    assert ids(splits.train) == [f"f{other}-{n}" for other in range(5) if other != fold for n in range(7)]
    assert splits.valid == []


@pytest.mark.parametrize("fold", [0, 3])
def test_tuning_takes_a_tenth_and_leaves_the_fold_alone(own_asdiv, fold):
    splits = load("asdiv-a", fold, tuning=True)
    train, valid = set(ids(splits.train)), set(ids(splits.valid))
    assert splits.test == [] and not train & valid, "no problem is both trained on and chosen by"
    assert train | valid == {f"f{other}-{n}" for other in range(5) if other != fold for n in range(7)}
    check(len(valid), 3, "a tenth of 28 problems, every tenth from the first")


@pytest.mark.parametrize("fold", [-1, 5])
def test_a_fold_that_is_not_there_is_refused(own_asdiv, fold):
    with pytest.raises(ValueError):  # -1 would be the last fold, and stay among the training problems too
        load("asdiv-a", fold)


def test_the_sample_is_math_and_word_problems_in_three_splits(tmp_path, monkeypatch):
    sample = tmp_path / "data" / "sample"
    asdiv_folder(sample / "asdiv", per_fold=1)
    for split in ("train", "valid", "test"):
        math_file(sample / "math23k" / f"{split}23k_processed_nodup.json", RECORD | {"id": split})
    monkeypatch.setattr(data, "ROOT", tmp_path)
    monkeypatch.setenv("TINYPRUNE_DATA", "/elsewhere")
    splits = load("sample")
    assert (ids(splits.train), ids(splits.valid), ids(splits.test)) == (
        ["train", "f2-0", "f3-0", "f4-0"], ["valid", "f1-0"], ["test", "f0-0"])


# vocabularies

def problem(id, words, equation, numbers=2):
    """A small problem; what its answer is does not matter here."""
    return Problem(id, words, [[word] for word in words.split()], [Rational(n + 3) for n in range(numbers)],
                   equation.split(), Rational(1), False, Rational(1))


def test_a_constant_must_be_in_enough_equations():
    problems = ([problem("a", "w", "+ N0 * 1 1")] * 4 + [problem("b", "w", "- 2 2")] * 3 + [problem("c", "w", "/ N2 7")]
                + [problem("d", "w", "")])
    made = Vocabularies.of(problems, least_constant=4)
    check(made.target.tokens[4:], [*OPERATORS, "1", "N0", "N1", "N2"], "constants of 4 equations and more", {
        "count equations, not places: - 2 2 is one equation with a 2": [*OPERATORS, "1", "2", "N0", "N1", "N2"],
        "every constant was kept": [*OPERATORS, "1", "2", "7", "N0", "N1", "N2"],
        "N1 is missing: names go up to the largest": [*OPERATORS, "1", "N0", "N2"]})
    assert made.can_write(problems[0]), "+ N0 * 1 1"
    assert not any(made.can_write(p) for p in problems[4:]), "- 2 2, / N2 7 and no equation at all"
    assert made.can_write(problem("e", "w", "^ N1 N2"))


def test_words_count_from_the_training_problems_alone():
    made = Vocabularies.of([problem("a", "the pens the", "N0"), problem("b", "red pens", "N0")], least=2)
    assert made.source.tokens[4:] == ["pens", "the"]
    assert made.source.encode_words([["the"], ["red"]]) == [[made.source.index["the"]], [UNK]]


# batches

@pytest.fixture
def many():
    """31 problems of 1 to 31 words, shuffled, equations of 1, 3 or 5 tokens; a word of the 7th has pieces."""
    lengths = torch.randperm(31, generator=torch.Generator().manual_seed(4)).tolist()
    forms = ["N0", "+ N0 N1", "- N0 * N1 N2"]
    made = [problem(str(n), " ".join(f"w{n % 5}" for n in range(n + 1)), forms[n % 3], numbers=n % 3 + 1)
            for n in lengths]
    made[7].words[1:1] = [["w1", "w2", "w3"]]
    return made


@pytest.fixture
def small(many):
    return Vocabularies.of(many, least=2)


@pytest.mark.parametrize("seed", [None, 5])
@pytest.mark.parametrize("size", [1, 4, 31, 50])
def test_each_problem_comes_exactly_once_an_epoch(many, small, size, seed):
    made = batches(many, small, size, None if seed is None else torch.Generator().manual_seed(seed))
    places = [place for batch in made for place in batch.places]
    assert sorted(places) == list(range(31)), f"problems missing {set(range(31)) - set(places)}, or twice"
    assert [len(batch.source) for batch in made].count(size) >= 31 // size


def test_a_batch_holds_the_problems_at_its_places(many, small):
    for batch in batches(many, small, 4, torch.Generator().manual_seed(5)):
        for row, place in enumerate(batch.places):
            words, equation = small.source.encode_words(many[place].words), many[place].equation
            check(int(batch.lengths[row]), len(words), "the length of a text in words", {
                "the padding is counted": batch.source.shape[1],
                "the pieces are counted": sum(map(len, words))})
            assert [[i for i in word if i] for word in batch.source[row, :len(words)].tolist()] == words
            assert (batch.source[row, len(words):] == PAD).all(), "after a text there is only padding"
            assert small.target.decode(batch.target[row].tolist()) == equation
            assert (batch.target[row, len(equation):] == PAD).all() and batch.counts[row] == len(many[place].numbers)
        assert batch.source.shape[1] == batch.lengths.max(), "no column is padding alone"


def test_the_seed_decides_the_order(many, small):
    def order(seed, epochs=1):
        generator = torch.Generator().manual_seed(seed)
        return [[batch.places for batch in batches(many, small, 4, generator)] for _ in range(epochs)]

    torch.rand(3)
    assert order(5) == order(5), "the same seed, the same order, whatever else drew random numbers"
    assert order(5) != order(6)
    first, second = order(5, epochs=2)
    assert first != second, "every epoch has an order of its own"


def test_without_a_generator_short_texts_come_first(many, small):
    lengths = [length // 3 for batch in batches(many, small, 4) for length in batch.lengths.tolist()]
    assert lengths == sorted(lengths)


def test_among_texts_of_like_length_short_equations_come_first(small):
    alike = [problem(str(n), "w1 w2 w3 w4" if n % 2 else "w1 w2 w3", ["N0", "- N0 * N1 N2"][n // 4]) for n in range(8)]
    made = batches(alike, small, 4, torch.Generator().manual_seed(1))
    assert sorted(batch.target.shape[1] for batch in made) == [1, 5], "half of the second batch would be padding"


def test_mirrored_targets_follow_the_plain_ones(many, small):
    for batch in batches(many, small, 4, mirrored=True):
        B = len(batch.source)
        check(batch.start.tolist(), [BOS] * B + [MIRROR] * B, "the start tokens")
        for row, place in enumerate(batch.places):
            plain, swapped = (small.target.decode(batch.target[r].tolist()) for r in (row, B + row))
            assert plain == many[place].equation and swapped == mirror(plain), f"row {row} and row {B + row}"


def test_words_of_few_pieces_are_padded():
    check(pad_words([[[5, 6], [7]], [[8]]]), torch.tensor([[[5, 6], [7, PAD]], [[8, PAD], [PAD, PAD]]]),
          "pad_words([[[5, 6], [7]], [[8]]])")


def test_texts_of_similar_length_share_a_batch_and_batches_come_shuffled(many, small):
    made = batches(many, small, 4, torch.Generator().manual_seed(5))
    assert max(int(batch.lengths.max() - batch.lengths.min()) for batch in made) <= 6, "31 texts of 1 to 31 words"
    starts = [int(batch.lengths.min()) for batch in made]
    assert starts != sorted(starts), "batches must not always come from short to long"


def test_a_problem_without_an_equation_can_be_batched(many, small):
    [batch] = batches([problem("flawed", "w1", ""), many[0]], small, 2)
    assert batch.target.dtype == torch.long, f"ids must be whole numbers, got {batch.target.dtype}"


def test_padding_fills_the_end_of_short_rows():
    check(pad([[5, 6, 7], [8]]), torch.tensor([[5, 6, 7], [8, PAD, PAD]]), "pad([[5, 6, 7], [8]])", {
        "the padding stands before the row": torch.tensor([[5, 6, 7], [PAD, PAD, 8]]),
        "rows were cut to the shortest": torch.tensor([[5], [8]])})


def test_a_moved_batch_keeps_its_places():
    batch = Batch(*(torch.tensor([[n]]) for n in range(5)), places=[6]).to("cpu")
    assert [int(x) for x in (batch.source, batch.lengths, batch.target, batch.counts, batch.start)] == [0, 1, 2, 3, 4]
    assert batch.places == [6]


def test_plain_answers_keep_their_exact_value(math23k):
    for problem, record in zip(math23k.test, records("test")):
        if record["ans"].replace(".", "").isdigit():
            exact = Fraction(record["ans"])
            assert (problem.answer.p, problem.answer.q) == (exact.numerator, exact.denominator), problem.id
