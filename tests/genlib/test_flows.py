"""Flows: one property test for every invertible map and model; densities against grids, counts and what is known."""

import itertools
import math
from functools import partial

import pytest
import torch

from genlib import data, taxonomy
from genlib.bounds import bits_per_dim
from genlib.device import seed_everything
from genlib.models.bijections import Chain, DiagonalScaling, Logit, Reorder
from genlib.models.coupling import AdditiveCoupling, AffineCoupling, mlp
from genlib.models.flow import Flow
from genlib.models.image_coupling import CheckerboardCoupling, Scale, residual_network
from genlib.models.image_real_nvp import ImageRealNVP
from genlib.models.nice import NICE
from genlib.models.real_nvp import RealNVP
from genlib.oracles import jacobian_log_determinant
from genlib.train import fit

NETWORK = partial(mlp, hidden_dim=16, n_hidden=2)
CONVOLUTIONS = partial(residual_network, width=8, n_blocks=1)
TRANSFORMS = {
    "reorder": (lambda: Reorder(torch.tensor([2, 0, 1, 4, 3, 5]), (1, 2, 3)), (1, 2, 3)),
    "scaling": (lambda: DiagonalScaling(2, 3), (2, 3)),
    "logit": (lambda: Logit(256), (3, 2)),
    "logit without margin": (lambda: Logit(17, margin=0.0), (4,)),
    "additive": (lambda: AdditiveCoupling(5, NETWORK), (5,)),
    "additive, swapped": (lambda: AdditiveCoupling(5, NETWORK, swap=True), (5,)),
    "affine": (lambda: AffineCoupling(5, NETWORK), (5,)),
    "affine, swapped": (lambda: AffineCoupling(5, NETWORK, swap=True), (5,)),
    "affine in the plane": (lambda: AffineCoupling(2, NETWORK), (2,)),
    "channels": (lambda: AffineCoupling(3, CONVOLUTIONS, event_dims=3), (3, 2, 3)),
    "channels, swapped": (lambda: AffineCoupling(4, CONVOLUTIONS, swap=True, event_dims=3), (4, 1, 2)),
    "checkerboard": (lambda: CheckerboardCoupling((2, 3, 3), CONVOLUTIONS), (2, 3, 3)),
    "checkerboard, swapped": (lambda: CheckerboardCoupling((1, 3, 4), CONVOLUTIONS, swap=True), (1, 3, 4)),
    "scale": (
        lambda: Scale((1, 4, 4), CONVOLUTIONS, Chain([CheckerboardCoupling((2, 2, 2), CONVOLUTIONS)])),
        (1, 4, 4),
    ),
    "no map at all": (lambda: Chain(), (3,)),
    "chain": (lambda: Chain([AffineCoupling(3, NETWORK), AdditiveCoupling(3, NETWORK), DiagonalScaling(3)]), (3,)),
}
MODELS = {
    "NICE": (lambda: NICE(5, hidden_dim=16), (5,)),
    "NICE of images": (lambda: NICE((1, 3, 3), hidden_dim=16, prior="normal"), (1, 3, 3)),
    "RealNVP": (lambda: RealNVP(3, 4, 16), (3,)),
    "RealNVP, logistic": (lambda: RealNVP(2, 3, 16, prior="logistic"), (2,)),
    "one scale": (lambda: ImageRealNVP((1, 3, 3), 2, n_scales=1, hidden_dim=8, n_blocks=1), (1, 3, 3)),
    "two scales": (lambda: ImageRealNVP((1, 4, 2), 17, hidden_dim=8, n_blocks=1), (1, 4, 2)),
    "three scales in colour": (lambda: ImageRealNVP((3, 8, 4), n_scales=3, hidden_dim=8, n_blocks=1), (3, 8, 4)),
}
EVERYTHING = {**TRANSFORMS, **MODELS}


def bent(make, size=0.3, dtype=torch.float64):
    """A map with weights that bend, since a new one is the identity."""
    seed_everything(0)
    module = make().to(dtype)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(size * torch.randn_like(parameter) / parameter[0].numel() ** 0.5)
    return module


def inputs(module, shape, n=4, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    levels = [part.levels for part in module.modules() if isinstance(part, Logit)]
    if levels:
        return levels[0] * torch.rand(n, *shape, generator=generator, dtype=dtype).clamp(1e-4, 1 - 1e-4)
    return torch.randn(n, *shape, generator=generator, dtype=dtype)


def as_a_map(module):
    """A flow's inverse leaves the log-determinant out; its chain gives both."""
    return module.transforms if isinstance(module, Flow) else module


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", EVERYTHING)
def test_inverse_after_forward_is_the_identity_and_the_log_determinants_cancel(name, training):
    """In double precision to 1e-9, and in single precision to 1e-3 of the scale of x."""
    make, shape = EVERYTHING[name]
    for dtype, tolerance in ((torch.float64, 1e-9), (torch.float32, 1e-3)):
        module = as_a_map(bent(make, dtype=dtype).train(training))
        x = inputs(bent(make), shape, n=50, dtype=dtype)
        z, logabsdet = module(x)
        back, inverse_logabsdet = module.inverse(z)
        scale = float(x.abs().max())
        assert z.dtype == logabsdet.dtype == dtype
        assert logabsdet.shape == inverse_logabsdet.shape == (50,)
        assert torch.allclose(back, x, rtol=0, atol=tolerance * scale)
        assert torch.allclose(logabsdet, -inverse_logabsdet, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", EVERYTHING)
def test_the_log_determinant_is_that_of_the_autograd_jacobian(name):
    make, shape = EVERYTHING[name]
    module = as_a_map(bent(make))
    x = inputs(module, shape, n=2)
    z, logabsdet = module(x)
    assert torch.allclose(logabsdet, jacobian_log_determinant(lambda v: module(v)[0], x), atol=1e-9)
    truth = jacobian_log_determinant(lambda v: module.inverse(v)[0], z.detach())
    assert torch.allclose(module.inverse(z)[1], truth, atol=1e-8)


@pytest.mark.parametrize("name", [name for name, (make, _) in EVERYTHING.items() if list(make().parameters())])
def test_every_parameter_receives_a_gradient(name):
    make, shape = EVERYTHING[name]
    module = as_a_map(bent(make))
    z, logabsdet = module(inputs(module, shape))
    (z.square().sum() + logabsdet.sum()).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in module.parameters())


@pytest.mark.parametrize("name", MODELS)
def test_a_row_does_not_depend_on_its_batch_nor_on_the_mode(name):
    make, shape = MODELS[name]
    model = bent(make)
    x = inputs(model, shape, n=6)
    whole = model.train().log_prob(x)
    assert whole.shape == (6,)
    parts = torch.cat([model.eval().log_prob(row) for row in x.split(1)])
    assert torch.allclose(whole, parts, rtol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_steps_lead_from_x_to_z_and_back(name):
    make, shape = MODELS[name]
    model = bent(make)
    x = inputs(model, shape)
    there = model.steps(x)
    assert len(there) == len(model.transforms) + 1
    assert torch.equal(there[0][0], x)
    z, logabsdet = model(x)
    assert torch.equal(there[-1][0], z)
    assert torch.equal(there[-1][1], logabsdet)
    back = model.inverse_steps(z)
    for (state, total), (again, inverse_total) in zip(reversed(there), back, strict=True):
        assert torch.allclose(state, again, atol=1e-7)
        assert torch.allclose(total - logabsdet, inverse_total, atol=1e-7)
    assert torch.equal(back[-1][0], model.inverse(z))
    assert torch.allclose(model.prior_log_prob(z) - back[-1][1], model.log_prob(x))


@pytest.mark.parametrize("name", MODELS)
def test_samples_keep_shape_type_and_mode_and_follow_the_generator(name):
    make, shape = MODELS[name]
    model = bent(make).train()
    model.transforms[0].eval()
    modes = [part.training for part in model.modules()]
    draws = [model.sample(3, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert [part.training for part in model.modules()] == modes
    assert draws[0].shape == (3, *shape)
    assert draws[0].dtype == torch.float64
    assert not draws[0].requires_grad
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert model.log_prob(draws[0]).isfinite().all()


@pytest.mark.parametrize("name", MODELS)
def test_a_flow_stands_at_its_leaf_of_the_taxonomy(name):
    assert taxonomy.place(MODELS[name][0]()) == "explicit density / tractable / invertible (flow)"


@pytest.mark.parametrize("name", ["NICE", "NICE of images", "RealNVP", "one scale"])
def test_couplings_alternate_so_that_two_in_a_row_move_every_dimension_once(name):
    make, shape = MODELS[name]
    model = bent(make)
    states = [state for state, _ in model.steps(inputs(model, shape))]
    moved = [
        (before != after).any(0)
        for (before, after), transform in zip(itertools.pairwise(states), model.transforms, strict=True)
        if isinstance(transform, (AdditiveCoupling, AffineCoupling, CheckerboardCoupling))
    ]
    assert len(moved) >= 4
    assert all(torch.equal(now, ~then) for then, now in itertools.pairwise(moved))


def test_nice_needs_three_layers_until_every_dimension_depends_on_every_other():
    for n_layers, expected in ((2, False), (3, True)):
        model = bent(lambda n=n_layers: NICE(6, n, 64), size=2.0)
        jacobian = torch.autograd.functional.jacobian(lambda v, m=model: m(v)[0], torch.randn(1, 6).double())
        assert bool((jacobian != 0).all()) == expected


def test_nice_moves_volume_by_its_scaling_alone():
    model = bent(lambda: NICE(4))
    logabsdet = model(torch.randn(9, 4).double())[1]
    assert torch.allclose(logabsdet, model.transforms[-1].log_scale.sum().expand(9))


def grid(model, n=1200):
    """Midpoints of squares that cover all draws and as much again on every side, and the area of one."""
    draws = model.sample(20_000, generator=torch.Generator().manual_seed(0))
    low, high = draws.amin(0), draws.amax(0)
    low, high = low - (high - low) / 2, high + (high - low) / 2
    axes = [torch.linspace(0.5 / n, 1 - 0.5 / n, n).double() * (b - a) + a for a, b in zip(low, high, strict=True)]
    return torch.cartesian_prod(*axes), float((high - low).prod()) / n**2


@pytest.mark.parametrize("prior", ["normal", "logistic"])
@pytest.mark.parametrize("kind", [NICE, RealNVP])
@torch.no_grad()
def test_the_density_in_the_plane_integrates_to_one_and_draws_follow_it(kind, prior):
    """The share of 100,000 draws to the right of the density's mean in x_1, to within 6 standard errors; the same for
    x_2 and for x_1 x_2: a false alarm less than once in 10^8.
    """
    model = bent(lambda: kind(2, 4, 16, prior=prior), size=0.5)
    points, area = grid(model)
    mass = torch.cat([model.log_prob(part) for part in points.split(100_000)]).exp() * area
    assert abs(float(mass.sum()) - 1) < 1e-3
    draws = model.sample(100_000, generator=torch.Generator().manual_seed(5))
    centre = (mass.unsqueeze(1) * points).sum(0)
    for inside in (lambda x: x[:, 0] > centre[0], lambda x: x[:, 1] > centre[1], lambda x: (x > centre).all(1)):
        expected, found = float(mass[inside(points)].sum()), float(inside(draws).double().mean())
        assert abs(found - expected) < 6 * math.sqrt(expected * (1 - expected) / 100_000) + 1e-3


def test_priors_have_the_densities_of_torch_s_and_draws_to_match():
    """Shares of 200,000 draws in [-1, 1] to within 6 standard errors: a false alarm less than once in 10^8."""
    uniform = torch.distributions.Uniform(torch.zeros(()).double(), 1.0)
    logistic = torch.distributions.TransformedDistribution(
        uniform, [torch.distributions.SigmoidTransform().inv, torch.distributions.AffineTransform(0.0, 1.0)]
    )
    z = torch.tensor([[-30.0, 0.0], [1.5, -4.0]]).double()
    for prior, peer in (("logistic", logistic), ("normal", torch.distributions.Normal(0.0, 1.0))):
        model = Flow([], 2, prior=prior).double()
        assert torch.allclose(model.log_prob(z), peer.log_prob(z).sum(1), rtol=1e-9)
        share = float(peer.cdf(torch.tensor(1.0).double()) - peer.cdf(torch.tensor(-1.0).double()))
        draws = model.sample(100_000, generator=torch.Generator().manual_seed(0))
        found = float((draws.abs() < 1).double().mean())
        assert abs(found - share) < 6 * math.sqrt(share * (1 - share) / 200_000)
    far = torch.tensor([[-1e4, 2e4]])
    assert Flow([], 2, prior="logistic").log_prob(far) == -3e4  # no overflow


def test_a_new_real_nvp_is_its_prior():
    x = torch.randn(7, 3)
    z, logabsdet = RealNVP(3, 4, 16)(x)
    assert torch.equal(z, x)
    assert not logabsdet.any()


def test_the_uniform_model_takes_exactly_8_bits():
    """Logistic noise through its own distribution function is uniform, whatever the image."""
    model = Flow([Logit(256, margin=0.0)], (1, 4, 4), prior="logistic").double()
    x = 256 * torch.rand(20, 1, 4, 4).double()
    assert torch.allclose(bits_per_dim(model.log_prob(x), 16), torch.tensor(8.0).double(), rtol=0, atol=1e-12)


def test_dark_and_bright_are_alike_to_the_logit_and_its_inverse_keeps_to_its_interval():
    logit = Logit(10, margin=0.05)
    x = 10 * torch.rand(6, 3).double()
    assert torch.allclose(logit(10 - x)[0], -logit(x)[0])
    ends = logit.inverse(torch.tensor([[-torch.inf, torch.inf]]).double())[0]
    beyond = 0.05 * 10 / 0.9
    assert torch.allclose(ends, torch.tensor([[-beyond, 10 + beyond]]).double())


@pytest.mark.parametrize("make", [NICE, RealNVP, lambda size, **options: ImageRealNVP((1, size, 1), 4, 1, **options)])
def test_every_model_has_the_prior_that_was_asked_for(make):
    z = torch.tensor([[5.0, -1.0]])
    for prior in ("normal", "logistic"):
        assert make(2, prior=prior).prior_log_prob(z) == Flow([], 2, prior=prior).log_prob(z)


@pytest.mark.parametrize("name", ["moons", "eight_gaussians"])
def test_real_nvp_learns_far_more_than_a_gaussian(name):
    """No Gaussian is better than the one with the covariance of the data; the flow gains at least half a nat."""
    x, test = data.load(name).x, data.load(name, "test").x
    gaussian = torch.distributions.MultivariateNormal(test.mean(0), test.T.cov(correction=0)).log_prob(test).mean()
    seed_everything(0)
    model = RealNVP(2, 6, 32)
    fit(model, x, steps=400, lr=5e-3, batch_size=256, progress=False)
    with torch.no_grad():
        assert model.log_prob(test).mean() > gaussian + 0.5


def test_a_network_of_your_own_is_made_for_every_coupling():
    made = []

    def network(n_in, n_out):
        made.append((n_in, n_out))
        return torch.nn.Linear(n_in, n_out)

    RealNVP(5, 2, network=network)
    NICE(5, 2, network=network)
    assert made == [(2, 6), (3, 4), (2, 3), (3, 2)]
    made.clear()
    ImageRealNVP((1, 4, 4), network=network)
    assert sorted(made) == [(1, 2)] * 3 + [(2, 4)] * 7


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RealNVP(1), "at least 2"),
        (lambda: NICE(1), "at least 2"),
        (lambda: RealNVP(2, 0), "positive sizes"),
        (lambda: NICE((1, 0, 3)), "positive sizes"),
        (lambda: RealNVP(2, prior="uniform"), "expected one of 'normal', 'logistic'"),
        (lambda: RealNVP(2).log_prob(torch.zeros(3, 4)), r"x has shape \(3, 4\); expected \(B, 2\)"),
        (lambda: RealNVP(2).log_prob(torch.zeros(2)), r"expected \(B, 2\)"),
        (lambda: RealNVP(2).inverse(torch.zeros(3, 1)), r"z has shape \(3, 1\); expected \(B, 2\)"),
        (lambda: NICE((1, 2, 2)).inverse(torch.zeros(3, 1, 2, 2)), r"expected \(B, 4\)"),
        (lambda: RealNVP(2).log_prob(torch.zeros(3, 2, dtype=torch.long)), "dequantise"),
        (lambda: RealNVP(2).log_prob(torch.zeros(3, 2), torch.zeros(3)), "not conditional"),
        (lambda: RealNVP(2).sample(3, y=torch.zeros(3)), "not conditional"),
        (lambda: Flow([], (1, 4, 4), latent_shape=(15,)), "as many numbers in z as in x"),
        (lambda: Reorder(torch.tensor([0, 2, 2])), "no permutation of 0 .. 2"),
        (lambda: Reorder(torch.arange(3), (2, 2)), "no permutation of 0 .. 3"),
        (lambda: Logit(1), "at least 2 levels"),
        (lambda: Logit(256, 0.5), r"margin in \[0, 1/2\)"),
        (lambda: Logit(256, 0.0)(torch.zeros(1, 3)), "values from 0 to 0; expected values between 0 and 256"),
        (lambda: Logit(4)(torch.tensor([[2.0, float("nan")]])), "between 0 and 4"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()
