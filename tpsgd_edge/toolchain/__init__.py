"""Everything between a rendered project folder and a Trace: platforms, compilers, emulators, sizes."""
