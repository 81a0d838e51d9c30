"""Ways to ask for a value, or for something near it: for each parameter type, a modifier and a search text."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from tests.oracle import codes, numbers, references, units
from tests.oracle.extract import Value
from tests.oracle.text import escape, folded

Draw = Callable[[st.SearchStrategy[Any]], Any]
Form = tuple[str, str]
"""A modifier ('' for none) and a text."""

PREFIXES = ("", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
LONGEST = 300
UNITS = ("mg", "g", "kg", "ug", "mL", "L", "cm", "m", "mm", "min", "h", "d", "wk", "mo", "a", "mmol/L", "mol/L",
         "10*9/L", "/uL", "%", "mg/dL", "g/L", "Cel", "K", "[degF]", "[lb_av]", "mm[Hg]", "kPa")  # fmt: skip


def token(draw: Draw, value: Value) -> Form:
    """Return a search for a token."""
    data = value.data
    if value.type == "Identifier":
        return _identifier(draw, data)
    if value.type not in codes.CODED and value.type != "code":
        text = data.get("value", "x") if isinstance(data, dict) else str(data)
        text = (
            text.lower()
            if isinstance(data, bool)
            else draw(_cased(text) if value.type != "uri" else st.just(text))
        )
        return draw(st.sampled_from(("", "not"))), escape(text)
    texts = list(codes.labels(value))
    if texts and draw(st.integers(0, 3)) == 0:
        text = draw(st.sampled_from(texts))[: draw(st.integers(3, LONGEST))].translate(
            draw(st.sampled_from((ACCENTS, {})))
        )
        return "text", escape(text.strip())
    known = [one for one in codes.codings(value) if "code" in one] or [{"code": "none"}]
    coding = draw(st.sampled_from(known))
    system, code = escape(coding.get("system", "")), escape(coding["code"])
    flipped = escape(draw(_cased(coding["code"])))
    texts = [code, f"{system}|{code}", f"|{code}", f"{system}|{flipped}", flipped, f"http://none|{code}"]
    if system:
        texts.append(f"{system}|")
    modifier = draw(st.sampled_from(("", "", "", "not")))
    return modifier, draw(st.sampled_from(texts))


def _identifier(draw: Draw, data: dict[str, Any]) -> Form:
    system, text = escape(data.get("system", "")), escape(data.get("value", "none"))
    kinds = [one for one in data.get("type", {}).get("coding", ()) if "code" in one]
    if kinds and draw(st.booleans()):
        kind = draw(st.sampled_from(kinds))
        return "of-type", f"{escape(kind.get('system', ''))}|{escape(kind['code'])}|{text}"
    texts = [text, f"{system}|{text}", f"|{text}", text.swapcase(), f"{system}|{text}0"]
    if system:
        texts.append(f"{system}|")
    return draw(st.sampled_from(("", "", "not"))), draw(st.sampled_from(texts))


ACCENTS = str.maketrans("aeiouncs", "áèîöüñçš")


def _cased(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from((text, text.upper(), text.lower(), text.swapcase()))


def string(draw: Draw, value: Value) -> Form:
    """Return a search for a string."""
    text = draw(st.sampled_from(list(codes.strings(value))))[:LONGEST]
    begin = draw(st.integers(0, max(0, len(text) - 2)))
    end = draw(st.integers(begin + 1, len(text)))
    choice = draw(
        st.sampled_from(("whole", "prefix", "accents", "spaces", "exact", "cased", "inside", "contains"))
    )
    form = {
        "whole": ("", text),
        "prefix": ("", text[:end]),
        "accents": ("", text[:end].translate(ACCENTS)),
        "spaces": ("", text.replace(" ", "  ").upper()),
        "exact": ("exact", text),
        "cased": ("exact", text.swapcase()),
        "inside": ("exact", text[begin:end]),
        "contains": ("contains", text[begin:end].swapcase()),
    }[choice]
    return (form[0], escape(form[1])) if folded(form[1]) else ("", "x")


def reference(draw: Draw, value: Value) -> Form:
    """Return a search for a reference."""
    if isinstance(value.data, str):
        return uri(draw, value)
    identifier = value.data.get("identifier") if value.type == "Reference" else None
    if identifier and draw(st.booleans()):
        _, text = _identifier(draw, {name: one for name, one in identifier.items() if name != "type"})
        return "identifier", text
    own = references.target(value)
    if own is None:
        return "", escape(value.data.get("reference", "") or "none").lstrip("#") or "none"
    name, _, id_ = own.partition("/")
    forms = [("", id_), ("", own), ("", f"{references.BASE}/{own}"), ("", f"{own}/_history/1"), (name, id_),
             (name, own), ("", f"http://other.example/fhir/{own}"), ("", f"{own}x"), ("Patient", id_)]  # fmt: skip
    form: Form = draw(st.sampled_from(forms))
    return form


def uri(draw: Draw, value: Value) -> Form:
    """Return a search for an address."""
    text = str(value.data)
    plain = text.partition("|")[0]
    texts = [
        text,
        text,
        plain,
        f"{plain}|9",
        text[:-1] or "x",
        text.swapcase(),
        plain.rsplit("/", 1)[0] or "x",
    ]
    return "", escape(draw(st.sampled_from(texts)))


def address(draw: Draw, value: Value) -> Form:
    """Return a search for an address of a `uri` parameter, which can also be asked for by what is above or below it."""
    text = str(value.data).partition("|")[0]
    choice = draw(st.integers(0, 5))
    if choice > 1 or text.count("/") < 4 or not text.startswith("http"):
        return uri(draw, value)
    return (
        ("below", escape(text.rsplit("/", draw(st.integers(1, 2)))[0]))
        if choice
        else ("above", escape(text + "/x"))
    )


def date(draw: Draw, value: Value) -> Form:
    """Return a search for a date: of any precision, near a value."""
    found = [value.data] if isinstance(value.data, str) else _moments(value.data)
    text = draw(st.sampled_from(found or ["2015-01-01"]))
    choice = draw(st.integers(0, 5))
    whole = (text + "0000-01-01T00:00:00"[len(text) :])[:19] if len(text) < 19 else text[:19]
    text = (
        text,
        whole[:4],
        whole[:7],
        whole[:10],
        whole[:16] + "Z",
        whole + draw(st.sampled_from(("Z", "", "+05:30"))),
    )[choice]
    if draw(st.integers(0, 3)) == 0:
        year = int(text[:4]) + draw(st.sampled_from((-1, 1, 3)))
        text = f"{min(max(year, 1), 9999):04}{text[4:]}"
        text = text if text[5:10] != "02-29" else text[:7] + text[10:]
    return "", draw(st.sampled_from(PREFIXES)) + text


def _moments(data: dict[str, Any]) -> list[str]:
    bounds = data.get("repeat", {}).get("boundsPeriod", {})
    ends = [
        data.get("start"),
        data.get("end"),
        *data.get("event", ()),
        bounds.get("start"),
        bounds.get("end"),
    ]
    return [one for one in ends if one]


def number(draw: Draw, value: Value) -> Form:
    """Return a search for a number."""
    found = list(numbers.amounts(value))
    ends = [end for one in found for end in (one.low, one.high) if not isinstance(end, float)]
    chosen = draw(st.sampled_from(ends))
    return "", draw(st.sampled_from(PREFIXES)) + _written(
        draw, Decimal(chosen.numerator) / Decimal(chosen.denominator)
    )


def _written(draw: Draw, amount: Decimal) -> str:
    text = format(amount, "f")
    if abs(amount.adjusted()) > 100:
        return f"{amount:.3E}"
    if len(text) > 25:
        text = format(amount, ".6f")
    step = Decimal(1).scaleb(draw(st.integers(-2, 1)))
    more = text + "0" if "." in text else text + ".0"
    rounded = format(amount, f".{draw(st.integers(0, 2))}f")
    near = format(Decimal(text) + draw(st.sampled_from((step, -step, step / 2))), "f")
    return str(
        draw(
            st.sampled_from((text, text, more, rounded, near, f"{Decimal(text):.2e}", f"{Decimal(text):.0e}"))
        )
    )


def quantity(draw: Draw, value: Value) -> Form:
    """Return a search for a quantity: without unit, with the unit as written, with a code of any unit of its kind."""
    found = next(iter(numbers.amounts(value)))
    end = found.high if isinstance(found.low, float) else found.low
    if isinstance(end, float):
        return "", "1"
    amount = Decimal(end.numerator) / Decimal(end.denominator)
    prefix = draw(st.sampled_from(PREFIXES))
    form = draw(st.sampled_from(("bare", "unit", "code", "converted")))
    written = [one for one in (found.unit, found.code) if one]
    if form == "unit" and written:
        return "", f"{prefix}{_written(draw, amount)}||{escape(draw(st.sampled_from(written)))}"
    if form == "bare" or not (found.system and found.code):
        return "", prefix + _written(draw, amount)
    code = found.code
    if form == "converted" and found.system == numbers.UCUM:
        code, amount = draw(st.sampled_from(_converted(found.code, amount)))
    return "", f"{prefix}{_written(draw, amount)}|{found.system}|{escape(code)}"


def _converted(code: str, amount: Decimal) -> list[tuple[str, Decimal]]:
    own = units.canonical(code)
    found = [(code, amount)]
    for other in UNITS:
        unit = units.canonical(other)
        if own and unit and unit[2] == own[2]:
            exact = (Fraction(amount) * own[0] + own[1] - unit[1]) / unit[0]
            found.append((other, (Decimal(exact.numerator) / Decimal(exact.denominator)).normalize()))
    return found


FORMS: dict[str, Callable[[Draw, Value], Form]] = {
    "token": token,
    "string": string,
    "reference": reference,
    "date": date,
    "number": number,
    "quantity": quantity,
    "uri": address,
}
