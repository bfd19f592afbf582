"""What a trained model is worth: likelihoods of data, features with few labels, latents against known factors."""

from genlib.evaluate.averages import average, importance_weighted_log_prob, test_nll
from genlib.evaluate.disentanglement import beta_vae_score, mutual_information, mutual_information_gap
from genlib.evaluate.features import few_label_accuracy, few_labels
from genlib.evaluate.latents import active_units, perplexity

__all__ = [
    "active_units",
    "average",
    "beta_vae_score",
    "few_label_accuracy",
    "few_labels",
    "importance_weighted_log_prob",
    "mutual_information",
    "mutual_information_gap",
    "perplexity",
    "test_nll",
]
