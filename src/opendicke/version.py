"""The version of this package."""

from __future__ import annotations

from importlib import metadata

#: What a checkout that nobody installed is called.
UNKNOWN = "0+unknown"


def version() -> str:
    """The installed version, or UNKNOWN if the package runs without having been installed."""
    try:
        return metadata.version("opendicke")
    except metadata.PackageNotFoundError:
        return UNKNOWN
