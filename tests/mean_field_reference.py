"""The mean-field flow written down once more; fixed points and eigenvalues by brute force."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from opendicke import DickeModel


def flow(model: DickeModel, y: NDArray[np.float64]) -> NDArray[np.float64]:
    """d/dt of (m_x, m_y, m_z, Re β, Im β): the Heisenberg equations of S and a with numbers for operators."""
    m_plus, beta = y[0] + 1j * y[1], y[3] + 1j * y[4]
    # With F = g- a† + g+ a:  i[H, S+] = i ω_a S+ - 2i S^z F/√N  and  i[H, S^z] = i (S- F - F† S+)/√N.
    field = model.g_minus * beta.conjugate() + model.g_plus * beta
    d_plus = 1j * model.omega_a * m_plus - 2j * y[2] * field
    d_z = -2 * (m_plus.conjugate() * field).imag
    d_beta = -(model.kappa + 1j * model.omega_c) * beta
    d_beta -= 1j * (model.g_minus * m_plus.conjugate() + model.g_plus * m_plus)
    return np.array([d_plus.real, d_plus.imag, d_z, d_beta.real, d_beta.imag])


def numerical_jacobian(model: DickeModel, y: NDArray[np.float64], frame: NDArray[np.float64]) -> NDArray[np.float64]:
    """Central differences (exact for this quadratic flow, up to rounding), in the axes e1, e2 of the frame and β."""
    basis = np.zeros((4, 5))
    basis[:2, :3], basis[2, 3], basis[3, 4] = frame[:2], 1.0, 1.0
    h = 1e-3
    columns = [(flow(model, y + h * e) - flow(model, y - h * e)) / (2 * h) for e in basis]
    return basis @ np.array(columns).T


def some_frame(m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Any right-handed axes with e3 along m."""
    e3 = m / np.linalg.norm(m)
    e1 = np.cross([0.3, 0.9, 0.1], e3)
    e1 /= np.linalg.norm(e1)
    return np.array([e1, np.cross(e3, e1), e3])


def leading(model: DickeModel, y: NDArray[np.float64]) -> float:
    """Largest real part of the eigenvalues of the numerical Jacobian."""
    return float(np.linalg.eigvals(numerical_jacobian(model, y, some_frame(y[:3]))).real.max())


def solve_fixed_point(model: DickeModel, guess: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """A fixed point near ``guess`` on the sphere |m| = 1/2, or None if the search does not converge."""

    def residual(y: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.append(flow(model, y), y[:3] @ y[:3] - 0.25)

    found = least_squares(residual, guess, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15)
    return found.x if np.abs(found.fun).max() < 1e-9 else None
