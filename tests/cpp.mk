# The C++ example client: see tests/clients/cpp-client/run.

.PHONY: cpp-client
cpp-client: programs ## the C++ example client against real gateways
	$(Q)deploy/install-dependencies cpp-client || :
	$(Q)B=$(B) tests/clients/cpp-client/run
