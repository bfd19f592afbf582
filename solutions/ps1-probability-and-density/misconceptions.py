"""Wrong on purpose: answers that students give, the test cells that must score 0 for them, and the hint that the
visible check should show.

`change` lists texts of the solution's cell and what stands there instead. `check` is the visible check that recognises
the mistake.
"""

MISCONCEPTIONS = [
    # Exercise 1
    {
        "name": "probability-for-density",
        "answer": "histogram-density",
        "change": [("counts / (len(samples) * widths)", "counts / len(samples)")],
        "fails": ["test-histogram-density-values", "test-histogram-density-narrow"],
        "check": "histogram-density",
        "hint": "these are the probabilities of the bins: they add up to 1. It is the areas that should add up to 1.",
    },
    {
        "name": "bins-of-equal-width",
        "answer": "histogram-density",
        "change": [("(len(samples) * widths)", "(len(samples) * widths.mean())")],
        "fails": ["test-histogram-density-values", "test-histogram-density-narrow"],
        "check": "histogram-density",
        "hint": "every bin is treated as if it had the same width. How wide is each of them?",
    },
    {
        "name": "counts-per-width",
        "answer": "histogram-density",
        "change": [("counts / (len(samples) * widths)", "counts / widths")],
        "fails": ["test-histogram-density-values", "test-histogram-density-narrow"],
        "check": "histogram-density",
        "hint": "the area is the number of samples. A density of twice as many samples is not twice as high.",
    },
    {
        "name": "heights-that-add-up-to-one",
        "answer": "histogram-density",
        "change": [
            (
                "    return counts / (len(samples) * widths)\n",
                "    heights = counts / widths\n    return heights / heights.sum()\n",
            ),
        ],
        "fails": ["test-histogram-density-values", "test-histogram-density-narrow"],
        "check": "histogram-density",
        "hint": "your heights add up to 1. What should add up to 1 is height times width.",
    },
    {
        "name": "density-clipped-at-one",
        "answer": "histogram-density",
        "change": [
            ("return counts / (len(samples) * widths)", "return (counts / (len(samples) * widths)).clamp(max=1)")
        ],
        "fails": ["test-histogram-density-narrow"],
        "check": "histogram-density",
        "hint": "no height exceeds 1. A probability cannot, but a density can: which bin is narrower than 1?",
    },
    # Exercise 2
    {
        "name": "exponential-first",
        "answer": "log-normalize",
        "change": [
            (
                "return shifted - shifted.exp().sum(-1, keepdim=True).log()",
                "return (log_scores.exp() / log_scores.exp().sum(-1, keepdim=True)).log()",
            ),
        ],
        "fails": ["test-log-normalize-extremes"],
        "check": "log-normalize",
        "hint": (
            "exp(1000) is infinite and exp(-1000) is 0 in float32. Which constant can be taken out of a row "
            "before its exponentials are formed?"
        ),
    },
    {
        "name": "one-constant-for-the-table",
        "answer": "log-normalize",
        "change": [("shifted = log_scores - highest", "shifted = log_scores - log_scores.max()")],
        "fails": ["test-log-normalize-extremes"],
        "check": "log-normalize",
        "hint": (
            "the same constant was taken out of all rows. It suits the row with the largest score; in other rows "
            "every exponential may still be 0."
        ),
    },
    {
        "name": "normalised-down-the-columns",
        "answer": "log-normalize",
        "change": [("shifted.exp().sum(-1, keepdim=True)", "shifted.exp().sum(0, keepdim=True)")],
        "fails": ["test-log-normalize-values", "test-log-normalize-extremes", "test-log-normalize-impossible"],
        "check": "log-normalize",
        "hint": (
            "the sum runs over the examples. Who competes with whom: the rows of a column, or the columns of a row?"
        ),
    },
    {
        "name": "probabilities-for-logarithms",
        "answer": "log-normalize",
        "change": [
            (
                "return shifted - shifted.exp().sum(-1, keepdim=True).log()",
                "return shifted.exp() / shifted.exp().sum(-1, keepdim=True)",
            ),
        ],
        "fails": ["test-log-normalize-values", "test-log-normalize-extremes", "test-log-normalize-impossible"],
        "check": "log-normalize",
        "hint": "these are probabilities. Their logarithms are asked for.",
    },
    {
        "name": "sum-of-exponentials-forgotten",
        "answer": "log-normalize",
        "change": [("return shifted - shifted.exp().sum(-1, keepdim=True).log()", "return shifted")],
        "fails": ["test-log-normalize-values", "test-log-normalize-extremes", "test-log-normalize-impossible"],
        "check": "log-normalize",
        "hint": "the best outcome of each row has log-probability 0, which is certainty, and yet others are possible.",
    },
    {
        "name": "probabilities-clipped",
        "answer": "log-normalize",
        "change": [
            (
                "return shifted - shifted.exp().sum(-1, keepdim=True).log()",
                "return (shifted.exp() / shifted.exp().sum(-1, keepdim=True) + 1e-8).log()",
            ),
        ],
        "fails": ["test-log-normalize-extremes", "test-log-normalize-impossible"],
        "check": "log-normalize",
        "hint": (
            "nothing has a log-probability below -18.4: a small constant inside the logarithm makes all "
            "improbable outcomes alike, and impossible ones possible."
        ),
    },
    {
        "name": "nothing-to-normalise",
        "answer": "log-normalize",
        "change": [("if bool(torch.isneginf(highest).any()):", "if log_scores.numel() == 0:")],
        "fails": ["test-log-normalize-impossible"],
        "check": "log-normalize",
        "hint": "a row in which everything is impossible was accepted. It should raise a ValueError.",
    },
    # Exercise 3
    {
        "name": "prior-forgotten",
        "answer": "bayes-rule",
        "change": [("joint = class_log_prob + log_prior", "joint = class_log_prob")],
        "fails": ["test-bayes-rule-posterior", "test-bayes-rule-evidence", "test-bayes-rule-extremes"],
        "check": "bayes-rule",
        "hint": "all classes are treated as equally frequent. Where does p(y) enter?",
    },
    {
        "name": "prior-not-in-logarithms",
        "answer": "bayes-rule",
        "change": [("class_log_prob + log_prior", "class_log_prob + log_prior.exp()")],
        "fails": ["test-bayes-rule-posterior", "test-bayes-rule-evidence", "test-bayes-rule-extremes"],
        "check": "bayes-rule",
        "hint": "a probability is added to a logarithm. The logarithm of a product is a sum of two logarithms.",
    },
    {
        "name": "added-instead-of-multiplied",
        "answer": "bayes-rule",
        "change": [("class_log_prob + log_prior", "torch.logaddexp(class_log_prob, log_prior)")],
        "fails": ["test-bayes-rule-posterior", "test-bayes-rule-evidence", "test-bayes-rule-extremes"],
        "check": "bayes-rule",
        "hint": "p(x | y) and p(y) are added. Bayes' rule multiplies them: what is a product in logarithms?",
    },
    {
        "name": "sum-of-logarithms",
        "answer": "bayes-rule",
        "change": [("torch.logsumexp(joint, -1)", "joint.sum(-1)")],
        "fails": ["test-bayes-rule-posterior", "test-bayes-rule-evidence", "test-bayes-rule-extremes"],
        "check": "bayes-rule",
        "hint": "the logarithm of a sum is not the sum of the logarithms: that would be the logarithm of a product.",
    },
    {
        "name": "divided-by-the-number-of-classes",
        "answer": "bayes-rule",
        "change": [("torch.logsumexp(joint, -1)", "torch.logsumexp(joint, -1) - math.log(len(log_prior))")],
        "fails": ["test-bayes-rule-posterior", "test-bayes-rule-evidence", "test-bayes-rule-extremes"],
        "check": "bayes-rule",
        "hint": (
            "log p(x) is too low by the logarithm of the number of classes: the sum was divided by it. The prior "
            "already weighs the classes."
        ),
    },
    {
        "name": "joint-for-posterior",
        "answer": "bayes-rule",
        "change": [("return joint - log_evidence.unsqueeze(-1), log_evidence", "return joint, log_evidence")],
        "fails": ["test-bayes-rule-posterior", "test-bayes-rule-extremes"],
        "check": "bayes-rule",
        "hint": "this is log p(x, y). For every x, the probabilities of its classes should sum to 1.",
    },
    {
        "name": "best-class-for-the-sum",
        "answer": "bayes-rule",
        "change": [("torch.logsumexp(joint, -1)", "joint.max(-1).values")],
        "fails": ["test-bayes-rule-posterior", "test-bayes-rule-evidence", "test-bayes-rule-extremes"],
        "check": "bayes-rule",
        "hint": "only the best class counts for your log p(x). The others contribute to the sum, too.",
    },
    # Exercise 4
    {
        "name": "determinant-forgotten",
        "answer": "gaussian-log-prob",
        "change": [("(distance + log_determinant +", "(distance +")],
        "fails": ["test-gaussian-log-prob-values", "test-gaussian-log-prob-many-dimensions"],
        "check": "gaussian-log-prob",
        "hint": "the determinant is missing. Without it, a wide Gaussian is nowhere lower than a narrow one.",
    },
    {
        "name": "determinant-with-wrong-sign",
        "answer": "gaussian-log-prob",
        "change": [("distance + log_determinant", "distance - log_determinant")],
        "fails": ["test-gaussian-log-prob-values", "test-gaussian-log-prob-many-dimensions"],
        "check": "gaussian-log-prob",
        "hint": "the determinant has the wrong sign: your Gaussian becomes higher when it is made wider.",
    },
    {
        "name": "determinant-of-the-factor",
        "answer": "gaussian-log-prob",
        "change": [("log_determinant = 2 * factor", "log_determinant = factor")],
        "fails": ["test-gaussian-log-prob-values", "test-gaussian-log-prob-many-dimensions"],
        "check": "gaussian-log-prob",
        "hint": "this is the determinant of L. How is that of L L^T computed from it?",
    },
    {
        "name": "constant-forgotten",
        "answer": "gaussian-log-prob",
        "change": [("+ log_determinant + len(mean) * math.log(2 * math.pi))", "+ log_determinant)")],
        "fails": ["test-gaussian-log-prob-values", "test-gaussian-log-prob-many-dimensions"],
        "check": "gaussian-log-prob",
        "hint": "your value is too high by the same number everywhere: the constant with 2 pi is missing.",
    },
    {
        "name": "constant-once",
        "answer": "gaussian-log-prob",
        "change": [("len(mean) * math.log(2 * math.pi)", "math.log(2 * math.pi)")],
        "fails": ["test-gaussian-log-prob-values", "test-gaussian-log-prob-many-dimensions"],
        "check": "gaussian-log-prob",
        "hint": "the constant with 2 pi counts once. How many dimensions have one?",
    },
    {
        "name": "half-forgotten",
        "answer": "gaussian-log-prob",
        "change": [("-0.5 * (distance", "-(distance")],
        "fails": ["test-gaussian-log-prob-values", "test-gaussian-log-prob-many-dimensions"],
        "check": "gaussian-log-prob",
        "hint": "your values are twice the right ones: this looks like the missing 1/2.",
    },
    {
        "name": "covariance-for-its-inverse",
        "answer": "gaussian-log-prob",
        "change": [
            (
                "torch.linalg.solve_triangular(factor, (x - mean).T, upper=False)",
                "factor.T @ (x - mean).T",
            ),
        ],
        "fails": ["test-gaussian-log-prob-values", "test-gaussian-log-prob-many-dimensions"],
        "check": "gaussian-log-prob",
        "hint": (
            "the distance is multiplied by the covariance. In a direction of large variance, a step should count less."
        ),
    },
    {
        "name": "correlations-ignored",
        "answer": "gaussian-log-prob",
        "change": [("torch.linalg.cholesky(covariance)", "covariance.diagonal().sqrt().diag()")],
        "fails": ["test-gaussian-log-prob-values", "test-gaussian-log-prob-many-dimensions"],
        "check": "gaussian-log-prob",
        "hint": "only the diagonal of the covariance is used, as if the dimensions were independent.",
    },
    {
        "name": "mean-over-dimensions",
        "answer": "gaussian-log-prob",
        "change": [("scaled.square().sum(0)", "scaled.square().mean(0)")],
        "fails": ["test-gaussian-log-prob-values", "test-gaussian-log-prob-many-dimensions"],
        "check": "gaussian-log-prob",
        "hint": "the squares are averaged over the dimensions. A squared length is a sum.",
    },
    {
        "name": "one-number-for-the-batch",
        "answer": "gaussian-log-prob",
        "change": [("scaled.square().sum(0)", "scaled.square().sum()")],
        "fails": ["test-gaussian-log-prob-values", "test-gaussian-log-prob-many-dimensions"],
        "check": "gaussian-log-prob",
        "hint": "this is one number for the whole batch. Each example has a density of its own: shape (B,).",
    },
    {
        "name": "determinant-then-logarithm",
        "answer": "gaussian-log-prob",
        "change": [("2 * factor.diagonal().log().sum()", "torch.linalg.det(covariance).log()")],
        "fails": ["test-gaussian-log-prob-many-dimensions"],
        "check": "gaussian-64",
        "hint": (
            "the determinant became 0 before its logarithm was taken. Take the logarithms of the diagonal of L "
            "first, and add them."
        ),
    },
    # Exercise 5
    {
        "name": "volume-with-wrong-sign",
        "answer": "units",
        "change": [("log_prob - log_volume", "log_prob + log_volume")],
        "fails": ["test-rescaled-log-prob"],
        "check": "rescaled-log-prob",
        "hint": "stretching made your density higher. The same probability on more space makes it lower.",
    },
    {
        "name": "density-taken-for-probability",
        "answer": "units",
        "change": [("return log_prob - log_volume", "return log_prob.clone()")],
        "fails": ["test-rescaled-log-prob"],
        "check": "rescaled-log-prob",
        "hint": "nothing changed. A probability does not depend on the unit of x, but a density does.",
    },
    {
        "name": "negative-factor",
        "answer": "units",
        "change": [("scale.abs().log().sum()", "scale.log().sum()")],
        "fails": ["test-rescaled-log-prob"],
        "check": "rescaled-log-prob",
        "hint": "a negative factor gives NaN. Turning an axis around changes no volume.",
    },
    {
        "name": "average-stretch",
        "answer": "units",
        "change": [("scale.abs().log().sum()", "scale.abs().log().mean()")],
        "fails": ["test-rescaled-log-prob"],
        "check": "rescaled-log-prob",
        "hint": "the factors are averaged over the dimensions. A volume is their product.",
    },
    {
        "name": "bits-multiplied",
        "answer": "units",
        "change": [("return -in_levels / (n_dims * math.log(2))", "return -in_levels / n_dims * math.log(2)")],
        "fails": ["test-bits-per-dim"],
        "check": "bits-per-dim",
        "hint": "nats were multiplied by log 2. A bit is smaller than a nat: should there be more bits, or fewer?",
    },
    {
        "name": "nats-for-bits",
        "answer": "units",
        "change": [("(n_dims * math.log(2))", "n_dims")],
        "fails": ["test-bits-per-dim"],
        "check": "bits-per-dim",
        "hint": "these are nats per dimension. How many nats are one bit?",
    },
    {
        "name": "negative-bits",
        "answer": "units",
        "change": [("return -in_levels", "return in_levels")],
        "fails": ["test-bits-per-dim"],
        "check": "bits-per-dim",
        "hint": "the sign is that of a log-density. Bits are a cost: the uniform density should need +8.",
    },
    {
        "name": "levels-forgotten",
        "answer": "units",
        "change": [("log_prob - n_dims * math.log(levels)", "log_prob")],
        "fails": ["test-bits-per-dim"],
        "check": "bits-per-dim",
        "hint": "a uniform density needs 0 bits here. The density is still per unit [0, 1], not per grey level.",
    },
    {
        "name": "levels-of-one-pixel",
        "answer": "units",
        "change": [("log_prob - n_dims * math.log(levels)", "log_prob - math.log(levels)")],
        "fails": ["test-bits-per-dim"],
        "check": "bits-per-dim",
        "hint": "the change of unit counts for one pixel only. All of them are measured in grey levels.",
    },
    {
        "name": "bits-per-image",
        "answer": "units",
        "change": [("(n_dims * math.log(2))", "math.log(2)")],
        "fails": ["test-bits-per-dim"],
        "check": "bits-per-dim",
        "hint": "these are bits per image. How many dimensions share them?",
    },
    {
        "name": "bits-averaged-over-the-batch",
        "answer": "units",
        "change": [("return -in_levels /", "return -in_levels.mean() /")],
        "fails": ["test-bits-per-dim"],
        "check": "bits-per-dim",
        "hint": "this is one number for the whole batch. Each example has its own: shape (B,).",
    },
    # Exercise 6
    {
        "name": "number-minus-one",
        "answer": "fit-gaussians",
        "change": [("scatter / counts[:, None, None]", "scatter / (counts[:, None, None] - 1)")],
        "fails": ["test-fit-full-covariance"],
        "check": "fit-gaussians",
        "hint": (
            "the covariance of a class is divided by its number of examples minus one. Maximum likelihood divides "
            "by the number itself."
        ),
    },
    {
        "name": "divided-by-all-examples",
        "answer": "fit-gaussians",
        "change": [("scatter / counts[:, None, None]", "scatter / len(x)")],
        "fails": ["test-fit-full-covariance"],
        "check": "fit-gaussians",
        "hint": "the covariance of a class is divided by the number of all examples. How many belong to the class?",
    },
    {
        "name": "centred-on-everything",
        "answer": "fit-gaussians",
        "change": [("offsets = x - means[y]", "offsets = x - x.mean(0)")],
        "fails": ["test-fit-full-covariance", "test-fit-shared-covariance"],
        "check": "fit-gaussians",
        "hint": (
            "examples are compared with the mean of all of them. The covariance of a class is about the mean of "
            "that class."
        ),
    },
    {
        "name": "not-centred",
        "answer": "fit-gaussians",
        "change": [("offsets = x - means[y]", "offsets = x")],
        "fails": ["test-fit-full-covariance", "test-fit-shared-covariance"],
        "check": "fit-gaussians",
        "hint": "no mean was taken away: these are second moments, not covariances.",
    },
    {
        "name": "average-of-covariances",
        "answer": "fit-gaussians",
        "change": [("(scatter.sum(0) / len(x)).expand_as(scatter)", "covariances.mean(0).expand_as(scatter)")],
        "fails": ["test-fit-shared-covariance"],
        "check": "fit-gaussians",
        "hint": (
            "the shared covariance is the plain average of the classes' covariances. Every example should count "
            "alike, and classes differ in size."
        ),
    },
    {
        "name": "shared-covariance-of-everything",
        "answer": "fit-gaussians",
        "change": [
            (
                "(scatter.sum(0) / len(x)).expand_as(scatter)",
                "torch.cov(x.T, correction=0).expand_as(scatter)",
            ),
        ],
        "fails": ["test-fit-shared-covariance"],
        "check": "fit-gaussians",
        "hint": (
            "the shared covariance contains the distances between the classes. Each example is to be compared "
            "with the mean of its own class."
        ),
    },
    {
        "name": "uniform-prior",
        "answer": "fit-gaussians",
        "change": [("torch.log(counts / len(x))", "torch.full((n_classes,), -math.log(n_classes))")],
        "fails": ["test-fit-prior-and-means"],
        "check": "fit-gaussians",
        "hint": "the prior gives every class the same probability. How frequent are they in y?",
    },
    {
        "name": "prior-without-logarithm",
        "answer": "fit-gaussians",
        "change": [("torch.log(counts / len(x))", "counts / len(x)")],
        "fails": ["test-fit-prior-and-means"],
        "check": "fit-gaussians",
        "hint": "the prior is a probability. Its logarithm is asked for.",
    },
    {
        "name": "ridge-everywhere",
        "answer": "fit-gaussians",
        "change": [("ridge * torch.eye(x.shape[1])", "ridge")],
        "fails": ["test-fit-full-covariance", "test-fit-shared-covariance"],
        "check": "fit-gaussians",
        "hint": (
            "the ridge was added to every element, and so it makes the dimensions correlated. It belongs on the "
            "diagonal."
        ),
    },
    {
        "name": "ridge-forgotten",
        "answer": "fit-gaussians",
        "change": [("covariances + ridge * torch.eye(x.shape[1])", "covariances")],
        "fails": ["test-fit-full-covariance", "test-fit-shared-covariance"],
        "check": "fit-gaussians",
        "hint": "the variances are too small by the ridge.",
    },
    # Exercise 7
    {
        "name": "densities-compared-without-prior",
        "answer": "density-classifier",
        "change": [("return self.log_posterior(x).argmax(-1)", "return self.class_log_prob(x).argmax(-1)")],
        "fails": ["test-classifier-posterior"],
        "check": "classifier",
        "hint": (
            "the class is chosen by p(x | y), as if all classes were equally frequent. Between similar classes, "
            "the frequent one is the better guess."
        ),
    },
    {
        "name": "nearest-mean",
        "answer": "density-classifier",
        "change": [("return self.log_posterior(x).argmax(-1)", "return torch.cdist(x, self.means).argmin(-1)")],
        "fails": ["test-classifier-posterior", "test-classifier-reads-digits"],
        "check": "classifier",
        "hint": "this is the class with the nearest mean. What about the covariances and the prior?",
    },
    {
        "name": "least-probable-class",
        "answer": "density-classifier",
        "change": [("return self.log_posterior(x).argmax(-1)", "return self.log_posterior(x).argmin(-1)")],
        "fails": ["test-classifier-posterior", "test-classifier-reads-digits"],
        "check": "classifier",
        "hint": "the least probable class is chosen. A log-density is large where things are likely.",
    },
    {
        "name": "uniform-prior-in-the-evidence",
        "answer": "density-classifier",
        "change": [
            (
                "return bayes_rule(self.class_log_prob(x), self.log_prior)[1]",
                "return torch.logsumexp(self.class_log_prob(x), -1) - math.log(len(self.means))",
            ),
        ],
        "fails": ["test-classifier-densities"],
        "check": "classifier",
        "hint": "log p(x) is the plain average over the classes. The prior should weigh them.",
    },
    {
        "name": "density-of-the-best-class",
        "answer": "density-classifier",
        "change": [
            (
                "return bayes_rule(self.class_log_prob(x), self.log_prior)[1]",
                "return self.class_log_prob(x).max(-1).values",
            ),
        ],
        "fails": ["test-classifier-densities"],
        "check": "classifier",
        "hint": "log p(x) is the density in the best class. It should be a sum over all classes, weighed by the prior.",
    },
    {
        "name": "one-covariance-for-all",
        "answer": "density-classifier",
        "change": [
            ("for mean, covariance in parameters]", "for mean, _ in parameters for covariance in self.covariances[:1]]")
        ],
        "fails": ["test-classifier-densities", "test-classifier-posterior"],
        "check": "classifier",
        "hint": "every class has the covariance of the first one. Each has its own.",
    },
    # Exercise 8
    {
        "name": "alarm-for-the-likely",
        "answer": "outliers",
        "change": [("return log_prob < threshold", "return log_prob > threshold")],
        "fails": ["test-too-unlikely"],
        "check": "too-unlikely",
        "hint": "the alarm goes off for what is likely, and stays silent for what is not.",
    },
    {
        "name": "quantile-of-the-wrong-end",
        "answer": "outliers",
        "change": [("torch.quantile(log_prob_familiar, rate)\n", "torch.quantile(log_prob_familiar, 1 - rate)\n")],
        "fails": ["test-too-unlikely"],
        "check": "too-unlikely",
        "hint": "most familiar examples would set off this alarm. Only a share `rate` of them should.",
    },
    {
        "name": "threshold-of-the-new",
        "answer": "outliers",
        "change": [("torch.quantile(log_prob_familiar, rate)\n", "torch.quantile(log_prob, rate)\n")],
        "fails": ["test-too-unlikely"],
        "check": "too-unlikely",
        "hint": (
            "the threshold comes from the examples that are to be judged. It would report the same share of "
            "whatever is shown to it."
        ),
    },
    {
        "name": "two-standard-deviations",
        "answer": "outliers",
        "change": [
            (
                "torch.quantile(log_prob_familiar, rate)\n",
                "log_prob_familiar.mean() - 2 * log_prob_familiar.std()\n",
            ),
        ],
        "fails": ["test-too-unlikely"],
        "check": "too-unlikely",
        "hint": (
            "the alarm does not depend on the rate. A number of standard deviations has no false-alarm rate of its own."
        ),
    },
    {
        "name": "full-rate-on-each-side",
        "answer": "outliers",
        "change": [
            ("torch.quantile(log_prob_familiar, rate / 2)", "torch.quantile(log_prob_familiar, rate)"),
            ("torch.quantile(log_prob_familiar, 1 - rate / 2)", "torch.quantile(log_prob_familiar, 1 - rate)"),
        ],
        "fails": ["test-atypical"],
        "check": "atypical",
        "hint": "each side has the full rate: together there are twice as many false alarms as allowed.",
    },
    {
        "name": "alarm-on-one-side",
        "answer": "outliers",
        "change": [
            ("return (log_prob < lowest) | (log_prob > highest)", "return log_prob < torch.minimum(lowest, highest)")
        ],
        "fails": ["test-atypical"],
        "check": "atypical",
        "hint": "a density that is higher than that of all familiar examples sets off no alarm.",
    },
    {
        "name": "alarm-on-both-sides-at-once",
        "answer": "outliers",
        "change": [("(log_prob < lowest) | (log_prob > highest)", "(log_prob < lowest) & (log_prob > highest)")],
        "fails": ["test-atypical"],
        "check": "atypical",
        "hint": "this alarm never goes off: nothing is too low and too high at once.",
    },
    # Exercise 9
    {
        "name": "missing-set-to-zero",
        "answer": "missing-values",
        "change": [
            (
                "return gaussian_log_prob(x[:, observed], mean[observed], covariance_observed)",
                "return gaussian_log_prob(torch.where(observed, x, 0.0), mean, covariance)",
            ),
        ],
        "fails": ["test-marginal-log-prob"],
        "check": "marginal-log-prob",
        "hint": "this is the density of a whole example whose missing entries are 0. Nobody has seen that they are 0.",
    },
    {
        "name": "missing-set-to-the-mean",
        "answer": "missing-values",
        "change": [
            (
                "return gaussian_log_prob(x[:, observed], mean[observed], covariance_observed)",
                "return gaussian_log_prob(torch.where(observed, x, mean), mean, covariance)",
            ),
        ],
        "fails": ["test-marginal-log-prob"],
        "check": "marginal-log-prob",
        "hint": (
            "this is the density of a whole example whose missing entries are the mean. Leave them out instead, "
            "also of mean and covariance."
        ),
    },
    {
        "name": "block-of-the-precision",
        "answer": "missing-values",
        "change": [
            (
                "    covariance_observed = covariance[observed][:, observed]  # (O, O)\n",
                "    covariance_observed = torch.linalg.inv(torch.linalg.inv(covariance)[observed][:, observed])\n",
            ),
        ],
        "fails": ["test-marginal-log-prob"],
        "check": "marginal-log-prob",
        "hint": (
            "the matrix was inverted before the missing part was left out. That is what remains when the missing "
            "entries are known, not when they are unknown."
        ),
    },
    {
        "name": "missing-multiplied-by-zero",
        "answer": "missing-values",
        "change": [
            (
                "    filled = x.clone()\n    filled[:, ~observed] = mean[~observed] +",
                "    filled = x * observed\n    filled[:, ~observed] += mean[~observed] +",
            ),
        ],
        "fails": ["test-fill-in-mean"],
        "check": "fill-in",
        "hint": "NaN times 0 is NaN. Choose the observed entries by indexing, and never touch the others.",
    },
    {
        "name": "filled-with-the-mean",
        "answer": "missing-values",
        "change": [
            (
                "mean[~observed] + (x[:, observed] - mean[observed]) @ gain.T",
                "mean[~observed]",
            ),
        ],
        "fails": ["test-fill-in-mean"],
        "check": "fill-in",
        "hint": (
            "the missing entries are the mean, whatever was observed. Correlated entries know something about them."
        ),
    },
    {
        "name": "observed-not-centred",
        "answer": "missing-values",
        "change": [("(x[:, observed] - mean[observed]) @ gain.T", "x[:, observed] @ gain.T")],
        "fails": ["test-fill-in-mean"],
        "check": "fill-in",
        "hint": (
            "the observed entries are not compared with their mean. What should be filled in for an average example?"
        ),
    },
    {
        "name": "covariance-as-regression",
        "answer": "missing-values",
        "change": [("gain = torch.linalg.solve(seen, across.T).T", "gain = across")],
        "fails": ["test-fill-in-mean", "test-fill-in-covariance"],
        "check": "fill-in",
        "hint": (
            "the inverse of the observed covariance is missing. If an entry varies more, a step of it should mean "
            "less for the others."
        ),
    },
    {
        "name": "as-unsure-as-before",
        "answer": "missing-values",
        "change": [
            (
                "spread = covariance[~observed][:, ~observed] - gain @ across.T",
                "spread = covariance[~observed][:, ~observed]",
            )
        ],
        "fails": ["test-fill-in-covariance"],
        "check": "fill-in",
        "hint": "the missing entries are as uncertain as if nothing had been observed.",
    },
    {
        "name": "less-sure-than-before",
        "answer": "missing-values",
        "change": [("- gain @ across.T", "+ gain @ across.T")],
        "fails": ["test-fill-in-covariance"],
        "check": "fill-in",
        "hint": "the observation made the rest more uncertain than it was. It should take uncertainty away.",
    },
    # Exercise 10
    {
        "name": "average-of-logarithms",
        "answer": "generator-by-bayes",
        "change": [
            ("torch.logsumexp(log_posterior, 0) - math.log(n_draws)", "log_posterior.sum(0) / n_draws"),
        ],
        "fails": ["test-log-normalizer"],
        "check": "log-normalizer",
        "hint": (
            "this is the average of the logarithms. The expectation is one of probabilities; its logarithm comes last."
        ),
    },
    {
        "name": "sum-for-expectation",
        "answer": "generator-by-bayes",
        "change": [("torch.logsumexp(log_posterior, 0) - math.log(n_draws)", "torch.logsumexp(log_posterior, 0)")],
        "fails": ["test-log-normalizer"],
        "check": "log-normalizer",
        "hint": "with more draws your Z grows in proportion. An expectation is estimated by an average.",
    },
    {
        "name": "normaliser-over-classes",
        "answer": "generator-by-bayes",
        "change": [
            (
                "return torch.logsumexp(log_posterior, 0) - math.log(n_draws)",
                "return torch.logsumexp(log_posterior, 1)",
            ),
        ],
        "fails": ["test-log-normalizer"],
        "check": "log-normalizer",
        "hint": "the sum over classes is 1 for every draw. The expectation is over the draws, for each class.",
    },
    {
        "name": "average-then-logarithm",
        "answer": "generator-by-bayes",
        "change": [
            (
                "torch.logsumexp(log_posterior, 0) - math.log(n_draws)",
                "(log_posterior.exp().sum(0) / n_draws).log()",
            ),
        ],
        "fails": ["test-log-normalizer"],
        "check": "log-normalizer",
        "hint": "exp(-1000) is 0 in float32, and its logarithm is minus infinity. Exercise 2 knows a way around.",
    },
    {
        "name": "normaliser-left-out",
        "answer": "generator-by-bayes",
        "change": [("log_prob.unsqueeze(-1) - log_z", "log_prob.unsqueeze(-1)")],
        "fails": ["test-generator-log-prob"],
        "check": "generator-log-prob",
        "hint": "this is log p(x, y). As a density of x, it integrates to Z, not to 1.",
    },
    {
        "name": "normaliser-multiplied",
        "answer": "generator-by-bayes",
        "change": [("log_prob.unsqueeze(-1) - log_z", "log_prob.unsqueeze(-1) + log_z")],
        "fails": ["test-generator-log-prob"],
        "check": "generator-log-prob",
        "hint": "log Z is added. It stands in the denominator.",
    },
    {
        "name": "density-left-out",
        "answer": "generator-by-bayes",
        "change": [("log_posterior + log_prob.unsqueeze(-1) - log_z", "log_posterior - log_z")],
        "fails": ["test-generator-log-prob"],
        "check": "generator-log-prob",
        "hint": "p(x) does not enter. A classifier may be sure about images that never occur.",
    },
    {
        "name": "wrong-draws-thrown-away",
        "answer": "generator-by-bayes",
        "change": [("kept = u < probability", "kept = u > probability")],
        "fails": ["test-keep"],
        "check": "keep",
        "hint": "these are the draws that should have been thrown away. How likely is it that u lies below 0.9?",
    },
    {
        "name": "kept-if-named",
        "answer": "generator-by-bayes",
        "change": [("kept = u < probability", "kept = log_posterior.argmax(-1) == y")],
        "fails": ["test-keep"],
        "check": "keep",
        "hint": "what is kept does not depend on u. A draw with p(y | x) = 0.4 should be kept sometimes, not never.",
    },
    {
        "name": "compared-with-the-logarithm",
        "answer": "generator-by-bayes",
        "change": [("probability = log_posterior[:, y].exp()", "probability = log_posterior[:, y]")],
        "fails": ["test-keep"],
        "check": "keep",
        "hint": "nothing was kept: u lies between 0 and 1, and a log-probability is never positive.",
    },
]
