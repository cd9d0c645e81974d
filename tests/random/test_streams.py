"""The functions of a stream, called one by one: the same numbers as for a whole sequence."""

from pathlib import Path

import pytest

from tests.random.counts import NOW
from tests.random.networks import Array, network, project_of, samples_of
from tests.random.running import SANITIZED, written
from tests.random.test_random_sequences import sequences
from tests.support.models import VALUE_TYPES
from tests.support.sequences import rnn_plans
from tpsgd_edge.codegen import CProject
from tpsgd_edge.memory import digest_order
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.reference import Reference
from tpsgd_edge.toolchain.build import LANGUAGE, SANITIZE, WARNINGS
from tpsgd_edge.toolchain.process import run_tool
from tpsgd_edge.trace import digest

# Each takes two programs.
SEEDS = range(9500, 9500 + NOW["mixtures"].sanitized // 2)

# A program that reads samples and their labels, runs each as a whole and as a stream, and says
# where they differ. With an argument it only predicts.
_PROGRAM = """
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "port/model_port.h"

#define CHECK(condition) \\
    do { \\
        if (!(condition)) { \\
            fprintf(stderr, "%s, sample %d\\n", #condition, sample); \\
            return 1; \\
        } \\
    } while (0)

static model_x_t x[NET_N_IN];
static model_label_t labels[MODEL_LABEL_COUNT];
static model_output_t outputs[MODEL_OUTPUT_COUNT], one[NET_N_OUT], again[NET_N_OUT];
static model_t whole, streamed;
static int sample;

static int read_sample(FILE *file)
{
    return fread(x, sizeof x, 1, file) == 1 && fread(labels, sizeof labels, 1, file) == 1;
}

#if CLASSES
static uint16_t largest(const model_output_t *values)
{
    uint16_t best = 0;
    for (uint16_t k = 1; k < NET_N_OUT; k++) {
        best = values[k] > values[best] ? k : best;
    }
    return best;
}
#endif

/* One step; before it, in binary32, one that must be refused as if it had not been. */
static int step(uint32_t t)
{
    const model_x_t *now = x + t * NET_N_STEP_IN;
#if BINARY32
    static const float odd[] = {NAN, INFINITY, -INFINITY, 0x1.000002p20f, -0x1.000002p20f};
    static model_x_t bad[NET_N_STEP_IN];
    memcpy(bad, now, sizeof bad);
    bad[t % NET_N_STEP_IN] = odd[t % 5];
    CHECK(net_step(&streamed, bad) == TPS_BAD_INPUT);
    CHECK(net_step(&streamed, now) == TPS_OK);
#else
    net_step(&streamed, now);
#endif
    return 0;
}

static int predict(void)
{
    net_outputs(&whole, x, outputs);
    net_reset();
    for (uint32_t t = 0; t < NET_N_STEPS; t++) {
        CHECK(step(t) == 0);
        net_answer(&streamed, one);
        net_answer(&streamed, again);
        CHECK(memcmp(one, again, sizeof one) == 0);
        if (EACH_STEP || t == NET_N_STEPS - 1) {
            const model_output_t *wanted = outputs + (EACH_STEP ? t * NET_N_OUT : 0);
            CHECK(memcmp(one, wanted, sizeof one) == 0);
        }
#if CLASSES
        CHECK(net_answer_class(&streamed) == largest(one));
#endif
    }
    return 0;
}

#ifndef NET_INFERENCE_ONLY
#if CLASSES
static int refuses(tps_status (*learn)(model_t *, uint16_t))
{
    const uint32_t before = net_digest(&streamed);
    CHECK(learn(&streamed, NET_N_LABELS) == TPS_BAD_LABEL);
    CHECK(learn(&streamed, 65535) == TPS_BAD_LABEL);
    CHECK(net_digest(&streamed) == before);
    return 0;
}
#endif

static int train(int ask)
{
    CHECK(model_train_step(&whole, x, labels) == TPS_OK);
    memcpy(outputs, net_last_output(), sizeof one);
    net_reset();
    for (uint32_t t = 0; t < NET_N_STEPS; t++) {
        const uint32_t missing = NET_N_STEPS - 1 - t;
        CHECK(step(t) == 0);
        if (ask) {
            net_answer(&streamed, one);
#if CLASSES
            CHECK(refuses(net_learn) == 0);
#endif
        }
        if (EACH_STEP || missing == 0) {
            CHECK(net_learn(&streamed, LABEL(t)) == TPS_OK);
            CHECK(!ask || memcmp(one, net_last_output(), sizeof one) == 0);
#if TEACH
        } else if (missing % EVERY == 0) {
            CHECK(net_teach(&streamed, LABEL(t)) == TPS_OK);
#if CLASSES
            CHECK(refuses(net_teach) == 0);
#endif
#endif
        }
        if (ask) {
            net_answer(&streamed, again);
        }
    }
    CHECK(!ask || memcmp(one, outputs, sizeof one) == 0);
    CHECK(net_digest(&streamed) == net_digest(&whole));
    return 0;
}
#endif

int main(int argc, char **argv)
{
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file) {
        return 2;
    }
    net_init(&whole);
    net_init(&streamed);
    for (sample = 0; read_sample(file); sample++) {
#ifndef NET_INFERENCE_ONLY
        if (train(sample % 2)) {
            return 1;
        }
#endif
        if (predict()) {
            return 1;
        }
    }
    fclose(file);
#ifndef NET_INFERENCE_ONLY
    printf("%d samples, digest %08x\\n", sample, (unsigned)net_digest(&streamed));
#else
    printf("%d samples\\n", sample);
#endif
    return 0;
}
"""


def program(model: QuantizedModel) -> str:
    """The C of the program for a model."""
    label = "labels" if model.labels.kind == "vector" else "labels[0]"
    if model.labels.each_step:
        vector = f"labels + (t) * {model.labels.count}"
        label = vector if model.labels.kind == "vector" else "labels[t]"
    teaches = not model.labels.each_step and len(model.learning_steps) > 1
    macros = {
        "BINARY32": int(model.value_type == "f32"),
        "CLASSES": int(model.labels.kind == "class"),
        "EACH_STEP": int(model.labels.each_step),
        "TEACH": int(teaches),
        "EVERY": model.learn_every,
        "LABEL(t)": f"({label})",
    }
    return "".join(f"#define {name} {text}\n" for name, text in macros.items()) + _PROGRAM


def run_program(
    folder: Path, project: CProject, model: QuantizedModel, samples: bytes, *defines: str
) -> str:
    """What the program says to the samples."""
    (folder / "main.c").write_text(program(model))
    (folder / "samples.bin").write_bytes(samples)
    # One unit takes a compiler less time than a dozen files.
    unit = "".join(f'#include "{source}"\n' for source in project.sources)
    (folder / "unit.c").write_text(unit)
    compiler = SANITIZED.with_options(SANITIZED.compiler())
    command = [*compiler.command, "-O0", *LANGUAGE, *WARNINGS, "-Werror", *SANITIZE]
    command += [*defines, "-I.", "main.c", "unit.c", "-o", "streams"]
    run_tool(command, purpose="compiling a stream", timeout=120, cwd=folder)
    return run_tool([folder / "streams", "samples.bin"], purpose="a stream", timeout=60, cwd=folder)


def in_a_row(x: Array, labels: Array) -> bytes:
    """Samples, each with its labels behind it."""
    pairs = zip(x, labels, strict=True)
    return b"".join(sample.tobytes() + label.tobytes() for sample, label in pairs)


def check_streams(model: QuantizedModel, seed: int) -> None:
    """Compare streams with whole sequences, and the last state with the reference."""
    x, labels = samples_of(model, seed)
    project = project_of(model, x[:2], labels[:2])
    with written(project) as folder:
        said = run_program(folder, project, model, in_a_row(x, labels))
        predicted = run_program(folder, project, model, in_a_row(x, labels), "-DNET_INFERENCE_ONLY")
    reference = Reference(model)
    for sample, label in zip(x, labels, strict=True):
        reference.train_step(sample, label)
    state = reference.state()
    expected = digest(state[name] for name in digest_order(model))
    assert said == f"{len(x)} samples, digest {expected:08x}\n"
    assert predicted == f"{len(x)} samples\n"


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_stream_is_the_whole_sequence(seed):
    check_streams(sequences(seed), seed)


# Labels of steps; of sequences, learned at the end and in the middle; with gate and without.
WAYS = {
    "each step": {"each_step": True},
    "end": {"each_step": False, "learn_every": 0},
    "middle": {"each_step": False, "learn_every": 2, "gate": False},
    "middle with a gate": {"each_step": False, "learn_every": 1, "gate": True},
    "vectors": {"each_step": True, "label_kind": "vector"},
    "vectors in the middle": {"each_step": False, "label_kind": "vector", "learn_every": 3},
}


@pytest.mark.series(1)
@pytest.mark.parametrize("value_type", VALUE_TYPES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.slow
def test_a_stream_learns_in_all_ways_as_the_whole_sequence(way, value_type):
    classes = {"label_kind": "class"}
    losses = ["l2", "projected_l2", "softmax_cross_entropy"] if "vec" not in way else None
    wanted = {**classes, "losses": losses, **WAYS[way]}
    plans = rnn_plans(value_type, [3, 5, 4], [(1, 2), (0,)], [True, False])
    model = network(
        7, value_type=value_type, rnn_plans=plans, hidden=[], steps=7, lively=True, **wanted
    )
    check_streams(model, 7)
