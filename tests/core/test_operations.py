"""Which operation a URL is: every line of the list, and everything that is not in it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_otel._core.operations import UNKNOWN, Operation, operation_of
from support.operations import LINES, NAMES

IDS = ("msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d", "a", "%2F", "claude-opus-4-5@20251101", "1", "v1")


def filled(template: str, identifier: str) -> str:
    return re.sub(r"\{[^}]*\}", identifier, template)


def test_the_list_is_well_formed() -> None:
    """Method, route and name; no route twice; names of lowercase words with dots."""
    assert "messages.create" in NAMES
    routes = [(method, re.sub(r"\{[^}]*\}", "{}", template)) for method, template, _ in LINES]
    assert len(set(routes)) == len(routes)
    for method, template, name in LINES:
        assert method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        assert template.startswith("/")
        assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", name), name


@pytest.mark.parametrize("identifier", IDS)
def test_every_line_resolves_to_itself(identifier: str) -> None:
    """With any id in place of its placeholders, however much that looks like a part of another route."""
    for method, template, name in LINES:
        assert operation_of(method, filled(template, identifier)) == Operation(name, template)


@pytest.mark.parametrize(
    ("method", "path", "name", "template"),
    [
        ("POST", "/v1/messages", "messages.create", "/v1/messages"),
        ("post", "/v1/messages", "messages.create", "/v1/messages"),
        ("POST", "/v1/messages/", "messages.create", "/v1/messages"),
        ("POST", "/anthropic/v1/messages", "messages.create", "/anthropic/v1/messages"),
        ("POST", "/gateway/tenant-4711/v1/messages", "messages.create", "{base_path}/v1/messages"),
        ("POST", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/v1/messages", "messages.create", "{base_path}/v1/messages"),
        ("POST", "/v1/messages/count_tokens", "messages.count_tokens", "/v1/messages/count_tokens"),
        ("POST", "/v1/messages/batches", "messages.batches.create", "/v1/messages/batches"),
        ("GET", "/v1/messages/batches/abc/results", "messages.batches.results", None),
        (
            "POST",
            "/model/anthropic.claude-3-5-sonnet-20241022-v2:0/invoke",
            "messages.create",
            "/model/{model}/invoke",
        ),
        (
            "POST",
            "/model/arn:aws:bedrock:eu-west-1:1:inference-profile%2Feu.x/invoke-with-response-stream",
            "messages.create",
            "/model/{model}/invoke-with-response-stream",
        ),
        (
            "POST",
            "/v1/projects/p/locations/europe-west1/publishers/anthropic/models/claude-opus-4-5@20251101:rawPredict",
            "messages.create",
            "/v1/projects/{project}/locations/{region}/publishers/anthropic/models/{model}:rawPredict",
        ),
        (
            "POST",
            "/v1/projects/p/locations/global/publishers/anthropic/models/claude-opus-4-5:streamRawPredict",
            "messages.create",
            "/v1/projects/{project}/locations/{region}/publishers/anthropic/models/{model}:streamRawPredict",
        ),
        (
            "POST",
            "/v1/projects/p/locations/global/publishers/anthropic/models/count-tokens:rawPredict",
            "messages.count_tokens",
            "/v1/projects/{project}/locations/{region}/publishers/anthropic/models/count-tokens:rawPredict",
        ),
        # The base URL of a client of Vertex need not have a version, as where a gateway adds it.
        (
            "POST",
            "/projects/p/locations/global/publishers/anthropic/models/claude-opus-4-5:rawPredict",
            "messages.create",
            "/projects/{project}/locations/{region}/publishers/anthropic/models/{model}:rawPredict",
        ),
        (
            "POST",
            "/vertex/v1beta1/projects/p/locations/global/publishers/anthropic/models/claude-opus-4-5:streamRawPredict",
            "messages.create",
            "{base_path}/projects/{project}/locations/{region}/publishers/anthropic/models/{model}:streamRawPredict",
        ),
        (
            "POST",
            "/key/projects/p/locations/global/publishers/anthropic/models/count-tokens:rawPredict",
            "messages.count_tokens",
            "{base_path}/projects/{project}/locations/{region}/publishers/anthropic/models/count-tokens:rawPredict",
        ),
    ],
)
def test_a_path_of_each_platform(method: str, path: str, name: str, template: str | None) -> None:
    """The API itself, gateways in front of it, Bedrock, Vertex."""
    found = operation_of(method, path)
    assert found.name == name
    assert template is None or found.template == template


def test_a_literal_segment_wins_over_a_placeholder() -> None:
    """`me` and `effective` are routes of their own, and no ids."""
    assert (
        operation_of("GET", "/v1/organizations/spend_limits/effective").name
        == "organization.spend_limits.effective.list"
    )
    assert operation_of("GET", "/v1/organizations/spend_limits/x").name == "organization.spend_limits.retrieve"


def test_the_longest_known_end_of_a_path_wins() -> None:
    """A route whose own end is a route is not taken for that."""
    assert (
        operation_of("GET", "/v1/organizations/workspaces/w/rate_limits").name
        == "organization.workspaces.rate_limits.list"
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/messages"),
        ("BREW", "/v1/messages"),
        ("", "/v1/messages"),
        ("POST", ""),
        ("POST", "/"),
        ("POST", "v1"),
        ("POST", "/v1/messages/x/y"),
        ("POST", "/v1//messages"),
        ("GET", "/v1/files//content"),
        ("POST", "/v1/messages?beta=true"),
        ("POST", "/V1/MESSAGES"),
        ("POST", "/v1/messages.json"),
        ("POST", "/oauth/token"),
        ("POST", "/model//invoke"),
        ("POST", "/" + "x/" * 14 + "v1/messages/and/more/behind/it"),
        ("POST", "/v1/messages/" + "x/" * 10_000),
        ("POST", "/" * 10_000),
        ("POST", "/v1/{message}"),
        ("POST", "/v1/projects/p/locations/global/publishers/anthropic/models/:rawPredict"),
        ("POST", "\x00\ud800"),
    ],
)
def test_a_path_that_is_not_in_the_list_is_unknown(method: str, path: str) -> None:
    """Nothing of it is in the name or the route."""
    assert operation_of(method, path) is UNKNOWN


@given(
    st.sampled_from(["GET", "POST", "DELETE"]),
    st.lists(
        st.sampled_from(["v1", "messages", "model", "invoke", "batches", "x:rawPredict", "", "é"]) | st.text(),
        max_size=25,
    ),
)
def test_any_path_has_a_name_of_the_closed_list(method: str, segments: list[str]) -> None:
    """Whatever is asked for, what comes out is bounded."""
    found = operation_of(method, "/" + "/".join(segments))
    known = {template for _, template, _ in LINES}
    if found is not UNKNOWN:
        assert found.name in NAMES
        assert found.template is not None
        assert found.template.removeprefix("{base_path}").removeprefix("/anthropic") in known
