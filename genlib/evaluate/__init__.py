"""What a trained model is worth: likelihoods of data, samples beside data, features with few labels, latents."""

from genlib.evaluate.averages import average, importance_weighted_log_prob, test_nll
from genlib.evaluate.classifier import ClassQuality, SmallClassifier, class_quality, fit_classifier
from genlib.evaluate.coverage import ModeCoverage, PrecisionRecall, mode_coverage, precision_recall
from genlib.evaluate.disentanglement import beta_vae_score, mutual_information, mutual_information_gap
from genlib.evaluate.features import few_label_accuracy, few_labels
from genlib.evaluate.frechet import fid, frechet_distance
from genlib.evaluate.latents import active_units, perplexity
from genlib.evaluate.parzen import parzen_bandwidth, parzen_log_prob
from genlib.evaluate.two_sample import TwoSampleTest, classifier_test, maximum_mean_discrepancy, mmd_test

__all__ = [
    "ClassQuality",
    "ModeCoverage",
    "PrecisionRecall",
    "SmallClassifier",
    "TwoSampleTest",
    "active_units",
    "average",
    "beta_vae_score",
    "class_quality",
    "classifier_test",
    "few_label_accuracy",
    "few_labels",
    "fid",
    "fit_classifier",
    "frechet_distance",
    "importance_weighted_log_prob",
    "maximum_mean_discrepancy",
    "mmd_test",
    "mode_coverage",
    "mutual_information",
    "mutual_information_gap",
    "parzen_bandwidth",
    "parzen_log_prob",
    "perplexity",
    "precision_recall",
    "test_nll",
]
