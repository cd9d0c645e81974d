"""`tpsgd-edge export`."""

from pathlib import Path

import click

from tpsgd_edge.cli.options import load, spec_options
from tpsgd_edge.cli.outcome import Outcome, outcome


def parse_crc(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """Read a CRC-32 as a debugger or a header writes it, in hexadecimal or decimal.

    Raises:
        click.BadParameter: the text is no number of 32 bits.
    """
    if value is None:
        return None
    try:
        crc = int(value.rstrip("uU"), 0)
    except ValueError:
        crc = -1
    if not 0 <= crc < 2**32:
        raise click.BadParameter(f"a CRC-32 looks like 0x1a2b3c4d, not {value!r:.20}")
    return crc


model_id_option = click.option(
    "--model-id",
    metavar="ID",
    callback=parse_crc,
    help="NAME_MODEL_ID of the firmware's header, to be compared.  [default: the dump's note]",
)


weights_in_option = click.option(
    "--weights-in",
    type=click.Path(path_type=Path),
    metavar="DUMP",
    help="Begin with what a device has learned: a dump or checkpoint, as for export.",
)


@click.command("export")
@spec_options
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="DUMP",
    required=True,
    help="The raw bytes of struct NAME_model: from simulate --weights-out, or from a board; or a "
    "checkpoint, or a copy of the storage with checkpoints in it.",
)
@click.option("--onnx", type=click.Path(path_type=Path), metavar="OUT", help="[default: NAME.onnx]")
@click.option(
    "--tflite",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Write a TensorFlow Lite file instead.",
)
@click.option(
    "--digest",
    "crc",
    metavar="CRC",
    callback=parse_crc,
    help="What NAME_digest() gave on the board, to be compared.",
)
@model_id_option
@click.option(
    "--scaled-input", is_flag=True, help="Leave out of the net what data.scaling does to samples."
)
def export_command(
    *,
    spec_path: Path,
    platform: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
    weights: Path,
    onnx: Path | None,
    tflite: Path | None,
    crc: int | None,
    model_id: int | None,
    scaled_input: bool,
) -> Outcome:
    """Trained weights as an ONNX or TensorFlow Lite file.

    Reads the state struct that a device holds in RAM and writes the net in floating point. From a
    board with gdb: `dump binary value weights.bin model`; with J-Link Commander: `savebin
    weights.bin ADDRESS SIZE`, both of them from the linker's map; or send the struct's bytes over
    any line your firmware has. Where the firmware saves checkpoints, a copy of the flash area that
    it saves them in will do: the newest whole one counts.
    """
    from tpsgd_edge.cli.tables import show_export
    from tpsgd_edge.pipeline import export

    spec = load(spec_path, platform, overrides)
    result = export(
        spec,
        weights=weights,
        onnx=onnx,
        tflite=tflite,
        crc=crc,
        model_id=model_id,
        scaled_input=scaled_input,
    )
    return outcome(result.to_json(), lambda: show_export(result), as_json=as_json, data=result.data)
