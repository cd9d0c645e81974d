"""The view that templates of packages see."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tpsgd_edge.codegen.classes import ClassView
from tpsgd_edge.codegen.example import ExampleView
from tpsgd_edge.codegen.license import LICENSE
from tpsgd_edge.codegen.project import CProject
from tpsgd_edge.codegen.sequence import labels_view
from tpsgd_edge.errors import SpecError
from tpsgd_edge.memory import MemoryPlan
from tpsgd_edge.memory.checkpoint import OVERHEAD
from tpsgd_edge.quantize.model import QuantizedModel

# Letters of Python's array for C types.
_TYPECODES = {"float": "f", "uint8_t": "B", "int8_t": "b", "uint16_t": "H", "int16_t": "h"}
_FUNCTIONS = ("init", "selftest", "predict", "train", "steps", "digest", "load", "save")
_VERSION = re.compile(r"(0|[1-9]\d{0,8})(\.(0|[1-9]\d{0,8})){2}", re.ASCII)
_MAIL = re.compile(r"\s*<([^<>\s]+@[^<>\s]+)>\s*$")
# Characters that mean something in one of the formats: quotes, brackets, ends of lines.
_PLAIN = re.compile(r"[^\"'\\<>&{}\[\]#:,|`\x00-\x1f\x7f]{1,100}")
_URL = re.compile(r"https?://[A-Za-z0-9._~/%+?=@-]{1,200}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Maker:
    """Whoever publishes a package.

    Attributes:
        author: a name, and an address in angle brackets where there is one.
        version: of the package: three numbers.
        url: of its page.
    """

    author: str = "Owner of the model"
    version: str = "1.0.0"
    url: str = "https://arxiv.org/abs/2208.08503"

    def __post_init__(self) -> None:
        """Check that every format can hold them.

        Raises:
            SpecError: one of them it cannot.
        """
        if not _VERSION.fullmatch(self.version):
            _refuse("--release", self.version, "three numbers, such as 1.0.0")
        if not _PLAIN.fullmatch(self.name) or not self.name.strip():
            _refuse("--author", self.author, 'a name, or a name and an address: "A B <a@b.org>"')
        if not _URL.fullmatch(self.url):
            _refuse("--url", self.url, "an address that begins with https://")

    @property
    def name(self) -> str:
        """The author's name."""
        return _MAIL.sub("", self.author)

    @property
    def mail(self) -> str:
        """The author's address; empty without one."""
        found = _MAIL.search(self.author)
        return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class PackageView:
    """The context of the templates in packages/.

    Attributes:
        example: samples of the data file, and their labels.
        sources, headers: C files of the package's folder src/.
        has_confidence: whether outputs give probabilities of classes.
        confidence_one: the confidence 1.0 as a literal of C.
        ram_bytes: of the model and of what it works in, without the stack.
        checkpoint_bytes: of what is saved.
    """

    maker: Maker
    tool_version: str
    example: ExampleView
    sources: tuple[str, ...]
    headers: tuple[str, ...]
    adapter: str
    n_in: int
    n_out: int
    classes: tuple[ClassView, ...]
    has_confidence: bool
    confidence_one: str
    ram_bytes: int
    checkpoint_bytes: int

    @property
    def name(self) -> str:
        """The model's name, which is the package's."""
        return self.example.name

    @property
    def upper(self) -> str:
        """Prefix of the model's macros."""
        return self.example.upper

    @property
    def camel(self) -> str:
        """The model's name as a class has it."""
        return "".join(part[:1].upper() + part[1:] for part in self.name.split("_"))

    @property
    def dashed(self) -> str:
        """The model's name without underscores."""
        return self.name.replace("_", "-")

    @property
    def version(self) -> str:
        """The package's version."""
        return self.maker.version

    @property
    def vendor(self) -> str:
        """The author's name as an identifier."""
        return re.sub(r"[^A-Za-z0-9]+", "_", self.maker.name).strip("_") or "Owner"

    @property
    def is_classifier(self) -> bool:
        """Tell whether labels are numbers of classes."""
        return bool(self.example.class_names)

    @property
    def typecode(self) -> str:
        """The letter of Python's array for a sample's values."""
        return _TYPECODES[self.example.raw_c]

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions of a module of Python."""
        return (*_FUNCTIONS, "confidence") if self.has_confidence else _FUNCTIONS

    @property
    def samples_python(self) -> tuple[str, ...]:
        """The samples as Python writes numbers."""
        return tuple(_without_f(row) for row in self.example.samples)

    @property
    def labels_python(self) -> tuple[str, ...]:
        """Label vectors as Python writes numbers."""
        return () if self.is_classifier else tuple(_without_f(row) for row in self.example.labels)

    @property
    def license(self) -> str:
        """The licence of generated code."""
        return LICENSE


def package_view(
    model: QuantizedModel,
    plan: MemoryPlan,
    project: CProject,
    example: ExampleView,
    maker: Maker,
    *,
    tool_version: str,
    adapter: str,
) -> PackageView:
    """The view of a model's package."""
    headers = (path for path in project.files if path.endswith(".h") and "/" not in path)
    return PackageView(
        maker=maker,
        tool_version=tool_version,
        example=example,
        sources=project.sources,
        headers=(*sorted(headers), adapter),
        adapter=adapter,
        n_in=model.n_inputs,
        n_out=model.n_out,
        classes=labels_view(model).classes,
        has_confidence=model.has_confidence,
        confidence_one="1.0f" if model.value_type == "f32" else "32768.0f",
        ram_bytes=plan.n_bytes,
        checkpoint_bytes=plan.state.used_bytes + OVERHEAD,
    )


def _without_f(row: Iterable[str]) -> str:
    return ", ".join(number.removesuffix("f") for number in row)


def _refuse(option: str, found: str, wanted: str) -> None:
    raise SpecError(
        "a package cannot be called so", where=option, found=repr(found[:80]), help=f"give {wanted}"
    )
