"""Wrong on purpose: answers that students give, the test cells that must score 0 for them, and the hint that the
visible check should show.

`change` lists texts of the solution's cell and what stands there instead. `check` is the visible check that recognises
the mistake.
"""

MISCONCEPTIONS = [
    # Exercise 1
    {
        "name": "logvar-exponential-as-std",
        "answer": "reparameterize",
        "change": [("torch.exp(0.5 * logvar)", "torch.exp(logvar)")],
        "fails": ["test-reparameterize-values", "test-reparameterize-gradients"],
        "check": "reparameterize",
        "hint": (
            "your samples spread as if exp(logvar) were the standard deviation. Which quantity is logvar "
            "the logarithm of?"
        ),
    },
    {
        "name": "logvar-as-variance",
        "answer": "reparameterize",
        "change": [("torch.exp(0.5 * logvar)", "logvar.sqrt()")],
        "fails": ["test-reparameterize-values", "test-reparameterize-gradients"],
        "check": "reparameterize",
        "hint": (
            "a square root of logvar itself is NaN where logvar is negative: logvar is the logarithm of "
            "the variance, not the variance."
        ),
    },
    {
        "name": "samples-detached",
        "answer": "reparameterize",
        "change": [("z = mean + std * eps", "z = (mean + std * eps).detach()")],
        "fails": ["test-reparameterize-gradients"],
        "check": "reparameterize",
        "hint": "the samples are right, but no gradient comes back through them. What did reparameterisation promise?",
    },
    # Exercise 2
    {
        "name": "covariance-as-its-own-factor",
        "answer": "reparameterize-full",
        "change": [("torch.linalg.cholesky(covariance)", "covariance")],
        "fails": ["test-reparameterize-full-covariance", "test-reparameterize-full-gradients"],
        "check": "reparameterize-full",
        "hint": (
            "your samples have the covariance Sigma Sigma^T: Sigma itself was used where a factor A with "
            "A A^T = Sigma belongs."
        ),
    },
    {
        "name": "noise-times-factor",
        "answer": "reparameterize-full",
        "change": [("(factor @ eps.unsqueeze(-1)).squeeze(-1)", "(eps.unsqueeze(-2) @ factor).squeeze(-2)")],
        "fails": ["test-reparameterize-full-covariance", "test-reparameterize-full-gradients"],
        "check": "reparameterize-full",
        "hint": (
            "your samples have the covariance A^T A, not A A^T. A noise vector that is a row has to meet "
            "the factor from the other side."
        ),
    },
    {
        "name": "eigenvalues-without-root",
        "answer": "reparameterize-full",
        "change": [
            (
                "    factor = torch.linalg.cholesky(covariance)  # (B, D, D)\n",
                "    values, vectors = torch.linalg.eigh(covariance)\n"
                "    factor = vectors @ torch.diag_embed(values)\n",
            ),
        ],
        "fails": ["test-reparameterize-full-covariance", "test-reparameterize-full-gradients"],
        "check": "reparameterize-full",
        "hint": (
            "your samples have the covariance Sigma Sigma^T: Sigma itself was used where a factor A with "
            "A A^T = Sigma belongs."
        ),
    },
    # Exercise 3
    {
        "name": "score-divided-by-std",
        "answer": "score-function",
        "change": [("torch.exp(logvar)", "torch.exp(0.5 * logvar)")],
        "fails": ["test-score-function"],
        "check": "score-function",
        "hint": (
            "each estimate is off by a factor of sigma. Differentiate -(z - mean)^2 / (2 sigma^2) once "
            "more: which power of sigma stays?"
        ),
    },
    {
        "name": "score-with-respect-to-z",
        "answer": "score-function",
        "change": [("(z - mean) / variance", "(mean - z) / variance")],
        "fails": ["test-score-function"],
        "check": "score-function",
        "hint": "the sign is the other way round: this is the derivative of log q with respect to z, not to the mean.",
    },
    # Exercise 4
    {
        "name": "kl-sign-of-the-slides",
        "answer": "gaussian-kl",
        "change": [("mean**2 + variance - 1 - logvar", "1 + logvar - mean**2 - variance")],
        "fails": ["test-gaussian-kl"],
        "check": "gaussian-kl",
        "hint": (
            "your values are never positive, but a divergence is never negative. This is the formula of "
            "the slides, sign and all."
        ),
    },
    {
        "name": "kl-without-half",
        "answer": "gaussian-kl",
        "change": [("0.5 * (mean**2", "(mean**2")],
        "fails": ["test-gaussian-kl"],
        "check": "gaussian-kl",
        "hint": "your values are twice the right ones: this looks like the missing 1/2 of the Gaussian's exponent.",
    },
    {
        "name": "kl-averaged-over-dimensions",
        "answer": "gaussian-kl",
        "change": [("per_dimension.sum(-1)", "per_dimension.mean(-1)")],
        "fails": ["test-gaussian-kl"],
        "check": "gaussian-kl",
        "hint": (
            "this is an average over the latent dimensions. What happens to a divergence when independent "
            "dimensions are added?"
        ),
    },
    {
        "name": "kl-reversed",
        "answer": "gaussian-kl",
        "change": [("mean**2 + variance - 1 - logvar", "(mean**2 + 1) / variance - 1 + logvar")],
        "fails": ["test-gaussian-kl"],
        "check": "gaussian-kl",
        "hint": (
            "this is KL(p || q). A divergence is not symmetric: the expectation is taken under q, the "
            "encoder's distribution."
        ),
    },
    {
        "name": "kl-std-for-variance",
        "answer": "gaussian-kl",
        "change": [("torch.exp(logvar)", "torch.exp(0.5 * logvar)")],
        "fails": ["test-gaussian-kl"],
        "check": "gaussian-kl",
        "hint": "the standard deviation stands where the variance belongs.",
    },
    {
        "name": "kl-logvar-for-variance",
        "answer": "gaussian-kl",
        "change": [("variance = torch.exp(logvar)", "variance, logvar = logvar, logvar.log()")],
        "fails": ["test-gaussian-kl"],
        "check": "gaussian-kl",
        "hint": "logvar was taken for the variance itself, and then a logarithm was taken once more.",
    },
    {
        "name": "kl-summed-over-the-batch",
        "answer": "gaussian-kl",
        "change": [("per_dimension.sum(-1)", "per_dimension.sum()")],
        "fails": ["test-gaussian-kl"],
        "check": "gaussian-kl",
        "hint": "this is one number for the whole batch. Each example has a divergence of its own: shape (B,).",
    },
    # Exercise 5
    {
        "name": "kl-full-reversed",
        "answer": "gaussian-kl-full",
        "change": [
            (
                "    n_dims = mean_q.shape[-1]\n",
                "    n_dims = mean_q.shape[-1]\n"
                "    mean_q, covariance_q, mean_p, covariance_p = mean_p, covariance_p, mean_q, covariance_q\n",
            ),
        ],
        "fails": ["test-gaussian-kl-full-values", "test-gaussian-kl-full-many-dimensions"],
        "check": "gaussian-kl-full",
        "hint": "this is KL(p || q): the two Gaussians have changed places.",
    },
    {
        "name": "kl-full-without-dimension",
        "answer": "gaussian-kl-full",
        "change": [("trace + distance - n_dims + log_ratio", "trace + distance + log_ratio")],
        "fails": ["test-gaussian-kl-full-values", "test-gaussian-kl-full-many-dimensions"],
        "check": "gaussian-kl-full",
        "hint": "your value is too large by D / 2. What does your formula give when both Gaussians are the same?",
    },
    {
        "name": "kl-full-ratio-upside-down",
        "answer": "gaussian-kl-full",
        "change": [("- n_dims + log_ratio", "- n_dims - log_ratio")],
        "fails": ["test-gaussian-kl-full-values", "test-gaussian-kl-full-many-dimensions"],
        "check": "gaussian-kl-full",
        "hint": (
            "the ratio of the determinants stands upside down. A narrow q inside a wide p should cost more, not less."
        ),
    },
    {
        "name": "kl-full-determinant-then-log",
        "answer": "gaussian-kl-full",
        "change": [
            ("torch.logdet(covariance_p)", "torch.linalg.det(covariance_p).log()"),
            ("torch.logdet(covariance_q)", "torch.linalg.det(covariance_q).log()"),
        ],
        "fails": ["test-gaussian-kl-full-many-dimensions"],
        "check": "gaussian-kl-full",
        "hint": (
            "the determinant became 0 before its logarithm was taken. Look for a function that computes "
            "the logarithm directly."
        ),
    },
    # Exercise 6
    {
        "name": "sigmoid-then-log",
        "answer": "bernoulli-log-prob",
        "change": [
            (
                "x * logits - F.softplus(logits)",
                "x * torch.sigmoid(logits).log() + (1 - x) * (1 - torch.sigmoid(logits)).log()",
            ),
        ],
        "fails": ["test-bernoulli-extreme-logits"],
        "check": "bernoulli-log-prob",
        "hint": (
            "at a logit of 200 the sigmoid rounds to exactly 1, and the logarithm of 1 minus it is lost. "
            "Combine the two steps into one."
        ),
    },
    {
        "name": "cross-entropy-of-probabilities",
        "answer": "bernoulli-log-prob",
        "change": [
            (
                "x * logits - F.softplus(logits)",
                'F.binary_cross_entropy(torch.sigmoid(logits), x.expand_as(logits), reduction="none").neg()',
            ),
        ],
        "fails": ["test-bernoulli-extreme-logits"],
        "check": "bernoulli-log-prob",
        "hint": (
            "log-probabilities below -100 are cut off at -100: this happens when a loss receives "
            "probabilities in place of logits."
        ),
    },
    {
        "name": "mean-over-pixels",
        "answer": "bernoulli-log-prob",
        "change": [("per_pixel.sum(-1)", "per_pixel.mean(-1)")],
        "fails": ["test-bernoulli-values", "test-bernoulli-extreme-logits"],
        "check": "bernoulli-log-prob",
        "hint": "this is an average over pixels. The log-probability of an image is the sum of those of its pixels.",
    },
    {
        "name": "negative-log-likelihood",
        "answer": "bernoulli-log-prob",
        "change": [("x * logits - F.softplus(logits)", "F.softplus(logits) - x * logits")],
        "fails": ["test-bernoulli-values", "test-bernoulli-extreme-logits"],
        "check": "bernoulli-log-prob",
        "hint": "the sign is that of a loss. The log-probability of binary data is never positive.",
    },
    {
        "name": "grey-accepted",
        "answer": "bernoulli-log-prob",
        "change": [("if not bool(((x == 0) | (x == 1)).all()):", "if not bool(((x >= 0) & (x <= 1)).all()):")],
        "fails": ["test-bernoulli-refuses-grey"],
        "check": "bernoulli-log-prob",
        "hint": (
            "a pixel of 0.5 was accepted. Only 0 and 1 have a Bernoulli probability; every other value "
            "should raise a ValueError."
        ),
    },
    {
        "name": "likelihood-averaged-over-the-batch",
        "answer": "bernoulli-log-prob",
        "change": [("per_pixel.sum(-1)", "per_pixel.sum(-1).mean()")],
        "fails": ["test-bernoulli-values", "test-bernoulli-extreme-logits"],
        "check": "bernoulli-log-prob",
        "hint": (
            "this is one number for the whole batch. Averages over examples belong into the training "
            "step; here each example has its own number."
        ),
    },
    # Exercise 7
    {
        "name": "kl-added",
        "answer": "elbo",
        "change": [("log_likelihood - kl", "log_likelihood + kl")],
        "fails": ["test-elbo"],
        "check": "elbo",
        "hint": (
            "the divergence is added. It is a price that the encoder pays: a bound that grows with it "
            "would be no bound."
        ),
    },
    {
        "name": "samples-summed",
        "answer": "elbo",
        "change": [("bernoulli_log_prob(x, logits).mean(0)", "bernoulli_log_prob(x, logits).sum(0)")],
        "fails": ["test-elbo"],
        "check": "elbo",
        "hint": (
            "with more samples your likelihood term grows in proportion. An expectation is estimated by an average."
        ),
    },
    {
        "name": "accidental-beta",
        "answer": "elbo",
        "change": [("bernoulli_log_prob(x, logits).mean(0)", "bernoulli_log_prob(x, logits).mean(0) / x.shape[-1]")],
        "fails": ["test-elbo"],
        "check": "elbo",
        "hint": (
            "the likelihood is averaged over the pixels while the divergence is summed: the two terms are "
            "in different units."
        ),
    },
    {
        "name": "bound-averaged-over-the-batch",
        "answer": "elbo",
        "change": [("return log_likelihood - kl", "return (log_likelihood - kl).mean()")],
        "fails": ["test-elbo"],
        "check": "elbo",
        "hint": "this is one number for the whole batch. Each example has a bound of its own: shape (B,).",
    },
    {
        "name": "negative-elbo",
        "answer": "elbo",
        "change": [("return log_likelihood - kl", "return kl - log_likelihood")],
        "fails": ["test-elbo"],
        "check": "elbo",
        "hint": "this is the loss, the negative of the bound. The function returns the quantity to maximise.",
    },
    # Exercise 8
    {
        "name": "evidence-without-noise-root",
        "answer": "evidence-and-posterior",
        "change": [("noise = torch.exp(2 * log_sigma)", "noise = torch.exp(log_sigma)")],
        "fails": ["test-log-evidence"],
        "check": "log-evidence",
        "hint": "sigma is a standard deviation. What does the noise add to the covariance of x?",
    },
    {
        "name": "evidence-noise-counted-twice",
        "answer": "evidence-and-posterior",
        "change": [("weight @ weight.T + noise", "weight @ weight.T + 2 * noise")],
        "fails": ["test-log-evidence"],
        "check": "log-evidence",
        "hint": "the noise is counted twice. It enters x once, in x = W z + b + sigma eps.",
    },
    {
        "name": "evidence-of-the-prior-mean",
        "answer": "evidence-and-posterior",
        "change": [("covariance = weight @ weight.T + noise", "covariance = noise")],
        "fails": ["test-log-evidence"],
        "check": "log-evidence",
        "hint": "this is log p(x | z = 0). When z is not observed, its own spread reaches x through W.",
    },
    {
        "name": "posterior-without-prior",
        "answer": "evidence-and-posterior",
        "change": [("torch.eye(weight.shape[1]) + weight.T", "1e-4 * torch.eye(weight.shape[1]) + weight.T")],
        "fails": ["test-posterior"],
        "check": "posterior",
        "hint": (
            "this is least squares, the answer of the likelihood alone. Which precision does the prior "
            "N(0, I) contribute?"
        ),
    },
    {
        "name": "posterior-precision-for-covariance",
        "answer": "evidence-and-posterior",
        "change": [("return mean, covariance", "return mean, precision")],
        "fails": ["test-posterior"],
        "check": "posterior",
        "hint": "the second result is the precision matrix. How does one get from there to the covariance?",
    },
    {
        "name": "posterior-without-bias",
        "answer": "evidence-and-posterior",
        "change": [("(x - bias) @ weight", "x @ weight")],
        "fails": ["test-posterior"],
        "check": "posterior",
        "hint": "the mean is that of a model without b. What is the posterior mean for x = b?",
    },
    # Exercise 9
    {
        "name": "expectation-at-the-mean",
        "answer": "exact-elbo",
        "change": [("residual.square().sum(-1) + spread", "residual.square().sum(-1)")],
        "fails": ["test-exact-elbo"],
        "check": "exact-elbo",
        "hint": (
            "the squared error is taken at the mean of q only. A mean of squares is larger than the "
            "square of the mean: by how much?"
        ),
    },
    {
        "name": "spread-with-std",
        "answer": "exact-elbo",
        "change": [("torch.exp(logvar) @ weight", "torch.exp(0.5 * logvar) @ weight")],
        "fails": ["test-exact-elbo"],
        "check": "exact-elbo",
        "hint": "the spread of q enters with its standard deviation. Variances add up, standard deviations do not.",
    },
    # Exercise 10
    {
        "name": "latent-detached",
        "answer": "vae",
        "change": [("z = reparameterize(mean, logvar, eps)", "z = reparameterize(mean, logvar, eps).detach()")],
        "fails": ["test-vae-forward", "test-vae-learns"],
        "check": "vae-forward",
        "hint": (
            "the values are right, but the likelihood sends no gradient to the encoder. Something cuts the path at z."
        ),
    },
    {
        "name": "latent-from-prior",
        "answer": "vae",
        "change": [("z = reparameterize(mean, logvar, eps)", "z = eps")],
        "fails": ["test-vae-forward", "test-vae-learns"],
        "check": "vae-forward",
        "hint": "the decoder is fed with draws of the prior. During training it should see samples of q(z | x).",
    },
    {
        "name": "latent-without-noise",
        "answer": "vae",
        "change": [("z = reparameterize(mean, logvar, eps)", "z = mean + 0 * eps")],
        "fails": ["test-vae-forward", "test-vae-learns"],
        "check": "vae-forward",
        "hint": "all samples are the mean: this is a plain autoencoder. Where did the noise go?",
    },
    {
        "name": "probabilities-for-logits",
        "answer": "vae",
        "change": [("return self.decoder(z)", "return torch.sigmoid(self.decoder(z))")],
        "fails": ["test-vae-learns"],
        "check": "vae-range",
        "hint": (
            "the decoder's outputs stay between 0 and 1. Logits may be any real number; the likelihood does the rest."
        ),
    },
    {
        "name": "relu-on-the-code",
        "answer": "vae",
        "change": [("nn.Linear(128, 2 * latent_dim))", "nn.Linear(128, 2 * latent_dim), nn.ReLU())")],
        "fails": ["test-vae-learns"],
        "check": "vae-range",
        "hint": (
            "the encoder never gives a negative mean or a negative logvar. Is there an activation after its last layer?"
        ),
    },
    # Exercise 11
    {
        "name": "logits-for-probabilities",
        "answer": "sample-and-interpolate",
        "change": [("torch.sigmoid(logits)", "logits")],
        "fails": ["test-sample", "test-interpolate"],
        "check": "sample",
        "hint": "these are logits. A probability of ink lies between 0 and 1.",
    },
    {
        "name": "interpolation-of-pixels",
        "answer": "sample-and-interpolate",
        "change": [
            (
                "    z = means[0] + steps * (means[1] - means[0])  # (n_steps, latent_dim)\n    return sample(vae, z)",
                "    ends = sample(vae, means)\n    return ends[0] + steps.unsqueeze(-1) * (ends[1] - ends[0])",
            ),
        ],
        "fails": ["test-interpolate"],
        "check": "interpolate",
        "hint": (
            "this fades one picture into the other. The straight line should run through latent space, "
            "and be decoded after that."
        ),
    },
    {
        "name": "last-image-missing",
        "answer": "sample-and-interpolate",
        "change": [("torch.linspace(0, 1, n_steps)", "torch.arange(n_steps) / n_steps")],
        "fails": ["test-interpolate"],
        "check": "interpolate",
        "hint": "the line stops one step before its end. Both ends are included.",
    },
    # Exercise 12
    {
        "name": "weights-without-q",
        "answer": "importance-weighted-bound",
        "change": [("+ log_prior - log_q", "+ log_prior")],
        "fails": ["test-log-weights"],
        "check": "log-weights",
        "hint": "this is log p(x, z). A sample that q makes often has to count less: where does log q(z | x) enter?",
    },
    {
        "name": "weights-with-q-added",
        "answer": "importance-weighted-bound",
        "change": [("+ log_prior - log_q", "+ log_prior + log_q")],
        "fails": ["test-log-weights"],
        "check": "log-weights",
        "hint": "log q(z | x) is added. The weight is a quotient: p above, q below.",
    },
    {
        "name": "weights-with-analytic-kl",
        "answer": "importance-weighted-bound",
        "change": [
            (
                "bernoulli_log_prob(x, logits) + log_prior - log_q",
                "bernoulli_log_prob(x, logits) - gaussian_kl(mean, logvar)",
            ),
        ],
        "fails": ["test-log-weights"],
        "check": "log-weights",
        "hint": "the closed-form KL is the average of log q - log p over all z. A weight needs the value at its own z.",
    },
    {
        "name": "iwae-without-log-k",
        "answer": "importance-weighted-bound",
        "change": [("return total - math.log(n_samples)", "return total")],
        "fails": ["test-iwae-bound-values"],
        "check": "iwae-bound",
        "hint": "the weights are summed, not averaged. What is the logarithm of 1/K?",
    },
    {
        "name": "iwae-average-of-logs",
        "answer": "importance-weighted-bound",
        "change": [("return total - math.log(n_samples)", "return log_w.mean(0)")],
        "fails": ["test-iwae-bound-values", "test-iwae-bound-gradients"],
        "check": "iwae-bound",
        "hint": "this is the average of the logarithms, which is the ELBO again. The logarithm comes last.",
    },
    {
        "name": "iwae-softmax-surrogate",
        "answer": "importance-weighted-bound",
        "change": [
            ("return total - math.log(n_samples)", "return (torch.softmax(log_w, 0).detach() * log_w).sum(0)"),
        ],
        "fails": ["test-iwae-bound-values"],
        "check": "iwae-bound",
        "hint": (
            "this surrogate has the gradient of the bound, but not its value. Return the bound itself; "
            "its gradient is then right too."
        ),
    },
    {
        "name": "iwae-exponential-first",
        "answer": "importance-weighted-bound",
        "change": [("torch.logsumexp(log_w, 0)", "log_w.exp().sum(0).log()")],
        "fails": ["test-iwae-bound-values", "test-iwae-bound-gradients"],
        "check": "iwae-bound",
        "hint": (
            "exp(-1000) is 0 in float32, and its logarithm is minus infinity. Can the largest log-weight "
            "be taken out before the exponential?"
        ),
    },
]
