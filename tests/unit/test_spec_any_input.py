"""Whatever is given to the reader of specs: a spec, or an error in words."""

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.wrong_specs import changed
from tpsgd_edge.errors import SpecError
from tpsgd_edge.spec import load_spec, spec_from_dict

KEYS = st.sampled_from(
    "name seed model layers units activation weights loss kind delta expression temperature rule "
    "output_loss learning_rate error_gate numbers data file task platform ram pretrain x filters "
    "kernel stride padding groups target_pool size input_shape".split()
) | st.text(max_size=5)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), 2**64])
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["l2", "huber", "custom", "tanh", "s8", "f32", "20K", "r", "fc1"])
    | st.sampled_from(["conv2d", "conv1d", "max_pool", "flatten", "dense", "same", "position"])
    | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
PATHS = st.sampled_from(
    "name seed model model.layers model.layers.0 model.layers.1.loss model.layers.1.units rule "
    "rule.loss rule.output_loss rule.dead_zone numbers numbers.weights projection data data.task "
    "platform platform.ram platform.flash model.pretrain model.layers.0.name model.layers.0.kind "
    "data.input_shape model.layers.1 model.layers.1.kind".split()
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(content=st.dictionaries(KEYS, VALUES, max_size=6))
def test_no_dict_crashes_the_reader(content: dict[str, Any]) -> None:
    with contextlib.suppress(SpecError):
        spec_from_dict(content)


@settings(max_examples=300, deadline=None)
@given(path=PATHS, value=VALUES)
def test_no_value_crashes_the_reader(path: str, value: Any) -> None:
    with contextlib.suppress(SpecError):
        assert spec_from_dict(changed((path, value))).digest


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    text=st.text(max_size=60)
    | st.lists(
        st.sampled_from(['name="a"', "[model]", "[[model.layers]]", "units=3", "x=", "[data]"])
    ).map("\n".join),
    overrides=st.lists(
        st.text(max_size=12) | st.sampled_from(["seed=3", "model.layers.0=1"]), max_size=3
    ),
)
def test_no_text_crashes_the_reader(tmp_path: Any, text: str, overrides: list[str]) -> None:
    path = tmp_path / "spec.toml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(SpecError):
        load_spec(path, overrides)
