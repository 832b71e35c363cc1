import pytest

from core.augment.catalog import TRANSFORMS, transform
from core.knobs import check_values
from core.predict.export.source import gather
from core.predict.export.transforms import expression, needed
from core.recipe import TransformChoice
from core.seeding import derive


def run_alone(gathered) -> dict:
    names: dict = {"__name__": "alone"}
    exec("\n".join(gathered.imports) + "\n\n" + gathered.text, names)
    return names


def test_a_function_comes_with_what_it_names_and_nothing_else():
    found = gather([("core.data.mask_files", "fit_mask")])
    names = run_alone(found)
    assert {"fit_mask", "inner_box", "IGNORE", "Fit"} <= set(names)
    assert "fit_image" not in names
    assert "core" not in found.text


def test_what_is_taken_out_computes_the_same():
    assert run_alone(gather([("core.seeding", "derive")]))["derive"](3, "shuffle", 4) == derive(3, "shuffle", 4)


def test_a_name_that_means_two_things_is_not_taken_for_one():
    with pytest.raises(ValueError, match="_flat is in"):
        gather([("core.models.stages", "_flat"), ("core.models.unets", "_flat")])


def test_a_name_that_is_not_there_is_told():
    with pytest.raises(ValueError, match=r"core.seeding defines no nothing"):
        gather([("core.seeding", "nothing")])


@pytest.mark.parametrize("row", TRANSFORMS, ids=lambda row: row.name)
@pytest.mark.parametrize("end", ["default", "low", "high"])
def test_every_transform_of_the_catalog_can_be_written_down(row, end):
    given = {} if end == "default" else {knob.name: getattr(knob, end) for knob in row.knobs}
    choice = TransformChoice(name=row.name, values=given)
    text = expression(choice)
    names = run_alone(gather(needed([text])))
    exec("from torchvision.transforms import v2", names)
    written, built = eval(text, names), transform(row.name).build(check_values(row.knobs, given, "x"))
    assert type(written).__name__ == type(built).__name__
    assert said(written) == said(built)


def said(part) -> dict:
    """What a transform was told, with its parts told in the same way."""
    return {
        name: [said(one) for one in value] if name == "_parts" else str(value) for name, value in vars(part).items()
    }
