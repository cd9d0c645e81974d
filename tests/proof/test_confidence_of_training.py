"""After a training step the confidence is that of its answer, given before it learned."""

import numpy as np
import pytest

from tests.random.networks import network, project_of, samples_of
from tests.support.backprop import with_backprop
from tests.unit.test_codegen_builds import compiler
from tests.unit.test_two_models import FLAGS, run
from tpsgd_edge.quantize.model import DTYPES
from tpsgd_edge.reference import Reference
from tpsgd_edge.toolchain.folder import write_project

STEPS = 20
DENSE = {"n_in": 7, "hidden": [9], "label_kind": "class", "label_count": 4, "lively": True}
STREAM = {"recurrent": True, "label_kind": "class", "label_count": 3, "steps": 4, "lively": True}
_PROGRAM = """
#include "port/model_port.h"

static struct net_model model;

int main(void)
{
    net_init(&model);
    for (int i = 0; i < %d; i++) {
        if (net_train_step(&model, samples[i], %s) != TPS_OK) {
            return 2;
        }
        if (net_confidence() != sure[i]) {
            return 1;
        }
    }
    return 0;
}
"""


def models():
    """Nets with a confidence, of all formats; one whose errors go down, and one along time."""
    last = {"losses": ["l2", "softmax_cross_entropy"]}
    for value_type in ("s8", "s16", "f32"):
        yield value_type, network(1, value_type=value_type, gate=False, **DENSE, **last)
    dense = network(2, value_type="s8", gate=False, **DENSE, **last)
    yield "backprop", with_backprop(np.random.default_rng(2), dense)
    recurrent = {"hidden": [], "learn_every": 2, **last}
    for each_step in (False, True):
        name = "each step" if each_step else "sequence"
        wanted = STREAM | recurrent | {"each_step": each_step}
        yield name, network(3, value_type="s8", gate=False, **wanted)


MODELS = dict(models())


def c_array(kind, name, values):
    """Values as C, in hexadecimal floats where they are real."""
    rows = np.atleast_2d(values)
    word = (lambda v: float(v).hex() + "f") if rows.dtype == np.float32 else str
    body = ", ".join("{" + ", ".join(map(word, row.tolist())) + "}" for row in rows)
    return f"static const {kind} {name}[][{rows.shape[1]}] = {{{body}}};\n"


@pytest.mark.parametrize("name", MODELS)
def test_a_training_step_leaves_the_confidence_of_its_own_answer(name, tmp_path):
    model = MODELS[name]
    assert model.has_confidence
    x, labels = (values[np.arange(STEPS) % len(values)] for values in samples_of(model, 4))
    reference, sure = Reference(model), []
    for sample, label in zip(x, labels, strict=True):
        output = reference.train_step(sample, label if label.ndim else int(label))
        sure.append(reference.confidence_of(output))
    assert len({float(value) for value in sure}) > 1
    kinds = {"s8": "int8_t", "s16": "int16_t", "f32": "float"}
    wide = np.array(sure, DTYPES["f32" if model.value_type == "f32" else "u16"])
    whole = labels.ndim > 1
    text = (
        "#include <stdint.h>\n"
        + c_array(kinds[model.value_type], "samples", x)
        + c_array("uint16_t", "labels", labels.reshape(STEPS, -1))
        + c_array("float" if model.value_type == "f32" else "uint16_t", "sure_", wide)
        + "#define sure sure_[0]\n"
        + _PROGRAM % (STEPS, "labels[i]" if whole else "labels[i][0]")
    )
    project = project_of(model, x[:2], labels[:2])
    write_project(project.files, tmp_path / "net")
    (tmp_path / "net" / "main.c").write_text(text)
    sources = ("main.c", *project.sources)
    run(*compiler(), *FLAGS, *sources, "-I.", "-o", "program", cwd=tmp_path / "net")
    run(tmp_path / "net" / "program")
