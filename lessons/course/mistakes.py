"""Mistakes that students make, each a replacement in one module of the package.

MISTAKES: [(module, old text, new text, the test that must catch it, a word of its message)]

prove.py plants each in a copy and runs its test.
"""

ATTENTION = [
    ("attention", "key.transpose(-2, -1) / math.sqrt(query.shape[-1])", "key.transpose(-2, -1)",
     "test_attention_equals_torch", "not divided by sqrt(K)"),
    ("attention", "/ math.sqrt(query.shape[-1])", "/ query.shape[-1]",
     "test_attention_equals_torch", "divided by K, not by sqrt(K)"),
    ("attention", "/ math.sqrt(query.shape[-1])", "* math.sqrt(query.shape[-1])",
     "test_attention_equals_torch", "multiplied by sqrt(K)"),
    ("attention", "/ math.sqrt(query.shape[-1])", "/ math.sqrt(query.shape[1])",
     "test_attention_equals_torch", "divided by sqrt(N)"),
    ("attention", "/ math.sqrt(query.shape[-1])", "/ math.sqrt(query.shape[2])",
     "test_attention_equals_torch", "divided by sqrt(T)"),
    ("attention", "/ math.sqrt(query.shape[-1])", "/ math.sqrt(key.shape[2])",
     "test_attention_equals_torch", "divided by sqrt(S)"),
    ("attention", "/ math.sqrt(query.shape[-1])", "/ math.sqrt(query.shape[1] * query.shape[3])",
     "test_attention_equals_torch", "divided by sqrt(N*K)"),
    ("attention",
     "probabilities = scores.softmax(dim=-1)", "probabilities = scores.softmax(dim=-2)",
     "test_attention_equals_torch", "over the queries"),
    ("attention", "probabilities = scores.softmax(dim=-1)", "probabilities = scores.softmax(dim=1)",
     "test_attention_equals_torch", "over the heads"),
    ("attention", "return probabilities @ value, probabilities",
     "return probabilities @ key, probabilities",
     "test_attention_equals_torch", "average the keys"),
    ("attention", """        scores = scores.masked_fill(~mask, -math.inf)
    probabilities = scores.softmax(dim=-1)
""", """        return (scores.softmax(dim=-1) * mask) @ value, scores.softmax(dim=-1) * mask
    probabilities = scores.softmax(dim=-1)
""", "test_attention_equals_torch", "after softmax"),
    ("attention", "scores.masked_fill(~mask, -math.inf)", "scores.masked_fill(mask, -math.inf)",
     "test_attention_equals_torch", "wrong way round"),
    ("attention", "scores.masked_fill(~mask, -math.inf)", "scores.masked_fill(~mask, 0)",
     "test_attention_equals_torch", "set to 0"),
    ("attention", "scores.masked_fill(~mask, -math.inf)", "scores * mask",
     "test_attention_equals_torch", "set to 0"),
    ("attention", "scores.masked_fill(~mask, -math.inf)", "scores + mask",
     "test_attention_equals_torch", "added to the scores"),
    ("attention", "        scores = scores.masked_fill(~mask, -math.inf)", "        pass",
     "test_attention_equals_torch", "the mask is ignored"),
    ("attention",
     "return probabilities @ value, probabilities", "return probabilities @ value, scores",
     "test_attention_equals_torch", "scores before softmax"),
    ("attention", "    scores = query @ key", "    query *= 1.5\n    scores = query @ key",
     "test_attention_equals_torch", "in place"),
    ("attention",
     """    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])  # (B, N, T, S)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    probabilities = scores.softmax(dim=-1)
""", """    scores = query @ key.transpose(-2, -1)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    probabilities = scores.softmax(dim=-1) / math.sqrt(query.shape[-1])
""", "test_attention_equals_torch", "weights are divided"),
    ("attention", "device=device).tril(start)", "device=device).tril(start - 1)",
     "test_causal_mask_lets_a_token_see_itself_and_the_past", "cannot see itself"),
    ("attention", "device=device).tril(start)", "device=device).tril(start + 1)",
     "test_causal_mask_lets_a_token_see_itself_and_the_past", "sees the next one"),
    ("attention", "device=device).tril(start)", "device=device).triu(start)",
     "test_causal_mask_lets_a_token_see_itself_and_the_past", "rows and columns are swapped"),
    ("attention", "dtype=torch.bool, device=device).tril(start)", "device=device).tril(start)",
     "test_causal_mask_lets_a_token_see_itself_and_the_past", "dtype=bool"),
    ("attention",
     "return torch.ones(queries, start + queries, dtype=torch.bool, device=device).tril"
     "(start)", "return torch.full((queries, start + queries), -math.inf).triu(start + 1)",
     "test_causal_mask_lets_a_token_see_itself_and_the_past", "additive"),
    ("attention", "device=device).tril(start)", "device=device).tril()",
     "test_causal_mask_of_new_tokens_shows_them_all_the_cached_ones", "shift the diagonal"),
    ("attention", "lengths[:, None])[:, None, None]", "lengths[:, None])[:, None, :, None]",
     "test_padding_mask_hides_keys_not_queries", "hides queries"),
    ("attention", "device=lengths.device) < lengths", "device=lengths.device) <= lengths",
     "test_padding_mask_hides_keys_not_queries", "off by one"),
    ("attention", "device=lengths.device) < lengths", "device=lengths.device) >= lengths",
     "test_padding_mask_hides_keys_not_queries", "not padding"),
    ("attention", "x.unflatten(-1, (heads, -1)).transpose(1, 2)",
     "x.view(len(x), heads, x.shape[1], -1)",
     "test_split_heads_gives_each_head_its_columns", "cuts across tokens"),
    ("attention", "x.unflatten(-1, (heads, -1)).transpose(1, 2)",
     "x.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2)",
     "test_split_heads_gives_each_head_its_columns", "heads and width are swapped"),
    ("attention", "x.unflatten(-1, (heads, -1)).transpose(1, 2)", "x.unflatten(-1, (heads, -1))",
     "test_split_heads_gives_each_head_its_columns", "not transposed"),
    ("attention", "return z.transpose(1, 2).flatten(-2)",
     "return z.reshape(len(z), z.shape[2], -1)",
     "test_merge_heads_undoes_split_heads", "transpose(1, 2) back"),
]

TRANSFORMER = [
    ("attention", "10000.0 ** (-steps / head_width)", "10000.0 ** (0 * steps)",
     "test_first_pair_turns_one_radian_per_step", "same speed"),
    ("attention", "[start:end]\n", "[start + 1:end + 1]\n",
     "test_first_pair_turns_one_radian_per_step", "positions start at 0"),
    ("attention", "x.device, x.dtype)[start:end]", "x.device, x.dtype)[start:end].conj()",
     "test_first_pair_turns_one_radian_per_step", "the other way"),
    ("attention", "10000.0 ** (-steps / head_width)", "10000.0 ** (steps / head_width)",
     "test_first_pair_turns_one_radian_per_step", "exponent is negative"),
    ("attention", "turned = pairs * rotations", "turned = 2 * pairs * rotations",
     "test_rotate_keeps_lengths", "length of a vector"),
    ("attention", "[start:end]\n", "[:T]\n",
     "test_rotate_equals_complex_multiplication", "`start` is ignored"),
    ("attention", "            key = rotate(key, start)", "            pass",
     "test_module_equals_the_slow_one_with_the_rotation_on", "the keys are not turned"),
    ("attention", "self.keys_and_values(x if source is None else source, start, cache)",
     "self.keys_and_values(x, start, cache)", "test_cross_attention_reads_the_source",
     "come from the source"),
    ("attention", "            key = rotate(key, start)", "            key = rotate(key, 0)",
     "test_cached_steps_equal_all_at_once", "with the cache"),
    ("attention", """        if cache:
            key = torch.cat([cache["key"], key], dim=2)
            value = torch.cat([cache["value"], value], dim=2)
""", "", "test_cached_steps_equal_all_at_once", "append the new key"),
    ("attention", """            key = torch.cat([cache["key"], key], dim=2)""",
     """            key = torch.cat([cache["key"], key], dim=1)""",
     "test_cached_steps_equal_all_at_once", "dim=2"),
    ("attention", """        if self.rotary:
            key = rotate(key, start)
        if cache:
            key = torch.cat([cache["key"], key], dim=2)
""", """        if cache:
            key = torch.cat([cache["key"], key], dim=2)
        if self.rotary:
            key = rotate(key, 0)
        if cache:
""", "test_cached_steps_equal_all_at_once", "turned twice"),
    ("transformer", "return torch.cat([first, target[:, :-1]], dim=1)", "return target",
     "test_decoder_input_is_the_target_one_step_later", "must predict"),
    ("transformer", "return torch.cat([first, target[:, :-1]], dim=1)",
     "return torch.cat([target[:, 1:], 0 * first], dim=1)",
     "test_decoder_input_is_the_target_one_step_later", "shifted to the left"),
    ("transformer", "target[:, :1], BOS)", "target[:, :1], PAD)",
     "test_decoder_input_is_the_target_one_step_later", "not with PAD"),
    ("transformer", "real = target != PAD\n    log_probability", "real = target >= PAD\n    "
     "log_probability", "test_loss_counts_real_tokens_only", "padding is counted"),
    ("transformer", "return -masked_mean(smoothed, real)", "return -(smoothed * real).mean()",
     "test_loss_counts_real_tokens_only", "counted in the mean"),
    ("transformer", "return -masked_mean(smoothed, real)",
     "return -((smoothed * real).sum(1) / real.sum(1)).mean()",
     "test_loss_counts_real_tokens_only", "mean of means"),
    ("transformer", "return -masked_mean(smoothed, real)", "return masked_mean(smoothed, real)",
     "test_loss_counts_real_tokens_only", "sign"),
    ("transformer", "label_smoothing * log_probability.mean(dim=-1)",
     "label_smoothing * log_probability.sum(dim=-1)", "test_loss_counts_real_tokens_only",
     "summed over the vocabulary"),
    ("transformer", "mixed = x * weight[1]", "mixed = 0 * x",
     "test_neighbours_equal_torchs_depthwise_convolution", "word itself is missing"),
]

EQUATIONS = [
    ("tokenizer", "PRECEDENCE[waiting] >= PRECEDENCE[token]", "PRECEDENCE[waiting] > "
     "PRECEDENCE[token]", "test_infix_to_prefix", "a - b - c means"),
    ("tokenizer", """token != "^" and PRECEDENCE[waiting]""", "PRECEDENCE[waiting]",
     "test_infix_to_prefix", "a ^ b ^ c means"),
    ("tokenizer", "PRECEDENCE[waiting] >= PRECEDENCE[token]", "True",
     "test_infix_to_prefix", "binds tighter"),
    ("tokenizer", """["/", *operands.pop(), "100"]""", "operands.pop()",
     "test_infix_to_prefix", "percent sign is ignored"),
    ("tokenizer", """        left = stack.pop()
        right = stack.pop()
""", """        right = stack.pop()
        left = stack.pop()
""", "test_fold_meets_left_and_right_in_order", "read the left operand first"),
    ("tokenizer", "if index not in used), equal[0])", "), equal[0])",
     "test_an_equations_numbers_take_the_texts_names", "second 12"),
    ("tokenizer", "of_unary_minus = token == \"0\" and prefix[position - 1] == \"-\"",
     "of_unary_minus = token == \"0\"",
     "test_an_equations_numbers_take_the_texts_names", "0 of a minus"),
    ("tokenizer", "            stack.append(leaf(token))", "            stack.append(token)",
     "test_fold_meets_left_and_right_in_order", "becomes leaf"),
    ("tokenizer", "if exponent or of_unary_minus or not equal:", "if of_unary_minus or not equal:",
     "test_an_equations_numbers_take_the_texts_names", "exponent"),
    ("tokenizer", "right_associative = operator == \"^\"", "right_associative = False",
     "test_prefix_to_infix_keeps_the_tree_with_the_least_brackets", "brackets"),
    ("tokenizer", "return [operator, *right, *left]", "return [*right, *left, operator]",
     "test_a_mirrored_equation_has_its_operands_swapped", "mirror"),
    ("quantities", "return f\" N{len(literals) - 1} \"", "return f\" N{literals.index(literal)} \"",
     "test_numbers_become_names_in_order", "its own name"),
    ("quantities", "value = Rational(int(whole + decimals), 10 ** len(decimals))",
     "value = float(one_form.strip('%-').replace(',', '').rstrip('万亿'))",
     "test_a_number_has_its_exact_value", "value of"),
]

CHECKER = [
    ("checker", "        value = left - right\n", "        value = right - left\n",
     "test_an_operation_is_exact", "operands are exchanged"),
    ("checker", "        if right.p == 0:", "        if False:",
     "test_broken_equations_are_wrong_not_crashes", "must be refused"),
    ("tokenizer", "    if len(stack) > 1:", "    if False:",
     "test_broken_equations_are_wrong_not_crashes", "must be refused"),
    ("checker", "    return values\n\n\ndef operand_value", "    return values[:-1]\n\n\n"
     "def operand_value", "test_every_part_has_a_value_the_whole_last", "parts of"),
    ("checker", "-last / 2 <= beyond < last", "abs(beyond) < last / 2",
     "test_a_value_rounds_or_is_cut_to_the_answer", "rounded or cut"),
    ("checker", "decimals > 0 and bool(", "bool(",
     "test_a_value_rounds_or_is_cut_to_the_answer", "0 decimals"),
    ("checker", "    return base ** int(exponent)", "    return base * int(exponent)",
     "test_a_power_has_an_exact_value_or_none", "multiplied"),
]

DECODING = [
    ("decode", "slots = [1 if token in OPERATORS", "slots = [2 if token in OPERATORS",
     "test_a_token_fills_a_slot_and_an_operator_opens_two", "opens two"),
    ("decode", "can_end = after < steps_left", "can_end = after <= steps_left",
     "test_allowed_tokens_by_hand", "off by one"),
    ("decode", "has_number = names < counts[:, None]", "has_number = names <= counts[:, None]",
     "test_allowed_tokens_by_hand", "N0 and N1"),
    ("decode", "    allowed[:, PAD] = open_slots == 0\n", "",
     "test_allowed_tokens_by_hand", "must be able to write PAD"),
    ("decode", "        if len(unfinished) == 0:\n            break",
     "        if len(unfinished) < len(rows):\n            break",
     "test_each_row_ends_where_its_equation_is_complete", "as soon as one row"),
    ("decode", "        if len(unfinished) == 0:\n            break",
     "        if len(unfinished) == 0:\n            unfinished = rows[:1]",
     "test_each_row_ends_where_its_equation_is_complete", "went on"),
    ("decode", "total[rows] += best", "total[rows] = best",
     "test_greedy_scores_an_equation", "only the last token"),
    ("decode", "logits = model.decode(token[:, None], memory, mask, gates, cache=cache)[:, 0]",
     "logits = model.decode(token[:, None], memory, mask, gates)[:, 0]",
     "test_greedy_goes_on_from_what_it_has_written", "last token alone"),
    ("decode", "token = torch.full_like(rows, BOS)", "token = torch.full_like(rows, PAD)",
     "test_greedy_goes_on_from_what_it_has_written", "first token is BOS"),
    ("decode", "scores = extended / lengths.view(B, beam, 1).sqrt()", "scores = extended",
     "test_the_beam_keeps_the_best_at_every_step", "not divided by sqrt"),
    ("decode", "scores = extended / lengths.view(B, beam, 1).sqrt()",
     "scores = extended / lengths.view(B, beam, 1)",
     "test_the_beam_keeps_the_best_at_every_step", "not by its square root"),
    ("decode", "written = torch.full_like(counts, start)[:, None]",
     "written = torch.full_like(counts, BOS)[:, None]",
     "test_the_beam_keeps_the_best_at_every_step", "`start` is not used"),
    ("decode", "total = torch.full((B, beam), -math.inf, device=DEVICE)",
     "total = torch.zeros(B, beam, device=DEVICE)",
     "test_the_beam_keeps_the_best_at_every_step", "begin alike"),
    ("decode", "logits.masked_fill(~allowed, -math.inf).log_softmax(dim=-1)\n"
     "    # The softmax of a row where nothing is allowed is NaN: such a row has no candidate.\n"
     "    return log_probability.masked_fill(~allowed, -math.inf)",
     "logits.masked_fill(~allowed, -1e9).log_softmax(dim=-1)\n    return log_probability",
     "test_what_is_allowed_has_probabilities_that_sum_to_one", "-1e9"),
    ("decode", "log_probability = logits.masked_fill(~allowed, -math.inf).log_softmax(dim=-1)",
     "log_probability = logits.log_softmax(dim=-1)",
     "test_what_is_allowed_has_probabilities_that_sum_to_one", "after the softmax"),
]

SCORES = [
    ("scorer", "share = entropy / keys.clamp(min=2).log()", "share = entropy",
     "test_entropy_is_a_share_of_its_maximum", "not divided by log n"),
    ("scorer", "keys.clamp(min=2).log()", "torch.tensor(S).log()",
     "test_entropy_is_a_share_of_its_maximum", "padded length"),
    ("scorer", "counted = real[:, None] & (keys >= 2)", "counted = keys.expand(B, 1, T) >= 2",
     "test_entropy_is_a_share_of_its_maximum", "padded queries are averaged in"),
    ("scorer", "(share * counted).sum(dim=(0, 2)), counted.sum()",
     "((share * counted).sum(2) / counted.sum(2)).sum(0), torch.tensor(B)",
     "test_entropy_is_a_share_of_its_maximum", "averaged over problems first"),
    ("scorer", "torch.special.entr(probabilities)", "-(probabilities * probabilities.log())",
     "test_entropy_is_a_share_of_its_maximum", "NaN"),
    ("scorer", "torch.special.entr(probabilities)", "-torch.special.entr(probabilities)",
     "test_entropy_is_a_share_of_its_maximum", "sign is wrong"),
    ("scorer", "& (keys >= 2)", "& (keys >= 1)",
     "test_a_query_with_one_key_is_left_out", "row 0 was counted"),
    ("scorer", "torch.special.entr(probabilities).sum(dim=-1)",
     "torch.special.entr(probabilities).mean(dim=-1)",
     "test_entropy_is_a_share_of_its_maximum", "not a mean"),
    ("scorer", "(query, key, value, output.T)]", "(query, key, value, output)]",
     "test_norm_takes_rows_of_qkv_and_columns_of_o", "rows of W_O"),
    ("scorer", "torch.cat(weights, dim=1).flatten(1).norm(dim=1)",
     "torch.cat(weights, dim=1).flatten(1).norm(dim=1) ** 2",
     "test_norm_takes_rows_of_qkv_and_columns_of_o", "square root is missing"),
    ("scorer", "(write.transpose(1, 2) @ read)", "(read @ write.transpose(1, 2))",
     "test_norm_ov_is_the_norm_of_the_product", "the other way"),
    ("scorer", "if high > low else 0.5", "",
     "test_min_max_survives_equal_scores", "ZeroDivisionError"),
    ("scorer", "{head: alpha * norms[head] + (1 - alpha) * entropies[head]",
     "{head: (1 - alpha) * norms[head] + alpha * entropies[head]",
     "test_paper_mixes_norm_and_entropy_scaled_within_kinds", "swapped"),
    ("scorer", "heads = [head for head in scores if head.kind == kind]", "heads = list(scores)",
     "test_scores_are_scaled_within_each_kind", "all kinds together"),
    ("rivals", "sums[name] += gradient.abs().sum(dim=0)", "sums[name] += gradient.sum(dim=0).abs()",
     "test_gradients_equal_finite_differences", "cancel"),
]

MASKING = [
    ("masking", "left[head[:2]] > 1", "left[head[:2]] > 0",
     "test_lowest_heads_leave_one_in_each_attention", "last head"),
    ("masking", "if len(chosen) < count and left",
     "if scores[head] <= scores[ranked[count]] and left",
     "test_lowest_heads_leave_one_in_each_attention", "equal heads"),
    ("masking", "math.floor(round(ratio * len(scores), 9) + 0.5)",
     "math.floor(round(ratio * len(scores), 9))",
     "test_the_count_is_rounded_once_and_then_shared", "rounded down to 5"),
    ("masking", "math.floor(round(ratio * len(scores), 9) + 0.5)", "math.ceil(ratio * len(scores))",
     "test_the_count_is_rounded_once_and_then_shared", "rounded up to 6"),
    ("masking", "    shares = apportion(count, [sizes[kind] for kind in KINDS])",
     "    shares = [math.floor(ratio * sizes[kind] + 0.5) for kind in KINDS]",
     "test_the_count_is_rounded_once_and_then_shared", "rounded within each kind"),
    ("masking", """    sizes = Counter(head.kind for head in scores)
    shares = apportion(count, [sizes[kind] for kind in KINDS])
    selected = set()
    for kind, share in zip(KINDS, shares):
        scores_of_kind = {head: scores[head] for head in scores if head.kind == kind}
""", """    sizes = Counter(head[:2] for head in scores)
    shares = apportion(count, list(sizes.values()))
    selected = set()
    for name, share in zip(sizes, shares):
        scores_of_kind = {head: scores[head] for head in scores if head[:2] == name}
""", "test_the_lowest_scores_of_each_kind_go_and_one_head_stays_in_a_layer",
     "each layer was ranked alone"),
    ("masking", "    return selected\n", "    return list(selected)\n",
     "test_the_lowest_scores_of_each_kind_go_and_one_head_stays_in_a_layer", "a set"),
    ("masking", "math.floor(round(ratio * len(scores), 9) + 0.5)", "round(ratio * len(scores))",
     "test_half_a_head_is_rounded_up", "Python's round"),
    ("masking",
     "key=lambda position: -remainders[position]", "key=lambda position: -sizes[position]",
     "test_the_largest_remainders_get_what_is_left", "not the largest share"),
    ("masking", "for head in ranked:", "for head in reversed(ranked):",
     "test_lowest_heads_leave_one_in_each_attention", "highest scores"),
    ("masking", "Head(*name, index) not in pruned", "Head(*name, index) in pruned",
     "test_gates_are_zero_for_pruned_heads_and_one_for_others", "gate 0"),
]

REMOVAL = [
    ("attention",
     "            z = z * head_gate[..., :, None, None]  # before W_O mixes the heads\n"
     "        return self.output(merge_heads(z)), probabilities",
     "            return (self.output(merge_heads(z)) * head_gate.repeat_interleave(\n"
     "                self.head_width, -1).reshape(-1, 1, z.shape[1] * z.shape[3])), None\n"
     "        return self.output(merge_heads(z)), probabilities",
     "test_gate_multiplies_what_a_head_writes", "after W_O"),
    ("attention",
     "        if self.rotary:\n            query = rotate(query, start)\n        if cache and",
     "        if self.rotary:\n            query = rotate(query, start)\n"
     "        if head_gate is not None:\n"
     "            query = query * head_gate[..., :, None, None]\n"
     "            head_gate = None\n        if cache and",
     "test_gate_multiplies_what_a_head_writes", "multiply the scores"),
    ("attention", "for index in kept], self.head_width)", "for index in indices], self.head_width)",
     "test_removed_heads_equal_gates_of_zero", "exchanged"),
    ("attention", "nn.Parameter(weight[:, rows], weight.requires_grad)",
     "nn.Parameter(weight[rows].T, weight.requires_grad)",
     "test_removed_heads_equal_gates_of_zero", "rows of W_O were cut"),
    ("attention", "        self.heads = kept\n",
     "        self.heads = kept\n        self.output.bias.data.zero_()\n",
     "test_removed_heads_equal_gates_of_zero", "belongs to no head"),
    ("attention", "[self.heads.index(index) for index in kept]", "range(len(kept))",
     "test_removed_heads_equal_gates_of_zero", "first two heads"),
    ("attention", "        self.heads = kept\n",
     "        self.heads = kept\n"
     "        self.head_width = self.output.out_features // len(kept)\n",
     "test_removed_heads_equal_gates_of_zero", "K must stay"),
    ("attention",
     "            projection.bias = nn.Parameter(bias[rows], bias.requires_grad)\n", "",
     "test_removed_heads_equal_gates_of_zero", "biases"),
    ("attention", "nn.Parameter(weight[rows], weight.requires_grad)",
     "nn.Parameter(weight[:len(rows)], weight.requires_grad)",
     "test_removed_heads_equal_gates_of_zero", "heads 0 and 2 removed"),
    ("attention", "        self.heads = kept\n", "        self.heads = list(range(len(kept)))\n",
     "test_removed_heads_leave_the_others_their_original_indices", "original index"),
    ("attention",
     "[position * head_width + k for position in positions for k in range(head_width)]",
     "[k * len(positions) + position for position in positions for k in range(head_width)]",
     "test_head_rows_are_blocks", "head_rows"),
    ("masking", "    smaller = copy.deepcopy(model)\n", "    smaller = model\n",
     "test_removal_leaves_the_model_as_it_was", "itself"),
]

DISTILLATION = [
    ("distill", "torch.xlogy(probabilities, probabilities) - probabilities * student",
     "student.exp() * (student - probabilities.log())",
     "test_kd_equals_torch_kl", "wrong way round"),
    ("distill", "return temperature**2 * masked_mean", "return masked_mean",
     "test_kd_equals_torch_kl", "factor t² is missing"),
    ("distill", "return temperature**2 * masked_mean", "return temperature * masked_mean",
     "test_kd_equals_torch_kl", "factor is t, not t²"),
    ("distill", "(student_logits / temperature).log_softmax", "student_logits.log_softmax",
     "test_kd_equals_torch_kl", "only the teacher is softened"),
    ("distill", "(teacher_logits / temperature).softmax", "teacher_logits.softmax",
     "test_kd_equals_torch_kl", "only the student is softened"),
    ("distill", "masked_mean(terms.sum(dim=-1), real)", "terms.sum(dim=-1).mean()",
     "test_kd_equals_torch_kl", "padding is counted"),
    ("distill", "masked_mean(terms.sum(dim=-1), real)", "masked_mean(terms.mean(dim=-1), real)",
     "test_kd_equals_torch_kl", "averaged over the vocabulary"),
    ("distill", "masked_mean(terms.sum(dim=-1), real)", "terms.sum() / len(terms)",
     "test_kd_equals_torch_kl", "batchmean"),
    ("distill", "masked_mean(terms.sum(dim=-1), real)", "terms.mean()",
     "test_kd_equals_torch_kl", "reduction='mean'"),
    ("distill", "probabilities * student\n", "probabilities * student.exp()\n",
     "test_kd_equals_torch_kl", "kl_div got the student's probabilities"),
    ("distill", "torch.xlogy(probabilities, probabilities) - probabilities * student",
     "-probabilities * student", "test_kd_equals_torch_kl", "cross-entropy with the teacher"),
    ("distill", ".softmax(dim=-1).detach()\n    return soft_loss", ".softmax(dim=-1)\n    return "
     "soft_loss", "test_kd_gives_the_teacher_no_gradient", "detach"),
    ("distill", "    student = (student_logits / temperature)",
     "    student = (student_logits.detach() / temperature)",
     "test_kd_gives_the_teacher_no_gradient", "student gets no gradient"),
    ("distill", "    teacher = teacher.detach()\n", "",
     "test_attention_kl_gives_the_teacher_no_gradient", "detach"),
    ("distill", "student.clamp(min=1e-9).log()", "student.log()",
     "test_attention_kl_survives_exact_zeros", "0 log 0 is 0"),
    ("distill", "gate = (gates or {}).get(name, torch.ones_like(distance))",
     "gate = gates[name] if gates else torch.ones_like(distance)",
     "test_alignment_is_a_mean_over_active_heads_and_their_partners", "does not name"),
    ("distill", "partners[name] = [heads.index(index) for index in layer.heads]",
     "partners[name] = list(range(len(layer.heads)))",
     "test_a_heads_partner_has_its_original_index", "by position"),
    ("distill", "logits = teacher.eval()(batch.source, batch.lengths, batch.target, attentions",
     "logits = teacher(batch.source, batch.lengths, batch.target, attentions",
     "test_teacher_is_unchanged_and_in_eval_mode", "teacher.eval()"),
    ("distill", "@torch.no_grad()\ndef ask_teacher", "def ask_teacher",
     "test_teacher_is_unchanged_and_in_eval_mode", "torch.no_grad()"),
    ("distill", "        total = total + (gate * distance).sum()",
     "        total = total + distance.sum()",
     "test_alignment_is_a_mean_over_active_heads_and_their_partners", "active"),
    ("distill", "rows = real[:, None]  # (B, 1, T)", "rows = torch.ones_like(real[:, None])",
     "test_attention_kl_of_a_head_is_a_mean_over_real_queries", "padded queries are counted"),
    ("distill", "total = total + (logits / temperature).softmax(dim=-1)",
     "total = total + (logits / temperature)",
     "test_several_teachers_say_the_mean_of_what_each_says", "as it is"),
    ("distill", "answers[position] = both_ways[:, row, ", "answers[row] = both_ways[:, row, ",
     "test_several_teachers_say_the_mean_of_what_each_says", "as it is"),
]

DYNAMIC = [
    ("dynamic_pruning", "    if step >= end:\n        return ratio\n", "",
     "test_the_ratio_rises_from_zero_cubically_and_is_held", "not held after the end"),
    ("dynamic_pruning", "ratio * (1 - (1 - done) ** 3)", "ratio * done",
     "test_the_ratio_rises_from_zero_cubically_and_is_held", "linear"),
    ("dynamic_pruning", "ratio * (1 - (1 - done) ** 3)", "ratio * (1 - (1 - done) ** 2)",
     "test_the_ratio_rises_from_zero_cubically_and_is_held", "quadratic"),
    ("dynamic_pruning", "ratio * (1 - (1 - done) ** 3)", "ratio * done ** 3",
     "test_the_ratio_rises_from_zero_cubically_and_is_held", "slow at first"),
    ("dynamic_pruning", "    if step >= end:\n        return ratio\n"
     "    done = max(step - start, 0) / max(end - start, 1)",
     "    done = min(max((step - start) / (end - start), 0), 1)",
     "test_the_ratio_is_reached_at_the_end_and_never_falls", "divides by end - start = 0"),
    ("dynamic_pruning",
     "old = self.scores or fresh", "old = self.scores or dict.fromkeys(fresh, 0)",
     "test_smoothing_weighs_the_old_scores", "starts at 0"),
    ("dynamic_pruning", "self.ema_decay * old[head] + (1 - self.ema_decay) * fresh[head]",
     "(1 - self.ema_decay) * old[head] + self.ema_decay * fresh[head]",
     "test_smoothing_weighs_the_old_scores", "weight of the old scores"),
    ("dynamic_pruning", "if step > self.end or", "if",
     "test_heads_are_scored_every_few_steps_and_at_the_end", "after the end"),
    ("dynamic_pruning", "return step % self.every == 0 or step == self.end",
     "return step % self.every == 0",
     "test_heads_are_scored_every_few_steps_and_at_the_end", "not at the end"),
    ("dynamic_pruning", "                parts[name].copy_(part)\n",
     "                if name.endswith('.'):\n                    parts[name].copy_(part)\n",
     "test_a_pruned_head_is_kept_bit_for_bit", "yet exp_avg"),
    ("dynamic_pruning", "                parts[name].copy_(part)\n", "                pass\n",
     "test_a_pruned_head_is_kept_bit_for_bit", "weight decay"),
    ("dynamic_pruning", "        ranked = self.scores\n", "        ranked = self.score(model)\n",
     "test_dynamic_prunes_the_lowest_smoothed_scores_and_heads_come_back", "pruned heads at step"),
    ("dynamic_pruning", "ranked | dict.fromkeys(self.pruned, -math.inf)",
     "ranked | dict.fromkeys(self.pruned, 0.0)",
     "test_no_head_comes_back_in_monotone", "came back"),
    ("dynamic_pruning", "ranked = ranked | dict.fromkeys(self.pruned, -math.inf)",
     "ranked |= dict.fromkeys(self.pruned, -math.inf)",
     "test_no_head_comes_back_in_monotone", "must not change its average"),
    ("dynamic_pruning", "{name: part.clone() for name, part in parts.items()}", "parts",
     "test_dynamic_prunes_the_lowest_smoothed_scores_and_heads_come_back", "holds views"),
    ("dynamic_pruning", "            del self.saved[head]\n", "            pass\n",
     "test_dynamic_prunes_the_lowest_smoothed_scores_and_heads_come_back", "and of no others"),
]

MISTAKES = [*ATTENTION, *TRANSFORMER, *EQUATIONS, *CHECKER, *DECODING, *SCORES, *MASKING, *REMOVAL,
            *DISTILLATION, *DYNAMIC]

# Mutations that survive because they are the same function, or differ where no promise is made.
TABLE_SIZE = "the table of rotations is longer than needed, which costs memory alone"
ZERO_EXPONENT = "an exponent of 0 was refused in the lines before, and exponents are whole"
WHEN_ROWS_LEAVE = "complete rows are left out at another step, which costs time alone"
EQUIVALENT = {
    "rotate, size = max(64, 1 << (end - 1).bit_length()): 64 -> 65": TABLE_SIZE,
    "rotate, size = max(64, 1 << (end - 1).bit_length()): end - 1 -> end + 1": TABLE_SIZE,
    "power, if base == 0 and exponent < 0:: exponent < 0 -> exponent <= 0": ZERO_EXPONENT,
    "power, if base == 0 and exponent < 0:: 0 -> 1": ZERO_EXPONENT,
    "rounds_to, beyond = value - answer if answer > 0 else answer - value: "
    "answer > 0 -> answer >= 0": "an answer of 0 is a whole number and never rounded",
    "greedy, if 2 * len(unfinished) <= len(rows):: 2 -> 3": WHEN_ROWS_LEAVE,
    "greedy, if 2 * len(unfinished) <= len(rows):: 2 * len(unfinished) <= len(rows) -> "
    "2 * len(unfinished) < len(rows)": WHEN_ROWS_LEAVE,
    "greedy, if 2 * len(unfinished) <= len(rows):: 2 * len(unfinished) -> 2 + len(unfinished)":
        WHEN_ROWS_LEAVE,
    "ratio_at, done = max(step - start, 0) / max(end - start, 1): 1 -> 2":
        "where end - start is 1, no step lies between them",
    "norm_qkvo, return torch.cat(weights, dim=1).flatten(1).norm(dim=1): 1 -> 2":
        "the four parts have one shape, so the same entries stand together either way",
    "prefix_to_infix, return token, max(PRECEDENCE.values()) + 1: 1 -> 2":
        "an operand binds tighter than all operators either way",
}
