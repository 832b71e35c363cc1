"""The Dice loss of V-Net: sums of squares below the line."""

import torch
from segmentation_models_pytorch.losses import DiceLoss


class SquaredDiceLoss(DiceLoss):
    """1 - 2·Σpt / (Σp² + Σt²) for each class (https://arxiv.org/abs/1606.04797); all else is SMP's Dice loss."""

    def compute_score(self, output, target, smooth=0.0, eps=1e-7, dims=None) -> torch.Tensor:
        """The overlap of each class, (K,), from probabilities and truth (N, K, pixels)."""
        both = torch.sum(output * target, dims)
        squares = torch.sum(output * output, dims) + torch.sum(target * target, dims)
        return (2 * both + smooth) / (squares + smooth).clamp_min(eps)
