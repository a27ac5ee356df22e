"""tinyprune: attention-head pruning and knowledge distillation for math word problems, by hand.

The model and the vocabularies agree on three token ids and on nothing else.
"""
PAD, UNK, BOS = 0, 1, 2  # filler after a short row; a word never seen; what the decoder reads first
