"""The tokenizer's promises: an equation has its tokens, its prefix form and back, and its names."""
import ast
import random
import re

import pytest
from sympy import Rational

from cases import joined, little_recursion, random_prefix, refusal, table, with_mistakes
from checks import check
from tinyprune.tokenizer import (
    fold_prefix,
    infix_to_prefix,
    lex,
    mirror,
    name_numbers,
    prefix_to_infix,
)


def infix_tokens(text):
    return re.findall(r"[()]|[^ ()]+", text)


# text -> tokens

@pytest.mark.parametrize("text, tokens", table("""
    x=400/(1-(3/8))           | 400 / ( 1 - ( 3 / 8 ) )
    3.14*[(3+2)**2]           | 3.14 * [ ( 3 + 2 ) ^ 2 ]
    １２＋３×４÷（５－２）＝Ｘ | 12 + 3 * 4 / ( 5 - 2 )
    5 ( 3 / 4 ) + 1,250       | 5(3/4) + 1,250
    480/(1-20%)               | 480 / ( 1 - 20% )
    2*1 1/2+5又1/2+5 又 1/2   | 2 * 1(1/2) + 5(1/2) + 5(1/2)
    3 / 4 + 3/4               | 3 / 4 + 3 / 4
    6:3：2                    | 6 / 3 / 2
    5 % + .5 + 5. + 1，260    | 5% + 0.5 + 5. + 1,260
    10万-3 亿                 | 10万 - 3亿
    (2/5)% + [1] % - {2}%     | ( 2 / 5 ) % + [ 1 ] % - { 2 } %
    5(3/4)% * 1 1/2%          | 5(3/4) % * 1(1/2) %
    5%(1)                     | 5% ( 1 )
    1.5 1/2 1 3/4/5           | 1.5 1 / 2 1 3 / 4 / 5
    x=                        |
                              |
""") + [(" X = 2", "2")])
def test_an_equation_is_cut_into_tokens(text, tokens):
    assert lex(text) == tokens.split()


def test_a_fraction_of_the_text_is_one_number():
    tokens = lex("(180/3)*(3/8)%", fractions={Rational(3, 8)})
    check(" ".join(tokens), "( 180 / 3 ) * (3/8) %", "(180/3)*(3/8)%, the text having (3/8)", {
        "180/3 is no number of the text, but a division": "(180/3) * (3/8) %",
        "3/8 is a number of the text and must stay one token": "( 180 / 3 ) * ( 3 / 8 ) %"})


@pytest.mark.parametrize("text, position", table("""
    1e5              | 2
    __import__('os') | 1
    a+b              | 1
    80千米/小时      | 3
    x=80千米         | 5
    12%%             | 4
    (1+2)%%          | 7
    10万%            | 4
    %                | 1
    3+%              | 3
    1..5             | 3
    5.%              | 3
    1,26             | 2
    5又              | 2
    a1 1/2           | 1
    3²               | 2
    1=2              | 2
    5;6              | 2
    x=5=x            | 4
"""))
def test_an_unknown_sign_is_named_with_its_position(text, position):
    error = refusal(lex, text)
    assert error.reason == "unknown token"
    assert f"at character {position} " in str(error)


# infix and prefix

@pytest.mark.parametrize("infix, prefix, mistakes", with_mistakes("""
    N0 - N1 - N2     | - - N0 N1 N2   | - N0 - N1 N2   | a - b - c means (a - b) - c
    N0 / N1 / N2     | / / N0 N1 N2   | / N0 / N1 N2   | a / b / c means (a / b) / c
    N0 ^ N1 ^ N2     | ^ N0 ^ N1 N2   | ^ ^ N0 N1 N2   | a ^ b ^ c means a ^ (b ^ c)
    N0 + N1 * N2     | + N0 * N1 N2   | * + N0 N1 N2   | * binds tighter than +
    N0 + N1 * N2     | + N0 * N1 N2   | N0 N1 N2 * +   | postfix: operators belong before
    N0 * N1 + N2     | + * N0 N1 N2   | * N0 + N1 N2   | * binds tighter than +
    N0 * N1 ^ N2     | * N0 ^ N1 N2   | ^ * N0 N1 N2   | ^ binds tighter than *
    ( N0 + N1 ) * N2 | * + N0 N1 N2   | + N0 * N1 N2   | the brackets are ignored
    [ ( N0 ) - { N1 } ] | - N0 N1     | - N1 N0        | the operands are exchanged
    - 2 ^ 2          | - 0 ^ 2 2      | ^ - 0 2 2      | -2^2 is -(2^2): the sign comes last
    2 ^ - 1          | ^ 2 - 0 1
    - - 3            | - 0 - 0 3      | 3              | both signs are dropped
    2 * - 3 + 4      | + * 2 - 0 3 4  | * 2 - 0 + 3 4  | the sign takes the whole rest
    - 3 + 5          | + - 0 3 5      | - 0 + 3 5      | -3+5 is (-3)+5
    + 3              | 3
    n0               | n0
    ( N0 - N1 ) %    | / - N0 N1 100  | - N0 N1        | the percent sign is ignored
    N0 + [ N1 ] %    | + N0 / N1 100  | / + N0 N1 100  | the % divides its bracket alone
    2 * ( N0 ) % ^ 2 | * 2 ^ / N0 100 2 | * 2 / ^ N0 2 100 | the % comes before the ^
    - ( N0 ) %       | - 0 / N0 100   | / - 0 N0 100   | the sign comes last
    ( ( N0 ) % ) %   | / / N0 100 100 | / N0 100       | each bracket has its own %
    5(3/4) %         | / 5(3/4) 100   | 5(3/4)         | the percent sign is ignored
"""))
def test_infix_to_prefix(infix, prefix, mistakes):
    check(joined(infix_to_prefix(infix.split())), prefix, infix, mistakes)


@pytest.mark.parametrize("infix, reason, says", table("""
    ( 1 + 2         | unbalanced       | ( at token 1
    1 + 2 )         | unbalanced       | ) at token 4
    [ 1 + 2 )       | unbalanced       | [ at token 1 is closed by the ) at token 5
    )               | unbalanced       | token 1
    1 +             | missing operand  | after the +
    * 3             | missing operand  | before the * at token 1
    1 + * 3         | missing operand  | before the * at token 3
    ( )             | missing operand  | before the ) at token 2
    -               | missing operand  | after the -
                    | empty            | empty
    5 6             | missing operator | before 6 at token 2
    5 ( 3 + 4 )     | missing operator | before ( at token 2
    ( 1 + 2 ) ( 3 ) | missing operator | before ( at token 6
    12% 5           | missing operator | token 2
    ( 1 ) % 5       | missing operator | before 5 at token 5
    ( 1 ) % ( 2 )   | missing operator | before ( at token 5
    1 1(1/2)        | missing operator | before 1(1/2) at token 2
    ( % )           | missing operand  | before the % at token 2
    [ 1 ) %         | unbalanced       | [ at token 1 is closed by the ) at token 3
"""))
def test_a_broken_equation_is_refused_with_what_is_missing_and_where(infix, reason, says):
    error = refusal(infix_to_prefix, infix.split())
    check(error.reason, reason, infix)
    assert says in str(error), f"{infix}: the message must say {says!r}: {error}"


def bracketed(depth):
    return [*"(" * depth, "1", *")" * depth]


def test_limits_hold():
    assert infix_to_prefix(bracketed(64)) == ["1"]
    assert refusal(infix_to_prefix, bracketed(65)).reason == "too deep"
    assert refusal(infix_to_prefix, list("1" + "+1" * 500)).reason == "too long"
    assert refusal(lex, "1" * 100_000).reason == "too long"
    assert refusal(prefix_to_infix, list("+" * 501 + "1" * 502)).reason == "too long"


def test_long_equations_need_no_recursion():
    to_the_left = ["-"] * 499 + ["N0"] * 500
    to_the_right = ["-", "N0"] * 499 + ["N1"]
    with little_recursion():
        assert infix_to_prefix(infix_tokens(prefix_to_infix(to_the_left))) == to_the_left
        assert prefix_to_infix(to_the_right).count("(") == 498


@pytest.mark.parametrize("prefix, infix, mistakes", with_mistakes("""
    - + n0 n1 n2 | n0 + n1 - n2   | (n0 + n1) - n2 | these brackets can go
    - n0 - n1 n2 | n0 - (n1 - n2) | n0 - n1 - n2   | without brackets this is (n0 - n1) - n2
    + n0 + n1 n2 | n0 + (n1 + n2) | n0 + n1 + n2   | without brackets only the value is the same
    * + n0 n1 n2 | (n0 + n1) * n2 | n0 + n1 * n2   | without brackets * comes first
    / n0 / n1 n2 | n0 / (n1 / n2) | n0 / n1 / n2   | without brackets this is (n0 / n1) / n2
    ^ ^ n0 n1 n2 | (n0 ^ n1) ^ n2 | n0 ^ n1 ^ n2   | without brackets this is n0 ^ (n1 ^ n2)
    ^ n0 ^ n1 n2 | n0 ^ n1 ^ n2   | n0 ^ (n1 ^ n2) | these brackets can go
    - 0 n0       | 0 - n0         | n0 - 0         | the operands are exchanged
    n0           | n0
"""))
def test_prefix_to_infix_keeps_the_tree_with_the_least_brackets(prefix, infix, mistakes):
    check(prefix_to_infix(prefix.split()), infix, prefix, mistakes)


def without_a_pair(tokens):
    """The tokens without one pair of brackets, for each pair."""
    opened = []
    for position, token in enumerate(tokens):
        if token == "(":
            opened.append(position)
        elif token == ")":
            start = opened.pop()
            yield tokens[:start] + tokens[start + 1:position] + tokens[position + 1:]


def refuses_a_broken_prefix(function):
    name = function.__name__
    check(refusal(function, ["+", "N0"]).reason, "missing operand", f"{name} of + N0")
    check(refusal(function, ["N0", "N1"]).reason, "missing operator", f"{name} of N0 N1")


def test_every_tree_survives_infix_and_no_pair_of_brackets_can_go():
    rng = random.Random(5)
    for _ in range(1500):
        prefix = random_prefix(rng, rng.randrange(9))
        tokens = infix_tokens(prefix_to_infix(prefix))
        check(infix_to_prefix(tokens), prefix, f"{' '.join(tokens)}, and back")
        for fewer in without_a_pair(tokens):
            assert infix_to_prefix(fewer) != prefix, f"{tokens}: a pair of brackets can go"
    refuses_a_broken_prefix(prefix_to_infix)


SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "^"}


def prefix_of_python(node):
    if isinstance(node, ast.BinOp):
        left = prefix_of_python(node.left)
        return [SIGNS[type(node.op)], *left, *prefix_of_python(node.right)]
    if isinstance(node, ast.UnaryOp):
        sign = ["-", "0"] if isinstance(node.op, ast.USub) else []
        return sign + prefix_of_python(node.operand)
    return [node.id]


def random_infix(rng, depth):
    if depth == 0 or rng.random() < 0.2:
        return rng.choice("abc")
    form = rng.choice(["{} {} {}", "{} {} {}", "( {} {} {} )", "- {0}", "+ {0}"])
    left = random_infix(rng, depth - 1)
    return form.format(left, rng.choice("+-*/^"), random_infix(rng, depth - 1))


def test_shunting_yard_agrees_with_pythons_own_grammar():
    """Python groups operators as we do, its ** being our ^; ast.parse reads, it runs nothing."""
    rng = random.Random(8)
    for _ in range(1500):
        infix = random_infix(rng, depth=4)
        tree = ast.parse(infix.replace("^", "**"), mode="eval")
        check(infix_to_prefix(infix.split()), prefix_of_python(tree.body), infix)


@pytest.mark.parametrize("prefix, reason", table("""
    + n0    | missing operand
    n0 n1   | missing operator
            | empty
    n0 + n1 | missing operand
"""))
def test_a_broken_prefix_is_refused(prefix, reason):
    error = refusal(prefix_to_infix, prefix.split())
    check(error.reason, reason, f"{prefix!r} (infix is not prefix)")


def test_fold_meets_left_and_right_in_order():
    prefix = ["-", "N0", "N1"]
    got = fold_prefix(prefix, "<{}>".format, lambda operator, left, right: left + operator + right)
    check(got, "<N0>-<N1>", "- N0 N1, where leaf puts < and > around an operand", {
        "- N0 N1 is N0 - N1, not N1 - N0: read the left operand first": "<N1>-<N0>",
        "an operand becomes leaf(token)": "N0-N1"})
    check(joined(prefix), "- N0 N1", "the equation after the call, which must stay as it was")


@pytest.mark.parametrize("prefix, reason", table("""
    + n0    | missing operand
    -       | missing operand
    n0 n1   | missing operator
    n0 + n1 | missing operand
    + 1 2 3 | missing operator
"""))
def test_a_fold_refuses_a_broken_prefix(prefix, reason):
    error = refusal(fold_prefix, prefix.split(), str, lambda operator, left, right: "")
    check(error.reason, reason, f"the reason why {prefix!r} is refused")


# numbers of an equation -> names

@pytest.mark.parametrize("equation, named, mistakes", with_mistakes("""
    / 400 - 1 (3/8) of 400 (3/8) | / N0 - 1 N1
    + * 12 3 12 of 12 3 12   | + * N0 N1 N2   | + * N0 N1 N0 | the second 12 of the text is free
    + * 12 3 12 of 12 3 12   | + * N0 N1 N2   | + * N2 N1 N0 | the equation is read from the left
    + + 5 5 5 of 5 5         | + + N0 N1 N0   | + + N0 N1 N1 | all are used: the first one again
    + + 5 5 5 of 5 5         | + + N0 N1 N0   | + + N1 N0 N0 | the equation is read from the left
    * 20% 0.2 of 0.20        | * N0 N0      | * 20% 0.2    | 20%, 0.2 and 0.20 are the same value
    * 2 ^ 3 2 of 3 2         | * N1 ^ N0 2    | * N1 ^ N0 N1 | an exponent is always a constant
    * ^ 2 + 1 2 2 of 1 2     | * ^ N1 + 1 2 N1 | * ^ N1 + N0 2 N1 | all of an exponent is constant
    - 1 / 1 3 of 3 1         | - N1 / N1 N0  | - 1 / 1 N0  | the text's 1 wins over the constant
    * 3.14 ^ 4 2 of 4        | * 3.14 ^ N0 2
    - 0 (1/2) of (1/2) 0     | - 0 N0         | - N1 N0      | a unary minus's 0 is not the text's
    * 5 0 of 5 0             | * N0 N1        | * N0 0       | only the 0 of a minus is none
    * 2 10万 of 10 100000    | * 2 N1         | * 2 N0       | an equation's 10万 is 100000
    - 7 - 3 7 of 7 3 7       | - N0 - N1 N2   | - N2 - N1 N0 | the equation is read from the left
    + ^ 2 3 3 of 2 3 3       | + ^ N0 3 N1    | + ^ N0 3 N2  | an exponent uses up no name
    + - 0 5 0 of 0 5 0       | + - 0 N1 N0    | + - 0 N1 N2  | a unary minus's 0 uses up no name
    + 0.1 0.10000000000000000001 of 0.1 | + N0 0.10000000000000000001 | + N0 N0 | floats lose digits
"""))
def test_an_equations_numbers_take_the_texts_names(equation, named, mistakes):
    prefix, _, literals = equation.partition(" of ")
    tokens = prefix.split()
    literals = literals.split()
    got = name_numbers(tokens, literals)
    check(joined(got), named, f"{prefix}, the text having {literals}", mistakes)
    check(joined(tokens), prefix, "the equation after the call, which must stay as it was")
    error = refusal(name_numbers, ["+", "x", *tokens], literals)
    check(error.reason, "not a number", f"the x in + x {prefix}")


# mirrored equations

@pytest.mark.parametrize("prefix, mirrored, top_alone", table("""
    N0               | N0               | N0
    - N0 N1          | - N1 N0          | - N1 N0
    - N0 * N1 N2     | - * N2 N1 N0     | - * N1 N2 N0
    / + N0 1 - N1 N2 | / - N2 N1 + 1 N0 | / - N1 N2 + N0 1
"""))
def test_a_mirrored_equation_has_its_operands_swapped(prefix, mirrored, top_alone):
    tokens = prefix.split()
    backwards = " ".join(reversed(tokens))
    check(joined(mirror(tokens)), mirrored, f"the mirror of {prefix}", {
        "operands are swapped at every level, not at the top alone": top_alone,
        "that is the equation read backwards: the operator must still come first": backwards})
    check(mirror(mirror(tokens)), tokens, "twice mirrored, the equation again")


def test_the_mirror_is_the_postfix_form_read_backwards():
    """Postfix: the operator stands after its operands."""
    def join(operator, left, right):
        return [*left, *right, operator]

    equation = "- * + N0 1 N1 / N2 ^ N3 2".split()
    postfix = fold_prefix(equation, lambda token: [token], join)
    check(mirror(equation), postfix[::-1], "the mirror, and the postfix form read backwards")
    refuses_a_broken_prefix(mirror)
