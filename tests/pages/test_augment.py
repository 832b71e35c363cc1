import pytest

from core.augment.catalog import POLICIES, TRANSFORMS
from core.augment.policies import PolicyStore
from core.presets import DEFAULTS, preset
from pages.shared.words import plain
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
    assert on_the_page(app) == ["h-flip", "zoom", "shift", "brightness", "v-flip"]


@pytest.mark.slow
def test_rows_can_be_put_in_another_order_doubled_and_taken_out_and_all_is_undone(visit, tiny_dataset):
    app = visit("augment")
    app.menu_button(key="augment_light_1_zoom_menu").click("up").run()
    well(app)
    assert on_the_page(app) == ["zoom", "h-flip", "shift", "brightness"]
    assert "Light, changed" in app.session_state["augment_now"][1]["policy"].capitalize()
    app.slider(key="augment_light_1_zoom_largest").set_value(1.5).run()
    app.menu_button(key="augment_light_1_zoom_menu").click("again").run()
    app.menu_button(key="augment_light_2_shift_menu").click("out").run()
    well(app)
    assert on_the_page(app) == ["zoom", "zoom", "h-flip", "brightness"]
    first, second, *_ = app.session_state["augment_now"][1]["rows"]
    assert (first["values"]["largest"], second["values"]["largest"]) == (1.5, 1.1)
    app.button(key="policy_reset").click().run()
    well(app)
    assert on_the_page(app) == ["h-flip", "zoom", "shift", "brightness"]
    assert app.session_state["augment_now"][1]["rows"] is None


@pytest.mark.slow
def test_a_policy_is_saved_by_name_goes_to_the_train_page_and_is_deleted(visit, tiny_dataset, workspace):
    app = visit("augment")
    app.toggle(key="augment_light_0_h-flip_on").set_value(False).run()
    app.text_input(key="policy_name_light").set_value("My <b>lamp</b>").run()
    app.button(key="policy_save_go").click().run()
    well(app)
    [saved] = PolicyStore(workspace).list()
    assert saved.name == "My <b>lamp</b>"
    assert [row.name for row in saved.rows] == ["zoom", "shift", "brightness"]
    assert app.segmented_control(key="augment_policy_classification").value == saved.name
    assert on_the_page(app) == ["zoom", "shift", "brightness"]
    app.button(key="to_train").click().run()
    well(app)
    assert app.session_state["augment_in_hand"]["policy"] == saved.name
    chosen = app.segmented_control(key="train_policy")
    assert chosen.proto.options[-1].content == plain("My <b>lamp</b>"), "as it was written"
    assert [line.value for line in app.markdown if " → " in line.value] == [
        f"augmentation: light → **{plain(saved.name)}**"
    ], "its rows are one choice"
    visit("augment")
    app.button(key="policy_delete").click().run()
    well(app)
    assert PolicyStore(workspace).list() == ()
    assert app.segmented_control(key="augment_policy_classification").value == "light"


@pytest.mark.slow
def test_a_name_that_is_taken_is_refused_in_a_sentence(visit, tiny_dataset):
    app = visit("augment")
    app.text_input(key="policy_name_light").set_value("Heavy").run()
    app.button(key="policy_save_go").click().run()
    well(app)
    assert "Fovea" in app.error[0].value


@pytest.mark.slow
def test_the_same_pictures_stand_under_two_policies_and_a_class_has_a_sheet(visit, tiny_dataset):
    app = visit("augment")
    app.selectbox(key="augment_compare").set_value("heavy").run()
    well(app)
    told = words(app)
    assert "**Light**" in told
    assert "**Heavy**" in told
    app.segmented_control(key="augment_view").set_value("A class").run()
    app.selectbox(key="augment_class").set_value(1).run()
    well(app)
    assert tiny_dataset.classes[1] in words(app).replace("\\", "")


@pytest.mark.slow
def test_pictures_are_mixed_with_their_labels_and_a_run_takes_that_along(visit, tiny_dataset):
    app = visit("augment")
    app.segmented_control(key="augment_question").set_value("mix").run()
    app.segmented_control(key="mix_kind").set_value("cutmix").run()
    app.slider(key="mix_alpha").set_value(1.0).run()
    app.toggle(key="mix_on").set_value(True).run()
    well(app)
    app.button(key="to_train").click().run()
    well(app)
    assert app.number_input(key="train_mix_cutmix").value == 1.0
    assert app.number_input(key="train_mix_mixup").value == 0.0


@pytest.mark.slow
def test_masks_are_offered_only_what_spares_them(visit, mask_dataset):
    app = visit("augment")
    offered = app.selectbox(key="augment_add").options
    assert sorted(offered) == sorted(f"{row.family}: {row.label}" for row in TRANSFORMS if row.mask_safe)
    assert len(offered) < len(TRANSFORMS)
    assert "Mix two pictures" not in app.segmented_control(key="augment_question").options


def on_the_page(app) -> list[str]:
    """The transforms that are switched on, in the order in which they stand."""
    return [toggle.key.split("_")[3] for toggle in app.toggle if toggle.key.startswith("augment_") and toggle.value]


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


@pytest.mark.slow
def test_without_a_model_that_could_be_asked_the_page_says_so(visit, tiny_dataset):
    app = visit("augment")
    app.segmented_control(key="augment_question").set_value("survival").run()
    well(app)
    assert "train one first" in words(app)


@pytest.mark.slow
def test_a_trained_model_says_what_a_policy_leaves_of_pictures(visit, app, finished_run):
    visit("augment")
    app.segmented_control(key="augment_question").set_value("survival").run()
    well(app)
    assert "recognise" in words(app)
    app.button(key="survival_go").click().run()
    well(app)
    [told] = [*app.success, *app.info, *app.warning]
    assert told.value.startswith("**Light**: ")
    tables = [frame.value for frame in app.dataframe if "survive" in frame.value.columns]
    assert tables or "none of the" in told.value
    assert all(table["survive"].dropna().between(0, 100).all() for table in tables)
    assert not any("[" in between for table in tables for between in table["95 %"]), "shares are told in percent"
    app.toggle(key="augment_light_0_h-flip_on").set_value(False).run()
    well(app)
    assert not [*app.success, *app.info, *app.warning], "that was about another policy"
