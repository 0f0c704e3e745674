# Bytes that come from outside, by the million, under ASan and UBSan: tests/fuzz/run tells how. libFuzzer is clang's.

FUZZ_NAMES   := record message bus csv mapping config http stored log proof
# Of each target; two run at a time.
FUZZ_SECONDS ?= 60

FUZZ_SHARED   = $(call obj,tests/fuzz/fuzz.c)
# The daemon's settings stand with its main().
FUZZ_CONF     = $(call obj,gateway/conf.c gateway/conf_policy.c)
FUZZ_LIBS     = $(B)/libadapters.a $(call libs_of,cli)
FUZZ_PC       = $(call pc_libs,$(PKGS_adapters) $(call pkgs,cli)) $(LIBS_adapters)

$(call obj,$(wildcard tests/fuzz/*.c)): | $(GEN_HEADERS)
$(call obj,tests/fuzz/fuzz_log.c): CPPFLAGS += -Itests/unit/flow

# Time and chance of the bus are the input's; its libzmq is the target's own.
$(B)/tests/fuzz/fuzz_bus: LDFLAGS += -Wl,--wrap=eg_mono_us -Wl,--wrap=eg_random
# Its archives come from the road of the unit tests.
$(B)/tests/fuzz/fuzz_log: LDLIBS += $(call pc_libs,cmocka)

$(B)/tests/fuzz/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(FUZZ_SHARED) $(FUZZ_CONF) $(FUZZ_LIBS)
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(FUZZ_PC) $(LDLIBS)
.SECONDARY: $(FUZZ_NAMES:%=$(B)/tests/fuzz/fuzz_%.o)

.PHONY: fuzz fuzz-run fuzz-programs
fuzz: ## libFuzzer on all that comes from outside, FUZZ_SECONDS each (60), with what it covered
	$(Q)deploy/install-dependencies fuzz || :
	$(Q)command -v clang >/dev/null || { echo 'SKIPPED: no clang'; exit 77; }
	$(Q)$(MAKE) --no-print-directory -j2 CC=clang SAN=fuzz B=build/clang-fuzz fuzz-programs
	$(Q)$(MAKE) --no-print-directory CC=clang SAN=fuzz B=build/clang-fuzz fuzz-run
fuzz-run: fuzz-programs
	$(Q)FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run $(B)/tests/fuzz $(FUZZ_NAMES)
fuzz-programs: $(FUZZ_NAMES:%=$(B)/tests/fuzz/fuzz_%)
