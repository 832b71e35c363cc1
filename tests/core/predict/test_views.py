import pytest
import torch

from core.predict.views import POSITIONS, from_all_sides, put_back, seen_from


def picture(count: int = 2, size: int = 6) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def by_pixel(images: torch.Tensor) -> torch.Tensor:
    """A network that looks at each pixel alone: it answers a turned picture with the turned answer."""
    return torch.softmax(images.float() / 50, dim=1)


def by_place(images: torch.Tensor) -> torch.Tensor:
    """A network that says "class 1" of the upper left quarter and "class 0" of the rest, whatever it is shown."""
    maps = torch.zeros(len(images), 2, *images.shape[-2:])
    half = images.shape[-1] // 2
    maps[:, 1, :half, :half] = 1
    maps[:, 0] = 1 - maps[:, 1]
    return maps


def test_a_square_has_eight_positions_and_all_are_seen():
    assert len({seen_from(picture(1), *position).numpy().tobytes() for position in POSITIONS}) == 8


@pytest.mark.parametrize("position", POSITIONS)
def test_what_is_turned_comes_back_as_it_was(position):
    assert torch.equal(put_back(seen_from(picture(), *position), *position), picture())


def test_a_network_that_does_not_care_for_the_side_agrees_with_itself():
    looked = from_all_sides(by_pixel)(picture())
    assert looked.shape == (2, 4, 6, 6)
    assert torch.allclose(looked[:, :3], by_pixel(picture()), atol=1e-6)
    assert not looked[:, 3].any()


def test_disagreement_is_the_share_of_views_that_say_otherwise_than_their_mean():
    looked = from_all_sides(by_place)(picture(1, 4))[0]
    # Each quarter of the square is the upper left one in two of the eight positions, so the mean says "class 0" with
    # 0.75 everywhere, and two of the eight disagree.
    assert torch.equal(looked[0], torch.full((4, 4), 0.75))
    assert torch.equal(looked[1], torch.full((4, 4), 0.25))
    assert torch.equal(looked[2], torch.full((4, 4), 0.25))


def test_probabilities_still_sum_to_one():
    looked = from_all_sides(by_place)(picture(3, 8))
    assert torch.allclose(looked[:, :2].sum(dim=1), torch.ones(3, 8, 8))
    assert ((looked[:, 2] >= 0) & (looked[:, 2] <= 1)).all()
