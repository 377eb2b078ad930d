"""How steps are carried out, one file each."""
