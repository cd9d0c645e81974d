"""The shape of the code base, checked: floors, doors, sizes, words."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import jinja2.meta

from tests.support.of_each import of_each
from tpsgd_edge.codegen.rendering import _environment

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tpsgd_edge"

# From the ground up. A module imports only from its own part and from floors below; parts that
# share a floor are neighbours and do not see each other.
FLOORS = (
    {"errors", "assets", "cache", "canonical", "lazy"},
    {"arithmetic", "spec", "trace", "files"},
    {"graph", "features"},
    {"rule", "frontend"},
    {"quantize", "comparison"},
    {"memory"},
    {"reference", "codegen"},  # so that the oracle can never learn from the generator
    {"toolchain"},
    {"verdict"},
    {"stages"},
    {"reports"},
    {"pipeline", "packaging", "migration", "replaying", "estimator", "starter", "link", "search"},
    {"fluent", "fleet"},
    {"cli"},
)
FLOOR_OF = {part: floor for floor, parts in enumerate(FLOORS) for part in parts}

# Where packages come in that a floor above should not know of.
DOORS = {
    "click": {"cli"},
    "cobs": {"link"},
    "ctypes": {"toolchain"},
    "elftools": {"toolchain"},
    "jinja2": {"codegen", "reports"},
    "flwr": {"fleet"},
    "matplotlib": {"reports"},
    "onnx": {"frontend"},
    "optuna": {"search"},
    "pydantic": {"spec"},
    "pydantic_core": {"spec"},
    "ray": {"search"},
    "rich": {"cli"},
    "serial": {"link"},
    "sklearn": {"estimator"},
    "sqlalchemy": {"search"},
    "sqlite3": {"comparison"},
    "starlette": {"link"},
    "subprocess": {"toolchain"},
    "torch": {"rule", "frontend"},
    "capstone": {"toolchain"},
    "unicorn": {"toolchain"},
    "uvicorn": {"link"},
}
# What the command line must not load before it knows what is asked for.
HEAVY = {
    "jinja2",
    "matplotlib",
    "numpy",
    "optuna",
    "pydantic",
    "rich",
    "sklearn",
    "torch",
    "unicorn",
}

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
# A sign of the style rather than of a single function.
MAX_MEDIAN_FUNCTION_LINES = 15

# Layers say what they are by properties, and differ by tables: few places look at a class.
MAX_ISINSTANCE_OF_LAYERS = 40

SOURCES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
C_SOURCES = sorted((ROOT / "firmware").rglob("*.[chS]"))
TEMPLATES = sorted(path for path in (ROOT / "codegen_templates").rglob("*") if path.is_file())
MAX_TEMPLATE_LINES = 250
# What a template is given: the model, and in headers a function that notes what a linker sees. The
# rest are arguments of single templates.
GIVEN = {"m", "linked"}
GIVEN_TO = {
    "board_main.c.j2": {"b"},
    "example_main.c.j2": {"e"},
    "model.c.j2": {"headers"},
    "model_costs.h.j2": {"c"},
    "model_fleet.h.j2": {"f"},
    "project_cmake.j2": {"sources"},
    "project_makefile.j2": {"sources", "headers"},
    "project_readme.md.j2": {"license"},
    "tps_names.h.j2": {"names"},
}


# Signs of C beyond the names of types, functions and variables.
C_TEXT = re.compile(
    r"\w->\w|;$|;\n|/\*|\*/|&&|\|\||<<|>>|==|\bconst\b|\breturn\b|[\w)]\[\w|\w\(|&\w"
)
# Marks of comments, which these two files take out of texts of others and put around a license.
MAY_HOLD_C = {"classes.py", "example.py", "license.py", "naming.py", "c.py"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def outside(*parts: str) -> list[Path]:
    """The package's sources but those of some parts."""
    return [path for path in SOURCES if part_of(path) not in parts]


@cache
def parse(path: Path) -> ast.Module:
    """The tree of a file; no test changes it."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(tree: ast.AST) -> Iterator[str]:
    """Dotted names of everything imported, at the top or inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def functions_of(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def public_definitions(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Public classes, functions and methods, by dotted name."""
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in tree.body:
        if not isinstance(node, kinds) or node.name.startswith("_"):
            continue
        yield node.name, node
        if isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, kinds) and not member.name.startswith("_"):
                    yield f"{node.name}.{member.name}", member


def test_every_part_has_a_floor():
    parts = {part_of(path) for path in SOURCES} - {"__init__", "__main__"}
    assert parts <= FLOOR_OF.keys()


@of_each(outside("__init__", "__main__"), name_of)
def test_imports_point_down(path):
    part = part_of(path)
    for module in imports_of(parse(path)):
        root, _, rest = module.partition(".")
        other = rest.partition(".")[0]
        if root != "tpsgd_edge" or other == part or other.startswith("__"):
            continue
        assert other in FLOOR_OF, f"{part} takes {other!r} from the package's front door"
        assert FLOOR_OF[other] < FLOOR_OF[part], f"{part} may not import {other}"


@of_each(SOURCES, name_of)
def test_packages_enter_by_their_door(path):
    for module in imports_of(parse(path)):
        root = module.partition(".")[0]
        allowed = DOORS.get(root)
        assert allowed is None or part_of(path) in allowed, f"{root} belongs in {sorted(allowed)}"


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from tpsgd_edge.cli import main; sys.argv = ['tpsgd-edge', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print('loaded:', *sorted({HEAVY} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "verify" in done.stdout
    assert done.stdout.endswith("loaded:\n")


@of_each(SOURCES + C_SOURCES + TESTS, name_of)
def test_files_stay_short(path):
    assert path.read_text(encoding="utf-8").count("\n") <= MAX_FILE_LINES


@of_each(TEMPLATES, name_of)
def test_templates_stay_short(path):
    assert path.read_text(encoding="utf-8").count("\n") <= MAX_TEMPLATE_LINES


@of_each(TEMPLATES, name_of)
def test_templates_take_no_names_from_the_air(path):
    """What a macro needs are its arguments; what is imported or included gets the model only."""
    text = path.read_text(encoding="utf-8")
    tree = _environment().parse(text)
    given = {"p"} if "packages" in path.parts else GIVEN | GIVEN_TO.get(path.name, set())
    taken = jinja2.meta.find_undeclared_variables(tree)
    assert taken <= given, f"{sorted(taken - given)} come from whoever includes it"
    assert "{% set" not in text


def strings_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of each string that is no docstring; those with fields, piece by piece."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        is_string = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_string and id(node) not in docstrings:
            yield node.lineno, node.value


@of_each(sorted((PACKAGE / "codegen").rglob("*.py")), name_of)
def test_templates_alone_write_c(path):
    if path.name not in MAY_HOLD_C:
        found = [(line, text) for line, text in strings_of(parse(path)) if C_TEXT.search(text)]
        assert not found


@of_each(SOURCES, name_of)
def test_functions_stay_short(path):
    for node in functions_of(parse(path)):
        assert lines_of(node) <= MAX_FUNCTION_LINES, f"{node.name} has {lines_of(node)} lines"


def test_most_functions_are_small():
    sizes = sorted(lines_of(node) for path in SOURCES for node in functions_of(parse(path)))
    assert sizes[len(sizes) // 2] <= MAX_MEDIAN_FUNCTION_LINES


@of_each(SOURCES, name_of)
def test_public_names_have_docstrings(path):
    tree = parse(path)
    missing = [name for name, node in public_definitions(tree) if not ast.get_docstring(node)]
    if path.read_text(encoding="utf-8").strip():
        missing += [] if ast.get_docstring(tree) else ["the module"]
    assert not missing


# A layer of the reference holds weights that learn; the command line notes options as they come.
@of_each(outside("reference", "cli"), name_of)
def test_dataclasses_are_frozen(path):
    for node in ast.walk(parse(path)):
        if not isinstance(node, ast.ClassDef):
            continue
        for decorator in node.decorator_list:
            words = ast.unparse(decorator)
            if words.startswith("dataclass"):
                assert "frozen=True" in words, f"{node.name} can change"
                assert "slots=True" in words, f"{node.name} has no slots"


@of_each(outside("errors"), name_of)
def test_install_commands_work_in_a_checkout_too(path):
    """`errors.how_to_install` writes them all."""
    assert "pip install 'tpsgd-edge" not in path.read_text(encoding="utf-8")


@of_each(outside("cli", "__main__"), name_of)
def test_nothing_prints_or_exits_but_the_command_line(path):
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"print", "exit", "sys.exit", "os._exit"}, f"line {node.lineno}"


# ------------------------------------------------------------------ classes of layers


# Parts whose layers read and make values.
LAYERED = ("graph", "quantize", "reference")


def classes_of_layers() -> set[str]:
    """Names of the classes of layers: of a spec, a graph, a quantized model and the reference."""
    found = {"WeightedLayer", "Recurrent", "RecurrentSpec", "Join", "QuantizedJoin", "Weightless"}
    for path in SOURCES:
        part, is_spec = part_of(path), path.name in ("layers.py", "weightless.py")
        own: set[str] = set()
        for node in parse(path).body:
            if not isinstance(node, ast.ClassDef):
                continue
            members = {getattr(member, "name", "") for member in node.body}
            has_values = bool(members & {"x_count", "forward"})
            bases = {ast.unparse(base) for base in node.bases}
            has_values = has_values or bool(bases & (own | {"Weightless"}))
            if is_spec if part == "spec" else has_values and part in LAYERED:
                own.add(node.name)
        found |= own
    return found


def test_few_places_ask_for_the_class_of_a_layer():
    classes = classes_of_layers()
    assert classes > {"Dense", "Pool", "Weighted", "QuantizedGru", "ConvSpec", "IntegerGru"}
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance"
        if {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)} & classes
    ]
    assert len(found) <= MAX_ISINSTANCE_OF_LAYERS, found
