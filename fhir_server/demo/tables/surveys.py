"""Questionnaires, answers and social history codes.

Sources: PHQ-9, Kroenke, Spitzer, Williams, J Gen Intern Med 2001;16:606 (free to use), scored 0–27 with
cut points 5/10/15/20; Hunger Vital Sign, Hager et al., Pediatrics 2010;126:e26. Codes and texts: LOINC.
"""

from __future__ import annotations

from fhir_server.demo.tables.codes import HL7, Code, hl7, loinc, sct

PHQ9_PANEL = loinc("44249-1", "PHQ-9 quick depression assessment panel [Reported.PHQ]")
PHQ9_TOTAL = loinc("44261-6", "Patient Health Questionnaire 9 item (PHQ-9) total score [Reported]")
PHQ9_ITEMS: tuple[Code, ...] = (
    loinc("44250-9", "Little interest or pleasure in doing things in last 2 weeks"),
    loinc("44255-8", "Feeling down, depressed, or hopeless in last 2 weeks"),
    loinc("44259-0", "Trouble falling or staying asleep, or sleeping too much"),
    loinc("44254-1", "Feeling tired or having little energy"),
    loinc("44251-7", "Poor appetite or overeating"),
    loinc(
        "44258-2",
        "Feeling bad about yourself-or that you are a failure or have let yourself or your family down",
    ),
    loinc("44252-5", "Trouble concentrating on things, such as reading the newspaper or watching television"),
    loinc(
        "44253-3",
        "Moving or speaking so slowly that other people could have noticed. Or the opposite-being so "
        "fidgety or restless that you have been moving around a lot more than usual",
    ),
    loinc("44260-8", "Thoughts that you would be better off dead, or of hurting yourself in some way"),
)
PHQ9_ANSWERS: tuple[Code, ...] = (
    loinc("LA6568-5", "Not at all"),
    loinc("LA6569-3", "Several days"),
    loinc("LA6570-1", "More than half the days"),
    loinc("LA6571-9", "Nearly every day"),
)
PHQ9_DIFFICULTY = loinc(
    "69722-7",
    "How difficult have these problems made it for you to do your work, take care of "
    "things at home, or get along with other people?",
)
DIFFICULTY_ANSWERS: tuple[Code, ...] = (
    loinc("LA6572-7", "Not difficult at all"),
    loinc("LA6573-5", "Somewhat difficult"),
    loinc("LA6575-0", "Very difficult"),
    loinc("LA6574-3", "Extremely difficult"),
)

HUNGER_PANEL = loinc("88121-9", "Hunger Vital Sign [HVS]")
HUNGER_ITEMS: tuple[Code, ...] = (
    loinc(
        "88122-7", "(I/We) worried whether (my/our) food would run out before (I/we) got money to buy more."
    ),
    loinc(
        "88123-5", "The food that (I/we) bought just didn't last, and (I/we) didn't have money to get more."
    ),
)
HUNGER_ANSWERS: tuple[Code, ...] = (
    loinc("LA28397-0", "Often true"),
    loinc("LA6729-3", "Sometimes true"),
    loinc("LA28398-8", "Never true"),
)
HUNGER_RISK = loinc("88124-3", "Food insecurity risk [HVS]")
AT_RISK = loinc("LA19952-3", "At risk")
NO_RISK = loinc("LA19983-8", "No risk")
HOUSEHOLD = loinc("63512-8", "How many people are living or staying at this address?")
DEPRESSION_SEVERITY = loinc("94023-9", "Depression severity")
MODERATE = loinc("LA6751-7", "Moderate")
COGNITION = loinc("11332-4", "History of Cognitive Function Narrative")

SMOKING = loinc("72166-2", "Tobacco smoking status")
NEVER_SMOKED = sct("266919005", "Never smoked tobacco")
EX_SMOKER = sct("8517006", "Ex-smoker")
DAILY_SMOKER = sct("449868002", "Smokes tobacco daily")

OCCUPATION = loinc("11341-5", "History of Occupation")
INDUSTRY = loinc("86188-0", "History of Occupation Industry")
NURSING_ASSISTANT = Code(
    HL7 + "PHOccupationalDataForHealthODH",
    "31-1014.00.007136",
    "Certified Nursing Assistant (CNA) [Nursing Assistants]",
)
HOME_NURSING = Code(HL7 + "PHOccupationalDataForHealthODH", "621610.008495", "Home nursing services")
JOBS: tuple[tuple[str, str], ...] = (
    ("Bus driver", "Public transport"),
    ("Primary school teacher", "Education"),
    ("Carpenter", "Construction"),
    ("Line cook", "Restaurants"),
    ("Software tester", "Information services"),
    ("Dairy farmer", "Agriculture"),
    ("Accountant", "Business services"),
    ("Warehouse packer", "Logistics"),
)

PREGNANCY_STATUS = loinc("82810-3", "Pregnancy status")
PREGNANT = sct("77386006", "Pregnant")
NOT_PREGNANT = sct("60001007", "Not pregnant")
PREGNANCY_INTENT = loinc("86645-9", "Pregnancy intention in the next year - Reported")
NOT_SURE = sct("454381000124105", "Not sure of desire to become pregnant")
SEXUAL_ORIENTATION = loinc("76690-7", "Sexual orientation")
ORIENTATIONS: tuple[Code, ...] = (
    sct("20430005", "Heterosexual"),
    sct("20430005", "Heterosexual"),
    sct("38628009", "Homosexual"),
    sct("42035005", "Bisexual"),
    hl7("v3-NullFlavor", "ASKU", "asked but unknown"),
)
