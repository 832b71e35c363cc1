import pytest

from core.augment.catalog import POLICIES
from core.presets import DEFAULTS, preset
from tests.pages.conftest import well, words


def test_without_images_the_page_shows_the_way_to_them(visit):
    app = visit("augment")

    assert "no images yet" in words(app)
    assert app.button(key="empty_go").label == "Go to Data"


@pytest.mark.slow
def test_the_rows_of_a_policy_stand_beside_its_variants(visit, tiny_dataset):
    app = visit("augment")

    light = next(policy for policy in POLICIES if policy.name == "light")
    switches = [toggle for toggle in app.toggle if toggle.key.startswith("augment_light")]
    assert len(switches) == len(light.rows)
    assert "A run with seed 0 learns from these very pictures" in words(app)


@pytest.mark.slow
def test_what_was_set_goes_to_the_train_page(visit, tiny_dataset):
    app = visit("augment")
    app.toggle(key="augment_light_0_h-flip_on").set_value(False).run()
    app.button(key="augment_draw").click().run()
    well(app)
    app.button(key="to_train").click().run()
    well(app)

    assert app.title[0].value == "Train"
    held = app.session_state["augment_in_hand"]
    assert "h-flip" not in [row["name"] for row in held["rows"]]
    assert app.segmented_control(key="train_policy").value == "own"
    assert app.number_input(key="train_seed").value == 1


@pytest.mark.slow
def test_a_transform_can_be_added(visit, tiny_dataset):
    app = visit("augment")
    app.selectbox(key="augment_add").set_value("v-flip").run()
    well(app)

    assert app.toggle(key="augment_light_4_v-flip_on").value


@pytest.mark.slow
def test_a_picture_and_its_mask_are_shown_under_one_draw(visit, mask_dataset):
    app = visit("augment")

    told = words(app)
    assert "the same draw" in told
    assert "grey 200" in told, "the colours of the classes are named"
    app.segmented_control(key="augment_masks").set_value("off").run()
    well(app)
    app.segmented_control(key="augment_view").set_value("Four").run()
    well(app)


@pytest.mark.slow
def test_what_was_set_for_masks_goes_to_the_train_page(visit, mask_dataset):
    app = visit("augment")
    app.toggle(key="augment_any-way-up_0_h-flip_on").set_value(False).run()
    app.button(key="to_train").click().run()
    well(app)

    assert app.title[0].value == "Train"
    assert app.segmented_control(key="train_policy").value == "own"
    assert app.selectbox(key="train_image_size").value == 128


@pytest.mark.slow
def test_who_changes_nothing_trains_masks_with_the_policy_of_their_first_preset(visit, mask_dataset):
    usual = preset(DEFAULTS["segmentation"]).recipe().augment.policy
    app = visit("augment")
    assert app.segmented_control(key="augment_policy_segmentation").value == usual
    app.button(key="to_train").click().run()
    well(app)

    assert app.segmented_control(key="train_policy").value == usual
