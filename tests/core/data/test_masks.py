"""The audit: which values mean a class, what is noise, and what is refused by file and value."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.data.mask_survey import survey
from core.data.mask_values import MaskEntry, MaskMap, check_map, map_of, value_text
from core.data.masks import MaskAudit, audited, index_mask, judge
from core.data.raw_masks import histogram, read_raw
from core.errors import DatasetError


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def blobs(*values: object, size: int = 32, count: int = 6) -> list[np.ndarray]:
    """Masks in which every value has a rectangle of its own, at another place in each."""
    masks = []
    for number in range(count):
        rng = np.random.default_rng(number)
        mask = np.zeros((size, size, *np.shape(values[0])), np.uint8)
        mask[:] = values[0]
        for place, value in enumerate(values[1:]):
            left = place * size // len(values) + rng.integers(0, 2)
            top = rng.integers(2, size // 2)
            mask[top : top + size // 3, left : left + max(5, size // len(values) - 4)] = value
        masks.append(mask)
    return masks


def raws(masks, kind: str = "PNG", **options):
    return [read_raw(encode(Image.fromarray(mask), kind, **options)) for mask in masks]


def counted(masks, kind: str = "PNG", **options):
    return [histogram(raw, mask=f"m{n}.png", image=f"i{n}.jpg") for n, raw in enumerate(raws(masks, kind, **options))]


def surveyed(masks, kind: str = "PNG", **options):
    return survey(counted(masks, kind, **options))


def named(mask_map: MaskMap) -> dict[str, str | None]:
    return {value_text(entry.value): entry.label for entry in mask_map.entries}


BLACK, RED, GREEN = (0, 0, 0), (255, 0, 0), (0, 255, 0)


@pytest.mark.parametrize(
    ("values", "kind", "expected", "tolerance"),
    [
        ((0, 128, 255), "grey", {"0": "background", "128": "grey 128", "255": "grey 255"}, 8),
        ((0, 255), "grey", {"0": "background", "255": "foreground"}, 8),
        ((0, 1), "index", {"0": "background", "1": "foreground"}, 0),
        ((0, 1, 2), "index", {"0": "background", "1": "class 1", "2": "class 2"}, 0),
        ((0, 1, 255), "index", {"0": "background", "1": "class 1", "255": None}, 0),
        ((0, 1, 2, 255), "index", {"0": "background", "1": "class 1", "2": "class 2", "255": None}, 0),
        ((10, 20), "grey", {"10": "grey 10", "20": "grey 20"}, 4),
        ((BLACK, RED, GREEN), "colour", {"#000000": "background", "#ff0000": "red", "#00ff00": "green"}, 8),
        ((BLACK, (9, 8, 7)), "colour", {"#000000": "background", "#090807": "foreground"}, 4),
        (
            (BLACK, (128, 128, 128), (255, 255, 255)),
            "grey",
            {"0": "background", "128": "grey 128", "255": "grey 255"},
            8,
        ),
    ],
)
def test_what_masks_hold_is_seen_and_a_map_proposed(values, kind, expected, tolerance):
    audit, mask_map = surveyed(blobs(*values))
    assert audit.kind == kind
    assert named(mask_map) == expected
    assert mask_map.tolerance == audit.tolerance == tolerance
    assert not audit.lossy
    assert sum(row.pixels for row in audit.values) == audit.pixels == 6 * 32 * 32
    assert sum(row.share for row in audit.values) == pytest.approx(1)
    assert all(row.files == 6 for row in audit.values)


def test_known_names_are_proposed_for_their_values():
    _, mask_map = survey(counted(blobs(0, 128, 255)), {"128": "cytoplasm", "255": "nucleus", "7": "unseen"})
    assert mask_map.classes == ("background", "cytoplasm", "nucleus")


def test_palettes_that_agree_are_indices_and_others_are_colours():
    def files(*palettes):
        found = []
        for number, palette in enumerate(palettes):
            image = Image.fromarray(blobs(0, 1, 2)[number % 6], "P")
            image.putpalette([part for colour in palette for part in colour])
            found.append(histogram(read_raw(encode(image)), mask=f"{number}.png", image=""))
        return found

    audit, mask_map = survey(files([BLACK, RED, GREEN], [BLACK, RED, GREEN]))
    assert audit.kind == "index"
    assert named(mask_map) == {"0": "background", "1": "class 1", "2": "class 2"}
    assert [row.colour for row in audit.values] == ["#000000", "#ff0000", "#00ff00"]
    audit, mask_map = survey(files([BLACK, RED, GREEN], [BLACK, GREEN, RED]))
    assert audit.kind == "colour"
    assert named(mask_map) == {"#000000": "background", "#ff0000": "red", "#00ff00": "green"}


def test_palettes_beside_grey_levels_are_read_by_their_colours():
    grey = blobs(0, 128, 255)
    image = Image.fromarray(blobs(0, 1, 2)[0], "P")
    image.putpalette([0, 0, 0, 128, 128, 128, 255, 255, 255])
    raw = read_raw(encode(image))
    histograms = [*counted(grey), histogram(raw, mask="p.png", image="")]
    audit, mask_map = survey(histograms)
    assert audit.kind == "grey"
    assert mask_map.classes == ("background", "grey 128", "grey 255")
    assert set(np.unique(index_mask(raw, audit, mask_map))) == {0, 1, 2}


@pytest.mark.parametrize("quality", [50, 75, 95])
@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("values", [(BLACK, RED, GREEN), (BLACK, (255, 255, 255)), (BLACK, RED, GREEN, (0, 0, 255))])
def test_jpeg_masks_are_read_by_their_surfaces_and_their_noise_is_counted(values, quality, subsampling):
    masks = blobs(*values, size=96)
    options = {"quality": quality, "subsampling": subsampling}
    histograms = counted(masks, "JPEG", **options)
    audit, mask_map = survey(histograms)
    channels = 1 if audit.kind == "grey" else 3
    assert set(mask_map.values) == {value[:channels] for value in values}
    verdicts = judge(histograms, audit, mask_map)
    assert [verdict.stray for verdict in verdicts] == [None] * len(masks)
    final = audited(audit, histograms, verdicts, mask_map)
    assert final.lossy
    assert 0 < final.noise_share < 0.6
    assert "count as the nearest one; most in m" in final.findings[0]
    order = [mask_map.values.index(value[:channels]) for value in values]
    for mask, raw in zip(masks, raws(masks, "JPEG", **options), strict=True):
        truth = np.zeros(mask.shape[:2], np.uint8)
        for place, value in enumerate(values):
            truth[(mask == value).all(-1)] = mask_map.codes[order[place]]
        assert (index_mask(raw, audit, mask_map) == truth).mean() > 0.97


def test_a_surface_of_another_colour_in_a_jpeg_mask_is_refused_by_file_and_value():
    masks = blobs(BLACK, RED, GREEN, size=96)
    masks[3][70:90, 60:90] = (128, 0, 128)
    histograms = counted(masks, "JPEG", quality=90)
    audit, mask_map = survey(histograms)
    assert set(mask_map.values) == {BLACK, RED, GREEN}
    strays = [verdict.stray for verdict in judge(histograms, audit, mask_map) if verdict.stray]
    assert [stray.file for stray in strays] == ["m3.png"]
    assert np.abs(np.array(strays[0].value) - (128, 0, 128)).max() < 12
    assert 0.7 * 600 < strays[0].pixels < 1.6 * 600


def test_a_value_of_one_file_only_is_no_class_and_its_file_is_refused():
    masks = blobs(0, 128, 255)
    masks[4][0, :5] = 77
    histograms = counted(masks)
    audit, mask_map = survey(histograms)
    assert mask_map.values == ((0,), (128,), (255,))
    assert [row.value for row in audit.values] == [(0,), (77,), (128,), (255,)]
    verdicts = judge(histograms, audit, mask_map)
    (stray,) = [verdict.stray for verdict in verdicts if verdict.stray]
    assert (stray.file, stray.value, stray.pixels) == ("m4.png", (77,), 5)
    findings = audited(audit, histograms, verdicts, mask_map).findings
    assert findings == ("1 mask is refused for a value that is not in the map: m4.png has 5 pixels of 77.",)


def test_a_single_stray_pixel_is_said_as_one():
    masks = blobs(0, 128, 255)
    masks[4][0, 0] = 77
    histograms = counted(masks)
    audit, mask_map = survey(histograms)
    (finding,) = audited(audit, histograms, judge(histograms, audit, mask_map), mask_map).findings
    assert finding.endswith("m4.png has 1 pixel of 77.")


def test_of_few_masks_every_value_may_be_meant():
    masks = blobs(0, 128, 255, count=4)
    masks[2][0, :5] = 77
    assert surveyed(masks)[1].values == ((0,), (77,), (128,), (255,))


def test_a_map_with_the_rare_value_takes_the_file_back():
    masks = blobs(0, 128, 255)
    masks[4][0, :5] = 77
    histograms = counted(masks)
    audit, _ = survey(histograms)
    wider = map_of({"0": "background", "77": "debris", "128": "cell", "255": "ignore"}, "grey", 0)
    verdicts = judge(histograms, audit, wider)
    assert all(verdict.stray is None for verdict in verdicts)
    assert verdicts[4].pixels[1] == 5
    assert all(sum(verdict.pixels) + verdict.ignored == 32 * 32 for verdict in verdicts)
    assert verdicts[0].ignored == (masks[0] == 255).sum()


def test_noise_within_the_tolerance_is_snapped_and_counted_and_beyond_it_refused():
    masks = blobs(0, 128, 255)
    masks[0][0, 0], masks[0][0, 1], masks[1][0, 0] = 3, 7, 9
    histograms = counted(masks)
    audit, proposed = survey(histograms)
    assert proposed.values == ((0,), (128,), (255,))
    mask_map = MaskMap(proposed.entries, 8)
    verdicts = judge(histograms, audit, mask_map)
    assert [verdict.noise for verdict in verdicts[:2]] == [2, 1]
    assert verdicts[0].stray is None
    assert verdicts[1].stray.value == (9,)
    snapped = index_mask(raws(masks)[0], audit, mask_map)
    assert snapped[0, 0] == snapped[0, 1] == 0
    assert set(np.unique(snapped)) == {0, 1, 2}
    assert index_mask(raws(masks)[1], audit, mask_map)[0, 0] == 255


def test_indices_side_by_side_are_never_taken_for_noise():
    masks = blobs(*range(6), size=64)
    for mask in masks:
        mask[0, 0] = 1  # rare and beside 0, which is everywhere
    audit, mask_map = surveyed(masks)
    assert audit.kind == "index"
    assert mask_map.values == tuple((value,) for value in range(6))
    assert mask_map.tolerance == 0


def test_a_thin_class_beside_a_common_one_is_a_class():
    masks = [np.zeros((32, 32), np.uint8) for _ in range(6)]
    for number, mask in enumerate(masks):
        mask[:, 5 + number] = 1  # one pixel wide, as a vessel
        mask[20:30, 20:30] = 255
    _audit, mask_map = surveyed(masks)
    assert (1,) in mask_map.values
    assert mask_map.tolerance == 0


@pytest.mark.parametrize("values", [(0, 50, 51, 100, 101), (0, 1, 3, 4, 7), (7, 8, 11, 12, 23, 24, 26, 33)])
def test_grey_levels_side_by_side_that_fill_surfaces_are_classes_however_rare(values):
    """As the numbers of public sets whose classes are not all there; 51 is no noise of 50."""
    masks = [np.full((96, 96), values[0], np.uint8) for _ in range(6)]
    for number, mask in enumerate(masks):
        for place, value in enumerate(values[1:]):
            side = 24 if place % 2 == 0 else 5
            left, top = 24 * (place % 4), 40 * (place // 4) + number
            mask[top : top + side, left : left + side] = value
    histograms = counted(masks)
    audit, mask_map = survey(histograms)
    assert mask_map.values == tuple((value,) for value in values)
    assert mask_map.tolerance == 0
    assert all(verdict.stray is None and not verdict.noise for verdict in judge(histograms, audit, mask_map))


@pytest.mark.parametrize("quality", [75, 90, 95, 100])
@pytest.mark.parametrize("values", [(0, 255), (0, 128, 255), (0, 64, 128), (BLACK, RED, GREEN)])
def test_jpeg_masks_that_were_saved_again_as_png_keep_their_classes(values, quality):
    y, x = np.mgrid[:96, :96]
    masks = []
    for number in range(8):
        generator = np.random.default_rng(number)
        mask = np.zeros((96, 96, *np.shape(values[0])), np.uint8)
        for value in values[1:]:
            mask[np.hypot(*(axis - generator.uniform(25, 70) for axis in (y, x))) < generator.uniform(12, 24)] = value
        masks.append(np.array(Image.open(BytesIO(encode(Image.fromarray(mask), "JPEG", quality=quality)))))
    _audit, mask_map = surveyed(masks)
    assert not any(raw.lossy for raw in raws(masks)), "the files do not say so"
    assert mask_map.values == tuple(value if np.shape(value) else (value,) for value in values)


def test_blurred_outlines_are_seen_whatever_the_format():
    masks = [
        np.asarray(Image.fromarray(mask).resize((90, 90), Image.Resampling.BICUBIC))
        for mask in blobs(0, 255, size=48, count=8)
    ]
    histograms = counted(masks)
    audit, mask_map = survey(histograms)
    assert audit.blurred
    assert audit.lossy
    assert named(mask_map) == {"0": "background", "255": "foreground"}
    verdicts = judge(histograms, audit, mask_map)
    assert all(verdict.stray is None for verdict in verdicts)
    assert (index_mask(raws(masks)[0], audit, mask_map) == (masks[0] > 127)).mean() > 0.99


def test_levels_through_which_outlines_blur_are_said():
    masks = blobs(0, 128, 255, size=96)
    histograms = counted(masks, "JPEG", quality=80)
    audit, mask_map = survey(histograms)
    assert mask_map.values == ((0,), (128,), (255,))
    findings = audited(audit, histograms, judge(histograms, audit, mask_map), mask_map).findings
    assert "Blurred outlines between 0 and 255 pass through 128" in findings[1]
    merged = map_of({"0": "background", "128": "cell", "255": "cell"}, "grey", 31)
    findings = audited(audit, histograms, judge(histograms, audit, merged), merged).findings
    assert not any("rim" in finding for finding in findings)


def test_a_lossy_format_that_does_not_say_so_is_read_by_its_surfaces():
    masks = blobs(BLACK, RED, GREEN, size=96)
    histograms = counted(masks, "WEBP", quality=80)
    audit, mask_map = survey(histograms)
    assert audit.blurred
    assert mask_map.values == (BLACK, RED, GREEN)
    assert all(verdict.stray is None for verdict in judge(histograms, audit, mask_map))


@pytest.mark.parametrize("bad", [1, 2])
def test_a_blurred_mask_among_clean_ones_is_refused_and_not_a_reason_to_snap_them_all(bad):
    masks = blobs(0, 128, 255, size=48, count=60)
    for number in range(bad):
        small = Image.fromarray(masks[number]).resize((31, 31), Image.Resampling.BICUBIC)
        masks[number] = np.asarray(small.resize((48, 48), Image.Resampling.BICUBIC))
    histograms = counted(masks)
    audit, mask_map = survey(histograms)
    assert mask_map.values == ((0,), (128,), (255,))
    assert not audit.lossy
    strays = [verdict.stray.file for verdict in judge(histograms, audit, mask_map) if verdict.stray]
    assert strays == [f"m{number}.png" for number in range(bad)]


def test_photographs_are_no_masks():
    rng = np.random.default_rng(0)
    small = [Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)) for _ in range(6)]
    photos = [np.asarray(image.resize((64, 64), Image.Resampling.BICUBIC)) for image in small]
    noise = [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(6)]
    for pictures, kind in ((photos, "PNG"), (photos, "JPEG"), (noise, "PNG")):
        with pytest.raises(DatasetError, match="no value fills a surface in more than one"):
            surveyed(pictures, kind)


def test_more_classes_than_sixty_four_are_taken_when_they_fill_surfaces():
    masks = []
    for number in range(6):
        cells = (np.arange(100).reshape(10, 10) + number) % 100
        masks.append(np.kron(cells, np.ones((6, 6), int)).astype(np.uint8))
    audit, mask_map = surveyed(masks)
    assert audit.kind == "index"
    assert len(mask_map.entries) == 100


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_masks_that_number_each_object_are_refused_with_what_to_do(dtype):
    """Of 255 objects in 8 bits, and of 400 in 16."""
    side = 16 if dtype is np.uint8 else 20
    mask = np.kron(np.arange(side * side).reshape(side, side), np.ones((6, 6), int)).astype(dtype)
    audit, proposed = surveyed([mask] * 6)
    assert not audit.blurred
    with pytest.raises(DatasetError, match="more values than there can be classes.*same value") as error:
        check_map(proposed, audit.kind)
    assert len(str(error.value)) < 300


def test_masks_that_hold_one_value_are_refused():
    with pytest.raises(DatasetError, match="hold only one value: found 0 in 6 of 6 masks"):
        surveyed([np.zeros((8, 8), np.uint8)] * 6)


def test_indices_in_jpeg_files_are_refused_with_what_to_do():
    with pytest.raises(DatasetError, match="only one value: .* Save the masks without loss, as PNG"):
        surveyed(blobs(0, 1, 2, size=48), "JPEG", quality=80)


def test_masks_of_which_each_has_values_of_its_own_are_refused():
    masks = [np.full((8, 8), 10 * number + 3, np.uint8) for number in range(6)]
    with pytest.raises(DatasetError, match="6 masks, in which no value fills a surface in more than one"):
        surveyed(masks)


def test_empty_and_ignored_masks_and_missing_classes_are_said_by_file():
    masks = [*blobs(0, 1, 2, 255), np.zeros((32, 32), np.uint8), np.full((32, 32), 255, np.uint8)]
    histograms = counted(masks)
    audit, mask_map = survey(histograms)
    wider = MaskMap((*mask_map.entries, MaskEntry((9,), "unseen")), 0)
    findings = audited(audit, histograms, judge(histograms, audit, wider), wider).findings
    assert findings == (
        "1 mask holds nothing but ignored pixels, so nothing is learned there: m7.png.",
        "1 mask holds nothing but background: m6.png.",
        "No mask has a pixel of the class unseen.",
    )


@settings(max_examples=40, deadline=None)
@given(data=st.data(), kind=st.sampled_from(["grey", "colour"]), seed=st.integers(0, 99))
def test_whatever_the_map_only_its_classes_come_out_and_every_pixel_is_accounted_for(data, kind, seed):
    width = 3 if kind == "colour" else 1
    drawn = data.draw(st.sets(st.tuples(*[st.integers(0, 255)] * width), min_size=2, max_size=6))
    values = np.array(sorted(drawn), np.uint8)
    which = np.random.default_rng(seed).integers(0, len(values), (3, 12, 10))
    masks = [values[places] if width == 3 else values[places][..., 0] for places in which]
    histograms = counted(masks)
    audit, proposed = survey(histograms)
    labels = data.draw(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=len(proposed.entries)))
    entries = [MaskEntry(entry.value, label) for entry, label in zip(proposed.entries, labels, strict=False)]
    mask_map = MaskMap(tuple(entries), data.draw(st.integers(0, proposed.tolerance)))
    for raw, verdict in zip(raws(masks), judge(histograms, audit, mask_map), strict=True):
        mask = index_mask(raw, audit, mask_map)
        assert set(np.unique(mask)) <= {*range(len(mask_map.classes)), 255}
        assert sum(verdict.pixels) + verdict.ignored == mask.size
        if verdict.stray is None:
            assert verdict.pixels == tuple((mask == index).sum() for index in range(len(mask_map.classes)))


def test_an_audit_goes_through_json_as_it_is():
    masks = blobs(0, 128, 255)
    masks[4][0, :5] = 77
    histograms = counted(masks)
    audit, mask_map = survey(histograms)
    final = audited(audit, histograms, judge(histograms, audit, mask_map), mask_map)
    assert final.stray
    assert MaskAudit.from_json(final.to_json()) == final
