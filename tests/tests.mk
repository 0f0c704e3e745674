# What a newcomer and a developer run. A lane is a target that prints lane-result lines (tests/run-lanes); a makefile
# fragment that brings one adds its name to TEST_LANES. Lanes get this B; one that needs another variant (FAULT=1) adds a
# suffix to it. They run side by side, and two makes must not build the same: what they build is made before, as a
# prerequisite of lane-programs or, of the variant with kill points, of fault-programs.

export PYTHONDONTWRITEBYTECODE := 1
TEST_LANES     ?=
LANE_MINUTES   ?= 15
LANE_MAKE       = $(MAKE) --no-print-directory -j2 B=$(B)
RUN_LANES       = tests/run-lanes --logs $(B)/lanes
# ThreadSanitizer's share: the floors where threads meet, below the uninstrumented gRPC.
TSAN_FLOORS    := base flow
# librdkafka starts its threads with C11's thrd_create, which this ThreadSanitizer does not know: it would crash in them.
TSAN_TESTS      = $(filter-out %/test_relay,$(patsubst %.c,$(B)/%,$(sort $(wildcard $(TSAN_FLOORS:%=tests/unit/%/test_*.c)))))
# The threaded ones elsewhere that touch neither gRPC nor libzmq. SQLite is not instrumented, and its locks are not seen
# (tsan.supp); our threads around it are. The store's copier has a thread in test_store_wal, and none in its own test.
TSAN_TESTS     += $(addprefix $(B)/tests/unit/,edge/test_bus_peers edge/test_pool edge/test_probe cli/test_verify_pages \
	trust/test_policy store/test_store_wal store/test_vfs adapters/test_table adapters/test_http_outage)

# A file is analyzed again when its object is: then it or a header of its has changed.
ANALYZED        = $(patsubst %.c,$(B)/%.tidy,$(sort $(wildcard gateway/*.c gateway/*/*.c adapters/*/*.c)))

TEST_LANES += mutants
.PHONY: mutants
mutants: ## every planted fault in the person model must be caught
	$(Q)tests/mutants $(B)

.PHONY: test test-lanes for-lanes lane-programs fault-programs check format layers analyze unit-tsan protos runners help
test: deps-test ## builds all and runs the tests (installs what is missing)
	$(Q)$(LANE_MAKE) for-lanes
	$(Q)$(LANE_MAKE) test-lanes
for-lanes:
	$(Q)$(LANE_MAKE) lane-programs
	$(Q)$(LANE_MAKE) fault-programs FAULT=1 B=$(B)-fault
lane-programs fault-programs: programs python-stubs
test-lanes:
	$(Q)printf '%s\n' $(foreach l,layers unit $(TEST_LANES),'$(l)|$(LANE_MINUTES)|$(LANE_MAKE) $(l)') | $(RUN_LANES) --beside 2

check: deps-check ## before a commit: format, floors, analyzer, unit tests under ASan and UBSan
	$(Q)printf '%s\n' 'format|2|tests/format' 'layers|1|tests/layers' \
		'analyze|20|$(LANE_MAKE) analyze' \
		'unit-asan|20|$(MAKE) --no-print-directory -j2 SAN=asan B=$(B)-asan unit' | $(RUN_LANES)

format: ## puts the C sources as .clang-format wants them
	$(Q)tests/format --write

layers: ## the floors test: no include from above
	$(Q)tests/layers

ANALYZER_HINTS  = $(if $(filter gateway/base/err.c,$<),,-include eldergate/err.h -include tests/analyzer.h)
$(B)/%.tidy: %.c $(B)/%.o .clang-tidy tests/analyzer.h
	@rm -f $@
	$(Q)clang-tidy --quiet $< -- $(filter-out -M%,$(CPPFLAGS)) $(CSTD) $(ANALYZER_HINTS) >$@.log 2>/dev/null || { cat $@.log; exit 1; }
	@touch $@

analyze: ## clang-tidy over what has changed
	$(Q)$(LANE_MAKE) --keep-going $(ANALYZED) || :
	$(Q)good=$$(ls $(ANALYZED) 2>/dev/null | wc -l); all=$(words $(ANALYZED)); \
		echo "lane-result: $$good passed, $$((all - good)) failed, 0 skipped"; test $$good -eq $$all

unit-tsan: $(TSAN_TESTS)
	$(Q)SAN=$(SAN) TSAN_OPTIONS=suppressions=tests/tsan.supp tests/run-unit $^

protos: ## lints the protobuf files
	$(Q)tests/protos

runners:
	$(Q)tests/runners

help: ## this list
	$(Q)awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
