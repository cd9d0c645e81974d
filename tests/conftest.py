"""Settings for all tests: how many examples hypothesis draws."""

import os

from hypothesis import HealthCheck, settings

_COMMON = {
    # Compilers and emulators make times uneven.
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow],
    # The same examples in every run: a failure is there again, and no state is kept between runs.
    "derandomize": True,
    "database": None,
    "print_blob": True,
}
settings.register_profile("dev", max_examples=20, **_COMMON)
settings.register_profile("ci", max_examples=200, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
