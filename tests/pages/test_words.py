import pytest

from core.errors import DatasetError
from pages.shared.words import bounds, count, duration, field_words, measured, plain, sentence, share, size

NAMES = [
    ("<script>alert(1)</script>", "\\<script\\>alert\\(1\\)\\</script\\>"),
    ("a *b* _c_", "a \\*b\\* \\_c\\_"),
    ("[x](http://evil)", "\\[x\\]\\(http:\u2060//evil\\)"),
    (":red[x]", ":\u2060red\\[x\\]"),
    (":material/home:", ":\u2060material/home:"),
    ("$x$", "\\$x\\$"),
    ("# title", "\\# title"),
    ("1. item", "1\\. item"),
    ("plain name", "plain name"),
]


@pytest.mark.parametrize(("name", "written"), NAMES)
def test_a_name_is_written_so_that_markdown_shows_it_letter_for_letter(name, written):
    assert plain(name) == written


def test_a_long_name_loses_its_middle():
    assert plain("a" * 30 + "z" * 30, 10) == "aaaaaa…zzz"


def test_an_error_keeps_the_names_in_it_as_text():
    assert sentence(DatasetError("The class '*a*' is empty")) == "The class '\\*a\\*' is empty\\."


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(None, "–"), (0.42, "0.4 s"), (8.6, "9 s"), (59.4, "59 s"), (125, "2 min 05 s"), (4800, "1 h 20 min")],
)
def test_a_duration_is_written_in_two_units_at_most(seconds, written):
    assert duration(seconds) == written


def test_numbers_stand_with_their_unit_or_interval():
    assert count(1, "image") == "1 image"
    assert count(1249, "image") == "1,249 images"
    assert count(2, "class", "classes") == "2 classes"
    assert [size(number) for number in (512, 2_300, 23_400_000, 4_100_000_000)] == [
        "512 bytes",
        "2.3 kB",
        "23 MB",
        "4.1 GB",
    ]
    assert measured(0.9381, (0.911, 0.957)) == "0.938 [0.911–0.957]"
    assert (share(None), bounds(None)) == ("–", "")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("mix.mixup", "MixUp"),
        ("phases.1.learning_rate", "phase 2, learning rate"),
        ("phases.0", "phase 1"),
        ("phases.0.schedule.values.factor", "phase 1, schedule, factor"),
        ("loss.values.gamma", "loss, gamma"),
    ],
)
def test_a_field_of_a_recipe_has_words(path, said):
    assert field_words(path) == said
