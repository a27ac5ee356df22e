"""The scores' promises: shares of entropy, norms of the right matrices, and rivals that equal brute force."""
import copy
import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

import reference
from checks import check, same
from reference import problems_of, randoms, tiny_batch, tiny_model
from tinyprune import PAD
from tinyprune.scorer import (CRITERIA, activations, entropies, entropy_sums, example_losses, gradients, head_scores,
                              norm_ov, norm_qkvo, norms, oracle, paper_score, per_head, scale_within_kinds, unit_scale)
from tinyprune.transformer import KINDS

B, N, T, S = 2, 3, 4, 5
SHALLOW = dict(encoder_layers=1, decoder_layers=1)  # where brute force would take seconds
BATCHES = [tiny_batch((6, 3), (2, 5), seed=1), tiny_batch((4, 1, 2, 5), (3, 1, 4, 2), seed=2)]


def check_scores(got, expected, what, mistakes=None):
    """check, attention by attention; mistakes: sentence -> {(kind, layer): (N,)}"""
    assert list(got) == list(expected), f"{what}: expected a score for {list(expected)}, got {list(got)}"
    for name in expected:
        check(got[name], expected[name], f"{what}, {name}", {s: wrong[name] for s, wrong in (mistakes or {}).items()})


# entropy

def looks_of(mask):
    """Probabilities (B, N, T, S) under a mask."""
    return (2 * randoms(B, N, T, S)).masked_fill(~mask, -math.inf).softmax(-1)


def share(probabilities, mask, real):
    """What entropy_sums says after the division."""
    total, count = entropy_sums(probabilities, mask, real)
    assert total.shape == (probabilities.shape[1],), f"sums: expected (N,), got {tuple(total.shape)}"
    return total / count


def slow_share(probabilities, mask, real):
    mask = mask.expand(len(real), 1, *probabilities.shape[2:])
    rows = [[probabilities[b, h, t][mask[b, 0, t]].tolist() for b, t in real.nonzero()]
            for h in range(probabilities.shape[1])]
    shares = [reference.entropy_shares(row) for row in rows]
    return torch.tensor([sum(x) / len(x) for x in shares], dtype=torch.double)


def test_entropy_is_a_share_of_the_most_possible():
    mask, real = reference.padding_mask([S, 3], S), torch.tensor([[True] * 4, [True, True, False, False]])
    p = looks_of(mask)
    entropy, keys = torch.special.entr(p).sum(-1), torch.tensor([5.0, 3.0])[:, None, None]
    own, q = entropy / keys.log(), real[:, None]  # (B, N, T)
    check(share(p, mask, real), slow_share(p, mask, real), "entropy of 3 heads", {
        "not divided by log n: long problems then look 'uncertain'": (entropy * q).sum((0, 2)) / 6,
        "divided by log of the padded length; n is the number of keys this query may see":
            (entropy / math.log(S) * q).sum((0, 2)) / 6,
        "divided by n, not by log n": (entropy / keys * q).sum((0, 2)) / 6,
        "all entropies over all log n: every query is a share of its own":
            (entropy * q).sum((0, 2)) / (keys.log() * q).sum(),
        "padded queries are averaged in": own.mean((0, 2)),
        "padded queries are in the sum but not counted in the mean": own.sum((0, 2)) / 6,
        "padded queries are left out of the sum but counted in the mean": (own * q).sum((0, 2)) / (B * T),
        "averaged over problems first: sum numerators and denominators over the whole set, then divide once":
            ((own * q).sum(2) / real.sum(1)[:, None]).mean(0),
        "the sign is wrong: entropy is minus the sum of p log p": -(own * q).sum((0, 2)) / 6,
        "entropy runs over the keys (dim=-1), not over the queries":
            lambda: (torch.special.entr(p).sum(2) / math.log(T)).mean((0, 2)),
        "all heads got the same number: average over problems and queries, not over heads":
            ((own * q).sum((0, 2)) / 6).mean().expand(N)})


def test_a_query_with_one_key_is_left_out():
    mask, real = reference.causal_mask(T), torch.tensor([[True] * 4, [True] * 3 + [False]])
    p = randoms(B, N, T, T, seed=1).masked_fill(~mask, -math.inf).softmax(-1)
    entropy = torch.special.entr(p).sum(-1) * real[:, None]
    logs = torch.tensor([1, 2, 3, 4]).log()
    own = (entropy[..., 1:] / logs[1:]).sum((0, 2))
    check(share(p, mask, real), slow_share(p, mask, real), "causal rows", {
        "row 0 has one key and no choice, log 1 = 0: row 0 was counted": own / 7,
        "all entropies over all log n: every row is a share of its own": entropy.sum((0, 2)) / (logs * real).sum(),
        "n is t + 1 in row t of a causal mask, not T": entropy.sum((0, 2)) / math.log(T) / 5})


def test_entropy_of_exact_zeros_is_zero():
    mask, real = reference.padding_mask([S, 3], S), torch.ones(B, T, dtype=torch.bool)
    for key in (0, 2):
        p = F.one_hot(torch.tensor(key), S).double().expand(B, N, T, S)
        check(share(p, mask, real), torch.zeros(N, dtype=torch.double), f"all look at key {key} alone (0 log 0 = 0)")


@pytest.mark.parametrize("causal", [False, True])
def test_entropy_of_equal_looks_is_one(causal):
    mask = reference.causal_mask(T) if causal else reference.padding_mask([S, 3], S)
    keys = mask.expand(B, N, T, mask.shape[-1]).double()
    check(share(keys / keys.sum(-1, keepdim=True), mask, torch.ones(B, T, dtype=torch.bool)),
          torch.ones(N, dtype=torch.double), "each query spreads evenly over the keys that it may see")


def test_entropy_sums_ignore_padding():
    mask, real = reference.padding_mask([S, 3], S), torch.tensor([[True] * 4, [True, True, False, False]])
    p = looks_of(mask)
    longer = F.pad(p, (0, 2, 0, 3))  # two more masked keys, three more padded queries
    for got, expected in zip(entropy_sums(longer, reference.padding_mask([S, 3], S + 2), F.pad(real, (0, 3))),
                             entropy_sums(p, mask, real)):
        check(got, expected, "two more padded keys and three more padded queries")


def slow_entropies(model, batches):
    """Problem by problem, without padding."""
    shares = {name: [[] for _ in a.heads] for name, a in model.attentions().items()}
    for source, target in [problem for batch in batches for problem in problems_of(batch)]:
        record = {}
        reference.logits(model, source, target, record=record)
        for name, looks in record.items():
            for head, rows in zip(shares[name], looks.tolist()):
                head += reference.entropy_shares([row[:t + 1] if name[0] == "decoder" else row
                                                  for t, row in enumerate(rows)])
    return {name: torch.tensor([sum(x) / len(x) for x in heads], dtype=torch.double) for name, heads in shares.items()}


def test_entropies_of_a_model_equal_the_slow_ones():
    model = tiny_model()
    each = [slow_entropies(model, [batch]) for batch in BATCHES]
    check_scores(entropies(model, BATCHES), slow_entropies(model, BATCHES), "entropies over two batches", {
        "the batches' means were averaged: sum numerators and denominators, then divide once":
            {name: (each[0][name] + each[1][name]) / 2 for name in each[0]},
        "only the last batch counts": each[1]})


def test_entropies_do_not_care_how_problems_are_batched():
    model = tiny_model()
    expected = entropies(model, BATCHES)
    alone = [tiny_single(batch, b) for batch in reversed(BATCHES) for b in range(len(batch.source))]
    check_scores(entropies(model, alone), expected, "the same problems one by one, in another order")
    longer = [replace(b, source=F.pad(b.source, (0, 0, 0, 2)), target=F.pad(b.target, (0, 3))) for b in BATCHES]
    check_scores(entropies(model, longer), expected, "the same problems with more padding")


def tiny_single(batch, b):
    length, size = batch.lengths[b], (batch.target[b] != PAD).sum()
    return replace(batch, source=batch.source[b:b + 1, :length], lengths=batch.lengths[b:b + 1],
                   target=batch.target[b:b + 1, :size], counts=batch.counts[b:b + 1])


def test_entropies_survive_targets_of_one_token():
    scores = entropies(tiny_model(), [tiny_batch((4, 3), (1, 1))])
    assert not any(row.isnan().any() for row in scores.values()), "no decoder query has a choice: 0/0 gave NaN"


# norms

def weights(N=4, K=6, D=24):
    """N*K = D, so that rows and columns of W_O can be confused."""
    return [randoms(N * K, D, seed=seed) for seed in (1, 2, 3)] + [randoms(D, N * K, seed=4)]


def test_norm_takes_rows_of_qkv_and_columns_of_o():
    query, key, value, output = weights()
    right = reference.norm_qkvo(query, key, value, output, 6)
    parts = [per_head(w, 6).flatten(1).norm(dim=1) for w in (query, key, value, output.T)]
    check(norm_qkvo(query, key, value, output, 6), right, "norm_qkvo of 4 heads", {
        "rows of W_O were taken: W_O reads the heads, so head h owns its columns":
            reference.norm_qkvo(query, key, value, output.T, 6),
        "columns of W_Q, W_K, W_V were taken: head h owns its rows":
            reference.norm_qkvo(query.T, key.T, value.T, output, 6),
        "the square root is missing": right ** 2,
        "W_O is missing": reference.norm_qkvo(query, key, value, 0 * output, 6),
        "the four norms are added: square, add, then take the root": sum(parts),
        "the four norms are averaged: square, add, then take the root": sum(parts) / 4,
        "absolute values are added (L1): the Frobenius norm adds squares":
            sum(per_head(w, 6).abs().sum((1, 2)) for w in (query, key, value, output.T)),
        "the spectral norm was taken, not the Frobenius norm":
            torch.linalg.matrix_norm(torch.cat([per_head(w, 6) for w in (query, key, value, output.T)], 1), 2),
        "the rows of a head stand together: h*K to (h+1)*K, not every N-th": interleaved(query, key, value, output)})


def interleaved(query, key, value, output):
    order = [k * 4 + h for h in range(4) for k in range(6)]
    return reference.norm_qkvo(query[order], key[order], value[order], output[:, order], 6)


def test_norm_ov_is_the_norm_of_the_product():
    query, key, value, output = weights()
    right = reference.norm_ov(query, key, value, output, 6)
    heads = [slice(h * 6, h * 6 + 6) for h in range(4)]
    check(norm_ov(query, key, value, output, 6), right, "norm_ov of 4 heads", {
        "rows of W_O were taken: W_O reads the heads, so head h owns its columns":
            reference.norm_ov(query, key, value, output.T, 6),
        "the square root is missing": right ** 2,
        "multiplied the other way: W_V W_O is (K, K), what the head writes is W_O W_V (D, D)":
            torch.stack([(value[h] @ output[:, h]).norm() for h in heads]),
        "the product of the two norms: take the norm of the product":
            torch.stack([value[h].norm() * output[:, h].norm() for h in heads]),
        "W_K was taken for W_V": reference.norm_ov(query, value, key, output, 6)})


def test_norms_of_a_model_whose_heads_are_not_as_wide_as_it():
    matrices = weights(N=3, K=4, D=10)
    check(norm_qkvo(*matrices, 4), reference.norm_qkvo(*matrices, 4), "norm_qkvo, N*K = 12, D = 10")
    check(norm_ov(*matrices, 4), reference.norm_ov(*matrices, 4), "norm_ov, N*K = 12, D = 10")


def test_norm_ov_sees_the_function_and_norm_qkvo_the_numbers():
    query, key, value, output = weights()
    check(norm_ov(query, key, 7 * value, output / 7, 6), norm_ov(query, key, value, output, 6),
          "norm_ov with W_V 7 times larger and W_O 7 times smaller")
    assert not same(norm_qkvo(query, key, 7 * value, output / 7, 6), norm_qkvo(query, key, value, output, 6)), \
        "norm_qkvo looks at the matrices one by one: it must change"


@pytest.mark.parametrize("variant", [norm_qkvo, norm_ov])
def test_the_gain_of_layer_norm_is_folded_in(variant):
    model, batch = tiny_model(), BATCHES[0]
    expected, function = norms(model, variant), model(batch.source, batch.lengths, batch.target)
    plain = {name: variant(a.query.weight, a.key.weight, a.value.weight, a.output.weight, 4).detach()
             for name, a in model.attentions().items()}
    other = copy.deepcopy(model)
    with torch.no_grad():  # larger gains and biases, smaller matrices: the same function
        gain = 1 + randoms(10, seed=5) ** 2
        for layer in [*other.encoder, *other.decoder]:
            scale(layer.attention_norm, layer.attention, ("query", "key", "value"), gain)
        for layer in other.decoder:
            scale(layer.cross_norm, layer.cross, ("query",), gain)
        for layer in other.decoder:
            scale(None, layer.cross, ("key", "value"), gain)
        scale(other.encoder_norm, None, (), gain)
    check(other(batch.source, batch.lengths, batch.target), function, "this test itself: the same function")
    check_scores(norms(other, variant), expected, f"{variant.__name__} after moving gain out of the matrices")
    assert not same(norms(model, variant)["cross", 0], plain["cross", 0]), "no gain was folded in"


def scale(norm, attention, names, gain):
    if norm is not None:
        norm.weight.mul_(gain)
        norm.bias.mul_(gain)
    for name in names:
        getattr(attention, name).weight.div_(gain)


@pytest.mark.parametrize("variant, slow", [(norm_qkvo, reference.norm_qkvo), (norm_ov, reference.norm_ov)])
def test_norms_of_a_model_equal_the_slow_ones(variant, slow):
    model = tiny_model()
    with torch.no_grad():
        expected = {}
        for name, a in model.attentions().items():
            layer = (model.encoder if name[0] == "encoder" else model.decoder)[name[1]]
            own = layer.cross_norm if name[0] == "cross" else layer.attention_norm
            read = model.encoder_norm if name[0] == "cross" else own  # what feeds keys and values
            expected[name] = slow(a.query.weight @ torch.diag(own.weight), a.key.weight @ torch.diag(read.weight),
                                  a.value.weight @ torch.diag(read.weight), a.output.weight, 4)
    check_scores(norms(model, variant), expected, variant.__name__)


# scaling and mixing

def test_unit_scale_goes_from_0_to_1():
    values = torch.tensor([3.0, -1.0, 5.0, 0.5], dtype=torch.double)
    expected = torch.tensor([4 / 6, 0, 1, 1.5 / 6], dtype=torch.double)
    check(unit_scale(values), expected, "unit_scale of (3, -1, 5, 0.5)", {
        "divided by the greatest: the least must become 0": values / 5,
        "divided by the greatest, not by greatest - least": (values + 1) / 5,
        "softmax is another thing": values.softmax(0),
        "turned round: the greatest must become 1": 1 - (values + 1) / 6,
        "these are z-scores": (values - values.mean()) / values.std()})


def test_unit_scaling_survives_equal_scores():
    got = unit_scale(torch.full((3,), 7.0))
    assert not got.isnan().any(), "all scores equal gave 0/0: use 0.5"
    check(got, torch.full((3,), 0.5), "unit_scale of (7, 7, 7)")


def test_scores_are_scaled_within_each_kind():
    scores = {(kind, layer): randoms(3 - layer, seed=10 * place + layer) * (place + 1)
              for place, kind in enumerate(KINDS) for layer in range(2)}

    def scaled(row, among):
        return (row - among.min()) / (among.max() - among.min())

    whole = torch.cat(list(scores.values()))
    expected = {(kind, layer): scaled(row, torch.cat([scores[kind, 0], scores[kind, 1]]))
                for (kind, layer), row in scores.items()}
    check_scores(scale_within_kinds(scores), expected, "scale_within_kinds of 2 layers, 3 and 2 heads", {
        "scaled over all kinds together": {name: scaled(row, whole) for name, row in scores.items()},
        "scaled within each layer": {name: scaled(row, row) for name, row in scores.items()}})


def test_alpha_weighs_the_norm():
    norm, entropy = torch.tensor([0.2, 0.9, 0.4]), torch.tensor([0.7, 0.1, 0.6])
    check(paper_score(norm, entropy, 0.3), torch.tensor([0.55, 0.34, 0.54]), "paper_score, alpha 0.3", {
        "alpha and 1 - alpha are swapped": 0.7 * norm + 0.3 * entropy,
        "the entropy's sign is turned: +1 is the paper, high entropy = keep": 0.3 * norm + 0.7 * (1 - entropy),
        "norm and entropy are multiplied": norm * entropy,
        "alpha is ignored": (norm + entropy) / 2})
    check(paper_score(norm, entropy, 0.3, -1), torch.tensor([0.27, 0.90, 0.40]), "paper_score, entropy_sign -1", {
        "the sign is ignored": 0.3 * norm + 0.7 * entropy,
        "the entropy is subtracted; -1 takes 1 - entropy, so that scores stay in [0, 1]": 0.3 * norm - 0.7 * entropy})
    check(paper_score(norm, entropy, 1), norm, "alpha = 1 is the norm alone")
    check(paper_score(norm, entropy, 0), entropy, "alpha = 0 is the entropy alone")


# the rivals

def test_example_losses_are_each_problems_own_mean():
    logits, target = randoms(3, T, 7), torch.tensor([[3, 4, 5, 6], [5, 3, PAD, PAD], [6, 3, 4, PAD]])
    expected = torch.stack([F.cross_entropy(logits[b], target[b], ignore_index=PAD) for b in range(3)])
    sums = expected * torch.tensor([4, 2, 3])
    check(example_losses(logits, target), expected, "losses of 3 problems", {
        "divided by the padded length, not by the real tokens": sums / T,
        "summed, not averaged, over a problem's tokens": sums,
        "padding is counted": F.cross_entropy(logits.transpose(1, 2), target, reduction="none").mean(1)})


def gate_slopes(model, batches, step=1e-4):
    """d loss of each problem / d gate of each head by finite differences, from the slow model: {name: (problems, N)}"""
    slopes = {}
    problems = [problem for batch in batches for problem in problems_of(batch)]
    for name, a in model.attentions().items():
        nudges = step * torch.eye(len(a.heads), dtype=torch.double)
        slopes[name] = torch.tensor([[(single_loss(model, *problem, {name: 1 + nudge})
                                       - single_loss(model, *problem, {name: 1 - nudge})) / (2 * step)
                                      for nudge in nudges] for problem in problems], dtype=torch.double)
    return slopes


@torch.no_grad()
def single_loss(model, source, target, gates=None):
    """One problem's loss through the library's model, which test_transformer.py compares with the slow one."""
    logits = model(torch.tensor([source]), torch.tensor([len(source)]), torch.tensor([target]), gates)
    return F.cross_entropy(logits[0], torch.tensor(target)).item()


def test_gradients_equal_finite_differences():
    model = tiny_model(**SHALLOW)
    slopes = gate_slopes(model, BATCHES)
    lengths = torch.tensor([float(len(target)) for batch in BATCHES for _, target in problems_of(batch)])[:, None]
    expected = {name: x.abs().mean(0) for name, x in slopes.items()}
    check_scores(gradients(model, BATCHES), expected, "gradients of 6 problems", {
        "the absolute value of the batch's gradient: in the sum the problems' gradients cancel":
            {name: (x[:2].sum(0).abs() + x[2:].sum(0).abs()) / 6 for name, x in slopes.items()},
        "the absolute value of the batch's mean gradient, averaged over batches":
            {name: (x[:2].mean(0).abs() + x[2:].mean(0).abs()) / 2 for name, x in slopes.items()},
        "no absolute value: gradients of opposite sign cancel": {name: x.mean(0) for name, x in slopes.items()},
        "the batches' means were averaged: divide once by all problems":
            {name: (x[:2].abs().mean(0) + x[2:].abs().mean(0)) / 2 for name, x in slopes.items()},
        "summed over the problems, not averaged": {name: x.abs().sum(0) for name, x in slopes.items()},
        "divided by the number of batches, not of problems": {name: x.abs().sum(0) / 2 for name, x in slopes.items()},
        "the losses are divided by the batch's size before the absolute value is taken":
            {name: (x[:2].abs().sum(0) / 2 + x[2:].abs().sum(0) / 4) / 6 for name, x in slopes.items()},
        "each problem's loss is a sum over its tokens, not a mean":
            {name: (x * lengths).abs().mean(0) for name, x in slopes.items()}})


def test_activations_equal_brute_force():
    """What a head adds to the stream = the attention's output with this head open alone, less b_O."""
    model, batches = tiny_model(**SHALLOW), BATCHES
    sums, counts = {name: torch.zeros(3, dtype=torch.double) for name in model.attentions()}, {}
    squares = copy.deepcopy(sums)
    for source, target in [problem for batch in batches for problem in problems_of(batch)]:
        for name, a in model.attentions().items():
            inputs = inputs_of(model, a, source, target)
            open_alone = [a(head_gate=gate, **inputs)[0][0] - a.output.bias for gate in torch.eye(3)]
            written = torch.stack([x.norm(dim=-1) for x in open_alone]).detach()  # (N, T)
            sums[name] += written.sum(1)
            squares[name] += (written ** 2).sum(1)
            counts[name] = counts.get(name, 0) + written.shape[1]
    check_scores(activations(model, batches), {name: x / counts[name] for name, x in sums.items()}, "activations", {
        "summed over the queries, not averaged": sums,
        "divided by the number of problems, not of real queries": {name: x / 6 for name, x in sums.items()},
        "the root of the mean square, not the mean of the norms":
            {name: (x / counts[name]).sqrt() for name, x in squares.items()}})


def inputs_of(model, attention, source, target):
    """What this attention is called with on one problem: {x, source, mask}"""
    seen = {}

    def note(_, positional, named):
        names = ("x", "source", "mask")
        seen.update({**dict(zip(names, positional)), **named})

    handle = attention.register_forward_pre_hook(note, with_kwargs=True)
    with torch.no_grad():
        model(torch.tensor([source]), torch.tensor([len(source)]), torch.tensor([target]))
    handle.remove()
    return {name: seen.get(name) for name in ("x", "source", "mask")}


def test_activations_leave_no_hook_behind():
    model = tiny_model()
    activations(model, BATCHES)
    assert not any(module._forward_pre_hooks for module in model.modules()), "a hook was left in the model"


def test_oracle_equals_removing_each_head():
    model = tiny_model(**SHALLOW)
    problems = [problem for batch in BATCHES for problem in problems_of(batch)]
    sizes = torch.tensor([len(target) for _, target in problems], dtype=torch.double)
    rises = {}
    whole = torch.tensor([single_loss(model, *problem) for problem in problems], dtype=torch.double)
    for name in model.attentions():
        rises[name] = torch.zeros(len(problems), 3, dtype=torch.double)
        for head in range(3):
            small = copy.deepcopy(model)
            small.attentions()[name].keep([h for h in range(3) if h != head])
            losses = [single_loss(small, *problem) for problem in problems]
            rises[name][:, head] = torch.tensor(losses, dtype=torch.double) - whole
    check_scores(oracle(model, BATCHES), {name: x.mean(0) for name, x in rises.items()}, "oracle over 6 problems", {
        "the sign is wrong: a head is important if the loss rises without it":
            {n: -x.mean(0) for n, x in rises.items()},
        "this is the loss itself, not its rise": {n: x.mean(0) + whole.mean() for n, x in rises.items()},
        "the absolute rise: a head whose removal helps must score low": {n: x.mean(0).abs() for n, x in rises.items()},
        "the batches' means were averaged":
            {n: (x[:2].mean(0) + x[2:].mean(0)) / 2 for n, x in rises.items()},
        "long equations weigh more: a mean over problems is asked, not over tokens":
            {n: (x * sizes[:, None]).sum(0) / sizes.sum() for n, x in rises.items()}})


# head_scores

def all_scores(model, criterion, **more):
    return head_scores(model, BATCHES, criterion, **more)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_criterion_scores_every_head_in_eval_mode(criterion):
    model = tiny_model()
    expected = all_scores(model, criterion)
    assert not model.training
    assert {name: row.shape for name, row in expected.items()} == {name: (3,) for name in model.attentions()}
    model.train()
    got = all_scores(model, criterion)
    assert model.training, f"{criterion}: the model was in train mode and must be in it again"
    check_scores(got, expected, f"{criterion} of a model in train mode: dropout must be off while scoring")
    assert all(parameter.grad is None for parameter in model.parameters()), f"{criterion} left gradients in the weights"
    assert not any(row.requires_grad for row in got.values()), f"{criterion}: the scores drag a graph along"


@pytest.mark.parametrize("criterion", [c for c in CRITERIA if c != "random"])
def test_scores_follow_their_heads(criterion):
    model, order = tiny_model(**SHALLOW), [2, 0, 1]
    other = copy.deepcopy(model)
    rows = [head * 4 + k for head in order for k in range(4)]
    with torch.no_grad():
        for a in other.attentions().values():
            for part in (a.query, a.key, a.value):
                part.weight.copy_(part.weight[rows])
                part.bias.copy_(part.bias[rows])
            a.output.weight.copy_(a.output.weight[:, rows])
    expected = {name: row[order] for name, row in all_scores(model, criterion).items()}
    check_scores(all_scores(other, criterion), expected, f"{criterion} with the heads in the order 2, 0, 1")


@pytest.mark.parametrize("criterion", [c for c in CRITERIA if c != "random"])
def test_scores_do_not_care_how_problems_are_batched(criterion):
    model = tiny_model(**SHALLOW)
    alone = [tiny_single(batch, b) for batch in reversed(BATCHES) for b in range(len(batch.source))]
    check_scores(head_scores(model, alone, criterion), all_scores(model, criterion), f"{criterion}, problem by problem")


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_smaller_model_can_be_scored(criterion):
    model = tiny_model()
    for layer, kept in enumerate(([1], [0, 2])):
        model.attentions()["cross", layer].keep(kept)
        model.attentions()["encoder", layer].keep(kept)
    sizes = {name: len(a.heads) for name, a in model.attentions().items()}
    assert {name: len(row) for name, row in all_scores(model, criterion).items()} == sizes


def test_paper_mixes_norm_and_entropy_scaled_within_kinds():
    model = tiny_model()
    norm, entropy = all_scores(model, "norm_qkvo"), all_scores(model, "entropy")
    raw, spread = scale_within_kinds(norms(model, norm_qkvo)), scale_within_kinds(slow_entropies(model, BATCHES))
    check_scores(norm, raw, "criterion norm_qkvo: scaled within kinds")
    check_scores(entropy, spread, "criterion entropy: scaled within kinds")
    turned = all_scores(model, "entropy", entropy_sign=-1)
    check_scores(turned, {n: 1 - x for n, x in spread.items()}, "criterion entropy, sign -1")
    check_scores(all_scores(model, "norm_ov"), scale_within_kinds(norms(model, norm_ov)), "criterion norm_ov")
    for sign in (1, -1):
        for variant in (norm_qkvo, norm_ov):
            weight = scale_within_kinds(norms(model, variant))
            check_scores(all_scores(model, "paper", alpha=0.3, entropy_sign=sign, norm=variant),
                         {n: paper_score(weight[n], spread[n], 0.3, sign) for n in weight},
                         f"paper, alpha 0.3, sign {sign}, {variant.__name__}")
    check_scores(all_scores(model, "paper", alpha=1), norm, "paper with alpha 1")
    check_scores(all_scores(model, "paper", alpha=0), entropy, "paper with alpha 0")


def test_the_rivals_are_raw():
    model = tiny_model(**SHALLOW)
    for criterion, function in (("gradient", gradients), ("activation", activations), ("oracle", oracle)):
        check_scores(all_scores(model, criterion), function(model, BATCHES), criterion)


def test_random_scores_come_from_their_seed():
    model = tiny_model()
    torch.manual_seed(1)
    first = all_scores(model, "random", seed=4)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    again = all_scores(model, "random", seed=4)
    assert all(torch.equal(first[name], again[name]) for name in first), "the same seed must give the same scores"
    assert torch.equal(torch.get_rng_state(), state), "random scores must not move the global generator"
    together = torch.cat([*first.values(), *all_scores(model, "random", seed=5).values()])
    assert len(set(together.tolist())) == len(together), "another seed, and every other head, needs another number"


def test_an_unknown_criterion_is_refused():
    with pytest.raises((KeyError, ValueError)):
        all_scores(tiny_model(), "wisdom")
