"""Small files in the formats of the publishers, their content invented."""

from __future__ import annotations

from pathlib import Path


def write(folder: Path, files: dict[str, str], encoding: str = "utf-8") -> Path:
    """Return the folder after the files have been written into it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(encoding))
    return folder


def atom(cui: str, aui: str, name: str, **told: str) -> str:
    """Return a line of RXNCONSO."""
    sab, tty = told.get("sab", "RXNORM"), told.get("tty", "IN")
    preferred, suppress = told.get("preferred", ""), told.get("suppress", "N")
    return f"{cui}|ENG||||||{aui}||||{sab}|{tty}|{cui}|{name}||{suppress}||\n".replace(
        "|ENG||||||", f"|ENG|||||{preferred}|"
    )


def relation(
    one: str, rela: str, other: str, rel: str = "RO", *, atoms: bool = False, suppress: str = ""
) -> str:
    """Return a line of RXNREL, between concepts or between atoms."""
    ends = ("", one, "", other) if atoms else (one, "", other, "")
    return f"{ends[0]}|{ends[1]}|X|{rel}|{ends[2]}|{ends[3]}|X|{rela}|1||RXNORM||||{suppress}||\n"


RXNORM = {
    "rrf/RXNCONSO.RRF": atom("20", "A3", "wonderol 5 MG Oral Tablet", tty="SCD")
    + atom("10", "A1", "wonderol", preferred="Y")
    + atom("10", "A2", "wonderolum", tty="SY")
    + atom("10", "A9", "WONDEROL", sab="OTHER", tty="PT")
    + atom("30", "A4", "bygonin", suppress="O")
    + atom("40", "A5", "not RxNorm's", sab="OTHER")
    + "broken|line\n",
    "rrf/RXNREL.RRF": relation("20", "has_ingredient", "10")
    + relation("A1", "tradename_of", "A5", rel="RN", atoms=True)
    + relation("20", "hidden", "30", suppress="O"),
    "rrf/RXNSAT.RRF": "20|||A3|AUI|20|1||RXN_AVAILABLE_STRENGTH|RXNORM|5 MG|N||\n",
    "rrf/RXNSTY.RRF": "20|T200|A1.1|Clinical Drug|1||\n10|T121|A1.2|Pharmacologic Substance|2||\n",
}

_LOINC = "Loinc_9.99/AccessoryFiles"
LOINC = {
    "Loinc_9.99/LoincTable/Loinc.csv": (
        '"LOINC_NUM","COMPONENT","PROPERTY","TIME_ASPCT","SYSTEM","SCALE_TYP","METHOD_TYP","CLASS","STATUS",'
        '"CONSUMER_NAME","CLASSTYPE","ORDER_OBS","SHORTNAME","LONG_COMMON_NAME","EXTERNAL_COPYRIGHT_NOTICE",'
        '"DefinitionDescription"\n'
        '"99001-1","Wonderol","MCnc","Pt","Ser","Qn","","CHEM","ACTIVE",'
        '"","1","Both","Wonderol SerPl","Wonderol in Serum","","How much, ""roughly"",\nof it"\n'
        '"99002-9","Bygonin","MCnc","Pt","Ser","Qn","","CHEM","DEPRECATED",'
        '"","1","Both","","Bygonin in Serum","© Somebody",""\n'
        '"99003-7","short row"\n'
    ),
    f"{_LOINC}/PartFile/Part.csv": (
        '"PartNumber","PartTypeName","PartName","PartDisplayName","Status"\n'
        '"LP99-1","COMPONENT","Wonderol","Wonderol","ACTIVE"\n'
    ),
    f"{_LOINC}/PartFile/LoincPartLink_Primary.csv": (
        '"LoincNumber","LongCommonName","PartNumber","PartName","PartTypeName"\n'
        '"99001-1","Wonderol in Serum","LP99-1","Wonderol","COMPONENT"\n'
    ),
    f"{_LOINC}/ComponentHierarchyBySystem/ComponentHierarchyBySystem.csv": (
        "PATH_TO_ROOT,SEQUENCE,IMMEDIATE_PARENT,CODE,CODE_TEXT\n"
        ",1,,LP98-3,Drugs\nLP98-3,1,LP98-3,LP99-1,Wonderol\nLP98-3.LP99-1,1,LP99-1,99001-1,Wonderol\n"
    ),
    f"{_LOINC}/AnswerFile/AnswerList.csv": (
        '"AnswerListId","AnswerListName","AnswerStringId","SequenceNumber","DisplayText"\n'
        '"LL9-1","Moods","LA2-1","2","Blue"\n"LL9-1","Moods","LA1-3","1","Sunny"\n'
    ),
    f"{_LOINC}/LinguisticVariants/deDE15LinguisticVariant.csv": (
        '"LOINC_NUM","LONG_COMMON_NAME","SHORTNAME"\n"99001-1","Wonderol im Serum",""\n'
    ),
}

_MODULE = "900000000000207008"
_FSN, _SYNONYM = "900000000000003001", "900000000000013009"
_PREFERRED, _ACCEPTABLE = "900000000000548007", "900000000000549004"
_INFERRED, _STATED = "900000000000011006", "900000000000010007"


def tabs(*rows: tuple[str, ...]) -> str:
    """Return rows as RF2 writes them."""
    return "".join("\t".join(row) + "\r\n" for row in rows)


_HEAD = ("id", "effectiveTime", "active", "moduleId")
_DAY = ("20990101", "1", _MODULE)
_FOLDER = "SnomedCT_Invented/Snapshot"
SNOMED = {
    f"{_FOLDER}/Terminology/sct2_Concept_Snapshot_INT_20990101.txt": tabs(
        (*_HEAD, "definitionStatusId"),
        ("138875005", *_DAY, "900000000000074008"),
        ("100100005", *_DAY, "900000000000074008"),
        ("200100005", *_DAY, "900000000000073002"),
        ("300100005", "20980101", "0", _MODULE, "900000000000074008"),
        ("x", *_DAY, "900000000000074008"),
        ("777100005", *_DAY, "900000000000074008"),
    ),
    f"{_FOLDER}/Terminology/sct2_Description_Snapshot-en_INT_20990101.txt": tabs(
        (*_HEAD, "conceptId", "languageCode", "typeId", "term", "caseSignificanceId"),
        ("1", *_DAY, "138875005", "en", _FSN, "Root (root)", "0"),
        ("2", *_DAY, "100100005", "en", _FSN, "Ailment (disorder)", "0"),
        ("3", *_DAY, "200100005", "en", _FSN, "Sore wing (disorder)", "0"),
        ("4", *_DAY, "200100005", "en", _SYNONYM, "Wing pain", "0"),
        ("5", *_DAY, "200100005", "en", _SYNONYM, "Sore wing", "0"),
        ("6", *_DAY, "300100005", "en", _FSN, "Old ailment (disorder)", "0"),
        ("7", *_DAY, "", "en", _FSN, "Of nothing", "0"),
    ),
    f"{_FOLDER}/Terminology/sct2_Relationship_Snapshot_INT_20990101.txt": tabs(
        (
            *_HEAD,
            "sourceId",
            "destinationId",
            "relationshipGroup",
            "typeId",
            "characteristicTypeId",
            "modifierId",
        ),
        ("1", *_DAY, "100100005", "138875005", "0", "116680003", _INFERRED, "0"),
        ("2", *_DAY, "200100005", "100100005", "0", "116680003", _INFERRED, "0"),
        ("3", *_DAY, "200100005", "138875005", "1", "363698007", _INFERRED, "0"),
        ("4", *_DAY, "200100005", "300100005", "0", "116680003", _STATED, "0"),
        ("5", "20990101", "0", _MODULE, "200100005", "300100005", "0", "116680003", _INFERRED, "0"),
    ),
    f"{_FOLDER}/Refset/Language/der2_cRefset_LanguageSnapshot-en_INT_20990101.txt": tabs(
        (*_HEAD, "refsetId", "referencedComponentId", "acceptabilityId"),
        ("1", *_DAY, "900000000000509007", "5", _PREFERRED),
        ("2", *_DAY, "900000000000509007", "4", _ACCEPTABLE),
    ),
    f"{_FOLDER}/Refset/Content/der2_Refset_SimpleSnapshot_INT_20990101.txt": tabs(
        (*_HEAD, "refsetId", "referencedComponentId"), ("1", *_DAY, "777100005", "200100005")
    ),
    f"{_FOLDER}/Refset/Map/der2_iisssccRefset_ExtendedMapSnapshot_INT_20990101.txt": tabs(
        (
            *(*_HEAD, "refsetId", "referencedComponentId", "mapGroup", "mapPriority", "mapRule", "mapAdvice"),
            *("mapTarget", "correlationId", "mapCategoryId"),
        ),
        ("1", *_DAY, "447562003", "200100005", "1", "2", "OTHERWISE TRUE", "", "", "0", "0"),
        ("2", *_DAY, "447562003", "200100005", "1", "1", "TRUE", "ALWAYS Z99", "Z99", "0", "0"),
    ),
}


def order(number: int, code: str, valid: int, short: str, long: str) -> str:
    """Return a line of the order file."""
    return f"{number:05} {code:<7} {valid} {short:<60} {long}\n"


ICD10CM = {
    "icd10cm-order-2099.txt": order(1, "Z99", 0, "Wonderful state", "Wonderful state, all kinds")
    + order(2, "Z990", 1, "Wonderful morning", "Wonderful morning")
    + order(3, "Z991", 0, "Wonderful fall", "Wonderful fall")
    + order(4, "Z991XXA", 1, "Wonderful fall, initial", "Wonderful fall, initial encounter")
    + "no such line\n",
    "icd10cm-tabular-2099.xml": '<?xml version="1.0"?><ICD10CM.tabular><chapter><name>22</name><desc>Wonders</desc>'
    '<section id="Z90-Z99"><desc>States</desc><diag><name>Z99</name><desc>Wonderful state</desc>'
    "<diag><name>Z99.0</name><desc>Wonderful morning</desc></diag></diag></section></chapter></ICD10CM.tabular>",
}

CVX = {
    "cvx.txt": "901 |wonder-vac|vaccine against wonder|a note|Active|False|2099/05/28\n"
    "902 |old-vac|vaccine of old||Inactive|False|2098/01/02\n"
    "903|too short\n"
}

NDC = {
    "product.txt": tabs(
        (
            *(
                "PRODUCTID",
                "PRODUCTNDC",
                "PRODUCTTYPENAME",
                "PROPRIETARYNAME",
                "NONPROPRIETARYNAME",
                "DOSAGEFORMNAME",
            ),
            *("ROUTENAME", "ENDMARKETINGDATE", "MARKETINGCATEGORYNAME", "LABELERNAME", "SUBSTANCENAME"),
            *("DEASCHEDULE", "NDC_EXCLUDE_FLAG"),
        ),
        (
            "p1",
            "0999-1234",
            "HUMAN",
            "Wonder®",
            "wonderol",
            "TABLET",
            "ORAL",
            "",
            "NDA",
            "Nobody",
            "W",
            "",
            "N",
        ),
    ),
    "package.txt": tabs(
        ("PRODUCTID", "PRODUCTNDC", "NDCPACKAGECODE", "PACKAGEDESCRIPTION", "NDC_EXCLUDE_FLAG"),
        ("p1", "0999-1234", "0999-1234-01", "30 TABLET in 1 BOTTLE", "N"),
        ("p1", "0999-1234", "0999-12", "broken", "N"),
    ),
}
