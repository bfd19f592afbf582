"""Wrong on purpose: answers that students give, the test cells that must score 0 for them, and the hint that the
visible check should show.

`change` lists texts of the solution's cell and what stands there instead. `check` is the visible check that recognises
the mistake.
"""

MISCONCEPTIONS = [
    # Exercise 1
    {
        "name": "kl-reversed",
        "answer": "discrete-kl",
        "change": [("    possible = p > 0", "    p, q = q, p\n    possible = p > 0")],
        "fails": ["test-discrete-kl-values", "test-discrete-kl-zeros", "test-discrete-kl-infinite"],
        "check": "discrete-kl",
        "hint": "this is KL(q || p). A divergence is not symmetric: the average is taken under the first distribution.",
    },
    {
        "name": "zero-times-infinity",
        "answer": "discrete-kl",
        "change": [("torch.where(possible, p, 1.0).log() - torch.where(possible, q, 1.0).log()", "p.log() - q.log()")],
        "fails": ["test-discrete-kl-zeros", "test-discrete-kl-infinite"],
        "check": "discrete-kl",
        "hint": "0 times minus infinity is not a number. An outcome that p never has should contribute 0.",
    },
    {
        "name": "small-constant-in-the-logarithms",
        "answer": "discrete-kl",
        "change": [
            (
                "torch.where(possible, p, 1.0).log() - torch.where(possible, q, 1.0).log()",
                "(p + 1e-8).log() - (q + 1e-8).log()",
            ),
        ],
        "fails": ["test-discrete-kl-infinite"],
        "check": "discrete-kl",
        "hint": (
            "where q calls something impossible that p has, your value is finite and set by a small constant. The "
            "divergence is infinite there, and that is no error."
        ),
    },
    {
        "name": "outcomes-of-both-only",
        "answer": "discrete-kl",
        "change": [("possible = p > 0", "possible = (p > 0) & (q > 0)")],
        "fails": ["test-discrete-kl-infinite"],
        "check": "discrete-kl",
        "hint": (
            "outcomes that q calls impossible were left out of the sum. If p has one of them, the divergence is "
            "infinite."
        ),
    },
    {
        "name": "kl-in-bits",
        "answer": "discrete-kl",
        "change": [("(p * log_ratio).sum(-1)", "(p * log_ratio).sum(-1) / math.log(2)")],
        "fails": ["test-discrete-kl-values", "test-discrete-kl-zeros"],
        "check": "discrete-kl",
        "hint": "these are bits. Nats come from the natural logarithm.",
    },
    {
        "name": "kl-averaged-over-outcomes",
        "answer": "discrete-kl",
        "change": [("(p * log_ratio).sum(-1)", "(p * log_ratio).mean(-1)")],
        "fails": ["test-discrete-kl-values", "test-discrete-kl-zeros"],
        "check": "discrete-kl",
        "hint": (
            "the terms are averaged over the outcomes. The weights of this average are p already: add the terms up."
        ),
    },
    {
        "name": "cross-entropy-for-divergence",
        "answer": "discrete-kl",
        "change": [("torch.where(possible, p, 1.0).log() - torch.where(possible, q, 1.0).log()", "-q.log()")],
        "fails": ["test-discrete-kl-values", "test-discrete-kl-zeros"],
        "check": "discrete-kl",
        "hint": "this is the cross-entropy, which lacks the entropy of p. What should the result be for p = q?",
    },
    {
        "name": "kl-one-number-for-all-rows",
        "answer": "discrete-kl",
        "change": [("(p * log_ratio).sum(-1)", "(p * log_ratio).sum()")],
        "fails": ["test-discrete-kl-values", "test-discrete-kl-zeros"],
        "check": "discrete-kl",
        "hint": "this is one number for all rows. Each pair of rows has a divergence of its own: shape (B,).",
    },
    # Exercise 2
    {
        "name": "variance-taken-for-a-standard-deviation",
        "answer": "e-step",
        "change": [
            ("    distance = (x.unsqueeze(1)", "    variance = variance.square()\n    distance = (x.unsqueeze(1)"),
        ],
        "fails": ["test-component-log-prob"],
        "check": "component-log-prob",
        "hint": "the variance was squared, as if it were a standard deviation.",
    },
    {
        "name": "density-without-its-constant",
        "answer": "e-step",
        "change": [("torch.log(2 * math.pi * variance)", "torch.log(variance)")],
        "fails": ["test-component-log-prob"],
        "check": "component-log-prob",
        "hint": "each dimension lacks log(2 pi) / 2. Without it, the densities do not integrate to 1.",
    },
    {
        "name": "dimensions-averaged",
        "answer": "e-step",
        "change": [("(distance + log_scale).sum(-1)", "(distance + log_scale).mean(-1)")],
        "fails": ["test-component-log-prob"],
        "check": "component-log-prob",
        "hint": (
            "this is an average over dimensions. The density of an example is a product over its dimensions, and the "
            "logarithm of a product is a sum."
        ),
    },
    {
        "name": "sign-of-a-loss",
        "answer": "e-step",
        "change": [("-0.5 * (distance", "0.5 * (distance")],
        "fails": ["test-component-log-prob"],
        "check": "component-log-prob",
        "hint": "the sign is that of a loss. An example far from the mean should have a lower log-density.",
    },
    {
        "name": "e-step-without-weights",
        "answer": "e-step",
        "change": [("log_joint = log_prob + weight.log()", "log_joint = log_prob")],
        "fails": ["test-e-step-values", "test-e-step-extremes"],
        "check": "e-step",
        "hint": "the weights do not enter. By Bayes' rule, a component that is frequent is responsible for more.",
    },
    {
        "name": "e-step-through-plain-probabilities",
        "answer": "e-step",
        "change": [("torch.logsumexp(log_joint, 1)", "log_joint.exp().sum(1).log()")],
        "fails": ["test-e-step-extremes"],
        "check": "e-step",
        "hint": (
            "e to the power of -1000 is 0 in float32, and its logarithm is minus infinity. Stay with logarithms all "
            "the way."
        ),
    },
    {
        "name": "normalised-over-examples",
        "answer": "e-step",
        "change": [
            ("torch.logsumexp(log_joint, 1)", "torch.logsumexp(log_joint, 0)"),
            ("log_evidence.unsqueeze(1)", "log_evidence"),
        ],
        "fails": ["test-e-step-values", "test-e-step-extremes"],
        "check": "e-step",
        "hint": (
            "the responsibilities of each component sum to 1 over the examples. Who competes with whom? For each "
            "example, they should sum to 1 over the components."
        ),
    },
    {
        "name": "probabilities-for-logarithms",
        "answer": "e-step",
        "change": [
            ("return log_joint - log_evidence.unsqueeze(1)", "return (log_joint - log_evidence.unsqueeze(1)).exp()"),
        ],
        "fails": ["test-e-step-values", "test-e-step-extremes"],
        "check": "e-step",
        "hint": "the responsibilities are right, but they are probabilities. Their logarithms were asked for.",
    },
    {
        "name": "hard-assignment",
        "answer": "e-step",
        "change": [
            (
                "return log_joint - log_evidence.unsqueeze(1)",
                "return F.one_hot(log_joint.argmax(1), log_joint.shape[1]).float().log()",
            ),
        ],
        "fails": ["test-e-step-values"],
        "check": "e-step",
        "hint": (
            "each example belongs wholly to its most likely component. This is K-means; a responsibility is a "
            "probability, and it can be divided."
        ),
    },
    {
        "name": "joint-for-posterior",
        "answer": "e-step",
        "change": [("return log_joint - log_evidence.unsqueeze(1)", "return log_joint")],
        "fails": ["test-e-step-values", "test-e-step-extremes"],
        "check": "e-step",
        "hint": "this is log p(x, k). To become p(k | x) it has to be divided by p(x).",
    },
    {
        "name": "likeliest-component-for-all",
        "answer": "e-step",
        "change": [("unsqueeze(1), log_evidence", "unsqueeze(1), log_joint.max(1).values")],
        "fails": ["test-e-step-values", "test-e-step-extremes"],
        "check": "e-step",
        "hint": "log p(x) counts the likeliest component only. x may have come from any of them: add them up.",
    },
    {
        "name": "evidence-averaged-over-the-batch",
        "answer": "e-step",
        "change": [("unsqueeze(1), log_evidence", "unsqueeze(1), log_evidence.mean()")],
        "fails": ["test-e-step-values"],
        "check": "e-step",
        "hint": "log p(x) is one number for the whole batch. Each example has its own: shape (N,).",
    },
    # Exercise 3
    {
        "name": "divided-by-all-examples",
        "answer": "m-step",
        "change": [("share = q / totals.clamp_min(1e-30)", "share = q / len(x)")],
        "fails": ["test-m-step-values", "test-m-step-floor"],
        "check": "m-step",
        "hint": (
            "the sums are divided by N. The weights of a component's average should sum to 1: what do its "
            "responsibilities sum to?"
        ),
    },
    {
        "name": "one-example-subtracted",
        "answer": "m-step",
        "change": [
            (".clamp_min(min_variance)", "\n    new_variance = (new_variance * (totals / (totals - 1)).unsqueeze(1))"),
        ],
        "fails": ["test-m-step-values"],
        "check": "m-step",
        "hint": "the variances are divided by N_k - 1. Maximum likelihood divides by N_k, as for the mean.",
    },
    {
        "name": "variance-around-the-old-mean",
        "answer": "m-step",
        "change": [("offset = x.unsqueeze(1) - new_mean", "offset = x.unsqueeze(1) - mean")],
        "fails": ["test-m-step-values"],
        "check": "m-step",
        "hint": (
            "the variances are taken around the old means. Both belong to the same maximum: which mean does a "
            "variance go with?"
        ),
    },
    {
        "name": "empty-component-not-a-number",
        "answer": "m-step",
        "change": [
            ("totals.clamp_min(1e-30)", "totals"),
            (
                "torch.where(alive, new_mean, mean), torch.where(alive, new_variance, variance)",
                "new_mean, new_variance",
            ),
        ],
        "fails": ["test-m-step-empty"],
        "check": "m-step",
        "hint": "0 divided by 0: a component without any responsibility has no average. It should stay where it was.",
    },
    {
        "name": "empty-component-at-the-origin",
        "answer": "m-step",
        "change": [
            (
                "torch.where(alive, new_mean, mean), torch.where(alive, new_variance, variance)",
                "new_mean, new_variance",
            ),
        ],
        "fails": ["test-m-step-empty"],
        "check": "m-step",
        "hint": (
            "a component without any responsibility jumps to the origin. Nothing speaks for that place: it should "
            "keep its old mean and variance."
        ),
    },
    {
        "name": "weights-never-learned",
        "answer": "m-step",
        "change": [("return totals / len(x)", "return torch.full_like(totals, 1 / len(totals))")],
        "fails": ["test-m-step-values", "test-m-step-empty"],
        "check": "m-step",
        "hint": "all weights are equal. A component that is responsible for more examples should become more likely.",
    },
    {
        "name": "weights-not-normalised",
        "answer": "m-step",
        "change": [("return totals / len(x)", "return totals")],
        "fails": ["test-m-step-values", "test-m-step-empty"],
        "check": "m-step",
        "hint": "the weights sum to N. They are the probabilities p(k).",
    },
    {
        "name": "responsibilities-made-hard",
        "answer": "m-step",
        "change": [
            ("    totals = q.sum(0)", "    q = F.one_hot(q.argmax(1), q.shape[1]).to(x.dtype)\n    totals = q.sum(0)"),
        ],
        "fails": ["test-m-step-values"],
        "check": "m-step",
        "hint": (
            "each example counts for one component only. It should count for all of them, as much as each is "
            "responsible."
        ),
    },
    {
        "name": "standard-deviation-returned",
        "answer": "m-step",
        "change": [(".clamp_min(min_variance)", ".clamp_min(min_variance).sqrt()")],
        "fails": ["test-m-step-values", "test-m-step-floor"],
        "check": "m-step",
        "hint": "the third result holds standard deviations. Variances were asked for.",
    },
    {
        "name": "floor-added",
        "answer": "m-step",
        "change": [(".clamp_min(min_variance)", " + min_variance")],
        "fails": ["test-m-step-floor"],
        "check": "m-step",
        "hint": (
            "min_variance was added to every variance. Then large variances are too large, and the likelihood may "
            "fall; raise only those that are below it."
        ),
    },
    {
        "name": "floor-forgotten",
        "answer": "m-step",
        "change": [(".clamp_min(min_variance)", "")],
        "fails": ["test-m-step-floor"],
        "check": "m-step",
        "hint": "a variance is 0, where min_variance should stand. A density with variance 0 is infinite.",
    },
    # Exercise 4
    {
        "name": "entropy-left-out",
        "answer": "lower-bound",
        "change": [("terms = q * (log_joint - q.log())", "terms = q * log_joint")],
        "fails": ["test-lower-bound-values", "test-lower-bound-gap"],
        "check": "lower-bound",
        "hint": (
            "this is the expected log p(x, k) alone. The M step may maximise it, but without the entropy of q it is "
            "not the bound, and never reaches log p(x)."
        ),
    },
    {
        "name": "entropy-with-the-wrong-sign",
        "answer": "lower-bound",
        "change": [("(log_joint - q.log())", "(log_joint + q.log())")],
        "fails": ["test-lower-bound-values", "test-lower-bound-gap"],
        "check": "lower-bound",
        "hint": "log q is added. It stands in the denominator.",
    },
    {
        "name": "bound-without-the-prior",
        "answer": "lower-bound",
        "change": [("log_joint = log_prob + weight.log()", "log_joint = log_prob")],
        "fails": ["test-lower-bound-values", "test-lower-bound-zeros", "test-lower-bound-gap"],
        "check": "lower-bound",
        "hint": (
            "log p(k) is missing. It depends on k, so it cannot be left out; what does not depend on k is log p(x)."
        ),
    },
    {
        "name": "bound-with-zero-times-infinity",
        "answer": "lower-bound",
        "change": [("torch.where(q > 0, terms, 0.0).sum(1)", "terms.sum(1)")],
        "fails": ["test-lower-bound-zeros"],
        "check": "lower-bound",
        "hint": "where q is 0, 0 times minus infinity is not a number. Such a component should contribute 0.",
    },
    {
        "name": "evidence-for-the-bound",
        "answer": "lower-bound",
        "change": [("torch.where(q > 0, terms, 0.0).sum(1)", "torch.logsumexp(log_joint, 1)")],
        "fails": ["test-lower-bound-values", "test-lower-bound-zeros", "test-lower-bound-gap"],
        "check": "lower-bound",
        "hint": (
            "this is log p(x) itself. The bound belongs to the q that it was given, and lies below unless q is right."
        ),
    },
    {
        "name": "bound-with-an-accidental-weight",
        "answer": "lower-bound",
        "change": [("(log_joint - q.log())", "(log_joint - q.log() / q.shape[1])")],
        "fails": ["test-lower-bound-values", "test-lower-bound-gap"],
        "check": "lower-bound",
        "hint": (
            "the entropy is averaged over the components while the rest is summed. Two terms that are added must be "
            "in the same unit."
        ),
    },
    {
        "name": "bound-averaged-over-the-batch",
        "answer": "lower-bound",
        "change": [("torch.where(q > 0, terms, 0.0).sum(1)", "torch.where(q > 0, terms, 0.0).sum(1).mean()")],
        "fails": ["test-lower-bound-values"],
        "check": "lower-bound",
        "hint": "this is one number for the whole batch. Each example has a bound of its own: shape (N,).",
    },
    {
        "name": "negative-bound",
        "answer": "lower-bound",
        "change": [("torch.where(q > 0, terms, 0.0).sum(1)", "-torch.where(q > 0, terms, 0.0).sum(1)")],
        "fails": ["test-lower-bound-values", "test-lower-bound-zeros", "test-lower-bound-gap"],
        "check": "lower-bound",
        "hint": "this is the loss, the negative of the bound. The function returns the quantity to maximise.",
    },
    # Exercise 5
    {
        "name": "noise-counted-twice",
        "answer": "ppca-density",
        "change": [("variance.sqrt() * noise", "(2 * variance).sqrt() * noise")],
        "fails": ["test-sample-ppca"],
        "check": "sample-ppca",
        "hint": (
            "your draws have the covariance W W^T + 2 sigma^2 I: the noise is counted twice. If you start from the "
            "covariance of x, the noise is in it already."
        ),
    },
    {
        "name": "draws-with-variance-for-std",
        "answer": "ppca-density",
        "change": [("variance.sqrt() * noise", "variance * noise")],
        "fails": ["test-sample-ppca"],
        "check": "sample-ppca",
        "hint": "the noise is multiplied by its variance. What is the variance of c times eps?",
    },
    {
        "name": "draws-without-noise",
        "answer": "ppca-density",
        "change": [("return z @ weight.T + mean + variance.sqrt() * noise", "return z @ weight.T + mean")],
        "fails": ["test-sample-ppca"],
        "check": "sample-ppca",
        "hint": (
            "your draws lie in a subspace of d dimensions: their covariance is W W^T. The model has noise in all D "
            "dimensions."
        ),
    },
    {
        "name": "one-noise-for-all-pixels",
        "answer": "ppca-density",
        "change": [("variance.sqrt() * noise", "variance.sqrt() * noise[:, :1]")],
        "fails": ["test-sample-ppca"],
        "check": "sample-ppca",
        "hint": "all values of a draw get the same noise. Each of the D values has noise of its own.",
    },
    {
        "name": "draws-around-zero",
        "answer": "ppca-density",
        "change": [("z @ weight.T + mean + variance.sqrt()", "z @ weight.T + variance.sqrt()")],
        "fails": ["test-sample-ppca"],
        "check": "sample-ppca",
        "hint": "the draws lie around 0, not around the mean.",
    },
    {
        "name": "density-at-z-zero",
        "answer": "ppca-density",
        "change": [
            (
                "    centred = x - mean",
                "    weight, small = 0 * weight, variance * torch.eye(latent_dim)\n    centred = x - mean",
            ),
        ],
        "fails": ["test-ppca-log-prob-values", "test-ppca-log-prob-many-dimensions"],
        "check": "ppca-log-prob",
        "hint": "this is log p(x | z = 0). When z is not observed, its own spread reaches x through W.",
    },
    {
        "name": "density-with-noise-twice",
        "answer": "ppca-density",
        "change": [("    small = weight.T @ weight", "    variance = 2 * variance\n    small = weight.T @ weight")],
        "fails": ["test-ppca-log-prob-values", "test-ppca-log-prob-many-dimensions"],
        "check": "ppca-log-prob",
        "hint": "this is the density with 2 sigma^2: the noise is counted twice.",
    },
    {
        "name": "density-with-std-for-variance",
        "answer": "ppca-density",
        "change": [
            ("    small = weight.T @ weight", "    variance = variance.square()\n    small = weight.T @ weight"),
        ],
        "fails": ["test-ppca-log-prob-values", "test-ppca-log-prob-many-dimensions"],
        "check": "ppca-log-prob",
        "hint": "the argument was squared, but it is the variance already.",
    },
    {
        "name": "density-averaged-over-dimensions",
        "answer": "ppca-density",
        "change": [("    return -0.5 * (distance", "    return -0.5 / n_dims * (distance")],
        "fails": ["test-ppca-log-prob-values", "test-ppca-log-prob-many-dimensions"],
        "check": "ppca-log-prob",
        "hint": "this is an average over dimensions. log p(x) belongs to the whole example, in nats.",
    },
    {
        "name": "negative-log-density",
        "answer": "ppca-density",
        "change": [("    return -0.5 * (distance", "    return 0.5 * (distance")],
        "fails": ["test-ppca-log-prob-values", "test-ppca-log-prob-many-dimensions"],
        "check": "ppca-log-prob",
        "hint": "this is the negative log-likelihood, a loss. log p(x) is higher where x is more likely.",
    },
    {
        "name": "determinant-then-logarithm",
        "answer": "ppca-density",
        "change": [
            (
                "torch.logdet(small) + (n_dims - latent_dim) * torch.log(variance)",
                "torch.log(torch.linalg.det(small) * variance ** (n_dims - latent_dim))",
            ),
        ],
        "fails": ["test-ppca-log-prob-many-dimensions"],
        "check": "ppca-60",
        "hint": "the determinant became 0 before its logarithm was taken. The logarithm of a power needs no power.",
    },
    # Exercise 6
    {
        "name": "fit-without-centring",
        "answer": "fit-ppca",
        "change": [("centred = x - mean", "centred = x")],
        "fails": ["test-fit-ppca-noise", "test-fit-ppca-weight"],
        "check": "fit-ppca",
        "hint": (
            "the examples were not centred. Then the strongest direction is the one from the origin to the mean, "
            "which is no variance."
        ),
    },
    {
        "name": "fit-divides-by-one-less",
        "answer": "fit-ppca",
        "change": [("centred.T @ centred / len(x)", "centred.T @ centred / (len(x) - 1)")],
        "fails": ["test-fit-ppca-noise", "test-fit-ppca-weight"],
        "check": "fit-ppca",
        "hint": "the covariance is divided by N - 1. Maximum likelihood divides by N.",
    },
    {
        "name": "weakest-directions",
        "answer": "fit-ppca",
        "change": [
            ("values, vectors = torch.linalg.eigh(", "values, vectors = torch.linalg.eigh(-"),
            ("variance = values[:-latent_dim].mean()", "values = -values\n    variance = values[:-latent_dim].mean()"),
        ],
        "fails": ["test-fit-ppca-noise", "test-fit-ppca-weight"],
        "check": "fit-ppca",
        "hint": (
            "these are the weakest directions, and a square root of something negative. In which order does "
            "`torch.linalg.eigh` return eigenvalues?"
        ),
    },
    {
        "name": "rows-for-columns",
        "answer": "fit-ppca",
        "change": [("vectors[:, -latent_dim:] *", "vectors[-latent_dim:].T *")],
        "fails": ["test-fit-ppca-weight"],
        "check": "fit-ppca",
        "hint": "rows of the matrix of eigenvectors were taken. Each eigenvector stands in a column.",
    },
    {
        "name": "noise-explained-twice",
        "answer": "fit-ppca",
        "change": [("(values[-latent_dim:] - variance).sqrt()", "values[-latent_dim:].sqrt()")],
        "fails": ["test-fit-ppca-weight"],
        "check": "fit-ppca",
        "hint": (
            "W explains all of the variance in its directions, and the noise comes on top: counted twice. What must "
            "W W^T + sigma^2 I be there?"
        ),
    },
    {
        "name": "variance-left-out-summed",
        "answer": "fit-ppca",
        "change": [("values[:-latent_dim].mean()", "values[:-latent_dim].sum()")],
        "fails": ["test-fit-ppca-noise"],
        "check": "fit-ppca",
        "hint": "sigma^2 is too large: it is the average of the eigenvalues that are left out, not their sum.",
    },
    {
        "name": "variance-left-out-shared-by-all",
        "answer": "fit-ppca",
        "change": [("values[:-latent_dim].mean()", "values[:-latent_dim].sum() / len(values)")],
        "fails": ["test-fit-ppca-noise"],
        "check": "fit-ppca",
        "hint": "sigma^2 is too small: what is left out is shared by D - d directions, not by D.",
    },
    {
        "name": "weight-without-root",
        "answer": "fit-ppca",
        "change": [("(values[-latent_dim:] - variance).sqrt()", "(values[-latent_dim:] - variance)")],
        "fails": ["test-fit-ppca-weight"],
        "check": "fit-ppca",
        "hint": "a root is missing: W appears twice in the covariance W W^T.",
    },
    {
        "name": "axes-not-scaled",
        "answer": "fit-ppca",
        "change": [(" * (values[-latent_dim:] - variance).sqrt()", "")],
        "fails": ["test-fit-ppca-weight"],
        "check": "fit-ppca",
        "hint": "the columns have length 1. PCA's axes have no scale; those of a density do.",
    },
    # Exercise 7
    {
        "name": "missing-taken-for-zero",
        "answer": "missing-values",
        "change": [
            (
                "    seen = observed.to(weight.dtype)",
                "    x = torch.where(observed, x, 0.0)\n    seen = torch.ones_like(x)",
            ),
            ("torch.where(observed, x - mean, 0.0)", "x - mean"),
        ],
        "fails": ["test-posterior-mean", "test-posterior-covariance", "test-fill-in"],
        "check": "latent-posterior",
        "hint": "the missing entries count as if 0 had been observed there. They should not count at all.",
    },
    {
        "name": "missing-taken-for-the-mean",
        "answer": "missing-values",
        "change": [("    seen = observed.to(weight.dtype)", "    seen = torch.ones_like(x)")],
        "fails": ["test-posterior-mean", "test-posterior-covariance", "test-fill-in"],
        "check": "latent-posterior",
        "hint": (
            "the missing entries count as if the mean had been observed there. They pull z towards 0, and you are "
            "more certain than you may be: which rows of W belong into M?"
        ),
    },
    {
        "name": "posterior-without-prior",
        "answer": "missing-values",
        "change": [("small = products + variance * torch.eye", "small = products + 1e-4 * torch.eye")],
        "fails": ["test-posterior-mean", "test-posterior-covariance", "test-fill-in"],
        "check": "latent-posterior",
        "hint": "this is least squares, the answer of the likelihood alone. What does the prior N(0, I) add to M?",
    },
    {
        "name": "nan-times-zero",
        "answer": "missing-values",
        "change": [("torch.where(observed, x - mean, 0.0)", "(x - mean) * seen")],
        "fails": ["test-posterior-mean", "test-fill-in"],
        "check": "latent-posterior",
        "hint": "0 times nan is nan. What is missing has to be replaced, not multiplied.",
    },
    {
        "name": "precision-for-covariance",
        "answer": "missing-values",
        "change": [("return z, variance * torch.linalg.inv(small)", "return z, small / variance")],
        "fails": ["test-posterior-covariance"],
        "check": "latent-posterior",
        "hint": "the second result is the precision, the inverse of the covariance.",
    },
    {
        "name": "covariance-without-noise",
        "answer": "missing-values",
        "change": [("return z, variance * torch.linalg.inv(small)", "return z, torch.linalg.inv(small)")],
        "fails": ["test-posterior-covariance"],
        "check": "latent-posterior",
        "hint": "the covariance lacks a factor of sigma^2. What should it be if nothing at all was observed?",
    },
    {
        "name": "posterior-without-mean",
        "answer": "missing-values",
        "change": [("torch.where(observed, x - mean, 0.0)", "torch.where(observed, x, 0.0)")],
        "fails": ["test-posterior-mean", "test-fill-in"],
        "check": "latent-posterior",
        "hint": "the mean was not subtracted. Which z belongs to x = mu?",
    },
    {
        "name": "filled-without-mean",
        "answer": "missing-values",
        "change": [("expected = z @ weight.T + mean", "expected = z @ weight.T")],
        "fails": ["test-fill-in"],
        "check": "fill-in",
        "hint": "the mean was not added. What should be filled in when nothing was observed?",
    },
    {
        "name": "observed-replaced-as-well",
        "answer": "missing-values",
        "change": [("return torch.where(observed, x, expected)", "return expected")],
        "fails": ["test-fill-in"],
        "check": "fill-in",
        "hint": "the observed entries have changed as well. They are known: they stay as they are.",
    },
    {
        "name": "filled-with-the-average",
        "answer": "missing-values",
        "change": [("return torch.where(observed, x, expected)", "return torch.where(observed, x, mean)")],
        "fails": ["test-fill-in"],
        "check": "fill-in",
        "hint": "this is the average over all examples. What was seen of an example says more about the rest of it.",
    },
    # Exercise 8
    {
        "name": "bases-not-orthonormal",
        "answer": "principal-angles",
        "change": [
            ("basis_1, _ = torch.linalg.qr(first)", "basis_1 = first"),
            ("basis_2, _ = torch.linalg.qr(second)", "basis_2 = second"),
        ],
        "fails": ["test-principal-angles-values", "test-principal-angles-same"],
        "check": "principal-angles",
        "hint": "the columns were used as they are. Singular values are cosines only for orthonormal columns.",
    },
    {
        "name": "columns-scaled-only",
        "answer": "principal-angles",
        "change": [
            ("basis_1, _ = torch.linalg.qr(first)", "basis_1 = first / first.norm(dim=0)"),
            ("basis_2, _ = torch.linalg.qr(second)", "basis_2 = second / second.norm(dim=0)"),
        ],
        "fails": ["test-principal-angles-values"],
        "check": "principal-angles",
        "hint": "the columns have length 1, but they are not perpendicular to each other.",
    },
    {
        "name": "cosines-for-angles",
        "answer": "principal-angles",
        "change": [("cosines.clamp(0, 1).acos()", "cosines.clamp(0, 1)")],
        "fails": ["test-principal-angles-values", "test-principal-angles-same"],
        "check": "principal-angles",
        "hint": "these are the cosines of the angles.",
    },
    {
        "name": "column-against-column",
        "answer": "principal-angles",
        "change": [
            (
                "cosines = torch.linalg.svdvals(basis_1.T @ basis_2)",
                "cosines = (basis_1 * basis_2).sum(0).abs().sort(descending=True).values",
            ),
        ],
        "fails": ["test-principal-angles-values", "test-principal-angles-same"],
        "check": "principal-angles",
        "hint": (
            "each column is compared with the column of the same number. A subspace does not know which basis it was "
            "given: all directions have to be compared with all."
        ),
    },
    {
        "name": "angles-in-degrees",
        "answer": "principal-angles",
        "change": [("cosines.clamp(0, 1).acos()", "cosines.clamp(0, 1).acos().rad2deg()")],
        "fails": ["test-principal-angles-values", "test-principal-angles-same"],
        "check": "principal-angles",
        "hint": "these are degrees. Radians were asked for.",
    },
    {
        "name": "largest-angle-first",
        "answer": "principal-angles",
        "change": [("cosines.clamp(0, 1).acos()", "cosines.clamp(0, 1).acos().flip(0)")],
        "fails": ["test-principal-angles-values"],
        "check": "principal-angles",
        "hint": "the angles are right, and in the wrong order: the smallest comes first.",
    },
    # Exercise 9
    {
        "name": "code-without-centring",
        "answer": "linear-autoencoder",
        "change": [("codes = (x - bias) @ encoder.T", "codes = x @ encoder.T")],
        "fails": ["test-reconstruct", "test-linear-loss", "test-linear-optimum"],
        "check": "reconstruct",
        "hint": "the encoder sees x, not x - b. Which code should x = b have?",
    },
    {
        "name": "reconstruction-without-bias",
        "answer": "linear-autoencoder",
        "change": [("return codes @ decoder.T + bias", "return codes @ decoder.T")],
        "fails": ["test-reconstruct", "test-linear-loss", "test-linear-optimum"],
        "check": "reconstruct",
        "hint": "b was not added back. What should become of x = b?",
    },
    {
        "name": "tied-weights",
        "answer": "linear-autoencoder",
        "change": [("codes = (x - bias) @ encoder.T", "codes = (x - bias) @ decoder")],
        "fails": ["test-reconstruct", "test-linear-loss"],
        "check": "reconstruct",
        "hint": "the decoder's transpose was used as the encoder. They are two matrices of their own.",
    },
    {
        "name": "mean-over-pixels",
        "answer": "linear-autoencoder",
        "change": [("error.square().sum(1).mean()", "error.square().mean()")],
        "fails": ["test-linear-loss", "test-linear-optimum"],
        "check": "linear-loss",
        "hint": (
            "this is an average over values: for images of 28x28 pixels it hides a factor of 784. Add up the squared "
            "errors of an example."
        ),
    },
    {
        "name": "sum-over-the-batch",
        "answer": "linear-autoencoder",
        "change": [("error.square().sum(1).mean()", "error.square().sum()")],
        "fails": ["test-linear-loss", "test-linear-optimum"],
        "check": "linear-loss",
        "hint": "the loss grows with the size of the batch. Average over the examples.",
    },
    {
        "name": "distance-for-its-square",
        "answer": "linear-autoencoder",
        "change": [("error.square().sum(1).mean()", "error.square().sum(1).sqrt().mean()")],
        "fails": ["test-linear-loss", "test-linear-optimum"],
        "check": "linear-loss",
        "hint": "this is the distance. The loss is its square, the one that belongs to a Gaussian and to PCA.",
    },
    {
        "name": "loss-without-gradient",
        "answer": "linear-autoencoder",
        "change": [
            (
                "error = x - reconstruct(x, encoder, decoder, bias)",
                "error = x - reconstruct(x, encoder, decoder, bias).detach()",
            ),
        ],
        "fails": ["test-linear-optimum"],
        "check": "linear-loss",
        "hint": (
            "the value is right, but no gradient comes back: something cuts the path from the loss to the parameters."
        ),
    },
    # Exercise 10
    {
        "name": "spoilt-target",
        "answer": "autoencoder-losses",
        "change": [("(x - rebuilt).square().sum(1)", "(spoilt - rebuilt).square().sum(1)")],
        "fails": ["test-denoising-loss", "test-autoencoder-gradients"],
        "check": "denoising-loss",
        "hint": (
            "the reconstruction is compared with the spoilt copy, noise and all. Then copying is perfect again: "
            "compare with the clean x."
        ),
    },
    {
        "name": "nothing-spoilt",
        "answer": "autoencoder-losses",
        "change": [("decode(encode(spoilt))", "decode(encode(x))")],
        "fails": ["test-denoising-loss", "test-autoencoder-gradients"],
        "check": "denoising-loss",
        "hint": "the encoder sees the clean x. What should it remove?",
    },
    {
        "name": "noise-on-erased-pixels",
        "answer": "autoencoder-losses",
        "change": [("spoilt = (x + scale * eps) * keep", "spoilt = x * keep + scale * eps")],
        "fails": ["test-denoising-loss", "test-autoencoder-gradients"],
        "check": "denoising-loss",
        "hint": "erased pixels hold noise. The noise comes first; what is erased after it is 0.",
    },
    {
        "name": "rescaled-like-dropout",
        "answer": "autoencoder-losses",
        "change": [("spoilt = (x + scale * eps) * keep", "spoilt = (x + scale * eps) * keep / keep.mean()")],
        "fails": ["test-denoising-loss", "test-autoencoder-gradients"],
        "check": "denoising-loss",
        "hint": "the pixels that are kept were made larger, as dropout does. Here they stay as they are.",
    },
    {
        "name": "denoising-averaged-over-pixels",
        "answer": "autoencoder-losses",
        "change": [("(x - rebuilt).square().sum(1)", "(x - rebuilt).square().mean(1)")],
        "fails": ["test-denoising-loss", "test-autoencoder-gradients"],
        "check": "denoising-loss",
        "hint": "the squared error is averaged over the values of an example. Add them up.",
    },
    {
        "name": "denoising-averaged-over-the-batch",
        "answer": "autoencoder-losses",
        "change": [("(x - rebuilt).square().sum(1)", "(x - rebuilt).square().sum(1).mean()")],
        "fails": ["test-denoising-loss"],
        "check": "denoising-loss",
        "hint": "this is one number for the whole batch. Each example has its own: shape (B,).",
    },
    {
        "name": "price-without-absolute-value",
        "answer": "autoencoder-losses",
        "change": [("penalty * z.abs().sum(1)", "penalty * z.sum(1)")],
        "fails": ["test-sparse-loss", "test-autoencoder-gradients"],
        "check": "sparse-loss",
        "hint": "negative codes earn something. The price is of |z|: it pulls towards 0, not towards minus infinity.",
    },
    {
        "name": "price-of-squares",
        "answer": "autoencoder-losses",
        "change": [("penalty * z.abs().sum(1)", "penalty * z.square().sum(1)")],
        "fails": ["test-sparse-loss", "test-autoencoder-gradients"],
        "check": "sparse-loss",
        "hint": "squares make codes small, not sparse: near 0 a square costs nothing. The price is of |z|.",
    },
    {
        "name": "mean-error-with-summed-price",
        "answer": "autoencoder-losses",
        "change": [("(x - decode(z)).square().sum(1)", "(x - decode(z)).square().mean(1)")],
        "fails": ["test-sparse-loss", "test-autoencoder-gradients"],
        "check": "sparse-loss",
        "hint": (
            "the error is averaged over pixels while the price is summed over the code: the penalty has become D "
            "times as high without anybody asking for it."
        ),
    },
    {
        "name": "price-averaged-over-the-code",
        "answer": "autoencoder-losses",
        "change": [("penalty * z.abs().sum(1)", "penalty * z.abs().mean(1)")],
        "fails": ["test-sparse-loss", "test-autoencoder-gradients"],
        "check": "sparse-loss",
        "hint": "the price is averaged over the numbers in the code. Each of them has to be paid for.",
    },
    {
        "name": "price-as-a-reward",
        "answer": "autoencoder-losses",
        "change": [("return error + penalty", "return error - penalty")],
        "fails": ["test-sparse-loss", "test-autoencoder-gradients"],
        "check": "sparse-loss",
        "hint": "the price is subtracted. A loss that falls with |z| makes codes large.",
    },
    # Exercise 11
    {
        "name": "new-examples-scaled-by-themselves",
        "answer": "few-labels",
        "change": [("return ((new_features - mean) / scale", "return ((new_features - new_features.mean(0)) / scale")],
        "fails": ["test-few-label-scores-values", "test-few-label-scores-alone"],
        "check": "few-label-scores",
        "hint": (
            "the new examples were centred on their own mean. What an image is must not depend on the images beside "
            "it: keep the numbers from the training examples."
        ),
    },
    {
        "name": "scaled-by-labelled-examples",
        "answer": "few-labels",
        "change": [
            ("    mean = features.mean(0)  # (d,)\n", "    known = features[labelled]\n    mean = known.mean(0)\n"),
            ("scale = (features - mean).square()", "scale = (known - mean).square()"),
        ],
        "fails": ["test-few-label-scores-values"],
        "check": "few-label-scores",
        "hint": "mean and scale come from the labelled examples alone. They need no labels: use all training examples.",
    },
    {
        "name": "no-intercept",
        "answer": "few-labels",
        "change": [
            (
                "u_mean, target_mean = u.mean(0), targets.mean(0)",
                "u_mean, target_mean = 0 * u.mean(0), 0 * targets.mean(0)",
            ),
        ],
        "fails": ["test-few-label-scores-values"],
        "check": "few-label-scores",
        "hint": (
            "there is no intercept c. Scaled features are 0 on average over all examples, not over the labelled ones."
        ),
    },
    {
        "name": "ridge-forgotten",
        "answer": "few-labels",
        "change": [
            ("inner.T @ inner + ridge * torch.eye(u.shape[1])", "inner.T @ inner + 1e-3 * torch.eye(u.shape[1])"),
        ],
        "fails": ["test-few-label-scores-values"],
        "check": "few-label-scores",
        "hint": "the ridge is missing. With fewer labels than features, infinitely many A fit the labels without it.",
    },
    {
        "name": "ridge-times-examples",
        "answer": "few-labels",
        "change": [
            ("inner.T @ inner + ridge *", "inner.T @ inner / len(u) + ridge *"),
            ("inner.T @ (targets - target_mean))", "inner.T @ (targets - target_mean) / len(u))"),
        ],
        "fails": ["test-few-label-scores-values"],
        "check": "few-label-scores",
        "hint": "the errors are averaged over the labelled examples, not summed, so the ridge weighs n times as much.",
    },
    {
        "name": "label-as-a-number",
        "answer": "few-labels",
        "change": [("targets = F.one_hot(y, n_classes).to(u.dtype)", "targets = y.to(u.dtype).unsqueeze(1)")],
        "fails": ["test-few-label-scores-values", "test-few-label-scores-alone"],
        "check": "few-label-scores",
        "hint": "the label itself was the target. A 9 is not nine times a 1: each class needs a target of its own.",
    },
    {
        "name": "labels-for-scores",
        "answer": "few-labels",
        "change": [
            ("- u_mean) @ slopes + target_mean", "- u_mean) @ slopes + target_mean).argmax(1)"),
            ("return ((new_features", "return (((new_features"),
        ],
        "fails": ["test-few-label-scores-values", "test-few-label-scores-alone"],
        "check": "few-label-scores",
        "hint": "these are the labels that win. The scores of all classes were asked for, (M, K).",
    },
    {
        "name": "features-not-scaled",
        "answer": "few-labels",
        "change": [("(features - mean).square().mean().sqrt()", "1.0")],
        "fails": ["test-few-label-scores-values", "test-few-label-scores-alone"],
        "check": "few-label-scores",
        "hint": "the features were not divided by their scale. The ridge would mean something else in every unit.",
    },
]
