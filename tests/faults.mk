# Every nth call of the daemon fails once, descriptors and threads run out, the clock jumps: tests/faults/sweep.py tells how.

# So many numbers of each sweep; empty: all of them, which takes two to three hours.
EG_FAULTS ?=

PLANTED = $(sort $(wildcard tests/faults/planted*.c))
$(B)/tests/faults/planted.so: $(PLANTED) tests/faults/planted.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -M%,$(CPPFLAGS)) $(filter-out -fPIE $(SANFLAGS_$(SAN)),$(CFLAGS)) -fPIC -shared -o $@ $(PLANTED)

# Each allocation of an arena is one that can fail only in a fault build.
.PHONY: faults
faults: ## every nth call fails once, over whole roads; EG_FAULTS=n takes n of each kind
	$(Q)$(MAKE) --no-print-directory FAULT=1 B=$(B)-fault programs python-stubs $(B)-fault/tests/faults/planted.so \
		$(B)-fault/tests/system/bus_client
	$(Q)B=$(B)-fault tests/faults/test_clock.py
	$(Q)B=$(B)-fault tests/faults/test_exhausted.py
	$(Q)B=$(B)-fault tests/faults/test_told.py
	$(Q)B=$(B)-fault tests/faults/test_planted.py
	$(Q)B=$(B)-fault EG_FAULTS=$(EG_FAULTS) tests/faults/sweep.py
