"""Python itself, set for a process that makes a million records and waits for a database in several threads."""

import gc
import sys

# Objects made before the collector looks at the young ones: several pages of records, which are gone by then. As it
# comes, it looks 70 times as often, finds nothing, and takes a third of the time of a first reading.
_YOUNG = 50_000
_OLDER, _OLDEST = 20, 20
# Seconds that a thread may compute while another waits for its turn. A statement of a few milliseconds would wait as
# long again, at the usual five, for the thread that takes the next page apart meanwhile.
_SWITCH_SECONDS = 0.0005


def tune() -> None:
    """Look for cycles seldom (memory that no cycle holds is given back at once anyway), and change threads often."""
    gc.set_threshold(_YOUNG, _OLDER, _OLDEST)
    sys.setswitchinterval(_SWITCH_SECONDS)
