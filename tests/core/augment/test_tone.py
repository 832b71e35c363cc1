import pytest
import torch
from torchvision import tv_tensors

from core.augment.tone import Blur, ChannelShift, Gamma, Noise, Sharpness, Tone

EVERY = [Gamma(0.3, 2.0), ChannelShift(60), Blur(0.05), Noise(0.2), Sharpness(1.0)]


@pytest.mark.parametrize("transform", EVERY, ids=lambda transform: type(transform).__name__)
def test_images_change_and_masks_stay(transform: Tone):
    torch.manual_seed(0)
    image = tv_tensors.Image(torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8))
    mask = tv_tensors.Mask(torch.randint(0, 5, (32, 32), dtype=torch.uint8))
    changed, same = transform(image, mask)
    assert not torch.equal(changed, image)
    assert torch.equal(same, mask)


def test_gamma_leaves_black_and_white_as_they_are():
    torch.manual_seed(0)
    image = torch.tensor([0, 100, 255], dtype=torch.uint8).expand(3, 3, 3)
    middles = set()
    for _ in range(20):
        changed = Gamma(0.5, 2.0)(image)
        assert changed[0, 0, 0] == 0
        assert changed[0, 0, 2] == 255
        middles.add(int(changed[0, 0, 1]))
    assert min(middles) < 90 < 110 < max(middles)


def test_gamma_is_drawn_evenly_between_its_ends():
    torch.manual_seed(0)
    drawn = [Gamma(0.7, 1.2).make_params([])["gamma"] for _ in range(400)]
    assert 0.7 <= min(drawn) < 0.71
    assert 1.19 < max(drawn) <= 1.2
    assert sum(drawn) / 400 == pytest.approx(0.95, abs=0.02)


def test_a_channel_shift_moves_each_channel_as_a_whole_and_no_further_than_it_should():
    torch.manual_seed(0)
    grey = torch.full((3, 8, 8), 127, dtype=torch.uint8)
    for _ in range(50):
        moved = (ChannelShift(10)(grey).int() - 127).flatten(1)
        assert (moved == moved[:, :1]).all()
        assert moved.abs().max() <= 10


def test_values_stop_at_black_and_white():
    torch.manual_seed(0)
    for transform in (ChannelShift(100), Noise(0.1)):
        for shade in (0, 255):
            changed = transform(torch.full((3, 16, 16), shade, dtype=torch.uint8)).int()
            assert (changed - shade).abs().max() < 200, "no number ran over its end"


def test_a_blur_looks_alike_at_every_size():
    """An edge blurred at 64 pixels is as wide, as a share of the image, as the same edge blurred at 128."""
    widths = []
    for size in (64, 128):
        edge = torch.zeros(3, size, size, dtype=torch.uint8)
        edge[:, :, size // 2 :] = 255
        row = Blur(0.05).change(edge, {"share": 0.05})[0, 0].float()
        widths.append(float(((row > 10) & (row < 245)).float().mean()))
    assert widths[0] > 0.03
    assert widths[0] == pytest.approx(widths[1], abs=0.035)


def test_sharpness_goes_both_ways_and_never_below_a_blur():
    torch.manual_seed(0)
    drawn = [Sharpness(0.5).make_params([])["factor"] for _ in range(300)]
    assert 0.5 <= min(drawn) < 0.52
    assert 1.48 < max(drawn) <= 1.5
    assert min(Sharpness(3.0).make_params([])["factor"] for _ in range(100)) >= 0
    edge = torch.full((3, 16, 16), 100, dtype=torch.uint8)
    edge[:, :, 8:] = 150
    soft, sharp = (Sharpness(1.0).change(edge, {"factor": factor}).int() for factor in (0.0, 2.0))
    assert int(soft[0, 8].diff().max()) < 50 < int(sharp[0, 8].diff().max())
