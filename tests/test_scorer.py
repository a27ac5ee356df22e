"""The scores' promises: entropy as a share of its maximum, norms of the right matrices, and one
form for all criteria. The rivals' own promises are in test_rivals.py.
"""
import copy
import math
import re
from dataclasses import replace
from functools import partial
from statistics import fmean

import pytest
import torch
from torch.nn import functional as F

import reference
from builders import heads_of, problems_of, randoms, row_of, tiny_batch, tiny_model
from checks import check, same
from tinyprune.distill import task_loss
from tinyprune.dynamic_pruning import DynamicPruning
from tinyprune.masking import remove_heads, select_heads
from tinyprune.scorer import (
    CRITERIA,
    entropy_score,
    entropy_sums,
    head_entropies,
    head_norms,
    min_max,
    norm_ov,
    norm_qkvo,
    paper_score,
    scale_within_kinds,
    score_heads,
)

B = 2
N = 3
T = 4
S = 5
BATCHES = [tiny_batch((6, 3), (2, 5), seed=1), tiny_batch((4, 1, 2, 5), (3, 1, 4, 2), seed=2)]
ALONE = [row_of(batch, row) for batch in BATCHES for row in range(len(batch.source))]
SOME = heads_of("encoder 0 0, encoder 0 2, encoder 1 1, cross 0 0, cross 0 2, cross 1 1")


def shallow_model():
    """For brute force, which would take seconds with more layers."""
    return tiny_model(encoder_layers=1, decoder_layers=1)


def row(model, scores):
    """{Head: float} -> (heads,), in the order of model.heads()"""
    heads = model.heads()
    assert set(scores) == set(heads), f"expected a score for {heads}, got {list(scores)}"
    return torch.tensor([scores[head] for head in heads])


def check_scores(criterion, model, expected, what, mistakes=None, batches=BATCHES):
    """check for a criterion; expected and the mistakes' results are rows (heads,)."""
    got = row(model, criterion(model, batches))
    worst = model.heads()[(got - expected).abs().argmax()]
    check(got, expected, f"{what}, most of all {worst}", mistakes)


# entropy

PADDING = reference.padding_mask([S, 3], S)
CAUSAL = reference.causal_mask(T)
REAL = torch.tensor([[True] * 4, [True, True, False, False]])
EVERY = torch.ones(B, T, dtype=torch.bool)


def attention_under(mask, seed=0):
    """Probabilities (B, N, T, keys of the mask)"""
    scores = 2 * randoms(B, N, T, mask.shape[-1], seed=seed)
    return scores.masked_fill(~mask, -math.inf).softmax(-1)


def mean_entropy(probabilities, mask, real):
    """entropy_sums after the division: (N,)"""
    total, count = entropy_sums(probabilities, mask, real)
    assert total.shape == (N,), f"sums: expected (N,), got {tuple(total.shape)}"
    assert isinstance(count, torch.Tensor), f"count: expected a tensor (), got {count!r}"
    return total / count


def slow_entropy(probabilities, mask, real):
    mask = mask.expand_as(probabilities)
    means = []
    for h in range(N):
        rows = [probabilities[b, h, t][mask[b, h, t]].tolist() for b, t in real.nonzero()]
        means.append(fmean(reference.entropy_shares(rows)))
    return torch.tensor(means)


def test_entropy_is_a_share_of_its_maximum():
    p = attention_under(PADDING)
    logs = torch.tensor([5.0, 3.0]).log()[:, None, None]  # of the number of keys: (B, 1, 1)
    entropy = torch.special.entr(p).sum(-1)  # (B, N, T)
    share = entropy / logs

    def total(x):
        return (x * REAL[:, None]).sum((0, 2))  # (N,)

    right = total(share) / 6
    of_problems = (share * REAL[:, None]).sum(2) / REAL.sum(1)[:, None]  # (B, N)
    check(mean_entropy(p, PADDING, REAL), slow_entropy(p, PADDING, REAL), "entropy of 3 heads", {
        "not divided by log n: long problems then look 'uncertain'": total(entropy) / 6,
        "divided by log of the padded length; n is the number of keys this query may see":
            total(entropy / math.log(S)) / 6,
        "divided by n, not by log n": total(entropy / logs.exp()) / 6,
        "all entropies over all log n: every query is a share of its own":
            total(entropy) / total(logs),
        "padded queries are averaged in": share.mean((0, 2)),
        "padded queries are in the sum but not counted in the mean": share.sum((0, 2)) / 6,
        "padded queries are left out of the sum but counted in the mean": total(share) / (B * T),
        "averaged over problems first: sum numerators and denominators over the whole set, then "
        "divide once": of_problems.mean(0),
        "the sign is wrong: entropy is minus the sum of p log p": -right,
        "entropy runs over the keys (dim=-1), not over the queries":
            lambda: (torch.special.entr(p).sum(2) / math.log(T)).mean((0, 2)),
        "entropy is a sum over the keys, not a mean": total(share) / S / 6,
        "entropy in bits (log2) over log n (base e)": right / math.log(2),
        "all heads got the same number: average over problems and queries, not over heads":
            right.mean().expand(N)})
    check(entropy_sums(p, PADDING, REAL)[1], torch.tensor(6), "count: 4 + 2 real queries", {
        "the division is the caller's: return the sum and the count": torch.tensor(1)})


def test_a_query_with_one_key_is_left_out():
    real = torch.tensor([[True] * 4, [True] * 3 + [False]])
    p = attention_under(CAUSAL, seed=1)
    entropy = torch.special.entr(p).sum(-1) * real[:, None]  # (B, N, T)
    logs = torch.arange(1, 5).log()
    shares = (entropy[..., 1:] / logs[1:]).sum((0, 2))
    total = entropy.sum((0, 2))
    check(mean_entropy(p, CAUSAL, real), slow_entropy(p, CAUSAL, real), "causal rows", {
        "row 0 has one key and no choice, log 1 = 0: row 0 was counted": shares / 7,
        "all entropies over all log n: every row is a share of its own":
            total / (logs * real).sum(),
        "n is t + 1 in row t of a causal mask, not T": total / math.log(T) / 5})


@pytest.mark.parametrize("key", [0, 2])
def test_entropy_of_exact_zeros_is_zero(key):
    p = F.one_hot(torch.tensor(key), S).double().expand(B, N, T, S)
    check(mean_entropy(p, PADDING, EVERY), torch.zeros(N),
          f"all attend to key {key} alone (0 log 0 = 0)")


@pytest.mark.parametrize("mask", [PADDING, CAUSAL], ids=["padding", "causal"])
def test_entropy_of_even_attention_is_one(mask):
    keys = mask.expand(B, N, T, -1).double()
    check(mean_entropy(keys / keys.sum(-1, keepdim=True), mask, EVERY), torch.ones(N),
          "each query spreads evenly over the keys that it may see")


def test_entropy_sums_ignore_padding():
    p = attention_under(PADDING)
    longer = entropy_sums(F.pad(p, (0, 2, 0, 3)), F.pad(PADDING, (0, 2)), F.pad(REAL, (0, 3)))
    for got, expected in zip(longer, entropy_sums(p, PADDING, REAL)):
        check(got, expected, "two more masked keys and three more padded queries")


def slow_entropies(model, batches):
    """Problem by problem, without padding: (heads,)"""
    shares = {head: [] for head in model.heads()}
    for source, target in sum(map(problems_of, batches), []):
        attentions = {}
        reference.logits(model, source, target, attentions=attentions)
        for head in shares:
            rows = attentions[head.kind, head.layer][head.index].tolist()
            if head.kind == "decoder":
                rows = [keys[:t + 1] for t, keys in enumerate(rows)]
            shares[head] += reference.entropy_shares(rows)
    return row(model, {head: fmean(values) for head, values in shares.items()})


def test_entropies_of_a_model_equal_the_slow_ones():
    model = tiny_model()
    first, last = (slow_entropies(model, [batch]) for batch in BATCHES)
    expected = slow_entropies(model, BATCHES)
    check_scores(head_entropies, model, expected, "entropies over two batches", {
        "the batches' means were averaged: sum numerators and denominators, then divide once":
            (first + last) / 2,
        "only the last batch counts": last})


def test_entropies_survive_targets_of_one_token():
    scores = head_entropies(tiny_model(), [tiny_batch((4, 3), (1, 1))])
    assert not any(map(math.isnan, scores.values())), "no decoder query has a choice: 0/0 gave NaN"


# norms

NORMS = pytest.mark.parametrize("norm, slow", [(norm_qkvo, reference.norm_qkvo),
                                               (norm_ov, reference.norm_ov)])


def weights(N=4, K=6, D=24):
    """N*K = D, so that rows and columns of W_O can be confused."""
    return [randoms(N * K, D, seed=seed) for seed in (1, 2, 3)] + [randoms(D, N * K, seed=4)]


NARROW = weights(N=3, K=4, D=10)
NOT_D = "3 heads of width 4 in a model of width 10: N*K need not be D"


def test_norm_takes_rows_of_qkv_and_columns_of_o():
    query, key, value, output = weights()
    slow = partial(reference.norm_qkvo, K=6)
    right = slow(query, key, value, output)
    parts = [matrix.unflatten(0, (4, 6)) for matrix in (query, key, value, output.T)]
    norms = sum(part.flatten(1).norm(dim=1) for part in parts)
    order = [k * 4 + h for h in range(4) for k in range(6)]
    check(norm_qkvo(query, key, value, output, 6), right, "norm_qkvo of 4 heads", {
        "rows of W_O were taken: W_O reads the heads, so head h owns its columns":
            slow(query, key, value, output.T),
        "columns of W_Q, W_K, W_V were taken: head h owns its rows":
            slow(query.T, key.T, value.T, output),
        "the square root is missing": right ** 2,
        "W_O is missing": slow(query, key, value, 0 * output),
        "the four norms are added: square, add, then take the root": norms,
        "the four norms are averaged: square, add, then take the root": norms / 4,
        "absolute values are added (L1): the Frobenius norm adds squares":
            sum(part.abs().sum((1, 2)) for part in parts),
        "the spectral norm was taken, not the Frobenius norm":
            torch.linalg.matrix_norm(torch.cat(parts, 1), 2),
        "the rows of a head stand together: h*K to (h+1)*K, not every N-th":
            slow(query[order], key[order], value[order], output[:, order])})
    check(norm_qkvo(*NARROW, 4), reference.norm_qkvo(*NARROW, 4), f"norm_qkvo, {NOT_D}")


def test_norm_ov_is_the_norm_of_the_product():
    query, key, value, output = weights()
    right = reference.norm_ov(query, key, value, output, 6)
    reads = value.split(6)
    writes = output.split(6, dim=1)
    check(norm_ov(query, key, value, output, 6), right, "norm_ov of 4 heads", {
        "rows of W_O were taken: W_O reads the heads, so head h owns its columns":
            reference.norm_ov(query, key, value, output.T, 6),
        "the square root is missing": right ** 2,
        "multiplied the other way: W_V W_O is (K, K), what the head writes is W_O W_V (D, D)":
            torch.stack([(read @ write).norm() for read, write in zip(reads, writes)]),
        "the product of the two norms: take the norm of the product":
            torch.stack([read.norm() * write.norm() for read, write in zip(reads, writes)]),
        "W_K was taken for W_V": reference.norm_ov(query, value, key, output, 6)})
    check(norm_ov(*NARROW, 4), reference.norm_ov(*NARROW, 4), f"norm_ov, {NOT_D}")


def test_norm_ov_sees_the_function_and_norm_qkvo_the_numbers():
    query, key, value, output = weights()
    plain = query, key, value, output, 6
    scaled = query, key, 7 * value, output / 7, 6
    check(norm_ov(*scaled), norm_ov(*plain), "norm_ov, W_V 7 times larger and W_O 7 times smaller")
    assert not same(norm_qkvo(*scaled), norm_qkvo(*plain)), \
        "norm_qkvo looks at the matrices one by one: it must change"


@torch.no_grad()
def with_gain(model, gain):
    """The same function with this gain in the LayerNorms before attention: the matrices make up."""
    model = copy.deepcopy(model)
    readers = {model.encoder_norm: []}  # of each LayerNorm: the matrices that it feeds
    for layer in [*model.encoder, *model.decoder]:
        own = layer.attention
        readers[layer.attention_norm] = [own.query, own.key, own.value]
    for layer in model.decoder:
        readers[layer.cross_norm] = [layer.cross.query]
        readers[model.encoder_norm] += [layer.cross.key, layer.cross.value]
    for norm, matrices in readers.items():
        factor = gain / norm.weight
        norm.weight *= factor
        norm.bias *= factor
        for matrix in matrices:
            matrix.weight /= factor
    return model


@torch.no_grad()
def slow_norms(model, slow):
    """The norms of the matrices as they stand: (heads,)"""
    return torch.cat([slow(a.query.weight, a.key.weight, a.value.weight, a.output.weight, 4)
                      for a in model.attention_layers().values()])


@NORMS
def test_norms_of_a_model_have_the_gain_of_layer_norm_folded_in(norm, slow):
    model = tiny_model()
    other = with_gain(model, 1 + randoms(10, seed=5) ** 2)
    texts = BATCHES[0].source, BATCHES[0].lengths, BATCHES[0].target
    check(other(*texts), model(*texts), "this test itself: the same function")
    for one, what in ((model, "a model's heads"), (other, "heads after gain left the matrices"),
                      (remove_heads(model, SOME), "the heads that stay when others are removed")):
        expected = slow_norms(with_gain(one, torch.ones(10)), slow)
        check_scores(lambda one, _: head_norms(one, norm), one, expected, what, {
            "no gain of the LayerNorms was folded in": slow_norms(one, slow)})


# scaling

def test_min_max_goes_from_0_to_1():
    values = torch.tensor([3, -1, 5, 0.5])
    expected = torch.tensor([4 / 6, 0, 1, 1.5 / 6])
    check(torch.tensor(min_max(values.tolist())), expected, "min_max of (3, -1, 5, 0.5)", {
        "divided by the greatest: the least must become 0": values / 5,
        "divided by the greatest, not by greatest - least": (values + 1) / 5,
        "softmax is another thing": values.softmax(0),
        "turned round: the greatest must become 1": 1 - expected,
        "these are z-scores": (values - values.mean()) / values.std()})


def test_min_max_survives_equal_scores():
    check(min_max([7.0] * 3), [0.5] * 3, "min_max of (7, 7, 7): 0/0 says nothing, so 0.5")


def test_scores_are_scaled_within_each_kind():
    model = remove_heads(tiny_model(), heads_of("encoder 1 0, decoder 1 0, cross 1 0"))
    scores = dict(zip(reversed(model.heads()), randoms(15).tolist()))
    before = dict(scores)

    def scaled(group_of):
        """Each score as a share of the way from the lowest to the highest of its group."""
        result = {}
        for head, score in scores.items():
            group = [scores[other] for other in scores if group_of(other) == group_of(head)]
            result[head] = (score - min(group)) / (max(group) - min(group))
        return row(model, result)

    expected = scaled(lambda head: head.kind)
    check_scores(lambda *_: scale_within_kinds(scores), model, expected, "3 and 2 heads a kind", {
        "scaled over all kinds together": scaled(lambda head: "all"),
        "scaled within each layer": scaled(lambda head: head[:2])})
    assert scores == before, "the scores that were given have changed: make a new dictionary"


# all criteria have one form

ASKING = [criterion for name, criterion in CRITERIA.items() if name != "random"]  # the model itself


def state_of(model):
    """Weights and gradients; modes, hooks and all else that a module holds; the random state."""
    tensors = [(weight.tolist(), weight.grad.tolist(), weight.requires_grad)
               for weight in model.parameters()]
    modules = [str(vars(module) | {"_parameters": None}) for module in model.modules()]
    return tensors, modules, torch.get_rng_state().tolist()


@pytest.mark.parametrize("removed", [set(), SOME], ids=["all heads", "heads removed"])
@pytest.mark.parametrize("criterion", CRITERIA.values(), ids=CRITERIA)
def test_a_criterion_scores_just_the_models_heads_and_leaves_no_trace(criterion, removed):
    model = remove_heads(tiny_model(), removed)
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)  # of a training step that is under way
    before = state_of(model)
    scores = criterion(model, BATCHES)
    expected = row(model, scores)
    assert {type(score) for score in scores.values()} == {float}, "a score is a float"
    assert state_of(model) == before, "it changed the model, its gradients, modes or hooks"
    check_scores(partial(score_heads, criterion=criterion), model.train(), expected,
                 "a model in train mode: dropout must be off while scoring")
    assert model.training, "the model was in train mode and must be in it again"
    assert state_of(model.eval()) == before, "score_heads changed the model"


def test_scores_come_in_the_order_of_the_heads():
    """A criterion may find them in another order, as greedy elimination does."""
    model = tiny_model()
    backwards = dict.fromkeys(reversed(model.heads()), 0.0)
    assert list(score_heads(model, BATCHES, lambda model, batches: backwards)) == model.heads()


@pytest.mark.parametrize("criterion", ASKING)
def test_scores_follow_their_heads(criterion):
    model = shallow_model()
    other = copy.deepcopy(model)
    order = [2, 0, 1]
    rows = [head * 4 + k for head in order for k in range(4)]
    with torch.no_grad():
        for a in other.attention_layers().values():
            for part in (a.query, a.key, a.value):
                part.weight.copy_(part.weight[rows])
                part.bias.copy_(part.bias[rows])
            a.output.weight.copy_(a.output.weight[:, rows])
    expected = row(model, criterion(model, BATCHES)).unflatten(0, (3, 3))[:, order].flatten()
    check_scores(criterion, other, expected, "the heads in the order 2, 0, 1")


@pytest.mark.parametrize("criterion", [*ASKING, head_entropies])
def test_scores_do_not_care_how_problems_are_batched(criterion):
    model = shallow_model()
    expected = row(model, criterion(model, BATCHES))
    check_scores(criterion, model, expected, "one by one, in another order", batches=ALONE[::-1])
    longer = [replace(batch, source=F.pad(batch.source, (0, 0, 0, 2)),
                      target=F.pad(batch.target, (0, 3))) for batch in BATCHES]
    check_scores(criterion, model, expected, "the same problems, more padding", batches=longer)


def test_paper_mixes_norm_and_entropy_scaled_within_kinds():
    model = tiny_model()
    raw = slow_entropies(model, BATCHES).tolist()
    entropy = row(model, scale_within_kinds(dict(zip(model.heads(), raw))))
    for norm in (norm_ov, norm_qkvo):
        size = row(model, scale_within_kinds(head_norms(model, norm)))
        check_scores(CRITERIA[norm.__name__], model, size, "a norm, scaled within kinds")
        paper = partial(paper_score, alpha=0.3, norm=norm)
        check_scores(paper, model, 0.3 * size + 0.7 * entropy, "paper, alpha 0.3", {
            "alpha and 1 - alpha are swapped": 0.7 * size + 0.3 * entropy,
            "the entropy's sign is turned: +1 is the paper, high entropy = keep":
                0.3 * size + 0.7 * (1 - entropy),
            "norm and entropy are multiplied": size * entropy,
            "alpha is ignored": (size + entropy) / 2})
        paper = partial(paper, entropy_sign=-1)
        check_scores(paper, model, 0.3 * size + 0.7 * (1 - entropy), "paper, entropy_sign -1", {
            "the sign is ignored": 0.3 * size + 0.7 * entropy,
            "the entropy is subtracted; -1 takes 1 - entropy, so that scores stay in [0, 1]":
                0.3 * size - 0.7 * entropy})
    check_scores(partial(paper_score, alpha=1), model, size, "alpha = 1 is the norm alone")
    check_scores(partial(paper_score, alpha=0), model, entropy, "alpha = 0 is the entropy alone")
    check_scores(CRITERIA["entropy"], model, entropy, "entropy, scaled within kinds")
    turned = partial(entropy_score, entropy_sign=-1)
    check_scores(turned, model, 1 - entropy, "entropy, sign -1")


# a criterion of your own

LOWEST = heads_of("encoder 1 2, encoder 1 1, decoder 1 2, decoder 1 1, cross 1 2")  # 5 of 18


def first_heads_first(model, batches, step=1.0):
    """A student's own criterion."""
    return {head: -step * (head.index + 3 * head.layer) for head in model.heads()}


def test_score_heads_runs_your_own_function_in_eval_mode():
    model = tiny_model().train()

    def criterion(model, batches, step):
        assert not model.training, "your function must see the model in eval mode"
        assert batches is BATCHES, "your function must get the batches as they are"
        return first_heads_first(model, batches, step)

    got = score_heads(model, BATCHES, partial(criterion, step=2.5))
    check(got, first_heads_first(model, BATCHES, 2.5), "your scores, step=2.5 bound with partial")


@pytest.mark.parametrize("named", ["encoder 0 2", "cross 1 1", "cross 7 0"])
def test_scores_that_miss_a_head_or_name_a_foreign_one_are_refused(named):
    model = remove_heads(tiny_model(), heads_of("cross 1 1")).train()
    wrong, = heads_of(named)
    scores = dict.fromkeys(set(model.heads()) ^ {wrong}, 0.5)
    with pytest.raises(ValueError, match=re.escape(str(wrong))):
        score_heads(model, BATCHES, lambda model, batches: scores)
    assert model.training, "the model was in train mode and must be in it again"


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_score_without_a_rank_is_refused(score):
    model = tiny_model()
    scores = dict.fromkeys(model.heads(), 0.5) | {model.heads()[3]: score}
    with pytest.raises(ValueError, match=re.escape(f"{model.heads()[3]} the score {score}")):
        score_heads(model, BATCHES, lambda model, batches: scores)


def test_mirrored_batches_are_refused():
    batch = BATCHES[0]
    mirrored = replace(batch, target=torch.cat([batch.target, batch.target]))
    with pytest.raises(ValueError, match="not mirrored"):
        score_heads(tiny_model(), [batch, mirrored], "a criterion that is never called")


def test_your_own_function_leads_to_a_smaller_model():
    model = tiny_model()
    pruned = select_heads(score_heads(model, BATCHES, first_heads_first), 0.3)
    check(pruned, LOWEST, "30% of 18 heads, the last ones of each kind")
    smaller = remove_heads(model, pruned)
    check(set(smaller.heads()), set(model.heads()) - LOWEST, "the heads that stay")


def test_your_own_function_prunes_dynamically():
    model = tiny_model().train()
    optimizer = torch.optim.AdamW(model.parameters())
    score = partial(score_heads, batches=BATCHES, criterion=first_heads_first)
    pruning = DynamicPruning(score, ratio=0.3, end=3, every=1)
    for step in range(5):
        pruning.before_step(step, model, optimizer)
        task_loss(model, BATCHES[0], pruning.gates).backward()
        optimizer.step()
        pruning.after_step(model, optimizer)
    check(pruning.pruned, LOWEST, "30% of 18 heads, the last ones of each kind")
