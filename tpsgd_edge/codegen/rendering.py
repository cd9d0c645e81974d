"""Templates and runtime files -> CProject, as `components.py` lists them."""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache, partial

import jinja2
from jinja2.bccache import Bucket

from tpsgd_edge.assets import firmware_dir, templates_dir
from tpsgd_edge.cache import fetch, keep, key_of
from tpsgd_edge.codegen.additions import (
    NO_ADDITIONS,
    Additions,
    endings_of_additions,
    with_additions,
)
from tpsgd_edge.codegen.c import c_rows, c_uint, c_wrapped
from tpsgd_edge.codegen.components import components_of, included_headers
from tpsgd_edge.codegen.license import LICENSE, with_license
from tpsgd_edge.codegen.manifest import manifest
from tpsgd_edge.codegen.naming import file_name, noted, of_model
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
    additions: Additions = NO_ADDITIONS,
) -> CProject:
    """The C project of a model.

    Args:
        port: hand-written files of the platform, by path below the project; copied as they are.

    Returns:
        The same bytes for the same arguments, whatever the machine.
    """
    view = with_additions(model_view(model, plan, origin, selftest), model, plan, additions)
    files = dict(_own_files(view)) | dict(_component_files(view))
    sources = tuple(sorted(name for name in files if name.endswith(".c")))
    files |= _build_files(view, sources, files)
    files |= port
    files = {path: with_license(path, text) for path, text in files.items()}
    digests = {name: sha256_of(text) for name, text in sorted(files.items())}
    document = manifest(model, plan, origin, digests)
    files["manifest.json"] = json.dumps(document, indent=2) + "\n"
    return CProject(model.name, dict(sorted(files.items())), sources)


def _own_files(view: ModelView) -> Iterator[tuple[str, str]]:
    """Path and text of each file that only this model has."""
    source = template("model.c.j2").render(m=view, headers=included_headers(view))
    yield f"{view.name}.c", source
    for ending in (".h", "_raw.h", "_raw.c", *endings_of_additions(view)):
        yield f"{view.name}{ending}", template(f"model{ending}.j2").render(m=view)
    yield "port/model_port.h", template("model_port.h.j2").render(m=view)


def _component_files(view: ModelView) -> Iterator[tuple[str, str]]:
    """Path and text of each file of the kernels, and of what they need."""
    names: set[str] = set()
    for component in components_of(view):
        names.update(component.linked)
        for name in component.files:
            make = _runtime_text if component.is_runtime else _rendered_text
            yield file_name(view.name, name), make(view, name, names)


def _runtime_text(view: ModelView, name: str, _names: set[str]) -> str:
    text = (firmware_dir() / "runtime" / name).read_text(encoding="utf-8")
    return of_model(view.name, name, text)


def _rendered_text(view: ModelView, name: str, names: set[str]) -> str:
    linked = partial(noted, names)
    return template(f"{name}.j2").render(m=view, linked=linked, names=sorted(names))


def _build_files(
    view: ModelView, sources: tuple[str, ...], files: Mapping[str, str]
) -> dict[str, str]:
    headers = sorted(name for name in files if name.endswith(".h") and "/" not in name)
    return {
        name: template(source).render(m=view, sources=sources, headers=headers, license=LICENSE)
        for name, source in (
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
    environment.filters |= {"c_rows": c_rows, "c_uint": c_uint, "c_wrapped": c_wrapped}
    return environment


def sha256_of(text: str) -> str:
    """Digest of a file of a project, as the manifest has it."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
