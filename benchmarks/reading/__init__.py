"""The first reading of an account: waybill beside connectors, a plain loop and the bare fetch."""
