"""Immunization schedules: (CVX code, display, dose number, series, age in days or calendar rule).

Source: CDC/ACIP Recommended Child and Adolescent Immunization Schedule, United States, 2024, table 1 (lower
bound of each recommended window), and Adult Immunization Schedule 2024, table 1. CVX names: CDC CVX list.
"""

from __future__ import annotations

from typing import NamedTuple

from fhir_server.demo.tables.codes import CVX, Code


class Dose(NamedTuple):
    """One scheduled dose: vaccine, dose number, doses in the series, age in days, name of the target disease."""

    vaccine: Code
    number: int
    series: int
    age_days: int


def _cvx(code: str, display: str) -> Code:
    """Return a CVX code."""
    return Code(CVX, code, display)


HEPATITIS_B = _cvx("08", "Hep B, adolescent or pediatric")
ROTAVIRUS = _cvx("119", "rotavirus, monovalent")
DTAP = _cvx("20", "DTaP")
HIB = _cvx("49", "Hib (PRP-OMP)")
PCV = _cvx("133", "Pneumococcal conjugate PCV 13")
IPV = _cvx("10", "IPV")
MMR = _cvx("03", "MMR")
VARICELLA = _cvx("21", "varicella")
HEPATITIS_A = _cvx("83", "Hep A, ped/adol, 2 dose")
TDAP = _cvx("115", "Tdap")
HPV = _cvx("165", "HPV9")
MENINGOCOCCAL = _cvx("114", "meningococcal MCV4P")
INFLUENZA = _cvx("140", "Influenza, seasonal, injectable, preservative free")
TD = _cvx("113", "Td (adult) preservative free")
ZOSTER = _cvx("187", "zoster recombinant")
PNEUMO_23 = _cvx("33", "pneumococcal polysaccharide vaccine, 23 valent")
COVID = _cvx("208", "COVID-19, mRNA, LNP-S, PF, 30 mcg/0.3 mL dose")

_M, _Y = 30.44, 365.25

CHILD: tuple[Dose, ...] = tuple(
    Dose(vaccine, number, len(ages), int(age))
    for vaccine, ages in (
        (HEPATITIS_B, (0, 1 * _M, 6 * _M)),
        (ROTAVIRUS, (2 * _M, 4 * _M)),
        (DTAP, (2 * _M, 4 * _M, 6 * _M, 15 * _M, 4 * _Y)),
        (HIB, (2 * _M, 4 * _M, 12 * _M)),
        (PCV, (2 * _M, 4 * _M, 6 * _M, 12 * _M)),
        (IPV, (2 * _M, 4 * _M, 6 * _M, 4 * _Y)),
        (MMR, (12 * _M, 4 * _Y)),
        (VARICELLA, (12 * _M, 4 * _Y)),
        (HEPATITIS_A, (12 * _M, 18 * _M)),
        (TDAP, (11 * _Y,)),
        (HPV, (11 * _Y, 11.5 * _Y)),
        (MENINGOCOCCAL, (11 * _Y, 16 * _Y)),
    )
    for number, age in enumerate(ages, 1)
)

# Adults: (vaccine, first age in years, every … years; 0 = once).
ADULT: tuple[tuple[Code, float, float], ...] = ((TD, 28, 10), (ZOSTER, 50, 0), (PNEUMO_23, 65, 0))
