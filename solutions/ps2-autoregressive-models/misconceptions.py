"""Wrong on purpose: answers that students give, the test cells that must score 0 for them, and the hint that the
visible check should show.

`change` lists texts of the solution's cell and what stands there instead. `check` is the visible check that recognises
the mistake.
"""

MISCONCEPTIONS = [
    # Exercise 1
    {
        "name": "mean-over-pixels",
        "answer": "log-prob",
        "change": [("chosen.flatten(1).sum(1)", "chosen.flatten(1).mean(1)")],
        "fails": ["test-log-prob-values", "test-log-prob-extremes"],
        "check": "log-prob",
        "hint": (
            "the log-probabilities of the pixels are averaged. A product of probabilities is a sum of logarithms, "
            "and an image of twice as many pixels has about twice as low a value."
        ),
    },
    {
        "name": "logits-not-normalised",
        "answer": "log-prob",
        "change": [("F.log_softmax(logits, 1)", "logits")],
        "fails": ["test-log-prob-values", "test-log-prob-extremes"],
        "check": "log-prob",
        "hint": "these are sums of logits. For every pixel, the probabilities of its levels must sum to 1.",
    },
    {
        "name": "softmax-then-logarithm",
        "answer": "log-prob",
        "change": [("F.log_softmax(logits, 1)", "F.softmax(logits, 1).log()")],
        "fails": ["test-log-prob-extremes"],
        "check": "log-prob",
        "hint": (
            "a probability became 0 in float32 before its logarithm was taken. Softmax and logarithm belong into "
            "one function."
        ),
    },
    {
        "name": "small-constant-in-the-logarithm",
        "answer": "log-prob",
        "change": [("F.log_softmax(logits, 1)", "(F.softmax(logits, 1) + 1e-8).log()")],
        "fails": ["test-log-prob-extremes"],
        "check": "log-prob",
        "hint": (
            "no pixel has a log-probability below -18.4. A small constant inside the logarithm makes all improbable "
            "levels alike."
        ),
    },
    {
        "name": "softmax-over-colours",
        "answer": "log-prob",
        "change": [("F.log_softmax(logits, 1)", "F.log_softmax(logits, 2)")],
        "fails": ["test-log-prob-values", "test-log-prob-extremes"],
        "check": "log-prob",
        "hint": "the softmax runs over the wrong axis. Which axis of the logits holds the levels that compete?",
    },
    {
        "name": "loss-for-log-probability",
        "answer": "log-prob",
        "change": [("return chosen.flatten(1).sum(1)", "return -chosen.flatten(1).sum(1)")],
        "fails": ["test-log-prob-values", "test-log-prob-extremes"],
        "check": "log-prob",
        "hint": "this is the negative log-likelihood, a loss. A probability is at most 1: what is the sign of its log?",
    },
    {
        "name": "one-number-for-the-batch",
        "answer": "log-prob",
        "change": [("chosen.flatten(1).sum(1)", "chosen.flatten(1).sum(1).mean()")],
        "fails": ["test-log-prob-values", "test-log-prob-extremes"],
        "check": "log-prob",
        "hint": "this is one number for the whole batch. Each image has a probability of its own: shape (B,).",
    },
    {
        "name": "likeliest-level-instead-of-the-one-that-occurred",
        "answer": "log-prob",
        "change": [("log_probs.gather(1, x.unsqueeze(1)).squeeze(1)", "log_probs.max(1).values")],
        "fails": ["test-log-prob-values", "test-log-prob-extremes"],
        "check": "log-prob",
        "hint": "this is the probability of the likeliest image. How likely is the one that was observed?",
    },
    {
        "name": "nats-for-bits",
        "answer": "log-prob",
        "change": [("bits = -nats / math.log(2)", "bits = -nats")],
        "fails": ["test-bits-per-dim"],
        "check": "bits-per-dim",
        "hint": "these are nats per dimension. One bit is log 2 = 0.69 nats.",
    },
    {
        "name": "divided-by-the-batch",
        "answer": "log-prob",
        "change": [("bits / n_dims", "bits / len(nats)")],
        "fails": ["test-bits-per-dim"],
        "check": "bits-per-dim",
        "hint": "the bits are divided by the number of images. Bits per dimension are bits of one image, divided by D.",
    },
    {
        "name": "multiplied-by-log-two",
        "answer": "log-prob",
        "change": [("-nats / math.log(2)", "-nats * math.log(2)")],
        "fails": ["test-bits-per-dim"],
        "check": "bits-per-dim",
        "hint": "multiplied where it should be divided: a bit is smaller than a nat, so the number of bits is larger.",
    },
    {
        "name": "negative-bits",
        "answer": "log-prob",
        "change": [("bits = -nats /", "bits = nats /")],
        "fails": ["test-bits-per-dim"],
        "check": "bits-per-dim",
        "hint": "a negative number of bits. The length of a code is minus the logarithm of a probability.",
    },
    # Exercise 2
    {
        "name": "arg-max-for-a-draw",
        "answer": "choose",
        "change": [("return level.clamp(max=logits.shape[1] - 1)", "return logits.argmax(1)")],
        "fails": ["test-choose-values", "test-choose-temperature"],
        "check": "choose",
        "hint": "the likeliest level is taken, whatever u is. That is no draw: every sample would be the same image.",
    },
    {
        "name": "logits-times-temperature",
        "answer": "choose",
        "change": [("logits / temperature", "logits * temperature")],
        "fails": ["test-choose-temperature"],
        "check": "choose",
        "hint": (
            "the temperature multiplies the logits. A low temperature should make the likeliest level more certain."
        ),
    },
    {
        "name": "temperature-on-probabilities",
        "answer": "choose",
        "change": [("torch.softmax(logits / temperature, 1)", "(torch.softmax(logits, 1) / temperature)")],
        "fails": ["test-choose-temperature"],
        "check": "choose",
        "hint": "the probabilities are divided by the temperature, and then they do not sum to 1. Divide the logits.",
    },
    {
        "name": "temperature-ignored-in-the-draw",
        "answer": "choose",
        "change": [("logits / temperature", "logits")],
        "fails": ["test-choose-temperature"],
        "check": "choose",
        "hint": "the temperature changes nothing in your draws.",
    },
    {
        "name": "cumulated-over-the-batch",
        "answer": "choose",
        "change": [("cumsum(1)", "cumsum(0)")],
        "fails": ["test-choose-values", "test-choose-temperature"],
        "check": "choose",
        "hint": "the probabilities are added up over the examples. The pieces of one row belong to its levels.",
    },
    {
        "name": "not-cumulated",
        "answer": "choose",
        "change": [("torch.softmax(logits / temperature, 1).cumsum(1)", "torch.softmax(logits / temperature, 1)")],
        "fails": ["test-choose-values", "test-choose-temperature"],
        "check": "choose",
        "hint": "u is compared with the lengths of the pieces. It should be compared with the places where they end.",
    },
    {
        "name": "one-level-too-low",
        "answer": "choose",
        "change": [
            ("(u.unsqueeze(1) >= cumulative).sum(1)", "((u.unsqueeze(1) >= cumulative).sum(1) - 1).clamp(min=0)")
        ],
        "fails": ["test-choose-values", "test-choose-temperature", "test-choose-edge"],
        "check": "choose",
        "hint": (
            "most levels are one too low. If one piece ends before u, then u lies in the second one, which is level 1."
        ),
    },
    {
        "name": "a-level-that-does-not-exist",
        "answer": "choose",
        "change": [("return level.clamp(max=logits.shape[1] - 1)", "return level")],
        "fails": ["test-choose-edge"],
        "check": "choose-edge",
        "hint": (
            "rounding can leave the sum of all probabilities a little below 1, and then a u above it gives level L, "
            "which does not exist. Give such a u to the last level."
        ),
    },
    # Exercise 3
    {
        "name": "sees-its-own-pixel",
        "answer": "nade-log-prob",
        "change": [
            (
                "        logit = bias[i] + torch.sigmoid(total) @ out_weight[i]  # (B,)\n",
                "        total = total + x[:, i : i + 1] * in_weight[i]\n"
                "        logit = bias[i] + torch.sigmoid(total) @ out_weight[i]  # (B,)\n",
            ),
            (
                "F.softplus(logit)\n        total = total + x[:, i : i + 1] * in_weight[i]\n",
                "F.softplus(logit)\n",
            ),
        ],
        "fails": ["test-nade-values", "test-nade-normalised"],
        "check": "nade-log-prob",
        "hint": (
            "the hidden layer of pixel i already contains pixel i. With <= in place of <, the probabilities of all "
            "images no longer sum to 1."
        ),
    },
    {
        "name": "first-pixel-without-a-probability",
        "answer": "nade-log-prob",
        "change": [
            (
                "result = result + x[:, i] * logit - F.softplus(logit)",
                "result = result + (x[:, i] * logit - F.softplus(logit) if i else 0)",
            )
        ],
        "fails": ["test-nade-values", "test-nade-normalised", "test-nade-extremes"],
        "check": "nade-log-prob",
        "hint": "the first pixel is left out. It sees nothing, but it has a probability all the same.",
    },
    {
        "name": "first-pixel-without-hidden-units",
        "answer": "nade-log-prob",
        "change": [
            ("torch.sigmoid(total) @ out_weight[i]", "(torch.sigmoid(total) if i else 0 * total) @ out_weight[i]")
        ],
        "fails": ["test-nade-values", "test-nade-normalised"],
        "check": "nade-log-prob",
        "hint": "the first pixel has no hidden layer. With nothing to sum up, it is sigmoid(c), which is not 0.",
    },
    {
        "name": "hidden-bias-forgotten",
        "answer": "nade-log-prob",
        "change": [("hidden_bias.expand(len(x), -1)", "0 * hidden_bias.expand(len(x), -1)")],
        "fails": ["test-nade-values", "test-nade-normalised"],
        "check": "nade-log-prob",
        "hint": "the hidden layers lack their bias c.",
    },
    {
        "name": "only-the-pixel-before",
        "answer": "nade-log-prob",
        "change": [("total = total + x[:, i : i + 1]", "total = hidden_bias + x[:, i : i + 1]")],
        "fails": ["test-nade-values"],
        "check": "nade-log-prob",
        "hint": "each pixel sees only the one before it. The sum inside the brackets runs over all earlier pixels.",
    },
    {
        "name": "sum-of-activations",
        "answer": "nade-log-prob",
        "change": [("total = total + x[:, i : i + 1]", "total = torch.sigmoid(total) + x[:, i : i + 1]")],
        "fails": ["test-nade-values"],
        "check": "nade-log-prob",
        "hint": (
            "the activation is carried along instead of the sum inside of it. The sigmoid comes after the sum, once."
        ),
    },
    {
        "name": "hidden-layer-without-sigmoid",
        "answer": "nade-log-prob",
        "change": [("torch.sigmoid(total) @", "total @")],
        "fails": ["test-nade-values", "test-nade-normalised"],
        "check": "nade-log-prob",
        "hint": "the hidden units lack their sigmoid, and without it the whole model is a logistic regression.",
    },
    {
        "name": "sigmoid-then-logarithm",
        "answer": "nade-log-prob",
        "change": [
            (
                "x[:, i] * logit - F.softplus(logit)",
                "torch.where(x[:, i] == 1, torch.sigmoid(logit), 1 - torch.sigmoid(logit)).log()",
            ),
        ],
        "fails": ["test-nade-extremes"],
        "check": "nade-log-prob",
        "hint": (
            "a probability became 0 in float32 before its logarithm was taken. What is log sigmoid(l), written with "
            "a function that does not underflow?"
        ),
    },
    {
        "name": "only-ink-counts",
        "answer": "nade-log-prob",
        "change": [("x[:, i] * logit - F.softplus(logit)", "x[:, i] * F.logsigmoid(logit)")],
        "fails": ["test-nade-values", "test-nade-normalised", "test-nade-extremes"],
        "check": "nade-log-prob",
        "hint": "only pixels with ink count. Paper has a probability, too: 1 - p.",
    },
    {
        "name": "average-over-the-pixels",
        "answer": "nade-log-prob",
        "change": [("return result", "return result / x.shape[1]")],
        "fails": ["test-nade-values", "test-nade-normalised", "test-nade-extremes"],
        "check": "nade-log-prob",
        "hint": "your value is divided by the number of pixels. A product of probabilities is a sum of logarithms.",
    },
    # Exercise 4
    {
        "name": "output-sees-its-own-variable",
        "answer": "made-masks",
        "change": [("place.unsqueeze(1) > hidden_degrees", "place.unsqueeze(1) >= hidden_degrees")],
        "fails": ["test-made-natural-order", "test-made-random-order", "test-made-few-units"],
        "check": "made-masks",
        "hint": (
            "the last mask lets outputs see their own variable: a hidden unit of degree m has seen the variable at "
            "place m. Is the inequality of the last mask strict?"
        ),
    },
    {
        "name": "strict-in-hidden-layers",
        "answer": "made-masks",
        "change": [("above.unsqueeze(1) >= below.unsqueeze(0)", "above.unsqueeze(1) > below.unsqueeze(0)")],
        "fails": ["test-made-natural-order", "test-made-random-order", "test-made-few-units"],
        "check": "made-masks",
        "hint": "hidden units see less than they may. A unit of degree m may see the variable at place m itself.",
    },
    {
        "name": "masks-transposed",
        "answer": "made-masks",
        "change": [("return masks", "return [mask.T for mask in masks]")],
        "fails": ["test-made-natural-order", "test-made-random-order", "test-made-few-units"],
        "check": "made-masks",
        "hint": (
            "rows and columns are exchanged. A row of a mask is one unit above, and its columns are the units below."
        ),
    },
    {
        "name": "looks-ahead",
        "answer": "made-masks",
        "change": [
            ("above.unsqueeze(1) >= below.unsqueeze(0)", "above.unsqueeze(1) <= below.unsqueeze(0)"),
            ("place.unsqueeze(1) > hidden_degrees", "place.unsqueeze(1) < hidden_degrees"),
        ],
        "fails": ["test-made-natural-order", "test-made-random-order", "test-made-few-units"],
        "check": "made-masks",
        "hint": "the network sees what comes later instead of what comes before: the inequalities point the other way.",
    },
    {
        "name": "inverse-of-the-order",
        "answer": "made-masks",
        "change": [
            (
                "    masks, below = [], place",
                "    place = place.argsort()\n    masks, below = [], place",
            )
        ],
        "fails": ["test-made-random-order", "test-made-few-units"],
        "check": "made-masks",
        "hint": "right for the raster order only: the order and its inverse are confused. place[j] is the degree of j.",
    },
    {
        "name": "outputs-in-raster-order",
        "answer": "made-masks",
        "change": [("masks.append(place.unsqueeze(1) >", "masks.append(torch.arange(len(place)).unsqueeze(1) >")],
        "fails": ["test-made-random-order", "test-made-few-units"],
        "check": "made-masks",
        "hint": (
            "inputs are in the given order, but outputs in raster order. An output has the degree of its own variable."
        ),
    },
    {
        "name": "output-asks-the-first-hidden-layer",
        "answer": "made-masks",
        "change": [("hidden_degrees[-1].unsqueeze(0)", "hidden_degrees[0].unsqueeze(0)")],
        "fails": ["test-made-few-units"],
        "check": "made-masks",
        "hint": "the last mask uses the degrees of the first hidden layer. The outputs are connected to the last one.",
    },
    # Exercise 5
    {
        "name": "padding-on-both-sides",
        "answer": "causal-conv1d",
        "change": [("(reach + delay, 0)", "(reach - reach // 2, reach // 2 + delay)")],
        "fails": ["test-causal-conv1d-type-b", "test-causal-conv1d-type-a", "test-causal-conv1d-reach"],
        "check": "causal-conv1d",
        "hint": (
            "there are zeros on both sides, so the outputs see the future. All the zeros belong before the beginning."
        ),
    },
    {
        "name": "padding-at-the-end",
        "answer": "causal-conv1d",
        "change": [("(reach + delay, 0)", "(0, reach + delay)")],
        "fails": ["test-causal-conv1d-type-b", "test-causal-conv1d-type-a", "test-causal-conv1d-reach"],
        "check": "causal-conv1d",
        "hint": "the zeros are at the end: output t sees the inputs from t on. They belong before the beginning.",
    },
    {
        "name": "dilation-not-in-the-padding",
        "answer": "causal-conv1d",
        "change": [("(weight.shape[2] - 1) * dilation  #", "(weight.shape[2] - 1)  #")],
        "fails": ["test-causal-conv1d-type-b", "test-causal-conv1d-type-a", "test-causal-conv1d-reach"],
        "check": "causal-conv1d",
        "hint": "the result is too short: a dilated kernel reaches further back than K - 1 steps.",
    },
    {
        "name": "one-dilation-too-many",
        "answer": "causal-conv1d",
        "change": [("(weight.shape[2] - 1) * dilation", "weight.shape[2] * dilation")],
        "fails": ["test-causal-conv1d-type-b", "test-causal-conv1d-type-a", "test-causal-conv1d-reach"],
        "check": "causal-conv1d",
        "hint": "everything comes late: between the first and the last of K entries there are K - 1 steps, not K.",
    },
    {
        "name": "dilation-ignored",
        "answer": "causal-conv1d",
        "change": [("(weight.shape[2] - 1) * dilation", "weight.shape[2] - 1"), (", dilation=dilation)", ")")],
        "fails": ["test-causal-conv1d-type-b", "test-causal-conv1d-type-a", "test-causal-conv1d-reach"],
        "check": "causal-conv1d",
        "hint": "the kernel meets inputs next to each other. With dilation d, they lie d steps apart.",
    },
    {
        "name": "kernel-flipped",
        "answer": "causal-conv1d",
        "change": [("F.conv1d(padded, weight,", "F.conv1d(padded, weight.flip(2),")],
        "fails": ["test-causal-conv1d-type-b", "test-causal-conv1d-type-a"],
        "check": "causal-conv1d",
        "hint": "the kernel is the wrong way round: its last entry meets the latest input. F.conv1d does not flip it.",
    },
    {
        "name": "type-a-sees-the-present",
        "answer": "causal-conv1d",
        "change": [('1 if mask_type == "A" else 0', "0")],
        "fails": ["test-causal-conv1d-type-a", "test-causal-conv1d-reach"],
        "check": "causal-conv1d",
        "hint": "right for type B, but type A must not see the input at its own time.",
    },
    {
        "name": "types-exchanged-in-time",
        "answer": "causal-conv1d",
        "change": [('1 if mask_type == "A" else 0', '1 if mask_type == "B" else 0')],
        "fails": ["test-causal-conv1d-type-b", "test-causal-conv1d-type-a", "test-causal-conv1d-reach"],
        "check": "causal-conv1d",
        "hint": "the types are exchanged: type A, for the first layer, is the one that does not see its own time.",
    },
    {
        "name": "type-a-late-by-the-dilation",
        "answer": "causal-conv1d",
        "change": [('1 if mask_type == "A" else 0', 'dilation if mask_type == "A" else 0')],
        "fails": ["test-causal-conv1d-type-a", "test-causal-conv1d-reach"],
        "check": "causal-conv1d",
        "hint": "type A comes later by the dilation. It should come one step later, whatever the dilation is.",
    },
    # Exercise 6
    {
        "name": "cache-not-advanced",
        "answer": "conv-step",
        "change": [("return output, window[:, :, 1:]", "return output, cache")],
        "fails": ["test-conv-step-sequence", "test-conv-step-cache"],
        "check": "conv-step",
        "hint": "the cache stays as it was. At the next step, the input of this one belongs to the past.",
    },
    {
        "name": "cache-advanced-before-use",
        "answer": "conv-step",
        "change": [
            (
                "    window = torch.cat([cache, x.unsqueeze(2)], 2)",
                "    cache = torch.cat([cache, x.unsqueeze(2)], 2)[:, :, 1:]\n"
                "    window = torch.cat([cache, x.unsqueeze(2)], 2)",
            ),
            ("return output, window[:, :, 1:]", "return output, cache"),
        ],
        "fails": ["test-conv-step-sequence"],
        "check": "conv-step",
        "hint": "the cache was advanced before it was used: the oldest input is gone, and the newest counts twice.",
    },
    {
        "name": "cache-without-gaps",
        "answer": "conv-step",
        "change": [("window[:, :, ::dilation]", "window[:, :, -weight.shape[2] :]")],
        "fails": ["test-conv-step-sequence"],
        "check": "conv-step",
        "hint": "the last K inputs are used, as if the dilation were 1. Which of the stored ones does the kernel meet?",
    },
    {
        "name": "kernel-flipped-in-the-step",
        "answer": "conv-step",
        "change": [('"bik,oik->bo", seen, weight', '"bik,oik->bo", seen, weight.flip(2)')],
        "fails": ["test-conv-step-sequence"],
        "check": "conv-step",
        "hint": "the kernel is the wrong way round: its last entry meets the newest input.",
    },
    {
        "name": "newest-input-first",
        "answer": "conv-step",
        "change": [
            ("torch.cat([cache, x.unsqueeze(2)], 2)", "torch.cat([x.unsqueeze(2), cache], 2)"),
            ("window[:, :, 1:]", "window[:, :, :-1]"),
        ],
        "fails": ["test-conv-step-sequence", "test-conv-step-cache"],
        "check": "conv-step",
        "hint": (
            "the newest input is put in front of the cache. The oldest comes first, so the newest belongs to the end."
        ),
    },
    {
        "name": "outputs-in-the-cache",
        "answer": "conv-step",
        "change": [
            ("return output, window[:, :, 1:]", "return output, torch.cat([cache, output.unsqueeze(2)], 2)[:, :, 1:]")
        ],
        "fails": ["test-conv-step-sequence", "test-conv-step-cache"],
        "check": "conv-step",
        "hint": (
            "the output was stored. The convolution needs old inputs; its outputs belong into the next layer's cache."
        ),
    },
    {
        "name": "one-input-channel-for-each-output",
        "answer": "conv-step",
        "change": [('torch.einsum("bik,oik->bo", seen, weight)', 'torch.einsum("bik,iok->bo", seen, weight)')],
        "fails": ["test-conv-step-sequence"],
        "check": "conv-step",
        "hint": "channels of input and output are exchanged: weight is (C_out, C_in, K).",
    },
    # Exercise 7
    {
        "name": "arg-max-in-the-loop",
        "answer": "sample",
        "change": [("choose(logits, u, temperature)", "logits.argmax(1)")],
        "fails": ["test-sample-values"],
        "check": "sample",
        "hint": "the likeliest value is taken at every place, whatever the uniforms are. That is no draw.",
    },
    {
        "name": "state-not-passed-on",
        "answer": "sample",
        "change": [("logits, state = step(value, state)", "logits, _ = step(value, state)")],
        "fails": ["test-sample-calls"],
        "check": "sample",
        "hint": "the network gets the first state at every place. What it returned is its memory of the values so far.",
    },
    {
        "name": "zero-as-first-input",
        "answer": "sample",
        "change": [
            (
                "values, value = [], None",
                "values, value = [], torch.zeros(len(uniforms), dtype=torch.int64)",
            )
        ],
        "fails": ["test-sample-calls"],
        "check": "sample",
        "hint": "the network is told that there was a 0 before the first value. There was nothing: None.",
    },
    {
        "name": "value-not-passed-on",
        "answer": "sample",
        "change": [("step(value, state)", "step(None, state)")],
        "fails": ["test-sample-calls"],
        "check": "sample",
        "hint": "the network is never told what was drawn, so the values are independent of each other.",
    },
    {
        "name": "same-uniform-everywhere",
        "answer": "sample",
        "change": [("choose(logits, u, temperature)", "choose(logits, uniforms[:, 0], temperature)")],
        "fails": ["test-sample-values"],
        "check": "sample",
        "hint": "the first column of the uniforms decides everything. Place t has a column of its own.",
    },
    {
        "name": "temperature-ignored-in-the-loop",
        "answer": "sample",
        "change": [("choose(logits, u, temperature)", "choose(logits, u, 1.0)")],
        "fails": ["test-sample-values"],
        "check": "sample",
        "hint": "the temperature is not passed on: right at temperature 1, wrong at any other.",
    },
    {
        "name": "asked-twice",
        "answer": "sample",
        "change": [
            (
                "        logits, state = step(value, state)\n",
                "        logits, state = step(value, state)[0], step(value, state)[1]\n",
            )
        ],
        "fails": ["test-sample-calls", "test-sample-values"],
        "check": "sample",
        "hint": (
            "the values are right, but the network was asked twice for each of them: every activation counts double."
        ),
    },
    # Exercise 8
    {
        "name": "types-exchanged",
        "answer": "causal-mask",
        "change": [('mask_type == "A"', 'mask_type == "B"')],
        "fails": ["test-causal-mask-one-color", "test-causal-mask-colors", "test-causal-mask-network"],
        "check": "causal-mask",
        "hint": "the types are exchanged: type A, for the first layer, is the one that does not see its own colour.",
    },
    {
        "name": "type-a-like-type-b",
        "answer": "causal-mask",
        "change": [('color_in < color_out if mask_type == "A" else color_in <= color_out', "color_in <= color_out")],
        "fails": ["test-causal-mask-one-color", "test-causal-mask-colors", "test-causal-mask-network"],
        "check": "causal-mask",
        "hint": "type A lets a colour see itself, and the network would copy it. Earlier colours are those before it.",
    },
    {
        "name": "order-red-blue-green",
        "answer": "causal-mask",
        "change": [
            (
                "    seen = color_in < color_out",
                "    rank = torch.tensor([0, *range(n_colors - 1, 0, -1)])\n"
                "    color_out, color_in = rank[color_out], rank[color_in]\n"
                "    seen = color_in < color_out",
            )
        ],
        "fails": ["test-causal-mask-colors", "test-causal-mask-network"],
        "check": "causal-mask",
        "hint": (
            "in your order blue comes before green. It is red, then green given red, then blue given red and green."
        ),
    },
    {
        "name": "colours-ignored",
        "answer": "causal-mask",
        "change": [("= seen.float()", '= float(mask_type == "B")')],
        "fails": ["test-causal-mask-colors", "test-causal-mask-network"],
        "check": "causal-mask",
        "hint": (
            "right for one colour, but at the centre all channels are treated alike. What may green see of its own "
            "pixel that red must not?"
        ),
    },
    {
        "name": "colours-in-blocks",
        "answer": "causal-mask",
        "change": [
            ("(torch.arange(out_channels) % n_colors)", "(torch.arange(out_channels) * n_colors // out_channels)"),
            ("(torch.arange(in_channels) % n_colors)", "(torch.arange(in_channels) * n_colors // in_channels)"),
        ],
        "fails": ["test-causal-mask-colors"],
        "check": "causal-mask",
        "hint": "the channels of a colour lie in one block. Here they take turns: channel c has the colour c mod n.",
    },
    {
        "name": "in-and-out-exchanged",
        "answer": "causal-mask",
        "change": [
            (
                'color_in < color_out if mask_type == "A" else color_in <= color_out',
                'color_in > color_out if mask_type == "A" else color_in >= color_out',
            )
        ],
        "fails": ["test-causal-mask-colors", "test-causal-mask-network"],
        "check": "causal-mask",
        "hint": "the mask is applied along the wrong axis: the first axis of a weight holds the output channels.",
    },
    {
        "name": "columns-for-rows",
        "answer": "causal-mask",
        "change": [
            ("mask[:, :, :center, :] = 1", "mask[:, :, :, :center] = 1"),
            ("mask[:, :, center, :center] = 1", "mask[:, :, :center, center] = 1"),
        ],
        "fails": ["test-causal-mask-one-color", "test-causal-mask-colors", "test-causal-mask-network"],
        "check": "causal-mask",
        "hint": "this is the order column by column. The third axis of a weight counts rows, the last one columns.",
    },
    {
        "name": "rest-of-the-row-open",
        "answer": "causal-mask",
        "change": [("mask[:, :, center, :center] = 1", "mask[:, :, center, :] = 1")],
        "fails": ["test-causal-mask-one-color", "test-causal-mask-colors", "test-causal-mask-network"],
        "check": "causal-mask",
        "hint": "the pixels to the right are open. They are generated later.",
    },
    {
        "name": "upper-left-quadrant",
        "answer": "causal-mask",
        "change": [("mask[:, :, :center, :] = 1", "mask[:, :, :center, : center + 1] = 1")],
        "fails": ["test-causal-mask-one-color", "test-causal-mask-colors"],
        "check": "causal-mask",
        "hint": "only the upper left is open. The rows above come earlier on their whole length, also to the right.",
    },
    {
        "name": "rows-above-closed",
        "answer": "causal-mask",
        "change": [("mask[:, :, :center, :] = 1", "mask[:, :, :center, :] = 0")],
        "fails": ["test-causal-mask-one-color", "test-causal-mask-colors", "test-causal-mask-network"],
        "check": "causal-mask",
        "hint": "the rows above are closed: this network would treat every row as if it were the first.",
    },
    # Exercise 9
    {
        "name": "only-the-pixel-itself",
        "answer": "find-leaks",
        "change": [("leaks[: j + 1, j] = moved[: j + 1]", "leaks[j, j] = moved[j]")],
        "fails": ["test-find-leaks-pairs", "test-find-leaks-gated", "test-find-leaks-honest"],
        "check": "find-leaks",
        "hint": "only outputs at the same place are looked at. A leak may also come from a later place.",
    },
    {
        "name": "the-pixel-itself-allowed",
        "answer": "find-leaks",
        "change": [("leaks[: j + 1, j] = moved[: j + 1]", "leaks[:j, j] = moved[:j]")],
        "fails": ["test-find-leaks-pairs"],
        "check": "find-leaks",
        "hint": "an output that sees its own input is not reported. That is the commonest leak of all.",
    },
    {
        "name": "every-dependence-reported",
        "answer": "find-leaks",
        "change": [("leaks[: j + 1, j] = moved[: j + 1]", "leaks[:, j] = moved")],
        "fails": ["test-find-leaks-pairs", "test-find-leaks-gated", "test-find-leaks-honest"],
        "check": "find-leaks",
        "hint": "honest connections are reported, too: outputs may depend on what comes before them.",
    },
    {
        "name": "input-and-output-exchanged",
        "answer": "find-leaks",
        "change": [("leaks[: j + 1, j] = moved[: j + 1]", "leaks[j, : j + 1] = moved[: j + 1]")],
        "fails": ["test-find-leaks-pairs", "test-find-leaks-gated", "test-find-leaks-honest"],
        "check": "find-leaks",
        "hint": "rows and columns are exchanged: the row is the output i, the column the input j.",
    },
    {
        "name": "only-one-example",
        "answer": "find-leaks",
        "change": [(".any(0)", "[0]")],
        "fails": ["test-find-leaks-gated"],
        "check": "find-leaks",
        "hint": "only the first example is looked at. A ReLU that is off there hides a leak that other examples show.",
    },
    {
        "name": "changes-that-cancel",
        "answer": "find-leaks",
        "change": [
            (
                "((network(changed) - before).abs() > 1e-5).any(0)",
                "(network(changed) - before).mean(0).abs() > 1e-5",
            )
        ],
        "fails": ["test-find-leaks-pairs"],
        "check": "find-leaks",
        "hint": "the changes are averaged over the examples, and there they cancel. One example that moves is enough.",
    },
    {
        "name": "leaks-in-every-example",
        "answer": "find-leaks",
        "change": [(".any(0)", ".all(0)")],
        "fails": ["test-find-leaks-gated"],
        "check": "find-leaks",
        "hint": "a leak is reported only if all examples show it. One that shows it is enough.",
    },
    {
        "name": "changes-not-undone",
        "answer": "find-leaks",
        "change": [
            ("    with torch.no_grad():\n", "    changed = x.clone()\n    with torch.no_grad():\n"),
            ("            changed = x.clone()\n", ""),
        ],
        "fails": ["test-find-leaks-pairs", "test-find-leaks-gated"],
        "check": "find-leaks",
        "hint": (
            "earlier inputs stay changed when the next one is tried, so you cannot know which of them moved the "
            "output. Change one at a time."
        ),
    },
    # Exercise 10
    {
        "name": "short-cut-around-the-first-layer-stays",
        "answer": "repaired",
        "change": [
            (
                'h = F.relu(look(x, w["first h"], "left") + look(v, w["first v to h"], "itself"))',
                'h = x + F.relu(look(x, w["first h"], "left") + look(v, w["first v to h"], "itself"))',
            )
        ],
        "fails": ["test-repaired-no-leak", "test-repaired-rest"],
        "check": "repaired",
        "hint": "the short-cut around the first layer, which is of type A, still hands the pixel itself to h.",
    },
    {
        "name": "horizontal-stack-still-feeds-the-vertical-one",
        "answer": "repaired",
        "change": [('look(v, block["v"],', 'look(v + h, block["v"],')],
        "fails": ["test-repaired-no-leak", "test-repaired-rest"],
        "check": "repaired",
        "hint": (
            "the vertical stack still listens to the horizontal one. What does v see of its own row when it looks "
            "at h one column to the right?"
        ),
    },
    {
        "name": "all-short-cuts-removed",
        "answer": "repaired",
        "change": [("v = v + F.relu(", "v = F.relu("), ("h = h + F.relu(", "h = F.relu(")],
        "fails": ["test-repaired-rest"],
        "check": "repaired",
        "hint": "short-cuts around layers of type B leak nothing: h at a pixel may see h at the same pixel. Keep them.",
    },
    {
        "name": "type-a-everywhere",
        "answer": "repaired",
        "change": [('look(h, block["h"], "left and itself")', 'look(h, F.pad(block["h"][..., :1], (0, 2)), "left")')],
        "fails": ["test-repaired-rest"],
        "check": "repaired",
        "hint": "the own row is closed at the centre in all layers. Behind the first layer, h at a pixel is honest.",
    },
    {
        "name": "stacks-separated",
        "answer": "repaired",
        "change": [(' + look(v, block["v to h"], "itself")', "")],
        "fails": ["test-repaired-rest"],
        "check": "repaired",
        "hint": "in the blocks, h no longer listens to v. That direction is honest: v sees only rows above.",
    },
    # Exercise 11
    {
        "name": "edge-bins-missing",
        "answer": "discretized-logistic",
        "change": [
            (
                "return torch.where(x == 0, below, torch.where(x == levels - 1, above, inside))",
                "return inside",
            )
        ],
        "fails": ["test-logistic-values", "test-logistic-sums-to-one", "test-logistic-tails"],
        "check": "discretized-logistic",
        "hint": (
            "the bins at the edges have the same width as the others, so the mass beyond them is lost and the "
            "probabilities do not sum to 1."
        ),
    },
    {
        "name": "edges-exchanged",
        "answer": "discretized-logistic",
        "change": [
            ("x == 0, below, torch.where(x == levels - 1, above,", "x == 0, above, torch.where(x == levels - 1, below,")
        ],
        "fails": ["test-logistic-values", "test-logistic-sums-to-one", "test-logistic-tails"],
        "check": "discretized-logistic",
        "hint": "the edges are exchanged: level 0 has all the mass below its upper end.",
    },
    {
        "name": "density-times-width",
        "answer": "discretized-logistic",
        "change": [
            (
                "inside = below + above + torch.log(-torch.expm1(lower - upper))",
                "middle = (upper + lower) / 2\n"
                "    inside = F.logsigmoid(middle) + F.logsigmoid(-middle) - log_scale + math.log(2 * half)",
            )
        ],
        "fails": ["test-logistic-values", "test-logistic-sums-to-one", "test-logistic-tails"],
        "check": "discretized-logistic",
        "hint": "inside, this is the density times the width of the bin. Where scales are small, the mass is another.",
    },
    {
        "name": "sigmoids-subtracted",
        "answer": "discretized-logistic",
        "change": [
            (
                "inside = below + above + torch.log(-torch.expm1(lower - upper))",
                "inside = torch.log(torch.sigmoid(upper) - torch.sigmoid(lower))",
            )
        ],
        "fails": ["test-logistic-tails"],
        "check": "discretized-logistic",
        "hint": "far from the mean both sigmoids are equal in float32, and the logarithm of 0 is minus infinity.",
    },
    {
        "name": "difference-clamped",
        "answer": "discretized-logistic",
        "change": [
            (
                "inside = below + above + torch.log(-torch.expm1(lower - upper))",
                "inside = torch.log((torch.sigmoid(upper) - torch.sigmoid(lower)).clamp(min=1e-12))",
            )
        ],
        "fails": ["test-logistic-tails"],
        "check": "discretized-logistic",
        "hint": (
            "no level has a log-probability below -27.6: the difference is clamped. Then nothing tells the network "
            "in which direction to move its mean."
        ),
    },
    {
        "name": "bins-twice-as-wide",
        "answer": "discretized-logistic",
        "change": [("half = 1 / (levels - 1)", "half = 2 / (levels - 1)")],
        "fails": ["test-logistic-values", "test-logistic-sums-to-one"],
        "check": "discretized-logistic",
        "hint": "the bins reach a whole step to both sides, so that they overlap.",
    },
    {
        "name": "levels-for-steps",
        "answer": "discretized-logistic",
        "change": [("half = 1 / (levels - 1)", "half = 1 / levels")],
        "fails": ["test-logistic-sums-to-one"],
        "check": "discretized-logistic",
        "hint": "there are gaps between the bins: from -1 to 1, L levels make L - 1 steps.",
    },
    {
        "name": "truncated-instead-of-rounded",
        "answer": "discretized-logistic",
        "change": [
            ("(position + half - mean)", "(position + 2 * half - mean)"),
            ("(position - half - mean)", "(position - mean)"),
        ],
        "fails": ["test-logistic-values", "test-logistic-tails"],
        "check": "discretized-logistic",
        "hint": "each bin begins at its level, as if levels came from truncation. Rounding puts them into the middle.",
    },
    {
        "name": "scale-upside-down",
        "answer": "discretized-logistic",
        "change": [
            ("(position + half - mean) * torch.exp(-log_scale)", "(position + half - mean) * torch.exp(log_scale)"),
            ("(position - half - mean) * torch.exp(-log_scale)", "(position - half - mean) * torch.exp(log_scale)"),
        ],
        "fails": ["test-logistic-values", "test-logistic-tails"],
        "check": "discretized-logistic",
        "hint": "multiplied by the scale where it should be divided: a smaller scale must make the logistic narrower.",
    },
    {
        "name": "position-not-scaled",
        "answer": "discretized-logistic",
        "change": [("position = 2 * x / (levels - 1) - 1", "position = x / (levels - 1)")],
        "fails": ["test-logistic-values", "test-logistic-tails"],
        "check": "discretized-logistic",
        "hint": "your positions go from 0 to 1. They should go from -1 to 1.",
    },
]
