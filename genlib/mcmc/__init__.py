"""Markov chains, many at a time: samplers, annealed importance sampling, and whether the chains can be trusted.

A state of all chains is one tensor ``(n_chains, *shape)``; a log density takes it and returns ``(n_chains,)``, in nats,
and need not be normalised. Samples are ``(n_steps, n_chains, *shape)``.
"""

from genlib.mcmc.annealing import AnnealedEstimate, annealed_importance_sampling, geometric_path
from genlib.mcmc.chains import Chains, gibbs
from genlib.mcmc.diagnostics import effective_sample_size, r_hat
from genlib.mcmc.metropolis import langevin, metropolis_hastings

__all__ = [
    "AnnealedEstimate",
    "Chains",
    "annealed_importance_sampling",
    "effective_sample_size",
    "geometric_path",
    "gibbs",
    "langevin",
    "metropolis_hastings",
    "r_hat",
]
