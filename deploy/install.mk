# `make install DESTDIR= PREFIX=/usr`: the programs, completion for bash, the units, the mapping files to begin from, the documents. Installs no configuration: a default that
# opens a port would be worse than none.

DESTDIR ?=
PREFIX  ?= /usr

.PHONY: install
install: programs ## installs into $(DESTDIR)$(PREFIX)
	install -D -m 755 $(B)/eldergated $(DESTDIR)$(PREFIX)/sbin/eldergated
	install -D -m 755 $(B)/eldergate $(DESTDIR)$(PREFIX)/bin/eldergate
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$(B)/eldergate completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/eldergate
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	for unit in eldergated eldergate-adapter@; do sed 's|/usr/|$(PREFIX)/|g' deploy/systemd/$$unit.service \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit.service; done
	install -d $(DESTDIR)$(PREFIX)/share/eldergate/mappings
	for agency in $(filter-out template,$(ADAPTER_NAMES)); do \
		install -m 755 $(B)/eldergate-$$agency $(DESTDIR)$(PREFIX)/bin/eldergate-$$agency && \
		install -m 644 adapters/$$agency/mapping.yaml $(DESTDIR)$(PREFIX)/share/eldergate/mappings/$$agency.yaml || exit 1; done
	install -D -m 644 deploy/systemd/eldergate.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/eldergate.conf
	install -d $(DESTDIR)$(PREFIX)/share/doc/eldergate $(DESTDIR)$(PREFIX)/share/eldergate/proto
	install -m 644 LICENSE $(wildcard README.md README.zh-CN.md gateway/FORMAT.md) $(DESTDIR)$(PREFIX)/share/doc/eldergate
	cd proto && find eldergate google -name '*.proto' -exec \
		install -D -m 644 {} $(abspath $(DESTDIR)$(PREFIX)/share/eldergate/proto)/{} \;
