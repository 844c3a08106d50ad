"""What a glyph number of NetHack means: its group, and which one of the group it is.

NetHack numbers its 5,976 pictures in ranges: monsters, the same monsters as pets, as seen by
detection, as statues, and so on. The published network looks up the range and the place in it
apart, so that a jackal and a tame jackal share an embedding (SkillHack, `glyph_type=all_cat`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

N_GROUPS = 13
N_KINDS = 943
"""Different places over all groups."""


def glyph_table() -> np.ndarray[Any, Any]:
    """int64 [MAX_GLYPH, 2]: the kind (below `N_KINDS`) and the group (below `N_GROUPS`)."""
    from nle import nethack as nh

    table = np.zeros((nh.MAX_GLYPH, 2), np.int64)
    monsters = nh.NUMMONS
    # (first glyph, glyphs per kind, whether the kinds are the monsters' own), in display.h's order
    ranges = (
        (nh.GLYPH_MON_OFF, 1, True),
        (nh.GLYPH_PET_OFF, 1, True),
        (nh.GLYPH_INVIS_OFF, 1, False),
        (nh.GLYPH_DETECT_OFF, 1, True),
        (nh.GLYPH_BODY_OFF, 1, True),
        (nh.GLYPH_RIDDEN_OFF, 1, True),
        (nh.GLYPH_OBJ_OFF, 1, False),
        (nh.GLYPH_CMAP_OFF, 1, False),
        (nh.GLYPH_EXPLODE_OFF, nh.MAXEXPCHARS, False),
        (nh.GLYPH_ZAP_OFF, 4, False),
        (nh.GLYPH_SWALLOW_OFF, 8, True),
        (nh.GLYPH_WARNING_OFF, 1, False),
        (nh.GLYPH_STATUE_OFF, 1, True),
    )
    ends = [*(first for first, _, _ in ranges[1:]), nh.MAX_GLYPH]
    known = monsters
    for group, ((first, per_kind, shared), end) in enumerate(zip(ranges, ends, strict=True)):
        place = np.arange(end - first) // per_kind
        table[first:end, 0] = place if shared else place + known
        table[first:end, 1] = group
        known += 0 if shared else int(place[-1]) + 1
    return table
