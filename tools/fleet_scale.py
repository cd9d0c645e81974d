"""A million devices on paper: bytes, energy and time of a fleet, by model and radio.

    python tools/fleet_scale.py
    python tools/fleet_scale.py --devices 10000 --rounds 20 --samples 30

Bytes of digits are measured, others follow from the format; cycles are those of
docs/results/costs.md. Radios and the core are a few figures each, in this file: orders of
magnitude, not measurements. Time on the air is bytes over the net rate; nothing is reckoned for
joining a network, for acknowledgements or for listening while nothing comes.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

# Shares of one server (docs/ARITHMETIC.md, section 27).
MOST = 1 << 14


@dataclass(frozen=True)
class Radio:
    """A radio: net bit/s, W while it sends and while it listens, the share of time it may send."""

    name: str
    rate: float
    sending: float
    hearing: float
    duty: float = 1.0


@dataclass(frozen=True)
class Net:
    """A net: bytes of an update, of a message to a device, and cycles of a training step."""

    name: str
    up: int
    down: int
    cycles: int


RADIOS = (
    Radio("BLE, 1 Mbit/s", 700e3, 0.015, 0.015),
    Radio("802.15.4", 120e3, 0.020, 0.020),
    Radio("Wi-Fi", 10e6, 0.9, 0.3),
    Radio("LTE-M", 300e3, 0.7, 0.3),
    Radio("LoRa SF7, 1 % of the time", 5.5e3, 0.15, 0.035, 0.01),
)
# Cycles on a Cortex-M4F as docs/results/costs.md has them (of 784-128-10 1.36 an instruction, of
# which a step takes 150,578). Digits' bytes are the mean of 40 rounds of `classes:2`, seed 1, in
# docs/results/fleet.json; the others are those of rows of s16.
NETS = (
    Net("digits, 64-32-10, s16", 4_663, 3_125, 43_376),
    Net("784-128-10, s16", 203_900, 203_900, 204_800),
)
# A core at 64 MHz that draws 10 mW.
HERTZ, WATTS = 64e6, 0.010
HEAD = "| net | radio | on the air in a round | energy: radio | learning | of all rounds |"


def rows(nets: tuple[Net, ...], devices: int, rounds: int, samples: int) -> Iterator[str]:
    """A row for each net and radio, then what is the same for all radios."""
    yield HEAD
    yield "|---|---|---:|---:|---:|---:|"
    for net in nets:
        learn = samples * net.cycles / HERTZ * WATTS
        for radio in RADIOS:
            sent, heard = 8 * net.up / radio.rate, 8 * net.down / radio.rate
            talk = sent * radio.sending + heard * radio.hearing
            energies = (talk, learn, rounds * (talk + learn))
            cells = (_time(sent / radio.duty + heard), *map(_energy, energies))
            yield f"| {net.name} | {radio.name} | {' | '.join(cells)} |"
    yield ""
    for net in nets:
        up, down = devices * net.up / 1e9, devices * net.down / 1e9
        yield (
            f"{net.name}: {samples} samples are learned in {_time(samples * net.cycles / HERTZ)}; "
            f"{up:,.1f} GB up and {down:,.1f} GB down a round."
        )
    yield f"Servers from the lowest level up, {MOST:,} devices each: {', '.join(_levels(devices))}."


def _levels(devices: int) -> Iterator[str]:
    """Servers of each level.

    >>> list(_levels(1_000_000)), list(_levels(16_384))
    (['62', '1'], ['1'])
    """
    while devices > 1:
        devices = ceil(devices / MOST)
        yield f"{devices:,}"


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"


def _energy(joules: float) -> str:
    return f"{joules * 1e3:,.2f} mJ" if joules < 1 else f"{joules:,.1f} J"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--devices", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--samples", type=int, default=144, help="of a device in a round")
    arguments = parser.parse_args()
    print("\n".join(rows(NETS, arguments.devices, arguments.rounds, arguments.samples)))


if __name__ == "__main__":
    main()
