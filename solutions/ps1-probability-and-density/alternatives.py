"""Right in another way: answers that must get full marks."""

ALTERNATIVES = [
    {
        "name": "histogram-by-comparisons",
        "answer": "histogram-density",
        "code": """
def histogram_density(samples, edges):
    heights = []
    for low, high in zip(edges[:-1], edges[1:]):
        share = ((samples >= low) & (samples < high)).float().mean()
        heights.append(share / (high - low))
    return torch.stack(heights)
""",
    },
    {
        "name": "histogram-from-cumulative-shares",
        "answer": "histogram-density",
        "code": """
def histogram_density(samples, edges):
    below = torch.searchsorted(samples.sort().values, edges).double()
    below[0], below[-1] = 0, len(samples)
    return (below.diff() / len(samples) / edges.double().diff()).float()
""",
    },
    {
        "name": "normalise-by-numpy",
        "answer": "log-normalize",
        "code": """
import numpy as np


def log_normalize(log_scores):
    total = torch.from_numpy(np.logaddexp.reduce(log_scores.numpy().astype("float64"), axis=-1, keepdims=True))
    if torch.isneginf(total).any():
        raise ValueError("a row has no possible outcome")
    return (log_scores.double() - total).float()
""",
    },
    {
        "name": "normalise-row-by-row",
        "answer": "log-normalize",
        "code": """
def log_normalize(log_scores):
    rows = []
    for row in log_scores:
        constant = max(row.tolist())
        if constant == -math.inf:
            raise ValueError("a row has no possible outcome")
        rows.append(row - constant - torch.log(torch.exp(row - constant).sum()))
    return torch.stack(rows)
""",
    },
    {
        "name": "bayes-by-log-normalize",
        "answer": "bayes-rule",
        "code": """
def bayes_rule(class_log_prob, log_prior):
    joint = class_log_prob + log_prior
    posterior = log_normalize(joint)
    best = posterior.argmax(-1, keepdim=True)
    # log p(x) = log p(x, y) - log p(y | x) for every y that is possible
    return posterior, (joint.gather(-1, best) - posterior.gather(-1, best)).squeeze(-1)
""",
    },
    {
        "name": "gaussian-by-inverse-and-slogdet",
        "answer": "gaussian-log-prob",
        "code": """
def gaussian_log_prob(x, mean, covariance):
    offset = x - mean
    distance = torch.einsum("bi,ij,bj->b", offset, torch.linalg.inv(covariance), offset)
    return -0.5 * (distance + torch.linalg.slogdet(2 * math.pi * covariance).logabsdet)
""",
    },
    {
        "name": "gaussian-by-eigenvectors",
        "answer": "gaussian-log-prob",
        "code": """
def gaussian_log_prob(x, mean, covariance):
    values, vectors = torch.linalg.eigh(covariance)
    coordinates = (x - mean) @ vectors
    return -0.5 * (coordinates**2 / values + values.log() + math.log(2 * math.pi)).sum(-1)
""",
    },
    {
        "name": "units-by-log2-and-loop",
        "answer": "units",
        "code": """
def rescaled_log_prob(log_prob, scale):
    for factor in scale.tolist():
        log_prob = log_prob - math.log(abs(factor))
    return log_prob


def bits_per_dim(log_prob, n_dims, levels):
    return math.log2(levels) - log_prob * math.log2(math.e) / n_dims
""",
    },
    {
        "name": "fit-by-one-hot",
        "answer": "fit-gaussians",
        "code": """
def fit_gaussians(x, y, n_classes, ridge, shared):
    member = (y.unsqueeze(-1) == torch.arange(n_classes)).float()
    share = member.mean(0)
    means = (member.T @ x) / member.sum(0).unsqueeze(-1)
    offset = x.unsqueeze(1) - means
    weight = member if shared else member / share
    covariances = torch.einsum("nk,nki,nkj->kij", weight, offset, offset) / len(x)
    if shared:
        covariances = covariances.sum(0, keepdim=True).repeat(n_classes, 1, 1)
    covariances.diagonal(dim1=-2, dim2=-1).add_(ridge)
    return share.log(), means, covariances
""",
    },
    {
        "name": "fit-by-torch-cov",
        "answer": "fit-gaussians",
        "code": """
def fit_gaussians(x, y, n_classes, ridge, shared):
    groups = [x[y == label] for label in range(n_classes)]
    share = torch.tensor([len(group) / len(x) for group in groups])
    covariances = torch.stack([torch.cov(group.T, correction=0) for group in groups])
    if shared:
        covariances = torch.einsum("k,kij->ij", share, covariances).expand(n_classes, -1, -1)
    return share.log(), torch.stack([group.mean(0) for group in groups]), covariances + ridge * torch.eye(x.shape[-1])
""",
    },
    {
        "name": "classifier-by-distributions",
        "answer": "density-classifier",
        "code": """
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal


class DensityClassifier:
    def __init__(self, log_prior, means, covariances):
        self.prior = Categorical(logits=log_prior)
        self.log_prior, self.means, self.covariances = log_prior, means, covariances
        self.classes = MultivariateNormal(means, covariances)

    def class_log_prob(self, x):
        return self.classes.log_prob(x.unsqueeze(1))

    def log_posterior(self, x):
        return (self.class_log_prob(x) + self.log_prior).log_softmax(-1)

    def classify(self, x):
        return (self.class_log_prob(x) + self.log_prior).argmax(-1)

    def log_prob(self, x):
        return MixtureSameFamily(self.prior, self.classes).log_prob(x)
""",
    },
    {
        "name": "alarms-by-rank",
        "answer": "outliers",
        "code": """
def too_unlikely(log_prob, log_prob_familiar, rate):
    return (log_prob_familiar < log_prob.unsqueeze(-1)).float().mean(-1) < rate


def atypical(log_prob, log_prob_familiar, rate):
    lower = (log_prob_familiar < log_prob.unsqueeze(-1)).float().mean(-1)
    higher = (log_prob_familiar > log_prob.unsqueeze(-1)).float().mean(-1)
    return torch.minimum(lower, higher) < rate / 2
""",
    },
    {
        "name": "alarms-by-sorting",
        "answer": "outliers",
        "code": """
def too_unlikely(log_prob, log_prob_familiar, rate):
    ordered = log_prob_familiar.sort().values
    return log_prob < ordered[int(rate * len(ordered))]


def atypical(log_prob, log_prob_familiar, rate):
    return too_unlikely(log_prob, log_prob_familiar, rate / 2) | too_unlikely(-log_prob, -log_prob_familiar, rate / 2)
""",
    },
    {
        "name": "missing-values-by-precision",
        "answer": "missing-values",
        "code": """
def marginal_log_prob(x, observed, mean, covariance):
    index = observed.nonzero().squeeze(-1)
    part = covariance.index_select(0, index).index_select(1, index)
    return torch.distributions.MultivariateNormal(mean[index], part).log_prob(x[:, index])


def fill_in(x, observed, mean, covariance):
    precision = torch.linalg.inv(covariance)
    spread = torch.linalg.inv(precision[~observed][:, ~observed])
    rows = []
    for row in x:
        pull = precision[~observed][:, observed] @ (row[observed] - mean[observed])
        rows.append(row.masked_scatter(~observed, mean[~observed] - spread @ pull))
    return torch.stack(rows), spread
""",
    },
    {
        "name": "generator-by-logaddexp",
        "answer": "generator-by-bayes",
        "code": """
def log_normalizer(log_posterior):
    total = log_posterior[0]
    for row in log_posterior[1:]:
        total = torch.logaddexp(total, row)
    return total - math.log(len(log_posterior))


def generator_log_prob(log_posterior, log_prob, log_z):
    columns = [log_posterior[:, k] + log_prob - log_z[k] for k in range(len(log_z))]
    return torch.stack(columns, dim=1)


def keep(x, log_posterior, y, u):
    return torch.stack([draw for draw, row, chance in zip(x, log_posterior, u) if math.log(chance) <= row[y]])
""",
    },
]
