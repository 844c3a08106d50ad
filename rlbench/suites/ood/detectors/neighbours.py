"""Nearest neighbours in a bank that may be too large to hold: it is read in blocks."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

QUERIES = 2000
BLOCK = 16_384
"""Examples scored at a time, and rows of the bank that they meet at a time. The bank is read anew
for every lot of queries; a block of products takes 130 MB in single precision."""


def largest(blocks: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    """The k largest entries of every row and their columns, both [n, k], in descending order.

    Args:
        blocks: [n, m] each, to be thought of as standing side by side.
        k: at most the number of all columns.
    """
    values, columns, start = torch.empty(0), torch.empty(0), 0
    for block in blocks:
        found, place = block.topk(min(k, block.shape[1]), dim=1)
        if start == 0:
            values, columns = found, place
        else:
            values = torch.cat([values, found], dim=1)
            columns = torch.cat([columns, place + start], dim=1)
            values, chosen = values.topk(min(k, values.shape[1]), dim=1)
            columns = columns.gather(1, chosen)
        start += block.shape[1]
    return values, columns
