"""Every metric of the daemon, declared in one place; labels are bounded, agents are shown by a capped top list."""

from monitor.metrics.declared import Metrics
from monitor.metrics.top import AgentScore, TopAgents

__all__ = ["AgentScore", "Metrics", "TopAgents"]
