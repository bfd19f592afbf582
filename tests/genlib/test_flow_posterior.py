"""Inverse autoregressive steps against the autograd Jacobian, and the bound against what is known exactly."""

import pytest
import torch

from genlib import taxonomy
from genlib.device import seed_everything
from genlib.models.flow_posterior import FlowVAE, InverseAutoregressiveStep
from genlib.models.vae import VAE
from genlib.oracles import jacobian_log_determinant, latent_quadrature


@pytest.fixture(autouse=True)
def seeded():
    seed_everything(0)


def strong(module: torch.nn.Module, size: float = 1.0) -> torch.nn.Module:
    """Weights that bend: a new step is nearly the identity."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(size * torch.randn_like(parameter))
    return module.double()


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_the_log_determinant_is_that_of_the_jacobian(dim, reverse):
    step = strong(InverseAutoregressiveStep(dim, 3, 16, reverse=reverse))
    z, context = torch.randn(7, dim).double(), torch.randn(1, 3).double()
    found = step(z, context.expand(7, 3))[1]
    truth = jacobian_log_determinant(lambda v: step(v, context.expand(len(v), 3))[0], z)
    assert torch.allclose(found, truth)


@pytest.mark.parametrize("reverse", [False, True])
def test_every_dimension_is_moved_by_the_context_and_bent_by_those_before_it_alone(reverse):
    step = strong(InverseAutoregressiveStep(4, 3, 32, reverse=reverse))
    z, context = torch.randn(4).double(), torch.randn(3).double()
    jacobian = torch.autograd.functional.jacobian(lambda v: step(v, context)[0], z)
    seen = jacobian != 0
    expected = torch.ones(4, 4).triu() if reverse else torch.ones(4, 4).tril()
    assert torch.equal(seen, expected.bool())
    by_context = torch.autograd.functional.jacobian(lambda c: step(z, c)[0], context)
    assert bool((by_context != 0).any(1).all())


def test_the_density_of_what_is_drawn_integrates_to_one():
    """E_q[f(z) / q(z)] is the integral of f, here a narrow normal density; 6 standard errors of 200,000 draws."""
    model, n = strong(FlowVAE(3, 2, 8, context_dim=4, flow_dim=16, likelihood="normal"), 0.3), 200_000
    x = torch.randn(1, 3).double()
    with torch.no_grad():
        z, log_q = model.posterior_sample(x, n_samples=n)
    centre, spread = z.median(0).values, z.std(0) * 0.3
    log_f = torch.distributions.Normal(centre, spread).log_prob(z).sum(-1)
    weights = (log_f - log_q).exp().squeeze(1)
    assert abs(float(weights.mean()) - 1) < 6 * float(weights.std()) / n**0.5


def test_without_a_bend_it_is_the_plain_vae():
    model = FlowVAE(5, 2, 8, n_steps=1, context_dim=3)
    with torch.no_grad():
        model.flow[0].last.weight.zero_()
        model.flow[0].last.bias[:2] = 50.0  # s is 1 to the last digit
    plain = VAE(5, 2, 8)
    with torch.no_grad():
        plain.encoder[1].load_state_dict(model.encoder[1].state_dict())
        plain.encoder[-1].weight.copy_(model.encoder[-1].weight[:4])
        plain.encoder[-1].bias.copy_(model.encoder[-1].bias[:4])
        plain.decoder.load_state_dict(model.decoder.state_dict())
    x = torch.rand(6, 5).round()
    pairs = [m.log_weights(x, n_samples=3, generator=torch.Generator().manual_seed(1)) for m in (model, plain)]
    assert torch.allclose(*pairs, atol=1e-5)


def test_the_bound_is_below_the_exact_likelihood_and_its_gap_can_be_trained_away_further():
    """A decoder whose posterior is bent like a ring; both encoders are trained on the same steps.

    The bounds are means of 4,000 draws per example; the flow's is better by many standard errors.
    """

    class Ring(torch.nn.Module):
        def forward(self, z):
            return z.square().sum(1, keepdim=True)

    x = torch.tensor([[1.5], [2.0], [2.5], [3.0]])
    bounds = {}
    for name, kind, options in (("flow", FlowVAE, {"n_steps": 3}), ("plain", VAE, {})):
        seed_everything(0)
        model = kind(1, 2, 32, likelihood="normal", decoder=Ring(), **options)
        with torch.no_grad():
            model.decoder_logvar.fill_(-3.0)
        model.decoder_logvar.requires_grad_(False)
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-2)
        for _ in range(400):
            optimizer.zero_grad()
            loss = -model.elbo(x, n_samples=16).mean()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            bounds[name] = model.elbo(x, n_samples=4000)
            exact = latent_quadrature(model, x)
        assert (bounds[name] < exact + 0.02).all()
    assert bounds["flow"].mean() > bounds["plain"].mean() + 0.3


def test_it_has_the_methods_of_a_vae_and_its_place():
    model, x = FlowVAE((1, 2, 3), 2, 8, beta=3.0), torch.rand(4, 1, 2, 3).round()
    assert model.elbo(x, n_samples=2).shape == model.objective(x).shape == (4,)
    assert model.sample(5).shape == (5, 1, 2, 3)
    assert model.reconstruct(x).shape == x.shape
    one = [model.elbo(x, generator=torch.Generator().manual_seed(2)) for _ in range(2)]
    assert torch.equal(*one)
    z, log_q = model.posterior_sample(x, generator=torch.Generator().manual_seed(2))
    prior = torch.distributions.Normal(0, 1).log_prob(z).sum(1)
    expected = model.log_likelihood(x, z) + 3.0 * (prior - log_q)
    assert torch.allclose(model.objective(x, generator=torch.Generator().manual_seed(2)), expected, atol=1e-5)
    assert taxonomy.place(model) == "explicit density / approximate / variational"


def test_what_does_not_fit_is_refused_with_the_reason():
    with pytest.raises(ValueError, match="at least 1"):
        FlowVAE(4, n_steps=0)
    with pytest.raises(ValueError, match=r"expected \(B, 4\)"):
        FlowVAE(4).elbo(torch.zeros(2, 3))
