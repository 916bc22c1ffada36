"""Progress meters: where a bar is shown, what is refused, and what is said while the engine compiles."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import opendicke as od
from opendicke.engine.compile import _listeners, announcing, compiled
from opendicke.ensemble.run import COMPILING, Sample, run_ensemble
from opendicke.progress import Bar, SharedMeter, Silent, in_notebook, meter


def pretend(monkeypatch: pytest.MonkeyPatch, shell: Any) -> None:
    """Modules as they are in a notebook (or with another ``shell``)."""
    ipython: Any = ModuleType("IPython")
    ipython.get_ipython = lambda: shell
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))


def test_a_bar_is_shown_on_a_terminal_and_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    assert isinstance(meter(None), Silent)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert isinstance(meter(None), Bar)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    for shell, expected in ((SimpleNamespace(kernel=1), Bar), (SimpleNamespace(), Silent), (None, Silent)):
        pretend(monkeypatch, shell)
        assert in_notebook() == (expected is Bar)
        assert isinstance(meter(None), expected)
        assert isinstance(meter(False), Silent)
    monkeypatch.setattr(sys, "stderr", None)  # as under pythonw
    assert isinstance(meter(None), Silent)


def test_a_notebook_without_widgets_gets_a_line_of_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, SimpleNamespace(kernel=1))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    bar = meter(None)
    bar.start(4, "trajectory", "trajectories")
    bar.advance(4)
    bar.close()
    assert "4/4" in capsys.readouterr().err


@pytest.mark.parametrize("progress", [1, 0, "yes", [], Silent, object()])
def test_what_is_no_meter_is_refused(progress: Any) -> None:
    with pytest.raises(TypeError, match=r"progress: expected None, True, False or a meter, .*got "):
        meter(progress)
    model = od.DickeModel.balanced(n_atoms=2, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=0.5)
    with pytest.raises(TypeError, match="progress: expected"):
        od.solve(model, od.Inverted(), [1.0], od.MeanField(), progress=progress)


class Compiles:
    """A simulator whose first trajectories meet something that is not compiled."""

    def __call__(self, index: int) -> Sample:
        while _listeners:
            _listeners.pop()()
        return Sample({})


class Bare:
    """A meter with what it must have, and no more."""

    def start(self, total: int, unit: str, label: str) -> None: ...
    def advance(self, amount: int, **notes: Any) -> None: ...
    def close(self) -> None: ...


class Talking(Bare):
    """A meter that may be told something."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)


def test_what_is_going_on_while_there_is_no_trajectory_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    talking = Talking()
    run_ensemble(Compiles(), 40, od.Serial(), talking)
    assert talking.told == [COMPILING]
    point = SharedMeter(talking, 1, 40).point({})
    run_ensemble(Compiles(), 40, od.Serial(), point)
    assert talking.told == [COMPILING] * 2
    run_ensemble(Compiles(), 40, od.Serial(), Bare())
    run_ensemble(Compiles(), 40, od.Serial(), Silent())
    assert capsys.readouterr().err == ""
    run_ensemble(Compiles(), 2, od.Serial(), bar := Bar())
    bar.close()
    assert COMPILING in capsys.readouterr().err
    assert _listeners == []


def test_compiling_is_noticed_and_loading_is_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))

    def new() -> Any:
        @compiled
        def function(x):  # type: ignore[no-untyped-def]
            return x + 1

        return function

    told: list[int] = []
    for expected in ([1], []):  # compiled, then loaded by another function of that name
        with announcing(lambda: told.append(1)):
            function = new()
            assert function(1) == 2
            assert function(2) == 3
        assert told == expected
        told.clear()
    assert _listeners == []
