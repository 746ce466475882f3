"""Checks which certificate authorities (CAs) the SDK's client trusts, and whether their file can be read.

The HTTP libraries read `SSL_CERT_FILE`, else `SSL_CERT_DIR`, else a default list: the system's for httpx2, that of
`certifi` for httpx. They read no other variable, so variables for `curl` or `requests` do not affect the SDK.

Rule: a file is judged by loading it with the module `ssl`, as the client does.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from anthropic_otel._core.semconv import NetworkCause
from anthropic_otel.cli.doctor.findings import Finding, bad, info, note

FILE: Final = "SSL_CERT_FILE"
FOLDER: Final = "SSL_CERT_DIR"
_SUBJECT: Final = "CAs"
_NOT_SENT: Final = NetworkCause.REQUEST_NOT_SENT.value
_UNREAD: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
_HASHED: Final = re.compile(r"[0-9a-f]{8}\.\d+")
_REMEDY: Final = f"correct the path, or unset {FILE}"


def examine(environment: Mapping[str, str], default: ssl.SSLContext | None) -> list[Finding]:
    """Checks the CA file or, without one, the CA folders that the environment names; returns the finding about them.

    If it names neither, the findings are about `default`, a TLS context as the client makes it (`None` if it cannot),
    and about CA variables that are set but that the SDK does not read.
    """
    findings = list(_named(environment, default))
    named = [name for name in _UNREAD if environment.get(name)]
    if named and not environment.get(FILE) and not environment.get(FOLDER):
        text = f"{', '.join(named)} {'are' if len(named) > 1 else 'is'} set, which the SDK does not read"
        findings.append(note(_SUBJECT, text, f"if its CAs are needed: {FILE}=${named[0]}"))
    return findings


def _named(environment: Mapping[str, str], default: ssl.SSLContext | None) -> Iterator[Finding]:
    if path := environment.get(FILE):
        yield _of_file(path)
    elif path := environment.get(FOLDER):
        yield _of_folder(path)
    else:
        count = _count(default) if default is not None else 0
        yield info(_SUBJECT, f"the HTTP library's own list, {count}" if count else "those of the system")


def _count(context: ssl.SSLContext) -> int:
    """Returns how many CAs a TLS context has loaded; 0 for a context of truststore, which has no list of them.

    Such contexts, which some versions of httpx2 make, ask the system about each certificate.
    """
    try:
        return context.cert_store_stats()["x509_ca"]
    except NotImplementedError:
        return 0


def _of_file(path: str) -> Finding:
    """Returns the finding about the CA file `path`: how many CAs it has, or what is wrong with it.

    A file that cannot be loaded is a fault with the cause `request_not_sent`, because no client of the SDK can be
    constructed with it. A file without a CA is a fault too.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        return bad(
            _SUBJECT, f"{FILE}={path} has no certificate in PEM", "a file with BEGIN CERTIFICATE in it", _NOT_SENT
        )
    except OSError as error:
        return bad(_SUBJECT, f"{FILE}={path} {_why(path, error)}", _REMEDY, _NOT_SENT)
    except ValueError:
        return bad(_SUBJECT, f"{FILE} is not the name of a file", _REMEDY, _NOT_SENT)
    stats = context.cert_store_stats()
    if not stats["x509_ca"]:
        return bad(_SUBJECT, f"{FILE}={path} has {stats['x509']} certificates, none of a CA", "add the CA's own")
    return info(_SUBJECT, f"{path}, {stats['x509_ca']}   {FILE}")


def _why(path: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, IsADirectoryError) or os.path.isdir(path):
        return f"is a directory ({FOLDER} takes one)"
    if isinstance(error, PermissionError):
        return "may not be read by this user"
    return f"cannot be read ({error.strerror or type(error).__name__})"


def _of_folder(path: str) -> Finding:
    """Returns the finding about the CA folders in `path`, a list with `os.pathsep` between them.

    The finding is a fault if no folder has a file that is named by a hash, as OpenSSL looks for CAs: `ssl` reports no
    error for such folders, and refuses every certificate. What is in the files is not checked.
    """
    hint = f"c_rehash {path}, or {FILE} with a file"
    missing = []
    for each in path.split(os.pathsep):
        try:
            if any(_HASHED.fullmatch(entry.name) for entry in Path(each).iterdir()):
                return info(_SUBJECT, f"{path}   {FOLDER}")
        except (OSError, ValueError):
            missing.append(each)
    text = "cannot be read" if missing else "has no CA under its hash: every certificate will be refused"
    return bad(_SUBJECT, f"{FOLDER}={path} {text}", hint, NetworkCause.TLS_CERTIFICATE_ERROR.value)
