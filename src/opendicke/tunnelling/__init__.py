"""Tunnelling between the states that mean field finds stable; ``opendicke.analysis.tunnelling`` gives the names."""
