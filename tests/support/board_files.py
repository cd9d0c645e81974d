"""Firmware of boards: a small net that talks and saves, built for each."""

from functools import cache
from pathlib import Path

import numpy as np

from tpsgd_edge.codegen import CProject
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.stages import Prepared, prepare, render_project
from tpsgd_edge.stages.boards import compile_board
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.folder import write_project


@cache
def on_board(name: str, *, has_wire: bool = True) -> tuple[Prepared, CProject]:
    """A net of two dense layers on a board, and its project."""
    content = {
        "name": "net",
        "model": {"layers": [{"name": "a", "units": 16}, {"name": "b", "units": 3}]},
        "data": {"file": "x.npz"},
        "platform": {"board": name},
        "firmware": {"store": True, "wire": has_wire},
    }
    spec = spec_from_dict(content)
    x = np.random.default_rng(1).standard_normal((60, 20)).astype(np.float32)
    prepared = prepare(spec, dataset_from_arrays(spec, x, np.arange(60) % 3))
    return prepared, render_project(prepared)


def board_program(name: str, folder: Path, *, has_wire: bool = True) -> Binary:
    """The net's firmware for a board."""
    prepared, project = on_board(name, has_wire=has_wire)
    write_project(project.files, folder / "net")
    binary = compile_board(prepared.spec, project, folder / "net")
    assert binary is not None
    return binary
