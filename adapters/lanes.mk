# Lanes of the adapters beside their unit and system tests: the kit as an outsider meets it, kills at named points.

CRASH_ADAPTER_CYCLES ?= 15

TEST_LANES += kit-test adapters-crash
lane-programs: $(KIT_FILES)
fault-programs: $(B)/tests/unit/adapters/test_checkpoint

.PHONY: kit-test adapters-crash
kit-test: programs $(KIT_FILES) ## an outsider builds the template against the installed kit and follows the tutorial
	$(Q)B=$(B) tests/kit

adapters-crash: ## adapters, daemon and the agencies' servers killed at named points; unit tests of what only a fault build has
	$(Q)$(MAKE) --no-print-directory FAULT=1 B=$(B)-fault programs python-stubs $(B)-fault/tests/unit/adapters/test_checkpoint
	$(Q)tests/run-unit $(B)-fault/tests/unit/adapters/test_checkpoint
	$(Q)B=$(B)-fault tests/crash/adapters.py --cycles $(CRASH_ADAPTER_CYCLES)
