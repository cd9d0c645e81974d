"""Nets of Keras."""
