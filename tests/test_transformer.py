"""The model's promises: its parts equal torch's, padding counts nowhere, no token sees the future, the cache and
the removal of heads change nothing but the cost."""
import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import reference
from checks import check, same
from reference import problems_of, randoms, tiny_batch, tiny_model
from tinyprune import BOS, MIRROR, PAD
from tinyprune.transformer import (KINDS, ChannelDropout, Config, DecoderLayer, EncoderLayer, FeedForward, Transformer,
                                   mix_neighbours, shift_right, token_loss)

B, S, T, D, V = 2, 6, 5, 10, 9
UNEQUAL = {"encoder": [[0, 2], [1]], "decoder": [[2], [0, 1]], "cross": [[0, 1, 2], [1, 2]]}


def smaller_model(model, heads_kept):
    """A copy that has these heads alone."""
    small = copy.deepcopy(model)
    for (kind, layer), attention in small.attentions().items():
        attention.keep(heads_kept[kind][layer])
    return small


def outputs(model, batch, **more):
    return model(batch.source, batch.lengths, batch.target, **more)


# the target, one step later, and its loss

def test_decoder_input_is_the_target_one_step_later():
    target = torch.tensor([[5, 6, 7, PAD], [8, 3, PAD, PAD]])
    check(shift_right(target), torch.tensor([[BOS, 5, 6, 7], [BOS, 8, 3, PAD]]), "shift_right([[5, 6, 7, 0], ...])", {
        "the decoder reads the very token it must predict: loss goes to 0 and decoding fails": target,
        "shifted to the left: the decoder reads the token after the one it must predict":
            torch.tensor([[6, 7, PAD, PAD], [3, PAD, PAD, PAD]]),
        "the last token went round to the front: BOS stands there": target.roll(1, dims=1),
        "BOS is put before, but the last token is not dropped: the length must stay":
            torch.cat([torch.full((2, 1), BOS), target], dim=1),
        "the row must begin with BOS, not with PAD": torch.tensor([[PAD, 5, 6, 7], [PAD, 8, 3, PAD]])})
    assert target[0, 0] == 5, "shift_right changed its input in place"
    check(shift_right(target, torch.tensor([MIRROR, BOS])), torch.tensor([[MIRROR, 5, 6, 7], [BOS, 8, 3, PAD]]),
          "shift_right with start tokens", {"every row begins with BOS: `start` is ignored": shift_right(target)})


def loss_inputs():
    return 2 * randoms(3, T, V, seed=1), torch.tensor([[5, 6, 7, 3, 8], [8, 3, PAD, PAD, PAD], [4, 5, 1, PAD, PAD]])


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_loss_counts_real_tokens_only(smoothing):
    logits, target = loss_inputs()
    more = dict(label_smoothing=smoothing)
    each = F.cross_entropy(logits.transpose(1, 2), target, ignore_index=PAD, reduction="none", **more)  # (B, T)
    real = target != PAD
    log_probability = logits[real].log_softmax(-1)
    right = log_probability.gather(1, target[real][:, None])[:, 0]
    others = (log_probability.sum(-1) - right) / (V - 1)
    check(token_loss(logits, target, smoothing), F.cross_entropy(logits[real], target[real], **more),
          f"token_loss over 10 real tokens of 15, smoothing {smoothing}", {
        "padding is counted in the loss": F.cross_entropy(logits.flatten(0, 1), target.flatten(), **more),
        "padding is left out of the sum but counted in the mean": each.sum() / target.numel(),
        "a mean of means: short equations weigh more than long ones; divide once by all real tokens":
            (each.sum(1) / real.sum(1)).mean(),
        "summed over the tokens, not averaged": each.sum(),
        "summed over each problem's tokens: divide by all real tokens": each.sum(1).mean(),
        "the smoothing is ignored": F.cross_entropy(logits[real], target[real]),
        "the smoothing is spread over the wrong tokens only: it goes evenly to all V":
            -((1 - smoothing) * right + smoothing * others).mean(),
        "the smoothed share is summed over the vocabulary, not averaged":
            -((1 - smoothing) * right + smoothing * log_probability.sum(-1)).mean(),
        "padding is counted in the smoothed share alone":
            -(1 - smoothing) * right.mean() - smoothing * logits.log_softmax(-1).mean(),
        "the sign is wrong": -F.cross_entropy(logits[real], target[real], **more)})


def test_loss_gives_padding_no_gradient():
    logits, target = loss_inputs()
    logits.requires_grad_()
    gradient, = torch.autograd.grad(token_loss(logits, target, 0.3), logits)
    expected, = torch.autograd.grad(
        F.cross_entropy(logits.transpose(1, 2), target, ignore_index=PAD, label_smoothing=0.3), logits)
    check(gradient, expected, "the gradient of the logits")
    assert not gradient[target == PAD].any(), "logits at padding get a gradient"


# neighbours

def neighbours_inputs():
    return randoms(B, S, D, seed=1), randoms(3, D, seed=2), torch.tensor([[1] * 6, [1] * 3 + [0] * 3])[..., None]


def test_neighbours_are_left_self_and_right():
    x, weight, real = neighbours_inputs()
    before, words = x.clone(), x * real
    left, right = words.roll(1, dims=1), words.roll(-1, dims=1)
    got = mix_neighbours(x, weight, real)
    assert torch.equal(x, before), "mix_neighbours changed its input in place"
    check(got, reference.mix_neighbours(x, weight, real), "mix_neighbours of a text of 6 and one of 3", {
        "the text is a ring: the first word's left neighbour is the last word":
            left * weight[0] + words * weight[1] + right * weight[2],
        "left and right are exchanged: weight[0] belongs to the word before":
            reference.mix_neighbours(x, weight.flip(0), real),
        "padding is mixed in: the last word's right neighbour must count as nothing":
            reference.mix_neighbours(x, weight, torch.ones_like(real)),
        "the word itself is missing": reference.mix_neighbours(x, weight, real) - words * weight[1],
        "the channels are mixed: each has weights of its own":
            lambda: reference.mix_neighbours(x, weight.mean(1, keepdim=True).expand(3, D), real)})


def test_neighbours_equal_torchs_depthwise_convolution():
    x, weight, real = neighbours_inputs()
    expected = F.conv1d((x * real).transpose(1, 2), weight.T[:, None], padding=1, groups=D).transpose(1, 2)
    check(mix_neighbours(x, weight, real), expected, "mix_neighbours against conv1d(groups=D)")


def test_neighbours_ignore_what_padding_holds():
    x, weight, real = neighbours_inputs()
    other = torch.where(real.bool(), x, torch.tensor(55.0, dtype=x.dtype))
    assert same(mix_neighbours(other, weight, real)[1, :3], mix_neighbours(x, weight, real)[1, :3]), \
        "the last word's right neighbour is padding: what padding holds must count as nothing"


# the layers against torch's

def copy_attention(ours, theirs):
    theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
    theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]))
    theirs.out_proj.load_state_dict(ours.output.state_dict())


def layer_pair(ours, theirs, names):
    """Our layer with random weights and no rotation, and torch's pre-norm layer with the same ones."""
    layer = ours(Config(11, V, width=12, heads=3, head_width=4, feedforward=7, dropout=0.0), 0).double()
    other = theirs(12, 3, dim_feedforward=7, dropout=0.0, norm_first=True, batch_first=True, dtype=torch.double)
    with torch.no_grad():
        for seed, (name, parameter) in enumerate(layer.named_parameters()):
            if name != "neighbours":
                parameter.copy_(0.5 * randoms(*parameter.shape, seed=seed))
        for mine, its in names.items():
            other.get_submodule(its).load_state_dict(layer.get_submodule(mine).state_dict())
        other.linear1.load_state_dict(layer.feedforward[0].state_dict())
        other.linear2.load_state_dict(layer.feedforward[2].state_dict())
        copy_attention(layer.attention, other.self_attn)
        if ours is DecoderLayer:
            copy_attention(layer.cross, other.multihead_attn)
    layer.attention.rotary = False
    return layer, other


def test_encoder_layer_equals_torchs():
    layer, other = layer_pair(EncoderLayer, nn.TransformerEncoderLayer,
                              {"attention_norm": "norm1", "feedforward_norm": "norm2"})
    x, mask = randoms(B, S, 12, seed=1), reference.padding_mask([S, 3], S)
    real = mask[:, 0, 0]
    check(layer(x, mask)[0][real], other(x, src_key_padding_mask=~real)[real],
          "encoder layer, neighbours and rotation off", {
        "LayerNorm stands after the sublayer: it must stand before (pre-LN)": lambda: post_norm(other, x, real)[real]})


def post_norm(other, x, real):
    other.norm_first = False
    return other(x, src_key_padding_mask=~real)


def test_decoder_layer_equals_torchs():
    layer, other = layer_pair(DecoderLayer, nn.TransformerDecoderLayer,
                              {"attention_norm": "norm1", "cross_norm": "norm2", "feedforward_norm": "norm3"})
    x, memory, mask = randoms(B, T, 12, seed=1), randoms(B, S, 12, seed=2), reference.padding_mask([S, 3], S)
    causal = reference.causal_mask(T)
    check(layer(x, memory, causal, mask)[0],
          other(x, memory, tgt_mask=~causal, memory_key_padding_mask=~mask[:, 0, 0]),
          "decoder layer, rotation off", {
        "the tokens see the future": other(x, memory, memory_key_padding_mask=~mask[:, 0, 0]),
        "cross-attention sees the source's padding": other(x, memory, tgt_mask=~causal)})


def test_feedforward_is_relu_between_two_linear_maps():
    feedforward, x = FeedForward(D, 7).double(), randoms(B, T, D)
    first, second = feedforward[0], feedforward[-1]
    check(feedforward(x), second(first(x).clamp(min=0)), "FeedForward", {
        "the ReLU is missing": second(first(x))})


# the whole model

def test_model_equals_the_slow_one_problem_by_problem():
    model, batch = tiny_model(), tiny_batch()
    record = {}
    got = outputs(model, batch, record=record)
    assert got.shape == (B, T, V), f"expected logits (B, T, V) = {(B, T, V)}, got {tuple(got.shape)}"
    for b, (source, target) in enumerate(problems_of(batch)):
        slow = {}
        check(got[b, :len(target)], reference.logits(model, source, target, record=slow), f"logits of problem {b}")
        for name, expected in slow.items():
            _, rows, columns = expected.shape
            check(record[name][b, :, :rows, :columns], expected, f"{name}, problem {b}: the record")


def test_more_padding_changes_nothing():
    model, batch = tiny_model(), tiny_batch()
    expected = outputs(model, batch)
    longer = replace(batch, source=F.pad(batch.source, (0, 3)), target=F.pad(batch.target, (0, 2)))
    check(outputs(model, longer)[:, :T], expected, "three more padded words and two more padded tokens")


def test_what_padding_holds_changes_nothing():
    model, batch = tiny_model(), tiny_batch()
    expected = outputs(model, batch)
    real = batch.target != PAD
    batch.source[1, 3:], batch.target[~real] = 7, 4
    check(outputs(model, batch)[real], expected[real], "other words where the source is padding: is it hidden "
          "from attention and from mix_neighbours?")


def test_problems_of_a_batch_do_not_meet():
    model, batch = tiny_model(), tiny_batch()
    expected = outputs(model, batch)
    batch.source[0] = batch.source[0].flip(0)
    batch.target[0] = batch.target[0].flip(0)
    check(outputs(model, batch)[1], expected[1], "problem 1 after problem 0 has changed")


def test_future_tokens_have_no_influence():
    model, batch = tiny_model(), tiny_batch(targets=(5, 5))
    expected = outputs(model, batch)
    for t in range(T):
        changed = batch.target.clone()
        changed[:, t:] = 3 + (changed[:, t:] - 2) % 6
        got = model(batch.source, batch.lengths, changed)
        assert same(got[:, :t + 1], expected[:, :t + 1]), \
            f"the logits up to token {t} change with the tokens from {t} on: the decoder sees what it must predict"
        if t + 1 < T:
            assert not same(got[:, t + 1:], expected[:, t + 1:]), f"what follows must depend on token {t}"


def test_every_word_of_the_source_has_influence():
    model, batch = tiny_model(), tiny_batch()
    expected = outputs(model, batch)
    for b, s in [(b, s) for b in range(B) for s in range(batch.lengths[b])]:
        changed = batch.source.clone()
        changed[b, s] = 3 + (changed[b, s] - 2) % 8
        got = model(changed, batch.lengths, batch.target)
        assert not same(got[b], expected[b]), f"word {s} of problem {b} is not read"


@pytest.mark.parametrize("heads_kept", [None, UNEQUAL])
@pytest.mark.parametrize("gated", [False, True])
def test_cached_steps_equal_the_full_forward(heads_kept, gated):
    model, batch = tiny_model(), tiny_batch(targets=(5, 5))
    if heads_kept:
        model = smaller_model(model, heads_kept)
    gates = {name: randoms(B, len(a.heads), seed=3) for name, a in model.attentions().items()} if gated else None
    expected = outputs(model, batch, gates=gates)
    memory, mask = model.encode(batch.source, batch.lengths, gates)
    read, cache = shift_right(batch.target), {}
    for t in range(T):
        got = model.decode(read[:, t:t + 1], memory, mask, gates, cache=cache)
        check(got, expected[:, t:t + 1], f"step {t} with the cache", {
            "the new token's position restarts at 0": lambda: model.decode(read[:, t:t + 1], memory, mask, gates)})
        for name, a in model.attentions().items():
            if name[0] != "encoder":
                size = (B, len(a.heads), t + 1 if name[0] == "decoder" else S, 4)
                assert cache[name]["key"].shape == cache[name]["value"].shape == size, \
                    f"{name}: after step {t} the cache should be {size}, is {tuple(cache[name]['key'].shape)}"


def test_the_cache_takes_several_tokens_at_a_time():
    model, batch = tiny_model(), tiny_batch(targets=(5, 5))
    memory, mask = model.encode(batch.source, batch.lengths)
    read, cache = shift_right(batch.target), {}
    parts = [model.decode(tokens, memory, mask, cache=cache) for tokens in read.split([2, 3], dim=1)]
    check(torch.cat(parts, dim=1), outputs(model, batch), "two tokens, then three: they still must not see the future")


def test_record_names_every_attention():
    model, batch = tiny_model(), tiny_batch()
    record = {}
    outputs(model, batch, record=record)
    size = {"encoder": (B, 3, S, S), "decoder": (B, 3, T, T), "cross": (B, 3, T, S)}
    assert set(record) == set(model.attentions()) == {(kind, layer) for kind in KINDS for layer in range(2)}
    for name, probabilities in record.items():
        assert probabilities.shape == size[name[0]], \
            f"{name}: expected {size[name[0]]}, got {tuple(probabilities.shape)}"
        real = (batch.source[..., 0] if name[0] == "encoder" else batch.target) != PAD
        check(probabilities.sum(-1).transpose(1, 2)[real], torch.ones(int(real.sum()), 3, dtype=torch.double),
              f"{name}: each query spreads 1 over its keys")


def test_several_targets_of_one_text_are_predicted_as_if_each_had_it_alone():
    model, batch = tiny_model(), tiny_batch(targets=(4, 5))
    others = batch.target.flip(0)
    start = torch.tensor([BOS, BOS, MIRROR, MIRROR])
    together = model(batch.source, batch.lengths, torch.cat([batch.target, others]), start=start)
    check(together[:2], outputs(model, batch), "the first targets, which begin with BOS")
    check(together[2:], model(batch.source, batch.lengths, others, start=start[2:]), "the second, with MIRROR", {
        "every row begins with BOS: `start` is ignored": lambda: model(batch.source, batch.lengths, others),
        "rows 2 and 3 read the texts in the wrong order": lambda: model(
            batch.source.flip(0), batch.lengths.flip(0), others, start=start[2:])})


def test_dropout_drops_a_channel_of_a_text_for_all_its_words():
    torch.manual_seed(0)
    dropped = ChannelDropout(0.3)(torch.ones(50, T, 40))  # (B, T, D)
    for b, d in ((0, 0), (1, 7), (49, 39)):
        assert len(dropped[b, :, d].unique()) == 1, "a channel is dropped for some words and not for others"
    assert not torch.equal(dropped[0], dropped[1]), "each text has channels of its own"
    share = (dropped[:, 0] == 0).float().mean().item()
    assert 0.26 < share < 0.34 and torch.allclose(dropped[dropped > 0], torch.tensor(1 / 0.7)), \
        f"{share:.2f} of the channels are dropped, not 0.3; the others must grow by 1 / 0.7"
    x = torch.ones(2, T, 40)
    assert torch.equal(ChannelDropout(0.3).eval()(x), x), "nothing is dropped when the model is asked"


def test_a_word_is_the_sum_of_its_pieces():
    model = tiny_model(encoder_layers=0, dropout=0.0)
    source = torch.tensor([[[3, 4, PAD], [5, PAD, PAD]]])  # (1, 2, 3)
    table = model.source_embedding.weight
    words = torch.stack([table[3] + table[4], table[5]])[None] * model.config.gain
    check(model.encode(source, torch.tensor([2]))[0], reference.layer_norm(model.encoder_norm, words), "two words", {
        "the mean of the pieces, not their sum": lambda: reference.layer_norm(
            model.encoder_norm, torch.stack([(table[3] + table[4]) / 2, table[5]])[None] * model.config.gain)})


# gates and removal

@pytest.mark.parametrize("per_problem", [False, True])
def test_gates_reach_every_attention(per_problem):
    model, batch = tiny_model(), tiny_batch()
    gates = {name: randoms(*(B, 3) if per_problem else (3,), seed=place)
             for place, name in enumerate(model.attentions())}
    everything = outputs(model, batch)
    for name in gates:
        alone = outputs(model, batch, gates={name: gates[name]})
        assert not same(alone, everything), f"the gates of {name} are not used"
    got = outputs(model, batch, gates=gates)
    for b, (source, target) in enumerate(problems_of(batch)):
        own = {name: gate[b] if per_problem else gate for name, gate in gates.items()}
        check(got[b, :len(target)], reference.logits(model, source, target, own), f"problem {b} with gates")


def test_an_attention_without_gates_is_open():
    model, batch = tiny_model(), tiny_batch()
    closed = torch.tensor([1.0, 0, 1])
    full = {name: torch.ones(3) for name in model.attentions()} | {("cross", 1): closed}
    check(outputs(model, batch, gates={("cross", 1): closed}), outputs(model, batch, gates=full), "gates for one alone")


def test_removed_model_equals_masked_model():
    model, batch = tiny_model(), tiny_batch()
    gates = {(kind, layer): torch.tensor([float(head in UNEQUAL[kind][layer]) for head in range(3)])
             for kind, layer in model.attentions()}
    small = smaller_model(model, UNEQUAL)
    check(outputs(small, batch), outputs(model, batch, gates=gates), "heads removed from all three kinds")
    check(small.heads_kept(), UNEQUAL, "heads_kept() after removal")
    for gate, part in ((gates, model), (None, small)):
        token_loss(outputs(part, batch, gates=gate), batch.target).backward()
    for name, parameter in small.named_parameters():
        big = model.get_parameter(name)
        if parameter.shape == big.shape:  # what no removal has cut
            check(parameter.grad, big.grad, f"the gradient of {name}, removed against masked")


def test_config_builds_the_smaller_model():
    model, batch = tiny_model(), tiny_batch()
    small = smaller_model(model, UNEQUAL)
    built = Transformer(replace(model.config, heads_kept=UNEQUAL)).double().eval()
    built.load_state_dict(small.state_dict())
    assert built.heads_kept() == UNEQUAL, "the heads' original indices were lost"
    check(outputs(built, batch), outputs(small, batch), "the model rebuilt from config and state dict")


def test_heads_kept_is_a_copy():
    model = tiny_model()
    model.heads_kept()["encoder"][0].append(9)
    assert model.attentions()["encoder", 0].heads == [0, 1, 2], "heads_kept() hands out the model's own lists"


# training and evaluation

def test_padding_gets_no_gradient():
    model, batch = tiny_model().train(), tiny_batch()
    token_loss(outputs(model, batch), batch.target, 0.3).backward()
    for name in ("source_embedding", "target_embedding"):
        assert not model.get_submodule(name).weight.grad[PAD].any(), f"{name}: the vector of PAD is trained"
    for name, parameter in model.named_parameters():
        if not name.endswith("cross.key.bias"):  # without rotation it shifts all of a query's scores alike: no effect
            assert parameter.grad is not None and parameter.grad.any(), f"{name} gets no gradient"


def test_dropout_works_in_training_alone():
    model, batch = tiny_model(), tiny_batch()
    assert torch.equal(outputs(model, batch), outputs(model, batch)), "in eval mode two calls must give the same"
    model.train()
    torch.manual_seed(0)
    assert not same(outputs(model, batch), outputs(model, batch)), "in train mode dropout must differ from call to call"


def test_dropout_stands_before_every_sum():
    """With a dropout of 1 no sublayer adds anything: what came in goes out."""
    model = tiny_model(dropout=1.0).train()
    x, memory, mask = randoms(B, T, D, seed=1), randoms(B, S, D, seed=2), reference.padding_mask([S, 3], S)
    model.encoder[0].neighbours.data.zero_()  # the neighbours are mixed in without dropout
    check(model.encoder[0](memory, mask)[0], memory, "an encoder layer with dropout 1: each sublayer needs its own")
    check(model.decoder[0](x, memory, reference.causal_mask(T), mask)[0], x,
          "a decoder layer with dropout 1: each sublayer needs its own")


def test_embeddings_start_near_one():
    torch.manual_seed(0)
    model = Transformer(Config(source_tokens=300, target_tokens=250, width=64))
    for embedding in (model.source_embedding, model.target_embedding):
        size = embedding.weight[PAD + 1:].std().item() * model.config.gain
        assert 0.9 < size < 1.1, f"what the first layer reads has the size {size:.2f}, expected about 1"
        assert not embedding.weight[PAD].any(), "the vector of PAD must be 0"


def test_a_new_model_mixes_no_neighbours_yet():
    model = Transformer(Config(11, V, width=D))
    assert all(not layer.neighbours.any() for layer in model.encoder)
