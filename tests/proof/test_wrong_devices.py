"""What a user calls, with a device that is really wrong: it says mismatch, where, and ends with 1.

Nothing is replaced but some words of the rendered C, or some bytes of what a compiler made of it:
rendering, compiling, running and comparing are those of every day.
"""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from tests.proof.devices import (
    STEPS,
    Change,
    command,
    inside,
    make_wrong,
    only_predicting,
    when,
    write_specs,
)
from tpsgd_edge import TPSGDClassifier, load_spec
from tpsgd_edge.errors import MismatchError, ToolError
from tpsgd_edge.estimator import base
from tpsgd_edge.stages import firmware, prepare, prove, running
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import find_emulator, open_device
from tpsgd_edge.toolchain.platforms import load_platform

ONE_WEIGHT = "model->fc1_w[7] = (int16_t)(model->fc1_w[7] ^ 1);"
BEST = r"uint16_t best = 0;"
# What is wrong, in which spec, and what the command must say.
IN_TRAINING = {
    "in the last step only": (
        "toy",
        when(f"model->step == {STEPS}", ONE_WEIGHT),
        f"mismatch: step {STEPS}, layer 'fc1', tensor 'w', index [1][1]: reference ",
    ),
    "in one late chunk": (
        "toy",
        when("model->step == 270", ONE_WEIGHT),
        "mismatch: step 270, layer 'fc1', tensor 'w', index [1][1]: reference ",
    ),
    "in one tensor": (
        "toy",
        when("model->step == 3", "model->fc2_b[2] += 1;"),
        "mismatch: step 3, layer 'fc2', tensor 'b', index [2]: reference ",
    ),
    "in the last answer of training": (
        "toy",
        inside("last_output", "return ", r"return 1 + "),
        "mismatch: step 1, tensor 'output', index [2]: reference 0, device ",
    ),
    "in the order of lessons on the way": (
        "stream",
        inside("train_step", r"% 2 == 0", "% 2 == 1"),
        "mismatch: step 1, ",
    ),
    "in a value": (
        "values",
        when("model->step == 5", "model->fc2_b[0] -= 1;"),
        "mismatch: step 5, layer 'fc2', tensor 'b', index [0]: reference ",
    ),
}
IN_ANSWERS = {
    "class 0 is never answered": (
        "toy",
        inside("predict", BEST, "uint16_t best = 1;"),
        "mismatch: in predict after 0 steps, sample ",
    ),
    "the last of equals": (
        "toy",
        inside("predict", r"\] > work", "] >= work"),
        "mismatch: in predict after 0 steps, sample 0: reference 0, device 2",
    ),
    "the last class is never looked at": (
        "toy",
        inside("predict", r"k < TOY_N_OUT", "k < TOY_N_OUT - 1"),
        "mismatch: in ",
    ),
    "predictions are wrong after some training": (
        "toy",
        inside("predict", r"return best;", "return (uint16_t)(best ^ (model->step > 260));"),
        f"mismatch: in predict after {STEPS} steps, sample ",
    ),
    "evaluate looks at the first label": (
        "toy",
        inside("evaluate", r"labels\[i\]", "labels[0]"),
        "mismatch: in evaluate after ",
    ),
    "evaluate does not go on": (
        "toy",
        inside("evaluate", r", x \+= TOY_N_IN", ""),
        "mismatch: in evaluate after ",
    ),
    "confidence": (
        "toy",
        inside("confidence", r"softmax\.max\)", "softmax.max - 64)"),
        "mismatch: in confidence after 0 steps, sample ",
    ),
    "outputs": (
        "toy",
        inside("outputs", r"outputs\[k\] = ", "outputs[k] = (k == 2) + "),
        "mismatch: in outputs after 0 steps, sample 0: reference 0x",
    ),
    "outputs of values": (
        "values",
        inside("outputs", r"outputs\[k\] = ", "outputs[k] = (k == 1) + "),
        "mismatch: in outputs after 0 steps, sample 0: reference 0x",
    ),
    "answer on the way": (
        "stream",
        inside("answer", r"outputs\[k\] = ", r"outputs[k] = (work->stream.r1_h[0] > 3000) + "),
        "mismatch: in ",
    ),
    "class on the way": (
        "stream",
        inside("answer_class", BEST, "uint16_t best = 1;"),
        "mismatch: in predict after 0 steps, sample ",
    ),
    "digest": (
        "toy",
        inside("digest", r"return crc;", "return crc + (model->step > 300);"),
        f"mismatch: in digest after {STEPS} steps: reference 0x",
    ),
    "a class too many is taken": (
        "toy",
        inside("train_step", r"label >= TOY_N_LABELS", "label > TOY_N_LABELS"),
        "mismatch: in bad labels taken after 0 steps: reference 0, device 1",
    ),
    "a class too many is taken on the way": (
        "stream",
        inside("learn", r"label >= TOY_N_LABELS", "label > TOY_N_LABELS"),
        "mismatch: in bad labels taken after 0 steps: reference 0, device 1",
    ),
    "the self-test": (
        "toy",
        inside("selftest", r"(toy_digest\(scratch\) != 0x)", r"\g<2>1"),
        f"mismatch: in selftest after {STEPS} steps",
    ),
    "firmware that only predicts": (
        "toy",
        only_predicting("if (model->step > 0) {\n        x++;\n    }"),
        f"mismatch: in outputs after {STEPS} steps, firmware that only predicts, sample 0: ",
    ),
    "the self-test of firmware that only predicts": (
        "toy",
        Change(
            r"(tps_status toy_selftest\([^;{]*\)\n\{)",
            "\\1\n#ifdef TOY_INFERENCE_ONLY\n    if (scratch != 0) {\n"
            "        return TPS_SELFTEST_FAILED;\n    }\n#endif",
        ),
        f"mismatch: in selftest after {STEPS} steps, firmware that only predicts",
    ),
}
WRONG = IN_TRAINING | IN_ANSWERS
ON_CORES = (
    "in one late chunk",
    "class 0 is never answered",
    "the self-test",
    "firmware that only predicts",
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with specs and data, and commands that run in it."""
    write_specs(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def verify(capsys, name: str, *more: str):
    return command(capsys, "verify", f"{name}.toml", "--steps", str(STEPS), *more)


@pytest.mark.parametrize("name", ["toy", "stream", "values"])
def test_code_that_is_right_is_equal(name, capsys):
    ended = verify(capsys, name)
    assert (ended.code, ended.err) == (0, "")
    assert "equal" in ended.out


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_library_of_this_computer_is_a_mismatch(wrong, monkeypatch, capsys):
    name, change, words = WRONG[wrong]
    make_wrong(monkeypatch, change)
    ended = verify(capsys, name)
    assert words in " ".join(ended.out.split())
    assert f"repeat: tpsgd-edge verify {name}.toml --platform host --steps " in ended.out
    assert (ended.code, ended.err) == (1, "")


@pytest.mark.emulator
@pytest.mark.parametrize("wrong", ON_CORES)
def test_wrong_firmware_on_a_core_is_a_mismatch(wrong, monkeypatch, capsys):
    needs("cortex-m4f")
    name, change, words = WRONG[wrong]
    make_wrong(monkeypatch, change)
    ended = verify(capsys, name, "--platform", "cortex-m4f")
    assert words in " ".join(ended.out.split())
    assert (ended.code, ended.err) == (1, "")


@pytest.mark.emulator
def test_right_firmware_on_a_core_is_equal(capsys):
    needs("cortex-m4f")
    ended = verify(capsys, "toy", "--platform", "cortex-m4f")
    assert (ended.code, ended.err) == (0, "")


def test_a_mismatch_is_in_the_document(monkeypatch, capsys):
    make_wrong(monkeypatch, IN_TRAINING["in the last step only"][1])
    ended = verify(capsys, "toy", "--json")
    document = json.loads(ended.out)
    assert (ended.code, document["verdict"], document["steps"]) == (1, "mismatch", STEPS)
    assert f"step {STEPS}, layer 'fc1', tensor 'w', index [1][1]" in document["mismatch"]


def test_a_device_that_is_wrong_only_once_is_a_mismatch(monkeypatch, capsys):
    # A static survives the second run, which finds nothing.
    once = "static int done;\n        if (!done) {\n            done = 1;\n            "
    change = when("model->step == 4", f"{once}model->fc2_b[0] += 1;\n        }}")
    # The self-test takes the first turn, in step 4 of its own: the count is of steps in all.
    change = Change(change.pattern, change.replacement.replace("!done", "done++ == 1"))
    make_wrong(monkeypatch, change)
    ended = verify(capsys, "toy")
    assert "mismatch: step 4, layer 'fc2', tensor 'b'" in ended.out
    assert ended.code == 1


def test_a_report_on_wrong_code_says_so(folder, monkeypatch, capsys):
    make_wrong(monkeypatch, IN_TRAINING["in one late chunk"][1])
    ended = command(capsys, "report", "toy.toml", "--steps", str(STEPS), "--out", "toy.html")
    assert "mismatch: step 270, layer 'fc1', tensor 'w', index [1][1]" in ended.out
    assert (ended.code, ended.err) == (1, "")
    page = (folder / "toy.html").read_text()
    assert "The generated C and the Python reference do not agree" in page
    assert "step 270, layer &#39;fc1&#39;, tensor &#39;w&#39;, index [1][1]" in page
    assert BADGE.findall(page) == [("mismatch", "mismatch")]


def test_a_report_on_right_code_says_so(folder, capsys):
    ended = command(capsys, "report", "toy.toml", "--steps", "20", "--out", "toy.html")
    assert (ended.code, ended.err) == (0, "")
    page = (folder / "toy.html").read_text()
    assert BADGE.findall(page) == [("equal", "bit for bit equal, 20 steps")]
    assert "do not agree" not in page


BADGE = re.compile(r'<span class="badge (\w+)">([^<]*)</span>')
EARLY = when("model->step == 3", "model->fc2_b[2] += 1;")
FOUND = "found: mismatch: step 3, layer 'fc2', tensor 'b', index [2]: reference "


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


# What only the self-test itself can tell of: each look of it is the only one that sees the fault.
SELFTEST_SEES = {
    "answers in the first state": (
        inside("predict", r"return best;", "return (uint16_t)(best ^ (model->step == 0));"),
        "mismatch: in predict after 0 steps",
    ),
    "confidence": (IN_ANSWERS["confidence"][1], "mismatch: in confidence after 0 steps"),
    "answers after training": (
        inside("predict", r"return best;", "return (uint16_t)(best ^ (model->step > 7));"),
        "mismatch: in predict after 8 steps",
    ),
    "the state after training": (
        when("model->step == 8", "model->fc1_w[0] ^= 1;"),
        "mismatch: step 8, layer 'fc1', tensor 'w', index [0][0]: reference ",
    ),
    "the first state": (
        inside("digest", r"return crc;", "return crc ^ (model->step == 0);"),
        "mismatch: in digest after 0 steps",
    ),
    "a class too many": (
        IN_ANSWERS["a class too many is taken"][1],
        "mismatch: in bad labels taken after 0 steps",
    ),
    "a digest of its own": (IN_ANSWERS["the self-test"][1], "mismatch: in selftest after 8 steps"),
    "constants in flash": (
        # What is learned from is the right array: only the sum over the wrong one tells.
        Change(r"(crc = tps_crc32\(crc, (\w*fc1_projection), sizeof )\2\);", r"\1\2 - 1);"),
        "mismatch: in selftest after 8 steps",
    ),
}


@pytest.mark.parametrize("fault", SELFTEST_SEES)
def test_the_self_test_sees_wrong_answers(fault, monkeypatch, capsys):
    change, words = SELFTEST_SEES[fault]
    make_wrong(monkeypatch, change)
    stored = ("--set", "projection.storage=s8", "--set", "projection.kind=sign")
    ended = command(capsys, "build", "toy.toml", *stored)
    assert words in ended.err
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


def needs(platform: str) -> None:
    """Skip where firmware for a core cannot be built or run."""
    try:
        find_compiler(load_platform(platform))
        find_emulator(load_platform(platform))
    except ToolError as error:
        pytest.skip(error.what)


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
