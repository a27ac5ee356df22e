"""Why is my GPU idle? A training step, recorded once as a CUDA graph and then replayed.

A training step is some thousands of small operations. Python names them to the GPU one by one,
which took 14 ms on the sample, and the GPU does them in 3 ms: for the rest of the time it waits for
Python (lessons/results/gpu.json). A recording holds all of them, and one call starts them all.

A recording always reads and writes the same places in memory. So a new batch is copied to where the
recorded one was, texts and equations are padded to a few sizes, one recording for each, and gates
and the learning rate are filled, not replaced. A step that asks for a value of a tensor (`.item()`,
`x[mask]`) cannot be recorded.
"""
from dataclasses import replace

import torch
from torch.nn.functional import pad

SUBWORDS = 5  # of a word: itself and its first four characters
WORDS = (16, 24, 32, 40, 56)
TOKENS = (5, 7, 11)


def size_for(length, sizes):
    """The smallest of the sizes that holds this length; a longer one keeps its own."""
    return next((size for size in sizes if size >= length), length)


def pad_batch(batch):
    """The same batch with more padding: texts and equations of one of a few sizes."""
    _, S, P = batch.source.shape
    T = batch.target.shape[1]
    more_words = size_for(S, WORDS) - S
    more_subwords = max(SUBWORDS - P, 0)
    more_tokens = size_for(T, TOKENS) - T
    soft = batch.soft if batch.soft is None else pad(batch.soft, (0, 0, 0, more_tokens))
    return replace(batch, source=pad(batch.source, (0, more_subwords, 0, more_words)),
                   target=pad(batch.target, (0, more_tokens)), soft=soft)


def tensors_of(batch):
    return [value for value in vars(batch).values() if isinstance(value, torch.Tensor)]


class RecordedSteps:
    """Calls `update(batch)`, and from the second batch of a size on replays what it did.

    update: a function that asks for no value; it returns a tensor
    batch_size: batches of another number of problems (an epoch's last) are never recorded
    gates: a function of no arguments -> the gates that update uses; whether there are any is part
           of what is recorded
    """

    def __init__(self, update, batch_size, gates):
        self.update = update
        self.batch_size = batch_size
        self.gates = gates
        self.stream = torch.cuda.Stream()
        self.memory = torch.cuda.graph_pool_handle()  # of all: one runs at a time
        self.recordings = {}  # a batch's sizes: (graph, its batch, its result), or None at first

    def __call__(self, batch):
        # What prepared the batch comes first, and what follows waits for this step.
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            result = self.step(batch)
        torch.cuda.current_stream().wait_stream(self.stream)
        return result

    def step(self, batch):
        if len(batch.source) != self.batch_size:
            return self.update(batch)
        batch = pad_batch(batch)
        key = batch.source.shape, batch.target.shape, bool(self.gates())
        # The first batch of a size is not recorded: libraries and the optimizer set up then what
        # must not be part of a recording.
        if key not in self.recordings:
            self.recordings[key] = None
            return self.update(batch)
        if self.recordings[key] is None:
            self.recordings[key] = self.record(batch)
        graph, recorded, result = self.recordings[key]
        for place, tensor in zip(tensors_of(recorded), tensors_of(batch)):
            place.copy_(tensor)
        graph.replay()
        return result.clone()  # the next replay writes there again

    def record(self, batch):
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.memory, stream=self.stream):
            result = self.update(batch)  # recorded, not executed
        return graph, batch, result
