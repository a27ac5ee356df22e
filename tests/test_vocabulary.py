"""The vocabularies' promises: words and tokens have ids, and what is rare or new has none."""
import pytest

from cases import small_problem, table
from checks import check
from tinyprune import BOS, MIRROR, PAD, UNK, vocabulary
from tinyprune.tokenizer import OPERATORS
from tinyprune.vocabulary import Vocabularies, Vocabulary
from tinyprune.words import subwords


def test_a_vocabulary_starts_with_its_special_tokens_and_counts_the_rest():
    v = Vocabulary.of([["b", "a", "b"], ["c", "a", "d"]], min_count=2)
    check(v.tokens[4:], ["a", "b"], "words that occur twice, equals by alphabet", {
        "rarer words must go": ["a", "b", "c", "d"],
        "equals stand by alphabet": ["b", "a"]})
    assert v.encode("<pad> <unk> <bos> <mirror>".split()) == [PAD, UNK, BOS, MIRROR]
    assert len(v) == 6
    assert Vocabulary(v.tokens).tokens == v.tokens


def test_encode_and_decode_are_inverse_and_unknown_words_are_unknown():
    v = Vocabulary(["a", "b"])
    assert v.encode(["b", "zebra", "a"]) == [5, UNK, 4]
    assert v.decode([5, 4, PAD, PAD]) == ["b", "a"]


def test_an_unknown_word_is_read_by_its_subwords():
    v = Vocabulary(["苹果", "·果", "the"])  # their ids are 4, 5 and 6
    words = list(map(subwords, ["水果", "苹果", "the", "zebra"]))
    expected = [[UNK, 5], [4, 5], [6], [UNK]]
    check(v.encode_words(words), expected, "水果 苹果 the zebra", {
        "an unknown subword says nothing: leave it out, UNK is for words":
            [[UNK, UNK, 5], [4, UNK, 5], [6], [UNK]],
        "a word is read with its subwords, known or not": [[UNK, 5], [4], [6], [UNK]]})
    check(v.encode_words([["<pad>"]]), [[UNK]], "a text's own <pad>", {"it is padding": [[PAD]]})


@pytest.mark.parametrize("word, parts", table("""
    苹果        | 苹果 ·苹 ·果
    树          | 树 ·树
    marbles     | marbles
    ，          | ， ·，
    一二三四五  | 一二三四五 ·一 ·二 ·三 ·四
"""))
def test_a_word_falls_into_subwords(word, parts):
    check(" ".join(subwords(word)), parts, f"the subwords of {word}", {
        "the word itself comes first": parts.split(" ", 1)[-1]})


def test_a_constant_must_be_in_enough_equations(monkeypatch):
    monkeypatch.setattr(vocabulary, "MIN_CONSTANT_COUNT", 4)
    used = small_problem("w", "+ N0 * 1 1")
    rare = [small_problem("w", equation) for equation in ["- 2 2", "- 2 2", "- 2 2", "/ N2 7", ""]]
    vocabularies = Vocabularies.of([used] * 4 + rare)
    check(" ".join(vocabularies.target.tokens[4:]), "+ - * / 1 N0 N2",
          "constants of 4 equations and more", {
              "count equations, not places: - 2 2 is one equation with a 2":
                  "+ - * / 1 2 N0 N2",
              "every constant was kept": "+ - * / 1 2 7 N0 N2"})
    assert vocabularies.can_write(used)
    assert not any(map(vocabularies.can_write, rare)), "- 2 2, / N2 7 and no equation at all"
    assert vocabularies.can_write(small_problem("w", "/ N0 - N2 1"))


def test_what_no_training_equation_uses_cannot_be_written():
    """It would keep its random weights."""
    training = [small_problem("N7", "- N10 N2"), small_problem("w", "- N2 N10")]
    vocabularies = Vocabularies.of(training)
    check(" ".join(vocabularies.target.tokens[4:]), "- N2 N10", "the tokens of - N10 N2", {
        "the operators that no equation uses must go": f"{' '.join(OPERATORS)} N2 N10",
        "names that no equation uses must go":
            " ".join(["-", *(f"N{index}" for index in range(11))]),
        "names are sorted by their index, not as texts": "- N10 N2"})
    for equation in ("^ N2 N10", "- N1 N2"):
        assert not vocabularies.can_write(small_problem("w", equation)), equation


def test_words_count_from_the_training_problems_alone():
    training = [small_problem("the pens the", "N0"), small_problem("red pens", "N0")]
    source = Vocabularies.of(training, min_count=2).source
    assert source.tokens[4:] == ["pens", "the"]
    assert source.encode_words([["the"], ["red"]]) == [[source.index["the"]], [UNK]]
