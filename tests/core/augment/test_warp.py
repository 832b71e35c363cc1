import math

import pytest
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from core.augment.warp import (
    Affine,
    Crop,
    Cut,
    Elastic,
    Perspective,
    QuarterTurn,
    Rotation,
    Shear,
    Shift,
    Zoom,
    _places,
    warp,
)

EVERY = [QuarterTurn(), Rotation(30), Zoom(0.5, 2.0), Shift(0.2), Shear(20), Crop(0.3, 1.5)]
EVERY += [Affine(20, 1.3, 0.1, 10), Cut(0.7)]
SLANTED = Perspective(0.2)
BENT = Elastic(1.0, 4)


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


@pytest.mark.parametrize("transform", [*EVERY, SLANTED, BENT], ids=lambda transform: type(transform).__name__)
def test_masks_go_the_same_way_as_their_image_and_keep_their_classes(transform: v2.Transform):
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


def test_a_cut_shows_a_square_of_its_size_from_anywhere_in_the_image():
    torch.manual_seed(0)
    drawn = torch.stack([Cut(0.7).draw() for _ in range(300)])
    assert torch.allclose(drawn[:, [0, 1], [0, 1]], torch.tensor(0.7))
    reach = drawn[:, :2, 2].abs().amax(0)
    assert (reach <= 0.3 + 1e-6).all()
    assert (reach > 0.28).all()


def test_an_affine_draw_turns_zooms_shifts_and_slants_within_its_bounds():
    torch.manual_seed(0)
    still = Affine(0, 1.0, 0.0, 0).draw()
    assert torch.allclose(still, torch.eye(3), atol=1e-6)
    drawn = torch.stack([Affine(20, 1.5, 0.1, 0).draw() for _ in range(300)])
    areas = torch.det(drawn[:, :2, :2]).sqrt()
    assert 1 / 1.5 <= areas.min() < 0.7
    assert 1.45 < areas.max() <= 1.5 + 1e-6
    angles = torch.rad2deg(torch.atan2(drawn[:, 1, 0], drawn[:, 0, 0]))
    assert 18 < angles.max() <= 20 + 1e-3


def test_perspective_moves_each_corner_by_no_more_than_it_should_and_keeps_straight_lines():
    torch.manual_seed(0)
    corners = torch.tensor([[-1.0, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]]).T
    line = torch.stack([torch.linspace(-1, 1, 5), torch.linspace(-0.5, 0.9, 5), torch.ones(5)])
    furthest = torch.zeros(2)
    for _ in range(200):
        matrix = Perspective(0.15).draw()
        seen = matrix @ corners
        assert (seen[2] > 0).all(), "nothing is behind the eye"
        furthest = torch.maximum(furthest, (seen[:2] / seen[2] - corners[:2]).abs().amax(1))
        x, y = (matrix @ line)[:2] / (matrix @ line)[2]
        slopes = (y[1:] - y[:-1]) / (x[1:] - x[:-1])
        assert torch.allclose(slopes, slopes[0].expand(4), rtol=1e-2)
    assert (furthest <= 0.3 + 1e-4).all()
    assert (furthest > 0.28).all()


def test_a_slanted_map_in_the_batch_leaves_the_others_as_they_are():
    torch.manual_seed(0)
    turn, slant = Rotation(30).draw(), SLANTED.draw()
    image = torch.randint(0, 256, (2, 3, 24, 24), dtype=torch.uint8)
    together = warp(image, torch.stack([turn, slant]))
    assert torch.equal(together[:1], warp(image[:1], turn[None]))
    assert torch.equal(together[1:], warp(image[1:], slant[None]))


def test_places_far_outside_a_slanted_plane_are_still_places():
    torch.manual_seed(0)
    for _ in range(50):
        places = _places((SLANTED.draw() @ torch.diag(torch.tensor([4.0, 4.0, 1.0])))[None], 16)
        assert places.isfinite().all()


@pytest.mark.parametrize("bumps", [2, 5, 12])
def test_bending_never_folds_the_image_over_itself(bumps):
    """Brightness grows from left to right and would fall somewhere after a fold."""
    torch.manual_seed(1)
    for _ in range(30):
        across = (torch.arange(192) * 1.3).to(torch.uint8).expand(3, 192, 192)
        bent = Elastic(1.0, bumps)(across)[0].int()
        inner = bent[:, 24:-24]
        assert (inner[:, 2:] - inner[:, :-2] >= 0).all()


def test_bending_with_no_strength_changes_nothing_and_more_strength_moves_further():
    image = ramp(48)[0]
    assert torch.equal(Elastic(0.0, 4)(image), image)
    moved = []
    for strength in (0.2, 1.0):
        torch.manual_seed(0)
        moved.append(float((Elastic(strength, 4)(image).float() - image).abs().mean()))
    assert moved[1] > 3 * moved[0] > 0
