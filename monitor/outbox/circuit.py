"""Whether a receiver is worth trying now, and when its silence is worth telling a person."""

from __future__ import annotations

from monitor.sinks.base import DeliveryError, Gone

#: first and longest pause between two tries, in seconds
FIRST_SECONDS, LONGEST_SECONDS = 1.0, 300.0
#: failures in a row, none of them delivered in between, after which a person is told
REPORT_AFTER = 5


def backoff_seconds(attempts: int, chance: float) -> float:
    """The pause after so many failed tries: doubling, capped, and half of it by chance so that nobody is trampled."""
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempts - 1, 30))
    return longest * (0.5 + 0.5 * chance)


class Circuit:
    """Closed while the receiver answers. After a failure it lets one try through after each pause.

    A refusal of one message does not open it: the next message may be welcome.
    """

    def __init__(self) -> None:
        self.problem = ""
        self.is_reported = False
        self._failures = 0
        self._open_until = 0.0

    def may_try(self, now: float) -> bool:
        """Whether the pause is over; `now` in epoch seconds."""
        return now >= self._open_until

    def succeeded(self) -> bool:
        """It took a message; whether it had been reported as down."""
        was_reported = self.is_reported
        self.problem, self.is_reported, self._failures, self._open_until = "", False, 0, 0.0
        return was_reported

    def failed(self, now: float, error: DeliveryError, chance: float) -> bool:
        """It did not take a message; whether this is the time to tell a person."""
        self.problem = str(error)
        self._failures += 1
        if isinstance(error, Gone):
            # nothing more is tried until the daemon is started again, with other settings or the same
            self._open_until = float("inf")
        elif error.retry:
            self._open_until = now + max(error.after_seconds or 0.0, backoff_seconds(self._failures, chance))
        told_now = not self.is_reported and (isinstance(error, Gone) or self._failures >= REPORT_AFTER)
        self.is_reported = self.is_reported or told_now
        return told_now

    def hangs(self) -> bool:
        """A try does not come back; whether this is the time to tell a person."""
        told_now = not self.is_reported
        self.problem, self.is_reported = "a delivery hangs", True
        return told_now
