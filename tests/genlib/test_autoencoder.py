"""Autoencoders against PCA, what they are trained on against its definition, and the shapes of their networks."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from sklearn.decomposition import PCA

from genlib import taxonomy
from genlib.device import seed_everything
from genlib.models.autoencoder import Autoencoder, ConvAutoencoder
from genlib.models.conv_networks import conv_decoder, conv_encoder, halvings
from genlib.models.conv_vae import ConvVAE

SIZES = st.integers(1, 33)


@pytest.fixture(autouse=True)
def seeded():
    seed_everything(0)


def data(n: int = 200) -> torch.Tensor:
    """Examples in 6 dimensions with variances 9, 4, 1, 1/4 ... along random axes, around a mean that is not 0."""
    generator = torch.Generator().manual_seed(0)
    draw = {"generator": generator, "dtype": torch.float64}
    axes = torch.linalg.qr(torch.randn(6, 6, **draw))[0]
    return torch.randn(n, 6, **draw) @ torch.diag(torch.tensor([3, 2, 1, 0.5, 0.25, 0.1]).double()) @ axes.T + 2


def trained(model: Autoencoder, x: torch.Tensor) -> Autoencoder:
    model = model.to(x.dtype)
    optimizer = torch.optim.LBFGS(
        model.parameters(), max_iter=500, line_search_fn="strong_wolfe", tolerance_change=1e-14
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = -model.objective(x).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    return model


def test_a_linear_autoencoder_spans_the_subspace_of_pca_and_reconstructs_as_well():
    x = data()
    model, peer = trained(Autoencoder(6, 2, hidden_dims=()), x), PCA(2).fit(x.numpy())
    basis = torch.linalg.qr(model.decoder[0].weight.detach())[0]  # (6, 2)
    cosines = torch.linalg.svdvals(torch.from_numpy(peer.components_) @ basis)
    assert torch.allclose(cosines, torch.ones(2).double(), atol=1e-6)
    expected = torch.from_numpy(peer.inverse_transform(peer.transform(x.numpy())))
    assert torch.allclose(model.reconstruct(x), expected, atol=1e-3)


def test_its_features_are_pca_s_only_up_to_an_invertible_map():
    x = data()
    model, scores = (
        trained(Autoencoder(6, 2, hidden_dims=()), x),
        torch.from_numpy(PCA(2).fit_transform(data().numpy())),
    )
    z = model.encode(x).detach()
    z = z - z.mean(0)
    assert not torch.allclose(z.T @ z, torch.diag((z.T @ z).diagonal()), atol=1e-2)  # PCA's scores are uncorrelated
    assert torch.allclose(z @ torch.linalg.lstsq(z, scores).solution, scores, atol=1e-3)


def test_the_error_is_a_sum_over_the_example_and_one_number_for_each():
    model, x = Autoencoder((1, 2, 3), 2), torch.rand(5, 1, 2, 3)
    distance = (x - model.reconstruct(x)).square()
    assert torch.allclose(model.error(x), distance.sum((1, 2, 3)))
    assert torch.allclose(-model.objective(x), distance.sum((1, 2, 3)))
    assert torch.allclose(model.error(torch.cat([x, x])), model.error(x).repeat(2))


def test_the_price_of_features_is_their_absolute_sum_and_training_with_it_makes_more_of_them_small():
    x = data().float()
    model = Autoencoder(6, 8, hidden_dims=(), sparsity=0.7)
    z = model.encode(x)
    assert torch.allclose(model.objective(x), -model.error(x, z) - 0.7 * z.abs().sum(1))
    sizes = []
    for sparsity in (0.0, 5.0):
        seed_everything(1)
        model = Autoencoder(6, 8, sparsity=sparsity)
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        for _ in range(300):
            optimizer.zero_grad()
            (-model.objective(x).mean()).backward()
            optimizer.step()
        z = model.encode(x).abs()
        sizes.append(float((z < 0.02 * z.max()).float().mean()))
    assert sizes[1] > sizes[0] + 0.2


def test_corruption_has_the_noise_and_the_share_of_zeros_that_were_asked_for():
    """50,000 entries: each figure within 6 standard errors, a false alarm once in 10^8."""
    x, n = torch.ones(50, 1000), 50_000
    noisy = Autoencoder(1000, 2, noise=0.3).corrupt(x, generator=torch.Generator().manual_seed(0)) - x
    assert abs(float(noisy.mean())) < 6 * 0.3 / n**0.5
    assert abs(float(noisy.var()) - 0.09) < 6 * 0.09 * (2 / n) ** 0.5
    masked = Autoencoder(1000, 2, mask=0.25).corrupt(x, generator=torch.Generator().manual_seed(0))
    assert set(masked.unique().tolist()) == {0.0, 1.0}
    assert abs(float((masked == 0).float().mean()) - 0.25) < 6 * (0.25 * 0.75 / n) ** 0.5
    assert Autoencoder(1000, 2).corrupt(x) is x


def test_a_denoising_autoencoder_is_asked_for_the_clean_example_and_repeats_itself_with_a_seed():
    model, x = Autoencoder(6, 2, noise=0.5), data(30).float()
    spoilt = model.corrupt(x, generator=torch.Generator().manual_seed(3))
    expected = -(x - model.decode(model.encode(spoilt))).square().sum(1)
    assert torch.allclose(model.objective(x, generator=torch.Generator().manual_seed(3)), expected)


def test_it_has_no_place_among_the_generative_models():
    with pytest.raises(ValueError, match="no method `sample`"):
        taxonomy.place(Autoencoder(4))


def test_reconstruct_leaves_the_mode_as_it_was():
    model = ConvAutoencoder((1, 8, 8), 2, width=4)
    for training in (True, False):
        model.train(training)
        model.reconstruct(torch.rand(2, 1, 8, 8))
        assert model.training is training


@given(SIZES, SIZES, st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_the_decoder_gives_images_of_the_size_that_the_encoder_took(height, width, channels):
    shape = (channels, height, width)
    z = conv_encoder(shape, 3, width=1)(torch.rand(2, *shape))
    assert z.shape == (2, 3)
    assert conv_decoder(3, shape, width=1)(z).shape == (2, *shape)
    assert max(halvings(shape)[-1]) <= 7


def test_every_output_of_the_convolutional_decoder_depends_on_the_latents_and_every_input_reaches_them():
    model = ConvAutoencoder((1, 28, 28), 3, width=4).double()
    x = torch.rand(1, 1, 28, 28).double().requires_grad_()
    z = model.encode(x)
    (gradient,) = torch.autograd.grad(z.square().sum(), x)
    assert float((gradient != 0).double().mean()) > 0.95
    spread = torch.stack([model.decode(torch.randn(3).double()) for _ in range(8)]).std(0)
    assert bool((spread > 0).all())


def test_a_convolutional_vae_is_a_vae():
    model, x = ConvVAE((1, 8, 8), 2, width=4, beta=3.0), torch.rand(6, 1, 8, 8).round()
    assert model.elbo(x, n_samples=3).shape == model.objective(x).shape == (6,)
    assert model.sample(4).shape == (4, 1, 8, 8)
    assert taxonomy.place(model) == "explicit density / approximate / variational"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Autoencoder(0), "positive sizes"),
        (lambda: Autoencoder(4, 2, hidden_dims=(0,)), "positive sizes"),
        (lambda: Autoencoder(4, noise=-1.0), "none below 0"),
        (lambda: Autoencoder(4, mask=1.0), "mask below 1"),
        (lambda: Autoencoder(4).encode(torch.zeros(2, 5)), r"expected \(B, 4\)"),
        (lambda: Autoencoder(4).decode(torch.zeros(2, 3)), r"expected \(..., 2\)"),
        (lambda: ConvAutoencoder((4, 4)), r"expected \(C, H, W\)"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()
