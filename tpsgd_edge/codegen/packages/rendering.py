"""Project, templates and adapter -> the files of a package. One renderer for all ecosystems."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping

from tpsgd_edge.assets import firmware_dir, templates_dir
from tpsgd_edge.codegen.license import with_license
from tpsgd_edge.codegen.packages.targets import Target
from tpsgd_edge.codegen.packages.view import PackageView
from tpsgd_edge.codegen.project import CProject
from tpsgd_edge.codegen.rendering import template

_SOURCES = "src"
_FOLDER = "packages"
_COMMON = "common"
# The zip format begins to count here; archives hold no other date.
_NO_DATE = (1980, 1, 1, 0, 0, 0)


def render_package(target: Target, view: PackageView, project: CProject) -> dict[str, str]:
    """The texts of a package by path, a manifest among them."""
    files = dict(_kernels(target, project)) | dict(_rendered(target, view))
    files = {path: _licensed(path, text) for path, text in files.items()}
    document = json.loads(project.files["manifest.json"])
    document["package"] = {"for": target.name, "version": view.version}
    document["files"] = {
        path: hashlib.sha256(text.encode("utf-8")).hexdigest()
        for path, text in sorted(files.items())
    }
    files["manifest.json"] = json.dumps(document, indent=2) + "\n"
    return dict(sorted(files.items()))


def archive_of(target: Target, view: PackageView, files: Mapping[str, str]) -> dict[str, bytes]:
    """The archive of a package by its path; nothing where the ecosystem takes the folder."""
    if not target.archive:
        return {}
    # An Arduino library lies in a folder of its own; a pack begins with its description.
    folder = f"{view.name}/" if target.archive.endswith(".zip") else ""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in sorted(files.items()):
            entry = zipfile.ZipInfo(folder + path, _NO_DATE)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text.encode("utf-8"))
    return {f"dist/{target.archive.format(p=view)}": content.getvalue()}


def _kernels(target: Target, project: CProject) -> Iterator[tuple[str, str]]:
    """Sources and headers as the project has them, and where checkpoints are kept."""
    for path, text in project.files.items():
        if path.endswith((".c", ".h")) and "/" not in path:
            yield f"{_SOURCES}/{path}", text
    adapter = firmware_dir() / "store" / target.adapter
    yield f"{_SOURCES}/{target.adapter}", adapter.read_text(encoding="utf-8")


def _rendered(target: Target, view: PackageView) -> Iterator[tuple[str, str]]:
    """Texts of the ecosystem's folder, and of those that several share."""
    root = templates_dir() / _FOLDER
    for source in sorted((root / target.name).rglob("*.j2")):
        path = source.relative_to(root / target.name).as_posix().removesuffix(".j2")
        yield _place(path, view), _text(f"{target.name}/{path}", view)
    yield "LICENSE.txt", _text(f"{_COMMON}/LICENSE.txt", view)
    yield f"{target.example}/samples.h", _text(f"{_COMMON}/samples.h", view)
    if target.shares_example:
        yield f"{target.example}/learn.h", _text(f"{_COMMON}/learn.h", view)
        yield f"{target.example}/learn.c", _text(f"{_COMMON}/learn.c", view)


def _place(path: str, view: PackageView) -> str:
    """The path of a file in the package: MODEL is the model's name, VENDOR the author's."""
    return path.replace("MODEL", view.name).replace("VENDOR", view.vendor)


def _text(path: str, view: PackageView) -> str:
    return template(f"{_FOLDER}/{path}.j2").render(p=view)


def _licensed(path: str, text: str) -> str:
    return with_license(path, text) if path.endswith((".c", ".h")) else text
