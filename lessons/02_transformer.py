# %% [markdown]
r"""
# 02 The transformer: why does a model with the lower loss know nothing?

Four small transformers learn to write six digits in reverse. One is right; in each of the others a single line is
wrong. Two of the broken ones end with a loss as low as the right one's, or lower, and cannot reverse anything. This
lesson shows how that comes about, how to catch it, and what else a transformer is made of: the residual stream,
positions that turn, a mix of neighbours, and a cache that makes writing cheap.

You need lesson 01. About 40 minutes to read, under a minute to run, two hours for the exercises.

Ours differs from Vaswani et al. 2017: LayerNorm stands *before* each sublayer (pre-LN), positions are rotary, an
encoder layer mixes neighbours before it attends, a word may be the sum of several pieces (lesson 03; a digit has one),
and there is no end token: an equation in prefix order says itself when it is complete (lesson 03 again). For the digits
we simply know the length, six.

## Who reads, and who writes

Every word, or token, is a vector of D entries, its *channels*; an **embedding** is a table that has one vector for each
word. The **encoder** reads: by self-attention each word of the source looks at all the others, layer by layer, and
what comes out is one vector a word, the *memory*. The **decoder** writes, one token at a time. In each of its layers a
token looks at the tokens written so far (self-attention with the causal mask of lesson 01) and then at the memory:
**cross-attention**, where the query is made of the token, keys and values of the words. After attention, which carries
things from one word to another, each layer has a *feed-forward* network, which works on what has arrived, for every
word alone: a matrix, a ReLU, a matrix.

At the end stand V numbers for each step, one for each token that could come next: the **logits**. Softmax makes
probabilities of them. The loss (`token_loss`) is the mean over all steps of -log of the probability that the right
token got, the cross-entropy: log V for a model that knows nothing, 0 for one that is right and certain.

In training all steps run at once: at each one the decoder is given the right tokens before it, one step late
(`shift_right`), whatever it would have written itself. When the model is used, it reads what it wrote.
"""

# %% 2.1 One right model, three broken ones
import math
from unittest.mock import patch

import torch
from torch import nn

import tinyprune.attention
import tinyprune.transformer
from tinyprune import BOS, figures, recipe
from tinyprune.attention import causal_mask, rotate
from tinyprune.transformer import Config, EncoderLayer, Transformer, mix_neighbours, shift_right, token_loss

args = recipe.options()
torch.set_num_threads(1)  # tensors as small as these are not worth sharing out
DIGITS, FIRST_DIGIT = 6, BOS + 1  # ids 3 to 12 are the digits 0 to 9
VARIANTS = "right", "no positions", "no causal mask", "input not shifted"


def digits(problems, seed):
    """-> source (B, 7, 1), words of one piece: BOS, six digits; lengths (B,); target (B, 6): the digits in reverse."""
    drawn = torch.randint(FIRST_DIGIT, FIRST_DIGIT + 10, (problems, DIGITS),
                          generator=torch.Generator().manual_seed(seed))
    source = torch.cat([torch.full((problems, 1), BOS), drawn], dim=1)  # (B, 7): a place to count from
    return source[..., None], torch.full((problems,), DIGITS + 1), drawn.flip(1)


def see_everything(queries, start=0, device=None):
    return torch.ones(queries, start + queries, dtype=torch.bool)


def build(variant):
    torch.manual_seed(args.seed)
    model = Transformer(Config(source_tokens=13, target_tokens=13, width=32, heads=2, head_width=16, encoder_layers=1,
                               decoder_layers=1, feedforward=64, dropout=0.0))
    if variant == "no positions":
        for attention in model.attentions().values():
            attention.rotary = False
        model.encoder[0].neighbours.requires_grad_(False)  # stays 0: no neighbours either
    return model


def predict(model, variant, source, lengths, target):
    """-> logits (B, 6, V), each token predicted from what the variant lets the decoder read."""
    read = target if variant == "input not shifted" else shift_right(target)  # (B, 6)
    mask = see_everything if variant == "no causal mask" else causal_mask
    with patch.object(tinyprune.transformer, "causal_mask", mask):
        return model.decode(read, *model.encode(source, lengths))


def learn(variant, steps=500):
    """-> a trained model, [(step, loss)]"""
    model, losses = build(variant), []
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=steps)
    for step in range(steps):
        source, lengths, target = digits(64, seed=1000 * args.seed + step)
        loss = token_loss(predict(model, variant, source, lengths, target), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return model.eval(), [(step, sum(losses[step - 20:step]) / 20) for step in range(20, steps + 1, 20)]


@torch.no_grad()
def write(model, source, lengths):
    """Token by token, as in real use: each step reads what the model itself has written. -> (B, 6)"""
    memory, memory_mask = model.encode(source, lengths)
    written = torch.full((len(source), 1), BOS)  # (B, 1)
    for _ in range(DIGITS):
        token = model.decode(written, memory, memory_mask)[:, -1].argmax(dim=-1)  # (B,)
        written = torch.cat((written, token.unsqueeze(1)), dim=1)  # (B, steps + 1)
    return written[:, 1:]


# %% [markdown]
r"""
`build`, `predict` and `learn` are the whole experiment; a variant is one `if`. The loss is measured on new digits, in
the same way as in training. The accuracy is measured as the model will be used: it writes six digits, each step
reading what it wrote before, and all six must be right. Guess which loss is the lowest, then which accuracy is 0.
"""

# %% 2.2 The loss, and what the model can do
figures.heading("2.2 Reverse six digits: four trainings, some 5 seconds each")
models, curves = {}, {}
for variant in VARIANTS:
    models[variant], curves[variant] = learn(variant)
fresh = digits(500, seed=10 ** 6)
rows = []
for variant, model in models.items():
    with torch.no_grad():
        loss = token_loss(predict(model, variant, *fresh), fresh[2]).item()
    right = (write(model, *fresh[:2]) == fresh[2]).all(dim=1).float().mean().item()  # all six: (B, 6) -> (B,)
    rows.append((variant, f"{loss:.4f}", f"{right:.1%}"))
figures.table(rows, ["model", "loss", "written right"])
print(f"  a guess among ten digits: loss {math.log(10):.2f}")
figures.curves(curves, "step", "loss", "02_losses")

# %% [markdown]
r"""
Without positions, the model knows which digits there are and not where they stand: its loss is high, and honest.

The two others have found something better than reversing. Without the causal mask the decoder reads, while it predicts
a digit, that same digit one place further on in its own input; without the shift it stands right there. Copying costs
nothing to learn, and the loss goes to 0. When the model has to write, the future is not there to be copied.

So: **a loss is worth what its inputs are worth**. Two habits follow. Measure what the model will be used for. And
test for the leak itself: change a target token and see whether a prediction moves that must not know it.
"""

# %% 2.3 A leak, caught in one line
figures.heading("2.3 Change the target at place 3, counted from 0: which predictions move?")
source, lengths, target = (part[:1] for part in fresh)
other = target.clone()
other[0, 3] = FIRST_DIGIT + (other[0, 3] - FIRST_DIGIT + 5) % 10
rows = []
for variant, model in models.items():
    with torch.no_grad():
        moved = predict(model, variant, source, lengths, target) - predict(model, variant, source, lengths, other)
    rows.append((variant, *moved[0].abs().amax(dim=-1).tolist()))  # (1, 6, V) -> (6,)
figures.table(rows, ["prediction at place", *"012345"])
assert max(rows[0][1:5]) == 0, "the right model may learn of place 3 only when it predicts place 4"

# %% [markdown]
r"""
The right model moves from place 4 on: when it predicts place 3 it has not read it. Anything else in columns 0 to 3 is
a leak. The test takes one problem, no training, and is worth more than any loss curve.

What did the right model learn? Its cross-attention says so: each row is a digit being written, each column a token of
the source. What pattern do you expect?
"""

# %% 2.4 Where it looks while it writes
record = {}
figures.heading("2.4 The right model's cross-attention, both heads' mean")
with torch.no_grad():
    memory, memory_mask = models["right"].encode(source, lengths)
    models["right"].decode(shift_right(target), memory, memory_mask, record=record)
looks = record["cross", 0][0].mean(dim=0)  # (B, N, T, S) -> (T, S)
figures.matrix(looks.tolist(), [f"writes {token - FIRST_DIGIT}" for token in target[0].tolist()],
               ["BOS", *(str(token - FIRST_DIGIT) for token in source[0, 1:, 0].tolist())], "02_cross_attention")

# %% [markdown]
r"""
## The residual stream

A layer never replaces what a word carries, it adds to it:

    x = x + attention(norm(x))
    x = x + feedforward(norm(x))

Read `x` as a stream that flows from the embedding to the classifier; every sublayer reads from it and adds its own.
That is one more reason why a head can be taken out: the stream flows on without it. The norm, LayerNorm, brings the D
entries of each word to mean 0 and variance 1 and then gives every channel a learned scale and shift, so that a sublayer
always reads numbers of like size. And it matters *where* it stands. Vaswani et al. have norm(x + f(x)): the norm is in
the stream, and whatever flows there, words forward and gradients backward, is rescaled at every layer. Ours stands in
the branch, and the stream is left alone. Below, both, as stacks of feed-forward sublayers with random weights. Guess at
32 layers: how much of the word is left at the end (the cosine of the two), and how much gradient reaches the first
layer, compared with the last?
"""

# %% 2.5 Before or after
figures.heading("2.5 After f, norm(x + f(x)), or before it, x + f(norm(x)), untrained")


def stack(depth, pre, width=64):
    """-> how much of the input is left in the output, and the first layer's gradient over the last one's."""
    torch.manual_seed(0)
    inner, outer = ([nn.Linear(width, width) for _ in range(depth)] for _ in range(2))
    for layer in inner + outer:
        nn.init.xavier_normal_(layer.weight)
    word, norm = torch.randn(64, width), nn.LayerNorm(width)  # (B, D)
    x = word
    for into, out in zip(inner, outer):
        x = x + out(into(norm(x)).relu()) if pre else norm(x + out(into(x).relu()))
    norm(x)[:, 0].sum().backward()
    left = torch.cosine_similarity(word, x, dim=1).mean().item()
    return left, (outer[0].weight.grad.norm() / outer[-1].weight.grad.norm()).item()


figures.table([(depth, *stack(depth, pre=False), *stack(depth, pre=True)) for depth in (2, 8, 32)],
              ["layers", "after: word left", "gradient", "before: word left", "gradient"])

# %% [markdown]
r"""
With the norm in the stream a deep stack forgets its word, and its first layers hear little of the loss; the original
needed a long warm-up to be trained at all. (It can be done: the paper's RoBERTa is of that kind.)

## Positions that turn

Lesson 01 ended with a bag of words. Rotary positions (Su et al. 2021) turn every query and key by an angle: entry pair
by entry pair, by its position times the pair's speed. Turned by p and by q, two vectors meet at an angle that has
changed by p - q: a score depends on the two vectors and on how many places to the left or right one stands of the
other, and not on where they stand. With one pair one can do it by hand; take the score of (1, 0) with itself at
distance 3. Then the library, with 16 pairs of different speeds: will the score fall with distance?
"""

# %% 2.6 Score against distance
figures.heading("2.6 A query and an equal key, some places apart")
by_hand = [math.cos(p) * math.cos(p + 3) + math.sin(p) * math.sin(p + 3) for p in (0, 10, 100)]
print("  one pair, distance 3, from places 0, 10 and 100: " + ", ".join(f"{score:.4f}" for score in by_hand))
same = torch.ones(1, 1, 41, 32, dtype=torch.double) / 32 ** 0.5  # (B=1, N=1, T=41, K=32), each of length 1


def turned_scores(start):
    turned = rotate(same, start)[0, 0]  # (T, K)
    return turned @ turned[0]  # (T,): every place against the first


curve = turned_scores(0)
one_pair = rotate(torch.tensor([1., 0]).double().expand(1, 1, 4, 2))[0, 0]  # (1, 1, T=4, K=2) -> (T, K)
assert abs(one_pair[3] @ one_pair[0] - by_hand[0]) < 1e-12 and torch.allclose(curve, turned_scores(1000))
print(f"  16 pairs, from place 0 and from place 1000: at most {(curve - turned_scores(1000)).abs().max():.1e} apart")
figures.curves({"score": list(enumerate(curve.tolist()))}, "distance", "score", "02_rotary")

# %% [markdown]
r"""
It falls, but in waves: the fast pairs come round again. They tell neighbours apart, slow ones near from far. Nothing is
learned, nothing is added to the stream, and no text is too long to have positions. In cross-attention there is no
rotation: the third token of an equation has no business with the third word of a problem.

## Neighbours

"5 more than", "5 fewer than": in word problems the words beside a number decide. So an encoder layer first adds to
every word its left neighbour, itself and its right neighbour, each times a weight, which every channel has for itself.
At first all are 0, so a new model mixes nothing. It is the one sublayer without a norm. (The layer multiplies them by
the config's `gain`, as it does the embeddings; lesson 05 says why.)
"""

# %% 2.7 Mixing neighbours
figures.heading("2.7 Left x 10 + itself x 1 + right x 100, over 1 2 3 4 and two paddings")
channel = torch.tensor([1., 2, 3, 4, 7, 7])  # (S,): what padding holds must not matter
real = torch.tensor([1., 1, 1, 1, 0, 0])  # (S,)
by_hand = [10 * (p > 0 and channel[p - 1] * real[p - 1]) + channel[p] * real[p]
           + 100 * (p < 5 and channel[p + 1] * real[p + 1]) for p in range(6)]
mixed = mix_neighbours(channel[None, :, None], torch.tensor([[10.], [1], [100]]), real[None, :, None])  # (1, S, 1)
print("  " + "  ".join(f"{value:.0f}" for value in mixed[0, :, 0].tolist()))
assert mixed[0, :, 0].tolist() == [float(value) for value in by_hand]

# %% [markdown]
r"""
## The cache

To write token 6 one needs the keys and values of tokens 1 to 5, and they have not changed since they were computed:
the mask forbids the past to look at the future. So keep them. `write` above computes 1 + 2 + … + 6 rows, a cache 6.
One thing can go wrong: the new token comes alone, and must be told at which place it stands. What happens if every
step thinks that it is the first?
"""

# %% 2.8 Step by step = all at once
figures.heading("2.8 Six tokens one by one with a cache, against all at once")
model, read = models["right"], shift_right(fresh[2])


@torch.no_grad()
def step_by_step():
    memory, memory_mask = model.encode(*fresh[:2])
    cache = {}
    return torch.cat([model.decode(read[:, t:t + 1], memory, memory_mask, cache=cache) for t in range(DIGITS)], dim=1)


with torch.no_grad():
    at_once = model.decode(read, *model.encode(*fresh[:2]))  # (B, 6, V)
cached = step_by_step()  # (B, 6, V)
with patch.object(tinyprune.attention, "rotate", lambda x, start=0: rotate(x)):
    restarted = step_by_step()
for name, logits in (("cache", cached), ("cache, every step at place 0", restarted)):
    agree = (logits.argmax(dim=-1) == at_once.argmax(dim=-1)).float().mean().item()
    print(f"  {name:28}  logits differ by {(logits - at_once).abs().max():.1e}, same digit {agree:.1%}")
assert torch.allclose(cached, at_once, atol=1e-4)

# %% 2.9 Library = torch = ours
figures.heading("2.9 An encoder layer, rotation off, and torch's with norm_first=True")
torch.manual_seed(0)
ours = EncoderLayer(Config(source_tokens=13, target_tokens=13, width=12, heads=3, head_width=4, feedforward=20), 0)
ours.attention.rotary = False
theirs = nn.TransformerEncoderLayer(12, 3, dim_feedforward=20, batch_first=True, norm_first=True)
ours.eval(), theirs.eval()
attention, (expand, _, contract) = ours.attention, ours.feedforward
pairs = [(theirs.self_attn.out_proj, attention.output), (theirs.linear1, expand), (theirs.linear2, contract),
         (theirs.norm1, ours.attention_norm), (theirs.norm2, ours.feedforward_norm)]
x, lengths = torch.randn(2, 5, 12), torch.tensor([5, 3])  # (B, S, D), (B,)
real = torch.arange(5) < lengths[:, None]  # (B, S)
with torch.no_grad():
    for name in ("weight", "bias"):
        stacked = torch.cat([getattr(part, name) for part in (attention.query, attention.key, attention.value)])
        getattr(theirs.self_attn, f"in_proj_{name}").copy_(stacked)  # (3*N*K, D) or (3*N*K,)
        for to, part in pairs:
            getattr(to, name).copy_(getattr(part, name))
    mine = ours(x, real[:, None, None])[0]  # mask (B, 1, 1, S)
    torchs = theirs(x, src_key_padding_mask=~real)  # torch's True means "must not"
    difference = (mine - torchs)[real].abs().max().item()
print(f"  largest difference at real words: {difference:.1e}")
assert difference < 1e-5

# %% [markdown]
r"""
## Exercises

1. By hand: five target tokens, the causal mask and the shift. Which target tokens has the decoder read when it
   predicts the third? And which when it learns with the mask and without the shift?
   `pytest tests/test_transformer.py -k "one_step_later or future"`
2. Write `rotate`: pair i of the token at place p turns by p * 10000^(-2i/K).
   `pytest tests/test_attention.py -k "rotate or first_pair"`
3. Write the cache of `MultiHeadAttention.forward`, for one new token and for several. Which of query, key and value is
   turned before it is kept? `pytest tests/test_attention.py -k cache`
4. Find the mistake: a colleague's accuracy is 100% on training and on new digits, and the model is useless.

       written = predict(model, variant, source, lengths, target).argmax(dim=-1)
       accuracy = (written == target).all(dim=1).float().mean()

   Which of our four models would it praise? Measure it beside `write`. For the right one both agree to the digit, even
   after 100 steps of training: why must they? And why do they no longer when single digits are counted, not all six?
5. Open: the models have seen six digits only. Ask the right one for five and for eight, and train one on lengths 4 to
   7. What breaks first: the first digits, the last, or the end? Report accuracy by length and place, three seeds.
"""
