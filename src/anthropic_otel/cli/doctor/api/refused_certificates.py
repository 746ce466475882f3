"""Explains why a certificate was refused, and what to do about it.

Rule: the reason comes from OpenSSL's error number: dates, the name, or else a CA that is not trusted. Facts from the
certificate are added if it could be read, also that it is self-signed.
"""

from __future__ import annotations

import time
from typing import Final

from anthropic_otel.cli.doctor.api.authorities import FILE
from anthropic_otel.cli.doctor.api.base_url import NAME, Target
from anthropic_otel.cli.doctor.api.certificates import Certificate

_NOT_YET, _EXPIRED = 9, 10
_SELF_SIGNED: Final = 18
_WRONG_NAME: Final = (62, 64)
_MOST_NAMES: Final = 2


def advice_on_certificate(
    code: int | None, certificate: Certificate | None, target: Target, now: float
) -> tuple[str, str]:
    """Returns two texts: what is wrong with a refused certificate, and what to do about it.

    `code` is OpenSSL's X509_V_ERR_… number, `None` if unknown; `certificate` is `None` if it could not be read; `now`
    is this machine's time in seconds since the epoch.
    """
    signed = f'signed by "{certificate.issuer}"' if certificate is not None and certificate.issuer else ""
    if code in (_NOT_YET, _EXPIRED):
        return _of_time(certificate, now, expired=code == _EXPIRED)
    if code in _WRONG_NAME:
        names = ", ".join(certificate.names[:_MOST_NAMES]) if certificate is not None else ""
        text = f"the certificate is for {names or 'another name'}, not for {target.host}"
        return text, f"use the name that it is for in {NAME}; else something answers in the API's place"
    if code == _SELF_SIGNED or (certificate is not None and certificate.self_signed):
        return (
            "the certificate is self-signed",
            f"{FILE}=/path/to/that-certificate.pem, if you trust it",
        )
    if not signed:
        return "the certificate is signed by a CA that is not among the CAs", f"{FILE}=/path/to/the-ca.pem"
    # Most certificates that are refused come from a company's TLS inspection.
    return f"{signed}, which is not among the CAs", f"{FILE}=/path/to/corp-ca.pem"


def _of_time(certificate: Certificate | None, now: float, *, expired: bool) -> tuple[str, str]:
    clock = f"this machine's clock says {_day(now)}"
    if certificate is None:
        text = "the certificate has expired" if expired else "the certificate is not valid yet"
    elif expired:
        text = f"the certificate expired on {_day(certificate.ends)}"
    else:
        text = f"the certificate is valid only from {_day(certificate.begins)}"
    return f"{text}; {clock}", "if the clock is wrong, set it (NTP); else its owner has to renew it"


def _day(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
    except (OverflowError, OSError, ValueError):
        return "a day beyond the calendar"
