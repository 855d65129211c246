"""Ids of the registry's documented shape: three letters, an underscore, sixteen characters with the sandbox marker."""

from __future__ import annotations

import random
from typing import Final

# Crockford's base 32, which every example id of the vendor uses: no I, L, O or U.
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Every id known from the sandbox carries these as its characters 10 to 12 after the underscore.
SANDBOX_MARKER: Final = "SBX"
# Characters: what the OpenAPI document allows for an id.
SHORTEST: Final = 20
LONGEST: Final = 37


def mint(prefix: str, chance: random.Random) -> str:
    """Return a new id such as ``ord_1FAN3S3WVSBXB842``; equal sources of chance give equal ids."""
    head = "1" + "".join(chance.choices(ALPHABET, k=8))
    return f"{prefix}_{head}{SANDBOX_MARKER}{''.join(chance.choices(ALPHABET, k=4))}"


def has_shape(text: object, prefix: str) -> bool:
    """Tell whether ``text`` could be an id with ``prefix``."""
    return isinstance(text, str) and SHORTEST <= len(text) <= LONGEST and text.startswith(f"{prefix}_")
