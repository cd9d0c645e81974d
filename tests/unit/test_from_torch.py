"""Nets in PyTorch become layers and weights."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest

import tpsgd_edge
from tpsgd_edge.errors import DataError, OutputError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.spec import spec_from_dict

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

from tests.support import onnx_nets as nets  # noqa: E402

nn = torch.nn


def small_net():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(48, 3)
    )


def test_layers_and_weights_for_a_spec(tmp_path: Path):
    module = small_net().train()
    net = tpsgd_edge.from_torch(module, torch.zeros(1, 2, 9, 7))
    assert module.training
    assert [layer["name"] for layer in net.layers] == ["conv0", "dense4"]
    assert net.input_shape == (9, 7, 2)
    net.save_weights(tmp_path / "w.npz")
    model = {"layers": list(net.layers), "weights_file": "w.npz"}
    spec = spec_from_dict({"name": "net", "model": model, "data": {"file": "x.npz"}}, tmp_path)
    x = np.random.default_rng(1).normal(size=(12, 2, 9, 7)).astype(np.float32)
    samples = nets.channels_last(x)
    graph = build_graph(spec, dataset_from_arrays(spec, samples, np.arange(12) % 3))
    with torch.no_grad():
        expected = module.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(nets.ours(graph, samples), expected, rtol=1e-5, atol=1e-5)


def test_saved_weights_are_loaded_first(tmp_path: Path):
    saved, other = nn.Sequential(nn.Linear(3, 2)), nn.Sequential(nn.Linear(3, 2))
    torch.save(saved.state_dict(), tmp_path / "w.pt")
    net = tpsgd_edge.from_torch(other, torch.zeros(1, 3), weights_file=tmp_path / "w.pt")
    expected = saved[0].weight.detach().numpy()
    np.testing.assert_allclose(net.weights["dense0"].w, expected, rtol=1e-6)


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("exploded"),))


def test_saved_weights_run_no_code(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = nn.Sequential(nn.Linear(3, 2))
    for name, content in (("bomb.pt", pickle.dumps(Bomb())), ("text.pt", b"no weights at all")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match="holds no weights of this module"):
            tpsgd_edge.from_torch(module, torch.zeros(1, 3), weights_file=tmp_path / name)
    torch.save({"0": Bomb()}, tmp_path / "other.pt")
    with pytest.raises(DataError, match="holds no weights of this module"):
        tpsgd_edge.from_torch(module, torch.zeros(1, 3), weights_file="other.pt")
    assert not (tmp_path / "exploded").exists()
    with pytest.raises(DataError, match="there is no weights file 'none"):
        tpsgd_edge.from_torch(module, torch.zeros(1, 3), weights_file="none.pt")


def test_what_cannot_be_imported_is_named(tmp_path: Path):
    with pytest.raises(DataError) as error:
        tpsgd_edge.from_torch(small_net(), torch.zeros(1, 5, 9, 7))
    assert "torch cannot export 'Sequential' to ONNX" in str(error.value)
    with pytest.raises(DataError) as error:
        tpsgd_edge.from_torch(nn.Sequential(nn.Linear(3, 2), nn.Softsign()), torch.zeros(1, 3))
    assert "the operator Abs has no layer of ours" in str(error.value)
    assert "Sequential, node '/1/Abs' (Abs)" in str(error.value)
    net = tpsgd_edge.from_torch(nn.Sequential(nn.Linear(3, 2)), torch.zeros(1, 3))
    with pytest.raises(OutputError, match="cannot be written"):
        net.save_weights(tmp_path)


def normalized_net():
    torch.manual_seed(4)
    net = nn.Sequential(
        nn.Linear(6, 5),
        nn.RMSNorm(5),
        nn.SiLU(),
        nn.RMSNorm(5, eps=1e-3, elementwise_affine=False),
        nn.Dropout(0.5),
        nn.Linear(5, 3),
    )
    net[1].weight.data.normal_(1, 0.3)
    return net.eval()


@pytest.mark.parametrize("form", ["module", "program"])
def test_an_rms_norm_of_torch_is_a_norm(form, tmp_path: Path):
    module = normalized_net()
    given = module if form == "module" else torch.export.export(module, (torch.zeros(1, 6),))
    net = tpsgd_edge.from_torch(given, torch.zeros(1, 6))
    assert [layer["kind"] for layer in net.layers] == ["dense", "norm", "conv2d", "norm", "dense"]
    assert [net.layers[at]["epsilon"] for at in (1, 3)] == pytest.approx([2**-23, 1e-3])
    net.save_weights(tmp_path / "w.npz")
    model = {"layers": list(net.layers), "weights_file": "w.npz"}
    spec = spec_from_dict({"name": "net", "model": model, "data": {"file": "x.npz"}}, tmp_path)
    x = np.random.default_rng(2).normal(size=(12, 6)).astype(np.float32)
    graph = build_graph(spec, dataset_from_arrays(spec, x, np.arange(12) % 3))
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(nets.ours(graph, x), expected, rtol=1e-5, atol=1e-5)


def test_the_exporter_is_left_as_it_was():
    """It does not know RMSNorm by itself, and does not afterwards."""
    tpsgd_edge.from_torch(normalized_net(), torch.zeros(1, 6))
    with pytest.raises(torch.onnx.errors.OnnxExporterError, match="rms_norm"):
        torch.onnx.export(
            normalized_net(), (torch.zeros(1, 6),), io.BytesIO(), dynamo=False, verbose=False
        )
