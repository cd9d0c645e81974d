"""Reading a spec: TOML, overrides, checks."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tpsgd_edge.errors import SpecError
from tpsgd_edge.spec.aliases import with_new_names, with_new_path
from tpsgd_edge.spec.problems import did_you_mean, raise_problems, validated
from tpsgd_edge.spec.rules import spec_problems
from tpsgd_edge.spec.sections import Spec
from tpsgd_edge.spec.source import SourceInput

# A spec is some hundred lines; whatever is larger than this is another kind of file.
_LARGEST_FILE = 1 << 20
# Tables that can be written as their kind alone.
_BY_KIND = ("rule", "loss", "output_loss")


def load_spec(path: str | Path, overrides: Sequence[str] = ()) -> Spec:
    """The spec in a TOML file.

    Args:
        path: the file; relative paths in it start at its folder.
        overrides: `key.sub=value` each, applied in order. The value is read as TOML, and as text
            where it is none. Entries of a list go by index or by name: `model.layers.fc1.units=64`.

    Raises:
        SpecError: what is wrong with the file, the overrides or their content, all of it at once.
    """
    path = Path(path)
    # An override by the new name goes over a file that has the old one, and the other way round.
    renamed = with_new_names(_parse(_read(path), path))
    notes = [*renamed.notes]
    for override in overrides:
        notes += apply_override(renamed.content, override)
    spec = spec_from_dict(renamed.content, folder=path.parent, source=path.name)
    spec._overrides = tuple(overrides)
    spec._notes = (*notes, *spec.notes)
    return spec


def spec_from_dict(
    content: Mapping[str, Any], folder: str | Path = ".", source: str = "spec"
) -> Spec:
    """The spec in a nested dict, as `tomllib` reads one from a file.

    Args:
        content: sections and keys.
        folder: where relative paths in it start.
        source: what messages call it.

    Raises:
        SpecError: everything that is wrong with it.
    """
    renamed = with_new_names(content)
    spec = validated(Spec, renamed.content, source=source)
    spec._folder, spec._source, spec._notes = Path(folder), source, renamed.notes
    raise_problems(spec_problems(spec), source=source)
    return spec


def with_layers(
    spec: Spec,
    layers: Sequence[Mapping[str, Any]],
    input_shape: tuple[int, int, int],
    class_names: tuple[str, ...] | None = None,
    source: SourceInput | None = None,
) -> Spec:
    """The spec with what its source says: layers, and the shape of a sample.

    Args:
        spec: one with `model.source`.
        layers: tables as in `model.layers`; `model.settings` goes over them.
        input_shape: height, width and channels.
        class_names: in the order of the outputs, where the source has them.
        source: what the net itself reads.

    Raises:
        SpecError: settings of layers that are not there, or that the source decides; whatever does
            not fit the layers.
    """
    tables = _with_settings(spec, _with_adaptors(spec, layers))
    kept = {key: getattr(spec, key) for key in Spec.model_fields if key != "model"}
    # Layers that come with weights, whatever the file is called.
    model = {"layers": tables, "weights_file": spec.model.source}
    complete = spec_from_dict({**kept, "model": model}, spec.folder, spec.source)
    asked = spec.data.input_shape
    source = source or SourceInput(input_shape)
    if asked is not None and asked != input_shape and not source.is_vector:
        raise SpecError(
            "data.input_shape is not what the model's source reads",
            where=f"{spec.source}, [data], input_shape",
            found=f"{list(asked)}; '{spec.model.source}' reads {list(input_shape)}",
            help="leave data.input_shape out",
        )
    full = spec.model.model_copy(update={"layers": complete.model.layers})
    full._class_names = class_names
    data = spec.data.for_net(source, input_shape)
    return spec.model_copy(update={"model": full, "data": data})


def _with_adaptors(spec: Spec, layers: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The tables of the layers with those of the adaptors behind them."""
    names = [table["name"] for table in layers]
    missing = [name for name in spec.model.adaptors if name not in names]
    if missing:
        raise SpecError(
            f"'{spec.model.source}' has no layer '{missing[0][:40]}'",
            where=f"{spec.source}, [model], adaptors",
            help=did_you_mean(missing[0], names),
        )
    called = {name: f"{name}_adaptor" for name in spec.model.adaptors}
    tables: list[Mapping[str, Any]] = []
    for table in layers:
        reads = {"from": past_adaptors(table["from"], called)} if "from" in table else {}
        tables.append({**table, **reads})
        if table["name"] in called:
            tables.append({"kind": "adaptor", "name": called[table["name"]]})
    return tables


def past_adaptors(reads: Sequence[str], called: Mapping[str, str]) -> tuple[str, ...]:
    """Replace layers in what a layer reads by the adaptors that stand behind them.

    >>> past_adaptors(["x", "conv1"], {"conv1": "conv1_adaptor"})
    ('x', 'conv1_adaptor')

    Args:
        called: the name of the adaptor behind a layer.
    """
    return tuple(called.get(value, value) for value in reads)


def _with_settings(spec: Spec, layers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The tables of the layers with the settings of the spec."""
    names = [table["name"] for table in layers]
    for name, settings in spec.model.settings.items():
        where = f"{spec.source}, [model.settings.{name[:40]}]"
        if name not in names:
            raise SpecError(
                f"'{spec.model.source}' has no layer '{name[:40]}'",
                where=where,
                help=did_you_mean(name, names),
            )
        decided = sorted(set(settings) & set(layers[names.index(name)]))
        if decided:
            raise SpecError(
                f"'{decided[0]}' of layer '{name}' is what '{spec.model.source}' says",
                where=where,
                help="settings are loss, learning_rate, weights, weight_range, target_pool, ...",
            )
    return [{**table, **spec.model.settings.get(table["name"], {})} for table in layers]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError:
        raise SpecError(
            f"there is no spec '{path}'",
            help="check the path, or make a starter with: tpsgd-edge new NAME",
        ) from None
    except IsADirectoryError:
        toml = sorted(path.glob("*.toml"))
        raise SpecError(
            f"'{path}' is a folder, not a spec",
            help=f"name the file, such as {toml[0]}" if toml else "name a .toml file",
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SpecError(f"the spec '{str(path)[:200]}' cannot be read", found=reason) from None
    if len(raw) > _LARGEST_FILE:
        raise SpecError(f"'{path}' is too large for a spec", found="more than 1 MiB")
    return raw


def _parse(raw: bytes, path: Path) -> dict[str, Any]:
    try:
        # Windows' editors begin a file with a byte order mark, and may write UTF-16.
        is_wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
        return tomllib.loads(raw.decode("utf-16" if is_wide else "utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SpecError(
            f"'{path.name}' is not text in UTF-8",
            where=f"{path.name}, byte {error.start}",
            found=f"0x{raw[error.start]:02x}",
            help="a spec is a TOML file; save it as UTF-8",
        ) from None
    except RecursionError:
        raise SpecError(f"'{path.name}' is nested too deeply", where=path.name) from None
    except ValueError as error:
        raise SpecError(
            f"'{path.name}' is not valid TOML",
            where=path.name,
            found=str(error),
            help="text goes in quotes, sections look like [model]; see https://toml.io"
            if path.suffix == ".toml"
            else "is it a spec? its name ends with .toml; data go into [data], file",
        ) from None


def apply_override(content: dict[str, Any], override: str) -> list[str]:
    """Set the key of an override; the notes on old names in it.

    Raises:
        SpecError: it is no `key=value`, or there is no such entry.
    """
    key, equals, text = override.partition("=")
    steps = [step.strip() for step in key.split(".")]
    if not equals or not all(steps):
        raise SpecError(
            "an override looks like section.key=value",
            where=f"--set {override}",
            help="for example --set rule.learning_rate=0.01",
        )
    steps, notes = with_new_path(steps)
    place: Any = content
    for depth, step in enumerate(steps[:-1]):
        place = _enter(place, step, where=f"--set {override}", above=".".join(steps[:depth]))
    last = steps[-1]
    if isinstance(place, list):
        place[_index(place, last, where=f"--set {override}")] = _value(text)
    elif last == "rule" and isinstance(place.get(last), dict) and isinstance(_value(text), str):
        # The rest of [rule] stays, as it would with --set rule.kind=...
        place[last]["kind"] = _value(text)
    else:
        place[last] = _value(text)
    return notes


def _enter(place: Any, step: str, *, where: str, above: str) -> Any:
    if isinstance(place, list):
        entry = place[_index(place, step, where=where)]
    else:
        entry = place.setdefault(step, {})
        if step in _BY_KIND and isinstance(entry, str):
            entry = place[step] = {"kind": entry}
    if not isinstance(entry, dict | list):
        name = f"{above}.{step}" if above else step
        raise SpecError(f"'{name}' is a value, not a section", where=where, found=f"{entry!r:.60}")
    return entry


def _index(entries: list[Any], step: str, *, where: str) -> int:
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in entries]
    if step in names:
        return names.index(step)
    if step.isdecimal() and len(step) < 10 and int(step) < len(entries):
        return int(step)
    known = [name for name in names if isinstance(name, str)]
    raise SpecError(f"there is no entry '{step}'", where=where, help=did_you_mean(step, known))


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text.strip()
    # A line break in the text could have smuggled in a second key.
    return parsed["value"] if set(parsed) == {"value"} else text.strip()
