"""Every analysis is reached from ``import opendicke as od``, and none is loaded before it is asked for."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest

import opendicke as od
from opendicke.places import place_of


def test_names_are_attributes() -> None:
    model = od.DickeModel(n_atoms=4, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.0, g_plus=0.5)
    answer = od.solve(model, od.Normal(), [0.0, 0.5], od.Cumulants(), progress=False)
    assert od.analysis.squeezing(answer).xi2[0] == pytest.approx(1.0)
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'\. It has PHASES, .*, tunnelling\.$"):
        _ = od.analysis.nothing


def test_names_are_those_of_their_modules() -> None:
    """Three lists in one file say the same: for type checkers, for people, and for Python."""
    tree = ast.parse(inspect.getsource(od.analysis))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.col_offset]
    typed = {
        one.name: (node.module or "").removeprefix("opendicke.")
        for node in imports
        for one in node.names
        if one.name != "place_of"
    }
    assert typed == od.analysis.HOMES | {"tunnelling": "analysis"}
    assert sorted(typed) == sorted(od.analysis.__all__)
    for name, home in od.analysis.HOMES.items():
        assert getattr(od.analysis, name) is vars(import_module(f"opendicke.{home}"))[name]


def test_only_public_names_show_and_no_module_but_tunnelling() -> None:
    for namespace in (od.analysis, od.analysis.tunnelling):
        shown = {name for name in dir(namespace) if not name.startswith("_")}
        assert shown == set(namespace.__all__)
        modules = {name for name in shown if isinstance(getattr(namespace, name), ModuleType)}
        assert modules == ({"tunnelling"} if namespace is od.analysis else set())


def test_modules_are_loaded_when_they_are_used() -> None:
    program = (
        "import sys, opendicke as od\n"
        "rooms = ('opendicke.' + name for name in ('tunnelling', 'steady', 'spin', 'moments', 'phases'))\n"
        "assert not {*rooms} & {*sys.modules}\n"
        "od.analysis.negativity\n"
        "assert 'opendicke.spin.negativity' in sys.modules and 'opendicke.phases' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("husimi_q", "opendicke.analysis import husimi"),
        ("squezing", "opendicke.analysis import squeezing"),
        ("spin_states", "opendicke.analysis import spin_state"),
        ("gaussian", "opendicke.analysis import Fluctuations, fluctuations"),
        ("fisher", "opendicke.analysis import fisher_information"),
        ("boundaries", "opendicke.analysis import phase_boundaries"),
        ("instantons", "opendicke.analysis.tunnelling import instanton"),
        ("Lindbald", "opendicke import Lindblad"),
    ],
)
def test_who_spells_it_otherwise_is_led_to_it(name: str, place: str) -> None:
    assert place_of(name) == f"from {place}"
    with pytest.raises(AttributeError, match=rf"has no attribute '{name}'\. Did you mean: from {place}$"):
        getattr(od.analysis, name)
