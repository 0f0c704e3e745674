# The Java example client: see tests/clients/java-client/run.

.PHONY: java-client
java-client: programs ## the Java example client against real gateways
	$(Q)deploy/install-dependencies java-client || :
	$(Q)B=$(B) tests/clients/java-client/run
