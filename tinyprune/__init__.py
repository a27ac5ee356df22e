"""tinyprune: attention-head pruning and knowledge distillation for math word problems, by hand.

The model and the vocabularies agree on four token ids and on nothing else:

    PAD     fills a short row up to the length of the longest one
    UNK     stands for a word that the vocabulary does not have
    BOS     is what the decoder reads first when it writes an equation from left to right
    MIRROR  is what it reads first when it writes the equation mirrored, from right to left
"""
PAD, UNK, BOS, MIRROR = range(4)
