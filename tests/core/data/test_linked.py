"""Linked things belong together, whatever the order of the links."""

import random

from hypothesis import given
from hypothesis import strategies as st

from core.data.linked import linked

LINKS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=30)


def test_links_hold_through_others_and_what_has_none_stands_alone():
    assert linked("abcdef", [("e", "c"), ("b", "e"), ("f", "f")]) == dict(zip("abcdef", "abbdbf", strict=True))


@given(LINKS, st.randoms(use_true_random=False))
def test_each_thing_is_told_the_smallest_that_it_can_be_reached_from(links, chance: random.Random):
    reached = {thing: {thing} for thing in range(21)}
    for _ in range(21):
        for one, other in links:
            both = reached[one] | reached[other]
            for thing in both:
                reached[thing] |= both
    shuffled = [pair[:: chance.choice((1, -1))] for pair in chance.sample(links, len(links))]
    assert linked(range(21), shuffled) == {thing: min(others) for thing, others in reached.items()}
