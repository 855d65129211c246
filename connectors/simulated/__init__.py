"""Twins of the systems waybill talks to, as local servers with seeded faults.

Written from the public API descriptions alone; they know nothing of waybill. Used by rehearsals and by tests.
"""
