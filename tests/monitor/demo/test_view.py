import msgspec
import pytest
from rich.console import Console

from monitor.demo.view import Standing, State, Victim, in_short, view
from monitor.findings import Alert, Containment, Incident, Share

CLOCK = 1_773_930_000.0
ALERT = Alert(
    id="a1", state="firing", time="2026-03-19T14:20:30.000Z", event="e", agent="curator/ada", role="curator",
    level="critical", why="rose", score=1867.0,
    detectors=(
        Share("blast_radius", 1700.0, 0.91, "59 destructive actions in the running hour, 0.11 a hour expected", None, 59.0, 0.1),
    ),
)  # fmt: skip
KILL = Containment(
    id="c1", time="2026-03-19T14:20:30.000Z", event="e", agent="curator/ada", role="curator", step="kill",
    executes="kill", mode="enforce", gate_score=1700.0, armed=True, not_armed_because=None, reason="so it is.",
)  # fmt: skip
INCIDENT = Incident(id="i1", time=ALERT.time, state="firing", cause="version", name="courier 2.4.0", level="page",
                    agents=("courier/001", "courier/002"), agents_total=80)  # fmt: skip


def drawn(state: State, columns: int = 100) -> str:
    console = Console(width=columns, record=True, file=open("/dev/null", "w"), force_terminal=False)  # noqa: SIM115, PTH123
    console.print(view(state))
    return console.export_text()


def test_nothing_yet() -> None:
    text = drawn(State(CLOCK))
    assert "Thursday 19 March 2026, 14:20" in text
    assert "none" in text
    assert "containment" not in text


def test_agents_stand_in_the_order_of_their_scores_and_odd_ones_have_longer_bars() -> None:
    text = drawn(State(CLOCK, standings=(Standing("ops/comet", 2.0), Standing("curator/ada", 1867.0, "critical"))))
    ada, comet = (next(line for line in text.splitlines() if name in line) for name in ("curator/ada", "ops/comet"))
    assert text.index("curator/ada") < text.index("ops/comet")
    assert ada.count("━") > 3 * comet.count("━") > 0
    assert "1.87k" in ada
    assert "critical" in ada


def test_an_alert_says_why() -> None:
    text = drawn(State(CLOCK, alerts=(ALERT,)))
    assert "59 destructive actions in the running hour" in text


def test_an_alert_of_an_incident_is_shown_by_the_incident_alone() -> None:
    joined = msgspec.structs.replace(ALERT, agent="courier/090", incident="i1")
    before = msgspec.structs.replace(ALERT, agent="courier/001")
    text = drawn(State(CLOCK, alerts=(joined, before, ALERT), incidents=(INCIDENT,)))
    assert "80 agents, one cause: version courier 2.4.0" in text
    assert "courier/0" not in text
    assert "curator/ada" in text


def test_more_alerts_than_there_is_room_for_are_counted() -> None:
    alerts = tuple(msgspec.structs.replace(ALERT, agent=f"ops/{n}") for n in range(7))
    assert "and 3 more" in drawn(State(CLOCK, alerts=alerts))


def test_the_process_and_what_became_of_it() -> None:
    running = drawn(State(CLOCK, victim=Victim(4711, running=True, rows=300, left=290)))
    assert "process 4711 is deleting 10 of 300 rows" in running
    stopped = drawn(State(CLOCK, victim=Victim(4711, running=False, rows=300, left=240), containments=(KILL,)))
    assert "process 4711 was stopped after 60 of 300 rows" in stopped
    assert "kill of curator/ada, carried out" in stopped


def test_a_step_that_was_not_carried_out_says_why_not() -> None:
    unarmed = msgspec.structs.replace(KILL, executes=None, armed=False, not_armed_because="not_ratified")
    assert "not carried out: not_ratified" in drawn(State(CLOCK, containments=(unarmed,)))


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_it_fits_the_terminal(columns: int) -> None:
    state = State(CLOCK, "curator/ada deletes", 28_505, 1234.5, 144, (Standing("curator/ada", 1e12, "critical", contained=True),) * 9,
                  (ALERT,) * 7, (INCIDENT,), (KILL,), Victim(1, running=True, rows=300, left=3))  # fmt: skip
    lines = drawn(state, columns).splitlines()
    assert max(map(len, lines)) <= columns
    assert len(lines) <= 25


@pytest.mark.parametrize(
    ("score", "text"),
    [(0.0, "0"), (0.123, "0.12"), (9.96, "10"), (9.4, "9.4"), (99.9, "100"), (100.0, "100"), (999.4, "999"), (999.9, "1k"), (1867.0, "1.87k"),
     (123_456.0, "123k"), (999_900.0, "1M"), (3e10, "30G"), (1e12, ">999G")],
)  # fmt: skip
def test_a_score_in_short(score: float, text: str) -> None:
    assert in_short(score) == text
