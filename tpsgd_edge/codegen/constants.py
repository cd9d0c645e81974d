"""Constants that all layers of a model share: projections."""

from dataclasses import dataclass

from tpsgd_edge.quantize.model import Projection, QuantizedModel


@dataclass(frozen=True, slots=True)
class ProjectionView:
    """Storage of the projections: see tps_projection.h.j2."""

    kind: str
    storage: str
    summary: str
    c_type: str
    words_per_row: int
    entries_per_word: int
    word_shift: int
    entry_bits: int
    # Bits of a row's number that tell the columns of a Hadamard matrix apart.
    code_bits: int

    @property
    def learns(self) -> bool:
        """Tell whether it is part of the state, and so an argument of whatever reads it."""
        return self.storage == "ram"

    @property
    def is_code(self) -> bool:
        """Tell whether entries follow from the numbers of row and column."""
        return self.storage == "seed" and self.kind == "hadamard"

    @property
    def one_word(self) -> bool:
        """Tell whether one random word holds a whole row."""
        return self.storage == "seed" and self.kind != "gaussian" and self.words_per_row == 1

    @property
    def has_signs(self) -> bool:
        """Tell whether a row is one word, and a bit of it the sign of an entry."""
        return self.one_word and self.entry_bits == 1


# Random bits of an entry that is drawn again at each use.
_DRAWN_BITS = {"sign": 1, "hadamard": 1, "ternary": 2, "gaussian": 32}


def projection_view(model: QuantizedModel) -> ProjectionView | None:
    """Storage of the projections; None if the model has none."""
    projections = [layer.projection for layer in model.with_loss if layer.projection]
    if not projections:
        return None
    projection = projections[0]
    if projection.storage == "packed":
        bits, per_word = 2, 4
    elif projection.storage in ("s8", "ram"):
        bits, per_word = 8, 1
    else:
        bits = _DRAWN_BITS[projection.kind]
        per_word = 32 // bits
    where = {
        "seed": "made again from the seed at each use, no flash",
        "packed": "2 bits an entry in flash",
        "s8": "one byte an entry in flash",
        "ram": "which learn, in the model's state",
    }[projection.storage]
    return ProjectionView(
        kind=projection.kind,
        storage=projection.storage,
        summary=f"Here: {_kinds(projections)} entries, {where}.",
        c_type=_entry_type(model, projection),
        words_per_row=-(-model.labels.count // per_word),
        entries_per_word=per_word,
        word_shift=per_word.bit_length() - 1,
        entry_bits=bits,
        code_bits=(model.labels.count - 1).bit_length(),
    )


def _entry_type(model: QuantizedModel, projection: Projection) -> str:
    if projection.storage == "ram" and model.value_type == "f32":
        return "float"
    return "int8_t" if projection.storage in ("s8", "ram") else "uint8_t"


def _kinds(projections: list[Projection]) -> str:
    return " and ".join(sorted({projection.kind for projection in projections}))
