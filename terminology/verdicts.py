"""What is known of one code: is it in its code system, in a value set, and is it what it says?

What is not loaded is said and never a "no": `member` is None then.
Source: http://hl7.org/fhir/R4/valueset-operation-validate-code.html, http://hl7.org/fhir/R4/datatypes.html#Coding
"""

from __future__ import annotations

from collections.abc import Iterable

from resources.validate.asks import Coded, Verdict
from terminology.codesystems import CodeSystem
from terminology.membership import Found, Library, contains


def verdict(question: Coded, library: Library) -> Verdict:
    """Return the answer to `question` from the value sets and code systems of `library`."""
    if not question.valueset:
        return _of_system(question, library)
    valueset = library.valueset(question.valueset)
    if valueset is None:
        return Verdict(None, "unknown-value-set", f"the value set {question.valueset} is not here")
    found = contains(valueset, library, question.system, question.code)
    if found.member:
        return _described(question._replace(system=question.system or found.system), found, library)
    alone = _of_system(question, library) if question.system else Verdict(True)
    if found.member is None:
        if alone.trouble == "unknown-code":
            return alone
        return Verdict(None, "unknown-system", "; ".join(found.reasons))
    return alone if alone.trouble == "unknown-code" else Verdict(False, "not-in-value-set")


def _of_system(question: Coded, library: Library) -> Verdict:
    """Return whether the code is in its code system at all."""
    system, code = question.system or "", question.code
    grammar = library.grammar(system)
    if grammar is not None:
        problem = grammar(code)
        return Verdict(False, "unknown-code", problem) if problem else Verdict(True)
    known = _system(question, library)
    if known is None or known.content == "not-present":
        return Verdict(None, "unknown-system", f"the code system {system} is not loaded")
    if known.find(code) is not None:
        return _described(question, Found(True), library)
    if not known.complete:
        return Verdict(None, "unknown-system", f"the code system {system} is not complete here")
    if question.version not in ("", known.version):
        called = f"{system}|{question.version}"
        return Verdict(
            None, "unknown-system", f"the version {called} is not loaded, only {known.version or 'another'}"
        )
    return Verdict(False, "unknown-code")


def _system(question: Coded, library: Library) -> CodeSystem | None:
    """Return the code system in the version that the coding names, else in any."""
    url = question.system or ""
    exact = library.codesystem(url, question.version) if question.version else None
    return exact or library.codesystem(url, "")


def _described(question: Coded, found: Found, library: Library) -> Verdict:
    """Return that the code is a member, with what is wrong about it all the same."""
    known = _system(question, library)
    spelled = known.find(question.code) if known is not None else None
    names = list(found.displays)
    if known is not None and spelled is not None:
        concept = known.concepts[spelled]
        names = [concept.display, *concept.designations, *names]
        if known.abstract(spelled):
            return Verdict(True, "abstract", display=concept.display)
        if spelled in known.inactive:
            return Verdict(True, "inactive", display=concept.display)
    names = [name for name in names if name]
    if question.display and names and not same_name(question.display, names):
        return Verdict(True, "wrong-display", display=names[0])
    return Verdict(True, display=names[0] if names else "")


def same_name(display: str, names: Iterable[str]) -> bool:
    """Whether `display` is one of `names`, case and white space aside."""
    wanted = _plain(display)
    return any(_plain(name) == wanted for name in names)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
