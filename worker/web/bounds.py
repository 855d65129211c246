"""What a caller of the listener may take."""

# Connections at once: barmate opens one at a time; a proxy before us a few.
MOST_CONNECTIONS = 64
# Seconds for a whole call, from the connection or the last answer to the next: what is sent fits into one packet.
CALL_SECONDS = 10.0
