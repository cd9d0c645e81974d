"""Real firmware on emulated boards, over their UART and without semihosting."""

import os
import random
import threading

import numpy as np
import pytest

from tests.support.board_files import board_program, on_board
from tpsgd_edge.errors import BudgetError, LinkError, ToolError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.link import LinkedDevice
from tpsgd_edge.link.linked import digest_of
from tpsgd_edge.link.session import Limits
from tpsgd_edge.memory import digest_order
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.stages import prepare, render_project, scratch_project
from tpsgd_edge.stages.boards import compile_board
from tpsgd_edge.toolchain import board_run
from tpsgd_edge.toolchain.board import booting_boards
from tpsgd_edge.toolchain.board_run import EmulatedBoard, erased_storage
from tpsgd_edge.toolchain.compilers import PREFERENCE_VARIABLE
from tpsgd_edge.trace import digest

pytest.importorskip("serial")
pytestmark = [pytest.mark.emulator, pytest.mark.slow]

LIMITS = Limits(answer=10.0, slow=30.0, tries=3)
# A board whose power went is given up soon.
IMPATIENT = Limits(answer=1.0, slow=1.0, tries=1)
KEEPING = [board for board in booting_boards() if board.emulator.keeps]


@pytest.fixture
def program(tmp_path):
    """Builds the net for a board; skips where a compiler or the emulator is missing."""

    def build(board, **options):
        try:
            board.emulator.on_socket(tmp_path / "net.elf", "uart", None)
        except ToolError as error:
            pytest.skip(error.what)
        try:
            binary = board_program(board.name, tmp_path, **options)
        except ToolError as error:
            if "no C compiler" not in error.what:
                raise
            pytest.skip(error.what)
        assert binary.warnings == ""
        return binary.path

    return build


def expected_digest(prepared, order):
    """The reference's digest after training on these samples."""
    model, dataset = prepared.model, prepared.dataset
    reference = Reference(model)
    x = quantize_inputs(model, dataset.x_train[order])
    labels = quantize_labels(model, dataset.y_train[order])
    for sample, label in zip(x, labels, strict=True):
        reference.train_step(sample, label)
    return digest(reference.state()[name] for name in digest_order(model))


@pytest.mark.parametrize("family", ["zig", "gcc"])
@pytest.mark.parametrize("board", booting_boards(), ids=lambda board: board.name)
def test_a_board_learns_over_its_uart(program, monkeypatch, board, family):
    monkeypatch.setenv(PREFERENCE_VARIABLE, family)
    prepared, _ = on_board(board.name)
    dataset, order = prepared.dataset, np.arange(40)
    with EmulatedBoard(board, program(board)) as emulated:
        emulated.power_on()
        with LinkedDevice.open(emulated.port, prepared.model, limits=LIMITS) as device:
            assert device.selftest()
            for i in order:
                device.train(dataset.x_train[i], dataset.y_train[i])
            assert device.hello.step == 0
            assert digest_of(prepared.model, device.pull()) == expected_digest(prepared, order)
            if board.storage is not None:
                assert device.checkpoint() == len(order)


@pytest.mark.parametrize("board", booting_boards(), ids=lambda board: board.name)
def test_a_board_without_a_wire_says_what_its_self_test_came_to(program, board):
    with EmulatedBoard(board, program(board, has_wire=False)) as emulated:
        emulated.power_on()
        line = os.open(emulated.port, os.O_RDONLY | os.O_NOCTTY)
        said = b""
        while not said.endswith(b"\n"):
            said += os.read(line, 100)
        os.close(line)
    _, project = on_board(board.name)
    expected = expected_digest(on_board(board.name)[0], np.arange(0))
    assert said.decode() == f"{project.name}: self-test passed, digest 0x{expected:08x}\r\n"


@pytest.mark.parametrize("board", KEEPING, ids=lambda board: board.name)
def test_power_may_go_at_any_moment(program, tmp_path, board):
    """No checkpoint that was done is ever lost, and what is there is a state that training made."""
    prepared, _ = on_board(board.name)
    dataset, rng = prepared.dataset, random.Random(3)
    storage = erased_storage(board, tmp_path / "flash.bin")
    saved = step = 0
    with EmulatedBoard(board, program(board), storage=storage) as emulated:
        for cut_number in range(80):
            # A busy computer may need more than eight to come to a first checkpoint.
            if cut_number >= 8 and saved > 0:
                break
            emulated.power_on()
            with LinkedDevice.open(emulated.port, prepared.model, limits=LIMITS) as device:
                assert saved <= device.hello.step <= step
                order = np.arange(device.hello.step) % 48
                assert device.hello.digest == expected_digest(prepared, order)
            with LinkedDevice.open(emulated.port, prepared.model, limits=IMPATIENT) as device:
                step = device.hello.step
                cut = threading.Timer(rng.uniform(0, 0.3), emulated.power_off)
                cut.start()
                try:
                    while True:
                        i = step % 48
                        step += 1
                        device.train(dataset.x_train[i], dataset.y_train[i])
                        if step % 7 == 0:
                            saved = device.checkpoint()
                except LinkError:
                    cut.join()
    assert saved > 0


def test_a_paced_line_waits_for_each_byte_that_it_carries(program, monkeypatch):
    board, waited = KEEPING[0], []
    monkeypatch.setattr(board_run.Pace, "wait", lambda self, count: waited.append(count))
    prepared, _ = on_board(board.name)
    with EmulatedBoard(board, program(board), baud=9600) as emulated:
        emulated.power_on()
        with LinkedDevice.open(emulated.port, prepared.model, limits=LIMITS) as device:
            device.predict(prepared.dataset.x_train[0])
        assert sum(waited) == emulated.carried > 0


def test_firmware_that_does_not_fit_is_refused():
    content = {
        "name": "net",
        "model": {"layers": [{"name": "a", "units": 100}, {"name": "b", "units": 3}]},
        "data": {"file": "x.npz"},
        "platform": {"board": "microbit"},
        "firmware": {"wire": True},
    }
    spec = spec_from_dict(content)
    x = np.random.default_rng(1).standard_normal((30, 66)).astype(np.float32)
    prepared = prepare(spec, dataset_from_arrays(spec, x, np.arange(30) % 3))
    project = render_project(prepared)
    with scratch_project(project) as folder, pytest.raises(BudgetError) as caught:
        compile_board(prepared.spec, project, folder)
    assert "bytes too many; it has 229,376 bytes of flash and 16,384 of RAM" in caught.value.found
