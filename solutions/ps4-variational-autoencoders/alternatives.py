"""Right in another way: answers that must get full marks."""

ALTERNATIVES = [
    {
        "name": "reparameterize-by-sample-loop",
        "answer": "reparameterize",
        "code": """
def reparameterize(mean, logvar, eps):
    samples = []
    for noise in eps:
        samples.append(torch.addcmul(mean, logvar.exp().sqrt(), noise))
    return torch.stack(samples)
""",
    },
    {
        "name": "symmetric-square-root",
        "answer": "reparameterize-full",
        "code": """
def reparameterize_full(mean, covariance, eps):
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors @ torch.diag_embed(values.sqrt()) @ vectors.mT
    return mean + torch.einsum("bij,kbj->kbi", root, eps)
""",
    },
    {
        "name": "scaled-eigenvectors",
        "answer": "reparameterize-full",
        "code": """
def reparameterize_full(mean, covariance, eps):
    values, vectors = torch.linalg.eigh(covariance)
    factor = vectors * values.sqrt().unsqueeze(-2)
    return mean + torch.matmul(eps.unsqueeze(-2), factor.transpose(-1, -2)).squeeze(-2)
""",
    },
    {
        "name": "score-by-autograd",
        "answer": "score-function",
        "code": """
def score_function_gradient(f_values, z, mean, logvar):
    location = mean.detach().expand_as(z).clone().requires_grad_()
    log_q = (-0.5 * (z.detach() - location) ** 2 / logvar.detach().exp()).sum()
    (score,) = torch.autograd.grad(log_q, location)
    return score * f_values[:, None]
""",
    },
    {
        "name": "kl-with-expm1",
        "answer": "gaussian-kl",
        "code": """
def gaussian_kl(mean, logvar):
    return torch.einsum("bd->b", mean.square() + torch.expm1(logvar) - logvar) / 2
""",
    },
    {
        "name": "kl-full-by-cholesky-and-loop",
        "answer": "gaussian-kl-full",
        "code": """
def gaussian_kl_full(mean_q, covariance_q, mean_p, covariance_p):
    values = []
    for m_q, c_q, m_p, c_p in zip(mean_q, covariance_q, mean_p, covariance_p):
        lower_q, lower_p = torch.linalg.cholesky(c_q), torch.linalg.cholesky(c_p)
        ratio = torch.linalg.solve_triangular(lower_p, lower_q, upper=False)
        shift = torch.linalg.solve_triangular(lower_p, (m_p - m_q)[:, None], upper=False)
        log_ratio = 2 * (lower_p.diagonal().log().sum() - lower_q.diagonal().log().sum())
        values.append((ratio.square().sum() + shift.square().sum() - len(m_q) + log_ratio) / 2)
    return torch.stack(values)
""",
    },
    {
        "name": "cross-entropy-with-logits",
        "answer": "bernoulli-log-prob",
        "code": """
def bernoulli_log_prob(x, logits):
    if ((x != 0) & (x != 1)).any():
        raise ValueError("x should hold zeros and ones only")
    loss = F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none")
    return -loss.sum(-1)
""",
    },
    {
        "name": "log-sigmoid-of-both-signs",
        "answer": "bernoulli-log-prob",
        "code": """
def bernoulli_log_prob(x, logits):
    if not set(x.unique().tolist()) <= {0.0, 1.0}:
        raise ValueError("x should hold zeros and ones only")
    return F.logsigmoid(torch.where(x == 1, logits, -logits)).sum(dim=-1)
""",
    },
    {
        "name": "elbo-by-distributions",
        "answer": "elbo",
        "code": """
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence


def elbo(x, mean, logvar, logits):
    q = Independent(Normal(mean, (logvar / 2).exp()), 1)
    p = Independent(Normal(torch.zeros_like(mean), torch.ones_like(mean)), 1)
    return Independent(Bernoulli(logits=logits), 1).log_prob(x).mean(0) - kl_divergence(q, p)
""",
    },
    {
        "name": "evidence-by-bayes-rule",
        "answer": "evidence-and-posterior",
        "code": """
from torch.distributions import MultivariateNormal, Normal


def posterior(x, weight, bias, log_sigma):
    total = weight @ weight.T + torch.exp(2 * log_sigma) * torch.eye(weight.shape[0])
    gain = torch.linalg.solve(total, weight).T
    return (x - bias) @ gain.T, torch.eye(weight.shape[1]) - gain @ weight


def log_evidence(x, weight, bias, log_sigma):
    # log p(x) = log p(x | z) + log p(z) - log p(z | x) for any z; here z is the posterior's mean
    z, covariance = posterior(x, weight, bias, log_sigma)
    log_joint = Normal(z @ weight.T + bias, log_sigma.exp()).log_prob(x).sum(-1) + Normal(0.0, 1.0).log_prob(z).sum(-1)
    return log_joint - MultivariateNormal(z, (covariance + covariance.T) / 2).log_prob(z)
""",
    },
    {
        "name": "exact-elbo-by-the-gap",
        "answer": "exact-elbo",
        "code": """
def exact_elbo(x, mean, logvar, weight, bias, log_sigma):
    posterior_mean, posterior_covariance = posterior(x, weight, bias, log_sigma)
    covariance = posterior_covariance.expand(len(x), -1, -1)
    gap = gaussian_kl_full(mean, torch.diag_embed(logvar.exp()), posterior_mean, covariance)
    return log_evidence(x, weight, bias, log_sigma) - gap
""",
    },
    {
        "name": "convolutional-vae",
        "answer": "vae",
        "code": """
class VAE(nn.Module):
    def __init__(self, latent_dim=2):
        super().__init__()
        self.latent_dim = latent_dim
        self.features = nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, 16, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, 2, 1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.to_mean, self.to_logvar = nn.Linear(128, latent_dim), nn.Linear(128, latent_dim)
        self.expand = nn.Sequential(nn.Linear(latent_dim, 128), nn.ReLU(), nn.Linear(128, 64))

    def encode(self, x):
        h = self.features(x)
        return self.to_mean(h), self.to_logvar(h)

    def decode(self, z):
        return self.expand(z)

    def forward(self, x, eps):
        mean, logvar = self.encode(x)
        return mean, logvar, self.decode(mean + (logvar / 2).exp() * eps)
""",
    },
    {
        "name": "deep-tanh-vae-with-dropout",
        "answer": "vae",
        "code": """
class VAE(nn.Module):
    def __init__(self, latent_dim=2):
        super().__init__()
        self.latent_dim = latent_dim
        self.body = nn.Sequential(nn.Dropout(0.05), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.mean, self.logvar = nn.Linear(64, latent_dim), nn.Linear(64, latent_dim)
        hidden = [nn.Linear(latent_dim, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh()]
        self.generator = nn.Sequential(*hidden, nn.Linear(64, 64))

    def encode(self, x):
        h = self.body(x)
        return self.mean(h), self.logvar(h)

    def decode(self, z):
        return self.generator(z)

    def forward(self, x, eps):
        mean, logvar = self.encode(x)
        return mean, logvar, self.decode(torch.distributions.Normal(mean, 1.0).mean + torch.exp(logvar / 2) * eps)
""",
    },
    {
        "name": "interpolation-by-lerp",
        "answer": "sample-and-interpolate",
        "code": """
def sample(vae, eps):
    return torch.distributions.Bernoulli(logits=vae.decode(eps)).mean.view(len(eps), 8, 8)


def interpolate(vae, x_start, x_end, n_steps):
    start, _ = vae.encode(x_start[None])
    end, _ = vae.encode(x_end[None])
    codes = [torch.lerp(start, end, i / (n_steps - 1)) for i in range(n_steps)]
    return torch.cat([sample(vae, code) for code in codes])
""",
    },
    {
        "name": "iwae-by-logaddexp",
        "answer": "importance-weighted-bound",
        "code": """
def log_weights(x, z, mean, logvar, logits):
    eps = (z - mean) * torch.exp(-0.5 * logvar)
    return bernoulli_log_prob(x, logits) + 0.5 * (eps**2 + logvar - z**2).sum(-1)


def iwae_bound(log_w):
    total = log_w[0]
    for row in log_w[1:]:
        total = torch.logaddexp(total, row)
    return total - math.log(len(log_w))
""",
    },
]
