"""Nets made elsewhere, read without trust and turned into the layers and weights of a spec."""
