"""The VAE against its contract; that its bound is right is held on the linear-Gaussian model in test_oracles."""

import math

import pytest
import torch
from torch import nn

from genlib.gaussian import gaussian_kl
from genlib.models.vae import VAE
from genlib.oracles import latent_quadrature


def model(**kwargs):
    torch.manual_seed(0)
    return VAE((1, 4, 4), latent_dim=2, hidden_dim=16, **kwargs)


def binary(n=5, seed=0):
    return torch.bernoulli(torch.full((n, 1, 4, 4), 0.5), generator=torch.Generator().manual_seed(seed))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("likelihood", ["bernoulli", "normal"])
def test_every_quantity_is_one_number_per_example(likelihood):
    vae, x = model(likelihood=likelihood), binary()
    assert vae.elbo(x).shape == vae.objective(x).shape == (5,)
    assert vae.elbo(x, n_samples=3).shape == (5,)
    assert vae.log_weights(x, n_samples=3).shape == (3, 5)
    assert vae.sample(7).shape == (7, 1, 4, 4)
    assert vae.reconstruct(x).shape == x.shape
    assert vae.decode(torch.zeros(2, 3, 2)).shape == (2, 3, 1, 4, 4)


def test_the_bound_of_an_example_does_not_depend_on_its_batch():
    vae, x = model(), binary()
    z = torch.randn(5, 2, generator=seeded())
    together = vae.log_likelihood(x, z)
    torch.testing.assert_close(together, torch.cat([vae.log_likelihood(x[i : i + 1], z[i : i + 1]) for i in range(5)]))
    torch.testing.assert_close(
        vae.log_likelihood(torch.cat([x, x]), torch.cat([z, z])), torch.cat([together, together])
    )


@pytest.mark.parametrize("likelihood", ["bernoulli", "normal"])
def test_elbo_and_importance_weights_lie_below_log_p_and_tighten(likelihood):
    vae, x = model(likelihood=likelihood), binary()
    truth = latent_quadrature(vae, x, n_points=201)
    with torch.no_grad():
        weights = vae.log_weights(x, n_samples=20_000, generator=seeded())
        elbo = vae.elbo(x, n_samples=20_000, generator=seeded())
        spread = weights.std(0) / math.sqrt(20_000)
        assert ((elbo - weights.mean(0)).abs() < 12 * spread).all()  # each side within 6 of its own error: 1e-8
        assert (elbo < truth).all()
        # the mean weight is unbiased for p(x): its relative error is normal to good precision, |z| < 6 for five of them
        relative = (weights - truth).exp()
        assert ((relative.mean(0) - 1).abs() < 6 * relative.std(0) / math.sqrt(20_000)).all()


def test_beta_changes_the_objective_and_not_the_bound():
    plain, heavy, x = model(), model(beta=4.0), binary()
    assert torch.equal(plain.elbo(x, generator=seeded()), heavy.elbo(x, generator=seeded()))
    difference = plain.objective(x, generator=seeded()) - heavy.objective(x, generator=seeded())
    torch.testing.assert_close(difference, 3 * gaussian_kl(*plain.encode(x)))
    torch.testing.assert_close(plain.objective(x, generator=seeded()), plain.elbo(x, generator=seeded()))


def test_training_raises_the_bound_and_every_parameter_gets_a_gradient():
    vae, x = model(likelihood="normal"), binary(64)
    before = vae.elbo(x, n_samples=50, generator=seeded()).mean().item()
    optimizer = torch.optim.Adam(vae.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        (-vae.objective(x, generator=seeded(1)).mean()).backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in vae.parameters())
        optimizer.step()
    assert vae.elbo(x, n_samples=50, generator=seeded()).mean().item() > before + 1


def test_sampling_is_repeatable_and_leaves_the_mode_as_it_was():
    decoder = nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 16))
    vae = model(decoder=decoder)
    decoder[2].eval()
    assert torch.equal(vae.sample(6, generator=seeded()), vae.sample(6, generator=seeded()))
    assert vae.training
    assert decoder[1].training
    assert not decoder[2].training
    x = binary()
    torch.testing.assert_close(vae.reconstruct(x)[:1], vae.reconstruct(x[:1]))  # no batch statistics


def test_binary_samples_follow_the_decoder():
    vae, n = model(), 20_000
    x = vae.sample(n, generator=seeded())
    assert set(x.unique().tolist()) <= {0.0, 1.0}
    with torch.no_grad():
        expected = vae.decode_mean(torch.randn(n, 2, generator=seeded(1))).mean(0)
    # difference of two means of n values within [0, 1]: standard deviation below 0.71 / sqrt(n); 16 pixels, 6 of
    # them: 3e-8 by chance.
    assert ((x.mean(0) - expected).abs() < 6 * 0.71 / math.sqrt(n)).all()


def test_normal_samples_have_the_decoder_s_noise():
    vae, n = model(likelihood="normal"), 50_000
    with torch.no_grad():
        vae.decoder_logvar.fill_(-2.0)
        for layer in vae.decoder:
            if isinstance(layer, nn.Linear):
                layer.weight.zero_()  # the mean no longer depends on z
        variance = vae.sample(n, generator=seeded()).flatten(1).var(0)
    assert ((variance / math.exp(-2) - 1).abs() < 6 * math.sqrt(2 / n)).all()  # 16 of them: 3e-8 by chance


def test_bad_input_is_refused_with_what_was_expected():
    vae = model()
    with pytest.raises(ValueError, match=r"expected \(B, 1, 4, 4\)"):
        vae.encode(torch.zeros(3, 16))
    with pytest.raises(ValueError, match=r"expected \(\.\.\., 2\)"):
        vae.decode(torch.zeros(3, 5))
    with pytest.raises(ValueError, match="Binarise"):
        vae.elbo(torch.full((2, 1, 4, 4), 0.5))
    with pytest.raises(ValueError, match="not conditional"):
        vae.sample(2, y=torch.zeros(2))
    with pytest.raises(ValueError, match="'bernoulli' or 'normal'"):
        model(likelihood="poisson")
    with pytest.raises(ValueError, match="positive"):
        VAE(4, 0)
    assert model(soft=True).elbo(torch.full((2, 1, 4, 4), 0.5)).isfinite().all()
