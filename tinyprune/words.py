"""What a text is read as: its words, each as a bag of *subwords*.

A word is itself and parts that it shares with other words. A number is its name (N0, N1, … in
reading order), its kind, and its rank among the problem's numbers.
"""
import functools
import re

from tinyprune.quantities import mask_numbers, plain, read_number

ENGLISH_WORD = re.compile(r"\d+(?:st|nd|rd|th)\b|[^\W\d_]+\d\w*(?!\w|\.\d)"  # 3rd; MP3
                          r"|(?:(?<![\w)])-)?(?:\d[\d,]*(?:\.\d+)?(?:/\d+(?!\d|\.\d))*"
                          r"|(?<![\w.])\.\d+)%?"
                          r"|[^\W\d_]+(?:-[^\W\d_]+)*|'s\b"  # words; the 's of Tom's
                          r"|[^\w\s]|\w")  # signs


def english_words(text):
    """Lower-case words, numbers and signs: "Tom's 1,250 pens." -> tom 's 1,250 pens ."""
    words = ENGLISH_WORD.findall(plain(text.lower()))
    return [word.rstrip(",") or word for word in words]


def chinese_words(text, known):
    """Splits a Chinese text into words, the longest known one at each position.

    known: a collection of words. Runs of ASCII digits and signs stay whole.
    """
    chinese = [word for word in known if re.fullmatch(r"[^\x00-\x7f]+", word)]
    longest_first = map(re.escape, sorted(chinese, key=len, reverse=True))
    pattern = "|".join([r"[\x21-\x7e]+", *longest_first, r"[^\x00-\x7f]"])
    return re.findall(pattern, re.sub(r"(?<=\d)，(?=\d{3}(?!\d))", ",", plain(text)))  # 2，000


def is_chinese(text):
    return any("\u4e00" <= character <= "\u9fff" for character in text)


@functools.lru_cache(maxsize=100_000)  # a word that comes again is the same list: half the memory
def subwords(word):
    """A word and the parts that it shares with others: 苹果 -> 苹果 ·苹 ·果

    These are its first four characters.
    An English word has one subword. Its beginning and its end were tried, and cost more on
    ASDiv-A's validation problems than they gave.
    """
    return [word] if word.isascii() else [word, *(f"·{character}" for character in word[:4])]


def value_ranks(numbers):
    """The rank of each value among the different ones, the smallest first.

    [30, 7, 7, 100] -> [1, 0, 0, 2]
    """
    ranks = {value: rank for rank, value in enumerate(sorted(set(numbers)))}
    return [ranks[value] for value in numbers]


def number_subwords(name, literal, rank):
    """A number as the model reads it: its name, its kind, and its rank among the problem's values.

    A subtraction is almost always larger minus smaller, and a number's name does not say which is
    larger.
    """
    marks = {"%": "percent", "/": "fraction", ".": "decimal"}
    kind = next((kind for mark, kind in marks.items() if mark in literal), "whole")
    return [name, f"·{kind}", f"·rank {min(rank, 9)}"]


def read_words(words, english):
    """The words of a text -> its words as subwords, the numbers' literals, the numbers.

    Raises EquationError (too long) for a number without end.
    """
    masked, literals = mask_numbers(words, english)
    numbers = [read_number(literal) for literal in literals]
    named = {}  # name: the number's subwords
    for index, (literal, rank) in enumerate(zip(literals, value_ranks(numbers))):
        named[f"N{index}"] = number_subwords(f"N{index}", literal, rank)
    return [named.get(word) or subwords(word) for word in masked], literals, numbers
