r"""The right-hand side of the hierarchy in the moving frame, fused with the stages of the time step.

In the frame's Dicke basis |n> = |j, j−n> the spin operators are tridiagonal, so level k of the hierarchy obeys

.. math::
    \dot\Phi_k = (c\cdot S' - j c_3)\Phi_k - w k\,\Phi_k - i\sqrt k\,(\Lambda-\langle\Lambda\rangle)\Phi_{k-1}
                 - i\sqrt{k+1}\,(\Lambda^\dagger-\langle\Lambda^\dagger\rangle)\Phi_{k+1},
    \qquad \Lambda = A - iB

with Hermitian :math:`A = (G/\sqrt N) S^x`, :math:`B = (D/\sqrt N) S^y` (B = 0 in the balanced model).
The damping −wk is diagonal and integrated exactly (integrating-factor Runge–Kutta, J. D. Lawson, SIAM J. Numer.
Anal. 4, 372 (1967), with the classical fourth-order weights): with :math:`E_k = e^{-wkh/2}`,

.. math::
    T_2 = E(\Phi + \tfrac h2 F(\Phi)),\quad T_3 = E\Phi + \tfrac h2 F(T_2),\quad T_4 = E(E\Phi + hF(T_3)),\quad
    \Phi' = \tfrac13\left[T_4 + E(T_2 + 2T_3 - E\Phi)\right] + \tfrac h6 F(T_4)

so that no derivative is ever stored.

Memory: level k has two rows of ``stride`` numbers, real parts then imaginary parts, amplitude n at position
``lanes + n``; the pads around a row, and everything outside the window, are zero.
"""

from __future__ import annotations

from opendicke.engine.compile import inlined
from opendicke.engine.simd import lanes, load, spread, store
from opendicke.engine.stages import FIRST, SECOND, THIRD


# fmt: off
@inlined
def sweep(stage, source, phi, t2, t3, out, h, blocks, levels, stride, root_n, root_k, decay, c, skew, later):  # type: ignore[no-untyped-def]
    """One stage: ``out`` from F(``source``) and the earlier stages, in one pass over the window.

    For each block of n the loop walks up k and keeps (A Φ)_k, (B Φ)_k and Φ_k of the last rows in registers.

    Args:
        stage: FIRST … LAST.
        source, phi, t2, t3, out: flat levels; ``source`` is Φ, T2, T3, T4 in turn and ``out`` T2, T3, T4, Φ.
        h: length of the step.
        root_n: sqrt(n (N − n + 1)) at position n, and the numbers 0 … lanes − 1 at position ``stride``.
        root_k: sqrt(k) at position k.
        decay: Re E_k, Im E_k at positions 2k, 2k + 1; the E_k of the step's second half lie ``later`` behind.
        c: coefficients written by ``frame.coefficients``.
        skew: None when B = 0 (a Hermitian Λ, for which the kernel is compiled apart), else anything.
        later: 0 when both halves of the step have the same E_k.
    """
    width = lanes(source)
    factor = spread(source, 0.5 * h if stage < THIRD else (h if stage == THIRD else h / 6))
    zero, third, two = spread(source, 0.0), spread(source, 1.0 / 3), spread(source, 2.0)
    for block in range(blocks):
        n = block * width
        below, above = load(root_n, n), load(root_n, n + 1)
        number = load(root_n, stride) + spread(source, n)
        cmr, cmi = spread(source, c[0]) * below, spread(source, c[1]) * below
        cpr, cpi = spread(source, c[2]) * above, spread(source, c[3]) * above
        c3 = zero - spread(source, c[4]) * number
        abr, abi = spread(source, c[5]) * below, spread(source, c[6]) * below
        aar, aai = spread(source, c[5]) * above, zero - spread(source, c[6]) * above
        ad = spread(source, c[8]) - spread(source, c[7]) * number
        if skew is not None:
            bbr, bbi = spread(source, c[9]) * below, spread(source, c[10]) * below
            bar, bai = spread(source, c[9]) * above, zero - spread(source, c[10]) * above
            bd = spread(source, c[12]) - spread(source, c[11]) * number
        at = width + n
        low_r, low_i, mid_r, mid_i = zero, zero, zero, zero      # Λ-part of rows k − 2 and k − 1
        own_r, own_i = zero, zero                                # c·S' Φ of row k − 1
        for k in range(levels + 1):
            if k < levels:
                pr, pi = load(source, at), load(source, at + stride)
                ur, ui = load(source, at - 1), load(source, at - 1 + stride)
                vr, vi = load(source, at + 1), load(source, at + 1 + stride)
                xr = abr * ur - abi * ui + aar * vr - aai * vi + ad * pr
                xi = abr * ui + abi * ur + aar * vi + aai * vr + ad * pi
                new_r = cmr * ur - cmi * ui + cpr * vr - cpi * vi + c3 * pr
                new_i = cmr * ui + cmi * ur + cpr * vi + cpi * vr + c3 * pi
                if skew is not None:
                    yr = bbr * ur - bbi * ui + bar * vr - bai * vi + bd * pr
                    yi = bbr * ui + bbi * ur + bar * vi + bai * vr + bd * pi
                    down_r, down_i, up_r, up_i = xi + yr, xr - yi, xi - yr, xr + yi
                else:
                    down_r, down_i, up_r, up_i = xi, xr, xi, xr
            else:
                down_r, down_i, up_r, up_i, new_r, new_i = zero, zero, zero, zero, zero, zero
            if k > 0:
                to = at - 2 * stride
                f_low, f_high = spread(source, root_k[k - 1]), spread(source, root_k[k])
                dr = own_r + f_low * low_r + f_high * down_r
                di = own_i - f_low * low_i - f_high * down_i
                er, ei = spread(source, decay[2 * k - 2]), spread(source, decay[2 * k - 1])
                fr, fi = spread(source, decay[later + 2 * k - 2]), spread(source, decay[later + 2 * k - 1])
                qr, qi = load(phi, to), load(phi, to + stride)
                if stage == FIRST:
                    sr, si = qr + factor * dr, qi + factor * di
                    wr, wi = er * sr - ei * si, er * si + ei * sr
                else:
                    wr, wi = er * qr - ei * qi, er * qi + ei * qr
                    if stage == SECOND:
                        wr, wi = wr + factor * dr, wi + factor * di
                    else:
                        if stage == THIRD:
                            sr, si = wr + factor * dr, wi + factor * di
                            wr, wi = fr * sr - fi * si, fr * si + fi * sr
                        else:
                            sr = load(t2, to) + two * load(t3, to) - wr
                            si = load(t2, to + stride) + two * load(t3, to + stride) - wi
                            wr = third * (load(source, to) + fr * sr - fi * si) + factor * dr
                            wi = third * (load(source, to + stride) + fr * si + fi * sr) + factor * di
                store(out, to, wr)
                store(out, to + stride, wi)
            low_r, low_i, mid_r, mid_i = mid_r, mid_i, up_r, up_i
            own_r, own_i = new_r, new_i
            at += 2 * stride
# fmt: on
