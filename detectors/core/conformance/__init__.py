"""The suite that every detector passes: dozens of checks from one line.

for check in checks(MyDetector, stream, draw):
    check()

`stream` makes records in log order from a seed; the more there is in it (several tenants and roles, chains of
delegation, repeated ids, times out of order and far ahead, newcomers), the more the checks show. `draw` gives that
many uniform random numbers; the library itself knows no chance. A check raises Failed with what differs.
"""

from detectors.core.conformance.case import Case, Failed, Run, Stream
from detectors.core.conformance.suite import Check, checks

__all__ = ["Case", "Check", "Failed", "Run", "Stream", "checks"]
