"""The tables of revision 0001, as they were at version 0.1.0; a room each, as in `worker.db.tables`."""
