"""What each tier of verification takes, how long it lasts, and what a person may say of himself.

Tier 0 is nobody in particular, 1 has said who he is, 2 has shown it, 3 has shown where he lives
and where his money comes from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

from apps.core.errors import Invalid, Refused

TIER_MAX: Final = 3
# Tiers that two people decide on.
TWO_DECIDE_FROM: Final = 3
# What is declared and not shown is decided by the rules here.
DECLARED_TIER: Final = 1
VALID_FOR: Final[Mapping[int, timedelta]] = {
    1: timedelta(days=3 * 365),
    2: timedelta(days=2 * 365),
    3: timedelta(days=365),
}
WARNED_BEFORE: Final = timedelta(days=30)
AGE_MIN: Final = 18
AGE_MAX: Final = 120
NAME_MAX: Final = 100
TEXT_MAX: Final = 300

IDENTITY_FRONT: Final = "identity_front"
IDENTITY_BACK: Final = "identity_back"
SELFIE: Final = "selfie"
PROOF_OF_ADDRESS: Final = "proof_of_address"
DOCUMENT_KINDS: Final = (IDENTITY_FRONT, IDENTITY_BACK, SELFIE, PROOF_OF_ADDRESS)
# What a tier needs, and what may come with it.
NEEDED: Final[Mapping[int, tuple[str, ...]]] = {
    1: (),
    2: (IDENTITY_FRONT, SELFIE),
    3: (PROOF_OF_ADDRESS,),
}
OPTIONAL: Final[Mapping[int, tuple[str, ...]]] = {1: (), 2: (IDENTITY_BACK,), 3: ()}
DETAILS: Final[Mapping[int, tuple[str, ...]]] = {
    1: ("legal_name", "birth_date", "country"),
    2: (),
    3: ("address", "source_of_funds"),
}
# ISO 3166-1, as of 2026.
_COUNTRIES: Final = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS
BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE
EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM
HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC
LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW
SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO
TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
COUNTRIES: Final = tuple(_COUNTRIES.split())
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def details_of(
    tier: int, given: Mapping[str, object], *, today: date, refused_countries: tuple[str, ...]
) -> dict[str, str]:
    """Return what a person says of himself for a tier, checked; refuse what is missing or wrong."""
    found = {name: _text(name, given.get(name, "")) for name in DETAILS[tier]}
    for name in given:
        if name not in DETAILS[tier]:
            raise Invalid("unknown_field", f"Level {tier} does not ask for that.", field=name)
    if "birth_date" in found:
        _check_age(found["birth_date"], today)
    if "country" in found:
        _check_country(found["country"], refused_countries)
    return found


def years_between(born: date, today: date) -> int:
    """Return the age in whole years; who was born on 29 February is older on 1 March."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _text(name: str, value: object) -> str:
    limit = TEXT_MAX if name in DETAILS[TIER_MAX] else NAME_MAX
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if not text or len(text) > limit or not text.isprintable():
        raise Invalid(
            "invalid_details",
            f"Fill in the {name.replace('_', ' ')}: at most {limit} characters that can be seen.",
            field=name,
        )
    return text


def _check_age(text: str, today: date) -> None:
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        born = date.fromisoformat(text)
    except ValueError:
        raise Invalid(
            "invalid_details", 'Write the date like "1990-05-17".', field="birth_date"
        ) from None
    age = years_between(born, today)
    if not 0 <= age <= AGE_MAX:
        raise Invalid("invalid_details", "Nobody was born then.", field="birth_date")
    if age < AGE_MIN:
        raise Refused("too_young", f"You have to be {AGE_MIN} years old.", field="birth_date")


def _check_country(code: str, refused: tuple[str, ...]) -> None:
    if code not in COUNTRIES:
        raise Invalid("invalid_details", "Choose a country from the list.", field="country")
    if code in refused:
        raise Refused("country_refused", "We cannot serve people who live there.", field="country")
