"""The model's promises: its parts equal torch's, padding has no influence, no token sees the
future, and the cache and the removal of heads change nothing but the cost."""
import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import reference
from builders import fresh_model, problems_of, randoms, tiny_batch, tiny_model, torch_layer
from checks import check, same
from tinyprune import BOS, MIRROR, PAD
from tinyprune.transformer import (
    KINDS,
    ChannelDropout,
    FeedForward,
    mix_neighbours,
    shift_right,
    token_loss,
)

B = 2
S = 6
T = 5
D = 10
V = 9
UNEQUAL = {"encoder": [[0, 2], [1]], "decoder": [[2], [0, 1]], "cross": [[0, 1, 2], [1, 2]]}


def smaller_model(model):
    """A copy that has the heads of UNEQUAL alone."""
    small = copy.deepcopy(model)
    for (kind, layer), attention in small.attention_layers().items():
        attention.prune_heads(set(attention.heads) - set(UNEQUAL[kind][layer]))
    return small


def outputs(model, batch, **more):
    return model(batch.source, batch.lengths, batch.target, **more)


# the target, one step later, and its loss

def test_decoder_input_is_the_target_one_step_later():
    target = torch.tensor([[5, 6, 7, 4], [8, 3, PAD, PAD]])
    expected = torch.tensor([[BOS, 5, 6, 7], [BOS, 8, 3, PAD]])
    check(shift_right(target), expected, "shift_right([[5, 6, 7, 4], [8, 3, 0, 0]])", {
        "the decoder reads the very token it must predict: loss goes to 0 and decoding fails":
            target,
        "shifted to the left: the decoder reads the token after the one it must predict":
            F.pad(target[:, 1:], (0, 1), value=PAD),
        "the last token went round to the front: BOS stands there": target.roll(1, dims=1),
        "BOS is put before, but the last token is not dropped: the length must stay":
            F.pad(target, (1, 0), value=BOS),
        "the row must begin with BOS, not with PAD": F.pad(target[:, :-1], (1, 0), value=PAD)})
    assert target[0, 0] == 5, "shift_right changed its input in place"
    mirrored = torch.tensor([[MIRROR, 5, 6, 7], [BOS, 8, 3, PAD]])
    check(shift_right(target, torch.tensor([MIRROR, BOS])), mirrored, "with start tokens", {
        "every row begins with BOS: `start` is ignored": expected})


def loss_inputs():
    target = torch.tensor([[5, 6, 7, 3, 8], [8, 3, PAD, PAD, PAD], [4, 5, 1, PAD, PAD]])
    return 2 * randoms(3, T, V, seed=1), target


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_loss_counts_real_tokens_only(smoothing):
    logits, target = loss_inputs()
    real = target != PAD

    def torch_loss(logits, target, **more):
        return F.cross_entropy(logits, target, label_smoothing=smoothing, **more)

    def smoothed(share):
        return (1 - smoothing) * of_target + smoothing * share

    expected = torch_loss(logits[real], target[real])
    each = torch_loss(logits.transpose(1, 2), target, ignore_index=PAD, reduction="none")  # (B, T)
    of_target = F.cross_entropy(logits[real], target[real])
    of_all = -logits[real].log_softmax(-1).mean()
    what = f"token_loss over 10 real tokens of 15, smoothing {smoothing}"
    check(token_loss(logits, target, smoothing), expected, what, {
        "padding is counted in the loss": torch_loss(logits.flatten(0, 1), target.flatten()),
        "padding is left out of the sum but counted in the mean": each.mean(),
        "a mean of means: short equations weigh more than long ones; divide once by all real "
        "tokens": (each.sum(1) / real.sum(1)).mean(),
        "summed over the tokens, not averaged": each.sum(),
        "summed over each problem's tokens: divide by all real tokens": each.sum(1).mean(),
        "the smoothing is ignored": of_target,
        "the smoothing is spread over the wrong tokens only: it goes evenly to all V":
            smoothed((V * of_all - of_target) / (V - 1)),
        "the smoothed share is summed over the vocabulary, not averaged": smoothed(V * of_all),
        "padding is counted in the smoothed share alone": smoothed(-logits.log_softmax(-1).mean()),
        "the sign is wrong": -expected})
    large = 1000 * logits
    check(token_loss(large, target, smoothing), torch_loss(large[real], target[real]),
          f"{what}, large scores: subtract the maximum before exp, or use torch's log_softmax")


def test_loss_gives_padding_no_gradient():
    logits, target = loss_inputs()
    logits.requires_grad_()
    loss = F.cross_entropy(logits.transpose(1, 2), target, ignore_index=PAD, label_smoothing=0.3)
    expected = torch.autograd.grad(loss, logits)[0]
    gradient = torch.autograd.grad(token_loss(logits, target, 0.3), logits)[0]
    check(gradient, expected, "the gradient of the logits")
    assert not gradient[target == PAD].any(), "logits at padding get a gradient"


# neighbours

def test_neighbours_equal_torchs_depthwise_convolution():
    x = randoms(B, S, D, seed=1)  # random where there is padding, too
    weight = randoms(3, D, seed=2)
    real = reference.padding_mask([S, 3], S)[:, 0, 0, :, None]  # (B, S, 1)
    before = x.clone()
    words = x * real
    got = mix_neighbours(x, weight, real)
    assert torch.equal(x, before), "mix_neighbours changed its input in place"
    expected = F.conv1d(words.transpose(1, 2), weight.T[:, None], padding=1, groups=D)
    expected = expected.transpose(1, 2)  # (B, S, D)
    one_weight = weight.mean(1, keepdim=True).expand(3, D)
    mistakes = {
        "the text is a ring: the first word's left neighbour is the last word":
            words.roll(1, 1) * weight[0] + words * weight[1] + words.roll(-1, 1) * weight[2],
        "left and right are exchanged: weight[0] belongs to the word before":
            reference.mix_neighbours(x, weight.flip(0), real),
        "padding is mixed in: the last word's right neighbour must count as nothing":
            reference.mix_neighbours(x, weight, torch.ones_like(real)),
        "the word itself is missing": expected - words * weight[1],
        "the channels are mixed: each has weights of its own":
            reference.mix_neighbours(x, one_weight, real)}
    wrong_words = {sentence: wrong * real for sentence, wrong in mistakes.items()}
    check(got * real, expected * real, "mix_neighbours of a text of 6 and one of 3", wrong_words)
    for inputs in ((x.clone().requires_grad_(), weight), (x, weight.clone().requires_grad_())):
        assert mix_neighbours(*inputs, real).requires_grad, \
            "x or weight gets no gradient: was it detached?"


# the layers against torch's

def without_rotation(layer):
    layer.attention.rotary = False
    return layer


def test_encoder_layer_equals_torchs():
    layer = without_rotation(tiny_model(width=12).encoder[0])  # N*K = 12
    layer.neighbours.data.zero_()
    x = randoms(B, S, 12, seed=1)
    mask = reference.padding_mask([S, 3], S)
    real = mask[:, 0, 0]
    torchs = torch_layer(layer)
    padding = dict(src_key_padding_mask=~real)
    expected = torchs(x, **padding)
    torchs.norm_first = False
    norm_last = torchs(x, **padding)
    check(layer(x, mask)[0][real], expected[real], "encoder layer, neighbours and rotation off", {
        "LayerNorm stands after the sublayer: it must stand before (pre-LN)": norm_last[real]})


def test_decoder_layer_equals_torchs():
    layer = without_rotation(tiny_model(width=12).decoder[0])
    x = randoms(B, T, 12, seed=1)
    memory = randoms(B, S, 12, seed=2)
    mask = reference.padding_mask([S, 3], S)
    causal = reference.causal_mask(T)
    torchs = torch_layer(layer)
    future = dict(tgt_mask=~causal)
    padding = dict(memory_key_padding_mask=~mask[:, 0, 0])
    expected = torchs(x, memory, **future, **padding)
    check(layer(x, memory, causal, mask)[0], expected, "decoder layer, rotation off", {
        "the tokens see the future": torchs(x, memory, **padding),
        "cross-attention sees the source's padding": torchs(x, memory, **future)})


def test_feedforward_is_relu_between_two_linear_maps():
    feedforward = FeedForward(D, 7).double()
    x = randoms(B, T, D)
    hidden = feedforward[0](x)
    check(feedforward(x), feedforward[-1](hidden.clamp(min=0)), "FeedForward", {
        "the ReLU is missing": feedforward[-1](hidden)})


# the whole model

@pytest.mark.parametrize("gates_shape", [None, (3,), (B, 3)])
def test_model_equals_the_slow_one_problem_by_problem(gates_shape):
    """Its logits, and the attention probabilities that it hands out; with gates and without."""
    model = tiny_model()
    batch = tiny_batch()
    names = model.attention_layers()
    gates = {}
    if gates_shape:
        gates = {name: randoms(*gates_shape, seed=seed) for seed, name in enumerate(names)}
    attentions = {}
    got = outputs(model, batch, gates=gates, attentions=attentions)
    check(got.shape, (B, T, V), "the logits' shape (B, T, V)")
    for b, (source, target) in enumerate(problems_of(batch)):
        own = {name: gate.expand(B, 3)[b] for name, gate in gates.items()}
        slow = {}
        expected = reference.logits(model, source, target, own, slow)
        check(got[b, :len(target)], expected, f"logits of problem {b}, gates {gates_shape}", {
            f"the gates of {kind} attention are not used":
                reference.logits(model, source, target, own | {(kind, 0): None, (kind, 1): None})
            for kind in KINDS})
        assert attentions.keys() == slow.keys() == names.keys(), "an attention is missing"
        for name, probabilities in slow.items():
            whole = attentions[name][b, :, :probabilities.shape[1]]  # its real queries
            padding = whole.shape[2] - probabilities.shape[2]
            check(whole, F.pad(probabilities, (0, padding)),
                  f"the attention probabilities of {name}, problem {b}")


def test_more_padding_changes_nothing():
    model = tiny_model()
    batch = tiny_batch()
    source = F.pad(batch.source, (0, 1, 0, 3))
    longer = replace(batch, source=source, target=F.pad(batch.target, (0, 2)))
    check(outputs(model, longer)[:, :T], outputs(model, batch),
          "three more padded words, one more padded subword and two more padded tokens")


def test_what_padding_holds_changes_nothing():
    model = tiny_model()
    batch = tiny_batch()
    expected = outputs(model, batch)
    real = batch.target != PAD
    batch.source[1, 3:] = 7
    batch.target[~real] = 4
    check(outputs(model, batch)[real], expected[real], "other words where the source is padding: "
          "is it hidden from attention and from mix_neighbours?")


def test_problems_of_a_batch_do_not_meet():
    model = tiny_model()
    batch = tiny_batch()
    expected = outputs(model, batch)[1]
    batch.source[0] = batch.source[0].flip(0)
    batch.target[0] = batch.target[0].flip(0)
    check(outputs(model, batch)[1], expected, "problem 1 after problem 0 has changed")


def test_future_tokens_have_no_influence():
    model = tiny_model()
    batch = tiny_batch(targets=(5, 5))
    expected = outputs(model, batch)
    for t in range(T):
        changed = batch.target.clone()
        changed[:, t:] = 3 + (changed[:, t:] - 2) % 6
        got = model(batch.source, batch.lengths, changed)
        assert same(got[:, :t + 1], expected[:, :t + 1]), f"the logits up to token {t} change " \
            f"with the tokens from {t} on: the decoder sees what it must predict"
        assert t + 1 == T or not same(got[:, t + 1:], expected[:, t + 1:]), \
            f"what follows must depend on token {t}"


def test_every_word_of_the_source_has_influence():
    model = tiny_model()
    batch = tiny_batch()
    expected = outputs(model, batch)
    for b, s in (batch.source[..., 0] != PAD).nonzero().tolist():
        changed = batch.source.clone()
        changed[b, s] = 3 + (changed[b, s] - 2) % 8
        got = model(changed, batch.lengths, batch.target)
        assert not same(got[b], expected[b]), f"word {s} of problem {b} is not read"


@pytest.mark.parametrize("heads_kept", [None, UNEQUAL])
@pytest.mark.parametrize("gated", [False, True])
def test_cached_steps_equal_the_full_forward(heads_kept, gated):
    model = tiny_model(heads_kept=heads_kept)
    batch = tiny_batch(targets=(5, 5))
    heads = {name: len(attention.heads) for name, attention in model.attention_layers().items()}
    gates = {name: randoms(B, N, seed=3) for name, N in heads.items()} if gated else None
    expected = outputs(model, batch, gates=gates)
    memory, mask = model.encode(batch.source, batch.lengths, gates)
    read = shift_right(batch.target)
    cache = {}
    for t in range(T):
        now = slice(t, t + 1)
        got = model.decode(read[:, now], memory, mask, gates, cache=cache)
        check(got, expected[:, now], f"step {t} with the cache", {
            "the cache is not read: the token sees itself alone":
                model.decode(read[:, now], memory, mask, gates)})
        for name, N in heads.items():
            if name[0] != "encoder":
                size = B, N, t + 1 if name[0] == "decoder" else S, 4
                sizes = [tensor.shape for tensor in cache[name].values()]
                check(sizes, [size] * 2, f"{name}: keys and values in the cache after step {t}")


def test_the_cache_takes_several_tokens_at_a_time():
    model = tiny_model()
    batch = tiny_batch(targets=(5, 5))
    memory, mask = model.encode(batch.source, batch.lengths)
    cache = {}
    parts = [model.decode(tokens, memory, mask, cache=cache)
             for tokens in shift_right(batch.target).split([2, 3], dim=1)]
    check(torch.cat(parts, dim=1), outputs(model, batch),
          "two tokens, then three: they still must not see the future")


def test_several_targets_of_one_text_equal_a_pass_for_each():
    model = tiny_model()
    batch = tiny_batch(targets=(4, 5))
    start = torch.tensor([BOS, BOS, MIRROR, MIRROR])
    targets = torch.cat([batch.target, batch.target.flip(0)])  # (2B, T)
    read = shift_right(targets, start)
    encoded = model.encode(batch.source, batch.lengths)
    passes = [model.decode(rows, *encoded) for rows in read.split(B)]
    got = model(batch.source, batch.lengths, targets, start=start)

    def with_texts(order, start):
        return model(batch.source[order], batch.lengths[order], targets, start=start)

    check(got, torch.cat(passes), "the first targets begin with BOS, the second with MIRROR", {
        "every row begins with BOS: `start` is ignored": with_texts([0, 1, 0, 1], None),
        "the rows are all first targets, then all second ones: repeat, not repeat_interleave":
            with_texts([0, 0, 1, 1], start),
        "rows 2 and 3 read the texts in the wrong order": with_texts([0, 1, 1, 0], start)})


def test_dropout_drops_a_channel_of_a_text_for_all_its_words():
    torch.manual_seed(0)
    x = torch.ones(50, T, 40)  # (B, T, D)
    dropped = ChannelDropout(0.3)(x)
    assert torch.equal(dropped, dropped[:, :1].expand_as(x)), \
        "a channel is dropped for some words and not for others"
    assert not torch.equal(dropped[0], dropped[1]), "each text has channels of its own"
    share = (dropped[:, 0] == 0).float().mean().item()
    assert 0.26 < share < 0.34, f"{share:.2f} of the channels are dropped, not 0.3"
    kept = dropped[dropped > 0]
    check(kept, torch.full_like(kept, 1 / 0.7), "the other channels must grow by 1 / 0.7")
    assert torch.equal(ChannelDropout(0.3).eval()(x), x), "in eval mode nothing is dropped"


def test_a_word_is_the_sum_of_its_subwords():
    model = tiny_model(encoder_layers=0)
    model.encoder_norm = nn.Identity()  # LayerNorm hides the difference between sum and mean
    source = torch.tensor([[[3, 4, PAD], [5, PAD, PAD]]])  # (1, 2, 3)
    words = model.config.embedding_scale * model.source_embedding.weight[3:6]
    got = model.encode(source, torch.tensor([2]))[0][0]  # (2, D)
    check(got, torch.stack([words[0] + words[1], words[2]]), "two words, without any layer", {
        "the mean of the subwords, not their sum":
            torch.stack([(words[0] + words[1]) / 2, words[2]])})


# gates and removal

def test_an_attention_without_gates_is_active():
    model = tiny_model()
    batch = tiny_batch()
    masked = {("cross", 1): torch.tensor([1.0, 0, 1])}
    ones = {name: torch.ones(3) for name in model.attention_layers()}
    expected = outputs(model, batch, gates=ones | masked)
    check(outputs(model, batch, gates=masked), expected, "gates for cross-attention 1 alone")


def test_heads_are_named_by_kind_layer_and_original_index():
    model = smaller_model(tiny_model())
    names = ", ".join(f"{head.kind} {head.layer} {head.index}" for head in model.heads())
    check(names, "encoder 0 0, encoder 0 2, encoder 1 1, decoder 0 2, decoder 1 0, decoder 1 1, "
          "cross 0 0, cross 0 1, cross 0 2, cross 1 1, cross 1 2", "heads() after a removal", {
        "heads keep their original index":
            "encoder 0 0, encoder 0 1, encoder 1 0, decoder 0 0, decoder 1 0, decoder 1 1, "
            "cross 0 0, cross 0 1, cross 0 2, cross 1 0, cross 1 1"})


def test_config_builds_the_smaller_model():
    batch = tiny_batch()
    small = smaller_model(tiny_model())
    built = tiny_model(seed=1, heads_kept=small.heads_kept())
    built.load_state_dict(small.state_dict())
    check(small.heads_kept(), UNEQUAL, "heads_kept() after a removal")
    check(built.heads_kept(), UNEQUAL, "heads_kept() of the model that the config builds")
    check(outputs(built, batch), outputs(small, batch), "the model built from config and weights")


def test_what_no_head_owns_learns_the_same_masked_or_removed():
    model = tiny_model()
    small = smaller_model(model)
    batch = tiny_batch()
    gates = {}
    for name, attention in small.attention_layers().items():
        gates[name] = torch.tensor([head in attention.heads for head in range(3)])
    token_loss(outputs(model, batch, gates=gates), batch.target).backward()
    token_loss(outputs(small, batch), batch.target).backward()
    for name, parameter in small.named_parameters():
        big = model.get_parameter(name)
        if parameter.shape == big.shape:  # no removal has cut it
            check(parameter.grad, big.grad, f"the gradient of {name}, removed against masked")


def test_heads_kept_is_a_copy():
    model = tiny_model()
    model.heads_kept()["encoder"][0].append(9)
    assert model.heads_kept()["encoder"][0] == [0, 1, 2], \
        "heads_kept() hands out the model's own lists"


# training and evaluation

def test_padding_gets_no_gradient():
    model = tiny_model().train()
    batch = tiny_batch()
    batch.source[0, 0, 1] = PAD  # a word of one subword
    token_loss(outputs(model, batch), batch.target, 0.3).backward()
    for name, parameter in model.named_parameters():
        # Without rotation, the key's bias shifts all of a query's scores alike: no effect.
        if not name.endswith("cross.key.bias"):
            assert parameter.grad is not None and parameter.grad.any(), f"{name} gets no gradient"
    for embedding in (model.source_embedding, model.target_embedding):
        assert not embedding.weight.grad[PAD].any(), f"{embedding}: the vector of PAD is trained"


def test_dropout_works_in_training_alone():
    model = tiny_model()
    batch = tiny_batch()
    for training in (False, True):
        model.train(training)
        torch.manual_seed(0)
        equal = torch.equal(outputs(model, batch), outputs(model, batch))
        assert equal != training, \
            "dropout must differ from call to call in train mode, and be off in eval mode"


def test_dropout_stands_before_every_sum():
    """With a dropout of 1 no sublayer adds anything: what came in goes out."""
    model = tiny_model(dropout=1.0).train()
    x = randoms(B, T, D, seed=1)
    memory = randoms(B, S, D, seed=2)
    mask = reference.padding_mask([S, 3], S)
    encoder_layer = model.encoder[0]
    encoder_layer.neighbours.data.zero_()  # neighbours are mixed in without dropout
    got = model.decoder[0](x, memory, reference.causal_mask(T), mask)[0]
    words = memory * mask[:, 0, 0, :, None]  # what stands at padding does not matter: it is 0
    check(encoder_layer(memory, mask)[0], words, "an encoder layer: each sublayer needs dropout")
    check(got, x, "a decoder layer with dropout 1: each sublayer needs its own")


def test_embeddings_start_near_one():
    model = fresh_model(source_tokens=300, target_tokens=250, width=64)
    for embedding in (model.source_embedding, model.target_embedding):
        size = embedding.weight[PAD + 1:].std().item() * model.config.embedding_scale
        assert 0.9 < size < 1.1, f"what the first layer reads has the size {size:.2f}, not about 1"
        assert not embedding.weight[PAD].any(), "the vector of PAD must be 0"


def test_a_new_model_mixes_no_neighbours_yet():
    assert not any(layer.neighbours.any() for layer in fresh_model().encoder)
