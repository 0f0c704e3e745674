# The adapters' side: libeldergate-adapter.a (agent, mapping, link, connectors, and what of the gateway's lower floors
# they need), the programs, their unit tests. adapters/<name>/<name>.c becomes the program eldergate-<name>.
# common and connectors include base, model and trust, never the daemon's own floors above.

PKGS_adapters := libprotobuf-c libzmq odbc libcurl jansson libxml-2.0
LIBS_adapters := -lssh
CPPFLAGS      += -Iadapters

ADAPTER_SRC := $(sort $(wildcard adapters/common/*.c adapters/connectors/*.c))
ADAPTER_LIB := $(B)/libadapters.a
# libxml2's headers stand in a folder of their own.
$(B)/adapters/connectors/xml.o $(B)/adapters/connectors/xml.tidy: CPPFLAGS += $(shell pkg-config --cflags libxml-2.0)
ADAPTER_LINK = $(ADAPTER_LIB) $(call libs_of,trust)
ADAPTER_PC   = $(call pc_libs,$(PKGS_adapters) $(call pkgs,trust)) $(LIBS_adapters)
# The protocol's messages; services and descriptors are not needed.
ADAPTER_GEN := $(filter-out $(GEN)/obj/descriptor_set.o,$(GEN_OBJ_edge))

$(call obj,$(ADAPTER_SRC)): | $(GEN_HEADERS)
$(ADAPTER_LIB): $(call obj,$(ADAPTER_SRC)) $(ADAPTER_GEN)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

ADAPTER_NAMES := $(filter-out common connectors,$(notdir $(patsubst %/,%,$(dir $(wildcard adapters/*/*.c)))))
ADAPTER_NAMES := $(sort $(ADAPTER_NAMES))
ADAPTERS      := $(ADAPTER_NAMES:%=$(B)/eldergate-%)
PROGRAMS      += $(ADAPTERS)

define adapter_rule
$(B)/eldergate-$(1): $(call obj,$(wildcard adapters/$(1)/*.c)) $(ADAPTER_LIB) $(call libs_of,trust)
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$^ $$(ADAPTER_PC) $$(LDLIBS)
endef
$(foreach a,$(ADAPTER_NAMES),$(eval $(call adapter_rule,$(a))))

# tests/unit/adapters/test_x.c: one cmocka program each.
$(B)/tests/unit/adapters/%: tests/unit/adapters/%.c $(ADAPTER_LIB) $(call libs_of,trust)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(ADAPTER_LINK) $(ADAPTER_PC) $(call pc_libs,cmocka) $(LDLIBS)
UNIT_TESTS += $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/unit/adapters/test_*.c)))

# The file connector over SFTP, against a real sshd: see tests/sftp/run.
SFTP_PROGRAM := $(B)/tests/sftp/test_sftp

$(SFTP_PROGRAM): tests/sftp/test_sftp.c $(call obj,tests/sftp/server.c) $(ADAPTER_LIB) $(call libs_of,trust)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(call obj,tests/sftp/server.c) $(ADAPTER_LINK) \
		$(ADAPTER_PC) $(call pc_libs,cmocka) $(LDLIBS)

.PHONY: sftp sftp-run
sftp: ## the file connector against a real SFTP server
	$(Q)deploy/install-dependencies sftp || :
	$(Q)$(LANE_MAKE) sftp-run
sftp-run: $(SFTP_PROGRAM)
	$(Q)tests/sftp/run $<

.PHONY: file-truncated
file-truncated: $(B)/tests/unit/adapters/test_file_faults ## a full list cut at each byte of its last 64 KiB never ends
	$(Q)EG_TRUNCATE_ALL=1 tests/run-unit $<
