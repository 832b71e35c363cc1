"""Where a classifier looks for a class: Grad-CAM, at a layer that is found in any of timm's networks.

Grad-CAM (Selvaraju et al., 2017, https://arxiv.org/abs/1610.02391) weighs the feature maps of a layer by how much each
raises a score; what is left of the weighted sum above zero is warm. The score here is how far the logit of a class is
above the mean of all logits: what is added to all of them changes no probability, so it must not change a map either.
(By the bare logit, networks of two classes often had no reason at all for one of them.)

The layer is to be the last one that still has places, and every place of it must reach the answer. For most networks
that is what they pool. A vision transformer that answers by its class token pools nothing: its other tokens, as they
come out, reach no answer at all. There it is the last normalisation whose tokens do, before the last attention.
"""

import time
from dataclasses import dataclass
from math import isqrt

import torch
from torch.nn import functional

from core.data.loading import fit_image, jpeg, read_image
from core.data.mask_files import mask_png
from core.errors import ImageError, InputError, shown
from core.models.classifiers import Classifier
from core.predict.answer import Explanation
from core.train.checkpoint import Trained


def explain_label(trained: Trained, name: str, content: bytes, label: str) -> Explanation:
    """Grad-CAM of a class for a picture given as the content of its file, over the square that the network sees of it.

    `label` "" is the most probable class. A picture that cannot be read gets its reason in `error`. Raises InputError
    when the model has no such class, or no layer that can be asked.
    """
    began = time.perf_counter()
    if label and label not in trained.classes:
        raise InputError(
            "The model has no such class", found=shown(label), expected="one of " + ", ".join(trained.classes)
        )
    try:
        image = read_image(content, name=name)
    except ImageError as error:
        return Explanation(name, label, error=str(error), milliseconds=1000 * (time.perf_counter() - began))
    pixels = fit_image(image, trained.recipe.image_size, trained.recipe.fit)
    seen = look(trained.model, torch.from_numpy(pixels).permute(2, 0, 1)[None])
    answer = int(seen.logits[0].argmax())
    asked = trained.classes.index(label) if label else answer
    heat = seen.heat(asked)[0]
    return Explanation(
        name,
        trained.classes[asked],
        picture=jpeg(pixels),
        heat=as_picture(heat, trained.recipe.image_size),
        found=asked == answer,
        warm=bool(heat.any()),
        stages=(f"{heat.shape[0]} × {heat.shape[1]}",),
        milliseconds=1000 * (time.perf_counter() - began),
    )


@dataclass(frozen=True)
class Seen:
    """What a classifier made of images: enough to ask it for one class after another."""

    logits: torch.Tensor  # (N, K), with the graph that made them
    features: torch.Tensor  # (N, F), what the head reads
    layer: torch.Tensor  # what is asked, as the network has it
    prefix: int  # tokens in it that have no place
    last: bool  # its channels come last, where its shape does not tell

    def heat(self, index: int, logits: torch.Tensor | None = None) -> torch.Tensor:
        """What speaks for a class in these images, (N, h, w) from 0 up, at the layer's own resolution.

        `logits` (N, K) are those of another head that read the same features.
        """
        logits = self.logits if logits is None else logits
        score = (logits[:, index] - logits.mean(dim=1)).sum()
        (gradient,) = torch.autograd.grad(score, [self.layer], retain_graph=True)
        weights = self._grid(gradient).mean(dim=(2, 3), keepdim=True)  # how much more of it would raise the score
        return (weights * self._grid(self.layer.detach())).sum(dim=1).relu().float().cpu()

    def _grid(self, values: torch.Tensor) -> torch.Tensor:
        return on_grid(values, self.prefix, last=self.last)


def look(model: Classifier, images: torch.Tensor) -> Seen:
    """Let a classifier in evaluation mode look at images (N, 3, S, S) uint8, so that it can be asked why.

    Raises InputError when its network has no layer with places that reach the answer.
    """
    backbone = model.backbone
    prefix, last = getattr(backbone, "num_prefix_tokens", 0), getattr(backbone, "output_fmt", "NCHW") == "NHWC"
    normed: list[torch.Tensor] = []
    norms = [part for part in backbone.modules() if "norm" in type(part).__name__.lower()]  # of any library
    hooks = [part.register_forward_hook(lambda _, __, given: normed.append(given)) for part in norms]
    try:
        with torch.enable_grad():
            pixels = model.normalise(images.to(model.mean.device)).requires_grad_()
            pooled = backbone.forward_features(pixels)
            features = backbone.forward_head(pooled)
            logits = model.head(features)
            # A mixture in which no two features weigh the same: their plain sum is a constant after a normalisation.
            probe = (features * torch.arange(features.shape[1], device=features.device).cos()).sum()
    finally:
        for hook in hooks:
            hook.remove()
    for layer in [pooled, *reversed(normed)]:
        if not isinstance(layer, torch.Tensor) or not layer.requires_grad or len(layer) != len(images):
            continue
        if on_grid(layer, prefix, last=last) is None:
            continue
        (gradient,) = torch.autograd.grad(probe, [layer], retain_graph=True, materialize_grads=True)
        if on_grid(gradient, prefix, last=last).any():
            return Seen(logits, features, layer, prefix, last)
    raise InputError(
        "Where this network looks cannot be shown",
        found=f"no layer of {type(backbone).__name__} that has places and reaches the answer",
    )


def on_grid(values: torch.Tensor, prefix: int = 0, *, last: bool = False) -> torch.Tensor | None:
    """What a layer gave as maps (N, C, h, w) with h = w > 1; None when it is no such thing.

    Images are squares, so of (N, C, h, w) and (N, h, w, C) that one is meant in which places make a square; `last`
    decides where both do. Of tokens (N, L, C) the first `prefix` have no place. A network that does not tell how many
    these are has as many as there are more than the next smaller square.
    """
    if values.ndim == 4:
        first, second = values.shape[2] == values.shape[3], values.shape[1] == values.shape[2]
        if second and (last or not first):
            values = values.permute(0, 3, 1, 2)
        elif not first:
            return None
        return values if values.shape[-1] > 1 else None
    if values.ndim != 3:
        return None
    places = values.shape[1] - prefix
    if places < 4 or isqrt(places) ** 2 != places:
        places = isqrt(values.shape[1]) ** 2
    if places < 4:
        return None
    side = isqrt(places)
    return values[:, -places:].transpose(1, 2).reshape(len(values), -1, side, side)


def as_picture(heat: torch.Tensor, side: int) -> bytes:
    """Heat (h, w) as an 8-bit grey PNG of side x side pixels, in which 255 is the most there is in it."""
    most = float(heat.max())
    shares = heat / most if most > 0 else heat
    smooth = functional.interpolate(shares[None, None], (side, side), mode="bilinear", align_corners=False)[0, 0]
    return mask_png((smooth.numpy() * 255).round())
