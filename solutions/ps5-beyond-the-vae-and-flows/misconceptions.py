"""Wrong on purpose: answers that students give, the test cells that must score 0 for them, and the hint that the
visible check should show.

`change` lists texts of the solution's cell and what stands there instead. `check` is the visible check that recognises
the mistake.
"""

MISCONCEPTIONS = [
    # beyond-the-plain-vae, exercise 1
    {
        "name": "beta-in-the-elbo",
        "answer": "beta-objective",
        "change": [("return log_likelihood - kl, log", "return log_likelihood - beta * kl, log")],
        "fails": ["test-beta-objective-values", "test-beta-objective-bound"],
        "check": "beta-objective",
        "hint": "your ELBO changes with beta. Models are compared by the bound; only the objective has a weight.",
    },
    {
        "name": "beta-on-the-likelihood",
        "answer": "beta-objective",
        "change": [("log_likelihood - beta * kl", "beta * log_likelihood - kl")],
        "fails": ["test-beta-objective-values"],
        "check": "beta-objective",
        "hint": "beta stands with the likelihood, where it makes the code cheaper. It is the price of the divergence.",
    },
    {
        "name": "objective-averaged-over-the-batch",
        "answer": "beta-objective",
        "change": [
            (
                "return log_likelihood - kl, log_likelihood - beta * kl",
                "return (log_likelihood - kl).mean(), (log_likelihood - beta * kl).mean()",
            )
        ],
        "fails": ["test-beta-objective-values"],
        "check": "beta-objective",
        "hint": "these are two numbers for the whole batch. Each example has its own: shape (B,).",
    },
    {
        "name": "likelihood-averaged-over-pixels",
        "answer": "beta-objective",
        "change": [("bernoulli_log_prob(x, logits)", "bernoulli_log_prob(x, logits) / x.shape[-1]")],
        "fails": ["test-beta-objective-values", "test-beta-objective-bound"],
        "check": "beta-objective",
        "hint": (
            "the likelihood is averaged over the pixels while the divergence is summed: a second, accidental beta, and "
            "no bound any more."
        ),
    },
    {
        "name": "losses-returned",
        "answer": "beta-objective",
        "change": [
            ("log_likelihood - kl, log_likelihood - beta * kl", "kl - log_likelihood, beta * kl - log_likelihood")
        ],
        "fails": ["test-beta-objective-values", "test-beta-objective-bound"],
        "check": "beta-objective",
        "hint": "the sign is that of a loss. Both numbers are to be maximised.",
    },
    # Exercise 2
    {
        "name": "warm-up-without-end",
        "answer": "against-collapse",
        "change": [("min(1.0, step / n_steps)", "step / n_steps")],
        "fails": ["test-warm-up"],
        "check": "warm-up",
        "hint": "your weight goes on growing after n_steps, and training ends with a large beta.",
    },
    {
        "name": "warm-up-from-the-wrong-end",
        "answer": "against-collapse",
        "change": [("min(1.0, step / n_steps)", "max(0.0, 1 - step / n_steps)")],
        "fails": ["test-warm-up"],
        "check": "warm-up",
        "hint": "your weight falls from 1 to 0. At first the code should be free, and cost its full price in the end.",
    },
    {
        "name": "floor-for-each-example",
        "answer": "against-collapse",
        "change": [
            ("average = per_latent.mean(0)", "average = per_latent.clamp(min=floor).mean(0)"),
            ("torch.clamp(average, min=floor).sum()", "average.sum()"),
        ],
        "fails": ["test-free-bits-values", "test-free-bits-gradients"],
        "check": "free-bits",
        "hint": "the floor is applied to every example. The maximum is taken after the average over the batch.",
    },
    {
        "name": "floor-for-the-sum",
        "answer": "against-collapse",
        "change": [("torch.clamp(average, min=floor).sum()", "torch.clamp(average.sum(), min=floor)")],
        "fails": ["test-free-bits-values", "test-free-bits-gradients"],
        "check": "free-bits",
        "hint": "one floor for all latents together lets one of them take all the free bits. Each has its own.",
    },
    {
        "name": "free-bits-refunded",
        "answer": "against-collapse",
        "change": [("torch.clamp(average, min=floor)", "torch.clamp(average - floor, min=0)")],
        "fails": ["test-free-bits-values"],
        "check": "free-bits",
        "hint": (
            "you subtract the floor. The gradient is the same, but the number is not: a latent below the floor costs "
            "the floor, not nothing."
        ),
    },
    {
        "name": "floor-as-a-ceiling",
        "answer": "against-collapse",
        "change": [("torch.clamp(average, min=floor)", "torch.clamp(average, max=floor)")],
        "fails": ["test-free-bits-values", "test-free-bits-gradients"],
        "check": "free-bits",
        "hint": "your latents cost at most the floor. Then nothing limits how much a latent says.",
    },
    # Exercise 3
    {
        "name": "variance-within-batches",
        "answer": "active-units",
        "change": [
            ("means = torch.cat([encode(x)[0] for x in batches])", "means = [encode(x)[0] for x in batches]"),
            ("means.var(0)", "torch.stack([mean.var(0) for mean in means]).mean(0)"),
        ],
        "fails": ["test-active-units"],
        "check": "active-units",
        "hint": (
            "this is the average of the variances within batches. A latent that differs from batch to batch, because "
            "they are sorted, say, is in use as well."
        ),
    },
    {
        "name": "variance-of-the-posterior",
        "answer": "active-units",
        "change": [("encode(x)[0] for", "encode(x)[1] for"), ("means.var(0)", "means.exp().mean(0)")],
        "fails": ["test-active-units"],
        "check": "active-units",
        "hint": (
            "this is the variance of q(z | x), which is largest for a collapsed latent. How much does the mean differ "
            "between images?"
        ),
    },
    {
        "name": "means-not-centred",
        "answer": "active-units",
        "change": [("means.var(0)", "means.square().mean(0)")],
        "fails": ["test-active-units"],
        "check": "active-units",
        "hint": "a latent with the same mean for every image says nothing about them, however far from 0 that mean is.",
    },
    {
        "name": "standard-deviation-for-variance",
        "answer": "active-units",
        "change": [("means.var(0)", "means.std(0)")],
        "fails": ["test-active-units"],
        "check": "active-units",
        "hint": "the threshold is compared with the standard deviation. It is meant for the variance.",
    },
    # Exercise 4
    {
        "name": "exponential-before-the-sum",
        "answer": "importance-weights",
        "change": [("torch.logcumsumexp(log_w, 0)", "torch.exp(log_w).cumsum(0).log()")],
        "fails": ["test-bounds-by-samples-extremes"],
        "check": "bounds-by-samples",
        "hint": "exp(-1000) is 0 in float32, and its logarithm is lost. Take exponential, sum and logarithm in one.",
    },
    {
        "name": "average-of-log-weights",
        "answer": "importance-weights",
        "change": [("return totals - torch.log(counts)", "return log_w.cumsum(0) / counts")],
        "fails": ["test-bounds-by-samples", "test-bounds-by-samples-extremes"],
        "check": "bounds-by-samples",
        "hint": "this is the average of logarithms: the ELBO from k samples. The average belongs inside the logarithm.",
    },
    {
        "name": "sum-instead-of-mean-of-weights",
        "answer": "importance-weights",
        "change": [("return totals - torch.log(counts)", "return totals")],
        "fails": ["test-bounds-by-samples", "test-bounds-by-samples-extremes"],
        "check": "bounds-by-samples",
        "hint": "your bound from k samples is too high by log k. What does it give when all weights are the same?",
    },
    {
        "name": "log-of-all-samples",
        "answer": "importance-weights",
        "change": [("torch.log(counts)", "math.log(len(log_w))")],
        "fails": ["test-bounds-by-samples", "test-bounds-by-samples-extremes"],
        "check": "bounds-by-samples",
        "hint": "every row is divided by the number of all samples. Row k - 1 is a mean over k of them.",
    },
    {
        "name": "weights-with-gradient",
        "answer": "importance-weights",
        "change": [("shares.detach()", "shares")],
        "fails": ["test-sample-weights"],
        "check": "sample-weights",
        "hint": (
            "the weights are right, but a gradient passes through them, so that the loss has another gradient than the "
            "bound."
        ),
    },
    {
        "name": "weights-over-the-batch",
        "answer": "importance-weights",
        "change": [("torch.softmax(log_w, 0)", "torch.softmax(log_w, 1)")],
        "fails": ["test-sample-weights"],
        "check": "sample-weights",
        "hint": "your weights sum to 1 over the examples. They are shares of the samples of one example.",
    },
    {
        "name": "weights-by-division",
        "answer": "importance-weights",
        "change": [("torch.softmax(log_w, 0)", "torch.exp(log_w) / torch.exp(log_w).sum(0)")],
        "fails": ["test-sample-weights"],
        "check": "sample-weights",
        "hint": "0 divided by 0: exp(-1000) is 0 in float32. Shares do not change when all log-weights are shifted.",
    },
    # Exercise 5
    {
        "name": "directions-without-constant",
        "answer": "latent-directions",
        "change": [
            ("inputs = torch.cat([torch.ones(len(factors), 1), factors], 1)", "inputs = factors"),
            ("return solution[1:]", "return solution"),
        ],
        "fails": ["test-directions"],
        "check": "directions",
        "hint": "the constant c is missing, so your lines are forced through 0.",
    },
    {
        "name": "one-factor-at-a-time",
        "answer": "latent-directions",
        "change": [
            (
                "    inputs = torch.cat([torch.ones(len(factors), 1), factors], 1)  # (N, 1 + F)\n"
                "    solution = torch.linalg.lstsq(inputs, codes).solution  # (1 + F, D)\n"
                "    return solution[1:]\n",
                "    centred = factors - factors.mean(0)\n"
                "    return centred.T @ codes / centred.square().sum(0)[:, None]\n",
            )
        ],
        "fails": ["test-directions"],
        "check": "directions",
        "hint": "each factor is fitted alone, so its direction also contains the factors that go along with it.",
    },
    {
        "name": "factors-from-codes",
        "answer": "latent-directions",
        "change": [
            (
                "torch.cat([torch.ones(len(factors), 1), factors], 1)",
                "torch.cat([torch.ones(len(codes), 1), codes], 1)",
            ),
            ("torch.linalg.lstsq(inputs, codes)", "torch.linalg.lstsq(inputs, factors)"),
            ("return solution[1:]", "return solution[1:].T"),
        ],
        "fails": ["test-directions"],
        "check": "directions",
        "hint": (
            "these are the weights that read factors off a code. You need the other way: how the code answers to a "
            "factor."
        ),
    },
    {
        "name": "code-replaced-by-the-direction",
        "answer": "latent-directions",
        "change": [("decode(mean + moves)", "decode(0 * mean + moves)")],
        "fails": ["test-edit"],
        "check": "edit",
        "hint": "your images do not depend on x any more. The direction is added to the code of the image.",
    },
    {
        "name": "direction-of-length-one",
        "answer": "latent-directions",
        "change": [("* direction  #", "* F.normalize(direction, dim=0)  #")],
        "fails": ["test-edit"],
        "check": "edit",
        "hint": "the direction was scaled to length 1. Its length says how far the code moves per unit of the factor.",
    },
    {
        "name": "moved-one-after-the-other",
        "answer": "latent-directions",
        "change": [("amounts[:, None, None]", "amounts.cumsum(0)[:, None, None]")],
        "fails": ["test-edit"],
        "check": "edit",
        "hint": "each edit goes on from the one before. Every amount counts from the code of the image.",
    },
    # Exercise 6
    {
        "name": "zero-times-log-zero",
        "answer": "mutual-information-gap",
        "change": [
            (
                "torch.special.xlogy(joint, joint / independent.clamp(min=1e-30))",
                "(joint * (joint / independent).log())",
            )
        ],
        "fails": ["test-mutual-information", "test-mutual-information-gap"],
        "check": "mutual-information",
        "hint": "0 times log 0 is NaN. A pair of values that never occurs contributes nothing.",
    },
    {
        "name": "information-in-bits",
        "answer": "mutual-information-gap",
        "change": [("independent.clamp(min=1e-30)).sum()", "independent.clamp(min=1e-30)).sum() / math.log(2)")],
        "fails": ["test-mutual-information"],
        "check": "mutual-information",
        "hint": "this is in bits. Everywhere in this notebook, logarithms are natural ones.",
    },
    {
        "name": "counts-for-shares",
        "answer": "mutual-information-gap",
        "change": [("joint = table / len(a)", "joint = table")],
        "fails": ["test-mutual-information", "test-mutual-information-gap"],
        "check": "mutual-information",
        "hint": "these are counts, not shares: the p(i, j) have to sum to 1.",
    },
    {
        "name": "gap-not-relative",
        "answer": "mutual-information-gap",
        "change": [("gaps.append((first - second) / entropy)", "gaps.append(first - second)")],
        "fails": ["test-mutual-information-gap"],
        "check": "mutual-information-gap",
        "hint": "the gap is in nats. Divide each by the entropy of its factor, so that it lies between 0 and 1.",
    },
    {
        "name": "gap-between-factors",
        "answer": "mutual-information-gap",
        "change": [
            (
                "    for factor in factors.T:\n"
                "        information = torch.stack([mutual_information(latent, factor) for latent in latents.T])"
                "  # (D,)\n"
                "        first, second = information.topk(2).values\n"
                "        entropy = mutual_information(factor, factor)\n",
                "    for latent in latents.T:\n"
                "        information = torch.stack([mutual_information(latent, factor) for factor in factors.T])\n"
                "        first, second = torch.cat([information, torch.zeros(1)]).topk(2).values\n"
                "        entropy = mutual_information(latent, latent).clamp(min=1e-9)\n",
            )
        ],
        "fails": ["test-mutual-information-gap"],
        "check": "mutual-information-gap",
        "hint": "you compare factors. The gap is between the two latents that know most about one factor.",
    },
    {
        "name": "entropy-of-a-uniform-factor",
        "answer": "mutual-information-gap",
        "change": [("entropy = mutual_information(factor, factor)", "entropy = math.log(len(factor.unique()))")],
        "fails": ["test-mutual-information-gap"],
        "check": "mutual-information-gap",
        "hint": "the log of the number of values is the entropy only where all values are equally frequent.",
    },
    {
        "name": "without-the-runner-up",
        "answer": "mutual-information-gap",
        "change": [("(first - second) / entropy", "first / entropy")],
        "fails": ["test-mutual-information-gap"],
        "check": "mutual-information-gap",
        "hint": "this looks at the best latent alone. A factor that two latents know equally well should have no gap.",
    },
    # Exercise 7
    {
        "name": "largest-dot-product",
        "answer": "nearest-code",
        "change": [
            ("(encodings.unsqueeze(-2) - codebook).square().sum(-1)", "encodings @ codebook.T"),
            ("squared.argmin(-1)", "squared.argmax(-1)"),
        ],
        "fails": ["test-nearest-code"],
        "check": "nearest-code",
        "hint": "this is the code with the largest scalar product, which prefers long vectors. Nearest means distance.",
    },
    {
        "name": "channels-by-reshape",
        "answer": "nearest-code",
        "change": [("z.movedim(1, -1)  # (B, H, W, D)", "z.reshape(len(z), *z.shape[2:], z.shape[1])")],
        "fails": ["test-nearest-code"],
        "check": "nearest-code",
        "hint": "a reshape mixes numbers of different places. The channels have to move from axis 1 to the end.",
    },
    {
        "name": "sum-of-absolute-differences",
        "answer": "nearest-code",
        "change": [(".square().sum(-1)", ".abs().sum(-1)")],
        "fails": ["test-nearest-code"],
        "check": "nearest-code",
        "hint": "this is the nearest code by the sum of absolute differences, not by Euclidean distance.",
    },
    {
        "name": "look-up-by-reshape",
        "answer": "nearest-code",
        "change": [("vectors.movedim(-1, 1)", "vectors.reshape(len(codes), -1, *codes.shape[1:])")],
        "fails": ["test-look-up"],
        "check": "look-up",
        "hint": "the shape is right and the numbers stand in the wrong places: move the last axis, do not reshape.",
    },
    {
        "name": "look-up-detached",
        "answer": "nearest-code",
        "change": [("codebook[codes]", "codebook.detach()[codes]")],
        "fails": ["test-look-up"],
        "check": "look-up",
        "hint": "the vectors are right, but no gradient reaches the codebook, so that codes could never learn.",
    },
    # Exercise 8
    {
        "name": "codes-without-a-way-back",
        "answer": "straight-through",
        "change": [("return z + difference", "return chosen")],
        "fails": ["test-straight-through"],
        "check": "straight-through",
        "hint": "the values are right, but the gradient goes to the codes and none to the encodings.",
    },
    {
        "name": "gradient-to-both",
        "answer": "straight-through",
        "change": [("(chosen - z).detach()", "chosen - z.detach()")],
        "fails": ["test-straight-through"],
        "check": "straight-through",
        "hint": "the encodings get their gradient, but so do the codes. They learn by the loss alone.",
    },
    {
        "name": "nothing-replaced",
        "answer": "straight-through",
        "change": [("return z + difference", "return chosen - difference + z - z.detach()")],
        "fails": ["test-straight-through"],
        "check": "straight-through",
        "hint": "forwards these are the encodings themselves. The decoder has to receive the vectors of the codes.",
    },
    {
        "name": "no-stopped-gradient",
        "answer": "straight-through",
        "change": [("(z.detach() - chosen)", "(z - chosen)"), ("(z - chosen.detach())", "(z - chosen)")],
        "fails": ["test-vq-loss-gradients"],
        "check": "vq-loss",
        "hint": "both terms move both sides. Without sg the two terms are the same, and beta only scales.",
    },
    {
        "name": "beta-on-the-codebook-term",
        "answer": "straight-through",
        "change": [("codebook_loss + beta * commitment_loss", "beta * codebook_loss + commitment_loss")],
        "fails": ["test-vq-loss-gradients"],
        "check": "vq-loss",
        "hint": "beta weighs the wrong term: with beta 0 the encoder should get no gradient, and codes still learn.",
    },
    {
        "name": "loss-after-the-copy",
        "answer": "straight-through",
        "change": [
            (
                "    codebook_loss = (z.detach() - chosen)",
                "    chosen = straight_through(z, chosen)\n    codebook_loss = (z.detach() - chosen)",
            )
        ],
        "fails": ["test-vq-loss-gradients"],
        "check": "vq-loss",
        "hint": (
            "the loss was taken after the straight-through copy, through which nothing reaches the codes: they never "
            "move. Take it from the chosen vectors themselves."
        ),
    },
    {
        "name": "loss-averaged-over-places",
        "answer": "straight-through",
        "change": [
            ("(z.detach() - chosen).square().flatten(1).sum(1)", "(z.detach() - chosen).square().flatten(1).mean(1)"),
            ("(z - chosen.detach()).square().flatten(1).sum(1)", "(z - chosen.detach()).square().flatten(1).mean(1)"),
        ],
        "fails": ["test-vq-loss-values", "test-vq-loss-gradients"],
        "check": "vq-loss",
        "hint": "this is an average over places and numbers. The likelihood beside it is a sum, and so is this.",
    },
    {
        "name": "loss-of-the-whole-batch",
        "answer": "straight-through",
        "change": [("codebook_loss + beta * commitment_loss", "(codebook_loss + beta * commitment_loss).mean()")],
        "fails": ["test-vq-loss-values", "test-vq-loss-gradients"],
        "check": "vq-loss",
        "hint": "this is one number for the whole batch. Each example has a loss of its own: shape (B,).",
    },
    # Exercise 9
    {
        "name": "counts-from-zero",
        "answer": "ema-codebook",
        "change": [("torch.ones(len(codebook))", "torch.zeros(len(codebook))")],
        "fails": ["test-ema-start", "test-ema-hull"],
        "check": "start",
        "hint": "a sum of one encoding and a count of 0 do not belong together: after the first batch, codes fly away.",
    },
    {
        "name": "decay-of-the-new",
        "answer": "ema-codebook",
        "change": [
            ("decay * counts + (1 - decay) * chosen.sum(0)", "(1 - decay) * counts + decay * chosen.sum(0)"),
            ("decay * sums + (1 - decay) * chosen.T @ z", "(1 - decay) * sums + decay * chosen.T @ z"),
        ],
        "fails": ["test-ema-update", "test-ema-hull"],
        "check": "ema-update",
        "hint": "decay weighs the new batch. It is the share of the old average, near 1, so that codes move slowly.",
    },
    {
        "name": "divided-by-the-count-of-the-batch",
        "answer": "ema-codebook",
        "change": [("sums / counts.unsqueeze(-1)", "sums / chosen.sum(0).clamp(min=1).unsqueeze(-1)")],
        "fails": ["test-ema-update", "test-ema-hull"],
        "check": "ema-update",
        "hint": "the moving sum is divided by the count of this batch. The moving count belongs to it.",
    },
    {
        "name": "average-of-means",
        "answer": "ema-codebook",
        "change": [
            (
                "    counts = decay * counts + (1 - decay) * chosen.sum(0)\n"
                "    sums = decay * sums + (1 - decay) * chosen.T @ z\n"
                "    return counts, sums, sums / counts.unsqueeze(-1)\n",
                "    old, n = sums / counts.unsqueeze(-1), chosen.sum(0)\n"
                "    codebook = decay * old + (1 - decay) * chosen.T @ z / n.clamp(min=1).unsqueeze(-1)\n"
                "    counts = decay * counts + (1 - decay) * n\n"
                "    return counts, codebook * counts.unsqueeze(-1), codebook\n",
            )
        ],
        "fails": ["test-ema-update", "test-ema-hull"],
        "check": "ema-update",
        "hint": (
            "codes that nobody chose drift towards 0, and a batch with one encoding of a code counts as much as one "
            "with a hundred: you average means. Average sums and counts, and divide at the end."
        ),
    },
    {
        "name": "batch-not-scaled",
        "answer": "ema-codebook",
        "change": [("(1 - decay) * chosen.sum(0)", "chosen.sum(0)"), ("(1 - decay) * chosen.T @ z", "chosen.T @ z")],
        "fails": ["test-ema-update", "test-ema-hull"],
        "check": "ema-update",
        "hint": "the new batch lacks its share, 1 - decay. Then counts grow far beyond what a batch brings.",
    },
    # Exercise 10
    {
        "name": "entropy-for-perplexity",
        "answer": "dead-codes",
        "change": [("return torch.exp(entropy)", "return entropy")],
        "fails": ["test-perplexity"],
        "check": "perplexity",
        "hint": "this is the entropy in nats. The perplexity is a number of codes: its exponential.",
    },
    {
        "name": "two-to-the-nats",
        "answer": "dead-codes",
        "change": [("return torch.exp(entropy)", "return 2**entropy")],
        "fails": ["test-perplexity"],
        "check": "perplexity",
        "hint": "an entropy in nats is the exponent of e; 2 belongs to an entropy in bits.",
    },
    {
        "name": "unused-codes-not-a-number",
        "answer": "dead-codes",
        "change": [("torch.special.xlogy(share, share)", "(share * share.log())")],
        "fails": ["test-perplexity"],
        "check": "perplexity",
        "hint": "a code that never occurs makes 0 times log 0, which is NaN. It contributes nothing.",
    },
    {
        "name": "codes-counted",
        "answer": "dead-codes",
        "change": [("return torch.exp(entropy)", "return (share > 0).sum().float()")],
        "fails": ["test-perplexity"],
        "check": "perplexity",
        "hint": "this counts the codes that occur at all. One that occurs once in a million places is hardly in use.",
    },
    {
        "name": "living-codes-moved",
        "answer": "dead-codes",
        "change": [("(usage < threshold)", "(usage >= threshold)")],
        "fails": ["test-revive-places", "test-revive-draws"],
        "check": "revive",
        "hint": "you moved the codes that are in use and left the dead ones.",
    },
    {
        "name": "all-on-one-encoding",
        "answer": "dead-codes",
        "change": [("z[rows]", "z[rows[:1]]")],
        "fails": ["test-revive-places"],
        "check": "revive",
        "hint": "all dead codes lie on one encoding, so that all but one of them stay dead.",
    },
    {
        "name": "revived-as-noise",
        "answer": "dead-codes",
        "change": [("z[rows]", "torch.randn(len(dead), z.shape[1], generator=generator)")],
        "fails": ["test-revive-places", "test-revive-draws"],
        "check": "revive",
        "hint": "dead codes were put anywhere, where again no encoding may come near. Put them onto encodings.",
    },
    {
        "name": "always-the-first-encodings",
        "answer": "dead-codes",
        "change": [("torch.randperm(len(z), generator=generator)[", "torch.arange(len(z))[")],
        "fails": ["test-revive-draws"],
        "check": "revive",
        "hint": "the same encodings are taken every time. Which ones, is to be drawn with the generator.",
    },
    {
        "name": "codebook-changed-in-place",
        "answer": "dead-codes",
        "change": [("codebook.clone()", "codebook")],
        "fails": ["test-revive-places"],
        "check": "revive",
        "hint": "the codebook that was passed in has changed. Work on a copy.",
    },
]
