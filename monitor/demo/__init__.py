"""The demo: stories of agents that go astray or stay on their way, and a real process that is stopped."""
