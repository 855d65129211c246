"""waybill: an event-driven sync worker."""
