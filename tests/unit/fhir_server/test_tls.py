"""The certificate that is served: modern TLS alone, read anew when it changes, refused with a reason where it is wrong.

Source: RFC 9325
"""

from __future__ import annotations

import os
import shutil
import ssl
from pathlib import Path

import pytest

from fhir_server.settings import Settings
from fhir_server.tls import LOOK_S, Certificate, CertificateError, certificate_of
from tests.certificates import write_certificate


def test_only_modern_tls_is_spoken(tmp_path: Path) -> None:
    context = Certificate(*write_certificate(tmp_path)).context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    older = [one["name"] for one in context.get_ciphers() if one["protocol"] == "TLSv1.2"]
    assert older
    assert [name for name in older if not name.startswith("ECDHE") or "CBC" in name or "SHA1" in name] == []


def test_a_renewed_certificate_is_served_without_a_restart(tmp_path: Path) -> None:
    now = [0.0]
    certificate, key = write_certificate(tmp_path)
    served = Certificate(certificate, key, lambda: now[0])
    first = served.context()
    for old, new in zip((certificate, key), write_certificate(tmp_path, "next"), strict=True):
        shutil.move(new, old)
    assert served.context() is first
    now[0] += LOOK_S
    assert served.context() is not first


def test_a_broken_renewal_leaves_the_old_one_in_force(tmp_path: Path) -> None:
    now = [0.0]
    certificate, key = write_certificate(tmp_path)
    served = Certificate(certificate, key, lambda: now[0])
    first = served.context()
    os.truncate(certificate, 20)
    now[0] += LOOK_S
    assert served.context() is first


def test_files_that_are_no_certificate_are_refused_by_name(tmp_path: Path) -> None:
    certificate, _ = write_certificate(tmp_path)
    _, other = write_certificate(tmp_path, "other")
    for wrong in ((tmp_path / "none.crt", None), (certificate, other), (certificate, None)):
        with pytest.raises(CertificateError, match=r"\.crt"):
            Certificate(*wrong)


def test_without_a_certificate_there_is_none() -> None:
    assert certificate_of(Settings()) is None
