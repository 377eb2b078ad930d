"""Directives: who says it is the token's subject, when is the daemon's clock, and widening waits for a second person."""

from __future__ import annotations

from typing import Any, get_args

import httpx
import pytest

from detectors.core.inputs import AnyDirective

BODIES: dict[str, dict[str, Any]] = {
    "release": {"role": "billing", "version": "2", "brings": {"scopes": ["crm:read"]}},
    "accept": {"agent": "billing/7", "what": {"scope": "crm:read"}},
    "ratify": {"role": "billing"},
    "silence": {"match": {"role": "billing"}, "until": 2000.0},
    "calendar": {"role": "billing", "rule": "FREQ=MONTHLY"},
    "contain": {"agent": "billing/7", "step": "kill"},
    "uncontain": {"agent": "billing/7"},
    "resolve": {"alert": "a1"},
    "arm": {"role": "billing", "accept_unproven": True},
    "disarm": {},
}


@pytest.mark.parametrize("tag", BODIES)
def test_one_route_for_each_directive_and_one_for_all(client: httpx.Client, daemon: Any, tag: str) -> None:
    lies = {"by": "somebody else", "time": 1.0, "reason": "because"}
    by_route = client.post(f"/v1/directives/{tag}", json=BODIES[tag] | lies)
    by_tag = client.post("/v1/directives", json=BODIES[tag] | {"directive": tag})
    assert {by_route.status_code, by_tag.status_code} <= {200, 202}, by_route.text
    first, second = daemon.told
    assert (first[0].by, first[0].time, first[0].reason) == ("local", 1000.5, "because")
    assert type(first[0]) is type(second[0])
    assert str(type(first[0]).__struct_config__.tag) == tag
    kept = {proposal.directive.id for proposal in daemon.store.directives.all()}
    assert kept == {by_route.json()["id"], by_tag.json()["id"]}


def test_the_bodies_above_are_all_directives() -> None:
    assert {*BODIES, "confirm"} == {str(one.__struct_config__.tag) for one in get_args(AnyDirective)}


def test_a_second_person_confirms(serve: Any, badge: Any, daemon: Any) -> None:
    client = serve(badge.tokens)
    told = client.post("/v1/directives/accept", json=BODIES["accept"], headers=badge.of("operator"))
    assert (told.status_code, told.json()["confirmed"]) == (202, False)
    confirms = {"confirms": told.json()["id"]}
    (waits,) = client.get("/v1/directives", params={"state": "pending"}, headers=badge.of("viewer")).json()["items"]
    assert (waits["directive"]["by"], waits["state"]) == ("operator", "pending")
    same = client.post("/v1/directives/confirm", json=confirms | {"by": "second"}, headers=badge.of("operator"))
    assert (same.status_code, "Another person" in same.json()["detail"]) == (409, True)
    assert client.post("/v1/directives/confirm", json=confirms, headers=badge.of("second")).status_code == 200
    assert daemon.store.directives.all()[0].ended_by == "second"


@pytest.mark.parametrize(
    ("tag", "body", "status", "told"),
    [
        ("arm", {}, 400, "role"),
        ("arm", {"role": 7}, 400, "$.role"),
        ("arm", {"role": "a", "rolle": "b"}, 400, "rolle"),
        ("arm", {"role": "a", "directive": "disarm"}, 400, "route of 'arm'"),
        ("contain", {"agent": "a", "step": "vaporise"}, 400, "vaporise"),
        ("confirm", {"confirms": "nothing"}, 409, "no directive nothing"),
    ],
)
def test_a_wrong_body_is_named(client: httpx.Client, tag: str, body: dict[str, Any], status: int, told: str) -> None:
    answer = client.post(f"/v1/directives/{tag}", json=body)
    assert (answer.status_code, told in answer.json()["detail"]) == (status, True), answer.text


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 60_000])
def test_what_is_no_object_is_refused(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/v1/directives", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400


def test_a_pipeline_announces_its_own_role_without_privileges(serve: Any, badge: Any, daemon: Any) -> None:
    client, headers = serve(badge.tokens), badge.of("pipeline")

    def announce(**more: Any) -> int:
        status: int = client.post("/v1/directives/release", json=BODIES["release"] | more, headers=headers).status_code
        return status

    assert announce() == 200
    assert daemon.told[0][1] is True
    assert announce(role="support") == 403
    assert announce(brings={"scopes": ["crm:read", "crm:delete"]}) == 403
    assert client.post("/v1/directives", json={"directive": "disarm"}, headers=headers).status_code == 403
    assert len(daemon.told) == 1


def test_an_operator_may_not_arm_by_the_route_of_all(serve: Any, badge: Any, daemon: Any) -> None:
    client, body = serve(badge.tokens), BODIES["arm"] | {"directive": "arm"}
    assert client.post("/v1/directives", json=body, headers=badge.of("operator")).status_code == 403
    assert client.post("/v1/directives", json=body, headers=badge.of("admin")).status_code == 200
