"""Post-hoc detectors: one file a method or close family. Every score: higher = more likely OOD."""
