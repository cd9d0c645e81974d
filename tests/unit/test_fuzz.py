"""What comes from outside, changed at random: an answer or an error in words, and nothing else."""

import warnings
from itertools import islice

import pytest

from tools.fuzz import inputs, readers, try_one

KINDS = "spec csv npz idx wav onnx tflite dump checkpoint log manifest note results frames".split()
KINDS.append("fleet")
QUICK = {"spec": 40, "npz": 60, "onnx": 40, "results": 40}


def test_every_kind_has_its_seeds_and_they_are_good():
    assert list(readers()) == KINDS
    for kind, reader in readers().items():
        for content in reader.seeds:
            try_one(kind, content)


@pytest.mark.parametrize("kind", KINDS)
def test_changed_files_do_no_harm(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for content in islice(inputs(kind, 1), QUICK.get(kind, 150)):
            try_one(kind, content)


@pytest.mark.sampled(2)
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
@pytest.mark.parametrize("kind", KINDS)
def test_many_changed_files_do_no_harm(kind, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for content in islice(inputs(kind, seed), 10 * QUICK.get(kind, 150)):
            try_one(kind, content)
