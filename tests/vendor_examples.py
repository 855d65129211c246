"""What the vendors' pages print, as the tests take it."""

import json
from pathlib import Path
from typing import Any

_CONTRACT = Path(__file__).parent / "contract"


def printed_delivery() -> dict[str, Any]:
    """The delivery printed on logistic.cloud's page."""
    content: dict[str, Any] = json.loads((_CONTRACT / "logistic-cloud-delivery.json").read_text(encoding="utf-8"))
    return content
