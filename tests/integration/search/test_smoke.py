"""Everything once."""
from __future__ import annotations
from tests.integration.search.conftest import Asker
from tests.integration.search.people import observation, patient, LOINC, quantity, MRN


async def test_all(ask: Asker) -> None:
    await ask.put(
        patient("p1", "Müller", "Anna", identifier=[{"system": MRN, "value": "A1"}], birthDate="1980-03-01", gender="female"),
        patient("p2", "Miller", "Bob", identifier=[{"system": MRN, "value": "A2"}], gender="male"),
        patient("p3", "Smith", "Eve", birthDate="1990"),
        observation("o1", "Patient/p1", "8867-4", "2020-01-01", valueQuantity=quantity(72, "/min")),
        observation("o2", "Patient/p1", "8867-4", "2021-01-01T10:00:00Z", valueQuantity=quantity(80, "/min")),
        observation("o3", "Patient/p1", "1-1", "2022-01-01"),
        observation("o4", "Patient/p2", "8867-4"),
        observation("o5", None, "8867-4", "2019-01-01"),
    )
    q = ask.ids
    for query, want in [
        ("Patient", ["p1", "p2", "p3"]),
        ("Patient?name=mul", ["p1"]),
        ("Patient?family:exact=Miller", ["p2"]),
        ("Patient?name:contains=ill", ["p2"]),
        (f"Patient?identifier={MRN}|A1", ["p1"]),
        ("Patient?identifier=A2", ["p2"]),
        (f"Patient?identifier={MRN}|", ["p1", "p2"]),
        ("Patient?gender=male", ["p2"]),
        ("Patient?gender:not=male", ["p1", "p3"]),
        ("Patient?gender:missing=true", ["p3"]),
        ("Patient?birthdate=1980", ["p1"]),
        ("Patient?birthdate=ge1990", ["p3"]),
        ("Patient?_sort=family", ["p2", "p1", "p3"]),
        ("Patient?_sort=-family", ["p3", "p1", "p2"]),
        ("Patient?_sort=birthdate", ["p1", "p3", "p2"]),
        ("Patient?_sort=-birthdate", ["p3", "p1", "p2"]),
        ("Patient?_id=p1,p3", ["p1", "p3"]),
        (f"Observation?patient=p1&code={LOINC}|8867-4&_sort=-date", ["o2", "o1"]),
        ("Observation?patient=p1&code=8867-4&_sort=-date", ["o2", "o1"]),
        (f"Observation?code={LOINC}|8867-4&_sort=-date", ["o2", "o1", "o5", "o4"]),
        (f"Observation?code={LOINC}|8867-4&_sort=date", ["o5", "o1", "o2", "o4"]),
        ("Observation?code=8867-4&_sort=date", ["o5", "o1", "o2", "o4"]),
        (f"Observation?code={LOINC}|&_sort=_id", ["o1", "o2", "o3", "o4", "o5"]),
        ("Observation?code=|8867-4", []),
        ("Observation?combo-code=8867-4&_sort=_id", ["o1", "o2", "o4", "o5"]),
        ("Observation?subject=Patient/p1&date=ge2021", ["o2", "o3"]),
        ("Observation?subject:Patient=p2", ["o4"]),
        ("Observation?subject=p2", ["o4"]),
        ("Observation?patient.name=m", ["o1", "o2", "o3", "o4"]),
        ("Observation?subject:Patient.name=smith", []),
        ("Observation?subject.name=mill", ["o4"]),
        (f"Patient?_has:Observation:patient:code={LOINC}|8867-4", ["p1", "p2"]),
        ("Patient?_has:Observation:subject:code=1-1", ["p1"]),
        ("Observation?code:not=8867-4", ["o3"]),
        (f"Observation?patient=p1&code:not={LOINC}|8867-4", ["o3"]),
        ("Observation?value-quantity=72", ["o1"]),
        ("Observation?value-quantity=gt72|http://unitsofmeasure.org|/min", ["o2"]),
        ("Observation?value-quantity=80||/min", ["o2"]),
        ("Observation?status=final&_sort=_lastUpdated", ["o1", "o2", "o3", "o4", "o5"]),
        ("Observation?status=final&_sort=-_lastUpdated", ["o5", "o4", "o3", "o2", "o1"]),
        ("Observation?_sort=-value-quantity,_id", ["o2", "o1", "o3", "o4", "o5"]),
        ("Observation?_lastUpdated=ge2020&_count=2", ["o1", "o2"]),
    ]:
        got = await q(query)
        assert (sorted(got) if "_sort" not in query else got) == want, query
    assert await ask.included("Observation?code=8867-4&_include=Observation:patient") == ["Patient/p1", "Patient/p2"]
    assert await ask.included("Patient?_id=p1&_revinclude=Observation:patient") == ["Observation/o1", "Observation/o2", "Observation/o3"]
    for sort in ("", "&_sort=date", "&_sort=-date", "&_sort=-value-quantity", "&_sort=_lastUpdated", "&_sort=status" and "&_sort=-_id"):
        pages = await ask.walk("Observation?_count=2" + sort)
        assert sorted(sum(pages, [])) == ["o1", "o2", "o3", "o4", "o5"], (sort, pages)
        last = "Observation?_count=2" + sort
        b = await ask.bundle(last)
        while any(l["relation"] == "next" for l in b["link"]):
            b = await ask.bundle(next(l["url"] for l in b["link"] if l["relation"] == "next"))
        back = [[e["resource"]["id"] for e in b["entry"]]]
        while any(l["relation"] == "prev" for l in b["link"]):
            b = await ask.bundle(next(l["url"] for l in b["link"] if l["relation"] == "prev"))
            back.append([e["resource"]["id"] for e in b["entry"]] if "entry" in b else [])
        assert sum(reversed(back), []) == sum(pages, []), (sort, back, pages)
