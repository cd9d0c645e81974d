"""Everything between a project folder and a Trace: platforms, compilers, emulators, sizes."""
