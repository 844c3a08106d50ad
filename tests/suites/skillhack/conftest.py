"""NetHack has to be there."""

from __future__ import annotations

import pytest

pytest.importorskip("nle", reason="the extra skillhack is not installed")
