"""What a figure's numbers are held against: named statements, each true or false, with the numbers that decide."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Statement:
    """One statement, whether the numbers bear it out, and the numbers.

    >>> print(Statement("two is even", True, "2 mod 2 = 0"))
    pass  two is even: 2 mod 2 = 0
    """

    text: str
    holds: bool
    numbers: str

    def __str__(self) -> str:
        return f"{'pass' if self.holds else 'FAIL'}  {self.text}: {self.numbers}"
