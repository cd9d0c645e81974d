"""The search for a net: a space of specs, trials with the generated code, a front."""
