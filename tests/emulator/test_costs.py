"""What calls take at most, on emulated cores: counters and stacks stay below it, and not far."""

import json
from functools import partial
from pathlib import Path

import pytest

from tests.proof.devices import needs
from tests.support.costs import DENSE, MAPS, attempts, prepared_net
from tpsgd_edge.cli import run
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.stages import compile_for_device, render_project, scratch_project
from tpsgd_edge.stages.costs import AROUND, measure_costs
from tpsgd_edge.stages.worst_step import learning_shares, provocation_of, run_provoked
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.counting import count_function
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device
from tpsgd_edge.toolchain.platforms import load_platform
from tpsgd_edge.toolchain.process import run_tool

NETS = {"dense": DENSE, "maps": MAPS}
ATTEMPTS = 5
# By how much more than the costliest step that was tried the bound may promise.
LOOSE = 1.6
STACK_LOOSE = AROUND + 32


@pytest.mark.slow
@pytest.mark.parametrize(
    ("platform", "weights", "net"),
    [
        ("cortex-m0plus", "s8", "dense"),
        ("cortex-m3", "s16", "dense"),
        ("cortex-m4f", "s8", "maps"),
        ("rv32imc", "s16", "maps"),
    ],
)
def test_no_step_takes_more_than_the_bound(platform, weights, net):
    """At the rates of the net itself, which here are high enough for all units to learn."""
    needs(platform)
    prepared = prepared_net(NETS[net], platform, weights)
    model, interface = prepared.model, interface_of(prepared.model)
    samples = quantize_inputs(model, prepared.dataset.x_train[:8])
    labels = quantize_labels(model, prepared.dataset.y_train[:8])
    project = render_project(prepared)
    with scratch_project(project) as folder:
        binary = compile_for_device(prepared, project, folder)
        costs = measure_costs(prepared, project, folder, binary)
        found = provocation_of(model)
        counts = []
        for tried in attempts(found, ATTEMPTS):
            step = partial(run_provoked, interface=interface, provocation=tried, rate=2**15)
            counts.append(count_function(binary, interface, "train_step", step).total)
        with open_device(binary, interface) as device:
            device.stack_bytes()
            device.train(samples, labels)
            for tried in attempts(found, ATTEMPTS):
                run_provoked(device, interface, tried, 2**15)
            stack = device.stack_bytes()
    assert max(counts) <= costs.step <= LOOSE * max(counts)
    assert stack <= costs.training.calls <= stack + STACK_LOOSE
    assert min(learning_shares(found)) >= 0.95


@pytest.mark.slow
def test_the_frames_around_what_is_measured_are_small():
    """NAME_evaluate and the calls of raw values stand between the user and the measured ones."""
    needs("cortex-m4f")
    gcc = find_compiler(load_platform("cortex-m4f"), "gcc")
    project = render_project(prepared_net(DENSE))
    with scratch_project(project) as folder:
        flags = ["-mcpu=cortex-m0plus", "-mthumb", "-O2", "-std=c11", "-fstack-usage", "-c"]
        for source in ("net.c", "net_raw.c"):
            run_tool([*gcc.command, *flags, source], purpose="frames", timeout=60, cwd=folder)
        lines = [line.split("\t") for path in folder.glob("*.su") for line in path.open()]
    frames = {line[0].rpartition(":")[2]: int(line[1]) for line in lines}
    assert 0 < frames["net_train_raw"] <= AROUND
    # What is measured is NAME_outputs; gcc puts what these two call into them.
    assert 0 < frames["net_evaluate_with"] - frames["net_outputs_with"] <= AROUND
    deeper = frames["net_predict_raw"] + frames["net_predict_with"] - frames["net_outputs_with"]
    assert 0 < deeper <= AROUND


@pytest.mark.slow
def test_a_build_writes_what_calls_take(tmp_path, capsys):
    needs("cortex-m0plus")
    spec = Path("examples/digits.toml").resolve()
    words = ["--platform", "cortex-m0plus", "--set", "model.layers.fc1.units=8"]
    out = tmp_path / "out"
    assert run(["build", str(spec), *words, "--costs", "--json", "--out", str(out)]) == 0
    told = json.loads(capsys.readouterr().out)
    costs, header = told["costs"], (out / "digits_costs.h").read_text()
    assert f"#define DIGITS_STACK_BYTES {costs['stack_bytes']}\n" in header
    assert f"#define DIGITS_STACK_BYTES {costs['stack_bytes_predicting']}\n" in header
    assert f"#define DIGITS_STEP_INSTRUCTIONS_MAX {costs['step_instructions_max']}\n" in header
    assert costs["stack_bytes_predicting"] < costs["stack_bytes"]
    assert "digits_costs.h" in told["files"]
    (tmp_path / "use.c").write_text(
        '#include "digits_costs.h"\n'
        '_Static_assert(DIGITS_STACK_BYTES < 1024, "fits the stack of a task");\n'
        '_Static_assert(DIGITS_STEP_INSTRUCTIONS_MAX < 1000000, "in time");\nint here;\n'
    )
    host = find_compiler(load_platform("host"), "gcc")
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{out}", "-c", "use.c"]
    run_tool([*host.command, *flags], purpose="the header", timeout=60, cwd=tmp_path)


def test_costs_need_a_core_that_can_be_emulated(capsys):
    spec = str(Path("examples/digits.toml").resolve())
    assert run(["build", spec, "--no-compile", "--costs"]) == 2
    assert "--costs: measures compiled code: leave out --no-compile" in capsys.readouterr().err
