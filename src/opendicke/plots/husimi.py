"""The spin's Husimi function as a map of the angles, and on the sphere."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from opendicke import checks
from opendicke.plots.bloch import View, sphere

#: White to dark, monotonic in lightness: no weight is no ink.
COLOUR_MAP = "Blues"


def plot_husimi_map(
    data: xr.Dataset, axes: Axes, *, time: float | None = None, colour_map: str = COLOUR_MAP, cells: int = 800
) -> QuadMesh:
    r"""Draw Q(θ, φ) as a map, θ growing downwards so that all atoms up is on top.

    A grid finer than the picture is averaged over blocks, so that what is narrower than a pixel becomes paler and is
    not lost.

    Args:
        data: from :func:`opendicke.analysis.husimi`.
        axes: where to draw.
        time: one of its ``state_time`` (the nearest is taken); not needed if there is only one.
        colour_map: of matplotlib.
        cells: drawn along each axis, at most.

    Returns:
        the mesh, for a colour bar.

    Raises:
        ValueError: if there are several times and none is chosen.

    >>> from matplotlib.figure import Figure
    >>> from opendicke.analysis import husimi
    >>> import opendicke as od
    >>> model = od.DickeModel.balanced(n_atoms=10, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=0.0)
    >>> answer = od.solve(model, od.SpinCoherent(1.0), [0.0], od.NuHOPS(trajectories=2, keep_states=(0.0,)))
    >>> mesh = plot_husimi_map(husimi(answer), Figure().add_subplot())
    >>> mesh.get_array().shape
    (22, 44)
    """
    q = _coarsened(_at(data, time), checks.integer("cells", cells, minimum=2))
    mesh = axes.pcolormesh(
        q.phi.values / np.pi,
        q.theta.values / np.pi,
        q.values,
        cmap=colour_map,
        vmin=0,
        shading="nearest",
        rasterized=True,
    )
    axes.set_xlabel(r"$\phi/\pi$")
    axes.set_ylabel(r"$\theta/\pi$")
    axes.set_ylim(*sorted(axes.get_ylim(), reverse=True))
    return mesh


def plot_husimi_sphere(
    data: xr.Dataset,
    axes: Axes,
    *,
    time: float | None = None,
    view: View | None = None,
    colour_map: str = COLOUR_MAP,
    pixels: int = 600,
) -> AxesImage:
    """Draw Q on the visible half of the sphere.

    Args:
        data: from :func:`opendicke.analysis.husimi`; where its grid does not reach, Q counts as zero.
        axes: where to draw (any two-dimensional axes; their frame is removed).
        time: one of its ``state_time`` (the nearest is taken); not needed if there is only one.
        view: where the sphere is seen from.
        colour_map: of matplotlib.
        pixels: across the sphere.

    Returns:
        the image, for a colour bar.

    Raises:
        ValueError: if there are several times and none is chosen.
    """
    q = _at(data, time)
    view = view or View()
    sphere(axes, view)
    edge = np.linspace(-1, 1, checks.integer("pixels", pixels, minimum=2))
    right, up = np.meshgrid(edge, edge)
    depth = 1 - right**2 - up**2
    seen = depth >= 0
    directions = np.stack([right[seen], up[seen], np.sqrt(depth[seen])], axis=-1) @ view.project(np.eye(3)).T
    image = np.full(right.shape, np.nan)
    image[seen] = _interpolate(q, directions)
    # alpha from the value, so that the sphere's lines stay visible where there is no weight
    strength = np.nan_to_num(image / max(float(q.max()), 1e-300))
    shown: AxesImage = axes.imshow(
        image,
        extent=(-1, 1, -1, 1),
        origin="lower",
        cmap=colour_map,
        vmin=0,
        vmax=float(q.max()),
        alpha=np.clip(4 * strength, 0, 1),
        zorder=2,
        interpolation="bilinear",
    )
    return shown


def _at(data: xr.Dataset, time: float | None) -> xr.DataArray:
    if time is None and data.sizes["state_time"] != 1:
        raise checks.refuse("time", f"one of {data.state_time.values.tolist()}", None)
    index = 0 if time is None else int(np.abs(data.state_time.values - checks.real("time", time)).argmin())
    q: xr.DataArray = data.Q.isel(state_time=index)
    return q


def _coarsened(q: xr.DataArray, cells: int) -> xr.DataArray:
    """Means over blocks, so that no axis has more than ``cells`` points."""
    blocks = {name: math.ceil(size / cells) for name, size in q.sizes.items() if size > cells}
    return q.coarsen(blocks, boundary="pad").mean() if blocks else q


def _interpolate(q: xr.DataArray, directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Q along unit vectors of shape (points, 3): linear in both angles, zero outside of the grid."""
    from scipy.interpolate import RegularGridInterpolator

    phi, theta, values = q.phi.values, q.theta.values, q.transpose("theta", "phi").values
    azimuth = np.arctan2(directions[:, 1], directions[:, 0])
    azimuth = phi[0] + np.mod(azimuth - phi[0], 2 * np.pi)
    step = phi[-1] - phi[-2] if phi.size > 1 else 0.0
    if phi[-1] + 1.5 * step > phi[0] + 2 * np.pi:  # all around: the first column follows the last
        phi, values = np.append(phi, phi[0] + 2 * np.pi), np.concatenate([values, values[:, :1]], axis=1)
    inside = np.arccos(np.clip(directions[:, 2], -1, 1))
    rim = (theta[1] - theta[0]) if theta.size > 1 else 0.0
    # up to one row beyond the grid, the row at its edge is continued: the poles lie between rows
    near = (inside > theta[0] - rim) & (inside < theta[-1] + rim)
    points = np.stack([np.clip(inside, theta[0], theta[-1]), azimuth], axis=-1)
    found = RegularGridInterpolator((theta, phi), values, bounds_error=False, fill_value=0.0)(points)
    result: NDArray[np.float64] = np.where(near, found, 0.0)
    return result
