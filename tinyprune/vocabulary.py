"""Tokens and their ids: what the model reads, and what it writes.

It reads words, each as a bag of subwords (words.py). It writes operators, the numbers' names and a
few constants.
"""
from collections import Counter
from dataclasses import dataclass

from tinyprune import PAD, UNK
from tinyprune.quantities import is_name, name_index
from tinyprune.tokenizer import OPERATORS

SPECIAL = ["<pad>", "<unk>", "<bos>", "<mirror>"]
MIN_CONSTANT_COUNT = 5  # equations that use it; nobody could learn when to use a rarer constant


class Vocabulary:
    """Tokens and their ids; <pad>, <unk>, <bos> and <mirror> come first.

    `Vocabulary(v.tokens)` gives v again.
    """

    def __init__(self, tokens):
        self.tokens = SPECIAL + [token for token in tokens if token not in SPECIAL]
        self.index = {token: position for position, token in enumerate(self.tokens)}

    @classmethod
    def of(cls, token_lists, min_count):
        """The tokens that occur `min_count` times or more, the most frequent first, ties sorted."""
        counts = Counter(token for tokens in token_lists for token in tokens)
        kept = [token for token, count in counts.items() if count >= min_count]
        return cls(sorted(kept, key=lambda token: (-counts[token], token)))

    def __len__(self):
        return len(self.tokens)

    def encode(self, tokens):
        return [self.index.get(token, UNK) for token in tokens]

    def encode_words(self, words):
        """Words, each a list of its subwords -> lists of ids.

        An unknown word is UNK and those of its other subwords that are known.
        """
        rows = []
        for word, *parts in words:
            known = [self.index[part] for part in parts if self.index.get(part, PAD) != PAD]
            own = self.index.get(word, UNK)
            rows.append([UNK if own == PAD else own, *known])  # a text's own "<pad>" is no padding
        return rows

    def decode(self, ids):
        """The tokens of the ids, without padding."""
        return [self.tokens[i] for i in ids if i != PAD]


@dataclass
class Vocabularies:
    source: Vocabulary
    target: Vocabulary

    @classmethod
    def of(cls, problems, min_count=2):
        """The two vocabularies of these training problems.

        source: the subwords that occur `min_count` times or more
        target: the operators and numbers' names that an equation uses, and the constants that
                MIN_CONSTANT_COUNT equations or more use. A token that no equation uses would keep
                its random weights, and could still be written.
        """
        counts = Counter(token for problem in problems for token in set(problem.equation))
        operators = [operator for operator in OPERATORS if operator in counts]
        names = sorted(filter(is_name, counts), key=name_index)
        constants = sorted(token for token, count in counts.items()
                           if count >= MIN_CONSTANT_COUNT
                           and not is_name(token) and token not in OPERATORS)
        return cls(Vocabulary.of([sum(problem.words, []) for problem in problems], min_count),
                   Vocabulary([*operators, *constants, *names]))

    def can_write(self, problem):
        """Whether the problem has an equation whose every token is in the target vocabulary."""
        return bool(problem.equation) and set(problem.equation) <= self.target.index.keys()
