import time

import numpy as np
import pytest
import torch

from core.errors import TrainingError
from core.train.convex import solve


def blobs(images=120, features=6, classes=3, seed=0):
    """Overlapping clouds, one for each class, with features of very different size."""
    generator = np.random.default_rng(seed)
    labels = np.arange(images) % classes
    middles = generator.normal(size=(classes, features))
    scale = np.logspace(-1, 2, features)
    return ((middles[labels] + generator.normal(size=(images, features))) * scale + 3).astype(np.float32), labels


def objective(weight, bias, features, labels, decay, class_weights=None):
    """The documented one, in float64."""
    deviation = torch.from_numpy(features.astype(np.float64)).std(0, correction=0)
    targets = torch.from_numpy(labels)
    losses = torch.nn.functional.cross_entropy(
        torch.from_numpy(features).double() @ weight.T + bias, targets, reduction="none"
    )
    counted = torch.ones(len(weight), dtype=torch.float64) if class_weights is None else torch.as_tensor(class_weights)
    return (losses * counted[targets]).mean() + decay / 2 * ((weight * deviation) ** 2).sum()


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_no_other_head_is_better(classes, weighted):
    features, labels = blobs(classes=classes)
    class_weights = np.linspace(0.2, 2.0, classes) if weighted else None
    answer = solve(features, labels, classes=classes, weight_decay=0.05, class_weights=class_weights)
    assert [part.dtype for part in answer] == [np.float32, np.float32]
    weight, bias = (torch.from_numpy(part).double() for part in answer)
    found = objective(weight, bias, features, labels, 0.05, class_weights)

    best = torch.cat([weight, bias[:, None]], 1).requires_grad_()  # where a search of another kind goes on from there
    search = torch.optim.LBFGS([best], max_iter=500, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def value():
        search.zero_grad()
        now = objective(best[:, :-1], best[:, -1], features, labels, 0.05, class_weights)
        now.backward()
        return now

    search.step(value)
    assert 0 <= found - value() < 1e-5


def test_more_decay_makes_smaller_weights_and_none_still_ends():
    features, labels = blobs(images=30, features=40)  # can be told apart without a mistake
    sizes = [np.abs(solve(features, labels, classes=3, weight_decay=decay)[0]).sum() for decay in (0.0, 0.01, 1.0)]
    assert sizes[0] > sizes[1] > sizes[2] > 0
    assert np.isfinite(sizes).all()


def test_the_size_of_a_feature_makes_no_difference():
    features, labels = blobs()
    weight, bias = solve(features, labels, classes=3, weight_decay=0.1)
    larger, same = solve(features * 64, labels, classes=3, weight_decay=0.1)
    np.testing.assert_allclose(larger * 64, weight, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(same, bias, rtol=1e-3, atol=1e-4)


def test_a_feature_that_stands_still_is_borne():
    features, labels = blobs()
    features[:, 2] = 7.0
    weight, _ = solve(features, labels, classes=3, weight_decay=0.01)
    assert np.isfinite(weight).all()
    np.testing.assert_allclose(weight[:, 2], 0, atol=1e-6)


def test_a_heavier_class_is_found_more_often():
    features, labels = blobs(features=1)

    def found(class_weights):
        weight, bias = solve(features, labels, classes=3, weight_decay=0.01, class_weights=np.array(class_weights))
        return int(((features @ weight.T + bias).argmax(1) == 0).sum())

    assert found([10.0, 1.0, 1.0]) > found([1.0, 1.0, 1.0]) > found([0.1, 1.0, 1.0])


def test_the_same_input_gives_the_same_bits():
    features, labels = blobs(images=400, features=64)
    one, two = (solve(features, labels, classes=3, weight_decay=0.01) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_what_cannot_be_solved_is_told_in_a_sentence():
    features, labels = blobs()
    with pytest.raises(TrainingError, match="no training image of class number 4"):
        solve(features, labels, classes=4, weight_decay=0.01)
    features[3, 2] = np.nan
    with pytest.raises(TrainingError, match="not numbers"):
        solve(features, labels, classes=3, weight_decay=0.01)


def test_a_thousand_images_take_less_than_half_a_second():
    generator = np.random.default_rng(0)
    labels = np.arange(1000) % 10
    middles = generator.normal(scale=0.15, size=(10, 1280))
    features = np.maximum(generator.normal(size=(1000, 1280)) + middles[labels], 0).astype(np.float32)
    solve(features[:50], labels[:50], classes=10, weight_decay=0.01)
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        solve(features, labels, classes=10, weight_decay=0.01)
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.5
