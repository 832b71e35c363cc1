"""A linear head solved to the end: the best one there is for stored features, found in one go.

With the backbone frozen and no augmentation drawn anew, the loss of a linear head is convex: it has one minimum, which
does not depend on a learning rate, a schedule or the order of batches. scikit-learn's logistic regression (L-BFGS)
walks there in hundredths of a second.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from core.errors import TrainingError

LEAST_DECAY = 1e-6  # without any, classes that can be told apart have no minimum: weights would grow for ever
MOST_ITERATIONS = 500
TOLERANCE = 1e-5  # largest entry of the gradient that counts as none
_STILL = 1e-6  # a feature that varies less than this share of its size says nothing


def solve(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    classes: int,
    weight_decay: float,
    class_weights: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The weight (K, F) and bias (K,), float32, of the linear head that minimises

        mean over images of  w[label] * cross-entropy(logits, label)   +   weight_decay / 2 * sum(V ** 2)

    where the logits are `features` (N, F) float32 times the weight plus the bias, w are `class_weights` (K,) or all 1,
    and V is the weight for features scaled to a standard deviation of 1 (V = weight * deviation). So the same decay
    means the same for every backbone, whatever the size of its features; the bias is free. What comes back belongs to
    the features as they are. A decay below 1e-6 counts as that. `labels` (N,) are class indices.

    Same input, same bits, however many cores there are: sums are made in one thread, which is also ten times faster
    than two that wait for each other at every one of these small products.
    Raises TrainingError when a class has no image, or when features are not finite.
    """
    missing = sorted(set(range(classes)) - set(np.unique(labels).tolist()))
    if missing:
        raise TrainingError(
            "The head cannot be solved for",
            found="no training image of class number " + ", ".join(str(index + 1) for index in missing[:5]),
            expected="at least one of each class",
        )
    if not np.isfinite(features).all():
        raise TrainingError("The head cannot be solved for", found="features that are not numbers")
    mean, deviation = _scale(features)
    scaled = features.astype(np.float32) - mean.astype(np.float32)
    scaled /= deviation.astype(np.float32)
    decay = max(weight_decay, LEAST_DECAY)
    # scikit-learn sums over images where we take the mean. Of two classes it knows one row of weights, v = V1 - V0,
    # and at the minimum V1 = -V0 = v / 2, so that our penalty of both rows is half of what it would take of v.
    strength = 1 / (len(features) * decay) * (2 if classes == 2 else 1)
    model = LogisticRegression(C=strength, max_iter=MOST_ITERATIONS, tol=TOLERANCE)
    weighted = None if class_weights is None else np.asarray(class_weights, np.float64)[labels]
    with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
        warnings.simplefilter("ignore", ConvergenceWarning)  # after 500 steps it is as good as there
        model.fit(scaled, labels, sample_weight=weighted)
    weight, bias = model.coef_.astype(np.float64), model.intercept_.astype(np.float64)
    if classes == 2:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weight = weight / deviation
    return weight.astype(np.float32), (bias - weight @ mean).astype(np.float32)


def _scale(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (F,) of each feature; one that stands still is left at its size."""
    mean, deviation = features.mean(0, dtype=np.float64), features.std(0, dtype=np.float64)
    still = deviation <= _STILL * np.maximum(1, np.abs(mean))
    return mean, np.where(still, 1, deviation)
