"""The tokenizer's promises: numbers get names, equations their prefix form and back, words their ids."""
import ast
import random
import re

import pytest
from sympy import Rational

from checks import check
from tinyprune import BOS, MIRROR, PAD, UNK
from tinyprune.tokenizer import (EquationError, Vocabulary, fold_prefix, infix_to_prefix, lex, mask_numbers,
                                 mirror, name_numbers, number_word, pieces, prefix_to_infix, read_number)


def reason(function, *arguments):
    """The reason and the message of the EquationError that the call must raise."""
    with pytest.raises(EquationError) as caught:
        function(*arguments)
    return caught.value.reason, str(caught.value)


def random_prefix(rng, operators, leaves="N0 N1 N2 N3 7 3.14 20%".split()):
    if operators == 0:
        return [rng.choice(leaves)]
    left = rng.randrange(operators)
    return [rng.choice("+-*/^"), *random_prefix(rng, left, leaves), *random_prefix(rng, operators - 1 - left, leaves)]


# numbers and their names

@pytest.mark.parametrize("literal, value", [
    ("12", (12, 1)), ("3.5", (7, 2)), ("0.1", (1, 10)), ("20%", (1, 5)), ("12.5%", (1, 8)), ("1,250", (1250, 1)),
    ("1,234,567.5", (2469135, 2)), ("3/8", (3, 8)), ("(3/8)", (3, 8)), ("5(3/4)", (23, 4)), ("5(7/4)", (27, 4)),
    ("((7)/(15))", (7, 15)), ("5((7)/(10))", (57, 10)), ("007", (7, 1))])
def test_a_number_has_its_exact_value(literal, value):
    got = read_number(literal)
    check(got, Rational(*value), f"the value of {literal}",
          {"the percent sign is ignored": 100 * Rational(*value) if "%" in literal else None,
           "a mixed number is a sum, 5 + 3/4, not a product": Rational(15, 4) if literal == "5(3/4)" else None})
    assert isinstance(got, Rational), f"{literal} must be exact ({value[0]}/{value[1]}), got {got!r}, " \
                                      f"a {type(got).__name__}: float arithmetic says 0.1 + 0.2 != 0.3"


@pytest.mark.parametrize("literal", ["", "N0", "-3", "1e5", "1.", ".5", "12%%", "1,25", "(3/0)", "3 / 8", "٣", "1_000"])
def test_what_is_no_number_is_refused(literal):
    assert reason(read_number, literal)[0] == "not a number"


def test_a_number_without_end_is_refused_at_once():
    assert reason(read_number, "1" * 100_000)[0] == "too long"


def test_numbers_become_names_in_order():
    words, literals = mask_numbers("12 boxes of 3.5 kg and 12 more".split())
    check(" ".join(words), "N0 boxes of N1 kg and N2 more", "12 boxes of 3.5 kg and 12 more", {
        "each number gets its own name in reading order (12 twice: two names)": "N0 boxes of N1 kg and N0 more",
        "names count from N0": "N1 boxes of N2 kg and N3 more",
        "every occurrence is a name of its own, but in reading order, not by size": "N1 boxes of N0 kg and N2 more"})
    assert literals == ["12", "3.5", "12"]


@pytest.mark.parametrize("text, masked, literals", [
    ("比 故事书 少 ( 3 / 8 ) ，", "比 故事书 少 N0 ，", ["(3/8)"]),
    ("用 了 5 ( 3 / 4 ) 米", "用 了 N0 米", ["5(3/4)"]),
    ("长 8m ， 重 Kg4.5 ， 占 20% 。", "长 N0 m ， 重 Kg N1 ， 占 N2 。", ["8", "4.5", "20%"]),
    ("$1,250.50, or $5.", "$ N0 , or $ N1 .", ["1,250.50", "5"]),
    ("in 2012 1,2504 men", "in N0 N1 , N2 men", ["2012", "1", "2504"]),
    ("(180/3) and 1/2 on 3/4/2012", "N0 and N1 on N2 / N3 / N4", ["(180/3)", "1/2", "3", "4", "2012"]),
    ("２０％ 是 １２ 个", "N0 是 N1 个", ["20%", "12"]),
    ("N0 has ( 3 / 0 )", "N N0 has ( N1 / N2 )", ["0", "3", "0"]),
    ("没有 数", "没有 数", [])])
def test_numbers_are_found_where_texts_hide_them(text, masked, literals):
    words, found = mask_numbers(text.split())
    assert (" ".join(words), found) == (masked, literals)
    for literal in found:
        read_number(literal)


def test_english_number_words_are_numbers():
    text = "Seven boys, forty-two girls and Twelve five-dollar bills for someone."
    words, literals = mask_numbers(text.split(), english=True)
    assert " ".join(words) == "N0 boys, N1 girls and N2 N3 -dollar bills for someone."
    assert literals == ["7", "42", "12", "5"]
    assert mask_numbers(text.split()) == (text.split(), []), "number words count in English texts only"


def test_a_number_word_knows_zero_to_ninety_nine():
    ones = "zero one two three four five six seven eight nine".split()
    assert [number_word(word) for word in ones] == list("0123456789")
    assert number_word("Ninety-nine") == "99" and number_word("fourteen") == "14" and number_word("fifty") == "50"
    for word in ["half", "pair", "twenty-ten", "ten-one", "twenty-", "-one", "ones", ""]:
        assert number_word(word) is None, word


# equations as tokens

@pytest.mark.parametrize("text, tokens", [
    ("x=400/(1-(3/8))", "400 / ( 1 - ( 3 / 8 ) )"), ("3.14*[(3+2)**2]", "3.14 * [ ( 3 + 2 ) ^ 2 ]"),
    ("１２＋３×４÷（５－２）＝Ｘ", "12 + 3 * 4 / ( 5 - 2 )"), ("5 ( 3 / 4 ) + 1,250", "5(3/4) + 1,250"),
    ("480/(1-20%)", "480 / ( 1 - 20% )"), (" X = 2", "2"), ("", ""), ("x=", "")])
def test_an_equation_is_cut_into_tokens(text, tokens):
    assert lex(text) == tokens.split()


def test_a_fraction_of_the_text_is_one_number():
    tokens = lex("(180/3)*(3/8)", fractions={Rational(3, 8)})
    check(tokens, "( 180 / 3 ) * (3/8)".split(), "(180/3)*(3/8), where the text has the fraction 3/8", {
        "180/3 is no number of the text, but a division": "(180/3) * (3/8)".split(),
        "3/8 is a number of the text and must stay one token": "( 180 / 3 ) * ( 3 / 8 )".split()})
    assert read_number(tokens[-1]) == Rational(3, 8)


@pytest.mark.parametrize("text, place", [
    ("1e5", 2), ("__import__('os')", 1), ("a+b", 1), ("80千米/小时", 3), ("x=80千米", 5), ("12%%", 4), ("(1+2)%", 6),
    ("3²", 2), ("1=2", 2), ("5;6", 2), ("x=5=x", 4)])
def test_an_unknown_sign_is_named_with_its_place(text, place):
    kind, message = reason(lex, text)
    assert kind == "unknown token"
    assert f"at character {place} " in message, message


# infix and prefix

@pytest.mark.parametrize("infix, prefix, mistakes", [
    ("N0 - N1 - N2", "- - N0 N1 N2",
     {"a - b - c means (a - b) - c: equal operators group from the left": "- N0 - N1 N2"}),
    ("N0 / N1 / N2", "/ / N0 N1 N2",
     {"a / b / c means (a / b) / c: equal operators group from the left": "/ N0 / N1 N2"}),
    ("N0 ^ N1 ^ N2", "^ N0 ^ N1 N2",
     {"a ^ b ^ c means a ^ (b ^ c): powers group from the right": "^ ^ N0 N1 N2"}),
    ("N0 + N1 * N2", "+ N0 * N1 N2",
     {"* binds tighter than +": "* + N0 N1 N2", "this is postfix, the operators belong before": "N0 N1 N2 * +"}),
    ("N0 * N1 + N2", "+ * N0 N1 N2", {"* binds tighter than +": "* N0 + N1 N2"}),
    ("N0 * N1 ^ N2", "* N0 ^ N1 N2", {"^ binds tighter than *": "^ * N0 N1 N2"}),
    ("( N0 + N1 ) * N2", "* + N0 N1 N2", {"the brackets are ignored": "+ N0 * N1 N2"}),
    ("[ ( N0 ) - { N1 } ]", "- N0 N1", {"the operands are exchanged": "- N1 N0"}),
    ("- 2 ^ 2", "- 0 ^ 2 2", {"-2^2 is -(2^2): a power comes before its sign": "^ - 0 2 2"}),
    ("2 ^ - 1", "^ 2 - 0 1", {}), ("- - 3", "- 0 - 0 3", {"both signs are dropped": "3"}),
    ("2 * - 3 + 4", "+ * 2 - 0 3 4", {"the sign takes the whole rest": "* 2 - 0 + 3 4"}),
    ("- 3 + 5", "+ - 0 3 5", {"-3+5 is (-3)+5": "- 0 + 3 5"}), ("+ 3", "3", {}), ("n0", "n0", {})])
def test_infix_to_prefix(infix, prefix, mistakes):
    check(" ".join(infix_to_prefix(infix.split())), prefix, infix, mistakes)


@pytest.mark.parametrize("infix, kind, says", [
    ("( 1 + 2", "unbalanced", "( at token 1"), ("1 + 2 )", "unbalanced", ") at token 4"),
    ("[ 1 + 2 )", "unbalanced", "[ at token 1 is closed by the ) at token 5"), (")", "unbalanced", "token 1"),
    ("1 +", "missing operand", "after the +"), ("* 3", "missing operand", "before the * at token 1"),
    ("1 + * 3", "missing operand", "before the * at token 3"), ("( )", "missing operand", "before the ) at token 2"),
    ("-", "missing operand", "after the -"), ("", "empty", "empty"),
    ("5 6", "missing operator", "before 6 at token 2"), ("5 ( 3 + 4 )", "missing operator", "before ( at token 2"),
    ("( 1 + 2 ) ( 3 )", "missing operator", "before ( at token 6"), ("12% 5", "missing operator", "token 2")])
def test_a_broken_equation_is_refused_with_what_is_missing_and_where(infix, kind, says):
    got, message = reason(infix_to_prefix, infix.split())
    check(got, kind, infix)
    assert says in message, message


def test_limits_hold():
    assert infix_to_prefix(["("] * 64 + ["1"] + [")"] * 64) == ["1"]
    assert reason(infix_to_prefix, ["("] * 65 + ["1"] + [")"] * 65)[0] == "too deep"
    assert reason(infix_to_prefix, ["1"] + ["+", "1"] * 500)[0] == "too long"
    assert reason(lex, "1" * 100_000)[0] == "too long"
    assert reason(prefix_to_infix, ["+"] * 501 + ["1"] * 502)[0] == "too long"
    longest = ["-", "N0"] * 499 + ["N1"]  # deeper than Python's own recursion would go
    assert infix_to_prefix(re.findall(r"[()]|[^ ()]+", prefix_to_infix(["-"] * 499 + ["N0"] * 500))) == \
        ["-"] * 499 + ["N0"] * 500
    assert prefix_to_infix(longest).count("(") == 498


@pytest.mark.parametrize("prefix, infix, mistakes", [
    ("- + n0 n1 n2", "n0 + n1 - n2", {"these brackets can go": "(n0 + n1) - n2"}),
    ("- n0 - n1 n2", "n0 - (n1 - n2)", {"without brackets this is (n0 - n1) - n2": "n0 - n1 - n2"}),
    ("+ n0 + n1 n2", "n0 + (n1 + n2)", {"the value is the same without brackets, the tree is not": "n0 + n1 + n2"}),
    ("* + n0 n1 n2", "(n0 + n1) * n2", {"without brackets * comes first": "n0 + n1 * n2"}),
    ("/ n0 / n1 n2", "n0 / (n1 / n2)", {"without brackets this is (n0 / n1) / n2": "n0 / n1 / n2"}),
    ("^ ^ n0 n1 n2", "(n0 ^ n1) ^ n2", {"without brackets this is n0 ^ (n1 ^ n2)": "n0 ^ n1 ^ n2"}),
    ("^ n0 ^ n1 n2", "n0 ^ n1 ^ n2", {"these brackets can go": "n0 ^ (n1 ^ n2)"}),
    ("- 0 n0", "0 - n0", {"the operands are exchanged": "n0 - 0"}), ("n0", "n0", {})])
def test_prefix_to_infix_keeps_the_tree_with_the_least_brackets(prefix, infix, mistakes):
    check(prefix_to_infix(prefix.split()), infix, prefix, mistakes)


def test_every_tree_survives_infix_and_no_pair_of_brackets_can_go():
    rng = random.Random(5)
    for _ in range(1500):
        prefix = random_prefix(rng, rng.randrange(9))
        tokens = re.findall(r"[()]|[^ ()]+", prefix_to_infix(prefix))
        assert infix_to_prefix(tokens) == prefix
        opened = []
        for place, token in enumerate(tokens):
            if token == "(":
                opened.append(place)
            elif token == ")":
                rest = [t for i, t in enumerate(tokens) if i not in (place, opened[-1])]
                assert infix_to_prefix(rest) != prefix, f"{' '.join(tokens)}: the brackets at {opened[-1]} can go"
                opened.pop()


def test_shunting_yard_agrees_with_pythons_own_grammar():
    """Python groups these operators as we do, its ** being our ^; ast.parse reads, it runs nothing."""
    signs = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "^"}

    def prefix(node):
        if isinstance(node, ast.BinOp):
            return [signs[type(node.op)], *prefix(node.left), *prefix(node.right)]
        if isinstance(node, ast.UnaryOp):
            inner = prefix(node.operand)
            return ["-", "0", *inner] if isinstance(node.op, ast.USub) else inner
        return [node.id]

    def text(rng, depth):
        if depth == 0 or rng.random() < 0.2:
            return rng.choice(["a", "b", "c"])
        form = rng.choice(["{} {} {}", "{} {} {}", "( {} {} {} )", "- {0}", "+ {0}"])
        return form.format(text(rng, depth - 1), rng.choice("+-*/^"), text(rng, depth - 1))

    rng = random.Random(8)
    for _ in range(1500):
        infix = text(rng, 4)
        expected = prefix(ast.parse(infix.replace("^", "**"), mode="eval").body)
        check(infix_to_prefix(infix.split()), expected, infix)


def test_a_broken_prefix_is_refused():
    assert reason(prefix_to_infix, ["+", "n0"])[0] == "missing operand"
    assert reason(prefix_to_infix, ["n0", "n1"])[0] == "missing operator"
    assert reason(prefix_to_infix, [])[0] == "empty"
    assert reason(prefix_to_infix, "n0 + n1".split())[0] == "missing operand", "infix is not prefix"


def test_fold_meets_left_and_right_in_order():
    got = fold_prefix("- N0 N1".split(), str, lambda operator, left, right: f"{left}{operator}{right}")
    check(got, "N0-N1", "- N0 N1", {"- N0 N1 is N0 - N1, not N1 - N0: read the left operand first": "N1-N0"})


def test_nothing_but_an_equation_error_comes_of_nonsense():
    rng = random.Random(11)
    signs = list("0123456789.,%+-*/^()[]{}= x") + ["(3/8)", "N0", "**", "千", "²", "½", "٣", "\n", "5(1/2)", "％", "（"]
    read = 0
    for _ in range(2000):
        text = "".join(rng.choices(signs, k=rng.randrange(12)))
        try:
            infix_to_prefix(lex(text, {Rational(3, 8)}))
            read += 1
        except EquationError as error:
            assert error.reason and str(error)
        words, literals = mask_numbers(text.split())
        assert not re.search("[0-9]", re.sub("N[0-9]+", "", " ".join(words))), text
        assert len([read_number(literal) for literal in literals]) == " ".join(words).count("N") - text.count("N")
    assert read > 50, "the nonsense is too hard to show anything"


# numbers of an equation -> names

@pytest.mark.parametrize("equation, literals, named, mistakes", [
    ("400/(1-(3/8))", ["400", "(3/8)"], "/ N0 - 1 N1", {}),
    ("12*3+12", ["12", "3", "12"], "+ * N0 N1 N2",
     {"the second 12 of the text is free, the first is used": "+ * N0 N1 N0"}),
    ("5+5+5", ["5", "5"], "+ + N0 N1 N0", {"all are used: the first one again": "+ + N0 N1 N1"}),
    ("20%*0.2", ["0.20"], "* N0 N0", {"20% and 0.2 are the same value as 0.20": "* 20% 0.2"}),
    ("2*3^2", ["3", "2"], "* N1 ^ N0 2", {"an exponent is always a constant": "* N1 ^ N0 N1"}),
    ("2^(1+2)*2", ["1", "2"], "* ^ N1 + 1 2 N1", {"all of an exponent is constant": "* ^ N1 + N0 2 N1"}),
    ("1-1/3", ["3", "1"], "- N1 / N1 N0", {"the text's 1 wins over the constant": "- 1 / 1 N0"}),
    ("3.14*4^2", ["4"], "* 3.14 ^ N0 2", {}),
    ("-(1/2)", ["(1/2)", "0"], "- 0 N0", {"the 0 of a unary minus is no number of the text": "- N1 N0"}),
    ("7-(3-7)", ["7", "3", "7"], "- N0 - N1 N2", {"numbers are taken from left to right": "- N2 - N1 N0"})])
def test_an_equations_numbers_take_the_texts_names(equation, literals, named, mistakes):
    fractions = {read_number(literal) for literal in literals if "/" in literal}
    got = name_numbers(infix_to_prefix(lex(equation, fractions)), literals)
    check(" ".join(got), named, f"{equation}, the text having {literals}", mistakes)


# vocabularies

def test_a_vocabulary_starts_with_its_special_tokens_and_counts_the_rest():
    v = Vocabulary.of([["b", "a", "b"], ["c", "a", "d"]], least=2)
    check(v.tokens[4:], ["a", "b"], "words that occur twice, equals by alphabet",
          {"rarer words must go": ["a", "b", "c", "d"], "equals stand by alphabet": ["b", "a"]})
    assert [v.index[name] for name in ("<pad>", "<unk>", "<bos>", "<mirror>")] == [PAD, UNK, BOS, MIRROR]
    assert len(v) == 6 and Vocabulary(v.tokens).tokens == v.tokens


def test_encode_and_decode_are_inverse_and_unknown_words_are_unknown():
    v = Vocabulary(["a", "b"])
    assert v.encode(["b", "zebra", "a"]) == [5, UNK, 4]
    assert v.decode([5, 4, PAD, PAD]) == ["b", "a"]


def test_an_unknown_word_is_read_by_its_pieces():
    v = Vocabulary(["苹果", "·果", "the"])
    check(v.encode_words([["水果", "·水", "·果"], ["苹果", "·苹", "·果"], ["the"], ["zebra"]]),
          [[UNK, v.index["·果"]], [v.index["苹果"], v.index["·果"]], [v.index["the"]], [UNK]], "four words", {
        "an unknown piece says nothing: leave it out, UNK is for words":
            [[UNK, UNK, v.index["·果"]], [v.index["苹果"], UNK, v.index["·果"]], [v.index["the"]], [UNK]],
        "a word is read with its pieces, known or not":
            [[UNK, v.index["·果"]], [v.index["苹果"]], [v.index["the"]], [UNK]]})


@pytest.mark.parametrize("word, parts", [
    ("苹果", "苹果 ·苹 ·果"), ("树", "树 ·树"), ("marbles", "marbles"), ("，", "， ·，"),
    ("一二三四五", "一二三四五 ·一 ·二 ·三 ·四")])
def test_a_word_falls_into_pieces(word, parts):
    check(" ".join(pieces(word)), parts, f"the pieces of {word}", {
        "the word itself comes first": parts.split(" ", 1)[-1]})


# mirrored equations

@pytest.mark.parametrize("prefix, mirrored", [
    ("N0", "N0"), ("- N0 N1", "- N1 N0"), ("- N0 * N1 N2", "- * N2 N1 N0"), ("/ + N0 1 - N1 N2", "/ - N2 N1 + 1 N0")])
def test_a_mirrored_equation_has_its_operands_swapped(prefix, mirrored):
    tokens = prefix.split()
    check(" ".join(mirror(tokens)), mirrored, f"the mirror of {prefix}", {
        "operands are swapped at every level, not at the top alone":
            lambda: " ".join([tokens[0], *tokens[-1:], *tokens[1:-1]]),
        "that is the equation read backwards: the operator must still come first": " ".join(reversed(tokens))})
    assert mirror(mirror(tokens)) == tokens, "twice mirrored is the equation again"


def test_the_mirror_is_the_postfix_form_read_backwards():
    def postfix(tokens):
        return fold_prefix(tokens, lambda token: [token], lambda operator, left, right: [*left, *right, operator])

    equation = "- * + N0 1 N1 / N2 ^ N3 2".split()
    assert mirror(equation) == postfix(equation)[::-1]
