"""How fast is it? Ratios against others on the same machine, both sides in turn in one run.

`python tests/project/speed.py` measures for some minutes, on the device that is there, and writes
lessons/results/speed.json. It needs Math23k (data/download.py), and transformers, in an environment
of its own: `pip install -r requirements.txt transformers`.
"""
import argparse
import re
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from torch import nn  # noqa: E402

from tinyprune import recipe  # noqa: E402
from tinyprune.batching import DEVICE, Batch, batches  # noqa: E402
from tinyprune.decode import greedy  # noqa: E402
from tinyprune.distill import task_loss  # noqa: E402
from tinyprune.masking import remove_heads, select_heads  # noqa: E402
from tinyprune.measure import flops, forced_decoding, interleaved, seconds_of  # noqa: E402
from tinyprune.results import RESULTS, gather, write_findings  # noqa: E402
from tinyprune.rivals import random_score  # noqa: E402
from tinyprune.transformer import Transformer, shift_right, token_loss  # noqa: E402


def times_as_fast(ours, theirs, rounds=5):
    """The median of theirs / ours, called in turn; the first round warms up."""
    ratios = []
    for _ in range(rounds + 1):
        own = seconds_of(ours)
        ratios.append(seconds_of(theirs) / own)
    return round(statistics.median(ratios[1:]), 3)


# decoding

def t5_like(config):
    """Hugging Face's T5 of the same shape, with one vocabulary for both sides, as it always has.

    Like ours it has norms before each sublayer, and relative positions.
    """
    from transformers import T5Config, T5ForConditionalGeneration
    model = T5ForConditionalGeneration(T5Config(
        vocab_size=config.source_tokens, d_model=config.width, d_kv=config.head_width,
        d_ff=config.feedforward, num_heads=config.heads, num_layers=config.encoder_layers,
        num_decoder_layers=config.decoder_layers, pad_token_id=0, eos_token_id=1,
        decoder_start_token_id=2, tie_word_embeddings=False))
    return model.to(DEVICE).eval()


def t5_with_our_outputs(config):
    """The same, but it writes one of our few target tokens, which saves it a large product."""
    model = t5_like(config)
    model.lm_head = nn.Linear(config.width, config.target_tokens, bias=False).to(DEVICE)
    model.config.vocab_size = config.target_tokens
    return model


def marian_like(config):
    """Hugging Face's Marian of the same shape: our outputs, fused attention, absolute positions."""
    from transformers import MarianConfig, MarianMTModel
    model = MarianMTModel(MarianConfig(
        vocab_size=config.source_tokens, decoder_vocab_size=config.target_tokens,
        share_encoder_decoder_embeddings=False, d_model=config.width,
        encoder_layers=config.encoder_layers, decoder_layers=config.decoder_layers,
        encoder_attention_heads=config.heads, decoder_attention_heads=config.heads,
        encoder_ffn_dim=config.feedforward, decoder_ffn_dim=config.feedforward, pad_token_id=0,
        eos_token_id=1, bos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=None))
    return model.to(DEVICE).eval()


def decode_ratio(rival, model, vocabularies, problems, batch_size):
    """Our greedy search against generate(), which writes as many tokens as our longest answer."""
    asked = batches(problems, vocabularies, batch_size)
    lengths = []
    for batch in asked:
        answers = greedy(model, batch, vocabularies.target)
        lengths.append(max(len(best.equation) for best, *_ in answers))

    def ours():
        for batch in asked:
            greedy(model, batch, vocabularies.target)

    def theirs():
        for batch, length in zip(asked, lengths):
            words = batch.source[..., 0]
            rival.generate(input_ids=words, attention_mask=(words != 0).long(), num_beams=1,
                           do_sample=False, min_new_tokens=length, max_new_tokens=length)

    return times_as_fast(ours, theirs)


# training

class TorchTransformer(nn.Module):
    """torch's own transformer of the same shape, with learned positions."""

    def __init__(self, config):
        super().__init__()
        D = config.width
        self.source = nn.Embedding(config.source_tokens, D, padding_idx=0)
        self.target = nn.Embedding(config.target_tokens, D, padding_idx=0)
        self.positions = nn.Embedding(256, D)
        self.stacks = nn.Transformer(D, config.heads, config.encoder_layers, config.decoder_layers,
                                     config.feedforward, config.dropout, batch_first=True,
                                     norm_first=True)
        self.classifier = nn.Linear(D, config.target_tokens)

    def forward(self, batch):
        """The loss of the same targets; each text is read once, as in ours."""
        words = batch.source[..., 0]
        tokens = shift_right(batch.target, batch.start)
        S = words.shape[1]
        T = tokens.shape[1]
        padding = words == 0
        memory = self.stacks.encoder(self.source(words) + self.positions.weight[:S],
                                     src_key_padding_mask=padding)
        equations = len(tokens) // len(words)
        causal = nn.Transformer.generate_square_subsequent_mask(T, device=words.device)
        x = self.stacks.decoder(self.target(tokens) + self.positions.weight[:T],
                                memory.repeat(equations, 1, 1), tgt_mask=causal,
                                memory_key_padding_mask=padding.repeat(equations, 1),
                                tgt_is_causal=True)
        return token_loss(self.classifier(x), batch.target, label_smoothing=0.1)


def learner(model, loss):
    """A function that takes one training step on a batch."""
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=1e-4, fused=True)

    def step(batch):
        optimizer.zero_grad()
        loss(model, batch).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()

    return step


def train_batches(problems, vocabularies, size):
    writable = [problem for problem in problems if vocabularies.can_write(problem)]
    order = torch.Generator().manual_seed(0)
    return batches(writable, vocabularies, size, order, mirrored=True)[:10]


def train_ratio(config, taught):
    ours = learner(Transformer(config).to(DEVICE), task_loss)
    theirs = learner(TorchTransformer(config).to(DEVICE), lambda model, batch: model(batch))

    def all_steps(step):
        return lambda: [step(batch) for batch in taught]

    return times_as_fast(all_steps(ours), all_steps(theirs))


# Fused attention is two products, and a softmax between them.
PRODUCTS = re.compile("aten::(mm|addmm|bmm)$|_attention|gemm")


def matrix_share(config, taught):
    """Which share of a training step's time goes into matrix products."""
    step = learner(Transformer(config).to(DEVICE), task_loss)
    step(taught[0])
    with torch.profiler.profile() as profile:
        for batch in taught:
            step(batch)
    attribute = "self_device_time_total" if DEVICE == "cuda" else "self_cpu_time_total"
    times = {event.key: getattr(event, attribute) for event in profile.key_averages()}
    products = sum(took for name, took in times.items() if PRODUCTS.search(name))
    return round(products / sum(times.values()), 3)


# pruned models

def pruned_speed(model, problems, vocabularies, batch_size, ratios, rounds=7):
    """[ratio of heads removed, measured speed as a share of what the FLOPs allow]"""
    asked = batches(problems, vocabularies, batch_size)
    scores = random_score(model, [])
    found = []

    def decode(model):
        return lambda: [forced_decoding(model, batch) for batch in asked]

    for ratio in ratios:
        smaller = remove_heads(model, select_heads(scores, ratio))
        measured = times_as_fast(decode(smaller), decode(model), rounds)
        allowed = cost(model, asked) / cost(smaller, asked)
        found.append([ratio, round(measured / allowed, 3), measured])
    return found


def cost(model, asked):
    """FLOPs of the batches as they are computed, with their padding."""
    return sum(len(batch.source) * flops(model, batch.source.shape[1], batch.target.shape[1])
               for batch in asked)


# cost against size

SIZES = {"words": [16, 32, 64, 128], "tokens": [4, 8, 16, 32], "width": [64, 128, 192, 256],
         "problems": [8, 16, 32, 64]}  # of a batch


def cost_against_size(config):
    """A training step's time, relative to that of the smallest size: {size: [[n, times]]}"""
    curves = {}
    for name, sizes in SIZES.items():
        steps = {size: step_of_size(config, **{name: size}) for size in sizes}
        medians = interleaved(steps, rounds=7)
        curves[name] = [[size, round(took / medians[sizes[0]], 2)]
                        for size, took in medians.items()]
    return curves


def step_of_size(config, words=32, tokens=8, problems=32, width=192):
    """A training step on random problems of this size, as a function of no arguments."""
    config = replace(config, width=width)
    step = learner(Transformer(config).to(DEVICE), task_loss)
    source = torch.randint(4, config.source_tokens, (problems, words, 5))
    target = torch.randint(4, config.target_tokens, (2 * problems, tokens))
    parts = source, torch.full((problems,), words), target, torch.full((2 * problems,), 2), None
    batch = Batch(*(part if part is None else part.to(DEVICE) for part in parts), positions=[])
    return lambda: step(batch)


# all of it

def measure(threads):
    trained, vocabularies = recipe.load_or_train_teacher("math23k")
    splits = recipe.load("math23k")
    model = trained.model
    few = splits.test[:100]
    batch_size = recipe.EXPERIMENTS["math23k"].teacher.batch_size
    taught = train_batches(splits.train[:2000], vocabularies, batch_size)
    ratios = [tenths / 10 for tenths in range(1, 8)]
    yield {"device": torch.cuda.get_device_name() if DEVICE == "cuda" else "cpu",
           "threads": threads}
    rivals = {"generate": t5_like, "t5_outputs": t5_with_our_outputs, "marian": marian_like}
    for name, make_rival in rivals.items():
        for problems, size in ((splits.test, 100), (few, 1)):
            ratio = decode_ratio(make_rival(model.config), model, vocabularies, problems, size)
            yield {f"decode_vs_{name}_batch{size}": ratio}
    yield {"train_vs_torch": train_ratio(model.config, taught)}
    yield {"matrix_share": matrix_share(model.config, taught)}
    pruned = pruned_speed(model, splits.test[:512], vocabularies, 128, ratios)
    yield {"pruned_speed": [row[:2] for row in pruned], "pruned_times": [row[2] for row in pruned]}
    pruned = pruned_speed(model, few[:50], vocabularies, 1, ratios)
    yield {"pruned_speed_batch1": [row[:2] for row in pruned]}
    yield {"cost_against_size": cost_against_size(model.config)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    started = time.time()
    torch.set_num_threads(args.threads)
    write_findings(args.out / "speed.json", gather(measure(args.threads)), started)


if __name__ == "__main__":
    main()
