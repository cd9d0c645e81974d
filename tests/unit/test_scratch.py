"""The scratch memory of kernels: none writes behind its buffer, none gets more than it uses.

Each buffer of the arena gets bytes of its own and a guard behind them. A program fills the arena,
trains and answers, and prints what has become of it.
"""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.random.networks import ORIGIN, network, samples_of
from tests.support.carried import with_carried_scores
from tests.support.detectors import detecting
from tests.support.frozen import freeze, with_four_bits
from tests.support.gated import with_gru_layers, with_lstm_layers
from tests.support.map_models import chain, conv, small
from tests.support.memories import behind_a_map
from tests.unit.test_codegen_builds import compiler
from tpsgd_edge.codegen import render
from tpsgd_edge.memory import ArenaPlan, MemoryPlan, plan_memory
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel
from tpsgd_edge.stages.selftest import selftest_of

GUARD = 64
FILL = 0xA5
PLAIN = ("-U__SSE2__", "-U__ARM_NEON")
BUILDS = {"vectors": (), "plain": PLAIN, "pairs": (*PLAIN, "-DTPS_PAIRS_IN_C")}
MAIN = """
#include <stdio.h>
#include <string.h>
#include "net.h"
#include "net_tps_data.h"

static struct net_model model;

int main(void)
{
    const unsigned char *bytes = (const unsigned char *)&net_own_work.arena;
    memset(&net_own_work.arena, 0xA5, sizeof net_own_work.arena);
    net_init(&model);
    for (int i = 0; i < 2; i++) {
        net_train_step(&model, net_selftest_x[i], net_selftest_labels[i]);
    }
    for (size_t i = 0; i < sizeof net_own_work.arena; i++) {
        printf("%02x", bytes[i]);
    }
    return 0;
}
"""
_KIND = {"projection": "sign", "storage": "seed", "label_kind": "class", "lively": True}
SEEDS = range(2)


def _dense(seed: int) -> QuantizedModel:
    losses = ["projected_l2", "softmax_cross_entropy"]
    return network(seed, n_in=9, hidden=[7], losses=losses, label_kind="class", lively=True)


def _on_maps(value_type: str, seed: int, *makers: Any) -> QuantizedModel:
    plans = chain(*makers)
    losses = ["projected_l2"] * len(makers) + ["softmax_cross_entropy"]
    return small(plans, seed, value_type=value_type, hidden=[], losses=losses, **_KIND)


def _conv2d(value_type: str, seed: int) -> QuantizedModel:
    return _on_maps(value_type, seed, conv(4, before=(1, 1), after=(1, 1), windows=(2, 2)))


def _depthwise(seed: int) -> QuantizedModel:
    return _on_maps("s8", seed, conv(4, kernel=(1, 1)), conv(4, groups=4))


def _gru(seed: int) -> QuantizedModel:
    rng = np.random.default_rng(seed)
    return with_gru_layers(rng, network(seed, recurrent=True, label_kind="class", lively=True))


def _lstm(seed: int) -> QuantizedModel:
    rng = np.random.default_rng(seed)
    return with_lstm_layers(rng, network(seed, recurrent=True, label_kind="class", lively=True))


def _memory_of_a_map(seed: int) -> QuantizedModel:
    rng = np.random.default_rng(seed)
    return behind_a_map(rng, _conv2d("s8", seed))


def _four_bits(seed: int) -> QuantizedModel:
    model = _on_maps("s8", seed, conv(4, before=(1, 1)), conv(5))
    kept = freeze(model, [layer is model.weighted[-1] for layer in model.weighted])
    return with_four_bits(np.random.default_rng(seed), kept, 1.0)


MODELS: dict[str, Callable[[int], QuantizedModel]] = {
    "dense": _dense,
    "conv2d of s8": lambda seed: _conv2d("s8", seed),
    "conv2d of s16": lambda seed: _conv2d("s16", seed),
    "conv2d of f32": lambda seed: _conv2d("f32", seed),
    "scores": lambda seed: with_carried_scores(np.random.default_rng(seed), _conv2d("s8", seed)),
    "depthwise": _depthwise,
    "four bits": _four_bits,
    "rnn": lambda seed: network(seed, recurrent=True, label_kind="class", lively=True),
    "gru": _gru,
    "lstm": _lstm,
    "memory of a map": _memory_of_a_map,
    "detector": lambda seed: detecting(np.random.default_rng(seed), "s8", 9, 3, "s8"),
}


def with_guards(plan: ArenaPlan) -> ArenaPlan:
    """Places each buffer behind the guard of the one before."""
    buffers, offset = [], 0
    for buffer in plan.buffers:
        buffers.append(replace(buffer, offset=offset))
        offset += -(-buffer.n_bytes // 8) * 8 + GUARD
    return replace(plan, buffers=tuple(buffers), size=offset)


def guarded_plan(model: QuantizedModel) -> MemoryPlan:
    plan = plan_memory(model)
    return replace(plan, training=with_guards(plan.training), inference=with_guards(plan.inference))


def arena_after_training(
    model: QuantizedModel, plan: MemoryPlan, folder: Path, *flags: str
) -> bytes:
    """What two training steps leave of an arena that was full of one byte."""
    x, labels = (part[:2] for part in samples_of(model, 1))
    project = render(model, plan, ORIGIN, selftest_of(model, x, labels), {})
    for path, text in project.files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    (folder / "main.c").write_text(MAIN)
    command = [*compiler(), "-O0", "-std=c11", "-ffp-contract=off", *flags]
    subprocess.run([*command, "main.c", *project.sources, "-o", "main"], cwd=folder, check=True)
    done = subprocess.run([folder / "main"], capture_output=True, text=True, check=True)
    return bytes.fromhex(done.stdout)


def untouched(arena: bytes, start: int, end: int) -> bool:
    return arena[start:end] == bytes([FILL]) * (end - start)


@pytest.mark.series(2)
@pytest.mark.parametrize("name", MODELS)
def test_kernels_use_their_scratch_to_the_end_and_nothing_behind_it(name, tmp_path):
    used: dict[str, bool] = {}
    for seed in SEEDS:
        model = MODELS[name](seed)
        plan = guarded_plan(model)
        kinds = {layer.name: layer.kind for layer in model.layers}
        for build, flags in BUILDS.items():
            folder = tmp_path / f"{seed}-{build}"
            folder.mkdir()
            arena = arena_after_training(model, plan, folder, *flags)
            for buffer in plan.training.buffers:
                assert untouched(arena, buffer.end, buffer.end + GUARD), (buffer, build)
                last = buffer.end - DTYPES[buffer.type].itemsize
                key = f"{kinds[buffer.layer]}.{buffer.role}"
                used[key] = used.get(key, False) or not untouched(arena, last, buffer.end)
    assert all(used.values()), used
