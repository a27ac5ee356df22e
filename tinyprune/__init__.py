"""tinyprune: attention-head pruning and knowledge distillation for math word problems, by hand.

The model and the vocabularies agree on four token ids and on nothing else: filler after a short row, a word never
seen, and what the decoder reads first when it is to write an equation, or an equation mirrored.
"""
PAD, UNK, BOS, MIRROR = 0, 1, 2, 3
