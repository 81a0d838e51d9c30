"""The scopes that are no FHIR permissions.

Source: SMART App Launch 2.2, scopes and launch context; OpenID Connect Core 1.0 section 5.4
"""

OPENID, FHIR_USER, PROFILE = "openid", "fhirUser", "profile"
LAUNCH, LAUNCH_PATIENT, LAUNCH_ENCOUNTER = "launch", "launch/patient", "launch/encounter"
OFFLINE, ONLINE = "offline_access", "online_access"

CREATE_LAUNCH = "launch:create"
"""Our own: to make launch contexts, for an EHR that starts apps."""

KNOWN = frozenset({
    OPENID, FHIR_USER, PROFILE, LAUNCH, LAUNCH_PATIENT, LAUNCH_ENCOUNTER, OFFLINE, ONLINE, CREATE_LAUNCH,
})  # fmt: skip

DISCOVERED = (
    OPENID, FHIR_USER, PROFILE, LAUNCH, LAUNCH_PATIENT, LAUNCH_ENCOUNTER, OFFLINE, ONLINE,
    "patient/*.cruds", "user/*.cruds", "system/*.cruds", "patient/*.rs", "user/*.rs", "system/*.rs",
    "patient/*.read", "user/*.read", "system/*.read", "patient/*.write", "user/*.write",
)  # fmt: skip
"""What discovery names."""
