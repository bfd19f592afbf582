"""Right in another way: answers that must get full marks."""

ALTERNATIVES = [
    # beyond-the-plain-vae
    {
        "name": "objective-by-distributions",
        "answer": "beta-objective",
        "code": """
from torch.distributions import Bernoulli, Normal, kl_divergence


def beta_objective(x, logits, mean, logvar, beta):
    per_latent = kl_divergence(Normal(mean, (logvar / 2).exp()), Normal(0.0, 1.0))
    elbo = Bernoulli(logits=logits).log_prob(x).sum(1) - per_latent.sum(1)
    return elbo, elbo + (1 - beta) * per_latent.sum(1)
""",
    },
    {
        "name": "free-bits-by-a-loop",
        "answer": "against-collapse",
        "code": """
def warm_up(step, n_steps):
    return step / n_steps if step < n_steps else 1.0


def free_bits(mean, logvar, floor):
    costs = []
    for m, v in zip(mean.T, logvar.T):
        cost = gaussian_kl(m[:, None], v[:, None]).mean()
        costs.append(cost if cost > floor else torch.as_tensor(floor))
    return torch.stack(costs).sum()
""",
    },
    {
        "name": "variance-by-two-running-sums",
        "answer": "active-units",
        "code": """
def active_units(encode, batches, threshold):
    count, total, squares = 0, 0.0, 0.0
    for x in batches:
        mean = encode(x)[0].double()
        count, total, squares = count + len(x), total + mean.sum(0), squares + mean.square().sum(0)
    return squares / count - (total / count) ** 2 > threshold
""",
    },
    {
        "name": "bounds-one-by-one",
        "answer": "importance-weights",
        "code": """
def bounds_by_samples(log_w):
    return torch.stack([log_w[:k].logsumexp(0) - math.log(k) for k in range(1, len(log_w) + 1)])


@torch.no_grad()
def sample_weights(log_w):
    shifted = (log_w - log_w.amax(0)).exp()
    return shifted / shifted.sum(0)
""",
    },
    {
        "name": "directions-by-normal-equations",
        "answer": "latent-directions",
        "code": """
def directions(codes, factors):
    centred = factors - factors.mean(0)
    return torch.linalg.solve(centred.T @ centred, centred.T @ (codes - codes.mean(0)))


def edit(encode, decode, x, direction, amounts):
    return torch.stack([decode(encode(x)[0] + amount * direction) for amount in amounts])
""",
    },
    {
        "name": "information-by-entropies",
        "answer": "mutual-information-gap",
        "code": """
def entropy(*columns):
    counts = torch.stack(columns, 1).unique(dim=0, return_counts=True)[1]
    return torch.special.entr(counts / counts.sum()).sum()


def mutual_information(a, b):
    return (entropy(a) + entropy(b) - entropy(a, b)).clamp(min=0)


def mutual_information_gap(latents, factors):
    total = 0.0
    for k in range(factors.shape[1]):
        known = sorted(float(mutual_information(latents[:, j], factors[:, k])) for j in range(latents.shape[1]))
        total += (known[-1] - known[-2]) / float(entropy(factors[:, k]))
    return torch.tensor(total / factors.shape[1])
""",
    },
    {
        "name": "nearest-by-pairwise-distances",
        "answer": "nearest-code",
        "code": """
def nearest_code(z, codebook):
    batch, n_dims, height, width = z.shape
    flat = z.permute(0, 2, 3, 1).reshape(-1, n_dims)
    return torch.cdist(flat, codebook).argmin(1).view(batch, height, width)


def look_up(codes, codebook):
    return F.embedding(codes, codebook).permute(0, 3, 1, 2)
""",
    },
    {
        "name": "nearest-by-expanding-the-square",
        "answer": "nearest-code",
        "code": """
def nearest_code(z, codebook):
    products = torch.einsum("bdhw,kd->bhwk", z, codebook)
    return (products - codebook.square().sum(1) / 2).argmax(-1)


def look_up(codes, codebook):
    return torch.einsum("bhwk,kd->bdhw", F.one_hot(codes, len(codebook)).to(codebook.dtype), codebook)
""",
    },
    {
        "name": "straight-through-by-a-function-of-its-own",
        "answer": "straight-through",
        "code": """
class Copy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, chosen):
        return chosen.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


def straight_through(z, chosen):
    return Copy.apply(z, chosen)


def vq_loss(z, chosen, beta):
    def squared(a, b):
        return F.mse_loss(a, b, reduction="none").sum((1, 2, 3))

    return squared(chosen, z.detach()) + beta * squared(z, chosen.detach())
""",
    },
    {
        "name": "averages-by-index-add",
        "answer": "ema-codebook",
        "code": """
def start(codebook):
    return codebook.new_ones(codebook.shape[0]), codebook.detach() + 0.0


def ema_update(counts, sums, z, codes, decay):
    n = torch.bincount(codes, minlength=len(counts)).to(z.dtype)
    s = torch.zeros_like(sums).index_add_(0, codes, z)
    counts, sums = counts.lerp(n, 1 - float(decay)), sums.lerp(s, 1 - float(decay))
    return counts, sums, sums / counts[:, None]
""",
    },
    {
        "name": "revived-one-after-the-other",
        "answer": "dead-codes",
        "code": """
def perplexity(codes, n_codes):
    counts = codes.flatten().unique(return_counts=True)[1]
    share = counts / counts.sum()
    return (share**-share).prod()


def revive(codebook, usage, z, threshold, generator):
    left = list(range(len(z)))
    rows = []
    for vector, used in zip(codebook, usage):
        if used >= threshold:
            rows.append(vector)
        else:
            place = int(torch.randint(len(left), (1,), generator=generator))
            rows.append(z[left.pop(place)])
    return torch.stack(rows)
""",
    },
]
