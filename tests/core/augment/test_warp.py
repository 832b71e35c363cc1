import math

import pytest
import torch
from torchvision import tv_tensors

from core.augment.warp import Crop, QuarterTurn, Rotation, Shear, Shift, Warp, Zoom, _places, warp

EVERY = [QuarterTurn(), Rotation(30), Zoom(0.5, 2.0), Shift(0.2), Shear(20), Crop(0.3, 1.5)]


def ramp(size: int) -> torch.Tensor:
    """Brightness grows by 4 a pixel from left to right."""
    return (4 * torch.arange(size)).to(torch.uint8).expand(1, 3, size, size).clone()


def matrix(*rows: list[float]) -> torch.Tensor:
    return torch.tensor([*rows, [0.0, 0.0, 1.0]])[None]


def test_the_map_that_moves_nothing_changes_nothing():
    assert torch.equal(warp(ramp(16), torch.eye(3)[None]), ramp(16))


def test_a_map_says_for_each_place_of_the_result_which_place_of_the_source_it_shows():
    moved = warp(ramp(16), matrix([1.0, 0.0, 2 * 3 / 16], [0.0, 1.0, 0.0]))
    assert torch.equal(moved[..., :13], ramp(16)[..., 3:]), "the image moved three pixels to the left"


def test_what_lies_outside_is_the_mirror_image():
    moved = warp(ramp(16), matrix([1.0, 0.0, 2 * 3 / 16], [0.0, 1.0, 0.0]))
    assert torch.equal(moved[..., 13:], ramp(16)[..., [15, 14, 13]])


@pytest.mark.parametrize("side", [15, 64])
def test_places_are_those_of_torchs_own_grid(side):
    torch.manual_seed(0)
    maps = torch.stack([transform.draw() for transform in EVERY])
    theirs = torch.nn.functional.affine_grid(maps[:, :2], [len(EVERY), 3, side, side], align_corners=False)
    torch.testing.assert_close(_places(maps, side), theirs)


def test_a_quarter_turn_loses_no_pixel():
    image = torch.randint(0, 256, (1, 3, 15, 15), dtype=torch.uint8)
    torch.manual_seed(0)
    seen = set()
    for _ in range(30):
        turned = warp(image, QuarterTurn().draw()[None])
        seen.add(next(k for k in range(4) if torch.equal(turned, torch.rot90(image, k, (2, 3)))))
    assert seen == {1, 2, 3}


@pytest.mark.parametrize("transform", EVERY, ids=lambda transform: type(transform).__name__)
def test_masks_go_the_same_way_as_their_image_and_keep_their_classes(transform: Warp):
    """Left half 0, right half 200: after any move the mask still says which pixels are bright."""
    torch.manual_seed(3)
    image = torch.zeros(3, 32, 32, dtype=torch.uint8)
    image[:, :, 16:] = 200
    mask = tv_tensors.Mask((image[0] > 0).to(torch.uint8))
    for _ in range(10):
        moved, moved_mask = transform(tv_tensors.Image(image), mask)
        assert isinstance(moved_mask, tv_tensors.Mask)
        assert set(moved_mask.unique().tolist()) <= {0, 1}
        agree = (moved[0] > 100) == (moved_mask > 0)
        assert agree.float().mean() > 0.95, "but for pixels cut by the edge"


def test_rotation_keeps_within_its_degrees():
    torch.manual_seed(0)
    angles = [math.degrees(math.atan2(turn[1, 0], turn[0, 0])) for turn in (Rotation(20).draw() for _ in range(300))]
    assert min(angles) == pytest.approx(-20, abs=1)
    assert max(angles) == pytest.approx(20, abs=1)


def test_zoom_keeps_within_its_factors_and_enlarges_as_often_as_it_shrinks():
    torch.manual_seed(0)
    factors = torch.tensor([1 / float(Zoom(0.5, 2.0).draw()[0, 0]) for _ in range(500)])
    assert 0.5 <= factors.min() < 0.52
    assert 1.95 < factors.max() <= 2.0
    assert (factors > 1).float().mean() == pytest.approx(0.5, abs=0.06)


def test_a_crop_shows_only_what_is_in_the_image_and_at_least_the_area_it_should():
    torch.manual_seed(0)
    for _ in range(300):
        (width, _, x), (_, height, y), _ = Crop(0.3, 1.5).draw().tolist()
        assert abs(x) + width <= 1 + 1e-6
        assert abs(y) + height <= 1 + 1e-6
        assert 0.3 / 1.5 - 1e-6 <= width * height <= 1
        assert 1 / 1.5 - 1e-6 <= width / height <= 1.5 + 1e-6
