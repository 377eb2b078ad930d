"""The daemon: sources to sinks around the pure core."""
