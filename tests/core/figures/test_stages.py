from core.figures.colours import ACCENT
from core.figures.stages import MOST_NUMBERED, PhaseCounts, StageCount, short, stage_bars

HEAD_ONLY = PhaseCounts("head", (StageCount("stem", 0, 900), StageCount("block 1", 0, 3000), StageCount("head", 50, 0)))
HALF = PhaseCounts("last", (StageCount("stem", 0, 900), StageCount("block 1", 1500, 1500), StageCount("head", 50, 0)))


def test_what_learns_has_the_accent_and_what_stays_has_not():
    learns, stays = stage_bars([HEAD_ONLY]).data

    assert (learns.name, learns.marker.color) == ("learns", ACCENT)
    assert [cell[0] for cell in learns.customdata] == ["head"]
    assert [cell[0] for cell in stays.customdata] == ["stem", "block 1"]


def test_a_stage_of_which_a_part_learns_is_divided_in_that_proportion():
    learns, stays = stage_bars([HALF]).data

    assert learns.x[0] == stays.x[1], "half of the block learns"
    assert learns.base[0] == 1
    assert stays.base[1] == learns.base[0] + learns.x[0]


def test_phases_stand_below_each_other_from_the_first_on():
    figure = stage_bars([HEAD_ONLY, HALF])

    assert list(figure.layout.yaxis.categoryarray) == ["2. last", "1. head"], "plotly counts from below"
    assert figure.layout.height > stage_bars([HEAD_ONLY]).layout.height


def test_every_stage_says_how_large_it_is_unless_there_are_too_many():
    assert list(stage_bars([HEAD_ONLY]).layout.xaxis.ticktext) == ["stem<br>900", "1<br>3 k", "head<br>50"]
    many = PhaseCounts("all", tuple(StageCount(f"block {n}", 1000, 0) for n in range(MOST_NUMBERED + 1)))
    assert "<br>" not in "".join(stage_bars([many]).layout.xaxis.ticktext)


def test_names_are_never_read_as_markup():
    odd = PhaseCounts("<b>x</b>", (StageCount("<i>y", 1, 0),))
    figure = stage_bars([odd, odd])

    assert "&lt;b&gt;" in figure.layout.yaxis.categoryarray[0]
    assert "&lt;i&gt;" in figure.layout.xaxis.ticktext[0]


def test_a_number_of_parameters_in_a_few_letters():
    assert [short(n) for n in (0, 999, 5124, 3_371_008, 348_147_968, 999_900)] == [
        "0",
        "999",
        "5.12 k",
        "3.37 M",
        "348 M",
        "1 M",
    ]
