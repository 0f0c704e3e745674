# The table connector against the engines that agencies use: tests/odbc/run tells how. SKIPPED where one cannot be had.

.PHONY: odbc
odbc: $(B)/tests/unit/adapters/test_table ## agencies' tables on SQLite, PostgreSQL and MariaDB through their drivers
	$(Q)deploy/install-dependencies odbc || :
	$(Q)tests/odbc/run $<
