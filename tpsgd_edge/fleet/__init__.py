"""Fleets: what many devices learn together, averaged in integers (docs/FLEETS.md)."""
