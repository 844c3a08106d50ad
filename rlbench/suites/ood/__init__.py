"""Out-of-distribution detection: pairs of data sets, detectors, and how they disagree."""
