"""What must survive: tables, store, outbox, inputs, snapshots, audit, dead letters."""
