"""What weights of 4 bits cost each example, once it has learned: a table of docs/results.

    python tools/results_s4.py [NAME ...] [FILE ...]

Each example learns as in results_examples.py; a .tflite file comes trained, with the digits of
results_integers.py, which needs ai-edge-litert. Then its hidden layers stay as they are, with
weights of 16, 8 and 4 bits in flash; layers that cannot have 4 bits have 8. The last layer has 16
bits. Scores on the test set, in integers: at once, and after the last layer learned for two epochs;
and the bytes of the hidden weights. Needs torch, onnx and the data of the examples.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from results_examples import EXAMPLES, trained_settings

from tpsgd_edge import load_spec
from tpsgd_edge.frontend.imports.source import with_source
from tpsgd_edge.spec import Spec
from tpsgd_edge.stages import Prepared, on_host, prepare, quantize_samples, train

EPOCHS = 2
FORMATS = ("s16", "s8", "s4")


def row(name: str, folder: Path) -> str:
    """One line of the table."""
    is_file = name.endswith(".tflite")
    path = written(Path(name), folder) if is_file else EXAMPLES / f"{name}.toml"
    settings = [] if is_file else trained_settings(name, folder)
    found = [measured(path, settings, weights) for weights in FORMATS]
    is_class = found[0][0].model.labels.kind == "class"
    scale, digits = (100, 1) if is_class else (1, 3)
    cells = [f"{scale * scores[turn]:.{digits}f}" for turn in (0, 1) for _, scores in found]
    return f"| {Path(name).stem} | {' | '.join(cells)} | {' | '.join(map(hidden_bytes, found))} |"


def written(file: Path, folder: Path) -> Path:
    """The spec of a net of digits that comes as a file; its samples lie beside it."""
    # It needs LiteRT, which the examples do without.
    from results_integers import digits_spec

    digits_spec(file, "s16", 1, folder)
    path = folder / f"{file.stem}.toml"
    model = f'name = "net"\nseed = 1\n[model]\nsource = "{file.resolve()}"\n'
    path.write_text(f'{model}[data]\nfile = "digits.npz"\n', encoding="utf-8")
    return path


def measured(path: Path, settings: list[str], weights: str) -> tuple[Prepared, tuple[float, float]]:
    """The net with hidden weights of a format, and its scores before and after learning."""
    own = with_source(load_spec(path, settings))
    prepared = prepare(load_spec(path, [*settings, *frozen(own, weights)]))
    samples = quantize_samples(prepared.model, prepared.dataset)
    with on_host(prepared, check=False) as device:
        done = train(device, prepared.model, samples, epochs=EPOCHS, progress=lambda *_: None)
    return prepared, (done.scores[0].value, done.scores[-1].value)


def frozen(spec: Spec, weights: str) -> Iterator[str]:
    """Settings that keep all layers but the last as they are, with weights of a format."""
    last = spec.model.layers[-1].name
    yield 'numbers.weights="s16"'
    yield f"rule.epochs={EPOCHS}"
    for place, layer in enumerate(spec.model.layers):
        if layer.weighted is None or layer.name == last:
            continue
        can = layer.kind in ("dense", "conv1d", "conv2d") and getattr(layer, "groups", 1) == 1
        key = f"model.settings.{layer.name}" if spec.model.source else f"model.layers.{place}"
        yield f"{key}.train=false"
        yield f'{key}.weights="{weights if can or weights != "s4" else "s8"}"'


def hidden_bytes(found: tuple[Prepared, tuple[float, float]]) -> str:
    """Bytes of the weights that do not learn."""
    layers = found[0].model.weighted
    return f"{sum(layer.weight_bytes for layer in layers if not layer.trains):,}"


def main() -> None:
    """Print the rows as they come."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="of examples, or files")
    names = parser.parse_args().names or sorted(path.stem for path in EXAMPLES.glob("*.toml"))
    titles = [f"{when}, {weights}" for when in ("at once", "learned") for weights in FORMATS]
    print(f"| | {' | '.join((*titles, *(f'bytes, {weights}' for weights in FORMATS)))} |")
    print("|---|" + "---:|" * 9)
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            print(row(name, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
