# gcc's static analyzer over what ships: every file of gateway/ and adapters/, whose warnings are errors. It sees one file
# at a time, so it is told of the functions that fail (tests/analyzer.h), as clang's is.

FANALYZED = $(patsubst %.c,$(B)/%.fan,$(sort $(wildcard gateway/*.c gateway/*/*.c adapters/*/*.c)))
FAN_CC   := gcc

# What gcc 12 gets wrong, by file. It loses what an array in a struct owns once a loop fills it; what is reached by the
# address of a member; and iconv_open's (iconv_t)-1, which owns nothing. Leaks are found at run time too: by ASan's lane
# and valgrind's.
$(addprefix $(B)/adapters/connectors/,$(addsuffix .fan,file_columns file_csv http_rows table_flight table_probe)) \
$(addprefix $(B)/gateway/cli/,$(addsuffix .fan,command_correct demo_folder made_names population_files)) \
$(addprefix $(B)/gateway/edge/,$(addsuffix .fan,grpc_call svc_reconcile svc_submit)): FAN_EXCEPT += -Wno-analyzer-malloc-leak
# A thread's contexts belong to its key, whose destructor frees them.
$(B)/gateway/trust/crypto.fan: FAN_EXCEPT += -Wno-analyzer-malloc-leak
# eg_refuse and eg_ask_no_memory, of another file, never return EG_OK; nor is a maker's list NULL unless it has failed.
$(addprefix $(B)/gateway/edge/svc_,$(addsuffix .fan,elder health rejects submit)): \
	FAN_EXCEPT += -Wno-analyzer-null-dereference
# The oldest stranger: there is one, since a house of peers alone is not full (bus_lines.h).
$(B)/gateway/edge/bus_lines.fan: FAN_EXCEPT += -Wno-analyzer-null-dereference
# The count says who frees, through an atomic.
$(B)/gateway/edge/ask.fan: FAN_EXCEPT += -Wno-analyzer-use-after-free

# The other warnings are those of every build; here the hints would set some of them off.
# A file is analyzed again when its object is: then it or a header of its has changed.
$(B)/adapters/connectors/xml.fan: CPPFLAGS += $(shell pkg-config --cflags libxml-2.0)
$(B)/%.fan: %.c $(B)/%.o tests/analyzer.h tests/fanalyzer.mk
	@rm -f $@
	$(Q)$(FAN_CC) $(filter-out -M%,$(CPPFLAGS)) $(CSTD) $(OPT) -Werror -fanalyzer $(FAN_EXCEPT) \
		$(ANALYZER_HINTS) -c $< -o $@.o 2>$@.log || { cat $@.log; exit 1; }
	@rm -f $@.o
	@touch $@

.PHONY: fanalyzer
fanalyzer: ## gcc's static analyzer over what has changed
	$(Q)$(LANE_MAKE) --keep-going $(FANALYZED) || :
	$(Q)good=$$(ls $(FANALYZED) 2>/dev/null | wc -l); all=$(words $(FANALYZED)); \
		echo "lane-result: $$good passed, $$((all - good)) failed, 0 skipped"; test $$good -eq $$all
