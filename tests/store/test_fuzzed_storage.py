"""A storage that holds anything: the C that reads it does no harm, and finds what is whole."""

import subprocess

import pytest

from tools.fuzz_store import build, fuzz, seeds


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    found = build(tmp_path_factory.mktemp("fuzz"))
    if found is None:
        pytest.skip("no clang with libFuzzer is installed")
    return found


def test_whatever_lies_in_a_storage_does_no_harm(program, tmp_path):
    assert fuzz(program, tmp_path / "corpus", "-runs=4000", "-seed=1", "-verbosity=0") == 0


def test_seeds_are_whole_checkpoints_that_a_load_finds(program, tmp_path):
    """Else the fuzzer would look at little more than headers."""
    for number, seed in enumerate(seeds()):
        path = tmp_path / str(number)
        path.write_bytes(seed)
        done = subprocess.run([program, path], env={"SHOW": "1"}, capture_output=True, check=False)
        assert done.returncode == 0
        assert b"loaded a checkpoint" in done.stderr, number
