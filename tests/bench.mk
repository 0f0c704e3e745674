# The figures: `make bench` measures the road beside its baselines (tests/bench/run-bench tells how), outside CI;
# `make bench-smoke` only proves that the benches run and count right.

BENCH_NAMES    := load list feed rows csv store fsync kafka producer $(if $(shell pkg-config --exists libpq 2>/dev/null && echo yes),pg)
BENCH_PROGRAMS  = $(BENCH_NAMES:%=$(B)/tests/bench/bench_%)
BENCH_SHARED    = $(call obj,tests/bench/bench.c tests/bench/people.c tests/bench/streams.c gateway/cli/grpc_client.c gateway/cli/file.c)
BENCH_LIBS      = $(foreach f,$(below_edge),$(call lib,$(f)))
PG_CFLAGS      := $(shell pkg-config --cflags libpq 2>/dev/null)
PG_LIBS        := $(shell pkg-config --libs libpq 2>/dev/null)

$(call obj,$(wildcard tests/bench/*.c)): | $(GEN_HEADERS)
$(call obj,tests/bench/bench_pg.c): CPPFLAGS += $(PG_CFLAGS)
# What is measured there is the adapters' own code.
$(B)/tests/bench/bench_csv: LDLIBS := $(B)/libadapters.a $(call lib,base) $(LDLIBS)
$(B)/tests/bench/bench_csv: $(B)/libadapters.a
$(B)/tests/bench/bench_pg: LDLIBS += $(PG_LIBS)

$(B)/tests/bench/bench_%: $(B)/tests/bench/bench_%.o $(BENCH_SHARED) $(BENCH_LIBS)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(call pc_libs,$(call pkgs,edge)) $(LDLIBS)
.SECONDARY: $(BENCH_PROGRAMS:=.o)

# Persons of the list.
BENCH_DEATHS_LIST ?= 300000

.PHONY: bench-deaths bench bench-run bench-smoke bench-profile bench-programs
bench: ## the figures beside their baselines and goals, as a table and build/bench/bench.json (half an hour)
	$(Q)deploy/install-dependencies bench || :
	$(Q)$(LANE_MAKE) bench-run
bench-run: programs bench-programs
	$(Q)B=$(B) tests/bench/run-bench $(BENCH_ARGS)
bench-smoke: programs bench-programs ## proves that the benches run and judge, at tiny sizes
	$(Q)B=$(B) tests/bench/test_goals.py
	$(Q)B=$(B) tests/bench/run-bench --smoke
bench-profile: programs bench-programs ## where the daemon's time goes: a table and a flame graph (perf, as root)
	$(Q)deploy/install-dependencies bench-profile || :
	$(Q)B=$(B) tests/bench/profile $(BENCH_ARGS)
bench-deaths: programs bench-programs python-stubs ## a death submitted while a full list streams: when Kafka has it
	$(Q)deploy/install-dependencies kafka || :
	$(Q)B=$(B) tests/bench/death_to_kafka.py --list $(BENCH_DEATHS_LIST)
bench-programs: $(BENCH_PROGRAMS)
