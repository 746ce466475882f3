"""Files and folders of CAs: missing, unreadable, or something else."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from pathlib import Path

import anthropic
import pytest
import trustme

from anthropic_otel.cli.doctor.api import authorities
from anthropic_otel.cli.doctor.api.request import make
from anthropic_otel.cli.doctor.findings import Finding, State

from .conftest import Examine, bad, of, texts


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    """A PEM file with one CA."""
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return path


def of_file(path: str | Path) -> list[Finding]:
    return authorities.examine({authorities.FILE: str(path)}, None)


def test_a_file_of_cas_is_counted(ca_file: Path) -> None:
    """With its path, and the variable that names it."""
    [finding] = of_file(ca_file)
    assert (finding.state, finding.text) == (State.INFO, f"{ca_file}, 1   SSL_CERT_FILE")


def test_a_missing_file_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, examine: Examine) -> None:
    """A client cannot even be made, which is `request_not_sent`, and nothing is tried."""
    path = str(tmp_path / "missing.pem")
    findings = examine({authorities.FILE: path})
    [fault] = bad(findings)
    assert (fault.text, fault.cause) == (f"SSL_CERT_FILE={path} does not exist", "request_not_sent")
    assert [each.state for each in of(findings, "Network")] == [State.UNTRIED]
    assert make("https://api.anthropic.com").cause == "request_not_sent"
    with pytest.raises(FileNotFoundError):
        anthropic.DefaultHttpxClient()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "has no certificate in PEM"),
        (b"hello", "has no certificate in PEM"),
        (b"\x30\x82\x00", "has no certificate in PEM"),
    ],
)
def test_a_file_that_is_not_pem_is_a_fault(content: bytes, text: str, tmp_path: Path) -> None:
    """An empty one, text, or DER."""
    path = tmp_path / "ca.pem"
    path.write_bytes(content)
    [fault] = bad(of_file(path))
    assert text in fault.text
    assert (fault.cause, bool(fault.remedy)) == ("request_not_sent", True)


def test_a_certificate_of_no_ca_is_a_fault(tmp_path: Path) -> None:
    """A server's own certificate does not vouch for others."""
    path = tmp_path / "leaf.pem"
    trustme.CA().issue_cert("proxy.example").cert_chain_pems[0].write_to_path(path)
    [fault] = bad(of_file(path))
    assert "has 1 certificates, none of a CA" in fault.text


def test_a_directory_is_not_a_file(tmp_path: Path) -> None:
    """The other variable is for those."""
    [fault] = bad(of_file(tmp_path))
    assert "is a directory (SSL_CERT_DIR takes one)" in fault.text


def test_a_name_that_cannot_be_one_is_a_fault() -> None:
    """It is no traceback."""
    assert bad(of_file("a\0b"))


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs users")
def test_a_file_that_may_not_be_read_is_a_fault(tmp_path: Path, ca_file: Path) -> None:
    """As by a user who is not root."""
    text = "may not be read by this user"
    assert text in authorities._why(str(ca_file), PermissionError(13, "Permission denied"))
    if os.geteuid():
        ca_file.chmod(0)
        [fault] = bad(of_file(ca_file))
        assert text in fault.text
    else:
        # Root reads everything: the same `ssl` call, as somebody else, raises what is judged above.
        ca_file.chmod(0)
        code = f"import ssl; ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations({str(ca_file)!r})"
        change = "import os; os.setgid(65534); os.setuid(65534); "
        done = subprocess.run(
            [sys.executable, "-I", "-c", f"import ssl; {change}{code}"], capture_output=True, text=True, check=False
        )
        assert "PermissionError" in done.stderr


def test_a_folder_without_hashes_refuses_every_certificate(tmp_path: Path) -> None:
    """`ssl` says nothing of it, so that every handshake fails later."""
    [fault] = bad(authorities.examine({authorities.FOLDER: str(tmp_path)}, None))
    assert "has no CA under its hash" in fault.text
    assert fault.cause == "tls_certificate_error"
    [fault] = bad(authorities.examine({authorities.FOLDER: str(tmp_path / "missing")}, None))
    assert "cannot be read" in fault.text


def test_a_folder_with_hashes_is_a_fact(tmp_path: Path) -> None:
    """As `c_rehash` makes it."""
    (tmp_path / "0a1b2c3d.0").touch()
    [finding] = authorities.examine({authorities.FOLDER: str(tmp_path)}, None)
    assert finding.state is State.INFO


def test_a_variable_of_other_clients_is_worth_a_line(ca_file: Path) -> None:
    """`requests` and curl read it, and the SDK does not."""
    findings = authorities.examine({"REQUESTS_CA_BUNDLE": str(ca_file)}, ssl.create_default_context())
    assert "REQUESTS_CA_BUNDLE is set, which the SDK does not read" in texts(findings)
    assert "SSL_CERT_FILE=$REQUESTS_CA_BUNDLE" in texts(findings)
    both = {"REQUESTS_CA_BUNDLE": str(ca_file), authorities.FILE: str(ca_file)}
    assert len(authorities.examine(both, None)) == 1


class _OfTheSystem(ssl.SSLContext):
    """As truststore's context, which some versions of httpx2 make: it has no list, but asks the system."""

    def cert_store_stats(self) -> dict[str, int]:
        raise NotImplementedError


def test_a_context_that_asks_the_system_has_no_count() -> None:
    """It is a fact about the CAs, and no failure of the check."""
    [finding] = authorities.examine({}, _OfTheSystem(ssl.PROTOCOL_TLS_CLIENT))
    assert (finding.state, finding.text) == (State.INFO, "those of the system")
