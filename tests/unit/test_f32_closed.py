"""f32 is closed: what could leave the finite numbers is refused before a line of C is written."""

import re
import shutil
import warnings

import numpy as np
import pytest

from tests.random.networks import network, project_of, samples_of
from tpsgd_edge.codegen import CProject
from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.stages import prepare, render_project
from tpsgd_edge.toolchain.build import LANGUAGE, WARNINGS
from tpsgd_edge.toolchain.folder import write_scratch
from tpsgd_edge.toolchain.process import run_tool

N_IN, CLASSES = 4, 3
RNG = np.random.default_rng(1)
X = RNG.uniform(-1, 1, (30, N_IN)).astype(np.float32)


def rendered(hidden=None, *, model=None, vectors=False, last=None, y=None, **sections) -> CProject:
    """The C of an f32 net of two layers, all warnings being errors."""
    layers = [{"name": "a", "units": 5, **(hidden or {})}, {"name": "o", "units": CLASSES}]
    layers[-1] |= last or {}
    spec = spec_from_dict(
        {
            "numbers": {"weights": "f32"},
            "name": "net",
            "model": {"layers": layers, **(model or {})},
            "data": {"file": "samples.npz", "scaling": "none"},
            "rule": {"learning_rate": 0.1, **sections.pop("rule", {})},
            **sections,
        }
    )
    if y is None:
        y = RNG.uniform(-1, 1, (30, CLASSES)) if vectors else np.arange(30) % CLASSES
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return render_project(prepare(spec, dataset_from_arrays(spec, X, y)))


def weights_file(tmp_path, value: float, tensor: str = "o.w") -> str:
    shapes = {"a.w": (5, N_IN), "a.b": (5,), "o.w": (CLASSES, 5), "o.b": (CLASSES,)}
    arrays = {name: np.zeros(shape) for name, shape in shapes.items()}
    arrays[tensor].flat[-1] = value
    path = tmp_path / "w.npz"
    np.savez(path, **arrays)
    return str(path)


@pytest.mark.parametrize("value", [2.0**30 * 1.001, 2e38, -3.5e38, 1e39, 1e300])
@pytest.mark.parametrize("tensor", ["a.w", "a.b", "o.w", "o.b"])
def test_first_weights_beyond_the_bound_are_refused(tmp_path, tensor, value):
    with pytest.raises(DataError, match=f"weights '{tensor}' are too large") as caught:
        rendered(model={"weights_file": weights_file(tmp_path, value, tensor)})
    assert "1,073,741,824 is allowed" in str(caught.value)


def test_first_weights_at_the_bound_train_without_a_warning(tmp_path):
    for tensor in ("a.w", "a.b", "o.w", "o.b"):
        project = rendered(model={"weights_file": weights_file(tmp_path, 2.0**30, tensor)})
        assert re.search(r"\b1073741[0-9.]+f|1\.0737418e\+09f", project.files["net_tps_data.c"])


EXPRESSIONS = ["1e39*r", "1e300 * r", "exp(200*abs(r))", "1e10", "r / 1e-40", "-2e9*abs(r)-2e9"]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_custom_loss_beyond_the_bound_is_refused(expression):
    loss = {"kind": "custom", "expression": expression}
    for layer in ({"hidden": {"loss": loss}}, {"last": {"loss": loss, "activation": "linear"}}):
        with pytest.raises(SpecError) as caught:
            rendered(**layer)
        assert re.search("holds a number too large for f32|not finite", str(caught.value))


@pytest.mark.parametrize("rate", [1e-300, 1e-46])
def test_a_rate_that_is_nothing_in_f32_is_refused(rate):
    with pytest.raises(SpecError, match="its rate is 0 in f32") as caught:
        rendered(rule={"learning_rate": rate})
    assert "choose a larger learning_rate" in str(caught.value)


@pytest.mark.parametrize("temperature", [1e-300, 1e-46, 1e-38, 1e-12])
def test_a_temperature_that_makes_a_read_out_infinite_is_refused(temperature):
    with pytest.raises(SpecError, match="holds a number too large for f32") as caught:
        rendered({"loss": {"kind": "projected_cross_entropy", "temperature": temperature}})
    assert "by its temperature" in str(caught.value)


# Every real number of a spec, at both of its ends and beyond.
NUMBERS = [1e-320, 1e-46, 1e-40, 1e-30, 1e-6, 1.0, 1e6, 1e30, 1e39, 1e300, 0.0, -1.0]
KEYS = {
    "rule.learning_rate": lambda v: {"rule": {"learning_rate": v}},
    "rule.output_learning_rate": lambda v: {"rule": {"output_learning_rate": v}},
    "rule.final_rate": lambda v: {"rule": {"final_rate": v, "schedule": "cosine"}},
    "rule.dead_zone": lambda v: {"rule": {"dead_zone": v}},
    "rule.error_gate": lambda v: {"rule": {"error_gate": v}},
    "projection.scale": lambda v: {"projection": {"scale": v}, "hidden": {"loss": "l2"}},
    "layer.learning_rate": lambda v: {"hidden": {"learning_rate": v}},
    "temperature": lambda v: {
        "hidden": {"loss": {"kind": "projected_cross_entropy", "temperature": v}}
    },
    "huber": lambda v: {"hidden": {"loss": {"kind": "huber", "delta": v}}},
    "dead zone": lambda v: {"hidden": {"loss": {"kind": "epsilon_insensitive", "delta": v}}},
    "slope": lambda v: {"hidden": {"activation": "leaky_relu", "negative_slope": v}},
    "custom": lambda v: {"hidden": {"loss": {"kind": "custom", "expression": f"{v!r} * r"}}},
    "backprop": lambda v: {"rule": {"kind": "backprop", "learning_rate": v}},
    "learned": lambda v: {"projection": {"kind": "learned"}, "rule": {"learning_rate": v}},
}
LITERAL = re.compile(r"\b(inf|nan)f?\b|\binf\.0f")


@pytest.mark.series(12)
@pytest.mark.parametrize("value", NUMBERS)
@pytest.mark.parametrize("key", KEYS)
def test_any_number_of_a_spec_trains_in_finite_numbers_or_is_refused_in_words(key, value):
    changes = dict(KEYS[key](value))
    try:
        project = rendered(changes.pop("hidden", None), **changes)
    except (SpecError, DataError):
        return
    for path, text in project.files.items():
        if path.startswith("net"):
            assert not LITERAL.search(text), path


@pytest.mark.parametrize("seed", range(6))
def test_weights_stay_finite_under_the_largest_steps(seed):
    """The largest inputs and weights that section 12 allows, in any net of random layers."""
    model = network(seed, value_type="f32", lively=True)
    x, labels = samples_of(model, seed)
    reference = Reference(model)
    state = reference.state()
    largest = {
        name: np.where(np.arange(t.size) % 2, 2.0**62, -(2.0**62)).reshape(t.shape).astype(t.dtype)
        for name, t in state.items()
        if name.endswith((".w", ".b"))
    }
    reference.load_state(state | largest)
    extreme = np.where(np.arange(x.size) % 3, 2.0**20, -(2.0**20)).reshape(x.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for sample, label in zip(extreme.astype(np.float32), labels, strict=True):
            assert np.isfinite(reference.train_step(sample, label)).all()
    assert all(
        np.isfinite(tensor.astype(np.float64)).all() for tensor in reference.state().values()
    )


def test_the_header_says_what_is_refused():
    header = rendered().files["net.h"]
    assert (
        "Returns TPS_BAD_INPUT, and changes nothing, where x holds NaN, infinity\n * or more"
        in header
    )
    header = rendered(vectors=True).files["net.h"]
    assert "where x or label holds NaN, infinity\n * or more than 2^20." in header
    model = network(7, value_type="s8")
    assert "TPS_BAD_INPUT" not in project_of(model, *samples_of(model, 1)).files["net.h"]


# ------------------------------------------------------------------ what could say nothing


def test_a_last_layer_that_would_stay_at_zero_is_refused():
    with pytest.raises(SpecError, match="layer 'o' would stay at zero") as caught:
        rendered(last={"train": False})
    assert "remove train = false, or give model.weights_file" in str(caught.value)


@pytest.mark.parametrize("weights", ["f32", "s16", "s8"])
def test_labels_that_are_all_the_same_are_said_to_be_so(weights):
    with pytest.raises(DataError, match="all labels are the same value") as caught:
        rendered(vectors=True, y=np.full((30, CLASSES), 7.0), numbers={"weights": weights})
    assert "temperature" not in str(caught.value)


# ------------------------------------------------------------------ compilers


@pytest.mark.series(1)
@pytest.mark.parametrize("compiler", ["gcc", "arm-none-eabi-gcc", "riscv64-unknown-elf-gcc"])
def test_a_net_in_one_unit_gives_no_warning_at_full_optimization(tmp_path, compiler):
    """gcc once took the rest of a dot product for one that leaves its lanes."""
    path = shutil.which(compiler)
    if path is None:
        pytest.skip(f"{compiler} is not installed")
    project = rendered()
    write_scratch(project.files, tmp_path)
    unit = "".join(f'#include "{name}"\n' for name in project.sources)
    (tmp_path / "unit.c").write_text(unit)
    flags = ["-O3", "-ffreestanding", *LANGUAGE, *WARNINGS, "-Werror", "-I.", "-c", "unit.c"]
    command = [path, *flags, "-o", "unit.o"]
    run_tool(command, purpose="compiling one unit", timeout=120, cwd=tmp_path)
