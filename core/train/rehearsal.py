"""What can be known to be wrong before a run is made, but only with torch: for callers that import it anyway."""

from core.models.weights import is_file
from core.recipe import Recipe
from core.train.devices import accelerator_for
from core.train.freezing import freeze
from core.train.task import build_model


def rehearse(recipe: Recipe) -> None:
    """Refuse what this machine or the network cannot do, in one sentence.

    Raises RecipeError for a device or precision this machine does not have, a backbone or encoder nobody knows, an
    architecture that cannot stand on the encoder, and more layers than there are; WeightsError for a weight file that
    is not there or was made for another network.
    """
    with accelerator_for(recipe):
        pass
    model = build_model(recipe, 2, pretrained=is_file(recipe.model))
    for phase in recipe.phases:
        freeze(model.backbone, model.head, phase.trainable)
