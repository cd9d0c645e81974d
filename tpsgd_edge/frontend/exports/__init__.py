"""Nets of ours in the formats of other tools."""
