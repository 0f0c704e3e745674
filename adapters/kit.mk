# The kit for authors of adapters: libeldergate-adapter, static and shared, with only what include/eldergate declares to
# be seen from outside; its pkg-config file; the template. `make kit` builds it, `make install` installs it too.

KIT_VERSION := 0.1.0
KIT_SONAME  := libeldergate-adapter.so.0
KIT         := $(B)/kit
PIC         := $(B)/pic
LIBDIR      ?= $(PREFIX)/lib

# The objects once more, as a shared library wants them.
KIT_SRC := $(ADAPTER_SRC) $(call src,trust) $(call src,model) $(call src,base)
# Nothing in the library uses the services' messages of other floors: all of the protocol is small enough.
KIT_GEN := $(filter-out %.S,$(GEN_C))
KIT_OBJ := $(KIT_SRC:%.c=$(PIC)/%.o) $(KIT_GEN:$(GEN)/%.c=$(PIC)/gen/%.o)

$(PIC)/adapters/connectors/xml.o: CPPFLAGS += $(shell pkg-config --cflags libxml-2.0)
$(PIC)/%.o: %.c | $(GEN_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(filter-out -fPIE,$(CFLAGS)) -fPIC -c $< -o $@
$(PIC)/gen/%.o: $(GEN)/%.c | $(GEN_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -MMD -MP,$(CPPFLAGS)) $(filter-out -fPIE $(WARN),$(CFLAGS)) -w -fPIC -c $< -o $@

# What the public headers declare is what the library shows.
$(KIT)/exports: $(wildcard include/eldergate/*.h) adapters/kit.mk
	@mkdir -p $(@D)
	$(Q)sed -n -e '/^ \*/d' -e '/^\/\*/d' -e 's/.*\b\(eg_[a-z0-9_]*\)(.*/\1/p' \
		-e 's/^extern .*\b\(eg_[a-z0-9_]*\);.*/\1/p' include/eldergate/*.h | sort -u >$@

$(KIT)/adapter.o: $(KIT_OBJ) $(KIT)/exports
	$(Q)$(LD) -r -o $@ $(KIT_OBJ)
	$(Q)objcopy --keep-global-symbols=$(KIT)/exports $@
$(KIT)/libeldergate-adapter.a: $(KIT)/adapter.o
	@rm -f $@
	$(Q)$(AR) rcs $@ $<
$(KIT)/$(KIT_SONAME): $(KIT)/adapter.o
	$(Q)$(CC) -shared -Wl,-soname,$(KIT_SONAME) $(filter-out -pie,$(LDFLAGS)) -o $@ $< $(ADAPTER_PC) $(LDLIBS)
# Libraries of Debian by their names alone: what they want for a static link of themselves is not for us to repeat.
$(KIT)/eldergate-adapter.pc: adapters/kit.mk adapters/adapters.mk
	@mkdir -p $(@D)
	$(Q)printf '%s\n' 'prefix=$(PREFIX)' 'includedir=$${prefix}/include' \
		'libdir=$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))' '' \
		'Name: eldergate-adapter' 'Description: Adapters for the Eldergate gateway' 'Version: $(KIT_VERSION)' \
		'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -leldergate-adapter' \
		'Libs.private: $(strip $(ADAPTER_PC) $(LDLIBS))' >$@

KIT_FILES := $(KIT)/libeldergate-adapter.a $(KIT)/$(KIT_SONAME) $(KIT)/eldergate-adapter.pc
.PHONY: kit install-kit
kit: $(KIT_FILES) ## the library for authors of adapters, static and shared

install: install-kit
install-kit: $(KIT_FILES)
	install -d $(DESTDIR)$(PREFIX)/include/eldergate $(DESTDIR)$(LIBDIR)/pkgconfig \
		$(DESTDIR)$(PREFIX)/share/doc/eldergate/adapters/template
	install -m 644 include/eldergate/*.h include/eldergate/errors.def $(DESTDIR)$(PREFIX)/include/eldergate
	install -m 644 $(KIT)/libeldergate-adapter.a $(DESTDIR)$(LIBDIR)
	install -m 755 $(KIT)/$(KIT_SONAME) $(DESTDIR)$(LIBDIR)
	ln -sf $(KIT_SONAME) $(DESTDIR)$(LIBDIR)/libeldergate-adapter.so
	install -m 644 $(KIT)/eldergate-adapter.pc $(DESTDIR)$(LIBDIR)/pkgconfig
	install -m 644 adapters/*.md $(DESTDIR)$(PREFIX)/share/doc/eldergate/adapters
	install -m 644 adapters/template/* $(DESTDIR)$(PREFIX)/share/doc/eldergate/adapters/template
	for a in $(filter-out template,$(ADAPTER_NAMES)); do \
		install -D -m 755 $(B)/eldergate-$$a $(DESTDIR)$(PREFIX)/bin/eldergate-$$a; done
