# Generated code of the protocol: protobuf-c structs, the descriptors that reflection serves, Python stubs for tests.
# GEN_OBJ_edge goes into the edge's library; GEN_HEADERS must be there before anything that includes them is compiled.

GEN          := $(B)/gen
WKT_DIR      ?= /usr/include
GEN_INCLUDES := -Iproto -I$(WKT_DIR) -I$(GRPC_PROTO_DIR)

# As import paths, without their roots.
GEN_OURS   := $(patsubst proto/%,%,$(PROTOS))
GEN_WKT    := google/protobuf/any.proto google/protobuf/duration.proto google/protobuf/timestamp.proto
GEN_GRPC   := grpc/health/v1/health.proto grpc/reflection/v1/reflection.proto grpc/reflection/v1alpha/reflection.proto
GEN_PROTOS := $(GEN_OURS) $(GEN_WKT) $(GEN_GRPC)
GEN_FILES  := $(PROTOS) $(addprefix $(WKT_DIR)/,$(GEN_WKT)) $(addprefix $(GRPC_PROTO_DIR)/,$(GEN_GRPC))

GEN_C       := $(GEN_PROTOS:%.proto=$(GEN)/%.pb-c.c)
GEN_HEADERS := $(GEN_C:.c=.h) $(GEN)/descriptor_set.h
# An archive knows its members by file name alone, and two of these are called reflection: the path goes into the name.
gen_obj      = $(GEN)/obj/$(subst /,.,$(1:.proto=.o))
GEN_OBJ_edge := $(foreach p,$(GEN_PROTOS),$(call gen_obj,$(p))) $(GEN)/obj/descriptor_set.o

$(GEN_C) $(GEN_C:.c=.h) &: $(GEN_FILES)
	@mkdir -p $(GEN)
	$(Q)protoc-c $(GEN_INCLUDES) --c_out=$(GEN) $(GEN_PROTOS)

# Generated code keeps no promise about warnings.
define gen_rule
$(call gen_obj,$(1)): $(GEN)/$(1:.proto=.pb-c.c) $(GEN_HEADERS)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(filter-out -MMD -MP,$$(CPPFLAGS)) $$(filter-out $$(WARN),$$(CFLAGS)) -w -c $$< -o $$@
endef
$(foreach p,$(GEN_PROTOS),$(eval $(call gen_rule,$(p))))

# The comments go along, so that `grpcurl describe` teaches.
$(GEN)/descriptor_set.pb: $(GEN_FILES)
	@mkdir -p $(@D)
	$(Q)protoc $(GEN_INCLUDES) --include_imports --include_source_info --descriptor_set_out=$@ $(GEN_PROTOS)

$(GEN)/descriptor_set.h: proto/proto.mk
	@mkdir -p $(@D)
	@printf '%s\n' \
		'/* The FileDescriptorSet of every service and message, imports included. Generated. */' \
		'#ifndef EG_GEN_DESCRIPTOR_SET_H' '#define EG_GEN_DESCRIPTOR_SET_H' '#include <stdint.h>' \
		'extern const uint8_t eg_descriptor_set[];' 'extern const uint64_t eg_descriptor_set_size;' '#endif' >$@

$(GEN)/descriptor_set.S: $(GEN)/descriptor_set.pb
	@printf '%s\n' \
		'.section .rodata' '.globl eg_descriptor_set, eg_descriptor_set_size' '.balign 8' \
		'.type eg_descriptor_set_size, @object' '.size eg_descriptor_set_size, 8' \
		'eg_descriptor_set_size: .quad 2f - 1f' \
		'.type eg_descriptor_set, @object' '.size eg_descriptor_set, 2f - 1f' \
		'eg_descriptor_set:' '1: .incbin "$<"' '2:' '.section .note.GNU-stack,"",@progbits' >$@

$(GEN)/obj/descriptor_set.o: $(GEN)/descriptor_set.S
	@mkdir -p $(@D)
	$(Q)$(CC) -c $< -o $@

# Python stubs of the protocol, for the tests: put $(B)/gen/py on PYTHONPATH.
GEN_PY := $(GEN)/py/.done
$(GEN_PY): $(GEN_FILES)
	@mkdir -p $(@D)
	$(Q)protoc $(GEN_INCLUDES) --python_out=$(@D) --grpc_python_out=$(@D) \
		--plugin=protoc-gen-grpc_python=$$(command -v grpc_python_plugin) $(GEN_OURS)
	@touch $@

.PHONY: python-stubs
python-stubs: $(GEN_PY)

TEST_LANES += descriptors
.PHONY: descriptors
descriptors: $(GEN)/descriptor_set.pb ## the protocol against the model's tables
	$(Q)tests/system/test_descriptors.py $<
