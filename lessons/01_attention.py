# %% [markdown]
r"""
# 01 Attention: who decides where a word looks?

"Tom had 12 apples and gave 3 away." To understand `gave`, one must look at other words: who gave, what, how many.
Which word should `gave` look at? And who decides: the programmer, or the words themselves?

This lesson builds attention for one word, then for all of them, breaks it on purpose, and ends where the library
begins. You need matrix products, softmax and a little torch. About 30 minutes to read, seconds to run, 90 minutes for
the exercises.

Every section asks for a guess. Write yours down before you run the cell: a wrong guess is worth more than none.
"""

# %% 1.1 A question, and keys that answer it
import math

import torch
from torch.nn import functional as F

from tinyprune import figures
from tinyprune.attention import MultiHeadAttention, attention, causal_mask

torch.set_num_threads(1)
torch.manual_seed(0)
figures.heading("1.1 Eight words: which one does `gave` look at?")

words = "Tom had 12 apples and gave 3 away".split()
x = torch.tensor([[0., 0, 0, 1],  # Tom: number 0, action 0, thing 0, person 1
                  [0., 1, 0, 0],  # had
                  [1., 0, 0, 0],  # 12
                  [0., 0, 1, 0],  # apples
                  [0., 0, 0, 0],  # and
                  [0., 1, 0, 0],  # gave
                  [1., 0, 0, 0],  # 3
                  [0., 0, 0, 0]])  # away: (S=8, D=4)
gave = words.index("gave")

key_matrix = torch.tensor([[1., 0, 0, 0],  # what a word offers: "I am a number",
                           [0., 0, .5, 1]])  # "I am somebody", a thing half so: (K=2, D=4)
how_many = torch.tensor([[0., 4, 0, 0],  # what an action asks for: a number
                         [0., 0, 0, 0]])  # (K=2, D=4)
keys = x @ key_matrix.T  # (S, K)
query = how_many @ x[gave]  # (K,)
scores = keys @ query  # (S,): one dot product a word
weights = scores.softmax(dim=0)  # (S,): all positive, their sum is 1
values = torch.tensor([0., 0, 12, 0, 0, 0, 3, 0])  # (S,): what a word hands over; here simply its number, if it has one
figures.table([(word, key.tolist(), score.item(), weight.item(), value.item())
               for word, key, score, weight, value in zip(words, keys, scores, weights, values)],
              ["word", "key", "score", "weight", "value"])
print(f"  `gave` receives {weights @ values:.2f}")

# %% [markdown]
r"""
That is all there is to attention: a **query** asks, every word holds out a **key**, the dot product says how well they
fit, softmax makes shares of it. What `gave` then receives is the average of the words' **values**, by these shares:

    weights = softmax(keys · query)          z = sum of weight * value

Here a value is one number, so that one can see the average: some of 12, some of 3, a little of nothing. In a model a
value is K numbers, and a matrix makes it of the word, as it does the key.

Nothing in it is a rule about giving. The two matrices decide, and they are learned. So let us learn them: a gradient
shall teach `gave` to look at `3`, the number that was given, and not at `12`. The loss is -log of the weight that `3`
gets. Guess first: what weight can it get in the end?
"""

# %% 1.2 Who decides? A gradient
figures.heading("1.2 A gradient teaches `gave` to look at `3`: how far does it get?")


def teach(x, steps=1000):
    """Learns a query and a key matrix such that `gave` looks at `3`: x (S, D) -> weights (S,) before and after."""
    torch.manual_seed(1)
    ask, offer = (torch.randn(2, x.shape[1], requires_grad=True) for _ in range(2))  # (K=2, D) each
    history = []
    for _ in range(steps + 1):
        weights = (x @ offer.T @ (ask @ x[gave])).softmax(dim=0)  # (S, K) @ (K,) -> (S,)
        history.append(weights.detach())
        gradients = torch.autograd.grad(-weights[words.index("3")].log(), [ask, offer])
        with torch.no_grad():
            ask -= 0.3 * gradients[0]
            offer -= 0.3 * gradients[1]
    return history[0], history[-1]


before, after = teach(x)
figures.table([(name, w[words.index("3")].item(), w[words.index("12")].item(),
                -math.log(w[words.index("3")])) for name, w in (("before", before), ("after", after))],
              ["weight of", "3", "12", "loss"])
print(f"  log 2 = {math.log(2):.3f}")

# %% [markdown]
r"""
Half, and no more, however long it learns. `12` and `3` are both numbers and nothing else here, so their keys are the
same key, and equal keys get equal shares. Remember this: section 1.6 finds out what is missing.

## Why the score is divided

A dot product of K numbers is a sum of K terms. If each is about 1 in size, of either sign, the sum is about √K: with
wider heads the scores grow, softmax hardens, and one word takes all. Guess the largest of ten weights at K = 1024, for
random queries and keys, without the division and with it. And then the size of the gradient that reaches the scores.
"""

# %% 1.3 Without the scale, and with it
figures.heading("1.3 Ten random keys: the largest weight, and what gradient gets through")


def hardness(K, divide):
    """-> the mean, over 500 random queries, of the largest weight, and of its gradient's length."""
    torch.manual_seed(K)
    query, keys = torch.randn(500, K, 1), torch.randn(500, 10, K)
    scores = (keys @ query)[..., 0] / (math.sqrt(K) if divide else 1)  # (500, 10, K) @ (500, K, 1) -> (500, 10)
    scores.requires_grad_()
    largest = scores.softmax(dim=1).max(dim=1).values  # (500,)
    gradient, = torch.autograd.grad(largest.sum(), scores)  # (500, 10)
    return largest.mean().item(), gradient.norm(dim=1).mean().item()


widths = [4, 8, 16, 32, 64, 128, 256, 512, 1024]
plain, scaled = ({K: hardness(K, divide) for K in widths} for divide in (False, True))
figures.table([(K, *plain[K], *scaled[K]) for K in (4, 64, 1024)],
              ["K", "weight", "gradient", "divided: weight", "gradient"])
figures.curves({"undivided": [(math.log2(K), plain[K][0]) for K in widths],
                "divided by sqrt(K)": [(math.log2(K), scaled[K][0]) for K in widths]},
               "log2 of K", "largest of ten weights", "01_scale")

# %% [markdown]
r"""
A head that is sure before it has learned anything learns slowly: where one weight is 1, moving the scores moves
nothing. Division by √K keeps the scores at size 1 whatever the width, and the gradient alive.

## Masks: who may be asked

Some words must not be seen: the filler that pads a short text to the length of a long one, and, where a model writes,
the words that are not yet written. One convention holds in the whole project:

    True = may attend          rows are queries          columns are keys

A forbidden score becomes -∞ **before** softmax: exp(-∞) is 0, and the others share the whole. Two tempting
alternatives: set the score to 0, or set the weight to 0 after softmax. The table does each with scores (2, 1, 0, 3),
the last one forbidden, then raises the forbidden score by 1 and watches the weight of the first word. What should the
four columns show, if the forbidden word is really out of play?
"""

# %% 1.4 Masks, right and wrong
figures.heading("1.4 Each word sees itself and the past; rows ask, columns answer")
first_six = words[:6]
figures.matrix(causal_mask(6).int().tolist(), first_six, first_six, "01_causal_mask")

scores, allowed = torch.tensor([2., 1, 0, 3]), torch.tensor([True, True, True, False])
ways = {"-inf before softmax": lambda s: torch.where(allowed, s, -math.inf).softmax(dim=0),
        "0 before softmax": lambda s: torch.where(allowed, s, 0.).softmax(dim=0),
        "times 0 after softmax": lambda s: s.softmax(dim=0) * allowed}
bump = torch.tensor([0., 0, 0, 1])
figures.table([(name, way(scores)[0].item(), way(scores)[3].item(), way(scores).sum().item(),
                (way(scores + bump) - way(scores))[0].item()) for name, way in ways.items()],
              ["mask", "first", "forbidden", "sum", "first moves by"])
assert torch.equal(ways["-inf before softmax"](scores + bump), ways["-inf before softmax"](scores))
nothing_allowed = torch.full((4,), -math.inf).softmax(dim=0)
print(f"  and where nothing at all is allowed: {nothing_allowed.tolist()}")

# %% [markdown]
r"""
A score of 0 is not "no": exp(0) = 1, a vote like any other. Zeros after softmax leave a sum below 1, and the forbidden
word still pushes the others about. And a row without any allowed key is 0/0: so padding hides *keys*, never queries. A
padded query computes nonsense that nobody reads.

## Several heads

One softmax gives one average. `gave` wants three different things, so it gets three **heads**, each with matrices of
its own. The first head here is the one of 1.1; the second asks "who?", the third "what?".

Then three heads of a real layer, with random weights. Each has four matrices: W_Q, W_K and W_V make queries, keys and
values of the words, and W_O turns the z that a head has received, K numbers, into a contribution to the D of the word.
"""

# %% 1.5 Three heads over one sentence
figures.heading("1.5 Three heads of `gave`")
person, thing = x.T[3], x.T[2]  # (S,): keys that say "I am a person", "I am a thing"
heads = {"how many": weights, "who": (4 * person).softmax(dim=0), "what": (4 * thing).softmax(dim=0)}
figures.matrix([weights.tolist() for weights in heads.values()], list(heads), words, "01_heads")


def one_head(x, W_Q, b_Q, W_K, b_K, W_V, b_V):
    """x (S, D), each W (K, D), each b (K,) -> z (S, K): what one head hands to each word."""
    query, key, value = x @ W_Q.T + b_Q, x @ W_K.T + b_K, x @ W_V.T + b_V  # (S, K) each
    return (query @ key.T / len(b_Q) ** 0.5).softmax(dim=1) @ value


torch.manual_seed(0)
text = torch.randn(5, 12)  # five words, (S=5, D=12)
module = MultiHeadAttention(12, 4, range(3))  # D=12, K=4, N=3
with torch.no_grad():
    parts = []
    for head in range(3):
        own = slice(4 * head, 4 * head + 4)  # this head's rows of W_Q, W_K, W_V and its columns of W_O
        z = one_head(text, *(part[own] for layer in (module.query, module.key, module.value)
                             for part in (layer.weight, layer.bias)))  # (S, K)
        parts.append(z @ module.output.weight[:, own].T)  # (S, D)
    together = sum(parts) + module.output.bias
    whole = module(text[None])[0][0]  # (1, S, D) -> (S, D)
    without = module(text[None], head_gate=torch.tensor([1., 0, 1]))[0][0]  # (1, S, D) -> (S, D)
print(f"  the sum over heads and the library differ by at most {(together - whole).abs().max():.1e}")
print(f"  gate 0 on head 1, and the sum without its part:      {(together - parts[1] - without).abs().max():.1e}")
assert torch.allclose(together, whole, atol=1e-6) and torch.allclose(together - parts[1], without, atol=1e-6)

# %% [markdown]
r"""
This sum is why heads can be pruned at all. Books write "concatenate the heads and multiply by W_O"; it is the same as
multiplying each head's z by its own columns of W_O and adding up:

    output = sum over heads of gate[h] * z[h] W_O[h] + b_O

Heads meet only in a sum, so one of them can leave without a word to the others: a **gate** of 0 does it. The gate
stands before W_O; after it the heads are mixed, and no number can pick one out.

## What attention cannot see

Read the eight words in any other order: what changes in what each word receives? Guess before you run it.
"""

# %% 1.6 Shuffled words
figures.heading("1.6 Shuffle the words: which outputs change?")
order = torch.randperm(5)
with torch.no_grad():
    shuffled = module(text[order][None])[0][0]  # (1, S, D) -> (S, D)
print(f"  the words stand in the order {order.tolist()}")
print(f"  largest difference, word for word: {(shuffled - whole[order]).abs().max():.1e}")
assert torch.allclose(shuffled, whole[order], atol=1e-6)

place = torch.arange(8.)[:, None] / 8  # (S, 1)
before, after = teach(torch.cat([x, place], dim=1))  # (S, D+1)
print(f"  1.2 once more, each word with its place as a fifth entry: `3` gets {after[words.index('3')]:.3f}")

# %% [markdown]
r"""
Nothing changes but the order of the rows. Attention has no first and no last, no before and after: a text is a bag of
words to it, and "12 - 3" is "3 - 12". Whoever wants order must put it into the words or into the scores. A place as one
more entry was enough for `gave`; the library turns queries and keys by an angle instead, and lesson 02 shows why.
(Vaswani et al. add sines of the position to the words; ours are rotary, in self-attention only.)

## Library = torch = ours

Now the same for a batch, with a mask. Mind the polarity: torch's own function means by True "may attend", as we do;
torch's own *module* means by True "must not". The wrong one runs without complaint.
"""

# %% 1.7 Library = torch = ours
figures.heading("1.7 Three ways to the same numbers")
B, N, T, S, K = 2, 3, 4, 5, 6
query, key, value = torch.randn(B, N, T, K), torch.randn(B, N, S, K), torch.randn(B, N, S, K)
mask = torch.rand(B, 1, T, S) < 0.6
mask[..., 0] = True  # every query keeps a key
library_z, probabilities = attention(query, key, value, mask)
by_torch = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
ours = torch.zeros(B, N, T, K)
for b in range(B):
    for n in range(N):
        for t in range(T):
            seen = mask[b, 0, t]  # (S,)
            shares = (key[b, n, seen] @ query[b, n, t] / K ** 0.5).softmax(dim=0)  # one for each key that is seen
            ours[b, n, t] = shares @ value[b, n, seen]

layer = torch.nn.MultiheadAttention(12, 3, batch_first=True)
with torch.no_grad():
    layer.in_proj_weight.copy_(torch.cat([module.query.weight, module.key.weight, module.value.weight]))  # (3*N*K, D)
    layer.in_proj_bias.copy_(torch.cat([module.query.bias, module.key.bias, module.value.bias]))  # (3*N*K,)
    layer.out_proj.weight.copy_(module.output.weight)
    layer.out_proj.bias.copy_(module.output.bias)
    real = torch.tensor([True, True, True, False, False]).expand(5, 5)  # (T, S): the last two words are padding
    own = module(text[None], mask=real)[0]
    theirs = layer(text[None], text[None], text[None], attn_mask=~real)[0]
    wrong_way = layer(text[None], text[None], text[None], attn_mask=real)[0]
figures.table([("attention and three loops", f"{(library_z - ours).abs().max():.1e}"),
               ("attention and torch's function", f"{(library_z - by_torch).abs().max():.1e}"),
               ("module and torch's module, ~mask", f"{(own - theirs).abs().max():.1e}"),
               ("the same, mask as it is", f"{(own - wrong_way).abs().max():.1e}")],
              ["", "largest difference"])
assert torch.allclose(library_z, ours, atol=1e-6) and torch.allclose(library_z, by_torch, atol=1e-6)
assert torch.allclose(own, theirs, atol=1e-6)
print(f"  z (B, N, T, K) = {tuple(library_z.shape)}, probabilities (B, N, T, S) = {tuple(probabilities.shape)}")

# %% [markdown]
r"""
## Exercises

1. By hand: the query (2, 0, 0, 0) meets the keys (1, 5, 5, 5) and (0, 0, 0, 0), the values are 10 and 20. What are the
   scores after the division, and what comes out, to one digit? Check yourself with `attention` of the library.
2. Write `causal_mask(queries, start)`: what does the row of a single new token look like when four are cached?
   `pytest tests/test_attention.py -k causal_mask`
3. Write `attention` with its mask, for any leading dimensions, and return the probabilities too.
   `pytest tests/test_attention.py -k "attention_equals_torch or gradients"`
4. Find the mistake. This gate was meant to close heads; all tests with gates of 1 are green. What does it close?

       def forward(self, x, gate):
           z = self.heads(x)                        # (B, N, T, K)
           return self.output(merge_heads(z)) * gate.mean()

   `pytest tests/test_attention.py -k gate` names it. Then find the one gate vector that shows it without any
   reference: what must come out is known beforehand.
5. Open: find a sentence of eight words and a task that two heads can do and one head cannot, however it is trained.
   Show it with `teach`: extend it to a value of your choice, train both, and report the loss over five seeds.
"""
