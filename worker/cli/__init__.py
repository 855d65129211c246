"""The command line: `waybill`, one module a noun."""
