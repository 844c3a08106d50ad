"""Reports: from records to frames, tables, plots and one HTML page.

Reads records only: nothing here imports torch or knows a suite by name. `frame` loads records,
`cells` and `families` judge what may stand in one table, `tables`, `plots` and `page` show it, and
`build` puts a report on disk.
"""
