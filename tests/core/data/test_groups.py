"""Groups by a template over file names: what fits, what does not, and what is no template."""

import time

import pytest

from core.data.dataset import Sample
from core.data.groups import group_of, grouped
from core.errors import DatasetError


@pytest.mark.parametrize(
    ("name", "template", "group"),
    [
        ("cat/p12_003.png", "{group}_*", "p12"),
        ("cat/p_12_003.png", "{group}_*", "p"),  # as few letters as will do
        ("cat/p_12_003.png", "p_{group}_*", "12"),
        ("cat/img-7-left.png", "img-*-{group}", "left"),
        ("cat/img-7-left.png", "img-*-{group}.png", "left"),
        ("cat/img-7-left.png", "img-*-{group}.jpg", ""),
        ("cat/slide 4 (2).tif", "slide {group} (*)", "4"),
        ("train/cat/video9/0001.jpg", "{group}/*", "video9"),
        ("train/cat/video9/0001.jpg", "{group}/*/*", "cat"),
        ("train/cat/v9_a/0001.jpg", "*_{group}/*", "a"),
        ("0001.jpg", "{group}/*", ""),
        ("cat/p12.png", "{group}_*", ""),
        ("cat/_12.png", "{group}_*", ""),  # a group has a name
        ("cat/p12_", "{group}_*", "p12"),
        ("cat/p12_003.png", "{group}", "p12_003"),
        ("cat/aXbXc", "{group}X*X*", "a"),
        ("cat/.+(x_1.png", ".+({group}_*", "x"),  # nothing in it is a regular expression
        ("cat/patient.12.png", "patient.{group}.png", "12"),
        ("cat/ab.png", "a{group}b", ""),  # the two texts may not share a letter, nor leave none for the group
    ],
)
def test_a_template_reads_the_group_from_a_name(name, template, group):
    assert group_of(name, template) == group


@pytest.mark.parametrize("template", ["*", "{group}{group}", "{group}*", "*{group}", "a**{group}", "{x}_{group}", "{"])
def test_what_is_no_template_is_refused(template):
    with pytest.raises(DatasetError, match=r"expected \{group\} once"):
        group_of("a_b.png", template)


def test_a_long_name_under_many_wildcards_takes_no_time():
    began = time.perf_counter()
    assert group_of("a" * 5000 + "!", "*a" * 60 + "*b{group}") == ""
    assert group_of("a" * 5000 + "b1", "*a" * 60 + "*b{group}") == "1"
    assert time.perf_counter() - began < 0.5


def named(*names: str) -> list[Sample]:
    return [Sample(f"{row:06d}", "", name, 0, "", 4, 4, name, "PNG", group="old") for row, name in enumerate(names)]


def test_samples_get_the_groups_of_their_names_and_without_a_template_keep_theirs():
    samples = named("p1_a.png", "p1_b.png", "p2_a.png", "loose.png")
    assert [sample.group for sample in grouped(samples, "{group}_*")] == ["p1", "p1", "p2", ""]
    assert [sample.group for sample in grouped(samples, "")] == ["old"] * 4
    assert grouped([], "{group}_*") == ()


def test_a_template_that_fits_no_name_is_told_with_a_name():
    with pytest.raises(DatasetError, match=r"fits no file name: found '\{group\}_\*' for names such as 'a\.png'"):
        grouped(named("a.png", "b.png"), "{group}_*")
