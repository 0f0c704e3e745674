# Real Kafka for development: see deploy/kafka/broker.

# Nodes: 1, or 3 for a cluster as in production, if its folder has none yet.
BROKERS ?=

.PHONY: kafka kafka-stop kafka-wipe
kafka: ## fetches Apache Kafka (once) and starts one broker on 127.0.0.1:29092; BROKERS=3: three
	$(Q)deploy/install-dependencies kafka || :
	$(Q)$(if $(BROKERS),KAFKA_BROKERS=$(BROKERS)) deploy/kafka/broker start
kafka-stop: ## stops it; its data stays
	$(Q)deploy/kafka/broker stop
kafka-wipe: ## stops it and removes its data
	$(Q)deploy/kafka/broker wipe
