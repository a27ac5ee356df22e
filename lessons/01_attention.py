# %% [markdown]
r"""
# 01 Attention: who decides where a word looks?

"Tom had 12 apples and gave 3 away." To understand `gave`, a reader must look at other words: who
gave, what, and how many. Which word should `gave` look at? And who decides: the programmer, or the
words themselves?

This lesson builds attention for one word, and then for all words. It breaks attention on purpose,
and it ends where the library begins, the package `tinyprune`. You need matrix products, softmax and
a little torch. You read for about 30 minutes, the code runs for seconds, and the exercises take
three hours.

Letters, in all lessons: S words of D numbers each; queries and keys of K numbers; N heads; B texts
in a batch. Later T tokens ask, and V tokens can be written.

Most sections ask you for a guess. Write your guess down before you look at the section's output: a
wrong guess teaches more than no guess. Where the output has a row of bars such as ▁▃▅█, it is a
curve, with its first and its last value behind it.
"""

# %% 1.1 A query, and keys that answer it
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
twelve = words.index("12")
three = words.index("3")

key_matrix = torch.tensor([[1., 0, 0, 0],  # a word offers: "I am a number"
                           [0., 0, 0, 1]])  # or: "I am a person". (K=2, D=4)
query_matrix = torch.tensor([[0., 4, 0, 0],  # an action asks for a number
                             [0., 0, 0, 0]])  # (K=2, D=4)
keys = x @ key_matrix.T  # (S, K)
query = query_matrix @ x[gave]  # (K,)
scores = keys @ query  # (S,): one dot product for each word
weights = scores.softmax(dim=0)  # (S,): all positive, their sum is 1
values = torch.zeros(8)  # (S,): what a word hands over, here its number, if it has one
values[twelve] = 12
values[three] = 3
columns = {"word": words,
           "key": keys.tolist(),
           "score": scores.tolist(),
           "weight": weights.tolist(),
           "value": values.tolist()}
figures.table(zip(*columns.values()), list(columns))
print(f"  `gave` receives {weights @ values:.2f}")

# %% [markdown]
r"""
This is all of attention. One word asks with a **query**. Every word offers a **key**. The dot
product of query and key is the **score**: it says how well the two fit. Softmax turns the scores
into weights. `gave` then receives the average of the words' **values** with these weights:

    weights = softmax(keys · query)          z = sum of weight * value

Here a value is one number, so you can see the average: some of 12, some of 3, a little of nothing.
In a model a value has K numbers. A matrix computes it from the word, as another one computes the
key.

No rule about giving is in the code. The two matrices decide, and a model learns its matrices. Now
we forget these two, start from random ones, and let gradient descent find better ones. It teaches
`gave` to look at `3`, the number that was given, and not at `12`. The loss is -log of the weight
that `3` gets. Guess first: which weight does `3` have in the end?
"""

# %% 1.2 Who decides? The gradient
figures.heading("1.2 Gradient descent teaches `gave` to look at `3`: how far does it get?")


def weights_of_gave(x, query_matrix, key_matrix):
    """The words x (S, D), both matrices (K, D) -> the weights of the words for `gave` (S,)"""
    query = query_matrix @ x[gave]  # (K,)
    scores = x @ key_matrix.T @ query  # (S, K) @ (K,) -> (S,)
    return scores.softmax(dim=0)


def teach(x, steps=1000):
    """Learns a query matrix and a key matrix such that `gave` looks at `3`.

    x (S, D) -> the weights (S,) before and after
    """
    torch.manual_seed(1)
    query_matrix = torch.randn(2, x.shape[1])  # (K=2, D)
    key_matrix = torch.randn(2, x.shape[1])  # (K=2, D)
    matrices = [query_matrix.requires_grad_(), key_matrix.requires_grad_()]
    optimizer = torch.optim.SGD(matrices, lr=0.3)
    before = weights_of_gave(x, *matrices)
    for _ in range(steps):
        weight = weights_of_gave(x, *matrices)[three]
        loss = -weight.log()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = weights_of_gave(x, *matrices)
    return before.detach(), after.detach()


before, after = teach(x)
rows = []
for name, learned in {"before": before, "after": after}.items():
    of_3 = learned[three].item()
    of_12 = learned[twelve].item()
    loss = -math.log(of_3)
    rows.append((name, of_3, of_12, loss))
figures.table(rows, ["weight of", "3", "12", "loss"])
print(f"  log 2 = {math.log(2):.3f}")

# %% [markdown]
r"""
`3` gets one half and no more, however long the training lasts. Here `12` and `3` are both numbers
and nothing else, so they have the same key, and equal keys get equal weights. Remember this:
section 1.6 finds what is missing.

## Why the score is divided

A dot product of K numbers is a sum of K terms. If each term has a size of about 1 and either sign,
they cancel in part. Their variances add up to K, so the sum has a size of about √K: the scores grow
with K. After a softmax of large scores one word has nearly all of the weight. The next cell draws
random queries, each with ten random keys. Guess the largest of the ten weights at K = 1024, without
the division by √K and with it. Then guess the size of the gradient: how much does the largest
weight change if the scores change?
"""

# %% 1.3 Without the scale, and with it
figures.heading("1.3 Ten random keys: the largest weight, and the gradient at the scores")


def hardness(K, divide):
    """The largest of ten weights and the norm of its gradient, both a mean over 500 queries."""
    torch.manual_seed(K)
    query = torch.randn(500, K, 1)
    keys = torch.randn(500, 10, K)
    scores = (keys @ query)[..., 0]  # (500, 10, K) @ (500, K, 1) -> (500, 10)
    if divide:
        scores = scores / math.sqrt(K)
    scores.requires_grad_()
    largest = scores.softmax(dim=1).amax(dim=1)  # (500,)
    gradient, = torch.autograd.grad(largest.sum(), scores)  # (500, 10)
    norms = gradient.norm(dim=1)  # (500,)
    return largest.mean().item(), norms.mean().item()


widths = [2**exponent for exponent in range(2, 11)]  # K = 4, 8, … 1024
undivided = {K: hardness(K, divide=False) for K in widths}
divided = {K: hardness(K, divide=True) for K in widths}
rows = []
for K in (4, 64, 1024):
    rows.append((K, *undivided[K], *divided[K]))
figures.table(rows, ["K", "undivided: weight", "gradient", "divided: weight", "gradient"])
curves = {"undivided": [], "divided by sqrt(K)": []}
for K in widths:
    exponent = math.log2(K)
    curves["undivided"].append((exponent, undivided[K][0]))
    curves["divided by sqrt(K)"].append((exponent, divided[K][0]))
figures.curves(curves, "log2 of K", "largest of ten weights", "01_scale",
               title="Attention weights with and without the scale")

# %% [markdown]
r"""
An attention that is certain before it has learned anything learns slowly: where one weight is
nearly 1, a small change of the scores changes nothing. The division by √K keeps the scores at size
1 for every width, so the gradient keeps its size too.

## Masks: which words may be asked

Some words must stay hidden. The first kind is padding: it fills a short text up to the length of a
long one. The second kind is the future: while a model writes, it must not see the words that come
later. The mask for that is called *causal*. A model that writes one more token asks with this token
alone: one query, and all earlier tokens and itself are keys. A **mask** says which word may look at
which. The whole project has one convention:

    True = may attend          rows are queries          columns are keys

A forbidden score becomes -∞ **before** softmax: exp(-∞) is 0, and the other words share the whole
weight. Two other ways are tempting: set the score to 0, or set the weight to 0 after softmax. The
next cell tries all three ways on the scores (2, 1, 0, 3) and forbids the last one. Then it raises
the forbidden score by 1 and measures how far the weight of the first word moves. Four columns: the
weights of the first word and of the forbidden word, the sum of all weights, and how far the first
word's weight moves. Which numbers stand there if the forbidden word has no influence?
"""

# %% 1.4 Masks, right and wrong
figures.heading("1.4 Each word sees itself and the past: rows are queries, columns are keys")
first_six = words[:6]
visible = causal_mask(6).int()  # (T=6, S=6)
figures.matrix(visible.tolist(), first_six, first_six, "01_causal_mask",
               title="Causal mask: dark = may attend (rows: queries)")

scores = torch.tensor([2., 1, 0, 3])
allowed = torch.tensor([True, True, True, False])


def minus_infinity(scores):
    masked = torch.where(allowed, scores, -math.inf)
    return masked.softmax(dim=0)


def zero_before(scores):
    masked = scores * allowed
    return masked.softmax(dim=0)


def zero_after(scores):
    return scores.softmax(dim=0) * allowed


ways = {"-inf before softmax": minus_infinity,
        "0 before softmax": zero_before,
        "times 0 after softmax": zero_after}
raised = scores + torch.tensor([0., 0, 0, 1])
rows = []
for name, masked_softmax in ways.items():
    shares = masked_softmax(scores).tolist()
    moved = masked_softmax(raised).tolist()
    first = shares[0]
    forbidden = shares[3]
    rows.append((name, first, forbidden, sum(shares), moved[0] - first))
figures.table(rows, ["mask", "first", "forbidden", "sum", "first moves by"])
assert torch.equal(minus_infinity(raised), minus_infinity(scores))
nothing_allowed = torch.full((4,), -math.inf)
empty_row = nothing_allowed.softmax(dim=0)
print(f"  a row where no key is allowed: {empty_row.tolist()}")

# %% [markdown]
r"""
A score of 0 does not hide a word: exp(0) = 1, so the word still takes part. Zeros after softmax
leave a sum below 1, and the forbidden score still moves the other weights. A row without any
allowed key is 0/0. That is why padding hides *keys*, never queries. A padded query computes
numbers, and nobody reads them.

## Several heads

One softmax gives one average. `gave` asks for three different things, so it gets three **heads**:
three attentions, each with its own matrices. The first head below is the one of 1.1. The second
head asks "who?", and the third asks "what?".

The cell then takes three heads of a real layer with random weights. Each head has four matrices.
W_Q, W_K and W_V compute queries, keys and values from the words. The head's result z has K numbers,
and W_O turns it into an addition to the D numbers of the word.
"""

# %% 1.5 Three heads over one sentence
figures.heading("1.5 Three heads of `gave`")
person = x[:, 3]  # (S,): keys that say "I am a person"
thing = x[:, 2]  # (S,): keys that say "I am a thing"
heads = {"how many": weights,
         "who": (4 * person).softmax(dim=0),
         "what": (4 * thing).softmax(dim=0)}
pattern = torch.stack(list(heads.values()))  # (N, S)
figures.matrix(pattern.tolist(), list(heads), words, "01_heads",
               title="Where each head of one query looks")


def project(x, linear, rows):
    """A head's queries, keys or values: x (S, D), the head's rows of a layer -> (S, K)"""
    return x @ linear.weight[rows].T + linear.bias[rows]


def one_head(x, layer, rows):
    """What one head gives to each word: x (S, D) -> z (S, K)"""
    query = project(x, layer.query, rows)
    key = project(x, layer.key, rows)
    value = project(x, layer.value, rows)
    K = query.shape[1]
    scores = query @ key.T / math.sqrt(K)  # (S, S)
    return scores.softmax(dim=1) @ value


def largest_difference(a, b):
    difference = (a - b).abs()
    return difference.max().item()


torch.manual_seed(0)
text = torch.randn(5, 12)  # five words, (S=5, D=12)
batch = text[None]  # (B=1, S, D)
layer = MultiHeadAttention(12, 4, range(3))  # D=12, K=4, N=3
parts = []
with torch.no_grad():
    for head in range(3):
        own = slice(4 * head, 4 * head + 4)  # the head's rows of W_Q, W_K, W_V, its columns of W_O
        z = one_head(text, layer, own)  # (S, K)
        W_O = layer.output.weight[:, own]  # (D, K)
        parts.append(z @ W_O.T)  # (S, D)
    total = sum(parts) + layer.output.bias
    whole = layer(batch)[0][0]  # (1, S, D) -> (S, D)
    gate = torch.tensor([1., 0, 1])
    gated = layer(batch, head_gate=gate)[0][0]
rows = [("the sum over heads, and the library", largest_difference(total, whole)),
        ("the sum without head 1, and gate 0 on it", largest_difference(total - parts[1], gated))]
for name, difference in rows:
    print(f"  {name:40}  differ by at most {difference:.1e}")
    assert difference < 1e-6

# %% [markdown]
r"""
Books write "concatenate the heads and multiply by W_O". The sum says the same. W_O[h] holds the
head's own columns of W_O, (D, K), and b_O is the bias:

    output = sum over heads of gate[h] * z[h] W_O[h]ᵀ + b_O

This sum is why heads can be pruned at all. Heads meet only in the sum. So one of them can leave,
and the parts of the others stay the same. A **gate** of 0 removes a head from the sum. The gate
stands before W_O. After W_O the heads are mixed, and no factor can select one of them.

## Attention does not see the order

Shuffle the words of a text. What changes in the result of each word? Guess before you run the cell.
"""

# %% 1.6 Shuffled words
figures.heading("1.6 Shuffle the words: which outputs change?")
order = torch.randperm(5)
with torch.no_grad():
    shuffled = layer(text[order][None])[0][0]  # (1, S, D) -> (S, D)
print(f"  the order of the words: {order.tolist()}")
print(f"  largest difference, word for word: {largest_difference(shuffled, whole[order]):.1e}")
assert torch.allclose(shuffled, whole[order], atol=1e-6)

position = torch.arange(8.)[:, None] / 8  # (S, 1)
with_positions = torch.cat([x, position], dim=1)  # (S, D+1)
before, after = teach(with_positions)
of_3 = after[three].item()
print(f"  1.2 again, with each word's position as a fifth entry: `3` gets {of_3:.3f}")

# %% [markdown]
r"""
Only the order of the rows changes. Without a mask attention knows no first and no last, no before
and no after. It treats a text as a bag of words, so "12 - 3" is the same as "3 - 12". Whoever needs
the order must put it into the words or into the scores. For `gave`, the position as one more entry
was enough. The library rotates queries and keys by an angle instead, and lesson 02 shows why.
(Vaswani et al. add sines of the position to the words. Our positions are rotary, and only
self-attention has them: the attention of a text to itself.)

## Library = torch = ours

The last cell computes attention for a batch, with a mask, in three ways. Be careful with the mask:
torch has two meanings of True. For torch's own function True means "may attend", as it does for us.
For torch's own *module* True means "must not attend". The wrong mask runs without an error.
"""

# %% 1.7 Library = torch = ours
figures.heading("1.7 Three ways to the same numbers")
B = 2
N = 3
T = 4
S = 5
K = 6
query = torch.randn(B, N, T, K)
key = torch.randn(B, N, S, K)
value = torch.randn(B, N, S, K)
mask = torch.rand(B, 1, T, S) < 0.6
mask[..., 0] = True  # every query keeps a key
library_z, probabilities = attention(query, key, value, mask)
torch_z = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
our_z = torch.zeros(B, N, T, K)
for b in range(B):
    for n in range(N):
        for t in range(T):
            seen = mask[b, 0, t]  # (S,)
            scores = key[b, n, seen] @ query[b, n, t]  # one for each key that is seen
            scaled = scores / math.sqrt(K)
            our_z[b, n, t] = scaled.softmax(dim=0) @ value[b, n, seen]

torch_layer = torch.nn.MultiheadAttention(12, 3, batch_first=True)
linears = [layer.query, layer.key, layer.value]
stacked_weights = torch.cat([linear.weight for linear in linears])  # (3*N*K, D)
stacked_biases = torch.cat([linear.bias for linear in linears])  # (3*N*K,)
real = torch.arange(5) < 3  # (S,): the last two words are padding
mask = real.expand(5, 5)  # (T, S)
with torch.no_grad():
    torch_layer.in_proj_weight.copy_(stacked_weights)
    torch_layer.in_proj_bias.copy_(stacked_biases)
    torch_layer.out_proj.load_state_dict(layer.output.state_dict())
    library_output = layer(batch, mask=mask)[0]
    torch_output = torch_layer(batch, batch, batch, attn_mask=~mask)[0]
    wrong_output = torch_layer(batch, batch, batch, attn_mask=mask)[0]

differences = {"attention and three loops": largest_difference(library_z, our_z),
               "attention and torch's function": largest_difference(library_z, torch_z),
               "module and torch's module, ~mask": largest_difference(library_output, torch_output),
               "the same, but with mask": largest_difference(library_output, wrong_output)}
rows = []
for name, difference in differences.items():
    rows.append((name, f"{difference:.1e}"))
figures.table(rows, ["", "largest difference"])
assert torch.allclose(library_z, our_z, atol=1e-6)
assert torch.allclose(library_z, torch_z, atol=1e-6)
assert torch.allclose(library_output, torch_output, atol=1e-6)
print(f"  z (B, N, T, K) = {tuple(library_z.shape)}")
print(f"  probabilities (B, N, T, S) = {tuple(probabilities.shape)}")

# %% [markdown]
r"""
## Exercises

"Write" means: write the body of this function. In a course's copy the body is missing already. On
your own, delete what stands between its two marker lines in `tinyprune/` (`### BEGIN SOLUTION`,
`### END SOLUTION`) and write yours there. Then run the test that the exercise names.
`git checkout FILE` brings the solution back, and deletes your version. Answers stand in
`lessons/course/README.md`.

1. (★, 10 minutes) By hand: the query (2, 0, 0, 0) meets the keys (1, 5, 5, 5) and (0, 0, 0, 0). The
   values are 10 and 20. Which scores does the division leave, and what is the result, to one
   decimal? Check your answer with the library's `attention`.
2. (★, 20 minutes) Write `causal_mask(queries, start)` (`tinyprune/attention.py`, as all functions
   of these exercises). `start` is the number of tokens that came earlier: keys, but not queries.
   What does the row of a single new token look like if four came earlier (`start=4`)?
   `pytest tests/test_attention.py -k causal_mask`
3. (★★, 40 minutes) Write `attention` with its mask, for any leading dimensions. Return the
   probabilities too. `pytest tests/test_attention.py -k "attention_equals_torch or gradients"`
4. (★★, 20 minutes) Find the mistake. This gate should switch heads off, and all tests with gates of
   1 pass. What does it do instead?

       def forward(self, x, gate):
           z = self.heads(x)                        # (B, N, T, K)
           return self.output(merge_heads(z)) * gate.mean()

   First find the one gate vector that shows the mistake without any reference: for this vector you
   know the output beforehand. Then put the mistake into `MultiHeadAttention.forward` (multiply the
   output by `head_gate.mean()`, not z by the gates):
   `pytest tests/test_attention.py -k gate_multiplies` names it.
5. (★★★, 90 minutes) Open: find a sentence of eight words and a task that two heads can do and one
   head cannot, however you train it. Give each of the two heads half the width, so that both sides
   have equally many parameters. Show it with `teach`: give it a value matrix, a target vector and a
   seed, train both, and report the loss over five seeds.
"""
