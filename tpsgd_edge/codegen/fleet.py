"""The C of a fleet's gateway: its averages, and the tensors that devices of a model share."""

import json
from dataclasses import dataclass

from tpsgd_edge.assets import firmware_dir
from tpsgd_edge.codegen.license import LICENSE, with_license
from tpsgd_edge.codegen.rendering import sha256_of, template

_HEAD_AND_CRC = 20
_FLEET = ("tps_fleet.c", "tps_fleet.h", "tps_fleet_codec.h", "tps_fleet_message.c")
# What a gateway has of the code of devices.
_RUNTIME = ("tps_compiler.h", "tps_random.h")


@dataclass(frozen=True, slots=True)
class TensorView:
    """A tensor that is shared: its range, and the bytes of a value."""

    name: str
    rows: int
    columns: int
    low: int
    high: int
    bytes: int

    @property
    def values(self) -> int:
        """Number of its values."""
        return self.rows * self.columns


@dataclass(frozen=True, slots=True)
class FleetView:
    """Everything that the header of a gateway says of a model."""

    name: str
    model_id: int
    seed: int
    tensors: tuple[TensorView, ...]

    @property
    def upper(self) -> str:
        """The name as macros have it."""
        return self.name.upper()

    @property
    def values(self) -> int:
        """Number of shared values."""
        return sum(tensor.values for tensor in self.tensors)

    @property
    def wide_values(self) -> int:
        """Number of those that have 4 bytes."""
        return sum(tensor.values for tensor in self.tensors if tensor.bytes == 4)

    @property
    def message_bytes(self) -> int:
        """Bytes of the longest message: each difference in four bytes."""
        codes = sum(-(-tensor.rows // 4) for tensor in self.tensors)
        return _HEAD_AND_CRC + codes + 4 * self.values


def gateway_files(view: FleetView, version: str) -> dict[str, str]:
    """The files of a gateway, by their names, with a manifest."""
    own, runtime = firmware_dir() / "fleet", firmware_dir() / "runtime"
    texts = {
        **{name: (own / name).read_text(encoding="utf-8") for name in _FLEET},
        **{name: (runtime / name).read_text(encoding="utf-8") for name in _RUNTIME},
        f"{view.name}_fleet.h": template("model_fleet.h.j2").render(f=view),
    }
    files = {path: with_license(path, text) for path, text in sorted(texts.items())}
    document = {
        "name": view.name,
        "tool": {"name": "tpsgd-edge", "version": version},
        "license": LICENSE,
        "files": {path: sha256_of(text) for path, text in files.items()},
    }
    return {**files, "manifest.json": json.dumps(document, indent=2) + "\n"}
