"""What the manifests of ecosystems without a tool of their own here must hold, checked in words."""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import kconfiglib
import yaml

_VERSION = re.compile(r"\d+\.\d+\.\d+", re.ASCII)
# The list of Arduino's library specification.
_CATEGORIES = {
    "Display",
    "Communication",
    "Signal Input/Output",
    "Sensors",
    "Device Control",
    "Timing",
    "Data Storage",
    "Data Processing",
    "Other",
}
_REQUIRED = ("name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url")
# Those of the CMSIS-Pack schema that a software component without binaries has.
_FILE_KINDS = {"doc", "header", "include", "source", "sourceC", "sourceAsm", "other", "utility"}
_CORES = re.compile(r"Cortex-M(0|0\+|1|3|4|7|23|33|35P|52|55|85)")


def arduino_problems(folder: Path) -> Iterator[str]:
    """What Arduino's specification of libraries does not allow."""
    lines = (folder / "library.properties").read_text().splitlines()
    keys = dict(line.split("=", 1) for line in lines)
    for key in _REQUIRED:
        if not keys.get(key, "").strip():
            yield f"{key} is missing"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}", keys.get("name", "")):
        yield "name has other characters"
    if not _VERSION.fullmatch(keys.get("version", "")):
        yield "version is no semantic version"
    if keys.get("category") not in _CATEGORIES:
        yield "category is not in the list"
    if keys.get("sentence", "").startswith(("Arduino", "A library")):
        yield "sentence begins with what is known"
    for header in keys.get("includes", "").split(","):
        if not (folder / "src" / header).is_file():
            yield f"includes names {header}, which there is not"
    for example in (folder / "examples").iterdir():
        if not (example / f"{example.name}.ino").is_file():
            yield f"the example {example.name} has no sketch of its name"
    for line in (folder / "keywords.txt").read_text().splitlines():
        if not re.fullmatch(r"\w+\t(KEYWORD[123]|LITERAL1)", line):
            yield f"keywords.txt: {line}"


def zephyr_problems(folder: Path) -> Iterator[str]:
    """What the schema of module.yml, of sample.yaml and kconfiglib do not allow."""
    module = yaml.safe_load((folder / "zephyr" / "module.yml").read_text())
    yield from (f"module.yml: {key}" for key in set(module) - {"name", "build", "samples"})
    build = module.get("build", {})
    yield from (f"module.yml: build.{key}" for key in set(build) - {"cmake", "kconfig"})
    if not (folder / build.get("cmake", "-") / "CMakeLists.txt").is_file():
        yield "module.yml: build.cmake has no CMakeLists.txt"
    if not (folder / build.get("kconfig", "-")).is_file():
        yield "module.yml: build.kconfig is no file"
    for samples in module.get("samples", ()):
        for sample in (folder / samples).iterdir():
            yield from _sample_problems(sample, folder / build.get("kconfig", "-"))


def _sample_problems(sample: Path, kconfig: Path) -> Iterator[str]:
    described = yaml.safe_load((sample / "sample.yaml").read_text())
    if not described.get("sample", {}).get("name") or not described.get("tests"):
        yield "sample.yaml has no name or no tests"
    known = kconfiglib.Kconfig(str(kconfig), warn_to_stderr=False)
    for setting in (sample / "prj.conf").read_text().splitlines():
        name = setting.removeprefix("CONFIG_").split("=")[0]
        if name.startswith("TPS_") and not known.syms.get(name):
            yield f"prj.conf sets {name}, which Kconfig does not have"
    if known.warnings:
        yield known.warnings[0]


def pack_problems(folder: Path) -> Iterator[str]:
    """What the schema of a pack's description does not allow, and files that are not there."""
    description = next(folder.glob("*.pdsc"))
    root = ElementTree.parse(description).getroot()
    order = ["vendor", "name", "description", "url", "license", "releases", "keywords"]
    order += ["conditions", "components"]
    if [child.tag for child in root] != order:
        yield f"elements are not {', '.join(order)}"
    if description.stem != f"{root.findtext('vendor')}.{root.findtext('name')}":
        yield "the file is not called VENDOR.NAME"
    releases = [release.get("version", "") for release in root.iterfind("releases/release")]
    if not releases or not all(_VERSION.fullmatch(version) for version in releases):
        yield "a release has no semantic version"
    if not (folder / (root.findtext("license") or "-")).is_file():
        yield "there is no such license"
    conditions = {condition.get("id") for condition in root.iterfind("conditions/condition")}
    for accept in root.iterfind("conditions/condition/accept"):
        if not _CORES.fullmatch(accept.get("Dcore", "")):
            yield f"no such core: {accept.get('Dcore')}"
    for component in root.iterfind("components/component"):
        yield from _component_problems(component, conditions, folder)


def _component_problems(
    component: ElementTree.Element, conditions: set[str | None], folder: Path
) -> Iterator[str]:
    for key in ("Cclass", "Cgroup", "Cversion"):
        if not component.get(key):
            yield f"a component has no {key}"
    if component.get("condition") not in conditions:
        yield "a component has a condition that there is not"
    for file in component.iterfind("files/file"):
        if file.get("category") not in _FILE_KINDS:
            yield f"no such category: {file.get('category')}"
        if not (folder / file.get("name", "-")).exists():
            yield f"no such file: {file.get('name')}"
