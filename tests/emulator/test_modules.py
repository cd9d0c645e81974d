"""WebAssembly under node: what it exports, its sizes, and how it fails."""

import json
import subprocess

import pytest

from tests.emulator import test_random_maps, test_random_networks, test_random_sequences
from tests.emulator.test_random_networks import run_on
from tests.support.fake_project import FILES, INTERFACE, Twin, samples
from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain import wasm_sizes
from tpsgd_edge.toolchain.counting import count_instructions
from tpsgd_edge.toolchain.node_link import node_command
from tpsgd_edge.toolchain.open_device import find_emulator
from tpsgd_edge.toolchain.platforms import load_platform
from tpsgd_edge.toolchain.sizes import Ram
from tpsgd_edge.toolchain.wasm_sizes import measure_module

RAM = Ram(weights=108, arena=24, stack=0)
EXPORTS = {
    *("memory", "serve", "state", "state_size", "raw", "x", "label", "init", "selftest"),
    *("digest", "prepare", "outputs", "predict", "train_step", "restart_schedule"),
}
# Trains by the exported functions alone, as a page does, and tells what came of it.
TRAINING = """
const fs = require("node:fs");
const module = new WebAssembly.Module(fs.readFileSync(process.argv[1]));
const { exports } = new WebAssembly.Instance(module);
const given = JSON.parse(process.argv[2]);
const x = new Int8Array(exports.memory.buffer, exports.x(), 5);
const label = new Uint16Array(exports.memory.buffer, exports.label(), 1);
const told = { imports: WebAssembly.Module.imports(module), exports: Object.keys(exports) };
told.selftest = exports.selftest();
told.statuses = given.x.map((sample, i) => {
  x.set(sample);
  label[0] = given.labels[i];
  return exports.train_step();
});
told.outputs = [...new Int16Array(exports.memory.buffer, exports.outputs(), 3)];
told.predicted = exports.predict();
told.digest = exports.digest() >>> 0;
told.state = [...new Uint8Array(exports.memory.buffer, exports.state(), exports.state_size())];
console.log(JSON.stringify(told));
"""


@pytest.fixture
def node():
    try:
        return node_command()
    except ToolError as error:
        pytest.skip(error.what)


def test_a_page_that_calls_the_exports_gets_what_the_twin_does(build_firmware, node):
    binary, (x, labels) = build_firmware("wasm32"), samples(40)
    given = json.dumps({"x": x.tolist(), "labels": labels.tolist()})
    words = [node, "-e", TRAINING, str(binary.path), given]
    told = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    twin = Twin()
    for sample, label in zip(x, labels, strict=True):
        twin.train_step(sample, label)
    assert (told["imports"], set(told["exports"])) == ([], EXPORTS)
    assert (told["selftest"], set(told["statuses"])) == (0, {0})
    assert told["outputs"] == twin.outputs(x[-1]).tolist()
    assert told["predicted"] == twin.outputs(x[-1]).argmax()
    assert told["digest"] == twin.digest()
    assert len(told["state"]) == INTERFACE.layout.size


def test_a_module_that_only_predicts_exports_no_training(build_firmware, run_firmware):
    binary = build_firmware("wasm32", inference_only=True)
    content = binary.path.read_bytes()
    assert b"\x07predict" in content
    assert b"\x0atrain_step" not in content
    x, _ = samples(20)
    with run_firmware(binary, INTERFACE) as device:
        twin = Twin()
        assert device.outputs(x).tolist() == [twin.outputs(sample).tolist() for sample in x]


def test_code_and_constants_are_told_apart(build_firmware):
    def flash(text):
        binary = build_firmware("wasm32", extra={"fake.c": text})
        return measure_module(binary.path, RAM)

    before = flash(FILES["fake.c"])
    table = "static const int16_t table[500] = {1, 2, 3, [499] = 7};\n"
    text = FILES["fake.c"].replace("static int16_t arena_x", table + "\nstatic int16_t arena_x")
    text = text.replace("model->step++", "model->step += (uint32_t)table[(uint16_t)label * 3] ^ 2u")
    after = flash(text)
    assert 990 <= after.flash.constants - before.flash.constants <= 1010
    assert 0 < after.flash.code - before.flash.code < 100
    assert (after.port_flash, after.ram) == (before.port_flash, RAM)


def test_what_is_no_module_of_ours_is_refused(tmp_path):
    path = tmp_path / "fake.wasm"
    path.write_bytes(b"\x7fELF")
    with pytest.raises(ToolError, match="no WebAssembly module"):
        measure_module(path, RAM)
    path.write_bytes(wasm_sizes._MAGIC)
    with pytest.raises(ToolError, match="not linked with port/") as caught:
        measure_module(path, RAM)
    assert "no 'tps_port_read'" in caught.value.found


def test_a_trap_is_an_error(build_firmware, run_firmware):
    line = "    forward(model, x, arena_out);\n"
    text = FILES["fake.c"].replace(line, f"    __builtin_trap();\n{line}")
    device = run_firmware(build_firmware("wasm32", extra={"fake.c": text}), INTERFACE)
    with device, pytest.raises(ToolError) as caught:
        device.train(*samples(1))
    assert "unreachable" in caught.value.found


def test_node_does_not_count(build_firmware):
    with pytest.raises(ToolError, match="node does not count instructions"):
        count_instructions(build_firmware("wasm32"), INTERFACE, *samples(1), emulator="node")


def test_without_node_the_error_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="node is not installed") as caught:
        find_emulator(load_platform("wasm32"))
    assert "apt install nodejs" in caught.value.help


MODELS = {
    "layers": lambda number: test_random_networks.recipe_of(number).model(),
    "maps": test_random_maps.model_of,
    "sequences": test_random_sequences.model_of,
    "gates": test_random_sequences.gated_model_of,
}


# clang builds in a third of the time; zig's turn is in the tests above, and once here.
@pytest.mark.slow
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize(("number", "family"), [(0, "clang"), (1, "zig")])
def test_a_module_does_what_the_reference_does(kind, number, family):
    run_on("wasm32", MODELS[kind](number), number, family=family)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MODELS)
def test_a_module_that_only_predicts_does_too(kind):
    run_on("wasm32", MODELS[kind](6), 6, family="clang", inference_only=True)
