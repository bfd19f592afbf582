"""The vector quantiser's gradients, codes and averages, and the VQ-VAE's bound against a sum over all codes."""

import itertools

import pytest
import torch
from torch import nn

from genlib import taxonomy
from genlib.device import seed_everything
from genlib.models.vector_quantizer import VectorQuantizer
from genlib.models.vqvae import VQVAE


@pytest.fixture(autouse=True)
def seeded():
    seed_everything(0)


def encodings(n: int = 20, dim: int = 3, side: int = 4) -> torch.Tensor:
    return torch.randn(n, dim, side, side)


def test_every_encoding_is_replaced_by_the_nearest_code():
    quantizer, z = VectorQuantizer(7, 3).eval(), encodings()
    values, codes, _ = quantizer(z)
    flat = z.movedim(1, -1).reshape(-1, 3)
    nearest = torch.cdist(flat, quantizer.codebook).argmin(1)
    assert torch.equal(codes.flatten(), nearest)
    assert torch.allclose(values.movedim(1, -1).reshape(-1, 3), quantizer.codebook[nearest], atol=1e-6)
    assert quantizer.lookup(codes).shape == z.shape


def test_backwards_the_quantiser_is_the_identity():
    quantizer, z = VectorQuantizer(7, 3), encodings().requires_grad_()
    weights = torch.randn(20, 3, 4, 4)
    (gradient,) = torch.autograd.grad((weights * quantizer(z).values).sum(), z)
    assert torch.equal(gradient, weights)


def test_the_loss_pulls_codes_to_encodings_and_encodings_to_codes_each_by_its_own_term():
    quantizer, z = VectorQuantizer(7, 3, beta=0.6).eval(), encodings().requires_grad_()
    _, codes, loss = quantizer(z)
    chosen = quantizer.lookup(codes)
    assert loss.shape == (20,)
    assert torch.allclose(loss, 1.6 * (z - chosen).square().sum((1, 2, 3)))
    of_z, of_codes = torch.autograd.grad(loss.sum(), [z, quantizer.codebook])
    assert torch.allclose(of_z, 2 * 0.6 * (z - chosen.detach()).detach(), atol=1e-6)
    pull = torch.zeros(7, 3).index_add_(0, codes.flatten(), 2 * (chosen - z).detach().movedim(1, -1).reshape(-1, 3))
    assert torch.allclose(of_codes, pull, atol=1e-4)


def test_without_commitment_the_encoder_has_no_gradient_from_the_quantiser_but_the_codebook_has():
    quantizer, z = VectorQuantizer(7, 3, beta=0.0), encodings().requires_grad_()
    of_z, of_codes = torch.autograd.grad(quantizer(z).loss.sum(), [z, quantizer.codebook])
    assert not of_z.any()
    assert of_codes.any()


def test_with_moving_averages_the_codebook_has_no_gradient_and_the_loss_only_the_commitment():
    quantizer, z = VectorQuantizer(7, 3, beta=0.6, decay=0.9).eval(), encodings().requires_grad_()
    _, codes, loss = quantizer(z)
    assert not quantizer.codebook.requires_grad
    assert torch.allclose(loss, 0.6 * (z - quantizer.lookup(codes)).square().sum((1, 2, 3)))
    assert all(not p.requires_grad for p in quantizer.parameters())


@pytest.mark.parametrize("steps", [1, 30])
def test_moving_averages_keep_codes_between_where_they_were_and_what_they_saw(steps):
    """In one dimension a convex hull is an interval, and encodings far from 0 show a count that starts at 0."""
    quantizer = VectorQuantizer(4, 1, decay=0.99, revive_below=0)
    with torch.no_grad():
        quantizer.codebook.copy_(torch.tensor([[10.0], [20.0], [30.0], [40.0]]))
        quantizer.sums.copy_(quantizer.codebook)
    for _ in range(steps):
        quantizer(10 + 30 * torch.rand(50, 1))
        assert ((quantizer.codebook >= 10) & (quantizer.codebook <= 40)).all()


def test_moving_averages_forget_at_their_rate_and_end_at_the_mean_of_what_chose_the_code():
    quantizer = VectorQuantizer(2, 1, decay=0.5, revive_below=0)
    with torch.no_grad():
        quantizer.codebook.copy_(torch.tensor([[0.0], [100.0]]))
        quantizer.sums.copy_(quantizer.codebook)
    z = torch.tensor([[1.0], [3.0]])
    quantizer(z)
    assert torch.allclose(quantizer.codebook[0], torch.tensor([(0.5 * 0 + 0.5 * 4) / (0.5 * 1 + 0.5 * 2)]))
    assert torch.equal(quantizer.codebook[1], torch.tensor([100.0]))
    for _ in range(40):
        quantizer(z)
    assert torch.allclose(quantizer.codebook[0], torch.tensor([2.0]))


def test_a_code_that_nobody_chooses_for_ever_stays_finite():
    quantizer = VectorQuantizer(3, 2, decay=0.5, revive_below=0)
    with torch.no_grad():
        quantizer.codebook[2] = quantizer.sums[2] = 1e3
    for _ in range(400):
        quantizer(torch.randn(8, 2))
    assert torch.equal(quantizer.codebook[2], torch.tensor([1e3, 1e3]))


@pytest.mark.parametrize("decay", [None, 0.99])
def test_dead_codes_are_moved_onto_encodings_and_live_ones_are_left_alone(decay):
    quantizer = VectorQuantizer(4, 2, decay=decay)
    far = torch.tensor([[0.0, 0.0], [5.0, 5.0], [900.0, 0.0], [0.0, 900.0]])
    with torch.no_grad():
        quantizer.codebook.copy_(far)
        if decay is not None:
            quantizer.sums.copy_(far)
    for _ in range(60):
        z = torch.cat([torch.randn(20, 2), torch.randn(20, 2) + 5])
        quantizer(z)
    assert quantizer.codebook.abs().max() < 20
    assert len(quantizer.eval()(z).codes.unique()) == 4


def test_nothing_is_learned_outside_training():
    quantizer = VectorQuantizer(4, 2, decay=0.5).eval()
    before = {name: value.clone() for name, value in quantizer.state_dict().items()}
    quantizer(100 + torch.randn(50, 2))
    assert all(torch.equal(value, before[name]) for name, value in quantizer.state_dict().items())
    model = VQVAE((1, 8, 8), 4, 2, width=4, n_halvings=2, decay=0.5).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.encode(torch.rand(3, 1, 8, 8))
    model.reconstruct(torch.rand(3, 1, 8, 8))
    model.sample(2)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training


class Independent(nn.Module):
    """Codes that do not depend on each other, for a sum over all of them."""

    def __init__(self, n_places: int, n_codes: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.randn(n_places, n_codes))

    def log_prob(self, codes: torch.Tensor) -> torch.Tensor:
        return self.logits.log_softmax(1).gather(1, codes.flatten(1).T.reshape(len(self.logits), -1)).sum(0)

    def sample(self, n: int, *, generator: torch.Generator | None = None) -> torch.Tensor:
        draws = torch.multinomial(self.logits.softmax(1), n, replacement=True, generator=generator)
        return draws.T.reshape(n, 1, 2, 2)


def test_the_bound_is_below_the_sum_over_all_codes():
    model = VQVAE((1, 4, 4), 3, 2, width=4, n_halvings=1, prior=Independent(4, 3)).double()
    x = torch.rand(5, 1, 4, 4).double()
    every = torch.tensor(list(itertools.product(range(3), repeat=4))).reshape(-1, 2, 2)
    assert torch.allclose(model.prior.log_prob(every.unsqueeze(1)).logsumexp(0), torch.zeros(()).double())
    means = model.decode(every)
    log_joint = torch.stack(
        [model.observation.log_prob(x, mean.expand_as(x)) for mean in means]
    ) + model.prior.log_prob(every.unsqueeze(1)).unsqueeze(1)
    assert (model.elbo(x) <= log_joint.logsumexp(0) + 1e-9).all()


def test_the_objective_is_the_likelihood_at_the_codes_minus_the_quantiser_s_loss():
    model, x = VQVAE((1, 8, 8), 8, 4, width=4).eval(), torch.rand(6, 1, 8, 8)
    found = model.quantize(x)
    expected = model.observation.log_prob(x, model.decode(found.codes)) - found.loss
    assert torch.allclose(model.objective(x), expected, atol=1e-3)
    loss = -model.train().objective(x).mean()
    loss.backward()
    parts = (model.encoder, model.quantizer, model.decoder)
    assert all(p.grad is not None and p.grad.any() for part in parts for p in part.parameters())
    assert all(p.grad is None for p in model.prior.parameters())


@pytest.mark.parametrize("options", [{}, {"likelihood": "bernoulli", "soft": True}, {"decay": 0.9}])
def test_images_become_maps_of_codes_and_come_back_and_the_prior_s_become_images(options):
    model, x = VQVAE((1, 8, 12), 8, 4, width=4, n_halvings=2, **options), torch.rand(6, 1, 8, 12)
    codes = model.encode(x)
    assert codes.shape == (6, 2, 3)
    assert codes.dtype == torch.int64
    assert model.reconstruct(x).shape == model.sample(6).shape == x.shape
    assert model.elbo(x).shape == (6,)
    draws = [model.sample(3, generator=torch.Generator().manual_seed(4)) for _ in range(2)]
    assert torch.equal(*draws)
    assert taxonomy.place(model) == "explicit density / approximate / variational"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: VectorQuantizer(1, 2), "2 codes or more"),
        (lambda: VectorQuantizer(4, 2, beta=-1), "none below 0"),
        (lambda: VectorQuantizer(4, 2, decay=1.0), "from 0 to below 1"),
        (lambda: VectorQuantizer(4, 2)(torch.zeros(3, 5)), r"expected \(B, 2, ...\)"),
        (lambda: VectorQuantizer(4, 2).lookup(torch.zeros(3)), "expected int64"),
        (lambda: VQVAE((1, 7, 7)), "cannot be halved 2 times"),
        (lambda: VQVAE((1, 8, 8), likelihood="poisson"), "'bernoulli' or 'normal'"),
        (lambda: VQVAE((1, 8, 8)).encode(torch.zeros(1, 1, 4, 4)), r"expected \(B, 1, 8, 8\)"),
        (lambda: VQVAE((1, 8, 8)).decode(torch.zeros(1, 3, 3).long()), r"expected \(B, 2, 2\)"),
        (lambda: VQVAE((1, 8, 8)).sample(1, y=torch.zeros(1)), "not conditional"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()
