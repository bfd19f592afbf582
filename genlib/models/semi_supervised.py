"""Learning from a few labelled and many unlabelled examples by expectation maximisation."""

import torch
import torch.nn.functional as F
from torch import Tensor

from genlib.models.class_conditional import ClassConditionalGaussian
from genlib.models.class_fitting import class_log_prior


def fit_semi_supervised(
    x_labelled: Tensor,
    y: Tensor,
    x_unlabelled: Tensor,
    *,
    covariance: str = "shared",
    ridge: float = 1e-3,
    n_steps: int = 30,
) -> ClassConditionalGaussian:
    """Fit class Gaussians to a few labelled and many unlabelled examples by EM (Nigam et al., 2000, section 5.1).

    ``x_labelled (N, *data_shape)`` has labels ``y (N,)``, which stay fixed; ``x_unlabelled (M, *data_shape)`` counts
    for each class by the class's probability under the model of the step before. Every class needs a label.
    Each step raises sum log p(x, y) + sum log p(x), but for the ridge. Raises ``ValueError`` as ``fit`` does.
    """
    n_classes = len(class_log_prior(x_labelled, y))
    model = ClassConditionalGaussian.fit(x_labelled, y, covariance=covariance, ridge=ridge)
    if x_unlabelled.shape[1:] != x_labelled.shape[1:]:
        raise ValueError(
            f"received x_labelled {tuple(x_labelled.shape)} and x_unlabelled {tuple(x_unlabelled.shape)}; expected "
            "examples of one shape"
        )
    known = F.one_hot(y, n_classes).to(x_labelled.dtype)  # (N, C)
    x = torch.cat([x_labelled, x_unlabelled])
    for _ in range(n_steps):
        weights = torch.cat([known, model.log_posterior(x_unlabelled).exp()])  # (N + M, C)
        model = ClassConditionalGaussian.from_weights(x, weights, covariance=covariance, ridge=ridge)
    return model
