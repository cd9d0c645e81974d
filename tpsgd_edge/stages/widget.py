"""The model for a page: its firmware as a WebAssembly module, and what a page must know of it."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.codegen.project import CProject
from tpsgd_edge.errors import ToolError
from tpsgd_edge.memory import digest_order, model_id_text
from tpsgd_edge.stages.preparation import Prepared, scratch_project
from tpsgd_edge.toolchain.build import compile_firmware
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.interface import ModelInterface, interface_of
from tpsgd_edge.toolchain.platforms import load_platform, port_files
from tpsgd_edge.trace import digest

Look = Literal["image", "sequence", "table"]

# A page holds the module and the samples. Samples are cut, a module that is larger is left out.
_MOST_MODULE_BYTES = 512 * 1024
_MOST_TRAINING_BYTES, _MOST_TEST_BYTES = 128 * 1024, 40 * 1024
# Fewest pixels along an edge of what is taken for an image, though the data do not say so.
_FEWEST_PIXELS = 7


@dataclass(frozen=True, slots=True)
class ShownSamples:
    """Samples of the data set: raw ones (n, n_in) in a small type, labels (n,) or (n, K)."""

    raw: NDArray[np.generic]
    labels: NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Widget:
    """A model that runs in a page.

    Attributes:
        module: WebAssembly; firmware/port/startup_wasm.c says what it exports.
        state: the trained state struct; `crc` is its digest, `epochs` what it was trained for.
        look: how a sample is shown; `shape` is that of the picture, (steps, channels) or (n,).
        one_answer: real value of one unit of the outputs.
        train, test: samples; `is_whole` tells whether these are all for the training.
    """

    interface: ModelInterface
    model_id: str
    module: bytes
    compiler: str
    state: bytes
    crc: int
    epochs: int
    seed: int
    look: Look
    shape: tuple[int, ...]
    class_names: tuple[str, ...]
    one_answer: float
    is_detector: bool
    train: ShownSamples
    test: ShownSamples
    is_whole: bool


def widget_of(prepared: Prepared, project: CProject, state: bytes, epochs: int) -> Widget | str:
    """The widget, or in a sentence why there is none.

    Args:
        project: as it was rendered for its own platform: the model's files are the same for all.
        state: the trained state struct, and for how many epochs it was trained.
    """
    model, dataset = prepared.model, prepared.dataset
    if model.labels.each_step:
        return "The page has no live model: it cannot show labels at each step of a sequence."
    try:
        compiler, module = _compiled(project)
    except ToolError as error:
        return f"The page has no live model: {error.what}. {error.help or error.found}."
    if len(module) > _MOST_MODULE_BYTES:
        return f"The page has no live model: it would grow by {len(module):,} bytes of code."
    interface = interface_of(model)
    tensors = interface.layout.read(state)
    look, shape = _look(prepared)
    train = _first(dataset.x_train, dataset.y_train, _MOST_TRAINING_BYTES)
    return Widget(
        interface=interface,
        model_id=model_id_text(model),
        module=module,
        compiler=compiler,
        state=state,
        crc=digest(tensors[name] for name in digest_order(model)),
        epochs=epochs,
        seed=model.seed,
        look=look,
        shape=shape,
        class_names=dataset.class_names,
        one_answer=1.0 if model.output_type == "f32" else model.last.y_scale,
        is_detector=bool(model.detectors),
        train=train,
        test=_first(dataset.x_test, dataset.y_test, _MOST_TEST_BYTES),
        is_whole=len(train.raw) == len(dataset.x_train),
    )


def _compiled(project: CProject) -> tuple[str, bytes]:
    """Compile the model for WebAssembly: name and version of the compiler, and the module.

    Raises:
        ToolError: there is no compiler, or it fails.
    """
    platform = load_platform("wasm32")
    compiler = find_compiler(platform)
    names = [name for name in project.files if not name.startswith("port/") or name == _NAMES]
    files = {name: project.files[name] for name in names} | port_files(platform)
    with scratch_project(replace(project, files=files)) as folder:
        binary = compile_firmware(
            folder, project.name, project.sources, platform, compiler, build_dir=folder / "build"
        )
        return compiler.title, binary.path.read_bytes()


# The one generated file among those of the port.
_NAMES = "port/model_port.h"


def _look(prepared: Prepared) -> tuple[Look, tuple[int, ...]]:
    """Tell how a sample is shown, and its shape.

    Flat samples of a square number of values with one scale are taken for images.
    """
    model, shape = prepared.model, prepared.dataset.input_shape
    is_signal = any(layer.kind == "conv1d" for layer in prepared.spec.model.layers)
    if model.steps > 1 or (is_signal and len(shape) == 2):
        steps = model.steps if model.steps > 1 else shape[0]
        channels = model.n_inputs // steps
        # More lines than one can tell apart are a picture, as rows of an image are.
        return ("sequence", (steps, channels)) if channels <= 6 else ("image", (steps, channels, 1))
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3)):
        return "image", (*shape, 1)[:3]
    edge = math.isqrt(model.n_inputs)
    if edge * edge == model.n_inputs and edge >= _FEWEST_PIXELS and model.inputs.mean.size == 1:
        return "image", (edge, edge, 1)
    return "table", (model.n_inputs,)


def _first(x: NDArray[np.generic], y: NDArray[np.generic], most_bytes: int) -> ShownSamples:
    """The first samples, as many as `most_bytes` hold."""
    raw = _small(x)
    count = max(1, most_bytes // max(1, raw.itemsize * raw.shape[1]))
    labels = y[:count]
    kind = "<u2" if labels.dtype.kind in "iu" else "<f4"
    return ShownSamples(raw[:count], labels.astype(kind))


def _small(x: NDArray[np.generic]) -> NDArray[np.generic]:
    """The same values in the smallest type that has them all."""
    for kind in ("u1", "<i2"):
        info = np.iinfo(kind)
        if x.size and info.min <= x.min() and x.max() <= info.max:
            small = x.astype(kind)
            if (small == x).all():
                return small
    return x.astype("<f4")
