"""The rows of the tables of R4's search page, and its examples: what is asked, and the answer told by hand.

Source: http://hl7.org/fhir/R4/search.html (version 4.0.1), the section named with each row
"""

from __future__ import annotations

from tests.conformance.search.rows.making import ACME, ANIMALS, BASE, CLINICAL, LOINC, MRN_TYPE, UCUM

Row = tuple[str, str, str]
"""Section, search, and the ids (without `row-`) of what it finds among the rows."""

ALL_RESOURCES: list[Row] = [
    ("#id", "Patient?_id=row-eve", "eve"),
    ("#id", "Patient?_id=ROW-EVE", ""),
    ("#tag", "Patient?_tag=http://acme.example/tags|needs-review", "tagged"),
    ("#profile", "Patient?_profile=http://acme.example/StructureDefinition/lipid", "tagged"),
    ("#security", f"Patient?_security={ACME}|secret", "tagged"),
    ("#source", "Patient?_source=http://acme.example/feed", "tagged"),
    ("#lastUpdated", "Group?_lastUpdated=gt2010-10-01", "eve"),
    ("#lastUpdated", "Group?_lastUpdated=lt2010-10-01", ""),
]

MODIFIERS: list[Row] = [
    ("#modifiers :missing", "Patient?_id=row-eve,row-severine&gender:missing=true", "severine"),
    ("#modifiers :missing", "Patient?_id=row-eve,row-severine&gender:missing=false", "eve"),
    ("#modifiers :exact", "Patient?given:exact=Eve", "eve"),
    ("#modifiers :contains", "Patient?given:contains=VE", "eve evelyn severine lower upper accent"),
    ("#modifiers :[type]", "Observation?subject:Group=row-eve", "group"),
    ("#modifiers :identifier", "Observation?subject:identifier=http://acme.example/mrn|446053", "logical"),
]

N = "ChargeItem?factor-override="
NUMBER: list[Row] = [
    ("#number 100", N + "100", "n99.5 n99.994 n99.995 n100 n100.004 n100.005"),
    ("#number 100.00", N + "100.00", "n99.995 n100 n100.004"),
    ("#number 1e2", N + "1e2", "n95 n99.49 n99.5 n99.994 n99.995 n100 n100.004 n100.005 n100.5 n104.99"),
    ("#number 1.00e2", N + "1.00e2", "n99.5 n99.994 n99.995 n100 n100.004 n100.005"),
    ("#number lt100", N + "lt100", "n94.99 n95 n99.49 n99.5 n99.994 n99.995"),
    ("#number le100", N + "le100", "n94.99 n95 n99.49 n99.5 n99.994 n99.995 n100"),
    ("#number gt100", N + "gt100", "n100.004 n100.005 n100.5 n104.99 n105"),
    ("#number ge100", N + "ge100", "n100 n100.004 n100.005 n100.5 n104.99 n105"),
    ("#number ne100", N + "ne100", "n94.99 n95 n99.49 n100.5 n104.99 n105"),
    ("#prefix sa", N + "sa100", "n100.004 n100.005 n100.5 n104.99 n105"),
    ("#prefix eb", N + "eb100", "n94.99 n95 n99.49 n99.5 n99.994 n99.995"),
    ("#prefix ap", N + "ap115", "n104.99 n105"),
]

D = "Observation?code=row&date="
DATE: list[Row] = [
    ("#date eq2013-01-14", D + "eq2013-01-14", "d14 d14t00 d14t10"),
    ("#date ne2013-01-14", D + "ge2013-01-13&date=le2013-01-16&date=ne2013-01-14", "d15t00 until0121"),
    ("#date lt2013-01-14T10:00", D + "sa2013-01-13&date=lt2013-01-14T10:00", "d14 d14t00"),
    ("#date gt2013-01-14T10:00", D + "eb2013-01-15&date=gt2013-01-14T10:00&date=ge2013", "d14"),
    ("#date ge2013-03-14", D + "ge2013-03-14", "d0314 d20150615 from0121 from0315"),
    (
        "#date le2013-03-14",
        D + "ge2013&date=le2013-03-14",
        "d0314 d14 d14t00 d14t10 d15t00 from0121",
    ),
    ("#date sa2013-03-14", D + "sa2013-03-14", "d20150615 from0315"),
    ("#date eb2013-03-14", D + "eb2013-03-14&date=gt2012", "d14 d14t00 d14t10 d15t00 until0121"),
    ("#date ap2013-03-14", D + "ap2013-03-14&date=sa2013-03-01&date=eb2016", "d0314"),
    ("#date year", D + "2000", "m2000 y2000 instant"),
    ("#date month", D + "2000-04", "m2000"),
    ("#date Timing, outer limits", D + "ge1913-02-01&date=lt1914", "timing until0121"),
    ("#date instant, time zones", D + "2000-01-01T00:30:00Z", "instant"),
    ("#date time zones", D + "1999-12-31T23:30:00-01:00", "instant"),
]

STRING: list[Row] = [
    ("#string given=eve", "Patient?given=eve", "eve evelyn lower upper accent"),
    ("#string given:contains=eve", "Patient?given:contains=eve", "eve evelyn severine lower upper accent"),
    ("#string given:exact=Eve", "Patient?given:exact=Eve", "eve"),
    ("#string words of a family name", "Patient?family=berg", "spaced"),
    ("#string words of a family name", "Patient?name=den ber", "spaced"),
    ("#string accents", "Patient?given=ÈVÈ", "eve evelyn lower upper accent"),
    ("#string white space", "Patient?family=van den  berg", "spaced"),
    ("#string not only Latin", "Patient?family=παπαδοπουλος", "greek"),
    ("#string not only Latin", "Patient?name=王", "chinese"),
    ("#string Address", "Patient?address=αθηνα", "greek"),
    ("#string HumanName", "Patient?name=jo van den", "spaced"),
]

URI: list[Row] = [
    ("#uri", "ValueSet?url=http://acme.example/ValueSet/pets", "pets"),
    ("#uri case", "ValueSet?url=http://acme.example/valueset/pets", ""),
    ("#uri :below", "ValueSet?url:below=http://acme.example/ValueSet/", "pets mammals deep"),
    ("#uri :below", "ValueSet?url:below=http://acme.example/ValueSet/pets", "pets deep"),
    ("#uri :above", "ValueSet?url:above=http://acme.example/ValueSet/pets/_history/5", "pets"),
    ("#uri urn", "ValueSet?url=urn:oid:1.2.3.4.5", "oid"),
]

TOKEN: list[Row] = [
    ("#token code", "Condition?code=ha125", "ha125 nosystem"),
    ("#token system|code", f"Condition?code={ACME}|ha125", "ha125"),
    ("#token |code", "Condition?code=|ha125", "nosystem"),
    ("#token system|", f"Condition?code={ACME}|", "ha125 other"),
    ("#token case", f"Condition?code={ACME}|hb125", "other"),
    ("#token case-sensitive system", f"Condition?clinical-status={CLINICAL}|active", "ha125"),
    ("#token case-sensitive system", f"Condition?clinical-status={CLINICAL}|ACTIVE", ""),
    ("#token Identifier", "Patient?identifier=http://acme.example/patient|2345", "id"),
    ("#token Identifier", "Patient?identifier=2345", "id idbare"),
    ("#token Identifier", "Patient?identifier=|2345", "idbare"),
    ("#token ContactPoint", "Patient?email=row@acme.example", "phone"),
    ("#token case-sensitive system, stored here", f"Condition?code={ANIMALS}|CAT", ""),
    ("#token case-sensitive system, stored here", f"Condition?code={ANIMALS}|cat", "cat"),
    ("#token string", "AuditEvent?site=ROW SITE", "audit"),
    ("#token code element", "Patient?gender=female", "eve"),
    ("#token code element", "Patient?gender=http://hl7.org/fhir/administrative-gender|female", "eve"),
    ("#token code element", "Patient?gender=|female", ""),
    ("#token boolean", "Patient?active=true&_id=row-eve,row-evelyn", "eve"),
    ("#token :text", "Condition?code:text=headache", "ha125 named"),
    ("#token :text", "Patient?identifier:text=medical rec", "idtype"),
    ("#token :not", "Patient?gender:not=male&_id=row-eve,row-evelyn,row-severine", "eve severine"),
    ("#token :not", "Composition?section=48765-2", "sections"),
    ("#token :not", "Composition?section:not=48765-2", "section"),
    ("#token :above", f"Condition?code:above={ANIMALS}|cat", "cat mammal"),
    ("#token :below", f"Condition?code:below={ANIMALS}|mammal", "cat mammal"),
    ("#token :in", "Condition?code:in=http://acme.example/ValueSet/pets", "cat"),
    ("#token :in", "Condition?code:in=http://acme.example/ValueSet/mammals", "cat mammal"),
    ("#token :in", "Condition?code:in=ValueSet/row-pets", "cat"),
    (
        "#token :not-in",
        f"Condition?code={ANIMALS}|&code:not-in=http://acme.example/ValueSet/pets",
        "mammal trout",
    ),
    ("#token :of-type", f"Patient?identifier:of-type={MRN_TYPE}|MR|446053", "idtype"),
    ("#token :of-type", f"Patient?identifier:of-type={MRN_TYPE}|XX|446053", ""),
    ("#mimetype", "DocumentReference?contenttype=text/xml", ""),
    ("#mimetype", "DocumentReference?contenttype:below=text/xml", "xml"),
]

Q = "Observation?code=row&value-quantity="
MG = f"|{UCUM}|mg"
QUANTITY: list[Row] = [
    ("#quantity system and code", Q + f"5.4{MG}", "q5.35 q5.4 q5.44 q5.395 q5.405 qg qother"),
    ("#quantity exponent, other unit", Q + f"5.40e-3|{UCUM}|g", "q5.4 q5.395 qg qother"),
    ("#quantity code or unit", Q + "5.4||mg", "q5.35 q5.4 q5.44 q5.395 q5.405 qother qunit"),
    ("#quantity without unit", Q + "5.4", "q5.35 q5.4 q5.44 q5.395 q5.405 qother qunit qnone"),
    ("#quantity le", Q + f"le5.4{MG}", "q5.34 q5.35 q5.395 q5.4 qg qless qother"),
    ("#quantity ap", Q + f"ap5.4{MG}", "q5.34 q5.35 q5.395 q5.4 q5.405 q5.44 q5.45 qg qless qother"),
    ("#prefix ne", Q + f"ne5.4{MG}", "q5.34 q5.45 q6 qless"),
    ("#prefix gt", Q + f"gt5.44{MG}", "q5.45 q6"),
    ("#prefix sa", Q + f"sa5.4{MG}", "q5.405 q5.44 q5.45 q6"),
    ("#prefix eb", Q + f"eb5.35{MG}", "q5.34"),
]
REFERENCE: list[Row] = [
    ("#reference [id]", "Observation?patient=row-eve", "relative absolute versioned"),
    ("#reference [type]/[id]", "Observation?subject=Patient/row-eve", "relative absolute versioned"),
    ("#reference [type]/[id]", "Observation?subject=Group/row-eve", "group"),
    ("#reference [url]", f"Observation?subject={BASE}/Patient/row-eve", "relative absolute versioned"),
    ("#reference [url]", "Observation?subject=http://other.example/fhir/Patient/row-eve", "foreign"),
    ("#reference :[type]", "Observation?subject:Patient=row-eve", "relative absolute versioned"),
    ("#reference :identifier", "Observation?subject:identifier=446053", "logical"),
    ("#versions", "Provenance?target=Observation/row-relative", "prov"),
    (
        "#versions canonical",
        "QuestionnaireResponse?questionnaire=http://acme.example/Questionnaire/row",
        "v3 bare",
    ),
    (
        "#versions canonical",
        "QuestionnaireResponse?questionnaire=http://acme.example/Questionnaire/row|3.0",
        "v3",
    ),
    (
        "#versions :below",
        "QuestionnaireResponse?questionnaire:below=http://acme.example/Questionnaire/row|3",
        "v3",
    ),
    ("#recursive :below", "Location?partof:below=row-whole", "part"),
    ("#chaining", "Observation?code=ref&subject:Patient.given=eve", "relative absolute versioned"),
    ("#chaining", "DiagnosticReport?result.code=2823-3", "potassium"),
    ("#chaining inside contained", "MedicationRequest?medication.ingredient-code=abc", "contained"),
    ("#contained", "Medication?ingredient-code=abc", ""),
    ("#has", f"Patient?_has:Observation:patient:code={LOINC}|ref", "eve"),
    ("#has or", "Patient?_has:Observation:patient:code=ref,2823-3", "eve evelyn"),
    ("#has and", "Patient?_has:Observation:patient:code=ref&_has:Observation:patient:code=2823-3", ""),
    ("#has of _has", "Patient?_has:Observation:patient:_has:Provenance:target:agent=row-eve", "eve"),
    ("#list", "Patient?_list=row-list", "eve upper"),
    ("#list", "Patient?_list=row-list&gender=female", "eve"),
]

COMBINED: list[Row] = [
    ("#combining and", "Patient?language=FR&language=EN", "talks"),
    ("#combining and", "Patient?language=FR&language=NL", ""),
    ("#combining or", "Patient?language=FR,NL", "talks dutch"),
    ("#combining both", "Patient?language=FR,NL&language=EN", "talks"),
    ("#combining or with a modifier", "Condition?code:text=headache,tension", "ha125 named other"),
    ("#escaping ,", "Patient?family=a\\,b", "comma"),
    ("#escaping |", "Patient?family=c\\|d\\$e\\\\f", "comma"),
    ("#escaping ,", "Patient?family=a,b&_id=row-comma", "comma"),
    ("#missing", "Condition?code:missing=true&code=ha125", ""),
    ("#filter", 'Patient?_filter=given eq "Eve" and gender eq female', "eve"),
]

K = "component-code-value-quantity"
COMPOSITE: list[Row] = [
    ("#composite", f"Observation?code-value-quantity={LOINC}|2823-3$gt5.4|{UCUM}|mmol/L", "potassium"),
    (
        "#composite chained",
        f"DiagnosticReport?result.code-value-quantity={LOINC}|2823-3$gt5.4|{UCUM}|mmol/L",
        "potassium",
    ),
    ("#composite", f"Observation?{K}={LOINC}|8480-6$lt60", ""),
    ("#composite within one component", f"Observation?{K}={LOINC}|8462-4$lt60", "parts"),
    ("#composite", "Group?characteristic-value=gender$mixed", "eve"),
    ("#composite or", "Group?characteristic-value=gender$none,owner$female", "eve"),
    ("#composite across", "Group?characteristic-value=gender$female", ""),
    ("#composite", f"Questionnaire?context-type-value=focus${ACME}|abuse", "context"),
    ("#composite across", f"Questionnaire?context-type-value=focus${ACME}|clinic", ""),
    ("#composite reference", "DocumentReference?relationship=replaces$DocumentReference/row-xml", "plain"),
    ("#composite across", "DocumentReference?relationship=signs$DocumentReference/row-xml", ""),
]

NEAR = "42.256500|-83.694710"
SPECIAL: list[Row] = [
    ("#special near", f"Location?near={NEAR}|11.20|km", "whole part"),
    ("#special near", f"Location?near={NEAR}|5|km", "whole"),
    ("#special near", f"Location?near={NEAR}|7|[mi_us]", "whole part"),
]

TEXT: list[Row] = [
    ("#text", "Patient?_text=metastases", "tagged"),
    ("#text", "Patient?_text=bone or liver", "tagged"),
    ("#content", "Patient?_content=severine", "severine"),
]

ROWS = [
    *ALL_RESOURCES,
    *MODIFIERS,
    *NUMBER,
    *DATE,
    *STRING,
    *URI,
    *TOKEN,
    *QUANTITY,
    *REFERENCE,
    *COMBINED,
    *COMPOSITE,
    *SPECIAL,
    *TEXT,
]
