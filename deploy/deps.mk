# The Debian packages that are missing, installed. With nothing missing this asks dpkg only: no network, no root.
#
# make has read its makefiles before any package is there, so a goal that needs packages installs them and then starts
# make again.

.PHONY: deps deps-demo deps-test deps-check
deps: ## installs what the build needs
	$(Q)deploy/install-dependencies build
deps-demo:
	$(Q)deploy/install-dependencies demo
deps-test:
	$(Q)deploy/install-dependencies test
deps-check:
	$(Q)deploy/install-dependencies check
