"""`driftd agents`, `alerts`, `explain`, `dead-letters`: what the daemon knows."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from monitor.cli import options, screen

app = typer.Typer()
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")]


@app.command()
def agents(
    limit: Limit = 50,
    as_json: options.Json = False,
    config: options.Config = None,
    url: options.Url = None,
    token_file: options.TokenFile = None,
) -> None:
    """List the agents, the highest score first."""
    found = options.client_of(config, url, token_file).get("agents", limit=limit)
    if as_json:
        return screen.as_json(found)
    rows = [_agent(agent) for agent in _items(found)]
    return screen.table(("agent", "role", "tenant", "score", "gate", "last seen"), rows, "No agent was seen yet.")


@app.command()
def alerts(
    every: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    findings: Annotated[bool, typer.Option("--findings", help="Every line as the contract has it, oldest first.")] = False,
    limit: Limit = 50,
    as_json: options.Json = False,
    config: options.Config = None,
    url: options.Url = None,
    token_file: options.TokenFile = None,
) -> None:
    """List the open alerts, newest first."""
    client = options.client_of(config, url, token_file)
    if findings:
        for line in _items(client.get("alerts", findings="true", limit=limit)):
            typer.echo(json.dumps(line, separators=(",", ":"), ensure_ascii=False))
        return None
    found = client.get("alerts", state=None if every else "open", limit=limit)
    if as_json:
        return screen.as_json(found)
    columns = ("alert", "since", "level", "agent", "score", "why")
    return screen.table(columns, [_alert(alert) for alert in _items(found)], "No alert is open.")


@app.command()
def explain(
    alert: Annotated[str, typer.Argument(help="The alert's id.")],
    as_json: options.Json = False,
    config: options.Config = None,
    url: options.Url = None,
    token_file: options.TokenFile = None,
) -> None:
    """Say in plain sentences what raised an alert, and what to do next."""
    found = options.client_of(config, url, token_file).get("alerts", alert, "explain")
    if as_json:
        return screen.as_json(found)
    for line in found["text"].splitlines():
        screen.say(line)
    return None


@app.command("dead-letters")
def dead_letters(
    limit: Limit = 50,
    as_json: options.Json = False,
    config: options.Config = None,
    url: options.Url = None,
    token_file: options.TokenFile = None,
) -> None:
    """List the records that could not be judged, with the reason."""
    found = options.client_of(config, url, token_file).get("dead-letters", limit=limit)
    if as_json:
        return screen.as_json(found)
    columns = ("time", "reason", "claims to be", "source", "position")
    return screen.table(columns, [_dead_letter(letter) for letter in _items(found)], "No record was refused.")


def _items(found: Any) -> list[dict[str, Any]]:
    """The rows of an answer, whether it comes in pages or as a list."""
    rows: list[dict[str, Any]] = found["items"] if isinstance(found, dict) else found
    return rows


def _agent(agent: dict[str, Any]) -> tuple[object, ...]:
    scores = screen.number(agent.get("score")), screen.number(agent.get("gate_score"))
    return agent["agent"], agent.get("role"), agent.get("tenant"), *scores, screen.moment(agent.get("last_seen"))


def _alert(alert: dict[str, Any]) -> tuple[object, ...]:
    why = alert["detectors"][0]["reason"] if alert.get("detectors") else alert.get("why")
    return alert["id"], screen.moment(alert["time"]), alert["level"], alert["agent"], screen.number(alert["score"]), why


def _dead_letter(letter: dict[str, Any]) -> tuple[object, ...]:
    position = f"{letter.get('offset')}/{letter.get('index')}"
    return screen.moment(letter.get("time")), letter["reason"], letter.get("agent"), letter.get("source"), position
