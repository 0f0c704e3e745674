# `make demo`: what a newcomer sees first.

.PHONY: demo
demo: deps-demo ## builds all and shows it working, in a few seconds (installs what is missing)
	$(Q)$(MAKE) --no-print-directory programs
	$(Q)$(B)/eldergate demo
