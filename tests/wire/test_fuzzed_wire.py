"""Anything that comes over a wire: the C that reads it does no harm."""

import subprocess

import pytest

from tools.fuzz_wire import build, fuzz, model, seeds
from tpsgd_edge.stages import render_project


@pytest.fixture(scope="module")
def prepared():
    return model()


@pytest.fixture(scope="module")
def program(tmp_path_factory, prepared):
    found = build(tmp_path_factory.mktemp("fuzz"), render_project(prepared))
    if found is None:
        pytest.skip("no clang with libFuzzer is installed")
    return found


def test_whatever_comes_over_a_wire_does_no_harm(program, prepared, tmp_path):
    options = ("-runs=2000", "-seed=1", "-verbosity=0")
    assert fuzz(program, tmp_path / "corpus", prepared, *options) == 0


def test_seeds_are_conversations(program, prepared, tmp_path):
    """Else the fuzzer would look at little more than refusals."""
    said = []
    for number, seed in enumerate(seeds(prepared)):
        path = tmp_path / str(number)
        path.write_bytes(seed)
        done = subprocess.run([program, path], env={"SHOW": "1"}, capture_output=True, check=False)
        assert done.returncode == 0
        words = done.stderr.decode().split("\n")
        said.append(next(line for line in words if " frames, step " in line))
    assert said[0] == "5 frames, step 0"
    assert said[1] == "6 frames, step 3"
    assert said[2] == "5 frames, step 1"
    # Weights of before the training step were written.
    assert said[4].endswith("frames, step 0")
