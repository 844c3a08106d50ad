"""The ground floor: words, identities, records, statistics. Imports nothing from above."""
