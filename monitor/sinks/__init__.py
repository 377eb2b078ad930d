"""Where findings go, one file each."""
