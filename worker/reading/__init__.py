"""Reading logistic.cloud: windows, certificates, coverage, observations (DESIGN §4)."""
