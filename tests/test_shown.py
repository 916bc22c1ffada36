"""What notebooks show: formulas with the model's own numbers, options, and a report that leaves nothing out."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

import opendicke as od
from opendicke import files
from opendicke.methods.registry import METHODS
from opendicke.reports import WIDEST

MODEL = od.DickeModel(n_atoms=100, omega_a=1.5, omega_c=-2.5, kappa=0.25, g_minus=1.0, g_plus=0.5 - 1j)
START = od.SpinCoherent(math.pi / 4, 0.3)


def test_a_model_shows_its_hamiltonian_and_losses() -> None:
    """κ is the decay rate of the field: the dissipator has 2κ."""
    hamiltonian, losses, atoms = MODEL.latex().removeprefix(r"\begin{aligned}").split(r" \\ ")
    assert hamiltonian == (
        r"H &= 1.5\,S^z - 2.5\,a^\dagger a + \frac{1}{\sqrt{100}}\left[S^- a^\dagger + (0.5-i)\,S^+ a^\dagger"
        r" + \mathrm{h.c.}\right]"
    )
    assert losses == r"\dot\rho &= -i[H,\rho] + 2\times 0.25\,\mathcal{D}[a]\rho"
    assert atoms == r"N &= 100\end{aligned}"
    assert MODEL._repr_latex_() == rf"$\displaystyle {MODEL.latex()}$"


def test_everything_that_a_model_can_have_is_shown() -> None:
    full = MODEL.replace(
        omega_a=od.Sine(1.0, 0.5, 2.0, math.pi / 2), g_plus=od.Ramp((0.0, 1.0), (0.0, 2.0)), n_thermal=0.5,
        drive=0.1j, atom_drive=-0.2, squeezing=0.3,
    )  # fmt: skip
    shown = full.latex()
    for part in (
        r"\omega_{a}(t)\,S^z",
        r"\omega_{a}(t) &= 1 + 0.5\,\sin(2\,t + \pi/2)",
        r"{g_+}(t) &= 0\,(0) \to 2\,(1)",
        r"\left[-0.2\,S^+ + 0.1i\,a^\dagger + \mathrm{h.c.}\right]",
        r"2\times 0.25\,(0.5+1)\,\mathcal{D}[a]\rho + 2\times 0.25\times 0.5\,\mathcal{D}[a^\dagger]\rho",
        r"- 0.25\left[0.3\,(2a^\dagger\rho a^\dagger - a^\dagger{}^2\rho - \rho a^\dagger{}^2) + \mathrm{h.c.}\right]",
    ):
        assert part in shown
    assert shown.count("{") == shown.count("}")


def test_a_system_numbers_its_spins_and_modes() -> None:
    spins = [od.Spin(n_atoms=number, omega_a=1.0) for number in (6, 4)]
    modes = [od.Mode(omega_c=2.0, kappa=0.5), od.Mode(omega_c=3.0, kappa=0.0)]
    shown = od.System(spins=spins, modes=modes, g_minus=[[1.0, 0.0], [0.0, -2.0]]).latex()
    assert r"\frac{1}{\sqrt{10}}\left[S^-_{1} a_{1}^\dagger - 2\,S^-_{2} a_{2}^\dagger + \mathrm{h.c.}\right]" in shown
    assert shown.count(r"\mathcal{D}") == 1  # the second mode is lossless
    assert r"N_{1} &= 6 \\ N_{2} &= 4" in shown


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (od.Normal(), r"|{\downarrow}\cdots{\downarrow}\rangle \otimes |0\rangle"),
        (od.SpinCoherent(math.pi / 4, math.pi, 1j), r"|\theta{=}\pi/4,\phi{=}\pi\rangle \otimes |\alpha{=}i\rangle"),
        (od.Dicke(-0.5, cavity=od.cavities.Fock(2)), r"|m{=}{-0.5}\rangle \otimes |n{=}2\rangle"),
        (od.ThermalSpin(0.5, cavity=od.cavities.Thermal(0.1)), r"\frac{1}{Z}e^{-0.5\,S^z} \otimes \rho_{\bar n=0.1}"),
        (od.SpinSqueezed(1.0, 0.0, 0.2),
         r"e^{-i\,0.2\,(S\cdot e_\theta)^2/2}|\theta{=}1,\phi{=}0\rangle \otimes |0\rangle"),
        (od.cavities.Squeezed(0.5, math.pi, 2.0), r"D(2)\,S(0.5e^{i\,\pi})|0\rangle"),
        (od.cavities.Thermal(0.1, 2.0), r"D(2)\,\rho_{\bar n=0.1}\,D(2)^\dagger"),
        (od.cavities.Cat(2.0, math.pi),
         r"\tfrac{1}{\mathcal{N}}\left(|\alpha\rangle + e^{i\,\pi}|{-\alpha}\rangle\right)_{\alpha=2}"),
        (od.SpinSuperposition(((0.0, 0.0), (1.0, 0.5)), (1.0, -1j)),
         r"\tfrac{1}{\mathcal{N}}\left(|\theta{=}0,\phi{=}0\rangle - i\,|\theta{=}1,\phi{=}0.5\rangle\right)"
         r" \otimes |0\rangle"),
        (od.Product(spins=(od.Normal(), od.SpinCoherent(1.0)), modes=(0.5,)),
         r"|{\downarrow}\cdots{\downarrow}\rangle \otimes |\theta{=}1,\phi{=}0\rangle \otimes |\alpha{=}0.5\rangle"),
    ],
)  # fmt: skip
def test_states_are_shown_as_kets(state: od.SpinCoherent, shown: str) -> None:
    assert state.latex() == shown


def test_every_state_and_method_has_something_to_show() -> None:
    from opendicke.shown import FORMULAS
    from opendicke.states import STATES

    assert {kind.__name__ for kind in (*STATES, *od.cavities.CAVITIES, od.DickeModel, od.System)} == set(FORMULAS)
    for kind in METHODS.values():
        assert callable(kind._repr_html_)


def test_a_method_shows_its_options_with_those_that_were_set_in_bold() -> None:
    page = od.NuHOPS(trajectories=7, tol=1e-3)._repr_html_()
    assert "<tr><td>trajectories</td><td><b>7</b></td></tr>" in page
    assert "<tr><td>tol</td><td><b>0.001</b></td></tr>" in page
    assert "<tr><td>seed</td><td>0</td></tr>" in page


def test_a_report_tells_numbers_cost_and_provenance() -> None:
    result = od.solve(MODEL.replace(g_plus=0.5), START, [0.0, 1.0], od.TruncatedWigner(20, seed=3), progress=False)
    told = str(od.report(result))
    value, error = re.findall(r"n_photon +<a\^dag a> +([\d.]+) ± ([\d.]+)", told)[0]
    assert float(value) == pytest.approx(float(result.n_photon[-1]), abs=0.5 * 10.0 ** -len(value.partition(".")[2]))
    assert float(error) == pytest.approx(float(result.n_photon_sem[-1]), rel=0.05)
    relative = float(re.findall(r"n_photon .* ([\d.]+)\n", told)[0])
    root = math.sqrt(float((result.n_photon_sem**2).sum() / (result.n_photon**2).sum()))
    assert relative == pytest.approx(root, rel=0.05)
    complex_one = float(re.findall(r" a  .* ([\d.]+)\n", told)[0])  # of both parts
    root = math.sqrt(float((np.abs(result.a_sem) ** 2).sum() / (np.abs(result.a) ** 2).sum()))
    assert complex_one == pytest.approx(root, rel=0.05)
    for part in ("n_atoms 100", "seed 3", "approximate: Neglects", "trajectories  20", f"opendicke {od.__version__}"):
        assert part in told
    assert not od.report(result).warnings
    page = od.report(result)._repr_html_()
    assert "<details><summary>15 more</summary>" in page
    assert r"\frac{1}{\sqrt{100}}" in page
    assert page.count("<table>") == page.count("</table>")


def test_a_report_warns(tmp_path: Path) -> None:
    options = {"precision": od.Precision("Sz", absolute=1e-6), "seed": 1}
    result = od.solve(MODEL.replace(g_plus=0.5), START, [0.0, 1.0], od.TruncatedWigner(20, **options), progress=False)
    result.attrs["failed_trajectories"] = '["trajectory 3: why"]'
    shown = od.report(files.save(result, tmp_path / "result.nc"))
    assert shown.warnings == (
        "1 trajectories failed and are not in the averages",
        "the precision that was asked for is not reached everywhere",
    )
    assert str(shown).startswith("! 1 trajectories failed")
    assert "⚠ the precision" in shown._repr_html_()
    result.attrs["unphysical_from"] = 0.5
    assert od.report(result).warnings[-1] == "the moments are those of no quantum state from t = 0.5 on"


def test_a_report_of_methods_and_of_a_sweep() -> None:
    model = MODEL.replace(n_atoms=4, g_plus=0.5)
    table = od.compare(model, START, [0.0, 1.0], [od.Lindblad(), od.MeanField()], ["Sz"], progress=False)
    told = str(od.report(table))
    assert "Lindblad" in told
    assert "exact: the reference" in told
    assert "approximate: Sz is off by" in told
    swept = od.sweep(model, {"coupling": [0.5, 1.0, 2.0]}, START, [0.0, 1.0], od.MeanField(), ["Sz"], progress=False)
    told = str(od.report(swept))
    assert re.search(r"swept over coupling +3, from 0.5 to 2\n", told)
    least, most = (float(np.asarray(found)) for found in (swept.Sz[:, -1].min(), swept.Sz[:, -1].max()))
    assert f"{least:.4g} … {most:.4g}" in told


def test_a_report_of_a_sweep_takes_the_sum_or_the_largest_and_warns_of_any_point() -> None:
    model = MODEL.replace(n_atoms=4, g_plus=0.5)
    swept = od.sweep(model, {"coupling": [0.5, 1.0]}, START, [0.0, 1.0], od.MeanField(), ["Sz"], progress=False)
    told = {
        "wall_time_s": [1.0, 2.0],
        "largest_states": [30, 20],
        "photons": [5, 7],
        "precision_reached": [True, False],
    }
    swept = swept.assign({name: ("coupling", values) for name, values in told.items()})
    swept["unphysical_from"] = ("coupling", [0.7, 0.2])
    swept.attrs["failed_trajectories"] = '[["trajectory 3: why", "trajectory 5: why"], ["trajectory 0: why"]]'
    found = od.report(swept)
    for row in (r"wall time, s +3\n", r"spin states +30\n", r"photon states +7(\n|$)"):
        assert re.search(row, str(found))
    assert found.warnings == (
        "3 trajectories failed and are not in the averages",
        "the precision that was asked for is not reached everywhere",
        "the moments are those of no quantum state from t = 0.2 on",
    )
    swept["precision_reached"] = ("coupling", [True, True])
    assert len(od.report(swept).warnings) == 2


def test_a_report_counts_the_methods_that_gave_no_answer() -> None:
    methods = [od.MeanField(), od.Lindblad(photons=2), od.Schroedinger()]  # the last for a model without losses only
    table = od.compare(MODEL.replace(n_atoms=4), START, [0.0, 1.0], methods, ["Sz"], progress=False)
    lacking = sum(bool(one) for one in table.refusal.values)
    assert 0 < lacking < 3
    assert od.report(table).warnings == (f"{lacking} of the methods gave no answer",)


def test_a_report_of_what_is_chosen() -> None:
    """One time, one point, one method: all that has been chosen stands there."""
    grid = {"kappa": [0.5, 1.0], "coupling": [0.5, 2.0]}
    model = MODEL.replace(n_atoms=4, g_plus=0.5)
    swept = od.sweep(model, grid, START, [0.0, 1.0], od.MeanField(), ["Sz"], progress=False)
    point = swept.sel(kappa=0.5, coupling=2.0)
    shown = od.report(point)
    assert re.search(r"chosen +kappa 0\.5, g_minus 1\.33333, g_plus 0\.666667, coupling 2\n", str(shown))
    assert "approximate: Neglects all correlations" in str(shown)
    assert shown.formulas[0] == od.DickeModel.of(point).latex()
    table = od.compare(model, START, [0.0, 1.0], [od.Lindblad(), od.MeanField()], ["Sz"], progress=False)
    for result in (swept, point, table, table.sel(solver="MeanField")):
        told = str(od.report(result.isel(time=-1)))
        assert re.search(r"times +t = 1\n", told)
        assert "solver" in result.dims or "value at t = 1" in told
    moved = od.sweep(model, {"state.theta": [0.5, 1.0]}, START, [1.0], od.MeanField(), ["Sz"], progress=False)
    assert re.search(r"initial state +theta 0\.5, phi", str(od.report(moved.isel({"state.theta": 0}))))


def test_long_lines_break_between_entries() -> None:
    spins = [od.Spin(n_atoms=number, omega_a=1.0) for number in (6, 4, 3)]
    system = od.System(spins=spins, modes=[od.Mode(omega_c=2.5, kappa=0.5)], g_minus=[[1.0], [1.0], [1.0]])
    result = od.solve(system, od.Normal(), [1.0], od.MeanField(), ["Sz"], progress=False)
    (problem, *_) = od.report(result).sections
    model = [text for name, text in problem.rows[: [name for name, _ in problem.rows].index("initial state")]]
    assert ", ".join(model).startswith("spins [(n_atoms 6, omega_a 1), (n_atoms 4")
    assert "g_plus [[0], [0], [0]]" in ", ".join(model)
    assert all(len(text) <= WIDEST for text in model)
    many = str(od.report(result.assign_attrs(model=json.dumps({"spins": [0.125] * 99}))))
    assert re.search(r"0\.125, …\n", many)


def test_what_is_no_result_is_refused() -> None:
    with pytest.raises(TypeError, match="result: expected a Dataset that opendicke returned"):
        od.report(MODEL)  # type: ignore[arg-type]
    import xarray as xr

    with pytest.raises(TypeError, match="result: expected an answer of solve, compare or sweep"):
        od.report(xr.Dataset())
