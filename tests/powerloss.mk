# The store and the writer under losses of power: tests/powerloss/run tells how.

POWER_PROGRAMS = $(B)/tests/powerloss/test_powerloss $(B)/tests/powerloss/test_powerloss_writer
POWER_SHARED   = $(call obj,$(addprefix tests/powerloss/,powerdisk.c powervfs.c crash.c))

$(call obj,tests/powerloss/test_powerloss_writer.c): CPPFLAGS += -Itests/unit/flow

$(B)/tests/powerloss/test_%: $(B)/tests/powerloss/test_%.o $(POWER_SHARED) $(foreach f,$(below_flow),$(call lib,$(f)))
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(call pc_libs,$(call pkgs,flow) cmocka) $(LDLIBS)
.SECONDARY: $(POWER_PROGRAMS:=.o) $(POWER_SHARED)

TEST_LANES += powerloss
lane-programs fault-programs: powerloss-programs

.PHONY: powerloss powerloss-programs
powerloss: powerloss-programs ## power is lost at random file operations; planted faults must be caught
	$(Q)$(MAKE) --no-print-directory FAULT=1 B=$(B)-fault powerloss-programs
	$(Q)tests/powerloss/run $(B)/tests/powerloss $(B)-fault/tests/powerloss
powerloss-programs: $(POWER_PROGRAMS)
