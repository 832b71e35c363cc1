import pytest
import torch

from core.augment import pipeline
from core.augment.catalog import POLICIES, TRANSFORMS, resolve
from core.augment.pipeline import Augmentation, sample_seed
from core.augment.warp import warp
from core.errors import RecipeError
from core.recipe import AugmentChoice, TransformChoice


def pictures(count: int, size: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)


def seeds(count: int, draw: int = 0) -> list[int]:
    return [sample_seed(7, f"{number:06d}", draw) for number in range(count)]


def only(name: str, probability: float = 1.0, **values: float) -> Augmentation:
    return Augmentation([TransformChoice(name=name, probability=probability, values=values)])


EVERYTHING = [AugmentChoice(policy=p.name) for p in POLICIES]
EVERYTHING += [AugmentChoice(policy=row.name, rows=(TransformChoice(name=row.name),)) for row in TRANSFORMS]


@pytest.mark.parametrize("choice", EVERYTHING, ids=lambda choice: choice.policy)
def test_a_variant_depends_on_its_image_and_seed_and_not_on_its_company(choice):
    augmentation, images = Augmentation(resolve(choice)), pictures(6)
    together = augmentation(images, seeds(6))
    assert (together.shape, together.dtype) == (images.shape, torch.uint8)
    backwards = augmentation(images.flip(0), seeds(6)[::-1]).flip(0)
    alone = torch.cat([augmentation(images[n : n + 1], seeds(6)[n : n + 1]) for n in range(6)])
    assert torch.equal(together, backwards)
    assert torch.equal(together, alone)


@pytest.mark.parametrize("choice", EVERYTHING, ids=lambda choice: choice.policy)
def test_neither_the_images_nor_torchs_generator_are_touched(choice):
    augmentation, images = Augmentation(resolve(choice)), pictures(3)
    before, state = images.clone(), torch.get_rng_state()
    augmentation(images, seeds(3))
    assert torch.equal(images, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_torchs_generator_is_given_back_even_when_a_transform_fails():
    state = torch.get_rng_state()
    with pytest.raises(RuntimeError):
        only("rotation")(torch.zeros(1, 3, 8), seeds(1))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("policy", ["light", "moderate", "heavy"])
def test_another_draw_is_another_variant_and_the_same_draw_the_same(policy):
    augmentation, images = Augmentation(resolve(AugmentChoice(policy=policy))), pictures(4)
    first, again, second = (augmentation(images, seeds(4, draw)) for draw in (0, 0, 1))
    assert torch.equal(first, again)
    assert all(not torch.equal(first[n], second[n]) for n in range(4))


def test_images_stored_channels_last_give_the_same_variants():
    augmentation, images = Augmentation(resolve(AugmentChoice(policy="heavy"))), pictures(4)
    stored = images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert torch.equal(augmentation(stored, seeds(4)), augmentation(images, seeds(4)))


def test_taking_a_row_out_leaves_the_draws_of_the_others_as_they_were():
    turn = TransformChoice(name="rotation", probability=0.5)
    brighter = TransformChoice(name="brightness", probability=0.5)
    images = pictures(16)
    both, alone = Augmentation([brighter, turn]), Augmentation([turn])
    unlit = Augmentation([brighter.model_copy(update={"probability": 0.0}), turn])
    assert torch.equal(unlit(images, seeds(16)), alone(images, seeds(16)))
    turned = [not torch.equal(a, b) for a, b in zip(alone(images, seeds(16)), images, strict=True)]
    assert any(turned)
    assert not all(turned)
    assert not torch.equal(both(images, seeds(16)), alone(images, seeds(16)))


def test_a_row_that_stands_twice_draws_twice():
    shift = TransformChoice(name="channel-shift", values={"steps": 100})
    grey = torch.full((1, 3, 8, 8), 127, dtype=torch.uint8)
    once = Augmentation([shift])(grey, [5]).int() - 127
    twice = Augmentation([shift, shift])(grey, [5]).int() - 127
    assert not torch.equal(twice, 2 * once)


def test_a_probability_is_how_often_a_row_is_drawn():
    images = pictures(400, size=4)
    changed = only("h-flip", 0.3)(images, seeds(400)) != images
    assert changed.flatten(1).any(1).float().mean() == pytest.approx(0.3, abs=0.07)


def test_nothing_is_drawn_by_no_rows_and_by_rows_of_probability_zero():
    images = pictures(2)
    for rows in ([], [TransformChoice(name="rotation", probability=0.0)]):
        augmentation = Augmentation(rows)
        assert not augmentation.draws
        assert torch.equal(augmentation(images, seeds(2)), images)
    assert only("rotation", 0.01).draws


@pytest.mark.parametrize(
    ("names", "resamplings"),
    [(["rotation", "zoom", "shift"], 1), (["rotation", "h-flip", "shift"], 2), (["h-flip", "brightness"], 0)],
)
def test_moves_that_follow_one_another_are_resampled_once(names, resamplings, monkeypatch):
    calls = []
    monkeypatch.setattr(pipeline, "warp", lambda *given: calls.append(1) or warp(*given))
    Augmentation([TransformChoice(name=name) for name in names])(pictures(4), seeds(4))
    assert len(calls) == resamplings


def test_a_batch_too_large_to_be_resampled_at_once_gives_each_image_its_own_variant():
    count = 2 * pipeline.AT_ONCE + 3
    augmentation, images = only("rotation", 0.8), pictures(count, size=16)
    together, masks = augmentation(images, seeds(count), images[:, 0])
    for number in range(count):
        one = slice(number, number + 1)
        alone, mask = augmentation(images[one], seeds(count)[one], images[one, 0])
        assert torch.equal(together[one], alone)
        assert torch.equal(masks[one], mask)


def test_joined_moves_are_done_in_the_order_of_their_rows():
    turn, shift = TransformChoice(name="rotation"), TransformChoice(name="shift", values={"share": 0.3})
    x, y = torch.meshgrid(*[torch.linspace(-3, 3, 32)] * 2, indexing="xy")
    images = (127 + 60 * torch.sin(x) + 60 * torch.cos(y)).to(torch.uint8).expand(1, 3, 32, 32)  # smooth
    seed = seeds(1)
    one_by_one = Augmentation([shift])(Augmentation([turn])(images, seed), seed).float()
    joined = Augmentation([turn, shift])(images, seed).float()
    other_way = Augmentation([shift, turn])(images, seed).float()
    middle = (..., slice(8, 24), slice(8, 24))  # away from the mirrored edges
    near, far = ((one_by_one - other)[middle].abs().mean() for other in (joined, other_way))
    assert near < 1 < 3 < far


def test_a_seed_and_a_mask_are_needed_for_every_image():
    with pytest.raises(ValueError, match="2 images and 1 seeds"):
        only("h-flip")(pictures(2), seeds(1))
    with pytest.raises(ValueError, match="masks"):
        only("h-flip")(pictures(2), seeds(2), blobs(1))


def blobs(count: int, size: int = 48) -> torch.Tensor:
    """Masks of smooth shapes: class 0 with patches of classes 1 and 2 and of 255, which is ignored."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    masks = torch.zeros(count, size, size, dtype=torch.uint8)
    for number in range(count):
        for value, (top, left, radius) in {1: (15, 18, 10), 2: (32, 30, 8), 255: (40, 8, 6)}.items():
            masks[number][(y - top - number) ** 2 + (x - left) ** 2 < radius**2] = value
    return masks


SHADES = {0: (20, 20, 20), 1: (230, 20, 20), 2: (20, 230, 20), 255: (20, 20, 230)}


def painted(masks: torch.Tensor) -> torch.Tensor:
    """Images (N, 3, S, S) in which each pixel shows what its mask says."""
    images = torch.zeros(len(masks), 3, *masks.shape[1:], dtype=torch.uint8)
    for value, shade in SHADES.items():
        images += (masks == value)[:, None].to(torch.uint8) * torch.tensor(shade, dtype=torch.uint8)[:, None, None]
    return images


UNSAFE = {row.name for row in TRANSFORMS if not row.mask_safe}
WITH_MASKS = [choice for choice in EVERYTHING if choice.policy not in UNSAFE]


@pytest.mark.parametrize("name", sorted(UNSAFE))
def test_what_would_leave_a_mask_behind_is_refused_where_there_are_masks(name):
    assert only(name)(pictures(2, 48), seeds(2)).shape == (2, 3, 48, 48)
    with pytest.raises(RecipeError, match="not its mask"):
        only(name)(pictures(2, 48), seeds(2), blobs(2))


@pytest.mark.parametrize("choice", WITH_MASKS, ids=lambda choice: choice.policy)
def test_no_class_is_invented_and_the_image_is_the_one_drawn_without_its_mask(choice):
    augmentation, masks, images = Augmentation(resolve(choice)), blobs(6), pictures(6, 48)
    before = masks.clone()
    for draw in range(3):
        varied, moved = augmentation(images, seeds(6, draw), masks)
        assert torch.equal(varied, augmentation(images, seeds(6, draw)))
        assert (moved.shape, moved.dtype) == (masks.shape, torch.uint8)
        assert all(
            set(after.unique().tolist()) <= set(own.unique().tolist()) for after, own in zip(moved, masks, strict=True)
        )
    assert torch.equal(masks, before), "what was given is left as it is"


@pytest.mark.parametrize("row", [row for row in TRANSFORMS if row.mask_safe], ids=lambda row: row.name)
def test_a_mask_goes_where_the_pixels_of_its_image_go(row):
    """The picture shows its own mask in colours; wherever a colour is still told for certain, the mask agrees."""
    masks, ends = blobs(8), {knob.name: knob.high for knob in row.knobs if row.moves}
    if row.name == "rotation":
        ends = {"degrees": 40.0}
    if row.name == "affine":
        ends = {"degrees": 30.0, "zoom": 1.4, "share": 0.2, "shear": 15.0}
    if row.name == "crop":
        ends = {"side": 0.6}
    varied, moved = only(row.name, **ends)(painted(masks), seeds(8), masks)
    if not row.moves:
        assert torch.equal(moved, masks)
        return
    assert not torch.equal(moved, masks), "something moved"
    shades = torch.tensor(list(SHADES.values()), dtype=torch.float32)
    distances = (varied.permute(0, 2, 3, 1)[..., None, :].float() - shades).abs().amax(-1)
    told = torch.tensor(list(SHADES), dtype=torch.uint8)[distances.argmin(-1)]
    certain = distances.amin(-1) < 60
    assert certain.float().mean() > 0.85
    assert (told == moved)[certain].float().mean() > 0.995


def test_a_policy_of_many_rows_keeps_image_and_mask_together():
    """One flip more or one draw apart, and half of the pixels would disagree."""
    names = ["h-flip", "rotation", "perspective", "zoom", "v-flip", "shift", "elastic", "quarter-turn", "shear"]
    augmentation, masks = Augmentation([TransformChoice(name=name, probability=0.6) for name in names]), blobs(12)
    varied, moved = augmentation(painted(masks), seeds(12), masks)
    reds = (varied[:, 0] > 150) & (varied[:, 1:] < 90).all(1)
    assert ((moved == 1) == reds).float().mean() > 0.97
    assert (moved == 1).any(), "there is something to disagree about"


def test_no_image_gives_no_variant():
    assert only("rotation")(pictures(0), []).shape == (0, 3, 32, 32)


def test_rows_are_checked_when_the_pipeline_is_made():
    with pytest.raises(RecipeError, match="one of h-flip"):
        only("spin")
    with pytest.raises(RecipeError, match="degrees"):
        only("rotation", degrees=999)


def test_seeds_differ_by_run_sample_and_draw():
    every = {sample_seed(run, sample, draw) for run in (0, 1) for sample in ("000001", "000002") for draw in (0, 1)}
    assert len(every) == 8
