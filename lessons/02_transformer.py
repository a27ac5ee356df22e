# %% [markdown]
r"""
# 02 The transformer: why does a model with the lower loss know nothing?

Four small transformers learn to write six digits in reverse. One of them is right. In each of the
others one thing is wrong. Two of the wrong ones end with a loss as low as that of the right one, or
lower, and they cannot reverse anything. This lesson shows why, and how to find such a mistake. It
also shows the other parts of a transformer: the residual stream, positions as rotations, the mix of
neighbours, and the cache that makes writing cheap.

You need lesson 01. You read for about 40 minutes, the code runs for less than a minute, and the
exercises take about four hours. BOS ("beginning of sequence") is the token that the decoder reads
first.

## The encoder reads, the decoder writes

Every word, or *token*, becomes a vector of D numbers, its *channels*. An **embedding** is a table
with one vector for each word. The **encoder** reads the source, layer by layer. In each layer every
word looks at all words of the source: this is **self-attention**. The result is one vector for each
word, the *memory*. The **decoder** writes the target, one token at a time. In each of its layers a
token first looks at the tokens written so far: self-attention with the causal mask of lesson 01.
Then it looks at the memory: this is **cross-attention**, with a query from the token, and keys and
values from the words. Attention carries information from one word to another. After it each layer
has a *feed-forward* network: a matrix, a ReLU, a matrix. It works on every word alone. Each
attention and each feed-forward network is a *sublayer* of its layer.

Our transformer differs from that of Vaswani et al. 2017, and this lesson shows how. LayerNorm
stands *before* each sublayer (2.5). Positions are rotary: they turn queries and keys (2.6). An
encoder layer mixes neighbours before it attends. A word may be the sum of several subwords (lesson
03; a digit has one). There is no end token: lesson 03 writes equations that say themselves when
they are complete. For the digits we know the length: six.

At the end stand V numbers for each step, one for each token that could come next: the **logits**.
Softmax turns them into probabilities. The loss (`token_loss`) is the cross-entropy: the mean over
all steps of -log of the probability of the right token. It is log V for a model that knows nothing,
and 0 for a model that is right and certain.

In training all steps run at once. At each step the decoder reads the right tokens before it
(`shift_right` moves the target one step later), even where it would have written other tokens. In
use, the model reads the tokens that it has written itself.
"""

# %% 2.1 One right model, three wrong ones
import math

import torch
from torch import nn

from tinyprune import BOS, cli, figures
from tinyprune.attention import attention, causal_mask, merge_heads, rotate, split_heads
from tinyprune.transformer import (
    Config,
    EncoderLayer,
    Transformer,
    mix_neighbours,
    shift_right,
    token_loss,
)

args = cli.options()
torch.set_num_threads(1)  # tensors as small as these gain nothing from a second thread
DIGITS = 6
FIRST_DIGIT = BOS + 1  # ids 3 to 12 are the digits 0 to 9
VARIANTS = ["right", "no positions", "no causal mask", "input not shifted"]


def digits(problems, seed):
    """Six digits in a row, and the same in reverse.

    -> source (B, 7, 1), BOS and six digits, each a word of one subword; lengths (B,); target (B, 6)
    """
    generator = torch.Generator().manual_seed(seed)
    size = (problems, DIGITS)
    drawn = torch.randint(FIRST_DIGIT, FIRST_DIGIT + 10, size, generator=generator)  # (B, 6)
    first = torch.full((problems, 1), BOS)  # a fixed word to count from
    source = torch.cat([first, drawn], dim=1)  # (B, 7)
    lengths = torch.full((problems,), DIGITS + 1)
    return source[..., None], lengths, drawn.flip(1)


def build(variant):
    torch.manual_seed(args.seed)
    config = Config(source_tokens=13, target_tokens=13,
                    width=32, heads=2, head_width=16,
                    encoder_layers=1, decoder_layers=1,
                    feedforward=64, dropout=0.0)
    model = Transformer(config)
    if variant == "no positions":
        for layer in model.attention_layers().values():
            layer.rotary = False
        model.encoder[0].neighbours.requires_grad_(False)  # stays 0: no neighbours either
    return model


def decode(model, tokens, memory, memory_mask, mask):
    """Does the same as model.decode, with a mask (T, T) of our own: tokens (B, T) -> (B, T, V)"""
    x = model.target_embedding(tokens)  # (B, T, D)
    x = x * model.config.embedding_scale
    for layer in model.decoder:
        x, *_ = layer(x, memory, mask, memory_mask)
    return model.classifier(model.decoder_norm(x))


def predict(model, variant, source, lengths, target):
    """Predicts each token from the tokens that the variant lets the decoder read -> (B, 6, V)"""
    tokens = shift_right(target)  # (B, 6)
    mask = causal_mask(DIGITS)  # (T, T)
    if variant == "input not shifted":
        tokens = target
    if variant == "no causal mask":
        mask = torch.ones_like(mask)
    memory, memory_mask = model.encode(source, lengths)
    return decode(model, tokens, memory, memory_mask, mask)


def learn(variant, steps=500):
    """-> a trained model, [(step, the mean loss of the last 20 steps)]"""
    model = build(variant)
    losses = []
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=steps)
    for step in range(steps):
        source, lengths, target = digits(64, seed=1000 * args.seed + step)
        logits = predict(model, variant, source, lengths, target)
        loss = token_loss(logits, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    curve = []
    for end in range(20, steps + 1, 20):
        recent = losses[end - 20:end]
        curve.append((end, sum(recent) / 20))
    return model.eval(), curve


@torch.no_grad()
def write(model, source, lengths):
    """Token by token, as in real use: each step reads the tokens that the model wrote -> (B, 6)"""
    memory, memory_mask = model.encode(source, lengths)
    tokens = torch.full((len(source), 1), BOS)  # (B, 1)
    for _ in range(DIGITS):
        logits = model.decode(tokens, memory, memory_mask)  # (B, steps, V)
        best = logits[:, -1].argmax(dim=-1)  # (B,)
        tokens = torch.cat([tokens, best[:, None]], dim=1)  # (B, steps + 1)
    return tokens[:, 1:]


def largest_difference(a, b):
    difference = (a - b).abs()
    return difference.max().item()


fresh = digits(500, seed=10**6)
source, lengths, target = fresh
figures.heading("2.1 Our `decode` with the causal mask, and the library's")
with torch.no_grad():
    model = build("right").eval()
    ours = predict(model, "right", *fresh)
    library = model(source, lengths, target)
print(f"  largest difference: {largest_difference(ours, library):.1e}")
assert torch.allclose(ours, library, atol=1e-6)

# %% [markdown]
r"""
`build`, `predict` and `learn` are the whole experiment. A variant is one `if`. Four models learn:
the right one; one without positions; one without the causal mask; and one with the input not
shifted, whose decoder reads the very token that it must predict. The loss is measured on new
digits, in the same way as in training. The accuracy is measured as the model is used: it writes six
digits, each step reads the tokens that it wrote before, and all six must be right. Guess which loss
is the lowest. Then guess which accuracies are 0.
"""

# %% 2.2 The loss, and what the model can do
figures.heading("2.2 Reverse six digits: four trainings, about 5 seconds each")
models = {}
curves = {}
for variant in VARIANTS:
    models[variant], curves[variant] = learn(variant)
rows = []
for variant, model in models.items():
    with torch.no_grad():
        logits = predict(model, variant, *fresh)
    loss = token_loss(logits, target).item()
    written = write(model, source, lengths)  # (B, 6)
    right = (written == target).all(dim=1)  # all six digits: (B,)
    accuracy = right.float().mean()
    rows.append((variant, f"{loss:.4f}", f"{accuracy:.1%}"))
figures.table(rows, ["model", "loss", "written right"])
print(f"  a guess among ten digits: loss {math.log(10):.2f}")


def orders(digits):
    """In how many different orders can these six digits stand?"""
    repeats = map(math.factorial, digits.bincount().tolist())
    return math.factorial(DIGITS) / math.prod(repeats)


possible = torch.tensor(list(map(orders, target)))  # (B,)
bag_loss = possible.log().mean() / DIGITS
bag_right = (1 / possible).mean()
print(f"  the best that knows the digits without their order: loss {bag_loss:.2f}, "
      f"{bag_right:.1%} right")


def shown(digits):
    return " ".join(str(digit - FIRST_DIGIT) for digit in digits.tolist())


print("  what they write for two problems:")
two = [part[:2] for part in fresh]
rows = [("to write", *map(shown, two[2]))]
for variant, model in models.items():
    rows.append((variant, *map(shown, write(model, *two[:2]))))
figures.table(rows, ["model", "first problem", "second problem"])
figures.curves(curves, "step", "loss", "02_losses", title="Loss while the models learn to reverse")

# %% [markdown]
r"""
The model without positions knows which digits there are, but not where they stand. The best that it
can do is to give every order of these digits the same probability. Its loss comes near to that.
This loss is high, and it is honest.

The other two wrong models have the lowest losses. They have found an easier task than reversing:
copying. Look at what they write: they repeat the token that they have just read. Without the causal
mask the decoder sees the digit that it must predict: the digit stands one position later in its own
input (but the last one, which it must find in the source). Without the shift the digit stands at
the very position of the prediction. Copying is easy to learn, and the loss goes to 0. When the
model writes, the future is not there to be copied.

So: **a loss is only as good as its inputs**. Two habits follow. Measure the task that the model is
for. And test for the leak itself: change one target token. A prediction that must not know this
token must not move.
"""

# %% 2.3 A leak, found with one problem
figures.heading("2.3 Change the target at position 3: which predictions move, and how far?")
problem = [part[:1] for part in fresh]  # source (1, 7, 1), lengths (1,), target (1, 6)
source, lengths, target = problem
changed = target.clone()
digit = target[0, 3] - FIRST_DIGIT
changed[0, 3] = FIRST_DIGIT + (digit + 5) % 10
rows = []
suspects = models | {"no causal mask, untrained": build("no causal mask").eval()}
for name, model in suspects.items():
    variant = name.removesuffix(", untrained")
    with torch.no_grad():
        before = predict(model, variant, source, lengths, target)
        after = predict(model, variant, source, lengths, changed)
    moved = (after - before)[0].abs()  # (1, 6, V) -> (6, V)
    largest = moved.amax(dim=-1).tolist()  # 6 numbers
    rows.append((name, *(f"{number:.0e}" if number else "0" for number in largest)))
figures.table(rows, ["prediction at position", *"012345"])
assert set(rows[0][1:5]) == {"0"}, "only the predictions at positions 4 and 5 may know position 3"

# %% [markdown]
r"""
The predictions of the right model move from position 4 on: it has not read position 3 when it
predicts position 3. In the columns 0 to 3 any number but 0 is a leak, however small. This test
takes one problem, and it says more than any loss curve. (Without the causal mask an untrained model
leaks everywhere. The trained one has learned to copy from one place, so its other leaks are small:
test before you train.)

What did the right model learn? Look at its cross-attention. Each row is a digit that it writes, and
each column is a token of the source. Which pattern do you expect?
"""

# %% 2.4 Where the right model looks while it writes
figures.heading("2.4 The right model's cross-attention, the mean of both heads")
attentions = {}
model = models["right"]
with torch.no_grad():
    memory, memory_mask = model.encode(source, lengths)
    model.decode(shift_right(target), memory, memory_mask, attentions=attentions)
cross = attentions["cross", 0]  # (B=1, N, T, S)
probabilities = cross[0].mean(dim=0)  # (N, T, S) -> (T, S)
outputs = target[0] - FIRST_DIGIT  # (T,)
inputs = source[0, 1:, 0] - FIRST_DIGIT  # (6,), without BOS
row_labels = [f"writes {digit}" for digit in outputs.tolist()]
column_labels = ["BOS", *map(str, inputs.tolist())]
figures.matrix(probabilities.tolist(), row_labels, column_labels, "02_cross_attention",
               title="Cross-attention (rows: tokens to write)")

# %% [markdown]
r"""
The first digit to write looks at the last token, the second one at the last but one, and so on. How
can it find the place? Cross-attention knows no positions. But the encoder has mixed each word with
its place: the memory says "a 4, sixth from the start". And the decoder has to know how many tokens
it has written. The causal mask alone could tell it, because token t sees t tokens (exercise 6).

## The residual stream

A layer never replaces the vector of a word. It adds to it:

    x = x + attention(norm(x))
    x = x + feedforward(norm(x))

Think of `x` as a stream from the embedding to the classifier. Every sublayer reads from the stream
and adds its own result. This is one more reason why a head can be removed: the stream flows on
without it. The norm is LayerNorm. It brings the D numbers of each word to mean 0 and variance 1,
and then multiplies every channel by a learned scale and adds a learned shift. So a sublayer always
reads numbers of similar size.

The position of the norm matters. Vaswani et al. write norm(x + f(x)): the norm stands in the
stream. Every layer then rescales the whole stream, the words on the way forward and the gradients
on the way back. Our norm stands in the branch, and nothing rescales the stream. The next cell
compares both, as stacks of feed-forward sublayers with random weights. Guess for 32 layers: how
much of the word is left at the end (the cosine of the two)? And how large is the gradient at the
first layer, compared with the last one?
"""

# %% 2.5 Norm after or before
figures.heading("2.5 Norm after f: norm(x + f(x)); before f: x + f(norm(x)); untrained")


def stack(depth, pre, width=64):
    """-> how much of the input the output keeps, the first layer's gradient / the last layer's"""
    torch.manual_seed(0)
    inner = [nn.Linear(width, width) for _ in range(depth)]
    outer = [nn.Linear(width, width) for _ in range(depth)]
    for layer in inner + outer:
        nn.init.xavier_normal_(layer.weight)
    word = torch.randn(64, width)  # (B, D)
    norm = nn.LayerNorm(width)
    x = word
    for expand, contract in zip(inner, outer):
        if pre:
            x = x + contract(expand(norm(x)).relu())
        else:
            x = norm(x + contract(expand(x).relu()))
    norm(x)[:, 0].sum().backward()  # any loss will do: here the first channel
    kept = torch.cosine_similarity(word, x, dim=1)  # (B,)
    first_gradient = outer[0].weight.grad.norm()
    last_gradient = outer[-1].weight.grad.norm()
    return kept.mean().item(), (first_gradient / last_gradient).item()


rows = []
for depth in (2, 8, 32):
    after = stack(depth, pre=False)
    before = stack(depth, pre=True)
    rows.append((depth, *after, *before))
header = ["layers", "after: word left", "first/last gradient", "before: word left",
          "first/last gradient"]
figures.table(rows, header)

# %% [markdown]
r"""
With the norm in the stream a deep stack forgets its word, and its first layers get little gradient.
The original transformer needed a warm-up: its learning rate had to rise slowly during the first
steps. (Deep models of this kind can be trained: the RoBERTa models of the paper that this project
rebuilds have their norms in the stream.)

## Positions as rotations

Lesson 01 ended with a bag of words. Rotary positions (Su et al. 2021) rotate every query and every
key. They take the entries of a vector in pairs. Each pair has a speed, and it turns by the angle
position * speed. Let the query stand at position p and the key at position q. After both turns the
angle between them has changed by (p - q) * speed. So a score depends on the two vectors and on the
distance p - q, to the left or to the right, and not on p alone.

You can compute one pair by hand: take speed 1, and the score of (1, 0) with itself at distance 3.
Then the cell uses the library, with 16 pairs of different speeds. Does the score fall with the
distance? Guess.
"""

# %% 2.6 Score against distance
figures.heading("2.6 A query and an equal key at some distance")
by_hand = []
for p in (0, 10, 100):
    q = p + 3
    query = [math.cos(p), math.sin(p)]  # (1, 0), turned by p
    key = [math.cos(q), math.sin(q)]
    by_hand.append(query[0] * key[0] + query[1] * key[1])
listed = ", ".join(f"{score:.4f}" for score in by_hand)
print(f"  one pair, distance 3, from positions 0, 10 and 100: {listed}")
same = torch.ones(1, 1, 41, 32, dtype=torch.double)  # (B=1, N=1, T=41, K=32)
same = same / math.sqrt(32)  # each vector has length 1


def rotated_scores(start):
    """The score of every position with the first one, which stands at `start` -> (T,)"""
    rotated = rotate(same, start)[0, 0]  # (T, K)
    return rotated @ rotated[0]


curve = rotated_scores(0)
shifted = rotated_scores(1000)
pair = torch.tensor([1., 0], dtype=torch.double)  # (K=2,)
four_pairs = pair.expand(1, 1, 4, 2)  # (B=1, N=1, T=4, K=2)
rotated = rotate(four_pairs)[0, 0]  # (T, K)
assert abs(rotated[3] @ rotated[0] - by_hand[0]) < 1e-12
assert torch.allclose(curve, shifted)
difference = largest_difference(curve, shifted)
print(f"  16 pairs, from position 0 and from position 1000: differ by at most {difference:.1e}")
points = list(enumerate(curve.tolist()))
figures.curves({"score": points}, "distance", "score", "02_rotary",
               title="A query and a key, rotated by their positions")

# %% [markdown]
r"""
The score falls, but in waves: the fast pairs come round again. Fast pairs tell neighbours apart,
and slow pairs tell near words from far words. Rotary positions learn nothing, they add nothing to
the stream, and they have a position for a text of any length. Cross-attention has no rotation: the
third token of an equation has nothing to do with the third word of a problem.

## Neighbours

"5 more than", "5 fewer than": in word problems the words beside a number decide. So an encoder
layer first mixes each word with its two neighbours. The new vector is a weighted sum of three: the
left neighbour, the word itself, the right neighbour. Each channel has three weights of its own:
left, 1 + own, right. The model learns left, own and right. All of them start at 0, so a new model
changes nothing. In the cell the three weights are 10, 1 and 100. This step has no norm. (The layer
multiplies what it has learned by the config's `embedding_scale`, as it does with the embeddings;
lesson 05 says why.)
"""

# %% 2.7 Mix neighbours
figures.heading("2.7 Left x 10 + itself x 1 + right x 100, over 1 2 3 4 and two paddings")
channel = torch.tensor([1., 2, 3, 4, 7, 7])  # (S,): the values at padding must not matter
real = torch.tensor([1., 1, 1, 1, 0, 0])  # (S,)
padded = [0, *(channel * real).tolist(), 0]  # nothing stands to the left and to the right
by_hand = []
for left, itself, right in zip(padded, padded[1:], padded[2:]):
    by_hand.append(10 * left + itself + 100 * right)
weight = torch.tensor([[10.], [1], [100]])  # (3, D=1)
x = channel[None, :, None]  # (B=1, S, D=1)
mixed = mix_neighbours(x, weight, real[None, :, None])  # (B=1, S, D=1)
mixed = mixed[0, :, 0].tolist()  # S numbers
print("  " + "  ".join(f"{value:.0f}" for value in mixed))
assert mixed == by_hand

# %% [markdown]
r"""
## The cache

To write token 6, the decoder needs the keys and values of tokens 1 to 5. They have not changed
since they were computed: the mask forbids the past to look at the future. So keep them in a
**cache**. `write` above computes one token at the first step, two at the second, and six at the
sixth: 21 in all. With a cache it would compute one at each step: 6.

One thing can go wrong. The new token comes alone, so the rotation must be told the token's
position. The next cell uses the library's cache first. Then it runs the decoder layer of the right
model in three parts of our own: queries, keys and values of all six tokens, then attention token by
token with a small cache, then the rest of the layer. In the first run step t starts at position t.
In the second run every step starts at position 0. How many digits stay the same? Guess.
"""

# %% 2.8 Step by step = all at once
figures.heading("2.8 Six tokens one by one with a cache, against all at once")
model = models["right"]
layer = model.decoder[0]
source, lengths, target = fresh
tokens = shift_right(target)  # (B, 6)
with torch.no_grad():
    memory, memory_mask = model.encode(source, lengths)
    at_once = model.decode(tokens, memory, memory_mask)  # (B, 6, V)


@torch.no_grad()
def library_steps():
    """One step for each token, with the library's cache -> logits (B, 6, V)"""
    cache = {}
    steps = []
    for t in range(DIGITS):
        new = tokens[:, t:t + 1]  # (B, 1)
        steps.append(model.decode(new, memory, memory_mask, cache=cache))
    return torch.cat(steps, dim=1)


def cached_attention(query, key, value, starts):
    """Attention token by token; step t believes that it stands at position starts[t].

    query, key, value (B, N, T, K), not rotated yet -> z (B, N, T, K)
    """
    keys = []  # the cache, one entry (B, N, 1, K) for each step
    values = []
    steps = []
    for t, start in enumerate(starts):
        now = slice(t, t + 1)
        keys.append(rotate(key[:, :, now], start))
        values.append(value[:, :, now])
        rotated = rotate(query[:, :, now], start)  # (B, N, 1, K)
        all_keys = torch.cat(keys, dim=2)  # (B, N, t + 1, K)
        all_values = torch.cat(values, dim=2)
        z, _ = attention(rotated, all_keys, all_values)
        steps.append(z)
    return torch.cat(steps, dim=2)


@torch.no_grad()
def our_steps(starts):
    """The decoder's only layer, its self-attention with our own cache -> logits (B, 6, V)"""
    x = model.target_embedding(tokens)  # (B, T, D)
    x = x * model.config.embedding_scale
    normed = layer.attention_norm(x)
    query = split_heads(layer.attention.query(normed), 2)  # (B, N=2, T, K)
    key = split_heads(layer.attention.key(normed), 2)
    value = split_heads(layer.attention.value(normed), 2)
    z = cached_attention(query, key, value, starts)
    x = x + layer.attention.output(merge_heads(z))  # (B, T, D)
    attended, _ = layer.cross(layer.cross_norm(x), memory, mask=memory_mask)
    x = x + attended
    x = x + layer.feedforward(layer.feedforward_norm(x))
    return model.classifier(model.decoder_norm(x))


cached = {"the library's cache": library_steps(),
          "our cache, step t at position t": our_steps(starts=range(DIGITS)),
          "our cache, every step at position 0": our_steps(starts=[0] * DIGITS)}
rows = []
for name, logits in cached.items():
    same = logits.argmax(dim=-1) == at_once.argmax(dim=-1)  # (B, 6)
    difference = largest_difference(logits, at_once)
    rows.append((name, f"{difference:.1e}", f"{same.float().mean():.1%}"))
figures.table(rows, ["step by step", "logits differ by", "same digit"])
right_caches = list(cached.values())[:2]
for logits in right_caches:
    assert torch.allclose(logits, at_once, atol=1e-4)

# %% [markdown]
r"""
Both caches give the same logits as the run with all tokens at once. The wrong one changes the
logits a lot, and still most digits stay the same. An accuracy can hide such a mistake, so compare
the logits.

## Library = torch = ours

Torch has an encoder layer too. With `norm_first=True` its norm stands before the sublayer, like
ours. It has no rotary positions and no neighbours, so the last cell switches off our rotation. The
weights of our neighbours are still 0. Torch's padding mask has the other meaning: True means "must
not attend".
"""

# %% 2.9 Library = torch = ours
figures.heading("2.9 Our encoder layer without rotation, and torch's with norm_first=True")
torch.manual_seed(0)
config = Config(source_tokens=13, target_tokens=13,
                width=12, heads=3, head_width=4,
                feedforward=20)
our_layer = EncoderLayer(config, 0).eval()
our_layer.attention.rotary = False
torch_layer = nn.TransformerEncoderLayer(12, 3, dim_feedforward=20, batch_first=True,
                                         norm_first=True).eval()
x = torch.randn(2, 5, 12)  # (B, S, D)
lengths = torch.tensor([5, 3])  # (B,)
real = torch.arange(5) < lengths[:, None]  # (B, S)
our_attention = our_layer.attention
linears = [our_attention.query, our_attention.key, our_attention.value]
stacked_weights = torch.cat([linear.weight for linear in linears])  # (3*N*K, D)
stacked_biases = torch.cat([linear.bias for linear in linears])  # (3*N*K,)
expand, _, contract = our_layer.feedforward
pairs = [(torch_layer.self_attn.out_proj, our_attention.output),
         (torch_layer.linear1, expand),
         (torch_layer.linear2, contract),
         (torch_layer.norm1, our_layer.attention_norm),
         (torch_layer.norm2, our_layer.feedforward_norm)]
with torch.no_grad():
    torch_layer.self_attn.in_proj_weight.copy_(stacked_weights)
    torch_layer.self_attn.in_proj_bias.copy_(stacked_biases)
    for torch_part, our_part in pairs:
        torch_part.load_state_dict(our_part.state_dict())
    our_output, _ = our_layer(x, real[:, None, None])  # mask (B, 1, 1, S)
    torch_output = torch_layer(x, src_key_padding_mask=~real)
difference = largest_difference(our_output[real], torch_output[real])
print(f"  largest difference at real words: {difference:.1e}")
assert difference < 1e-5

# %% [markdown]
r"""
## Exercises

1. (★, 10 minutes) By hand: five target tokens, the causal mask and the shift. Which target tokens
   has the decoder read when it predicts the third one? Which ones has it read if it learns with the
   mask and without the shift?
2. (★★, 40 minutes) Write `rotate`: pair i of the token at position p turns by p * 10000^(-2i/K).
   `pytest tests/test_attention.py -k "rotate or first_pair"`
3. (★★★, 60 minutes) Write `keys_and_values`, where `MultiHeadAttention` keeps its cache, for one
   new token and for several. Why must a key that was kept not be rotated again, and why are values
   never rotated? `pytest tests/test_attention.py -k cache`
4. (★★, 20 minutes) Find the mistake. A colleague measures an accuracy of 100% on training digits
   and on new digits, and the model is useless.

       written = predict(model, variant, source, lengths, target).argmax(dim=-1)
       accuracy = (written == target).all(dim=1).float().mean()

   Which of our four models would this accuracy praise? Measure it beside `write`. For two of the
   models the two accuracies are exactly equal, even after 100 steps of training: for which ones,
   and why must they be equal? And why are they no longer equal when you count single digits instead
   of all six?
5. (★★★, 90 minutes) Open: the models have seen six digits only. Ask the right model for five digits
   and for eight. Train another one on lengths 4 to 7: `digits`, `predict` and `write` take six for
   granted, and shorter targets need PAD, the token that fills a short row. What breaks first, the
   first digits or the last ones? Report the accuracy by length and position, with three seeds.
6. (★★, 30 minutes) The right model learns places in three ways: by the rotation in the encoder, by
   the rotation in the decoder, and by the neighbours. Guess which of them it can do without, one at
   a time and in pairs. Then change `build` and train. What does the decoder count with if it has no
   rotation?
"""
