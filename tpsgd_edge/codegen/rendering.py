"""Templates and runtime files -> CProject. The one place that knows which file comes from where."""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache

import jinja2
from jinja2.bccache import Bucket

from tpsgd_edge.assets import firmware_dir, templates_dir
from tpsgd_edge.cache import fetch, keep, key_of
from tpsgd_edge.codegen.c import c_rows
from tpsgd_edge.codegen.license import LICENSE, with_license
from tpsgd_edge.codegen.manifest import manifest
from tpsgd_edge.codegen.naming import linker_names, with_name
from tpsgd_edge.codegen.project import CProject
from tpsgd_edge.codegen.selftest import SelfTest
from tpsgd_edge.codegen.view import ModelView, Origin, model_view
from tpsgd_edge.memory import MemoryPlan
from tpsgd_edge.quantize.model import QuantizedModel


def render(
    model: QuantizedModel,
    plan: MemoryPlan,
    origin: Origin,
    selftest: SelfTest,
    port: Mapping[str, str],
) -> CProject:
    """The C project of a model.

    Args:
        port: hand-written files of the platform, by path below the project; copied as they are.

    Returns:
        The same bytes for the same arguments, whatever the machine.
    """
    view = model_view(model, plan, origin, selftest)
    files = {name: _environment().get_template(t).render(m=view) for name, t in _templates(view)}
    for name in _runtime(view):
        files[name] = (firmware_dir() / "runtime" / name).read_text(encoding="utf-8")
    names = _environment().get_template("tps_names.h.j2")
    files["tps_names.h"] = names.render(m=view, names=linker_names(files))
    files = with_name(view.name, files)
    sources = tuple(sorted(name for name in files if name.endswith(".c")))
    files |= _build_files(view, sources, files)
    files |= port
    files = {path: with_license(path, text) for path, text in files.items()}
    digests = {name: _sha256(text) for name, text in sorted(files.items())}
    document = manifest(model, plan, origin, digests)
    files["manifest.json"] = json.dumps(document, indent=2) + "\n"
    return CProject(model.name, dict(sorted(files.items())), sources)


def _templates(view: ModelView) -> Iterator[tuple[str, str]]:
    """Output path and template of each rendered file of the model."""
    float_ = "_f32" if view.is_float else ""
    yield f"{view.name}.h", "model.h.j2"
    yield f"{view.name}.c", "model.c.j2"
    yield "tps_data.h", "model_data.h.j2"
    yield "tps_data.c", "model_data.c.j2"
    yield "port/model_port.h", "model_port.h.j2"
    yield "tps_layer.h", "tps_layer.h.j2"
    for part in ("dense", "error"):
        yield f"tps_{part}{float_}.h", f"tps_{part}{float_}.h.j2"
        yield f"tps_{part}{float_}.c", f"tps_{part}{float_}.c.j2"
    if not view.is_float:
        yield "tps_dense_output.h", "tps_dense_output.h.j2"
    if view.has_conv:
        yield "tps_conv2d.h", "tps_conv2d.h.j2"
        yield "tps_conv2d.c", "tps_conv2d.c.j2"
    if view.has_pool:
        yield "tps_pool.h", "tps_pool.h.j2"
        yield "tps_pool.c", "tps_pool.c.j2"
    if view.below is not None:
        yield "tps_below.h", "tps_below.h.j2"
        yield "tps_below.c", "tps_below.c.j2"
    if view.kernels.gru_step:
        yield "tps_gru.h", "tps_gru.h.j2"
        yield "tps_gru.c", "tps_gru.c.j2"
    if "tps_residual.h" in view.headers:
        yield "tps_residual.h", "tps_residual.h.j2"
    if view.kernels.rnn_step:
        yield "tps_rnn.h", "tps_rnn.h.j2"
        yield "tps_rnn.c", "tps_rnn.c.j2"
    if view.projection is not None:
        yield "tps_projection.h", "tps_projection.h.j2"
    if view.kernels.read_out:
        yield "tps_readout.h", "tps_readout.h.j2"
        yield "tps_readout.c", "tps_readout.c.j2"
    if view.tables:
        yield "tps_tables.h", "tps_tables.h.j2"
        yield "tps_tables.c", "tps_tables.c.j2"
    if view.kernels.softmax and not view.is_float:
        yield "tps_softmax.h", "tps_softmax.h.j2"
        yield "tps_softmax.c", "tps_softmax.c.j2"


def _runtime(view: ModelView) -> Iterator[str]:
    """Hand-written runtime files that the model needs."""
    yield from ("tps_compiler.h", "tps_crc32.c", "tps_crc32.h", "tps_random.h", "tps_status.h")
    yield from ("tps_f32.h",) if view.is_float else ("tps_fixed.h", "tps_pairs.h")
    if view.kernels.has_curves_f32:
        yield "tps_curves_f32.h"


def _build_files(
    view: ModelView, sources: tuple[str, ...], files: Mapping[str, str]
) -> dict[str, str]:
    headers = sorted(name for name in files if name.endswith(".h") and "/" not in name)
    environment = _environment()
    return {
        name: environment.get_template(template).render(
            m=view, sources=sources, headers=headers, license=LICENSE
        )
        for name, template in (
            ("Makefile", "project_makefile.j2"),
            ("CMakeLists.txt", "project_cmake.j2"),
            ("README.md", "project_readme.md.j2"),
        )
    }


class _KeptTemplates(jinja2.BytecodeCache):
    """The templates' bytecode in the user's cache: to translate them takes longer than to render.

    What a template becomes follows from its text, the syntax, and the versions of Jinja and Python.
    """

    def load_bytecode(self, bucket: Bucket) -> None:
        content = fetch(self._key(bucket))
        if content is not None:
            bucket.bytecode_from_string(content)

    def dump_bytecode(self, bucket: Bucket) -> None:
        keep(self._key(bucket), bucket.bytecode_to_string())

    def _key(self, bucket: Bucket) -> str:
        own = bucket.environment
        syntax = (own.trim_blocks, own.lstrip_blocks, own.keep_trailing_newline, own.autoescape)
        return key_of((jinja2.__version__, sys.version, repr(syntax), bucket.checksum))


def template(name: str) -> jinja2.Template:
    """A template by its file's name."""
    return _environment().get_template(name)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_dir(), encoding="utf-8"),
        undefined=jinja2.StrictUndefined,
        bytecode_cache=_KeptTemplates(),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["c_rows"] = c_rows
    return environment


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
