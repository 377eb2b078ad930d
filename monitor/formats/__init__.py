"""How records are written, one file each."""
