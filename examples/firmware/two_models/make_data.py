"""Writes machine.npz: windows of a vibration sensor on a made-up machine, with two labels each.

    python make_data.py

The motor turns at 25 turns a second under one of three loads, which the strength of the vibration
tells; a worn bearing adds bursts of a high tone, eleven values apart. 1,600 values a second, 64 a
window, as int16.
"""

import numpy as np

LOADS = ("idle", "half", "full")
STATES = ("good", "worn")
WINDOW = 64


def stretch(rng: np.random.Generator, load: int, state: int, count: int) -> np.ndarray:
    """Make `count` values of the sensor, int16, in one state of the machine."""
    t = np.arange(count)
    turn = 2 * np.pi * 25 / 1600 * t + rng.uniform(0, 2 * np.pi)
    value = (400, 900, 2000)[load] * np.sin(turn) * rng.uniform(0.85, 1.15)
    since = (t + rng.integers(11)) % 11
    value += state * rng.uniform(500, 800) * np.exp(-since / 3) * np.cos(2.2 * since)
    return np.rint(value + rng.normal(0, 60, count)).astype(np.int16)


def main() -> None:
    """Write the windows in the order in which they were drawn."""
    rng = np.random.default_rng(5)
    loads, states = rng.integers(0, len(LOADS), 600), rng.integers(0, len(STATES), 600)
    pairs = zip(loads, states, strict=True)
    x = np.stack([stretch(rng, load, state, WINDOW) for load, state in pairs])
    np.savez("machine.npz", x=x[:, :, np.newaxis], load=loads, bearing=states)


if __name__ == "__main__":
    main()
