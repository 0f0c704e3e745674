# Eldergate. `make demo` and `make test` are all a newcomer needs; `make help` lists the rest.
# Everything is built under $(B), one folder per variant (compiler, sanitizer, fault build).

CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif
SAN     ?=
FAULT   ?=
VARIANT := $(CC)$(if $(SAN),-$(SAN))$(if $(FAULT),-fault)
B       ?= build/$(VARIANT)
Q       ?= @

PKGS_base  := yaml-0.1
PKGS_trust := libcrypto
PKGS_store := sqlite3
PKGS_flow  := rdkafka
PKGS_edge  := grpc libprotobuf-c libmicrohttpd libzmq

CSTD     := -std=c17 -D_GNU_SOURCE -D_FORTIFY_SOURCE=2
OPT      := -O2 -g -fno-omit-frame-pointer
WARN     := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Werror
HARDEN   := -fstack-protector-strong -fPIE
SANFLAGS_asan := -fsanitize=address,undefined -fno-sanitize-recover=all
SANFLAGS_tsan := -fsanitize=thread
# What libFuzzer needs of the code under it, and lines counted for llvm-cov; clang alone has these.
SANFLAGS_fuzz := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	-fprofile-instr-generate=/dev/null -fcoverage-mapping
ifneq ($(SAN),)
OPT      := -O1 -g -fno-omit-frame-pointer $(SANFLAGS_$(SAN))
CSTD     := $(filter-out -D_FORTIFY_SOURCE=2,$(CSTD))
export LSAN_OPTIONS := suppressions=$(CURDIR)/tests/lsan.supp:print_suppressions=0
endif
ifneq ($(FAULT),)
CSTD     += -DEG_FAULT=1
endif
CPPFLAGS += -Igateway -Iinclude -I$(B)/gen -MMD -MP
CFLAGS   += $(CSTD) $(OPT) $(HARDEN) $(WARN)
LDFLAGS  += -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANFLAGS_$(SAN))
LDLIBS   += -pthread -lm

# The floors, ground first: a floor links (and includes) itself and those below.
FLOORS := base model trust store flow edge cli
lib     = $(B)/lib$(1).a
src     = $(sort $(filter-out $(PROGRAM_SRC),$(wildcard gateway/$(1)/*.c)))
obj     = $(patsubst %.c,$(B)/%.o,$(1))
below_base  := base
below_model := model base
below_trust := trust model base
below_store := store trust model base
below_flow  := flow store trust model base
below_edge  := edge flow store trust model base
# The command line, for its unit tests: the top, beside main.
below_cli   := cli edge flow store trust model base
pkgs        = $(foreach f,$(below_$(1)),$(PKGS_$(f)))
pc_libs     = $(if $(1),$(shell pkg-config --libs $(1)))
pc_cflags  := -I/usr/include

# Sources with a main() of their own, outside the floors' libraries.
PROGRAM_SRC := gateway/flow/dev_broker.c gateway/cli/eldergate.c

PROTOS   := $(sort $(wildcard proto/eldergate/v1/*.proto)) $(sort $(wildcard proto/google/rpc/*.proto))
GRPC_PROTO_DIR := /usr/share/grpc-proto
PROGRAMS := $(B)/eldergated $(B)/eldergate $(B)/eldergate-devbroker

.PHONY: all programs
all: deps ## builds the programs (installs what is missing)
	$(Q)$(MAKE) --no-print-directory programs

libs_of = $(foreach f,$(below_$(1)),$(call lib,$(f)))

include $(sort $(wildcard tests/*.mk deploy/*.mk proto/*.mk)) $(wildcard adapters/*.mk)
programs: $(PROGRAMS)

.SECONDEXPANSION:
define floor_rules
$(call lib,$(1)): $$(call obj,$$(call src,$(1))) $$(GEN_OBJ_$(1))
	@rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$^
endef
$(foreach f,$(FLOORS),$(eval $(call floor_rules,$(f))))

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c $< -o $@

# Only the edge, and the programs above it, see generated code.
$(call obj,$(call src,edge) $(wildcard gateway/*.c gateway/cli/*.c)): | $(GEN_HEADERS)

$(B)/eldergated: $(call obj,$(wildcard gateway/*.c)) $(call libs_of,edge)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(call pc_libs,$(call pkgs,edge)) $(LDLIBS)

# The demo asks the agency's table as the table connector does.
$(B)/eldergate: $(call obj,gateway/cli/eldergate.c) $(call lib,cli) $(ADAPTER_LIB) $(call libs_of,edge)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(call pc_libs,$(call pkgs,cli) odbc) $(LDLIBS)

$(B)/eldergate-devbroker: $(call obj,gateway/flow/dev_broker.c) $(call lib,base)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(call pc_libs,rdkafka) $(LDLIBS)

# tests/unit/<floor>/test_x.c is one cmocka program, linked with its floor and those below.
define unit_rules
$(B)/tests/unit/$(1)/%: tests/unit/$(1)/%.c $(call libs_of,$(1))
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CPPFLAGS) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$< $(call libs_of,$(1)) \
		$$(call pc_libs,$$(call pkgs,$(1)) cmocka) $$(LDLIBS)
UNIT_$(1) := $$(patsubst %.c,$(B)/%,$$(sort $$(wildcard tests/unit/$(1)/test_*.c)))
UNIT_TESTS += $$(UNIT_$(1))
endef
$(foreach f,$(FLOORS),$(eval $(call unit_rules,$(f))))

.PHONY: unit
lane-programs: $(UNIT_TESTS)
unit: $(UNIT_TESTS) ## the unit tests, two programs at a time
	$(Q)tests/run-unit $^

.PHONY: clean
clean: ## removes everything that was built
	rm -rf build

-include $(shell find $(B) -name '*.d' 2>/dev/null)
