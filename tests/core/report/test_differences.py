"""Differences are told by their place, as small as they are."""

import pytest

from core.report.differences import Piece, between, between_texts, brief, leaves


def test_values_of_json_are_told_by_their_path():
    one = leaves("a.json", b'{"a": [1, {"b": 2.5}], "c": {}, "d": null}')
    two = leaves("a.json", b'{"a": [1, {"b": 2.6}], "c": {}, "d": false}')

    assert list(between(one, two)) == [("a.1.b", "2.5", "2.6"), ("d", "null", "false")]


def test_a_value_that_only_one_side_has_is_nothing_on_the_other():
    assert list(between({"a": 1}, {"b": 2})) == [("b", "nothing", "2"), ("a", "1", "nothing")]


def test_one_and_true_and_one_point_nought_are_not_the_same():
    assert [place for place, *_ in between({"a": 1, "b": 1}, {"a": True, "b": 1.0})] == ["a", "b"]


@pytest.mark.parametrize(("found", "differs"), [(0.1 + 0.2, False), (0.3001, True), (float("nan"), True)])
def test_numbers_that_only_sums_in_another_order_tell_apart_are_the_same_where_that_may_be(found, differs):
    assert bool(list(between({"a": found}, {"a": 0.3}, close=True))) is differs


def test_cells_of_a_table_are_told_by_row_and_column():
    one, two = (leaves("t.csv", text.encode()) for text in ("id,p\r\n1,0.5\r\n2,0.6\r\n", "id,p\r\n1,0.5\r\n2,0.7\r\n"))

    assert list(between(one, two)) == [("row 3, column p", "0.6", "0.7")]


def test_a_table_with_another_row_says_so():
    one, two = (leaves("t.csv", text.encode()) for text in ("id\r\n1\r\n2\r\n", "id\r\n1\r\n"))

    assert ("number of rows", "2", "1") in list(between(one, two))


def test_lines_of_json_are_told_by_their_number():
    one, two = leaves("e.jsonl", b'{"a": 1}\n{"a": 2}\n'), leaves("e.jsonl", b'{"a": 1}\n{"a": 3}\n')

    assert list(between(one, two)) == [("line 2.a", "2", "3")]


@pytest.mark.parametrize(("name", "data"), [("a.json", b"{"), ("a.json", b"\xff"), ("a.json", b"[" * 100_000)])
def test_what_cannot_be_read_is_a_value_error(name, data):
    with pytest.raises(ValueError):
        leaves(name, data)


def test_of_two_sentences_only_the_words_that_differ_are_told():
    one = [Piece("here", "accuracy 0.93 of 40 pictures")]
    two = [Piece("here", "accuracy 0.63 of 40 pictures")]

    assert list(between_texts(one, two)) == [("here", "0.93", "0.63")]


def test_an_added_and_a_missing_piece_are_told_and_nothing_else():
    pieces = [Piece("a", "one"), Piece("b", "two"), Piece("c", "three")]

    assert list(between_texts([pieces[0], pieces[2]], pieces)) == [("b", "nothing", "two")]
    assert list(between_texts([*pieces, Piece("d", "four")], pieces)) == [("d", "four", "nothing")]


def test_long_values_lose_their_middle():
    assert len(brief("x" * 10_000)) < 200
