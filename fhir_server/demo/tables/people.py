"""Who the patients are: invented names in several scripts, race and ethnicity, places to live, languages.

Every family name is made up for this generator; any likeness to a real person is chance. Race and ethnicity
codes: CDC Race and Ethnicity code set (urn:oid:2.16.840.1.113883.6.238) as bound by US Core 6.1.0.
"""

from __future__ import annotations

from typing import NamedTuple

from fhir_server.demo.tables.codes import HL7, OMB, Code


class Group(NamedTuple):
    """Names that go together: families (with native script or ''), given names by sex, race, ethnicity, language."""

    families: tuple[tuple[str, str], ...]
    female: tuple[tuple[str, str], ...]
    male: tuple[tuple[str, str], ...]
    race: tuple[Code, ...]
    race_detail: Code | None
    hispanic: Code | None
    language: Code


def _omb(code: str, display: str) -> Code:
    """Return a CDC race or ethnicity code."""
    return Code(OMB, code, display)


def _lang(code: str, display: str) -> Code:
    """Return a BCP 47 language."""
    return Code("urn:ietf:bcp:47", code, display)


WHITE = _omb("2106-3", "White")
BLACK = _omb("2054-5", "Black or African American")
ASIAN = _omb("2028-9", "Asian")
NATIVE = _omb("1002-5", "American Indian or Alaska Native")
PACIFIC = _omb("2076-8", "Native Hawaiian or Other Pacific Islander")
HISPANIC = _omb("2135-2", "Hispanic or Latino")
NOT_HISPANIC = _omb("2186-5", "Not Hispanic or Latino")
TRIBE = Code(
    HL7 + "v3-TribalEntityUS", "187", "Paiute-Shoshone Tribe of the Fallon Reservation and Colony, Nevada"
)
ENGLISH = _lang("en", "English")


def _plain(*names: str) -> tuple[tuple[str, str], ...]:
    """Return names without a second script."""
    return tuple((name, "") for name in names)


GROUPS: tuple[Group, ...] = (
    Group(
        _plain("Brambleworth", "Quillfeather", "Ó Cloudaire", "Fjærholm", "Marrowick"),
        _plain("Aoife", "Ingrid", "Zoë", "Margaret", "Renée"),
        _plain("Séamus", "Åke", "Walter", "Björn", "Noël"),
        (WHITE,),
        None,
        None,
        ENGLISH,
    ),
    Group(
        _plain("Ñuñavera", "Peñadorada", "Ibáñezul", "Lunarejos", "Montaraña"),
        _plain("Lucía", "Inés", "Ximena", "María José", "Itzel"),
        _plain("Íñigo", "Andrés", "Joaquín", "Raúl", "Tomás"),
        (WHITE,),
        None,
        _omb("2148-5", "Mexican"),
        _lang("es", "Spanish"),
    ),
    Group(
        _plain("Okonjobright", "Freemantle-Star", "Adébáyòde", "Goldwater-Reed", "Nkemstone"),
        _plain("Amara", "Imani", "Folákẹ́", "Denise", "Nia"),
        _plain("Chidi", "Malik", "Ọlá", "Jerome", "Kwame"),
        (BLACK,),
        None,
        None,
        ENGLISH,
    ),
    Group(
        (("Hoshinomori", "星ノ森"), ("Kazamidori", "風見鳥"), ("Yukishirota", "雪白田")),
        (("Hana", "花"), ("Sakura", "桜"), ("Mio", "澪")),
        (("Haruto", "陽翔"), ("Ren", "蓮"), ("Kenji", "健司")),
        (ASIAN,),
        _omb("2039-6", "Japanese"),
        None,
        _lang("ja", "Japanese"),
    ),
    Group(
        (("Mingyuehe", "明月河"), ("Xueshanlin", "雪山林"), ("Qingfengshi", "清风石")),
        (("Meilin", "美琳"), ("Xiaoyun", "晓云"), ("Lan", "兰")),
        (("Jianguo", "建国"), ("Wei", "伟"), ("Bo", "博")),
        (ASIAN,),
        _omb("2034-7", "Chinese"),
        None,
        _lang("zh", "Chinese"),
    ),
    Group(
        (("Suryavanam", "सूर्यवनम"), ("Chandrasetu", "चन्द्रसेतु"), ("Meghdoota", "मेघदूता")),
        (("Aditi", "अदिति"), ("Kavya", "काव्या"), ("Lakshmi", "लक्ष्मी")),
        (("Arjun", "अर्जुन"), ("Rohan", "रोहन"), ("Dev", "देव")),
        (ASIAN,),
        _omb("2029-7", "Asian Indian"),
        None,
        _lang("hi", "Hindi"),
    ),
    Group(
        (("Najmalwadi", "نجم الوادي"), ("Qamaristan", "قمرستان"), ("Rihanabad", "ريحان آباد")),
        (("Layla", "ليلى"), ("Mariam", "مريم"), ("Noor", "نور")),
        (("Yusuf", "يوسف"), ("Karim", "كريم"), ("Omar", "عمر")),
        (WHITE,),
        None,
        None,
        _lang("ar", "Arabic"),
    ),
    Group(
        (("Zvezdinova", "Звездинова"), ("Lesogorska", "Лесогорска"), ("Snezhenko", "Снеженко")),
        (("Olena", "Олена"), ("Darya", "Дарья"), ("Vira", "Віра")),
        (("Mykola", "Микола"), ("Ilya", "Илья"), ("Bohdan", "Богдан")),
        (WHITE,),
        None,
        None,
        _lang("uk", "Ukrainian"),
    ),
    Group(
        _plain("Whitesage-Runner", "Blue Juniper", "Twohawks-Field"),
        _plain("Winona", "Dawn", "Talise"),
        _plain("Elan", "Hunter", "Ahiga"),
        (NATIVE,),
        _omb("1586-7", "Shoshone"),
        None,
        ENGLISH,
    ),
    Group(
        _plain("Kealohanani", "Makanimoana", "Tuilagifou"),
        _plain("Leilani", "Sina", "Nohea"),
        _plain("Keoni", "Tavita", "Ikaika"),
        (PACIFIC, ASIAN),
        None,
        None,
        ENGLISH,
    ),
)

TOWNS: tuple[tuple[str, str], ...] = (
    ("Willowmere", "01199"),
    ("Harrow Falls", "01298"),
    ("Port Lantern", "02199"),
    ("Saint Brigid", "01397"),
    ("New Zennor", "01496"),
    ("Eastvale Mills", "01595"),
)
STREETS: tuple[str, ...] = (
    "Tern Street",
    "Foundry Lane",
    "Lighthouse Road",
    "Alder Court",
    "Mercado Avenue",
    "Old Mill Way",
    "Sycamore Place",
)
STATE = "MA"
