"""Solves a typed problem, and says what should make one doubt the answer."""
import re
from dataclasses import dataclass, field, replace

from sympy import Rational

from tinyprune import UNK
from tinyprune.bidirectional import bidirectional_search
from tinyprune.checker import evaluate_prefix
from tinyprune.confidence import confidence
from tinyprune.data import Problem
from tinyprune.evaluate import find_candidates, rerank_by_plausibility
from tinyprune.quantities import EquationError, is_name
from tinyprune.tokenizer import OPERATORS, prefix_to_infix
from tinyprune.words import chinese_words, english_words, is_chinese, read_words

MAX_PROBLEM_CHARACTERS = 2000  # the longest published problem has under 600
DOUBTFUL = 0.5  # an answer that is right less often is warned of

# Words that mean numbers and are not read (lesson 03, exercise 5).
UNREAD_ENGLISH = re.compile(r"\b(?:half|halves|thirds|quarters?|twice|thrice|double|triple|dozens?"
                            r"|pairs?|couple|percent|per cent|hundreds|thousands)\b", re.IGNORECASE)
DIGIT = "[零一二两三四五六七八九十百千万]"
COUNTED = "二两三四五六七八九十百千"
UNREAD_CHINESE = re.compile(rf"{DIGIT}+分之{DIGIT}+|百分之[0-9.]+|{DIGIT}+[折成倍]|一?半(?![径圆])"
                            rf"|[0-9０-９.]+ ?[万亿]|(?<![第{COUNTED}])[{COUNTED}]+"  # not 第二天
                            "[个只条本支名张辆天次元岁块箱]")


@dataclass
class Solution:
    numbers: dict[str, str]  # each number's name, and how it is written
    equation: list[str]  # prefix, over the names
    answer: Rational | None  # None where the equation has no value
    confidence: float | None  # the share of such answers that were right; None if never measured
    warnings: list[str] = field(default_factory=list)

    def infix(self, names=False):
        """The equation as one writes it, with the numbers themselves or with their names."""
        tokens = self.equation if names else map(self._with_number, self.equation)
        return prefix_to_infix(list(tokens))

    def _with_number(self, token):
        if token in OPERATORS:
            return token
        literal = self.numbers.get(token, token)
        bare = literal[0] == "-" or "/" in literal and "(" not in literal  # -3, 1/2; not 1(1/2)
        return f"({literal})" if bare else literal


def solve(text, model, vocabularies, reranker=rerank_by_plausibility, groups=()):
    """A problem as one types it -> Solution

    reranker: (candidates, numbers) -> candidates
    groups: how often such scores were right, as in confidence.py; without it nobody can say
    Raises EquationError (too long) for a number without end, and (empty) for a text without any.
    """
    english = not is_chinese(text)
    words = english_words(text) if english else chinese_words(text, vocabularies.source.index)
    words, literals, numbers = read_words(words, english)
    if not numbers:
        unread = unread_words(text)
        why = f" ({first_words(unread)} are not read as such)" if unread else ""
        raise EquationError("empty", f"it has no numbers in it{why}: nothing to calculate with")
    problem = Problem("typed", text, words, numbers, equation=[])
    [candidates] = find_candidates(model, [problem], vocabularies, bidirectional_search)
    best = reranker(candidates, numbers)[0]
    if not best.equation:
        raise EquationError("empty", "the model can write no equation with its numbers")
    named = {f"N{index}": literal for index, literal in enumerate(literals)}
    solution = Solution(named, best.equation, None, None)
    warnings = solution.warnings
    warnings += doubts_about_text(text, words, vocabularies)
    if best != candidates[0]:
        other = replace(solution, equation=candidates[0].equation).infix()
        warnings.append(f"The model preferred x = {other}, but that has no value, or on its way "
                        "one that hardly any training problem has: 0, a negative one, or a broken "
                        "one where all numbers are whole.")
    try:
        solution.answer = evaluate_prefix(best.equation, numbers)
    except EquationError as error:
        warnings.append(f"The equation has no answer: {error}.")
    if groups:
        solution.confidence = confidence(best.score, groups)
        if solution.confidence < DOUBTFUL:
            warnings.append("Most validation answers with such a score were wrong: do not trust "
                            "this one.")
    return solution


def unread_words(text):
    """The words that may mean numbers, each once: [word]"""
    pattern = UNREAD_CHINESE if is_chinese(text) else UNREAD_ENGLISH
    return list(dict.fromkeys(pattern.findall(text)))


def first_words(words):
    """The first words of a list, and how many more there are."""
    more = f" and {len(words) - 8} more" if len(words) > 8 else ""
    return ", ".join(words[:8]) + more


def doubts_about_text(text, words, vocabularies):
    """What the model cannot know of this text: [one sentence each]"""
    warnings = []
    unread = unread_words(text)
    if unread:
        warnings.append(f"Words that may mean numbers are not read as such: {first_words(unread)}.")
    in_letters = [word[0] for word in words
                  if re.search(r"[^\W\d_]", word[0]) and not is_name(word[0])]
    known = {word[0] for word, ids in zip(words, vocabularies.source.encode_words(words))
             if ids != [UNK]}
    unknown = [word for word in dict.fromkeys(in_letters) if word not in known]
    if 2 * len(unknown) > len(set(in_letters)):
        warnings.append("The model does not know most of the words: it was trained on texts of "
                        "another language or kind.")
    elif unknown:
        warnings.append(f"The model does not know the words {first_words(unknown)}.")
    kinds = [word[1] for word in words
             if is_name(word[0]) and word[1] not in vocabularies.source.index]
    if kinds:
        shown = ", ".join(dict.fromkeys(kind.lstrip("·") for kind in kinds))
        warnings.append(f"None of the training texts has a number of this kind: {shown}.")
    names = [word[0] for word in words if is_name(word[0])]
    beyond = [name for name in names if name not in vocabularies.target.index]
    if beyond:
        warnings.append(f"The model has no name for {first_words(beyond)}: none of its training "
                        "equations uses such a number.")
    return warnings
