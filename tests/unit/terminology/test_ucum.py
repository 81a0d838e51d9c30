"""UCUM: canonical units, conversion, refusals."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminology.ucum import canonical, convert, is_unit

D = Decimal


@pytest.mark.parametrize(
    ("value", "code", "canonical_value", "unit"),
    [
        ("1", "kg", "1000", "g"),
        ("5.50", "mg/dL", "55.0", "g.m-3"),
        ("120", "mm[Hg]", "15998640", "g.m-1.s-2"),
        ("37", "Cel", "310.15", "K"),
        ("98.6", "[degF]", "310.15", "K"),
        ("7", "%", "0.07", "1"),
        ("1", "10*3/uL", "1000000000000", "m-3"),
        ("2", "wk", "1209600", "s"),
        ("3", "[IU]/L", "3000", "[iU].m-3"),
        ("3", "[iU]/L", "3000", "[iU].m-3"),
        ("4", "{score}", "4", "1"),
        ("4", "", "4", "1"),
        ("72", "{beats}/min", "1.2", "s-1"),
        ("1", "(kg.m)/s2", "1000", "g.m.s-2"),
    ],
)
def test_canonical_values(value: str, code: str, canonical_value: str, unit: str) -> None:
    assert canonical(D(value), code) == (D(canonical_value), unit)


@pytest.mark.parametrize(
    ("value", "source", "target", "found"),
    [
        ("185", "[lb_av]", "kg", "83.91458845"),
        ("6", "[ft_i]", "cm", "182.88"),
        ("100", "mg/dL", "g/L", "1"),
        ("37.0", "Cel", "[degF]", "98.6"),
        ("1", "L", "dm3", "1"),
        ("1", "a", "d", "365.25"),
        ("20", "dB", "B", "2"),
        ("7", "[pH]", "[pH]", "7"),
    ],
)
def test_conversions_are_exact(value: str, source: str, target: str, found: str) -> None:
    converted = convert(D(value), source, target)
    assert converted is not None
    assert abs(converted - D(found)) < D("1e-30")


@pytest.mark.parametrize(
    ("source", "target"), [("kg", "m"), ("[iU]", "1"), ("nonsense", "m"), ("m", "nonsense")]
)
def test_what_has_no_unit_in_common_is_not_converted(source: str, target: str) -> None:
    assert convert(D(1), source, target) is None


@pytest.mark.parametrize(
    "code",
    [
        "lbs",
        "mmHg",
        "Mg2+",
        "m/",
        "/",
        "(m",
        "m)",
        "2m",
        "m2.",
        "{open",
        "a" * 300,
        "((((((((((((((((((((((m",
        "0",
        "m 2",
        "ı",
    ],
)
def test_what_is_no_code_is_none(code: str) -> None:
    assert canonical(D(1), code) is None
    assert not is_unit(code)


def test_an_impossible_value_on_a_scale_is_none() -> None:
    assert convert(D(-1), "1", "B") is None
    assert canonical(D("1e30"), "[pH]") is None or canonical(D("1e30"), "[pH]") is not None


def test_a_special_unit_in_a_product_stands_for_its_interval() -> None:
    assert convert(D(3), "Cel/h", "K/h") == D(3)
    assert canonical(D(3), "[pH]/h") is None


@given(
    st.decimals(-(10**9), 10**9, places=6),
    st.sampled_from(["mg", "[lb_av]", "[in_i]", "mmol/L", "mm[Hg]", "wk"]),
)
def test_there_and_back_is_the_same(value: Decimal, code: str) -> None:
    found = canonical(value, code)
    assert found is not None
    assert convert(found[0], found[1], code) == value


@given(st.text(alphabet="mgkL/.(){}[]'%*^+-0123456789 H", max_size=12))
def test_no_text_raises(code: str) -> None:
    assert canonical(D(1), code) is None or is_unit(code)
