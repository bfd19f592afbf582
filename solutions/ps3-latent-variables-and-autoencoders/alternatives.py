"""Right in another way: answers that must get full marks."""

ALTERNATIVES = [
    {
        "name": "kl-by-xlogy",
        "answer": "discrete-kl",
        "code": """
def discrete_kl(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=1)
""",
    },
    {
        "name": "kl-by-loop",
        "answer": "discrete-kl",
        "code": """
def discrete_kl(p, q):
    values = []
    for p_row, q_row in zip(p.tolist(), q.tolist()):
        total = 0.0
        for a, b in zip(p_row, q_row):
            if a > 0:
                total += math.inf if b == 0 else a * (math.log(a) - math.log(b))
        values.append(total)
    return torch.tensor(values)
""",
    },
    {
        "name": "e-step-by-softmax-and-loop",
        "answer": "e-step",
        "code": """
def component_log_prob(x, mean, variance):
    columns = []
    for centre, spread in zip(mean, variance):
        scaled = (x - centre) / spread.sqrt()
        columns.append(-(scaled**2).sum(1) / 2 - spread.log().sum() / 2 - x.shape[1] / 2 * math.log(2 * math.pi))
    return torch.stack(columns, 1)


def e_step(log_prob, weight):
    log_joint = log_prob + torch.where(weight > 0, weight, 1.0).log().masked_fill(weight == 0, -math.inf)
    highest = log_joint.max(1, keepdim=True).values
    log_evidence = highest + (log_joint - highest).exp().sum(1, keepdim=True).log()
    return F.log_softmax(log_joint, dim=1), log_evidence[:, 0]
""",
    },
    {
        "name": "m-step-component-by-component",
        "answer": "m-step",
        "code": """
def m_step(x, q, mean, variance, min_variance):
    weights, means, variances = [], [], []
    for k in range(q.shape[1]):
        column = q[:, k]
        weights.append(column.mean())
        if bool((column == 0).all()):
            means.append(mean[k])
            variances.append(variance[k])
            continue
        centre = (column[:, None] * x).sum(0) / column.sum()
        means.append(centre)
        spread = column @ (x - centre) ** 2 / column.sum()
        variances.append(torch.where(spread < min_variance, torch.full_like(spread, float(min_variance)), spread))
    return torch.stack(weights), torch.stack(means), torch.stack(variances)
""",
    },
    {
        "name": "m-step-by-second-moments",
        "answer": "m-step",
        "code": """
def m_step(x, q, mean, variance, min_variance):
    totals = q.double().sum(0)
    first = (q.double().T @ x.double()) / totals[:, None]
    second = (q.double().T @ x.double() ** 2) / totals[:, None]
    spread = torch.clamp(second - first**2, min=float(min_variance))
    empty = totals == 0
    first[empty], spread[empty] = mean[empty].double(), variance[empty].double()
    return (totals / totals.sum()).float(), first.float(), spread.float()
""",
    },
    {
        "name": "bound-as-evidence-minus-divergence",
        "answer": "lower-bound",
        "code": """
def lower_bound(log_prob, weight, q):
    log_joint = log_prob + weight.log()
    log_evidence = log_joint.logsumexp(1)
    log_posterior = log_joint - log_evidence[:, None]
    expected = torch.where(q > 0, q * log_posterior, torch.zeros_like(q)).sum(1)
    return log_evidence + expected + torch.special.entr(q).sum(1)
""",
    },
    {
        "name": "ppca-by-its-full-covariance",
        "answer": "ppca-density",
        "code": """
def sample_ppca(eps, weight, mean, variance):
    covariance = weight @ weight.T + variance * torch.eye(len(mean))
    return mean + eps[:, : len(mean)] @ torch.linalg.cholesky(covariance).T


def ppca_log_prob(x, weight, mean, variance):
    factor = torch.linalg.cholesky(weight @ weight.T + variance * torch.eye(len(mean)))
    whitened = torch.linalg.solve_triangular(factor, (x - mean).T, upper=False)
    log_determinant = 2 * factor.diagonal().log().sum()
    return -(whitened.square().sum(0) + log_determinant + len(mean) * math.log(2 * math.pi)) / 2
""",
    },
    {
        "name": "ppca-by-bayes-rule",
        "answer": "ppca-density",
        "code": """
def sample_ppca(eps, weight, mean, variance):
    noise, z = eps.split([len(mean), weight.shape[1]], dim=1)
    return torch.addmm(mean + torch.sqrt(variance) * noise, z, weight.mT)


def ppca_log_prob(x, weight, mean, variance):
    # log p(x | z) + log p(z) - log p(z | x) at the posterior's mean, where the last one is a constant
    D, d = weight.shape
    precision = torch.eye(d) + weight.T @ weight / variance
    z = torch.linalg.solve(precision, weight.T @ (x - mean).T / variance).T
    error = x - mean - z @ weight.T
    log_likelihood = -0.5 * (error.square().sum(1) / variance + D * torch.log(2 * math.pi * variance))
    log_prior = -0.5 * (z.square().sum(1) + d * math.log(2 * math.pi))
    log_posterior = 0.5 * (torch.logdet(precision) - d * math.log(2 * math.pi))
    return log_likelihood + log_prior - log_posterior
""",
    },
    {
        "name": "fit-by-singular-values",
        "answer": "fit-ppca",
        "code": """
def fit_ppca(x, latent_dim):
    centre = x.mean(0)
    _, singular, axes = torch.linalg.svd(x - centre, full_matrices=False)
    eigenvalues = singular**2 / x.shape[0]
    noise = eigenvalues[latent_dim:].sum() / (x.shape[1] - latent_dim)
    scale = torch.sqrt(eigenvalues[:latent_dim] - noise)
    return (scale[:, None] * axes[:latent_dim]).T, centre, noise
""",
    },
    {
        "name": "fit-in-rotated-latents",
        "answer": "fit-ppca",
        "code": """
def fit_ppca(x, latent_dim):
    covariance = torch.cov(x.T, correction=0)
    values, vectors = torch.linalg.eigh(covariance)
    order = values.argsort(descending=True)
    values, vectors = values[order], vectors[:, order]
    noise = values[latent_dim:].mean()
    rotation, _ = torch.linalg.qr(torch.ones(latent_dim, latent_dim) + torch.eye(latent_dim))
    return vectors[:, :latent_dim] @ torch.diag((values[:latent_dim] - noise).sqrt()) @ rotation, x.mean(0), noise
""",
    },
    {
        "name": "missing-example-by-example",
        "answer": "missing-values",
        "code": """
def latent_posterior(x, observed, weight, mean, variance):
    means, covariances = [], []
    for row, seen in zip(x, observed):
        part = weight[seen]
        precision = torch.eye(weight.shape[1]) + part.T @ part / variance
        covariance = torch.linalg.inv(precision)
        means.append(covariance @ part.T @ (row[seen] - mean[seen]) / variance)
        covariances.append(covariance)
    return torch.stack(means), torch.stack(covariances)


def fill_in(x, observed, weight, mean, variance):
    filled = x.clone()
    codes = latent_posterior(x, observed, weight, mean, variance)[0]
    filled[~observed] = (mean + codes @ weight.T)[~observed]
    return filled
""",
    },
    {
        "name": "angles-by-projections",
        "answer": "principal-angles",
        "code": """
def principal_angles(first, second):
    a = torch.linalg.svd(first, full_matrices=False).U.double()
    b = torch.linalg.svd(second, full_matrices=False).U.double()
    squares = torch.linalg.eigvalsh(a.T @ b @ b.T @ a)
    return torch.acos(squares.clamp(0, 1).sqrt().clamp(max=1)).flip(0).float()
""",
    },
    {
        "name": "angles-by-sines",
        "answer": "principal-angles",
        "code": """
def principal_angles(first, second):
    a, b = torch.linalg.qr(first).Q, torch.linalg.qr(second).Q
    sines = torch.linalg.svdvals(b - a @ (a.T @ b))  # better than cosines for small angles
    return torch.asin(torch.clamp(sines, 0.0, 1.0)).sort().values
""",
    },
    {
        "name": "linear-autoencoder-by-einsum",
        "answer": "linear-autoencoder",
        "code": """
def reconstruct(x, encoder, decoder, bias):
    through = torch.einsum("ik,kj->ij", decoder, encoder)
    return F.linear(x, through, bias - through @ bias)


def linear_loss(x, encoder, decoder, bias):
    rebuilt = reconstruct(x, encoder, decoder, bias)
    return F.mse_loss(rebuilt, x, reduction="sum") / len(x)
""",
    },
    {
        "name": "losses-by-norms",
        "answer": "autoencoder-losses",
        "code": """
def denoising_loss(encode, decode, x, eps, scale, keep):
    spoilt = torch.where(keep > 0, x + eps * scale, torch.zeros_like(x))
    return F.mse_loss(decode(encode(spoilt)), x, reduction="none").sum(dim=-1)


def sparse_loss(encode, decode, x, penalty):
    codes = encode(x)
    difference = decode(codes) - x
    return torch.einsum("bi,bi->b", difference, difference) + penalty * torch.linalg.vector_norm(codes, ord=1, dim=1)
""",
    },
    {
        "name": "scores-by-an-extended-matrix",
        "answer": "few-labels",
        "code": """
def few_label_scores(features, labelled, y, new_features, n_classes, ridge):
    centre = features.mean(0)
    size = torch.sqrt(((features - centre) ** 2).mean())

    def extended(z):
        return torch.cat([(z - centre) / size, torch.ones(len(z), 1)], 1)

    design = extended(features[labelled])
    price = torch.diag(torch.cat([torch.ones(features.shape[1]), torch.zeros(1)])) * ridge
    targets = (y[:, None] == torch.arange(n_classes)).float()
    return extended(new_features) @ torch.linalg.solve(design.T @ design + price, design.T @ targets)
""",
    },
    {
        "name": "scores-from-inner-products",
        "answer": "few-labels",
        "code": """
def few_label_scores(features, labelled, y, new_features, n_classes, ridge):
    # as many unknowns as labels: the same A, written as a sum over the labelled examples
    scale = features.std(0, correction=0).square().mean().sqrt()
    known = features[labelled] / scale
    targets = torch.eye(n_classes)[y]
    inner = known - known.mean(0)
    kernel = inner @ inner.T + ridge * torch.eye(len(y))
    coefficients = torch.linalg.solve(kernel, targets - targets.mean(0))
    return (new_features / scale - known.mean(0)) @ inner.T @ coefficients + targets.mean(0)
""",
    },
]
