"""The example with two models on one sensor: each answer is the reference's, on a running board."""

import os
import runpy
import select
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tpsgd_edge.quantize import quantize_inputs
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import prepare
from tpsgd_edge.toolchain.board import load_board
from tpsgd_edge.toolchain.board_run import EmulatedBoard

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "firmware" / "two_models"
WINDOW, HOP, STRETCH, STRETCHES = 64, 64, 128, 320
# From here on the device is told nothing.
TAUGHT = 270

pytestmark = [pytest.mark.emulator, pytest.mark.slow]


@pytest.fixture
def firmware(tmp_path):
    """The example, made as its README says."""
    for program in ("make", "arm-none-eabi-gcc", "qemu-system-arm"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    shutil.copytree(EXAMPLE, tmp_path / "two", ignore=shutil.ignore_patterns("motor", "build"))
    tool = f"TPSGD={sys.executable} -m tpsgd_edge"
    done = subprocess.run(
        ["make", f"PYTHON={sys.executable}", tool],
        cwd=tmp_path / "two",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "warning:" not in done.stderr
    return tmp_path / "two"


def signal():
    """What the sensor gives, and what is known of the machine at each value: load and state."""
    made = runpy.run_path(str(EXAMPLE / "make_data.py"))
    rng = np.random.default_rng(8)
    known = np.stack([rng.integers(0, 3, STRETCHES), rng.integers(0, 2, STRETCHES)], axis=1)
    values = [made["stretch"](rng, load, state, STRETCH) for load, state in known]
    return np.concatenate(values), np.repeat(known, STRETCH, axis=0)


def answers_of(spec, values, labels, learned):
    """Names that the reference answers, one window after the other, while it learns some labels."""
    prepared = prepare(spec)
    model, reference = prepared.model, Reference(prepared.model)
    said = []
    for end in range(WINDOW, len(values) + 1, HOP):
        x = quantize_inputs(model, values[np.newaxis, end - WINDOW : end])[0]
        said.append(prepared.dataset.class_names[int(np.argmax(reference.output(x)))])
        label = int(labels[end - 1])
        if end <= TAUGHT * STRETCH and label in learned:
            reference.train_step(x, label)
    return said


def said_by(line):
    """The next bytes; a board that says nothing for a minute will say no more."""
    assert select.select([line], [], [], 60)[0], "the board has stopped"
    return os.read(line, 1000)


def lines(board, values, known):
    """What the firmware says while it is fed, stretch by stretch, its greeting first."""
    line = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
    told = known.astype(np.uint8)
    told[TAUGHT * STRETCH :] = 255
    rows = np.zeros(len(values), [("value", "<i2"), ("load", "u1"), ("state", "u1")])
    rows["value"], rows["load"], rows["state"] = values, told[:, 0], told[:, 1]
    said = b""
    while b"ready\n" not in said:
        said += said_by(line)
    for start in range(0, len(rows), STRETCH):
        os.write(line, rows[start : start + STRETCH].tobytes())
        end = min(start + STRETCH, len(rows))
        while said.count(b"\n") < 2 + (end - WINDOW) // HOP:
            said += said_by(line)
    os.close(line)
    return said.decode().splitlines()


def test_both_models_learn_from_one_sensor_what_the_reference_learns(firmware):
    values, known = signal()
    with EmulatedBoard(load_board("mps2-an386"), firmware / "build" / "two_models.elf") as board:
        board.power_on()
        greeting, *said = lines(board, values, known)
    assert greeting == "ready"
    both = [
        answers_of(load_spec(firmware / f"{name}.toml"), values, known[:, i], learned)
        for i, (name, learned) in enumerate((("motor", (0, 1, 2)), ("bearing", (0,))))
    ]
    assert said == [" ".join(pair) for pair in zip(*both, strict=True)]
    right = [
        text == f"{('idle', 'half', 'full')[load]} {('normal', 'anomaly')[state]}"
        for text, (load, state) in zip(said, known[WINDOW - 1 :: HOP], strict=True)
    ]
    assert np.mean(right[-(STRETCHES - TAUGHT) * STRETCH // HOP :]) > 0.9
