"""Layers that normalize: against loops, against real numbers, and what they refuse."""

from fractions import Fraction
from math import floor, isqrt

import numpy as np
import pytest

from tests.support.kinds import net
from tests.support.norms import normalizing
from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import Norm
from tpsgd_edge.graph.norm import normalized
from tpsgd_edge.quantize.model import QuantizedNorm
from tpsgd_edge.quantize.norm import quantize_norm
from tpsgd_edge.reference.layer import from_quantized
from tpsgd_edge.rule.norms import norm_forward, norm_gradient
from tpsgd_edge.stages import prepare

RANGES = {"s8": (-128, 127), "s16": (-32768, 32767)}
F = np.float32


def by_hand(layer: QuantizedNorm, x: list[int]) -> list[int]:
    """docs/ARITHMETIC.md, section 30, once more, in loops."""
    low, high = RANGES[layer.x_type]
    n, made = layer.group_size, []
    for begin in range(0, len(x), n):
        group = x[begin : begin + n]
        total = sum(group) if layer.centered else 0
        power = n * sum(v * v for v in group) - total * total + layer.epsilon
        quarters = next(q for q in range(-16, 16) if 2**30 <= power * Fraction(4) ** q < 2**32)
        root = isqrt(floor(power * Fraction(4) ** quarters))
        inverse = 2**31 // root
        assert 2**15 <= root < 2**16
        assert 2**15 <= inverse <= 2**16
        shift = 31 - quarters - layer.unit_bits
        assert shift >= 1
        for v in group:
            product = (n * v - total) * inverse
            assert abs(product) <= 2**48
            made.append(min(max(floor(Fraction(product, 2**shift) + Fraction(1, 2)), low), high))
    return made


def samples(value_type: str, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(4)
    low, high = RANGES[value_type]
    ends = np.where(np.arange(count) % 2, low, high)
    one = np.zeros(count, np.int64)
    one[0] = high
    drawn = [rng.integers(low, high, count, endpoint=True) for _ in range(6)]
    narrow = [rng.integers(-2, 2, count) + high - 5 for _ in range(3)]
    return [ends, one, 0 * one, 0 * one + low, *drawn, *narrow]


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("group", ["channels", "all"])
@pytest.mark.parametrize("value_type", RANGES)
def test_it_is_what_loops_make(value_type, group, centered):
    size = 5 if group == "channels" else 60
    for epsilon in (1, 40_000, 2**62):
        how = {"group_size": size, "centered": centered, "epsilon": epsilon}
        model = normalizing(value_type, (3, 4, 5), **how)
        layer = from_quantized(model.layers[0], model)
        for x in samples(value_type, 60):
            assert layer.forward(x).tolist() == by_hand(model.layers[0], x.tolist())


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("value_type", [*RANGES, "f32"])
def test_it_is_near_real_numbers(value_type, centered):
    model = normalizing(value_type, (1, 2, 30), centered=centered)
    layer = model.layers[0]
    rng = np.random.default_rng(5)
    spread = {"s8": 100.0, "s16": 9_000.0, "f32": 3.0}[value_type]
    x = rng.normal(0.3 * spread, 0.3 * spread, (7, 60))
    x = x.astype(F) if value_type == "f32" else np.clip(np.rint(x), *RANGES[value_type])
    wide = F if value_type == "f32" else np.int64
    ours = [from_quantized(layer, model).forward(row.astype(wide)) for row in x]
    real = Norm("n", (1, 2, 30), False, centered, 1e-5 if value_type == "f32" else 0.0)
    expected = normalized(real, x.astype(np.float64))
    atol = {"s8": 0.51 / 32, "s16": 0.51 / 2**13, "f32": 1e-6}[value_type]
    np.testing.assert_allclose(np.array(ours) * layer.y_scale, expected, rtol=2**-14, atol=atol)


def test_the_inverse_root_of_f32_holds_over_all_its_range():
    model = normalizing("f32", (1, 1, 2), centered=False, epsilon=float(F(1e-12)))
    layer = from_quantized(model.layers[0], model)
    for exponent in range(-20, 28):
        for mantissa in (1.0, 1.3, 1.9999):
            v = F(mantissa * 2.0**exponent)
            y = layer.forward(np.array([v, v], F))
            expected = float(v) / np.sqrt(float(v) ** 2 + float(F(1e-12)))
            np.testing.assert_allclose(y, expected, rtol=4e-7)


def test_torch_goes_forward_and_back_as_autograd_does():
    torch = pytest.importorskip("torch")
    for centered in (True, False):
        for over_all in (True, False):
            layer = Norm("n", (2, 3, 4), over_all, centered, 1e-3)
            x = torch.randn(5, 24, dtype=torch.float64, requires_grad=True)
            none = torch.empty(0)
            y, grad = norm_forward(layer, x, none, none), torch.randn(5, 24, dtype=torch.float64)
            np.testing.assert_allclose(
                y.detach().numpy(), normalized(layer, x.detach().numpy()), atol=1e-12
            )
            y.backward(grad)
            lower = norm_gradient(layer, x.detach(), none, grad)
            np.testing.assert_allclose(lower.numpy(), x.grad.numpy(), atol=1e-12)


def test_epsilon_is_that_of_the_spec_in_units_of_the_power():
    layer = Norm("n", (1, 1, 10), True, True, 0.25)
    for scale, expected in ((0.5, 100), (2.0**-40, 2**62), (1000.0, 1)):
        assert quantize_norm(layer, "s16", [scale], 4.0).epsilon == expected
    assert quantize_norm(layer, "s8", [1.0], 4.0).unit_bits == 5
    assert quantize_norm(layer, "s16", [1.0], 0.25).unit_bits == 15
    assert quantize_norm(layer, "f32", [1.0], 4.0).epsilon == 0.25


def test_single_values_are_not_normalized():
    layers = [{"kind": "norm"}, {"kind": "conv2d", "name": "c", "filters": 2, "kernel": 2}]
    spec = net("conv2d")
    content = spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    content["data"]["input_shape"] = [10, 6, 1]
    content["model"]["layers"] = [*layers, {"name": "out", "units": 3}]
    from tpsgd_edge.spec import spec_from_dict

    with pytest.raises(SpecError, match="layer 'norm1' normalizes single values") as caught:
        prepare(spec_from_dict(content, folder=spec.folder))
    assert 'over = "all"' in caught.value.help
