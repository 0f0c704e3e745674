# Lanes that run the real programs: tests/system (one gateway each), tests/crash (killed at named points).

SYSTEM_TESTS := $(filter-out %/test_descriptors.py,$(sort $(wildcard tests/system/test_*.py)))
# These wait more than they reckon; with -j2 they run beside the others.
SYSTEM_WAITING := $(patsubst %,tests/system/test_%.py,cli_demo feed_slow manager rhythm shipped)
run_each = rc=0; for t in $(1); do echo "== $$t"; B=$(B) $$t || rc=1; done
# Kills of a round: one at each point. The development broker drops what is beyond 5 MiB a partition, so a long run is
# many rounds, each with a broker of its own; CI runs ten.
CRASH_CYCLES ?= 10
CRASH_ROUNDS ?= 2

TEST_LANES += system crash
lane-programs: $(B)/tests/system/bus_client

# A link to the gateway's bus that test_bus.py drives.
$(B)/tests/system/bus_client: tests/system/bus_client.c $(B)/libadapters.a $(call libs_of,trust)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(ADAPTER_LINK) $(ADAPTER_PC) $(LDLIBS)

.PHONY: system system-running system-waiting crash crash-programs crash-checker crash-kills crash-kafka histories
system: ## the programs as their users meet them
	$(Q)$(MAKE) --no-print-directory --keep-going system-running system-waiting
system-running system-waiting: programs python-stubs $(B)/tests/system/bus_client
system-running:
	$(Q)$(call run_each,$(filter-out $(SYSTEM_WAITING),$(SYSTEM_TESTS))); exit $$rc
system-waiting: # what it says comes at its end, not between the lines of the others
	$(Q){ $(call run_each,$(SYSTEM_WAITING)); } >$(B)/system-waiting.log 2>&1; cat $(B)/system-waiting.log; exit $$rc

# Kill points exist only in a fault build. With -j2 two of these parts run side by side.
CRASH_ROUND := $(addprefix crash-round-,$(shell seq $(CRASH_ROUNDS)))
.PHONY: $(CRASH_ROUND)
crash: crash-checker crash-kills ## kill -9 at named points, judged by the checker; the checker itself against planted faults
crash-kills: $(CRASH_ROUND) ## kill -9 at named points alone, CRASH_ROUNDS times
crash-checker $(CRASH_ROUND): crash-programs
crash-programs:
	$(Q)$(MAKE) --no-print-directory FAULT=1 B=$(B)-fault programs python-stubs
crash-checker:
	$(Q)B=$(B)-fault tests/crash/test_checker.py
	$(Q)B=$(B)-fault tests/crash/test_unsafe.py
	$(Q)B=$(B)-fault tests/crash/test_lists.py
$(CRASH_ROUND):
	$(Q)B=$(B)-fault tests/crash/cycles.py --dev-broker --cycles $(CRASH_CYCLES)

# The real broker: SKIPPED where Kafka cannot be had.
crash-kafka: ## the same against Apache Kafka, which is killed at the relay's points too
	$(Q)deploy/install-dependencies kafka || :
	$(Q)$(MAKE) --no-print-directory FAULT=1 B=$(B)-fault programs python-stubs
	$(Q)B=$(B)-fault tests/crash/cycles.py --kafka --cycles $(CRASH_CYCLES)

# All kinds of pairs, or PAIRS of them, which change with the day; KINDS=a+b,c+d names some.
PAIRS ?=
KINDS ?=
fault-programs: $(B)/tests/unit/base/test_fault
.PHONY: pairs
pairs: ## two faults at a time: daemon, adapters, sources, broker, subscriber killed or stopped, judged by the checker
	$(Q)deploy/install-dependencies kafka sftp odbc || :
	$(Q)$(MAKE) --no-print-directory FAULT=1 B=$(B)-fault programs python-stubs $(B)-fault/tests/unit/base/test_fault
	$(Q)tests/run-unit $(B)-fault/tests/unit/base/test_fault
	$(Q)B=$(B)-fault tests/crash/test_pairs.py
	$(Q)B=$(B)-fault tests/crash/pairs.py $(if $(PAIRS),--pairs $(PAIRS)) $(if $(KINDS),--kinds $(KINDS))

.PHONY: kafka-readers kafka-three feed-slow rude-peers
kafka-readers: programs python-stubs ## outages of Apache Kafka; kcat and its own consumer read the topics
	$(Q)deploy/install-dependencies kafka || :
	$(Q)B=$(B) tests/kafka/test_kafka_real.py

kafka-three: programs python-stubs ## three brokers of Apache Kafka, of which one, two, all fall
	$(Q)deploy/install-dependencies kafka || :
	$(Q)B=$(B) tests/kafka/test_kafka_three.py

feed-slow: programs python-stubs ## 100,000 persons to a subscriber that takes 100 events a second
	$(Q)B=$(B) EG_PEOPLE=100000 tests/system/test_feed_slow.py

rude-peers: programs python-stubs ## slow and rude peers on a machine of their own: good calls keep their p99 within 250 ms
	$(Q)B=$(B) EG_GOOD_P99_MS=250 tests/system/test_rude_peers.py

# The example client with Debian's grpcio; with today's by a command of its own, SKIPPED where PyPI cannot be reached.
.PHONY: python python-pypi
python: programs python-stubs ## the Python example client against a real gateway
	$(Q)B=$(B) tests/clients/python/run
python-pypi: programs ## the same with the grpcio of today, from PyPI
	$(Q)B=$(B) tests/clients/python/run pypi

# SKIPPED where there is no promtool.
.PHONY: promtool
promtool: programs python-stubs ## Prometheus's own linter on the metrics of a gateway at work
	$(Q)B=$(B) tests/promtool

# What people debug with, by reflection: SKIPPED where the tools cannot be fetched.
.PHONY: reflection
reflection: programs python-stubs ## grpcurl and buf curl against a real gateway
	$(Q)B=$(B) tests/clients/reflection/run

histories: $(B)/tests/unit/model/test_history ## the person model against EG_HISTORIES generated histories
	$(Q)tests/run-unit $<
