# The log judged by independent Go code: see tests/run-go; the Go example client: see tests/clients/go-client/run.

.PHONY: go go-client
go: $(B)/tests/clients/make_samples ## independent Go code verifies checkpoints and proofs
	$(Q)tests/run-go $< $(B)/clients-go

go-client: programs ## the Go example client against real gateways
	$(Q)B=$(B) tests/clients/go-client/run

$(B)/tests/clients/make_samples: tests/clients/make_samples.c $(foreach f,$(below_trust),$(call lib,$(f)))
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(call libs_of,trust) $(call pc_libs,$(call pkgs,trust)) $(LDLIBS)
