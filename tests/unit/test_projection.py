"""Hadamard codes among the projections; the other kinds stand in test_reference.py."""

import numpy as np
import pytest

from tpsgd_edge.arithmetic.projection import draw_projection


@pytest.mark.parametrize(("units", "classes"), [(16, 10), (64, 10), (4, 3), (128, 100), (2, 2)])
def test_columns_are_orthogonal_where_the_rows_fill_the_matrix(units, classes):
    p = draw_projection("hadamard", 5, (units, classes)).astype(int)
    assert np.array_equal(p.T @ p, units * np.eye(classes, dtype=int))


@pytest.mark.parametrize("classes", [2, 3, 10, 32, 33, 100, 256])
def test_few_units_tell_all_classes_apart(classes):
    bits = (classes - 1).bit_length()
    p = draw_projection("hadamard", 5, (bits + 3, classes))
    assert len({column.tobytes() for column in p.T}) == classes


def test_signs_of_rows_follow_from_the_seed():
    one, two = (draw_projection("hadamard", seed, (64, 10)) for seed in (1, 2))
    turned = {row.tobytes() for row in one * two}
    assert turned == {np.full(10, 1, np.int8).tobytes(), np.full(10, -1, np.int8).tobytes()}
    assert abs(int(one[:, 0].sum())) < 30


def test_a_single_label_has_signs_only():
    assert set(draw_projection("hadamard", 1, (50, 1)).flat) == {-1, 1}
