"""The pure core: columns, agents, evidence, engine."""
