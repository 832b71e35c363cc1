"""A draw depends on the run's seed and its own name, on nothing else, on every machine."""

from hypothesis import given
from hypothesis import strategies as st

from core.seeding import derive, fingerprint


def test_a_derived_seed_is_the_same_on_every_machine_and_in_every_version():
    assert derive(0, "split") == 6812300375708456965
    assert derive(7, "augment", "000017", 3) == derive(7, "augment", "000017", "3")


def test_a_fingerprint_is_the_same_on_every_machine_and_in_every_version():
    assert fingerprint("a", b"b") == "3c9d591045bc8876"


@given(st.integers(), st.lists(st.text(max_size=5) | st.integers(), max_size=4))
def test_a_derived_seed_fits_every_generator(seed, names):
    assert 0 <= derive(seed, *names) < 2**63


def test_every_name_and_the_seed_matter():
    names = [(), ("a",), ("a", "b"), ("b", "a"), ("ab",), (1,)]
    assert len({derive(seed, *row) for seed in (0, 1) for row in names}) == 12


@given(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6))
def test_a_fingerprint_tells_where_one_part_ends(left, middle, right):
    if middle:
        assert fingerprint(left + middle, right) != fingerprint(left, middle + right)
    assert fingerprint(left, middle) == fingerprint(left.encode(), middle.encode())
