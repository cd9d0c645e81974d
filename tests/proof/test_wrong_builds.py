"""What is built, simulated or fitted with wrong code is refused, by the self-test of the device."""

from dataclasses import replace

import numpy as np
import pytest

from tests.proof.devices import command, make_wrong, needs
from tests.proof.faults import EARLY, FOUND, SELFTEST_SEES
from tpsgd_edge import TPSGDClassifier, load_spec
from tpsgd_edge.errors import MismatchError
from tpsgd_edge.estimator import base
from tpsgd_edge.stages import firmware, prepare, prove, running
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device

pytestmark = pytest.mark.usefixtures("folder")


@pytest.mark.parametrize("verb", ["build", "simulate", "quantization"])
def test_what_is_made_of_wrong_code_is_refused(verb, folder, monkeypatch, capsys):
    before = sorted(folder.rglob("*"))
    make_wrong(monkeypatch, EARLY)
    ended = command(capsys, verb, "toy.toml")
    assert ended.err.startswith("error: mismatch: the self-test fails: the compiled code does not")
    assert "where: toy on host" in ended.err
    assert FOUND in ended.err
    assert (ended.code, ended.out) == (1, "")
    assert sorted(folder.rglob("*")) == before


@pytest.mark.series(3)
@pytest.mark.parametrize("fault", SELFTEST_SEES)
def test_the_self_test_sees_wrong_answers(fault, monkeypatch, capsys):
    make_wrong(monkeypatch, SELFTEST_SEES[fault].change)
    stored = ("--set", "projection.storage=s8", "--set", "projection.kind=sign")
    ended = command(capsys, "build", "toy.toml", *stored)
    assert SELFTEST_SEES[fault].words in ended.err
    assert ended.code == 1


@pytest.mark.emulator
def test_a_build_for_a_core_runs_its_self_test(folder, monkeypatch, capsys):
    needs("cortex-m4f")
    make_wrong(monkeypatch, EARLY)
    ended = command(capsys, "build", "toy.toml", "--platform", "cortex-m4f")
    assert "where: toy on cortex-m4f" in ended.err
    assert FOUND in ended.err
    assert (ended.code, ended.out) == (1, "")
    assert not (folder / "build").exists()


# The middle of the table of tanh for s8: no other bytes of a binary look like it.
_TANH = bytes([0xF8, 0xFC, 0x00, 0x04, 0x08, 0x0C, 0x10])


@pytest.mark.series(1)
@pytest.mark.parametrize("platform", ["host", "cortex-m4f"])
@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("verify", "mismatch: step 3, tensor 'output', index [0]: reference 48, device 49"),
        ("build", "tensor 'w', index ["),
    ],
)
def test_one_bit_of_the_binary(platform, verb, words, monkeypatch, capsys):
    if platform != "host":
        needs(platform)
    name = "compile_for_host" if platform == "host" else "compile_for_device"
    compile_ = getattr(firmware, name)

    def compile_wrongly(*arguments, **options):
        binary = compile_(*arguments, **options)
        content = binary.path.read_bytes()
        assert content.count(_TANH) == 1
        binary.path.write_bytes(content.replace(_TANH, _TANH[:4] + b"\x0c" + _TANH[5:]))
        return binary

    monkeypatch.setattr(firmware, name, compile_wrongly)
    ended = command(capsys, verb, "toy.toml", "--platform", platform)
    assert "mismatch: step " in ended.out + ended.err
    assert words in ended.out + ended.err
    assert ended.code == 1


def test_simulate_runs_the_self_test_of_what_it_compiles(monkeypatch, capsys):
    compile_ = running.compile_for_host

    def compile_wrongly(*arguments, **options):
        binary = compile_(*arguments, **options)
        content = binary.path.read_bytes()
        binary.path.write_bytes(content.replace(_TANH, _TANH[:4] + b"\x0c" + _TANH[5:]))
        return binary

    monkeypatch.setattr(running, "compile_for_host", compile_wrongly)
    ended = command(capsys, "simulate", "toy.toml")
    assert (ended.code, ended.out) == (1, "")


@pytest.mark.parametrize("platform", ["host", "cortex-m4f"])
def test_a_build_writes_what_it_compiled(platform, folder, capsys):
    if platform != "host":
        needs(platform)
    ended = command(capsys, "build", "toy.toml", "--platform", platform, "--out", "out")
    assert (ended.code, ended.err) == (0, "")
    (built,) = [path for path in (folder / "out" / "build").iterdir() if path.is_file()]
    prepared = prepare(load_spec("toy.toml", [f"platform.name={platform}"]))
    kind = "library" if platform == "host" else "firmware"
    compiler = find_compiler(prepared.platform)
    binary = Binary(built, kind, "toy", prepared.platform, compiler)
    with open_device(binary, interface_of(prepared.model)) as device:
        assert prove(device, prepared, 30, lambda *_: None).verdict == "equal"


def test_an_estimator_stops_at_wrong_code(monkeypatch):
    render = base.render_project
    monkeypatch.setattr(base, "render_project", lambda prepared: wrong_anywhere(render(prepared)))
    x = np.random.default_rng(1).normal(size=(30, 4))
    with pytest.raises(MismatchError, match="the self-test fails"):
        TPSGDClassifier(hidden_layer_sizes=(3,), epochs=1).fit(x, np.arange(30) % 3)


def wrong_anywhere(project):
    """The project with another first random number."""
    name = f"{project.name}.c"
    text = project.files[name].replace("model->step = 0;", "model->step = 1;")
    assert text != project.files[name]
    return replace(project, files={**project.files, name: text})
