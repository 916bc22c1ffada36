"""Steady states and slow modes of the master equation."""
