# The unit tests under valgrind's memcheck: it sees memory that was never written, which ASan does not.

# All but those that take half a second of processor time or more by themselves: valgrind makes that a quarter of a
# minute. What makes them long are thousands of generated cases, which ASan and UBSan see whole.
VALGRIND_LONG := model/test_history trust/test_merkle trust/test_checkpoint store/test_store_wal store/test_vfs \
	flow/test_feed flow/test_list flow/test_listed flow/test_merge flow/test_relay flow/test_writer cli/test_population \
	$(addprefix adapters/test_,file_faults http http_hostile http_target table)

VALGRIND_TESTS = $(filter-out $(VALGRIND_LONG:%=$(B)/tests/unit/%), \
	$(patsubst %.c,$(B)/%,$(sort $(wildcard tests/unit/*/test_*.c))))
VALGRIND      := valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite \
	--errors-for-leak-kinds=definite

.PHONY: unit-valgrind
unit-valgrind: $(VALGRIND_TESTS) ## the shorter unit tests under valgrind
	$(Q)command -v valgrind >/dev/null || { echo 'SKIPPED: no valgrind'; exit 77; }
	$(Q)UNIT_UNDER='$(VALGRIND)' tests/run-unit $^
