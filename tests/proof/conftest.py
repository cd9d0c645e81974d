"""The folder that commands on wrong devices run in."""

import pytest

from tests.proof.devices import compile_quickly, write_specs


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with specs and data, and commands that run in it and compile quickly."""
    write_specs(tmp_path)
    compile_quickly(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return tmp_path
