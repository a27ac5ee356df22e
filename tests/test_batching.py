"""The batches' promises: each problem once an epoch, unchanged, beside problems of like length."""
import pytest
import torch

from cases import small_problem
from checks import check
from tinyprune import BOS, MIRROR, PAD, batching
from tinyprune.batching import batches, make_batch, pad, pad_words
from tinyprune.tokenizer import mirror
from tinyprune.vocabulary import Vocabularies

EQUATIONS = ["N0", "+ N0 N1", "- N0 * N1 N2"]


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def positions_of(epoch):
    return [batch.positions for batch in epoch]


@pytest.fixture
def many():
    """31 problems of 1 to 31 words, shuffled, with equations of three lengths and an odd word."""
    words = "w0 w1 w2 w3 w4".split() * 7
    problems = []
    for length in torch.randperm(31, generator=seeded(4)).tolist():
        text = " ".join(words[:length + 1])
        kind = length % 3
        problems.append(small_problem(text, EQUATIONS[kind], range(3, kind + 4)))
    problems[7].words.insert(1, ["w1", "w2", "w3"])
    return problems


@pytest.fixture
def vocabularies(many):
    return Vocabularies.of(many)


@pytest.fixture
def epoch(many, vocabularies):
    """A function: one epoch of these problems."""
    def epoch(size=4, seed=5, mirrored=False):
        generator = seeded(seed) if seed else None
        return batches(many, vocabularies, size, generator, mirrored)

    return epoch


@pytest.mark.parametrize("seed", [None, 5])
@pytest.mark.parametrize("size", [1, 4, 31, 50])
def test_each_problem_comes_exactly_once_an_epoch(epoch, size, seed):
    positions = positions_of(epoch(size, seed))
    assert sorted(sum(positions, [])) == list(range(31)), "a problem is missing, or comes twice"
    sizes = list(map(len, positions))
    assert sizes.count(size) >= 31 // size


def test_a_batch_holds_the_problems_at_its_positions(many, vocabularies, epoch):
    for batch in epoch():
        problems = [many[position] for position in batch.positions]
        words = [vocabularies.source.encode_words(problem.words) for problem in problems]
        equations = [vocabularies.target.encode(problem.equation) for problem in problems]
        lengths = list(map(len, words))
        check(batch.lengths.tolist(), lengths, "the lengths of the texts in words", {
            "the padding is counted": [batch.source.shape[1]] * len(words),
            "the subwords are counted": [len(sum(text, [])) for text in words]})
        check(batch.source.cpu(), pad_words(words), "the texts")
        check(batch.target.cpu(), pad(equations), "the equations")
        assert set(batch.start.tolist()) == {BOS}
        assert batch.counts.tolist() == [len(problem.numbers) for problem in problems]


def test_the_seed_decides_the_order(many, vocabularies):
    def order(generator):  # each problem thrice, so that one may take another's place
        return positions_of(batches(many * 3, vocabularies, 4, generator))

    first = order(seeded(5))
    torch.rand(3)
    assert first == order(seeded(5)), "the same order, whatever else drew random numbers"
    assert first != order(seeded(6))
    generator = seeded(5)
    first, second = [sorted(map(sorted, order(generator))) for _ in range(2)]
    assert first != second, "in every epoch a problem meets others"


def test_without_a_generator_short_texts_come_first(epoch):
    lengths = torch.cat([batch.lengths for batch in epoch(seed=None)]) // 3
    assert lengths.tolist() == sorted(lengths.tolist())


def test_among_texts_of_like_length_short_equations_come_first(vocabularies):
    texts = ["w1 w2 w3", "w1 w2 w3 w4"] * 2
    alike = [small_problem(text, "N0") for text in texts]
    alike += [small_problem(text, "- N0 * N1 N2") for text in texts]
    epoch = batches(alike, vocabularies, 4, seeded(1))
    lengths = [batch.target.shape[1] for batch in epoch]
    assert sorted(lengths) == [1, 5], "half of the second batch would be padding"


def test_texts_of_similar_length_share_a_batch_and_batches_come_shuffled(epoch):
    lengths = [batch.lengths.tolist() for batch in epoch()]
    for texts in lengths:
        assert max(texts) - min(texts) <= 6, "31 texts of 1 to 31 words"
    shortest = list(map(min, lengths))
    assert shortest != sorted(shortest), "batches must not always come from short to long"


def test_mirrored_targets_follow_the_plain_ones(many, vocabularies, epoch):
    for batch in epoch(mirrored=True):
        equations = [many[position].equation for position in batch.positions]
        targets = list(map(vocabularies.target.decode, batch.target.tolist()))
        assert targets == equations + list(map(mirror, equations))
        count = len(equations)
        check(batch.start.tolist(), [BOS] * count + [MIRROR] * count, "the start tokens")


def test_a_problem_without_an_equation_can_be_batched(many, vocabularies):
    unreadable = small_problem("w1", "")
    [batch] = batches([unreadable, many[0]], vocabularies, 2)
    assert batch.target.dtype == torch.long, "ids must be whole numbers"
    [batch] = batches([unreadable, many[0]], vocabularies, 2, mirrored=True)
    assert len(batch.target) == 4, "what teachers are asked is mirrored"


def test_a_batch_is_made_where_the_model_is(many, vocabularies, monkeypatch):
    monkeypatch.setattr(batching, "DEVICE", "meta")
    batch = make_batch(many[:2], vocabularies, positions=[6, 3])
    parts = [batch.source, batch.lengths, batch.target, batch.start, batch.counts]
    assert {part.device.type for part in parts} == {"meta"}
    assert batch.positions == [6, 3]


def test_words_of_few_subwords_are_padded():
    texts = [[[5, 6], [7]], [[8]]]
    check(pad_words(texts).tolist(), [[[5, 6], [7, PAD]], [[8, PAD], [PAD, PAD]]], f"{texts}")


def test_padding_fills_the_end_of_short_rows():
    rows = [[5, 6, 7], [8]]
    check(pad(rows).tolist(), [[5, 6, 7], [8, PAD, PAD]], f"pad({rows})", {
        "the padding stands before the row": [[5, 6, 7], [PAD, PAD, 8]],
        "rows were cut to the shortest": [[5], [8]]})
