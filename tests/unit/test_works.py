"""Calls that work at the same time, each in a work of its own; and what a work keeps."""

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.random.networks import network, project_of, samples_of
from tests.support.gated import with_gru_layers
from tests.support.sequences import rnn_plans
from tests.unit.test_codegen_builds import compiler
from tests.unit.test_two_models import FLAGS, run
from tpsgd_edge.codegen import CProject
from tpsgd_edge.memory import plan_memory
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.toolchain.folder import write_project

DENSE = {"n_in": 9, "hidden": [16, 12], "label_kind": "class", "lively": True}
STREAM = {"recurrent": True, "label_kind": "class", "steps": 6, "each_step": False, "lively": True}

_HEAD = """
#include <stdio.h>
#include <string.h>

#include "port/model_port.h"

#define CHECK(condition) \\
    do { \\
        if (!(condition)) { \\
            fprintf(stderr, "line %d: %s\\n", __LINE__, #condition); \\
            return 1; \\
        } \\
    } while (0)

static uint32_t seed = 1;

static model_x_t value(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (model_x_t)(int8_t)(seed >> 24);
}
"""
_INTERRUPTED = (
    _HEAD
    + """
#include <signal.h>
#include <sys/time.h>

static struct net_model model, calm, copy;
static struct net_work interrupts_own;
static model_x_t x[8][NET_N_IN];
static model_output_t wanted[NET_N_OUT];
static volatile int interrupts, wrong;

static void on_alarm(int number)
{
    static model_output_t outputs[NET_N_OUT];
    (void)number;
    net_outputs_with(&copy, &interrupts_own, x[0], outputs);
    wrong += memcmp(outputs, wanted, sizeof wanted) != 0;
    net_outputs_with(&model, &interrupts_own, x[1], outputs);
    interrupts++;
}

int main(void)
{
    const struct itimerval often = {{0, 100}, {0, 100}};

    for (int i = 0; i < 8 * NET_N_IN; i++) {
        x[0][i] = value();
    }
    net_init(&model);
    net_init(&calm);
    net_init(&copy);
    net_outputs(&copy, x[0], wanted);
    signal(SIGALRM, on_alarm);
    for (int steps = 0; steps < 40000 || interrupts < 300; steps += 1000) {
        for (int k = 0; k < 1000; k++) {
            net_train_step(&calm, x[k % 8], (uint16_t)(k % NET_N_LABELS));
        }
        setitimer(ITIMER_REAL, &often, NULL);
        for (int k = 0; k < 1000; k++) {
            net_train_step(&model, x[k % 8], (uint16_t)(k % NET_N_LABELS));
        }
        setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
        CHECK(net_digest(&model) == net_digest(&calm));
    }
    CHECK(wrong == 0);
    return 0;
}
"""
)
_THREADS = (
    _HEAD
    + """
#include <pthread.h>

enum { STEPS = 60000 };
static struct net_model learner, alone, copy;
static struct net_work works[2];
static model_x_t x[8][NET_N_IN];
static int differences;

static void *predict(void *unused)
{
    static model_output_t first[8][NET_N_OUT], outputs[NET_N_OUT];
    for (int k = 0; k < STEPS; k++) {
        net_outputs_with(&copy, &works[1], x[k % 8], k < 8 ? first[k] : outputs);
        differences += k >= 8 && memcmp(outputs, first[k % 8], sizeof outputs) != 0;
    }
    return unused;
}

int main(void)
{
    pthread_t thread;

    for (int i = 0; i < 8 * NET_N_IN; i++) {
        x[0][i] = value();
    }
    net_init(&alone);
    net_init(&learner);
    net_init(&copy);
    for (int k = 0; k < STEPS; k++) {
        net_train_step(&alone, x[k % 8], (uint16_t)(k % NET_N_LABELS));
    }
    pthread_create(&thread, NULL, predict, NULL);
    for (int k = 0; k < STEPS; k++) {
        net_train_step_with(&learner, &works[0], x[k % 8], (uint16_t)(k % NET_N_LABELS));
    }
    pthread_join(thread, NULL);
    CHECK(differences == 0);
    CHECK(net_digest(&learner) == net_digest(&alone));
    return 0;
}
"""
)
_STREAMS = (
    _HEAD
    + """
static struct net_model model;
static struct net_work works[2];
static model_x_t x[2][NET_N_STEPS][NET_N_STEP_IN];
static model_output_t alone[2][NET_N_STEPS][NET_N_OUT], outputs[NET_N_OUT];

int main(void)
{
    net_init(&model);
    for (int i = 0; i < 2 * NET_N_IN; i++) {
        x[0][0][i] = value();
    }
    for (int s = 0; s < 2; s++) {
        net_reset();
        for (int t = 0; t < NET_N_STEPS; t++) {
            net_step(&model, x[s][t]);
            net_answer(&model, alone[s][t]);
        }
        net_reset_with(&works[s]);
    }
    for (int t = 0; t < NET_N_STEPS; t++) {
        for (int s = 0; s < 2; s++) {
            net_step_with(&model, &works[s], x[s][t]);
            net_predict(&model, x[0][0]); /* runs a sequence of its own */
            net_answer_with(&model, &works[s], outputs);
            CHECK(memcmp(outputs, alone[s][t], sizeof outputs) == 0);
        }
    }
    return 0;
}
"""
)
_LATEST = (
    _HEAD
    + """
static struct net_model model;
static model_x_t x[NET_N_STEP_IN];
static model_output_t answer[NET_N_OUT];

int main(void)
{
    net_init(&model);
    net_reset();
    for (int k = 0; k < 40; k++) {
        for (int i = 0; i < NET_N_STEP_IN; i++) {
            x[i] = value();
        }
        net_step(&model, x);
        net_answer(&model, answer);
        const model_confidence_t confidence = net_confidence();
        for (int i = 0; i < NET_N_STEP_IN; i++) {
            x[i] = value();
        }
        net_step(&model, x);
        CHECK(net_confidence() == confidence);
#ifndef NET_INFERENCE_ONLY
        CHECK(memcmp(net_last_output(), answer, sizeof answer) == 0);
        CHECK(net_teach(&model, 0) == TPS_OK);
#if !GRUS
        CHECK(net_confidence() == confidence);
        CHECK(memcmp(net_last_output(), answer, sizeof answer) == 0);
#endif
        CHECK(net_learn(&model, 1) == TPS_OK);
        net_outputs(&model, (const model_x_t[NET_N_IN]){0}, answer);
        CHECK(memcmp(net_last_output(), answer, sizeof answer) == 0);
        net_reset();
#endif
    }
    return 0;
}
"""
)


def project(model: QuantizedModel) -> CProject:
    x, labels = samples_of(model, 1)
    return project_of(model, x[:2], labels[:2])


def check(model: QuantizedModel, program: str, folder: Path, *flags: str) -> None:
    """Build the model with a program, which must find nothing wrong."""
    rendered = project(model)
    write_project(rendered.files, folder / "net")
    (folder / "net" / "main.c").write_text("#define _DEFAULT_SOURCE\n" + program)
    words = [
        *compiler(),
        *FLAGS,
        "-O2",
        *flags,
        "main.c",
        *rendered.sources,
        "-I.",
        "-o",
        "program",
    ]
    run(*words, cwd=folder / "net")
    run(folder / "net" / "program")


posix = pytest.mark.skipif(sys.platform == "win32", reason="needs signals and threads of POSIX")


@posix
@pytest.mark.parametrize("value_type", ["s8", "f32"])
def test_a_prediction_in_an_interrupt_disturbs_no_training(tmp_path, value_type):
    check(network(1, value_type=value_type, **DENSE), _INTERRUPTED, tmp_path)


@posix
def test_a_copy_predicts_while_the_model_learns(tmp_path):
    check(network(2, value_type="s8", **DENSE), _THREADS, tmp_path, "-pthread")


@pytest.mark.series(1)
@pytest.mark.parametrize("value_type", ["s8", "s16", "f32"])
def test_two_streams_of_one_model_go_side_by_side(tmp_path, value_type):
    rng = np.random.default_rng(3)
    model = network(3, value_type=value_type, **STREAM)
    check(model, _STREAMS, tmp_path / "rnn")
    check(with_gru_layers(rng, model), _STREAMS, tmp_path / "gru")


@pytest.mark.series(1)
@pytest.mark.parametrize("value_type", ["s8", "s16", "f32"])
@pytest.mark.parametrize("gate", [False, True])
def test_the_latest_answer_outlives_steps_and_teaching(tmp_path, gate, value_type):
    losses = ["projected_l2", "softmax_cross_entropy"]
    wanted = STREAM | {"hidden": [], "learn_every": 1, "gate": gate, "losses": losses}
    plans = rnn_plans(value_type, [3, 5], [(0,)], [True])
    model = network(5, value_type=value_type, rnn_plans=plans, **wanted)
    assert (model.has_error_gate, model.has_confidence) == (gate, True)
    check(model, f"#define GRUS {int(gate)}\n{_LATEST}", tmp_path / "trains")
    check(model, _LATEST, tmp_path / "predicts", "-DNET_INFERENCE_ONLY")


@pytest.mark.slow
def test_bytes_are_those_of_the_structs(tmp_path):
    for number, wanted in enumerate((DENSE, STREAM, DENSE | {"maps": True})):
        model = network(4, value_type="s8", **wanted)
        header = project(model).files["net.h"]
        plan = plan_memory(model)
        assert re.search(r"NET_MODEL_BYTES (\d+)", header)[1] == str(plan.state.size)
        program = """#include "net.h"
int main(void)
{
    return sizeof(struct net_model) != NET_MODEL_BYTES || sizeof(struct net_work) != NET_WORK_BYTES;
}
"""
        check(model, program, tmp_path / str(number))
        check(model, program, tmp_path / f"{number}-predicts", "-DNET_INFERENCE_ONLY")


def test_the_shared_work_lies_where_it_is_wanted(tmp_path):
    if shutil.which("objdump") is None or sys.platform != "linux":
        pytest.skip("needs objdump and ELF")
    rendered = project(network(1, value_type="s8", **DENSE))
    write_project(rendered.files, tmp_path)
    place = '-DNET_WORK_ATTRIBUTE=__attribute__((section(".fast")))'
    run(*compiler(), *FLAGS, place, "-c", "net.c", cwd=tmp_path)
    symbols = run("objdump", "-t", tmp_path / "net.o").splitlines()
    assert any(".fast" in line and line.endswith(" net_own_work") for line in symbols)
