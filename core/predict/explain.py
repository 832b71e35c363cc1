"""Where a segmentation network looks for a class of its mask: Grad-CAM.

Grad-CAM (Selvaraju et al., 2017, https://arxiv.org/abs/1610.02391) weighs the feature maps of a layer by how much each
raises a score, here the logits of a class summed over the pixels predicted as that class (Vinogradova et al., 2020,
https://arxiv.org/abs/2002.11434). What is left of the weighted sum above zero is warm.
"""

import time
from typing import Any

import torch
from torch.nn import functional

from core.data.loading import fit_image, inner_box, jpeg
from core.errors import ImageError, InputError, shown
from core.models.unets import Segmenter
from core.predict.answer import Explanation
from core.predict.masks import grey_png, looked_at, read_picture
from core.train.checkpoint import Trained


def explain_class(trained: Trained, name: str, content: bytes, label: str, *, stage: int | None = None) -> Explanation:
    """Grad-CAM of a class of the mask of a picture given as the content of its file, seen as a whole.

    `stage` is as `grad_cam` takes it. A picture that cannot be read gets its reason in `error`. Raises InputError when
    the model has no such class or stage.
    """
    began = time.perf_counter()
    if label not in trained.classes:
        raise InputError(
            "The model has no such class", found=shown(label), expected="one of " + ", ".join(trained.classes)
        )
    try:
        image = read_picture(content, name)
    except ImageError as error:
        return Explanation(name, label, error=str(error), milliseconds=1000 * (time.perf_counter() - began))
    pixels = fit_image(image, trained.recipe.image_size, trained.recipe.fit)
    square = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    lies = inner_box(*image.size, trained.recipe.image_size) if trained.recipe.fit == "pad" else None
    heat, found, stages, used = grad_cam(trained.model, square, trained.classes.index(label), stage, lies)
    small = looked_at(image)
    return Explanation(
        name,
        label,
        picture=jpeg(small),
        heat=grey_png(heat[None].numpy(), (small.shape[1], small.shape[0]), trained.recipe.fit),
        found=found,
        warm=bool(heat.any()),
        stages=stages,
        stage=used,
        milliseconds=1000 * (time.perf_counter() - began),
    )


def grad_cam(
    model: Segmenter,
    image: torch.Tensor,
    index: int,
    stage: int | None = None,
    lies: tuple[int, int, int, int] | None = None,
) -> tuple[torch.Tensor, bool, tuple[str, ...], int]:
    """Grad-CAM of the class `index` over an image (1, 3, S, S) uint8, by a model in evaluation mode.

    `stage` counts the encoder's feature maps from the finest, 0, on. None takes the last and coarsest, which holds what
    the network has understood, unless nothing in it speaks for the class: then the next finer one in which something
    does. (Maps of few pixels, and encoders that end without cutting off what is below zero, often say nothing.)
    `lies` is where the picture lies in the square: left, top, right, bottom; None where it fills it. What is around it
    is neither scored nor heated.

    Gives the heat (S, S) in [0, 1], largest 1 unless nothing speaks for the class; whether any pixel was predicted as
    the class (else the score is summed over all pixels); the sizes of the feature maps from fine to coarse; and which
    of them was asked. Raises InputError when there is no such stage.
    """
    seen: dict[str, Any] = {}

    def keep(_: torch.nn.Module, given: tuple, features: Any) -> None:
        seen["side"] = given[0].shape[-1]  # with the padding
        # Transformers give their prefix tokens as well. What depends on no weight is the image, which encoders of SMP
        # list first, and some have an empty place in their list.
        maps = features[0] if isinstance(features, tuple) and isinstance(features[0], list) else features
        seen["maps"] = [each for each in maps if each.requires_grad and each.ndim == 4 and each.numel()]

    hook = model.backbone.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            logits = model(model.normalise(image.to(model.mean.device)))
    finally:
        hook.remove()
    size, maps = image.shape[-1], seen["maps"]
    if stage is not None and not 0 <= stage < len(maps):
        raise InputError("The encoder has no such stage", found=str(stage), expected=f"0 to {len(maps) - 1}")
    left, top, right, bottom = lies or (0, 0, size, size)
    picture = logits[0, :, top:bottom, left:right]
    here = picture.argmax(dim=0) == index
    found = bool(here.any())
    score = picture[index][here].sum() if found else picture[index].sum()
    asked = range(len(maps) - 1, -1, -1) if stage is None else [stage]
    gradients = torch.autograd.grad(score, [maps[place] for place in asked], materialize_grads=True)
    inside = torch.zeros(size, size)
    inside[top:bottom, left:right] = 1
    heats = {
        place: _enlarged(_warmth(maps[place], gradient), seen["side"])[:size, :size] * inside
        for place, gradient in zip(asked, gradients, strict=True)
    }
    used = next((place for place, heat in heats.items() if heat.any()), asked[0])
    heat = heats[used]
    most = float(heat.max())
    stages = tuple(f"{each.shape[-2]} × {each.shape[-1]}" for each in maps)
    return heat / most if most > 0 else heat, found, stages, used


def _warmth(maps: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """What in feature maps (1, C, h, w) speaks for a score, (1, 1, h, w), from the score's gradient by them."""
    weights = gradient.mean(dim=(2, 3), keepdim=True)  # of each map: how much more of it would raise the score
    return (weights * maps.detach()).sum(dim=1, keepdim=True).relu()


def _enlarged(warmth: torch.Tensor, side: int) -> torch.Tensor:
    """A map (1, 1, h, w) at the size of the image, (side, side) on the CPU."""
    return functional.interpolate(warmth, (side, side), mode="bilinear", align_corners=False)[0, 0].float().cpu()
