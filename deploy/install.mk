# `make install DESTDIR= PREFIX=/usr`: the programs, the unit, the documents. Installs no configuration: a default that
# opens a port would be worse than none.

DESTDIR ?=
PREFIX  ?= /usr

.PHONY: install
install: programs ## installs into $(DESTDIR)$(PREFIX)
	install -D -m 755 $(B)/eldergated $(DESTDIR)$(PREFIX)/sbin/eldergated
	install -D -m 755 $(B)/eldergate $(DESTDIR)$(PREFIX)/bin/eldergate
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/|$(PREFIX)/|g' deploy/systemd/eldergated.service \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/eldergated.service
	install -D -m 644 deploy/systemd/eldergate.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/eldergate.conf
	install -d $(DESTDIR)$(PREFIX)/share/doc/eldergate $(DESTDIR)$(PREFIX)/share/eldergate/proto
	install -m 644 LICENSE $(wildcard README.md gateway/FORMAT.md) $(DESTDIR)$(PREFIX)/share/doc/eldergate
	cd proto && find eldergate google -name '*.proto' -exec \
		install -D -m 644 {} $(abspath $(DESTDIR)$(PREFIX)/share/eldergate/proto)/{} \;
