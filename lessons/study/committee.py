"""Several models that answer as one: at every token, the mean of their probabilities."""
import torch


class Committee:
    """Has of a Transformer what the searches of decode.py and bidirectional.py call."""

    def __init__(self, models):
        self.models = models

    def eval(self):
        for model in self.models:
            model.eval()
        return self

    def encode(self, source, lengths, gates=None):
        """-> the memories of all models side by side (B, S, models * D), memory_mask"""
        memories, masks = zip(*(model.encode(source, lengths) for model in self.models))
        return torch.cat(memories, dim=-1), masks[0]

    def decode(self, tokens, memory, memory_mask, gates=None, cache=None):
        """-> the logarithm of the mean probabilities (B, T, V)"""
        total = 0
        for member, (model, own) in enumerate(zip(self.models, memory.chunk(len(self.models), -1))):
            # One cache serves all: a member's layer 0 is (member, 0) there.
            own_cache = {(kind, layer): cached for (kind, (of, layer)), cached
                         in (cache or {}).items() if of == member}
            logits = model.decode(tokens, own, memory_mask,
                                  cache=None if cache is None else own_cache)
            total = total + logits.softmax(dim=-1)
            if cache is not None:
                cache.update({(kind, (member, layer)): cached
                              for (kind, layer), cached in own_cache.items()})
        return (total / len(self.models)).log()
